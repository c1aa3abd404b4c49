"""The learning-rate schedule: warm-up, then cosine, wsd (warm-up, stable, decay) or constant."""

from __future__ import annotations

import math

from trainer.config.settings import TrainConfig
from trainer.data.steps import Timeline


def lr_at(timeline: Timeline, step: int) -> float:
    """Factor on the peak learning rate at a step (0-based) of a run of phases.

    A phase with a learning rate of its own goes from lr_start to lr_end with its tokens: its last
    step has lr_end. The others follow train.schedule over the whole run.
    """
    part = timeline.at(step)
    phase, config = part.phase, part.config.train
    if phase is None or max(phase.lr_start, phase.lr_end) < 0:
        return lr_scale(config, step, timeline.steps)
    start = phase.lr_start
    if start < 0:
        start = lr_at(timeline, part.first_step - 1) if part.first_step else 1.0
    end = phase.lr_end if phase.lr_end >= 0 else start
    rows = part.row(step) + part.batch_rows - part.first_row
    at = rows / (part.row(part.first_step + part.steps) - part.first_row)
    return start + (end - start) * _progress(phase.lr_shape, at)


def lr_scale(config: TrainConfig, step: int, steps: int) -> float:
    """Factor on the peak learning rate at a step (0-based) of a run of `steps`.

    Linear warm-up, then cosine to min_lr_ratio, or constant with a decay of `decay_steps` at the
    end (wsd; Hu et al. 2024), or constant.
    """
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    floor = config.min_lr_ratio
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "cosine":
        span = max(1, steps - config.warmup_steps)
        at = (step - config.warmup_steps) / span
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, at)))
    start = steps - config.decay_steps
    if step < start or not config.decay_steps:
        return 1.0
    at = (step - start + 1) / config.decay_steps
    return floor + (1 - floor) * (1 - _progress(config.decay_shape, at))


def _progress(shape: str, at: float) -> float:
    """How much of a change is done when `at` (0 to 1) of its tokens are."""
    shapes = {"linear": at, "sqrt": math.sqrt(at), "cosine": 0.5 * (1 - math.cos(math.pi * at))}
    return shapes[shape]
