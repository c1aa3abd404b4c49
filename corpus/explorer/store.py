"""What the explorer searches: a row for every page of a build, with its fate, in a DuckDB table.

    documents ─┬─ ledger (what dropped it) ─┬─ duplicates ─▶ pages (in memory, without texts)
               └─ records that never became documents ┘

Texts and signals stay in Parquet and are read for what is asked; a string in texts is looked up in
the index of substrings where the build has one of its harvested documents. All statements are ours,
values are parameters; readers' own SQL runs elsewhere (`corpus.explorer.sandbox`).
"""

from __future__ import annotations

import functools
import io
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.answers.spreadsheet import write_csv
from corpus.errors import UsageError
from corpus.explorer.sandbox import limited
from corpus.folder.commit import picked_rows
from corpus.folder.layout import DOCUMENTS, Layout
from corpus.folder.sql import quoted
from corpus.index import Index
from filters.signals import SIGNALS

SECONDS = 10.0  # a search may take
SHOWN = 50  # pages of a list
FACETS = ("outcome", "rule", "host", "source", "licence", "language")
VALUES = 12  # of a facet
EXPORTED = 100_000  # pages of an export
PLACES = 1_000_000  # of a string; one that stands more often is looked for in the texts
KEPT = 256  # answers that are kept
PLACE = ("file", "row", "shard", "shard_row")  # where a page lies, never shown
FORMATS = {  # format → media type
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
COLUMNS = (
    "id, url, host, title, source, licence, language, n_chars, date, captured, outcome, stage, "
    "rule, value, threshold, detail, kept_id, cluster, cluster_size"
)

PLACED = "union_by_name=true, filename=true, file_row_number=true"
LEDGER = (
    "stage, rule, action, id, url, source_file, source_offset, value, threshold, kept_id, detail"
)
WITH_TEXT = pa.schema([("file", pa.int64()), ("row", pa.int64())])


@dataclass(frozen=True)
class Filter:
    """What a reader asks for; empty fields ask for nothing."""

    q: str = ""  # in the text
    url: str = ""  # in the address
    host: str = ""  # the host and those below it
    outcome: str = ""
    rule: str = ""
    stage: str = ""
    source: str = ""
    licence: str = ""
    language: str = ""
    cluster: str = ""
    signal: str = ""
    least: str = ""
    most: str = ""
    page: str = ""

    @staticmethod
    def of(values: dict[str, str]) -> Filter:
        """From the parameters of an address; UsageError for a value that cannot be one."""
        known = {f.name: values.get(f.name, "").strip()[:500] for f in fields(Filter)}
        found = Filter(**known)
        if found.signal and found.signal not in SIGNALS:
            raise UsageError(f"unknown signal {found.signal!r}: see the list of signals")
        for number in (found.least, found.most):
            if number:
                _number(number)
        return found

    def asked(self) -> dict[str, str]:
        """The fields that are not empty, without the number of the list."""
        return {
            f.name: v for f in fields(self) if (v := getattr(self, f.name)) and f.name != "page"
        }

    @property
    def offset(self) -> int:
        return SHOWN * (min(int(self.page), 10_000) if self.page.isdecimal() else 0)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text} is no number") from None


class Store:
    """A build folder, opened for reading."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        files = [path for path in layout.documents_files() if pq.read_metadata(path).num_rows]
        if not files:
            raise UsageError(f"{layout} holds no documents: run `corpus harvest` first")
        self._documents = f"read_parquet({quoted(files)}, union_by_name=true)"
        self._files = [*files, *layout.shards()]
        self._base = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "2GB"})
        numbers = {"path": list(map(str, self._files)), "number": range(len(self._files))}
        self._base.register("numbers", pa.table(numbers))
        self._base.execute("create table files as from numbers")
        self._base.execute(f"create table ledger as from {_table(layout.ledgers(), LEDGER)}")
        self._base.execute(self._pages_sql())
        self._lock = threading.Lock()
        self._answers = functools.lru_cache(KEPT)(self._search)
        self._index_of = functools.lru_cache(1)(self._opened)

    def _pages_sql(self) -> str:
        """The table of pages, from whichever of the tables the build has."""
        layout = self.layout
        duplicates = _table(layout.duplicates_files(), "id, cluster, cluster_size")
        shards = _table(layout.shards(), "id, filename, file_row_number")
        # Files with the same name in another place would be other files: names are paths here.
        documents = self._documents.replace("union_by_name=true", PLACED)
        return f"""
            create table pages as
            with fate as (
                select id, any_value(stage) as stage, any_value(rule) as rule,
                       any_value(action) as action, any_value(url) as url,
                       any_value(value) as value, any_value(threshold) as threshold,
                       any_value(kept_id) as kept_id, any_value(detail) as detail
                from ledger where action in ('drop', 'skip') group by id
            )
            select d.id, d.url, d.host, d.title, d.source, d.licence, d.language, d.n_chars,
                   d.date, d.captured, n.number as file, d.file_row_number as row,
                   coalesce(s.shard, -1) as shard, coalesce(s.shard_row, -1) as shard_row,
                   case when f.id is not null then 'dropped' when s.id is not null then 'kept'
                        else 'undecided' end as outcome,
                   coalesce(f.stage, '') as stage, coalesce(f.rule, '') as rule, f.value,
                   f.threshold, coalesce(f.detail, '') as detail,
                   coalesce(f.kept_id, '') as kept_id, coalesce(u.cluster, '') as cluster,
                   coalesce(u.cluster_size, 1) as cluster_size
            from {documents} d join files n on n.path = d.filename left join fate f using (id)
            left join (select id, any_value(n.number) as shard,
                       any_value(file_row_number) as shard_row
                       from {shards} join files n on n.path = filename group by id) s using (id)
            left join (select id, any_value(cluster) as cluster,
                       any_value(cluster_size) as cluster_size
                       from {duplicates} group by id) u using (id)
            union all
            select id, url, regexp_extract(lower(url), '^[a-z]+://([^/:?#]+)', 1), '', '', '', '',
                   0, '', '', -1, -1, -1, -1,
                   case action when 'skip' then 'skipped' else 'dropped' end, stage,
                   rule, value, threshold, detail, coalesce(kept_id, ''), '', 1
            from fate where id not in (select id from {self._documents})
        """

    # searching ------------------------------------------------------------------------------------

    def search(self, wanted: Filter) -> dict[str, Any]:
        """{total, characters, pages: rows with a snippet, facets: column → [value, pages]}."""
        return self._answers(wanted, self._changed())

    def _changed(self) -> tuple[int, ...]:
        """When texts or their index were written: what was found before is not shown after."""
        folders = (self.layout.documents_folder, self.layout.index_folder(DOCUMENTS))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in folders)

    def _search(self, wanted: Filter, changed: tuple[int, ...]) -> dict[str, Any]:
        with _Hits(self._base.cursor()) as db:
            hits, values = self._hits(db, wanted)
            total, characters = db.execute(
                f"select count(*), coalesce(sum(n_chars), 0)::bigint from {hits}", values
            ).fetchone() or (0, 0)
            pages = _rows(
                db,
                f"select {COLUMNS}, file, row from {hits} order by n_chars desc, id limit {SHOWN} "
                f"offset {wanted.offset}",
                values,
            )
            facets = {
                column: db.execute(
                    f"select {column}, count(*) from {hits} where {column} <> '' group by 1 "
                    f"order by 2 desc, 1 limit {VALUES}",
                    values,
                ).fetchall()
                for column in FACETS
            }
        for page in pages:
            page["snippet"] = _snippet(self._text(page.pop("file"), page.pop("row")), wanted.q)
        return {"total": total, "characters": characters, "pages": pages, "facets": facets}

    def _text(self, file: int, row: int) -> str:
        index = self._index() if row >= 0 else None
        if index is not None:
            return index.text(self._files[file], row)
        found = self._row(file, row, ["text"])
        return found["text"] if found else ""

    def _hits(self, db: duckdb.DuckDBPyConnection, wanted: Filter) -> tuple[str, dict[str, Any]]:
        """A subquery of the pages that are meant, and its values; for at most SECONDS."""
        where, values = ["true"], dict[str, Any]()
        for name in ("outcome", "rule", "stage", "source", "licence", "language", "cluster"):
            if value := getattr(wanted, name):
                where.append(f"{name} = ${name}")
                values[name] = value
        if wanted.url:
            where.append("(contains(url, $url) or id = $url)")
            values["url"] = wanted.url
        if wanted.host:
            where.append("(host = $host or ends_with(host, '.' || $host))")
            values["host"] = wanted.host.lower()
        if wanted.q:
            where.append("((file, row) in (from with_text) or contains(title, $q))")
            values["q"] = wanted.q
            self._with_text(db, wanted.q)
        if wanted.signal:  # one of SIGNALS
            limits = [
                f"quality.{wanted.signal} {sign} {_number(limit)!r}"
                for sign, limit in ((">=", wanted.least), ("<=", wanted.most))
                if limit
            ]
            if limits:
                found = f"select id from {self._documents} where {' and '.join(limits)}"
                db.execute(f"create temp table with_signal as {found}")
                where.append("id in (from with_signal)")
        meant = f"(select * from pages where {' and '.join(where)})"
        if wanted.q or wanted.url or wanted.signal:  # costly: once, not for each of the answers
            db.execute(f"create temp table hits as from {meant}", values)
            return "hits", {}
        return meant, values

    def _with_text(self, db: duckdb.DuckDBPyConnection, q: str) -> None:
        """Make the table `with_text` (file, row): by the index, else by reading all texts."""
        index = self._index()
        if index is None or index.count(q) > PLACES:
            documents = self._documents.replace("union_by_name=true", PLACED)
            db.execute(
                f"create temp table with_text as select number as file, file_row_number as row "
                f"from {documents} join files on path = filename where contains(text, $q)",
                {"q": q},
            )
            return
        numbers = {path: number for number, path in enumerate(self._files)}
        parts = [
            pa.table({"file": np.full(len(rows), numbers[path], np.int64), "row": rows})
            for path, rows in index.rows(q).items()
        ]
        db.register("with_text", pa.concat_tables([WITH_TEXT.empty_table(), *parts]))

    def _index(self) -> Index | None:
        with self._lock:  # of many readers one opens it
            return self._index_of(self._changed())

    def _opened(self, changed: tuple[int, ...]) -> Index | None:
        try:
            return Index(self.layout, documents=True)
        except UsageError:  # there is none, or it is of other files
            return None

    def export(self, wanted: Filter, kind: str, with_text: bool) -> bytes:
        """The pages of a filter as a file of FORMATS, at most EXPORTED."""
        with _Hits(self._base.cursor()) as db:
            hits, values = self._hits(db, wanted)
            text = f"left join (select id, text from {self._documents}) using (id)"
            sql = f"select {COLUMNS}{', text' if with_text else ''} from {hits} "
            sql += f"{text if with_text else ''} order by id limit {EXPORTED}"
            table: pa.Table = db.execute(sql, values).to_arrow_table()
        if kind == "parquet":
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd")
            return bytes(sink.getvalue().to_pybytes())
        rows = table.to_pylist()
        if kind == "json":
            return json.dumps(rows, ensure_ascii=False, default=str).encode()
        lines = io.StringIO()
        write_csv(lines, table.column_names, (list(row.values()) for row in rows))
        return lines.getvalue().encode()

    # one page -------------------------------------------------------------------------------------

    def page(self, name: str) -> dict[str, Any] | None:
        """The row of `pages` of an id."""
        db = self._base.cursor()
        rows = _rows(db, f"select {COLUMNS}, {', '.join(PLACE)} from pages where id = $id limit 1",
                     {"id": name})  # fmt: skip
        return rows[0] if rows else None

    def document(self, page: dict[str, Any]) -> dict[str, Any] | None:
        """The whole document behind a row of `pages`; None for a record that became none."""
        return self._row(page["file"], page["row"])

    def _row(self, file: int, row: int, columns: list[str] | None = None) -> dict[str, Any] | None:
        """A row of a file of documents or shards; None where there is none (row -1)."""
        if row < 0:
            return None
        path = self._files[file]
        with pq.ParquetFile(path, metadata=_footer(path, path.stat().st_mtime_ns)) as opened:
            for table, _, _ in picked_rows(opened, np.array([row]), columns):
                found: dict[str, Any] = table.to_pylist()[0]
                return found
        return None

    def lookup(
        self, name: str, files: Iterable[Path], columns: list[str] | None
    ) -> list[dict[str, Any]]:
        """What `explain` asks for of an id, by where its page lies."""
        files = list(files)
        if files == self.layout.ledgers():
            db = self._base.cursor()
            return _rows(db, "select * from ledger where id = $id", {"id": name})
        page = self.page(name)
        if page is None or not files:
            return []
        own = ("shard", "shard_row") if files[0] in self.layout.shards() else ("file", "row")
        row = self._row(page[own[0]], page[own[1]], columns)
        return [row] if row else []

    def altered(self, name: str) -> list[dict[str, Any]]:
        """The ledger's rows on what was changed in a document that stays."""
        return _rows(
            self._base.cursor(),
            "select stage, rule, action, value, detail from ledger "
            "where id = $id and action in ('alter', 'mark')",
            {"id": name},
        )

    def cluster(self, name: str) -> list[dict[str, Any]]:
        """The documents of a cluster, the kept one first."""
        members = _table(self.layout.duplicates_files(), "id, cluster, kind, similarity, kept_id")
        return _rows(
            self._base.cursor(),
            f"select m.id, m.kind, m.similarity, m.kept_id, p.url, p.title, p.host, p.n_chars "
            f"from {members} m join pages p using (id) where m.cluster = $cluster "
            "order by m.kind <> 'kept', m.similarity desc, m.id limit 500",
            {"cluster": name},
        )

    def clusters(self) -> list[dict[str, Any]]:
        """The largest clusters."""
        return _rows(
            self._base.cursor(),
            "select cluster, any_value(cluster_size) as size, any_value(title) as title, "
            "count(distinct host) as hosts from pages where cluster <> '' group by 1 "
            "order by size desc, cluster limit 100",
        )

    def counts(self) -> dict[str, Any]:
        """outcome → pages."""
        return dict(
            self._base.cursor()
            .execute("select outcome, count(*) from pages group by 1 order by 2 desc")
            .fetchall()
        )


class _Hits:
    """A cursor that works for at most SECONDS."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db, self._limit = db, limited(db, SECONDS)

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._limit.__enter__()
        return self._db

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._limit.__exit__(None, None, None)
        self._db.close()
        if isinstance(error, duckdb.InterruptException):
            raise UsageError(f"the search took longer than {SECONDS:g} seconds") from error


@functools.lru_cache(KEPT)
def _footer(path: Path, changed: int) -> pq.FileMetaData:
    """A file's footer: reading it costs more than a row."""
    return pq.read_metadata(path)


def _snippet(text: str, q: str) -> str:
    """What stands around a string in a text, or its beginning."""
    at = text.find(q) if q else 0
    return text[max(0, at - 40) :][:160]


def _table(files: list[Any], columns: str) -> str:
    """A subquery over Parquet files; where there are none, one without rows."""
    if files:
        placed = PLACED if "filename" in columns else "union_by_name=true"
        return f"(select {columns} from read_parquet({quoted(files)}, {placed}))"
    numbers = ("value", "threshold", "similarity", "cluster_size", "source_offset",
               "file_row_number")  # fmt: skip
    empty = ", ".join(
        f"null::{'double' if name in numbers else 'varchar'} as {name}"
        for name in columns.replace(" ", "").split(",")
    )
    return f"(select {empty} where false)"


def _rows(
    db: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    result = db.execute(sql, values or {})
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
