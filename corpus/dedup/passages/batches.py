"""The documents that the passage steps read: a documents file, or batches that are already here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.errors import RunError
from corpus.folder.commit import ROWS_PER_GROUP

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
