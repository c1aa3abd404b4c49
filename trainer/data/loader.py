"""Batches from token shards: packing, the rows of each process, and the proof of what was read.

`Loader.batch(step)` is a pure function of the step: any process can make any batch, so resuming
costs nothing and a different number of processes reads the same global batches. Each makes its own
rows alone. The order itself is in `order.py`, one for each phase of a run that cuts or mixes in
another way.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.config.settings import Config, ConfigError
from trainer.data.blocks import Ints
from trainer.data.order import Order
from trainer.data.steps import Part, Timeline
from trainer.tokens.documents import Documents
from trainer.tokens.tokenizer import Tokenizer

IGNORE = -100  # a target that carries no loss (torch's default ignore_index)


class Batches(Protocol):
    """What a run reads from: `Loader` here, `ChatLoader` in tuning/conversations.py."""

    documents: Any  # .names: the sources, .manifest: what the run describes itself with

    def extend(self, rows: int) -> None:
        """Raise ConfigError when there are not so many rows."""

    def epoch_rows(self) -> int:
        """Rows of one pass over everything."""

    def batch(self, step: int, rank: int = 0, size: int = 1) -> Batch:
        """The rows that process `rank` of `size` has of a step (0-based)."""

    def rows(self, rows: Ints, rank: int = 0, size: int = 1) -> Batch:
        """The same of global rows by number; one process has them in the given order."""


Digest = tuple[int, ...]  # four sums of 32 bits


@dataclass(frozen=True)
class Batch:
    """A process's rows of one step. `loss_tokens` counts the targets of the *global* batch."""

    tokens: NDArray[np.int64]  # [rows, T]
    targets: NDArray[np.int64]  # [rows, T], IGNORE where nothing is to be predicted
    documents: NDArray[np.int32]  # [rows, T], number of the document inside its row
    sources: NDArray[np.int64]  # [rows, T], source of each target
    loss_tokens: int
    digest: Digest  # of these rows; those of all processes add up to that of the global batch
    reference: NDArray[np.float32] | None = None  # [rows, T], nats of another model (`dpo`)

    def share(self, start: int, stop: int) -> Batch:
        """Rows start..stop-1, with rows that carry no loss in place of those beyond the end."""
        short = max(0, stop - max(start, len(self.tokens)))

        def take(array: NDArray[Any], value: int = 0) -> NDArray[Any]:
            return np.pad(array[start:stop], ((0, short), (0, 0)), constant_values=value)

        return replace(
            self,
            tokens=take(self.tokens),
            targets=take(self.targets, IGNORE),
            documents=take(self.documents),
            sources=take(self.sources),
            reference=None if self.reference is None else take(self.reference),
        )


@dataclass(frozen=True)
class Packed:
    """A block in memory: its documents one after another."""

    documents: Ints
    starts: Ints  # first token of each document, and the end
    tokens: NDArray[np.integer]


@dataclass(frozen=True)
class Section:
    """A phase, the order it reads, and the row of the order it begins at."""

    part: Part
    order: Order
    start: int

    def rows(self, rows: Ints) -> tuple[Ints, Ints]:
        """(block, row inside the block) of rows of the run."""
        return self.order.block_of(rows - self.part.first_row + self.start)


class Loader:
    """Batches of a run over one split. Raises ConfigError when there is not enough data."""

    def __init__(
        self,
        config: Config,
        split: str = "train",
        empty_ok: bool = False,
        index: Path | None = None,
    ) -> None:
        self.timeline, self.split = Timeline(config), split
        folders = self.timeline.folders
        self.documents = Documents(folders, split, index)
        if not len(self.documents) and not empty_ok:
            raise ConfigError(f"{', '.join(folders)}: no documents in the {split} split")
        self._cache: OrderedDict[tuple[int, int], Packed] = OrderedDict()
        self._starts: OrderedDict[tuple[int, int], tuple[Ints, Ints]] = OrderedDict()
        self._cache_size = config.data.window_blocks + 1
        if not len(self.documents):
            return
        self.sections = self._sections()
        tokenizer = Tokenizer.load(Path(folders[0]) / "tokenizer")
        self.pad = tokenizer.pad

    @property
    def order(self) -> Order:
        """That of the first phase, which most runs have alone."""
        return self.sections[0].order

    def _sections(self) -> list[Section]:
        sections: list[Section] = []
        read: Ints | None = None  # how often each document was read by the phases before
        for part in self.timeline.parts:
            if sections:
                before = sections[-1]
                end = before.start + part.first_row - before.part.first_row
                if part.order == before.part.order:
                    sections.append(Section(part, before.order, end))
                    continue
                read = before.order.readings(end) + (0 if read is None else read)
            number = len({id(s.order) for s in sections})
            sections.append(Section(part, self._order(part, read, number), 0))
        return sections

    def _order(self, part: Part, read: Ints | None, number: int) -> Order:
        d, data, seed = self.documents, part.config.data, part.config.train.seed
        # A folder that is named in the mix stands in place of its sources.
        among = [(*d.ranges[f], f if f in data.weights else "") for f in part.folders]
        # Held-out text is measured as it is.
        weights = d.weights if data.document_weights and self.split == "train" else None
        seed += number << 32  # the first phase has the order of a run without phases
        return Order(d.lengths, d.source, d.names, data, seed, weights, among, read)

    def extend(self, rows: int) -> None:
        """Put as many rows in order; raises ConfigError when data.max_epochs does not allow it."""
        last = self.sections[-1]
        last.order.extend(last.start + rows - last.part.first_row)

    def epoch_rows(self) -> int:
        """Rows of one pass over everything, where sources are not weighted."""
        (everything,) = self.order.groups
        return int(sum(-(-(t - 1) // self.order.seq_len) for t in everything.whole.tokens.tolist()))

    def section(self, row: int) -> Section:
        """The phase that has a row of the run."""
        return self.sections[self.timeline.parts.index(self.timeline.part_of_row(row))]

    def batch(self, step: int, rank: int = 0, size: int = 1) -> Batch:
        """The rows that process `rank` of `size` has of a step (0-based)."""
        part = self.timeline.at(step)
        rows = np.arange(part.batch_rows, dtype=np.int64) + part.row(step)
        return self.rows(rows, rank, size)

    def rows(self, rows: Ints, rank: int = 0, size: int = 1) -> Batch:
        """The same of rows of the run by number, all of one phase.

        Several processes share them by the blocks that they lie in, so that each reads few of them.
        """
        section = self.section(int(rows[0]))
        blocks, inner = section.rows(rows)
        count = self._targets(section.order, blocks, inner)
        order = np.arange(len(rows)) if size == 1 else np.argsort(blocks, kind="stable")
        mine = own(order, rank, size)
        return self._rows(section.order, rows[mine], blocks[mine], inner[mine], count)

    def _rows(self, order: Order, rows: Ints, blocks: Ints, inner: Ints, count: int) -> Batch:
        """Rows of the run by block and row inside it."""
        size, shape = order.seq_len, (len(blocks), order.seq_len + 1)
        tokens = np.full(shape, self.pad, dtype=np.int64)
        sources = np.zeros(shape, dtype=np.int64)
        begins, there = np.zeros((2, *shape), dtype=bool)
        for i, (block, row) in enumerate(zip(blocks.tolist(), inner.tolist(), strict=True)):
            packed, low = self.packed(order, block), row * size
            part = packed.tokens[low : low + size + 1]
            high = low + len(part)
            tokens[i, : len(part)], there[i, : len(part)] = part, True
            first = int(np.searchsorted(packed.starts, low, side="right")) - 1
            last = int(np.searchsorted(packed.starts, high))
            cuts = np.clip(packed.starts[first : last + 1], low, high)
            kinds = self.documents.source[packed.documents[first:last]]
            sources[i, : len(part)] = np.repeat(kinds, np.diff(cuts))
            begins[i, packed.starts[first:last][packed.starts[first:last] >= low] - low] = True
        targets = tokens[:, 1:].copy()
        # A document's first token cannot be predicted from another document: it bears no loss.
        targets[begins[:, 1:] | ~there[:, 1:]] = IGNORE
        numbers = np.cumsum(begins[:, :-1], axis=1, dtype=np.int32)
        return Batch(tokens[:, :-1], targets, numbers, sources[:, 1:], count, digest(rows, tokens))

    def _targets(self, order: Order, blocks: Ints, inner: Ints) -> int:
        """How many targets rows have, by the lengths of their documents alone."""
        total = 0
        for block in np.unique(blocks).tolist():
            _, starts = self._documents(order, block)
            low = inner[blocks == block] * order.seq_len + 1
            high = np.minimum(low + order.seq_len, starts[-1])
            begun = np.searchsorted(starts[:-1], high) - np.searchsorted(starts[:-1], low)
            total += int((high - low - begun).sum())
        return total

    def _documents(self, order: Order, index: int) -> tuple[Ints, Ints]:
        """(documents of a block, first token of each and the end)."""

        def make() -> tuple[Ints, Ints]:
            members = order.documents_of(order.blocks[index])
            return members, order.starts_of(members)

        return _cached(self._starts, (id(order), index), self._cache_size, make)

    def packed(self, order: Order, index: int) -> Packed:
        """Block `index` of an order, from the cache or from the shards."""

        def make() -> Packed:
            members, starts = self._documents(order, index)
            return Packed(members, starts, np.concatenate(self.documents.tokens(members)))

        return _cached(self._cache, (id(order), index), self._cache_size, make)


def own(rows: Ints, rank: int, size: int) -> Ints:
    """Of rows in order those of one process; one that is beyond the end has an empty share."""
    share = -(-len(rows) // size)
    return rows[rank * share : (rank + 1) * share]


def _cached(
    cache: OrderedDict[tuple[int, int], Any], key: tuple[int, int], most: int, make: Any
) -> Any:
    """cache[key], made if it is not there; the one that was not asked for longest goes."""
    if key not in cache:
        cache[key] = make()
        if len(cache) > most:
            cache.popitem(last=False)
    cache.move_to_end(key)
    return cache[key]


def prefetch(
    loader: Batches, start: int, stop: int, rank: int = 0, size: int = 1
) -> Iterator[tuple[int, Batch]]:
    """(step, batch) for steps start..stop-1, made one ahead in a thread; errors come through."""
    queue: Queue[tuple[int, Batch | BaseException]] = Queue(maxsize=2)
    stopped = threading.Event()

    def work() -> None:
        for step in range(start, stop):
            if stopped.is_set():
                return
            try:
                queue.put((step, loader.batch(step, rank, size)))
            except BaseException as error:
                queue.put((step, error))
                return

    threading.Thread(target=work, daemon=True, name="loader").start()
    try:
        for _ in range(start, stop):
            step, batch = queue.get()
            if isinstance(batch, BaseException):
                raise batch
            yield step, batch
    finally:
        stopped.set()
        while not queue.empty():
            queue.get_nowait()


def digest(rows: Ints, tokens: NDArray[np.int64]) -> Digest:
    """The sum of the BLAKE2 hashes of rows, each with its number in the run, in four parts."""
    total = np.zeros(4, np.int64)
    for row, ids in zip(rows.tolist(), tokens.astype("<u4"), strict=True):
        content = row.to_bytes(8, "little") + ids.tobytes()
        total += np.frombuffer(hashlib.blake2b(content, digest_size=16).digest(), "<u4")
    return tuple((total & 0xFFFFFFFF).tolist())


def proof(digest: Iterable[float]) -> str:
    """The digest of a global batch, from that of its rows or the sum of those of all processes."""
    return "".join(f"{int(part) & 0xFFFFFFFF:08x}" for part in digest)


def chain(previous: str, proof: str) -> str:
    """The rolling hash after one more batch: equal chains mean the same rows, step by step."""
    return hashlib.blake2b((previous + proof).encode(), digest_size=16).hexdigest()
