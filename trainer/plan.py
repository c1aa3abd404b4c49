"""`trainer plan`: what a run needs and costs, with every assumption printed.

Arithmetic only: parameters and FLOPs from flops.py, machines and prices from a dated TOML. An
estimate says so. Advice on the amount of data follows Hoffmann et al. 2022 (20 tokens a parameter)
and Muennighoff et al. 2023 (up to 4 epochs cost almost nothing, beyond about 16 gain nothing).
"""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import flops
from trainer.config import Config, ConfigError

MACHINES = Path(__file__).parent / "machines.toml"
TOKENS_PER_PARAMETER = 20.0  # Hoffmann et al. 2022, table 3
FREE_EPOCHS, LAST_EPOCHS = 4.0, 16.0  # Muennighoff et al. 2023
BYTES_PER_PARAMETER = 16.0  # float32 weight, gradient and two AdamW moments, all sharded


@dataclass(frozen=True)
class Machine:
    """One kind of node; see machines.toml for units and sources."""

    name: str
    gpus_per_node: int
    peak_tflops: float
    memory_gb: float
    watts_per_gpu: float
    yen_per_node_hour: float
    points_per_node_hour: float
    max_nodes: int
    max_hours: float
    max_node_hours: float
    date: str
    source: str
    price_source: str


def machines(file: str | Path = MACHINES) -> dict[str, Machine]:
    """The table of machines. Raises ConfigError for a file that cannot be read or a bad entry."""
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8"))
        return {name: Machine(**entry) for name, entry in table.items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ConfigError(f"{file}: not a table of machines: {error}") from error


def plan(
    config: Config, machine: Machine, nodes: int, mfu: float, simple: bool = False
) -> dict[str, Any]:
    """Everything about one run on `nodes` nodes at a model FLOP utilisation of `mfu` (0 to 1).

    simple: FLOP = 6 · parameters · tokens, as in papers, instead of the exact count.
    """
    if not 0 < mfu < 1 or nodes < 1:
        raise ConfigError(f"--mfu is {mfu} and --nodes {nodes}: give 0 < mfu < 1 and nodes >= 1")
    m = config.model
    if not m.vocab_size:
        raise ConfigError("model.vocab_size is 0: set it to plan a run")
    counts = flops.parameters(m)
    tokens = config.train.tokens or (
        config.train.steps * config.train.batch_rows * config.data.seq_len
    )
    per_token = 6 * counts["total"] if simple else flops.per_token(m, config.data.seq_len)
    total = per_token * tokens
    gpus = nodes * machine.gpus_per_node
    gpu_hours = total / (machine.peak_tflops * 1e12 * mfu) / 3600
    node_hours = gpu_hours / machine.gpus_per_node
    hours = node_hours / nodes
    per_gpu = memory(config, gpus)
    return {
        "machine": machine.name,
        "parameters": counts["total"],
        "parameters_without_embedding": counts["layers"] + counts["norms"],
        "tokens": tokens,
        "flop": total,
        "zettaflop": total / 1e21,
        "gpus": gpus,
        "gpu_hours": gpu_hours,
        "node_hours": node_hours,
        "days": hours / 24,
        "jobs": max(1, math.ceil(hours / machine.max_hours)),
        "points": node_hours * machine.points_per_node_hour,
        "yen": node_hours * machine.yen_per_node_hour,
        "kwh": gpu_hours * machine.watts_per_gpu / 1000,
        "state_gb_per_gpu": per_gpu["state"],
        "memory_gb_per_gpu": per_gpu["total"],
        "fits": per_gpu["total"] < 0.92 * machine.memory_gb,
        "notes": _notes(config, machine, nodes, mfu, node_hours, per_gpu["total"], simple),
    }


def memory(config: Config, gpus: int) -> dict[str, float]:
    """GB (1e9 bytes) of one GPU under FSDP2: state, one gathered block, activations, logits."""
    m, rows, length = config.model, config.train.micro_rows, config.data.seq_len
    counts = flops.parameters(m)
    state = counts["total"] * BYTES_PER_PARAMETER / gpus
    block = 2 * 2 * counts["layers"] / m.num_hidden_layers + 2 * 2 * counts["head"]
    token = 34 * m.hidden_size  # bytes of a layer and token in bfloat16, Korthikanti et al. 2022
    mode = config.parallel.activation_checkpointing
    kept = 2 * m.hidden_size
    share = {"none": 1.0, "full": 0.0}.get(mode)
    if share is None:
        share = 1 - 1 / int(mode.removeprefix("every-"))
    layers = m.num_hidden_layers * (share * token + (1 - share) * kept) + token
    logits = min(config.train.loss_chunk or rows * length, rows * length) * m.vocab_size * 10
    parts = {
        "state": state / 1e9,
        "block": block / 1e9,
        "activations": rows * length * layers / 1e9,
        "logits": logits / 1e9,
    }
    return parts | {"total": sum(parts.values())}


def advice(corpus_tokens: float, characters: float = 0.0) -> list[str]:
    """What a corpus of so many tokens supports, in sentences."""
    compute_optimal = corpus_tokens / TOKENS_PER_PARAMETER
    repeated = corpus_tokens * FREE_EPOCHS / TOKENS_PER_PARAMETER
    size = f"{corpus_tokens:,.0f} tokens"
    size += f" ({characters:,.0f} characters)" if characters else ""
    return [
        f"This corpus has {size}.",
        f"Read once, it supports a compute-optimal model of {_count(compute_optimal)} parameters "
        f"({TOKENS_PER_PARAMETER:g} tokens a parameter, Hoffmann et al. 2022).",
        f"Repeated {FREE_EPOCHS:g} times, which costs almost nothing in quality (Muennighoff et "
        f"al. 2023), one of {_count(repeated)}.",
        f"Beyond about {LAST_EPOCHS:g} epochs repetition gains nothing: "
        f"{_count(corpus_tokens * LAST_EPOCHS)} tokens are the most this corpus can train on.",
        "Both are results on English and other data; take them as orders of magnitude.",
    ]


def corpus_advice(folder: str | Path) -> list[str]:
    """`advice` for a folder of token shards, from its manifest."""
    from trainer.prepare import load_manifest

    train = load_manifest(folder)["train"]
    return advice(train["tokens"], train["chars"])


def as_json(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1, ensure_ascii=False)


def _notes(
    config: Config,
    machine: Machine,
    nodes: int,
    mfu: float,
    node_hours: float,
    gb: float,
    simple: bool,
) -> list[str]:
    form = "6 · parameters · tokens" if simple else "6 · matrix parameters + attention, exact"
    notes = [
        f"estimate: MFU {mfu:.0%} is an assumption; peak {machine.peak_tflops:g} TFLOP/s a GPU",
        f"FLOP counted as {form}; recomputation, evaluation and restarts not included",
        f"machine: {machine.source}, {machine.date}; price: {machine.price_source}",
        f"power {machine.watts_per_gpu:g} W a GPU is an assumption",
    ]
    if nodes > machine.max_nodes:
        notes.append(f"{nodes} nodes exceed the {machine.max_nodes} a job may have")
    job = min(machine.max_hours, machine.max_node_hours / nodes)
    if node_hours / nodes > job:
        notes.append(f"a job may last {job:,.0f} h here: chain jobs (launch/), they resume exactly")
    if gb >= 0.92 * machine.memory_gb:
        notes.append(
            f"{gb:,.0f} GB a GPU do not fit {machine.memory_gb:g} GB: more nodes, smaller "
            "train.micro_rows, train.loss_chunk or activation checkpointing"
        )
    if flops.parameters(config.model)["total"] > 5e10:
        notes.append(
            "above 50 B parameters bandwidth, not memory, limits FSDP alone; others add tensor "
            "parallelism, which this trainer does not have"
        )
    return notes


def _count(n: float) -> str:
    for unit, size in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:,.0f}"
