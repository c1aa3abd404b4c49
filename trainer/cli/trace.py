"""`trainer trace`, `replay` and `report`: what a step read, the proof; the curves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Json, RunDir
from trainer.cli.printing import show
from trainer.config.settings import ConfigError, TrainError


def trace(
    run: RunDir,
    step: Annotated[int, typer.Option(help="Which documents a step trained on.")] = 0,
    url: Annotated[str, typer.Option(help="Which steps trained on a URL.")] = "",
    id_: Annotated[str, typer.Option("--id", help="Which steps trained on a document id.")] = "",
    ids: Annotated[
        str, typer.Option(help="A file of document ids, or -: token rows, steps, checkpoints.")
    ] = "",
    model: Annotated[
        str, typer.Option(help="A model exported from the run: which checkpoint it is.")
    ] = "",
    json_: Json = False,
) -> None:
    """From a step to documents, URLs and archive offsets; or from a URL to steps."""
    from trainer.analysis.lineage import exported, of_documents
    from trainer.analysis.trace import of_document, of_step

    if bool(step) + bool(url) + bool(id_) + bool(ids) + bool(model) != 1:
        raise ConfigError("give one of --step, --url, --id, --ids and --model")
    if ids:
        lines = sys.stdin.read() if ids == "-" else Path(ids).read_text("utf-8")
        print(json.dumps(of_documents(run, lines.split()), ensure_ascii=False, indent=1))
        return
    if model:
        show([exported(run, Path(model))], json_)
        return
    if step:
        documents = of_step(run, step)
        if not documents and not json_:
            print(f"step {step} was skipped after a spike: it trained on nothing")
            return
        show(documents, json_)
    else:
        show(of_document(run, url or id_, "url" if url else "id"), json_)


def replay(
    run: RunDir,
    steps: Annotated[str, typer.Option(help="First and last step, as 1:100.")],
    json_: Json = False,
) -> None:
    """Print the hash of the global batch of each step, made again from settings and shards."""
    from trainer.analysis.trace import replay as run_replay

    first, _, last = steps.partition(":")
    if not first.isdigit() or not (last or first).isdigit():
        raise ConfigError(f"--steps is {steps!r}: write it as 1:100")
    rows = list(run_replay(run, int(first), int(last or first)))
    show(rows, json_)
    if any(r["agrees"] is False for r in rows):
        raise TrainError("the data differs from what the run's metrics.jsonl recorded")


def report(
    run: RunDir,
    explorer: Annotated[
        str, typer.Option(help="Address of `corpus explore`: links from steps to documents.")
    ] = "",
) -> None:
    """Write RUN/report.html: curves by source, spikes, throughput, phases; any time in a run."""
    from trainer.analysis.report import write_report
    from trainer.analysis.trace import of_step
    from trainer.folder.run import load_run

    load_run(run)
    path = write_report(run, explorer, lambda step: of_step(run, step))
    if path is None:
        raise TrainError(f"{run} has no figures yet: its metrics.jsonl is empty")
    print(path)
