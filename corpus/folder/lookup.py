"""Rows of Parquet files by a condition: what it looks at is read of all, the rest of few groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.commit import picked_rows


def rows_where(
    files: Iterable[Path],
    columns: list[str] | None,
    looked_at: list[str],
    wanted: Callable[[pa.Table], Any],
    numbered: str = "",
) -> list[dict[str, Any]]:
    """Rows for which `wanted` is true: `looked_at` alone is read of row groups that have none.

    numbered: a key under which each row also has its file and its number in it.
    """
    rows: list[dict[str, Any]] = []
    for path in files:
        with pq.ParquetFile(path) as file:
            first = 0
            for group in range(file.num_row_groups):
                # Groups are small: threads would cost more than they gain.
                table = file.read_row_group(group, columns=looked_at, use_threads=False)
                found = pc.indices_nonzero(wanted(table))
                if len(found):
                    own = file.read_row_group(group, columns=columns).take(found).to_pylist()
                    if numbered:
                        for row, number in zip(own, found.to_pylist(), strict=True):
                            row[numbered] = path, first + number
                    rows += own
                first += len(table)
    return rows


def rows_of(
    files: Iterable[Path],
    columns: list[str] | None,
    names: pa.Array,
    by: str = "id",
    numbered: str = "",
) -> list[dict[str, Any]]:
    """`rows_where` the column `by` is one of `names`."""
    return rows_where(files, columns, [by], lambda table: pc.is_in(table[by], names), numbered)


def rows_at(places: Iterable[tuple[Path, int]], columns: list[str]) -> list[dict[str, Any]]:
    """The rows of files at (file, row), each once: only their row groups are read."""
    files: dict[Path, set[int]] = defaultdict(set)
    for path, row in places:
        files[path].add(row)
    found: list[dict[str, Any]] = []
    for path, own in files.items():
        with pq.ParquetFile(path) as file:
            for table, *_ in picked_rows(file, np.array(sorted(own)), columns):
                found += table.to_pylist()
    return found
