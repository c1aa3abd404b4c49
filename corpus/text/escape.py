"""Prose as Markdown: a backslash before what CommonMark would read as a sign, and nowhere else.

The rules are those of CommonMark 0.31 and of pipe tables; what cannot open anything stays as it
is: `2 * 3`, `snake_case`, `[1]`, `AT&T`. Dollars and backticks are always escaped, since `$…$` and
`…` have meanings in the dialect of docs/text.md.
"""

from __future__ import annotations

import numpy as np

from corpus.text.views import is_delimiter_row, is_punctuation
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

LINES, CELL, HEADING = range(3)  # where prose stands: a block, a cell, behind the sign of a heading
MAX_ENTITY = 32  # characters of an entity's name
MAX_NUMBER = 9  # digits of an item's number
STAND_IN = 0x1F  # takes the place of code or a formula
_IS_SIGN = np.zeros(256, np.bool_)  # bytes that `needs_escape` may be true of: the rest is copied
_IS_SIGN[list(b"`$\\*_]<&#|")] = True


@inlined
def _is_word(c: int) -> bool:
    return ch.ZERO <= c <= ch.NINE or ch.UPPER_A <= c <= ch.UPPER_Z or ch.LOWER_A <= c <= ch.LOWER_Z


@inlined
def _is_letter(c: int) -> bool:
    return ch.UPPER_A <= c <= ch.UPPER_Z or ch.LOWER_A <= c <= ch.LOWER_Z


@kernel
def _is_entity(data: np.ndarray, i: int, end: int) -> bool:
    """Whether the ampersand at i begins `&name;` or `&#12;`."""
    k = i + 1
    if k < end and data[k] == ch.HASH:
        k += 1
    first = k
    while k < end and k - first < MAX_ENTITY and _is_word(data[k]):
        k += 1
    return first < k < end and data[k] == ch.SEMICOLON


@kernel
def _is_last(data: np.ndarray, i: int, end: int) -> bool:
    """Whether the line ends with the run of the sign at i: `# C #` is the heading C."""
    k = i
    while k < end and data[k] == data[i]:
        k += 1
    while k < end and (data[k] == ch.SPACE or data[k] == ch.TAB):
        k += 1
    return k == end or data[k] == ch.LINE_FEED


@kernel
def line_sign(data: np.ndarray, i: int, end: int) -> int:
    """Where a backslash must stand so that the line data[i:end] begins no block; -1 for nowhere."""
    if i >= end:
        return -1
    c = data[i]
    after = data[i + 1] if i + 1 < end else ch.SPACE
    if c == ch.GREATER:
        return i
    if c == ch.HASH:
        k = i
        while k < end and data[k] == ch.HASH:
            k += 1
        return i if k - i <= 6 and (k == end or data[k] <= ch.SPACE) else -1
    if c == ch.HYPHEN or c == ch.PLUS or c == ch.ASTERISK:
        if after <= ch.SPACE:
            return i
    if c == ch.TILDE and i + 2 < end and after == ch.TILDE and data[i + 2] == ch.TILDE:
        return i
    if c == ch.UNDERSCORE or c == ch.EQUALS or c == ch.HYPHEN or c == ch.ASTERISK:
        # a line of nothing else is a rule, or makes a heading of the line above
        for k in range(i, end):
            if data[k] != c and data[k] > ch.SPACE:
                break
        else:
            return i
    if c == ch.HYPHEN or c == ch.COLON or c == ch.BAR:
        return i if is_delimiter_row(data, i, end) else -1
    k = i
    while k < end and k - i <= MAX_NUMBER and ch.ZERO <= data[k] <= ch.NINE:
        k += 1
    if (
        i < k <= i + MAX_NUMBER
        and k < end
        and (data[k] == ch.FULL_STOP or data[k] == ch.CLOSE_ROUND)
    ):
        if k + 1 == end or data[k + 1] <= ch.SPACE:
            return k
    return -1


@kernel
def needs_escape(data: np.ndarray, i: int, start: int, end: int, place: int) -> bool:
    """Whether the byte at i would be read as a sign inside a line of data[start:end].

    Behind the end may stand a STAND_IN, which counts as a sign.
    """
    c = data[i]
    after = data[i + 1] if i + 1 < end else ch.LINE_FEED
    if i + 1 == end and end < len(data) and data[end] == STAND_IN:
        after = ch.BACKTICK
    if c == ch.BACKTICK or c == ch.DOLLAR:
        return True
    if c == ch.BACKSLASH:
        return after == ch.LINE_FEED or is_punctuation(after)
    if c == ch.ASTERISK:
        return after > ch.SPACE
    if c == ch.UNDERSCORE:
        return after > ch.SPACE and not (i > start and _is_word(data[i - 1]))
    if c == ch.CLOSE_SQUARE:
        return after == ch.OPEN_ROUND or after == ch.COLON
    if c == ch.LESS:
        return (
            _is_letter(after)
            or after == ch.SLASH
            or after == ch.EXCLAMATION
            or (after == ch.QUESTION)
        )
    if c == ch.AMPERSAND:
        return _is_entity(data, i, end)
    if c == ch.HASH:
        return i > start and data[i - 1] == ch.SPACE and _is_last(data, i, end)
    return place == CELL and c == ch.BAR


@kernel
def put_escaped(data: np.ndarray, start: int, end: int, place: int, out: np.ndarray, o: int) -> int:
    """Write prose data[start:end] (uint8, UTF-8) at out[o:]; return the new end.

    place: LINES, CELL or HEADING. A line feed begins a line of the block; cells and headings have
    none. `out` needs twice the room.
    """
    i = start
    while i < end:
        stop = i
        while stop < end and data[stop] != ch.LINE_FEED:
            stop += 1
        sign = line_sign(data, i, stop) if place == LINES else -1
        first = i
        for k in range(i, stop):
            if k == sign or (_IS_SIGN[data[k]] and needs_escape(data, k, start, end, place)):
                out[o : o + k - first] = data[first:k]
                o += k - first
                out[o] = ch.BACKSLASH
                o += 1
                first = k
        i = min(stop + 1, end)
        out[o : o + i - first] = data[first:i]  # with its line feed
        o += i - first
    return o


def escaped(text: str, cell: bool = False) -> str:
    """Prose as Markdown."""
    data = np.frombuffer(text.encode(), np.uint8)
    out = np.empty(2 * len(data) + 1, np.uint8)
    place = CELL if cell else LINES
    return out[: put_escaped(data, 0, len(data), place, out, 0)].tobytes().decode()
