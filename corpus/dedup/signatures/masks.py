"""Masks: numbers that make two copies of a page differ count as one 0 (for comparison only).

Works on folded code points (corpus.dedup.signatures.normal), where digits are ASCII and separators,
brackets and currency signs are gone: 1,234 is one run, and so is 2024/1/5, which DIGITS masks and
DATES, needing a unit, does not.

DIGITS   every run of digits
DATES    a number before 年月日時分秒, in digits or 漢数字, 元年 too; an era name before it and the
         weekday before 曜 go
PRICES   a number before 円, ドル, ユーロ, 元 or ウォン
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.characters import NINE, WIDE_SPACE, ZERO
from filters.kernels.kernel import kernel

DIGITS, DATES, PRICES = 1, 2, 4
KANJI = np.array(sorted(map(ord, "〇一二三四五六七八九十百千万億兆")), np.uint32)
TIMES = np.array(sorted(map(ord, "年月日時分秒")), np.uint32)
WEEKDAYS = np.array(sorted(map(ord, "月火水木金土日")), np.uint32)
ERAS = np.array(
    [[ord(c) for c in era] for era in ("令和", "平成", "昭和", "大正", "明治")], np.uint32
)
PRICE_WORDS = ("円", "ドル", "ユーロ", "元", "ウォン")
CURRENCIES = np.array([[ord(c) for c in w.ljust(3, "\0")] for w in PRICE_WORDS], np.uint32)
FIRST_YEAR, YEAR, WEEK = ord("元"), ord("年"), ord("曜")


@kernel
def _in(point: Any, points: np.ndarray) -> Any:
    for other in points:  # noqa: SIM110 (numba)
        if point == other:
            return True
    return False


@kernel
def _digit(point: Any) -> Any:
    return ZERO <= point <= NINE


@kernel
def _number_end(points: np.ndarray, i: Any, n: Any) -> Any:
    """End of the number at i (digits and 漢数字, or 元 before 年); i when there is none."""
    if i + 1 < n and points[i] == FIRST_YEAR and points[i + 1] == YEAR:
        return i + 1
    while i < n and (_digit(points[i]) or (points[i] > WIDE_SPACE and _in(points[i], KANJI))):
        i += 1
    return i


@kernel
def _priced(points: np.ndarray, i: Any, n: Any) -> Any:
    """A word for a currency stands at i."""
    for word in CURRENCIES:
        k = 0
        while k < 3 and word[k] != 0 and i + k < n and points[i + k] == word[k]:
            k += 1
        if k == 3 or word[k] == 0:
            return True
    return False


@kernel
def _era(points: np.ndarray, i: Any, n: Any) -> Any:
    """An era name and a number stand at i."""
    if i + 2 >= n or _number_end(points, i + 2, n) == i + 2:
        return False
    for era in ERAS:  # noqa: SIM110 (numba)
        if points[i] == era[0] and points[i + 1] == era[1]:
            return True
    return False


@kernel
def mask(points: np.ndarray, n: Any, flags: Any) -> Any:
    """Mask points[:n] (uint32, folded) in place; return the new length. flags: DIGITS | …"""
    out = 0
    i = 0
    while i < n:
        # An era name goes before its year, a weekday before 曜.
        if flags & DATES:
            if _era(points, i, n):
                i += 2
                continue
            if i + 1 < n and points[i + 1] == WEEK and _in(points[i], WEEKDAYS):
                i += 1
                continue
        # What is no number stays.
        end = _number_end(points, i, n)
        if end == i:
            points[out] = points[i]
            out += 1
            i += 1
            continue
        # A number becomes one 0 as a date or a price, else at most its runs of digits do.
        dated = flags & DATES and end < n and _in(points[end], TIMES)
        if dated or (flags & PRICES and points[i] != FIRST_YEAR and _priced(points, end, n)):
            points[out] = ZERO
            out += 1
        else:
            run = False
            for k in range(i, end):
                digit = flags & DIGITS and _digit(points[k])
                if not (digit and run):
                    points[out] = ZERO if digit else points[k]
                    out += 1
                run = digit != 0
        i = end
    return out
