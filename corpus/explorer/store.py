"""A build folder, opened for reading: single pages and what is known of them.

Texts and signals stay in Parquet and are read for what is asked. All statements are ours, values
are parameters; readers' own SQL runs elsewhere (`corpus.explorer.sandbox`).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq

from corpus.errors import UsageError
from corpus.explorer.tables import database, rows, table
from corpus.folder.commit import picked_rows
from corpus.folder.layout import DOCUMENTS, Layout
from corpus.index import Index
from filters.signals import SIGNALS

FOOTERS = 64  # of files that are kept, some MiB each: reading one costs as much as a row
READ = 64  # documents that are kept: a page is asked for in several ways at once
PLACE = ("file", "row")  # where a page lies, never shown
COLUMNS = (
    "id, url, host, title, source, licence, language, n_chars, date, captured, outcome, stage, "
    "rule, value, threshold, detail, kept_id, cluster, cluster_size"
)


class Store:
    """The tables of a build, its documents files, and the index of their texts."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.files = [path for path in layout.documents_files() if pq.read_metadata(path).num_rows]
        if not self.files:
            raise UsageError(f"{layout} holds no documents: run `corpus harvest` first")
        self.db = database(layout, self.files)
        quality = pq.read_schema(self.files[0]).field("quality").type
        self.signals = [name for name in SIGNALS if quality.get_field_index(name) >= 0]
        self._shards, self._ledgers = set(layout.shards()), set(layout.ledgers())
        self._lock = threading.Lock()
        self._index_of = functools.lru_cache(1)(self._opened)
        self._read = functools.lru_cache(READ)(self._whole)

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """For a thread of its own."""
        return self.db.cursor()

    # what was written meanwhile -------------------------------------------------------------------

    def changed(self) -> tuple[int, ...]:
        """When texts or their index were written: what was found before is not shown after."""
        folders = (self.layout.documents_folder, self.layout.index_folder(DOCUMENTS))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in folders)

    def index(self) -> Index | None:
        """The index of the harvested texts, if there is a fresh one."""
        with self._lock:  # of many readers one opens it
            return self._index_of(self.changed())

    def _opened(self, changed: tuple[int, ...]) -> Index | None:
        try:
            return Index(self.layout, documents=True)
        except UsageError:  # there is none, or it is of other files
            return None

    def read_footers(self) -> None:
        """Of as many files as are kept: the first reader of a file's documents does not wait."""
        for path in self.files[:FOOTERS]:
            _footer(path, path.stat().st_mtime_ns)

    # one page -------------------------------------------------------------------------------------

    def page(self, name: str) -> dict[str, Any] | None:
        """The row of `pages` of an id."""
        sql = f"select {COLUMNS}, {', '.join(PLACE)} from pages where id = $id limit 1"
        return next(iter(rows(self.cursor, sql, {"id": name})), None)

    def document(self, page: dict[str, Any]) -> dict[str, Any] | None:
        """The whole document behind a row of `pages`; None for a record that became none."""
        return self._row(page["file"], page["row"])

    def text(self, file: int, row: int) -> str:
        """The text of a document, by the index where there is one; "" where there is none."""
        index = self.index() if row >= 0 else None
        if index is not None:
            return index.text(self.files[file], row)
        found = self._row(file, row)
        return found["text"] if found else ""

    def _row(self, file: int, row: int) -> dict[str, Any] | None:
        """A row of a documents file; None where there is none (row -1)."""
        if row < 0:
            return None
        return self._read(file, row, self.files[file].stat().st_mtime_ns)

    def _whole(self, file: int, row: int, changed: int) -> dict[str, Any] | None:
        path = self.files[file]
        with pq.ParquetFile(path, metadata=_footer(path, changed)) as opened:
            for found, _, _ in picked_rows(opened, np.array([row])):
                document: dict[str, Any] = found.to_pylist()[0]
                return document
        return None

    def lookup(
        self, name: str, files: Iterable[Path], columns: list[str] | None
    ) -> list[dict[str, Any]]:
        """What `explain` asks for of an id, by where its page lies.

        Of shards: the harvested document with its cluster; its text may be published otherwise.
        """
        asked = set(files)
        if not asked:
            return []
        if asked <= self._ledgers:
            return rows(self.cursor, "select * from ledger where id = $id", {"id": name})
        page = self.page(name)
        if page is None or (asked <= self._shards and page["outcome"] != "kept"):
            return []
        if columns is not None and set(columns) <= page.keys():
            return [page]
        document = self.document(page)
        return [document | {k: page[k] for k in ("cluster", "cluster_size")}] if document else []

    def altered(self, name: str) -> list[dict[str, Any]]:
        """The ledger's rows on what was changed in a document that stays."""
        return rows(
            self.cursor,
            "select stage, rule, action, value, detail from ledger "
            "where id = $id and action in ('alter', 'mark')",
            {"id": name},
        )

    # many -----------------------------------------------------------------------------------------

    def placed(self, places: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """id, url and title of the pages at (file, row), in that order."""
        if not places:
            return []
        values = ", ".join(
            f"({n}, {int(file)}, {int(row)})" for n, (file, row) in enumerate(places)
        )
        return rows(
            self.cursor,
            f"select id, url, title from pages p join (values {values}) as v(n, file, row) "
            "on p.file = v.file and p.row = v.row order by n",
        )

    def cluster(self, name: str) -> list[dict[str, Any]]:
        """The documents of a cluster, the kept one first."""
        members = table(self.layout.duplicates_files(), "id, cluster, kind, similarity, kept_id")
        return rows(
            self.cursor,
            f"select m.id, m.kind, m.similarity, m.kept_id, p.url, p.title, p.host, p.n_chars "
            f"from {members} m join pages p using (id) where m.cluster = $cluster "
            "order by m.kind <> 'kept', m.similarity desc, m.id limit 500",
            {"cluster": name},
        )

    @functools.cached_property
    def clusters(self) -> list[dict[str, Any]]:
        """The largest clusters."""
        return rows(
            self.cursor,
            "select cluster, any_value(cluster_size) as size, any_value(title) as title, "
            "count(distinct host) as hosts from pages where cluster <> '' group by 1 "
            "order by size desc, cluster limit 100",
        )

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """outcome → pages."""
        sql = "select outcome, count(*) from pages group by 1 order by 2 desc"
        return dict(self.cursor.execute(sql).fetchall())


@functools.lru_cache(FOOTERS)
def _footer(path: Path, changed: int) -> pq.FileMetaData:
    """A file's footer."""
    return pq.read_metadata(path)
