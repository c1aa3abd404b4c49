"""The `corpus` command. Every verb is one function call; the work is in the modules."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from corpus import __version__
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
    str | None, typer.Option("--profile", help="Filter profile (see `corpus profiles`), or none.")
]
Dedup = Annotated[str | None, typer.Option("--dedup", help="near, exact, url or none.")]
Workers = Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes; 0: one a core.")]
EngineName = Annotated[str, typer.Option("--engine", help="local (ray: a later release).")]
Source = Annotated[
    str | None, typer.Option("--source", help="warc, jsonl, parquet, csv, html or text; else by ending.")
]
Sets = Annotated[
    list[str] | None, typer.Option("--set", help="section.key=value, as often as needed.")
]
LedgerKind = Annotated[
    str | None, typer.Option("--ledger", help="candidates, or full: a row for every record.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]
Build = Annotated[Path, typer.Argument(help="The build folder.")]


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


@app.command()
def build(
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
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build a corpus: harvest, dedup, select, publish. Run again after a crash: it goes on."""
    settings = _settings(config, profile, dedup, source, set_, ledger)
    _run(_out(out), settings, inputs, workers, engine, "publish", as_json, quiet)


@app.command()
def harvest(
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
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stage 1: read the input, extract Japanese text, measure signals."""
    settings = _settings(config, profile, dedup, source, set_, ledger)
    _run(_out(out), settings, inputs, workers, engine, "harvest", as_json, quiet)


def _stage(name: str, help_text: str) -> None:
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
        as_json: Json = False,
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
    from filters.profile import ProfileError, load

    if base is None or config_file:
        settings = config.load(config_file, sets)
    else:
        settings = base
        for override in sets or []:
            name, equals, value = override.partition("=")
            section, dot, key = name.partition(".")
            if not (equals and dot):
                raise UsageError(f"--set {override}: write it as section.key=value")
            settings = config.set_key(settings, section, key, value, f"--set {override}")
    flags = (
        ("select", "profile", profile, "--profile"),
        ("dedup", "mode", dedup, "--dedup"),
        ("input", "kind", source, "--source"),
        ("harvest", "ledger", ledger, "--ledger"),
    )
    for section, key, value, flag in flags:
        if value is not None:
            settings = config.set_key(settings, section, key, value, flag)
    try:
        load(settings.select.profile)
    except ProfileError as error:
        raise UsageError(str(error)) from error
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
        _print_json(funnel)
    elif not quiet:
        _print_funnel(funnel, sys.stderr)
        if last == "publish":
            where = f"{root}/corpus ({funnel['publish']['shards']} shards)"
            print(f"Corpus: {where}, card: {root}/README.md", file=sys.stderr)
        else:
            print(f"Next: corpus {STAGES[STAGES.index(last) + 1]} {root}", file=sys.stderr)


# reporting ----------------------------------------------------------------------------------------


@app.command()
def stats(folder: Build, as_json: Json = False) -> None:
    """The funnel: how many records each stage took and where the rest went."""
    from corpus import funnel
    from corpus.build import load_settings

    load_settings(folder)
    about = funnel.read(folder)
    if as_json:
        _print_json(about)
    else:
        _print_funnel(about, sys.stdout)


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
        _print_json(answers)
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
                _print_json(dataclasses.asdict(found))
            else:
                print(found.explain())
            return
        loaded = [load(each) for each in names()]
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if as_json:
        _print_json([{"name": p.name, "title": p.title, "rules": len(p.rules)} for p in loaded])
    else:
        for each in loaded:
            print(f"{each.name:24} {len(each.rules):3} rules  {each.title}")


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
        _print_json(facts)
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
        _print_json(findings)
    else:
        for f in findings:
            mark = "ok     " if f["ok"] else "MISSING" if f["required"] else "absent "
            hint = "" if f["ok"] else f"  -> {f['hint']}"
            print(f"{mark} {f['name']:20} {f['version']:14} {f['purpose']}{hint}")
    if not all(f["ok"] for f in findings if f["required"]):
        raise RunError("required parts are missing: see above")


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def _print_funnel(funnel: dict[str, Any], file: Any) -> None:
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


if __name__ == "__main__":
    main()
