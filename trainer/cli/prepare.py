"""`trainer tokenizer`, `prepare`, `fertility`: from text to token shards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Json, Out, Source
from trainer.cli.printing import show
from trainer.config.settings import ConfigError


def tokenizer(
    source: Source,
    out: Out,
    vocab_size: Annotated[int, typer.Option(help="Number of pieces.")] = 32000,
    model: Annotated[str, typer.Option(help="unigram or bpe.")] = "unigram",
    presegment: Annotated[bool, typer.Option(help="No piece crosses a fugashi word.")] = False,
    max_mb: Annotated[int, typer.Option(help="Text to train on, a sample by hash of id.")] = 64,
) -> None:
    """Train a SentencePiece tokenizer with byte fallback; the same text gives the same bytes."""
    from trainer.tokens import parquet
    from trainer.tokens import tokenizer_train as tok

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


def prepare(
    source: Source,
    tokenizer: Annotated[Path, typer.Option(help="Tokenizer folder.")],
    out: Out,
    held_out: Annotated[float, typer.Option(help="Share of documents kept for evaluation.")] = 0.02,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    format_: Annotated[
        str, typer.Option("--format", help="megatron: also OUT/megatron/*.bin, *.idx.")
    ] = "parquet",
    json_: Json = False,
) -> None:
    """Tokenise a corpus into token shards that remember where every token came from.

    INPUT may be token files of Megatron-LM: PREFIX.idx, several with commas between them.
    """
    from rich.console import Console
    from rich.progress import Progress

    from trainer.export import megatron
    from trainer.tokens.prepare import prepare as run

    if format_ not in ("parquet", "megatron"):
        raise ConfigError(f"--format is {format_!r}: choose parquet or megatron")

    quiet = not sys.stderr.isatty()
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("tokenising", total=None)
        if source.endswith(".idx"):
            manifest = megatron.prepare(source.split(","), tokenizer, out, held_out)
        else:
            manifest = run(
                source,
                tokenizer,
                out,
                held_out,
                workers,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        pairs = megatron.write(out) if format_ == "megatron" else {}
    if json_:
        print(json.dumps(manifest, indent=1))
        return
    for split in ("train", "held"):
        m = manifest[split]
        print(
            f"{split}: {m['rows']:,} documents, {m['tokens']:,} tokens, "
            f"{m['chars']:,} characters, {m['bytes']:,} bytes"
        )
    for name, tokens in pairs.items():
        print(f"{out}/megatron/{name}.bin, .idx: {tokens:,} tokens")


def remove(
    tokens: Annotated[Path, typer.Argument(metavar="TOKENS", help="Folder of `prepare`.")],
    ids: Annotated[str, typer.Option(help="File of document ids, one a line; -: stdin.")],
    runs: Annotated[
        list[str] | None,
        typer.Option("--run", help="A run on them: say which steps saw what goes."),
    ] = None,
    json_: Json = False,
) -> None:
    """Take documents out of token shards for good (`corpus remove --tokens` calls it)."""
    from trainer.analysis.remove import remove as run
    from trainer.analysis.trace import of_documents

    try:
        text = sys.stdin.read() if ids == "-" else Path(ids).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the ids in {ids}: {error}") from error
    # Before: afterwards the order in which a run read them cannot be made again.
    saw = {name: of_documents(name, text.split()) for name in runs or []}
    facts = run(tokens, text.split())
    if json_:
        print(json.dumps(facts | ({"seen": saw} if runs else {})))
        return
    print(
        f"{tokens}: {facts['removed']:,} documents removed from {facts['shards']:,} shards, "
        f"{facts['documents']:,} left"
    )
    for name, found in saw.items():
        for document, steps in found.items():
            print(
                f"{name}: {document} was seen at {f'steps {_list(steps)}' if steps else 'no step'}"
            )


def _list(steps: list[int]) -> str:
    """The first steps and how many more."""
    more = f" and {len(steps) - 20:,} more" if len(steps) > 20 else ""
    return ", ".join(map(str, steps[:20])) + more


def fertility(
    source: Source,
    tokenizers: Annotated[list[str], typer.Argument(help="Tokenizer folders to compare.")],
    limit: Annotated[int, typer.Option(help="Documents to read.")] = 2000,
    json_: Json = False,
) -> None:
    """Characters, bytes and words per token of tokenizers on a corpus, for each source."""
    from trainer.analysis.fertility import report

    show(report(source, tokenizers, limit), json_)
