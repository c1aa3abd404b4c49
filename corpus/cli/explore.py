"""The verbs that look into a build folder: lineage and SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.folder import Build
from corpus.cli.reports import Json, print_json

app = typer.Typer()


@app.command()
def trace(
    folder: Build,
    name: Annotated[
        str, typer.Argument(help="A URL, a document id, SHARD.parquet:ROW or SOURCE-FILE:OFFSET.")
    ],
    verify: Annotated[bool, typer.Option(help="Also read the record in the input again.")] = False,
    as_json: Json = False,
) -> None:
    """From a document or shard row to its record in the input, and from a record to its row."""
    from corpus.answers.trace import as_text
    from corpus.answers.trace import trace as traced

    found = traced(folder, name, verify)
    if as_json:
        print_json(found)
    else:
        print(as_text(found), end="")


@app.command()
def explore(
    folder: Build,
    sql: Annotated[str | None, typer.Argument(help="A query; without it: what there is.")] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; text like a formula begins with '.")
    ] = False,
    as_json: Json = False,
) -> None:
    """SQL (DuckDB) over documents, ledger, duplicates and corpus of a build."""
    from corpus.answers.explore import EXAMPLES, query, views
    from corpus.answers.spreadsheet import write_csv

    if sql is None:
        found = views(folder)
        if as_json:
            print_json(found)
            return
        for view in found:
            columns = ", ".join(f"{c['name']} {_short(c['type'])}" for c in view["columns"])
            print(f"{view['view']}: {view['rows']:,} rows, each {view['about']}\n  {columns}\n")
        print("Examples")
        for example in EXAMPLES:
            print(f'  corpus explore {Path(folder)} "{example}"')
        return
    names, rows = query(folder, sql)
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif as_csv:
        write_csv(sys.stdout, names, rows)
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row))
        width = None if sys.stdout.isatty() else 200
        Console(width=width, highlight=False, markup=False).print(table)


def _short(kind: str) -> str:
    return "struct" if kind.startswith("STRUCT") else kind.lower()
