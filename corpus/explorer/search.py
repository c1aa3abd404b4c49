"""Searching a build: lists of pages with facets and snippets, and exports of a selection.

A string in texts is looked up in the index of substrings where the build has one of its harvested
documents. What a list tells of all its pages is found once, for whatever page of it is shown.
"""

from __future__ import annotations

import functools
import io
import json
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.answers.spreadsheet import write_csv
from corpus.errors import UsageError
from corpus.explorer.filter import SHOWN, Filter, number
from corpus.explorer.measured import measured
from corpus.explorer.store import COLUMNS, Store
from corpus.explorer.tables import PLACED, Limited, rows
from corpus.folder.sql import quoted

FACETS = ("outcome", "rule", "host", "source", "licence", "language")
EXACT = ("outcome", "rule", "stage", "source", "licence", "language", "cluster")
VALUES = 12  # of a facet
EXPORTED = 100_000  # pages of an export
PLACES = 1_000_000  # of a string; one that stands more often is looked for in the texts
KEPT = 256  # answers that are kept
FORMATS = {  # format → media type
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
AT = "select p.rowid from pages p semi join {} t on p.file = t.file and p.row = t.row"
WITH_TEXT = pa.schema([("file", pa.int64()), ("row", pa.int64())])
Changed = tuple[int, ...]  # of Store.changed


class Search:
    """Lists of the pages of a store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._documents = f"read_parquet({quoted(store.files)}, {PLACED})"
        self._answers = functools.lru_cache(KEPT)(self._search)
        self._summaries: dict[tuple[Filter, Changed], dict[str, Any]] = {}

    def search(self, wanted: Filter) -> dict[str, Any]:
        """{total, characters, pages: rows with a snippet, facets: column → [value, pages]}."""
        return self._answers(wanted, self.store.changed())

    def _search(self, wanted: Filter, changed: Changed) -> dict[str, Any]:
        with Limited(self.store.db) as db:
            hits, values = self._hits(db, wanted)
            pages = rows(
                db,
                f"select {COLUMNS}, file, row from {hits} order by n_chars desc, id limit {SHOWN} "
                f"offset {wanted.offset}",
                values,
            )
            key = wanted.unpaged(), changed
            summary = self._summaries.get(key) or _summary(db, hits, values)
        if len(self._summaries) >= KEPT:
            self._summaries.clear()
        self._summaries[key] = summary
        for page in pages:
            page["snippet"] = _snippet(self.store.text(page.pop("file"), page.pop("row")), wanted.q)
        return summary | {"pages": pages}

    def _hits(self, db: duckdb.DuckDBPyConnection, wanted: Filter) -> tuple[str, dict[str, Any]]:
        """A subquery of the pages that are meant, and its values."""
        values = {name: value for name in EXACT if (value := getattr(wanted, name))}
        where = [f"{name} = ${name}" for name in values] or ["true"]
        if wanted.url:
            is_id = self.store.page(wanted.url) is not None
            where.append("id = $url" if is_id else "contains(url, $url)")
            values["url"] = wanted.url
        if wanted.host:
            where.append("(host = $host or ends_with(host, '.' || $host))")
            values["host"] = wanted.host.lower()
        if wanted.q:
            self._with_text(db, wanted.q)
            titled = "select rowid from pages where contains(title, $q)"
            where.append(f"rowid in ({AT.format('with_text')} union {titled})")
            values["q"] = wanted.q
        if wanted.signal and self._with_signal(db, wanted):
            where.append(f"rowid in ({AT.format('with_signal')})")
        meant = f"(from pages where {' and '.join(where)})"
        if wanted.q or wanted.url or wanted.signal:  # costly: once, not for each of the answers
            db.execute(f"create temp table hits as from {meant}", values)
            return "hits", {}
        return meant, values

    def _with_text(self, db: duckdb.DuckDBPyConnection, q: str) -> None:
        """Make the table `with_text` (file, row): by the index, else by reading all texts."""
        index = self.store.index()
        if index is None or index.count(q) > PLACES:
            db.execute(
                "create temp table with_text as select number as file, file_row_number as row "
                f"from {self._documents} join files on path = filename where contains(text, $q)",
                {"q": q},
            )
            return
        numbers = {path: number for number, path in enumerate(self.store.files)}
        parts = [
            pa.table({"file": np.full(len(found), numbers[path], np.int64), "row": found})
            for path, found in index.rows(q).items()
        ]
        db.register("with_text", pa.concat_tables([WITH_TEXT.empty_table(), *parts]))

    def _with_signal(self, db: duckdb.DuckDBPyConnection, wanted: Filter) -> bool:
        """Make the table `with_signal` (file, row); false where no limit is asked for."""
        least, most = wanted.least, wanted.most
        if wanted.signal not in self.store.signals:
            raise UsageError(f"unknown signal {wanted.signal!r}: see the list of signals")
        if not (least or most):
            return False
        documents = measured(self.store.layout)
        values = documents.values([wanted.signal])[wanted.signal]
        low, high = (number(least or "-inf"), number(most or "inf"))
        at = np.flatnonzero((values >= low) & (values <= high))
        places = {"file": documents.files[at], "row": documents.rows[at]}
        db.register("with_signal", pa.table(places))
        return True

    def export(self, wanted: Filter, kind: str, with_text: bool) -> bytes:
        """The pages of a filter as a file of FORMATS, at most EXPORTED."""
        with Limited(self.store.db) as db:
            hits, values = self._hits(db, wanted)
            text = f"left join (select id, text from {self._documents}) using (id)"
            sql = f"select {COLUMNS}{', text' if with_text else ''} from {hits} "
            sql += f"{text if with_text else ''} order by id limit {EXPORTED}"
            table: pa.Table = db.execute(sql, values).to_arrow_table()
        if kind == "parquet":
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd")
            return bytes(sink.getvalue().to_pybytes())
        found = table.to_pylist()
        if kind == "json":
            return json.dumps(found, ensure_ascii=False, default=str).encode()
        lines = io.StringIO()
        write_csv(lines, table.column_names, (list(row.values()) for row in found))
        return lines.getvalue().encode()


def _summary(db: duckdb.DuckDBPyConnection, hits: str, values: dict[str, Any]) -> dict[str, Any]:
    """What a list tells of all its pages: total, characters, facets."""
    total, characters = db.execute(
        f"select count(*), coalesce(sum(n_chars), 0)::bigint from {hits}", values
    ).fetchone() or (0, 0)
    facets = {
        column: db.execute(
            f"select {column}, count(*) from {hits} where {column} <> '' group by 1 "
            f"order by 2 desc, 1 limit {VALUES}",
            values,
        ).fetchall()
        for column in FACETS
    }
    return {"total": total, "characters": characters, "facets": facets}


def _snippet(text: str, q: str) -> str:
    """What stands around a string in a text, or its beginning."""
    at = text.find(q) if q else 0
    return text[max(0, at - 40) :][:160]
