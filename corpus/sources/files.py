"""Plain files as items: JSON lines, Parquet, CSV, and folders of HTML or text."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpus.config import MIB, InputSettings, Settings
from corpus.errors import RunError
from corpus.folder.commit import open_input
from corpus.sources.item import Item, Unit
from corpus.web.charset import decode, gate

MAX_LINE = 64 * MIB  # of JSON; a longer line is one unreadable record
ROWS = 1024


def read_jsonl(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A JSON object per line; `offset` is the byte offset of the line (unpacked)."""
    file = unit.files[0]
    with open_input(file) as raw:
        stream = _unpacked(raw, file)
        position = unit.start
        if position:
            stream.seek(position - 1)  # a line belongs to the unit in which it starts
            position += len(stream.readline()) - 1
        while unit.end < 0 or position < unit.end:
            try:
                line = stream.readline(MAX_LINE)
            except (OSError, EOFError, zstandard.ZstdError, gzip.BadGzipFile) as error:
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
    return _row_item(item, row, names)


def read_parquet(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A row per document; `offset` is the row number. The unit's range is in row groups."""
    file, names = unit.files[0], settings.input
    with open_input(file) as stream:
        try:
            table = pq.ParquetFile(stream)
        except (pa.ArrowInvalid, OSError) as error:
            raise RunError(f"{file} is not readable Parquet: {_short(error)}") from error
        columns = [
            n for n in (names.text_column, names.url_column, names.title_column, names.date_column)
            if n in table.schema_arrow.names
        ]  # fmt: skip
        if names.text_column not in columns:
            raise RunError(
                f"{file} has no column {names.text_column!r} (it has "
                f"{', '.join(table.schema_arrow.names[:12])}): "
                "name it with --set input.text_column=…"
            )
        end = table.num_row_groups if unit.end < 0 else unit.end
        row = sum(table.metadata.row_group(i).num_rows for i in range(unit.start))
        for group in range(unit.start, end):
            count = table.metadata.row_group(group).num_rows
            done = 0
            try:
                for batch in table.iter_batches(ROWS, row_groups=[group], columns=columns):
                    for values in batch.to_pylist():
                        yield _row_item(Item(file, row + done, 0), values, names)
                        done += 1
            except (pa.ArrowInvalid, OSError) as error:
                yield Item(
                    file, row + done, 0, problem="unreadable", value=float(count - done),
                    detail=f"row group {group}, {count - done} rows lost: {_short(error)}",
                )  # fmt: skip
            row += count


def read_csv(unit: Unit, settings: Settings) -> Iterator[Item]:
    """CSV or TSV with a header, in any Japanese charset; `offset` is the row number."""
    file, names = unit.files[0], settings.input
    csv.field_size_limit(min(sys.maxsize, 1 << 31))
    with open_input(file) as raw:
        stream = _unpacked(raw, file)
        head = stream.read(1 << 16)
        found = decode.decode(head, "", gate.evidence(head)).charset
        codec = {"shift_jis": "cp932", "utf-8": "utf-8-sig"}.get(found, found)
        rest = io.BufferedReader(_Joined(head, stream))
        lines = io.TextIOWrapper(rest, encoding=codec, errors="replace", newline="")
        comma = "\t" if ".tsv" in file.lower() else ","
        reader = csv.DictReader(lines, delimiter=comma)
        columns = reader.fieldnames or []
        if names.text_column not in columns:
            raise RunError(
                f"{file} has no column {names.text_column!r} (it has {', '.join(columns[:12])}): "
                "name it with --set input.text_column=…"
            )
        row = -1
        try:
            for row, values in enumerate(reader):
                item = _row_item(Item(file, row, 0), values, names)
                item.charset = found
                yield item
        except csv.Error as error:
            yield Item(file, row + 1, 0, problem="unreadable", detail=f"CSV: {_short(error)}")


def read_html(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A page per file."""
    for item, body in _whole_files(unit, settings):
        if not body.strip():
            item.skip = "empty body"
        else:
            item.html = body
        yield item


def read_text(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A document per file, in any Japanese charset."""
    for item, body in _whole_files(unit, settings):
        if not body.strip():
            item.skip = "empty body"
        else:
            item.plain = body
        yield item


def _whole_files(unit: Unit, settings: Settings) -> Iterator[tuple[Item, bytes]]:
    limit = settings.harvest.max_body_mib * MIB
    for file in unit.files:
        try:
            with open_input(file) as stream:
                body = stream.read(limit)
        except OSError as error:
            raise RunError(f"cannot read {file}: {error.strerror or error}") from error
        yield Item(file, 0, len(body), url=file if "://" in file else f"file:{file}"), body


def _row_item(item: Item, row: dict[str, Any], names: InputSettings) -> Item:
    text = row.get(names.text_column)
    if not isinstance(text, str):
        item.problem = "unreadable"
        item.detail = f"no text in column {names.text_column!r}"
        return item
    if not text.strip():
        item.skip = "empty body"
    else:
        item.text = text
    item.url = _text_of(row.get(names.url_column))
    item.title = _text_of(row.get(names.title_column))
    item.date = _text_of(row.get(names.date_column))
    item.charset = "utf-8"
    return item


def _text_of(value: Any) -> str:
    return "" if value is None else str(value)


def _unpacked(stream: IO[bytes], file: str) -> IO[bytes]:
    name = file.lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(stream))
    if name.endswith((".zst", ".zstd")):
        reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 20)
    return stream


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


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
