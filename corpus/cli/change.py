"""The verbs that change what is built: takedowns, decontamination, indexes of earlier crawls."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.build import run_stages
from corpus.cli.options import BuildName, Json, Running, TakedownRequest, grouped, opened
from corpus.cli.printing import print_json
from corpus.errors import RunError, UsageError, counted

if TYPE_CHECKING:
    from corpus.folder.layout import Layout

app = typer.Typer()
index_app = typer.Typer(
    help="Indexes of earlier crawls, which `corpus dedup DIR --against INDEX --update` grows.",
    no_args_is_help=True,
)
IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of the index.")]


@app.command()
@grouped
def remove(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="A build folder, or the folder of an index.")
    ],
    tokens: Annotated[
        list[Path] | None,
        typer.Option(help="Token shards made from it (`trainer prepare`): they lose it as well."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Search every file for what was taken out.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    register: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Enter it here, and obey all that this file names."),
    ] = None,
    *,
    request: TakedownRequest,
    running: Running,
) -> None:
    """Take documents out for good, content and all: the next copy is kept instead.

    Without a name it goes on with a removal that was interrupted.
    """
    from corpus import takedown
    from corpus.dedup.index import is_index
    from corpus.register import append, removals_of

    requests = request.requests()
    wanted = [each.removal for each in requests]
    place = opened(folder)
    if not wanted and not register and not takedown.obeys(place.layout):
        raise UsageError(
            "nothing to remove: name it with --url, --host, --id, --pattern, --text, --near, "
            "--list or --register"
        )
    if register:
        if not dry_run and requests:
            append(register, requests, request.key)
        there = removals_of(register) if register.exists() or not requests else []
        wanted = [*there, *wanted]
    if is_index(place.path):
        if tokens or verify:
            raise UsageError("--tokens and --verify are for build folders; this is an index")
        facts = takedown.from_index(place, wanted, dry_run)
    elif wanted or not verify:
        with running.started(place) as engine:
            facts = takedown.from_build(place, wanted, engine, dry_run, str(register or ""))
    else:
        facts = {}
    if not dry_run:
        for shards in tokens or []:
            facts.setdefault("tokens", []).append(takedown.from_tokens(place.layout, shards))
    if facts and not running.as_json and not running.quiet:
        print(takedown.as_text(facts), end="")
    if verify and not dry_run:
        facts["verified"] = _verified(place.layout, tokens or [], running)
    if running.as_json:
        print_json(facts)
    if verify and not dry_run and not facts["verified"]["absent"]:
        raise RunError(f"{folder} still holds what was to be taken out: see above")


def _verified(layout: Layout, tokens: list[Path], running: Running) -> dict[str, Any]:
    """Search for what was taken out; the answer is printed unless it is asked for as JSON."""
    from corpus.answers import absence

    facts = absence.verify(layout, tokens)
    if not running.as_json and not running.quiet:
        print(absence.as_text(facts), end="")
    return facts


@app.command()
@grouped
def decontaminate(
    folder: BuildName,
    sets: Annotated[
        list[str] | None, typer.Option("--eval", help="A folder or file of evaluation items.")
    ] = None,
    remove_: Annotated[
        bool | None, typer.Option("--remove/--mark", help="Drop contaminated documents, or not.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Share of an item that a document holds, 0 to 1.")
    ] = None,
    *,
    running: Running,
) -> None:
    """Look for items of evaluation sets in the selected documents; publish without them."""
    from corpus.config import of_folder, set_key
    from corpus.stages.books import funnel

    build = opened(folder)
    settings, inputs = of_folder(build.layout)
    action = None if remove_ is None else "remove" if remove_ else "mark"
    for key, value in (("sets", sets), ("action", action), ("threshold", threshold)):
        if value is not None:
            settings = set_key(settings, "decontaminate", key, value, "corpus decontaminate")
    if not settings.decontaminate.sets:
        raise UsageError("no evaluation sets: name files or folders with --eval")
    given, quiet = list(inputs), running.quiet
    with running.started(build) as engine:
        # Up to select first, so that what is timed is the search alone.
        run_stages(build, settings, given, engine, "select", False, True, True)
        start = time.perf_counter()
        run_stages(build, settings, given, engine, "decontaminate", False, True, True)
        seconds = time.perf_counter() - start
        run_stages(build, settings, given, engine, "publish", running.as_json, quiet, True)
    if not quiet:
        number = funnel(build.layout)["decontaminate"]["in"]
        print(
            f"decontaminate: {counted(number, 'document')} in {seconds:.1f} s, "
            f"{number / seconds:,.0f} documents/s (with loading sets and kernels)",
            file=sys.stderr,
        )


@app.command()
@grouped
def verify(
    folder: BuildName,
    repair: Annotated[
        bool, typer.Option("--repair", help="Do the damaged units anew, as far as they can be.")
    ] = False,
    *,
    running: Running,
) -> None:
    """Whether every file of a build is, byte for byte, what was written, and the books add up."""
    from corpus.answers import integrity

    build = opened(folder)
    facts = integrity.verify(build.layout)
    text = integrity.as_text
    if repair and not facts["whole"]:
        from corpus import repair as mending

        with running.started(build) as engine:
            facts, text = mending.repair(build, facts, engine), mending.as_text
    if running.as_json:
        print_json(facts)
    elif not running.quiet:
        print(text(facts), end="")
    if not facts["whole"]:
        mend = "see above" if repair else f"`corpus verify {folder} --repair` mends what it can"
        raise RunError(f"{folder} is damaged: {mend}")


@index_app.command()
def info(index: IndexFolder, as_json: Json = False) -> None:
    """What an index holds: crawls, documents, clusters, takedowns, bytes."""
    from corpus.dedup import index as indexes

    facts = indexes.facts(index)
    if as_json:
        print_json(facts)
        return
    print(f"generation {facts['generation']}: {counted(facts['documents'], 'document')}, "
          f"{counted(facts['clusters'], 'cluster')}, {facts['removed']:,} taken down, "
          f"{facts['bytes'] / 2**20:,.1f} MiB")  # fmt: skip
    for segment in facts["segments"]:
        print(f"  {segment['generation']:>6}  {segment['documents']:>12,} documents  "
              f"{segment['removed']:>8,} taken down")  # fmt: skip


@index_app.command()
def merge(index: IndexFolder, others: list[Path], as_json: Json = False) -> None:
    """Append the crawls of other indexes; what `INDEX` kept stays kept."""
    from corpus.takedown import merge_indexes

    counts = merge_indexes(index, others)
    if as_json:
        print_json(counts)
    else:
        appended = counted(counts.get("documents", 0), "document")
        copies = f"{counts.get('indexed', 0):,} of them copies of what the index holds"
        print(f"{appended} appended, {copies}")
