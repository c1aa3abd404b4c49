"""Held-out text in bits per byte and bits per character, in total and for each source.

Both are independent of the tokenizer: nats of all predicted tokens, divided by the bytes or
characters those tokens stand for. The end mark of a document is predicted too and costs bits but
no bytes, so models are never flattered; the begin mark is given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.distributed.fsdp import FSDPModule

from trainer.config.settings import Config, Phase
from trainer.data.loader import IGNORE, Batch, Batches, Loader
from trainer.data.steps import Timeline
from trainer.model.attention import document_mask
from trainer.model.transformer import CausalLM
from trainer.run.parallel import compute_dtype
from trainer.run.processes import World
from trainer.tokens.tokenizer import Sizes


class Meter:
    """Sums of nats, tokens, bytes and characters for each source, over processes when read."""

    def __init__(self, names: list[str], sizes: Sizes, device: torch.device) -> None:
        self.names, self.sizes, self.device = names, sizes, device
        self.reset()

    def reset(self) -> None:
        count = max(1, len(self.names))
        kind = torch.float64
        self.nats = torch.zeros(count, dtype=kind, device=self.device)
        self.counts = np.zeros((3, count))

    def add(self, batch: Batch, nll: torch.Tensor, sources: torch.Tensor) -> None:
        """nll: float32[rows, T] on the device; no synchronisation with the host."""
        self.nats.index_add_(0, sources.flatten(), nll.detach().flatten().to(self.nats.dtype))
        there = batch.targets != IGNORE
        ids, where = batch.targets[there], batch.sources[there]
        n = self.counts.shape[1]
        self.counts[0] += np.bincount(where, minlength=n)
        first = self.sizes.extra * (batch.tokens[there] == self.sizes.bos)
        for i, size in enumerate((self.sizes.bytes, self.sizes.chars), 1):
            self.counts[i] += np.bincount(where, weights=size[ids] - first, minlength=n)

    def sums(self, world: World) -> list[float]:
        """What was added since `reset`, over all processes: for a checkpoint between two rows."""
        return world.sum(*self.nats.tolist(), *self.counts.ravel().tolist())

    def restore(self, sums: list[float], names: list[str]) -> None:
        """Go on from `sums` of sources `names`; on one process only."""
        nats, *counts = np.array(sums).reshape(4, -1)
        mine = [self.names.index(n) for n in names] or [0]
        self.nats[mine] += torch.from_numpy(nats).to(self.device)
        self.counts[:, mine] += np.array(counts)

    def read(self, world: World) -> dict[str, Any]:
        """loss (nats a token), bpb, bpc, tokens, and the same under `sources` for each source."""
        nats, tokens, n_bytes, chars = np.array(self.sums(world)).reshape(4, -1)
        total = _rates(nats.sum(), tokens.sum(), n_bytes.sum(), chars.sum())
        if len(self.names) > 1:
            total["sources"] = {
                name: _rates(nats[i], tokens[i], n_bytes[i], chars[i])
                for i, name in enumerate(self.names)
                if tokens[i]
            }
        return total


def held_out_loader(config: Config) -> Loader | None:
    """The held-out split in an order that no run changes; None when nothing was held out."""
    data = replace(config.data, weights={}, max_epochs=1.0)  # all rows: each once
    train = replace(config.train, seed=0, batch_rows=config.eval.micro_rows)
    train = replace(train, steps=0, tokens=0)
    whole = replace(config, data=data, train=train, phases=_as_one(config))
    loader = Loader(whole, "held", empty_ok=True)
    return loader if len(loader.documents) else None


def _as_one(config: Config) -> list[Phase]:
    """All folders of a run in one phase: what is measured is the same in every phase of it."""
    folders = Timeline(config).folders
    return [] if folders == [config.data.tokens] else [Phase(tokens=1, folders=folders)]


def held_out(
    model: CausalLM, loader: Batches, config: Config, sizes: Sizes, world: World
) -> dict[str, Any]:
    """Evaluate on the first `eval.rows` rows (all, if 0 or fewer exist), shared by processes."""
    meter = Meter(loader.documents.names, sizes, world.device)
    for mine, nll, sources in forward(model, loader, config, world):
        meter.add(mine, nll, sources)
    return meter.read(world)


@torch.no_grad()
def forward(
    model: CausalLM, loader: Batches, config: Config, world: World
) -> Iterator[tuple[Batch, torch.Tensor, torch.Tensor]]:
    """(this process's rows, nll, sources) of each pass over the held-out rows of a run."""
    available = loader.epoch_rows()
    count = min(config.eval.rows or available, available)
    with resting(model):
        step = config.eval.micro_rows * world.size
        for start in range(0, count, step):
            rows = np.arange(start, min(start + step, count), dtype=np.int64)
            # Every process takes part in every collective, with rows that count for nothing.
            mine = loader.rows(rows, world.rank, world.size).share(0, config.eval.micro_rows)
            tokens, targets, sources, mask = to_device(mine, config, world.device)
            yield mine, model(tokens, targets, mask), sources


@contextmanager
def resting(model: CausalLM) -> Iterator[None]:
    """A model that is being trained is asked in between."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
        for module in model.modules():
            if isinstance(module, FSDPModule):
                module.reshard()  # a forward pass alone may leave parameters gathered


def to_device(
    batch: Batch, config: Config, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Any]:
    """(tokens, targets, sources, mask) of a batch, copied without waiting."""
    arrays = [
        torch.from_numpy(np.ascontiguousarray(a))
        for a in (batch.tokens, batch.targets, batch.sources, batch.documents)
    ]
    mask = None
    if config.data.attention == "document":
        half = compute_dtype(config.parallel, device) != torch.float32
        mask = document_mask(arrays[3], "auto" if half else "masked", device)
    if device.type == "cuda":
        arrays = [a.pin_memory().to(device, non_blocking=True) for a in arrays[:3]]
    return arrays[0], arrays[1], arrays[2], mask


def _rates(nats: float, tokens: float, n_bytes: float, chars: float) -> dict[str, Any]:
    bits = nats / math.log(2)
    return {
        "loss": nats / max(1.0, tokens),
        "bpb": bits / max(1.0, n_bytes),
        "bpc": bits / max(1.0, chars),
        "tokens": int(tokens),
        "bytes": int(n_bytes),
        "chars": int(chars),
    }
