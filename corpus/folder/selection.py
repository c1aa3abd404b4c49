"""Which rows of a documents file are still in: what select and the stages after it hand on.

Each of these stages writes state/STAGE/NNNNNNN.parquet, a row per document that it keeps, with the
columns of select.SELECTED and, from `trim` on, the altered text and a weight. The next stage reads
the file of the last one before it that ran.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder import commit
from corpus.folder.schema import LEDGER

CHAIN = ("select", "trim", "decontaminate", "publish")
WEIGHT = pa.field("weight", pa.float32())
TEXT = pa.field("text", pa.string())  # null: as harvested
ABOUT = ("id", "url", "host", "source_file", "source_offset", "text")


def path_of(root: Path, index: int, before: str) -> Path:
    """The rows that the last stage before `before` kept of documents file `index`."""
    for stage in reversed(CHAIN[: CHAIN.index(before)]):
        path = root / "state" / stage / f"{index:07d}.parquet"
        if path.exists():
            return path
    raise FileNotFoundError(path)


def digest(root: Path, files: int, before: str) -> str:
    """Names the rows that all documents files have left, for the receipt of what is made of them.

    It hashes the rows' meaning, not the files: a stage that is done anew alike changes nothing.
    """
    total = hashlib.sha256()
    for index in range(files):
        total.update(commit.sha256(path_of(root, index, before)).encode())
    return total.hexdigest()


def read(root: Path, index: int, before: str) -> pa.Table:
    """All rows that are left, with `weight` and `text` in any case."""
    table = pq.read_table(path_of(root, index, before))
    if "weight" not in table.column_names:
        table = table.append_column(WEIGHT, pa.array(np.ones(len(table), np.float32)))
    if "text" not in table.column_names:
        table = table.append_column(TEXT, pa.nulls(len(table), pa.string()))
    return table


def texts(root: Path, index: int, before: str) -> Iterator[pa.RecordBatch]:
    """ABOUT and `row` of the rows that are left, altered texts in place, a row group at a time."""
    chosen = read(root, index, before)
    rows = chosen["row"].to_numpy()
    with pq.ParquetFile(root / "documents" / f"{index:07d}.parquet") as file:
        for table, low, high in commit.picked_rows(file, rows, list(ABOUT)):
            altered = pc.coalesce(chosen["text"].slice(low, high - low), table["text"])
            table = table.set_column(table.schema.get_field_index("text"), "text", altered)
            table = table.append_column("row", chosen["row"].slice(low, high - low))
            yield from table.combine_chunks().to_batches()


def ledger_rows(about: pa.Table, stage: str, **columns: object) -> pa.Table:
    """Rows of schema.LEDGER: place and name of documents `about`, and the columns given.

    A column is an array, or a value for all rows; those left out are null.
    """
    n = about.num_rows
    columns = {"stage": stage, "kept_id": "", **columns}
    arrays = []
    for field in LEDGER:
        value = columns.get(field.name)
        if value is None and field.name in about.column_names:
            value = about[field.name]
        if not isinstance(value, pa.Array | pa.ChunkedArray | np.ndarray | list):
            value = pa.repeat(pa.scalar(value, field.type), n)
        arrays.append(value if isinstance(value, pa.ChunkedArray) else pa.array(value, field.type))
    return pa.table(arrays, schema=pa.schema([f.with_nullable(True) for f in LEDGER]))
