"""CSV and TSV with a header: a row a document."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import IO, Any

from corpus.errors import UnreadableError, one_line
from corpus.settings import MIB, InputSettings, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Item, Unit
from corpus.sources.rows import DAMAGE, MissingColumn, row_item, unpacked
from corpus.sources.source import Source, packed
from corpus.web.charset import decode, gate

MAX_FIELD = 64 * MIB  # characters of a cell, as of a line of JSON


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """CSV or TSV with a header, in any Japanese charset; `offset` is the row number."""
    file, names = unit.files[0], settings.input
    csv.field_size_limit(MAX_FIELD)
    with open_input(file) as raw:
        reader, charset = _rows(raw, file, names)
        row = -1
        try:
            for row, values in enumerate(reader):
                item = row_item(Item(file, row, 0), values, names)
                item.charset = charset
                yield item
        except (csv.Error, *DAMAGE) as error:
            yield Item(file, row + 1, 0, problem="unreadable", detail=f"CSV: {one_line(error)}")


def check(file: str, names: InputSettings) -> None:
    """UnreadableError for a file without a header, or without the column with the text."""
    with open_input(file) as raw:
        _rows(raw, file, names)


def _rows(raw: IO[bytes], file: str, names: InputSettings) -> tuple[csv.DictReader[str], str]:
    """The rows behind the header, and the charset; UnreadableError as `check` has it."""
    stream = unpacked(raw, file)
    try:
        # The charset by the first 64 KiB, which are then read once more in front of the rest.
        head = stream.read(1 << 16)
        charset = decode.decode(head, "", gate.evidence(head)).charset
        codec = {"shift_jis": "cp932", "utf-8": "utf-8-sig"}.get(charset, charset)
        rest = io.BufferedReader(_Joined(head, stream))
        lines = io.TextIOWrapper(rest, encoding=codec, errors="replace", newline="")
        comma = "\t" if ".tsv" in file.lower() else ","
        reader = csv.DictReader(lines, delimiter=comma)
        columns = list(reader.fieldnames or [])
    except (csv.Error, *DAMAGE) as error:
        raise UnreadableError(f"it is not readable CSV: {one_line(error)}") from error
    if names.column("text") not in columns:
        raise MissingColumn(names.column("text"), columns)
    return reader, charset


class _Joined(io.RawIOBase):
    """Bytes already read, then the rest of a stream."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


SOURCE = Source("csv", packed(".csv", ".tsv"), read, check=check)
