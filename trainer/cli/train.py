"""`trainer train`, `sft`, `ablate`, `config`: runs, and the settings they have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Json, Preset, RunDir
from trainer.cli.printing import show
from trainer.config.load import load, preset_names


def train(
    ctx: typer.Context,
    config: Preset,
    json_: Json = False,
) -> None:
    """Train on token shards or on a corpus. The same command again goes on where it stopped.

    Any setting can be given as --section.key=value; `trainer config PRESET` prints them all.
    """
    from trainer.run.train import train as run_training

    settings = load(config, ctx.args)
    result = run_training(settings)
    first, last = result["first"], result["last"]
    if _main_process() and json_:
        print(json.dumps(result))
    elif _main_process() and first and last:
        print(
            f"held-out: {first['bpb']:.3f} bits per byte untrained, {last['bpb']:.3f} after "
            f"{result['step']:,} steps ({last['bpc']:.3f} bits per character)"
        )
    _end(Path(settings.out))


def sft(
    ctx: typer.Context,
    run: RunDir,
    data: Annotated[Path, typer.Option(help="Conversations, .jsonl, .json or .parquet.")],
    out: Annotated[Path, typer.Option(help="Folder of the new run.")],
    epochs: Annotated[float, typer.Option()] = 2.0,
    held_out: Annotated[float, typer.Option(help="Share kept for evaluation.")] = 0.05,
) -> None:
    """Fine-tune on conversations, loss on the answers; --section.key=value as in train."""
    from trainer.tuning.sft import sft as run_sft

    result = run_sft(run, data, out, epochs, held_out, ctx.args)
    if _main_process():
        first, last = result["first"], result["last"]
        print(
            f"{result['conversations']:,} conversations in {result['rows']:,} rows"
            f" ({result['left_out']:,} too long and left out), {result['step']:,} steps"
        )
        if first and last:
            print(f"held-out loss of answers: {first['loss']:.3f} before, {last['loss']:.3f} after")
    _end(out)


def dpo(
    ctx: typer.Context,
    run: RunDir,
    data: Annotated[Path, typer.Option(help="Pairs of answers, .jsonl, .json or .parquet.")],
    out: Annotated[Path, typer.Option(help="Folder of the new run.")],
    beta: Annotated[
        float, typer.Option(help="How far it may leave the model it starts from.")
    ] = 0.1,
    epochs: Annotated[float, typer.Option()] = 1.0,
    held_out: Annotated[float, typer.Option(help="Share kept for evaluation.")] = 0.05,
) -> None:
    """Tune on pairs of a better and a worse answer (DPO); --section.key=value as in train."""
    from trainer.tuning.dpo import dpo as run_dpo

    result = run_dpo(run, data, out, beta, epochs, held_out, ctx.args)
    if _main_process():
        print(
            f"{result['pairs']:,} pairs ({result['left_out']:,} too long and left out), "
            f"{result['step']:,} steps"
        )
        if last := (result["last"] or {}).get("preferences"):
            print(
                f"held-out pairs: the chosen answer is preferred in {last['accuracy']:.0%}, "
                f"by {last['margin']:.2f} nats, loss {last['loss']:.3f}"
            )
    _end(out)


def ablate(
    ctx: typer.Context,
    corpora: Annotated[list[str], typer.Argument(help="Token shards of each corpus.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the table.")],
    config: Preset = "tiny-cpu",
    seeds: Annotated[int, typer.Option()] = 3,
    held: Annotated[str, typer.Option(help="Token shards whose held-out text counts.")] = "",
    json_: Json = False,
) -> None:
    """Train one small model on several corpora and say whether they differ."""
    from trainer.analysis.ablate import ablate as run_ablate

    # A setting between two corpora arrives among them.
    overrides = [word for word in corpora if word.startswith("--")] + ctx.args
    folders = [word for word in corpora if not word.startswith("--")]
    rows = run_ablate(folders, load(config, overrides), out, seeds, held)
    if _main_process():
        show(rows, json_)


def config(
    ctx: typer.Context,
    preset: Annotated[str, typer.Argument(help="TOML file or name of a preset.")] = "tiny-cpu",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The reference of all settings instead.")
    ] = False,
) -> None:
    """Print every setting with its meaning, as a TOML file to start from."""
    from trainer.cli.settings import as_commented_toml, as_markdown

    if markdown:
        print(as_markdown(), end="")
        return
    print(f"# trainer config {' '.join([preset, *ctx.args])}")
    print(f"# presets: {', '.join(preset_names())}\n")
    print(as_commented_toml(load(preset, ctx.args)), end="")


def _main_process() -> bool:
    from trainer.run.processes import place

    return place("RANK") == 0


def _end(run: Path) -> None:
    """The report of a run, and the end of its processes."""
    from trainer.analysis.report import write_report
    from trainer.run.processes import leave

    if _main_process():
        write_report(run)
    leave()
