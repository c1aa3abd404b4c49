"""Optimisers and schedules against their definitions; sums that do not depend on the split."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_helpers import launch, losses, model, small, tokens

from trainer.config.settings import Config, ConfigError, TrainConfig
from trainer.data.steps import total_steps
from trainer.folder.load import load_model
from trainer.run import optim
from trainer.run.schedule import lr_scale
from trainer.run.train import Run, train


def reference_muon(
    weight: np.ndarray, grads: list[np.ndarray], lr: float, decay: float
) -> np.ndarray:
    """Muon in ten lines of numpy, after github.com/KellerJordan/Muon."""
    buffer = np.zeros_like(weight)
    for g in grads:
        buffer = 0.95 * buffer + 0.05 * g
        x = 0.05 * g + 0.95 * buffer
        x = x.T if weight.shape[0] > weight.shape[1] else x
        x = x / (np.linalg.norm(x) + 1e-7)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        x = x.T if weight.shape[0] > weight.shape[1] else x
        weight = weight * (1 - lr * decay)
        weight = weight - lr * max(1, weight.shape[0] / weight.shape[1]) ** 0.5 * x
    return weight


@pytest.mark.parametrize("shape", [(16, 16), (48, 16), (16, 40)])
def test_muon_equals_the_reference(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    weight = rng.normal(size=shape)
    grads = [rng.normal(size=shape) for _ in range(4)]
    p = torch.nn.Parameter(torch.tensor(weight, dtype=torch.float32))
    muon = optim.Muon([p], lr=0.02, decay=0.1)
    muon.state[p] = optim._empty_state(muon, p)
    for g in grads:
        p.grad = torch.tensor(g, dtype=torch.float32)
        muon.step()
    expected = reference_muon(weight, grads, 0.02, 0.1)
    np.testing.assert_allclose(p.detach().numpy(), expected, atol=2e-5)


def test_newton_schulz_makes_singular_values_near_one_and_keeps_zero() -> None:
    matrix = torch.randn(30, 50, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(optim.newton_schulz(matrix))
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3
    assert not optim.newton_schulz(torch.zeros(4, 6)).any()


def test_adamw_with_state_in_place_equals_torch_alone() -> None:
    results = []
    for ours in (True, False):
        net = model(small())
        config = TrainConfig(lr=1e-2, weight_decay=0.1)
        if ours:
            optimizers = optim.build(net, config)
        else:
            inside = [p for n, p in net.named_parameters() if p.dim() == 2 and "embed" not in n]
            rest = [p for n, p in net.named_parameters() if p.dim() != 2 or "embed" in n]
            groups: list[dict[str, Any]] = [{"params": inside, "weight_decay": 0.1}]
            groups += [{"params": rest, "weight_decay": 0.0}]
            optimizers = [torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8)]
        for step in range(3):
            net(tokens(seed=step), tokens(seed=step + 9)).mean().backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
        results.append([p.detach().clone() for p in net.parameters()])
    torch.testing.assert_close(results[0], results[1], atol=1e-6, rtol=1e-5)


def test_muon_takes_the_hidden_matrices_and_adamw_the_rest() -> None:
    net = model(small())
    adamw, muon = optim.build(net, TrainConfig(optimizer="muon"))
    names = {p: n for n, p in net.named_parameters()}
    mine = {names[p] for g in muon.param_groups for p in g["params"]}
    others = {names[p] for g in adamw.param_groups for p in g["params"]}
    assert mine == {n for n, p in net.named_parameters() if ".layers." in n and p.dim() == 2}
    assert mine | others == set(names.values()) and not mine & others


def test_cosine_warms_up_and_ends_at_its_floor() -> None:
    config = TrainConfig(schedule="cosine", warmup_steps=10, min_lr_ratio=0.1)
    scale = [lr_scale(config, s, 110) for s in range(111)]
    assert scale[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert scale[60] == pytest.approx(0.55)
    assert scale[110] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(scale[9:], scale[10:], strict=False))


@pytest.mark.parametrize("shape", ["linear", "sqrt", "cosine"])
def test_wsd_is_flat_then_decays_to_its_floor(shape: str) -> None:
    config = TrainConfig(
        schedule="wsd", warmup_steps=5, decay_steps=20, decay_shape=shape, min_lr_ratio=0.0
    )
    scale = [lr_scale(config, s, 100) for s in range(100)]
    assert scale[4:80] == [1.0] * 76
    assert scale[99] == pytest.approx(0.0, abs=1e-12)
    at = 10 / 20
    middle = {"linear": 1 - at, "sqrt": 1 - math.sqrt(at)}
    assert scale[89] == pytest.approx(middle.get(shape, 0.5 * (1 + math.cos(math.pi * at))))


def test_steps_follow_from_tokens_and_bad_schedules_are_named(config: Config) -> None:
    by_tokens = replace(config, train=replace(config.train, steps=0, tokens=64 * 6 * 10 + 1))
    assert total_steps(by_tokens) == 11
    wsd = replace(config.train, schedule="wsd", decay_steps=11, warmup_steps=2)
    with pytest.raises(ConfigError, match=r"exceed the run's 12 steps"):
        total_steps(replace(config, train=wsd))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_gradients_do_not_depend_on_accumulation_or_world_size(
    config: Config, tmp_path: Path, optimizer: str
) -> None:
    """One batch as 1×6, 3×2 and 6×1 rows alone, and on two processes: the same weights."""
    config = replace(config, train=replace(config.train, steps=4, optimizer=optimizer))
    config = replace(config, train=replace(config.train, z_loss=1e-3, schedule="constant"))
    weights, curves = [], []
    for micro, processes in [(6, 1), (2, 1), (1, 1), (1, 2)]:
        out = tmp_path / f"{micro}-{processes}"
        run = replace(config, out=str(out), train=replace(config.train, micro_rows=micro))
        if processes == 1:
            train(run)
        else:
            done = launch(run, processes, tmp_path)
            assert done.returncode == 0, done.stderr[-2000:]
        weights.append(load_model(out)[0].state_dict())
        curves.append(losses(out))
    for other, curve in zip(weights[1:], curves[1:], strict=True):
        for name, tensor in weights[0].items():
            torch.testing.assert_close(other[name], tensor, atol=3e-5, rtol=1e-3)
        assert max(abs(curve[s] - curves[0][s]) for s in curve) < 1e-5


def test_a_step_with_a_wild_gradient_is_skipped(
    config: Config, capfd: pytest.CaptureFixture[str]
) -> None:
    run = replace(config, train=replace(config.train, spike=4.0, steps=14, clip=0.0))
    original = Run.step

    def step(self: Run, number: int, batch: Any) -> torch.Tensor:
        before = [p.detach().clone() for p in self.model.parameters()]
        if number == 12:
            head = self.model.model.norm
            handle = head.register_full_backward_hook(
                lambda m, i, o: tuple(None if g is None else g * 1e4 for g in i)
            )
        norm = original(self, number, batch)
        after = [p.detach() for p in self.model.parameters()]
        same = all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert same == (number == 12)
        if number == 12:
            handle.remove()
        return norm

    Run.step = step  # type: ignore[method-assign]
    try:
        train(run)
    finally:
        Run.step = original  # type: ignore[method-assign]
    assert capfd.readouterr().out.count("skipped a step: gradient norm") == 1


def test_metrics_are_one_json_object_a_line_with_everything_in_it(config: Config) -> None:
    train(config)
    lines = (Path(config.out) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    trained = [r for r in rows if "train" in r]
    assert [r["step"] for r in trained] == list(range(1, 13))
    assert [r["step"] for r in rows if "held_out" in r] == [0, 6, 12]
    for row in trained:
        for key in ("lr", "grad_norm", "chain", "tokens_per_s", "mfu", "mfu_causal"):
            assert row[key] is not None
        assert row["train"]["bpb"] * row["train"]["bytes"] == pytest.approx(
            row["train"]["bpc"] * row["train"]["chars"]
        )
        assert row["mfu_causal"] < row["mfu"]
