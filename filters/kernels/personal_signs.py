"""Where personal data can stand at all: the walk that saves the regular expressions.

One pass over the code points names the few places at which a pattern of `filters.personal` can
match. A place says that the pattern may match there, its absence that it cannot.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Bytes, Offsets, Points, Scalar

# What stands at a place, and what its two positions are (characters of the document).
NUMBER = 1  # seven digits and more with at most two separators between neighbours: begin, end
EMAIL = 2  # begin of the local part, position of the @
ADDRESS = 3  # begin and end of the block number behind a municipality in the same line
DOTTED = 4  # run of digits and three full stops, or two behind a 0: begin, end
MARK = 5  # 〒, 旅券, パスポート, passport, 記号: position, position + 1
PLACE_COLUMNS = 4  # document, kind, begin, end

LOOK_BACK = 44  # characters between a municipality and its block number
LOCAL = 64  # characters of the local part of a mail address

# Classes of code points below 0x10000, bits of one byte.
_DIGIT, _BETWEEN, _KANJI_DIGIT, _TOWN = 1, 2, 4, 8
_PREFECTURE, _MAIL, _ALNUM, _SIGN = 16, 32, 64, 128

DASHES = "-‐‑‒–—―−ーｰ－"
SEPARATORS = DASHES + " \u3000()（）"
KANJI_DIGITS = "〇一二三四五六七八九十百"


def _table() -> Bytes:
    table = np.zeros(0x10000, np.uint8)
    digits = "0123456789０１２３４５６７８９"
    letters = [chr(c + shift) for c in (*range(65, 91), *range(97, 123)) for shift in (0, 0xFEE0)]
    for bit, characters in (
        (_DIGIT, digits),
        (_BETWEEN, SEPARATORS),
        (_KANJI_DIGIT, KANJI_DIGITS),
        (_TOWN, "市区町村郡"),
        (_PREFECTURE, "都道府県"),
        (_MAIL, (*"._%+-＿．－", *digits, *letters)),
        (_ALNUM, (*digits, *letters)),
        (_SIGN, "@＠〒旅パ記pP\n."),
    ):
        for character in characters:
            table[ord(character)] |= bit
    return table


TABLE = _table()


@kernel
def places(points: Points, starts: Offsets, table: Bytes, out: Offsets) -> int:
    """Fills out[k, 4] with document, kind, begin, end of every place, document by document.

    table: TABLE. Returns how many places there are; where out has fewer rows, call again with
    so many. Places of a document are in order for each kind.
    """
    n = 0
    room = len(out)
    for doc in range(len(starts) - 1):
        first = starts[doc]
        last = starts[doc + 1]
        far = first - 1000
        digits: Scalar = 0
        run: Scalar = far  # where the number began, and its last digit
        digit: Scalar = far
        broken = True  # something stands between that a number cannot have
        dots: Scalar = 0
        octets: Scalar = far  # where a run of digits and full stops began
        octets_end: Scalar = far
        town: Scalar = far
        prefecture: Scalar = far
        token: Scalar = far  # end of the last run of digits
        for i in range(first, last):
            point = points[i]
            bits = table[point] if point < 0x10000 else np.uint8(0)
            if bits == 0:
                broken = True
                continue
            if bits & _DIGIT:
                if broken or i - digit > 3:
                    if digits >= 7:
                        if n < room:
                            out[n, 0], out[n, 1] = doc, NUMBER
                            out[n, 2], out[n, 3] = run - first, digit + 1 - first
                        n += 1
                    run = i
                    digits = 0
                digits += 1
                digit = i
                broken = False
            elif not bits & _BETWEEN:
                broken = True
            if bits & (_DIGIT | _KANJI_DIGIT) and i >= token:
                end = _token_end(points, i, last, table)
                token = end
                if i - town <= LOOK_BACK and _is_block(
                    points, i, end, first, last, i - prefecture <= LOOK_BACK, table
                ):
                    if n < room:
                        out[n, 0], out[n, 1] = doc, ADDRESS
                        out[n, 2], out[n, 3] = i - first, end - first
                    n += 1
            if bits & _TOWN:
                town = i
            elif bits & _PREFECTURE:
                prefecture = i
            if (bits & _DIGIT and point < 0x80) or point == 0x2E:
                if octets_end != i:
                    octets = i
                    dots = 0
                octets_end = i + 1
                dots += point == 0x2E
                ends = point != 0x2E and (i + 1 == last or not _octet_mark(points[i + 1]))
                phone = dots == 2 and points[octets] == 0x30
                if ends and (dots == 3 or phone) and points[octets] != 0x2E:
                    if n < room:
                        out[n, 0], out[n, 1] = doc, DOTTED
                        out[n, 2], out[n, 3] = octets - first, i + 1 - first
                    n += 1
            if bits & _SIGN:
                if point == 0x0A:
                    town = far
                    prefecture = far
                elif point == 0x40 or point == 0xFF20:
                    begin = _local_begin(points, i, first, table)
                    if begin < i:
                        if n < room:
                            out[n, 0], out[n, 1] = doc, EMAIL
                            out[n, 2], out[n, 3] = begin - first, i - first
                        n += 1
                elif _is_mark(points, i, last):
                    if n < room:
                        out[n, 0], out[n, 1] = doc, MARK
                        out[n, 2], out[n, 3] = i - first, i + 1 - first
                    n += 1
        if digits >= 7:
            if n < room:
                out[n, 0], out[n, 1] = doc, NUMBER
                out[n, 2], out[n, 3] = run - first, digit + 1 - first
            n += 1
    return n


@inlined
def _octet_mark(point: Scalar) -> bool:
    return point == 0x2E or 0x30 <= point <= 0x39


@kernel
def _bits(points: Points, i: Scalar, last: Scalar, table: Bytes) -> Scalar:
    if i >= last or points[i] >= 0x10000:
        return np.uint8(0)
    return table[points[i]]


@kernel
def _token_end(points: Points, i: Scalar, last: Scalar, table: Bytes) -> Scalar:
    """End of the run of digits, or of kanji digits, that begins at i."""
    kind = _DIGIT if _bits(points, i, last, table) & _DIGIT else _KANJI_DIGIT
    while _bits(points, i, last, table) & kind:
        i += 1
    return i


@kernel
def _is_block(
    points: Points, i: Scalar, end: Scalar, first: Scalar, last: Scalar, bare: bool, table: Bytes
) -> bool:
    """Whether the number points[i:end] can be a block number by its length and what follows."""
    plain = _bits(points, i, last, table) & _DIGIT != 0
    if end - i > (5 if plain else 4):
        return False
    if end < last:
        mark = points[end]
        if mark == 0x4E01 or mark == 0x756A or mark == 0x53F7:  # 丁 番 号
            return True
        dash = mark == 0x306E or (  # の, or a dash
            _bits(points, end, last, table) & _BETWEEN != 0
            and mark != 0x20
            and mark != 0x3000
            and mark != 0x28
            and mark != 0x29
            and mark != 0xFF08
            and mark != 0xFF09
        )
        if dash and _bits(points, end + 1, last, table) & _DIGIT:
            return True
    return (
        plain
        and bare
        and i > first
        and (0x4E00 <= points[i - 1] <= 0x9FA5 or points[i - 1] == 0x3005)
    )


@kernel
def _local_begin(points: Points, at: Scalar, first: Scalar, table: Bytes) -> Scalar:
    """First letter or digit of the run of at most LOCAL mail characters before the @."""
    i = at
    while i > first and at - i < LOCAL and _bits(points, i - 1, at, table) & _MAIL:
        i -= 1
    while i < at and not _bits(points, i, at, table) & _ALNUM:
        i += 1
    return i


@kernel
def _is_mark(points: Points, i: Scalar, last: Scalar) -> bool:
    a = points[i]
    if a == 0x3012:  # 〒
        return True
    if i + 2 >= last:
        return False
    b, c = points[i + 1], points[i + 2]
    if a == 0x65C5:  # 旅券
        return b == 0x5238
    if a == 0x8A18:  # 記号
        return b == 0x53F7
    if a == 0x30D1:  # パスポ
        return b == 0x30B9 and c == 0x30DD
    passp = (a | 0x20) == 0x70 and (b | 0x20) == 0x61 and (c | 0x20) == 0x73
    return passp and i + 4 < last and (points[i + 4] | 0x20) == 0x70
