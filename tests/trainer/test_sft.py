"""Fine-tuning: loss on answers alone, nothing lost in packing, the template of the export."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from trainer.cli import main
from trainer.config import Config, ConfigError
from trainer.data import IGNORE
from trainer.export import export
from trainer.generate import Sampling, reply
from trainer.runs import load_model
from trainer.sft import ChatLoader, encode, pack, read, sft
from trainer.tokenizer import Tokenizer
from trainer.train import train

CHATS = [
    [{"role": "user", "content": f"{i}月の花は？"}, {"role": "assistant", "content": "桜です。"}]
    for i in range(1, 30)
] + [
    [
        {"role": "system", "content": "短く答える。"},
        {"role": "user", "content": "こんにちは"},
        {"role": "assistant", "content": "はい。"},
        {"role": "user", "content": "名前は？"},
        {"role": "assistant", "content": "稲穂です。"},
    ]
]


def write(path: Path, chats: list[list[dict[str, str]]]) -> Path:
    lines = [json.dumps({"messages": c}, ensure_ascii=False) for c in chats]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_only_answers_and_their_end_are_targets(tokenizer_dir: Path) -> None:
    tokenizer = Tokenizer.load(tokenizer_dir)
    ids, learn = encode(CHATS[-1], tokenizer)
    targets = [i for i, t in zip(ids, learn, strict=True) if t]
    end = tokenizer.id("<|end|>")
    expected = [*tokenizer.encode("はい。"), end, *tokenizer.encode("稲穂です。"), end]
    assert targets == expected


def test_packing_keeps_every_conversation_apart_and_counts_what_is_too_long(
    tokenizer_dir: Path, config: Config
) -> None:
    tokenizer = Tokenizer.load(tokenizer_dir)
    long = [[CHATS[0][0], {"role": "assistant", "content": "あ亜" * 200}]]
    packed = pack(CHATS + long, tokenizer, 64)
    assert packed.left_out == 1
    found = []
    for row in range(len(packed.tokens)):
        for number in range(packed.document[row].max() + 1):
            found.append(packed.tokens[row][packed.document[row] == number].tolist())
    assert sorted(found) == sorted(encode(c, tokenizer)[0] for c in CHATS)
    assert len(packed.tokens) < len(CHATS) / 2
    loader = ChatLoader(packed, config, "x")
    batch = loader.batch(0)
    assert (batch.targets != IGNORE).sum() == batch.loss_tokens > 0
    first = loader.batch(0).digest
    assert first == ChatLoader(packed, config, "x").batch(0).digest != loader.batch(1).digest


def test_a_small_model_learns_to_answer(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(replace(config, train=replace(config.train, steps=4)))
    data = write(tmp_path / "chat.jsonl", CHATS)
    overrides = ["--train.lr=1e-2", "--train.steps=60", "--eval.every=0", "--log.every=20"]
    result = sft(config.out, data, tmp_path / "sft", held_out=0.1, overrides=overrides)
    assert result["conversations"] == 30 and result["done"]
    assert result["last"]["loss"] < 0.3 * result["first"]["loss"]
    model, _, tokenizer, _ = load_model(tmp_path / "sft")
    question = [{"role": "user", "content": "7月の花は？"}]
    answer = "".join(reply(model, tokenizer, question, Sampling(20, temperature=0)))
    assert answer == "桜です。"
    command = ["trainer", "generate", str(tmp_path / "sft"), "--chat", "--temperature=0"]
    monkeypatch.setattr(sys, "argv", [*command, "--max-tokens=20", "--system=短く答える。"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("こんにちは\n\n名前は？\n"))
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == "はい。\n稲穂です。\n"
    export(tmp_path / "sft", tmp_path / "hf")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids = theirs.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    assert ids == [*encode(question, tokenizer)[0], tokenizer.id("<|assistant|>")]


@pytest.mark.parametrize("line", ['{"messages": []}', '{"messages": [{"role": "x"}]}', "nonsense"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.jsonl").write_text(line)
    with pytest.raises(ConfigError, match=r"bad\.jsonl"):
        read(tmp_path / "bad.jsonl")
