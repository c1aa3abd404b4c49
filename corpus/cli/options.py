"""What the verbs share that run stages: their options, the engine, the run itself.

Typer reads options from the signature of a function. So that verbs need not repeat the list, they
take a dataclass of options, and `grouped` gives them the signature with its fields.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from corpus.cli.folder import named
from corpus.cli.reports import Json, print_funnel, print_json
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


@dataclass(frozen=True)
class Chosen:
    """What is built: the options that change settings."""

    config: ConfigFile = None
    profile: ProfileName = None
    dedup: Dedup = None
    set_: Sets = None

    def any(self) -> bool:
        return bool(self.config or self.profile or self.dedup or self.set_)


@dataclass(frozen=True)
class Running:
    """How it is built: who does the work, and what is printed."""

    workers: Workers = 0
    engine: EngineName = "local"
    ray_address: RayAddress = None
    memory: Memory = 0
    as_json: Json = False
    quiet: Quiet = False


def grouped(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with an option for each field in place of its parameters that are dataclasses."""
    kinds = get_type_hints(verb, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in kinds.items() if dataclasses.is_dataclass(kind)
    }
    options = []
    for parameter in inspect.signature(verb).parameters.values():
        kind = groups.get(parameter.name)
        if kind is None:
            one = parameter.replace(annotation=kinds[parameter.name])
            options.append(one.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        fields = get_type_hints(kind, include_extras=True)
        for field in dataclasses.fields(kind):
            options.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY,
                    default=field.default, annotation=fields[field.name],
                )
            )  # fmt: skip

    @functools.wraps(verb)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{f.name: given.pop(f.name) for f in dataclasses.fields(kind)})
        verb(**given)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def build_folder(folder: Path | None) -> Path:
    """The folder that an argument or --out names; UsageError when it cannot be one."""
    if folder is None:
        raise UsageError("no build folder: name it with --out DIR")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    return folder


@contextlib.contextmanager
def started(on: Running, root: Path) -> Iterator[Any]:
    """The engine that the flags name; ended with the command."""
    from corpus import engine

    try:
        address, memory = on.ray_address or "", int(on.memory * 2**30)
        with engine.start(on.engine, on.workers, address, memory, on.quiet, root) as ready:
            yield ready
    except KeyboardInterrupt:
        # Caught while multiprocessing makes an object, it leaves one whose end prints a traceback.
        sys.unraisablehook = lambda _: None
        raise RunError("interrupted; what is done is kept: run the same command again") from None


def run_stages(
    root: Path, settings: Any, inputs: list[str], engine: Any, last: str, as_json: bool,
    quiet: bool, change: bool = False, update: bool = False,
) -> None:  # fmt: skip
    """Run the stages up to `last` and print the funnel (quiet: nothing)."""
    from corpus.build import Build as Plan
    from corpus.folder.books import OPTIONAL, STAGES

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
