"""The verbs around duplicates: takedowns, decontamination, indexes of earlier crawls."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.cli.folder import Build
from corpus.cli.folder import folder as parsed
from corpus.cli.options import Running, grouped, run_stages, started
from corpus.cli.reports import Json, print_json
from corpus.errors import UsageError

app = typer.Typer()
index_app = typer.Typer(
    help="Indexes of earlier crawls, which `corpus dedup DIR --against INDEX --update` grows.",
    no_args_is_help=True,
)
IndexFolder = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of the index.")]


def with_index(settings: Any, against: Path | None, update: bool) -> Any:
    """Settings of a build that is compared with the index `against`, as it is now."""
    from corpus.dedup.index import generation_of

    if against is not None:
        named = {"against": str(against), "generation": generation_of(against)}
        dedup = dataclasses.replace(settings.dedup, **named)
        settings = dataclasses.replace(settings, dedup=dedup)
    if update and not settings.dedup.against:
        raise UsageError("--update needs an index: name its folder with --against INDEX")
    return settings


def print_report(root: Path, as_json: bool) -> None:
    """What `corpus dedup --report` prints, of the clusters that are there."""
    from corpus.build import load_settings
    from corpus.dedup.report import as_text, report
    from corpus.dedup.signatures.minhash import banding, s_curve

    duplicates = sorted((root / "duplicates").glob("*.parquet"))
    if not duplicates:
        raise UsageError(f"{root} has no duplicates yet: run `corpus dedup {root}`")
    signatures = sorted((root / "state" / "dedup" / "signatures").glob("*.parquet"))
    documents = sorted((root / "documents").glob("*.parquet"))
    facts = report(duplicates, signatures, documents)
    bands, rows = banding(load_settings(root)[0].dedup)
    curve = [[round(s, 2), round(p, 4)] for s, p in s_curve(bands, rows).tolist()]
    if as_json:
        print_json(facts | {"bands": bands, "rows": rows, "s_curve": curve})
    else:
        print(as_text(facts), end="")
        print(
            f"\nhow likely a pair is compared: {bands} bands of {rows} rows\nJaccard   probability"
        )
        for similarity, probability in curve:
            if similarity >= 0.5:
                print(f"{similarity:7.2f}   {probability:.4f}")


@app.command()
@grouped
def remove(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A build folder, or the folder of an index.", parser=parsed
        ),
    ],
    url: Annotated[list[str] | None, typer.Option(help="A page, in every capture.")] = None,
    host: Annotated[list[str] | None, typer.Option(help="A host and all below it.")] = None,
    id_: Annotated[list[str] | None, typer.Option("--id", help="One document.")] = None,
    list_: Annotated[
        Path | None, typer.Option("--list", help="A removals.json, or lines of URLs.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for list and ledger.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    *,
    running: Running,
) -> None:
    """Take documents out for good: the next copy is kept instead, and the page stays out."""
    from corpus import takedown

    named = {"url": url or [], "host": host or [], "id": id_ or []}
    wanted = takedown.entries(named, list_, reason)
    if (folder / "index.json").is_file():
        found = takedown.from_index(folder, wanted, dry_run)
    else:
        with started(running, folder) as on:
            found = takedown.from_build(folder, wanted, on, dry_run)
    if running.as_json:
        print_json(found)
    elif not running.quiet:
        print(takedown.as_text(found), end="")


@app.command()
@grouped
def decontaminate(
    folder: Build,
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
    from corpus.build import load_settings
    from corpus.config import set_key

    settings, inputs = load_settings(folder)
    action = None if remove_ is None else "remove" if remove_ else "mark"
    for key, value in (("sets", sets), ("action", action), ("threshold", threshold)):
        if value is not None:
            settings = set_key(settings, "decontaminate", key, value, "corpus decontaminate")
    if not settings.decontaminate.sets:
        raise UsageError("no evaluation sets: name files or folders with --eval")
    as_json, quiet = running.as_json, running.quiet
    with started(running, folder) as on:
        run_stages(folder, settings, list(inputs), on, "select", False, True, True)
        start = time.perf_counter()
        run_stages(folder, settings, list(inputs), on, "decontaminate", False, True, True)
        seconds = time.perf_counter() - start
        run_stages(folder, settings, list(inputs), on, "publish", as_json, quiet, True)
    if not quiet:
        from corpus.folder import books

        number = books.read(folder)["decontaminate"]["in"]
        print(f"decontaminate: {number:,} documents in {seconds:.1f} s, {number / seconds:,.0f} "
              "documents/s (with loading sets and kernels)", file=sys.stderr)  # fmt: skip


@index_app.command()
def info(index: IndexFolder, as_json: Json = False) -> None:
    """What an index holds: crawls, documents, clusters, takedowns, bytes."""
    from corpus.dedup.index import about

    facts = about(index)
    if as_json:
        print_json(facts)
        return
    print(f"generation {facts['generation']}: {facts['documents']:,} documents, "
          f"{facts['clusters']:,} clusters, {facts['removed']:,} taken down, "
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
        print(f"{counts.get('documents', 0):,} documents appended, {counts.get('indexed', 0):,} "
              "of them copies of what the index holds")  # fmt: skip
