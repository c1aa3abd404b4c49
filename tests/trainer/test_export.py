"""An exported folder opens in the real transformers and computes the same logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from trainer_helpers import texts
from transformers import AutoModelForCausalLM, AutoTokenizer

from trainer.config import Config, ConfigError
from trainer.export import export
from trainer.generate import Sampling, text
from trainer.generate import tokens as new_tokens
from trainer.runs import load_model
from trainer.train import train


def trained(config: Config, family: str, tied: bool) -> Path:
    model = replace(config.model, family=family, tie_word_embeddings=tied)
    if family == "gpt3":
        model = replace(model, num_key_value_heads=0)
    train(replace(config, model=model, train=replace(config.train, steps=3)))
    return Path(config.out)


@pytest.mark.parametrize("family", ["llama", "gpt3"])
@pytest.mark.parametrize("tied", [False, True])
def test_logits_equal_those_of_transformers(
    config: Config, tmp_path: Path, family: str, tied: bool
) -> None:
    run = trained(config, family, tied)
    export(run, tmp_path / "hf")
    model, _, tokenizer, _ = load_model(run)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    ids = torch.tensor([[tokenizer.bos, *tokenizer.encode(texts()[0])][:60]])
    with torch.no_grad():
        ours, _ = model(ids)
        difference = (ours - theirs(ids).logits).abs().max()
    assert difference < 1e-4
    assert (
        AutoTokenizer.from_pretrained(tmp_path / "hf")(texts()[0]).input_ids[:60] == ids.tolist()[0]
    )
    files = {p.name for p in (tmp_path / "hf").iterdir()}
    assert not [f for f in files if f.endswith((".bin", ".pt", ".pkl"))]
    assert "model.safetensors" in files and "README.md" in files


def test_greedy_text_equals_that_of_transformers(config: Config, tmp_path: Path) -> None:
    run = trained(config, "llama", False)
    export(run, tmp_path / "hf")
    model, _, tokenizer, _ = load_model(run)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    prompt = [tokenizer.bos, *tokenizer.encode("日本語")]
    ours = list(new_tokens(model, prompt, Sampling(20, temperature=0), frozenset()))
    out = theirs.generate(
        torch.tensor([prompt]), max_new_tokens=20, do_sample=False, eos_token_id=None
    )
    assert ours == out[0, len(prompt) :].tolist()


def test_text_streams_whole_characters_and_repeats_with_a_seed(config: Config) -> None:
    model, _, tokenizer, _ = load_model(trained(config, "llama", False))
    first = list(text(model, tokenizer, "稲", Sampling(30, seed=3)))
    assert first == list(text(model, tokenizer, "稲", Sampling(30, seed=3)))
    assert first != list(text(model, tokenizer, "稲", Sampling(30, seed=4)))


def test_palm_cannot_be_exported_and_says_so(config: Config, tmp_path: Path) -> None:
    run = trained(config, "palm", True)
    with pytest.raises(ConfigError, match=r"no class for model\.family"):
        export(run, tmp_path / "hf")
