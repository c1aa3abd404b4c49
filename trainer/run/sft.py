"""`trainer sft`: fine-tuning on conversations, with the loss on the answers alone.

Rows are made by data/conversations.py. The rest is the ordinary training loop, so checkpoints,
resume and world sizes work as in pre-training.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.config.load import from_dict, override
from trainer.config.settings import Config, ConfigError
from trainer.data.conversations import ChatLoader, pack, read
from trainer.data.parquet import in_sample
from trainer.run.folder import load_run
from trainer.run.train import Feed, train


def sft(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    epochs: float = 2.0,
    held_out: float = 0.05,
    overrides: list[str] | None = None,
) -> dict[str, Any]:
    """Fine-tune the newest checkpoint of `base`; returns what `train` returns, and counts."""
    base_config, tokenizer = load_run(base)
    config = _tuning(base_config, str(base), str(out), overrides or [])
    conversations = read(data)
    # By content: the same conversation is held out in every file it stands in.
    keys = [json.dumps(c, sort_keys=True, ensure_ascii=False) for c in conversations]
    held = in_sample(keys, held_out, "sft-held-out").tolist()
    length = config.data.seq_len
    training, testing = (
        pack(
            [c for c, is_held in zip(conversations, held, strict=True) if is_held == side],
            tokenizer,
            length,
        )
        for side in (False, True)
    )
    if not len(training.tokens):
        raise ConfigError(f"no conversation of {data} fits a row of {length} tokens")
    rows = min(config.train.batch_rows, len(training.tokens))
    steps = config.train.steps or max(1, round(epochs * len(training.tokens) / rows))
    asked = any(o.removeprefix("--").startswith("train.warmup_steps=") for o in overrides or [])
    warmup = config.train.warmup_steps if asked else max(1, steps // 20)
    settings = replace(config.train, batch_rows=rows, steps=steps, warmup_steps=warmup)
    config = replace(config, train=settings)
    fingerprint = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    loader = ChatLoader(training, config, fingerprint)
    held_loader = ChatLoader(testing, config, fingerprint) if len(testing.tokens) else None
    result = train(config, Feed(loader, held_loader, Path(base) / "tokenizer"))
    counts = {"conversations": len(conversations), "rows": len(training.tokens)}
    return {**result, **counts, "left_out": training.left_out + testing.left_out}


def _tuning(base: Config, run: str, out: str, overrides: list[str]) -> Config:
    """The base run's settings, with fine-tuning defaults; overrides come last."""
    train = replace(
        base.train,
        steps=0,
        tokens=0,
        batch_rows=16,
        micro_rows=4,
        ramp=[],
        optimizer="adamw",
        lr=base.train.lr / 10,
        schedule="cosine",
        decay_steps=0,
    )
    data = replace(base.data, tokens="", attention="document", weights={})
    checkpoint = replace(base.checkpoint, load=run, load_step=0)
    tuned = replace(base, out=out, data=data, train=train, checkpoint=checkpoint, phases=[])
    return from_dict(override(asdict(tuned), overrides), "sft")
