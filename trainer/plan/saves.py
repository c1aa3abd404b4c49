"""What a save and a restart cost a run: arithmetic on rates that the table of machines states.

A checkpoint has 12 bytes a parameter (float32 weight and both moments of AdamW; Muon 8 for its
matrices). Every GPU copies its share to the host, for which the run waits; files are written and
hashed behind it (checkpoint.asynchronous), or while it waits. A failure costs the start of the
processes, reading the checkpoint, and on average half of what lies between two saves.
"""

from __future__ import annotations

import math

from trainer.config.settings import Config
from trainer.data.steps import total_steps
from trainer.plan.machines import Machine
from trainer.plan.memory import optimiser_bytes

COPY = 20.0  # GB/s from a GPU to pinned memory; PCIe 5 x16 has 50 at most. Assumption
START = 180.0  # s from the launch to the first step, compilation included. Assumption
# Llama 3 (Dubey et al. 2024, table 5): 419 unexpected interruptions in 54 days on 16,384 GPUs.
GPU_HOURS_A_FAILURE = 16_384 * 54 * 24 / 419


def saves(config: Config, machine: Machine, nodes: int, hours: float) -> dict[str, float]:
    """Sizes in GB and times in s of saves and restarts in a run of so many hours."""
    kept, gpus = config.checkpoint, nodes * machine.gpus_per_node
    size = 0.75 * optimiser_bytes(config) / 1e9  # all but the gradient
    steps = total_steps(config)
    step = 3600 * hours / steps
    # Replicas hold the same: one of them is copied and written.
    shards = max(1, gpus // config.parallel.replicate)
    copy = size / shards / COPY
    write = size / (nodes * machine.storage_gb_per_s)
    between = kept.every * step
    waits = copy + (max(0.0, write - between) if kept.asynchronous else write)
    every = steps // kept.keep_every if kept.keep_every else 0
    failures = hours * gpus / GPU_HOURS_A_FAILURE
    # A job that ends by its limit saves before: nothing is done again.
    jobs = math.ceil(hours / machine.job_hours(nodes))
    start = START + write
    # Young 1974: the interval at which saving and doing again cost the same.
    best = math.sqrt(2 * waits * 3600 * GPU_HOURS_A_FAILURE / gpus)
    return {
        "checkpoint_gb": size,
        "checkpoint_gb_per_gpu": size / shards,
        "disk_gb": size * (kept.keep_last + every + 1),  # and the one being written
        "steps": steps,
        "step_s": step,
        "between_s": between,
        "copy_s": copy,
        "write_s": write,
        "stall_s": waits,
        "stall_share": waits / (between + waits),
        "restart_s": start + between / 2,
        "failures": failures,
        "lost_hours": (failures * (start + between / 2) + (jobs - 1) * (start + waits)) / 3600,
        "best_every": max(1, round(max(best, 2 * write) / step)),
    }


def sentences(found: dict[str, float], config: Config, machine: Machine, nodes: int) -> list[str]:
    """The same for a person."""
    f, behind = found, "behind it" if config.checkpoint.asynchronous else "while it waits"
    rate = nodes * machine.storage_gb_per_s
    again = time(f["between_s"] / 2)
    return [
        f"a save: {gb(f['checkpoint_gb'])}, {gb(f['checkpoint_gb_per_gpu'])} a GPU; the run waits "
        f"{time(f['copy_s'])} for the copy ({COPY:g} GB/s), {time(f['write_s'])} of writing "
        f"({rate:g} GB/s) {behind}; one every {config.checkpoint.every:,} steps "
        f"({time(f['between_s'])}) takes {f['stall_share']:.1g} of the time and up to "
        f"{gb(f['disk_gb'])} on disk",
        f"a restart: {time(START)} to start, {time(f['write_s'])} to read, {again} done again on "
        f"average; {f['failures']:.2g} failures are to be expected (one in "
        f"{GPU_HOURS_A_FAILURE:,.0f} GPU-hours, Llama 3): with the chained jobs "
        f"{time(3600 * f['lost_hours'])} of the run; least is lost with "
        f"checkpoint.every={f['best_every']} (Young 1974)",
        f"{machine.storage_gb_per_s:g} GB/s a node to storage is {machine.storage_source}",
    ]


def gb(size: float) -> str:
    return f"{size:,.0f} GB" if size >= 100 else f"{size:.3g} GB"


def time(seconds: float) -> str:
    """In the unit that a person would use."""
    for unit, size in (("days", 172_800), ("h", 5400), ("min", 120)):
        if seconds >= size:
            return f"{seconds / {'days': 86400, 'h': 3600, 'min': 60}[unit]:.3g} {unit}"
    return f"{seconds:.2g} s"
