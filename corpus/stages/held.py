"""Rows of a unit that wait, packed, until all of its pages were read.

What a site repeats shows only when all pages of the unit are there, and so does where an address
moved. A row takes 5 to 6 kB as Python objects, and about 1 kB here.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

Row = dict[str, Any]

ROWS_PER_PACK = 256


class HeldRows:
    """Rows in the order in which they were added; `hosts` counts them by host."""

    def __init__(self) -> None:
        self.hosts = Counter[str]()
        self._packs: list[tuple[bytes, int]] = []
        self._open: list[Row] = []

    def add(self, row: Row) -> None:
        self.hosts[row["host"]] += 1
        self._open.append(row)
        if len(self._open) == ROWS_PER_PACK:
            # Made in this process and read by it alone: pickled rows are no input.
            data = pickle.dumps(self._open, pickle.HIGHEST_PROTOCOL)
            self._packs.append((pa.compress(data, "lz4", asbytes=True), len(data)))
            self._open = []

    def packs(self) -> Iterator[list[Row]]:
        """The rows, some at a time; each time anew."""
        for packed, size in self._packs:
            yield pickle.loads(pa.decompress(packed, size, "lz4", asbytes=True))
        yield self._open
