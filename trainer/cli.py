"""The `trainer` command: every verb is one function call; errors are one line.

Exit status: 0 done, 1 the run failed, 2 wrong usage. Heavy imports happen inside the verbs, so
`--help` answers at once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.config import ConfigError, TrainError

app = typer.Typer(
    name="trainer",
    help="Train language models on Parquet text, with every token traceable to its source.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
EXTRA = {"allow_extra_args": True, "ignore_unknown_options": True}
Source = Annotated[str, typer.Argument(metavar="INPUT", help="Corpus folder, folder or glob.")]
RunDir = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def main() -> None:
    """Run the command; turns expected errors into one line (a traceback only with --debug)."""
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except (ConfigError, TrainError) as error:
        if debug:
            raise
        print(f"trainer: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        print("trainer: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


@app.command()
def tokenizer(
    source: Source,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    vocab_size: Annotated[int, typer.Option(help="Number of pieces.")] = 32000,
    model: Annotated[str, typer.Option(help="unigram or bpe.")] = "unigram",
    presegment: Annotated[bool, typer.Option(help="No piece crosses a fugashi word.")] = False,
    max_mb: Annotated[int, typer.Option(help="Text to train on, a sample by hash of id.")] = 64,
) -> None:
    """Train a SentencePiece tokenizer with byte fallback; the same text gives the same bytes."""
    from trainer import parquet
    from trainer import tokenizer as tok

    if model not in ("unigram", "bpe"):
        raise ConfigError(f"--model is {model!r}: choose unigram or bpe")
    files = parquet.input_files(source)
    texts = tok.sample(files, max_mb << 20)
    trained = tok.train(texts, vocab_size, model, presegment=presegment)
    how = {"model": model, "presegment": presegment, "max_mb": max_mb}
    tok.save(trained, out, {**how, "input": parquet.fingerprint(files)})
    chars = sum(map(len, texts))
    count = sum(len(ids) for ids in trained.encode_batch(texts[:2000]))
    rate = sum(map(len, texts[:2000])) / max(1, count)
    print(
        f"{out}: {trained.vocab_size:,} pieces from {chars:,} characters "
        f"({rate:.2f} characters per token on its own text)"
    )


@app.command()
def prepare(
    source: Source,
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer folder.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    held_out: Annotated[float, typer.Option(help="Share of documents kept for evaluation.")] = 0.02,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    json_: Json = False,
) -> None:
    """Tokenise a corpus into token shards that remember where every token came from."""
    from rich.console import Console
    from rich.progress import Progress

    from trainer.prepare import prepare as run

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tokenising", total=None)
        manifest = run(
            source,
            tokenizer,
            out,
            held_out,
            workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if json_:
        print(json.dumps(manifest, indent=1))
        return
    for split in ("train", "held"):
        m = manifest[split]
        print(
            f"{split}: {m['rows']:,} documents, {m['tokens']:,} tokens, "
            f"{m['chars']:,} characters, {m['bytes']:,} bytes"
        )


@app.command(context_settings=EXTRA)
def train(
    ctx: typer.Context,
    config: Annotated[str, typer.Option(help="TOML file or name of a preset.")],
    json_: Json = False,
) -> None:
    """Train; settings can be overridden as --section.key=value. Start again to go on."""
    from trainer.config import load
    from trainer.parallel import leave
    from trainer.train import train as run

    result = run(load(config, ctx.args))
    first, last = result["first"], result["last"]
    if _main_process() and json_:
        print(json.dumps(result))
    elif _main_process() and first and last:
        print(
            f"held-out: {first['bpb']:.3f} bits per byte untrained, {last['bpb']:.3f} after "
            f"{result['step']:,} steps ({last['bpc']:.3f} bits per character)"
        )
    leave()


@app.command()
def generate(
    run: RunDir,
    prompt: Annotated[str, typer.Option(help="Text to go on from.")] = "",
    step: Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")] = 0,
    max_tokens: Annotated[int, typer.Option()] = 200,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="0 is off.")] = 0,
    top_p: Annotated[float, typer.Option(help="1 is off.")] = 0.95,
    repetition_penalty: Annotated[float, typer.Option()] = 1.0,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Write text with a trained model, as it comes."""
    from trainer import generate as gen
    from trainer.runs import load_model

    sampling = gen.Sampling(max_tokens, temperature, top_k, top_p, repetition_penalty, seed)
    model, _, tokenizer, _ = load_model(run, step or None, _device())
    print(prompt, end="", flush=True)
    for part in gen.text(model, tokenizer, prompt, sampling):
        print(part, end="", flush=True)
    print()


@app.command()
def export(
    run: RunDir,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    step: Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
) -> None:
    """Write a folder that transformers.AutoModelForCausalLM and AutoTokenizer open."""
    from trainer.export import export as run_export

    result = run_export(run, out, step or None, dtype)
    print(f"{out}: {result['parameters']:,} parameters of step {result['step']:,}")


@app.command()
def evaluate(
    run: RunDir,
    text: Annotated[str, typer.Option(help="Parquet text: bits per byte and character.")] = "",
    tasks: Annotated[str, typer.Option(help="Folder of JCommonsenseQA, JNLI, JMMLU files.")] = "",
    limit: Annotated[int, typer.Option(help="Documents or questions of a task; 0: all.")] = 0,
    step: Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")] = 0,
    json_: Json = False,
) -> None:
    """Score text in bits per byte and character by source, and multiple choice by likelihood."""
    from trainer import tasks as tk
    from trainer.runs import load_model

    if not text and not tasks:
        raise ConfigError("give --text, --tasks or both")
    model, _, tokenizer, at = load_model(run, step or None, _device())
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
        _show([{"source": n, **{k: v[k] for k in keys}} for n, v in all_.items()], False)
    if tasks:
        _show([{"task": n, **v} for n, v in result["tasks"].items()], False)


@app.command()
def fertility(
    source: Source,
    tokenizers: Annotated[list[str], typer.Argument(help="Tokenizer folders to compare.")],
    limit: Annotated[int, typer.Option(help="Documents to read.")] = 2000,
    json_: Json = False,
) -> None:
    """Characters, bytes and words per token of tokenizers on a corpus, for each source."""
    from trainer.fertility import report

    _show(report(source, tokenizers, limit), json_)


@app.command(context_settings=EXTRA)
def plan(
    ctx: typer.Context,
    config: Annotated[str, typer.Option(help="TOML file or name of a preset.")] = "",
    machine: Annotated[str, typer.Option(help="Name in the table; empty: all.")] = "",
    nodes: Annotated[int, typer.Option()] = 1,
    mfu: Annotated[float, typer.Option(help="Model FLOP utilisation, 0 to 1.")] = 0.4,
    corpus: Annotated[str, typer.Option(help="Token shards: what model they support.")] = "",
    machines: Annotated[str, typer.Option(help="Your own table of machines.")] = "",
    json_: Json = False,
) -> None:
    """Parameters, FLOPs, memory, time, yen and kWh of a run; or what a corpus supports."""
    from trainer import plan as pl
    from trainer.config import load

    if not config and not corpus:
        raise ConfigError("give --config, --corpus or both")
    if corpus:
        print("\n".join(pl.corpus_advice(corpus)))
    if not config:
        return
    table = pl.machines(machines) if machines else pl.machines()
    if machine and machine not in table:
        raise ConfigError(f"no machine {machine!r}: the table has {', '.join(table)}")
    chosen = [table[machine]] if machine else list(table.values())
    results = [pl.plan(load(config, ctx.args), m, nodes, mfu) for m in chosen]
    if json_:
        print(json.dumps(results, indent=1, ensure_ascii=False))
        return
    for result in results:
        for key, value in result.items():
            text = f"{value:,.4g}" if isinstance(value, float) else value
            shown = f"{value:,}" if isinstance(value, int) and value > 9999 else text
            for line in value if isinstance(value, list) else [shown]:
                print(f"{key:>30}  {line}")
        print()


@app.command()
def replay(
    run: RunDir,
    steps: Annotated[str, typer.Option(help="First and last step, as 1:100.")],
    json_: Json = False,
) -> None:
    """Print the hash of the global batch of each step, made again from settings and shards."""
    from trainer.trace import replay as run_replay

    first, _, last = steps.partition(":")
    if not first.isdigit() or not (last or first).isdigit():
        raise ConfigError(f"--steps is {steps!r}: write it as 1:100")
    rows = list(run_replay(run, int(first), int(last or first)))
    _show(rows, json_)
    if any(r["agrees"] is False for r in rows):
        raise TrainError("the data differs from what the run's metrics.jsonl recorded")


@app.command()
def trace(
    run: RunDir,
    step: Annotated[int, typer.Option(help="Which documents a step trained on.")] = 0,
    url: Annotated[str, typer.Option(help="Which steps trained on a URL.")] = "",
    id_: Annotated[str, typer.Option("--id", help="Which steps trained on a document id.")] = "",
    json_: Json = False,
) -> None:
    """From a step to documents, URLs and archive offsets; or from a URL to steps."""
    from trainer import trace as tr

    if bool(step) + bool(url) + bool(id_) != 1:
        raise ConfigError("give one of --step, --url and --id")
    if step:
        _show(tr.of_step(run, step), json_)
    else:
        _show(tr.of_document(run, url or id_, "url" if url else "id"), json_)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _main_process() -> bool:
    import os

    return os.environ.get("RANK", "0") == "0"


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
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
