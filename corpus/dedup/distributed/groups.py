"""Files between units of work: a Parquet file whose row group g is what the unit g reads of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.folder.commit import commit


def write_groups(path: Path, table: pa.Table, ends: np.ndarray, compression: str = "zstd") -> None:
    """Commit a file whose row group g holds the rows ends[g]:ends[g + 1], none perhaps."""

    def write(file: Any) -> None:
        with pq.ParquetWriter(file, table.schema, compression=compression) as writer:
            for low, high in zip(ends, ends[1:], strict=False):
                writer.write_table(table.slice(low, high - low), row_group_size=max(1, high - low))

    commit(path, write)


def read_group(paths: Sequence[Path], schema: pa.Schema, group: int) -> pa.Table:
    """Row group `group` of all files."""
    parts = [schema.empty_table()]
    for path in paths:
        with pq.ParquetFile(path) as file:
            parts.append(file.read_row_group(group))
    return pa.concat_tables(parts)
