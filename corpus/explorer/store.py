"""What the explorer searches: a row for every page of a build, with its fate, in a DuckDB table.

    documents ─┬─ ledger (what dropped it) ─┬─ duplicates ─▶ pages (in memory, without texts)
               └─ records that never became documents ┘

Texts and signals stay in Parquet and are read for what is asked. All statements are ours, values
are parameters; readers' own SQL runs elsewhere (`corpus.explorer.sandbox`).
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.answers.spreadsheet import write_csv
from corpus.errors import UsageError
from corpus.explorer.sandbox import limited
from corpus.folder.layout import Layout, index_of
from corpus.folder.sql import quoted
from filters.signals import SIGNALS

SECONDS = 10.0  # a search may take
SHOWN = 50  # pages of a list
FACETS = ("outcome", "rule", "host", "source", "licence", "language")
VALUES = 12  # of a facet
EXPORTED = 100_000  # pages of an export
FORMATS = {  # format → media type
    "parquet": "application/vnd.apache.parquet",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
COLUMNS = (
    "id, url, host, title, source, licence, language, n_chars, date, captured, outcome, stage, "
    "rule, value, threshold, detail, kept_id, cluster, cluster_size"
)


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
        self._base = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "2GB"})
        self._base.execute(self._pages_sql())
        self._files = {str(path): index_of(path) for path in files}

    def _pages_sql(self) -> str:
        """The table of pages, from whichever of the tables the build has."""
        layout = self.layout
        ledger = _table(layout.ledgers(), "stage, rule, action, id, url, source_file, "
                        "source_offset, value, threshold, kept_id, detail")  # fmt: skip
        duplicates = _table(layout.duplicates_files(), "id, cluster, cluster_size")
        shards = _table(layout.shards(), "id")
        # Files with the same name in another place would be other files: names are paths here.
        documents = self._documents.replace(
            "union_by_name=true", "union_by_name=true, filename=true, file_row_number=true"
        )
        return f"""
            create table pages as
            with fate as (
                select id, any_value(stage) as stage, any_value(rule) as rule,
                       any_value(action) as action, any_value(url) as url,
                       any_value(value) as value, any_value(threshold) as threshold,
                       any_value(kept_id) as kept_id, any_value(detail) as detail
                from {ledger} where action in ('drop', 'skip') group by id
            )
            select d.id, d.url, d.host, d.title, d.source, d.licence, d.language, d.n_chars,
                   d.date, d.captured, d.filename as file, d.file_row_number as row,
                   case when f.id is not null then 'dropped' when s.id is not null then 'kept'
                        else 'undecided' end as outcome,
                   coalesce(f.stage, '') as stage, coalesce(f.rule, '') as rule, f.value,
                   f.threshold, coalesce(f.detail, '') as detail,
                   coalesce(f.kept_id, '') as kept_id, coalesce(u.cluster, '') as cluster,
                   coalesce(u.cluster_size, 1) as cluster_size
            from {documents} d left join fate f using (id)
            left join (select distinct id from {shards}) s using (id)
            left join (select id, any_value(cluster) as cluster,
                       any_value(cluster_size) as cluster_size
                       from {duplicates} group by id) u using (id)
            union all
            select id, url, regexp_extract(lower(url), '^[a-z]+://([^/:?#]+)', 1), '', '', '', '',
                   0, '', '', '', -1, case action when 'skip' then 'skipped' else 'dropped' end,
                   stage, rule, value, threshold, detail, coalesce(kept_id, ''), '', 1
            from fate where id not in (select id from {self._documents})
        """

    # searching ------------------------------------------------------------------------------------

    def search(self, wanted: Filter) -> dict[str, Any]:
        """{total, characters, pages: rows with a snippet, facets: column → [value, pages]}."""
        with self._hits(wanted) as db:
            total, characters = db.execute(
                "select count(*), coalesce(sum(n_chars), 0)::bigint from hits"
            ).fetchone() or (0, 0)
            pages = _rows(
                db,
                f"select {COLUMNS} from hits order by n_chars desc, id limit {SHOWN} "
                f"offset {wanted.offset}",
            )
            facets = {
                column: db.execute(
                    f"select {column}, count(*) from hits where {column} <> '' group by 1 "
                    f"order by 2 desc, 1 limit {VALUES}"
                ).fetchall()
                for column in FACETS
            }
            snippets = self._snippets(db, wanted.q, [page["id"] for page in pages])
        for page in pages:
            page["snippet"] = snippets.get(page["id"], "")
        return {"total": total, "characters": characters, "pages": pages, "facets": facets}

    def _snippets(self, db: duckdb.DuckDBPyConnection, q: str, ids: list[str]) -> dict[str, str]:
        """id → what stands around the string in the text, or its beginning."""
        start = "greatest(1, instr(text, $q) - 40)" if q else "1"
        sql = f"select id, substr(text, {start}, 160) from {self._documents} where id in $ids"
        return dict(db.execute(sql, {"ids": ids} | ({"q": q} if q else {})).fetchall())

    def _hits(self, wanted: Filter) -> _Hits:
        return _Hits(self._base, *self._statement(wanted))

    def _statement(self, wanted: Filter) -> tuple[str, dict[str, Any]]:
        """The statement that makes the table `hits`, and its values."""
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
        # What stands in Parquet: the text, a signal.
        of_text = []
        if wanted.q:
            of_text.append("(contains(text, $q) or contains(title, $q))")
            values["q"] = wanted.q
        if wanted.signal:
            name = wanted.signal  # one of SIGNALS
            for sign, limit in ((">=", wanted.least), ("<=", wanted.most)):
                if limit:
                    of_text.append(f"quality.{name} {sign} {_number(limit)!r}")
        if of_text:
            found = f"select id from {self._documents} where {' and '.join(of_text)}"
            where.append(f"id in ({found})")
        sql = f"create temp table hits as select * from pages where {' and '.join(where)}"
        return sql, values

    def export(self, wanted: Filter, kind: str, with_text: bool) -> bytes:
        """The pages of a filter as a file of FORMATS, at most EXPORTED."""
        with self._hits(wanted) as db:
            text = f"left join (select id, text from {self._documents}) using (id)"
            sql = f"select {COLUMNS}{', text' if with_text else ''} from hits "
            sql += f"{text if with_text else ''} order by id limit {EXPORTED}"
            table: pa.Table = db.sql(sql).to_arrow_table()
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
        rows = _rows(db, f"select {COLUMNS}, file, row from pages where id = $id limit 1",
                     {"id": name})  # fmt: skip
        return rows[0] if rows else None

    def document(self, page: dict[str, Any]) -> dict[str, Any] | None:
        """The whole document behind a row of `pages`; None for a record that became none."""
        if page["row"] < 0:
            return None
        with pq.ParquetFile(page["file"]) as file:
            row = int(page["row"])
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                if row < size:
                    found: dict[str, Any] = file.read_row_group(group).slice(row, 1).to_pylist()[0]
                    return found
                row -= size
        return None

    def altered(self, name: str) -> list[dict[str, Any]]:
        """The ledger's rows on what was changed in a document that stays."""
        ledger = _table(self.layout.ledgers(), "id, stage, rule, action, value, detail")
        return _rows(
            self._base.cursor(),
            f"select stage, rule, action, value, detail from {ledger} "
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
    """A cursor with the table `hits` of a filter, for at most SECONDS."""

    def __init__(self, base: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any]) -> None:
        self._db = base.cursor()
        self._limit = limited(self._db, SECONDS)
        self._sql, self._values = sql, values

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._limit.__enter__()
        try:
            self._db.execute(self._sql, self._values)
        except duckdb.InterruptException as error:
            self.__exit__(None, None, None)
            raise UsageError(f"the search took longer than {SECONDS:g} seconds") from error
        return self._db

    def __exit__(self, *error: Any) -> None:
        self._limit.__exit__(None, None, None)
        self._db.close()


def _table(files: list[Any], columns: str) -> str:
    """A subquery over Parquet files; where there are none, one without rows."""
    if files:
        return f"(select {columns} from read_parquet({quoted(files)}, union_by_name=true))"
    numbers = ("value", "threshold", "similarity", "cluster_size", "source_offset")
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
