"""What files of rows have in common: JSON lines, Parquet, CSV; and packed files of any kind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from typing import IO, Any, cast

import zstandard

from corpus.errors import UnreadableError
from corpus.settings import InputSettings
from corpus.sources.inputs import inner_name
from corpus.sources.item import Item

# What unpacking raises on packed data that is damaged, or ends too early.
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, lzma.LZMAError)


class MissingColumn(UnreadableError):
    """A table has no column of the name that settings give for the text."""

    def __init__(self, wanted: str, columns: list[str]) -> None:
        super().__init__(
            f"it has no column {wanted!r} (it has {', '.join(columns[:12]) or 'none'}): "
            "name it with --set input.text_column=…"
        )


def row_item(item: Item, row: dict[str, Any], names: InputSettings) -> Item:
    """The item filled from a row: its text, address, title and date, by the columns' names."""
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
