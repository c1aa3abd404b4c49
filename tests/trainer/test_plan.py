"""The planner against arithmetic done by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.config import ConfigError, load
from trainer.plan import advice, machines, memory, plan


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
    assert result["jobs"] == 6  # of 168 hours
    assert result["state_gb_per_gpu"] == pytest.approx(16 * 175e9 / 256 / 1e9, rel=0.003)
    assert any("chain jobs" in n for n in result["notes"])
    half = plan(config, machines()["abci3-accelerated"], 32, 0.4, simple=True)
    assert half["yen"] == pytest.approx(45.5e6, rel=0.003)
    assert plan(config, machines()["abci3"], 128, 0.4, simple=True)["days"] == pytest.approx(
        9.0, rel=0.01
    )
    for mfu, days, yen in [(0.35, 41.0, 111e6), (0.45, 31.9, 86e6)]:
        other = plan(config, machines()["abci3"], 32, mfu, simple=True)
        assert other["days"] == pytest.approx(days, rel=0.005)
        assert other["yen"] == pytest.approx(yen, rel=0.006)


def test_the_exact_count_is_a_little_above_the_papers() -> None:
    config = load("gpt3-175b")
    exact = plan(config, machines()["abci3"], 32, 0.4)["flop"]
    simple = plan(config, machines()["abci3"], 32, 0.4, simple=True)["flop"]
    assert 1.0 < exact / simple < 1.05


def test_what_does_not_fit_is_said() -> None:
    result = plan(load("13b"), machines()["abci2-v100"], 1, 0.3)
    assert not result["fits"]
    assert any("do not fit" in n for n in result["notes"])
    assert plan(load("1.3b"), machines()["abci3"], 1, 0.4)["fits"]


def test_recomputation_saves_memory_and_more_gpus_share_the_state() -> None:
    config = load("13b")
    assert memory(config, 64)["state"] == pytest.approx(memory(config, 8)["state"] / 8)
    none = load("13b", ["parallel.activation_checkpointing=none"])
    assert memory(none, 8)["activations"] > 10 * memory(config, 8)["activations"]


def test_advice_names_the_sizes_and_their_sources() -> None:
    text = "\n".join(advice(20e9, 40e9))
    assert "1 billion parameters" in text and "4 billion" in text and "320 billion" in text
    assert "Hoffmann" in text and "Muennighoff" in text


def test_every_machine_says_from_when_and_where_it_is() -> None:
    for machine in machines().values():
        assert machine.date and machine.source and machine.price_source


def test_a_bad_table_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text("[x]\nname = 'y'\n")
    with pytest.raises(ConfigError, match=r"m\.toml"):
        machines(tmp_path / "m.toml")
    with pytest.raises(ConfigError, match="mfu"):
        plan(load("1.3b"), machines()["abci3"], 1, 40)
