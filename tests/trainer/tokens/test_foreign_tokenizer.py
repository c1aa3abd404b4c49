"""Tokenizers of others: as they come, or refused; more pieces for them and for ours."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import sentencepiece
import torch
from foreign import bpe, write
from trainer_helpers import TRICKY, run_trainer, texts, write_corpus
from transformers import AutoTokenizer

from trainer.config.settings import ConfigError
from trainer.export import pieces
from trainer.export.vocabulary import rows
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import Tokenizer
from trainer.tokens.tokenizer_hf import fast_tokenizer
from trainer.tokens.tokenizer_train import train
from trainer.tuning.conversations import encode
from trainer.tuning.formats import Conversation


def sentencepiece_model(folder: Path, kind: str = "bpe", **options: object) -> Path:
    """As Llama 2's (byte fallback, a space before every text) unless told otherwise."""
    out = io.BytesIO()
    usual = {"byte_fallback": True, "normalization_rule_name": "identity"}
    usual |= {"remove_extra_whitespaces": False, "allow_whitespace_only_pieces": True}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for t in texts() for line in t.split("\n")),
        model_writer=out,
        model_type=kind,
        vocab_size=1600,
        character_coverage=0.98,
        minloglevel=2,
        **{**usual, **options},
    )
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(out.getvalue())
    return folder


def unigram(folder: Path) -> Path:
    """As llm-jp's: unigram with byte fallback in tokenizer.json, no SentencePiece file."""
    made = fast_tokenizer(train(texts(), 1600).model)
    end = {"__type": "AddedToken", "content": "</s>"}
    return write(made, folder, {"bos_token": "<s>", "eos_token": end, "pad_token": "<pad>"})


MAKERS = {"bpe": bpe, "unigram": unigram, "sentencepiece": sentencepiece_model}


@pytest.fixture(scope="module", params=MAKERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp("foreign") / request.param)  # type: ignore[operator,no-any-return]


def test_another_tokenizer_gives_its_own_ids_and_the_text_back(folder: Path) -> None:
    ours = Tokenizer.load(folder)
    theirs = None if folder.name == "sentencepiece" else AutoTokenizer.from_pretrained(folder)
    sizes = ours.sizes()
    for text in [*TRICKY, *texts()[:20]]:
        if "\u2581" in text:  # which a SentencePiece tokenizer takes for a space
            continue
        ids = ours.encode(text)
        extra = " " if folder.name == "sentencepiece" and text else ""
        if folder.name != "bpe" or text.isascii():  # Qwen's composes characters (NFC)
            assert ours.decode(ids) == extra + text
            assert sizes.bytes[ids].sum() - sizes.extra * bool(text) == len(text.encode())
            assert sizes.chars[ids].sum() - sizes.extra * bool(text) == len(text)
        if theirs is not None:
            assert ids == theirs(text, add_special_tokens=False).input_ids
    assert ours.bos == (0 if folder.name == "bpe" else 1)


def test_shards_of_another_tokenizer_count_the_bytes_of_their_text(
    folder: Path, corpus: Path, tmp_path: Path
) -> None:
    manifest = prepare(corpus, folder, tmp_path / "tokens", held_out=0.2)
    ours = Tokenizer.load(tmp_path / "tokens" / "tokenizer")
    assert manifest["tokenizer"] == ours.hash and manifest["train"]["tokens"] > 1000


def test_a_conversation_under_a_template_is_as_transformers_writes_it(tmp_path: Path) -> None:
    folder = bpe(tmp_path)
    ours, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    chat = [
        {"role": "user", "content": "花は？"},
        {"role": "assistant", "content": "桜です。"},
        {"role": "user", "content": "月は？"},
        {"role": "assistant", "content": "満月です。"},
    ]
    ids, learn = encode(Conversation(chat), ours)
    assert ids == theirs.apply_chat_template(chat, return_dict=False)
    targets = ours.decode([i for i, t in zip(ids, learn, strict=True) if t])
    assert targets == "桜です。\n満月です。\n"
    assert sum(i == ours.id("<|im_end|>") for i, t in zip(ids, learn, strict=True) if t) == 2


def test_a_template_that_rewrites_earlier_turns_is_refused(tmp_path: Path) -> None:
    folder = bpe(tmp_path, template="{{ messages | length }}{{ messages[-1]['content'] }}")
    chat = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    with pytest.raises(ConfigError, match="writes a turn otherwise"):
        encode(Conversation(chat), Tokenizer.load(folder))


def test_a_tokenizer_that_loses_text_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    """SentencePiece's own defaults make one blank of newline, tab and several blanks."""
    usual = sentencepiece_model(
        tmp_path / "nfkc",
        byte_fallback=False,
        normalization_rule_name="nmt_nfkc",
        remove_extra_whitespaces=True,
        allow_whitespace_only_pieces=False,
    )
    with pytest.raises(ConfigError, match=r"cannot write newlines, tabs, double spaces: text is"):
        Tokenizer.load(usual)
    lost = sentencepiece_model(tmp_path / "unk", byte_fallback=False)
    with pytest.raises(ConfigError, match=r"tokenizer.model cannot write newlines.*: text is"):
        Tokenizer.load(lost)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('{"model": {"type": "WordPiece", "vocab": {}}}', "tokenizer.json: "),
        ("{", "tokenizer.json: "),
        ("\0", "tokenizer.json: "),
    ],
)
def test_a_file_that_is_no_tokenizer_is_one_line(tmp_path: Path, content: str, line: str) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ConfigError, match=line) as caught:
        Tokenizer.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*MAKERS, "ours"])
def test_more_pieces_make_fewer_tokens_and_leave_the_old_ids(
    name: str, tokenizer_dir: Path, tmp_path: Path
) -> None:
    folder = tokenizer_dir if name == "ours" else MAKERS[name](tmp_path / name)  # type: ignore[operator]
    before = Tokenizer.load(folder)
    learnt = pieces.learn(before, texts(), 200)
    after = pieces.write(before, folder, tmp_path / "out", learnt)
    assert after.ours == before.ours and len(learnt) == 200
    assert after.vocab_size == before.vocab_size + 200
    assert [after.piece(i) for i in range(before.vocab_size)] == [
        before.piece(i) for i in range(before.vocab_size)
    ]
    assert (after.bos, after.eos, after.pad) == (before.bos, before.eos, before.pad)
    assert after.piece_bytes[before.vocab_size :] == [p.content for p in learnt]
    tokens = [sum(map(len, t.encode_batch(texts()))) for t in (before, after)]
    assert tokens[1] < 0.96 * tokens[0]
    used = {i for ids in after.encode_batch(texts()) for i in ids if i >= before.vocab_size}
    assert len(used) > 150
    for text in texts()[:5]:
        assert after.decode(after.encode(text)) == before.decode(before.encode(text))
    made_of = pieces.made_of(learnt, before.vocab_size)
    for piece, parts in zip(learnt, made_of, strict=True):
        assert max(parts) < before.vocab_size
        assert b"".join(before.piece_bytes[i] for i in parts) == piece.content


def test_new_rows_come_from_the_old_ones() -> None:
    table = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    made_of = [[3, 5], [3, 5, 7]]
    mean = rows(table, 40, made_of, 64, "mean", True, 1)
    assert mean.shape == (64, 6) and torch.equal(mean[:40], table)
    assert torch.allclose(mean[40], (table[3] + table[5]) / 2)
    assert torch.allclose(mean[41], table[[3, 5, 7]].mean(0)) and not mean[42:].any()
    last, first = (rows(table, 40, made_of, 64, "weighted", x, 1)[40] for x in (True, False))
    assert torch.allclose(last, torch.sigmoid(torch.tensor(2.0)) * (table[5] - table[3]) + table[3])
    assert torch.allclose(last + first, table[3] + table[5])
    many = rows(table, 40, [[0]] * 4000, 4040, "normal", True, 1)[40:]
    assert torch.allclose(many.mean(0), table.mean(0), atol=0.06)
    assert torch.allclose(torch.cov(many.T), torch.cov(table.T), atol=0.15)


def test_an_extended_model_goes_on_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from foreign import weights
    from safetensors.torch import load_file

    corpus = write_corpus(tmp_path / "corpus")
    model, base, wide = bpe(tmp_path / "model"), tmp_path / "base", tmp_path / "wide"
    weights(model, "qwen-3", 640)
    assert run_trainer(monkeypatch, "import", model, "--out", base) == 0
    capsys.readouterr()
    asked = ["--pieces", 100, "--init", "weighted", "--json"]
    assert run_trainer(monkeypatch, "extend", base, corpus, "--out", wide, *asked) == 0
    report = json.loads(capsys.readouterr().out)
    rates = {(r["tokenizer"], r["source"]): r["characters/token"] for r in report}
    for source in ("even", "odd", "all"):
        before, after = (rates[str(f / "tokenizer"), source] for f in (base, wide))
        assert after > 1.03 * before
    small = ["--data.seq_len=32", "--train.steps=2", "--train.batch_rows=2", "--eval.every=0"]
    small += [f"--data.corpus={corpus}", f"--data.tokenizer={wide}/tokenizer"]
    out = tmp_path / "out"
    assert run_trainer(monkeypatch, "train", "--config", wide, f"--out={tmp_path / 'next'}", *small) == 0  # fmt: skip  # noqa: E501
    assert run_trainer(monkeypatch, "export", tmp_path / "next", "--out", out, "--check") == 0
    came, went = (json.loads((f / "config.json").read_text()) for f in (model, out))
    assert went == {**came, "vocab_size": 704}
    tables = load_file(out / "model.safetensors")
    assert tables["model.embed_tokens.weight"].shape == tables["lm_head.weight"].shape == (704, 32)
