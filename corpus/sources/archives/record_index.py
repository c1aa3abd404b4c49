"""An index beside a web archive proposes where the archive is cut into units.

`X.warc.gz.cdxj`, `X.warc.gz.cdx`, `X.cdxj` or `X.cdx`, also with `.gz`: CDXJ lines, or CDX columns
with the letters V (offset) and g (file). A cut is moved to the first offset behind it that the
index names and where a record really starts. The reader finds the first record of its range by
itself all the same, so an index that lies, or lists other files, can neither lose nor repeat a
record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import fsspec

from corpus.sources.archives import warc
from corpus.sources.archives.cdx import MAX_LINE, NUTCHWAX, open_index
from corpus.sources.archives.window import Window
from corpus.sources.inputs import input_size, is_remote
from corpus.web.http import ZlibError

ENDINGS = (".cdxj", ".cdxj.gz", ".cdx", ".cdx.gz")
PACKED = re.compile(r"\.(warc|wet)(\.gz|\.zst)?$", re.I)
TRIED = 4  # offsets the index names behind a cut, before that cut is left where it was


def cuts(file: str, proposed: list[int]) -> list[int]:
    """The cuts between units, ascending, each where a record starts if an index beside says so."""
    # The first index that is there; without inner cuts there is nothing to move.
    names = [file + ending for ending in ENDINGS]
    names += [PACKED.sub("", file) + ending for ending in ENDINGS]
    index = next((name for name in names if _exists(name)), "")
    if not index or len(proposed) < 3:
        return proposed
    inner = proposed[1:-1]
    named: list[list[int]] = [[] for _ in inner]  # per cut the smallest offsets up to the next cut
    try:
        for offset in offsets(index, file.rpartition("/")[2]):
            _note(offset, proposed, named)
        if not is_remote(file):  # there a look would cost a block of 8 MiB each
            with Window(file) as window:
                named = [[at for at in starts if warc.record_at(window, at)] for starts in named]
    except (OSError, EOFError, ZlibError):  # half an index, or none that can be read
        return proposed
    moved = [starts[0] if starts else cut for cut, starts in zip(inner, named, strict=True)]
    return [proposed[0], *moved, proposed[-1]]


def _note(offset: int, proposed: list[int], named: list[list[int]]) -> None:
    """Keep an offset with the cut before it, if it is among the TRIED smallest of that cut."""
    width = proposed[1] - proposed[0] or 1
    cut = min(offset // width, len(proposed) - 2)  # the cuts lie (almost) evenly
    while cut > 0 and proposed[cut] > offset:
        cut -= 1
    while cut < len(proposed) - 2 and proposed[cut + 1] <= offset:
        cut += 1
    if 0 < cut <= len(named) and proposed[cut] <= offset < proposed[cut + 1]:
        smallest = named[cut - 1]
        if offset not in smallest:
            smallest.append(offset)
            smallest.sort()
            del smallest[TRIED:]


def offsets(index: str, name: str) -> Iterator[int]:
    """Offsets the index gives for the archive `name`; lines it cannot use are passed over."""
    letters = NUTCHWAX
    with open_index(index) as lines:
        while line := lines.readline(MAX_LINE):
            text = line.decode("utf-8", "replace").strip()
            if text.startswith("CDX "):
                letters = "".join(text.split()[1:])
                continue
            place = _json_place(text) if text.endswith("}") else _column_place(text, letters)
            if place and place[0].rpartition("/")[2] in ("", name):
                yield place[1]


def _json_place(line: str) -> tuple[str, int] | None:
    try:
        capture = json.loads(line[line.index("{") :])
        return str(capture.get("filename", "")), int(capture["offset"])
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return None


def _column_place(line: str, letters: str) -> tuple[str, int] | None:
    fields = line.split(" ")
    at, file = letters.find("V"), letters.find("g")
    if at < 0 or len(fields) != len(letters) or not fields[at].isascii() or len(fields[at]) > 18:
        return None
    if not fields[at].isdigit():
        return None
    return fields[file] if file >= 0 else "", int(fields[at])


def _exists(path: str) -> bool:
    try:
        if is_remote(path):
            fs, key = fsspec.core.url_to_fs(path)
            return bool(fs.exists(key))
        return input_size(path) > 0
    except Exception:  # of fsspec's many back ends; without an index it goes on as well
        return False
