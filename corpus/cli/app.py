"""The `corpus` command. Every verb is one function call; the work is in the modules.

A new verb is a function in the file of its group (build, profiles, change, reports, classifier), or
in a file of its own that is added below. Heavy imports happen inside the verbs, so that `--help`
answers at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from corpus import __version__
from corpus.cli import (
    build,
    change,
    classifier,
    disclosure,
    origins,
    profiles,
    register,
    reports,
    versions,
)
from corpus.errors import RunError, UsageError, one_line
from corpus.words import language
from corpus.words.messages import said

app = typer.Typer(
    help="Inaho: Japanese pre-training corpora from web archives and files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    rich_markup_mode=None,
)


def main() -> None:
    """Entry point: errors are one line on stderr; exit 0 done, 1 failed, 2 wrong usage."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        _choose_language()
        app()
    except (UsageError, RunError) as error:
        if debug:
            traceback.print_exc()
        _print_error(str(error))
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except Exception as error:
        if debug:
            raise
        words = f"{type(error).__name__}: {one_line(error, 300)}"
        _print_error(f"{words} (a bug: --debug shows where)")
        raise SystemExit(1) from None


def _choose_language() -> None:
    """Take `--lang` from the command line, wherever it stands; else the locale decides."""
    language.use(language.of_locale(os.environ))
    asked = language.taken_from(sys.argv)
    if asked is None:
        return
    if asked not in language.LANGUAGES:
        raise UsageError(f"--lang {asked or '?'}: choose en or ja")
    language.use(asked)


def _print_error(message: str) -> None:
    spoken = language.current()
    mark = "エラー：" if spoken == language.JAPANESE else "error: "
    print(f"{mark}{said(message, spoken)}", file=sys.stderr)


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
    lang: Annotated[
        str | None,
        typer.Option("--lang", help="en or ja: of names, reasons and errors; else by the locale."),
    ] = None,
) -> None:
    pass


for verbs in (
    build.app,
    profiles.app,
    change.app,
    origins.app,
    register.optout_app,
    versions.app,
    disclosure.app,
    reports.app,
):
    app.add_typer(verbs)
app.add_typer(change.index_app, name="dedup-index")
app.add_typer(register.app, name="register")
app.add_typer(classifier.app, name="classifier")


if __name__ == "__main__":
    main()
