"""The tables of the explorer, made once as it starts: a row for every page of a build.

    documents ─┬─ ledger (what dropped it) ─┬─ duplicates ─▶ pages (in memory, without texts)
               └─ records that never became documents ┘

`pages` lies in the order in which lists show it, the longest first, so that a list reads its
beginning; an index on `id` finds one page of millions at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from corpus.errors import UsageError
from corpus.explorer.sandbox import limited
from corpus.folder.layout import Layout
from corpus.folder.sql import quoted

SECONDS = 10.0  # a search may take
PLACED = "union_by_name=true, filename=true, file_row_number=true"
LEDGER = (
    "stage, rule, action, id, url, source_file, source_offset, value, threshold, kept_id, detail"
)
NUMBERS = ("value", "threshold", "similarity", "cluster_size", "source_offset",
           "file_row_number")  # fmt: skip


def database(layout: Layout, files: list[Path]) -> duckdb.DuckDBPyConnection:
    """A database with the tables pages, ledger and files. files: the documents files with rows."""
    db = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "2GB"})
    # Files with the same name in another place would be other files: names are paths here.
    db.register("numbers", pa.table({"path": list(map(str, files)), "number": range(len(files))}))
    db.execute("create table files as from numbers")
    db.execute(f"create table ledger as from {table(layout.ledgers(), LEDGER)}")
    db.execute(_pages(layout, files))
    for name in ("pages", "ledger"):
        db.execute(f"create index {name}_by_id on {name} (id)")
    return db


def _pages(layout: Layout, files: list[Path]) -> str:
    """The statement that makes the table of pages, from whichever of the tables the build has."""
    duplicates = table(layout.duplicates_files(), "id, cluster, cluster_size")
    shards = table(layout.shards(), "id")
    documents = f"read_parquet({quoted(files)}, {PLACED})"
    return f"""
        create table pages as
        with fate as (
            select id, any_value(stage) as stage, any_value(rule) as rule,
                   any_value(action) as action, any_value(url) as url,
                   any_value(value) as value, any_value(threshold) as threshold,
                   any_value(kept_id) as kept_id, any_value(detail) as detail
            from ledger where action in ('drop', 'skip') group by id
        ), page as (
            select d.id, d.url, d.host, d.title, d.source, d.licence, d.language, d.n_chars,
                   d.date, d.captured, n.number as file, d.file_row_number as row,
                   case when f.id is not null then 'dropped' when s.id is not null then 'kept'
                        else 'undecided' end as outcome,
                   coalesce(f.stage, '') as stage, coalesce(f.rule, '') as rule, f.value,
                   f.threshold, coalesce(f.detail, '') as detail,
                   coalesce(f.kept_id, '') as kept_id, coalesce(u.cluster, '') as cluster,
                   coalesce(u.cluster_size, 1) as cluster_size
            from {documents} d join files n on n.path = d.filename left join fate f using (id)
            left join (select distinct id from {shards}) s using (id)
            left join (select id, any_value(cluster) as cluster,
                       any_value(cluster_size) as cluster_size
                       from {duplicates} group by id) u using (id)
            union all
            select id, url, regexp_extract(lower(url), '^[a-z]+://([^/:?#]+)', 1), '', '', '', '',
                   0, '', '', -1, -1,
                   case action when 'skip' then 'skipped' else 'dropped' end, stage,
                   rule, value, threshold, detail, coalesce(kept_id, ''), '', 1
            from fate anti join (select id from {documents}) using (id)
        )
        from page order by n_chars desc, id
    """


def table(files: Iterable[Any], columns: str) -> str:
    """A subquery over Parquet files; where there are none, one without rows."""
    files = list(files)
    if files:
        return f"(select {columns} from read_parquet({quoted(files)}, union_by_name=true))"
    empty = ", ".join(
        f"null::{'double' if name in NUMBERS else 'varchar'} as {name}"
        for name in columns.replace(" ", "").split(",")
    )
    return f"(select {empty} where false)"


def rows(
    db: duckdb.DuckDBPyConnection, sql: str, values: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The answer to a statement, a dictionary a row."""
    result = db.execute(sql, values or {})
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


class Limited:
    """A cursor that works for at most SECONDS; UsageError when that was too short."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db.cursor()
        self._limit = limited(self._db, SECONDS)

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._limit.__enter__()
        return self._db

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._limit.__exit__(None, None, None)
        self._db.close()
        if isinstance(error, duckdb.InterruptException):
            raise UsageError(f"the search took longer than {SECONDS:g} seconds") from error
