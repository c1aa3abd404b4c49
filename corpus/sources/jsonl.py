"""JSON lines: an object a line, packed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator

from corpus.errors import UnreadableError, one_line
from corpus.settings import MIB, InputSettings, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Item, Unit
from corpus.sources.rows import DAMAGE, MissingColumn, row_item, unpacked
from corpus.sources.source import Source, even_cuts, packed

MAX_LINE = 64 * MIB  # of JSON; a longer line is one unreadable record
HEAD = 100  # lines that are looked at for the column with the text
PLAIN = (".jsonl", ".ndjson")


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A JSON object per line; `offset` is the byte offset of the line (unpacked)."""
    file = unit.files[0]
    with open_input(file) as raw:
        stream = unpacked(raw, file)
        # A line belongs to the unit in which it starts: go to the first line start at or behind.
        position = unit.start
        if position:
            stream.seek(position - 1)
            position += len(stream.readline()) - 1
        while unit.end < 0 or position < unit.end:
            try:
                line = stream.readline(MAX_LINE)
            except DAMAGE as error:
                yield Item(file, position, 0, problem="unreadable", detail=f"packed data: {error}")
                return
            if not line:
                return
            offset, size = position, len(line)
            while line[-1:] != b"\n" and size % MAX_LINE == 0:  # skip the rest of a giant line
                rest = stream.readline(MAX_LINE)
                size += len(rest)
                if not rest or rest[-1:] == b"\n":
                    break
            position += size
            if size > MAX_LINE:
                yield Item(file, offset, size, problem="unreadable", detail="line over 64 MiB")
            elif line.strip():
                yield _json_item(file, offset, size, line, settings.input)


def _json_item(file: str, offset: int, size: int, line: bytes, names: InputSettings) -> Item:
    item = Item(file, offset, size)
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        item.problem, item.detail = "unreadable", f"not JSON: {str(error)[:120]}"
        return item
    if not isinstance(row, dict):
        item.problem, item.detail = "unreadable", "not a JSON object"
        return item
    return row_item(item, row, names)


def check(file: str, names: InputSettings) -> None:
    """UnreadableError for a file whose first HEAD objects all lack the column with the text.

    One of them may lack it: rows leave out what is empty.
    """
    columns: dict[str, None] = {}
    with open_input(file) as raw:
        stream = unpacked(raw, file)
        for _ in range(HEAD):
            try:
                line = stream.readline(MAX_LINE)
            except DAMAGE as error:
                if columns:
                    break
                raise UnreadableError(f"packed data: {one_line(error)}") from error
            try:
                row = json.loads(line) if line else None
            except (ValueError, RecursionError):  # read says so, line by line
                row = None
            if not line:
                break
            if isinstance(row, dict):
                if names.column("text") in row:
                    return
                columns |= dict.fromkeys(row)
    if columns:
        raise MissingColumn(names.column("text"), list(columns))


def cut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """Byte ranges of an unpacked file; a packed one is one unit."""
    return even_cuts(total, size) if file.lower().endswith(PLAIN) else [(0, -1)]


SOURCE = Source("jsonl", (*packed(*PLAIN), *packed(".json")[1:]), read, cut, check=check)
