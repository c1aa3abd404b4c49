"""Settings and sampling controls outside their range are one line that names them."""

from __future__ import annotations

import re

import pytest
import torch

from trainer.config.load import PRESETS, load
from trainer.config.settings import Config, ConfigError, ModelConfig, limits, values
from trainer.export.generate import Sampling, tokens
from trainer.model.transformer import CausalLM

BAD = [
    "model.hidden_size=0",
    "model.intermediate_size=0",
    "model.num_hidden_layers=0",
    "model.num_attention_heads=0",
    "model.num_attention_heads=-2",
    "model.num_key_value_heads=-1",
    "model.vocab_size=-5",
    "model.head_dim=-16",
    "model.head_dim=15",
    "model.max_position_embeddings=0",
    "model.rope_theta=0",
    "model.norm_eps=-1",
    "model.norm_eps=nan",
    "model.initializer_range=0",
    "model.family=bert",
    "data.held_out=2",
    "data.seq_len=0",
    "data.seq_len=-1",
    "data.seq_len=1e9",
    "data.block_tokens=0",
    "data.window_blocks=0",
    "data.max_epochs=-1",
    "data.max_epochs=inf",
    "data.attention=full",
    "data.weights.web=abc",
    "data.weights.web=-1",
    "data.weights.web=true",
    "data.weights.web=nan",
    "data.weights=[1]",
    "train.steps=-3",
    "train.steps=1.5",
    "train.tokens=-100",
    "train.batch_rows=0",
    "train.batch_rows=true",
    "train.micro_rows=-1",
    "train.ramp=[[50,4]]",
    "train.lr=-1",
    "train.lr=nan",
    "train.lr=inf",
    "train.lr=abc",
    "train.min_lr_ratio=5",
    "train.warmup_steps=-5",
    "train.decay_steps=-1",
    "train.schedule=linear",
    "train.optimizer=sgd",
    "train.beta1=1",
    "train.beta2=2",
    "train.eps=0",
    "train.weight_decay=-0.1",
    "train.clip=-1",
    "train.z_loss=-1",
    "train.spike=-1",
    "train.spike_rewind=1",
    "train.loss_chunk=-1",
    "parallel.replicate=0",
    "parallel.threads=-1",
    "parallel.dtype=float16",
    "checkpoint.every=0",
    "checkpoint.keep_last=0",
    "checkpoint.keep_every=-1",
    "checkpoint.load_step=-1",
    "eval.every=-1",
    "eval.rows=-1",
    "eval.micro_rows=0",
    "log.every=0",
    "train.steps=99999999999999999999",
    "train.tokens=1e30",
    "train.batch_rows=1e12",
    "data.block_tokens=100000000000000000000",
    "model.vocab_size=1e30",
]


@pytest.mark.parametrize("setting", BAD)
def test_a_setting_that_cannot_be_is_one_line_that_names_it(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("tiny-cpu", [f"--{setting}"])
    line = str(caught.value)
    section, key = setting.partition("=")[0].split(".")[:2]
    assert "\n" not in line
    # One that is about several settings says so in its own words.
    words = {"num_attention_heads": "heads", "num_key_value_heads": "heads", "head_dim": "head"}
    assert f"{section}.{key}" in line or words[key] in line


@pytest.mark.parametrize("preset", sorted(p.stem for p in PRESETS.glob("*.toml")))
def test_every_preset_is_within_the_limits(preset: str) -> None:
    assert load(preset).model.hidden_size > 0


def test_every_number_has_limits_and_every_setting_a_meaning() -> None:
    """A setting that is added without limits or a meaning fails here."""
    described = values(Config())
    numbers = {name for name, _, value in described if type(value) in (int, float)}
    limited = {name for name, field, _ in described if limits(field)}
    assert numbers - limited == {"train.seed"}  # any whole number is a seed
    assert limited <= numbers
    assert not [name for name, field, _ in described if not field.metadata["help"]]
    assert len(described) > 50


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("--train.lr", "--train.lr"),
        ("--train=3", "train is a section"),
        ("--out.x=3", "'out' is not a section"),
        ("--train.lr.x=3", "'lr' is not a section"),
        ("--=3", "unknown key"),
        ("--trian.lr=1", "unknown key trian; did you mean train?"),
        ("--train.lrr=1", "unknown key train.lrr; did you mean train.lr?"),
    ],
)
def test_an_override_that_is_no_setting_is_one_line(override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)) as caught:
        load("tiny-cpu", [override])
    assert "\n" not in str(caught.value)


def test_a_whole_number_may_be_written_with_an_exponent() -> None:
    config = load("tiny-cpu", ["--train.tokens=1e9", "--data.max_epochs=2"])
    assert config.train.tokens == 10**9 and type(config.train.tokens) is int
    assert config.data.max_epochs == 2.0
    with pytest.raises(ConfigError, match=r"train\.tokens must be int, not 1\.5"):
        load("tiny-cpu", ["--train.tokens=1.5"])


def test_the_ends_of_a_range_that_mean_off_are_accepted() -> None:
    off = ["clip", "z_loss", "spike", "loss_chunk", "warmup_steps", "lr"]
    config = load("tiny-cpu", [*(f"--train.{k}=0" for k in off), "--data.max_epochs=0"])
    assert config.train.clip == config.data.max_epochs == 0


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"max_tokens": -100}, "max_tokens"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_k": -5}, "top_k"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": -1.0}, "top_p"),
        ({"top_p": 2.0}, "top_p"),
        ({"top_p": float("nan")}, "top_p"),
        ({"repetition_penalty": 0.0}, "repetition_penalty"),
        ({"repetition_penalty": -1.0}, "repetition_penalty"),
        ({"repetition_penalty": float("inf")}, "repetition_penalty"),
        ({"seed": 2**64}, "seed"),
    ],
)
def test_sampling_out_of_its_range_is_one_line(wrong: dict[str, float], named: str) -> None:
    model = net()
    with pytest.raises(ConfigError, match=named) as caught:
        list(tokens(model, [1, 2], Sampling(**{"max_tokens": 2} | wrong), frozenset()))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "edge",
    [
        {"temperature": 0.0},
        {"temperature": 1e-30},
        {"top_k": 10**6},
        {"top_k": 1},
        {"top_p": 1.0},
        {"top_p": 1e-9},
        {"repetition_penalty": 1e-3},
        {"seed": -1},
    ],
)
def test_sampling_at_the_edge_of_its_range_gives_tokens(edge: dict[str, float]) -> None:
    made = list(tokens(net(), [1, 2], Sampling(**{"max_tokens": 3} | edge), frozenset()))  # type: ignore[arg-type]
    assert len(made) == 3 and all(0 <= t < 96 for t in made)
    assert list(tokens(net(), [1, 2], Sampling(max_tokens=0), frozenset())) == []


def net() -> CausalLM:
    torch.manual_seed(0)
    shape = ModelConfig(
        vocab_size=96,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
    )
    return CausalLM(shape).eval()
