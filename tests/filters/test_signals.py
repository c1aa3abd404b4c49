"""Every kernel against its plain-Python reference: any Unicode, hostile shapes, real documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plain_signals
import pyarrow as pa
import pytest
from filter_texts import documents
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.compression import LZ4_INPUT, measure_lz4
from filters.signals import (
    DISTORTED,
    GROUP_OF,
    GROUPS,
    PROSE,
    QUALITY_TYPE,
    SLICE_BYTES,
    STORED_TYPE,
    measure,
)

# Few characters that the kernels treat apart make every branch likely.
TRICKY = st.text(
    alphabet="あア亜𠮷。、!?…・\n \u3000-./(月)話0１9年日{}「」『』&amp;<なりです。ます國们投稿コメントhttp://w.",
    max_size=80,
)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PIECE = (
    *("2024年1月2日", "2020-1--2", "12345-1-1", "(日)", "SOLD OUT", "楽天市場", "第12話"),
    *("...\n", "…\n", "です。\n", "\n\n", "いふ", "あなたの", "「", "」", "https://www."),
    *("プライバシーポリシー", "同じ行\n", "\u3000"),
)
PIECES = st.lists(st.sampled_from(PIECE), max_size=30).map("".join)


def differences(texts: list[str]) -> list[tuple[int, str, float, float]]:
    groups = frozenset(GROUPS) - {"words"}
    measured = measure(pa.array(texts, pa.string()), groups).to_pylist()
    return [
        (i, name, value, measured[i][name])
        for i, text in enumerate(texts)
        for name, value in plain_signals.signals(text).items()
        if not np.isclose(measured[i][name], value, rtol=3e-7, atol=1e-7)
    ]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(TRICKY, ANY, PIECES), max_size=4))
def test_signals_equal_plain_python_on_any_unicode(texts: list[str]) -> None:
    assert differences(texts) == []


def test_signals_equal_plain_python_on_hostile_texts() -> None:
    megabyte = ["「" * 350_000, "\n" * 1_000_000, "あ\n" * 260_000, "-1/" * 300_000]
    assert differences(["", "\n", "\x00" * 50, "\ufffd" * 9, "0" * 5_000, *megabyte]) == []


def test_a_megabyte_of_digits_is_walked_once() -> None:
    # HojiChar's own pattern needs hours for this text: \d+話 begins anew at every digit.
    row = measure(pa.array(["0" * 1_000_000 + "話"])).to_pylist()[0]
    assert row["bbs_signs"] == 1


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_signals_equal_plain_python_on_real_documents(shared_data: Path, step: int) -> None:
    assert differences([text for _, text in documents(shared_data)][::step]) == []


@pytest.mark.parametrize(
    ("text", "signal", "expected"),
    [
        ("雨です。晴れました。行くだろうか。体言止め。", "polite_share", 0.5),
        ("雨だ。行った。静かである。晴れです。", "plain_share", 0.75),
        ("「はい」\n太郎：いいえ\n普通の文がここにあります。", "dialogue_density", 2 * 1000 / 25),
        ("彼は「やあ」と言った", "quoted_share", 0.4),
        ("この 文は 空白 が多い", "spaced_japanese_share", 1.0),
        ("価格は1,980円、￥500、3万円です", "price_density", 3 * 1000 / 20),
        ("2024年4月1日と四月一日と2024/4/1", "date_density", 3 * 1000 / 23),
    ],
)
def test_signals_on_texts_with_a_known_answer(text: str, signal: str, expected: float) -> None:
    assert measure(pa.array([text])).field(signal)[0].as_py() == pytest.approx(expected, rel=1e-5)


def test_a_document_measures_the_same_alone_and_among_others() -> None:
    texts = ["短い。", "長い文。" * (SLICE_BYTES // 8), "", "もう一つ。\n" * 1000, "終わり"]
    together = measure(pa.array(texts)).to_pylist()
    alone = [measure(pa.array([t])).to_pylist()[0] for t in texts]
    assert together == alone


def test_bytes_that_are_no_utf8_measure_as_replacement_characters() -> None:
    data = b"\xe3\x81\x82\xff\xe3\x81\xed\xa0\x80\xf0\x9f\x98\xe3"
    offsets = pa.py_buffer(np.array([0, len(data)], np.int32).tobytes())
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)])
    plain = "あ" + "\ufffd" * (len(data) - 3)
    expected = measure(
        pa.array([plain]), frozenset(GROUPS) - {"lz4", "zlib", "words", "harm"}
    ).to_pylist()
    assert (
        measure(broken, frozenset(GROUPS) - {"lz4", "zlib", "words", "harm"}).to_pylist()
        == expected
    )


def test_groups_that_are_not_asked_for_are_left_out() -> None:
    row = measure(pa.array(["あ"]), frozenset({"scripts"})).to_pylist()[0]
    names = {name for name, group in GROUP_OF.items() if group == "scripts"}
    assert row.keys() == names and None not in row.values()
    assert measure(pa.array(["あ"])).null_count == 0
    assert not any(GROUPS[GROUP_OF[field.name]].lazy for field in STORED_TYPE)
    with pytest.raises(ValueError, match="unknown signal group 'script'"):
        measure(pa.array(["あ"]), frozenset({"script"}))


def test_signals_of_prose_see_no_structure_and_are_those_of_the_text_where_all_is_prose() -> None:
    """Closing braces are no repeated paragraphs of the prose around them."""
    words = "この関数は二つの値を比べます。\n大きい方を返します。"
    text = f"{words}\n" + "    }\n" * 20 + "  return 1;"
    texts = pa.array([text, words, "}\n}", words])
    prose = pa.array([words, words, "", words])
    rows = measure(texts, prose=prose).to_pylist()
    alone = measure(prose).to_pylist()
    assert rows[0]["dup_paragraph_share"] > 0.8 and rows[0]["prose_dup_paragraph_share"] == 0
    for row, own in zip(rows, alone, strict=True):
        for name in DISTORTED:
            assert row[PROSE + name] == own[name] == own[PROSE + name], name
    assert {name: rows[1][name] for name in DISTORTED} == {
        name: rows[1][PROSE + name] for name in DISTORTED
    }


def test_the_signals_of_prose_are_of_the_four_groups_that_structure_distorts() -> None:
    assert {GROUP_OF[name] for name in DISTORTED} == {"scripts", "sentences", "lines", "ngrams"}
    assert len(set(DISTORTED)) == len(DISTORTED)
    for name in DISTORTED:
        field, plain = QUALITY_TYPE.field(PROSE + name), QUALITY_TYPE.field(name)
        assert field.type == plain.type and b"prose alone" in field.metadata[b"description"]


def test_no_documents_give_an_empty_struct_of_the_schema() -> None:
    assert measure(pa.array([], pa.string())).type == STORED_TYPE
    assert len(measure(pa.array([], pa.large_string()))) == 0


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(alphabet="あいう", max_size=200).map(str.encode)))
def test_lz4_size_is_the_size_the_reference_library_makes(data: bytes) -> None:
    check_lz4(data)


def test_lz4_size_around_the_limit_of_the_small_hash_table(shared_data: Path) -> None:
    text = "".join(text for _, text in documents(shared_data))[: LZ4_INPUT // 2].encode()
    for size in (65_535, 65_546, 65_547, 65_548, LZ4_INPUT):
        check_lz4(text[:size])


def check_lz4(data: bytes) -> None:
    cramjam = pytest.importorskip("cramjam", reason="cramjam holds the reference LZ4")
    ratio = np.empty((1, 1))
    measure_lz4(np.frombuffer(data, np.uint8), np.array([0, len(data)]), ratio)
    kept = data.replace(b"\n", b"")[:LZ4_INPUT]
    size = len(cramjam.lz4.compress_block(kept, store_size=False)) if kept else 0
    assert ratio[0, 0] * max(len(kept), 1) == pytest.approx(size, abs=1e-6)
