"""The class of every code point, as one table: the ranges are facts of Unicode, written out here.

The table is fixed in this file and not built from `unicodedata`, so that a signal has the same
value under every Python version. Hiragana, katakana, kanji, kuten and toten are exactly
Swallow's sets: the long vowel mark is none of them, and kanji beyond U+FFFF are not counted.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.characters import PLANE
from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Bytes, Scalar

OTHER, HIRAGANA, KATAKANA, KANJI, KUTEN, TOTEN = 0, 1, 2, 3, 4, 5
LONG_VOWEL, KANJI_RARE, HALF_KANA, LATIN, LATIN_WIDE, LATIN_ACCENTED = 6, 7, 8, 9, 10, 11
DIGIT, DIGIT_WIDE, SPACE, SPACE_WIDE, NEWLINE, ASCII_SYMBOL = 12, 13, 14, 15, 16, 17
CJK_SYMBOL, WIDE_SYMBOL, SYMBOL, EMOJI, HANGUL, GREEK, CYRILLIC = 18, 19, 20, 21, 22, 23, 24
FOREIGN, CONTROL, INVISIBLE, BROKEN, COMBINING, HENTAIGANA = 25, 26, 27, 28, 29, 30
N_CLASSES = 32

# Later rows win. Both ends belong to the range.
RANGES: tuple[tuple[int, int, int], ...] = (
    (0x0000, 0x001F, CONTROL),
    (0x0020, 0x0020, SPACE),
    (0x0009, 0x0009, SPACE),
    (0x000A, 0x000A, NEWLINE),
    (0x000D, 0x000D, SPACE),
    (0x0021, 0x007E, ASCII_SYMBOL),
    (0x0030, 0x0039, DIGIT),
    (0x0041, 0x005A, LATIN),
    (0x0061, 0x007A, LATIN),
    (0x007F, 0x009F, CONTROL),
    (0x00A0, 0x00BF, SYMBOL),
    (0x00A0, 0x00A0, SPACE),
    (0x00AD, 0x00AD, INVISIBLE),
    (0x00C0, 0x024F, LATIN_ACCENTED),
    (0x00D7, 0x00D7, SYMBOL),
    (0x00F7, 0x00F7, SYMBOL),
    (0x0250, 0x02FF, FOREIGN),
    (0x0300, 0x036F, COMBINING),
    (0x0370, 0x03FF, GREEK),
    (0x0400, 0x052F, CYRILLIC),
    (0x0530, 0x10FF, FOREIGN),
    (0x1100, 0x11FF, HANGUL),
    (0x1200, 0x1DBF, FOREIGN),
    (0x1DC0, 0x1DFF, COMBINING),
    (0x1E00, 0x1EFF, LATIN_ACCENTED),
    (0x1F00, 0x1FFF, GREEK),
    (0x2000, 0x200A, SPACE),
    (0x200B, 0x200F, INVISIBLE),
    (0x2010, 0x2027, SYMBOL),
    (0x2028, 0x202E, INVISIBLE),
    (0x202F, 0x202F, SPACE),
    (0x2030, 0x205E, SYMBOL),
    (0x205F, 0x205F, SPACE),
    (0x2060, 0x206F, INVISIBLE),
    (0x2070, 0x20CF, SYMBOL),
    (0x20D0, 0x20FF, COMBINING),
    (0x2100, 0x25FF, SYMBOL),
    (0x2600, 0x27BF, EMOJI),
    (0x2605, 0x2606, SYMBOL),  # ★☆ are ordinary marks in Japanese text
    (0x2640, 0x2642, SYMBOL),
    (0x2660, 0x266F, SYMBOL),  # card suits and ♪
    (0x2776, 0x2793, SYMBOL),  # ❶…
    (0x27C0, 0x2BFF, SYMBOL),
    (0x2C00, 0x2DFF, FOREIGN),
    (0x2E00, 0x2E7F, SYMBOL),
    (0x2E80, 0x2FDF, KANJI_RARE),
    (0x2FF0, 0x2FFF, CJK_SYMBOL),
    (0x3000, 0x3000, SPACE_WIDE),
    (0x3001, 0x303F, CJK_SYMBOL),
    (0x3001, 0x3001, TOTEN),
    (0x3002, 0x3002, KUTEN),
    (0x3005, 0x3005, KANJI),
    (0x3007, 0x3007, KANJI),
    (0x303B, 0x303B, KANJI),
    (0x3041, 0x3096, HIRAGANA),
    (0x3099, 0x309A, COMBINING),
    (0x309B, 0x309C, CJK_SYMBOL),
    (0x309D, 0x309F, LONG_VOWEL),
    (0x30A0, 0x30A0, CJK_SYMBOL),
    (0x30A1, 0x30FA, KATAKANA),
    (0x30FB, 0x30FB, CJK_SYMBOL),
    (0x30FC, 0x30FF, LONG_VOWEL),
    (0x3100, 0x312F, FOREIGN),
    (0x3130, 0x318F, HANGUL),
    (0x3190, 0x31EF, CJK_SYMBOL),
    (0x31F0, 0x31FF, LONG_VOWEL),
    (0x3200, 0x33FF, CJK_SYMBOL),
    (0x3400, 0x9FFF, KANJI),
    (0xA000, 0xABFF, FOREIGN),
    (0xAC00, 0xD7FF, HANGUL),
    (0xD800, 0xF8FF, BROKEN),  # surrogates and private use: mojibake or gaiji that lost its font
    (0xF900, 0xFAFF, KANJI),
    (0xFB00, 0xFDFF, FOREIGN),
    (0xFE00, 0xFE0F, INVISIBLE),
    (0xFE10, 0xFE1F, CJK_SYMBOL),
    (0xFE20, 0xFE2F, COMBINING),
    (0xFE30, 0xFE6F, CJK_SYMBOL),
    (0xFE70, 0xFEFE, FOREIGN),
    (0xFEFF, 0xFEFF, INVISIBLE),
    (0xFF01, 0xFF5E, WIDE_SYMBOL),
    (0xFF01, 0xFF01, KUTEN),
    (0xFF0C, 0xFF0C, TOTEN),
    (0xFF0E, 0xFF0E, KUTEN),
    (0xFF1F, 0xFF1F, KUTEN),
    (0xFF10, 0xFF19, DIGIT_WIDE),
    (0xFF21, 0xFF3A, LATIN_WIDE),
    (0xFF41, 0xFF5A, LATIN_WIDE),
    (0xFF5F, 0xFF65, CJK_SYMBOL),
    (0xFF66, 0xFF9F, HALF_KANA),
    (0xFFA0, 0xFFDC, HANGUL),
    (0xFFE0, 0xFFEF, WIDE_SYMBOL),
    (0xFFF0, 0xFFFF, BROKEN),
)


def _table() -> Bytes:
    table = np.full(PLANE, OTHER, np.uint8)
    for first, last, kind in RANGES:
        table[first : last + 1] = kind
    return table


CLASS_TABLE = _table()


@inlined
def class_of(point: Scalar, table: Bytes) -> Scalar:
    """Class of a code point; `table` is `CLASS_TABLE`, handed in so that kernels share one copy."""
    if point < PLANE:
        return table[point]
    return class_above(point)


@kernel
def class_above(point: Scalar) -> Scalar:
    """Class beyond U+FFFF, where comparisons cost less than a table of a million bytes."""
    if point < 0x1AFF0:
        return np.uint8(FOREIGN)
    if point < 0x1B000:
        return np.uint8(LONG_VOWEL)
    if point < 0x1B170:
        return np.uint8(HENTAIGANA)
    if 0x1D400 <= point < 0x1D800 or 0x1F000 <= point < 0x1F100:
        return np.uint8(SYMBOL)
    if 0x1F100 <= point < 0x1F300:
        return np.uint8(CJK_SYMBOL)
    if 0x1F300 <= point < 0x1FB00:
        return np.uint8(EMOJI)
    if 0x20000 <= point < 0x40000:
        return np.uint8(KANJI_RARE)
    if 0xE0000 <= point < 0xE1000:
        return np.uint8(INVISIBLE)
    if point >= 0xF0000:
        return np.uint8(BROKEN)
    return np.uint8(FOREIGN)
