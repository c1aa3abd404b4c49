"""An exported folder opens in the real transformers and computes the same logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from trainer_helpers import CHATS, texts, write_chats
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
from typer.testing import CliRunner

from trainer.cli import app
from trainer.config.settings import Config, ConfigError, TrainError
from trainer.export import huggingface as export_module
from trainer.export.generate import Sampling, text
from trainer.export.generate import tokens as new_tokens
from trainer.export.huggingface import check, export
from trainer.folder.load import load_model
from trainer.run.train import train
from trainer.tokens.tokenizer_hf import write as write_tokenizer
from trainer.tokens.tokenizer_train import train as train_tokenizer
from trainer.tuning.sft import sft


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
        ours = model(ids)
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


@pytest.mark.parametrize("family", ["llama", "gpt3"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_narrow_type_holds_the_rounded_weights_and_nothing_else(
    config: Config, tmp_path: Path, family: str, dtype: str
) -> None:
    run = trained(config, family, False)
    out = tmp_path / "hf"
    found = export(run, out, dtype=dtype, checked=True)
    assert found["check"] < 1e-4  # against our model with the same rounding
    exact = export(run, tmp_path / "exact")
    narrow = getattr(torch, dtype)
    wide = load_file(tmp_path / "exact" / "model.safetensors")
    weights = load_file(out / "model.safetensors")
    assert exact["files"] == ["model.safetensors"] and weights.keys() == wide.keys()
    for name, weight in weights.items():
        assert weight.dtype == narrow and torch.equal(weight, wide[name].to(narrow)), name
    assert AutoModelForCausalLM.from_pretrained(out).dtype == narrow


def test_a_new_export_leaves_no_weights_of_the_last_one(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = trained(config, "llama", False), tmp_path / "hf"
    monkeypatch.setattr(export_module, "SHARD_BYTES", 1 << 17)
    shards = export(run, out, checked=True)["files"]  # transformers reads the shards
    assert len(shards) > 1 and (out / "model.safetensors.index.json").exists()
    monkeypatch.undo()
    export(run, out, dtype="bfloat16", checked=True)
    weights = {p.name for p in out.iterdir() if "safetensors" in p.name}
    assert weights == {"model.safetensors"}
    modes = {p.stat().st_mode for p in out.iterdir()}
    assert len(modes) == 1  # a group that may read one file may read all


def test_a_tuned_run_says_so_and_stops_at_the_end_of_an_answer(
    config: Config, tmp_path: Path
) -> None:
    base = trained(config, "llama", False)
    overrides = ["--train.steps=3", "--eval.every=0"]
    sft(base, write_chats(tmp_path / "chat.jsonl", CHATS), tmp_path / "sft", overrides=overrides)
    export(tmp_path / "sft", tmp_path / "hf", checked=True)
    card = (tmp_path / "hf" / "README.md").read_text(encoding="utf-8")
    assert "| fine-tuned from | run |" in card and "tokens of answers" in card
    assert "(step 3)" in card and "trainer trace" not in card
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    stops = GenerationConfig.from_pretrained(tmp_path / "hf").eos_token_id
    assert tokenizer.convert_ids_to_tokens(stops) == ["</s>", "<|end|>"]


def test_the_card_names_the_evaluation_of_its_own_step(config: Config, tmp_path: Path) -> None:
    run = trained(config, "llama", False)
    export(run, tmp_path / "hf")
    card = (tmp_path / "hf" / "README.md").read_text(encoding="utf-8")
    assert "per character (step 3)" in card and "trainer trace" in card


def test_a_check_finds_other_weights_and_another_tokenizer(config: Config, tmp_path: Path) -> None:
    run, out = trained(config, "llama", False), tmp_path / "hf"
    export(run, out)
    model, _, tokenizer, _ = load_model(run)
    assert check(out, model, tokenizer) < 1e-4
    write_tokenizer(train_tokenizer(texts(), 1600, "bpe").model, out)
    with pytest.raises(TrainError, match="transformers cuts text into other tokens"):
        check(out, model, tokenizer)
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight *= -1
    with pytest.raises(TrainError, match="logits of transformers differ by"):
        check(out, model, tokenizer)


def test_failures_are_one_line(config: Config, tmp_path: Path) -> None:
    run = trained(config, "llama", False)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="choose float32, bfloat16, float16"):
        export(run, tmp_path / "hf", dtype="int8")
    with pytest.raises(ConfigError, match="w does not fit float16: use --dtype bfloat16"):
        export_module._convert(torch.tensor([1.0, 1e5]), "w", "float16")
    with pytest.raises(ConfigError, match="is the run itself"):
        export(run, run)
    with pytest.raises(TrainError, match="file: cannot write: File exists"):
        export(run, tmp_path / "file")
    with pytest.raises(ConfigError, match="not a training run"):
        export(tmp_path / "nowhere", tmp_path / "hf")
    (tmp_path / "hf" / "model.safetensors").mkdir(parents=True)
    with pytest.raises(TrainError, match="hf: cannot write: "):
        export(run, tmp_path / "hf")


def test_the_command_exports_checks_and_warns_of_unigram(config: Config, tmp_path: Path) -> None:
    run = trained(config, "llama", False)
    command = ["export", str(run), "--out", str(tmp_path / "hf"), "--gguf", "--check"]
    result = CliRunner().invoke(app.app, command)
    assert result.exit_code == 0, result.output
    assert "model.safetensors, run-F32.gguf" in result.stdout
    assert "transformers: same tokens, logits differ by at most" in result.stdout
    assert "only bpe tokenizers keep them" in result.stdout
    assert (tmp_path / "hf" / "run-F32.gguf").is_file()
