"""The documents that the passage steps read and alter.

They come as a documents file, or as batches that are already here. Few of them are altered: those
are taken out as texts and blocks, and put back into the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import RunError
from corpus.folder.commit import ROWS_PER_GROUP
from corpus.text import views
from corpus.text.blocks import Blocks, rows_of, to_arrow

Documents = Path | Iterable[pa.RecordBatch]


def batches_of(documents: Documents, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Batches with those of `columns` that are there; given batches pass through as they are.

    Raises RunError for a file without the column text.
    """
    if not isinstance(documents, Path):
        yield from documents
        return
    with pq.ParquetFile(documents) as file:
        names = file.schema_arrow.names
        if "text" not in names:
            raise RunError(f"{documents} has no column text: it is no documents file")
        wanted = [name for name in columns if name in names]
        yield from file.iter_batches(ROWS_PER_GROUP, columns=wanted)


def read_rows(documents: pa.Table, rows: np.ndarray) -> Iterator[tuple[int, str, Blocks, bool]]:
    """(row, text, blocks, whether the text is Markdown) of some rows (int64[m]) of documents."""
    names = [name for name in views.COLUMNS if name in documents.column_names]
    texts, blocks, formats = views.columns_of(documents.select(names).take(pa.array(rows)))
    columns = texts.to_pylist(), rows_of(blocks), views.is_signed(formats).tolist()
    for row, text, own, signed in zip(rows.tolist(), *columns, strict=True):
        yield row, text or "", own, signed


def with_texts(
    documents: pa.Table, rows: np.ndarray, new: Sequence[tuple[str, Blocks]]
) -> pa.Table:
    """The documents with other texts and blocks in some rows (int64[m])."""
    if not len(rows):
        return documents
    choice = np.arange(len(documents))
    choice[rows] = len(documents) + np.arange(len(rows))
    texts, blocks = zip(*new, strict=True)
    for name, values in (("text", pa.array(texts)), ("blocks", to_arrow(blocks))):
        at = documents.schema.get_field_index(name)
        if at >= 0:
            field = documents.schema.field(at)
            every = pa.chunked_array([*documents[name].chunks, values.cast(field.type)], field.type)
            documents = documents.set_column(at, field, every.take(pa.array(choice)))
    return documents
