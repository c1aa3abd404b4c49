"""Where personal data can stand at all: the walk that saves the regular expressions.

One pass over the code points names the few places at which a pattern of `filters.personal_rules`
can match. A place says that the pattern may match there, its absence that it cannot.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.kernel import columns, inlined, kernel
from filters.kernels.spec import Bytes, Offsets, Points, Scalar

# What stands at a place, and what its two positions are (characters of the document).
NUMBER = 1  # seven digits and more with at most two separators between neighbours: begin, end
EMAIL = 2  # begin of the local part, position of the @
ADDRESS = 3  # begin and end of the block number behind a municipality in the same line
DOTTED = 4  # run of digits and three full stops, or two behind a 0: begin, end
MARK = 5  # 〒, 旅券, パスポート, passport, 記号: position, position + 1
place = columns(("document", "kind", "begin", "end"))  # of the table of places
PLACE_COLUMNS = 4

MOST_DIGITS, MOST_KANJI_DIGITS = 5, 4  # of a block number
FEWEST_DIGITS = 7  # of a NUMBER
GAP = 3  # positions from a digit to the next of one NUMBER: at most two separators between them
DOTS = 3  # full stops of an IP address
LOOK_BACK = 44  # characters between a municipality and its block number
LOCAL = 64  # characters of the local part of a mail address

# Classes of code points of the basic plane, bits of one byte.
_DIGIT, _BETWEEN, _KANJI_DIGIT, _TOWN = 1, 2, 4, 8
_PREFECTURE, _MAIL, _ALNUM, _SIGN = 16, 32, 64, 128

DASHES = "-‐‑‒–—―−ーｰ－"
SEPARATORS = DASHES + " \u3000()（）"
KANJI_DIGITS = "〇一二三四五六七八九十百"


def _table() -> Bytes:
    table = np.zeros(ch.PLANE, np.uint8)
    digits = "0123456789０１２３４５６７８９"
    capitals = [chr(c + shift) for c in range(ord("A"), ord("Z") + 1) for shift in (0, ch.WIDE)]
    letters = [*capitals, *map(str.lower, capitals)]
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
# First and further characters of what _is_mark looks for, and of block numbers.
RYO, KEN, KI, GO, PA, SU, PO = map(ord, "旅券記号パスポ")
CHOME, BAN, NO = map(ord, "丁番の")
FOLD = 0x20  # an ASCII letter with this bit set is lower case


@kernel
def places(points: Points, starts: Offsets, table: Bytes, out: Offsets) -> int:
    """Fills out[k, 4] with document, kind, begin, end of every place, document by document.

    table: TABLE. Returns how many places there are; where out has fewer rows, call again with
    so many. Places of a document are in order for each kind.
    """
    n = 0
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
            bits = table[point] if point < ch.PLANE else np.uint8(0)
            if bits == 0:
                broken = True
                continue
            # A number goes on while at most two separators stand between its digits.
            if bits & _DIGIT:
                if broken or i - digit > GAP:
                    if digits >= FEWEST_DIGITS:
                        n = _add(out, n, doc, NUMBER, run - first, digit + 1 - first)
                    run = i
                    digits = 0
                digits += 1
                digit = i
                broken = False
            elif not bits & _BETWEEN:
                broken = True
            # A run of digits not far behind a municipality may be a block number.
            if bits & (_DIGIT | _KANJI_DIGIT) and i >= token:
                end = _token_end(points, i, last, table)
                token = end
                if i - town <= LOOK_BACK and _is_block(
                    points, i, end, first, last, i - prefecture <= LOOK_BACK, table
                ):
                    n = _add(out, n, doc, ADDRESS, i - first, end - first)
            if bits & _TOWN:
                town = i
            elif bits & _PREFECTURE:
                prefecture = i
            # Digits and full stops in a row: an IP address, or a telephone number with stops.
            if (bits & _DIGIT and point < ch.ASCII_END) or point == ch.FULL_STOP:
                if octets_end != i:
                    octets = i
                    dots = 0
                octets_end = i + 1
                dots += point == ch.FULL_STOP
                ends = point != ch.FULL_STOP and (i + 1 == last or not _octet_mark(points[i + 1]))
                phone = dots == 2 and points[octets] == ch.ZERO
                if ends and (dots == DOTS or phone) and points[octets] != ch.FULL_STOP:
                    n = _add(out, n, doc, DOTTED, octets - first, i + 1 - first)
            # Line ends end the reach of a municipality; @ and the words of documents are rare.
            if bits & _SIGN:
                if point == ch.LINE_FEED:
                    town = far
                    prefecture = far
                elif point == ch.AT or point == ch.WIDE_AT:
                    begin = _local_begin(points, i, first, table)
                    if begin < i:
                        n = _add(out, n, doc, EMAIL, begin - first, i - first)
                elif _is_mark(points, i, last):
                    n = _add(out, n, doc, MARK, i - first, i + 1 - first)
        if digits >= FEWEST_DIGITS:
            n = _add(out, n, doc, NUMBER, run - first, digit + 1 - first)
    return n


@inlined
def _add(out: Offsets, n: Scalar, doc: Scalar, kind: Scalar, begin: Scalar, end: Scalar) -> Scalar:
    """Writes place n where there is room; the number of places then."""
    if n < len(out):
        out[n, place.document] = doc
        out[n, place.kind] = kind
        out[n, place.begin] = begin
        out[n, place.end] = end
    return n + 1


@inlined
def _octet_mark(point: Scalar) -> bool:
    return point == ch.FULL_STOP or ch.ZERO <= point <= ch.NINE


@kernel
def _bits(points: Points, i: Scalar, last: Scalar, table: Bytes) -> Scalar:
    if i >= last or points[i] >= ch.PLANE:
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
    if end - i > (MOST_DIGITS if plain else MOST_KANJI_DIGITS):
        return False
    if end < last:
        mark = points[end]
        if mark == CHOME or mark == BAN or mark == GO:
            return True
        dash = mark == NO or (
            _bits(points, end, last, table) & _BETWEEN != 0
            and mark != ch.SPACE
            and mark != ch.WIDE_SPACE
            and mark != ch.OPEN_ROUND
            and mark != ch.CLOSE_ROUND
            and mark != ch.WIDE_OPEN_ROUND
            and mark != ch.WIDE_CLOSE_ROUND
        )
        if dash and _bits(points, end + 1, last, table) & _DIGIT:
            return True
    return (
        plain
        and bare
        and i > first
        and (ch.FIRST_KANJI <= points[i - 1] <= ch.LAST_KANJI or points[i - 1] == ch.ITERATION)
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
    """Whether one of 〒, 旅券, 記号, パスポ and passp?p (in any case) begins at i."""
    first = points[i]
    if first == ch.POSTAL_MARK:
        return True
    if i + 2 >= last:
        return False
    second, third = points[i + 1], points[i + 2]
    if first == RYO:
        return second == KEN
    if first == KI:
        return second == GO
    if first == PA:
        return second == SU and third == PO
    passport = (
        (first | FOLD) == ch.LOWER_P
        and (second | FOLD) == ch.LOWER_A
        and (third | FOLD) == ch.LOWER_S
    )
    return passport and i + 4 < last and (points[i + 4] | FOLD) == ch.LOWER_P
