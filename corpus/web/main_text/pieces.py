"""The prose of a plan as one text of pieces, with holes where code and formulas stand.

U+001E on a line of its own parts the pieces, U+001F is a hole: neither can come from a page, since
the walk drops control characters.
"""

from __future__ import annotations

import numpy as np

from corpus.text.blocks import kind
from corpus.web.html import blocks as b
from corpus.web.main_text import outline as o
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

HOLE, PART = 0x1F, 0x1E
MAX_CODE = 300  # bytes of inline code; longer ones with a full stop are prose in another type
# Columns of the holes (int32): a formula with its number in START, or code with its bytes.
H_FORMULA, H_START, H_END, H_WIDTH = range(4)
FULL_STOP = (0xE3, 0x80, 0x82)  # 。 in UTF-8


@kernel
def formula_number(text: np.ndarray, i: int) -> int:
    """Number of the formula whose mark stands at i."""
    number = 0
    for k in range(b.NUMBER_BYTES):
        number |= (text[i + 1 + k] & 0x3F) << (6 * k)
    return number


@inlined
def has_piece(op: int) -> bool:
    """Whether an operation of a plan has a piece of prose."""
    return op == o.O_PROSE or op == o.O_TERM or op == o.O_CELL


@kernel
def _is_code(text: np.ndarray, start: int, end: int) -> bool:
    """Whether what stands in another type is code: short, or without a Japanese full stop."""
    if end - start <= MAX_CODE:
        return True
    for i in range(start, end - 2):
        if text[i] == FULL_STOP[0] and text[i + 1] == FULL_STOP[1] and text[i + 2] == FULL_STOP[2]:
            return False
    return True


@inlined
def _put_hole(
    formula: bool, start: int, end: int, out: np.ndarray, at: int, holes: np.ndarray, h: int
) -> tuple[int, int]:
    holes[h, H_FORMULA], holes[h, H_START], holes[h, H_END] = formula, start, end
    out[at] = HOLE
    return at + 1, h + 1


@kernel
def _put_inline_code(
    text: np.ndarray, i: int, last: int, one_line: bool,
    out: np.ndarray, at: int, holes: np.ndarray, h: int,
) -> tuple[int, int]:  # fmt: skip
    """A hole for each line of inline code and each formula in it; blanks at its ends are prose.

    Code that follows code without a blank goes on in its hole.
    """
    code = _is_code(text, i, last)
    goes_on = h > 0 and out[at - 1] == HOLE and holes[h - 1, H_END] == i - 2
    while i < last:
        stop = i
        while stop < last and text[stop] != ch.LINE_FEED and text[stop] != b.FORMULA:
            stop += 1
        tail = stop
        while tail > i and text[tail - 1] <= ch.SPACE:
            tail -= 1
        if tail > i and code and goes_on:
            holes[h - 1, H_END] = tail
        elif tail > i and code:
            at, h = _put_hole(False, i, tail, out, at, holes, h)
        elif tail > i:
            out[at : at + tail - i] = text[i:tail]
            at += tail - i
        if tail < stop:
            out[at] = ch.SPACE
            at += 1
        if stop < last and text[stop] == b.FORMULA:
            at, h = _put_hole(True, formula_number(text, stop), 0, out, at, holes, h)
            stop += b.NUMBER_BYTES
        elif stop < last:
            out[at] = ch.SPACE if one_line else ch.LINE_FEED
            at += 1
        i = stop + 1
        goes_on = False
    return at, h


@kernel
def _piece(
    text: np.ndarray, start: int, end: int, one_line: bool,
    out: np.ndarray, at: int, holes: np.ndarray, h: int,
) -> tuple[int, int]:  # fmt: skip
    """Write the block text[start:end] with a hole for each piece of code and formula."""
    i = start
    while i < end:
        c = text[i]
        if c == b.FORMULA:
            at, h = _put_hole(True, formula_number(text, i), 0, out, at, holes, h)
            i += 1 + b.NUMBER_BYTES
        elif c == b.CODE_ON:
            last = i + 1
            while last < end and text[last] != b.CODE_OFF:
                last += 1
            at, h = _put_inline_code(text, i + 1, last, one_line, out, at, holes, h)
            i = last + 1
        elif c == b.CODE_OFF:  # of code that began in an earlier paragraph
            i += 1
        else:
            out[at] = ch.SPACE if one_line and c == ch.LINE_FEED else c
            at, i = at + 1, i + 1
    return at, h


@kernel
def _room(text: np.ndarray, blocks: np.ndarray, plan: np.ndarray) -> tuple[int, int]:
    """(bytes of prose, holes) that the pieces of a plan take at most."""
    room = marks = 0
    for row in plan:
        op = row[o.P_OP]
        low, high = row[o.P_START], row[o.P_END]
        if op == o.O_CELL and high > low:
            marks += high - low  # listings of one line
            low, high = blocks[low, b.B_START], blocks[high - 1, b.B_END] + high - low
        if has_piece(op):
            room += high - low + 3
            for i in range(low, min(high, len(text))):
                # within code every line is a hole, and so is what follows a formula
                c = text[i]
                marks += c == b.CODE_ON or c == ch.LINE_FEED
                marks += 2 * (c == b.FORMULA)
    return room + 1, marks + 1


@kernel
def pieces(text: np.ndarray, blocks: np.ndarray, plan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(prose uint8, holes int32 [h, H_WIDTH]) of a plan: a piece for each op of `has_piece`."""
    room, marks = _room(text, blocks, plan)
    out = np.empty(room, np.uint8)
    holes = np.empty((marks, H_WIDTH), np.int32)
    at = h = 0
    for row in plan:
        op, low, high = row[o.P_OP], row[o.P_START], row[o.P_END]
        if not has_piece(op):
            continue
        if op == o.O_CELL:
            for i in range(low, high):
                if i > low:
                    out[at] = ch.SPACE
                    at += 1
                first, end = blocks[i, b.B_START], blocks[i, b.B_END]
                if blocks[i, b.B_LISTING]:
                    at, h = _put_inline_code(text, first, end, True, out, at, holes, h)
                else:
                    at, h = _piece(text, first, end, True, out, at, holes, h)
        else:
            one_line = op == o.O_TERM or row[o.P_KIND] == kind.heading
            at, h = _piece(text, low, high, one_line, out, at, holes, h)
        out[at], out[at + 1], out[at + 2] = ch.LINE_FEED, PART, ch.LINE_FEED
        at += 3
    return out[:at], holes[:h]


@kernel
def places(prose: np.ndarray, plan: np.ndarray) -> tuple[np.ndarray, bool]:
    """(int64 [pieces, 2]: where each piece of normalised prose begins and ends, without blanks;
    whether a line is empty or indented, which would be a sign)."""
    count = 0
    for row in plan:
        count += has_piece(row[o.P_OP])
    out = np.zeros((count, 2), np.int64)
    rough = False
    start = 0
    for k in range(count):
        end = start
        while end < len(prose) and prose[end] != PART:
            end += 1
        i, last = start, end
        while i < last and (prose[i] == ch.SPACE or prose[i] == ch.LINE_FEED):
            i += 1
        while last > i and (prose[last - 1] == ch.SPACE or prose[last - 1] == ch.LINE_FEED):
            last -= 1
        out[k, 0], out[k, 1] = i, last
        for at in range(i, last - 1):
            if prose[at] == ch.LINE_FEED:
                rough |= prose[at + 1] <= ch.SPACE and prose[at + 1] != HOLE
        start = end + 1
    return out, rough
