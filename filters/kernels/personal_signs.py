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
NUMBER = 1  # seven digits and more with at most three separators between neighbours: begin, end
EMAIL = 2  # begin and end of the local part, before an @ or what is written for one
ADDRESS = 3  # begin and end of the block number behind a municipality, in this line or the last
DOTTED = 4  # run of digits and three full stops, or two behind a 0: begin, end
MARK = 5  # 〒, 旅券, パスポート, passport, 記号: position, position + 1
place = columns(("document", "kind", "begin", "end"))  # of the table of places
PLACE_COLUMNS = 4

MOST_DIGITS, MOST_KANJI_DIGITS = 5, 4  # of a block number
FEWEST_DIGITS = 7  # of a NUMBER
GAP = 4  # positions from a digit to the next of one NUMBER: at most " - " between them
DOTS = 3  # full stops of an IP address
LOOK_BACK = 44  # characters between a municipality and its block number
LOCAL = 64  # characters of the local part of a mail address
DOMAIN = 64  # characters in which the first full stop of a domain stands
WRAP = 3  # brackets, blanks, … on each side of what stands for an @

# Classes of code points of the basic plane, bits of one byte.
_DIGIT, _BETWEEN, _KANJI_DIGIT, _TOWN = 1, 2, 4, 8
_PREFECTURE, _MAIL, _ALNUM, _SIGN = 16, 32, 64, 128

DASHES = "-‐‑‒–—―−─ーｰ－﹣"
SEPARATORS = DASHES + " \u3000()（）"
KANJI_DIGITS = "〇一二三四五六七八九十百千"
AT_STARS = "★☆●○◎■□◆◇▲△♪♡♥＊＃※"  # what people write for @


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
        (_SIGN, "@＠〒旅パ記pP\naAアあ" + AT_STARS),
    ):
        for character in characters:
            table[ord(character)] |= bit
    return table


TABLE = _table()
# First and further characters of what _is_mark looks for, and of block numbers.
RYO, KEN, KI, GO, PA, SU, PO, DO = map(ord, "旅券記号パスポド")
CHOME, BAN, NO = map(ord, "丁番の")
SYMBOLS, SYMBOLS_END = 0x2500, 0x2700  # geometric shapes and miscellaneous symbols
MARK_M, MARK_K = map(ord, "mk")
KOME, STAR, SHARP = map(ord, "※＊＃")
SMALL_TSU, SMALL_TSU_KATA, A_HIRAGANA, A_KATAKANA, MA, MA_KATA = map(ord, "っッあアまマ")
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
        line: Scalar = first  # where this line began, and the one before
        line_before: Scalar = first
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
            # A municipality reaches into the next line; @ and the words of documents are rare.
            if bits & _SIGN:
                if point == ch.LINE_FEED:
                    line_before = line
                    line = i + 1
                    if town < line_before:
                        town = far
                    if prefecture < line_before:
                        prefecture = far
                    continue
                at: Scalar = 0
                if _may_be_at(points, i, first, last):
                    at = _at_length(points, i, first, last, table)
                if at:
                    end = _local_end(points, i, first, table)
                    begin = _local_begin(points, end, first, table)
                    plain = end == i and (point == ch.AT or point == ch.WIDE_AT)
                    if begin < end and (plain or _is_domain(points, i + at, last, table)):
                        n = _add(out, n, doc, EMAIL, begin - first, end - first)
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
    begin = i
    if end + 1 < last and (points[end] == ch.SPACE or points[end] == ch.WIDE_SPACE):
        end += 1  # 3538 番地, 3 - 2 - 1
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
        spaced = end + 1 < last and points[end + 1] == ch.SPACE
        if dash and _bits(points, end + 1 + spaced, last, table) & _DIGIT:
            return True
    if not (plain and bare and begin > first):
        return False
    before = points[begin - 1]
    if (before == ch.SPACE or before == ch.WIDE_SPACE) and begin > first + 1:
        before = points[begin - 2]
    return ch.FIRST_KANJI <= before <= ch.LAST_KANJI or before == ch.ITERATION


@inlined
def _may_be_at(points: Points, i: Scalar, first: Scalar, last: Scalar) -> bool:
    """Whether what begins at i can stand for an @; most letters of words cannot."""
    point = points[i]
    if i == first or i + 1 >= last:
        return False
    if (point | FOLD) == ch.LOWER_A:
        before = points[i - 1]
        if (points[i + 1] | FOLD) == ch.LOWER_T:
            inside = ch.LOWER_A <= (before | FOLD) <= ch.LOWER_Z
            return not inside or (point == ch.UPPER_A and before >= ch.LOWER_A)
        return before == ch.OPEN_ROUND or before == ch.OPEN_SQUARE or before == ch.WIDE_OPEN_ROUND
    if point == A_KATAKANA or point == A_HIRAGANA:
        return points[i + 1] == SMALL_TSU or points[i + 1] == SMALL_TSU_KATA
    return True


@kernel
def _at_length(points: Points, i: Scalar, first: Scalar, last: Scalar, table: Bytes) -> Scalar:
    """Length of an @, of a star, or of at and アット between other things than letters; or 0."""
    point = points[i]
    if point == ch.AT or point == ch.WIDE_AT:
        return 1
    if point == A_KATAKANA or point == A_HIRAGANA:
        if i + 2 >= last or (points[i + 1] != SMALL_TSU and points[i + 1] != SMALL_TSU_KATA):
            return 0
        mark = i + 3 < last and (points[i + 3] == MA or points[i + 3] == MA_KATA)
        return 6 if mark else 3  # アットマーク
    if (point | FOLD) == ch.LOWER_A and point < ch.ASCII_END:
        if i == first or i + 2 >= last:
            return 0
        before, after = points[i - 1], points[i + 2]
        if (points[i + 1] | FOLD) != ch.LOWER_T:  # (a)
            is_open = before == ch.OPEN_ROUND or before == ch.OPEN_SQUARE
            is_open |= before == ch.WIDE_OPEN_ROUND
            return 1 if is_open and not _bits(points, i + 1, last, table) & _ALNUM else 0
        mark = i + 2 + (after == ch.HYPHEN or after == ch.SPACE)
        if mark + 3 < last and points[mark] == MARK_M and points[mark + 3] == MARK_K:
            return mark + 4 - i  # at-mark
        letters = _bits(points, i - 1, last, table) | _bits(points, i + 2, last, table)
        if letters & _ALNUM:  # capitals alone: taroATexample.jp
            capitals = point == ch.UPPER_A and points[i + 1] == ch.LOWER_T - FOLD
            return 2 if capitals and before >= ch.LOWER_A and after >= ch.LOWER_A else 0
        return 2 if before != ch.LINE_FEED and after != ch.LINE_FEED else 0
    star = SYMBOLS <= point < SYMBOLS_END or point == KOME or point == STAR or point == SHARP
    if not star or i == first or _bits(points, i - 1, last, table) & _ALNUM == 0:
        return 0
    return 1 if _bits(points, i + 1, last, table) & _ALNUM else 0


@kernel
def _local_end(points: Points, at: Scalar, first: Scalar, table: Bytes) -> Scalar:
    """End of the local part before what stands for an @, behind which brackets may stand."""
    is_sign = points[at] == ch.AT or points[at] == ch.WIDE_AT
    if is_sign and at > first and _bits(points, at - 1, at, table) & _MAIL:
        return at
    i = at
    while i > first and at - i < WRAP and not _bits(points, i - 1, at, table) & _ALNUM:
        if points[i - 1] == ch.LINE_FEED:
            break
        i -= 1
    return i


@kernel
def _is_domain(points: Points, i: Scalar, last: Scalar, table: Bytes) -> bool:
    """Whether a word goes on behind a full stop, or "dot", soon behind i."""
    begin = i
    while i < last and i - begin < WRAP and not _bits(points, i, last, table) & _ALNUM:
        i += 1
    while i < last and i - begin < DOMAIN and _bits(points, i, last, table) & _MAIL:
        stop = points[i] == ch.FULL_STOP or points[i] == ch.WIDE_FULL_STOP
        if stop and _bits(points, i + 1, last, table) & _ALNUM:
            return True
        i += 1
    # tanaka at example dot jp, [dot], ドット
    for k in range(i - 1, min(i + WRAP + 1, last - 2)):
        if (points[k] | FOLD) == ch.LOWER_D and (points[k + 2] | FOLD) == ch.LOWER_T:
            return True
        if points[k] == DO and points[k + 1] == SMALL_TSU_KATA:
            return True
    return _dot_in(points, begin, i)


@kernel
def _dot_in(points: Points, begin: Scalar, end: Scalar) -> bool:
    """Whether _dot_ stands in a run of mail characters: example_dot_jp."""
    for k in range(begin, end - 4):
        dot = (points[k + 1] | FOLD) == ch.LOWER_D and (points[k + 3] | FOLD) == ch.LOWER_T
        if dot and points[k] == ch.UNDERSCORE and points[k + 4] == ch.UNDERSCORE:
            return True
    return False


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
