"""The planner against arithmetic done by hand, and against tensors that torch really keeps."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from trainer_helpers import eight_ranks, with_

from trainer.config.load import load
from trainer.config.settings import Config, ConfigError
from trainer.model import transformer as model_file
from trainer.plan.fit import CHUNKS, MODES, applied, cost, fit, said
from trainer.plan.machines import MACHINES, machines
from trainer.plan.memory import layer_bytes, memory
from trainer.plan.plan import flop, number, plan, row, run_tokens
from trainer.plan.saves import saves
from trainer.run import optim, parallel, processes
from trainer.run.start import fitted


def test_gpt3_on_abci_is_the_hand_worked_month() -> None:
    """6 · 175e9 · 300e9 = 3.15e23 FLOP; at 40 % of 989 TFLOP/s 220,481 GPU-hours on H200."""
    config = load("gpt3-175b")
    result = plan(config, machines()["abci3"], nodes=32, mfu=0.4, simple=True)
    assert result["parameters"] == pytest.approx(175e9, rel=0.003)
    assert result["zettaflop"] == pytest.approx(315, rel=0.003)  # "some hundreds of zettaFLOP"
    assert result["gpu_hours"] == pytest.approx(220_481, rel=0.003)
    assert result["node_hours"] == pytest.approx(27_560, rel=0.003)
    assert result["days"] == pytest.approx(35.9, rel=0.003)  # "about a month"
    assert result["points"] == pytest.approx(440_962, rel=0.003)
    assert result["yen"] == pytest.approx(97.0e6, rel=0.003)
    assert result["kwh"] == pytest.approx(220_481, rel=0.003)  # 1 kW a GPU
    assert result["jobs"] == 6  # of 168 hours
    assert result["state_gb_per_gpu"] == pytest.approx(16 * 175e9 / 256 / 1e9, rel=0.003)
    assert any("chain 6 jobs" in n for n in result["notes"])
    half = plan(config, machines()["abci3-accelerated"], 32, 0.4, simple=True)
    assert half["yen"] == pytest.approx(45.5e6, rel=0.003)
    assert plan(config, machines()["abci3"], 128, 0.4, simple=True)["days"] == pytest.approx(
        9.0, rel=0.01
    )
    for mfu, days, yen in [(0.35, 41.0, 111e6), (0.45, 31.9, 86e6)]:
        other = plan(config, machines()["abci3"], 32, mfu, simple=True)
        assert other["days"] == pytest.approx(days, rel=0.005)
        assert other["yen"] == pytest.approx(yen, rel=0.006)


def test_a_job_is_as_long_as_the_limit_in_node_hours_lets_it() -> None:
    """A100 nodes of ABCI 2.0: 288 node-hours a job, so 9 h on 32 nodes, not 72."""
    result = plan(load("gpt3-175b"), machines()["abci2-a100"], 32, 0.4, simple=True)
    assert result["gpu_hours"] == pytest.approx(701_122, rel=0.003)  # 3.15e23 / 124.8e12 / 3600
    assert result["job_hours"] == 9.0
    assert result["jobs"] == 304  # 2732.6 h, 174.6 billion parameters
    abci = machines()["abci3"]
    assert [abci.job_hours(n) for n in (1, 32, 128)] == [168.0, 168.0, 168.0]
    assert replace(abci, max_node_hours=1000.0).job_hours(128) == 7.8125


def test_the_exact_count_is_a_little_above_the_papers() -> None:
    config = load("gpt3-175b")
    exact = plan(config, machines()["abci3"], 32, 0.4)["flop"]
    simple = plan(config, machines()["abci3"], 32, 0.4, simple=True)["flop"]
    assert 1.0 < exact / simple < 1.05


def test_tokens_are_those_of_whole_batches(config: Config) -> None:
    assert run_tokens(config) == 12 * 6 * 64
    assert run_tokens(with_(config, train={"steps": 0, "tokens": 385})) == 2 * 6 * 64


def test_the_memory_of_13b_on_64_gpus_is_the_hand_worked_sum() -> None:
    """12.688 G parameters in blocks (317.2 M each), 509.9 M in embedding and head each.

    1024 rows / 64 GPUs / 2 rows = 8 passes a step, so gradients stay whole in between.
    """
    config = with_(load("13b"), parallel={"activation_checkpointing": "full"})
    config = with_(config, train={"micro_rows": 2, "loss_chunk": 8192})
    parts = memory(config, 64)
    assert parts["state"] == pytest.approx(16 * 13.7079 / 64, rel=1e-4)
    assert parts["accumulation"] == pytest.approx(4 * 13.7079 * 63 / 64, rel=1e-4)
    assert parts["gathered"] == pytest.approx(4 * 0.317194 + 4 * 0.509870, rel=1e-4)
    assert parts["activations"] == pytest.approx(8192 * (40 * 10240 + 192_512) / 1e9, rel=1e-4)
    assert parts["transient"] == pytest.approx(12 * 8192 * 99_584 / 1e9, rel=1e-4)
    chunked = memory(with_(config, train={"loss_chunk": 512}), 64)
    assert chunked["transient"] == pytest.approx(8 * 0.317194, rel=1e-4)
    assert parts["total"] == pytest.approx(sum(v for k, v in parts.items() if k != "total"))


def test_memory_follows_the_settings() -> None:
    config = with_(load("13b"), parallel={"activation_checkpointing": "full"})
    config = with_(config, train={"micro_rows": 2})
    assert memory(config, 64)["state"] == pytest.approx(memory(config, 8)["state"] / 8)
    replicas = with_(config, parallel={"replicate": 2})
    assert memory(replicas, 64)["state"] == pytest.approx(memory(config, 32)["state"])
    none = with_(config, parallel={"activation_checkpointing": "none"})
    assert memory(none, 8)["activations"] > 10 * memory(config, 8)["activations"]
    one_pass = with_(config, train={"micro_rows": 16})
    assert memory(one_pass, 64)["accumulation"] == 0
    every = with_(config, parallel={"reduce_every_pass": True})
    assert memory(every, 64)["accumulation"] == 0 < memory(config, 64)["accumulation"]
    assert memory(with_(config, parallel={"cpu_offload": True}), 64)["state"] == 0
    muon = memory(with_(config, train={"optimizer": "muon"}), 64)["state"]
    assert memory(config, 64)["state"] - muon == pytest.approx(4 * 12.68777 / 64, rel=1e-4)
    alone = memory(with_(load("150m"), train={"batch_rows": 32}), 1)
    assert alone["state"] == pytest.approx(16 * 0.109529, rel=1e-3)


def like_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what only runs on CPUs. torch fuses RMSNorm on GPUs alone; its LayerNorm keeps what
    the fused one keeps."""

    def flash(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: None) -> torch.Tensor:
        grouped = q.shape[1] != k.shape[1]
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=grouped)

    monkeypatch.setattr(model_file, "attend", flash)
    monkeypatch.setattr(
        model_file, "norm", lambda c: nn.LayerNorm(c.hidden_size, c.norm_eps, bias=False)
    )


@pytest.mark.parametrize("family", ["llama", "gpt3", "palm"])
def test_a_layer_keeps_what_the_planner_says(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that autograd saves of one bfloat16 block, flash attention, fused normalisation."""

    like_a_gpu(monkeypatch)
    config = load("150m")
    kv = {"llama": 4, "gpt3": 0, "palm": 1}[family]
    config = with_(config, model={"family": family, "num_key_value_heads": kv})
    m, saved = config.model, {}
    block = model_file.Block(m).to(torch.bfloat16)
    weights = {p.untyped_storage().data_ptr() for p in block.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor keeps the address
        return tensor

    x = torch.randn(2, 256, m.hidden_size, dtype=torch.bfloat16, requires_grad=True)
    rope = None if family == "gpt3" else model_file.rotary(torch.arange(256), m)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        block(x, rope)
    kept = sum(size for size, _ in saved.values()) / (2 * 256)
    assert kept == pytest.approx(layer_bytes(config), rel=0.03)


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("150m", {}),
        ("150m", {"activation_checkpointing": "every-2"}),
        ("1.3b", {"activation_checkpointing": "full"}),
    ],
)
def test_the_estimate_is_at_most_a_quarter_above_what_a_tracker_counts(
    preset: str, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's FSDP2 memory tracker over a step on tensors without content, as one of 8 ranks.

    It follows one pass without the optimiser's step: fused AdamW allocates nothing.
    """
    tracker = pytest.importorskip("torch.distributed._tools.fsdp2_mem_tracker").FSDPMemTracker
    like_a_gpu(monkeypatch)
    monkeypatch.setattr(parallel, "initialise", lambda *_: None)
    config = with_(load(preset), parallel={"compile": False, "dtype": "bfloat16", **settings})
    config = with_(config, train={"micro_rows": 1, "batch_rows": 8, "loss_chunk": 1024})
    with eight_ranks():
        mesh = dist.init_device_mesh("cpu", (8,), mesh_dim_names=("shard",))
        with FakeTensorMode(allow_non_fake_inputs=True):
            world = processes.World(0, 8, torch.device("cpu"), mesh)
            model = parallel.build(config, world)
            (adamw,) = optim.build(model, config.train)
            tokens = torch.zeros(1, config.data.seq_len, dtype=torch.int64)
            watch = tracker(model, adamw)
            watch.track_inputs((tokens,))
            with watch:
                nll = model(tokens, tokens, None, None, config.train.loss_chunk)
                nll.sum().backward()
        counted = watch.get_tracker_snapshot("peak")[torch.device("cpu")]
    total = next(v for k, v in counted.items() if str(k).endswith("Total")) / 1e9
    assert total <= memory(config, 8)["total"] <= 1.25 * total


PRESETS = ("150m", "360m", "760m", "1.3b", "3.7b", "7b", "13b")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_fits_a_node_of_80_gb_and_says_by_what(preset: str) -> None:
    for name in ("cloud-h100", "tsubame4", "abci3"):
        result = plan(load(preset), machines()[name], 1, 0.4)
        assert result["fits"], (name, result["memory_gb_per_gpu"])
        line = f"the run itself chooses {said(result['changes'])}"
        assert any(line in n for n in result["notes"]) == bool(result["changes"])


def test_the_choice_is_the_cheapest_that_fits_and_leaves_what_fits_alone() -> None:
    """Against a search over every value of the four settings."""
    config = load("13b")
    assert fit(config, 8, 1000.0) == {}
    found = fit(config, 8, 80.0)
    assert found == {
        "parallel.activation_checkpointing": "full",
        "parallel.reduce_every_pass": True,
    }
    best = (1e9, {})
    for mode, rows, chunk, every in product(MODES, (4, 2, 1), (0, *CHUNKS), (False, True)):
        parallel_ = {"activation_checkpointing": mode, "reduce_every_pass": every}
        other = with_(config, parallel=parallel_, train={"micro_rows": rows, "loss_chunk": chunk})
        if memory(other, 8)["total"] < 0.92 * 80:
            best = min(best, (cost(other, 8), {}), key=lambda b: b[0])
    assert cost(applied(config, found), 8) == pytest.approx(best[0])
    # What was asked for is a least: neither rows nor recomputation go the other way.
    asked = with_(config, parallel={"activation_checkpointing": "every-2"}, train={"micro_rows": 1})
    changed = fit(asked, 8, 80.0)
    assert changed is not None and "train.micro_rows" not in changed
    assert changed.get("parallel.activation_checkpointing", "full") == "full"


def test_a_run_on_a_gpu_takes_the_choice_and_says_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not on a GPU: the device is named and its size given."""
    config = load("760m")
    world = processes.World(0, 8, torch.device("cuda", 0), None)  # type: ignore[arg-type]
    for size, said_ in ((80e9, "to fit 80 GB a GPU: --train.micro_rows=8"), (1e9, "no choice")):
        device = SimpleNamespace(total_memory=size)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _, d=device: d)
        chosen = fitted(config, world)
        assert said_ in capsys.readouterr().out
    assert chosen == config
    cpu = replace(world, device=torch.device("cpu"))
    assert fitted(config, cpu) is config and not capsys.readouterr().out


def test_what_does_not_fit_is_said_with_what_to_change() -> None:
    v100 = plan(load("13b"), machines()["abci2-v100"], 1, 0.3)
    assert not v100["fits"]
    assert any("no bfloat16" in n for n in v100["notes"])
    assert any("16 nodes would" in n for n in v100["notes"])
    whole = load("gpt3-175b")  # a step in one pass
    parts = with_(whole, train={"micro_rows": 1})
    gpt3 = plan(parts, machines()["abci3"], 32, 0.4)
    assert any("do not fit 141 GB; they would with" in n for n in gpt3["notes"])
    assert plan(with_(parts, parallel={"fit": True}), machines()["abci3"], 32, 0.4)["fits"]
    assert plan(whole, machines()["abci3"], 32, 0.4)["fits"]
    never = plan(whole, replace(machines()["abci2-v100"], max_nodes=4), 1, 0.4)
    assert any("on any number of nodes a job may have" in n for n in never["notes"])
    fits = plan(load("1.3b"), machines()["abci3"], 1, 0.4)
    assert fits["fits"] and not any(" fit " in n or "bfloat16" in n for n in fits["notes"])
    padded = plan(load("1.3b"), machines()["abci3"], 128, 0.4)
    assert any("1,024 GPUs: 50% of a step is padding" in n for n in padded["notes"])
    assert any("exceed the 128" in n for n in plan(whole, machines()["abci3"], 192, 0.4)["notes"])


def test_a_save_and_a_restart_are_the_hand_worked_sums() -> None:
    """13.708 G parameters of 12 bytes on 64 GPUs, ten days."""
    config = with_(load("13b"), checkpoint={"every": 100, "keep_every": 0, "keep_last": 2})
    machine = replace(machines()["abci3"], storage_gb_per_s=4.0)
    found = saves(config, machine, 8, hours=240.0)
    size = 12 * 13.7079
    assert found["checkpoint_gb"] == pytest.approx(size, rel=1e-4)
    assert found["copy_s"] == pytest.approx(size / 64 / 20, rel=1e-4)
    assert found["write_s"] == pytest.approx(size / 32, rel=1e-4)
    assert found["disk_gb"] == pytest.approx(3 * size, rel=1e-4)
    step = 240 * 3600 / found["steps"]
    assert found["between_s"] == pytest.approx(100 * step)
    assert found["stall_share"] == pytest.approx(size / 1280 / (100 * step + size / 1280), rel=1e-4)
    # 16,384 GPUs for 54 days had 419 failures: 64 for 240 h have 0.303.
    assert found["failures"] == pytest.approx(64 * 240 * 419 / (16_384 * 54 * 24))
    again = 180 + size / 32 + 50 * step
    assert found["restart_s"] == pytest.approx(again, rel=1e-4)
    jobs = 180 + size / 32 + size / 1280  # of 168 h: one more start
    assert found["lost_hours"] == pytest.approx((found["failures"] * again + jobs) / 3600, rel=1e-4)
    waiting = saves(with_(config, checkpoint={"asynchronous": False}), machine, 8, 240.0)
    assert waiting["stall_s"] == pytest.approx(size / 1280 + size / 32, rel=1e-4)
    assert waiting["best_every"] > found["best_every"]


def test_a_price_that_is_not_known_is_none_and_a_dash() -> None:
    result = plan(load("150m"), machines()["tsubame4"], 1, 0.4)
    assert result["yen"] is None and result["points"] is None
    assert row("tsubame4", result)["yen"] == "–"


def test_numbers_are_readable() -> None:
    assert [flop(x) for x in (3.15e23, 2.7e18, 8.1e12)] == [
        "315 ZFLOP",
        "2.7 EFLOP",
        "0.0081 PFLOP",
    ]
    assert [number(x) for x in (97_012_345.6, 99.96, 5.291)] == ["97,012,346", "100", "5.29"]
    cells = row("abci3", plan(load("gpt3-175b"), machines()["abci3"], 32, 0.4, simple=True))
    assert cells["time"] == "35.9 days" and cells["yen"].startswith("97,")


def test_every_machine_says_from_when_and_where_it_is() -> None:
    for machine in machines().values():
        assert machine.date and machine.source and machine.price_source


def test_a_bad_table_or_number_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[x]\nname = 'y'\n")
    with pytest.raises(ConfigError, match=r"m\.toml"):
        machines(tmp_path / "m.toml")
    text = MACHINES.read_text(encoding="utf-8")
    (tmp_path / "m.toml").write_text(text.replace("max_hours = 168.0", "max_hours = 0"))
    with pytest.raises(ConfigError, match="abci3: sizes and limits are above 0"):
        machines(tmp_path / "m.toml")
    for mfu in (40, 0, 1, -0.1, float("nan")):
        with pytest.raises(ConfigError, match="--mfu"):
            plan(load("1.3b"), machines()["abci3"], 1, mfu)
    for nodes in (0, -1):
        with pytest.raises(ConfigError, match="--nodes is"):
            plan(load("1.3b"), machines()["abci3"], nodes, 0.4)
    with pytest.raises(ConfigError, match=r"model\.vocab_size is 0"):
        plan(load("tiny-cpu"), machines()["abci3"], 1, 0.4)
