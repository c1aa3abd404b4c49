"""`trainer export`: a finished run for transformers and llama.cpp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.options import Out, RunDir, Step


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
