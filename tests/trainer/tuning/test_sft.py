"""Fine-tuning: loss on answers alone, nothing lost in packing, the template of the export."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer_helpers import CHATS, run_trainer, with_, write_chats
from transformers import AutoTokenizer

from trainer.analysis import trace
from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE
from trainer.export.generate import Sampling, reply
from trainer.export.huggingface import export
from trainer.folder.load import load_model
from trainer.folder.run import load_run
from trainer.run.train import train
from trainer.tokens.tokenizer import Tokenizer
from trainer.tuning.conversations import ChatLoader, encode, pack, prompt
from trainer.tuning.formats import Conversation
from trainer.tuning.formats import conversations as read
from trainer.tuning.sft import sft


def test_only_answers_and_their_end_are_targets(tokenizer_dir: Path) -> None:
    tokenizer = Tokenizer.load(tokenizer_dir)
    ids, learn = encode(Conversation(CHATS[-1]), tokenizer)
    targets = [i for i, t in zip(ids, learn, strict=True) if t]
    end = tokenizer.id("<|end|>")
    expected = [*tokenizer.encode("はい。"), end, *tokenizer.encode("稲穂です。"), end]
    assert targets == expected


def test_packing_keeps_every_conversation_apart_and_counts_what_is_too_long(
    tokenizer_dir: Path, config: Config
) -> None:
    tokenizer = Tokenizer.load(tokenizer_dir)
    long = [[CHATS[0][0], {"role": "assistant", "content": "あ亜" * 200}]]
    packed = pack([Conversation(c) for c in CHATS + long], tokenizer, 64)
    assert packed.left_out == 1
    found = []
    for row in range(len(packed.tokens)):
        for number in range(packed.document[row].max() + 1):
            found.append(packed.tokens[row][packed.document[row] == number].tolist())
    assert sorted(found) == sorted(encode(Conversation(c), tokenizer)[0] for c in CHATS)
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
    data = write_chats(tmp_path / "chat.jsonl", CHATS)
    overrides = ["--train.lr=1e-2", "--train.steps=60", "--eval.every=0", "--log.every=20"]
    result = sft(config.out, data, tmp_path / "sft", held_out=0.1, overrides=overrides)
    assert result["conversations"] == 30 and result["done"]
    assert result["last"]["loss"] < 0.3 * result["first"]["loss"]
    model, _, tokenizer, _ = load_model(tmp_path / "sft")
    question = [{"role": "user", "content": "7月の花は？"}]
    answer = "".join(reply(model, tokenizer, question, Sampling(20, temperature=0)))
    assert answer == "桜です。"
    command = ["generate", tmp_path / "sft", "--chat", "--temperature=0", "--max-tokens=20"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("こんにちは\n\n名前は？\n"))
    capsys.readouterr()
    assert run_trainer(monkeypatch, *command, "--system=短く答える。") == 0
    assert capsys.readouterr().out == "はい。\n稲穂です。\n"
    export(tmp_path / "sft", tmp_path / "hf")
    theirs = AutoTokenizer.from_pretrained(tmp_path / "hf")
    ids = theirs.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    assert ids == prompt(question, tokenizer)


@pytest.mark.parametrize(
    "line",
    [
        '{"messages": []}',
        '{"messages": [{"role": "x"}]}',
        '{"messages": [{"role": "user", "content": 3}]}',
        '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", '
        '"content": "\\ud800"}]}',
        "[1]",
        "nonsense",
        "[" * 100_000,
    ],
    ids=str.__len__,
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    good = json.dumps({"messages": CHATS[0]})
    (tmp_path / "bad.jsonl").write_text(f"{good}\n\n{line}\n")
    with pytest.raises(ConfigError, match=r"bad\.jsonl: line 3: ") as caught:
        read(tmp_path / "bad.jsonl")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_file_that_is_no_conversations_is_named(tmp_path: Path) -> None:
    (tmp_path / "sjis.jsonl").write_bytes('{"messages": "花"}'.encode("cp932"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "text.parquet")
    for name in ("sjis.jsonl", "broken.parquet", "text.parquet", "gone.jsonl"):
        with pytest.raises(ConfigError, match=name) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_a_line_separator_in_a_message_is_text(tmp_path: Path) -> None:
    odd = [CHATS[0][0], {"role": "assistant", "content": "一\u2028二\u0085三\x0c四\r五"}]
    assert read(write_chats(tmp_path / "chat.jsonl", [odd, CHATS[1]])) == [
        Conversation(odd),
        Conversation(CHATS[1]),
    ]
    table = pa.table({"messages": [odd, CHATS[1]]})
    pq.write_table(table, tmp_path / "chat.parquet")
    assert read(tmp_path / "chat.parquet") == [Conversation(odd), Conversation(CHATS[1])]


@pytest.fixture
def base(config: Config) -> Config:
    train(with_(config, train={"steps": 2}, eval={"every": 0, "rows": 2}))
    return config


def test_asked_for_settings_are_obeyed_also_when_they_are_zero(
    base: Config, tmp_path: Path
) -> None:
    data = write_chats(tmp_path / "chat.jsonl", CHATS)
    common = ["--train.steps=40", "--train.batch_rows=1", "--eval.every=0", "--log.every=1"]
    for name, asked, warmup in (("a", ["--train.warmup_steps=0"], 0), ("b", [], 2)):
        out = tmp_path / name
        assert sft(base.out, data, out, 1.0, 0.0, [*common, *asked])["done"]
        assert load_run(out)[0].train.warmup_steps == warmup
        first = json.loads((out / "metrics.jsonl").open().readline())
        peak = load_run(out)[0].train.lr
        assert (first["lr"] == pytest.approx(peak, rel=0.01)) == (warmup == 0)


def test_a_run_on_conversations_has_no_documents_to_trace_and_says_so(
    base: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_chats(tmp_path / "chat.jsonl", CHATS)
    sft(base.out, data, tmp_path / "sft", 1.0, 0.0, ["--train.steps=2", "--eval.every=0"])
    for call in (
        lambda: trace.of_step(tmp_path / "sft", 1),
        lambda: trace.of_document(tmp_path / "sft", "x"),
        lambda: list(trace.replay(tmp_path / "sft", 1, 2)),
    ):
        with pytest.raises(ConfigError, match="was tuned on conversations") as caught:
            call()
        assert "\n" not in str(caught.value)
    capsys.readouterr()
    assert run_trainer(monkeypatch, "trace", tmp_path / "sft", "--step=1") == 2
    assert capsys.readouterr().err.count("\n") == 1


class Letters:
    """A tokenizer of single characters: lengths can be chosen."""

    template = ""

    bos, pad = 1, 0

    def encode(self, text: str) -> list[int]:
        return [ord(c) for c in text]

    def id(self, piece: str) -> int:
        return {"<|end|>": 2, "<|user|>": 3, "<|assistant|>": 4, "<|system|>": 5}[piece]


def lengths_of(sizes: list[int]) -> list[Conversation]:
    """Conversations of so many tokens (at least 6), each with a text of its own."""
    return [
        Conversation(
            [
                {"role": "user", "content": chr(1000 + i)},
                {"role": "assistant", "content": chr(1000 + i) * max(1, n - 6)},
            ]
        )
        for i, n in enumerate(sizes)
    ]


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(7, 160), max_size=120),
    length=st.sampled_from([30, 64, 127]),
)
def test_packing_loses_splits_and_overfills_nothing_and_is_as_good_as_first_fit(
    sizes: list[int], length: int
) -> None:
    letters: Any = Letters()
    chats = lengths_of(sizes)
    packed = pack(chats, letters, length)
    expected = [encode(c, letters) for c in chats]
    fitting = [e for e in expected if len(e[0]) <= length + 1]
    assert packed.left_out == len(expected) - len(fitting)
    found = []
    for tokens, learn, document in zip(packed.tokens, packed.learn, packed.document, strict=True):
        used = int((document >= 0).sum())
        assert (
            (document[:used] >= 0).all() and (tokens[used:] == 0).all() and not learn[used:].any()
        )
        assert (np.diff(document[:used]) >= 0).all() and used <= length + 1
        for number in range(document.max() + 1):
            mine = document == number
            found.append((tokens[mine].tolist(), learn[mine].tolist()))
    assert sorted(found) == sorted(fitting)
    plain = first_fit([len(ids) for ids, _ in fitting], length + 1)
    assert len(packed.tokens) <= max(plain * 1.05, plain + 1)


def first_fit(sizes: list[int], room: int) -> int:
    """How many rows first fit, longest first, needs."""
    free: list[int] = []
    for n in sorted(sizes, reverse=True):
        place = next((i for i, left in enumerate(free) if left >= n), None)
        if place is None:
            free.append(room - n)
        else:
            free[place] -= n
    return len(free)


@pytest.mark.parametrize("seed", range(4))
def test_many_conversations_fill_rows_as_well_as_first_fit_does(seed: int) -> None:
    drawn = np.random.default_rng(seed).lognormal(3.3, 0.7, 800).astype(int)
    sizes = np.clip(drawn, 7, 128).tolist()
    letters: Any = Letters()
    packed = pack(lengths_of(sizes), letters, 127)
    assert packed.left_out == 0
    assert sum(sizes) / 128 <= len(packed.tokens) <= first_fit(sizes, 128) * 1.05
