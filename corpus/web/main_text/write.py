"""The kept blocks of a page as Markdown with its blocks (docs/text.md), in three steps.

    plan ─pieces─▶ all prose in one text, holes where code and formulas stand
         ─Python─▶ lines that are boilerplate go, prose is normalised, `\\(…\\)` becomes a hole
         ─assemble─▶ signs, escapes, code and formulas byte for byte, spans

Prose is one text so that normalising costs one call a page; U+001E on a line of its own parts the
pieces, U+001F is a hole. Neither can come from a page: the walk drops control characters.
"""

from __future__ import annotations

import re

import numpy as np

from corpus.text.blocks import END, KIND, LANGUAGE, LEVEL, START, WIDTH, Blocks, kind, to_points
from corpus.text.escape import put_escaped
from corpus.text.normalize import normalize
from corpus.web.html import blocks as b
from corpus.web.html.document import Document
from corpus.web.html.formulas import tex
from corpus.web.html.listings import language_of
from corpus.web.main_text import outline as o
from corpus.web.main_text.lines import boilerplate_pieces
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

HOLE, PART = 0x1F, 0x1E
UNREAD = "〈数式〉"  # stands for a formula that could not be read
_UNREAD = np.frombuffer(UNREAD.encode(), np.uint8)
MAX_CODE = 300  # bytes of inline code; longer ones with a full stop are prose in another type
MAX_DEPTH = 16
MIN_FENCE = 3
# Columns of the holes (int32): code with its bytes in the page's text, or a formula's number.
H_FORMULA, H_START, H_END, H_WIDTH = range(4)
FULL_STOP = (0xE3, 0x80, 0x82)  # 。 in UTF-8


@kernel
def formula_number(text: np.ndarray, i: int) -> int:
    """Number of the formula whose mark stands at i."""
    number = 0
    for k in range(b.NUMBER_BYTES):
        number |= (text[i + 1 + k] & 0x3F) << (6 * k)
    return number


@kernel
def _is_code(text: np.ndarray, start: int, end: int) -> bool:
    """Whether what stands in another type is code: short, or without a Japanese full stop."""
    if end - start <= MAX_CODE:
        return True
    for i in range(start, end - 2):
        if text[i] == FULL_STOP[0] and text[i + 1] == FULL_STOP[1] and text[i + 2] == FULL_STOP[2]:
            return False
    return True


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
            holes[h, H_FORMULA], holes[h, H_START], holes[h, H_END] = 1, formula_number(text, i), 0
            out[at] = HOLE
            at, h, i = at + 1, h + 1, i + 1 + b.NUMBER_BYTES
        elif c == b.CODE_ON:
            i += 1
            last = i
            while last < end and text[last] != b.CODE_OFF:
                last += 1
            code = _is_code(text, i, last)
            while i < last:
                # a line of code is a hole; blanks at its ends stand outside
                stop = i
                while stop < last and text[stop] != ch.LINE_FEED and text[stop] != b.FORMULA:
                    stop += 1
                tail = stop
                while tail > i and text[tail - 1] <= ch.SPACE:
                    tail -= 1
                if tail > i and code:
                    holes[h, H_FORMULA], holes[h, H_START], holes[h, H_END] = 0, i, tail
                    out[at] = HOLE
                    at, h = at + 1, h + 1
                elif tail > i:
                    out[at : at + tail - i] = text[i:tail]
                    at += tail - i
                if tail < stop:
                    out[at] = ch.SPACE
                    at += 1
                if stop < last and text[stop] == b.FORMULA:
                    holes[h, H_FORMULA], holes[h, H_START] = 1, formula_number(text, stop)
                    out[at] = HOLE
                    at, h, stop = at + 1, h + 1, stop + b.NUMBER_BYTES
                elif stop < last:
                    out[at] = ch.SPACE if one_line else ch.LINE_FEED
                    at += 1
                i = stop + 1
            i = last + 1
        else:
            out[at] = ch.SPACE if one_line and c == ch.LINE_FEED else c
            at, i = at + 1, i + 1
    return at, h


@kernel
def pieces(text: np.ndarray, blocks: np.ndarray, plan: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(prose uint8, holes int32 [h, H_WIDTH]) of a plan: a piece for each O_PROSE, O_TERM, O_CELL."""
    room = marks = 0
    for row in plan:
        op = row[o.P_OP]
        low, high = row[o.P_START], row[o.P_END]
        if op == o.O_CELL and high > low:
            low, high = blocks[low, b.B_START], blocks[high - 1, b.B_END] + high - low
        if op == o.O_PROSE or op == o.O_TERM or op == o.O_CELL:
            room += high - low + 3
            for i in range(low, min(high, len(text))):
                marks += text[i] == b.FORMULA or text[i] == b.CODE_ON or text[i] == ch.LINE_FEED
    out = np.empty(room + 1, np.uint8)
    holes = np.empty((marks + 1, H_WIDTH), np.int32)
    at = h = 0
    for row in plan:
        op, low, high = row[o.P_OP], row[o.P_START], row[o.P_END]
        if op == o.O_PROSE or op == o.O_TERM:
            heading = row[o.P_KIND] == kind.heading
            at, h = _piece(text, low, high, heading or op == o.O_TERM, out, at, holes, h)
        elif op == o.O_CELL:
            for i in range(low, high):
                if i > low:
                    out[at] = ch.SPACE
                    at += 1
                at, h = _piece(
                    text, blocks[i, b.B_START], blocks[i, b.B_END], True, out, at, holes, h
                )
        else:
            continue
        out[at], out[at + 1], out[at + 2] = ch.LINE_FEED, PART, ch.LINE_FEED
        at += 3
    return out[:at], holes[:h]


@kernel
def _put_code(text: np.ndarray, start: int, end: int, cell: bool, out: np.ndarray, at: int) -> int:
    """Inline code between backticks, more of them than any run inside."""
    run = longest = 0
    for i in range(start, end):
        run = run + 1 if text[i] == ch.BACKTICK else 0
        longest = max(longest, run)
    ticks = longest + 1 if longest else 1
    out[at : at + ticks] = ch.BACKTICK
    at += ticks
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
    out[at : at + ticks] = ch.BACKTICK
    return at + ticks


@inlined
def _put_word(word: np.ndarray, out: np.ndarray, at: int) -> int:
    out[at : at + len(word)] = word
    return at + len(word)


_VERT = np.frombuffer(b"\\vert ", np.uint8)
_DOUBLE_VERT = np.frombuffer(b"\\Vert ", np.uint8)


@kernel
def _put_formula(
    tex_of: np.ndarray, start: int, end: int, cell: bool, out: np.ndarray, at: int
) -> int:
    """A formula between dollars on one line; the mark of an unread one."""
    if start == end:
        return _put_word(_UNREAD, out, at)
    out[at] = ch.DOLLAR
    at += 1
    i = start
    while i < end:
        c = tex_of[i]
        if cell and c == ch.BAR:
            at = _put_word(_VERT, out, at)
        elif cell and c == ch.BACKSLASH and i + 1 < end and tex_of[i + 1] == ch.BAR:
            at = _put_word(_DOUBLE_VERT, out, at)
            i += 1
        else:
            out[at] = ch.SPACE if c == ch.LINE_FEED else c
            at += 1
        i += 1
    out[at] = ch.DOLLAR
    return at + 1


@kernel
def _put_piece(
    prose: np.ndarray, start: int, end: int, cell: bool, text: np.ndarray, holes: np.ndarray,
    h: int, tex_of: np.ndarray, tex_ends: np.ndarray, out: np.ndarray, at: int,
) -> tuple[int, int]:  # fmt: skip
    """Write a piece of prose, escaped, with its holes filled; (place, next hole)."""
    i = start
    while i < end:
        if prose[i] == HOLE:
            if holes[h, H_FORMULA]:
                k = holes[h, H_START]
                at = _put_formula(tex_of, tex_ends[k], tex_ends[k + 1], cell, out, at)
            else:
                at = _put_code(text, holes[h, H_START], holes[h, H_END], cell, out, at)
            h, i = h + 1, i + 1
        else:
            first = i
            while i < end and prose[i] != HOLE:
                i += 1
            at = put_escaped(prose, first, i, cell, out, at)
    return at, h


@kernel
def _indented(out: np.ndarray, start: int, at: int, prefix: int, sign: int) -> int:
    """Begin each further line of out[start:at] with `prefix` blanks, or with the sign `> `."""
    lines = 0
    for i in range(start, at):
        lines += out[i] == ch.LINE_FEED
    size = 2 if sign else prefix
    if lines == 0 or size == 0:
        return at
    end = at + lines * size
    to = end
    for i in range(at - 1, start - 1, -1):
        if out[i] == ch.LINE_FEED:
            for k in range(size):
                to -= 1
                out[to] = ch.SPACE
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
        if ch.ZERO <= text[i] <= ch.NINE and value < 100_000:
            value = 10 * value + (text[i] - ch.ZERO)
        elif text[i] > ch.SPACE:
            return -1
    return value if block[b.B_END] > block[b.B_START] else -1


@kernel
def _numbered(text: np.ndarray, blocks: np.ndarray, first: int, last: int) -> bool:
    """Whether every other block is the number of the line behind it: 1, 2, 3 …"""
    if last - first < 4 or (last - first) % 2:
        return False
    begin = _number_in(text, blocks[first])
    for i in range(first, last, 2):
        if begin < 0 or _number_in(text, blocks[i]) != begin + (i - first) // 2:
            return False
    return True


@kernel
def _put_listing(
    text: np.ndarray, blocks: np.ndarray, first: int, last: int, name: np.ndarray,
    out: np.ndarray, at: int,
) -> int:  # fmt: skip
    """A fence with the language, the listing byte for byte, and the fence again."""
    run, fence = 0, MIN_FENCE
    for i in range(blocks[first, b.B_START], blocks[last - 1, b.B_END]):
        run = run + 1 if text[i] == ch.BACKTICK else 0
        fence = max(fence, run + 1)
    out[at : at + fence] = ch.BACKTICK
    at = _put_word(name, out, at + fence)
    out[at] = ch.LINE_FEED
    at += 1
    body = at
    numbered = _numbered(text, blocks, first, last)
    for i in range(first, last):
        if numbered and (i - first) % 2 == 0:
            continue
        if i > first + numbered:
            for _ in range(blocks[i, b.B_EMPTY] + 1):
                out[at] = ch.LINE_FEED
                at += 1
        k, end = blocks[i, b.B_START], blocks[i, b.B_END]
        if i == first + numbered:  # lines of blanks before the first one with words
            for j in range(k, end):
                if text[j] == ch.LINE_FEED:
                    k = j + 1
                elif text[j] > ch.SPACE:
                    break
        while k < end:
            if text[k] == b.FORMULA:
                k += b.NUMBER_BYTES
            elif text[k] != b.CODE_ON and text[k] != b.CODE_OFF:
                out[at] = text[k]
                at += 1
            k += 1
    while at > body and out[at - 1] <= ch.SPACE:
        at -= 1
    if at == body:
        return -1
    out[at] = ch.LINE_FEED
    out[at + 1 : at + 1 + fence] = ch.BACKTICK
    return at + 1 + fence


@kernel
def _put_number(number: int, out: np.ndarray, at: int) -> int:
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


@kernel
def _pieces_at(prose: np.ndarray, count: int) -> np.ndarray:
    """int64 [count, 2]: where each piece of the normalised prose begins and ends."""
    out = np.zeros((count, 2), np.int64)
    start = i = 0
    for k in range(count):
        i = start
        while i < len(prose) and prose[i] != PART:
            i += 1
        first, end = start, min(i, len(prose))
        while first < end and (prose[first] == ch.SPACE or prose[first] == ch.LINE_FEED):
            first += 1
        while end > first and (prose[end - 1] == ch.SPACE or prose[end - 1] == ch.LINE_FEED):
            end -= 1
        out[k, 0], out[k, 1] = first, end
        start = i + 1
    return out


@kernel
def _room(
    blocks: np.ndarray, plan: np.ndarray, prose: np.ndarray, holes: np.ndarray,
    tex_ends: np.ndarray, names: np.ndarray,
) -> int:  # fmt: skip
    """Bytes that the Markdown takes at most."""
    room = 2 * len(prose) + len(names) + 64
    for hole in holes:
        if hole[H_FORMULA]:
            size = tex_ends[hole[H_START] + 1] - tex_ends[hole[H_START]]
            room += 6 * size + 16
        else:
            room += 4 * (hole[H_END] - hole[H_START]) + 8
    lines = 0
    for c in prose:
        lines += c == ch.LINE_FEED
    room += lines * (4 * MAX_DEPTH + 12)
    for row in plan:
        room += 24 + 4 * MAX_DEPTH
        if row[o.P_OP] == o.O_CODE:
            for i in range(row[o.P_START], row[o.P_END]):
                room += 3 * (blocks[i, b.B_END] - blocks[i, b.B_START]) + blocks[i, b.B_EMPTY] + 2
        elif row[o.P_OP] == o.O_FORMULA:
            room += 2 * (tex_ends[-1] if len(tex_ends) else 0) // max(len(tex_ends) - 1, 1)
        elif row[o.P_OP] == o.O_TABLE:
            room += 8 * row[o.P_END]
    return room + 2 * (tex_ends[-1] if len(tex_ends) else 0)


@kernel
def assemble(
    text: np.ndarray, blocks: np.ndarray, plan: np.ndarray, prose: np.ndarray,
    holes: np.ndarray, tex_of: np.ndarray, tex_ends: np.ndarray,
    names: np.ndarray, name_ends: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(Markdown uint8, spans int32 [n, WIDTH] in bytes) of a page.

    prose, holes: of `pieces`, normalised; tex_of[tex_ends[k]:tex_ends[k + 1]] is formula k, and
    names[name_ends[k]:name_ends[k + 1]] the language of the k-th O_CODE of the plan.
    """
    count = 0
    for row in plan:
        count += row[o.P_OP] == o.O_PROSE or row[o.P_OP] == o.O_TERM or row[o.P_OP] == o.O_CELL
    at_piece = _pieces_at(prose, count)
    out = np.empty(_room(blocks, plan, prose, holes, tex_ends, names), np.uint8)
    spans = np.zeros((len(plan), WIDTH), np.int32)
    offsets = np.zeros(MAX_DEPTH + 1, np.int64)  # where the text of the items around begins
    at = n = h = piece = listing = depth = 0
    k = 0
    while k < len(plan):
        row = plan[k]
        op, block = row[o.P_OP], row[o.P_KIND]
        k += 1
        before = at
        # What parts it from the block before: a line feed between items of a list, else two.
        if at:
            close = block == kind.item and row[o.P_CLOSE] and spans[n - 1, KIND] == kind.item
            out[at] = ch.LINE_FEED
            out[at + 1] = ch.LINE_FEED
            at += 1 if close else 2
            depth = depth if close else 0
        start = at
        level = row[o.P_LEVEL]
        first = last = 0
        if op == o.O_PROSE or op == o.O_TERM or op == o.O_CELL:
            first, last = at_piece[piece]
            piece += 1
        if op == o.O_CODE:
            name = names[name_ends[listing] : name_ends[listing + 1]]
            listing += 1
            at = _put_listing(text, blocks, row[o.P_START], row[o.P_END], name, out, at)
            if at < 0:
                at = before
                continue
        elif op == o.O_FORMULA or (
            op == o.O_PROSE and block == kind.paragraph and last - first == 1
            and prose[first] == HOLE and holes[h, H_FORMULA]
        ):  # fmt: skip
            if op == o.O_FORMULA:
                number = formula_number(text, row[o.P_START])
            else:
                number = holes[h, H_START]
                h += 1
            block = kind.formula
            begin, end = tex_ends[number], tex_ends[number + 1]
            if begin == end:
                at = _put_word(_UNREAD, out, at)
            else:
                out[at], out[at + 1], out[at + 2] = ch.DOLLAR, ch.DOLLAR, ch.LINE_FEED
                at = _put_word(tex_of[begin:end], out, at + 3)
                out[at], out[at + 1], out[at + 2] = ch.LINE_FEED, ch.DOLLAR, ch.DOLLAR
                at += 3
        elif op == o.O_RULE:
            if n == 0:
                at = before
                continue
            out[at : at + 3] = ch.HYPHEN
            at += 3
        elif op == o.O_TABLE:
            high, wide = row[o.P_START], row[o.P_END]
            written = 0
            for r in range(high):
                line = at
                filled = False
                if written:
                    out[at] = ch.LINE_FEED
                    at += 1
                out[at] = ch.BAR
                at += 1
                for _ in range(wide):
                    first, last = at_piece[piece]
                    piece += 1
                    k += 1
                    out[at] = ch.SPACE
                    at += 1
                    at, h = _put_piece(
                        prose, first, last, True, text, holes, h, tex_of, tex_ends, out, at
                    )
                    filled = filled or last > first
                    out[at], out[at + 1] = ch.SPACE, ch.BAR
                    at += 2
                if not filled:
                    at = line
                    continue
                written += 1
                if written == 1:
                    out[at], out[at + 1] = ch.LINE_FEED, ch.BAR
                    at += 2
                    for _ in range(wide):
                        out[at], out[at + 1], out[at + 5], out[at + 6] = (
                            ch.SPACE, ch.HYPHEN, ch.SPACE, ch.BAR,
                        )  # fmt: skip
                        out[at + 2], out[at + 3], out[at + 4] = ch.HYPHEN, ch.HYPHEN, ch.SPACE
                        out[at + 5] = ch.BAR
                        at += 6
            if written == 0:
                at = before
                continue
        else:
            value_first = value_last = 0
            if op == o.O_TERM:
                value_first, value_last = at_piece[piece]
                piece += 1
                k += 1
            if first == last and value_first == value_last:
                at = before
                continue
            indent = 0
            if block == kind.heading:
                out[at : at + level] = ch.HASH
                out[at + level] = ch.SPACE
                at += level + 1
            elif block == kind.item:
                depth = max(min(min(level, depth + 1), MAX_DEPTH), 1)
                level = depth
                out[at : at + offsets[depth - 1]] = ch.SPACE
                at = _put_number(row[o.P_NUMBER], out, at + offsets[depth - 1])
                indent = at - start
                offsets[depth] = min(indent, 4 * MAX_DEPTH)
            elif block == kind.quote:
                out[at], out[at + 1] = ch.GREATER, ch.SPACE
                at += 2
            body = at
            at, h = _put_piece(prose, first, last, False, text, holes, h, tex_of, tex_ends, out, at)
            if value_last > value_first:
                if last > first:
                    colon = out[at - 1] == ch.COLON or (
                        out[at - 3] == 0xEF and out[at - 2] == 0xBC and out[at - 1] == 0x9A
                    )
                    if not colon:
                        out[at] = ch.COLON
                        at += 1
                    out[at] = ch.SPACE
                    at += 1
                at, h = _put_piece(
                    prose, value_first, value_last, False, text, holes, h, tex_of, tex_ends, out, at
                )
            sign = ch.GREATER if block == kind.quote else 0
            at = _indented(out, body, at, indent, sign)
        spans[n, START], spans[n, END], spans[n, KIND], spans[n, LEVEL] = start, at, block, level
        if op == o.O_CODE:
            spans[n, LANGUAGE] = listing
        n += 1
    return out[:at], spans[:n]


# TeX in the page's own text, as MathJax reads it. Dollars only where the page loads a renderer.
_TEX_TEXT = re.compile(
    r"\x1f|\$\$([^$\x1e\x1f]{1,4000}?)\$\$|\\\(([^\x1e\x1f]{1,2000}?)\\\)"
    r"|\\\[([^\x1e\x1f]{1,4000}?)\\\]"
    r"|(\\begin\{(equation|align|gather|eqnarray|multline|alignat|math|displaymath)(\*?)\}"
    r"[^\x1e\x1f]{1,4000}?\\end\{\5\6\})|\[tex:([^\x1e\x1f\]]{1,1000})\]",
    re.S,
)
_TEX_DOLLARS = re.compile(
    _TEX_TEXT.pattern + r"|(?<![\\$\w])\$(?![\s$\d])([^$\x1e\x1f\n]{1,500}?)(?<![\s\\])\$(?![\d$])",
    re.S,
)
_SIGNS = re.compile(r"[\\^_{}=]|[A-Za-z]")
_RENDERER = re.compile(rb"(?i)mathjax|katex")


def write(
    document: Document, keep: np.ndarray, steps: tuple[str, ...] = ()
) -> tuple[str, Blocks, int]:
    """(Markdown, blocks, formulas that could not be read) of the kept blocks (bool [n]) of a page.

    steps: of `corpus.text.normalize`, applied to prose.
    """
    text, blocks, elements = document.text, document.blocks, document.elements
    plan = o.outline(text, blocks, elements, keep)
    raw, holes = pieces(text, blocks, plan)
    prose = boilerplate_pieces(raw.tobytes().decode("utf-8", "replace"), plan)
    formulas = [tex(source) for source in document.formulas()] if document.has_formulas else []
    if "\\" in prose or "$$" in prose or "[tex:" in prose or "$" in prose:
        prose, holes, found = _with_tex(prose, holes, len(formulas), document.source)
        formulas += found
    if steps:
        prose = normalize(prose.rstrip("\n"), steps, marks=True)
    source = document.source
    names = [
        language_of(source, elements, int(row[o.P_NUMBER]))
        for row in plan[plan[:, o.P_OP] == o.O_CODE]
    ]
    out, spans = assemble(
        text, blocks, plan, np.frombuffer(prose.encode("utf-8", "replace"), np.uint8), holes,
        *_buffers(formulas), *_buffers(names),
    )  # fmt: skip
    unread = out.tobytes().count(UNREAD.encode()) if "" in formulas else 0
    return (
        out.tobytes().decode("utf-8", "replace"),
        Blocks(to_points(out, spans), tuple(names)),
        unread,
    )


_NOTHING = np.zeros(0, np.uint8), np.zeros(1, np.int64)


def _buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(UTF-8 bytes of all texts, int64 [n + 1] where each begins and ends)."""
    if not texts:  # of most pages
        return _NOTHING
    parts = [text.encode("utf-8", "replace") for text in texts]
    return np.frombuffer(b"".join(parts), np.uint8).copy(), np.cumsum([0, *map(len, parts)])


def _with_tex(
    prose: str, holes: np.ndarray, known: int, source: bytes
) -> tuple[str, np.ndarray, list[str]]:
    """Prose with holes for the TeX between delimiters in it, all holes in order, the formulas."""
    renders = _RENDERER.search(source) is not None
    pattern = _TEX_DOLLARS if renders and "$" in prose else _TEX_TEXT
    old = iter(holes.tolist())
    rows: list[list[int]] = []
    found: list[str] = []

    def hole(match: re.Match[str]) -> str:
        if match[0] == "\x1f":
            rows.append(next(old))
            return "\x1f"
        groups = match.groups()
        inside = next(g for g in groups if g)
        if groups[0] is not None and not renders and not _SIGNS.search(inside):
            return match[0]
        rows.append([1, known + len(found), 0])
        found.append("\n".join(line.strip() for line in inside.strip().split("\n")))
        return "\x1f"

    text = pattern.sub(hole, prose)
    return text, np.array(rows, np.int32).reshape(-1, H_WIDTH), found
