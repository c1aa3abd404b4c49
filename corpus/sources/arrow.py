"""Arrow IPC, as a file or a stream (Feather 2, the folders of Hugging Face's save_to_disk): a row a
document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import pyarrow as pa
import pyarrow.ipc as ipc

from corpus.errors import UnreadableError, one_line
from corpus.settings import InputSettings, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Item, Unit
from corpus.sources.rows import MissingColumn, row_item, wanted_columns
from corpus.sources.source import Source

ROWS = 1024  # turned into Python objects at a time
_MAGIC = b"ARROW1"
_BROKEN = (pa.ArrowException, OSError, ValueError)
Reader = Any  # ipc.RecordBatchFileReader or ipc.RecordBatchStreamReader


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A row per document; `offset` is the row number. The unit's range is in record batches."""
    file, names = unit.files[0], settings.input
    with open_input(file) as stream:
        reader = _opened(stream)
        columns = wanted_columns(names, reader.schema.names)
        row = 0
        try:
            for batch in _batches(reader, unit.start, unit.end):
                if isinstance(batch, int):  # rows of the batches before the unit's
                    row += batch
                    continue
                batch.validate(full=True)  # offsets of strangers are not to be followed unseen
                part = batch.select(columns)
                for start in range(0, part.num_rows, ROWS):
                    for values in part.slice(start, ROWS).to_pylist():
                        yield row_item(Item(file, row, 0), values, names)
                        row += 1
        except _BROKEN as error:
            detail = f"Arrow, from row {row} on: {one_line(error)}"
            yield Item(file, row, 0, problem="unreadable", detail=detail)


def _batches(reader: Reader, start: int, end: int) -> Iterator[pa.RecordBatch | int]:
    """The unit's record batches; of a file, before them the number of rows that precede."""
    if isinstance(reader, ipc.RecordBatchStreamReader):
        yield from reader
        return
    yield sum(reader.get_batch(i).num_rows for i in range(start))
    for i in range(start, reader.num_record_batches if end < 0 else end):
        yield reader.get_batch(i)


def _opened(stream: IO[bytes]) -> Reader:
    try:
        is_file = stream.read(len(_MAGIC)) == _MAGIC
        stream.seek(0)
        return ipc.open_file(stream) if is_file else ipc.open_stream(stream)
    except _BROKEN as error:
        raise UnreadableError(f"it is not readable Arrow: {one_line(error)}") from error


def check(file: str, names: InputSettings) -> None:
    """UnreadableError for a file that is not Arrow, or has no column with the text."""
    with open_input(file) as stream:
        columns = _opened(stream).schema.names
    if names.column("text") not in columns:
        raise MissingColumn(names.column("text"), columns)


def cut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """Ranges of record batches of about `size` bytes of the file; a stream is one unit."""
    with open_input(file) as stream:
        reader = _opened(stream)
        if isinstance(reader, ipc.RecordBatchStreamReader) or total <= size:
            return [(0, -1)]
        count = reader.num_record_batches
    parts = max(1, min(count, round(total / size)))
    cuts = [count * i // parts for i in range(parts + 1)]
    return list(zip(cuts, cuts[1:], strict=False))


SOURCE = Source("arrow", (".arrow", ".feather", ".ipc"), read, cut, check=check)
