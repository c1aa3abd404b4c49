"""Opening inputs wherever they are: local files, or addresses that fsspec knows (s3://…)."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import IO

import fsspec


def is_remote(path: str) -> bool:
    """True for fsspec URLs such as s3://bucket/key or https://host/path."""
    return "://" in path and not path.startswith("file://")


def open_input(path: str) -> IO[bytes]:
    """Open an input file for reading, local or through fsspec; seekable."""
    if is_remote(path):
        stream: IO[bytes] = fsspec.open(path, "rb").open()
        return stream
    return open(path.removeprefix("file://"), "rb")


@contextlib.contextmanager
def open_buffered(path: str) -> Iterator[IO[bytes]]:
    """The input as a stream with `readline`, also where fsspec gives a raw one."""
    with open_input(path) as stream:
        yield io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream


def input_size(path: str) -> int:
    """Size of an input in bytes."""
    if is_remote(path):
        fs, key = fsspec.core.url_to_fs(path)
        return int(fs.size(key) or 0)
    return os.path.getsize(path.removeprefix("file://"))
