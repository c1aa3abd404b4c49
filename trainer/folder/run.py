"""The folder of a run as others open it.

    RUN/config.toml  env.json  data-card.json  run.json   what was asked, where, on what
    RUN/metrics.jsonl  skipped.json                       what happened, step by step
    RUN/tokenizer/   RUN/ckpt/step-N/   RUN/latest        see checkpoint.py
    RUN/report.html                                       at the end, see report.py

No torch is needed to look inside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.config.load import from_dict
from trainer.config.settings import Config, ConfigError
from trainer.tokens.tokenizer import Tokenizer


def load_run(folder: str | Path) -> tuple[Config, Tokenizer]:
    """Settings and tokenizer of a run folder. Raises ConfigError when it is none."""
    path = Path(folder)
    if not (path / "run.json").is_file():
        raise ConfigError(f"{folder} is not a training run (no run.json)")
    try:
        table = json.loads((path / "run.json").read_text(encoding="utf-8"))["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path / 'run.json'}: not readable: {error}") from error
    return from_dict(table, str(path)), Tokenizer.load(path / "tokenizer")


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The metrics of a run, in order; a line cut short by a crash is left out."""
    path = folder / "metrics.jsonl"
    result = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            result.append(json.loads(line))
        except ValueError:
            continue
    return result


def skipped(folder: str | Path) -> set[int]:
    """Steps (0-based) whose batch a run read but did not train on."""
    path = Path(folder) / "skipped.json"
    return set(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else set()
