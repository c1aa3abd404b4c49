"""`corpus explore`: SQL over a build folder, by DuckDB, read only and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb

from corpus import config
from corpus.errors import UsageError, one_line
from corpus.folder.layout import (
    DOCUMENTS,
    DUPLICATES,
    LEDGER,
    PARAGRAPHS,
    PARQUET,
    SHARDS,
    Layout,
)
from corpus.folder.sql import quoted

# A view for each of these folders → what a row is
VIEWS = {
    SHARDS: "a document of the published corpus",
    DOCUMENTS: "a Japanese document before dedup and selection",
    LEDGER: "something that was dropped, altered or marked, and why",
    DUPLICATES: "a document of a cluster of two or more",
    PARAGRAPHS: "how many documents have each line of a document",
}
EXAMPLES = (
    "select stage, rule, count(*) as n from ledger group by all order by n desc",
    "select host, count(*) as n, sum(n_chars) as chars from corpus group by host order by n desc",
    "select d.url, k.url as kept, similarity from duplicates join documents d using (id) "
    "join documents k on k.id = kept_id where kind = 'near' order by similarity limit 20",
    "select host, count(*) as pages, avg((quality.harmful_severity >= 2)::int) as harmful "
    "from documents group by host having pages >= 5 order by harmful desc limit 20",
)


def open_build(layout: Layout) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views of a build folder; UsageError when it is none."""
    config.require_build(layout)
    database = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    for name in VIEWS:
        if any((layout.root / name).glob(PARQUET)):
            files = quoted(layout.root / name / PARQUET)
            database.execute(
                f"create view {name} as select * from read_parquet({files}, union_by_name=true)"
            )
    return database


def views(layout: Layout) -> list[dict[str, Any]]:
    """[{view, about, rows, columns: [{name, type}]}] of what the build has so far."""
    database = open_build(layout)
    answers = []
    for name, meaning in VIEWS.items():
        if not any((layout.root / name).glob(PARQUET)):
            continue
        columns = database.execute(f"describe {name}").fetchall()
        rows = database.execute(f"select count(*) from {name}").fetchone()
        answers.append(
            {
                "view": name,
                "about": meaning,
                "rows": rows[0] if rows else 0,
                "columns": [{"name": column[0], "type": column[1]} for column in columns],
            }
        )
    return answers


def query(layout: Layout, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """(column names, rows) of a statement; UsageError with DuckDB's reason in one line."""
    database = open_build(layout)
    try:
        result = database.execute(sql)
        names = [column[0] for column in result.description or []]
    except duckdb.Error as error:
        raise UsageError(f"the query cannot run: {one_line(error, 300)}") from error
    return names, iter(result.fetchone, None)
