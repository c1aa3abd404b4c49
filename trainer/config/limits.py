"""Values that settings may have, apart from their types: one table, one line for each mistake."""

from __future__ import annotations

import math
from typing import Any

# name: (least, most, may the least itself be taken)
LIMITS: dict[str, tuple[float, float, bool]] = {
    "model.hidden_size": (1, math.inf, True),
    "model.intermediate_size": (1, math.inf, True),
    "model.num_hidden_layers": (1, math.inf, True),
    "model.num_attention_heads": (1, math.inf, True),
    "model.num_key_value_heads": (0, math.inf, True),
    "model.vocab_size": (0, math.inf, True),
    "model.head_dim": (0, math.inf, True),
    "model.max_position_embeddings": (1, math.inf, True),
    "model.rope_theta": (0, math.inf, False),
    "model.norm_eps": (0, 1, False),
    "model.initializer_range": (0, math.inf, False),
    "data.held_out": (0, 1, True),
    "data.seq_len": (1, math.inf, True),
    "data.max_epochs": (0, math.inf, True),
    "data.block_tokens": (1, math.inf, True),
    "data.window_blocks": (1, math.inf, True),
    "train.steps": (0, math.inf, True),
    "train.tokens": (0, math.inf, True),
    "train.batch_rows": (1, math.inf, True),
    "train.micro_rows": (1, math.inf, True),
    "train.lr": (0, math.inf, True),
    "train.muon_lr": (0, math.inf, True),
    "train.min_lr_ratio": (0, 1, True),
    "train.warmup_steps": (0, math.inf, True),
    "train.decay_steps": (0, math.inf, True),
    "train.beta1": (0, 0.999999, True),
    "train.beta2": (0, 0.99999999, True),
    "train.eps": (0, 1, False),
    "train.weight_decay": (0, math.inf, True),
    "train.clip": (0, math.inf, True),
    "train.z_loss": (0, math.inf, True),
    "train.spike": (0, math.inf, True),
    "train.spike_rewind": (0, math.inf, True),
    "train.loss_chunk": (0, math.inf, True),
    "parallel.replicate": (1, math.inf, True),
    "parallel.threads": (0, math.inf, True),
    "checkpoint.every": (1, math.inf, True),
    "checkpoint.keep_last": (1, math.inf, True),
    "checkpoint.keep_every": (0, math.inf, True),
    "checkpoint.load_step": (0, math.inf, True),
    "eval.every": (0, math.inf, True),
    "eval.rows": (0, math.inf, True),
    "eval.micro_rows": (1, math.inf, True),
    "log.every": (1, math.inf, True),
}
CHOICES = {
    "data.attention": ("causal", "document"),
    "train.optimizer": ("adamw", "muon"),
    "train.schedule": ("cosine", "wsd", "constant"),
    "train.decay_shape": ("linear", "sqrt", "cosine"),
    "parallel.dtype": ("auto", "bfloat16", "float32"),
}


def problem(config: Any) -> str:
    """What is wrong with the values of a Config, in one line; empty if nothing is."""
    for name, (least, most, included) in LIMITS.items():
        value = _value(config, name)
        if type(value) is int:  # what an int64 holds after any product of two
            most = min(most, 2**53 if name == "train.tokens" else 2**31 - 1)
        low = value >= least if included else value > least
        if not (low and value <= most and math.isfinite(value)):
            bound = f"at least {least:g}" if included else f"above {least:g}"
            upper = f" and at most {most:g}" if math.isfinite(most) else ""
            return f"{name} is {value}: it must be {bound}{upper}"
    for name, allowed in CHOICES.items():
        if _value(config, name) not in allowed:
            return f"{name} is {_value(config, name)!r}; choose one of {', '.join(allowed)}"
    longest = config.model.max_position_embeddings
    if config.data.seq_len > longest:
        return (
            f"data.seq_len ({config.data.seq_len}) exceeds "
            f"model.max_position_embeddings ({longest})"
        )
    for source, share in config.data.weights.items():
        number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not number or not 0 <= share < math.inf:
            return f"data.weights: {source!r} has {share!r}: give a share of at least 0"
    before = 0
    for entry in config.train.ramp:
        pair = isinstance(entry, list) and len(entry) == 2 and all(type(x) is int for x in entry)
        if not pair or entry[0] <= before or entry[1] < 1:
            return (
                f"train.ramp has {entry!r}: write [[until_step, rows], …], steps rising, rows >= 1"
            )
        before = entry[0]
    if config.model.head_size % 2 and config.model.family != "gpt3":
        return f"the size of a head ({config.model.head_size}) must be even for rotary positions"
    return ""


def _value(config: Any, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(config, section), key)
