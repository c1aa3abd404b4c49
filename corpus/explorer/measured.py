"""What was measured of all documents: the values of a signal, and where its documents lie.

A signal is read once from all files and kept, the last HELD of them, until documents are written
anew: of a million documents it takes 4 MB.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import config
from corpus.answers.compare import documents_of
from corpus.folder import removals
from corpus.folder.layout import Layout
from corpus.folder.signals import signals_of
from filters.signals import as_numbers

HELD = 48  # signals


class Measured:
    """Of n documents, in the order of their files, those that were taken out left out.

    files, rows: int64[n], the number of the file among those with documents, and the row in it.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.indices = documents_of(layout)
        self.there = [removals.left(layout, index) for index in self.indices]
        rows = [
            np.arange(pq.read_metadata(layout.documents(index)).num_rows) if left is None else left
            for index, left in zip(self.indices, self.there, strict=True)
        ]
        self.rows = np.concatenate(rows)
        self.files = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
        self._lists = config.of_folder(layout)[0].select.word_lists
        self._values: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()  # a signal is read once, whoever asks

    def values(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Signal → number[n]; files are opened once for all that are not held."""
        with self._lock:
            wanted = list(dict.fromkeys(names))
            found = {name: self._values.pop(name) for name in wanted if name in self._values}
            missing = [name for name in wanted if name not in found]
            if missing:
                found |= self._read(missing)
            self._values |= found  # those asked for last at the end
            for name in list(self._values)[:-HELD]:
                del self._values[name]
            return found

    def _read(self, names: list[str]) -> dict[str, np.ndarray]:
        parts: dict[str, list[pa.Array]] = {name: [] for name in names}
        for index, there in zip(self.indices, self.there, strict=True):
            for name, column in signals_of(self.layout, index, names, self._lists, there).items():
                parts[name].append(column)
        return {name: as_numbers(pa.concat_arrays(each)) for name, each in parts.items()}


@functools.lru_cache(2)
def _measured(layout: Layout, changed: int) -> Measured:
    return Measured(layout)


_LOCK = threading.Lock()


def measured(layout: Layout) -> Measured:
    """Of a build as its documents are now."""
    with _LOCK:
        return _measured(layout, layout.documents_folder.stat().st_mtime_ns)
