"""Which rows of a documents file are still in: what select and the stages after it hand on.

Each of these stages writes a row per document that it keeps, with the columns of SELECTED and, from
`trim` on, the altered text with its blocks, and a weight. The next stage reads the file of the last
one before it that ran: `chain` names those that may have, in their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.commit import picked_rows, sha256
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.schema import LEDGER
from corpus.settings import Settings
from corpus.text.blocks import BLOCKS_TYPE

SELECTED = pa.schema(
    [
        pa.field("row", pa.int32(), metadata={"description": "row in the documents file"}),
        pa.field("n_bytes", pa.int32()),
        pa.field("cluster", pa.string()),
        pa.field("cluster_size", pa.int32()),
        pa.field("robots_txt", pa.list_(pa.string())),
        pa.field("robots_usage", pa.list_(pa.string())),
    ]
)
WEIGHT = pa.field("weight", pa.float32())
TEXT = pa.field("text", pa.string())  # null: as harvested
BLOCKS = pa.field("blocks", BLOCKS_TYPE)  # of TEXT, null where that is
ABOUT = ("id", "url", "host", "source_file", "source_offset", "text", "blocks", "format")


def path_of(layout: Layout, index: int, chain: tuple[str, ...]) -> Path:
    """The rows that the last stage of `chain` kept of documents file `index`."""
    for stage in reversed(chain):
        path = layout.rows(stage, index)
        if path.exists():
            return path
    raise FileNotFoundError(path)


def digest(layout: Layout, files: range, chain: tuple[str, ...]) -> str:
    """Names the rows that all documents files have left, for the receipt of what is made of them.

    It hashes the rows' meaning, not the files: a stage that is done anew alike changes nothing.
    """
    total = hashlib.sha256()
    for index in files:
        total.update(sha256(path_of(layout, index, chain)).encode())
    return total.hexdigest()


def read(layout: Layout, index: int, chain: tuple[str, ...]) -> pa.Table:
    """All rows that are left, with `weight`, `text` and `blocks` in any case."""
    table = pq.read_table(path_of(layout, index, chain))
    if "weight" not in table.column_names:
        table = table.append_column(WEIGHT, pa.array(np.ones(len(table), np.float32)))
    if "text" not in table.column_names:
        table = table.append_column(TEXT, pa.nulls(len(table), TEXT.type))
    if "blocks" not in table.column_names:
        table = table.append_column(BLOCKS, pa.nulls(len(table), BLOCKS.type))
    return table


def with_texts(table: pa.Table, left: pa.Table) -> pa.Table:
    """Documents with the altered texts of `left` (row for row) in place, and their blocks."""
    altered = pc.is_valid(left["text"])
    if not pc.any(altered).as_py():
        return table
    for field in (TEXT, BLOCKS):
        column = pc.if_else(altered, left[field.name], table[field.name])
        at = table.schema.get_field_index(field.name)
        table = table.set_column(at, table.schema.field(at), column)
    return table


def texts(layout: Layout, index: int, chain: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    """ABOUT and `row` of the rows that are left, altered texts in place, a row group at a time."""
    left = read(layout, index, chain)
    rows = left["row"].to_numpy()
    with pq.ParquetFile(layout.documents(index)) as file:
        for table, low, high in picked_rows(file, rows, list(ABOUT)):
            picked = left.slice(low, high - low)
            table = with_texts(table, picked).append_column("row", picked["row"])
            yield from table.combine_chunks().to_batches()


def ledger_rows(documents: pa.Table, stage: str, **columns: object) -> pa.Table:
    """Rows of schema.LEDGER: place and name of `documents`, and the columns given.

    A column is an array, or a value for all rows; those left out are null.
    """
    n = documents.num_rows
    columns = {"stage": stage, "kept_id": "", **columns}
    arrays = []
    for field in LEDGER:
        value = columns.get(field.name)
        if value is None and field.name in documents.column_names:
            value = documents[field.name]
        if not isinstance(value, pa.Array | pa.ChunkedArray | np.ndarray | list):
            value = pa.repeat(pa.scalar(value, field.type), n)
        arrays.append(value if isinstance(value, pa.ChunkedArray) else pa.array(value, field.type))
    return pa.table(arrays, schema=pa.schema([f.with_nullable(True) for f in LEDGER]))


@dataclass(frozen=True)
class Selected:
    """The rows that are left of a documents file, as a unit of work; picklable."""

    folder: Folder
    index: int
    chain: tuple[str, ...]
    settings: Settings
    made_from: str  # names what all units of the stage are made from

    def __str__(self) -> str:
        return str(self.layout.documents(self.index))

    @property
    def layout(self) -> Layout:
        return self.folder.layout

    def read(self) -> pa.Table:
        return read(self.layout, self.index, self.chain)

    def texts(self) -> Iterator[pa.RecordBatch]:
        return texts(self.layout, self.index, self.chain)
