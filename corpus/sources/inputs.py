"""Opening inputs wherever they are: local files, or addresses that fsspec knows (s3://…)."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from typing import IO

import fsspec

SEPARATOR = "::"  # between a member and its archive, as fsspec writes it
_TAR_LOCK = threading.Lock()


def is_remote(path: str) -> bool:
    """True for fsspec URLs such as s3://bucket/key or https://host/path."""
    return "://" in path and not path.startswith("file://")


def inner_name(path: str) -> str:
    """The name that tells what a file is: of `zip://member::archive` that of the member."""
    return path.partition(SEPARATOR)[0]


def _open_member(path: str) -> IO[bytes]:
    """A member of an archive; of a tar file, which has no order to seek in, its bytes."""
    kind, _, rest = path.partition("://")
    name, _, archive = rest.partition(SEPARATOR)
    try:
        if kind == "zip":
            return _zip(archive).open(name)
        with _TAR_LOCK:
            stream = _tar(archive).extractfile(name)
            return io.BytesIO(stream.read() if stream else b"")
    except KeyError as error:
        raise FileNotFoundError(f"no member {name} in {archive}") from error
    except (zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError) as error:
        raise OSError(f"{name} in {archive}: {error}") from error


@lru_cache(maxsize=4)
def _zip(archive: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(open_input(archive))


@lru_cache(maxsize=2)
def _tar(archive: str) -> tarfile.TarFile:
    return tarfile.open(fileobj=open_input(archive), mode="r:*")


def open_input(path: str) -> IO[bytes]:
    """Open an input file for reading: local, in an archive, or through fsspec; seekable."""
    if SEPARATOR in path:
        return _open_member(path)
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
    if SEPARATOR in path:
        with open_input(path) as stream:
            return stream.seek(0, io.SEEK_END)
    if is_remote(path):
        fs, key = fsspec.core.url_to_fs(path)
        return int(fs.size(key) or 0)
    return os.path.getsize(path.removeprefix("file://"))
