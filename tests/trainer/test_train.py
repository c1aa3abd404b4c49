"""Training on CPU with gloo: learns, resumes to the bit, and does not depend on the world size."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from trainer.config import Config, ConfigError, to_toml
from trainer.runs import load_model
from trainer.train import micro_rows, train

REPO = Path(__file__).resolve().parents[2]


def losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {r["step"]: r["train"]["loss"] for r in map(json.loads, lines) if "train" in r}


def chains(run: Path) -> list[str]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [r["chain"] for r in map(json.loads, lines) if "train" in r]


def with_(config: Config, **sections: dict[str, Any]) -> Config:
    changed = {k: replace(getattr(config, k), **v) for k, v in sections.items()}
    return replace(config, **changed)


def launch(config: Config, processes: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command a user types, with torchrun."""
    file = folder / f"config-{processes}.toml"
    file.write_text(to_toml(config), encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "trainer", "train"]
    return subprocess.run(
        [*command, "--config", str(file)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_run_learns_and_prints_bits_per_byte_before_and_after(config: Config) -> None:
    result = train(with_(config, train={"steps": 40, "lr": 1e-2}))
    assert result["done"] and result["step"] == 40
    assert result["last"]["bpb"] < 0.85 * result["first"]["bpb"]
    assert result["last"]["bpc"] > result["last"]["bpb"]
    assert set(result["last"]["sources"]) == {"even", "odd"}
    run = Path(config.out)
    for name in ("config.toml", "env.json", "data-card.json", "metrics.jsonl", "latest"):
        assert (run / name).is_file()
    assert (run / "latest").read_text() == "step-00000040"


def test_an_interrupted_run_goes_on_to_the_same_bits(config: Config, tmp_path: Path) -> None:
    train(config)
    other = replace(config, out=str(tmp_path / "other"))
    train(with_(other, train={"steps": 8, "schedule": "constant"}))
    whole = with_(replace(config, out=str(tmp_path / "whole")), train={"schedule": "constant"})
    train(whole)
    train(with_(other, train={"schedule": "constant"}))
    assert losses(tmp_path / "other") == losses(tmp_path / "whole")
    assert chains(tmp_path / "other") == chains(tmp_path / "run")
    a = load_model(tmp_path / "other")[0].state_dict()
    b = load_model(tmp_path / "whole")[0].state_dict()
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_resume_on_2_1_3_2_processes_gives_the_same_curve(config: Config, tmp_path: Path) -> None:
    config = with_(config, train={"schedule": "constant", "micro_rows": 1})
    train(replace(config, out=str(tmp_path / "alone")))
    for processes, until in [(2, 3), (1, 6), (3, 9), (2, 12)]:
        part = with_(config, train={"steps": until}, checkpoint={"every": 3}, eval={"every": 0})
        done = launch(part, processes, tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    expected, got = losses(tmp_path / "alone"), losses(Path(config.out))
    assert chains(tmp_path / "alone") == chains(Path(config.out))
    assert got.keys() == expected.keys()
    assert max(abs(got[s] - expected[s]) for s in got) < 1e-5


def test_a_batch_that_cannot_be_shared_names_what_can(config: Config) -> None:
    odd = with_(config, train={"batch_rows": 14, "micro_rows": 4, "ramp": [[2, 7]]})
    with pytest.raises(ConfigError, match=r"a batch of 7 rows .* use 1, 7 processes"):
        micro_rows(odd, 2)
    assert [micro_rows(odd, n) for n in (1, 7)] == [1, 1]
    assert micro_rows(with_(config, train={"batch_rows": 12, "micro_rows": 4}), 2) == 3


def test_a_folder_of_another_run_is_refused(config: Config) -> None:
    train(with_(config, train={"steps": 4}))
    with pytest.raises(ConfigError, match="another model"):
        train(with_(config, model={"num_hidden_layers": 1}))
