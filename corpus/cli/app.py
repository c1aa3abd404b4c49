"""The `corpus` command. Every verb is one function call; the work is in the modules."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus import __version__
from corpus.cli import change, classifier, explore, profiles, reports
from corpus.cli.folder import Folder, Out, Work, named
from corpus.cli.options import (
    Chosen,
    Inputs,
    LedgerKind,
    Running,
    Source,
    build_folder,
    grouped,
    run_stages,
    started,
)
from corpus.errors import RunError, UsageError

app = typer.Typer(
    help="Inaho: Japanese pre-training corpora from web archives and files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        print(f"error: {named(str(error))}", file=sys.stderr)
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
    @grouped
    def run(
        inputs: Inputs,
        out: Out = None,
        work: Work = None,
        source: Source = None,
        ledger: LedgerKind = None,
        *,
        chosen: Chosen,
        running: Running,
    ) -> None:
        settings = _settings(chosen, source=source, ledger=ledger)
        root = build_folder(out)
        with started(running, root) as on:
            run_stages(root, settings, inputs, on, last, running.as_json, running.quiet)


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
    @grouped
    def run(
        folder: Folder = None,
        out: Out = None,
        work: Work = None,
        *,
        chosen: Chosen,
        running: Running,
    ) -> None:
        from corpus.build import load_settings

        root = build_folder(folder or out)
        settings, inputs = load_settings(root)
        settings = _settings(chosen, base=settings)
        as_json, quiet = running.as_json, running.quiet
        with started(running, root) as on:
            run_stages(root, settings, list(inputs), on, name, as_json, quiet, change=True)


@app.command("dedup")
@grouped
def _dedup(
    folder: Folder = None,
    out: Out = None,
    work: Work = None,
    against: Annotated[
        Path | None, typer.Option(help="Also compare with an index of earlier crawls.")
    ] = None,
    update: Annotated[bool, typer.Option(help="Append this crawl to that index.")] = False,
    report: Annotated[
        bool, typer.Option(help="Print cluster sizes, largest clusters, host pairs.")
    ] = False,
    *,
    chosen: Chosen,
    running: Running,
) -> None:
    """Stage 2: find duplicates among the documents; keep one copy by a stated policy."""
    from corpus.build import load_settings

    root = build_folder(folder or out)
    settings, inputs = load_settings(root)
    if report and not (chosen.any() or against or update):
        change.print_report(root, running.as_json)
        return
    settings = _settings(chosen, base=settings)
    settings = change.with_index(settings, against, update)
    as_json, quiet = running.as_json and not report, running.quiet or report
    with started(running, root) as on:
        run_stages(root, settings, list(inputs), on, "dedup", as_json, quiet, True, update)
    if report:
        change.print_report(root, running.as_json)


_stage("select", "Stage 3: decide by a profile from stored signals; no page is read again.")
_stage("publish", "Stage 4: write the shards, the card, the report and the manifest.")


def _settings(
    chosen: Chosen, source: str | None = None, ledger: str | None = None, base: Any = None
) -> Any:
    """Settings from file and flags; `base` is what a folder already has."""
    from corpus import config
    from corpus.folder.signals import check_profiles
    from corpus.stages.rights import check_url_lists
    from corpus.stages.select import check_sources

    if base is None or chosen.config:
        settings = config.load(chosen.config, chosen.set_)
    else:
        settings = config.override_keys(base, chosen.set_ or [])
    flags = (
        ("dedup", "mode", chosen.dedup, "--dedup"),
        ("input", "kind", source, "--source"),
        ("harvest", "ledger", ledger, "--ledger"),
    )
    for section, key, flag_value, flag in flags:
        if flag_value is not None:
            settings = config.set_key(settings, section, key, flag_value, flag)
    if chosen.profile is not None:
        settings = config.set_profiles(settings, chosen.profile, "--profile")
    check_profiles(settings.select)
    if settings.input.name:  # else the harvest gives the names, and select looks at them
        check_sources(settings.select, {settings.input.name, *settings.input.sources})
    check_url_lists(settings.urls)
    return settings


app.add_typer(profiles.app)
app.add_typer(change.app)
app.add_typer(change.index_app, name="dedup-index")
app.add_typer(explore.app)
app.add_typer(reports.app)
app.add_typer(classifier.app, name="classifier")


if __name__ == "__main__":
    main()
