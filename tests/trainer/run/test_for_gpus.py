"""What a run on many GPUs depends on and a CPU can show: collectives counted on a process group
that sends nothing, settings of torch, float8 with its rounding computed in float32."""

from __future__ import annotations

import os
import resource
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.fsdp._fully_shard import _fsdp_collectives
from torch.nn.attention import SDPBackend
from torch.utils._python_dispatch import TorchDispatchMode
from trainer_helpers import eight_ranks, losses, model, small, tokens, with_

from trainer.config.load import load
from trainer.config.settings import Config, ConfigError, ParallelConfig
from trainer.model import attention
from trainer.model.transformer import CausalLM
from trainer.plan.memory import layer_bytes
from trainer.run import parallel, processes
from trainer.run.train import train


def counted(monkeypatch: pytest.MonkeyPatch, passes: int, **settings: Any) -> Counter[str]:
    """Collectives of a step of two replicas of four shards, 4 blocks, embedding untied."""
    calls: Counter[str] = Counter()

    def spy(owner: Any, name: str, key: str) -> None:
        original = getattr(owner, name)

        def call(*args: Any, **named: Any) -> Any:
            calls[key] += 1
            return original(*args, **named)

        monkeypatch.setattr(owner, name, call)

    spy(_fsdp_collectives.DefaultAllGather, "__call__", "gather")
    spy(_fsdp_collectives.DefaultReduceScatter, "__call__", "scatter")
    spy(dist, "all_reduce", "all_reduce")
    config = with_(Config(), model={"vocab_size": 96, "hidden_size": 64}, parallel=settings)
    with eight_ranks():
        mesh = dist.init_device_mesh("cpu", (2, 4), mesh_dim_names=("replicate", "shard"))
        world = processes.World(0, 8, torch.device("cpu"), mesh)
        net = parallel.build(config, world)
        ids = torch.zeros(1, 32, dtype=torch.int64)
        calls.clear()
        for turn in range(passes):
            last = turn == passes - 1
            parallel.sync_gradients(net, last, config.parallel.reduce_every_pass)
            net(ids, ids).sum().backward()
    monkeypatch.undo()
    return calls


def test_replicas_are_summed_in_the_last_pass_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """6 groups: 4 blocks, the embedding, and norm with lm_head."""
    once = counted(monkeypatch, 4)
    assert (once["scatter"], once["all_reduce"]) == (6, 6)
    each = counted(monkeypatch, 4, reduce_every_pass=True)
    assert (each["scatter"], each["all_reduce"]) == (24, 6)


def test_the_embedding_is_gathered_once_and_blocks_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert counted(monkeypatch, 1)["gather"] == 2 * 4 + 1 + 1
    assert counted(monkeypatch, 1, reshard_after_forward=False)["gather"] == 4 + 1 + 1


def test_a_process_takes_a_gpu_that_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher shows each process one GPU; TF32 is asked for as torch 2.9 and later want it."""
    taken: list[torch.device] = []
    before = torch.get_float32_matmul_precision()
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(processes, "init_device_mesh", lambda *a, **k: None)
    monkeypatch.setattr(dist, "init_process_group", lambda *a, **k: None)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: 1)
    try:
        world = processes.start(ParallelConfig())
        assert torch.get_float32_matmul_precision() == "high"
        assert torch.backends.cuda.matmul.allow_tf32  # readable: a mix of both ways raises
    finally:
        torch.set_float32_matmul_precision(before)
    assert taken == [world.device] == [torch.device("cuda", 0)]


def test_gloo_connects_when_it_must_and_may_open_what_the_system_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TORCH_GLOO_LAZY_INIT", raising=False)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
    try:
        processes.many_sockets()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert os.environ["TORCH_GLOO_LAZY_INIT"] == "1"
    monkeypatch.setenv("TORCH_GLOO_LAZY_INIT", "0")
    processes.many_sockets()
    assert os.environ["TORCH_GLOO_LAZY_INIT"] == "0", "what a person sets stays"


def test_flash_attention_3_comes_first_where_its_package_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(attention, "PREFERRED", list(attention.PREFERRED))
    monkeypatch.setattr(attention, "activate_flash_attention_impl", asked.append)
    for there in (False, True):
        monkeypatch.setattr(attention, "find_spec", lambda name, there=there: there or None)
        attention.prefer_flash3()
        first = attention.PREFERRED[0]
        assert asked == ["FA3"] * there
        assert (first == SDPBackend.FLASH_ATTENTION) is there
    assert len(attention.PREFERRED) == 4


class Products(TorchDispatchMode):
    """Counts matrix products and other operators."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[str(func)] += 1
        return func(*args, **(kwargs or {}))


def test_recomputation_by_operator_repeats_no_product_and_keeps_less() -> None:
    calls = {}
    for mode in ("none", "operator", "full"):
        net = model(small())
        parallel._recompute(net, mode)
        with Products() as seen:
            net(tokens(), tokens(seed=1)).sum().backward()
        calls[mode] = seen.calls
    products = ("aten.mm.default", "aten._scaled_dot_product_flash_attention_for_cpu.default")
    for name in products:
        assert calls["none"][name] == calls["operator"][name] < calls["full"][name]
    assert calls["none"]["aten.silu.default"] < calls["operator"]["aten.silu.default"]
    config = load("1.3b")
    assert layer_bytes(config, products=True) < 0.75 * layer_bytes(config)


@pytest.mark.slow  # importing torchao takes longer than the steps
def test_float8_trains_as_float32_within_its_rounding(config: Config) -> None:
    pytest.importorskip("torchao", reason="torchao is not installed: float8 NOT checked")
    config = with_(config, eval={"every": 0}, train={"lr": 1e-2})
    runs = {}
    for name, on in (("high", False), ("low", True)):
        runs[name] = replace(with_(config, parallel={"float8": on}), out=f"{config.out}-{name}")
        train(runs[name])
    high, low = (losses(Path(r.out)) for r in runs.values())
    assert low != high and high[12] < 0.95 * high[1]
    assert max(abs(low[s] - high[s]) for s in high) < 0.03 * high[1]
    with torch.device("meta"):
        net, plain = CausalLM(config.model), CausalLM(config.model)
    parallel.use_float8(net, torch.device("cpu"))
    changed = [n for n, m in net.named_modules() if type(m).__name__ == "Float8Linear"]
    assert len(changed) == 7 * config.model.num_hidden_layers and "lm_head" not in changed
    assert {n: p.dtype for n, p in net.named_parameters()} == {
        n: p.dtype for n, p in plain.named_parameters()
    }


def test_float8_without_the_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.float8", None)
    with pytest.raises(ConfigError, match=r"^parallel\.float8 needs the package torchao$"):
        parallel.use_float8(model(small()), torch.device("cpu"))


def test_a_checkpoint_is_written_without_copies_ahead(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CUDA torch copies 10 MB of tensors ahead in a stream of its own; they are staged here."""
    seen: list[int] = []
    original = dcp.save

    def save(*args: Any, **named: Any) -> Any:
        seen.append(named["storage_writer"].per_thread_copy_ahead)
        return original(*args, **named)

    monkeypatch.setattr(dcp, "save", save)
    train(with_(config, train={"steps": 2}, eval={"every": 0}))
    assert seen == [0]
