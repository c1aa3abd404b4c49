"""Small facts about single code points that several kernels ask for, as bits of one table."""

from __future__ import annotations

import numpy as np

from .spec import Bytes

SENTENCE_END = 1  # 。．！？!? as in Swallow's sentence pattern
WHITESPACE = 2  # what Python's str.strip() removes
ELLIPSIS = 4  # ・…
OPENING = 8
CLOSING = 16
BULLET = 32
TERMINAL = 64  # a line that ends so is prose: kuten, closing quotes, ellipsis
KANA = 128  # [ぁ-んァ-ン], the pattern of HojiChar and LLM-jp

SPACES = (
    *range(0x09, 0x0E), *range(0x1C, 0x21), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
    0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
)  # fmt: skip
BULLETS = "・●○◎■□◆◇▲△▼▽★☆※*-–—→⇒►▶✓✔•‣►◦"
TERMINALS = "。．.！？!?…‥」』）)】〕〉》”’\"'♪"


def _table() -> Bytes:
    table = np.zeros(0x10000, np.uint8)
    for characters, bit in (
        ("。．！？!?", SENTENCE_END),
        ("・…", ELLIPSIS),
        ("「『（(【〔〈《[{［｛“‘〝｢", OPENING),
        ("」』）)】〕〉》]}］｝”’〟｣", CLOSING),
        (BULLETS, BULLET),
        (TERMINALS, TERMINAL),
    ):
        for character in characters:
            table[ord(character)] |= bit
    table[list(SPACES)] |= WHITESPACE
    table[0x3041:0x3094] |= KANA
    table[0x30A1:0x30F4] |= KANA
    return table


MARK_TABLE = _table()
