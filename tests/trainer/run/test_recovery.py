"""What a run is after a crash, a signal, a bad batch or a second start: the same, or refused."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_helpers import chains, losses, with_

from trainer.config.settings import Config, ConfigError, TrainError
from trainer.data.loader import Batch
from trainer.folder.load import newest
from trainer.folder.run import skipped
from trainer.model.transformer import CausalLM
from trainer.run import evaluate
from trainer.run.train import Run, train
from trainer.tokens.prepare import prepare

SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["trainer.run.train"])


class Killed(BaseException):
    """In place of SIGKILL, which would end the test too."""


def rows(config: Config) -> list[dict[str, Any]]:
    lines = (Path(config.out) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Kill the run as it begins `step` (0-based)."""
    original = Run.step

    def killed(self: Run, at: int, batch: Batch) -> torch.Tensor:
        if at == step:
            raise Killed
        return original(self, at, batch)

    monkeypatch.setattr(Run, "step", killed)


def test_a_run_killed_before_its_last_evaluation_evaluates_when_it_starts_again(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_(config, train={"lr": 1e-2}, eval={"every": 0})
    original = evaluate.held_out
    results: list[dict[str, Any]] = []

    def killed(*args: Any) -> dict[str, Any]:
        if results:
            raise Killed
        results.append(original(*args))
        return results[0]

    monkeypatch.setattr(evaluate, "held_out", killed)
    with pytest.raises(Killed):
        train(config)
    monkeypatch.undo()
    assert newest(Path(config.out)).name == "step-00000012"
    assert [r["step"] for r in rows(config) if "held_out" in r] == [0]
    again = train(config)
    assert again["done"] and again["first"]["bpb"] == results[0]["bpb"]
    assert again["last"]["bpb"] < again["first"]["bpb"]
    whole = train(with_(config, log={"progress": False}))  # a third start says the same
    assert whole["last"] == again["last"]
    assert [r["step"] for r in rows(config) if "held_out" in r] == [0, 12, 12]
    assert rows(config)[-1]["held_out"] == again["last"]


def test_a_signal_during_an_evaluation_saves_at_the_next_step(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = evaluate.held_out
    times: list[int] = []

    def signalled(*args: Any) -> dict[str, Any]:
        times.append(1)
        if len(times) == 2:  # the first is before training
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*args)

    monkeypatch.setattr(evaluate, "held_out", signalled)
    config = with_(config, eval={"every": 3}, checkpoint={"every": 10})
    result = train(config)
    assert (result["step"], result["done"]) == (4, False)
    assert newest(Path(config.out)).name == "step-00000004"
    assert train(config)["done"]


def test_a_batch_that_gives_nan_is_skipped_and_the_run_goes_on(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = CausalLM.forward
    calls: list[int] = []

    def spoilt(self: CausalLM, *args: Any) -> Any:
        nll = original(self, *args)
        if torch.is_grad_enabled():
            calls.append(1)
            if len(calls) == 11:  # three micro-batches a step: inside the fourth
                nll = nll * float("nan")
        return nll

    monkeypatch.setattr(CausalLM, "forward", spoilt)
    for every in (1, 4):
        calls.clear()
        part = with_(config, train={"spike": 5.0}, log={"every": every})
        part = with_(part, eval={"every": 0})
        part = replace(part, out=f"{config.out}-{every}")
        result = train(part)
        assert result["done"] and skipped(part.out) == {3}
        there = losses(Path(part.out))
        assert all(0 < v < 20 for v in there.values())
        assert 12 in there and (4 in there) == (every == 4)  # of the three good steps
    assert [
        r["skipped"] for r in rows(replace(config, out=f"{config.out}-1")) if "skipped" in r
    ] == [1]


def test_rows_of_a_resumed_run_are_those_of_an_uninterrupted_one(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows every 5 steps, saves every 4, killed in step 10 and again in step 12."""
    config = with_(config, log={"every": 5}, eval={"every": 0})
    whole = replace(config, out=str(tmp_path / "whole"))
    train(whole)
    for step in (9, 11):
        with monkeypatch.context() as patch:
            stop_at(patch, step)
            with pytest.raises(Killed):
                train(config)
    train(config)
    of_whole, of_both = ([r for r in rows(c) if "train" in r] for c in (whole, config))
    assert [r["train"] for r in of_both] == [r["train"] for r in of_whole]
    assert [r["step"] for r in of_both] == [5, 10, 12]
    assert chains(Path(config.out)) == chains(Path(whole.out))


def hold(config: Config, holding: Path) -> None:
    """A run that stands still in its third step until it is killed or `holding` is removed."""
    original = Run.step

    def slow(self: Run, step: int, batch: Batch) -> torch.Tensor:
        if step == 2:
            holding.touch()
        while holding.exists():
            time.sleep(0.01)
        return original(self, step, batch)

    Run.step = slow  # type: ignore[method-assign]
    train(config)


@pytest.mark.parametrize("end", ["ends", "dies"])
def test_a_run_folder_belongs_to_one_run_at_a_time(
    config: Config, tmp_path: Path, end: str
) -> None:
    config = with_(config, eval={"every": 0}, checkpoint={"every": 2})
    holding = tmp_path / "holding"
    child = SERVER.Process(target=hold, args=(config, holding))
    child.start()
    begin = time.monotonic()
    while not holding.exists():
        assert time.monotonic() - begin < 120
        time.sleep(0.02)
    before = sorted(p.name for p in Path(config.out).rglob("*"))
    with pytest.raises(TrainError, match=r"another process is training in .*run") as caught:
        train(config)
    assert "\n" not in str(caught.value)
    assert sorted(p.name for p in Path(config.out).rglob("*")) == before
    if end == "dies":
        child.kill()
    else:
        holding.unlink()
    child.join(120)
    assert child.exitcode == (-signal.SIGKILL if end == "dies" else 0)
    assert train(config)["done"]


def test_a_run_is_not_taken_back_and_each_start_is_written_down(config: Config) -> None:
    """Fewer steps than are saved: refused, and what describes the run stays."""
    train(with_(config, train={"steps": 8, "schedule": "constant"}))
    run = Path(config.out)
    described = {n: (run / n).read_bytes() for n in ("run.json", "config.toml", "starts.jsonl")}
    with pytest.raises(ConfigError, match=r"stands at step 8, beyond the 4 asked for"):
        train(with_(config, train={"steps": 4, "schedule": "constant"}))
    assert {n: (run / n).read_bytes() for n in described} == described
    train(with_(config, train={"steps": 10, "schedule": "constant", "lr": 5e-4}))
    starts = [json.loads(line) for line in (run / "starts.jsonl").open(encoding="utf-8")]
    assert [s["from_step"] for s in starts] == [0, 8]
    assert [s["config"]["train"]["lr"] for s in starts] == [config.train.lr, 5e-4]
    assert [s["config"]["train"]["steps"] for s in starts] == [8, 10]


@pytest.fixture
def parent(config: Config) -> Config:
    train(with_(config, train={"schedule": "constant"}, eval={"every": 0}))
    return config


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c, t: with_(c, train={"seed": 7}), "seed"),
        (lambda c, t: with_(c, train={"batch_rows": 12}), "number of rows"),
        (lambda c, t: with_(c, data={"tokens": str(t)}), "data"),
        (lambda c, t: with_(c, data={"seq_len": 32}), r"data\.seq_len"),
        (lambda c, t: with_(c, data={"weights": {"odd": 1.0}}), r"data\.weights"),
        (lambda c, t: with_(c, data={"block_tokens": 8192}), r"data\.block_tokens"),
    ],
    ids=["seed", "batch", "data", "length", "mix", "blocks"],
)
def test_the_state_of_a_step_is_not_taken_over_with_another_order_of_data(
    parent: Config,
    corpus: Path,
    tokenizer_dir: Path,
    tmp_path: Path,
    change: Callable[[Config, Path], Config],
    named: str,
) -> None:
    prepare(corpus, tokenizer_dir, tmp_path / "other", held_out=0.3)
    branch = replace(parent, out=str(tmp_path / "branch"))
    branch = with_(branch, checkpoint={"load": parent.out, "load_step": 8})
    with pytest.raises(ConfigError, match=f"but the {named} differs") as caught:
        train(change(branch, tmp_path / "other"))
    assert "\n" not in str(caught.value)
    # Its weights alone may be taken.
    fresh = change(branch, tmp_path / "other")
    fresh = replace(fresh, out=str(tmp_path / "fresh"))
    assert train(with_(fresh, checkpoint={"load_step": 0}, train={"steps": 2}))["done"]


def test_going_on_with_other_settings_says_which(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = with_(config, train={"schedule": "constant"}, eval={"every": 0})
    train(with_(quick, train={"steps": 4}))
    capsys.readouterr()
    train(with_(quick, train={"steps": 6, "lr": 0.002}))
    said = capsys.readouterr().out
    assert "train.steps is 6 from step 5 on (4 before)" in said
    assert f"train.lr is 0.002 from step 5 on ({config.train.lr!r} before)" in said
    assert said.count(" from step 5 on") == 2
