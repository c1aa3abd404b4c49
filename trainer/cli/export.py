"""`trainer export`: a finished run for transformers and llama.cpp."""

from __future__ import annotations

from typing import Annotated

import typer

from trainer.cli.options import Out, RunDir, Step


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
