"""Bits per byte and character of any text under a model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch

from trainer.model.transformer import CausalLM
from trainer.tasks.ask import Alone, Processes
from trainer.tokens import parquet
from trainer.tokens.tokenizer import Tokenizer


@torch.inference_mode()
def text_rates(
    model: CausalLM,
    tokenizer: Tokenizer,
    source: str,
    max_documents: int = 0,
    processes: Processes | None = None,
) -> dict[str, Any]:
    """Bits per byte and character of any Parquet text, in total and for each source.

    Each document is read alone from its begin mark; a long one in windows that overlap by half,
    so a token has at least half a context before it, except at the start of its document.
    Documents are shared by the processes.
    """
    processes = processes or Alone()
    window = model.config.max_position_embeddings
    sums: dict[str, list[float]] = {}
    count = 0
    for count, (name, text) in enumerate(islice(parquet.texts(source), max_documents or None), 1):
        if count % processes.size != processes.rank:
            continue
        row = [tokenizer.bos, *tokenizer.encode(text), tokenizer.eos]
        nats = sum(_window_nats(model, row, window))
        total = sums.setdefault(name, [0.0, 0.0, 0.0])
        for i, value in enumerate((nats, len(text.encode()), len(text))):
            total[i] += value
    mine, sums = processes.gather(sums), {}
    for name, parts in (item for one in mine for item in one.items()):
        total = sums.setdefault(name, [0.0, 0.0, 0.0])
        sums[name] = [a + b for a, b in zip(total, parts, strict=True)]
    rates = {n: _rates(*v) for n, v in sorted(sums.items())}
    whole = [sum(v[i] for v in sums.values()) for i in range(3)]
    return {"documents": count, **_rates(*whole), "sources": rates}


def _window_nats(model: CausalLM, row: list[int], window: int) -> Iterator[float]:
    device = model.model.embed_tokens.weight.device
    done = 1
    while done < len(row):
        start = max(0, done - window // 2) if done > 1 else 0
        part = torch.tensor([row[start : start + window + 1]], device=device)
        targets = part[:, 1:].clone()
        targets[:, : done - start - 1] = -100
        nll = model(part[:, :-1], targets)
        yield float(nll.sum())
        done = start + part.shape[1]


def _rates(nats: float, n_bytes: float, chars: float) -> dict[str, float]:
    bits = nats / math.log(2)
    return {"bpb": bits / n_bytes, "bpc": bits / chars, "bytes": n_bytes, "chars": chars}
