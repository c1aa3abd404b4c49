"""From the command line's inputs to the units of work: the same list on every run."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator

import fsspec

from corpus.errors import UsageError
from corpus.folder.folder import Folder
from corpus.settings import MIB, Settings
from corpus.sources.inputs import input_size, is_remote
from corpus.sources.item import Unit
from corpus.sources.kinds import SOURCES, kind_of

FILES_PER_UNIT = 512  # of html and text folders


def expand(inputs: list[str], kind: str) -> list[tuple[str, str]]:
    """(file, kind) of every input, in a fixed order. UsageError names what is missing."""
    if kind != "auto" and kind not in SOURCES:
        raise UsageError(f"unknown source kind {kind!r}: choose auto, {', '.join(SOURCES)}")
    if not inputs:
        raise UsageError("no input: name at least one file, folder, glob or @list.txt")
    # In the order given, folders walked by name: the position in the plan names a unit's outputs.
    files: list[tuple[str, str]] = []
    for name in inputs:
        for path, from_folder in _paths(name):
            file_kind = kind_of(path) if kind == "auto" else kind
            if file_kind:
                files.append((path, file_kind))
            elif not from_folder:
                raise UsageError(
                    f"{path}: the ending tells no format; "
                    f"say it with --source ({', '.join(SOURCES)})"
                )
    if not files:
        raise UsageError(
            f"no readable files in {', '.join(inputs)}: known endings are "
            f"{', '.join(ending for source in SOURCES.values() for ending in source.endings)}"
        )
    # A file read twice gives two documents of one id.
    doubled = len(files) - len({path for path, _ in files})
    if doubled:
        raise UsageError(f"{doubled} input files are named twice: name each file once")
    return files


def _paths(name: str) -> Iterator[tuple[str, bool]]:
    """(file, whether it stands in a folder that was named) of an input: file, folder, glob, @list.

    In a folder files of unknown endings are passed over; a file that is named must be known.
    """
    if name.startswith("@"):
        try:
            with open(name[1:], encoding="utf-8") as listing:
                lines = [line.strip() for line in listing]
        except OSError as error:
            raise UsageError(f"cannot read the list {name[1:]}: {error.strerror}") from error
        for line in lines:
            if line and not line.startswith("#"):
                yield from _paths(line)
    elif is_remote(name):
        yield from ((path, False) for path in _remote_paths(name))
    elif os.path.isdir(name):
        yield from ((path, True) for path in _walk(name))
    elif os.path.exists(name):
        yield name, False
    elif glob.has_magic(name):
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise UsageError(f"no file matches {name}")
        for match in matches:
            if os.path.isdir(match):
                yield from ((path, True) for path in _walk(match))
            else:
                yield match, False
    else:
        raise UsageError(f"no such file or folder: {name}")


def _walk(folder: str) -> Iterator[str]:
    """Files below a folder, hidden ones left out, in the order of names on every file system."""
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield f"{base.rstrip('/')}/{name}"


def _remote_paths(name: str) -> list[str]:
    """Files of a folder or glob in a store, sorted; any other address stands for itself."""
    try:
        fs, path = fsspec.core.url_to_fs(name)
        if glob.has_magic(name):
            matches = [fs.unstrip_protocol(p) for p in sorted(fs.glob(path))]
            if not matches:
                raise UsageError(f"no file matches {name}")
            return matches
        if fs.isdir(path):
            return [fs.unstrip_protocol(p) for p in sorted(fs.find(path))]
        return [name]
    except ImportError as error:
        raise UsageError(f"{name}: {error}") from error
    except OSError as error:
        raise UsageError(f"cannot list {name}: {error}") from error


def units(inputs: list[str], settings: Settings, folder: Folder | None = None) -> list[Unit]:
    """Cut the inputs into units. The cuts depend on sizes and settings only, never on workers.

    folder: the build's, where a source may keep what its units refer to (ccindex does).
    """
    files = expand(inputs, settings.input.kind)
    asked = SOURCES.get(settings.input.kind)
    if asked and asked.plan:
        return asked.plan([path for path, _ in files], settings, folder)
    planned: list[Unit] = []
    bundle: list[str] = []

    def close_bundle(kind: str) -> None:
        if bundle:
            planned.append(Unit(len(planned), kind, tuple(bundle)))
            bundle.clear()

    bundle_kind = ""
    for path, kind in files:
        # Small files share a unit, as long as they follow each other and are of one kind.
        if SOURCES[kind].bundled:
            if kind != bundle_kind or len(bundle) == FILES_PER_UNIT:
                close_bundle(bundle_kind)
            bundle_kind = kind
            bundle.append(path)
            continue
        close_bundle(bundle_kind)
        for start, end in _ranges(path, kind, settings.input.unit_mib * MIB):
            planned.append(Unit(len(planned), kind, (path,), start, end))
    close_bundle(bundle_kind)
    return planned


def _ranges(path: str, kind: str, size: int) -> list[tuple[int, int]]:
    try:
        return SOURCES[kind].cut(path, input_size(path), size)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error}") from error
