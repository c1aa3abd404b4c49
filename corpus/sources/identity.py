"""What a file is, told by its content: the same on every machine and under every name.

    identity = BLAKE2b(size, first 64 KiB, last 64 KiB)

Two small reads, however large the file is; of a file in a store two range requests. A file of up to
128 KiB is digested whole. Where large files agree in all three, they are compared whole
(`told_apart`), so that no file is lost to a likeness.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import fsspec

from corpus.errors import RunError, UnreadableError, UsageError, one_line
from corpus.sources.inputs import SEPARATOR, is_remote, open_input

BLOCK = 64 << 10
THREADS = 16  # what is waited for is the disk or the network
CHUNK = 8 << 20
# Of a store: the file is not there or not ours. Anything else may be better in a minute.
FINAL = (FileNotFoundError, PermissionError, IsADirectoryError)


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input; `changed`: its time of change in ns, 0 in a store."""

    path: str
    kind: str
    size: int = 0
    changed: int = 0
    identity: str = ""


def digest_of(size: int, head: bytes, tail: bytes) -> str:
    """32 hex digits of a size in bytes and two blocks."""
    return hashlib.blake2b(b"%d\0" % size + head + tail, digest_size=16).hexdigest()


def look(file: InputFile) -> InputFile:
    """The file with its size and identity.

    Raises UnreadableError when it cannot be read, RunError when a store does not answer.
    """
    try:
        if SEPARATOR in file.path:
            return _look_in_archive(file)
        return _look_in_store(file) if is_remote(file.path) else _look_here(file)
    except ImportError as error:
        raise RunError(f"{file.path}: {error}") from error
    except OSError as error:
        reason = error.strerror or one_line(error) or type(error).__name__
        if is_remote(file.path) and not isinstance(error, FINAL):
            raise RunError(f"cannot read {file.path}: {reason}; run again later") from error
        if os.path.islink(file.path) and not os.path.exists(file.path):
            reason = f"a link to {os.readlink(file.path)}, which is not there"
        raise UnreadableError(reason) from error


def _look_here(file: InputFile) -> InputFile:
    about = os.stat(file.path)
    if not stat.S_ISREG(about.st_mode):
        raise UnreadableError("no regular file")
    size = about.st_size
    with open(file.path, "rb", buffering=0) as stream:
        head = stream.read(2 * BLOCK if size <= 2 * BLOCK else BLOCK)
        tail = b""
        if size > 2 * BLOCK:
            stream.seek(size - BLOCK)
            tail = stream.read(BLOCK)
    return replace(file, size=size, changed=about.st_mtime_ns, identity=digest_of(size, head, tail))


def _look_in_archive(file: InputFile) -> InputFile:
    with open_input(file.path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        head = stream.read(2 * BLOCK if size <= 2 * BLOCK else BLOCK)
        tail = b""
        if size > 2 * BLOCK:
            stream.seek(size - BLOCK)
            tail = stream.read(BLOCK)
    return replace(file, size=size, identity=digest_of(size, head, tail))


def _look_in_store(file: InputFile) -> InputFile:
    fs, key = fsspec.core.url_to_fs(file.path)
    size = fs.size(key)
    if size is None:  # a web server that tells no length: the whole file does
        data = fs.cat_file(key)
        return replace(file, size=len(data), identity=_of_bytes(data))
    if size <= 2 * BLOCK:
        return replace(file, size=size, identity=_of_bytes(fs.cat_file(key) if size else b""))
    head = fs.cat_file(key, start=0, end=BLOCK)
    tail = fs.cat_file(key, start=size - BLOCK, end=size)
    return replace(file, size=size, identity=digest_of(size, head[:BLOCK], tail[-BLOCK:]))


def _of_bytes(data: bytes) -> str:
    if len(data) <= 2 * BLOCK:
        return digest_of(len(data), data, b"")
    return digest_of(len(data), data[:BLOCK], data[-BLOCK:])


def each(
    function: Callable[[InputFile], InputFile], files: Iterable[InputFile]
) -> Iterator[InputFile | UnreadableError]:
    """What `function` gives for every file, in order, or why it cannot be read."""

    def guarded(file: InputFile) -> InputFile | UnreadableError:
        try:
            return function(file)
        except UnreadableError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(guarded, files)


def told_apart(files: list[InputFile]) -> list[InputFile]:
    """The files, with other identities where large ones only agree in size, beginning and end."""
    alike = defaultdict(list)
    for file in files:
        if file.size > 2 * BLOCK:
            alike[file.identity].append(file)
    others: dict[str, str] = {}  # path → its identity
    for group in alike.values():
        if len({_place(file.path) for file in group}) > 1:
            whole = {file.path: _digest_of_all(file.path) for file in group}
            if len({*whole.values()}) > 1:
                others |= whole
    return [replace(f, identity=others.get(f.path, f.identity)) for f in files] if others else files


def _place(path: str) -> object:
    """Where a file is, however it is spelled."""
    if is_remote(path):
        return path
    about = os.stat(path)
    return about.st_dev, about.st_ino


def _digest_of_all(path: str) -> str:
    """32 hex digits of all bytes of a file."""
    total = hashlib.blake2b(digest_size=16)
    try:
        with open_input(path) as stream:
            while data := stream.read(CHUNK):
                total.update(data)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    return total.hexdigest()


# between two runs of a build ----------------------------------------------------------------------


def noted(files: Iterable[InputFile]) -> dict[str, list[Any]]:
    """Local path → [bytes, time of change in ns, identity]: what a plan keeps of its files."""
    return {f.path: [f.size, f.changed, f.identity] for f in files if not is_remote(f.path)}


def refuse_changed(before: dict[str, list[Any]]) -> None:
    """UsageError when a local file is another one than when it was `noted`.

    Only a file whose time of change moved is read again. One that is gone is left to its unit.
    """
    for path, (size, changed, identity) in before.items():
        try:
            about = os.stat(path)
        except OSError:
            continue
        if about.st_size != size:
            change = f"had {size:,} bytes when this build began, now {about.st_size:,}"
        elif about.st_mtime_ns != changed and look(InputFile(path, "")).identity != identity:
            change = "is not the file it was when this build began"
        else:
            continue
        raise UsageError(f"{path} {change}: build into another folder")
