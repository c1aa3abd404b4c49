"""Select: the rules of profiles over stored signals decide which documents stay.

One unit per documents file; text is read only for signals that harvest does not store. A build may
name a profile for each source: each decides on the documents of its sources. What a profile keeps
may still be refused: by the rights policy (corpus.stages.rights) and by lists of URLs.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.folder import scores
from corpus.folder.commit import as_array
from corpus.folder.folder import Folder
from corpus.folder.hosts import harm_shares
from corpus.folder.layout import Layout
from corpus.folder.ledger import Ledger
from corpus.folder.schema import LEDGER
from corpus.folder.selection import SELECTED
from corpus.folder.signals import (
    HOST_HARM,
    duplicates_of,
    made_from,
    made_from_of,
    signals_of,
)
from corpus.settings import SelectSettings, Settings
from corpus.stages import notices, rights, url_lists
from corpus.stages.stage import Job
from filters import additive
from filters.profile import Decisions, Profile, load

LEDGER_KEY = ["id", "url", "source_file", "source_offset"]
COLUMNS = [*LEDGER_KEY, "n_bytes", "source"]


def depends(settings: Settings) -> list[Any]:
    """A profile may be the user's own file, and lists may be edited: both decide anew."""
    lists = settings.select.word_lists
    profiles = [load(name) for name in settings.select.names()]
    return [
        repr(profiles),
        [additive.fingerprint(name) for profile in profiles for name in profile.models()],
        url_lists.files_state((lists,) if lists else ()),
        url_lists.state(settings.urls),
    ]


def run(job: Job) -> None:
    """Decide on the documents files that are not decided, or of which dedup says something new."""
    folder, layout = job.folder, job.folder.layout
    for name in job.settings.select.names():
        scores.check(layout, load(name))
    if job.settings.select.profiles:
        check_sources(job.settings.select, sources_of(layout))
    names = {i: _made_from(layout, i, made_from(layout, i), job.settings) for i in job.files}
    todo = [i for i in job.files if not folder.is_made_from("select", i, names[i])]
    unit = functools.partial(select_unit, settings=job.settings, folder=folder)
    job.each(unit, todo, "select")


def select_unit(index: int, settings: Settings, folder: Folder) -> dict[str, Any]:
    """Decide on documents file `index`; write the rows that stay and the ledger of the others.

    Returns {input, kept, ledger, dropped: rule → documents, bytes, sources: source → {profile,
    input, kept}}.
    """
    layout = folder.layout
    table = pq.read_table(layout.documents(index), columns=COLUMNS)
    removed, cluster, size = duplicates_of(layout, index, table["id"])
    # Profiles first: nothing else is asked of a document that one drops.
    keep = np.zeros(table.num_rows, bool)
    parts, dropped = [], Counter[str]()
    for profile, rows in rows_by_profile(settings.select, table["source"], ~removed):
        decisions = decide(profile, layout, index, settings.select.word_lists, rows)
        keep[rows] = decisions.keep
        parts.append(dropped_rows(profile, decisions, rows, dropped))
    ledger = Ledger("select")
    ledger.add_table(_ledger_rows(table, pa.concat_tables(parts)))
    # Then rights, versions of news, lists of URLs; the ledger names the first that refuses.
    verdicts = rights.site_verdicts(layout, table["url"], settings.rights)
    refusals = rights.late_refusals(layout, index, np.flatnonzero(keep), verdicts, settings.rights)
    _refuse(refusals, table, keep, ledger, dropped)
    old = notices.refusals(layout, index, np.flatnonzero(keep))
    _refuse(old, table, keep, ledger, dropped)
    entries = url_lists.blocked(table["url"], np.flatnonzero(keep), settings.urls, layout)
    listed = {row: ("url_list", entry) for row, entry in entries.items()}
    _refuse(listed, table, keep, ledger, dropped)
    kept = pa.array(np.flatnonzero(keep).astype(np.int32))
    selected = pa.Table.from_arrays(
        [
            kept,
            as_array(table["n_bytes"]).take(kept),
            cluster.take(kept),
            size.take(kept),
            *rights.robots_columns(verdicts, kept.to_numpy()),
        ],
        schema=SELECTED,
    )
    path = layout.rows("select", index)
    outputs = {path: folder.commit_parquet(path, SELECTED, selected)[0]}
    outputs |= ledger.commit(folder, index)
    counts = {
        "input": int((~removed).sum()),
        "kept": len(kept),
        "ledger": len(ledger),
        "dropped": dict(sorted(dropped.items())),
        "bytes": pc.sum(selected["n_bytes"]).as_py() or 0,
        "sources": _by_source(table["source"], ~removed, keep, settings.select),
        "made_from": _made_from(layout, index, made_from_of(removed, cluster, size), settings),
    }
    folder.write_receipt("select", index, outputs, counts)
    return counts


def _made_from(layout: Layout, index: int, known: str, settings: Settings) -> str:
    """Names what a unit is made from: `known` of its documents, and what others say of its hosts.

    The share of harmful pages of a host changes when one of its pages is taken out elsewhere.
    """
    if not any(HOST_HARM in load(name).extra_signals() for name in settings.select.names()):
        return known
    shares = harm_shares(layout, pq.read_table(layout.documents(index), columns=["host"])["host"])
    return hashlib.sha256(known.encode() + shares.to_numpy().tobytes()).hexdigest()


def _refuse(
    refusals: dict[int, rights.Refusal], table: pa.Table, keep: np.ndarray, ledger: Ledger,
    dropped: Counter[str],
) -> None:  # fmt: skip
    """Take rows out of `keep`, with a ledger row each."""
    for row, (rule, reason) in refusals.items():
        keep[row] = False
        dropped[rule] += 1
        ledger.add(rule, *(table[name][row].as_py() for name in LEDGER_KEY), detail=reason)


def rows_by_profile(
    settings: SelectSettings, sources: pa.ChunkedArray, candidates: np.ndarray
) -> Iterator[tuple[Profile, np.ndarray]]:
    """(profile, int64[k] rows) for each profile, of the candidates of its sources."""
    default, by_source = settings.by_source()
    label = pc.index_in(sources, pa.array(list(by_source), pa.string()))
    at = label.fill_null(-1).to_numpy()
    profiles = [default, *by_source.values()]  # of label −1, 0, 1 …
    for name in settings.names():
        own = [i - 1 for i, each in enumerate(profiles) if each == name]
        yield load(name), np.flatnonzero(np.isin(at, own) & candidates)


def decide(
    profile: Profile, layout: Layout, index: int, lists: str = "", rows: np.ndarray | None = None
) -> Decisions:
    """The profile's decisions on documents file `index`, or on its `rows`."""
    names = [rule.signal for rule in profile.rules]
    columns = signals_of(layout, index, ["n_chars", *names], lists, rows)
    length = pa.StructArray.from_arrays([columns["n_chars"]], ["n_chars"])
    return profile.decide(length, columns)


def check_sources(settings: SelectSettings, known: set[str]) -> None:
    """UsageError for a profile of a source that is not among the `known` ones of the build."""
    for source, name in settings.profiles.items():
        if source not in known:
            raise UsageError(
                f"profile {name} is for the source {source!r}, which this build does not have; "
                f"its sources are {', '.join(sorted(known)) or 'none'}"
            )


def sources_of(layout: Layout) -> set[str]:
    """The values of the column `source` in all documents files."""
    sources: set[str] = set()
    for path in layout.documents_files():
        column = pq.read_table(path, columns=["source"], read_dictionary=["source"])["source"]
        sources.update(value for value in column.unique().to_pylist() if value)
    return sources


def dropped_rows(
    profile: Profile, decisions: Decisions, rows: np.ndarray, dropped: Counter[str]
) -> pa.Table:
    """row, rule, value, threshold and detail of what the profile drops; `dropped` counts rules."""
    out = np.flatnonzero(~decisions.keep)
    failing, which = _patterns(decisions.failures[out])
    rules = [profile.rules[int(np.argmax(row))] for row in failing]
    details = []
    for rule, row in zip(rules, failing, strict=True):
        others = [r.name for r, fails in zip(profile.rules, row, strict=True) if fails][1:]
        more = f"; also fails {', '.join(others)}" if others else ""
        details.append(f"profile {profile.name} wants {rule.bounds()}{more}")
    times = np.bincount(which, minlength=len(rules))
    for rule, count in zip(rules, times.tolist(), strict=True):
        dropped[rule.name] += count
    return pa.table(
        {
            "row": rows[out],
            "rule": pa.array([r.name for r in rules], pa.string()).take(pa.array(which)),
            "value": decisions.value[out],
            "threshold": decisions.threshold[out],
            "detail": pa.array(details, pa.string()).take(pa.array(which)),
        }
    )


def _patterns(failures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(bool[k, r] distinct rows of bool[n, r], int64[n] which of them each row is)."""
    if not len(failures):
        return failures, np.zeros(0, np.int64)
    bits = np.packbits(failures, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    words[:, : bits.shape[1]] = bits
    keys = words.view(np.uint64)
    single = keys[:, 0] if keys.shape[1] == 1 else np.unique(keys, axis=0, return_inverse=True)[1]
    _, first, which = np.unique(single.reshape(-1), return_index=True, return_inverse=True)
    return failures[first], which.reshape(-1)


def _ledger_rows(table: pa.Table, dropped: pa.Table) -> pa.Table:
    """Rows of schema.LEDGER in the order of the documents."""
    order = pa.array(np.argsort(dropped["row"].to_numpy(), kind="stable"))
    dropped = dropped.take(order)
    documents = table.select(LEDGER_KEY).take(dropped["row"])
    columns = {name: documents[name] for name in LEDGER_KEY}
    columns |= {name: dropped[name] for name in ("rule", "value", "threshold", "detail")}
    for name, text in (("stage", "select"), ("action", "drop"), ("kept_id", "")):
        columns[name] = pa.repeat(text, dropped.num_rows)
    return pa.table([columns[name] for name in LEDGER.names], names=LEDGER.names)


def _by_source(
    sources: pa.ChunkedArray, candidates: np.ndarray, keep: np.ndarray, settings: SelectSettings
) -> dict[str, dict[str, Any]]:
    """source → {profile, input, kept}, of the documents that dedup left."""
    flags = pa.table(
        {"source": sources, "input": candidates.astype(np.int64), "kept": keep.astype(np.int64)}
    )
    sums = flags.group_by("source").aggregate([("input", "sum"), ("kept", "sum")]).to_pylist()
    return {
        row["source"]: {
            "profile": settings.profile_of(row["source"]),
            "input": row["input_sum"],
            "kept": row["kept_sum"],
        }
        for row in sorted(sums, key=lambda row: row["source"])
        if row["input_sum"]
    }
