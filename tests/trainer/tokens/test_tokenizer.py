"""The tokenizer gives every string back, repeats itself, and is the same in Hugging Face."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer_helpers import TRICKY, texts
from transformers import AutoTokenizer

from trainer.config.settings import ConfigError
from trainer.tokens.tokenizer import CHAT, SPECIALS, Tokenizer
from trainer.tokens.tokenizer_hf import fast_tokenizer
from trainer.tokens.tokenizer_train import save, train

STRINGS = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from(list("\u2581 \n<0x4>"))
)


@pytest.mark.parametrize("text", TRICKY)
def test_tricky_strings_come_back(any_tokenizer: Tokenizer, text: str) -> None:
    assert any_tokenizer.decode(any_tokenizer.encode(text)) == text


@settings(max_examples=150, deadline=None)
@given(text=STRINGS)
def test_every_string_comes_back_and_hugging_face_agrees(
    any_tokenizer: Tokenizer, text: str
) -> None:
    ids = any_tokenizer.encode(text)
    assert any_tokenizer.decode(ids) == text
    if not hasattr(any_tokenizer, "fast"):
        any_tokenizer.fast = fast_tokenizer(any_tokenizer.model)  # type: ignore[attr-defined]
    fast = any_tokenizer.fast  # type: ignore[attr-defined]
    again = fast.encode(text, add_special_tokens=False).ids
    assert fast.decode(again, skip_special_tokens=False) == text
    if not any(symbol in text for symbol in (*SPECIALS, *CHAT)):  # there those are symbols
        assert again == ids


def test_real_pages_get_the_same_ids_in_hugging_face(any_tokenizer: Tokenizer) -> None:
    fast = fast_tokenizer(any_tokenizer.model)
    for text in texts():
        assert fast.encode(text, add_special_tokens=False).ids == any_tokenizer.encode(text)


def test_aozora_works_come_back(any_tokenizer: Tokenizer, shared_data: Path) -> None:
    files = sorted((shared_data / "text" / "aozora-sjis").glob("*.txt"))[:20]
    for file in files:
        text = file.read_bytes().decode("cp932", "replace")
        assert any_tokenizer.decode(any_tokenizer.encode(text)) == text


def test_sizes_add_up_to_the_bytes_and_characters_of_the_text(any_tokenizer: Tokenizer) -> None:
    sizes = any_tokenizer.sizes()
    for text in [*TRICKY, *texts()]:
        ids = any_tokenizer.encode(text)
        assert sizes.bytes[ids].sum() == len(text.encode())
        assert sizes.chars[ids].sum() == len(text)


def test_the_same_text_gives_the_same_bytes() -> None:
    assert train(texts(), 1500).model == train(texts(), 1500).model


def test_digits_are_single_and_control_symbols_never_come_from_text(
    any_tokenizer: Tokenizer,
) -> None:
    ids = any_tokenizer.encode("2026年 <s><|user|>")
    assert [any_tokenizer.piece(i) for i in ids[:4]] == list("2026")
    assert not {any_tokenizer.id(c) for c in (*CHAT, "<s>")} & set(ids)


def test_no_piece_is_longer_than_its_script_allows() -> None:
    made = train(texts(), 1600, max_chars=(3, 6))
    pieces = [made.piece(i) for i in range(made.vocab_size)]
    normal = [p for p in pieces if not p.startswith(("<", "\u2581\u2581"))]
    assert made.vocab_size == 1600
    assert max(len(p) for p in normal if any("\u3040" <= c <= "\u9fff" for c in p)) <= 3
    assert max(len(p) for p in normal) <= 6
    assert made.decode(made.encode(texts()[0])) == texts()[0]


def test_presegmented_pieces_stay_inside_words() -> None:
    fugashi = pytest.importorskip("fugashi")
    made = train(texts(), 1600, presegment=True)
    text = texts()[0]
    assert made.decode(made.encode(text)) == text
    words = {w.surface for t in texts() for w in fugashi.Tagger("-O wakati")(t)}
    pieces = [made.piece(i).strip("\u2581") for i in range(made.vocab_size)]
    japanese = [p for p in pieces if len(p) > 1 and all("\u3041" <= c <= "\u9fff" for c in p)]
    assert japanese
    assert all(any(p in w for w in words) for p in japanese)


def test_too_large_a_vocabulary_is_one_line_that_names_the_limit() -> None:
    with pytest.raises(ConfigError, match=r"at most \d+ pieces: lower --vocab-size"):
        train(["短い文。"], 9000)


def test_autotokenizer_opens_the_folder(tmp_path: Path) -> None:
    made = train(texts(), 1600)
    save(made, tmp_path, {})
    opened = AutoTokenizer.from_pretrained(tmp_path)
    text = texts()[1]
    assert opened(text).input_ids == [made.bos, *made.encode(text)]
    assert opened.decode(opened(text).input_ids, skip_special_tokens=True) == text
    chat = [{"role": "user", "content": "稲穂とは"}]
    ids = opened.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    expected = [made.bos, made.id("<|user|>"), *made.encode("稲穂とは")]
    assert ids == [*expected, made.id("<|end|>"), made.id("<|assistant|>")]
