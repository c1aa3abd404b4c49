"""The verbs that report on a build or the installation; corpus.cli.app adds them."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from corpus.cli.folder import Build
from corpus.errors import RunError, UsageError

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@app.command()
def stats(folder: Build, as_json: Json = False) -> None:
    """The funnel: how many records each stage took and where the rest went."""
    from corpus.build import load_settings
    from corpus.folder import books as funnel

    load_settings(folder)
    about = funnel.read(folder)
    if as_json:
        print_json(about)
    else:
        print_funnel(about, sys.stdout)


@app.command()
def explain(
    folder: Build,
    name: Annotated[str, typer.Argument(metavar="URL-OR-ID", help="A URL or a document id.")],
    as_json: Json = False,
) -> None:
    """Why a page is in the corpus or out of it: every stage, rule, value, threshold, kept copy."""
    from corpus.answers.explain import explain as answer

    answers = answer(folder, name)
    if not answers:
        raise UsageError(f"{name} is in no record of this build: check the URL (it must be exact)")
    if as_json:
        print_json(answers)
        return
    for entry in answers:
        print(f"{entry['outcome'].upper()}  {entry['url'] or entry['id']}  ({entry['id']})")
        for sentence in entry["sentences"]:
            print(f"  {sentence}")


@app.command()
def card(folder: Build, as_json: Json = False) -> None:
    """Print the data card of a finished build (README.md)."""
    from corpus.answers import card as cards
    from corpus.build import load_settings
    from corpus.folder import books as funnel

    settings, _ = load_settings(folder)
    about = funnel.read(folder)
    if "publish" not in about:
        raise UsageError(f"{folder} is not published yet: run `corpus publish {folder}`")
    facts = cards.facts(folder, settings, about)
    if as_json:
        print_json(facts)
    else:
        print(cards.markdown(facts))


@app.command()
def report(folder: Build) -> None:
    """Name the HTML report of a finished build."""
    page = folder / "report.html"
    if not page.is_file():
        raise UsageError(f"{folder} has no report yet: run `corpus publish {folder}`")
    print(page)


@app.command()
def doctor(as_json: Json = False) -> None:
    """What is installed, what is missing, and how to get it."""
    from corpus.answers.doctor import diagnose

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


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def print_funnel(funnel: dict[str, Any], file: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name, side in (("stage", "left"), ("in", "right"), ("out", "right"), ("kept", "right")):
        table.add_column(name, justify=side)  # type: ignore[arg-type]
    table.add_column("where the rest went")
    for stage, entry in funnel.items():
        reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
        words = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        profiles = dict.fromkeys(facts["profile"] for facts in entry.get("sources", {}).values())
        if profiles:
            words = f"by {', '.join(profiles)}: {words or 'nothing dropped'}"
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else "-"
        table.add_row(stage, f"{entry['in']:,}", f"{entry['out']:,}", share, words)
        if len(profiles) > 1:
            for source, facts in entry["sources"].items():
                part = f"{facts['out'] / facts['in']:.1%}", f"source {source} by {facts['profile']}"
                table.add_row("", f"{facts['in']:,}", f"{facts['out']:,}", *part)
    Console(file=file, width=None if file.isatty() else 200, highlight=False).print(table)
