"""The verbs that report on a build or the installation; `corpus.cli` adds them to its command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.errors import RunError, UsageError

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Build = Annotated[Path, typer.Argument(help="The build folder.")]


@app.command()
def stats(folder: Build, as_json: Json = False) -> None:
    """The funnel: how many records each stage took and where the rest went."""
    from corpus import funnel
    from corpus.build import load_settings

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
    from corpus.explain import explain as answer

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
def profiles(
    name: Annotated[str | None, typer.Argument(help="One profile, explained rule by rule.")] = None,
    as_json: Json = False,
) -> None:
    """The filter profiles there are; one, explained rule by rule."""
    import dataclasses

    from filters.profile import ProfileError, load, names

    try:
        if name:
            found = load(name)
            if as_json:
                print_json(dataclasses.asdict(found))
            else:
                print(found.explain())
            return
        loaded = [load(each) for each in names()]
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json([{"name": p.name, "title": p.title, "rules": len(p.rules)} for p in loaded])
    else:
        for each in loaded:
            print(f"{each.name:24} {len(each.rules):3} rules  {each.title}")


@app.command()
def compare(
    folder: Build,
    profiles: Annotated[str, typer.Option(help="Names or TOML files, separated by commas.")],
    as_json: Json = False,
) -> None:
    """What other profiles would keep of a build, and what each of their rules takes."""
    from corpus.build import load_settings
    from corpus.compare import compare as compared
    from filters.profile import ProfileError, load

    load_settings(folder)
    try:
        found = compared(folder, [load(name.strip()) for name in profiles.split(",")])
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json(found)
        return
    print(f"{found['documents']:,} documents before dedup and selection")
    for name, kept in found["kept"].items():
        share = kept["documents"] / found["documents"]
        print(f"\n{name}: keeps {kept['documents']:,} ({share:.1%}), {kept['characters']:,} chars")
        for row in found["rules"][name]:
            if row["fails"]:
                print(f"  {row['rule']:28} fails {row['fails']:7,}  first {row['first']:7,}  "
                      f"alone {row['alone']:7,}")  # fmt: skip
    for row in found["matrix"]:
        if row["a"] < row["b"]:
            print(f"\n{row['a']} and {row['b']}: both {row['both']:,}, only the first "
                  f"{row['only_a']:,}, only the second {row['only_b']:,}, neither "
                  f"{row['neither']:,}; they agree on {row['agreement']:.1%}")  # fmt: skip


@app.command()
def sweep(
    folder: Build,
    signal: Annotated[str, typer.Option(help="Name of a stored signal.")],
    low: Annotated[float, typer.Option("--from", help="First threshold.")],
    high: Annotated[float, typer.Option("--to", help="Last threshold.")],
    steps: Annotated[int, typer.Option(min=2, help="Number of thresholds.")] = 11,
    as_json: Json = False,
) -> None:
    """How many documents and characters a moving threshold on one signal keeps."""
    from corpus.build import load_settings
    from corpus.compare import sweep as swept

    load_settings(folder)
    rows = swept(folder, signal, low, high, steps)
    if as_json:
        print_json(rows)
        return
    print(
        f"{signal:>14}  {'at least':>10}  {'characters':>14}  {'at most':>10}  {'characters':>14}"
    )
    for row in rows:
        print(f"{row['threshold']:14.6g}  {row['at_least']:10,}  {row['at_least_chars']:14,}  "
              f"{row['at_most']:10,}  {row['at_most_chars']:14,}")  # fmt: skip


@app.command()
def card(folder: Build, as_json: Json = False) -> None:
    """Print the data card of a finished build (README.md)."""
    from corpus import card as cards
    from corpus import funnel
    from corpus.build import load_settings

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
    from corpus.doctor import diagnose

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
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else "-"
        table.add_row(stage, f"{entry['in']:,}", f"{entry['out']:,}", share, words)
    Console(file=file, width=None if file.isatty() else 200, highlight=False).print(table)
