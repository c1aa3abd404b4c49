"""All signatures files of a build as arrays, in memory or mapped from a scratch file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.files import COPIED, DERIVED, DOCUMENTS, check, has_near, has_url
from corpus.dedup.signatures.minhash import band_keys
from corpus.folder.commit import ROWS_PER_GROUP, picked_rows
from corpus.settings import DedupSettings

ROWS_PER_PASS = 1 << 18  # 128 MiB of signatures at 128 permutations


@dataclass(frozen=True)
class Signatures:
    """What clustering reads of n documents; document i is row `i - starts[file]` of its file."""

    paths: list[Path]
    documents: list[str]  # documents file of each, relative to the folder of its signatures
    starts: np.ndarray  # int64[files + 1]: first document of each file
    exact: np.ndarray  # uint64[n, 2]
    url_keys: np.ndarray  # uint64[n], or [0] when addresses do not count
    lengths: np.ndarray  # int32[n]: code points after normalisation; 0 never matches
    signatures: np.ndarray  # uint32[n, num_perm], or [0, num_perm]
    indexed: int = 0  # so many documents, the first ones, come from an index of earlier crawls

    @property
    def n(self) -> int:
        """Number of documents."""
        return int(self.starts[-1])

    @property
    def usable(self) -> np.ndarray:
        """bool[n]: has at least one letter or digit."""
        return self.lengths > 0


def load(
    paths: list[Path],
    settings: DedupSettings,
    memory: int,
    scratch: Path,
    index_files: int = 0,
    taken: dict[int, np.ndarray] | None = None,
) -> Signatures:
    """Read the files; signatures above `memory` bytes go to a mapped file in `scratch`.

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
    shape = (n if has_near(settings) else 0, settings.num_perm)
    exact = np.empty((n, 2), np.uint64)
    keys = np.empty(n if has_url(settings) else 0, np.uint64)
    lengths = np.empty(n, np.int32)
    if 4 * shape[0] * shape[1] > memory:
        scratch.mkdir(parents=True)
        name = scratch / "signatures.u32"
        signatures: np.ndarray = np.memmap(name, np.uint32, "w+", shape=shape)
    else:
        signatures = np.empty(shape, np.uint32)
    # The files one after the other, batch by batch: beside the arrays a row group is in memory.
    columns = ["exact", "n_normal", "url_key"] + (["signature"] if has_near(settings) else [])
    for path, start in zip(paths, starts, strict=False):
        at = int(start)
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS_PER_GROUP, columns=columns):
                to = at + batch.num_rows
                exact[at:to] = fixed_rows(batch["exact"], np.uint64)
                lengths[at:to] = batch["n_normal"].to_numpy()
                if len(keys):
                    keys[at:to] = batch["url_key"].to_numpy()
                if has_near(settings):
                    signatures[at:to] = fixed_rows(batch["signature"], np.uint32)
                at = to
    # A document of length 0 and key 0 matches nothing: so the positions of the others stay.
    for file, rows in (taken or {}).items():
        out = starts[index_files + file] + rows
        lengths[out] = 0
        if len(keys):
            keys[out] = 0
    indexed = int(starts[index_files])
    return Signatures(paths, documents, starts, exact, keys, lengths, signatures, indexed)


def mapped_band_keys(signatures: np.ndarray, bands: int, rows: int) -> np.ndarray | None:
    """Keys of all bands (uint64[bands, n]) beside mapped signatures, read once; None in memory.

    Computing a band's keys when it is needed reads all signatures, which costs nothing in memory
    but `bands` times 512 bytes a document from disk.
    """
    if not isinstance(signatures, np.memmap):
        return None
    path = Path(str(signatures.filename)).with_suffix(".bands")
    keys = np.memmap(path, np.uint64, "w+", shape=(bands, len(signatures)))
    for at in range(0, len(signatures), ROWS_PER_PASS):
        part = np.asarray(signatures[at : at + ROWS_PER_PASS])
        for band in range(bands):
            keys[band, at : at + len(part)] = band_keys(part, band, rows)
    return keys


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
