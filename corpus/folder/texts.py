"""The texts of a documents file as signals and classifiers read them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.text import views


def plain_texts(path: Path) -> pa.Array:
    """The plain views (docs/text.md) of all rows of a documents file."""
    with pq.ParquetFile(path) as file:
        names = [name for name in views.COLUMNS if name in file.schema_arrow.names]
        return views.plain_of(file.read(columns=names))
