"""What files of rows have in common: JSON lines, Parquet, CSV; and packed files of any kind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import IO, Any, cast

import pyarrow as pa
import zstandard

from corpus.errors import UnreadableError
from corpus.settings import ROW_COLUMNS, InputSettings
from corpus.sources.inputs import inner_name
from corpus.sources.item import Item

# What unpacking raises on packed data that is damaged, or ends too early.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, lzma.LZMAError)


class MissingColumn(UnreadableError):
    """A table has no column of the name that settings give for the text."""

    def __init__(self, wanted: str, columns: list[str]) -> None:
        super().__init__(
            f"it has no column {wanted!r} (it has {', '.join(columns[:12]) or 'none'}): "
            "name it with --set input.columns.text=…"
        )


def row_item(item: Item, row: dict[str, Any], names: InputSettings) -> Item:
    """The item filled from a row, by the columns' names."""
    text = row.get(names.column("text"))
    if not isinstance(text, str):
        item.problem = "unreadable"
        item.detail = f"no text in column {names.column('text')!r}"
        return item
    if not text.strip():
        item.skip = "empty body"
    else:
        item.text = text
    for name in ROW_COLUMNS[1:]:
        if column := names.column(name):
            setattr(item, name, _text_of(row.get(column)))
    for name in names.metadata_columns:
        if (value := row.get(name)) is not None:
            item.metadata[name] = _text_of(value)
    item.charset = "utf-8"
    return item


def python_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows of a batch, column → value; one with bytes that are not UTF-8 has no values."""
    try:
        yield from batch.to_pylist()
        return
    except UnicodeDecodeError:  # of one of them: Parquet does not say that its strings are UTF-8
        pass
    for k in range(batch.num_rows):
        try:
            yield batch.slice(k, 1).to_pylist()[0]
        except UnicodeDecodeError:
            yield {}


def wanted_columns(names: InputSettings, there: list[str]) -> list[str]:
    """The columns to read of those that are there; MissingColumn without the one of the text."""
    if names.column("text") not in there:
        raise MissingColumn(names.column("text"), there)
    asked = dict.fromkeys([*map(names.column, ROW_COLUMNS), *names.metadata_columns])
    return [name for name in asked if name in there]


def _text_of(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return "" if value is None else str(value)


def unpacked(stream: IO[bytes], file: str) -> IO[bytes]:
    """The stream without the gzip, bzip2, xz or Zstandard that the file's ending tells of."""
    name = inner_name(file).lower()
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(stream))
    if name.endswith(".bz2"):
        return cast(IO[bytes], bz2.open(stream))
    if name.endswith(".xz"):
        return cast(IO[bytes], lzma.open(stream))
    if name.endswith((".zst", ".zstd")):
        reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(reader, 1 << 20)
    return stream
