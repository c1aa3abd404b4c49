"""What stands between the words of a page's Markdown: code, formulas, listings, numbers, indents.

Each function writes at out[at:] and returns the new end; who calls them has counted the room.
"""

from __future__ import annotations

import numpy as np

from corpus.text.blocks import UNREAD
from corpus.text.escape import CELL, LINES, put_escaped
from corpus.text.views import MAX_RUN
from corpus.web.html import blocks as b
from corpus.web.main_text.pieces import formula_number
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

_UNREAD = np.frombuffer(UNREAD.encode(), np.uint8)
_VERT = np.frombuffer(b"\\vert ", np.uint8)
_DOUBLE_VERT = np.frombuffer(b"\\Vert ", np.uint8)
MIN_FENCE = 3
MAX_LINE_NUMBER = 100_000


@inlined
def put_word(word: np.ndarray, out: np.ndarray, at: int) -> int:
    """Write some bytes."""
    out[at : at + len(word)] = word
    return at + len(word)


@kernel
def put_run(c: int, count: int, out: np.ndarray, at: int) -> int:
    """Write one byte some times."""
    for k in range(at, at + count):
        out[k] = c
    return at + count


@kernel
def _ticks(text: np.ndarray, start: int, end: int) -> int:
    """Backticks that mark code: the fewest that no run inside is as long as; 0 if there is none."""
    seen = np.zeros(MAX_RUN + 1, np.bool_)
    run = 0
    for i in range(start, end + 1):
        if i < end and text[i] == ch.BACKTICK:
            run += 1
        elif run and (i == end or text[i] < b.CODE_ON):
            if run <= MAX_RUN:
                seen[run] = True
            run = 0
    for size in range(1, MAX_RUN + 1):
        if not seen[size]:
            return size
    return 0


@kernel
def put_code(text: np.ndarray, start: int, end: int, cell: bool, out: np.ndarray, at: int) -> int:
    """Inline code text[start:end] between backticks, without the marks of its ends inside."""
    ticks = _ticks(text, start, end)
    if ticks == 0:
        return put_escaped(text, start, end, CELL if cell else LINES, out, at)
    at = put_run(ch.BACKTICK, ticks, out, at)
    padded = (
        text[start] == ch.BACKTICK
        or text[end - 1] == ch.BACKTICK
        or (text[start] == ch.SPACE and text[end - 1] == ch.SPACE)
    )
    if padded:
        out[at] = ch.SPACE
        at += 1
    for i in range(start, end):
        if text[i] >= b.CODE_ON:
            continue
        if cell and text[i] == ch.BAR:
            out[at] = ch.BACKSLASH
            at += 1
        out[at] = text[i]
        at += 1
    if padded:
        out[at] = ch.SPACE
        at += 1
    return put_run(ch.BACKTICK, ticks, out, at)


@kernel
def put_formula(tex: np.ndarray, cell: bool, out: np.ndarray, at: int) -> int:
    """A formula between dollars on one line; the mark of an unread one."""
    if len(tex) == 0:
        return put_word(_UNREAD, out, at)
    out[at] = ch.DOLLAR
    at += 1
    i = 0
    while i < len(tex):
        c = tex[i]
        if c == ch.BACKSLASH and i + 1 < len(tex):
            i += 1
            if cell and tex[i] == ch.BAR:
                at = put_word(_DOUBLE_VERT, out, at)
            else:
                out[at] = c
                out[at + 1] = ch.SPACE if tex[i] == ch.LINE_FEED else tex[i]
                at += 2
        elif cell and c == ch.BAR:
            at = put_word(_VERT, out, at)
        else:
            out[at] = ch.SPACE if c == ch.LINE_FEED else c
            at += 1
        i += 1
    out[at] = ch.DOLLAR
    return at + 1


@kernel
def put_display(tex: np.ndarray, out: np.ndarray, at: int) -> int:
    """A formula on lines of its own; the mark of an unread one."""
    if len(tex) == 0:
        return put_word(_UNREAD, out, at)
    out[at], out[at + 1], out[at + 2] = ch.DOLLAR, ch.DOLLAR, ch.LINE_FEED
    at = put_word(tex, out, at + 3)
    out[at], out[at + 1], out[at + 2] = ch.LINE_FEED, ch.DOLLAR, ch.DOLLAR
    return at + 3


@kernel
def indented(out: np.ndarray, start: int, at: int, blanks: int, sign: int) -> int:
    """Begin each further line of out[start:at] with blanks, or (not 0) with the sign and one."""
    size = 2 if sign else blanks
    lines = 0
    if size:
        for i in range(start, at):
            lines += out[i] == ch.LINE_FEED
    if lines == 0:
        return at
    end = at + lines * size
    to = end
    for i in range(at - 1, start - 1, -1):
        if out[i] == ch.LINE_FEED:
            to -= size
            for k in range(to, to + size):
                out[k] = ch.SPACE
            if sign:
                out[to] = sign
        to -= 1
        out[to] = out[i]
    return end


@kernel
def _number_in(text: np.ndarray, block: np.ndarray) -> int:
    """The number that the block is, -1 if it is anything else."""
    value = 0
    for i in range(block[b.B_START], block[b.B_END]):
        if ch.ZERO <= text[i] <= ch.NINE and value < MAX_LINE_NUMBER:
            value = 10 * value + (text[i] - ch.ZERO)
        elif text[i] > ch.SPACE and text[i] < b.CODE_ON:
            return -1
    return value if block[b.B_END] > block[b.B_START] else -1


@kernel
def _numbered(text: np.ndarray, blocks: np.ndarray) -> bool:
    """Whether the blocks are numbers, 1, 2, 3 …, each with the line behind it, or an empty one."""
    if len(blocks) < 4:
        return False
    begin = number = _number_in(text, blocks[0])
    i = lines = 0
    while i < len(blocks):
        if begin < 0 or _number_in(text, blocks[i]) != number:
            return False
        number += 1
        i += 1
        if i < len(blocks) and _number_in(text, blocks[i]) != number:
            lines += 1
            i += 1
    return lines > 1 and 2 * lines >= number - begin


@kernel
def _after_empty_lines(text: np.ndarray, start: int, end: int) -> int:
    """Where the first line that has words begins."""
    first = start
    for i in range(start, end):
        if text[i] == ch.LINE_FEED:
            first = i + 1
        elif text[i] > ch.SPACE:
            break
    return first


@kernel
def _put_verbatim(
    text: np.ndarray, start: int, end: int, tex: np.ndarray, tex_ends: np.ndarray,
    out: np.ndarray, at: int,
) -> int:  # fmt: skip
    """Preformatted text byte for byte; a formula in it is its TeX."""
    i = start
    while i < end:
        if text[i] == b.FORMULA:
            k = formula_number(text, i)
            own = tex[tex_ends[k] : tex_ends[k + 1]]
            at = put_word(own, out, at) if len(own) else put_word(_UNREAD, out, at)
            i += b.NUMBER_BYTES
        elif text[i] != b.CODE_ON and text[i] != b.CODE_OFF:
            out[at] = text[i]
            at += 1
        i += 1
    return at


@kernel
def put_listing(
    text: np.ndarray, blocks: np.ndarray, name: np.ndarray, tex: np.ndarray, tex_ends: np.ndarray,
    out: np.ndarray, at: int,
) -> int:  # fmt: skip
    """A fence with the language, all blocks as lines byte for byte, the fence; -1 for no lines."""
    start = at
    numbered = _numbered(text, blocks)
    number = _number_in(text, blocks[0]) if numbered else 0
    i = 0
    while i < len(blocks):
        if numbered and _number_in(text, blocks[i]) == number:
            at = put_run(ch.LINE_FEED, at > start, out, at)
            number, i = number + 1, i + 1
            continue
        first, end = blocks[i, b.B_START], blocks[i, b.B_END]
        if at == start:
            first = _after_empty_lines(text, first, end)
        elif not numbered:
            at = put_run(ch.LINE_FEED, blocks[i, b.B_EMPTY] + 1, out, at)
        at = _put_verbatim(text, first, end, tex, tex_ends, out, at)
        i += 1
    while at > start and out[at - 1] <= ch.SPACE:
        at -= 1
    return _fenced(name, out, start, at) if at > start else -1


@kernel
def _fenced(name: np.ndarray, out: np.ndarray, start: int, at: int) -> int:
    """Put a fence and the name of a language before the lines out[start:at], a fence behind."""
    run, fence = 0, MIN_FENCE
    for i in range(start, at):
        run = run + 1 if out[i] == ch.BACKTICK else 0
        fence = max(fence, run + 1)
    head = fence + len(name) + 1
    for i in range(at - 1, start - 1, -1):
        out[i + head] = out[i]
    begin = put_word(name, out, put_run(ch.BACKTICK, fence, out, start))
    out[begin] = ch.LINE_FEED
    out[at + head] = ch.LINE_FEED
    return put_run(ch.BACKTICK, fence, out, at + head + 1)


@kernel
def put_number(number: int, out: np.ndarray, at: int) -> int:
    """A list item's number (1 to 9 digits), a full stop and a blank; `- ` for 0."""
    if number <= 0:
        out[at], out[at + 1] = ch.HYPHEN, ch.SPACE
        return at + 2
    size, rest = 0, number
    while rest:
        size, rest = size + 1, rest // 10
    rest = number
    for k in range(size - 1, -1, -1):
        out[at + k] = ch.ZERO + rest % 10
        rest //= 10
    out[at + size], out[at + size + 1] = ch.FULL_STOP, ch.SPACE
    return at + size + 2
