"""`trainer plan`: what a run needs and costs, with every assumption printed.

Arithmetic only: parameters and FLOPs from flops.py, machines and prices from a dated TOML. An
estimate says so. What a corpus supports is in advice.py.
"""

from __future__ import annotations

import math
from typing import Any

from trainer.config.settings import Config, ConfigError
from trainer.data.steps import Timeline, micro_rows, total_steps
from trainer.plan import flops, saves
from trainer.plan.fit import USABLE, applied, fit, nodes_that_fit, said
from trainer.plan.machines import Machine
from trainer.plan.memory import memory


def plan(
    config: Config, machine: Machine, nodes: int, mfu: float, simple: bool = False
) -> dict[str, Any]:
    """Everything about one run on `nodes` nodes at a model FLOP utilisation of `mfu` (0 to 1).

    simple: FLOP = 6 · parameters · tokens, as in papers, instead of the exact count. Prices and
    points that the table does not know are None.
    """
    if not 0 < mfu < 1:
        raise ConfigError(f"--mfu is {mfu:g}: give a share between 0 and 1, such as 0.4 for 40 %")
    if nodes < 1:
        raise ConfigError(f"--nodes is {nodes}: give 1 or more")
    model = config.model
    if not model.vocab_size:
        raise ConfigError("model.vocab_size is 0: set it (--model.vocab_size=32000) to plan a run")
    counts = flops.parameters(model)
    tokens = run_tokens(config)
    phases = Timeline(config).parts
    total = 6.0 * counts["total"] * tokens
    if not simple:
        total = sum(p.tokens * flops.per_token(model, p.config.data.seq_len) for p in phases)
    gpus = nodes * machine.gpus_per_node
    gpu_hours = total / (machine.peak_tflops * 1e12 * mfu) / 3600
    node_hours = gpu_hours / machine.gpus_per_node
    hours = node_hours / nodes
    changes = fit(config, gpus, machine.memory_gb)
    if config.parallel.fit and changes:
        config = applied(config, changes)
        phases = Timeline(config).parts
    per_gpu = max((memory(p.config, gpus) for p in phases), key=lambda m: m["total"])
    result = {
        "machine": machine.name,
        "nodes": nodes,
        "gpus": gpus,
        "mfu": mfu,
        "parameters": counts["total"],
        "parameters_without_embedding": counts["layers"] + counts["norms"],
        "tokens": tokens,
        "tokens_per_parameter": tokens / counts["total"],
        "flop": total,
        "zettaflop": total / 1e21,
        "gpu_hours": gpu_hours,
        "node_hours": node_hours,
        "hours": hours,
        "days": hours / 24,
        "tokens_per_s": tokens / hours / 3600,
        "jobs": math.ceil(hours / machine.job_hours(nodes)),
        "job_hours": machine.job_hours(nodes),
        "points": node_hours * machine.points_per_node_hour or None,
        "yen": node_hours * machine.yen_per_node_hour or None,
        "kwh": gpu_hours * machine.watts_per_gpu / 1000,
        "saves": saves.saves(config, machine, nodes, hours),
        "memory_gb": per_gpu,
        "state_gb_per_gpu": per_gpu["state"],
        "memory_gb_per_gpu": per_gpu["total"],
        "fits": per_gpu["total"] < USABLE * machine.memory_gb,
        "changes": changes,
    }
    return result | {"notes": _notes(config, machine, result, simple)}


def run_tokens(config: Config) -> int:
    """Training tokens of a run, in whole batches."""
    return Timeline(config).tokens(total_steps(config))


def _notes(config: Config, machine: Machine, result: dict[str, Any], simple: bool) -> list[str]:
    nodes, mode = result["nodes"], "activation_checkpointing"
    form = "6 · parameters · tokens" if simple else "6 · matrix parameters + attention, exact"
    notes = [
        f"estimate: MFU {result['mfu']:.0%} is an assumption; peak {machine.peak_tflops:g} "
        "TFLOP/s a GPU",
        f"FLOP counted as {form}; recomputation, evaluation and restarts not included",
        f"machine: {machine.source}, {machine.date}; price: {machine.price_source}",
        f"power {machine.watts_per_gpu:g} W a GPU with its share of the node is an assumption; "
        "cooling not included",
    ]
    if not machine.bfloat16:
        notes.append(
            "these GPUs have no bfloat16 and this trainer has no float16 with loss scaling: the "
            "plan is arithmetic, in float32 the run takes several times as long"
        )
    if nodes > machine.max_nodes:
        notes.append(f"{nodes} nodes exceed the {machine.max_nodes} a job may have")
    if result["jobs"] > 1:
        notes.append(
            f"a job may last {result['job_hours']:,.4g} h here: chain {result['jobs']} jobs "
            "(launch/), they resume exactly"
        )
    rows, gpus = config.train.batch_rows, result["gpus"]
    passes = -(-rows // (gpus * micro_rows(config.train, rows, gpus)))
    idle = 1 - rows / (passes * gpus * micro_rows(config.train, rows, gpus))
    if idle > 0.02:
        notes.append(
            f"{rows:,} rows do not divide among {gpus:,} GPUs: {idle:.0%} of a step is padding; "
            "choose train.batch_rows to fit"
        )
    if getattr(config.parallel, mode) != "none":
        notes.append(
            "MFU does not count recomputed blocks: recomputing all of them takes up to a third "
            "longer at the same use of the hardware, so give a lower --mfu"
        )
    notes += _memory_notes(config, machine, result)
    notes += saves.sentences(result["saves"], config, machine, nodes)
    if result["parameters"] > 5e10:
        notes.append(
            "above 50 B parameters bandwidth, not memory, limits FSDP alone; others add tensor "
            "parallelism, which this trainer does not have"
        )
    return notes


def _memory_notes(config: Config, machine: Machine, result: dict[str, Any]) -> list[str]:
    """Whether the run fits, by what it does or what would make it."""
    parts, changes = result["memory_gb"], result["changes"]
    if result["fits"]:
        if not changes:
            return []
        return [f"to fit {machine.memory_gb:g} GB the run itself chooses {said(changes)}"]
    names = ("state", "accumulation", "activations", "transient", "gathered")
    listed = ", ".join(f"{n} {parts[n]:,.3g}" for n in names)
    note = f"{parts['total']:,.0f} GB a GPU ({listed}) do not fit {machine.memory_gb:g} GB"
    if changes:
        return [f"{note}; they would with {said(changes)}, which --parallel.fit=true chooses"]
    nodes = nodes_that_fit(config, machine.gpus_per_node, machine.memory_gb, machine.max_nodes)
    if nodes > result["nodes"]:
        return [f"{note} by any choice of memory settings: {nodes} nodes would"]
    return [f"{note} by any choice of memory settings on any number of nodes a job may have"]


def headline(r: dict[str, Any]) -> str:
    """What the run is, whatever the machine."""
    return (
        f"This run: {count(r['parameters'])} parameters "
        f"({count(r['parameters_without_embedding'])} without embedding and head), "
        f"{count(r['tokens'])} tokens ({r['tokens_per_parameter']:.3g} a parameter), "
        f"{flop(r['flop'])}. A checkpoint has {number(r['saves']['checkpoint_gb'])} GB. "
        f"Nodes: {r['nodes']:,}; MFU {r['mfu']:.0%}."
    )


def notes(results: dict[str, dict[str, Any]]) -> list[str]:
    """The notes of all machines, those that every machine shares first."""
    each = {n: r["notes"] for n, r in results.items()}
    common = [x for x in next(iter(each.values()), []) if all(x in o for o in each.values())]
    lines = ["every machine:", *(f"  {x}" for x in common)] if len(each) > 1 else []
    for name, own in each.items():
        lines.append(f"{name}: {results[name]['machine']}")
        lines += [f"  {x}" for x in own if len(each) == 1 or x not in common]
    return lines


def row(name: str, result: dict[str, Any]) -> dict[str, str]:
    """One machine's line of the table a person reads."""
    hours = result["hours"]
    yen, points = (number(v) if v else "–" for v in (result["yen"], result["points"]))
    return {
        "machine": name,
        "GPUs": f"{result['gpus']:,}",
        "time": f"{hours / 24:,.1f} days" if hours >= 48 else f"{number(hours)} h",
        "jobs": f"{result['jobs']:,}",
        "GPU h": number(result["gpu_hours"]),
        "points": points,
        "yen": yen,
        "kWh": number(result["kwh"]),
        "GB/GPU": number(result["memory_gb_per_gpu"]),
        "fits": "yes" if result["fits"] else "no",
    }


def count(n: float) -> str:
    for unit, size in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:,.0f}"


def number(n: float) -> str:
    """Whole with separators from 100 on, three digits below."""
    return f"{n:,.0f}" if n >= 100 else f"{n:.3g}"


def flop(n: float) -> str:
    """Operations in the largest unit that leaves a number of 1 or more: PFLOP, EFLOP or ZFLOP."""
    unit, size = next((u for u in (("ZFLOP", 1e21), ("EFLOP", 1e18)) if n >= u[1]), ("PFLOP", 1e15))
    return f"{n / size:,.3g} {unit}"
