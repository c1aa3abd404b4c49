"""FSDP2 on gloo: replicas, bfloat16, recomputation and compilation change nothing but cost.

Every way of running gets one `torchrun` for all its configurations (this file is the script it
starts), since starting processes takes longer than training twelve steps.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.fsdp._fully_shard import _fsdp_collectives
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from trainer_helpers import chains, losses, torchrun, with_

from trainer.config.load import as_toml, load
from trainer.config.settings import Config, ConfigError
from trainer.folder.load import load_model
from trainer.plan import flops
from trainer.plan.memory import memory
from trainer.run import optim, parallel, processes
from trainer.run.train import train


def base(tokens: Path) -> Config:
    """8 rows a step, so that 1, 2 and 4 processes share them; a passing of gradients each step."""
    tiny = load("tiny-cpu")
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = with_(tiny, model={**shape, "num_key_value_heads": 1})
    config = with_(config, data={"tokens": str(tokens), "seq_len": 64, "block_tokens": 4096})
    steps = {"steps": 8, "batch_rows": 8, "micro_rows": 1, "warmup_steps": 2}
    config = with_(config, train={**steps, "schedule": "constant"}, checkpoint={"every": 4})
    return with_(
        config,
        eval={"every": 0, "rows": 4, "micro_rows": 1},
        log={"every": 1, "progress": False},
        parallel={"threads": 1},
    )


def run_all(
    processes: int, folder: Path, configs: dict[str, Config], *more: str | Path
) -> dict[str, Path]:
    """Train every configuration in its own folder, one after another in the same processes."""
    files = []
    for name, config in configs.items():
        file = folder / f"{name}-{processes}.toml"
        file.write_text(as_toml(replace(config, out=str(folder / name))), encoding="utf-8")
        files.append(file)
    done = torchrun(processes, __file__, "train", *files, *more)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: folder / name for name in configs}


def apart(a: Path, b: Path) -> float:
    """The largest difference of two loss curves over the same batches."""
    ours, theirs = losses(a), losses(b)
    assert ours.keys() == theirs.keys() and chains(a) == chains(b)
    return max(abs(ours[s] - theirs[s]) for s in ours)


@pytest.fixture(scope="module")
def alone(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "run"
    train(replace(base(tokens), out=str(out)))
    return out


@pytest.fixture(scope="module")
def two(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    config = base(tokens)
    longer = with_(config, train={"micro_rows": 2, "lr": 1e-2, "steps": 24})
    configs = {
        "plain": config,
        "reduced": with_(config, parallel={"reduce_every_pass": True}),
        "full": with_(config, parallel={"activation_checkpointing": "full"}),
        "every-2": with_(config, parallel={"activation_checkpointing": "every-2"}),
        "float32": longer,
        "bfloat16": with_(longer, parallel={"dtype": "bfloat16"}),
        "muon": with_(config, train={"optimizer": "muon", "steps": 4}),
    }
    folder = tmp_path_factory.mktemp("two")
    probe = with_(config, model={"vocab_size": 1600}, parallel={"dtype": "bfloat16"})
    probe = replace(probe, out=str(folder / "collectives"))
    Path(probe.out).mkdir()
    (folder / "collectives" / "c.toml").write_text(as_toml(probe))
    runs = run_all(2, folder, configs, "collectives", folder / "collectives" / "c.toml")
    return {**runs, "collectives": folder / "collectives"}


@pytest.fixture(scope="module")
def four(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    hsdp = with_(base(tokens), parallel={"replicate": 2})
    configs = {"hsdp": hsdp, "replicas": with_(hsdp, parallel={"replicate": 4})}
    configs["start"] = with_(hsdp, train={"steps": 4})
    return run_all(4, tmp_path_factory.mktemp("four"), configs)


@pytest.mark.parametrize("name", ["hsdp", "replicas"])
def test_replicas_of_shards_give_the_curve_of_one_process(
    four: dict[str, Path], alone: Path, name: str
) -> None:
    """2 replicas of 2 shards; 4 replicas of 1."""
    assert apart(four[name], alone) < 1e-5


def test_a_run_of_replicas_goes_on_alone(tokens: Path, four: dict[str, Path], alone: Path) -> None:
    train(replace(base(tokens), out=str(four["start"])))
    assert apart(four["start"], alone) < 1e-5


def test_replicas_must_divide_the_processes(tokens: Path, tmp_path: Path) -> None:
    config = with_(replace(base(tokens), out=str(tmp_path)), parallel={"replicate": 2})
    with pytest.raises(ConfigError, match=r"parallel\.replicate = 2 does not divide 1 process"):
        train(config)


def test_recomputing_blocks_changes_no_bit(two: dict[str, Path], alone: Path) -> None:
    assert apart(two["plain"], alone) < 1e-5
    assert losses(two["full"]) == losses(two["every-2"]) == losses(two["plain"])


def test_reducing_after_every_pass_gives_the_same_curve(two: dict[str, Path]) -> None:
    assert apart(two["reduced"], two["plain"]) < 1e-6


def test_bfloat16_trains_close_to_float32_and_keeps_float32_weights(two: dict[str, Path]) -> None:
    low, high = losses(two["bfloat16"]), losses(two["float32"])
    assert low != high
    assert high[24] < 0.9 * high[1]
    assert max(abs(low[s] - high[s]) for s in high) < 0.04 * high[1]
    weights = load_model(two["bfloat16"])[0].state_dict().values()
    assert all(w.dtype == torch.float32 for w in weights)
    # some weight is between two bfloat16 numbers: the master copy was never rounded
    assert any((w != w.bfloat16().float()).any() for w in weights)


def test_bfloat16_gathers_half_and_reduces_whole(two: dict[str, Path]) -> None:
    """Collectives as they were called, and gradients between two passes of a step."""
    config = load(two["collectives"] / "c.toml")
    seen = json.loads((two["collectives"] / "seen.json").read_text())
    assert seen["gathered"] == ["torch.bfloat16"]
    assert seen["reduced"] == ["torch.float32"]
    assert seen["gradient"] == ["torch.float32"]
    # A rank holds the gradients of all parameters in float32 until the last pass: the planner's
    # `accumulation` is what that is beyond the sharded gradient.
    total = flops.parameters(config.model)["total"]
    assert seen["kept"] == ["torch.float32"] and seen["kept_bytes"] == 4 * total
    assert memory(config, 2)["accumulation"] * 1e9 == pytest.approx(4 * total / 2)


def test_each_matrix_of_muon_has_one_owner_and_the_same_bits(two: dict[str, Path]) -> None:
    seen = json.loads((two["collectives"] / "seen.json").read_text())
    assert seen["owned"] == [[7, 5], [1, 4], [5, 2]], "process 0 of 2 has every other one"
    assert seen["orthogonal"] == [True] * 5


def test_muon_goes_on_on_one_process_and_on_two_again(
    tokens: Path, two: dict[str, Path], tmp_path: Path
) -> None:
    muon = with_(base(tokens), train={"optimizer": "muon", "steps": 12})
    run = tmp_path / "muon"
    shutil.copytree(two["muon"], run)  # 4 steps on two processes
    train(with_(replace(muon, out=str(run)), train={"steps": 8}))
    run_all(2, tmp_path, {"muon": muon})
    train(replace(muon, out=str(tmp_path / "alone")))
    assert apart(run, tmp_path / "alone") < 1e-5
    ours, theirs = (load_model(d)[0].state_dict() for d in (run, tmp_path / "alone"))
    matrices = [n for n, t in theirs.items() if ".layers." in n and t.dim() == 2]
    for name in matrices:
        torch.testing.assert_close(ours[name], theirs[name], atol=3e-5, rtol=1e-3)


@pytest.mark.slow  # a minute of C++ compilation
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler: compiled blocks NOT tested")
def test_compiled_blocks_equal_eager_ones_on_one_and_two_processes(
    tokens: Path, alone: Path, tmp_path: Path
) -> None:
    compiled = with_(base(tokens), parallel={"compile": True})
    mixed = with_(compiled, parallel={"activation_checkpointing": "every-2"})
    runs = run_all(1, tmp_path, {"one": compiled, "one-recomputed": mixed})
    runs |= run_all(2, tmp_path, {"two": compiled, "two-recomputed": mixed})
    for name, run in runs.items():
        assert apart(run, alone) < 1e-4, name


def collectives(config: Config) -> None:
    """Write what a step of two passes gathers, reduces and keeps to OUT/seen.json."""
    world = processes.start(config.parallel)
    model = parallel.build(config, world)
    seen: dict[str, Any] = {"gathered": set(), "reduced": set()}

    def watch(collective: type, key: str) -> None:
        original = collective.__call__

        def spy(self: Any, *args: Any, **named: Any) -> Any:
            tensors = [t for t in (*args, *named.values()) if isinstance(t, torch.Tensor)]
            seen[key] |= {str(t.dtype) for t in tensors}
            return original(self, *args, **named)

        collective.__call__ = spy  # type: ignore[method-assign,assignment]

    watch(_fsdp_collectives.DefaultAllGather, "gathered")
    watch(_fsdp_collectives.DefaultReduceScatter, "reduced")
    tokens = torch.arange(64)[None] + world.rank
    for last in (False, True):
        parallel.sync_gradients(model, last)
        model(tokens, tokens).sum().backward()
        if not last:
            groups = [m._get_fsdp_state()._fsdp_param_group for m in model.modules() if is_unit(m)]
            held = [p.unsharded_accumulated_grad_data for g in groups for p in g.fsdp_params]
            seen["kept"] = sorted({str(t.dtype) for t in held})
            seen["kept_bytes"] = sum(t.nbytes for t in held)
    seen["gradient"] = {str(p.grad.dtype) for p in model.parameters() if p.grad is not None}
    owners(world, seen)
    if world.main:
        plain = {k: sorted(v) if isinstance(v, set) else v for k, v in seen.items()}
        (Path(config.out) / "seen.json").write_text(json.dumps(plain))


def owners(world: processes.World, seen: dict[str, Any]) -> None:
    """Five matrices, some with fewer rows than processes: who makes which orthogonal, how well."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(7, 5), (3, 8), (1, 4), (6, 6), (5, 2)]
    whole = [torch.randn(shape, generator=generator) for shape in shapes]
    sharded = [distribute_tensor(w, world.mesh, [Shard(0)]) for w in whole]
    expected = [optim._scaled(w) for w in whole]
    plain, calls = optim.newton_schulz, []

    def counted(matrix: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(matrix.shape))
        return plain(matrix)

    optim.newton_schulz = counted
    made = [o.full_tensor() for o in optim.orthogonal(sharded) if isinstance(o, DTensor)]
    optim.newton_schulz = plain
    seen["owned"] = calls
    seen["orthogonal"] = [torch.equal(a, b) for a, b in zip(made, expected, strict=True)]


def is_unit(module: torch.nn.Module) -> bool:
    return isinstance(module, parallel.FSDPModule)


if __name__ == "__main__":
    job = train
    for word in sys.argv[1:]:
        if word in ("train", "collectives"):
            job = {"train": train, "collectives": collectives}[word]
        else:
            job(load(word))
    processes.leave()
