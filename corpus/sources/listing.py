"""The files that the command line's inputs stand for: files, folders, globs, addresses, @lists.

Nothing is passed over in silence: what is no file to read is listed as `Unread`.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import NamedTuple

import fsspec

from corpus.errors import UnreadableError, UsageError, one_line
from corpus.sources.inputs import is_remote
from corpus.sources.item import FOLDER, UNREADABLE
from corpus.sources.members import kind_of_archive, members


class Unread(NamedTuple):
    """A file or folder of the input that is not read, under a rule of the ledger, and why."""

    path: str
    rule: str
    reason: str


def listed(inputs: list[str]) -> tuple[list[str], list[Unread]]:
    """(files, folders that cannot be entered). UsageError names an input that is not there.

    Hidden files of folders are left out; folders behind links are entered, each once.
    """
    if not inputs:
        raise UsageError("no input: name at least one file, folder, glob or @list.txt")
    unread: list[Unread] = []
    seen: set[tuple[int, int]] = set()  # folders, so that a link to one above ends
    files: list[str] = []
    for name in inputs:
        for path in _paths(name, seen, unread):
            files += _opened(path, unread) if kind_of_archive(path) else [path]
    return files, unread


def _opened(path: str, unread: list[Unread]) -> list[str]:
    """The members of an archive; one that cannot be read is listed as unread."""
    files = []
    try:
        for member in members(path):
            if member.reason:
                unread.append(Unread(member.path, UNREADABLE, member.reason))
            else:
                files.append(member.path)
    except (UnreadableError, OSError) as error:
        unread.append(Unread(path, UNREADABLE, one_line(error)))
    return files


def place(name: str) -> str:
    """An input as it is however it is spelled from here: local paths absolute."""
    mark = "@" if name.startswith("@") else ""
    name = name.removeprefix("@").removeprefix("file://")
    return f"{mark}{name if is_remote(name) else os.path.abspath(name)}"


def _paths(name: str, seen: set[tuple[int, int]], unread: list[Unread]) -> Iterator[str]:
    name = name.removeprefix("file://")
    if name.startswith("@"):
        for line in _lines(name[1:]):
            # A list of thousands may name what is gone: that costs itself, not the others.
            if is_remote(line) or glob.has_magic(line) or os.path.isdir(line) or line[0] == "@":
                yield from _paths(line, seen, unread)
            else:
                yield line.removeprefix("file://")
    elif is_remote(name):
        yield from _remote_paths(name)
    elif os.path.isdir(name):
        yield from _walk(name, seen, unread)
    elif os.path.lexists(name):
        yield name
    elif glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"no file matches {name}")
        for match in matches:
            if os.path.isdir(match):
                yield from _walk(match, seen, unread)
            else:
                yield match
    else:
        raise UsageError(f"no such file or folder: {name}")


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as listing:
            lines = [line.strip() for line in listing]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UsageError(f"cannot read the list {path}: {reason}") from error
    return [line for line in lines if line and not line.startswith("#")]


def _walk(folder: str, seen: set[tuple[int, int]], unread: list[Unread]) -> Iterator[str]:
    """Files below a folder."""
    waiting = [folder.rstrip("/") or "/"]
    while waiting:
        base = waiting.pop()
        try:
            about = os.stat(base)
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(base) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            unread.append(Unread(base, FOLDER, error.strerror or str(error)))
            continue
        for entry in inside:
            path = f"{base.rstrip('/')}/{entry.name}"
            if entry.name.startswith("."):
                continue
            if os.path.isdir(path) if entry.is_symlink() else entry.is_dir():
                waiting.append(path)
            else:
                yield path


def _remote_paths(name: str) -> list[str]:
    """Files of a folder or glob in a store; any other address stands for itself."""
    try:
        fs, path = fsspec.core.url_to_fs(name)
        if glob.has_magic(name):
            matches = [fs.unstrip_protocol(p) for p in sorted(fs.glob(path))]
            if not matches:
                raise UsageError(f"no file matches {name}")
            return matches
        if fs.isdir(path):
            below = ((p, p.removeprefix(path).split("/")) for p in sorted(fs.find(path)))
            return [
                fs.unstrip_protocol(p) for p, parts in below if not any(x[:1] == "." for x in parts)
            ]
        return [name]
    except ImportError as error:
        raise UsageError(f"{name}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot list {name}: {error}") from error
