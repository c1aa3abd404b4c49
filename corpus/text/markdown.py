"""Reading: the blocks of a Markdown text that others wrote.

One pass over the lines of the UTF-8 bytes. Open items are a stack of the columns at which their
text begins; a line belongs to those whose column it reaches, and what it begins is asked at the
column of the innermost (CommonMark 0.31, GFM tables). Most texts read so are plain Japanese prose
with a line a paragraph, so where CommonMark would take prose for structure we do not follow it:

- a line of full-width blanks is blank;
- a heading underlined by === or --- is one line and does not end with 。; else --- below it is a
  rule, and === a paragraph of its own;
- a quote is its lines that begin with >: a line without it is no part of it;
- lines indented by four blanks are prose when more than half of their characters are not ASCII and
  there is a 。 among them;
- what begins on the line of an item's own sign is its text, but for a fence, which begins a code
  block behind it;
- HTML and link definitions are paragraphs; display formulas are blocks.
"""

from __future__ import annotations

import re

import numpy as np

from corpus.text.blocks import (
    END,
    KIND,
    LANGUAGE,
    LEVEL,
    START,
    WIDTH,
    Blocks,
    kind,
    to_points,
)  # fmt: skip
from corpus.text.escape import MAX_NUMBER
from corpus.text.views import closes_fence, fence_size, indent_columns
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

MAX_DEPTH = 64  # items inside items; a deeper one counts as one of this depth
MAX_INDENT = 3  # blanks before a sign; four are code
_ENVIRONMENTS = ("align", "alignat", "displaymath", "eqnarray", "equation", "gather", "multline")
_LANGUAGE = re.compile(r"[ \t]*(?:`{3,}|~{3,})[ \t]*([^\s`]{1,40})")


def _environments() -> np.ndarray:
    """uint8 [names, longest + 1]: each name and its star with a closing brace, then zeros."""
    names = [f"{name}{star}}}".encode() for name in _ENVIRONMENTS for star in ("", "*")]
    table = np.zeros((len(names), max(map(len, names)) + 1), np.uint8)
    for row, name in zip(table, names, strict=True):
        row[: len(name)] = list(name)
    return table


NAMES = _environments()
DOLLARS, SQUARE, FIRST_NAME = range(3)  # how a display formula is marked; then one a name


@kernel
def _line_end(data: np.ndarray, i: int) -> int:
    while i < len(data) and data[i] != ch.LINE_FEED:
        i += 1
    return i


@kernel
def _first(data: np.ndarray, i: int, stop: int) -> int:
    """Where the blanks of a line's start end."""
    while i < stop and (data[i] == ch.SPACE or data[i] == ch.TAB):
        i += 1
    return i


@kernel
def _last(data: np.ndarray, i: int, stop: int) -> int:
    """Where the line without the blanks of its end ends."""
    while stop > i and data[stop - 1] <= ch.SPACE:
        stop -= 1
    return stop


@kernel
def _is_blank(data: np.ndarray, i: int, stop: int) -> bool:
    """Whether nothing but blanks, full-width ones too, stands in the line."""
    while i < stop:
        if data[i] <= ch.SPACE:
            i += 1
        elif data[i] == 0xE3 and i + 2 < stop and data[i + 1] == 0x80 and data[i + 2] == 0x80:
            i += 3
        elif data[i] == 0xC2 and i + 1 < stop and data[i + 1] == 0xA0:
            i += 2
        else:
            return False
    return True


@kernel
def _heading_level(data: np.ndarray, i: int, stop: int) -> int:
    """Level of `## heading`; 0 for another line."""
    k = i
    while k < stop and data[k] == ch.HASH:
        k += 1
    return k - i if 1 <= k - i <= 6 and (k == stop or data[k] <= ch.SPACE) else 0


@kernel
def _is_rule(data: np.ndarray, i: int, stop: int) -> bool:
    """Whether the line is three or more of one of - * _, and blanks."""
    mark = data[i]
    if mark != ch.HYPHEN and mark != ch.ASTERISK and mark != ch.UNDERSCORE:
        return False
    count = 0
    for k in range(i, stop):
        if data[k] == mark:
            count += 1
        elif data[k] > ch.SPACE:
            return False
    return count >= 3


@kernel
def _underline(data: np.ndarray, i: int, stop: int) -> int:
    """Level of the heading that this line would make of the one above: 1 (===), 2 (---) or 0."""
    mark = data[i]
    if mark != ch.EQUALS and mark != ch.HYPHEN:
        return 0
    for k in range(i, _last(data, i, stop)):
        if data[k] != mark:
            return 0
    return 1 if mark == ch.EQUALS else 2


@kernel
def _marker_end(data: np.ndarray, i: int, stop: int, interrupts: bool) -> int:
    """Where the `-` or `12.` of an item ends; 0 for another line.

    Inside a paragraph only an item with text, and only the number 1, begins a list.
    """
    k = i
    if data[i] == ch.HYPHEN or data[i] == ch.PLUS or data[i] == ch.ASTERISK:
        k += 1
    else:
        while k < stop and k - i < MAX_NUMBER and ch.ZERO <= data[k] <= ch.NINE:
            k += 1
        if k == i or k == stop or (data[k] != ch.FULL_STOP and data[k] != ch.CLOSE_ROUND):
            return 0
        if interrupts and not (k == i + 1 and data[i] == ch.ONE):
            return 0
        k += 1
    if k < stop and data[k] > ch.SPACE:
        return 0
    return 0 if interrupts and _last(data, k, stop) == k else k


@kernel
def _text_column(data: np.ndarray, i: int, stop: int, column: int) -> int:
    """The column at which an item's text begins. i, column: behind its sign."""
    first = _first(data, i, stop)
    wide = indent_columns(data, i, first, column)
    return column + (wide if 1 <= wide <= 4 and _last(data, first, stop) > first else 1)


@kernel
def _cells(data: np.ndarray, i: int, stop: int) -> int:
    """Cells of a row of a table; 0 without a bar."""
    stop = _last(data, i, stop)
    bars = 0
    escaped = False
    for k in range(i, stop):
        if data[k] == ch.BAR and not escaped:
            bars += 1
        escaped = data[k] == ch.BACKSLASH
    if not bars:
        return 0
    closed = data[stop - 1] == ch.BAR and (stop - 2 < i or data[stop - 2] != ch.BACKSLASH)
    return bars + 1 - (data[i] == ch.BAR) - (closed and stop - 1 > i)


@kernel
def _columns_of_rule(data: np.ndarray, i: int, stop: int) -> int:
    """Columns of the row below a table's header, `| --- | :-: |`; 0 for another line."""
    stop = _last(data, i, stop)
    if stop - i < 2 or (data[i] == ch.HYPHEN and data[i + 1] <= ch.SPACE):
        return 0
    count, state = 0, 0  # state: 0 before a cell, 1 in its dashes, 2 behind them
    for k in range(i + (data[i] == ch.BAR), stop):
        c = data[k]
        if c == ch.HYPHEN and state < 2:
            count += state == 0
            state = 1
        elif c == ch.COLON and state == 1:
            state = 2
        elif c == ch.COLON and state == 0:
            if k + 1 == stop or data[k + 1] != ch.HYPHEN:
                return 0
        elif c == ch.BAR:
            if state == 0:
                return 0
            state = 0
        elif c == ch.SPACE or c == ch.TAB:
            state = 2 if state else 0
        else:
            return 0
    return count


@kernel
def _is_table(data: np.ndarray, first: int, stop: int, base: int) -> bool:
    """Whether the line is the header of a table: the next one is its rule, of as many cells."""
    if stop + 1 >= len(data):
        return False
    below = _first(data, stop + 1, len(data))
    if below == len(data) or (
        data[below] != ch.BAR and data[below] != ch.HYPHEN and data[below] != ch.COLON
    ):
        return False
    column = indent_columns(data, stop + 1, below, 0)
    if not base <= column <= base + MAX_INDENT:
        return False
    count = _columns_of_rule(data, below, _line_end(data, below))
    return count > 0 and _cells(data, first, stop) == count


@kernel
def _ends_with(data: np.ndarray, i: int, stop: int, first: int, second: int) -> bool:
    stop = _last(data, i, stop)
    return stop - 2 >= i and data[stop - 2] == first and data[stop - 1] == second


@kernel
def _environment(data: np.ndarray, i: int, stop: int, word: int) -> int:
    """Number of the name behind `\\begin{` or `\\end{` (word: its length) at i, or -1."""
    if stop - i < word or data[i] != ch.BACKSLASH or data[i + word - 1] != ch.OPEN_CURLY:
        return -1
    if data[i + 1] != (ord("b") if word == 7 else ord("e")):
        return -1
    for number in range(len(NAMES)):
        k = 0
        while NAMES[number, k] and i + word + k < stop and data[i + word + k] == NAMES[number, k]:
            k += 1
        if NAMES[number, k] == 0:
            return number
    return -1


@kernel
def _formula_mark(data: np.ndarray, i: int, stop: int) -> int:
    """DOLLARS, SQUARE or FIRST_NAME + n for a line that begins a display formula, or -1."""
    if stop - i < 2:
        return -1
    if data[i] == ch.DOLLAR and data[i + 1] == ch.DOLLAR:
        return DOLLARS
    if data[i] != ch.BACKSLASH:
        return -1
    if data[i + 1] == ch.OPEN_SQUARE:
        return SQUARE
    number = _environment(data, i, stop, len("\\begin{"))
    return FIRST_NAME + number if number >= 0 else -1


@kernel
def _closes_formula(data: np.ndarray, i: int, stop: int, mark: int) -> int:
    """1 when the formula ends with this line, -1 when it cannot go on, 0 when it goes on."""
    if mark == DOLLARS:
        for k in range(i, stop - 1):
            if data[k] == ch.DOLLAR and data[k + 1] == ch.DOLLAR:
                return 1 if k + 2 == _last(data, i, stop) else -1
        return 0
    if mark == SQUARE:
        return int(_ends_with(data, i, stop, ch.BACKSLASH, ch.CLOSE_SQUARE))
    k = _last(data, i, stop) - 1
    if k < i or data[k] != ch.CLOSE_CURLY:
        return 0
    while k > i and data[k] != ch.BACKSLASH:
        k -= 1
    return int(_environment(data, k, stop, len("\\end{")) == mark - FIRST_NAME)


@kernel
def _is_tex(data: np.ndarray, i: int, stop: int) -> bool:
    """Whether a sign of TeX stands between: \\[注\\] is a bracket and no formula."""
    for k in range(i, stop):
        c = data[k]
        if c == ch.BACKSLASH or c == ch.CARET or c == ch.UNDERSCORE or c == ch.EQUALS:
            return True
    return False


@kernel
def _formula_end(data: np.ndarray, first: int, stop: int, failed: np.ndarray) -> int:
    """Where the display formula that begins at `first` ends, or -1: it stands alone on its lines.

    failed: for each mark, up to where none closes, so that no line is searched twice for it.
    """
    mark = _formula_mark(data, first, stop)
    if mark < 0 or first < failed[mark]:
        return -1
    i = first + 2
    while True:
        closed = _closes_formula(data, i, stop, mark)
        alone = closed == 1 and i == first + 2
        if alone and mark == SQUARE and not _is_tex(data, i, _last(data, i, stop) - 2):
            return -1
        if alone and mark == DOLLARS and _last(data, first, stop) == first + 4:
            return -1  # $$$$
        if closed == 1:
            return _last(data, first, stop)
        if closed < 0:
            break
        i = stop + 1
        if i >= len(data):
            break
        stop = _line_end(data, i)
        if _is_blank(data, i, stop):
            break
    failed[mark] = i
    return -1


@kernel
def _begins(data: np.ndarray, first: int, stop: int, interrupts: bool) -> int:
    """Kind of the block that the line begins by its first sign, or -1."""
    c = data[first]
    if c >= ch.ASCII_END:
        return -1
    if c == ch.GREATER:
        return kind.quote
    if fence_size(data, first, stop) > 0:
        return kind.code
    if _is_rule(data, first, stop):
        return kind.rule
    if _marker_end(data, first, stop, interrupts) > 0:
        return kind.item
    return kind.heading if _heading_level(data, first, stop) > 0 else -1


@kernel
def _fence_end(data: np.ndarray, first: int, stop: int, base: int) -> int:
    """Where the fenced code that begins at `first` ends: its closing fence, its item, the text."""
    mark, size = data[first], fence_size(data, first, stop)
    last = stop
    while stop + 1 < len(data):
        i = stop + 1
        stop = _line_end(data, i)
        at = _first(data, i, stop)
        if at == stop:
            continue
        column = indent_columns(data, i, at, 0)
        if column < base:
            break
        last = stop
        if column <= base + MAX_INDENT and closes_fence(data, at, stop, mark, size):
            break
    return last


@kernel
def _indented_end(data: np.ndarray, i: int, base: int) -> int:
    """Where the last line that is indented by four blanks or more from i on ends."""
    last = i
    while i < len(data):
        stop = _line_end(data, i)
        at = _first(data, i, stop)
        if not _is_blank(data, at, stop):
            if indent_columns(data, i, at, 0) <= base + MAX_INDENT:
                break
            last = stop
        i = stop + 1
    return last


@kernel
def _is_prose(data: np.ndarray, i: int, end: int) -> bool:
    """Whether indented lines are Japanese sentences: see the head of this file."""
    wide = narrow = stops = 0
    for k in range(i, end):
        c = data[k]
        narrow += ch.SPACE < c < ch.ASCII_END
        wide += c >= 0xC0
        stops += c == 0xE3 and k + 2 < end and data[k + 1] == 0x80 and data[k + 2] == 0x82
    return stops > 0 and wide > narrow


@kernel
def _run_end(data: np.ndarray, stop: int, base: int, block: int) -> int:
    """Where a quote or table ends whose first lines end at `stop`."""
    while stop + 1 < len(data):
        i = stop + 1
        end = _line_end(data, i)
        first = _first(data, i, end)
        if _is_blank(data, first, end):
            break
        column = indent_columns(data, i, first, 0)
        if not base <= column <= base + MAX_INDENT:
            break
        begins = _begins(data, first, end, False)
        if (block == kind.quote) != (begins == kind.quote) or (block == kind.table and begins >= 0):
            break
        stop = end
    return stop


@kernel
def _is_title(data: np.ndarray, start: int, end: int) -> bool:
    """Whether a paragraph can be an underlined heading: one line that ends with no 。."""
    for k in range(start, end):
        if data[k] == ch.LINE_FEED:
            return False
    end = _last(data, start, end)
    return not (
        end - start >= 3
        and data[end - 3] == 0xE3
        and data[end - 2] == 0x80
        and data[end - 1] == 0x82
    )


@kernel
def _add(out: np.ndarray, n: int, start: int, end: int, block: int, level: int) -> int:
    out[n, START], out[n, END], out[n, KIND], out[n, LEVEL], out[n, LANGUAGE] = (
        start, end, block, level, 0,
    )  # fmt: skip
    return n + 1


@kernel
def _leaf(
    data: np.ndarray, first: int, stop: int, base: int, lazy: bool, interrupts: bool,
    failed: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """(kind, end) of the block other than text that begins at `first`; (-1, 0) for none.

    Of an item the end is that of its sign. lazy: without a block here the line goes on with the
    text of an item whose column it does not reach.
    """
    if not lazy and _is_table(data, first, stop, base):
        return kind.table, _run_end(data, _line_end(data, stop + 1), base, kind.table)
    begins = _begins(data, first, stop, interrupts)
    if begins == kind.code:
        return begins, _fence_end(data, first, stop, base)
    if begins == kind.quote:
        return begins, _run_end(data, stop, base, begins)
    if begins == kind.item:
        return begins, _marker_end(data, first, stop, interrupts)
    if begins < 0:
        end = _formula_end(data, first, stop, failed)
        return (kind.formula, end) if end > 0 else (-1, 0)
    return begins, stop


@kernel
def _read(data: np.ndarray) -> np.ndarray:
    """int32 [n, WIDTH]: the blocks of UTF-8 text, positions in bytes, no languages."""
    room = 2
    for c in data:
        room += 2 * (c == ch.LINE_FEED)
    out = np.empty((room, WIDTH), np.int32)
    n = 0
    columns = np.zeros(MAX_DEPTH + 1, np.int64)  # [d]: where the text of the d-th open item begins
    depth = 0
    failed = np.zeros(FIRST_NAME + len(NAMES), np.int64)
    text = False  # the last block is a paragraph or an item's text, and goes on
    hollow = False  # the last line is an item's sign alone
    prose = 0  # indented lines before this are sentences
    i = 3 if len(data) > 2 and data[0] == 0xEF and data[1] == 0xBB and data[2] == 0xBF else 0
    while i < len(data):
        stop = _line_end(data, i)
        first = _first(data, i, stop)
        if _is_blank(data, first, stop):
            depth -= hollow
            text = hollow = False
            i = stop + 1
            continue
        hollow = False
        column = indent_columns(data, i, first, 0)
        inside = depth
        while inside and column < columns[inside]:
            inside -= 1
        base = columns[inside]
        end = stop
        if column - base > MAX_INDENT:
            if text:
                out[n - 1, END] = stop
            else:
                depth = inside
                end = _indented_end(data, i, base) if i >= prose else stop
                if i < prose or _is_prose(data, i, end):
                    prose, end, text = max(prose, end), stop, True
                n = _add(out, n, i, end, kind.paragraph if text else kind.code, 0)
            i = end + 1
            continue
        open_here = text and inside == depth
        under = _underline(data, first, stop) if open_here else 0
        if under and out[n - 1, KIND] == kind.paragraph:
            if _is_title(data, out[n - 1, START], out[n - 1, END]):
                out[n - 1, END], out[n - 1, KIND], out[n - 1, LEVEL] = stop, kind.heading, under
                text = False
                i = stop + 1
                continue
            text = under == 2  # a line of === becomes a paragraph of its own
        begins, end = _leaf(data, first, stop, base, text and not open_here, open_here, failed)
        if begins < 0:
            if text:
                out[n - 1, END] = stop
            else:
                depth = inside
                n = _add(out, n, i, stop, kind.paragraph, 0)
            text = True
            end = stop
        elif begins == kind.item:
            depth = min(inside + 1, MAX_DEPTH)
            columns[depth] = _text_column(data, end, stop, column + end - first)
            at = _first(data, end, stop)
            hollow = _is_blank(data, at, stop)
            text = not hollow
            fenced = text and fence_size(data, at, stop) > 0
            n = _add(out, n, i, end if fenced or hollow else stop, kind.item, depth)
            end = stop
            if fenced:
                end = _fence_end(data, at, stop, columns[depth])
                n = _add(out, n, at, end, kind.code, 0)
                text = False
        else:
            depth = inside
            level = _heading_level(data, first, stop) if begins == kind.heading else 0
            n = _add(out, n, i, end, begins, level)
            end = _line_end(data, end)
            text = False
        i = end + 1
    return out[:n]


def read(text: str) -> Blocks:
    """The blocks of a Markdown text: see the head of this file and docs/text.md.

    Lines end with line feeds. A span begins with the blanks of its first line; between spans stand
    line feeds, blank lines, and the blanks between an item's sign and a fence behind it.
    """
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    spans = to_points(data, _read(data))
    names: dict[str, int] = {}
    for k in np.flatnonzero(spans[:, KIND] == kind.code).tolist():
        info = _LANGUAGE.match(text, spans[k, START], spans[k, END])
        if info:
            spans[k, LANGUAGE] = names.setdefault(info.group(1).lower(), len(names) + 1)
    return Blocks(spans, tuple(names))
