"""Publish: the selected documents as Parquet shards of even size, in the order of the input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import storage
from corpus.config import MIB, Settings
from corpus.schema import RIGHTS_TYPE, SHARD


@dataclass(frozen=True, slots=True)
class Shard:
    """One output file: which selected rows of which documents files it takes."""

    index: int
    total: int
    parts: tuple[tuple[int, int, int], ...]  # (documents file, first, end) in selected order

    @property
    def name(self) -> str:
        return f"train-{self.index:05d}-of-{self.total:05d}.parquet"

    def __str__(self) -> str:
        return self.name


def plan(root: Path, files: int, settings: Settings) -> list[Shard]:
    """Cut the selected rows into shards of about shard_mib MiB of text."""
    limit = settings.publish.shard_mib * MIB
    parts: list[list[tuple[int, int, int]]] = [[]]
    held = 0
    for index in range(files):
        sizes = pq.read_table(
            root / "state" / "select" / f"{index:07d}.parquet", columns=["n_bytes"]
        )
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
    return [Shard(i, len(parts), tuple(part)) for i, part in enumerate(parts)]


def publish_unit(shard: Shard, root: Path) -> dict[str, Any]:
    """Write one shard; returns {documents, characters, bytes}."""
    counts = {"documents": 0, "characters": 0, "bytes": 0}

    def batches() -> Iterator[pa.RecordBatch]:
        for index, start, end in shard.parts:
            for batch in _rows(root, index, start, end):
                counts["documents"] += batch.num_rows
                counts["characters"] += int(batch["n_chars"].to_numpy().sum(dtype=np.int64))
                counts["bytes"] += int(batch["n_bytes"].to_numpy().sum(dtype=np.int64))
                yield batch

    path = root / "corpus" / shard.name
    digest, _ = storage.commit_parquet(path, SHARD, batches())
    receipt = root / "state" / "publish" / f"{shard.index:07d}.json"
    storage.write_receipt(receipt, root, {path: digest}, counts)
    return counts


def _rows(root: Path, index: int, start: int, end: int) -> Iterator[pa.RecordBatch]:
    """Selected rows start…end of a documents file, a row group at a time."""
    chosen = pq.read_table(root / "state" / "select" / f"{index:07d}.parquet").slice(
        start, end - start
    )
    rows = chosen["row"].to_numpy()
    first = 0
    with pq.ParquetFile(root / "documents" / f"{index:07d}.parquet") as documents:
        for group in range(documents.num_row_groups):
            count = documents.metadata.row_group(group).num_rows
            low, high = np.searchsorted(rows, [first, first + count])
            if low < high:
                table = documents.read_row_group(group).take(pa.array(rows[low:high] - first))
                picked = chosen.slice(low, high - low)
                table = _with_robots(table, picked)
                for name in ("cluster", "cluster_size"):
                    table = table.append_column(SHARD.field(name), picked[name])
                yield from table.cast(SHARD).combine_chunks().to_batches()
            first += count


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
