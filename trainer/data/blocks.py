"""Documents cut into blocks, without a list of documents: a few numbers for each block.

The documents of a phase lie in shard order, in ranges of numbers. A group of the mix has those of a
source or folder; one of weight w stands in an epoch ⌊w⌋ or ⌈w⌉ times, all first copies before all
second ones, so that copies of a document fall into different blocks where there are several. The
sequence is cut where its tokens pass a multiple of the block size. Everything is read in chunks
from arrays that may be memory maps: 10^9 documents need no array of their length in a process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.config.settings import ConfigError

Ints = NDArray[np.int64]
CHUNK = 1 << 18  # documents looked at together: 2 MB an array


@dataclass(frozen=True)
class Table:
    """The documents of a phase.

    lengths: integer[documents], tokens of each; source: integer[documents], index into `groups`,
    which has the group of each source or -1. ranges: (first, end, group) of documents in order,
    group -1: by source. weights: float[documents] or None; key: of the draw of ⌊w⌋ or ⌈w⌉. read:
    integer[documents], how often each was read before; with done, int64[groups], how often all of a
    group was, the table is what is left of the reading that is under way.
    """

    lengths: NDArray[np.integer]
    source: NDArray[np.integer]
    groups: Ints
    ranges: Sequence[tuple[int, int, int]]
    weights: NDArray[np.floating] | None = None
    key: int = 0
    read: NDArray[np.integer] | None = None
    done: Ints | None = None
    chunks: list[tuple[int, int, int]] = field(init=False)  # the ranges, cut to CHUNK
    before: list[float] = field(init=False)  # fractions of weights summed before each chunk

    def __post_init__(self) -> None:
        chunks = [
            (low, min(low + CHUNK, end), group)
            for first, end, group in self.ranges
            for low in range(first, end, CHUNK)
        ]
        before = [0.0]
        for low, high, _ in chunks if self.weights is not None else ():
            before.append(float(_fractions(self.weights[low:high], before[-1])[-1]))  # type: ignore[index]
        object.__setattr__(self, "chunks", chunks)
        object.__setattr__(self, "before", before)

    def chunk(self, index: int) -> tuple[Ints, NDArray[np.integer], Ints]:
        """(documents, group of each, how often an epoch has each) of a chunk."""
        low, high, group = self.chunks[index]
        documents = np.arange(low, high, dtype=np.int64)
        groups = np.full(high - low, group) if group >= 0 else self.groups[self.source[low:high]]
        times = np.ones(high - low, np.int64)
        if self.weights is not None:
            times = copies(self.weights[low:high], self.key, self.before[index])
        if self.read is not None and self.done is not None:
            times = np.maximum(times * (self.done[groups] + 1) - self.read[low:high], 0)
        return documents, groups, times


@dataclass(frozen=True)
class Blocks:
    """The blocks of one group. Block c begins with copy `level[c]` of document `first[c]`."""

    table: Table
    group: int
    most: NDArray[np.uint16]  # [chunks], the most copies of a document of the group there
    level: Ints
    first: Ints
    chunk: Ints  # where that document stands
    begins: Ints  # documents of the sequence before each block, and all of them
    tokens: Ints  # of each block

    def members(self, block: int) -> Ints:
        """Documents of a block, in sequence."""
        count = int(self.begins[block + 1] - self.begins[block])
        parts: list[Ints] = []
        for documents in self._sequence(*(int(x[block]) for x in (self.level, self.chunk))):
            if not parts:
                documents = documents[np.searchsorted(documents, self.first[block]) :]
            parts.append(documents[:count])
            count -= len(parts[-1])
            if not count:
                break
        return np.concatenate(parts)

    def holding(self, document: int) -> list[int]:
        """The blocks that hold a document, one for each copy."""
        at, found = 0, []
        for documents in self._sequence(0, 0):
            here = np.searchsorted(documents, document)
            if here < len(documents) and documents[here] == document:
                found.append(int(np.searchsorted(self.begins, at + here, side="right")) - 1)
            at += len(documents)
        return found

    def add_readings(self, times: NDArray[np.integer], count: NDArray[np.integer]) -> None:
        """Add to count[documents] that block c was read times[c] times."""
        at = 0
        for documents in self._sequence(0, 0):
            places = at + np.arange(len(documents))
            count[documents] += times[np.searchsorted(self.begins, places, side="right") - 1]
            at += len(documents)

    def _sequence(self, level: int, chunk: int) -> Iterator[Ints]:
        """The documents from a copy and chunk on, chunk by chunk."""
        while level < self.most.max():
            if self.most[chunk] > level:
                documents, groups, times = self.table.chunk(chunk)
                yield documents[(groups == self.group) & (times > level)]
            chunk += 1
            if chunk == len(self.most):
                level, chunk = level + 1, 0


def cut(table: Table, groups: int, size: int) -> list[Blocks | None]:
    """The blocks of about `size` tokens of each group; None: it has no document."""
    makers = [_Maker(size, len(table.chunks)) for _ in range(groups)]
    level, most = 0, 1
    while level < most:
        for chunk in range(len(table.chunks)):
            if level and not any(m.most[chunk] > level for m in makers):
                continue
            documents, kind, times = table.chunk(chunk)
            there = np.flatnonzero((times > level) & (kind >= 0))
            order = there[np.argsort(kind[there], kind="stable")] if groups > 1 else there
            ends = np.searchsorted(kind[order], np.arange(groups + 1))
            for g in np.flatnonzero(np.diff(ends)).tolist():
                mine = order[ends[g] : ends[g + 1]]
                if not level:
                    makers[g].most[chunk] = times[mine].max()
                numbers = documents[mine]
                lengths = table.lengths[numbers].astype(np.int64)
                makers[g].add(level, chunk, numbers, lengths)
        most = max((int(m.most.max(initial=0)) for m in makers), default=0)
        level += 1
    return [m.blocks(table, g) for g, m in enumerate(makers)]


class _Maker:
    """Where the blocks of one group begin, as its sequence comes by."""

    def __init__(self, size: int, chunks: int) -> None:
        self.size, self.most = size, np.zeros(chunks, np.uint16)
        self.count = self.total = 0  # documents and tokens until now
        self.last = -1  # multiple of `size` that the last document began beyond
        self.rows: list[Ints] = []

    def add(self, level: int, chunk: int, documents: Ints, lengths: Ints) -> None:
        starts = self.total + np.cumsum(lengths) - lengths
        last = int(starts[-1]) // self.size
        # A block begins with the first document that begins at or beyond a multiple of its size.
        multiples = np.arange(self.last + 1, last + 1, dtype=np.int64) * self.size
        at = np.unique(np.searchsorted(starts, multiples))
        self.rows.append(
            np.stack(
                [np.full(len(at), level), documents[at], np.full(len(at), chunk), at + self.count,
                 starts[at]]
            )
        )  # fmt: skip
        self.total = int(starts[-1] + lengths[-1])
        self.count += len(documents)
        self.last = last

    def blocks(self, table: Table, group: int) -> Blocks | None:
        if not self.rows:
            return None
        level, first, chunk, begins, starts = np.concatenate(self.rows, axis=1)
        tokens = np.diff(starts, append=self.total)
        begins = np.append(begins, self.count)
        return Blocks(table, group, self.most, level, first, chunk, begins, tokens)


def readings_done(table: Table, groups: int) -> Ints:
    """How often every document of each group was read, int64[groups]."""
    assert table.read is not None
    done = np.full(groups, np.iinfo(np.int64).max)
    for chunk in range(len(table.chunks)):
        documents, kind, times = table.chunk(chunk)
        there = (times > 0) & (kind >= 0)
        np.minimum.at(done, kind[there], table.read[documents[there]] // times[there])
    return done


def copies(weights: NDArray[np.floating], key: int, before: float = 0.0) -> Ints:
    """How often each document stands in an epoch: ⌊w⌋ or ⌈w⌉, int64[documents].

    Systematic sampling with a keyed start: the first n documents together have their summed weight
    of copies to within one, for every n. before: the fractions of earlier documents, summed.
    Raises ConfigError for a weight below 0 or above 1000.
    """
    sums = np.concatenate([[before], _fractions(weights, before)])
    ends = np.floor(sums + key / 2**64).astype(np.int64)
    return np.floor(weights).astype(np.int64) + np.diff(ends)


def _fractions(weights: NDArray[np.floating], before: float) -> NDArray[np.float64]:
    """The sum of fractions up to each document, added one after another whatever the chunks."""
    if not ((weights >= 0) & (weights <= 1000)).all():  # also refuses NaN
        raise ConfigError("a document's weight is not from 0 to 1000: correct the corpus")
    wide = weights.astype(np.float64)
    sums: NDArray[np.float64] = np.cumsum(np.concatenate([[before], wide - np.floor(wide)]))
    return sums[1:]
