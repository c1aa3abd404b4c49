"""Connected components by units of work: for graphs whose union-find does not fit one machine.

Large-star and small-star (Kiveris et al. 2014, "Connected Components in MapReduce and Beyond"),
alternating until nothing changes: about log2 of the longest path rounds. Edges (a < b) lie in
partition files by node; a round is a unit per file that scatters its edges to the nodes that
need them, and a unit per partition that gathers them. The label of a node is the smallest node of
its component, the same as corpus.dedup.local.buckets.labels gives.

`run(function, units)` runs a picklable function on every unit in any order and place: an engine's
map, or Python's. Files are committed atomically, so a round that was killed is run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.distributed.groups import read_group, write_groups
from corpus.folder.commit import commit_parquet

EDGES = pa.schema([pa.field("a", pa.int64()), pa.field("b", pa.int64())])
ROWS = 1 << 20  # per batch of an edges file
MOST_ROUNDS = 64  # a path of 2**64 nodes; more would be a bug

Run = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


def write_edges(path: Path, pairs: np.ndarray) -> None:
    """Commit edges (int64[m, 2])."""
    a, b = pairs[:, 0].copy(), pairs[:, 1].copy()
    parts = (slice(at, at + ROWS) for at in range(0, len(pairs), ROWS))
    commit_parquet(path, EDGES, (pa.record_batch([a[p], b[p]], schema=EDGES) for p in parts))


def read_edges(paths: Sequence[Path]) -> np.ndarray:
    """All edges of the files (int64[m, 2])."""
    parts = [np.empty((0, 2), np.int64)]
    for path in paths:
        table = pq.read_table(path)
        parts.append(np.stack([table["a"].to_numpy(), table["b"].to_numpy()], axis=1))
    return np.concatenate(parts)


def scatter(unit: tuple[Path, Path, int, bool]) -> None:
    """Send the edges of a file to the partitions of the nodes that gather them.

    unit: (edges file, file to write, partitions, large). For a large star both ends gather, for a
    small star the larger one. Writes (node, neighbour) rows, a row group per partition.
    """
    source, out, partitions, large = unit
    edges = read_edges([source])
    low, high = edges.min(axis=1), edges.max(axis=1)
    sent = np.stack([high, low], axis=1)
    if large:
        sent = np.concatenate([sent, np.stack([low, high], axis=1)])
    sent = np.unique(sent, axis=0)
    place = sent[:, 0] % partitions
    order = np.argsort(place, kind="stable")
    ends = np.searchsorted(place[order], np.arange(partitions + 1))
    columns = [pa.array(sent[order, side]) for side in (0, 1)]
    write_groups(out, pa.table(columns, schema=EDGES), ends)


def gather(unit: tuple[list[Path], int, Path, bool]) -> int:
    """Star operation on the nodes of a partition; returns a checksum of the edges written.

    unit: (files of scatter, partition, edges file to write, large). Large star: each neighbour
    larger than the node is tied to the smallest of node and neighbours. Small star: the node and
    its neighbours, which are smaller, are tied to the smallest.
    """
    files, partition, out, large = unit
    table = read_group(files, EDGES, partition)
    edges = np.stack([table["a"].to_numpy(), table["b"].to_numpy()], axis=1)
    edges = np.unique(edges, axis=0)
    # By node and then neighbour: a node's smallest neighbour is the first of its run.
    node, other = edges[:, 0], edges[:, 1]
    first = np.flatnonzero(np.diff(node, prepend=-1) != 0)
    smallest = np.empty(0, np.int64)
    if len(first):
        smallest = np.minimum(np.minimum.reduceat(other, first), node[first])
    of_edge = np.repeat(smallest, np.diff(np.append(first, len(node))))
    if large:
        keep = other > node
        pairs = np.stack([of_edge[keep], other[keep]], axis=1)
    else:
        pairs = np.stack([of_edge, other], axis=1)
        pairs = np.concatenate([pairs, np.stack([smallest, node[first]], axis=1)])
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    write_edges(out, pairs)
    return checksum(pairs)


def checksum(pairs: np.ndarray) -> int:
    """A sum over edges that tells two sets of edges apart; sums of parts add up (mod 2**64)."""
    mixed = pairs[:, 0].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= pairs[:, 1].astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    return int((mixed ^ (mixed >> np.uint64(32))).sum(dtype=np.uint64))


def connected_components(edges: list[Path], folder: Path, partitions: int, run: Run) -> list[Path]:
    """Files of (label, node) rows, one a partition, for every node that has an edge to a smaller.

    A node without a row is its own label. `folder` holds the rounds and is the caller's to remove.
    """
    files, before = edges, -1
    for number in range(MOST_ROUNDS):
        for star in ("large", "small"):
            large = star == "large"
            stage = folder / f"{number:02d}-{star}"
            sent = [stage / "sent" / f"{n:06d}.parquet" for n in range(len(files))]
            # list(): an engine's map is lazy, and gather needs every file of scatter.
            list(
                run(scatter, [(*pair, partitions, large) for pair in zip(files, sent, strict=True)])
            )
            files = [stage / "edges" / f"{p:05d}.parquet" for p in range(partitions)]
            units = [(sent, p, files[p], large) for p in range(partitions)]
            total = sum(run(gather, units)) % 2**64
        if total == before:  # the edges of a round later are the same: all are stars
            return files
        before = total
    raise AssertionError("connected components did not converge")
