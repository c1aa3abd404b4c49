"""The loss curve of configs/tiny-cpu.toml on the pages in tests/data, kept in golden.json.

A change of model, data order, optimiser or initialisation shows here. If it was meant, write the
file anew:  PYTHONPATH=.:tests/trainer python tests/trainer/run/test_golden.py
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from trainer_helpers import texts, write_corpus

from trainer.config.load import load
from trainer.run.train import train
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer_train import save
from trainer.tokens.tokenizer_train import train as train_tokenizer

GOLDEN = Path(__file__).with_name("golden.json")


def curve(tokens: Path, out: Path) -> dict[str, float | str]:
    config = load("tiny-cpu", [f"--data.tokens={tokens}", f"--out={out}", "--parallel.threads=1"])
    config = replace(config, log=replace(config.log, progress=False))
    train(config)
    rows = [json.loads(line) for line in (out / "metrics.jsonl").open(encoding="utf-8")]
    result: dict[str, float | str] = {
        f"train {r['step']}": r["train"]["loss"] for r in rows if "train" in r
    }
    result |= {f"held-out bpb {r['step']}": r["held_out"]["bpb"] for r in rows if "held_out" in r}
    return result | {"chain": [r["chain"] for r in rows if "chain" in r][-1]}


def test_fifty_steps_of_tiny_cpu_follow_the_golden_curve(tokens: Path, tmp_path: Path) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    got = curve(tokens, tmp_path / "run")
    assert got.keys() == golden.keys()
    assert got.pop("chain") == golden.pop("chain")
    # Processors round matrix products differently; 0.1 % after 50 steps covers what we saw.
    assert got == pytest.approx(golden, rel=1e-3)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(train_tokenizer(texts(), 1600), folder / "tok", {})
        prepare(write_corpus(folder / "corpus"), folder / "tok", folder / "tokens", 0.15)
        text = json.dumps(curve(folder / "tokens", folder / "run"), indent=1)
    GOLDEN.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
