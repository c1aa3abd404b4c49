"""Masks: what of dates, prices and numbers counts in comparison."""

from __future__ import annotations

import dedup_reference as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.signatures.masks import DATES, DIGITS, PRICES, mask
from corpus.settings import DedupSettings


def masked(text: str, flags: int) -> str:
    points = np.array([ord(c) for c in reference.normalise(text)], np.uint32)
    return "".join(map(chr, points[: mask(points, len(points), flags)].tolist()))


@pytest.mark.parametrize(
    ("text", "flags", "expected"),
    [
        ("令和６年１２月３日（火曜日）", DATES, "0年0月0日曜日"),
        ("2024年12月3日火曜日", DATES, "0年0月0日曜日"),
        ("平成三十年五月一日", DATES, "0年0月0日"),
        ("令和元年、明治維新、元気", DATES, "0年明治維新元気"),
        ("十二時三十分に2024/1/5号", DATES, "0時0分に202415号"),
        ("1,980円と¥1,980と三千円", PRICES, "0円と1980と0円"),
        ("100ドル、5ユーロ、8元、一番", PRICES, "0ドル0ユーロ0元一番"),
        ("第3回 2024/1/5 1,980円 一番", DIGITS, "第0回00円一番".replace("00円", "0円")),
        ("5月3日 1,980円 第7回", DATES | PRICES | DIGITS, "0月0日0円第0回"),
        ("", DIGITS | DATES | PRICES, ""),
    ],
)
def test_examples(text: str, flags: int, expected: str) -> None:
    assert masked(text, flags) == expected


ALPHABET = "0１2三十万元年月日時曜令和平成火円ドルウォユー一番a 、"


@settings(max_examples=300)
@given(st.one_of(st.text(st.sampled_from(ALPHABET), max_size=40), st.text(max_size=20)),
       st.integers(0, 7))  # fmt: skip
def test_kernel_equals_reference(text: str, flags: int) -> None:
    folded = reference.normalise(text)
    wanted = reference.mask_numbers(folded, *(bool(flags & f) for f in (DIGITS, DATES, PRICES)))
    assert masked(text, flags) == wanted


def test_masks_of_words_are_refused() -> None:
    with pytest.raises(ValueError, match="mask_dates"):
        DedupSettings(shingle="word", mask_dates=True)
