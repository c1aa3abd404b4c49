"""Models of Hugging Face as the start of a run: equal logits, equal training, the way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign import SHAPES, bpe, weights
from safetensors.torch import load_file
from trainer_helpers import CHATS, losses, run_trainer, write_chats
from transformers import AutoModelForCausalLM

from trainer.config.load import load
from trainer.config.settings import ConfigError, TrainError
from trainer.data.loader import Loader
from trainer.export.from_huggingface import import_model
from trainer.export.huggingface import export
from trainer.folder.load import load_model
from trainer.run.schedule import lr_scale
from trainer.run.train import train
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def qwen_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bpe(tmp_path_factory.mktemp("bpe"))


@pytest.fixture
def model_dir(qwen_tokenizer: Path, tmp_path: Path) -> Any:
    def made(shape: str, **more: Any) -> Path:
        folder = tmp_path / "model"
        for file in qwen_tokenizer.iterdir():
            folder.mkdir(exist_ok=True)
            (folder / file.name).write_bytes(file.read_bytes())
        return weights(folder, shape, 610, **more)

    return made


def stored(folder: Path) -> dict[str, torch.Tensor]:
    return {n: t for f in folder.glob("*.safetensors") for n, t in load_file(f).items()}


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_those_of_transformers_and_the_folder_comes_back(
    model_dir: Any, tmp_path: Path, shape: str
) -> None:
    folder, run, out = model_dir(shape), tmp_path / "base", tmp_path / "out"
    import_model(folder, run)
    model, config, _, step = load_model(run)
    assert step == 0
    length = config.model.max_position_embeddings
    assert length == (32 if shape == "mistral-window" else 64)
    ids = torch.randint(610, (2, length), generator=torch.Generator().manual_seed(2))
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        logits = theirs(ids).logits
        assert (model(ids) - logits).abs().max() < 1e-4 < logits.abs().max()
    result = export(run, out, checked=True)
    assert result["check"] < 1e-4
    assert json.loads((out / "config.json").read_text()) == json.loads(
        (folder / "config.json").read_text()
    )
    before, after = stored(folder), stored(out)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert "imported from | model" in (out / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "shape",
    ["llama-3", *(pytest.param(s, marks=pytest.mark.slow) for s in ("qwen-2.5", "llm-jp-3"))],
)
def test_twenty_steps_are_those_of_a_loop_with_transformers(
    model_dir: Any, corpus: Path, tmp_path: Path, shape: str
) -> None:
    folder, run = model_dir(shape), tmp_path / "base"
    import_model(folder, run)
    prepare(corpus, run / "tokenizer", tmp_path / "tokens", held_out=0.1)
    options = [f"out={tmp_path}/next", f"data.tokens={tmp_path}/tokens", "data.seq_len=48"]
    options += ["train.batch_rows=6", "train.micro_rows=3", "train.lr=1e-3", "log.every=1"]
    options += ["train.steps=20"]
    options += ["train.warmup_steps=4", "eval.every=0", "parallel.threads=1", "log.progress=false"]
    config = load(run, options)
    train(config)
    ours = losses(tmp_path / "next")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    named = dict(model.named_parameters())
    matrices = [p for n, p in named.items() if p.dim() == 2 and (".layers." in n or "head" in n)]
    others = [p for p in named.values() if not any(p is m for m in matrices)]
    groups = [
        {"params": matrices, "weight_decay": config.train.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=config.train.lr, betas=(0.9, 0.95), eps=1e-8)
    loader = Loader(config)
    differences = []
    for step in range(20):
        batch = loader.batch(step)
        logits = model(torch.from_numpy(batch.tokens)).logits
        targets = torch.from_numpy(batch.targets)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        differences.append(abs(float(loss.detach()) - ours[step + 1]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.train.clip)
        for group in adamw.param_groups:
            group["lr"] = config.train.lr * lr_scale(config.train, step, 20)
        adamw.step()
        adamw.zero_grad()
    print(
        f"{shape}: loss {ours[1]:.3f} -> {ours[20]:.3f}, largest difference {max(differences):.1e}"
    )
    assert max(differences) < 1e-4 and ours[20] < ours[1] - 0.1


def test_an_imported_model_is_trained_tuned_evaluated_and_exported_from_the_command_line(
    model_dir: Any,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, base, tuned = model_dir("qwen-2.5"), tmp_path / "base", tmp_path / "tuned"
    assert run_trainer(monkeypatch, "import", folder, "--out", base) == 0
    assert "tokenizer.json (begin 0, end 0, pad 0)" in capsys.readouterr().out
    small = ["--data.seq_len=60", "--train.batch_rows=4", "--parallel.threads=1"]
    small += ["--train.steps=2", "--train.warmup_steps=1", "--eval.every=0"]
    source = [f"--data.corpus={corpus}", f"--data.tokenizer={base}/tokenizer"]
    next_ = ["--config", base, f"--out={tmp_path / 'next'}", *source, *small]
    assert run_trainer(monkeypatch, "train", *next_) == 0
    chats = write_chats(tmp_path / "chats.jsonl", CHATS)
    given = ["--data", chats, "--out", tuned, "--epochs", "1", *small]
    assert run_trainer(monkeypatch, "sft", tmp_path / "next", *given) == 0
    assert "conversations in" in capsys.readouterr().out
    assert run_trainer(monkeypatch, "evaluate", tuned, "--text", corpus, "--limit", 1) == 0
    asked = ["--chat", "--prompt", "花は？", "--max-tokens", 3]
    assert run_trainer(monkeypatch, "generate", tuned, *asked) == 0
    out = tmp_path / "out"
    assert run_trainer(monkeypatch, "export", tuned, "--out", out, "--check") == 0
    assert json.loads((out / "config.json").read_text()) == json.loads(
        (folder / "config.json").read_text()
    )
    assert AutoModelForCausalLM.from_pretrained(out).config.model_type == "qwen2"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"model_type": "gemma3"}, 'model_type = "gemma3" is not supported'),
        ({"hidden_act": "gelu"}, 'hidden_act = "gelu" is not supported: silu'),
        ({"mlp_bias": True}, "mlp_bias = true is not supported"),
        ({"attention_dropout": 0.1}, "attention_dropout = 0.1 is not supported"),
        ({"quantization_config": {"bits": 4}}, "quantization_config = "),
        ({"rope_parameters": {"rope_type": "dynamic"}}, 'rope_parameters.rope_type = "dynamic"'),
        (
            {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
            "rope_parameters.partial_rotary_factor = 0.5",
        ),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8}}, "low_freq_factor is missing"),
        ({"hidden_size": "32"}, "model.hidden_size must be int"),
        ({"num_hidden_layers": 3}, "model.layers.2.input_layernorm.weight is missing"),
        ({"intermediate_size": 40}, "config.json means"),
    ],
    ids=str,
)
def test_what_is_not_supported_is_one_line_with_the_field(
    model_dir: Any, tmp_path: Path, change: dict[str, Any], line: str
) -> None:
    folder = model_dir("llama-2")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        import_model(folder, tmp_path / "run")
    assert line in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_another_shape_than_the_imported_one_is_refused(
    model_dir: Any, tokens: Path, tmp_path: Path
) -> None:
    import_model(model_dir("llama-2"), tmp_path / "base")
    where = [f"out={tmp_path}/next", f"data.tokens={tokens}", "train.steps=1", "data.seq_len=8"]
    with pytest.raises(ConfigError, match=r"vocab_size is 610 but the tokenizer has 1600"):
        train(load(tmp_path / "base", where))
    wide = ["model.vocab_size=1600", "train.batch_rows=1"]
    with pytest.raises(TrainError, match=r"embed_tokens.weight is \[610, 32\] in .* take its run"):
        train(load(tmp_path / "base", [*where, *wide]))


def test_a_text_that_names_a_symbol_stays_text(qwen_tokenizer: Path) -> None:
    tokenizer = Tokenizer.load(qwen_tokenizer)
    text = "終わりは<|endoftext|>です。\n\n\t二  つ"
    ids = tokenizer.encode(text)
    assert tokenizer.eos not in ids and tokenizer.decode(ids) == text
    assert tokenizer.encode_symbols("<|im_end|>\n")[0] == tokenizer.id("<|im_end|>")
