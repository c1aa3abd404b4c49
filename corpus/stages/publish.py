"""Publish: the selected documents as Parquet shards of even size, in the order that is asked for.

`publish.format` and `drop_blocks` say what of the texts is published; a document of which nothing
is left is dropped, with a row in the ledger.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
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
from corpus.folder import selection, swap
from corpus.folder.commit import as_array, picked_rows
from corpus.folder.folder import Folder
from corpus.folder.layout import SHARDS, Layout, index_of
from corpus.folder.ledger import Ledger
from corpus.folder.schema import RIGHTS_TYPE, SHARD
from corpus.settings import MIB, PublishSettings, Settings, parse_weights
from corpus.stages import books, order
from corpus.stages.stage import Job
from corpus.text import cut as cutting
from corpus.text import views
from corpus.text.blocks import rows_of, to_arrow

MAX_ROWS = 1 << 20  # of a row group, whose bytes end it before
BLOCK = 4096  # rows of a documents file between two places where a shard may end
SLACK = 1.125  # so many times the size that is asked for, it ends anywhere
EMPTY = "drop_blocks"  # the rule of documents of which drop_blocks leaves nothing


@dataclass(frozen=True, slots=True)
class Shard:
    """One output file: which selected rows of which documents files it takes, or which pieces."""

    index: int
    total: int
    parts: tuple[tuple[int, int, int], ...]  # (documents file, first, end) in selected order
    made_from: str  # names the rows: a shard whose rows are the same is not written again
    pieces: tuple[int, int] = (0, 0)  # (first, end) of corpus.stages.order, in another order
    scattered: tuple[Path, ...] = ()  # where those lie

    @property
    def name(self) -> str:
        return f"train-{self.index:05d}-of-{self.total:05d}.parquet"

    def __str__(self) -> str:
        return self.name


def run(job: Job) -> None:
    """Stage the shards whose rows are not published yet; what is published stays until all are.

    RunError when there is nothing to publish, unless `publish.allow_empty`.
    """
    by_input = job.settings.publish.order == "input"
    shards, pieces = (cut(job), None) if by_input else cut_in_order(job)
    staged = job.folder.staged
    if not any(shard.parts or shard.scattered for shard in shards):
        _refuse_empty(job)
    for place in (job.folder, staged):
        forget_stale(place, shards)
    todo = [s for s in shards if not (_is_done(job.folder, s) or _is_done(staged, s))]
    folder, settings, chain = job.folder, job.settings, job.chain
    shutil.rmtree(job.folder.layout.pieces, ignore_errors=True)  # of a run that was killed
    if pieces is not None and todo:
        unit = functools.partial(
            scatter_unit, pieces=pieces, folder=folder, settings=settings, chain=chain
        )
        job.each(unit, job.files, "order")
    publish = functools.partial(publish_unit, folder=folder, settings=settings, chain=chain)
    job.each(publish, todo, "publish")
    shutil.rmtree(job.folder.layout.pieces, ignore_errors=True)
    if not books.funnel(job.folder.layout)["publish"]["out"]:
        _refuse_empty(job)
    # Shards that stay stand beside the new ones, so that the next publication is whole.
    if staged.layout.receipts("publish"):
        for shard in shards:
            path = staged.layout.shard(shard.name)
            if not path.exists():
                swap.link(job.folder.layout.shard(shard.name), path)


def _is_done(folder: Folder, shard: Shard) -> bool:
    receipt = folder.receipt("publish", shard.index)
    return receipt is not None and _is_of(receipt, shard)


def _is_of(receipt: dict[str, Any], shard: Shard) -> bool:
    """Whether a receipt is of a shard's rows, under its name."""
    is_same = receipt["counts"].get("made_from") == shard.made_from
    return is_same and f"{SHARDS}/{shard.name}" in receipt["outputs"]


def _refuse_empty(job: Job) -> None:
    """RunError that names what took the most, unless it is asked for: so or by a removal list."""
    funnel = books.funnel(job.folder.layout)
    if job.settings.publish.allow_empty or "remove" in funnel:
        return
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
        path = selection.path_of(layout, index, job.chain)
        left = pq.read_table(path, columns=["row", "n_bytes"])
        ends, held = ends_of_shards(left["row"].to_numpy(), left["n_bytes"].to_numpy(), limit, held)
        start = 0
        for end in ends:
            if end > start:
                parts[-1].append((index, start, end))
            parts.append([])
            start = end
        if len(left) > start:
            parts[-1].append((index, start, len(left)))
    names = [_digest(layout, part, job.chain) for part in parts]
    return [Shard(i, len(parts), tuple(part), names[i]) for i, part in enumerate(parts)]


def ends_of_shards(
    rows: np.ndarray, sizes: np.ndarray, limit: int, held: int, block: int = BLOCK
) -> tuple[list[int], int]:
    """(positions at which a new shard begins, bytes that the last one holds).

    rows: int32[n], ascending, of the documents file; sizes: their bytes; held: what the shard that
    goes on has. A shard of `limit` bytes goes on to the end of its block of harvested rows, if that
    is near: a document that is taken out changes its own shard, and seldom where the next begins.
    """
    begins_block = np.diff(rows // block, prepend=-1) != 0
    before = held + np.cumsum(sizes, dtype=np.int64) - sizes  # in its shard, from `start` on
    ends: list[int] = []
    start = 0
    while True:
        full = (before >= limit) & begins_block | (before >= limit * SLACK)
        full[:start] = False
        if not full.any():
            break
        start = int(np.argmax(full))
        ends.append(start)
        before -= before[start]
    return ends, int(before[-1] + sizes[-1]) if len(sizes) else held


def cut_in_order(job: Job) -> tuple[list[Shard], order.Pieces]:
    """Cut the rows that are left by `publish.order`."""
    layout, settings = job.folder.layout, job.settings.publish
    pieces = order.cut(layout, job.files, job.chain, settings)
    paths = tuple(map(layout.piece, job.files))
    rows = selection.digest(layout, job.files, job.chain)
    shards = []
    for index, (first, end) in enumerate(pieces.shards):
        name = f"{rows} {settings.order} {settings.seed} {pieces.bounds.tolist()} {first} {end}"
        made_from = hashlib.sha256(name.encode()).hexdigest()
        shards.append(Shard(index, len(pieces.shards), (), made_from, (first, end), paths))
    return shards, pieces


def scatter_unit(
    index: int, pieces: order.Pieces, folder: Folder, settings: Settings, chain: tuple[str, ...]
) -> None:
    """Write the rows of a documents file by pieces of the published order."""
    left = selection.read(folder.layout, index, chain)
    tables = _rows(folder.layout.documents(index), left, parse_weights(settings.dedup.rehydrate))
    order.scatter(folder.layout.piece(index), tables, pieces, settings.publish)


def _digest(layout: Layout, parts: list[tuple[int, int, int]], chain: tuple[str, ...]) -> str:
    """Names the rows of a shard."""
    total = hashlib.sha256()
    for index, start, end in parts:
        # Copied: a slice is written with the bits behind its end.
        rows = selection.read(layout, index, chain).take(pa.array(np.arange(start, end)))
        total.update(f"{index}:".encode())
        for batch in rows.combine_chunks().to_batches():
            total.update(batch.serialize())
    return total.hexdigest()


def forget_stale(folder: Folder, shards: list[Shard]) -> None:
    """Remove receipts and ledger files of shards whose rows or names are others now."""
    layout, stale = folder.layout, []
    for path in layout.receipts("publish"):
        index = index_of(path)
        receipt = folder.receipt("publish", index)
        if receipt is None or index >= len(shards) or not _is_of(receipt, shards[index]):
            stale.append(path)
    folder.remove(stale)
    folder.remove([layout.ledger("publish", index_of(path)) for path in stale])


def publish_unit(
    shard: Shard, folder: Folder, settings: Settings, chain: tuple[str, ...]
) -> dict[str, Any]:
    """Write one shard; returns {documents, characters, bytes, dropped}."""
    rehydration = parse_weights(settings.dedup.rehydrate)
    counts = {"documents": 0, "characters": 0, "bytes": 0}
    ledger = Ledger("publish")

    def tables() -> Iterator[pa.Table]:
        yield from order.gather(shard.scattered, *shard.pieces, settings.publish)
        for index, start, end in shard.parts:
            left = selection.read(folder.layout, index, chain).slice(start, end - start)
            yield from _rows(folder.layout.documents(index), left, rehydration)

    def batches() -> Iterator[pa.RecordBatch]:
        for table in tables():
            batch = _published(table, settings.publish, ledger)
            counts["documents"] += batch.num_rows
            counts["characters"] += int(batch["n_chars"].to_numpy().sum(dtype=np.int64))
            counts["bytes"] += int(batch["n_bytes"].to_numpy().sum(dtype=np.int64))
            yield batch

    staged = folder.staged
    path = staged.layout.shard(shard.name)
    groups = _row_groups(batches())
    outputs = {path: staged.commit_parquet(path, SHARD, groups, MAX_ROWS)[0]}
    if len(ledger):
        outputs |= ledger.commit(staged, shard.index)
    facts = {"dropped": {EMPTY: len(ledger)} if len(ledger) else {}, "made_from": shard.made_from}
    staged.write_receipt("publish", shard.index, outputs, counts | facts)
    return counts


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of order.GROUP_BYTES or a little more, but for the last."""
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= order.GROUP_BYTES:
            yield pa.concat_batches(held)
            held, size = [], 0
    if held:
        yield pa.concat_batches(held)


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
