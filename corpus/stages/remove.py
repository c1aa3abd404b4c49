"""The stage remove: what the removal register names loses its content, here and for good.

    find ─▶ state/remove (rows, hashes) ─▶ index, signatures, scores, ledger, documents ─▶ ledger,
                                                                                          receipt

A document that is taken out keeps its row, so that rows stay where they are, with its id and its
place in the input; text, title, address, signals and all else go. What it was can be told by hashes
alone (corpus.folder.removals.TAKEN). The row list comes first and the documents file last: a run
that was killed finds in the next one what it had to do, and does it again.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import register
from corpus.dedup.named import find
from corpus.folder import scores
from corpus.folder.commit import ParquetWriter, picked_rows
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.removals import (
    KINDS,
    TAKEN,
    UNKNOWN,
    Removal,
    digest,
    hashed_url,
    taken_rows,
)
from corpus.folder.schema import DOCUMENT, LEDGER, REMOVED_FORMAT
from corpus.folder.selection import ledger_rows
from corpus.folder.windows import kept_windows
from corpus.index.build import forget
from corpus.stages import books
from corpus.stages.stage import Job

_BY_NONE = {"kind": UNKNOWN, "reason": ""}
# What stays of a document: its name, its collection, and where it stands in the input.
KEPT = ("id", "source", "source_file", "source_offset", "source_length", "source_digest")


def run(job: Job) -> None:
    """Take out what the registers of the build, and of its index, name; nothing if that is done."""
    folder, layout = job.folder, job.folder.layout
    receipt = folder.receipt("remove")
    before = receipt["counts"].get("registers", {}) if receipt else {}
    register.refuse_shortened(before, job.settings)
    removals = register.obeyed(layout, job.settings)
    if folder.is_made_from("remove", 0, _made_from(job, removals)):
        return
    documents = [layout.documents(index) for index in job.files]
    found, entries = find(documents, removals)
    table = _taken(layout, documents, found, [removals[e] if e >= 0 else None for e in entries])
    # The list of rows first: it holds what is needed to go on, whatever happens from here.
    outputs = {layout.taken: folder.commit_parquet(layout.taken, TAKEN, table)[0]}
    # All that was ever taken out: a run that was killed may have left shards that were indexed.
    forget(folder, table["id"].to_pylist())
    rows: dict[int, list[int]] = {}
    fresh = found.filter(pc.not_equal(found["format"], REMOVED_FORMAT))
    for file, row in zip(fresh["file"].to_pylist(), fresh["row"].to_pylist(), strict=True):
        rows.setdefault(file, []).append(row)
    units = [Redaction(layout.documents(index), index, own) for index, own in rows.items()]
    job.each(functools.partial(redact_unit, folder=folder), units, "remove")
    # Then a row a document in the ledger, and the receipt.
    details = [
        f"taken down by {row['kind']}" + (f": {row['reason']}" if row["reason"] else "")
        for row in table.select(["kind", "reason"]).to_pylist()
    ]
    noted = ledger_rows(table, "remove", rule=table["kind"], action="drop", detail=details)
    path = layout.ledger("remove")
    outputs[path] = folder.commit_parquet(path, LEDGER, noted.select(LEDGER.names).cast(LEDGER))[0]
    kinds = Counter(table["kind"].to_pylist())
    counts = {
        "documents": books.rows(documents),
        "removed": len(table),
        "dropped": {kind: kinds[kind] for kind in (*KINDS, UNKNOWN) if kinds[kind]},
        "made_from": _made_from(job, removals),
    }
    if job.settings.remove.registers:
        counts["registers"] = register.heads(job.settings)
    folder.write_receipt("remove", 0, outputs, counts)


def _made_from(job: Job, removals: list[Removal]) -> str:
    """Names the registers, and the documents as they are: a unit that was read again has texts."""
    units = ((job.folder.receipt("harvest", index) or {}) for index in job.files)
    return digest(removals, *(str(unit.get("outputs")) for unit in units))


def _taken(
    layout: Layout, documents: list[Path], found: pa.Table, entries: list[Removal | None]
) -> pa.Table:
    """Rows of TAKEN. What is out already stays as it was noted when it went."""
    noted = {(row["file"], row["row"]): row for row in taken_rows(layout).to_pylist()}
    strings = _strings(documents, found)
    rows = []
    for at, (row, entry) in enumerate(zip(found.to_pylist(), entries, strict=True)):
        by = {"kind": entry.kind, "reason": entry.reason} if entry else _BY_NONE
        if row["format"] != REMOVED_FORMAT:
            rows.append(row | by | strings[at] | {"url": hashed_url(row["url"])})
        else:
            before = noted.get((row["file"], row["row"]))
            rows.append(row | (before or by | {"strings": [], "windows": []}))
    return pa.Table.from_pylist(rows, schema=TAKEN)


def _strings(documents: list[Path], found: pa.Table) -> dict[int, dict[str, Any]]:
    """Place in `found` → hashes and windows of title and text, of what still has them."""
    out: dict[int, dict[str, Any]] = {}
    whole = pc.not_equal(found["format"], REMOVED_FORMAT).to_numpy()
    file = found["file"].to_numpy()
    for index in np.unique(file[whole]).tolist():
        places = np.flatnonzero(whole & (file == index))
        rows = found["row"].to_numpy()[places].astype(np.int64)
        with pq.ParquetFile(documents[index]) as opened:
            for table, low, high in picked_rows(opened, rows, ["title", "text"]):
                for place, row in zip(places[low:high].tolist(), table.to_pylist(), strict=True):
                    texts = [text for text in (row["title"], row["text"]) if text]
                    windows = [np.empty(0, np.uint64), *map(kept_windows, texts)]
                    out[place] = {
                        "strings": [string_hash(text.encode("utf-8", "replace")) for text in texts],
                        "windows": np.concatenate(windows).tolist(),
                    }
    return out


def string_hash(data: bytes) -> str:
    """`bytes:SHA-256` of a title or text: only strings of that length need be hashed to compare."""
    return f"{len(data)}:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Redaction:
    """A unit of work: the rows of a documents file that lose their content."""

    path: Path
    index: int
    rows: list[int]  # ascending

    def __str__(self) -> str:
        return str(self.path)


def redact_unit(unit: Redaction, folder: Folder) -> None:
    """Take the content of some rows of a documents file out of it, and of the files beside it."""
    index, rows = unit.index, unit.rows
    layout = folder.layout
    ids = pq.read_table(layout.documents(index), columns=["id"])["id"].take(pa.array(rows))
    # The documents file last: as long as it has the texts, all of this is done again.
    folder.remove([layout.receipt("dedup")])  # before the signatures that it speaks of
    folder.remove([layout.signatures(index)])
    for name in layout.scores_names():
        path = layout.scores(name, index)
        if path.exists():
            table = scores.without(pq.read_table(path), rows)
            write, stage = ParquetWriter(scores.SCORES, table), scores.stage_of(name)
            if layout.receipt(stage, index).exists():
                folder.replace(stage, index, {path: write})
            else:  # of an earlier version
                folder.commit(path, write)
    ledger = layout.ledger("harvest", index)
    noted = _without_details(pq.read_table(ledger), ids.combine_chunks())
    documents = layout.documents(index)
    written = {
        ledger: ParquetWriter(LEDGER, noted),
        documents: ParquetWriter(DOCUMENT, _redacted(documents, np.array(rows))),
    }
    folder.replace("harvest", index, {**written})


def _without_details(ledger: pa.Table, ids: pa.Array) -> pa.Table:
    """Ledger rows; those about documents that go keep which rule changed them, nothing else."""
    gone = pc.is_in(ledger["id"], ids)
    urls = [hashed_url(u or "") if g else u for u, g in _pairs(ledger["url"], gone)]
    columns = {"url": pa.array(urls, pa.string())}
    for name, empty in (("detail", ""), ("value", None), ("threshold", None)):
        kind = LEDGER.field(name).type
        columns[name] = pc.if_else(gone, pa.scalar(empty, kind), ledger[name])
    for name, column in columns.items():
        ledger = ledger.set_column(ledger.schema.get_field_index(name), LEDGER.field(name), column)
    return ledger.combine_chunks()


def _pairs(*columns: pa.ChunkedArray) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _redacted(documents: Path, rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The row groups of a documents file, without the content of some rows (int64[k])."""
    with pq.ParquetFile(documents) as file:
        first = 0
        for group in range(file.num_row_groups):
            batch = file.read_row_group(group).cast(DOCUMENT).combine_chunks().to_batches()[0]
            own = rows[(rows >= first) & (rows < first + batch.num_rows)] - first
            first += batch.num_rows
            yield _blanked(batch, own) if len(own) else batch


def _blanked(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    gone = np.zeros(batch.num_rows, bool)
    gone[rows] = True
    fixed = {
        "format": pa.repeat(REMOVED_FORMAT, batch.num_rows),
        "url": pa.array([hashed_url(url or "") for url in batch["url"].to_pylist()]),
    }
    # A row takes either its own value, or the empty one that stands behind them.
    order = pa.array(np.where(gone, batch.num_rows, np.arange(batch.num_rows)))
    columns = []
    for field in batch.schema:
        column = batch[field.name]
        if field.name in fixed:
            column = pc.if_else(pa.array(gone), fixed[field.name], column)
        elif field.name not in KEPT:
            column = pa.concat_arrays([column, _empty(field.type)]).take(order)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _empty(kind: pa.DataType) -> pa.Array:
    """One value that says nothing: an empty string or list, 0 of integers, null of all else."""
    if pa.types.is_string(kind) or pa.types.is_list(kind):
        return pa.array(["" if pa.types.is_string(kind) else []], kind)
    return pa.array([0 if pa.types.is_integer(kind) else None], kind)
