"""The verbs that answer: about a build, about what is installed, about the settings there are."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from corpus.cli.options import BuildName, Json, layout_of
from corpus.cli.printing import print_funnel, print_json, print_table
from corpus.errors import RunError, UsageError, counted

app = typer.Typer()


@app.command()
def stats(folder: BuildName, as_json: Json = False) -> None:
    """The funnel: how many records each stage took and where the rest went."""
    from corpus.config import require_build
    from corpus.stages.books import funnel

    layout = layout_of(folder)
    require_build(layout)
    if as_json:
        print_json(funnel(layout))
    else:
        print_funnel(funnel(layout), sys.stdout)


@app.command()
def explain(
    folder: BuildName,
    name: Annotated[str, typer.Argument(metavar="URL-OR-ID", help="A URL or a document id.")],
    as_json: Json = False,
) -> None:
    """Why a page is in the corpus or out of it: every stage, rule, value, threshold, kept copy."""
    from corpus.answers.explain import explain as answer
    from corpus.answers.explain import nearest

    layout = layout_of(folder)
    answers = answer(layout, name)
    if not answers:
        near = nearest(layout, name)
        hint = f"did you mean {' or '.join(near)}?" if near else "nothing there is like it"
        raise UsageError(f"{name} is in no record of this build: {hint}")
    if as_json:
        print_json(answers)
        return
    for entry in answers:
        shown = entry["url"] or entry.get("source_file") or entry["id"]
        print(f"{entry['outcome'].upper()}  {shown}  ({entry['id']})")
        for sentence in entry["sentences"]:
            print(f"  {sentence}")


@app.command()
def card(folder: BuildName, as_json: Json = False) -> None:
    """Print the data card of a finished build (README.md)."""
    from corpus.answers.card import facts, markdown
    from corpus.config import of_folder
    from corpus.stages.books import funnel

    layout = layout_of(folder)
    settings, _ = of_folder(layout)
    books = funnel(layout)
    if "publish" not in books and layout.card.is_file() and not as_json:
        print(layout.card.read_text("utf-8"), end="")  # of the selection that is published
        return
    if "publish" not in books:
        raise UsageError(f"{layout} is not published yet: run `corpus publish {layout}`")
    stated = facts(layout, settings, books)
    if as_json:
        print_json(stated)
    else:
        print(markdown(stated))


@app.command()
def report(folder: BuildName) -> None:
    """Name the HTML report of a finished build."""
    layout = layout_of(folder)
    if not layout.report.is_file():
        raise UsageError(f"{layout} has no report yet: run `corpus publish {layout}`")
    print(layout.report)


@app.command()
def explore(
    folder: BuildName,
    sql: Annotated[str | None, typer.Argument(help="A query; without it: what there is.")] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; text like a formula begins with '.")
    ] = False,
    as_json: Json = False,
) -> None:
    """SQL (DuckDB) over documents, ledger, duplicates and corpus of a build."""
    from corpus.answers.explore import EXAMPLES, query, views
    from corpus.answers.spreadsheet import write_csv

    layout = layout_of(folder)
    if sql is None:
        listed = views(layout)
        if as_json:
            print_json(listed)
            return
        for view in listed:
            columns = ", ".join(f"{c['name']} {_short(c['type'])}" for c in view["columns"])
            size = counted(view["rows"], "row")
            print(f"{view['view']}: {size}, each {view['about']}\n  {columns}\n")
        print("Examples")
        for example in EXAMPLES:
            print(f'  corpus explore {folder} "{example}"')
        return
    names, rows = query(layout, sql)
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    elif as_csv:
        write_csv(sys.stdout, names, rows)
    else:
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*("" if value is None else str(value) for value in row))
        print_table(table, sys.stdout)


def _short(kind: str) -> str:
    return "struct" if kind.startswith("STRUCT") else kind.lower()


@app.command()
def settings(
    section: Annotated[
        str | None, typer.Argument(help="A section, e.g. dedup; without it: all.")
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print docs/settings.md.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Every setting with its default and meaning, as TOML that --config reads."""
    from corpus.answers.settings_page import as_markdown as page
    from corpus.answers.settings_page import as_toml, listed

    if as_json:
        print_json(listed(section))
    else:
        print(page(section) if as_markdown else as_toml(section), end="")


@app.command()
def doctor(
    as_json: Json = False,
    warm: Annotated[
        bool, typer.Option("--warm", help="Compile all kernels now: for images, shared installs.")
    ] = False,
) -> None:
    """What is installed, what is missing, and how to get it."""
    from corpus.answers.doctor import diagnose

    if warm:
        from corpus.warm import warm as compile_kernels

        print(f"kernels compiled: {compile_kernels()}", file=sys.stderr)

    findings = diagnose()
    if as_json:
        print_json(findings)
    else:
        for f in findings:
            mark = "ok     " if f["ok"] else "MISSING" if f["required"] else "absent "
            hint = "" if f["ok"] else f"  -> {f['hint']}"
            print(f"{mark} {f['name']:20} {f['version']:14} {f['purpose']}{hint}")
    if not all(f["ok"] for f in findings if f["required"]):
        raise RunError("required parts are missing: see above")
