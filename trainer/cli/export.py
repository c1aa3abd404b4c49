"""`trainer export`: a finished run for transformers and llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Json, Out, RunDir, Source, Step
from trainer.cli.printing import show


def import_(
    model: Annotated[Path, typer.Argument(help="Folder of Hugging Face, with safetensors.")],
    out: Out,
) -> None:
    """Make a run at step 0 of a Llama, llm-jp-3, Qwen 2.5/3 (dense) or Mistral model.

    Then: trainer train --config OUT --out=NEXT …, sft, evaluate, generate, export.
    """
    from trainer.export.from_huggingface import import_model

    made = import_model(model, out)
    shape, tokenizer = made["model"], made["tokenizer"]
    print(
        f"{out}: {made['parameters']:,} parameters, {shape.num_hidden_layers} layers, context "
        f"{shape.max_position_embeddings:,}, {tokenizer.vocab_size:,} entries in "
        f"{tokenizer.file} (begin {tokenizer.bos}, end {tokenizer.eos}, pad {tokenizer.pad})"
    )


def extend(
    run: RunDir,
    source: Source,
    out: Out,
    pieces: Annotated[int, typer.Option(help="How many to add at most.")] = 4000,
    init: Annotated[str, typer.Option(help="New rows: mean, weighted or normal.")] = "mean",
    max_mb: Annotated[int, typer.Option(help="Text to learn from, a sample by hash of id.")] = 64,
    json_: Json = False,
) -> None:
    """Add pieces learnt on a corpus to a run's tokenizer; the new run stands at step 0.

    Prints characters per token before and after, by source. Then train on it.
    """
    from trainer.analysis.fertility import report
    from trainer.export.vocabulary import extend as run_extend

    made = run_extend(run, source, out, pieces, init, max_mb)
    if not json_:
        shown = "、".join(e for e in made["examples"] if "\ufffd" not in e and len(e) > 1)
        print(f"{out}: {made['pieces']:,} pieces, {made['vocab_size']:,} rows: {shown[:60]}…")
    show(report(source, [str(run / "tokenizer"), str(out / "tokenizer")]), json_)


def export(
    run: RunDir,
    out: Out,
    step: Step = 0,
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
