"""Which Parquet files an INPUT names, and the columns of text that are read from them.

Every other file sees documents as an Arrow table with the columns of COLUMNS; a column that the
input lacks is null there, `id` is made from file name and row where it is missing, `weight` (how
often a document is to be seen, see `corpus` [dedup] rehydrate) is 1.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from trainer.config.settings import ConfigError, TrainError

LINEAGE = pa.schema(
    [
        ("id", pa.large_string()),
        ("url", pa.large_string()),
        ("source", pa.large_string()),
        ("source_file", pa.large_string()),
        ("source_offset", pa.int64()),
        ("source_length", pa.int64()),
        ("weight", pa.float32()),
    ]
)
BATCH_BYTES = 16 << 20
UNIT_BYTES = 64 << 20  # uncompressed bytes of the row groups that form one unit of work


@dataclass(frozen=True)
class Unit:
    """Consecutive row groups of one file: what one worker tokenises at a time."""

    file: str
    row_groups: tuple[int, ...]
    first_row: int


def input_files(source: str | Path) -> list[Path]:
    """Parquet files of a build folder (its corpus/train-*.parquet), a folder, a file or a glob.

    Sorted by path. Raises ConfigError when there is none.
    """
    path = Path(source)
    if path.is_dir():
        files = sorted((path / "corpus").glob("train-*.parquet"))
        files = files or sorted(p for p in path.rglob("*.parquet") if p.is_file())
    elif path.is_file():
        files = [path]
    else:
        files = sorted(Path(p) for p in glob.glob(str(source), recursive=True))
    if not files:
        raise ConfigError(f"no Parquet file at {source}: give a corpus folder, a folder or a glob")
    return files


def units(files: list[Path]) -> list[Unit]:
    """Split files into units that depend on the files alone, never on the number of workers."""
    result = []
    for file in files:
        metadata = _open(file).metadata
        group: list[int] = []
        size = row = first = 0
        for index in range(metadata.num_row_groups):
            info = metadata.row_group(index)
            group.append(index)
            size += info.total_byte_size
            row += info.num_rows
            if size >= UNIT_BYTES or index == metadata.num_row_groups - 1:
                result.append(Unit(str(file), tuple(group), first))
                group, size, first = [], 0, row
    return result


def text_bytes(files: list[Path]) -> int:
    """About how many bytes of text the files hold (uncompressed size of the column)."""
    total = 0
    for file in files:
        opened = _open(file)
        index = opened.schema.names.index("text")
        for group in range(opened.metadata.num_row_groups):
            total += opened.metadata.row_group(group).column(index).total_uncompressed_size
    return total


def read(unit: Unit, rows: int = 2048) -> Iterator[pa.RecordBatch]:
    """Batches with `text` (large_string, null as empty) and the columns of LINEAGE.

    A batch has up to `rows` rows and, by the mean size of a row, about BATCH_BYTES.
    """
    file = _open(Path(unit.file))
    infos = [file.metadata.row_group(i) for i in unit.row_groups]
    mean = sum(i.total_byte_size for i in infos) / max(1, sum(i.num_rows for i in infos))
    rows = max(1, min(rows, int(BATCH_BYTES / max(1, mean))))
    names = file.schema_arrow.names
    columns = ["text", *(n for n in LINEAGE.names if n in names)]
    row = unit.first_row
    try:
        for batch in file.iter_batches(rows, row_groups=list(unit.row_groups), columns=columns):
            yield _normal(batch, Path(unit.file).name, row)
            row += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise TrainError(f"{unit.file}: row {row}: cannot read: {_line(error)}") from error


def texts(source: str | Path) -> Iterator[tuple[str, str]]:
    """(source, text) of every document of an INPUT that has text. ConfigError when none has."""
    empty = True
    for unit in units(input_files(source)):
        for batch in read(unit):
            columns = (batch.column(name).to_pylist() for name in ("source", "text"))
            for name, text in zip(*columns, strict=True):
                if text:
                    empty = False
                    yield name or "", text
    if empty:
        raise ConfigError(f"no text in {source}")


def fingerprint(files: list[Path]) -> str:
    """Hash of names and contents: a text that was redacted in place never keeps its old tokens."""
    digest = hashlib.sha256()
    for file in files:
        content = xxhash.xxh3_128()
        with file.open("rb") as handle:
            while part := handle.read(1 << 22):
                content.update(part)
        digest.update(f"{file.name}\0{content.hexdigest()}\0".encode())
    return digest.hexdigest()


def in_sample(ids: list[str], share: float, salt: str) -> np.ndarray:
    """Which ids fall into a sample of `share`, by hash: bool[len(ids)], the same on any machine."""
    limit = int(share * float(2**64))
    hashes = [hashlib.blake2b(f"{salt}\0{i}".encode(), digest_size=8).digest() for i in ids]
    return np.array([int.from_bytes(h, "big") < limit for h in hashes], dtype=bool)


def _open(file: Path) -> pq.ParquetFile:
    try:
        result = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise ConfigError(f"{file}: not a readable Parquet file: {_line(error)}") from error
    if "text" not in result.schema_arrow.names:
        raise ConfigError(
            f"{file}: no column 'text' (it has {', '.join(result.schema_arrow.names)})"
        )
    return result


def _normal(batch: pa.RecordBatch, name: str, row: int) -> pa.RecordBatch:
    n = batch.num_rows
    text = pc.fill_null(_string(batch.column("text")), "")
    arrays: list[pa.Array] = [text]
    for field in LINEAGE:
        if field.name in batch.schema.names:
            column = batch.column(field.name)
            string = pa.types.is_large_string(field.type)
            arrays.append(_string(column) if string else column.cast(field.type))
        else:
            arrays.append(pa.nulls(n, field.type))
    made = pa.array([f"{name}:{row + i}" for i in range(n)], pa.large_string())
    arrays[1] = pc.coalesce(arrays[1], made)
    arrays[-1] = pc.fill_null(arrays[-1], 1.0)
    return pa.RecordBatch.from_arrays(arrays, names=["text", *LINEAGE.names])


def _string(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string())


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
