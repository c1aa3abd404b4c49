"""Parquet: a row a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import UnreadableError, one_line
from corpus.settings import InputSettings, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Item, Unit
from corpus.sources.rows import MissingColumn, python_rows, row_item, wanted_columns
from corpus.sources.source import Source

ROWS = 1024  # of a batch


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A row per document; `offset` is the row number. The unit's range is in row groups."""
    file, names = unit.files[0], settings.input
    with open_input(file) as stream:
        table = _opened(stream)
        columns = wanted_columns(names, table.schema_arrow.names)
        # Group by group: a damaged one costs its rows from the damage on, the others are read.
        end = table.num_row_groups if unit.end < 0 else unit.end
        row = sum(table.metadata.row_group(i).num_rows for i in range(unit.start))
        for group in range(unit.start, end):
            count = table.metadata.row_group(group).num_rows
            done = 0
            try:
                for batch in table.iter_batches(ROWS, row_groups=[group], columns=columns):
                    for values in python_rows(batch):
                        yield row_item(Item(file, row + done, 0), values, names)
                        done += 1
            except (pa.ArrowException, OSError, ValueError) as error:
                yield Item(
                    file,
                    row + done,
                    0,
                    problem="unreadable",
                    value=float(count - done),
                    detail=f"row group {group}, {count - done} rows lost: {one_line(error)}",
                )
            row += count


def _opened(stream: IO[bytes]) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(stream)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(f"it is not readable Parquet: {one_line(error)}") from error


def check(file: str, names: InputSettings) -> None:
    """UnreadableError for a file that is not Parquet, or has no column with the text."""
    with open_input(file) as stream:
        columns = _opened(stream).schema_arrow.names
    if names.column("text") not in columns:
        raise MissingColumn(names.column("text"), columns)


def cut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """Ranges of row groups of about `size` bytes; UnreadableError for a file that is not one."""
    with open_input(file) as stream:
        metadata = _opened(stream).metadata
    sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
    ranges, start, held = [], 0, 0
    for group, bytes_ in enumerate(sizes):
        held += bytes_
        if held >= size:
            ranges.append((start, group + 1))
            start, held = group + 1, 0
    if start < len(sizes) or not ranges:
        ranges.append((start, len(sizes)))
    return ranges


SOURCE = Source("parquet", (".parquet", ".pq"), read, cut, check=check)
