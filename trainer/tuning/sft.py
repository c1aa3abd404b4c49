"""`trainer sft`: fine-tuning on conversations, with the loss on the answers alone.

Rows are made by data/conversations.py. The rest is the ordinary training loop, so checkpoints,
resume and world sizes work as in pre-training.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.config.load import from_dict, override
from trainer.config.settings import Config, ConfigError
from trainer.folder.run import load_run
from trainer.run.train import Feed, train
from trainer.tokens.parquet import in_sample
from trainer.tuning.conversations import ChatLoader, pack
from trainer.tuning.formats import conversations as read


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
    config = tuning(base_config, str(base), str(out), overrides or [])
    conversations = read(data)
    # By content: the same conversation is held out in every file it stands in.
    keys = [c.key() for c in conversations]
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
    config = shortened(config, len(training.tokens), epochs, overrides or [])
    fingerprint = hashlib.sha256("\n".join(keys).encode()).hexdigest()
    loader = ChatLoader(training, config, fingerprint)
    held_loader = ChatLoader(testing, config, fingerprint) if len(testing.tokens) else None
    result = train(config, Feed(loader, held_loader, Path(base) / "tokenizer"))
    counts = {"conversations": len(conversations), "rows": len(training.tokens)}
    return {**result, **counts, "left_out": training.left_out + testing.left_out}


def shortened(config: Config, rows: int, epochs: float, overrides: list[str]) -> Config:
    """The steps that so many rows mean, with a twentieth of them to warm up unless asked for."""
    batch = min(config.train.batch_rows, rows)
    steps = config.train.steps or max(1, round(epochs * rows / batch))
    asked = any(o.removeprefix("--").startswith("train.warmup_steps=") for o in overrides)
    warmup = config.train.warmup_steps if asked else max(1, steps // 20)
    settings = replace(config.train, batch_rows=batch, steps=steps, warmup_steps=warmup)
    return replace(config, train=settings)


def tuning(base: Config, run: str, out: str, overrides: list[str], share: float = 10) -> Config:
    """The base run's settings, with fine-tuning defaults; overrides come last.

    share: the learning rate is the base's divided by this.
    """
    train = replace(
        base.train,
        steps=0,
        tokens=0,
        batch_rows=16,
        micro_rows=4,
        optimizer="adamw",
        lr=base.train.lr / share,
        schedule="cosine",
        decay_steps=0,
    )
    data = replace(base.data, tokens="", attention="document", weights={})
    checkpoint = replace(base.checkpoint, load=run, load_step=0)
    tuned = replace(base, out=out, data=data, train=train, checkpoint=checkpoint, phases=[])
    return from_dict(override(asdict(tuned), overrides), "sft")
