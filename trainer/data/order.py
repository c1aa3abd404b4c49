"""The order of training data as a pure function of (seed, step): no index file, no state.

1. Documents, in shard order and by source, form *blocks* of about `block_tokens` tokens. One of
   weight w stands in an epoch ⌊w⌋ or ⌈w⌉ times; all first copies come first, then all second
   ones, so that copies of a document fall into different blocks where there are several.
2. The schedule appends blocks: next comes the source furthest below its share of tokens.
3. Inside a block the documents are shuffled and concatenated, then cut into rows of T + 1 tokens
   that overlap by one: every token is a target exactly once, nothing is cropped, and only the
   last row of a block is padded.
4. Consecutive blocks form a *window* that holds no block twice; its rows are shuffled by a keyed
   permutation. Global row i of the run is thus found by arithmetic alone.

World size never enters. Which rows a step has is in steps.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.config.settings import ConfigError, DataConfig

Ints = NDArray[np.int64]
_MASK = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Group:
    """The documents of one share of the mix, cut into blocks."""

    name: str
    share: float
    documents: Ints  # indices of the group's documents, in shard order, copies after originals
    cuts: Ints  # block c holds documents[cuts[c]:cuts[c + 1]]
    tokens: Ints  # tokens of each block


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

    lengths: int64[documents], tokens of each document; source: int32[documents], index into
    `names`. With no data.weights all documents form one group in their natural proportion.
    weights: float64[documents], how often an epoch has each; None: once.
    """

    def __init__(
        self,
        lengths: Ints,
        source: NDArray[np.int32],
        names: list[str],
        data: DataConfig,
        seed: int,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.seq_len, self.seed, self.lengths = data.seq_len, seed, lengths
        self.window_blocks, self.max_epochs = data.window_blocks, data.max_epochs
        times = copies(weights, self._key(4)) if weights is not None else None
        self.groups = _groups(lengths, source, names, data, times)
        self.blocks: list[Block] = []
        self.starts: list[int] = [0]  # first global row of each block, and the end
        self._shares = np.array([g.share for g in self.groups])
        self._used = np.zeros(len(self.groups))  # exact below 2^53 tokens
        self._total = 0
        self._shuffled: dict[int, tuple[int, Ints]] = {}  # group: (epoch, its blocks in order)
        self._arrays: tuple[Ints, Ints] = (np.zeros(1, np.int64), np.zeros(0, np.int64))
        self._count = [0] * len(self.groups)
        self._in_window: set[tuple[int, int]] = set()
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
        members = group.documents[group.cuts[block.chunk] : group.cuts[block.chunk + 1]]
        key = self._key(2, block.group, block.chunk, block.epoch)
        return members[permute(np.arange(len(members), dtype=np.int64), len(members), key)]

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
        epoch, turn = divmod(self._count[source], len(group.tokens))
        if self._shuffled.get(source, (-1,))[0] != epoch:
            blocks = len(group.tokens)
            order = permute(np.arange(blocks, dtype=np.int64), blocks, self._key(3, source, epoch))
            self._shuffled[source] = epoch, order
        chunk = int(self._shuffled[source][1][turn])
        full = bool(self._windows) and len(self.blocks) - self._windows[-1] >= self.window_blocks
        fresh = not self._windows or full or (source, chunk) in self._in_window
        if peek and fresh:
            return True
        if fresh:
            self._windows.append(len(self.blocks))
            self._in_window.clear()
        self._in_window.add((source, chunk))
        tokens = int(group.tokens[chunk])
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
        used_up = self._count[best] >= self.max_epochs * len(self.groups[best].tokens)
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


def copies(weights: NDArray[np.float64], key: int) -> Ints:
    """How often each document stands in an epoch: ⌊w⌋ or ⌈w⌉, int64[documents].

    Systematic sampling with a keyed start: the first n documents together have their summed weight
    of copies to within one, for every n. Raises ConfigError for a weight below 0 or above 1000.
    """
    if not ((weights >= 0) & (weights <= 1000)).all():  # also refuses NaN
        raise ConfigError("a document's weight is not from 0 to 1000: correct the corpus")
    whole = np.floor(weights)
    start = key / 2**64
    ends = np.floor(np.cumsum(weights - whole) + start).astype(np.int64)
    return whole.astype(np.int64) + np.diff(ends, prepend=0)


def _groups(
    lengths: Ints,
    source: NDArray[np.int32],
    names: list[str],
    data: DataConfig,
    times: Ints | None,
) -> list[Group]:
    everything = np.arange(len(lengths), dtype=np.int64)
    if not data.weights:
        members = {"*": everything}
    else:
        unknown = sorted(set(data.weights) - set(names))
        if unknown:
            raise ConfigError(
                f"data.weights names {unknown[0]!r}, but the sources are {', '.join(names)}"
            )
        order = np.argsort(source, kind="stable")
        ends = np.searchsorted(source, np.arange(len(names) + 1), sorter=order)
        at = {n: i for i, n in enumerate(names)}
        members = {n: order[ends[at[n]] : ends[at[n] + 1]] for n in sorted(data.weights)}
    total = sum(data.weights.values()) or 1.0
    groups = []
    for name, documents in members.items():
        share = data.weights.get(name, 1.0) / total
        if share < 0:
            raise ConfigError(f"data.weights.{name} is negative")
        if times is not None and len(documents):
            mine = times[documents]
            documents = np.concatenate([documents[mine > c] for c in range(max(1, mine.max()))])
        if not len(documents):
            what = f"source {name!r} has" if data.weights else "the token shards have"
            raise ConfigError(f"{what} no training documents (or all with weight 0)")
        if not share:
            continue
        ends = np.cumsum(lengths[documents])
        starts = ends - lengths[documents]
        new = np.flatnonzero(np.diff(starts // data.block_tokens)) + 1
        cuts = np.concatenate([[0], new, [len(documents)]]).astype(np.int64)
        tokens = np.add.reduceat(lengths[documents], cuts[:-1])
        groups.append(Group(name, share, documents, cuts, tokens))
    if not groups:
        raise ConfigError("data.weights are all 0")
    return groups
