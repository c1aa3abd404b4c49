"""The verbs that answer: about a build, about what is installed, about the settings there are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.options import BuildName, Json, layout_of
from corpus.cli.printing import print_funnel, print_json, print_table
from corpus.errors import RunError, UsageError, counted
from corpus.words import language, names
from corpus.words.messages import said

if TYPE_CHECKING:
    from corpus.folder.layout import Layout

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
    name: Annotated[
        str,
        typer.Argument(metavar="URL-OR-ID", help="A URL, a document id, or an input file."),
    ],
    as_json: Json = False,
) -> None:
    """Why a page is in the corpus or out of it: every stage, rule, value, threshold, kept copy."""
    from corpus.answers.explain import explain as answer
    from corpus.answers.naming import nearest, titled

    layout = layout_of(folder)
    answers = answer(layout, name)
    if not answers:
        if same := titled(layout, name):
            urls = ", ".join(row["url"] or row["id"] for row in same)
            raise UsageError(f"{name} is no address, id or file of this build, but a title: {urls}")
        near = nearest(layout, name)
        hint = f"did you mean {' or '.join(near)}?" if near else "nothing there is like it"
        raise UsageError(f"{name} is in no record of this build: {hint}")
    if as_json:
        print_json(answers)
        return
    spoken = language.current()
    for entry in answers:
        shown = entry["url"] or entry.get("source_file") or entry["id"]
        outcome = names.of("outcomes", entry["outcome"], spoken).upper()
        print(f"{outcome}  {shown}  ({entry['id']})")
        for sentence in entry["sentences"]:
            print(f"  {said(sentence, spoken)}")
    total = answers[0].get("of_file", 0)
    if total > len(answers):
        more = (
            f"{len(answers):,} of {total:,} records of {name} are told: ask for others by URL or id"
        )
        print(said(more, spoken))


@app.command()
def card(folder: BuildName, as_json: Json = False) -> None:
    """Print the data card of a finished build (README.md; with --lang ja README.ja.md)."""
    from corpus.answers.card.page import markdown
    from corpus.config import require_build
    from corpus.stages.books import funnel

    layout = layout_of(folder)
    require_build(layout)
    books = funnel(layout)
    spoken = language.current()
    there = layout.card_ja if spoken == language.JAPANESE else layout.card
    if "publish" not in books and there.is_file() and not as_json:
        print(there.read_text("utf-8"), end="")  # of the selection that is published
        return
    stated = _facts(layout)
    if as_json:
        print_json(stated)
    else:
        print(markdown(stated, spoken), end="")


@app.command()
def report(
    folder: BuildName,
    against: Annotated[
        str | None, typer.Option(help="Another build: write a page with both side by side.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o",
            help="Write the page there, with the times of its stages; against: plots/ if absent.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Name the HTML report of a finished build; with --out or --against write a page of now."""
    layout = layout_of(folder)
    if against is None and out is None:
        if not layout.report.is_file():
            raise UsageError(f"{layout} has no report yet: run `corpus publish {layout}`")
        print(layout.report)
        return
    from corpus.answers.report.page import against as both

    if against is None:
        written = _with_times(layout)
    else:
        written = both(_facts(layout), _facts(layout_of(against)))
    path = out or layout.plots / f"against-{Path(against or '').name}.html"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    print(path)


def _with_times(layout: Layout) -> str:
    """The report with what the stages took on this machine."""
    from corpus.answers.report.measures import measures
    from corpus.answers.report.page import html
    from corpus.folder import times

    facts = _facts(layout)
    return html(facts, measures(layout, facts, layout), times.read(layout))


def _facts(layout: Layout) -> dict[str, Any]:
    """The facts of a published build; UsageError when it is none."""
    from corpus.answers.facts import facts
    from corpus.config import of_folder
    from corpus.stages.books import funnel

    settings, _ = of_folder(layout)
    books = funnel(layout)
    if "publish" not in books:
        raise UsageError(f"{layout} is not published yet: run `corpus publish {layout}`")
    return facts(layout, settings, books)


@app.command()
def explore(
    folder: BuildName,
    sql: Annotated[
        str | None, typer.Argument(help="A query; without it the explorer starts.")
    ] = None,
    views: Annotated[bool, typer.Option("--views", help="Print what there is to query.")] = False,
    host: Annotated[
        str, typer.Option(help="Address to answer on; not this machine's own: with a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV; text like a formula begins with '.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look through a build in the browser; or SQL (DuckDB) over its tables."""
    from corpus.answers.explore import EXAMPLES, query
    from corpus.answers.explore import views as tables
    from corpus.answers.spreadsheet import write_csv

    layout = layout_of(folder)
    if sql is None and not (views or as_json):
        _serve(layout, host, port, open_)
        return
    if sql is None:
        listed = tables(layout)
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


def _serve(layout: Layout, host: str, port: int, open_browser: bool) -> None:
    """Start the explorer; UsageError when its packages are not installed."""
    from corpus.config import require_build

    require_build(layout)
    try:
        from corpus.explorer.serve import serve
    except ImportError as error:
        raise UsageError("the explorer needs packages: pip install 'inaho[explore]'") from error
    serve(layout, host, port, open_browser)


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
