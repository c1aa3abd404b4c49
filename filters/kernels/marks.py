"""Small facts about single code points that several kernels ask for, as bits of one table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.kernels.charsets import DECIMAL, EMOJI, FINEWEB_TERMINAL, HOJICHAR_SPECIAL, code_points
from filters.kernels.kernel import inlined
from filters.kernels.spec import Scalar

Marks = NDArray[np.uint16]

SENTENCE_END = 1  # 。．！？!? as in Swallow's sentence pattern
WHITESPACE = 2  # what Python's str.strip() removes
ELLIPSIS = 4  # ・…
OPENING = 8
CLOSING = 16
BULLET = 32
TERMINAL = 64  # a line that ends so is prose: kuten, closing quotes, ellipsis
KANA = 128  # [ぁ-んァ-ン], the pattern of HojiChar and LLM-jp
FINEWEB_END = 256
SPECIAL = 512  # HojiChar's special characters, emoji among them
DIGIT = 1024  # \d

SPACES = (
    *range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
    0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
)  # fmt: skip
PAIRS = "「」『』（）()【】〔〕〈〉《》[]{}［］｛｝“”〝〟｢｣"
BULLETS = "・●○◎■□◆◇▲△▼▽★☆※*-–—→⇒►▶✓✔•‣◦"
TERMINALS = "。．.！？!?…‥」』）)】〕〉》”’\"'♪"

ABOVE_SETS = (
    (FINEWEB_TERMINAL, FINEWEB_END),
    (HOJICHAR_SPECIAL, SPECIAL),
    (EMOJI, SPECIAL),
    (DECIMAL, DIGIT),
)


def _table() -> Marks:
    table = np.zeros(0x10000, np.uint16)
    for characters, bit in (
        ("。．！？!?", SENTENCE_END),
        ("・…", ELLIPSIS),
        (PAIRS[0::2], OPENING),
        (PAIRS[1::2], CLOSING),
        (BULLETS, BULLET),
        (TERMINALS, TERMINAL),
    ):
        for character in characters:
            table[ord(character)] |= bit
    table[list(SPACES)] |= WHITESPACE
    table[0x3041:0x3094] |= KANA
    table[0x30A1:0x30F4] |= KANA
    for ranges, bit in ABOVE_SETS:
        table[[p for p in code_points(ranges) if p < 0x10000]] |= bit
    return table


def _above() -> Marks:
    table = np.zeros(0x10000, np.uint16)  # U+10000–1FFFF, where all of these sets end
    for ranges, bit in ABOVE_SETS:
        table[[p - 0x10000 for p in code_points(ranges) if p >= 0x10000]] |= bit
    return table


MARK_TABLE = np.concatenate([_table(), _above()])


@inlined
def marks_of(point: Scalar, table: Marks) -> Scalar:
    """Bits of a code point; `table` is MARK_TABLE, handed in so that kernels share one copy."""
    return table[point] if point < np.uint32(0x20000) else np.uint16(0)
