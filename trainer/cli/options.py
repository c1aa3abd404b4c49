"""Options and arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# A verb with this takes --section.key=value for any setting, in ctx.args.
SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True}

Source = Annotated[str, typer.Argument(metavar="INPUT", help="Corpus folder, folder or glob.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")]
Out = Annotated[Path, typer.Option(help="Folder to write.")]
Preset = Annotated[str, typer.Option(help="TOML file or name of a preset.")]
Step = Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def device() -> str:
    """Where a finished model runs."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
