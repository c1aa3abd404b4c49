"""The settings by which a run fits the memory of its GPUs, at the least cost in time.

None of them changes what is computed: rows of a forward pass, tokens whose logits exist at once,
blocks that are recomputed, gradients sharded after every pass. What a setting says already is kept
or exceeded. `trainer plan` says what it would choose; with parallel.fit a run on GPUs chooses it
at its start and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from trainer.config.settings import Config
from trainer.plan import flops
from trainer.plan.memory import memory, passes_of, recomputed

USABLE = 0.92  # share of a GPU's memory that the allocator, NCCL and kernels leave to the run
MODES = ("none", "every-4", "every-3", "every-2", "full")  # in the order of what they recompute
CHUNKS = (8192, 2048, 512)
# Guesses of what else costs time, as shares of a step: not measured on a GPU.
HALF_THE_ROWS = 0.02  # kernels of half the rows
ONE_MORE_REDUCTION = 0.01  # gradients sharded after one more pass


def fit(config: Config, gpus: int, memory_gb: float) -> dict[str, Any] | None:
    """{section.key: value} of what has to change to fit; {} when nothing, None when nothing helps.

    Of all that fits it is what costs least by `cost`.
    """
    room = USABLE * memory_gb
    if memory(config, gpus)["total"] < room:
        return {}
    fitting = [
        c for c in _choices(config, gpus) if memory(applied(config, c), gpus)["total"] < room
    ]
    return min(fitting, key=lambda c: cost(applied(config, c), gpus), default=None)


def applied(config: Config, changes: dict[str, Any]) -> Config:
    """The settings with these changed."""
    for name, value in changes.items():
        section, _, key = name.partition(".")
        config = replace(config, **{section: replace(getattr(config, section), **{key: value})})
    return config


def cost(config: Config, gpus: int) -> float:
    """Seconds more for a second of a step without recomputation, in one pass. An estimate.

    Operations that are done twice are counted exactly; the rest are the guesses above.
    """
    model, step = config.model, flops.per_token(config.model, config.data.seq_len)
    head = 2 * model.vocab_size * model.hidden_size / step if _chunked(config, gpus) else 0.0
    forward = 1 / 3 - 2 * model.vocab_size * model.hidden_size / step  # of all blocks
    passes = passes_of(config, gpus)[1]
    again = ONE_MORE_REDUCTION * (passes - 1) if config.parallel.reduce_every_pass else 0.0
    return head + forward * recomputed(config) + again + HALF_THE_ROWS * passes.bit_length()


def nodes_that_fit(config: Config, per_node: int, memory_gb: float, most: int) -> int:
    """The smallest power of two of nodes on which some choice fits; 0 when none does."""
    nodes = 1
    while nodes <= most:
        if fit(config, nodes * per_node, memory_gb) is not None:
            return nodes
        nodes *= 2
    return 0


def said(changes: dict[str, Any]) -> str:
    """Changes as they are written on a command line."""
    return " ".join(f"--{k}={str(v).lower()}" for k, v in changes.items())


def _choices(config: Config, gpus: int) -> Iterator[dict[str, Any]]:
    """Every combination that asks for no more memory than the settings do."""
    rows, _ = passes_of(config, gpus)
    mode = config.parallel.activation_checkpointing
    modes = [m for m in MODES if recomputed(_with_mode(config, m)) >= recomputed(config)]
    chunk = config.train.loss_chunk
    chunks = [chunk, *(c for c in CHUNKS if not chunk or c < chunk)]
    while rows:
        for again in dict.fromkeys([mode, *modes]):
            for tokens in chunks:
                for every in {config.parallel.reduce_every_pass, True}:
                    yield _changes(config, rows, again, tokens, every, gpus)
        rows //= 2


def _changes(
    config: Config, rows: int, mode: str, chunk: int, every: bool, gpus: int
) -> dict[str, Any]:
    """What of a combination differs from the settings."""
    wanted = {
        "train.micro_rows": rows,
        "train.loss_chunk": chunk,
        "parallel.activation_checkpointing": mode,
        "parallel.reduce_every_pass": every,
    }
    there = {
        "train.micro_rows": passes_of(config, gpus)[0],
        "train.loss_chunk": config.train.loss_chunk,
        "parallel.activation_checkpointing": config.parallel.activation_checkpointing,
        "parallel.reduce_every_pass": config.parallel.reduce_every_pass,
    }
    return {k: v for k, v in wanted.items() if v != there[k]}


def _with_mode(config: Config, mode: str) -> Config:
    return applied(config, {"parallel.activation_checkpointing": mode})


def _chunked(config: Config, gpus: int) -> bool:
    """Whether the head's product is made again, chunk by chunk."""
    tokens = passes_of(config, gpus)[0] * config.data.seq_len
    return 0 < config.train.loss_chunk < tokens
