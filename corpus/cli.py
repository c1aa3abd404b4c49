"""The `corpus` command. Every verb is one function call; the work is in the modules."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus import __version__, cli_classifier, cli_compare, cli_reports
from corpus.errors import RunError, UsageError

app = typer.Typer(
    help="Inaho: Japanese pre-training corpora from web archives and files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, globs, fsspec URLs (s3://…) or @list.txt."),
]
Folder = Annotated[Path | None, typer.Argument(help="The build folder.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The build folder.")]
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
EngineName = Annotated[str, typer.Option("--engine", help="local (ray: a later release).")]
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


def main() -> None:
    """Entry point: errors are one line on stderr; exit 0 done, 1 failed, 2 wrong usage."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except (UsageError, RunError) as error:
        if debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        words = " ".join(str(error).split())[:300]
        print(
            f"error: {type(error).__name__}: {words} (a bug: --debug shows where)", file=sys.stderr
        )
        raise SystemExit(1) from None


def _version(show: bool) -> None:
    if show:
        print(f"corpus (inaho) {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    pass


# building -----------------------------------------------------------------------------------------


def _from_input(name: str, last: str, help_text: str) -> None:
    """A verb that starts from the input and runs the stages up to `last`."""

    @app.command(name, help=help_text)
    def run(
        inputs: Inputs,
        out: Out = None,
        config: ConfigFile = None,
        profile: ProfileName = None,
        dedup: Dedup = None,
        workers: Workers = 0,
        engine: EngineName = "local",
        source: Source = None,
        set_: Sets = None,
        ledger: LedgerKind = None,
        as_json: cli_reports.Json = False,
        quiet: Quiet = False,
    ) -> None:
        settings = _settings(config, profile, dedup, source, set_, ledger)
        _run(_out(out), settings, inputs, workers, engine, last, as_json, quiet)


_from_input(
    "build",
    "publish",
    "Build a corpus: harvest, dedup, select, publish. Run again after a crash: it goes on.",
)
_from_input(
    "harvest", "harvest", "Stage 1: read the input, extract Japanese text, measure signals."
)


def _stage(name: str, help_text: str) -> None:
    """A verb that goes on from a build folder and runs the stages up to its own."""

    @app.command(name, help=help_text)
    def run(
        folder: Folder = None,
        out: Out = None,
        config: ConfigFile = None,
        profile: ProfileName = None,
        dedup: Dedup = None,
        workers: Workers = 0,
        engine: EngineName = "local",
        set_: Sets = None,
        as_json: cli_reports.Json = False,
        quiet: Quiet = False,
    ) -> None:
        from corpus.build import load_settings

        root = _out(folder or out)
        settings, inputs = load_settings(root)
        settings = _settings(config, profile, dedup, None, set_, None, base=settings)
        _run(root, settings, list(inputs), workers, engine, name, as_json, quiet, change=True)


_stage("dedup", "Stage 2: find duplicates among the documents; keep one copy by a stated policy.")
_stage("select", "Stage 3: decide by a profile from stored signals; no page is read again.")
_stage("publish", "Stage 4: write the shards, the card, the report and the manifest.")


def _settings(
    config_file: str | None,
    profile: str | None,
    dedup: str | None,
    source: str | None,
    sets: list[str] | None,
    ledger: str | None,
    base: Any = None,
) -> Any:
    """Settings from file and flags; `base` is what a folder already has."""
    from corpus import config
    from corpus.permissions import check_url_lists
    from corpus.stored import check_profiles

    if base is None or config_file:
        settings = config.load(config_file, sets)
    else:
        settings = config.override_keys(base, sets or [])
    flags = (
        ("dedup", "mode", dedup, "--dedup"),
        ("input", "kind", source, "--source"),
        ("harvest", "ledger", ledger, "--ledger"),
    )
    for section, key, flag_value, flag in flags:
        if flag_value is not None:
            settings = config.set_key(settings, section, key, flag_value, flag)
    if profile is not None:
        settings = config.set_profiles(settings, profile, "--profile")
    check_profiles(settings.select)
    check_url_lists(settings.urls)
    return settings


def _out(folder: Path | None) -> Path:
    if folder is None:
        raise UsageError("no build folder: name it with --out DIR")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    return folder


def _run(
    root: Path, settings: Any, inputs: list[str], workers: int, engine: str, last: str,
    as_json: bool, quiet: bool, change: bool = False,
) -> None:  # fmt: skip
    from corpus.build import STAGES
    from corpus.build import Build as Plan
    from corpus.engine.local import LocalEngine

    if engine != "local":
        raise UsageError(f"unknown engine {engine!r}: this version has local")
    count = workers or len(os.sched_getaffinity(0))
    plan = Plan(root, settings, tuple(inputs), LocalEngine(count, quiet=quiet))
    try:
        funnel = plan.run(last, change)
    except KeyboardInterrupt:
        raise RunError("interrupted; what is done is kept: run the same command again") from None
    except OSError as error:
        raise RunError(f"{error.filename or root}: {error.strerror or error}") from error
    if as_json:
        cli_reports.print_json(funnel)
    elif not quiet:
        cli_reports.print_funnel(funnel, sys.stderr)
        if last == "publish":
            where = f"{root}/corpus ({funnel['publish']['shards']} shards)"
            print(f"Corpus: {where}, card: {root}/README.md", file=sys.stderr)
        else:
            print(f"Next: corpus {STAGES[STAGES.index(last) + 1]} {root}", file=sys.stderr)


app.add_typer(cli_compare.app)
app.add_typer(cli_reports.app)
app.add_typer(cli_classifier.app, name="classifier")


if __name__ == "__main__":
    main()
