"""`trainer evaluate`: text in bits per byte, questions by likelihood."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from trainer.cli.options import Json, RunDir, Step, device
from trainer.cli.printing import show
from trainer.config.settings import ConfigError


def evaluate(
    run: RunDir,
    text: Annotated[str, typer.Option(help="Parquet text: bits per byte and character.")] = "",
    tasks: Annotated[str, typer.Option(help="Folder of JCommonsenseQA, JNLI, JMMLU files.")] = "",
    limit: Annotated[int, typer.Option(help="Documents or questions of a task; 0: all.")] = 0,
    step: Step = 0,
    json_: Json = False,
) -> None:
    """Score text in bits per byte and character by source, and multiple choice by likelihood."""
    from trainer.analysis import tasks as tk
    from trainer.run.checkpoint import load_model

    if not text and not tasks:
        raise ConfigError("give --text, --tasks or both")
    model, _, tokenizer, at = load_model(run, step or None, device())
    result: dict[str, Any] = {"step": at}
    if text:
        result["text"] = tk.text_rates(model, tokenizer, text, limit)
    if tasks:
        result["tasks"] = tk.evaluate(model, tokenizer, tk.read(tasks), limit)
    if json_:
        print(json.dumps(result, ensure_ascii=False, indent=1))
        return
    if text:
        all_ = {"all": result["text"], **result["text"]["sources"]}
        keys = ("bpb", "bpc", "bytes", "chars")
        show([{"source": n, **{k: v[k] for k in keys}} for n, v in all_.items()], False)
    if tasks:
        show([{"task": n, **v} for n, v in result["tasks"].items()], False)
