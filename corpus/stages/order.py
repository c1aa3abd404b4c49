"""Publishing in another order than that of the input: by id, or shuffled by a seed.

    rows that are left ─▶ a key each ─▶ pieces of about GROUP_BYTES, by ranges of keys
    each documents file ─▶ its rows by piece (a file whose row group p is its part of piece p)
    piece p of all files ─▶ sorted by key and id ─▶ the row group p of the corpus

The order depends on the ids and the seed alone: workers, units and names of files change nothing.
Texts are written once more on the way; a worker holds the rows of one documents file or one piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.distributed.groups import read_group, write_groups
from corpus.folder import selection
from corpus.folder.commit import as_array
from corpus.folder.layout import Layout
from corpus.folder.schema import SHARD
from corpus.settings import MIB, PublishSettings

# Row groups of the shards: enough for a reader's thread, little enough for its memory.
GROUP_BYTES = 64 * MIB
ROW_BYTES = 2048  # what a row has besides its text: signals, blocks, addresses


@dataclass(frozen=True)
class Pieces:
    """The cut: piece p has the keys from bounds[p] up to bounds[p + 1]; shards are runs of pieces.

    bounds: uint64[pieces], the first is 0; shards: (first, end) of each.
    """

    bounds: np.ndarray
    shards: tuple[tuple[int, int], ...]

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The piece (int64[n]) of each key."""
        return np.searchsorted(self.bounds, keys, side="right") - 1


def keys(ids: pa.Array | pa.ChunkedArray, settings: PublishSettings) -> np.ndarray:
    """uint64[n] by which documents are sorted: the first 16 digits of the id, mixed with the seed
    by SplitMix64 (Steele, Lea, Flood 2014) when they are shuffled."""
    key = np.array([int(name[:16], 16) for name in ids.to_pylist()], np.uint64)
    if settings.order == "id":
        return key
    with np.errstate(over="ignore"):
        step = np.array([settings.seed + 1], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        key = key + step
        key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


def cut(layout: Layout, files: range, chain: tuple[str, ...], settings: PublishSettings) -> Pieces:
    """Cut all rows that are left into pieces, and these into shards of about shard_mib."""
    found, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for index in files:
        left = pq.read_table(selection.path_of(layout, index, chain), columns=["row", "n_bytes"])
        ids = pq.read_table(layout.documents(index), columns=["id"])["id"].take(left["row"])
        found.append(keys(ids, settings))
        sizes.append(left["n_bytes"].to_numpy().astype(np.int64))
    key, size = np.concatenate(found), np.concatenate(sizes)
    place = np.argsort(key, kind="stable")
    key, size = key[place], size[place]
    # Pieces by bytes before each row; rows of one key stay together.
    limit = settings.shard_mib * MIB
    before = np.cumsum(size) - size
    shard = before // limit
    within = before - before[np.searchsorted(shard, shard)]
    rows = np.arange(len(key)) - np.searchsorted(shard, shard)
    group = (within + rows * ROW_BYTES) // min(GROUP_BYTES, limit)
    new = np.flatnonzero((np.diff(shard, prepend=-1) != 0) | (np.diff(group, prepend=-1) != 0))
    first, at = np.unique(key[new], return_index=True)
    owners = shard[new][at]
    bounds = np.concatenate([[np.uint64(0)], first[1:]]).astype(np.uint64)
    edges = np.flatnonzero(np.diff(owners, prepend=-1) != 0).tolist() or [0]
    return Pieces(bounds, tuple(zip(edges, [*edges[1:], len(bounds)], strict=True)))


def scatter(
    path: Path, tables: Iterable[pa.Table], pieces: Pieces, settings: PublishSettings
) -> None:
    """Write rows of one documents file by their pieces."""
    table = pa.concat_tables([SHARD.empty_table(), *tables])
    piece = pieces.of(keys(table["id"], settings))
    table = table.take(pa.array(np.argsort(piece, kind="stable")))
    ends = np.searchsorted(np.sort(piece), np.arange(len(pieces.bounds) + 1))
    write_groups(path, table, ends)


def gather(
    paths: Sequence[Path], first: int, end: int, settings: PublishSettings
) -> Iterator[pa.Table]:
    """The pieces first to end, each sorted."""
    for piece in range(first, end):
        table = read_group(paths, SHARD, piece)
        by = pa.table({"key": keys(table["id"], settings), "id": as_array(table["id"])})
        places = pc.sort_indices(by, [("key", "ascending"), ("id", "ascending")])
        yield table.take(places)
