"""Characters that kernels compare with, by name. numba folds a global int into the code.

    from filters.kernels import characters as ch
    if point == ch.KUTEN: …

Words that only one kernel knows stand in its own file, as `YEAR, MONTH, DAY = map(ord, "年月日")`.
"""

from __future__ import annotations

TAB, LINE_FEED, FORM_FEED, RETURN, SPACE, DELETE = map(ord, "\t\n\f\r \x7f")
ZERO, ONE, TWO, NINE = map(ord, "0129")
UPPER_A, UPPER_F, UPPER_S, UPPER_Z = map(ord, "AFSZ")
LOWER_A, LOWER_B, LOWER_D, LOWER_G, LOWER_H, LOWER_L, LOWER_P, LOWER_Q, LOWER_R = map(
    ord, "abdghlpqr"
)
LOWER_S, LOWER_T, LOWER_U, LOWER_W, LOWER_Z = map(ord, "stuwz")
EXCLAMATION, QUOTE, HASH, DOLLAR, PERCENT, AMPERSAND, APOSTROPHE = map(ord, "!\"#$%&'")
OPEN_ROUND, CLOSE_ROUND, ASTERISK, PLUS, COMMA, HYPHEN, FULL_STOP, SLASH = map(ord, "()*+,-./")
COLON, SEMICOLON, LESS, EQUALS, GREATER, QUESTION, AT = map(ord, ":;<=>?@")
OPEN_SQUARE, BACKSLASH, CLOSE_SQUARE, CARET, UNDERSCORE, BACKTICK = map(ord, "[\\]^_`")
OPEN_CURLY, BAR, CLOSE_CURLY, TILDE = map(ord, "{|}~")
NO_BREAK_SPACE, COPYRIGHT, MIDDLE_DOT, YEN_SIGN = map(ord, "\xa0©·¥")
RIGHT_GUILLEMET, RIGHT_ANGLE = map(ord, "»›")
ZERO_WIDTH_SPACE, BYTE_ORDER_MARK, DASH, ELLIPSIS = map(ord, "\u200b\ufeff―…")

TOTEN, KUTEN, NAKAGURO, ITERATION = map(ord, "、。・々")
WIDE_SPACE, GETA, POSTAL_MARK = map(ord, "\u3000〓〒")
OPEN_CORNER, CLOSE_CORNER, OPEN_DOUBLE_CORNER, CLOSE_DOUBLE_CORNER = map(ord, "「」『』")
OPEN_DOUBLE_ANGLE, CLOSE_DOUBLE_ANGLE = map(ord, "《》")
WIDE_EXCLAMATION, WIDE_OPEN_ROUND, WIDE_CLOSE_ROUND, WIDE_COMMA, WIDE_FULL_STOP = map(
    ord, "！（），．"
)
WIDE_ZERO, WIDE_NINE, WIDE_COLON, WIDE_QUESTION, WIDE_AT, WIDE_BAR, WIDE_YEN = map(
    ord, "０９：？＠｜￥"
)

# Ranges, both ends in them.
FIRST_HIRAGANA, LAST_HIRAGANA = map(ord, "ぁゖ")  # U+3041 to U+3096
FIRST_KANJI, LAST_KANJI = map(ord, "一龥")  # U+4E00 to U+9FA5, the kanji of Unicode 1.0
TO_LOWER = LOWER_A - UPPER_A
WIDE = ord("！") - ord("!")  # full-width forms stand so far behind ASCII
FIRST_CJK = 0x2E80  # radicals; letters of a full em stand from here on
ASCII_END = 0x80
PLANE = 0x10000  # code points of the basic plane
