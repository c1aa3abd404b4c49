"""The verbs of `trainer` that only look: evaluate, fertility, plan, replay, trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.config.settings import ConfigError, TrainError

EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}
Source = Annotated[str, typer.Argument(metavar="INPUT", help="Corpus folder, folder or glob.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer) -> None:
    for verb in (evaluate, fertility, replay, trace):
        app.command()(verb)
    app.command(context_settings=EXTRA)(plan)


def evaluate(
    run: RunDir,
    text: Annotated[str, typer.Option(help="Parquet text: bits per byte and character.")] = "",
    tasks: Annotated[str, typer.Option(help="Folder of JCommonsenseQA, JNLI, JMMLU files.")] = "",
    limit: Annotated[int, typer.Option(help="Documents or questions of a task; 0: all.")] = 0,
    step: Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")] = 0,
    json_: Json = False,
) -> None:
    """Score text in bits per byte and character by source, and multiple choice by likelihood."""
    from trainer.analysis import tasks as tk
    from trainer.run.folder import load_model

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


def fertility(
    source: Source,
    tokenizers: Annotated[list[str], typer.Argument(help="Tokenizer folders to compare.")],
    limit: Annotated[int, typer.Option(help="Documents to read.")] = 2000,
    json_: Json = False,
) -> None:
    """Characters, bytes and words per token of tokenizers on a corpus, for each source."""
    from trainer.analysis.fertility import report

    show(report(source, tokenizers, limit), json_)


def plan(
    ctx: typer.Context,
    config: Annotated[str, typer.Option(help="TOML file or name of a preset.")] = "",
    machine: Annotated[str, typer.Option(help="Name in the table; empty: all.")] = "",
    nodes: Annotated[int, typer.Option(help="Nodes of a job.")] = 1,
    mfu: Annotated[float, typer.Option(help="Model FLOP utilisation, 0 to 1.")] = 0.4,
    corpus: Annotated[
        str, typer.Option(help="Token shards, build folder or Parquet text: what it supports.")
    ] = "",
    chars_per_token: Annotated[
        float, typer.Option(help="To estimate tokens of text; 0: 1.6, of our Japanese tokenizer.")
    ] = 0.0,
    tokenizer: Annotated[str, typer.Option(help="Tokenizer to try on a sample instead.")] = "",
    machines: Annotated[str, typer.Option(help="Your own table of machines.")] = "",
    json_: Json = False,
) -> None:
    """Parameters, FLOPs, memory, time, yen and kWh of a run; what a corpus supports; or both."""
    from dataclasses import replace

    from trainer.config.settings import load
    from trainer.plan import advice
    from trainer.plan import plan as pl
    from trainer.plan.measure import measure

    if not config and not corpus:
        raise ConfigError("give --config, --corpus or both")
    run = load(config, ctx.args) if config else None
    size = measure(corpus, chars_per_token, tokenizer) if corpus else None
    if run and size and not run.model.vocab_size:
        vocabulary = -(-size["vocab_size"] // 64) * 64
        run = replace(run, model=replace(run.model, vocab_size=vocabulary))
    table = pl.machines(machines) if machines else pl.machines()
    if machine and machine not in table:
        raise ConfigError(f"no machine {machine!r}: the table has {', '.join(table)}")
    chosen = [machine] if machine else list(table)
    plans = {n: pl.plan(run, table[n], nodes, mfu) for n in chosen} if run else {}
    given = advice.advise(size) if size else None
    repeated = advice.epochs(run, size) if run and size else None
    if json_:
        result: dict[str, Any] = {"corpus": size, "advice": given, "run": repeated}
        result |= {"plans": [{"name": n, **p} for n, p in plans.items()]}
        print(json.dumps(result, ensure_ascii=False, indent=1))
        return
    if size and given:
        print(columns([advice.source_row(r) for r in size["sources"]]))
        print(columns([advice.preset_row(r) for r in given["presets"]]))
        print(advice.sentences(size, given, repeated))
    if plans:
        print(pl.headline(next(iter(plans.values()))) + "\n")
        print(columns([pl.row(n, p) for n, p in plans.items()]))
        print("\n".join(pl.notes(plans)))


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


def trace(
    run: RunDir,
    step: Annotated[int, typer.Option(help="Which documents a step trained on.")] = 0,
    url: Annotated[str, typer.Option(help="Which steps trained on a URL.")] = "",
    id_: Annotated[str, typer.Option("--id", help="Which steps trained on a document id.")] = "",
    json_: Json = False,
) -> None:
    """From a step to documents, URLs and archive offsets; or from a URL to steps."""
    from trainer.analysis import trace as tr

    if bool(step) + bool(url) + bool(id_) != 1:
        raise ConfigError("give one of --step, --url and --id")
    if step:
        found = tr.of_step(run, step)
        if not found and not json_:
            print(f"step {step} was skipped after a spike: it trained on nothing")
            return
        show(found, json_)
    else:
        show(tr.of_document(run, url or id_, "url" if url else "id"), json_)


def device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def columns(rows: list[dict[str, str]]) -> str:
    """Rows as plain aligned text, never cut to the width of a terminal or a log."""
    table = [list(rows[0]), *(list(r.values()) for r in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a plain table with the keys of the first as head, or as JSON."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*map(str, rows[0])) if rows else Table()
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
