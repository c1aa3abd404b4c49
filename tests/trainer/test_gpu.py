"""The trainer on a GPU: kernels, precision, compiled blocks, offload, checkpoints.

Every test here skips without one; none has been run on a GPU yet. On a machine that has one,
`pytest tests/trainer/test_gpu.py` is the first thing to do.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_helpers import chains, losses, model, numbered, small, tokens, with_

from trainer.config.settings import Config
from trainer.model.attention import Varlen, attend, document_mask
from trainer.run import optim, parallel, processes
from trainer.run.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("kv_heads", [4, 2])
def test_varlen_equals_masked_in_value_and_gradient(kv_heads: int) -> None:
    documents = torch.cat([numbered(100, 156), numbered(256)]).cuda()
    shapes = [(2, h, 256, 64) for h in (4, kv_heads, kv_heads)]
    first = [torch.randn(s, device="cuda", dtype=torch.bfloat16) for s in shapes]
    results = []
    for name in ("masked", "varlen"):
        q, k, v = (x.clone().requires_grad_() for x in first)
        out = attend(q, k, v, document_mask(documents, name))
        out.float().square().sum().backward()
        results.append([out, q.grad, k.grad, v.grad])
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, atol=3e-2, rtol=3e-2)


def test_causal_attention_equals_the_cpu() -> None:
    q, k, v = (torch.randn(2, 4, 256, 64) for _ in range(3))
    there = attend(*(x.cuda().bfloat16() for x in (q, k, v)))
    torch.testing.assert_close(there.float().cpu(), attend(q, k, v), atol=2e-2, rtol=2e-2)


def test_a_mask_made_from_host_memory_equals_one_made_on_the_gpu() -> None:
    documents = torch.cat([numbered(30, 34), numbered(64)])
    for backend in ("varlen", "masked"):
        made = [
            document_mask(documents, backend, torch.device("cuda")),
            document_mask(documents.cuda(), backend),
        ]
        far, near = (m.offsets if isinstance(m, Varlen) else m for m in made)
        assert isinstance(far, torch.Tensor) and isinstance(near, torch.Tensor)
        assert far.is_cuda and torch.equal(far, near)


def test_float32_on_the_gpu_gives_the_losses_of_the_cpu() -> None:
    torch.set_float32_matmul_precision("highest")
    net, ids = model(small()), tokens()
    here = net(ids, ids)
    there = net.cuda()(ids.cuda(), ids.cuda())
    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=1e-4)


def run(config: Config, name: str, **sections: dict[str, Any]) -> dict[int, float]:
    changed = replace(with_(config, **sections), out=str(Path(config.out) / name))
    train(changed)
    return losses(Path(changed.out))


@pytest.mark.parametrize("attention", ["causal", "document"])
def test_bfloat16_follows_float32(config: Config, attention: str) -> None:
    data = {"attention": attention}
    exact = run(config, "exact", parallel={"dtype": "float32"}, data=data)
    rough = run(config, "rough", parallel={"dtype": "bfloat16"}, data=data)
    assert list(exact) == list(rough)
    assert max(abs(exact[s] - rough[s]) for s in exact) < 0.05


@pytest.mark.parametrize(
    "settings",
    [
        {"compile": True},
        {"activation_checkpointing": "full"},
        {"activation_checkpointing": "every-2", "compile": True},
        {"cpu_offload": True},
    ],
)
@pytest.mark.parametrize("attention", ["causal", "document"])
def test_no_setting_changes_what_is_computed(
    config: Config, settings: dict[str, Any], attention: str
) -> None:
    data = {"attention": attention}
    plain = run(config, "plain", data=data)
    other = run(config, "other", data=data, parallel=settings)
    assert max(abs(plain[s] - other[s]) for s in plain) < 0.05


def test_muon_and_a_chunked_loss_train(config: Config) -> None:
    found = run(config, "muon", train={"optimizer": "muon", "loss_chunk": 64})
    steps = sorted(found)
    assert found[steps[-1]] < found[steps[0]]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_interrupted_run_goes_on_with_the_same_data(
    config: Config, tmp_path: Path, asynchronous: bool
) -> None:
    config = with_(config, checkpoint={"asynchronous": asynchronous, "every": 3})
    whole = replace(config, out=str(tmp_path / "whole"))
    train(whole)
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    for late in ("step-00000009", "step-00000012"):
        shutil.rmtree(tmp_path / "parts" / "ckpt" / late)
    train(replace(config, out=str(tmp_path / "parts")))
    assert chains(tmp_path / "parts") == chains(tmp_path / "whole")
    first, second = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert max(abs(first[s] - second[s]) for s in first) < 1e-2


def test_an_asynchronous_save_is_not_touched_by_the_steps_after_it(tmp_path: Path) -> None:
    """The state is copied off the GPU before `save` returns."""
    from trainer.config.settings import CheckpointConfig
    from trainer.folder.load import read
    from trainer.run.checkpoint import Checkpointer

    config = Config(model=small())
    world = processes.start(config.parallel)
    net = parallel.build(config, world)
    optimizers = optim.build(net, config.train)
    saver = Checkpointer(tmp_path, CheckpointConfig(asynchronous=True), world, net, optimizers)
    before = {n: t.detach().full_tensor().clone() for n, t in net.state_dict().items()}
    saver.save(1, {"step": 1})
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    saver.close()
    found = {f"model.{n}": torch.empty_like(t, device="cpu") for n, t in before.items()}
    read(tmp_path / "ckpt" / "step-00000001", found)
    for name, tensor in before.items():
        assert torch.equal(found[f"model.{name}"], tensor.cpu())
