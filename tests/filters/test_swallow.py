"""Swallow v1: the kernels and the profile against a literal re-implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plain_swallow
import pyarrow as pa
import pytest
from filter_texts import documents
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.profile import load
from filters.signals import measure

# Few distinct characters make repeats likely; whole Unicode finds the rest.
DENSE = st.text(alphabet="あア亜。！?・…、\n a\u3000𠮷", max_size=60)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def differences(texts: list[str]) -> list[tuple[int, str, float, float]]:
    measured = measure(pa.array(texts, pa.string())).to_pylist()
    return [
        (i, name, value, measured[i][name])
        for i, text in enumerate(texts)
        for name, value in plain_swallow.signals(text).items()
        if measured[i][name] != np.float32(value)
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(DENSE, ANY), max_size=5))
def test_signals_equal_plain_python_on_any_unicode(texts: list[str]) -> None:
    assert differences(texts) == []


def test_signals_of_empty_and_blank_texts() -> None:
    assert differences(["", "\n", "\n\n\n", " ", "。", "。。\n！", "\u3000\n\u3000", "\x00"]) == []


def test_signals_of_a_megabyte_without_a_line_break() -> None:
    assert differences(["漢字とカナ。" * 60_000 + "終"]) == []


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_signals_and_compat_decisions_equal_the_original_on_real_documents(
    shared_data: Path, step: int
) -> None:
    texts = [text for _, text in documents(shared_data)][::step]
    assert len(texts) > 1500 // step
    expected = [plain_swallow.signals(text) for text in texts]
    quality = measure(pa.array(texts))
    for name in expected[0]:
        values = np.array([row[name] for row in expected])
        assert np.array_equal(quality.field(name), values.astype(np.float32)), name
    keeps = [plain_swallow.keeps(row) for row in expected]
    assert 50 // step < sum(keeps) < len(texts) - 50 // step
    assert load("swallow-v1-compat").decide(quality).keep.tolist() == keeps


def test_blank_lines_are_no_duplicate_paragraphs_in_the_mended_profile() -> None:
    sentences = [
        f"{i}番目の段落では、{chr(0x4E00 + 37 * i)}という字の話を少しだけします。"
        for i in range(40)
    ]
    text = "\n\n\n".join(sentences)
    quality = measure(pa.array([text]))
    compat, mended = load("swallow-v1-compat"), load("swallow-v1")
    rules = [r.name for r in compat.rules]
    assert compat.decide(quality).failures[0, rules.index("repeated_paragraphs")]
    assert not mended.decide(quality).failures[0, rules.index("repeated_paragraphs")]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_sliced_arrays_and_nulls_measure_as_their_plain_texts(kind: pa.DataType) -> None:
    array = pa.array(["捨てる", "一つ目の文。", None, "", "二つ目！？はい。", "捨てる"], kind)
    part = measure(array.slice(1, 4))
    assert (
        part.to_pylist()
        == measure(pa.array(["一つ目の文。", "", "", "二つ目！？はい。"])).to_pylist()
    )
