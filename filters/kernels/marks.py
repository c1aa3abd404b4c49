"""Small facts about single code points that several kernels ask for, as bits of one table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.kernels.characters import PLANE
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

# Ranges of white space in Unicode, both ends in them.
SPACES = "9-d 1c-20 85 a0 1680 2000-200a 2028-2029 202f 205f 3000"
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
    table = np.zeros(PLANE, np.uint16)
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
    table[code_points(SPACES)] |= WHITESPACE
    table[ord("ぁ") : ord("ん") + 1] |= KANA
    table[ord("ァ") : ord("ン") + 1] |= KANA
    for ranges, bit in ABOVE_SETS:
        table[[p for p in code_points(ranges) if p < PLANE]] |= bit
    return table


def _above() -> Marks:
    table = np.zeros(PLANE, np.uint16)  # U+10000–1FFFF, where all of these sets end
    for ranges, bit in ABOVE_SETS:
        table[[p - PLANE for p in code_points(ranges) if p >= PLANE]] |= bit
    return table


MARK_TABLE = np.concatenate([_table(), _above()])


@inlined
def marks_of(point: Scalar, table: Marks) -> Scalar:
    """Bits of a code point; `table` is MARK_TABLE, handed in so that kernels share one copy."""
    return table[point] if point < np.uint32(2 * PLANE) else np.uint16(0)
