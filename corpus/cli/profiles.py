"""The verbs about profiles: what they say, what they would keep, what a threshold costs.

`compare` and `sweep` print tables and save them, with plots, in a folder: DIR/plots unless --out
names another.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from corpus.cli.folder import Build
from corpus.cli.reports import Json, print_json
from corpus.errors import RunError, UsageError

app = typer.Typer()
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder for tables and plots; the build's plots/ if absent."),
]


@app.command()
def profiles(
    name: Annotated[str | None, typer.Argument(help="A name, or the path of a TOML file.")] = None,
    as_json: Json = False,
) -> None:
    """The filter profiles there are; with a name: its card, rule by rule."""
    from filters.profile import ProfileError, load, names, pass_rates

    try:
        if name:
            found = load(name)
            if not as_json:
                print(found.explain())
                return
            about = dataclasses.asdict(found)
            for rule in about["rules"]:  # JSON has no infinity: an absent bound is null
                rule |= {k: None for k in ("low", "high") if math.isinf(rule[k])}
            rates = [
                {"genre": genre, "documents": n, "kept": kept}
                for genre, n, kept in pass_rates(found.name)
            ]
            print_json(about | {"pass_rates": rates})
            return
        loaded = [load(each) for each in names()]
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json([{"name": p.name, "title": p.title, "rules": len(p.rules)} for p in loaded])
    else:
        for each in loaded:
            print(f"{each.name:24} {len(each.rules):3} rules  {each.title}")
        print("\nOne of them in full: corpus profiles NAME", file=sys.stderr)


@app.command()
def compare(
    folder: Build,
    profiles: Annotated[str, typer.Option(help="Names or TOML files, separated by commas.")],
    out: Out = None,
    samples: Annotated[
        int, typer.Option(min=0, help="Documents shown on each side of each threshold.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """What profiles would keep of a build, what each rule takes, which documents are at its border.

    Nothing is harvested or changed: all documents of the build are decided again, those that are
    duplicates or were dropped too.
    """
    from corpus.answers import compare as comparing
    from corpus.answers import compare_report
    from corpus.build import load_settings

    lists = load_settings(folder)[0].select.word_lists
    chosen = comparing.profiles_of(profiles.split(","), lists)
    found = comparing.compare(folder, chosen, lists, samples)
    target = out or folder / "plots"
    _save(target, out is None, lambda: compare_report.save(target, found))
    if as_json:
        print_json(found)
    else:
        print(compare_report.text(found))


@app.command()
def sweep(
    folder: Build,
    signal: Annotated[str, typer.Option(help="A signal that profiles may name.")],
    low: Annotated[float, typer.Option("--from", help="First threshold.")],
    high: Annotated[float, typer.Option("--to", help="Last threshold.")],
    steps: Annotated[int, typer.Option(min=2, max=10_000, help="Number of thresholds.")] = 21,
    by: Annotated[str, typer.Option(help="source: one curve for each source.")] = "",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """How many documents and characters a moving threshold on one signal keeps, as table and plot.

    All documents of the build count, before dedup and selection.
    """
    from corpus.answers import compare as comparing
    from corpus.answers import compare_report
    from corpus.build import load_settings

    lists = load_settings(folder)[0].select.word_lists
    rows = comparing.sweep(folder, signal, low, high, steps, by, lists)
    target = out or folder / "plots"
    _save(target, out is None, lambda: compare_report.save_sweep(target, signal, rows))
    if as_json:
        print_json(rows)
    else:
        print(compare_report.sweep_text(signal, rows))


def _save(folder: Path, default: bool, write: Callable[[], tuple[list[str], list[str]]]) -> None:
    """Run `write() -> (files, notes)` and say on stderr what it wrote.

    A folder that cannot be written to is an error where the user named it, else a remark.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: name a folder with --out")
    try:
        files, notes = write()
    except (RunError, OSError) as error:
        if not default:
            raise RunError(f"cannot save in {folder}: {error}") from error
        print(f"Not saved ({error}): name a folder with --out", file=sys.stderr)
        return
    for note in dict.fromkeys(filter(None, notes)):
        print(note, file=sys.stderr)
    print(f"Saved in {folder}: {', '.join(files)}", file=sys.stderr)
