"""Training on CPU with gloo: learns, resumes to the bit, and does not depend on the world size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainer_helpers import chains, launch, losses, with_

from trainer.config import Config, ConfigError
from trainer.runs import load_model
from trainer.train import micro_rows, train


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
