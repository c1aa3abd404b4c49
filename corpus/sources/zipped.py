"""Zip files of strangers: members by name, each with a limit; no path ever leaves the archive."""

from __future__ import annotations

import io
import zipfile
import zlib

MAX_MEMBERS = 100_000


class ZipError(ValueError):
    """An archive that cannot be read, in one line."""


class Zip:
    """A zip file in memory. limit: bytes of a member; ratio: a member that unpacks to more than
    this multiple is a bomb."""

    def __init__(self, data: bytes, limit: int, ratio: int) -> None:
        self.limit, self.ratio = limit, ratio
        try:
            self.file = zipfile.ZipFile(io.BytesIO(data))
            self.members = {
                info.filename: info for info in self.file.infolist() if not info.is_dir()
            }
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise ZipError(f"no zip file: {error}") from None
        if len(self.members) > MAX_MEMBERS:
            raise ZipError(f"{len(self.members)} members, more than {MAX_MEMBERS}")

    def read(self, name: str) -> bytes:
        """A member, at most `limit` bytes of it."""
        info = self.members.get(name)
        if info is None:
            raise ZipError(f"no member {name}")
        if info.flag_bits & 1:
            raise ZipError(f"{name} is encrypted")
        if info.file_size > self.ratio * max(info.compress_size, 1000):
            raise ZipError(f"{name} is a bomb: {info.compress_size} bytes hold {info.file_size}")
        try:
            with self.file.open(info) as stream:
                return stream.read(self.limit)
        except (
            zipfile.BadZipFile,
            zlib.error,
            NotImplementedError,
            RuntimeError,
            EOFError,
        ) as error:
            raise ZipError(f"{name}: {error}") from None
