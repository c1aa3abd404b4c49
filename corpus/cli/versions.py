"""The verbs about several builds: what differs, the same again, one of many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.options import Json, Out, Running, Work, grouped, layout_of, opened
from corpus.cli.printing import print_funnel, print_json
from corpus.errors import RunError, UsageError, counted

app = typer.Typer()


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A build folder.")],
    b: Annotated[str, typer.Argument(metavar="B", help="A later one.")],
    documents: Annotated[
        bool, typer.Option("--documents", help="Compare all that was harvested.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Documents in, out and changed between two builds; by host, source, licence and rule."""
    from corpus.answers.difference import as_text, difference

    facts = difference(layout_of(a), layout_of(b), documents)
    if as_json:
        print_json(facts)
    else:
        print(as_text(facts), end="")


@app.command()
@grouped
def rebuild(
    file: Annotated[Path, typer.Argument(metavar="reproducibility.json", help="Of a corpus.")],
    out: Out = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare what it was made from.")] = (
        False
    ),
    *,
    running: Running,
) -> None:
    """Make a corpus again, byte for byte, or say which input, program or stage is another one."""
    from corpus import rebuild as again

    if out is None and not check:
        raise UsageError("name the new folder with --out DIR, or --check to only compare")
    place = opened(out or str(file.parent))
    with running.started(place) as engine:
        answer = again.rebuild(file, place, engine, check)
    if running.as_json:
        print_json(answer)
    elif not running.quiet:
        print(again.as_text(answer), end="")
    differs = answer["differs"]
    if differs["inputs"] or differs["registers"] or (answer["built"] and not answer["same"]):
        raise RunError(f"{file} cannot be reproduced: see above")


@app.command()
@grouped
def merge(
    folders: Annotated[
        list[str], typer.Argument(metavar="DIR…", help="Two build folders or more, or addresses.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="A folder or s3://… of its own for the merged build."
        ),
    ] = None,
    work: Work = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="section.key=value of dedup and later stages.")
    ] = None,
    *,
    running: Running,
) -> None:
    """One corpus of several builds, with dedup across them; no page is read again."""
    import sys

    from corpus.merge import merge as merged

    place = opened(out, work)
    with running.started(place) as engine:
        facts = merged([layout_of(name) for name in folders], place, engine, set_ or [])
    if running.as_json:
        print_json(facts)
        return
    if not running.quiet:
        for part in facts["parts"]:
            shared = counted(part["shared"], "unit")
            more = f", {shared} that an earlier part has" if part["shared"] else ""
            print(f"{part['name']}: {counted(part['documents'], 'document')}{more}")
        print_funnel(facts["funnel"], sys.stderr)
