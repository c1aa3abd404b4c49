"""Which rows belong to which step, and how many steps a run has: arithmetic on the settings.

World size enters only where a step's rows are shared out, in `micro_rows`.
"""

from __future__ import annotations

from trainer.config.settings import Config, ConfigError, TrainConfig


def batch_rows(train: TrainConfig, step: int) -> int:
    """Rows of the global batch of a step (0-based), following train.ramp."""
    for until, rows in train.ramp:
        if step < until:
            return rows
    return train.batch_rows


def first_row(train: TrainConfig, step: int) -> int:
    """The first global row of a step: the sum of all earlier batches."""
    total = before = 0
    for until, rows in train.ramp:
        here = max(0, min(step, until) - before)
        total += here * rows
        before = max(before, until)
    return total + max(0, step - before) * train.batch_rows


def step_of_row(train: TrainConfig, row: int) -> int:
    """The step (0-based) whose batch holds a global row."""
    low, high = 0, 1
    while first_row(train, high) <= row:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if first_row(train, middle) <= row else (low, middle)
    return low


def total_steps(config: Config) -> int:
    """Optimiser steps of a run, from train.steps or train.tokens."""
    train = config.train
    if not train.steps and not train.tokens:
        raise ConfigError("set train.steps or train.tokens")
    rows = -(-train.tokens // config.data.seq_len)
    steps = train.steps or step_of_row(train, rows - 1) + 1
    if train.schedule == "wsd" and train.warmup_steps + train.decay_steps > steps:
        raise ConfigError(
            f"train.warmup_steps + train.decay_steps ({train.warmup_steps} + "
            f"{train.decay_steps}) exceed the run's {steps} steps"
        )
    return steps


def micro_rows(train: TrainConfig, rows: int, world: int) -> int:
    """Rows of one forward pass for a batch of `rows`: as few passes as train.micro_rows allows, no
    more rows in each than they need. What does not divide is padded, see Batch.share."""
    share = -(-rows // world)
    return -(-share // -(-share // train.micro_rows))
