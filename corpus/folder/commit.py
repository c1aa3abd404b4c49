"""Files that are whole or absent: written beside their place, fsynced, renamed.

Killing the process at any moment leaves at most a temporary file, whose name begins with a dot.
These functions serve any local folder; what belongs to a build goes through `corpus.folder.folder`,
which also puts it into an object store, where the build is in one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import RunError

# Row groups of about this many rows: small enough for one reader thread, large enough for zstd.
ROWS_PER_GROUP = 4096
ZSTD_LEVEL = 3
# Columns whose values repeat; all others are written plain.
DICTIONARIES = ["host", "source", "language", "charset", "rule", "stage", "source_file"]
# Columns that readers filter by; of texts and signals, minima and maxima only make footers long.
STATISTICS = [
    *("id", "url", "host", "source", "language", "date", "captured", "licence", "n_chars"),
    *("n_bytes", "source_file", "source_offset", "cluster_size", "stage", "rule", "action"),
    *("kept_id", "cluster", "kind", "row", "file"),
]
Batches: TypeAlias = "Iterator[pa.RecordBatch] | pa.Table"


class CommitParquet(Protocol):
    """`commit_parquet`, or a folder's own: (path, schema, batches) → (SHA-256, rows)."""

    def __call__(self, path: Path, schema: pa.Schema, batches: Batches) -> tuple[str, int]: ...


def commit(
    path: Path, write: Callable[[IO[bytes]], None], publish: Callable[[Path], None] | None = None
) -> str:
    """Write a file atomically; return the SHA-256 of its bytes (hex).

    publish: called with the finished temporary file before it gets its name. Raises RunError on a
    full disk or any other failure of the file system, leaving nothing under the final name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unique over the hosts of a cluster: a straggler and its copy write the same file.
    temporary = path.with_name(f".{path.name}.tmp{socket.gethostname()}-{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        digest = sha256(temporary)
        if publish is not None:
            publish(temporary)
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"disk full while writing {path}: free space and run again") from error
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return digest


def commit_bytes(path: Path, data: bytes) -> str:
    """Write `data` atomically; return its SHA-256."""
    return commit(path, bytes_writer(data))


def commit_json(path: Path, value: Any) -> str:
    """Write `value` as JSON with sorted keys, atomically."""
    return commit_bytes(path, json_bytes(value))


def commit_parquet(
    path: Path, schema: pa.Schema, batches: Batches, rows: int = ROWS_PER_GROUP
) -> tuple[str, int]:
    """Write batches as one zstd Parquet file, atomically; return (SHA-256, rows).

    The bytes depend only on the rows and their batch boundaries: a row group per batch of at most
    `rows` rows.
    """
    write = ParquetWriter(schema, batches, rows)
    return commit(path, write), write.rows


def bytes_writer(data: bytes) -> Callable[[IO[bytes]], None]:
    """What `commit` takes to write `data`."""

    def write(file: IO[bytes]) -> None:
        file.write(data)

    return write


def json_bytes(value: Any) -> bytes:
    """JSON with sorted keys, the same for equal values."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return text.encode("utf-8", "surrogatepass") + b"\n"  # names of files are bytes


# A file that holds its own hash ------------------------------------------------------------------

SEAL = "seal"
_LINE = "# seal: "


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The value with the SHA-256 of itself: a changed byte shows, in whatever key it is."""
    bare = {key: item for key, item in value.items() if key != SEAL}
    return bare | {SEAL: hashlib.sha256(json_bytes(bare)).hexdigest()}


def is_sealed(value: Any) -> bool:
    """Whether a value is as it was when it was sealed."""
    return isinstance(value, dict) and SEAL in value and sealed(value) == value


def sealed_text(text: str) -> bytes:
    """A text with a comment of its SHA-256 as the last line."""
    return f"{text}{_LINE}{hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def is_sealed_text(data: bytes) -> bool:
    """Whether a text is as it was when it was sealed."""
    text, mark, _ = data.decode("utf-8", "replace").rpartition(_LINE)
    return bool(mark) and sealed_text(text) == data


class ParquetWriter:
    """What `commit` takes to write batches; `rows` counts them."""

    def __init__(self, schema: pa.Schema, batches: Batches, most: int = ROWS_PER_GROUP) -> None:
        self.schema, self.batches, self.rows, self.most = schema, batches, 0, most

    def __call__(self, file: IO[bytes]) -> None:
        table = self.batches
        with pq.ParquetWriter(
            file,
            self.schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=DICTIONARIES,
            write_statistics=STATISTICS,
            write_page_index=True,
            write_page_checksum=True,
        ) as writer:
            for batch in table.to_batches() if isinstance(table, pa.Table) else table:
                self.rows += batch.num_rows
                writer.write_batch(batch, row_group_size=self.most)


def picked_rows(
    file: pq.ParquetFile, rows: np.ndarray, columns: list[str] | None = None
) -> Iterator[tuple[pa.Table, int, int]]:
    """Some rows of a Parquet file, a row group at a time; groups without any are not read.

    rows: int64[m], ascending. Yields (table, low, high): the table holds rows[low:high], all
    columns or those named.
    """
    first = 0
    for group in range(file.num_row_groups):
        end = first + file.metadata.row_group(group).num_rows
        low, high = map(int, np.searchsorted(rows, [first, end]))
        if low < high:
            table = file.read_row_group(group, columns=columns)
            yield table.take(pa.array(rows[low:high] - first)), low, high
        first = end


def as_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
