"""The verbs that run stages: build, and one for each row of the table of stages that has a verb."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corpus.cli.options import (
    Changes,
    Inputs,
    LedgerKind,
    OptionalBuildName,
    Out,
    Running,
    Source,
    Strict,
    Work,
    grouped,
    opened,
)
from corpus.cli.printing import print_funnel, print_json, unread_lines
from corpus.errors import RunError, UsageError, counted
from corpus.stages.table import STAGES

if TYPE_CHECKING:
    from corpus.engine.units import Engine
    from corpus.folder.folder import Folder
    from corpus.settings import Settings

app = typer.Typer()
HELP = {stage.name: stage.help for stage in STAGES if stage.help}


# from the input -----------------------------------------------------------------------------------


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
        strict: Strict = False,
        *,
        changes: Changes,
        running: Running,
    ) -> None:
        settings = _settings(changes, None, source, ledger)
        folder = opened(out, work)
        with running.started(folder) as engine:
            run_stages(
                folder, settings, inputs, engine, last, running.as_json, running.quiet,
                strict=strict,
            )  # fmt: skip


_from_input(
    "build",
    STAGES[-1].name,
    "Build a corpus: harvest, dedup, select, publish. Run again after a crash: it goes on.",
)
_from_input(STAGES[0].name, STAGES[0].name, STAGES[0].help)


# from a build folder ------------------------------------------------------------------------------


@app.command("dedup", help=HELP["dedup"])
@grouped
def _dedup(
    folder: OptionalBuildName = None,
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
    changes: Changes,
    running: Running,
) -> None:
    from corpus import config

    build = opened(folder or out, work)
    settings, inputs = config.of_folder(build.layout)
    if report and not (changes.any() or against or update):
        _print_clusters(build, running.as_json)
        return
    settings = _with_index(_settings(changes, settings), against, update)
    as_json, quiet = running.as_json and not report, running.quiet or report
    with running.started(build) as engine:
        run_stages(build, settings, list(inputs), engine, "dedup", as_json, quiet, True, update)
    if report:
        _print_clusters(build, running.as_json)


def _stage(name: str) -> None:
    """A verb that goes on from a build folder and runs the stages up to its own."""

    @app.command(name, help=HELP[name])
    @grouped
    def run(
        folder: OptionalBuildName = None,
        out: Out = None,
        work: Work = None,
        *,
        changes: Changes,
        running: Running,
    ) -> None:
        from corpus import config

        build = opened(folder or out, work)
        settings, inputs = config.of_folder(build.layout)
        settings = _settings(changes, settings)
        with running.started(build) as engine:
            run_stages(
                build, settings, list(inputs), engine, name, running.as_json, running.quiet, True
            )


for verb in HELP:
    if verb not in (STAGES[0].name, "dedup"):
        _stage(verb)


# what they share ----------------------------------------------------------------------------------


def run_stages(
    folder: Folder, settings: Settings, inputs: list[str], engine: Engine, last: str,
    as_json: bool, quiet: bool, change: bool = False, update: bool = False, strict: bool = False,
) -> None:  # fmt: skip
    """Run the stages up to `last` and print the funnel, and what was not read (quiet: nothing)."""
    from corpus.build import Build

    build = Build(folder, settings, tuple(inputs), engine, update, strict)
    try:
        funnel = build.run(last, change)
    except OSError as error:
        raise RunError(f"{error.filename or folder}: {error.strerror or error}") from error
    if as_json:
        print_json(funnel)
    elif not quiet:
        print_funnel(funnel, sys.stderr)
        for line in unread_lines(funnel):
            print(line, file=sys.stderr)
        layout = folder.layout
        if last == STAGES[-1].name:
            shards = (
                f"{layout.shown(layout.shards_folder)} ({counted(funnel[last]['shards'], 'shard')})"
            )
            print(f"Corpus: {shards}, card: {layout.shown(layout.card)}", file=sys.stderr)
        else:
            names = [stage.name for stage in STAGES]
            later = [name for name in names[names.index(last) + 1 :] if name in HELP]
            print(f"Next: corpus {later[0]} {folder}", file=sys.stderr)


def _settings(
    changes: Changes, base: Settings | None, source: str | None = None, ledger: str | None = None
) -> Settings:
    """Settings from file and flags, checked; `base` is what a folder already has."""
    from corpus import config
    from corpus.folder.signals import check_profiles
    from corpus.stages import url_lists
    from corpus.stages.select import check_sources

    if base is None or changes.config:
        settings = config.load(changes.config, changes.set_)
    else:
        settings = config.override_keys(base, changes.set_ or [])
    flags = (
        ("dedup", "mode", changes.dedup, "--dedup"),
        ("rights", "licence", changes.licence, "--licence"),
        ("input", "kind", source, "--source"),
        ("harvest", "ledger", ledger, "--ledger"),
    )
    for section, key, flag_value, flag in flags:
        if flag_value is not None:
            settings = config.set_key(settings, section, key, flag_value, flag)
    if changes.profile is not None:
        settings = config.set_profiles(settings, changes.profile, "--profile")
    settings = config.obeying(settings, *(changes.register or []))
    # What names files, classes or profiles is looked at now, before hours of harvest.
    check_profiles(settings.select)
    if settings.input.name:  # else the harvest gives the names, and select looks at them
        check_sources(settings.select, {settings.input.name, *settings.input.sources})
    url_lists.check(settings.urls)
    return settings


def _with_index(settings: Settings, against: Path | None, update: bool) -> Settings:
    """Settings of a build that is compared with the index `against`, as it is now."""
    from corpus.dedup.index import generation_of

    if against is not None:
        dedup = dataclasses.replace(
            settings.dedup, against=str(against), generation=generation_of(against)
        )
        settings = dataclasses.replace(settings, dedup=dedup)
    if update and not settings.dedup.against:
        raise UsageError("--update needs an index: name its folder with --against INDEX")
    return settings


def _print_clusters(folder: Folder, as_json: bool) -> None:
    """What `corpus dedup --report` prints, of the clusters that are there."""
    from corpus import config
    from corpus.dedup.report import as_text, report
    from corpus.dedup.signatures.minhash import banding, s_curve
    from corpus.folder.layout import index_of

    layout = folder.layout
    duplicates, documents = layout.duplicates_files(), layout.documents_files()
    if not duplicates:
        raise UsageError(f"{folder} has no duplicates yet: run `corpus dedup {folder}`")
    signatures = [layout.signatures(index_of(path)) for path in documents]
    if not all(path.exists() for path in signatures):
        signatures = []  # without them the report has no host pairs
    facts = report(duplicates, signatures, documents)
    bands, rows = banding(config.of_folder(layout)[0].dedup)
    curve = [[round(s, 2), round(p, 4)] for s, p in s_curve(bands, rows).tolist()]
    if as_json:
        print_json(facts | {"bands": bands, "rows": rows, "s_curve": curve})
        return
    print(as_text(facts), end="")
    print(f"\nhow likely a pair is compared: {bands} bands of {rows} rows\nJaccard   probability")
    for similarity, probability in curve:
        if similarity >= 0.5:
            print(f"{similarity:7.2f}   {probability:.4f}")
