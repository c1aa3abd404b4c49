"""Preferences: the loss of Rafailov et al. 2023, and a margin that grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from trainer_helpers import run_trainer, torchrun, with_

from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE
from trainer.folder.load import load_model
from trainer.run import evaluate
from trainer.run.train import train
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning import dpo
from trainer.tuning.conversations import encode
from trainer.tuning.formats import Conversation, Pair

PAIRS = [
    {"prompt": f"{i}月の花は？", "chosen": "桜です。" * (1 + i % 3), "rejected": "知らない。"}
    for i in range(1, 25)
]


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    return path


def conversation(row: dict[str, Any], side: str) -> Conversation:
    asked = {"role": "user", "content": row["prompt"]}
    return Conversation([asked, {"role": "assistant", "content": row[side]}])


def pair(row: dict[str, Any]) -> Pair:
    return Pair(conversation(row, "chosen"), conversation(row, "rejected"))


def log_probability(model: Any, chat: Conversation, tokenizer: Tokenizer) -> torch.Tensor:
    """Of the answer, alone in its row: plain torch."""
    ids, learn = encode(chat, tokenizer)
    logits = model(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    chosen = logits.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    return chosen[torch.tensor(learn[1:])].sum()


def test_loss_and_gradient_are_those_written_out_in_plain_torch(
    config: Config, tokenizer_dir: Path
) -> None:
    """Padding rows (5 pairs in batches of 4) and answers of several lengths included."""
    train(with_(config, train={"steps": 2}, eval={"every": 0, "rows": 2}))
    tokenizer = Tokenizer.load(tokenizer_dir)
    base, policy = load_model(config.out)[0], load_model(config.out)[0]
    torch.manual_seed(0)
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.02 * torch.randn_like(p))
    rows, beta = PAIRS[:5], 0.3
    config = with_(config, train={"batch_rows": 5}, data={"attention": "document"})
    packed, _ = dpo.pack([[pair(r) for r in rows], []], tokenizer, 64)
    loader = dpo.PairLoader(packed, config, "x")
    batch = loader.rows(np.arange(5))
    tokens, targets, _, mask = evaluate.to_device(batch, config, torch.device("cpu"))
    with torch.no_grad():
        loader.reference = base(tokens, targets, mask).numpy()
    objective = dpo.preference_loss(beta, 5)
    total = torch.zeros(())
    for start in (0, 4):
        micro = loader.rows(np.arange(5)).share(start, start + 4)
        tokens, targets, _, mask = evaluate.to_device(micro, config, torch.device("cpu"))
        nll = policy(tokens, targets, mask)
        part = objective(nll, micro)
        part = part - 3 * (start == 4) * np.log(2) * micro.loss_tokens / 5  # rows that count not
        (part / micro.loss_tokens).backward()
        total = total + (part / micro.loss_tokens).detach()
    got = {n: p.grad.clone() for n, p in policy.named_parameters() if p.grad is not None}

    policy.zero_grad()
    losses = []
    for row in rows:
        sides = [conversation(row, s) for s in ("chosen", "rejected")]
        mine = [log_probability(policy, c, tokenizer) for c in sides]
        with torch.no_grad():
            theirs = [log_probability(base, c, tokenizer) for c in sides]
        losses.append(-F.logsigmoid(beta * ((mine[0] - theirs[0]) - (mine[1] - theirs[1]))))
    expected = torch.stack(losses).mean()
    expected.backward()
    assert float(total) == pytest.approx(float(expected.detach()), abs=1e-5)
    assert abs(float(expected.detach()) - np.log(2)) > 1e-3
    for name, p in policy.named_parameters():
        assert p.grad is not None
        assert torch.allclose(got[name], p.grad, atol=1e-5, rtol=1e-3), name


def test_of_several_answers_the_last_one_alone_is_a_target(tokenizer_dir: Path) -> None:
    tokenizer = Tokenizer.load(tokenizer_dir)
    begin = conversation(PAIRS[0], "chosen").messages
    both = [Conversation(begin + conversation(PAIRS[1], s).messages) for s in dpo.SIDES]
    packed, _ = dpo.pack([[Pair(*both)], []], tokenizer, 128)
    batch = dpo.PairLoader(packed, Config(), "x").rows(np.array([0]))
    for side, name in enumerate(dpo.SIDES):
        mine = (batch.sources == side) & (batch.targets != IGNORE)
        end = tokenizer.id("<|end|>")
        assert batch.targets[mine].tolist() == [*tokenizer.encode(PAIRS[1][name]), end]


OPTIONS = ["--held-out=0.25", "--train.lr=3e-3", "--train.steps=12", "--train.batch_rows=6"]
OPTIONS += ["--eval.every=4", "--eval.rows=0", "--log.every=1"]


def found_in(run: Path, key: str) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [row[key] for row in map(json.loads, lines) if key in row]


def test_the_margin_of_pairs_that_were_held_out_grows(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(with_(config, train={"steps": 4}, eval={"every": 0, "rows": 2}))
    data = write(tmp_path, PAIRS)
    capsys.readouterr()
    out = tmp_path / "dpo"
    assert run_trainer(monkeypatch, "dpo", config.out, "--data", data, "--out", out, *OPTIONS) == 0
    said = capsys.readouterr().out
    assert "24 pairs" in said and "preferred" in said
    found = found_in(out, "preferences")
    assert found[0]["margin"] == pytest.approx(0, abs=1e-4)
    assert found[0]["loss"] == pytest.approx(np.log(2), abs=1e-5)
    assert found[-1]["margin"] > 1 and found[-1]["accuracy"] == 1.0
    assert found[-1]["loss"] < found[1]["loss"] < found[0]["loss"]
    held = [h["sources"] for h in found_in(out, "held_out")]
    gain = [h["rejected"]["loss"] - h["chosen"]["loss"] for h in held]
    assert gain[-1] > gain[0]


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(config: Config, tmp_path: Path) -> None:
    train(with_(config, train={"steps": 4}, eval={"every": 0, "rows": 2}))
    data = write(tmp_path, PAIRS)
    found = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        command = ["-m", "trainer", "dpo", config.out, "--data", data, "--out", out, *OPTIONS]
        ran = torchrun(processes, *command)
        assert ran.returncode == 0, ran.stderr[-2000:]
        found.append(found_in(out, "preferences"))
    for a, b in zip(*found, strict=True):
        assert a == pytest.approx(b, abs=2e-3)


def test_mistakes_are_one_line(config: Config, tmp_path: Path) -> None:
    train(with_(config, train={"steps": 1}, eval={"every": 0, "rows": 2}))
    data = write(tmp_path, PAIRS)
    with pytest.raises(ConfigError, match="--beta is 0"):
        dpo.dpo(config.out, data, tmp_path / "x", beta=0)
    long = [{"prompt": "あ亜" * 99, "chosen": "い", "rejected": "う"}]
    with pytest.raises(ConfigError, match=r"no pair of .* fits a row of 64 tokens"):
        dpo.dpo(config.out, write(tmp_path, long), tmp_path / "x")
