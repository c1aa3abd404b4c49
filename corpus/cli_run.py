"""What the verbs share that run stages: their options, the engine, the run itself."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus.cli_folder import named
from corpus.cli_reports import print_funnel, print_json
from corpus.errors import RunError, UsageError

Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, globs, fsspec URLs (s3://…) or @list.txt."),
]
ConfigFile = Annotated[str | None, typer.Option("--config", help="Settings in a TOML file.")]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Filter profile (`corpus profiles` lists them), or none; one a source: web,law=law.",
    ),
]
Dedup = Annotated[str | None, typer.Option("--dedup", help="near, exact, url or none.")]
Workers = Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes; 0: one a core.")]
EngineName = Annotated[str, typer.Option("--engine", help="local, or ray: a cluster.")]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="auto or HOST:PORT; without it a Ray on this machine."),
]
Memory = Annotated[
    float, typer.Option("--memory", min=0, help="GiB that a worker may use; ray reserves them.")
]
Source = Annotated[
    str | None,
    typer.Option("--source", help="warc, jsonl, parquet, csv, html or text; else by ending."),
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, as often as needed.")
]
LedgerKind = Annotated[
    str | None, typer.Option("--ledger", help="candidates, or full: a row for every record.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]


def build_folder(folder: Path | None) -> Path:
    """The folder that an argument or --out names; UsageError when it cannot be one."""
    if folder is None:
        raise UsageError("no build folder: name it with --out DIR")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    return folder


@contextlib.contextmanager
def started(
    name: str, workers: int, address: str | None, memory: float, quiet: bool, root: Path
) -> Iterator[Any]:
    """The engine that the flags name; ended with the command."""
    from corpus import engine

    try:
        with engine.start(name, workers, address or "", int(memory * 2**30), quiet, root) as on:
            yield on
    except KeyboardInterrupt:
        raise RunError("interrupted; what is done is kept: run the same command again") from None


def run_stages(
    root: Path, settings: Any, inputs: list[str], engine: Any, last: str, as_json: bool,
    quiet: bool, change: bool = False, update: bool = False,
) -> None:  # fmt: skip
    """Run the stages up to `last` and print the funnel (quiet: nothing)."""
    from corpus.build import Build as Plan
    from corpus.funnel import OPTIONAL, STAGES

    plan = Plan(root, settings, tuple(inputs), engine, update)
    try:
        funnel = plan.run(last, change)
    except OSError as error:
        raise RunError(f"{error.filename or root}: {error.strerror or error}") from error
    if as_json:
        print_json(funnel)
    elif not quiet:
        print_funnel(funnel, sys.stderr)
        if last == "publish":
            where = f"{root}/corpus ({funnel['publish']['shards']} shards)"
            print(named(f"Corpus: {where}, card: {root}/README.md"), file=sys.stderr)
        else:
            later = [name for name in STAGES[STAGES.index(last) + 1 :] if name not in OPTIONAL]
            print(named(f"Next: corpus {later[0]} {root}"), file=sys.stderr)
