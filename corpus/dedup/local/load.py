"""The signatures files of a build as arrays: of all documents, or signatures of some.

A signature takes 512 bytes, and most documents share no band with another: so the keys of the bands
are read first, then the signatures of those that do.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.files import COPIED, DERIVED, DOCUMENTS, check, has_url
from corpus.dedup.signatures.minhash import band_keys, banding, pair_similarity
from corpus.errors import RunError
from corpus.folder.commit import ROWS_PER_GROUP, picked_rows
from corpus.settings import DedupSettings


@dataclass(frozen=True)
class Signatures:
    """What clustering reads of n documents; document i is row `i - starts[file]` of its file."""

    paths: list[Path]
    documents: list[str]  # documents file of each, relative to the folder of its signatures
    starts: np.ndarray  # int64[files + 1]: first document of each file
    exact: np.ndarray  # uint64[n, 2]
    url_keys: np.ndarray  # uint64[n], or [0] when addresses do not count
    lengths: np.ndarray  # int32[n]: code points after normalisation; 0 never matches
    indexed: int = 0  # so many documents, the first ones, come from an index of earlier crawls

    @property
    def n(self) -> int:
        """Number of documents."""
        return int(self.starts[-1])

    @property
    def usable(self) -> np.ndarray:
        """bool[n]: has at least one letter or digit."""
        return self.lengths > 0


@dataclass(frozen=True)
class Sample:
    """MinHash signatures of some documents."""

    documents: np.ndarray  # int64[k], ascending
    values: np.ndarray  # uint32[k, num_perm]

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Estimated Jaccard (float32[m]) of documents left[j] and right[j] (int64[m]) of it."""
        rows = (np.searchsorted(self.documents, side) for side in (left, right))
        return pair_similarity(self.values, *rows)


@dataclass(frozen=True)
class Scratch:
    """Where large arrays lie: up to `memory` bytes each in memory, else in files of `folder`."""

    folder: Path
    memory: int

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array of what is there; its file has no name, so a killed process leaves none.

        RunError when the disk has no room for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size <= self.memory:
            return np.empty(shape, dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                os.posix_fallocate(file.fileno(), 0, size)  # else a full disk kills at a write
                return np.memmap(file, dtype, "r+", shape=shape)
        except OSError as error:
            raise RunError(
                f"{self.folder} has no room for {size >> 20:,} MiB: free space or raise "
                "dedup.memory_mib"
            ) from error


def load(
    paths: list[Path],
    settings: DedupSettings,
    index_files: int = 0,
    taken: dict[int, np.ndarray] | None = None,
) -> Signatures:
    """Read all of the files but the signatures.

    The first `index_files` of them come from an index (corpus.dedup.index). taken: rows of each
    further file (by its place among them) that match nothing, as they were taken down.
    """
    # Sizes first, from the footers: every array is made once, at its full length.
    sizes, documents = [], []
    for path in paths:
        with pq.ParquetFile(path) as file:
            check(file.schema_arrow, settings, path)
            sizes.append(file.metadata.num_rows)
            source = file.schema_arrow.metadata.get(DOCUMENTS, b"")
            documents.append(source.decode("utf-8", "surrogateescape"))
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
    n = int(starts[-1])
    exact = np.empty((n, 2), np.uint64)
    keys = np.empty(n if has_url(settings) else 0, np.uint64)
    lengths = np.empty(n, np.int32)
    for rows, batch in _batches(paths, ["exact", "n_normal", "url_key"]):
        exact[rows] = fixed_rows(batch["exact"], np.uint64)
        lengths[rows] = batch["n_normal"].to_numpy()
        if len(keys):
            keys[rows] = batch["url_key"].to_numpy()
    # A document of length 0 and key 0 matches nothing: so the positions of the others stay.
    for file, gone in (taken or {}).items():
        out = starts[index_files + file] + gone
        lengths[out] = 0
        if len(keys):
            keys[out] = 0
    return Signatures(paths, documents, starts, exact, keys, lengths, int(starts[index_files]))


def _batches(paths: list[Path], columns: list[str]) -> Iterator[tuple[slice, pa.RecordBatch]]:
    """(its documents, batch) of the files one after the other: a row group is in memory."""
    at = 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=columns):
                yield slice(at, at + batch.num_rows), batch
                at += batch.num_rows


def read_band_keys(data: Signatures, settings: DedupSettings, scratch: Scratch) -> np.ndarray:
    """Keys of all bands (uint64[bands, n]) of the documents: a quarter of their signatures."""
    bands, rows_per_band = banding(settings)
    keys = scratch.empty((bands, data.n), np.uint64)
    for rows, batch in _batches(data.paths, ["signature"]):
        signatures = fixed_rows(batch["signature"], np.uint32)
        for band in range(bands):
            keys[band, rows] = band_keys(signatures, band, rows_per_band)
    return keys


def read_signatures(data: Signatures, documents: np.ndarray, scratch: Scratch) -> Sample:
    """Signatures of `documents` (int64[k], ascending); only their row groups are read."""
    values, at = np.empty((0, 0), np.uint32), 0
    for file, _, rows in by_file(data.starts, documents):
        with pq.ParquetFile(data.paths[file]) as parquet:
            for table, _, _ in picked_rows(parquet, rows, ["signature"]):
                part = fixed_rows(table["signature"], np.uint32)
                if not at:
                    values = scratch.empty((len(documents), part.shape[1]), np.uint32)
                values[at : at + len(part)] = part
                at += len(part)
    return Sample(documents, values)


def take_rows(path: Path, rows: np.ndarray, columns: list[str]) -> pa.Table:
    """Rows (int64[m], ascending) of a Parquet file; only their row groups are read.

    Columns that the file lacks are left out.
    """
    with pq.ParquetFile(path) as file:
        wanted = [name for name in columns if name in file.schema_arrow.names]
        parts = [file.schema_arrow.empty_table().select(wanted)]
        parts += [table for table, _, _ in picked_rows(file, rows, wanted)]
    return pa.concat_tables(parts)


def by_file(
    starts: Sequence[int] | np.ndarray, documents: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(file, its documents, their rows in it) for each file that has any of `documents`.

    starts: first document of each file, and the number of all; documents: int64[m], ascending.
    """
    for file, (start, end) in enumerate(zip(starts, starts[1:], strict=False)):
        low, high = np.searchsorted(documents, [start, end])
        if high > low:
            yield file, documents[low:high], documents[low:high] - start


def read_rows(data: Signatures, documents: np.ndarray, columns: list[str]) -> pa.Table:
    """The named columns of `documents` (int64[m], ascending), and `document`, `file`, `row`."""
    types = COPIED | DERIVED
    empty = {name: pa.array([], types[name]) for name in columns}
    places = {"document": np.int64, "file": np.int32, "row": np.int32}
    parts = [pa.table(empty | {name: np.empty(0, dtype) for name, dtype in places.items()})]
    for file, inside, rows in by_file(data.starts, documents):
        table = take_rows(data.paths[file], rows, columns).replace_schema_metadata()
        table = table.append_column("document", pa.array(inside))
        table = table.append_column("file", pa.array(np.full(len(rows), file, np.int32)))
        parts.append(table.append_column("row", pa.array(rows.astype(np.int32))))
    return pa.concat_tables(parts)
