"""`trainer dpo`: from pairs of answers, the better one made likelier (Rafailov et al. 2023).

A row is a pair: the conversation with the chosen answer, then with the rejected one, under document
attention. With m = log π(chosen) - log π(rejected), and m₀ the same under the run it starts from,
the loss of a pair is -log σ(β (m - m₀)). What that run says of every answer is computed once,
before the first step, so one model is in memory. The rest is the ordinary training loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.nn import functional as F

from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE, Batch, own
from trainer.folder.load import load_model
from trainer.folder.run import load_run
from trainer.model.transformer import CausalLM
from trainer.run import evaluate
from trainer.run.parallel import compute_dtype
from trainer.run.processes import World, start
from trainer.run.train import Feed, train
from trainer.tokens.parquet import in_sample
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning.conversations import ChatLoader, Packed, examples, fill
from trainer.tuning.formats import Pair, pairs
from trainer.tuning.sft import shortened, tuning

SIDES = ["chosen", "rejected"]
BLOCK = 64  # rows are as long as the longest pair, rounded up to this many tokens


class PairLoader(ChatLoader):
    """Rows of a chosen (document 0) and a rejected (1) conversation, each side a source."""

    names = SIDES

    def __init__(self, packed: Packed, config: Config, fingerprint: str) -> None:
        super().__init__(packed, config, fingerprint)
        self.reference: np.ndarray | None = None  # float32[rows, T], nats under the base

    def rows(self, rows: np.ndarray, rank: int = 0, size: int = 1) -> Batch:
        mine = own(rows, rank, size)
        sides = np.maximum(self.packed.document[mine][:, 1:], 0).astype(np.int64)
        reference = None if self.reference is None else self.reference[mine]
        return replace(super().rows(rows, rank, size), sources=sides, reference=reference)


def dpo(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    beta: float = 0.1,
    epochs: float = 1.0,
    held_out: float = 0.05,
    overrides: list[str] | None = None,
) -> dict[str, Any]:
    """Tune the newest checkpoint of `base`; returns what `train` returns, and counts.

    `last["preferences"]` has the loss, the mean margin and how often the chosen answer gained more
    than the rejected one, on the pairs held out.
    """
    if not 0 < beta < 1e3:
        raise ConfigError(f"--beta is {beta:g}: give a number above 0, usually 0.1")
    base_config, tokenizer = load_run(base)
    config = tuning(base_config, str(base), str(out), overrides or [], share=100)
    # z_loss would be part of what the answers are compared by.
    config = replace(config, train=replace(config.train, z_loss=0.0))
    read = pairs(data)
    keys = [p.chosen.key() + p.rejected.key() for p in read]
    held = in_sample(keys, held_out, "dpo-held-out").tolist()
    sides = [[p for p, h in zip(read, held, strict=True) if h == side] for side in (False, True)]
    packed = pack(sides, tokenizer, config.data.seq_len)
    if not len(packed[0].tokens):
        raise ConfigError(f"no pair of {data} fits a row of {config.data.seq_len} tokens")
    config = replace(config, data=replace(config.data, seq_len=packed[0].tokens.shape[1] - 1))
    config = shortened(config, len(packed[0].tokens), epochs, overrides or [])
    fingerprint = hashlib.sha256("\n".join([*keys, repr(beta)]).encode()).hexdigest()
    loaders = [PairLoader(p, config, fingerprint) for p in packed]
    remember(base, [x for x in loaders if x.epoch_rows()], config)
    measures: dict[str, Callable[[CausalLM, World], dict[str, Any]]] = {}
    if loaders[1].epoch_rows():
        measures = {"preferences": lambda m, w: preferences(m, w, loaders[1], config, beta)}
    objective = preference_loss(beta, config.train.batch_rows)
    held_loader = loaders[1] if measures else None
    feed = Feed(loaders[0], held_loader, Path(base) / "tokenizer", objective, measures)
    result = train(config, feed)
    counts = {"pairs": len(read), "left_out": sum(p.left_out for p in packed)}
    return {**result, **counts}


def pack(sides: list[list[Pair]], tokenizer: Tokenizer, most: int) -> list[Packed]:
    """A row for each pair of each list, as long as the longest; those beyond `most` are left out.

    Of a conversation with several answers the last one alone is a target.
    """
    encoded = []
    for pairs_ in sides:
        both = [[_answer(c, tokenizer) for c in (p.chosen, p.rejected)] for p in pairs_]
        encoded.append(both)
    size = [[sum(len(ids) for ids, _ in row) for row in side] for side in encoded]
    longest = max((n for side in size for n in side if n <= most + 1), default=2)
    length = min(most, -(-(longest - 1) // BLOCK) * BLOCK)
    packed = []
    for side, sizes in zip(encoded, size, strict=True):
        rows = [r for r, n in zip(side, sizes, strict=True) if n <= length + 1]
        packed.append(fill(rows, tokenizer.pad, length, len(side) - len(rows)))
    return packed


def _answer(conversation: Any, tokenizer: Tokenizer) -> tuple[list[int], list[bool]]:
    ids, learn = examples(conversation, tokenizer)[-1]
    targets = np.flatnonzero(learn)
    breaks = np.flatnonzero(np.diff(targets) > 1)
    first = targets[breaks[-1] + 1] if len(breaks) else (targets[0] if len(targets) else 0)
    return ids, [flag and i >= first for i, flag in enumerate(learn)]


def preference_loss(beta: float, pairs_: int) -> Callable[[torch.Tensor, Batch], torch.Tensor]:
    """The objective of a batch of so many pairs; the loop divides it by the number of targets."""

    def objective(nll: torch.Tensor, batch: Batch) -> torch.Tensor:
        losses = -F.logsigmoid(beta * margins(nll, batch))
        return losses.sum() * (batch.loss_tokens / pairs_)

    return objective


def margins(nll: torch.Tensor, batch: Batch) -> torch.Tensor:
    """m - m₀ of each row: float32[rows], nats; 0 for a row without targets."""
    assert batch.reference is not None
    sign = np.where(batch.sources == 0, 1, -1) * (batch.targets != IGNORE)
    parts = torch.from_numpy(np.stack([sign.astype(np.float32), batch.reference]))
    signs, reference = parts.to(nll.device, non_blocking=True)
    return ((reference - nll) * signs).sum(dim=1)


def preferences(
    model: CausalLM, world: World, loader: PairLoader, config: Config, beta: float
) -> dict[str, Any]:
    """Loss, mean margin (nats) and accuracy on held-out pairs."""
    sums = np.zeros(4)
    for mine, nll, _ in evaluate.forward(model, loader, config, world):
        there = torch.from_numpy((mine.targets != IGNORE).any(axis=1))
        margin = margins(nll, mine).cpu()[there].double()
        loss = -F.logsigmoid(beta * margin)
        parts = (loss.sum(), margin.sum(), (margin > 0).sum(), len(margin))
        sums += np.array([float(x) for x in parts])
    loss_, margin_, right, count = world.sum(*sums.tolist())
    return {
        "pairs": int(count),
        "loss": loss_ / max(1, count),
        "margin": margin_ / max(1, count),
        "accuracy": right / max(1, count),
    }


@torch.no_grad()
def remember(base: str | Path, loaders: list[PairLoader], config: Config) -> None:
    """Fill in what the base says of every row, its rows shared by the processes."""
    world = start(config.parallel)
    model, *_ = load_model(base, None, world.device)
    model.to(compute_dtype(config.parallel, world.device))
    for loader in loaders:
        known = torch.zeros(loader.epoch_rows(), config.data.seq_len)
        step = config.train.micro_rows
        for begin in range(world.rank * step, len(known), step * world.size):
            numbers = np.arange(begin, min(begin + step, len(known)))
            batch = loader.rows(numbers)
            tokens, targets, _, mask = evaluate.to_device(batch, config, world.device)
            known[numbers] = model(tokens, targets, mask).float().cpu()
        dist.all_reduce(known)
        loader.reference = known.numpy()
