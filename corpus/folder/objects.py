"""Objects under one prefix of a store (S3 and whatever else fsspec opens): put, get, list, claim.

Every call is tried again after what passes by itself: 5xx, SlowDown, lost connections, time-outs,
answers cut short. How often is decided here alone; the clients' own retries are switched off. An
object appears whole or not at all: a PUT and a completed multipart upload are atomic in S3, Google
Cloud Storage and Azure, so nothing is ever renamed.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from corpus.errors import RunError, UsageError, one_line

T = TypeVar("T")
ATTEMPTS = 7
BACKOFF_S = 0.4  # before the second attempt; doubled before each further one
MAX_PAUSE_S = 15.0
TIMEOUT_S = 60.0  # without a byte
PART = 64 << 20  # bytes of a part; files of two parts or more go up in parts
# What the user may set for a store that is slower, or less patient, than most.
VARIABLES = {
    "attempts": "INAHO_STORE_ATTEMPTS",
    "timeout": "INAHO_STORE_TIMEOUT_S",
    "backoff": "INAHO_STORE_BACKOFF_S",
}


class Refused(RunError):
    """The store will give the same answer at every further attempt: no bucket, no permission."""


@dataclass(frozen=True)
class Entry:
    """What a listing says of an object: its size, and a token that differs if its bytes do."""

    size: int
    token: str


class Store:
    """The objects below `url`; keys are relative to it. RunError after the last attempt."""

    def __init__(
        self,
        url: str,
        attempts: int = ATTEMPTS,
        timeout: float = TIMEOUT_S,
        backoff: float = BACKOFF_S,
    ) -> None:
        self.url = url.rstrip("/")
        self.attempts = attempts
        self.backoff = backoff
        remote = {"use_listings_cache": False} if _is_s3(url) else {}
        try:
            self.fs, self.prefix = fsspec.core.url_to_fs(
                self.url, skip_instance_cache=True, **remote, **options(url, timeout)
            )
        except ImportError as error:
            hint = "pip install 'inaho[s3]'" if _is_s3(url) else str(error)
            raise UsageError(f"{url} needs a package that is not installed: {hint}") from error
        except ValueError as error:
            raise UsageError(f"{url} is no address of an object store: {error}") from error
        if hasattr(self.fs, "retries"):  # of s3fs, which tries five times five times by itself
            self.fs.retries = 1

    def list(self) -> dict[str, Entry]:
        """Every object below the prefix: key → size and token."""

        def call() -> dict[str, Entry]:
            self.fs.invalidate_cache()
            objects = self.fs.find(self.prefix, detail=True)
            start = self.prefix.rstrip("/") + "/"
            return {
                name.removeprefix(start): _entry(facts)
                for name, facts in objects.items()
                if facts["type"] == "file" and name.startswith(start)
            }

        return self._again("list", "", call)

    def put(self, local: Path, key: str) -> Entry:
        """Upload a file; what the store says of it afterwards."""
        size = local.stat().st_size
        parts = {"chunksize": PART} if _is_s3(self.url) else {}

        def call() -> Entry:
            self.fs.put_file(str(local), self._name(key), **parts)
            entry = self._look(key)
            if entry is None or entry.size != size:
                raise OSError(f"{entry.size if entry else 0} of {size} bytes arrived")
            return entry

        return self._again("write", key, call)

    def copy(self, source: str, key: str, local: Path) -> Entry:
        """Copy an object inside the store; the file `local` has the same bytes, and is uploaded
        where the store has no such object."""
        size = local.stat().st_size
        if (there := self._look(source)) is None or there.size != size:
            return self.put(local, key)

        def call() -> Entry:
            self.fs.cp_file(self._name(source), self._name(key))
            entry = self._look(key)
            if entry is None or entry.size != size:
                raise OSError(f"{entry.size if entry else 0} of {size} bytes arrived")
            return entry

        return self._again("copy", key, call)

    def get(self, key: str, local: Path, size: int) -> None:
        """Download an object of `size` bytes to a file; the file is whole, or RunError."""

        def call() -> None:
            self.fs.get_file(self._name(key), str(local))
            if local.stat().st_size != size:
                raise OSError(f"answer cut at {local.stat().st_size} of {size} bytes")

        self._again("read", key, call)

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""

        def call() -> None:
            with contextlib.suppress(FileNotFoundError):
                self.fs.rm_file(self._name(key))

        self._again("delete", key, call)

    def read(self, key: str) -> bytes | None:
        """The bytes of a small object, None when there is none."""

        def call() -> bytes | None:
            try:
                return bytes(self.fs.cat_file(self._name(key)))
            except FileNotFoundError:
                return None

        return self._again("read", key, call)

    def write(self, key: str, data: bytes) -> None:
        """Write a small object, whatever was there."""
        self._again("write", key, lambda: self.fs.pipe_file(self._name(key), data))

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one (If-None-Match: *); whether `data` is there now."""

        def call() -> bool:
            try:
                self.fs.pipe_file(self._name(key), data, mode="create")
            except FileExistsError:
                return False
            except (NotImplementedError, TypeError):  # a back end without conditional writes
                if self.fs.exists(self._name(key)):
                    return False
                self.fs.pipe_file(self._name(key), data)
            except Exception as error:
                if not _is_conflict(error):
                    raise
                return False
            return True

        # The answer to a first attempt may have been lost: then what is there is ours.
        return self._again("write", key, call) or self.read(key) == data

    def _name(self, key: str) -> str:
        return f"{self.prefix.rstrip('/')}/{key}"

    def _look(self, key: str) -> Entry | None:
        """What the store says of an object now, past fsspec's cache."""
        self.fs.invalidate_cache(self._name(key))
        try:
            return _entry(self.fs.info(self._name(key)))
        except FileNotFoundError:
            return None

    def _again(self, verb: str, key: str, call: Callable[[], T]) -> T:
        """`call`, tried up to `attempts` times; Refused at once for what no attempt will change.

        The pause doubles and has jitter: workers that failed together do not come back together.
        """
        where = f"{self.url}/{key}" if key else self.url
        reason = ""
        for attempt in range(self.attempts):
            if attempt:
                full = min(MAX_PAUSE_S, self.backoff * 2.0 ** (attempt - 1))
                time.sleep(full * random.uniform(0.5, 1.0))
            try:
                return call()
            except FileNotFoundError as error:
                raise Refused(f"cannot {verb} {where}: no such bucket or object") from error
            except PermissionError as error:
                reason = one_line(error)
                raise Refused(f"cannot {verb} {where}: access denied ({reason})") from error
            except Exception as error:  # of fsspec's many back ends
                reason = words(error)
                if is_lasting(error):
                    raise Refused(f"cannot {verb} {where}: {reason}") from error
        raise RunError(
            f"cannot {verb} {where}: {reason}, {self.attempts} attempts; "
            "what is done is kept: run the same command again"
        )


def patience() -> dict[str, Any]:
    """Attempts, time-out and first back-off (s) as the environment sets them, or UsageError."""
    limits: dict[str, Any] = {"attempts": ATTEMPTS, "timeout": TIMEOUT_S, "backoff": BACKOFF_S}
    for name, variable in VARIABLES.items():
        text = os.environ.get(variable, "")
        try:
            limits[name] = type(limits[name])(text or limits[name])
        except ValueError as error:
            raise UsageError(f"{variable} is {text!r}: it must be a number") from error
    limits["attempts"] = max(1, limits["attempts"])
    return limits


def options(url: str, timeout: float) -> dict[str, Any]:
    """Arguments of fsspec for `url`: one attempt a call, and no waiting for ever."""
    if not _is_s3(url):
        return {}
    limits = {"connect_timeout": min(timeout, 20.0), "read_timeout": timeout}
    return {"config_kwargs": {"retries": {"max_attempts": 0}, **limits}}


def is_lasting(error: Exception) -> bool:
    """Missing credentials and impossible names are so at the next attempt, too."""
    lasting = ("NoCredentialsError", "PartialCredentialsError", "ParamValidationError")
    return type(error).__name__ in lasting


def words(error: Exception) -> str:
    """A short reason without addresses: it may stand in the ledger."""
    known = {
        "EndpointConnectionError": "no connection",
        "ConnectTimeoutError": "no connection in time",
        "ReadTimeoutError": "no answer in time",
        "FSTimeoutError": "no answer in time",
        "NoCredentialsError": "no credentials for the object store",
    }
    name = type(error).__name__
    text = getattr(error, "strerror", None) or str(error)
    return known.get(name) or one_line(f"{name}: {text}", 120)


def _is_s3(url: str) -> bool:
    return url.startswith(("s3://", "s3a://"))


def _is_conflict(error: Exception) -> bool:
    """HTTP status 412, or 409 of two conditional writes at once."""
    text = f"{error} {getattr(error, 'response', '')}"
    return any(code in text for code in ("PreconditionFailed", "ConditionalRequestConflict"))


def _entry(facts: dict[str, Any]) -> Entry:
    """The entry of fsspec's facts; back ends call the token by many names."""
    for name in ("ETag", "etag", "md5Hash", "content_md5", "mtime", "created", "LastModified"):
        if facts.get(name):
            return Entry(int(facts["size"] or 0), str(facts[name]).strip('"'))
    return Entry(int(facts["size"] or 0), "")
