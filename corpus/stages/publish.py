"""Publish: the selected documents as Parquet shards of even size, in the order of the input.

`publish.format` and `drop_blocks` say what of the texts is published; a document of which nothing
is left is dropped, with a row in the ledger.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.keep import repetitions
from corpus.errors import RunError
from corpus.folder import selection
from corpus.folder.commit import as_array, picked_rows
from corpus.folder.folder import Folder
from corpus.folder.layout import SHARDS, Layout, index_of
from corpus.folder.ledger import Ledger
from corpus.folder.schema import RIGHTS_TYPE, SHARD
from corpus.settings import MIB, PublishSettings, Settings, parse_weights
from corpus.stages import books
from corpus.stages.stage import Job
from corpus.text import cut as cutting
from corpus.text import views
from corpus.text.blocks import rows_of, to_arrow

EMPTY = "drop_blocks"  # the rule of documents of which drop_blocks leaves nothing


@dataclass(frozen=True, slots=True)
class Shard:
    """One output file: which selected rows of which documents files it takes."""

    index: int
    total: int
    parts: tuple[tuple[int, int, int], ...]  # (documents file, first, end) in selected order
    made_from: str  # names the rows: a shard whose rows are the same is not written again

    @property
    def name(self) -> str:
        return f"train-{self.index:05d}-of-{self.total:05d}.parquet"

    def __str__(self) -> str:
        return self.name


def run(job: Job) -> None:
    """Write the shards whose rows are not published yet; remove those of other rows.

    RunError when there is nothing to publish, unless `publish.allow_empty`.
    """
    shards = cut(job)
    if not any(shard.parts for shard in shards):
        _refuse_empty(job)
    forget_stale(job.folder, shards)
    todo = [s for s in shards if job.folder.receipt("publish", s.index) is None]
    unit = functools.partial(
        publish_unit, folder=job.folder, settings=job.settings, chain=job.chain
    )
    job.each(unit, todo, "publish")
    if not books.funnel(job.folder.layout)["publish"]["out"]:
        _refuse_empty(job)


def _refuse_empty(job: Job) -> None:
    """RunError that names what took the most, unless an empty corpus is asked for."""
    if job.settings.publish.allow_empty:
        return
    funnel = books.funnel(job.folder.layout)
    losses = [
        (count, stage, reason)
        for stage, facts in funnel.items()
        for fate in ("skipped", "dropped")
        for reason, count in facts.get(fate, {}).items()
    ]
    why = "the input holds no record"
    if losses:
        count, stage, reason = max(losses, key=lambda loss: loss[0])
        why = f"{stage} took {count:,} of {funnel[stage]['in']:,} by {reason}"
        examples = funnel[stage].get("unread", {}).get("examples", {}).get(reason, {})
        why += "".join(f" ({path}: {words})" for path, words in list(examples.items())[:1])
    raise RunError(
        f"nothing is left to publish: {why}; --set publish.allow_empty=true publishes it empty"
    )


def cut(job: Job) -> list[Shard]:
    """Cut the rows that are left into shards of about shard_mib MiB of text."""
    layout, limit = job.folder.layout, job.settings.publish.shard_mib * MIB
    parts: list[list[tuple[int, int, int]]] = [[]]
    held = 0
    for index in job.files:
        sizes = pq.read_table(selection.path_of(layout, index, job.chain), columns=["n_bytes"])
        lengths = sizes["n_bytes"].to_numpy().astype(np.int64)
        start = 0
        while start < len(lengths):
            total = np.cumsum(lengths[start:])
            end = start + int(np.searchsorted(total, limit - held, side="left")) + 1
            end = min(end, len(lengths))
            parts[-1].append((index, start, end))
            held += int(total[end - start - 1])
            start = end
            if held >= limit:
                parts.append([])
                held = 0
    if not parts[-1] and len(parts) > 1:
        parts.pop()
    names = [_digest(layout, part, job.chain) for part in parts]
    return [Shard(i, len(parts), tuple(part), names[i]) for i, part in enumerate(parts)]


def _digest(layout: Layout, parts: list[tuple[int, int, int]], chain: tuple[str, ...]) -> str:
    """Names the rows of a shard."""
    total = hashlib.sha256()
    for index, start, end in parts:
        rows = selection.read(layout, index, chain).slice(start, end - start)
        total.update(f"{index}:".encode())
        for batch in rows.combine_chunks().to_batches():
            total.update(batch.serialize())
    return total.hexdigest()


def forget_stale(folder: Folder, shards: list[Shard]) -> None:
    """Remove the shards and receipts of an earlier plan whose rows or names are others now."""
    layout, stale = folder.layout, []
    for path in layout.receipts("publish"):
        index = index_of(path)
        receipt = folder.receipt("publish", index) or {"outputs": {}, "counts": {}}
        shard = shards[index] if index < len(shards) else None
        is_same = shard is not None and receipt["counts"].get("made_from") == shard.made_from
        if shard is None or not is_same or f"{SHARDS}/{shard.name}" not in receipt["outputs"]:
            stale += [path, layout.ledger("publish", index)]
    names = {shard.name for shard in shards}
    folder.remove([*stale, *(path for path in layout.shards() if path.name not in names)])


def publish_unit(
    shard: Shard, folder: Folder, settings: Settings, chain: tuple[str, ...]
) -> dict[str, Any]:
    """Write one shard; returns {documents, characters, bytes, dropped}."""
    rehydration = parse_weights(settings.dedup.rehydrate)
    counts = {"documents": 0, "characters": 0, "bytes": 0}
    ledger = Ledger("publish")

    def batches() -> Iterator[pa.RecordBatch]:
        for index, start, end in shard.parts:
            left = selection.read(folder.layout, index, chain).slice(start, end - start)
            for table in _rows(folder.layout.documents(index), left, rehydration):
                batch = _published(table, settings.publish, ledger)
                counts["documents"] += batch.num_rows
                counts["characters"] += int(batch["n_chars"].to_numpy().sum(dtype=np.int64))
                counts["bytes"] += int(batch["n_bytes"].to_numpy().sum(dtype=np.int64))
                yield batch

    path = folder.layout.shard(shard.name)
    outputs = {path: folder.commit_parquet(path, SHARD, batches())[0]}
    if len(ledger):
        outputs |= ledger.commit(folder, shard.index)
    facts = {"dropped": {EMPTY: len(ledger)} if len(ledger) else {}, "made_from": shard.made_from}
    folder.write_receipt("publish", shard.index, outputs, counts | facts)
    return counts


def _rows(documents: Path, left: pa.Table, rehydration: dict[int, int]) -> Iterator[pa.Table]:
    """The rows `left` of a documents file with the columns of a shard, a row group at a time."""
    times = repetitions(left["cluster_size"].to_numpy(), rehydration)
    weight = pc.multiply(left["weight"], pa.array(times.astype(np.float32)))
    left = left.set_column(left.schema.get_field_index("weight"), selection.WEIGHT, weight)
    rows = left["row"].to_numpy()
    with pq.ParquetFile(documents) as file:
        for table, low, high in picked_rows(file, rows):
            picked = left.slice(low, high - low)
            table = _with_text(_with_robots(table, picked), picked)
            for name in ("cluster", "cluster_size", "weight"):
                table = table.append_column(SHARD.field(name), picked[name])
            yield table.cast(SHARD)


def _with_text(table: pa.Table, left: pa.Table) -> pa.Table:
    """Put the altered texts in, with their lengths; signals stay those of the whole text."""
    if left["text"].null_count == len(left):
        return table
    return _with_lengths(selection.with_texts(table, left))


def _with_lengths(table: pa.Table) -> pa.Table:
    text = table["text"]
    columns = {"n_chars": pc.utf8_length(text), "n_bytes": pc.binary_length(text)}
    return _with(table, **columns)


def _with(table: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    for name, column in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, SHARD.field(name), column.cast(SHARD.field(name).type))
    return table


def _published(table: pa.Table, settings: PublishSettings, ledger: Ledger) -> pa.RecordBatch:
    """The rows as they are published; those of which nothing is left go to the ledger."""
    before = table["n_bytes"]
    if settings.drop_blocks:
        table = _without_blocks(table, settings.drop_blocks)
    if settings.format == "plain":
        columns = [table[name].combine_chunks() for name in ("text", "blocks", "format")]
        text, blocks = views.with_blocks(*columns)
        table = _with(table, text=text, blocks=blocks, format=pa.repeat("plain", len(table)))
    if settings.drop_blocks or settings.format == "plain":
        table = _with_lengths(table)
        emptied = pc.and_(pc.equal(table["n_bytes"], 0), pc.greater(before, 0))
        if pc.any(emptied).as_py():
            _note(table.filter(emptied), before.filter(emptied), settings, ledger)
            table = table.filter(pc.invert(emptied))
    return pa.RecordBatch.from_arrays([as_array(c) for c in table.columns], schema=SHARD)


def _without_blocks(table: pa.Table, kinds: tuple[str, ...]) -> pa.Table:
    """The rows without their blocks of these kinds."""
    texts, blocks = table["text"].to_pylist(), rows_of(table["blocks"])
    for i, own in enumerate(blocks):
        keep = views.without_kinds(own, kinds)
        if not keep.all():
            texts[i], blocks[i] = cutting.only_blocks(texts[i], own, keep)
    return _with(table, text=pa.array(texts, pa.string()), blocks=to_arrow(blocks))


def _note(
    table: pa.Table, before: pa.ChunkedArray, settings: PublishSettings, ledger: Ledger
) -> None:
    """A ledger row for every document of which nothing is left."""
    words = f" without {', '.join(settings.drop_blocks)}" if settings.drop_blocks else ""
    keys = table.select(["id", "url", "source_file", "source_offset"]).to_pylist()
    for key, size in zip(keys, before.to_pylist(), strict=True):
        ledger.add(
            EMPTY, *key.values(), value=size, threshold=1,
            detail=f"nothing is left of its {size} bytes{words}",
        )  # fmt: skip


def _with_robots(table: pa.Table, picked: pa.Table) -> pa.Table:
    """Fill the rights that only the whole harvest knows: what robots.txt of the host says."""
    rights = table["rights"].combine_chunks()
    columns = [
        picked[f.name].combine_chunks()
        if f.name in ("robots_txt", "robots_usage")
        else rights.field(f.name)
        for f in RIGHTS_TYPE
    ]
    filled = pa.StructArray.from_arrays(columns, fields=list(RIGHTS_TYPE))
    at = table.schema.get_field_index("rights")
    return table.set_column(at, SHARD.field("rights"), filled)
