"""Select: the rules of profiles over stored signals decide which documents stay.

One unit per documents file; text is read only for signals that harvest does not store. A build may
name a profile for each source: each decides on the documents of its sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.config import SelectSettings, Settings
from corpus.errors import UsageError
from corpus.folder import commit
from corpus.folder.ledger import Ledger
from corpus.folder.schema import LEDGER
from corpus.folder.signals import duplicates_of, file_of, made_from_of, one, signals_of
from corpus.stages import rights
from filters.profile import Decisions, Profile, load

SELECTED = pa.schema(
    [
        pa.field("row", pa.int32(), metadata={"description": "row in the documents file"}),
        pa.field("n_bytes", pa.int32()),
        pa.field("cluster", pa.string()),
        pa.field("cluster_size", pa.int32()),
        pa.field("robots_txt", pa.list_(pa.string())),
        pa.field("robots_usage", pa.list_(pa.string())),
    ]
)
COLUMNS = [*rights.ABOUT, "n_bytes", "source"]


def select_unit(index: int, settings: Settings, root: Path) -> dict[str, Any]:
    """Decide on documents file `index`; write state/select and the ledger rows of what is dropped.

    Returns {input, kept, ledger, dropped: rule → documents, bytes, sources: source → {profile,
    input, kept}}.
    """
    documents = file_of(root, index)
    table = pq.read_table(documents, columns=COLUMNS)
    removed, cluster, size = duplicates_of(root, index, table["id"])
    made_from = made_from_of(removed, cluster, size)
    keep = np.zeros(table.num_rows, bool)
    parts, dropped = [], Counter[str]()
    for profile, rows in rows_by_profile(settings.select, table["source"], ~removed):
        decisions = decide(profile, root, index, settings.select.word_lists, rows)
        keep[rows] = decisions.keep
        parts.append(dropped_rows(profile, decisions, rows, dropped))
    ledger = Ledger("select")
    ledger.add_table(_ledger_rows(table, pa.concat_tables(parts)))
    verdicts = rights.site_verdicts(root, table["url"], settings)
    refused, refusals = rights.refuse(ledger, table, keep, verdicts, settings, root, documents)
    keep &= ~refused
    kept = pa.array(np.flatnonzero(keep).astype(np.int32))
    selected = pa.Table.from_arrays(
        [
            kept,
            one(table["n_bytes"]).take(kept),
            cluster.take(kept),
            size.take(kept),
            *rights.robots_columns(verdicts, kept.to_numpy()),
        ],
        schema=SELECTED,
    )
    kept_file = root / "state" / "select" / f"{index:07d}.parquet"
    ledger_file = root / "ledger" / f"select-{index:07d}.parquet"
    outputs = {kept_file: commit.commit_parquet(kept_file, SELECTED, selected)[0]}
    outputs[ledger_file] = ledger.commit(ledger_file)
    counts = {
        "input": int((~removed).sum()),
        "kept": len(kept),
        "ledger": len(ledger),
        "dropped": dict(sorted((dropped + refusals).items())),
        "bytes": pc.sum(selected["n_bytes"]).as_py() or 0,
        "sources": _by_source(table["source"], ~removed, keep, settings.select),
        "made_from": made_from,
    }
    receipt = root / "state" / "select" / f"{index:07d}.json"
    commit.write_receipt(receipt, root, outputs, counts)
    return counts


def rows_by_profile(
    settings: SelectSettings, sources: pa.ChunkedArray, candidates: np.ndarray
) -> Iterator[tuple[Profile, np.ndarray]]:
    """(profile, int64[k] rows) for each profile, of the candidates of its sources."""
    label = pc.index_in(sources, pa.array(list(settings.profiles), pa.string()))
    at = label.fill_null(-1).to_numpy()
    chosen = [settings.profile, *settings.profiles.values()]  # of label −1, 0, 1 …
    for name in settings.names():
        own = [i - 1 for i, each in enumerate(chosen) if each == name]
        yield load(name), np.flatnonzero(np.isin(at, own) & candidates)


def decide(
    profile: Profile, root: Path, index: int, lists: str = "", rows: np.ndarray | None = None
) -> Decisions:
    """The profile's decisions on documents file `index`, or on its `rows`."""
    names = [rule.signal for rule in profile.rules]
    columns = signals_of(root, index, ["n_chars", *names], lists, rows)
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


def sources_of(root: Path) -> set[str]:
    """The values of the column `source` in all documents files."""
    found: set[str] = set()
    for path in sorted((root / "documents").glob("*.parquet")):
        column = pq.read_table(path, columns=["source"], read_dictionary=["source"])["source"]
        found.update(value for value in column.unique().to_pylist() if value)
    return found


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
    about = table.select(list(rights.ABOUT)).take(dropped["row"])
    columns = {name: about[name] for name in about.column_names}
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
