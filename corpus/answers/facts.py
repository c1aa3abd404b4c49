"""The facts of a corpus: what its cards, its report and croissant.json state.

Every number comes from the shards, the ledger, the receipts or the plan; nothing is typed. Counts
are taken by queries over the shards, or a row group at a time: any size, in bounded memory.
"""

from __future__ import annotations

import json
import math
import re
from itertools import zip_longest
from os.path import abspath, commonpath, dirname, relpath
from pathlib import PurePosixPath
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import __version__
from corpus.folder.layout import PARQUET, Layout
from corpus.folder.schema import TEXT_VERSION
from corpus.folder.sql import quoted
from corpus.settings import Settings
from corpus.sources.inputs import SEPARATOR, is_remote
from corpus.stages.rights import REFUSALS
from corpus.text.blocks import END, KIND, KINDS, START, from_arrow
from filters import profile_card
from filters.personal import KINDS as PERSONAL
from filters.personal import policies
from filters.profile import NONE, load

UNKNOWN = "unknown"  # in place of an empty value
TOP = 10  # rows of a top list
INPUTS = 20  # files of the input that are named
# Scripts of the texts: shares that are stored of every document.
SCRIPTS = ("hiragana", "katakana", "kanji", "latin", "digit", "symbol", "space")
DATED = "regexp_matches(captured, '^[0-9]{4}-[0-9]{2}-[0-9]{2}')"  # WARC-Date may say anything
REMOVED = "remove"  # of `refused`: by a request for removal
HARM = ("adult_words", "discrimination_words", "violence_words", "ad_words")


def facts(
    layout: Layout, settings: Settings, funnel: dict[str, Any], published: Layout | None = None
) -> dict[str, Any]:
    """Everything the card states, as plain values (also what `corpus card --json` prints).

    funnel: of `corpus.stages.books`. published: where the shards are, if not in their place yet.
    Keys: name, purpose, contact, profile, profiles, rules, funnel, shards, documents, characters,
    bytes, inputs (of `_inputs`), versions; and of a corpus with documents lists: column → [value,
    documents, characters]; lengths in code points; dates and captures: year → documents; captured:
    [first, last]; scripts: share of all characters; blocks: kind → [documents, blocks, characters];
    rights, truncated, clusters, personal and harm: counts of documents; personal_policy: what was
    set for organisations and for code.
    """
    published = published or layout
    default, own = settings.select.by_source()
    card: dict[str, Any] = {
        "name": settings.publish.name,
        "purpose": settings.publish.purpose,
        "contact": settings.publish.contact,
        "version": settings.publish.version,
        "date": settings.publish.date,
        "profile": default,
        "profiles": {
            s: name for s, name in own.items() if s in funnel["select"].get("sources", {})
        },
        "funnel": funnel,
        "rules": _profiles(layout, funnel),
        "shards": [path.name for path in published.shards()],
        "documents": funnel["publish"]["out"],
        "characters": funnel["publish"]["characters"],
        "bytes": funnel["publish"]["bytes"],
        "inputs": _inputs(layout, funnel["harvest"]["unread"]),
        "versions": {"Inaho": __version__, "text": TEXT_VERSION, "PyArrow": pa.__version__},
    }
    if not card["documents"]:
        return card | {"lists": {}, "lengths": {}, "dates": {}, "rights": {}}
    db = duckdb.connect(":memory:", config={"threads": 2})
    shards = quoted(published.shard(PARQUET))
    db.execute(f"create view corpus as select * from read_parquet({shards})")
    return card | {
        "lists": {
            column: _top(db, column)
            for column in ("source", "host", "licence", "language", "charset", "charset_from")
        },
        "lengths": _row(
            db,
            min="min(n_chars)",
            p10="quantile_disc(n_chars, 0.1)",
            median="quantile_disc(n_chars, 0.5)",
            p90="quantile_disc(n_chars, 0.9)",
            max="max(n_chars)",
        ),
        "dates": _years(db, "date"),
        "captures": _years(db, "captured"),
        "captured": [*_row(db, first=f"coalesce(min(captured) filter ({DATED}), '')",
                           last=f"coalesce(max(captured) filter ({DATED}), '')").values()],
        "scripts": _scripts(db),
        "blocks": _blocks(published),
        # Rights and repairs: how many documents carry each sign.
        "rights": _row(
            db,
            reserved_phrase="count(*) filter (rights.reserved)",
            robots_directives="count(*) filter (len(rights.robots) > 0)",
            robots_txt="count(*) filter (len(rights.robots_txt) > 0)",
            licence_link="count(*) filter (rights.licence_url <> '')",
            repaired="count(*) filter (repairs > 0)",
            in_cluster="count(*) filter (cluster_size > 1)",
            truncated="count(*) filter (truncated <> '')",
        ),
        "truncated": dict(
            db.execute(
                "select truncated, count(*) from corpus where truncated <> '' group by 1 order by 1"
            ).fetchall()
        ),
        "clusters": _row(
            db,
            **{name: f"count(*) filter (cluster_size between {low} and {high})"
               for name, low, high in (("1", 1, 1), ("2", 2, 2), ("3–9", 3, 9),
                                       ("10–99", 10, 99), ("100+", 100, 2**31 - 1))},
        ),
        "personal": _personal(db, settings),
        "personal_policy": {
            "organisations": settings.clean.organisations,
            "code": settings.clean.code,
        },
        "harm": _harm(db),
    }  # fmt: skip


# of the build -------------------------------------------------------------------------------------


def _profiles(layout: Layout, funnel: dict[str, Any]) -> list[dict[str, Any]]:
    """The profiles that decided: title, rules with bounds and what each dropped, its error."""
    dropped = _dropped(layout)
    sources = funnel["select"].get("sources", {})
    out = []
    for name in sorted({entry["profile"] for entry in sources.values()} - {NONE}):
        profile = load(name)
        rules = [
            {
                "name": rule.name,
                "bounds": rule.bounds(),
                "signal": rule.signal,
                "low": None if math.isinf(rule.low) else rule.low,
                "high": None if math.isinf(rule.high) else rule.high,
                "why": rule.why,
                "dropped": dropped.get((name, rule.name), 0),
            }
            for rule in profile.rules
        ]
        about = {"name": name, "title": profile.title, "source": profile.source, "rules": rules}
        out.append(about | {"judged": _judged(name)})
    return out


def _dropped(layout: Layout) -> dict[tuple[str, str], int]:
    """(profile, rule) → documents that select dropped by it, from the ledger."""
    ledgers = layout.ledgers("select")
    if not ledgers:
        return {}
    found = duckdb.connect(":memory:", config={"threads": 2}).execute(
        "select regexp_extract(detail, '^profile (.+?) wants ', 1) as profile, rule, count(*) "
        f"from read_parquet({quoted(ledgers)}) group by all"
    )
    return {(profile, rule): count for profile, rule, count in found.fetchall()}


def _judged(name: str) -> dict[str, Any] | None:
    """What people's judgements say of a shipped profile: shares with 95 % intervals."""
    found = profile_card.judged(name)
    if found is None:
        return None
    own = found["profile"]
    return {
        "date": found["date"],
        "pages": found["set"],
        "wrong_drops": own["wrong_drops"],
        "wrong_keeps": own["wrong_keeps"],
        "balanced": own["balanced"],
    }


def _inputs(layout: Layout, unread: dict[str, Any]) -> dict[str, Any]:
    """What was given to the build: files, members of packed files, and of both together unreadable,
    repeated and read; bytes of the files on this machine's disks; named: of the first INPUTS that
    were read the name below the folder of all, bytes (None: not noted) and digest.
    """
    plan = json.loads(layout.plan.read_bytes()) if layout.plan.is_file() else {}
    noted = plan.get("files", {})
    identities: dict[str, str] = {}
    for unit in plan.get("units", ()):
        if not unit["unread"]:
            identities |= zip_longest(unit["files"], unit["identities"], fillvalue="")
    counts = {name: unread[name] for name in ("files", "members", "unreadable", "repeated")}
    names = _below(list(identities))
    rows = [
        [name, noted[path][0] if path in noted else None, identity]
        for name, (path, identity) in zip(names, identities.items(), strict=True)
    ]
    return counts | {
        "read": len(rows),
        "bytes": sum(size for size, _, _ in noted.values()),
        "named": rows[:INPUTS],
    }


def _below(paths: list[str]) -> list[str]:
    """Names of files in the folder that holds them all: the machine's folders are nobody's matter;
    of a member its own and that of its archive, of an address in a store the last part."""
    inner = [path.partition("://")[2].partition(SEPARATOR) for path in paths]
    local = [i for i, path in enumerate(paths) if not is_remote(path)]
    base = commonpath([dirname(abspath(paths[i])) for i in local]) if local else ""
    names = [
        f"{PurePosixPath(archive).name}/{member}" if archive else PurePosixPath(path).name
        for path, (member, _, archive) in zip(paths, inner, strict=True)
    ]
    for i in local:
        names[i] = relpath(paths[i], base)
    return names


def by_source(funnel: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """(source, profile that decided, documents before selection, documents kept)."""
    return [
        (source, entry["profile"], entry["in"], entry["out"])
        for source, entry in funnel["select"]["sources"].items()
    ]


# of the shards ------------------------------------------------------------------------------------


def _row(db: duckdb.DuckDBPyConnection, **columns: str) -> dict[str, Any]:
    """name → value of an expression over all documents."""
    row = db.execute(f"select {', '.join(columns.values())} from corpus").fetchone()
    return dict(zip(columns, row or (), strict=True))


def _years(db: duckdb.DuckDBPyConnection, column: str) -> dict[str, int]:
    """Year → documents, of a column that begins with one; `unknown` for what does not."""
    return dict(
        db.execute(
            f"select coalesce(nullif(regexp_extract({column}, '^[0-9]{{4}}'), ''), '{UNKNOWN}') "
            "as year, count(*) from corpus group by 1 order by 1"
        ).fetchall()
    )


def _top(db: duckdb.DuckDBPyConnection, column: str) -> list[list[Any]]:
    """[value, documents, characters] of the most frequent values, then the rest as one row."""
    rows = db.execute(
        f"select coalesce(nullif({column}, ''), '{UNKNOWN}') as value, count(*) as n, "
        f"sum(n_chars)::bigint from corpus group by 1 order by n desc, value"
    ).fetchall()
    top = [list(row) for row in rows[:TOP]]
    if len(rows) > TOP:
        rest = rows[TOP:]
        top.append([f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest)])
    return top


def _scripts(db: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Script → share of all characters, to four digits: shares are stored as float32. What no
    share counts (。 and 、, letters of other scripts) is `other`."""
    shares = {s: f"sum(quality.{s}_share::double * n_chars) / sum(n_chars)" for s in SCRIPTS}
    found = {name: round(float(share or 0), 4) for name, share in _row(db, **shares).items()}
    return found | {"other": round(max(1 - sum(found.values()), 0.0), 4)}


def _blocks(layout: Layout) -> dict[str, list[int]]:
    """Kind → [documents that have it, blocks, characters], in the order of KINDS."""
    totals = np.zeros((len(KINDS), 3), np.int64)
    for path in layout.shards():
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["blocks"]):
                spans, offsets, _ = from_arrow(batch.column(0))
                kinds = spans[:, KIND].astype(np.int64)
                rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
                seen = np.unique(rows * len(KINDS) + kinds) % len(KINDS)
                sizes = (spans[:, END] - spans[:, START]).astype(np.int64)
                totals[:, 0] += np.bincount(seen, minlength=len(KINDS))
                totals[:, 1] += np.bincount(kinds, minlength=len(KINDS))
                np.add.at(totals[:, 2], kinds, sizes)
    return {kind: row for kind, row in zip(KINDS, totals.tolist(), strict=True) if row[1]}


def _personal(db: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    """Class of personal data → {policy, documents, places} in the corpus, of classes looked for."""
    policy_of = policies(settings.clean.personal, settings.clean.personal_classes)
    counts = {}
    for name in (name for name in PERSONAL if policy_of[name] != "off"):
        found = _row(
            db,
            documents=f"count(*) filter (personal.{name} > 0)",
            places=f"coalesce(sum(personal.{name}), 0)::bigint",
        )
        counts[name] = {"policy": policy_of[name]} | found
    return counts


def _harm(db: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """severity: highest severity of a document's words → documents; topics: signal → documents."""
    severity = dict(
        db.execute(
            "select quality.harmful_severity, count(*) from corpus group by 1 order by 1"
        ).fetchall()
    )
    topics = _row(db, **{name: f"count(*) filter (quality.{name} > 0)" for name in HARM})
    return {"severity": {str(n): count for n, count in severity.items()}, "topics": topics}


def citation(facts: dict[str, Any]) -> str:
    """How the corpus is cited, as BibTeX."""
    key = re.sub(r"[^a-z0-9]+", "-", facts["name"].lower()).strip("-") or "corpus"
    title = re.sub(r"[{}\\%#$&~^_`<>\s]+", " ", facts["name"]).strip()
    note = f"{facts['documents']:,} documents, built with Inaho {facts['versions']['Inaho']}"
    return f"@misc{{{key},\n  title = {{{title}}},\n  note = {{{note}}}\n}}"


def refused(funnel: dict[str, Any]) -> dict[str, int]:
    """Reason → documents that rights kept out, of the page at harvest or of the site at select, and
    under REMOVED those that were taken out."""
    early = funnel["harvest"]["dropped"]
    late = funnel["select"].get("dropped", {})
    gone = funnel.get("remove", {}).get("dropped", {})
    counts = {rule: early.get(rule, 0) + late.get(rule, 0) for rule in REFUSALS}
    return counts | {REMOVED: sum(gone.values())}
