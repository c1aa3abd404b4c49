"""The order of training data as a pure function of (seed, step): no index file, no state.

1. Documents, in shard order and by source, form *blocks* of about `block_tokens` tokens, see
   blocks.py.
2. The schedule appends blocks: next comes the source furthest below its share of tokens.
3. Inside a block the documents are shuffled and concatenated, then cut into rows of T + 1 tokens
   that overlap by one: every token is a target exactly once, nothing is cropped, and only the
   last row of a block is padded.
4. Consecutive blocks form a *window* that holds no block twice; its rows are shuffled by a keyed
   permutation. Global row i of the run is thus found by arithmetic alone.

World size never enters. Which rows a step has is in steps.py. A phase of a run has an order of its
own, told which documents the phases before it have read: it reads the others first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainer.config.settings import ConfigError, DataConfig
from trainer.data.blocks import Blocks, Ints, Table, cut, readings_done

_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Group:
    """The documents of one share of the mix: an epoch of them, and what an earlier phase left."""

    name: str
    share: float
    whole: Blocks
    rest: Blocks | None  # comes first, as epoch 0
    read: int  # times that all of it will have been read when `rest` is

    def blocks(self, epoch: int) -> Blocks:
        return self.rest if self.rest is not None and epoch == 0 else self.whole

    def turn(self, count: int) -> tuple[int, int]:
        """(epoch, which block of it) of the group's block number `count`."""
        first = len(self.rest.tokens) if self.rest is not None else 0
        if count < first:
            return 0, count
        epoch, turn = divmod(count - first, len(self.whole.tokens))
        return epoch + (self.rest is not None), turn

    def cap(self, epochs: float) -> float:
        """How many blocks may be read until all was read so often, earlier phases included."""
        first = len(self.rest.tokens) if self.rest is not None else 0
        return first + (epochs - self.read) * len(self.whole.tokens)


@dataclass(frozen=True)
class Block:
    """One entry of the schedule: which block, in which epoch of its source."""

    group: int
    chunk: int
    epoch: int
    rows: int
    window: int


class Order:
    """Where every row of a run comes from.

    lengths: integer[documents], tokens of each document; source: integer[documents], index into
    `names`. With no data.weights all documents form one group in their natural proportion.
    weights: float[documents], how often an epoch has each; None: once. among: (first, end, name) of
    the ranges of documents that belong to it, None: all; those of a name in data.weights are its
    group. read: integer[documents], how often each was read before.
    """

    def __init__(
        self,
        lengths: NDArray[np.integer],
        source: NDArray[np.integer],
        names: list[str],
        data: DataConfig,
        seed: int,
        weights: NDArray[np.floating] | None = None,
        among: Sequence[tuple[int, int, str]] | None = None,
        read: NDArray[np.integer] | None = None,
    ) -> None:
        self.seq_len, self.seed, self.lengths = data.seq_len, seed, lengths
        self.window_blocks, self.max_epochs = data.window_blocks, data.max_epochs
        shares = _shares(data, names, [name for *_, name in among or ()])
        numbers = {name: i for i, name in enumerate(shares)}
        kinds = np.array([numbers.get(n, -1) if data.weights else 0 for n in names or [""]])
        ranges = [(a, b, numbers.get(n, -1)) for a, b, n in among or [(0, len(lengths), "")]]
        table = Table(lengths, source, kinds, ranges, weights, self._key(4), read)
        self.groups = _groups(table, shares, data.block_tokens)
        self.blocks: list[Block] = []
        self.starts: list[int] = [0]  # first global row of each block, and the end
        self._shares = np.array([g.share for g in self.groups])
        self._used = np.zeros(len(self.groups))  # exact below 2^53 tokens
        self._total = 0
        self._shuffled: dict[int, tuple[int, Ints]] = {}  # group: (epoch, its blocks in order)
        self._arrays: tuple[Ints, Ints] = (np.zeros(1, np.int64), np.zeros(0, np.int64))
        self._count = [0] * len(self.groups)
        self._in_window: set[tuple[int, int, bool]] = set()
        self._windows: list[int] = []  # first block of each window

    def extend(self, rows: int) -> None:
        """Schedule blocks until at least `rows` rows stand, and the last window is complete."""
        while self.starts[-1] < rows:
            self._append()
        while self.blocks and not self._append(peek=True):
            pass

    def block_of(self, rows: Ints) -> tuple[Ints, Ints]:
        """(schedule index, row inside the block) of each global row, int64[n] both."""
        self.extend(int(rows.max()) + 1 if len(rows) else 0)
        if len(self._arrays[0]) != len(self.starts):
            self._arrays = np.array(self.starts), np.array(self._windows)
        starts, windows = self._arrays
        window = np.searchsorted(starts[windows], rows, side="right") - 1
        inner = np.empty_like(rows)
        for w in np.unique(window):
            low, high = self._window_rows(int(w))
            mine = window == w
            inner[mine] = low + permute(rows[mine] - low, high - low, self._key(1, int(w)))
        block = np.searchsorted(starts, inner, side="right") - 1
        return block, inner - starts[block]

    def row_of(self, block: int, inner: Ints) -> Ints:
        """The inverse of `block_of`: global rows of rows `inner` of schedule entry `block`."""
        w = self.blocks[block].window
        low, high = self._window_rows(w)
        at = np.int64(self.starts[block]) + inner - low
        return low + permute(at, high - low, self._key(1, w), inverse=True)

    def documents_of(self, block: Block) -> Ints:
        """Documents of a block in the order they are concatenated, int64[n]."""
        group = self.groups[block.group]
        members = group.blocks(block.epoch).members(block.chunk)
        key = self._key(2, block.group, block.chunk, block.epoch)
        return members[permute(np.arange(len(members), dtype=np.int64), len(members), key)]

    def starts_of(self, members: Ints) -> Ints:
        """First token of each of `members` one after another, and the end: int64[n + 1]."""
        return np.concatenate([[0], np.cumsum(self.lengths[members], dtype=np.int64)])

    def readings(self, rows: int) -> NDArray[np.uint32]:
        """How often the first `rows` rows train on each document, in part or whole."""
        self.extend(rows)
        starts = [self.starts[w] for w in self._windows]
        last = bisect_right(starts, rows) - 1 if rows < self.starts[-1] else len(starts)
        count = np.zeros(len(self.lengths), dtype=np.uint32)
        # All of every window before the one that row `rows` lies in.
        whole = [b for b in self.blocks if b.window < last]
        chunks: dict[tuple[int, bool], list[int]] = {}
        for b in whole:
            chunks.setdefault((b.group, b.epoch > 0), []).append(b.chunk)
        for (g, later), mine in chunks.items():
            blocks = self.groups[g].blocks(int(later))
            times = np.bincount(mine, minlength=len(blocks.tokens)).astype(np.uint32)
            blocks.add_readings(times, count)
        # Of that one only some rows of each block.
        if last < len(starts):
            block, inner = self.block_of(np.arange(starts[last], rows, dtype=np.int64))
            for index in np.unique(block).tolist():
                members = self.documents_of(self.blocks[index])
                np.add.at(count, members, self._touched(members, inner[block == index]))
        return count

    def _touched(self, members: Ints, rows: Ints) -> NDArray[np.bool_]:
        """Which documents of a block its `rows` train on: not those of which only a begin mark."""
        starts = self.starts_of(members)
        starts, ends = starts[:-1], starts[1:]
        first = rows * self.seq_len + 1
        stop = np.minimum(first + self.seq_len, ends[-1])
        low = np.searchsorted(starts, first, side="right") - 1
        high = np.searchsorted(starts, stop - 1, side="left")
        edges = np.zeros(len(members) + 1, np.int64)
        np.add.at(edges, low, 1)
        np.add.at(edges, np.maximum(high, low), -1)
        return np.cumsum(edges[:-1]) > 0

    def _append(self, peek: bool = False) -> bool:
        """Schedule the next block; with `peek` only if the last window may still take it.

        Returns whether the block would start (or has started) a new window.
        """
        source = self._next_group()
        if source is None:
            if peek:
                return True
            raise ConfigError(
                f"the data gives {self._total:,} tokens within data.max_epochs = "
                f"{self.max_epochs:g}: lower train.steps, raise data.max_epochs or change "
                "data.weights"
            )
        group = self.groups[source]
        epoch, turn = group.turn(self._count[source])
        if self._shuffled.get(source, (-1,))[0] != epoch:
            blocks = len(group.blocks(epoch).tokens)
            order = permute(np.arange(blocks, dtype=np.int64), blocks, self._key(3, source, epoch))
            self._shuffled[source] = epoch, order
        chunk = int(self._shuffled[source][1][turn])
        rest = group.rest is not None and epoch == 0  # its blocks lie across those of the whole
        full = bool(self._windows) and len(self.blocks) - self._windows[-1] >= self.window_blocks
        again = {(source, chunk, rest), (source, -1, not rest)} & self._in_window
        fresh = not self._windows or full or bool(again)
        if peek and fresh:
            return True
        if fresh:
            self._windows.append(len(self.blocks))
            self._in_window.clear()
        self._in_window |= {(source, chunk, rest), (source, -1, rest)}
        tokens = int(group.blocks(epoch).tokens[chunk])
        rows = -(-(tokens - 1) // self.seq_len)
        self.blocks.append(Block(source, chunk, epoch, rows, len(self._windows) - 1))
        self.starts.append(self.starts[-1] + rows)
        self._used[source] += tokens
        self._total += tokens
        self._count[source] += 1
        return fresh

    def _next_group(self) -> int | None:
        """The source furthest below its share; None when it is that one's turn and it is used up.

        A capped source must not silently change the mix, so no other takes its place.
        """
        best = int(np.argmax(self._shares * (self._total + 1) - self._used))
        used_up = self._count[best] >= self.groups[best].cap(self.max_epochs)
        return None if self.max_epochs and used_up else best

    def _window_rows(self, window: int) -> tuple[int, int]:
        end = self._windows[window + 1] if window + 1 < len(self._windows) else len(self.blocks)
        return self.starts[self._windows[window]], self.starts[end]

    def _key(self, *parts: int) -> int:
        key = self.seed
        for part in parts:
            key = int(_mix(np.uint64((key * 0x9E3779B97F4A7C15 + part + 1) & int(_MASK))))
        return key


def permute(values: Ints, n: int, key: int, inverse: bool = False) -> Ints:
    """A keyed permutation of 0..n-1 applied to `values`: Feistel network with cycle walking.

    O(1) memory whatever n; four rounds of splitmix64 as round function. `inverse` undoes it.
    """
    half = max(1, -(-max(1, (n - 1).bit_length()) // 2))
    mask, shift = np.uint64((1 << half) - 1), np.uint64(half)
    rounds = [np.uint64((key + r * 0x632BE59BD9B4E019) & int(_MASK)) for r in range(4)]
    result = values.astype(np.uint64)
    todo = np.ones(len(result), dtype=bool)
    while todo.any():
        x = result[todo]
        left, right = x >> shift, x & mask
        if inverse:
            for constant in reversed(rounds):
                left, right = right ^ (_mix(left + constant) & mask), left
        else:
            for constant in rounds:
                left, right = right, left ^ (_mix(right + constant) & mask)
        result[todo] = left << shift | right
        todo[todo] = result[todo] >= n
    return result.astype(np.int64)


def _mix(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014), elementwise."""
    with np.errstate(over="ignore"):
        z = np.atleast_1d(x).astype(np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z if np.ndim(x) else z[0]


def _shares(data: DataConfig, names: list[str], folders: list[str]) -> dict[str, float]:
    """Group -> its share of the mix, in the order of the groups."""
    if not data.weights:
        return {"*": 1.0}
    unknown = sorted(set(data.weights) - set(names) - set(folders))
    if unknown:
        raise ConfigError(
            f"data.weights names {unknown[0]!r}, but the sources are {', '.join(names)}"
        )
    total = sum(data.weights.values()) or 1.0
    for name in sorted(data.weights):
        if data.weights[name] < 0:
            raise ConfigError(f"data.weights.{name} is negative")
    return {name: data.weights[name] / total for name in sorted(data.weights)}


def _groups(table: Table, shares: dict[str, float], size: int) -> list[Group]:
    parts = cut(table, len(shares), size)
    left: list[Blocks | None] = [None] * len(shares)
    if table.read is not None:
        # The reading that is under way: what is missing of it comes before all else.
        done = readings_done(table, len(shares))
        left = cut(replace(table, done=done), len(shares), size)
    groups = []
    for number, (name, share) in enumerate(shares.items()):
        whole, rest, times = parts[number], left[number], 0
        if whole is None:
            what = "the token shards have" if name == "*" else f"source {name!r} has"
            raise ConfigError(f"{what} no training documents (or all with weight 0)")
        if not share:
            continue
        if table.read is not None:
            times = int(done[number])
        if rest is not None and rest.begins[-1] < whole.begins[-1]:
            times += 1
        else:
            rest = None
        groups.append(Group(name, share, whole, rest, times))
    if not groups:
        raise ConfigError("data.weights are all 0")
    return groups
