"""The learning-rate schedule: warm-up, then cosine, wsd (warm-up, stable, decay) or constant."""

from __future__ import annotations

import math

from trainer.config.settings import TrainConfig


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
    shape = {
        "linear": 1 - at,
        "sqrt": 1 - math.sqrt(at),
        "cosine": 0.5 * (1 + math.cos(math.pi * at)),
    }
    return floor + (1 - floor) * shape[config.decay_shape]
