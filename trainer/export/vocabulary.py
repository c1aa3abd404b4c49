"""`trainer extend`: a run at step 0 whose tokenizer has more pieces, and rows for them.

The rows of embedding and lm_head of a new piece come from the old pieces that wrote it before:

    mean      their mean, as Swallow did (Fujii et al. 2024)
    weighted  weights e^(2i) towards the last piece in the embedding, towards the first in lm_head
              (AdaptiVocab, Nakash et al. 2025)
    normal    drawn around the mean of the whole table with its covariance (Hewitt 2021)
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainer.config.settings import ConfigError
from trainer.export import pieces as pieces_of
from trainer.export.from_huggingface import describe
from trainer.export.huggingface import save_weights
from trainer.folder.load import load_model
from trainer.tokens import parquet, tokenizer_train

INITS = ("mean", "weighted", "normal")


def extend(
    run: str | Path,
    source: str,
    out: str | Path,
    n: int,
    init: str = "mean",
    max_mb: int = 64,
    seed: int = 1,
) -> dict[str, Any]:
    """Learn up to n pieces on `source` and write the run; {"pieces", "vocab_size", "examples"}.

    Raises ConfigError when `out` is not empty or the text gives no piece.
    """
    if init not in INITS:
        raise ConfigError(f"--init is {init!r}: choose {', '.join(INITS)}")
    target, run = Path(out), Path(run)
    if target.exists() and any(target.iterdir()):
        raise ConfigError(f"{target} is not empty: choose another --out")
    model, config, tokenizer, step = load_model(run)
    texts = tokenizer_train.sample(parquet.input_files(source), max_mb << 20)
    pieces = pieces_of.learn(tokenizer, texts, n)
    if not pieces:
        raise ConfigError(f"{source} gives no new piece that stands there twice")
    extended = pieces_of.write(tokenizer, run / "tokenizer", target / "tokenizer", pieces)
    first = tokenizer.vocab_size
    size = max(config.model.vocab_size, -(-extended.vocab_size // 64) * 64)
    made_of = pieces_of.made_of(pieces, first)
    tensors = dict(model.state_dict())
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in tensors:
            last = name != "lm_head.weight"
            tensors[name] = rows(tensors[name], first, made_of, size, init, last, seed)
    weights = target / "ckpt" / "step-00000000.tmp"
    weights.mkdir(parents=True)
    save_weights(tensors, weights)
    (weights / "model.safetensors.index.json").unlink(missing_ok=True)
    if (run / "hf").is_dir():
        shutil.copytree(run / "hf", target / "hf")
    shape = replace(config.model, vocab_size=size)
    checkpoint = replace(config.checkpoint, load=str(target), load_step=0)
    describe(replace(config, out=str(target), model=shape, checkpoint=checkpoint), run.name)
    how = {"from": run.name, "step": step, "init": init, "seed": seed, "pieces": len(pieces)}
    (target / "extension.json").write_text(json.dumps(how, indent=1) + "\n", encoding="utf-8")
    examples = [p.content.decode("utf-8", "replace") for p in pieces]
    return {"pieces": len(pieces), "vocab_size": size, "examples": examples}


def rows(
    table: Tensor, first: int, made_of: list[list[int]], size: int, init: str, last: bool, seed: int
) -> Tensor:
    """`table` with rows for the new pieces from `first` on, float[size, width].

    last: `weighted` favours the last old piece (embedding), else the first (lm_head).
    """
    out = torch.cat([table, table.new_zeros(max(0, size - len(table)), table.shape[1])])
    used = table[:first]
    generator = torch.Generator().manual_seed(seed)
    for token, parts in enumerate(made_of, first):
        if init == "normal":
            drawn = torch.randn(first, generator=generator) / (first - 1) ** 0.5
            out[token] = used.mean(0) + drawn @ (used - used.mean(0))
            continue
        order = torch.arange(len(parts), dtype=torch.float32) * (2.0 if last else -2.0)
        share = (
            order.softmax(0) if init == "weighted" else torch.full((len(parts),), 1 / len(parts))
        )
        out[token] = share @ table[parts]
    return out
