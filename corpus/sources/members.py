"""Zip and tar files as inputs: each member is a file of its own, named `zip://member::archive`.

`inputs.open_input` opens such an address. Nothing is written to disk, so no path leads anywhere.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from corpus.errors import UnreadableError, one_line
from corpus.sources.inputs import SEPARATOR, input_size, open_input

ARCHIVES = {
    "zip": (".zip",),
    "tar": (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"),
}
MAX_MEMBERS = 1_000_000
MAX_RATIO = 1000  # a member that unpacks to more than this multiple is a bomb


class Member(NamedTuple):
    """A member's address, and why it is not read ("" where it is)."""

    path: str
    reason: str


def kind_of_archive(path: str) -> str:
    """ "zip", "tar" or "" by the file's ending."""
    name = path.lower()
    return next((kind for kind, endings in ARCHIVES.items() if name.endswith(endings)), "")


def members(path: str) -> Iterator[Member]:
    """The files in an archive, hidden ones left out. UnreadableError when it is none."""
    kind = kind_of_archive(path)
    try:
        with open_input(path) as stream:
            names = _zip_names(stream) if kind == "zip" else _tar_names(stream, input_size(path))
            for count, (name, reason) in enumerate(names):
                if count == MAX_MEMBERS:
                    raise UnreadableError(f"more than {MAX_MEMBERS:,} members")
                if SEPARATOR in name:
                    reason = reason or f"{SEPARATOR} in the name"
                if not any(map(_is_hidden, name.split("/"))):
                    yield Member(f"{kind}://{name}{SEPARATOR}{path}", reason)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        raise UnreadableError(f"no {kind} file: {one_line(error)}") from error
    except NotImplementedError as error:
        raise UnreadableError(one_line(error)) from error


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX")) and part not in (".", "..")


def _zip_names(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(stream) as file:
        for info in file.infolist():
            if info.is_dir():
                continue
            reason = "it is encrypted" if info.flag_bits & 1 else ""
            if info.file_size > MAX_RATIO * max(info.compress_size, 1000):
                reason = f"a bomb: {info.compress_size:,} bytes hold {info.file_size:,}"
            yield info.filename, reason


def _tar_names(stream: IO[bytes], size: int) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=stream, mode="r|*") as file:
        for info in file:
            if info.isfile():
                bomb = info.size > MAX_RATIO * max(size, 1000)
                yield info.name, f"a bomb: {size:,} bytes hold {info.size:,}" if bomb else ""
