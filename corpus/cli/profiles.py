"""The verbs about profiles: what they say, what they would keep, what a threshold costs.

`compare` and `sweep` print tables and save them, with plots, in a folder: DIR/plots unless --out
names another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from corpus.cli.options import BuildName, Json, opened
from corpus.cli.printing import print_json
from corpus.errors import RunError, UsageError
from corpus.words import language, names

if TYPE_CHECKING:
    from filters.profile import Profile

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
    from filters.profile import ProfileError, load
    from filters.profile import names as shipped
    from filters.profile_card import as_json as card_json
    from filters.profile_card import card

    try:
        if name:
            found = load(name)
            if not as_json:
                print(card(found))
                print(_in_japanese(found), end="")
                return
            print_json(card_json(found))
            return
        loaded = [load(each) for each in shipped()]
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if as_json:
        print_json([{"name": p.name, "title": p.title, "rules": len(p.rules)} for p in loaded])
    else:
        for each in loaded:
            print(f"{each.name:24} {len(each.rules):3} rules  {each.title}")
        print("\nOne of them in full: corpus profiles NAME", file=sys.stderr)


def _in_japanese(profile: Profile) -> str:
    """The rules of a profile with Japanese names and meanings, where that is the language."""
    if language.current() != language.JAPANESE or not profile.rules:
        return ""
    rules = [(rule, names.rule(rule.name)) for rule in profile.rules]
    lines = [
        f"{n:3}. {words.japanese or rule.name} ({rule.name}): {words.meaning} [{rule.bounds()}]\n"
        for n, (rule, words) in enumerate(rules, 1)
    ]
    return "\n規則の意味（満たさない文書を除く）:\n" + "".join(lines)


@app.command()
def compare(
    folder: BuildName,
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
    from corpus.config import of_folder

    build = opened(folder)
    lists = of_folder(build.layout)[0].select.word_lists
    compared = comparing.profiles_of(profiles.split(","), lists)
    answer = comparing.compare(build.layout, compared, lists, samples)
    _save(build, out, lambda target, write: compare_report.save(target, write, answer))
    if as_json:
        print_json(answer)
    else:
        print(compare_report.text(answer))


@app.command()
def sweep(
    folder: BuildName,
    signal: Annotated[str, typer.Option(help="A signal that profiles may name.")],
    low: Annotated[float, typer.Option("--from", help="First threshold.")],
    high: Annotated[float, typer.Option("--to", help="Last threshold.")],
    steps: Annotated[int, typer.Option(min=2, max=10_000, help="Number of thresholds.")] = 21,
    by: Annotated[str, typer.Option(help="source or host: a curve for each of the largest.")] = "",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """How many documents and characters a moving threshold on one signal keeps, as table and plot.

    All documents of the build count, before dedup and selection.
    """
    from corpus.answers import compare as comparing
    from corpus.answers import compare_report
    from corpus.config import of_folder

    build = opened(folder)
    lists = of_folder(build.layout)[0].select.word_lists
    rows = comparing.sweep(build.layout, signal, low, high, steps, by, lists)
    _save(build, out, lambda target, write: compare_report.save_sweep(target, write, signal, rows))
    if as_json:
        print_json(rows)
    else:
        print(compare_report.sweep_text(signal, rows))


def _save(build: Any, out: Path | None, save: Callable[[Path, Any], list[str]]) -> None:
    """Save into `out`, or the build's plots, and say on stderr what was written.

    A folder that cannot be written to is an error where the user named it, else a remark.
    """
    from corpus.folder.commit import commit_bytes

    target = out or build.layout.plots
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file: name a folder with --out")
    try:
        files = save(target, commit_bytes if out else build.commit_bytes)
    except (RunError, OSError) as error:
        if out:
            raise RunError(f"cannot save in {target}: {error}") from error
        print(f"Not saved ({error}): name a folder with --out", file=sys.stderr)
        return
    shown = target if out else build.layout.shown(target)
    print(f"Saved in {shown}: {', '.join(files)}", file=sys.stderr)
