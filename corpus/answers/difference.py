"""`corpus diff A B`: which documents came, went or changed between two builds, and why.

A document is known by its address; without one by its source, file and place. Of several captures
of an address the first of one build is compared with the first of the other.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import duckdb

from corpus import config
from corpus.errors import UsageError, counted
from corpus.folder.layout import PARQUET, Layout
from corpus.folder.removals import HASHED, hashed_url
from corpus.folder.schema import REMOVED_FORMAT
from corpus.folder.sql import quoted

BY = ("host", "source", "licence")
TOP = 20  # rows of a table
NOT_READ = "not read"  # no row of the other build's ledger: it had no such record, or only counted
SHOWN = 10  # documents of each kind that are named


def difference(a: Layout, b: Layout, documents: bool = False) -> dict[str, Any]:
    """{a, b, of, settings, same, moved, changed, in, out, by, rules, examples}.

    of: `corpus` (what is published) or `documents` (all that was harvested). same, changed, in and
    out: {documents, characters}, in and changed of B, out of A. moved: how many of those in have
    the text of one that is out. by: host, source, licence → rows. rules: `out` by what dropped them
    in B, `in` by what had dropped them in A. settings: key → [A, B].
    """
    db = duckdb.connect(":memory:", config={"threads": 2})
    for name, layout in (("a", a), ("b", b)):
        config.require_build(layout)
        _view(db, name, layout, documents)
    db.execute(_PAIRS)
    facts: dict[str, Any] = {
        "a": str(a), "b": str(b), "of": "documents" if documents else "corpus",
        "settings": _settings(a, b),
    }  # fmt: skip
    rows = db.execute(
        "select fate, count(*), coalesce(sum(n_chars), 0)::bigint from pairs group by fate"
    ).fetchall()
    sums = {fate: {"documents": n, "characters": chars} for fate, n, chars in rows}
    nothing = {"documents": 0, "characters": 0}
    facts |= {fate: sums.get(fate, nothing) for fate in ("same", "changed", "in", "out")}
    facts["moved"] = _one(
        db, "select count(*) from pairs where fate = 'in' and text in "
        "(select text from pairs where fate = 'out')",
    )  # fmt: skip
    facts["by"] = {column: _by(db, column) for column in BY}
    facts["rules"] = {"out": _rules(db, b, "out"), "in": _rules(db, a, "in")}
    facts["examples"] = {fate: _examples(db, fate) for fate in ("changed", "in", "out")}
    return facts


# Of one key the first capture of A meets the first of B, the second the second.
_KEYED = """
create table {name} as
select *, row_number() over (partition by key order by captured, id) as nth from (
    select id, captured, n_chars, sha256(text) as text,
        coalesce(nullif(url, ''), source || ':' || regexp_replace(source_file, '^.*/', '') || ':'
            || source_offset) as key,
        coalesce(nullif(host, ''), '(none)') as host, coalesce(nullif(source, ''), '(none)')
            as source, coalesce(nullif(licence, ''), 'unknown') as licence
    from read_parquet({files}) where format is distinct from '{removed}')
"""
_PAIRS = """
create table pairs as
select case when a.id is null then 'in' when b.id is null then 'out'
        when a.text = b.text then 'same' else 'changed' end as fate,
    coalesce(b.id, a.id) as id, coalesce(b.key, a.key) as key, coalesce(b.text, a.text) as text,
    coalesce(b.n_chars, a.n_chars) as n_chars, a.n_chars as before,
    coalesce(b.host, a.host) as host, coalesce(b.source, a.source) as source,
    coalesce(b.licence, a.licence) as licence
from a full outer join b on a.key = b.key and a.nth = b.nth
"""


def _view(db: duckdb.DuckDBPyConnection, name: str, layout: Layout, documents: bool) -> None:
    files = layout.documents_files() if documents else layout.shards()
    if not files:
        verb = "harvested" if documents else "published"
        raise UsageError(f"{layout} has nothing {verb} yet (--documents: all that was read)")
    db.execute(_KEYED.format(name=name, files=quoted(files), removed=REMOVED_FORMAT))


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _by(db: duckdb.DuckDBPyConnection, column: str) -> list[dict[str, Any]]:
    """[{name, in, out, changed, same}] of the values where most is other, TOP of them."""
    fates = ("in", "out", "changed", "same")
    counts = ", ".join(f"count(*) filter (fate = '{fate}')" for fate in fates)
    rows = db.execute(
        f"select {column}, {counts} from pairs group by 1 "
        "order by count(*) filter (fate <> 'same') desc, 1"
    ).fetchall()
    return [dict(zip(("name", *fates), row, strict=True)) for row in rows[:TOP]]


def _rules(db: duckdb.DuckDBPyConnection, layout: Layout, fate: str) -> dict[str, int]:
    """`stage: rule` of the other build's ledger → documents of this fate; NOT_READ without."""
    ledgers = quoted(layout.root / layout.ledger("x").parent.name / PARQUET)
    db.execute(
        "create or replace temp table dropped as select id, url, stage || ': ' || rule as rule "
        f"from read_parquet({ledgers}) where action = 'drop'"
    )
    rows = db.execute(
        "select p.key, any_value(d.rule) from pairs p left join dropped d "
        "on d.id = p.id or d.url = p.key where p.fate = ? group by p.key, p.id", [fate],
    ).fetchall()  # fmt: skip
    # Of what was taken out the ledger has the hash of its address.
    taken = db.execute(f"select url, rule from dropped where url like '{HASHED}%'").fetchall()
    hashed = dict(taken)
    count: Counter[str] = Counter()
    for key, rule in rows:
        count[rule or (hashed and hashed.get(hashed_url(key))) or NOT_READ] += 1
    return dict(sorted(count.items(), key=lambda pair: (-pair[1], pair[0])))


def _examples(db: duckdb.DuckDBPyConnection, fate: str) -> list[dict[str, Any]]:
    rows = db.execute(
        "select key, id, n_chars, before from pairs where fate = ? order by n_chars desc, key "
        f"limit {SHOWN}", [fate],
    ).fetchall()  # fmt: skip
    return [dict(zip(("name", "id", "characters", "before"), row, strict=True)) for row in rows]


def _settings(a: Layout, b: Layout) -> dict[str, list[Any]]:
    ours, theirs = (config.flat(config.of_folder(layout)[0]) for layout in (a, b))
    return {key: [ours[key], theirs[key]] for key in ours if ours[key] != theirs[key]}


def as_text(facts: dict[str, Any]) -> str:
    """The facts for a terminal."""
    lines = [f"{facts['a']} → {facts['b']} ({facts['of']})"]
    for fate in ("same", "changed", "in", "out"):
        entry = facts[fate]
        documents = counted(entry["documents"], "document")
        lines.append(f"  {fate:<8}{documents}, {entry['characters']:,} characters")
    if facts["moved"]:
        lines.append(f"  {facts['moved']:,} of those in have the text of one that is out")
    for key, (before, after) in facts["settings"].items():
        lines.append(f"  {key}: {before!r} → {after!r}")
    for fate, other in (("out", "B"), ("in", "A")):
        for rule, number in facts["rules"][fate].items():
            why = f"not read in {other}" if rule == NOT_READ else f"{rule} of {other} dropped them"
            lines.append(f"  {fate}: {number:,} {why}")
    for column, rows in facts["by"].items():
        touched = [row for row in rows if row["in"] or row["out"] or row["changed"]]
        lines += [f"{column}"] if touched else []
        lines += [
            f"  {_shown(row['name'])}  in {row['in']:,}, out {row['out']:,}, "
            f"changed {row['changed']:,}"
            for row in touched
        ]
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)[:200]
