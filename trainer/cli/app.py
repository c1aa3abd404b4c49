"""The `trainer` command: every verb is one function call; errors are one line.

Exit status: 0 done, 1 the run failed, 2 wrong usage. Heavy imports happen inside the verbs, so
`--help` answers at once.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli import generate, reports
from trainer.cli.reports import EXTRA, Json, RunDir, Source, show
from trainer.config.settings import ConfigError, StoppedError, TrainError

app = typer.Typer(
    name="trainer",
    help="Train language models on Parquet text, with every token traceable to its source.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(show: bool) -> None:
    if show:
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
        if not isinstance(error, StoppedError):
            sys.stderr.write(f"trainer: {error}\n")
        code = 2 if isinstance(error, ConfigError) else 1
        if "torch" in sys.modules:
            from trainer.run.parallel import leave

            leave(code)
        raise SystemExit(code) from None
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
    from trainer.data import parquet
    from trainer.data import tokenizer as tok

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

    from trainer.data.prepare import prepare as run

    quiet = not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
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
    """Train on token shards or on a corpus. The same command again goes on where it stopped.

    Any setting can be given as --section.key=value; `trainer config PRESET` prints them all.
    """
    from trainer.config.settings import load
    from trainer.run.parallel import leave
    from trainer.run.train import train as run

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


@app.command(context_settings=EXTRA)
def config(
    ctx: typer.Context,
    preset: Annotated[str, typer.Argument(help="TOML file or name of a preset.")] = "tiny-cpu",
) -> None:
    """Print every setting with its meaning, as a TOML file to start from."""
    from trainer.config.settings import PRESETS, load
    from trainer.config.write import commented

    text = commented(load(preset, ctx.args))
    names = ", ".join(sorted(p.stem for p in PRESETS.glob("*.toml")))
    print(f"# trainer config {' '.join([preset, *ctx.args])}\n# presets: {names}\n\n{text}", end="")


app.command()(generate.generate)


@app.command()
def export(
    run: RunDir,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    step: Annotated[int, typer.Option(help="Checkpoint; 0 is the newest.")] = 0,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    gguf: Annotated[bool, typer.Option("--gguf", help="Also OUT/RUN-TYPE.gguf.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Compare with transformers.")] = False,
) -> None:
    """Write a folder that transformers.AutoModelForCausalLM and AutoTokenizer open.

    With --gguf a file for llama.cpp as well: llama family, best with a tokenizer --model bpe.
    """
    from trainer.export.huggingface import export as run_export

    result = run_export(run, out, step or None, dtype, gguf, check)
    print(f"{out}: {result['parameters']:,} parameters of step {result['step']:,}")
    print(f"weights: {', '.join(result['files'])}")
    if check:
        print(f"transformers: same tokens, logits differ by at most {result['check']:.1e}")
    if result["lossy"]:
        print("llama.cpp reads characters without a piece as <unk>: only bpe tokenizers keep them")


@app.command(context_settings=EXTRA)
def sft(
    ctx: typer.Context,
    run: RunDir,
    data: Annotated[Path, typer.Option(help="Conversations, .jsonl or .parquet.")],
    out: Annotated[Path, typer.Option(help="Folder of the new run.")],
    epochs: Annotated[float, typer.Option()] = 2.0,
    held_out: Annotated[float, typer.Option(help="Share kept for evaluation.")] = 0.05,
) -> None:
    """Fine-tune on conversations, loss on the answers; --section.key=value as in train."""
    from trainer.run.parallel import leave
    from trainer.run.sft import sft as run_sft

    result = run_sft(run, data, out, epochs, held_out, ctx.args)
    if _main_process():
        first, last = result["first"], result["last"]
        print(
            f"{result['conversations']:,} conversations in {result['rows']:,} rows"
            f" ({result['left_out']:,} too long and left out), {result['step']:,} steps"
        )
        if first and last:
            print(f"held-out loss of answers: {first['loss']:.3f} before, {last['loss']:.3f} after")
    leave()


@app.command(context_settings=EXTRA)
def ablate(
    ctx: typer.Context,
    corpora: Annotated[list[str], typer.Argument(help="Token shards of each corpus.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs and the table.")],
    config: Annotated[str, typer.Option(help="TOML file or name of a preset.")] = "tiny-cpu",
    seeds: Annotated[int, typer.Option()] = 3,
    held: Annotated[str, typer.Option(help="Token shards whose held-out text counts.")] = "",
    json_: Json = False,
) -> None:
    """Train one small model on several corpora and say whether they differ."""
    from trainer.analysis.ablate import ablate as run_ablate
    from trainer.config.settings import load

    overrides = [a for a in corpora if a.startswith("--")] + ctx.args
    folders = [c for c in corpora if not c.startswith("--")]
    rows = run_ablate(folders, load(config, overrides), out, seeds, held)
    if _main_process():
        show(rows, json_)


def _main_process() -> bool:
    from trainer.run.parallel import place

    return place("RANK") == 0


reports.register(app)
