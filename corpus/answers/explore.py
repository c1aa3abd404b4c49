"""`corpus explore`: SQL over a build folder, by DuckDB, read only and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from corpus.build import load_settings
from corpus.errors import UsageError

# view → (files below the folder, what a row is)
VIEWS = {
    "corpus": ("corpus/*.parquet", "a document of the published corpus"),
    "documents": ("documents/*.parquet", "a Japanese document before dedup and selection"),
    "ledger": ("ledger/*.parquet", "something that was dropped, altered or marked, and why"),
    "duplicates": ("duplicates/*.parquet", "a document of a cluster of two or more"),
    "paragraphs": ("paragraphs/*.parquet", "how many documents have each line of a document"),
}
EXAMPLES = (
    "select stage, rule, count(*) as n from ledger group by all order by n desc",
    "select host, count(*) as n, sum(n_chars) as chars from corpus group by host order by n desc",
    "select d.url, k.url as kept, similarity from duplicates join documents d using (id) "
    "join documents k on k.id = kept_id where kind = 'near' order by similarity limit 20",
    "select host, count(*) as pages, avg((quality.harmful_severity >= 2)::int) as harmful "
    "from documents group by host having pages >= 5 order by harmful desc limit 20",
)


def open_build(root: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the views of a build folder; UsageError when it is none."""
    load_settings(root)
    database = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    for name, (pattern, _) in VIEWS.items():
        if any(root.glob(pattern)):
            files = str(root / pattern).replace("'", "''")
            database.execute(
                f"create view {name} as select * from read_parquet('{files}', union_by_name=true)"
            )
    return database


def views(root: Path) -> list[dict[str, Any]]:
    """[{view, about, rows, columns: [{name, type}]}] of what the build has so far."""
    database = open_build(root)
    found = []
    for name, (pattern, about) in VIEWS.items():
        if not any(root.glob(pattern)):
            continue
        columns = database.execute(f"describe {name}").fetchall()
        rows = database.execute(f"select count(*) from {name}").fetchone()
        found.append({
            "view": name,
            "about": about,
            "rows": rows[0] if rows else 0,
            "columns": [{"name": column[0], "type": column[1]} for column in columns],
        })  # fmt: skip
    return found


def query(root: Path, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    """(column names, rows) of a statement; UsageError with DuckDB's reason in one line."""
    database = open_build(root)
    try:
        result = database.execute(sql)
        names = [column[0] for column in result.description or []]
    except duckdb.Error as error:
        words = " ".join(str(error).split())
        raise UsageError(f"the query cannot run: {words[:300]}") from error
    return names, iter(result.fetchone, None)
