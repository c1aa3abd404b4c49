"""SQL of readers: one SELECT over the tables of a build, with no way to files, network or settings.

DuckDB runs without external access over Arrow datasets, so that it has no file to open and knows no
path. What it could say of the machine (its settings, its catalogue) is refused by name.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow.dataset as datasets

from corpus.answers.explore import VIEWS
from corpus.errors import UsageError, one_line
from corpus.folder.layout import PARQUET, Layout

SECONDS = 10.0  # a query may take
ROWS = 1_000  # of an answer
LONGEST = 8_000  # characters of a query
CELL = 2_000  # characters of a value that is shown
CONFIG: dict[str, Any] = {
    "threads": 2, "memory_limit": "1GB", "python_enable_replacements": False,
    "autoinstall_known_extensions": False, "autoload_known_extensions": False,
}  # fmt: skip
TELLS = re.compile(r"\b(duckdb_\w+|pragma_\w+|current_setting|information_schema|pg_\w+)\b", re.I)
PATHS = re.compile(r"(?<![\w<])[/~][\w.][^\s\"',;)]*")


def query(layout: Layout, sql: str, seconds: float = SECONDS) -> tuple[list[str], list[Any], bool]:
    """(column names, at most ROWS rows, whether there are more) of a statement.

    UsageError, one line without a path of the server, for what is no single SELECT, fails, or
    takes longer than `seconds`.
    """
    if len(sql) > LONGEST:
        raise UsageError(f"the query is longer than {LONGEST:,} characters")
    if found := TELLS.search(sql):
        raise UsageError(f"{found[0]} is not for readers")
    database = duckdb.connect(":memory:", config=CONFIG)
    try:
        _require_select(database, sql)
        for name in VIEWS:
            files = sorted((layout.root / name).glob(PARQUET))
            if files:
                database.register(name, datasets.dataset([str(file) for file in files]))
        for setting in ("temp_directory = ''", "enable_external_access = false",
                        "lock_configuration = true"):  # fmt: skip
            database.execute(f"set {setting}")
        with limited(database, seconds):
            result = database.execute(sql)
            names = [column[0] for column in result.description or []]
            rows = result.fetchmany(ROWS + 1)
    except duckdb.InterruptException as error:
        raise UsageError(f"the query took longer than {seconds:g} seconds") from error
    except duckdb.Error as error:
        raise UsageError(f"the query cannot run: {PATHS.sub('…', one_line(error, 300))}") from error
    finally:
        database.close()
    return names, [tuple(map(_shortened, row)) for row in rows[:ROWS]], len(rows) > ROWS


def _require_select(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = database.extract_statements(sql)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise UsageError("one SELECT statement, please: the explorer only reads")


@contextmanager
def limited(database: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt what the connection does after some seconds."""
    timer = threading.Timer(seconds, database.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= CELL else value[:CELL] + "…"
    text = str(value) if isinstance(value, list | dict) else ""
    return text[:CELL] + "…" if len(text) > CELL else value
