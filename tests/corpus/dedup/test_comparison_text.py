"""What counts as the same text."""

from __future__ import annotations

import unicodedata

import dedup_reference as reference
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.dedup.signatures.normal import normalise

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
JAPANESE = st.text(
    st.one_of(
        st.characters(min_codepoint=0x3040, max_codepoint=0x30FF),
        st.characters(min_codepoint=0xFF00, max_codepoint=0xFFEF),
        st.sampled_from("\u3099\u309a\u0301\u0302日本語12３４年月,.、。 \u3000㍻㈱①ﷺİßéẬ"),
    ),
    max_size=60,
)


def one(text: str, mask: bool = False) -> str:
    return normalise(pa.array([text]), mask)[0].as_py()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ＡＢＣ１２３", "abc123"),
        ("ｶﾞｷﾞｸﾞ", "ガギグ"),
        ("か\u3099", "が"),
        ("は\u309a", "ぱ"),
        ("東京、大阪。", "東京 大阪"),
        ("東京\u3000大阪\n", "東京大阪"),
        ("㈱日本", "株日本"),
        ("㍻元年", "平成元年"),
        ("Straße", "STRASSE"),
        ("Cafe\u0301", "CAFÉ"),
        ("辻\U000e0100", "辻"),
        ("「引用」", "引用"),
    ],
)
def test_width_case_punctuation_and_composition_do_not_matter(left: str, right: str) -> None:
    assert one(left) == one(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("が", "か"), ("ば", "ぱ"), ("は", "ば"), ("ヴ", "ウ"), ("ｶﾞ", "ｶ"), ("あ", "ア"), ("ー", "")],
)
def test_dakuten_and_scripts_do_matter(left: str, right: str) -> None:
    assert one(left) != one(right)


def test_masked_digit_runs_are_one_zero() -> None:
    assert one("令和６年１２月３日、1,234,567円", mask=True) == "令和0年0月0日0円"


def test_gaiji_and_unassigned_code_points_stay() -> None:
    assert one("\ue000\U000323b0") == "\ue000\U000323b0"


@given(st.lists(st.one_of(ANY_TEXT, JAPANESE), max_size=8), st.booleans())
@example(["\ufdfa" * 40, "", "か\u3099゛"], False)
def test_kernel_equals_reference(texts: list[str], mask: bool) -> None:
    got = normalise(pa.array(texts, pa.string()), mask).to_pylist()
    assert got == [reference.normalise(text, mask) for text in texts]


@given(JAPANESE)
def test_decomposed_kana_is_the_same_text(text: str) -> None:
    kana = "".join(c for c in text if "\u3040" <= c <= "\u30ff" and c not in "\u3099\u309a")
    kana = "".join(c for c in kana if unicodedata.normalize("NFKC", c) == c)
    assert one(unicodedata.normalize("NFD", kana)) == one(kana)


@given(ANY_TEXT)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = one(text)
    assert one(once) == once


def test_slices_nulls_and_both_string_types() -> None:
    texts = ["ＡＡ", None, "", "か\u3099", "x" * 5000]
    for kind in (pa.string(), pa.large_string()):
        array = pa.array(texts, kind)
        expected = ["aa", "", "", "が", "x" * 5000]
        assert normalise(array).to_pylist() == expected
        assert normalise(array.slice(2)).to_pylist() == expected[2:]
        assert normalise(pa.chunked_array([array, array.slice(3, 1)])).to_pylist() == [
            *expected,
            "が",
        ]
    assert normalise(pa.chunked_array([], pa.string())).to_pylist() == []


def test_bytes_that_are_no_utf8_are_dropped_and_nothing_outside_is_read() -> None:
    raw = b"ab\xe3\x81" + "か".encode() + b"\xff\xf0\x9f"
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 4, len(raw))))
    array = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(raw))
    assert normalise(array).to_pylist() == ["ab", "か"]
