"""From the command line's inputs to the units of work: the same list on every run.

The order of files is by kind (as in `corpus.sources.kinds`), then by base name, then by identity
(`corpus.sources.identity`): it does not depend on how paths are typed or in which order, on the
machine or the store. Files of one identity are one file, read once.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from corpus.errors import RunError, UnreadableError, UsageError, one_line
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.settings import MIB, InputSettings, Settings
from corpus.sources import identity
from corpus.sources.identity import InputFile
from corpus.sources.inputs import inner_name
from corpus.sources.item import ENDING, REPEATED, UNREADABLE, Unit
from corpus.sources.kinds import SOURCES, is_dataset_card, kind_of
from corpus.sources.listing import Unread, listed
from corpus.sources.rows import MissingColumn

FILES_PER_UNIT = 512  # of html and text folders, and of files that are not read
KINDS = {kind: number for number, kind in enumerate(SOURCES)}


def units(inputs: list[str], settings: Settings, folder: Folder | None = None) -> list[Unit]:
    """Cut the inputs into units. The cuts depend on sizes and settings only, never on workers.

    Files that are not read come last, in units of their own: each is a row of the ledger.
    folder: the build's, where a source may keep what its units refer to (ccindex does).
    """
    return plan(inputs, settings, folder)[0]


def plan(
    inputs: list[str], settings: Settings, folder: Folder | None = None
) -> tuple[list[Unit], list[InputFile]]:
    """The units, and the files that they read (none where a source plans by itself)."""
    kind = settings.input.kind
    if kind != "auto" and kind not in SOURCES:
        raise UsageError(f"unknown source kind {kind!r}: choose auto, {', '.join(SOURCES)}")
    paths, unread = listed(inputs)
    asked = SOURCES.get(kind)
    if asked and asked.plan:
        return asked.plan(paths, settings, folder), []
    files = _readable(inputs, _known(inputs, paths, kind, unread), settings.input, unread)
    files = _each_once(files, unread)
    planned = _cut(files, settings.input.unit_mib * MIB, unread)
    unread.sort()
    for at in range(0, len(unread), FILES_PER_UNIT):
        part = unread[at : at + FILES_PER_UNIT]
        names, why = tuple(u.path for u in part), tuple((u.rule, u.reason) for u in part)
        planned.append(Unit(len(planned), "unread", names, unread=why))
    return planned, files


def as_planned(layout: Layout) -> list[Unit]:
    """The units of a build that has been planned; RunError when its plan cannot be read."""
    try:
        return [unit_of(entry) for entry in json.loads(layout.plan.read_bytes())["units"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error)
        raise RunError(f"{layout.shown(layout.plan)} is not readable: {reason}") from error


def unit_of(entry: dict[str, Any]) -> Unit:
    """A unit as the plan keeps it."""
    lists = {name: tuple(entry[name]) for name in ("files", "identities")}
    return Unit(**entry | lists | {"unread": tuple(map(tuple, entry["unread"]))})


# which files --------------------------------------------------------------------------------------


def _known(inputs: list[str], paths: list[str], kind: str, unread: list[Unread]) -> list[InputFile]:
    """The files whose kind is known. UsageError when there is none."""
    files = []
    for path in paths:
        file_kind = kind_of(path) if kind == "auto" else kind
        if kind == "auto" and is_dataset_card(path):
            unread.append(Unread(path, ENDING, "the card of a dataset"))
        elif file_kind:
            files.append(InputFile(path, file_kind))
        else:
            ending = os.path.splitext(inner_name(path))[1].lower()
            unread.append(Unread(path, ENDING, f"ending {ending}" if ending else "no ending"))
    if files or any(entry.rule != ENDING for entry in unread):
        return files
    if len(paths) == 1:
        raise UsageError(
            f"{paths[0]}: the ending tells no format; say it with --source ({', '.join(SOURCES)})"
        )
    raise UsageError(
        f"no readable files in {', '.join(inputs)[:200]}: known endings are "
        f"{', '.join(ending for source in SOURCES.values() for ending in source.endings)}; "
        "others are named with --source"
    )


def _readable(
    inputs: list[str], files: list[InputFile], names: InputSettings, unread: list[Unread]
) -> list[InputFile]:
    """The files that can be opened and are what their kind says, with sizes and identities.

    RunError when there is none: it names the first table without the column with the text, if any.
    """
    good: list[InputFile] = []
    lacking = ""  # what is said of the first file without the column
    for file, answer in zip(files, identity.each(_looked_at(names), files), strict=True):
        if isinstance(answer, InputFile):
            good.append(answer)
            continue
        unread.append(Unread(file.path, UNREADABLE, str(answer)))
        if isinstance(answer, MissingColumn):
            lacking = lacking or f"{file.path}: {answer}"
    if lacking and not good:
        raise RunError(lacking)
    if not good:
        first = min(entry for entry in unread if entry.rule != ENDING)
        raise RunError(
            f"nothing in {', '.join(inputs)[:200]} can be read: {first.path}: {first.reason}"
        )
    return good


def _looked_at(names: InputSettings) -> Callable[[InputFile], InputFile]:
    def look(file: InputFile) -> InputFile:
        source, seen = SOURCES[file.kind], identity.look(file)
        if not seen.size and not source.bundled:  # an empty page is a page without text
            raise UnreadableError("the file is empty")
        if source.check:
            source.check(file.path, names)
        return seen

    return look


def _each_once(files: list[InputFile], unread: list[Unread]) -> list[InputFile]:
    """The files in the order of the plan, those of one identity once."""
    files = identity.told_apart(files)
    first: dict[str, str] = {}  # identity → path
    once = []
    for file in sorted(files, key=_place_in_plan):
        if file.identity in first:
            unread.append(Unread(file.path, REPEATED, f"the same as {first[file.identity]}"))
        else:
            first[file.identity] = file.path
            once.append(file)
    return once


def _place_in_plan(file: InputFile) -> tuple[int, str, str, str]:
    base = inner_name(file.path).rpartition("/")[2]
    return KINDS[file.kind], unicodedata.normalize("NFC", base), file.identity, file.path


# their cuts ---------------------------------------------------------------------------------------


def _cut(files: list[InputFile], size: int, unread: list[Unread]) -> list[Unit]:
    """Units of about `size` bytes; small files of a kind share one."""
    planned: list[Unit] = []
    for file in files:
        last = planned[-1] if planned else None
        if SOURCES[file.kind].bundled:
            if last and last.kind == file.kind and len(last.files) < FILES_PER_UNIT:
                planned[-1] = replace(
                    last,
                    files=(*last.files, file.path),
                    identities=(*last.identities, file.identity),
                )
            else:
                planned.append(
                    Unit(len(planned), file.kind, (file.path,), identities=(file.identity,))
                )
            continue
        try:
            ranges = SOURCES[file.kind].cut(file.path, file.size, size)
        except UnreadableError as error:
            unread.append(Unread(file.path, UNREADABLE, str(error)))
            continue
        except OSError as error:
            raise RunError(f"cannot read {file.path}: {error}") from error
        for start, end in ranges:
            unit = Unit(len(planned), file.kind, (file.path,), start, end, "", (file.identity,))
            planned.append(unit)
    return planned
