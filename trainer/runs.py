"""The folder of a run: how it describes itself, and how others open it."""

from __future__ import annotations

import json
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from trainer import checkpoint
from trainer.config import Config, ConfigError, from_dict, to_dict, to_toml
from trainer.model import CausalLM
from trainer.parallel import World
from trainer.prepare import prepare
from trainer.tokenizer import Tokenizer


def tokenised(config: Config, world: World) -> Config:
    """Settings whose data.tokens stands: with data.corpus it is made now, by `prepare` itself.

    The main process works while the others wait; a run that starts again finds it done.
    """
    data = config.data
    if not data.corpus:
        return config
    if data.tokens or not data.tokenizer:
        raise ConfigError("data.corpus goes with data.tokenizer, and in place of data.tokens")
    tokens = Path(config.out) / "tokens"
    if world.main:
        share = max(1, (os.cpu_count() or 1) - 1)
        prepare(data.corpus, data.tokenizer, tokens, data.held_out, workers=share)
    world.barrier()
    return replace(config, data=replace(data, tokens=str(tokens)))


def describe(folder: Path, config: Config, tokenizer_dir: Path, manifest: dict[str, Any]) -> None:
    """Describe the run, or refuse a folder that holds another one."""
    identity = {"model": to_dict(config)["model"], "data": manifest["fingerprint"]}
    keys = ("seed", "batch_rows", "ramp", "optimizer")
    identity |= {k: to_dict(config)["train"][k] for k in keys}
    places = {
        "tokens": "",
        "corpus": "",
        "tokenizer": "",
        "held_out": 0.0,
    }  # the fingerprint counts
    identity["order"] = {**to_dict(config)["data"], **places}
    described = folder / "run.json"
    if described.exists():
        old = json.loads(described.read_text(encoding="utf-8"))["identity"]
        different = [k for k in identity if old.get(k) != identity[k]]
        if different:
            raise ConfigError(
                f"{folder} holds a run with another {', '.join(different)}: choose another out"
            )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"identity": identity, "config": to_dict(config)}, indent=1)
    described.write_text(text, encoding="utf-8")
    (folder / "config.toml").write_text(to_toml(config), encoding="utf-8")
    env = {"python": platform.python_version(), "torch": torch.__version__}
    env |= {"machine": platform.platform()}
    (folder / "env.json").write_text(json.dumps(env, indent=1), encoding="utf-8")
    (folder / "data-card.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    if not (folder / "tokenizer").exists():
        shutil.copytree(tokenizer_dir, folder / "tokenizer")


def load_run(folder: str | Path) -> tuple[Config, Tokenizer]:
    """Settings and tokenizer of a run folder. Raises ConfigError when it is none."""
    path = Path(folder)
    if not (path / "run.json").is_file():
        raise ConfigError(f"{folder} is not a training run (no run.json)")
    table = json.loads((path / "run.json").read_text(encoding="utf-8"))
    return from_dict(table["config"], str(path)), Tokenizer.load(path / "tokenizer")


def load_model(
    folder: str | Path, step: int | None = None, device: str | torch.device = "cpu"
) -> tuple[CausalLM, Config, Tokenizer, int]:
    """The model of a run in one process, float32, evaluation mode; and the step it comes from.

    step None: the newest whole checkpoint.
    """
    config, tokenizer = load_run(folder)
    found = checkpoint.newest(Path(folder), step)
    with torch.device("meta"):
        model = CausalLM(config.model)
    model.to_empty(device=device)
    state = {f"model.{n}": t for n, t in model.state_dict().items()}
    checkpoint.read(found, state)
    return model.eval(), config, tokenizer, int(found.name.removeprefix("step-"))
