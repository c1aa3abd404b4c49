"""The `trainer` command: every verb is one function call; errors are one line.

Exit status: 0 done, 1 the run failed, 2 wrong usage. Heavy imports happen inside the verbs, so
`--help` answers at once and a verb loads no more than it needs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli import evaluate, export, generate, plan, prepare, trace, train
from trainer.cli.options import SETTINGS
from trainer.config.settings import ConfigError, StoppedError, TrainError

app = typer.Typer(
    name="trainer",
    help="Train language models on Parquet text, with every token traceable to its source.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# In the order of --help. True: the verb also takes --section.key=value for any setting.
VERBS = (
    (prepare.tokenizer, False),
    (prepare.prepare, False),
    (prepare.remove, False),
    (train.train, True),
    (train.config, True),
    (generate.generate, False),
    (export.import_, False),
    (export.extend, False),
    (export.export, False),
    (train.sft, True),
    (train.dpo, True),
    (train.ablate, True),
    (evaluate.evaluate, False),
    (prepare.fertility, False),
    (plan.plan, True),
    (trace.replay, False),
    (trace.trace, False),
    (trace.report, False),
)
for verb, takes_settings in VERBS:
    name = verb.__name__.rstrip("_")
    app.command(name, context_settings=SETTINGS if takes_settings else None)(verb)


def _version(show: bool) -> None:
    if show:
        import importlib.metadata

        print(f"trainer (inaho) {importlib.metadata.version('inaho')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    pass


def _refused() -> Path | None:
    """Under torchrun: a file its workers of every attempt share on a node, else None.

    It stands once a ConfigError has been said, which another attempt cannot mend.
    """
    own = os.environ.get("TORCHELASTIC_ERROR_FILE")  # FOLDER/attempt_N/RANK/error.json
    return Path(own).parents[2] / "refused" if own else None


def _say(error: ConfigError | TrainError, refused: Path | None) -> None:
    """The error in one line, from one of the workers that meet the same mistake."""
    if refused and isinstance(error, ConfigError):
        try:
            refused.touch(exist_ok=False)
        except FileExistsError:
            return
    if not isinstance(error, StoppedError):
        sys.stderr.write(f"trainer: {error}\n")


def main() -> None:
    """Run the command; turns expected errors into one line (a traceback only with --debug)."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    refused = _refused()
    if refused and refused.exists():
        raise SystemExit(2)
    try:
        app()
    except (ConfigError, TrainError) as error:
        if debug:
            raise
        _say(error, refused)
        code = 2 if isinstance(error, ConfigError) else 1
        if "torch" in sys.modules:
            from trainer.run.processes import leave

            leave(code)
        raise SystemExit(code) from None
    except KeyboardInterrupt:
        print("trainer: interrupted", file=sys.stderr)
        raise SystemExit(130) from None
