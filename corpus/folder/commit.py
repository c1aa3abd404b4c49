"""Files: atomic commit, receipts, rows of a Parquet file, opening inputs wherever they are.

Every output is written to a temporary name in the same folder, fsynced and renamed, so a file under
its final name is whole. A unit of work is done when its *receipt* (a small JSON file with the size
and SHA-256 of every output) exists; a receipt is committed after its outputs. Killing the process
at any moment therefore loses at most the units in flight. Where the build folder is in an object
store, `corpus.folder.mirror` does the same there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import RunError, UsageError
from corpus.folder import mirror

# Row groups of about this many rows: small enough for one reader thread, large enough for zstd.
ROWS_PER_GROUP = 4096
ZSTD_LEVEL = 3


def is_remote(path: str) -> bool:
    """True for fsspec URLs such as s3://bucket/key or https://host/path."""
    return "://" in path and not path.startswith("file://")


def open_input(path: str) -> IO[bytes]:
    """Open an input file for reading, local or through fsspec; seekable."""
    if is_remote(path):
        stream: IO[bytes] = fsspec.open(path, "rb").open()
        return stream
    return open(path.removeprefix("file://"), "rb")


def input_size(path: str) -> int:
    """Size of an input in bytes."""
    if is_remote(path):
        fs, key = fsspec.core.url_to_fs(path)
        return int(fs.size(key) or 0)
    return os.path.getsize(path.removeprefix("file://"))


def commit(path: Path, write: Callable[[IO[bytes]], None]) -> str:
    """Write a file atomically; return the SHA-256 of its bytes (hex).

    In a mirror of an object store it is uploaded first: what has its name here is there.
    Raises RunError on a full disk or any other failure of the file system, leaving nothing under
    the final name.
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
        mirror.put(temporary, path)
        os.replace(temporary, path)
        _fsync_folder(path.parent)
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

    def write(file: IO[bytes]) -> None:
        file.write(data)

    return commit(path, write)


def commit_json(path: Path, value: Any) -> str:
    """Write `value` as JSON with sorted keys, atomically."""
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return commit_bytes(path, text.encode("utf-8") + b"\n")


def commit_parquet(
    path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch] | pa.Table
) -> tuple[str, int]:
    """Write batches as one zstd Parquet file, atomically; return (SHA-256, rows).

    The bytes depend only on the rows and their batch boundaries: a row group per batch of at most
    ROWS_PER_GROUP rows.
    """
    rows = 0

    def write(file: IO[bytes]) -> None:
        nonlocal rows
        with pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=ZSTD_LEVEL,
            use_dictionary=[
                "host",
                "source",
                "language",
                "charset",
                "rule",
                "stage",
                "source_file",
            ],
            write_page_index=True,
        ) as writer:
            source = batches.to_batches() if isinstance(batches, pa.Table) else batches
            for batch in source:
                rows += batch.num_rows
                writer.write_batch(batch, row_group_size=ROWS_PER_GROUP)

    return commit(path, write), rows


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


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_receipt(path: Path, root: Path, outputs: dict[Path, str], counts: dict[str, Any]) -> None:
    """Commit the receipt of a unit: its outputs (path → SHA-256) and its counts."""
    files = {
        str(file.relative_to(root)): {"bytes": file.stat().st_size, "sha256": digest}
        for file, digest in outputs.items()
    }
    commit_json(path, {"outputs": files, "counts": counts})


def read_receipt(path: Path, root: Path) -> dict[str, Any] | None:
    """The receipt at `path` if it is whole and every output has the recorded size, else None."""
    try:
        receipt: dict[str, Any] = json.loads(path.read_bytes())
        for name, about in receipt["outputs"].items():
            if (root / name).stat().st_size != about["bytes"]:
                return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return receipt


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the build folder for this process; UsageError when another build holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            where = mirror.shown(folder)
            raise UsageError(
                f"another build is writing to {where}: wait for it or choose another --out"
            ) from error
        with mirror.held(folder):
            yield


def sweep(root: Path) -> None:
    """Remove the temporary files that a killed run left behind. Only under the folder's lock."""
    for path in root.rglob(".*.tmp*"):
        path.unlink(missing_ok=True)


def clear(folder: Path, pattern: str = "*") -> None:
    """Remove the files of a stage that is to be done anew (and temporary files of dead runs)."""
    remove(path for path in sorted(folder.glob(pattern)) if path.is_file())


def remove(paths: Iterable[Path]) -> None:
    """Remove files of a build folder, in an object store too; nothing where there is none."""
    gone = list(paths)
    mirror.remove(gone)
    for path in gone:
        path.unlink(missing_ok=True)
