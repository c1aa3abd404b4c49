"""Batches from token shards: reading, packing, and the proof of what was read.

`Loader.batch(step)` is a pure function of the step: any process can make any batch, so resuming
costs nothing and a different number of processes reads the same global batches. The order itself
is in `order.py`, one for each phase of a run that cuts or mixes in another way.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.config.settings import Config, ConfigError, TrainError
from trainer.data.order import Ints, Order
from trainer.data.prepare import load_manifest
from trainer.data.steps import Part, Timeline
from trainer.data.tokenizer import Tokenizer

IGNORE = -100  # a target that carries no loss (torch's default ignore_index)


class Batches(Protocol):
    """What a run reads from: `Loader` here, `ChatLoader` in tuning/conversations.py."""

    documents: Any  # .names: the sources, .manifest: what the run describes itself with

    def extend(self, rows: int) -> None:
        """Raise ConfigError when there are not so many rows."""

    def epoch_rows(self) -> int:
        """Rows of one pass over everything."""

    def batch(self, step: int) -> Batch:
        """The global batch of a step (0-based)."""

    def rows(self, rows: Ints) -> Batch:
        """Global rows by number, in the given order."""


@dataclass(frozen=True)
class Batch:
    """Rows of one step. `loss_tokens` counts the targets of the *global* batch."""

    tokens: NDArray[np.int64]  # [rows, T]
    targets: NDArray[np.int64]  # [rows, T], IGNORE where nothing is to be predicted
    documents: NDArray[np.int32]  # [rows, T], number of the document inside its row
    sources: NDArray[np.int64]  # [rows, T], source of each target
    loss_tokens: int
    digest: str  # of the global batch
    reference: NDArray[np.float32] | None = None  # [rows, T], nats of another model (`dpo`)

    def rows(self, start: int, stop: int) -> Batch:
        return self._take(slice(start, stop))

    def share(self, start: int, stop: int) -> Batch:
        """Rows start..stop-1, with rows that carry no loss in place of those beyond the end."""
        short = max(0, stop - max(start, len(self.tokens)))
        if not short:
            return self.rows(start, stop)
        taken = self._take(np.minimum(np.arange(start, stop), len(self.tokens) - 1))
        taken.targets[stop - start - short :] = IGNORE
        return taken

    def _take(self, rows: slice | Ints) -> Batch:
        return replace(
            self,
            tokens=self.tokens[rows],
            targets=self.targets[rows],
            documents=self.documents[rows],
            sources=self.sources[rows],
            reference=None if self.reference is None else self.reference[rows],
        )


class Documents:
    """The documents of one split of prepared folders: lengths and sources, tokens on demand."""

    def __init__(self, folders: str | Path | Sequence[str], split: str = "train") -> None:
        self.folders = [str(folders)] if isinstance(folders, (str, Path)) else list(folders)
        self.manifests = {f: load_manifest(f) for f in self.folders}
        self.manifest = _together(self.manifests)
        shards = [
            [Path(folder) / s["name"] for s in manifest[split]["shards"]]
            for folder, manifest in self.manifests.items()
        ]
        self.files = [file for files in shards for file in files]
        tables = [_read(f, ["n_tokens", "source", "weight"]) for f in self.files]
        rows = [t.num_rows for t in tables]
        self.shard_start = np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)
        lengths = [t.column("n_tokens").to_numpy() for t in tables]
        self.lengths: Ints = np.concatenate([np.zeros(0, np.int64), *lengths])
        weights = [t.column("weight").to_numpy().astype(np.float64) for t in tables]
        self.weights = np.concatenate([np.zeros(0), *weights])
        labels = [t.column("source").cast(pa.string()).fill_null("") for t in tables]
        column = pa.chunked_array([c for t in labels for c in t.chunks], pa.string())
        encoded = column.unify_dictionaries().dictionary_encode().combine_chunks()
        in_shards = [str(n) for n in encoded.dictionary.to_pylist()] if len(column) else []
        self.names = sorted(in_shards)  # a source's number does not depend on which comes first
        number = {name: i for i, name in enumerate(self.names)}
        rank = np.array([number[name] for name in in_shards] or [0], dtype=np.int32)
        codes = encoded.indices.to_numpy() if len(column) else np.zeros(0, np.int64)
        self.source: NDArray[np.int32] = rank[codes]
        self._groups: list[Ints] = [_row_group_starts(f) for f in self.files]
        ends = self.shard_start[np.cumsum([0, *map(len, shards)])].tolist()
        self.ranges = dict(zip(self.folders, pairwise(ends), strict=True))  # first, end of each

    def __len__(self) -> int:
        return len(self.lengths)

    def tokens(self, documents: Ints) -> list[NDArray[np.integer]]:
        """Token arrays of `documents` (any order); each row group is read once."""
        order = np.argsort(documents, kind="stable")
        result: list[NDArray[np.integer]] = [np.zeros(0, np.int64)] * len(documents)
        loaded: tuple[int, int] | None = None
        for position in order:
            shard, row = self.place(int(documents[position]))
            starts = self._groups[shard]
            group = int(np.searchsorted(starts, row, side="right")) - 1
            if loaded != (shard, group):
                flat, offsets = _read_tokens(self.files[shard], group)
                loaded = (shard, group)
            inner = row - int(starts[group])
            result[position] = flat[offsets[inner] : offsets[inner + 1]]
        return result

    def place(self, document: int) -> tuple[int, int]:
        """(shard, row) of a document."""
        shard = int(np.searchsorted(self.shard_start, document, side="right")) - 1
        return shard, document - int(self.shard_start[shard])


def _together(manifests: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One manifest for several folders: sums, and those of each under `folders`."""
    first, *others = manifests.values()
    if not others:
        return first
    for folder, other in manifests.items():
        if other["tokenizer"] != first["tokenizer"]:
            raise ConfigError(f"{folder} has tokens of another tokenizer: prepare it with the same")
    keys = ("rows", "tokens", "bytes", "chars", "shards")
    result: dict[str, Any] = {k: first[k] for k in ("format", "tokenizer", "vocab_size")}
    for key in ("fingerprint", "input"):
        text = "".join(m[key] for m in manifests.values())
        result[key] = hashlib.sha256(text.encode()).hexdigest()
    for split in ("train", "held"):
        parts = [m[split] for m in manifests.values()]
        result[split] = {k: sum((p[k] for p in parts), type(parts[0][k])()) for k in keys}
    return result | {"folders": manifests}


@dataclass(frozen=True)
class Packed:
    """A block in memory: its documents one after another."""

    documents: Ints
    starts: Ints  # first token of each document, and the end
    tokens: NDArray[np.integer]
    sources: NDArray[np.int32]  # of each token
    begins: NDArray[np.bool_]  # [tokens], the first of a document


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

    def __init__(self, config: Config, split: str = "train", empty_ok: bool = False) -> None:
        self.timeline, self.split = Timeline(config), split
        folders = self.timeline.folders
        self.documents = Documents(folders, split)
        if not len(self.documents) and not empty_ok:
            raise ConfigError(f"{', '.join(folders)}: no documents in the {split} split")
        self._cache: OrderedDict[tuple[int, int], Packed] = OrderedDict()
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
        source, names = d.source, d.names
        among = [np.arange(*d.ranges[folder], dtype=np.int64) for folder in part.folders]
        if mixed := sorted(set(data.weights) & set(part.folders)):  # folders in place of sources
            source, names = source.copy(), [*names, *mixed]
            for i, folder in enumerate(mixed, len(d.names)):
                source[slice(*d.ranges[folder])] = i
        # Held-out text is measured as it is.
        weights = d.weights if data.document_weights and self.split == "train" else None
        seed += number << 32  # the first phase has the order of a run without phases
        return Order(d.lengths, source, names, data, seed, weights, np.concatenate(among), read)

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

    def batch(self, step: int) -> Batch:
        """The global batch of a step (0-based)."""
        part = self.timeline.at(step)
        return self.rows(np.arange(part.batch_rows(step), dtype=np.int64) + part.row(step))

    def rows(self, rows: Ints) -> Batch:
        """Rows of the run by number, in the given order, all of one phase."""
        section = self.section(int(rows[0]))
        order, size = section.order, section.order.seq_len
        tokens = np.full((len(rows), size + 1), self.pad, dtype=np.int64)
        sources = np.zeros((len(rows), size + 1), dtype=np.int64)
        begins, there = np.zeros((2, len(rows), size + 1), dtype=bool)
        blocks, inner = section.rows(rows)
        for i, (block, row) in enumerate(zip(blocks.tolist(), inner.tolist(), strict=True)):
            packed = self.packed(order, block)
            cut = slice(row * size, row * size + size + 1)
            part = packed.tokens[cut]
            tokens[i, : len(part)] = part
            sources[i, : len(part)] = packed.sources[cut]
            begins[i, : len(part)], there[i, : len(part)] = packed.begins[cut], True
        digest = hashlib.blake2b(tokens.astype("<u4").tobytes(), digest_size=16).hexdigest()
        targets = tokens[:, 1:].copy()
        # A document's first token cannot be predicted from another document: it bears no loss.
        targets[begins[:, 1:] | ~there[:, 1:]] = IGNORE
        documents = np.cumsum(begins[:, :-1], axis=1, dtype=np.int32)
        count = int((targets != IGNORE).sum())
        return Batch(tokens[:, :-1], targets, documents, sources[:, 1:], count, digest)

    def packed(self, order: Order, index: int) -> Packed:
        """Block `index` of an order, from the cache or from the shards."""
        key = id(order), index
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        packed = self._cache[key] = self._pack(order.documents_of(order.blocks[index]))
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return packed

    def _pack(self, members: Ints) -> Packed:
        lengths = self.documents.lengths[members]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        tokens = np.concatenate(self.documents.tokens(members))
        sources = np.repeat(self.documents.source[members], lengths)
        begins = np.zeros(len(tokens), dtype=bool)
        begins[starts[:-1]] = True
        return Packed(members, starts, tokens, sources, begins)


def prefetch(loader: Batches, start: int, stop: int) -> Iterator[tuple[int, Batch]]:
    """(step, batch) for steps start..stop-1, made one ahead in a thread; errors come through."""
    queue: Queue[tuple[int, Batch | BaseException]] = Queue(maxsize=2)
    stopped = threading.Event()

    def work() -> None:
        for step in range(start, stop):
            if stopped.is_set():
                return
            try:
                queue.put((step, loader.batch(step)))
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


def chain(previous: str, digest: str) -> str:
    """The rolling hash after one more batch: equal chains mean equal data in equal order."""
    return hashlib.blake2b((previous + digest).encode(), digest_size=16).hexdigest()


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """What a damaged shard raises, in one line: pages have checksums, the footer has none."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, LookupError, AttributeError) as error:
        raise TrainError(f"{file}: cannot read token shard; run `trainer prepare` again") from error


def _read(file: Path, columns: list[str]) -> pa.Table:
    with _reading(file):
        table = pq.read_table(file, columns=columns, page_checksum_verification=True)
        table.validate(full=True)
        return table


def _row_group_starts(file: Path) -> Ints:
    with _reading(file):
        metadata = pq.read_metadata(file)
        rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    return np.concatenate([[0], np.cumsum(rows)])[:-1].astype(np.int64)


def _read_tokens(file: Path, group: int) -> tuple[NDArray[np.integer], Ints]:
    with _reading(file):
        with pq.ParquetFile(file, page_checksum_verification=True) as handle:
            column = handle.read_row_group(group, columns=["tokens"]).column(0).combine_chunks()
        array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
        return array.values.to_numpy(), array.offsets.to_numpy().astype(np.int64)
