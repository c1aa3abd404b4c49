"""Byte ranges of files in object stores (S3 and whatever else fsspec opens) and on disk.

One attempt each: how often to try again is decided in one place, `corpus.sources.remote.ranges`, so
the clients' own retries are switched off.
"""

from __future__ import annotations

import errno

import fsspec

from corpus.errors import RunError
from corpus.folder.objects import is_lasting, options, words
from corpus.sources.inputs import is_remote


class FetchError(Exception):
    """One attempt failed. `final`: asking again is of no use; `pause`: seconds we are asked for."""

    def __init__(self, reason: str, final: bool = False, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.pause = pause


def read_range(file: str, start: int, stop: int, timeout: float) -> bytes:
    """Bytes [start, stop) of `file`, fewer where it ends earlier; FetchError when that fails."""
    try:
        if is_remote(file):
            return _from_store(file, start, stop, timeout)
        with open(file.removeprefix("file://"), "rb") as stream:
            stream.seek(start)
            return stream.read(stop - start)
    except FetchError:
        raise
    except ImportError as error:
        raise RunError(f"{file}: {error}") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError) as error:
        raise FetchError(error.strerror or "no such file", final=True) from error
    except ValueError as error:
        raise FetchError(f"no usable address: {error}", final=True) from error
    except Exception as error:  # of fsspec's many back ends
        raise FetchError(words(error), final=is_lasting(error)) from error


def _from_store(file: str, start: int, stop: int, timeout: float) -> bytes:
    fs, key = fsspec.core.url_to_fs(file, **options(file, timeout))
    if hasattr(fs, "retries"):  # of s3fs, which tries five times five times by itself
        fs.retries = 1
    try:
        data = bytes(fs.cat_file(key, start=start, end=stop))
    except Exception as error:
        if _asks_beyond(error) and start >= int(fs.size(key) or 0):
            return b""
        raise
    if len(data) > stop - start:
        raise FetchError("the store ignores ranges", final=True)
    if len(data) < stop - start and start + len(data) < int(fs.size(key) or 0):
        raise FetchError(f"answer cut at {len(data)} of {stop - start} bytes")
    return data


def _asks_beyond(error: Exception) -> bool:
    """Whether the store says that the file has no such range (HTTP status 416)."""
    return getattr(error, "errno", 0) == errno.EINVAL or "416" in str(error)
