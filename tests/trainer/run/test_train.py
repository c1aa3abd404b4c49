"""Training on CPU with gloo: learns, resumes to the bit, and does not depend on the world size."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_helpers import chains, launch, losses, with_

from trainer.analysis import trace
from trainer.config.settings import Config, ConfigError, TrainConfig
from trainer.data.loader import IGNORE, Batch, Loader
from trainer.data.steps import micro_rows
from trainer.folder.load import load_model
from trainer.folder.run import skipped
from trainer.run.train import train


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


@pytest.mark.slow
def test_resume_on_2_1_4_2_processes_gives_the_same_curve(config: Config, tmp_path: Path) -> None:
    """Also on four, which six rows do not divide among."""
    config = with_(config, train={"schedule": "constant", "micro_rows": 1})
    train(replace(config, out=str(tmp_path / "alone")))
    for processes, until in [(2, 3), (1, 6), (4, 9), (2, 12)]:
        part = with_(config, train={"steps": until}, checkpoint={"every": 3}, eval={"every": 0})
        if processes == 1:
            train(part)
            continue
        done = launch(part, processes, tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
    expected, got = losses(tmp_path / "alone"), losses(Path(config.out))
    assert chains(tmp_path / "alone") == chains(Path(config.out))
    assert got.keys() == expected.keys()
    assert max(abs(got[s] - expected[s]) for s in got) < 1e-5


def test_rows_of_a_pass_are_few_and_leave_little_to_pad() -> None:
    train = TrainConfig(micro_rows=4)
    assert [micro_rows(train, 14, n) for n in (1, 2, 3, 7, 20)] == [4, 4, 3, 2, 1]
    assert micro_rows(train, 12, 2) == 3


def test_rows_beyond_the_batch_carry_no_loss(config: Config) -> None:
    batch = Loader(config).batch(0)
    parts = [batch.share(start, start + 4) for start in (0, 4, 6)]
    assert all(p.tokens.shape == (4, 64) for p in parts)
    targets = np.concatenate([p.targets for p in parts])
    assert np.array_equal(targets[:6], batch.targets) and (targets[6:] == IGNORE).all()
    assert {p.loss_tokens for p in parts} == {batch.loss_tokens}


def test_a_folder_of_another_run_is_refused(config: Config) -> None:
    train(with_(config, train={"steps": 4}))
    with pytest.raises(ConfigError, match="another model"):
        train(with_(config, model={"num_hidden_layers": 1}))


def test_a_bad_batch_is_skipped_and_leaves_nothing_behind(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch 15 (of step 15) is spoilt."""
    settings = {"steps": 18, "spike": 3.0, "clip": 0.0, "lr": 1e-4}
    config = with_(config, train=settings)
    original = Loader.batch

    def spoilt(self: Loader, step: int, *place: int) -> Batch:
        batch = original(self, step, *place)
        if step != 14 or self.split == "held":
            return batch
        return replace(batch, loss_tokens=1)  # its loss is that of hundreds of batches

    monkeypatch.setattr(Loader, "batch", spoilt)
    train(replace(config, out=str(tmp_path / "a")))
    monkeypatch.undo()
    assert skipped(tmp_path / "a") == {14}
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").open(encoding="utf-8")
    ]
    assert [r["step"] for r in rows if "train" in r] == [*range(1, 15), 16, 17, 18]
    # The same as a run that knew beforehand, on clean data: nothing of the spike is left.
    known = replace(config, out=str(tmp_path / "known"))
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "skipped.json").write_text("[14]")
    train(known)
    assert losses(tmp_path / "known") == losses(tmp_path / "a")
    a, b = (load_model(tmp_path / n)[0].state_dict() for n in ("a", "known"))
    assert all(torch.equal(a[k], b[k]) for k in a)
    # Order and proof are untouched, and a skipped step trained on nobody's text.
    assert all(r["agrees"] for r in trace.replay(tmp_path / "a", 1, 18))
    assert trace.of_step(tmp_path / "a", 15) == []
    (tmp_path / "a" / "skipped.json").rename(tmp_path / "aside")
    only = trace.of_step(tmp_path / "a", 15)[0]["id"]
    (tmp_path / "aside").rename(tmp_path / "a" / "skipped.json")
    assert 15 not in {r["step"] for r in trace.of_document(tmp_path / "a", only, "id")}


def test_tensorboard_has_every_scalar_of_the_metrics(config: Config) -> None:
    """Needs the package tensorboard; without it the run is refused, as the next test shows."""
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: events NOT checked")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(with_(config, train={"steps": 6}, log={"tensorboard": True}))
    events = EventAccumulator(str(Path(config.out) / "tensorboard"))
    events.Reload()
    written = {e.step: e.value for e in events.Scalars("train/loss")}
    assert written == pytest.approx(losses(Path(config.out)), rel=1e-6)
    tags = set(events.Tags()["scalars"])
    assert {"lr", "grad_norm", "tokens_per_s", "mfu", "train/bpb", "held_out/bpc"} <= tags
    assert "train/sources/even/bpb" in tags


def test_tensorboard_without_the_package_is_refused_in_one_line(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"log\.tensorboard needs the package tensorboard"):
        train(with_(config, train={"steps": 2}, log={"tensorboard": True}))


def test_training_straight_from_a_corpus_reads_the_batches_of_prepared_shards(
    config: Config, corpus: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    source = {"tokens": "", "corpus": str(corpus), "tokenizer": str(tokenizer_dir)}
    direct = with_(replace(config, out=str(tmp_path / "direct")), data=source | {"held_out": 0.15})
    half = with_(direct, train={"steps": 8, "schedule": "constant", "micro_rows": 1})
    done = launch(half, 2, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    constant = {"schedule": "constant", "micro_rows": 1}
    train(with_(direct, train=constant))  # goes on, alone
    train(with_(config, train=constant))
    assert chains(tmp_path / "direct") == chains(Path(config.out))
    ours, theirs = losses(tmp_path / "direct"), losses(Path(config.out))
    assert max(abs(ours[s] - theirs[s]) for s in theirs) < 1e-5
    assert all(r["agrees"] for r in trace.replay(tmp_path / "direct", 1, 12))
    for wrong in ({"tokens": config.data.tokens}, {"tokenizer": ""}):
        with pytest.raises(ConfigError, match=r"data\.corpus goes with data\.tokenizer"):
            train(with_(direct, data=wrong))
