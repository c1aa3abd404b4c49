"""The kept blocks of a page as Markdown with its blocks (docs/text.md), in three steps.

    plan ─pieces─▶ all prose in one text, holes where code and formulas stand
         ─Python─▶ lines that are boilerplate go, prose is normalised, `\\(…\\)` becomes a hole
         ─assemble─▶ signs, escapes, code and formulas byte for byte, spans

Prose is one text so that normalising costs one call a page.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from corpus.text.blocks import END, KIND, LANGUAGE, LEVEL, START, WIDTH, Blocks, kind, to_points
from corpus.text.escape import CELL, HEADING, LINES, put_escaped
from corpus.text.normalize import normalize
from corpus.web.html import blocks as b
from corpus.web.html.document import Document
from corpus.web.html.formulas import tex
from corpus.web.html.listings import label_of, language_of
from corpus.web.main_text import outline as o
from corpus.web.main_text.lines import boilerplate_pieces
from corpus.web.main_text.pieces import (
    H_END,
    H_FORMULA,
    H_START,
    HOLE,
    formula_number,
    pieces,
    places,
)  # fmt: skip
from corpus.web.main_text.signs import (
    indented,
    put_code,
    put_display,
    put_formula,
    put_listing,
    put_number,
    put_run,
)  # fmt: skip
from corpus.web.main_text.tex_text import may_hold_tex, with_tex
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

MAX_DEPTH = 16
MAX_OFFSET = 4 * MAX_DEPTH  # blanks before an inner item
COLON = (0xEF, 0xBC, 0x9A)  # ： in UTF-8
_BLANKS = re.compile(r"[ \t]*\n[ \t\n]*")

# What `assemble` counts (int64): bytes and spans written, the next piece, hole and listing, the
# depth of the item before, formulas that could not be read. From N_OFFSETS on: where the text of
# the items around begins, by depth.
N_OUT, N_SPANS, N_PIECE, N_HOLE, N_LISTING, N_DEPTH, N_UNREAD, N_OFFSETS = range(8)


class Parts(NamedTuple):
    """What a page is written from. text uint8, blocks int32 [n, B_WIDTH], plan int32 [k, P_WIDTH];
    prose uint8, holes int32 [h, H_WIDTH] and places int64 [pieces, 2] as in `pieces`;
    tex[tex_ends[k]:tex_ends[k + 1]] is formula k, names[name_ends[k]:name_ends[k + 1]] the language
    of the k-th listing of the plan."""

    text: np.ndarray
    blocks: np.ndarray
    plan: np.ndarray
    prose: np.ndarray
    holes: np.ndarray
    places: np.ndarray
    tex: np.ndarray
    tex_ends: np.ndarray
    names: np.ndarray
    name_ends: np.ndarray


@kernel
def _room(page: Parts) -> int:
    """Bytes that the Markdown takes at most."""
    room = 2 * len(page.prose) + len(page.names) + 64
    for hole in page.holes:
        if hole[H_FORMULA]:
            size = page.tex_ends[hole[H_START] + 1] - page.tex_ends[hole[H_START]]
            room += 6 * size + 20
        else:
            room += 4 * (hole[H_END] - hole[H_START]) + 24
    lines = 0
    for c in page.prose:
        lines += c == ch.LINE_FEED
    room += lines * (MAX_OFFSET + 12)
    for row in page.plan:
        room += MAX_OFFSET + 24
        if row[o.P_OP] == o.O_CODE:
            for block in page.blocks[row[o.P_START] : row[o.P_END]]:
                room += 3 * (block[b.B_END] - block[b.B_START]) + block[b.B_EMPTY] + 2
        elif row[o.P_OP] == o.O_TABLE:
            room += 8 * row[o.P_END]
    return room + 2 * len(page.tex) + 16 * len(page.tex_ends)


@inlined
def _put_formula(page: Parts, k: int, cell: bool, out: np.ndarray, now: np.ndarray) -> None:
    own = page.tex[page.tex_ends[k] : page.tex_ends[k + 1]]
    now[N_OUT] = put_formula(own, cell, out, now[N_OUT])
    now[N_UNREAD] += len(own) == 0


@inlined
def _put_piece(page: Parts, place: int, out: np.ndarray, now: np.ndarray) -> bool:
    """Write the next piece of prose, escaped, with its holes filled; whether it has anything.

    A blank parts signs that would be read as one: `a``b`, $x$$y$, and $x$ before a digit.
    """
    i, end = page.places[now[N_PIECE]]
    now[N_PIECE] += 1
    start = i
    while i < end:
        first = i
        h = now[N_HOLE]
        if h == len(page.holes):  # most pages have none
            i = end
        while i < end and page.prose[i] != HOLE:
            i += 1
        if i > first:
            digit = ch.ZERO <= page.prose[first] <= ch.NINE
            if first > start and digit and out[now[N_OUT] - 1] == ch.DOLLAR:
                out[now[N_OUT]] = ch.SPACE
                now[N_OUT] += 1
            now[N_OUT] = put_escaped(page.prose, first, i, place, out, now[N_OUT])
        elif i > start and page.holes[h, H_FORMULA] == page.holes[h - 1, H_FORMULA]:
            out[now[N_OUT]] = ch.SPACE
            now[N_OUT] += 1
        if i < end:
            low, high = page.holes[h, H_START], page.holes[h, H_END]
            if page.holes[h, H_FORMULA]:
                _put_formula(page, low, place == CELL, out, now)
            else:
                now[N_OUT] = put_code(page.text, low, high, place == CELL, out, now[N_OUT])
            now[N_HOLE] += 1
            i += 1
    return end > start


@inlined
def _table(page: Parts, k: int, out: np.ndarray, now: np.ndarray) -> bool:
    """Rows as lines between bars, a rule below the first; empty rows are left out."""
    start = now[N_OUT]
    wide = page.plan[k, o.P_END]
    for _ in range(page.plan[k, o.P_START]):
        line = now[N_OUT]
        if line > start:
            out[line] = ch.LINE_FEED
            now[N_OUT] += 1
        out[now[N_OUT]] = ch.BAR
        now[N_OUT] += 1
        filled = False
        for _ in range(wide):
            out[now[N_OUT]] = ch.SPACE
            now[N_OUT] += 1
            filled |= _put_piece(page, CELL, out, now)
            at = now[N_OUT]
            out[at], out[at + 1] = ch.SPACE, ch.BAR
            now[N_OUT] += 2
        if not filled:
            now[N_OUT] = line
        elif line == start:
            at = now[N_OUT]
            out[at], out[at + 1] = ch.LINE_FEED, ch.BAR
            at += 2
            for _ in range(wide):
                out[at] = out[at + 4] = ch.SPACE
                put_run(ch.HYPHEN, 3, out, at + 1)
                out[at + 5] = ch.BAR
                at += 6
            now[N_OUT] = at
    return now[N_OUT] > start


@inlined
def _is_lone_formula(page: Parts, k: int, now: np.ndarray) -> bool:
    """Whether operation k is a paragraph of one formula and nothing else."""
    if page.plan[k, o.P_OP] != o.O_PROSE or page.plan[k, o.P_KIND] != kind.paragraph:
        return False
    first, last = page.places[now[N_PIECE]]
    lone = last - first == 1 and page.prose[first] == HOLE
    return lone and page.holes[now[N_HOLE], H_FORMULA] == 1


@inlined
def _display(page: Parts, k: int, out: np.ndarray, now: np.ndarray) -> bool:
    """A formula of its own."""
    if page.plan[k, o.P_OP] == o.O_FORMULA:
        number = formula_number(page.text, page.plan[k, o.P_START])
    else:
        number = page.holes[now[N_HOLE], H_START]
        now[N_HOLE] += 1
        now[N_PIECE] += 1
    own = page.tex[page.tex_ends[number] : page.tex_ends[number + 1]]
    now[N_OUT] = put_display(own, out, now[N_OUT])
    now[N_UNREAD] += len(own) == 0
    return True


@inlined
def _listing(page: Parts, k: int, out: np.ndarray, now: np.ndarray) -> bool:
    """Code between fences, with its language."""
    number = now[N_LISTING]
    now[N_LISTING] += 1
    name = page.names[page.name_ends[number] : page.name_ends[number + 1]]
    own = page.blocks[page.plan[k, o.P_START] : page.plan[k, o.P_END]]
    at = put_listing(page.text, own, name, page.tex, page.tex_ends, out, now[N_OUT])
    now[N_OUT] = max(at, now[N_OUT])
    return at >= 0


@inlined
def _put_sign(page: Parts, k: int, out: np.ndarray, now: np.ndarray) -> int:
    """The sign of a heading, an item or a quote; the level of the block."""
    block, level, at = page.plan[k, o.P_KIND], page.plan[k, o.P_LEVEL], now[N_OUT]
    if block == kind.heading:
        at = put_run(ch.HASH, level, out, at)
        at = put_run(ch.SPACE, 1, out, at)
    elif block == kind.quote:
        out[at], out[at + 1] = ch.GREATER, ch.SPACE
        at += 2
    elif block == kind.item:  # no deeper than one below the item before
        level = max(min(level, now[N_DEPTH] + 1, MAX_DEPTH), 1)
        now[N_DEPTH] = level
        outer = now[N_OFFSETS + level - 1]
        at = put_number(page.plan[k, o.P_NUMBER], out, put_run(ch.SPACE, outer, out, at))
        now[N_OFFSETS + level] = min(at - now[N_OUT], MAX_OFFSET)
    now[N_OUT] = at
    return level


@inlined
def _put_value(page: Parts, term: int, out: np.ndarray, now: np.ndarray) -> bool:
    """`: ` and the value of the term that begins at out[term]; whether there is one."""
    first, last = page.places[now[N_PIECE]]
    at = now[N_OUT]
    if last > first and at > term:
        wide = at - term >= len(COLON)
        if wide:
            for i in range(len(COLON)):
                wide = wide and out[at - len(COLON) + i] == COLON[i]
        if not wide and out[at - 1] != ch.COLON:
            out[at] = ch.COLON
            at += 1
        out[at] = ch.SPACE
        now[N_OUT] = at + 1
    return _put_piece(page, LINES, out, now)


@inlined
def _prose(page: Parts, k: int, out: np.ndarray, now: np.ndarray) -> tuple[bool, int]:
    """(Whether there was anything, level) of a piece of prose, or a term with its value."""
    term = page.plan[k, o.P_OP] == o.O_TERM
    first, last = page.places[now[N_PIECE]]
    if first == last and not term:
        now[N_PIECE] += 1
        return False, 0
    start = now[N_OUT]
    level = _put_sign(page, k, out, now)
    body = now[N_OUT]
    heading = page.plan[k, o.P_KIND] == kind.heading
    filled = _put_piece(page, HEADING if heading else LINES, out, now)
    if term:
        filled |= _put_value(page, body, out, now)
    block = page.plan[k, o.P_KIND]
    blanks = body - start if block == kind.item else 0
    sign = ch.GREATER if block == kind.quote else 0
    now[N_OUT] = indented(out, body, now[N_OUT], blanks, sign)
    return filled, level


@kernel
def assemble(page: Parts) -> tuple[np.ndarray, np.ndarray, int]:
    """(Markdown uint8, spans int32 [n, WIDTH] in bytes, unread formulas) of a page."""
    out = np.empty(_room(page), np.uint8)
    spans = np.zeros((len(page.plan), WIDTH), np.int32)
    now = np.zeros(N_OFFSETS + MAX_DEPTH + 1, np.int64)
    lost = False  # what stood under the heading before
    for k in range(len(page.plan)):
        op, block, level = page.plan[k, o.P_OP], page.plan[k, o.P_KIND], page.plan[k, o.P_LEVEL]
        n, before = now[N_SPANS], now[N_OUT]
        if op == o.O_CELL:  # written with its table or term
            continue
        if op == o.O_RULE and (n == 0 or spans[n - 1, KIND] == kind.rule):
            continue
        if lost and block == kind.heading and n and level <= spans[n - 1, LEVEL]:
            n = now[N_SPANS] = n - 1  # a heading of nothing
            before = now[N_OUT] = spans[n - 1, END] if n else 0
        close = page.plan[k, o.P_CLOSE] and n > 0 and spans[n - 1, KIND] == block
        # an inner list that begins with another number than 1 would go on with the text above
        counts = close and level > now[N_DEPTH] and page.plan[k, o.P_NUMBER] > 1
        if n:
            now[N_OUT] = put_run(ch.LINE_FEED, 1 if close and not counts else 2, out, before)
        if not close:
            now[N_DEPTH] = 0
        start = now[N_OUT]
        if op == o.O_CODE:
            written = _listing(page, k, out, now)
        elif op == o.O_TABLE:
            written = _table(page, k, out, now)
        elif op == o.O_RULE:
            now[N_OUT] = put_run(ch.HYPHEN, 3, out, start)
            written = True
        elif op == o.O_FORMULA or _is_lone_formula(page, k, now):
            block = kind.formula
            written = _display(page, k, out, now)
        else:
            written, level = _prose(page, k, out, now)
        if written:
            spans[n, START], spans[n, END], spans[n, KIND] = start, now[N_OUT], block
            spans[n, LEVEL] = level
            spans[n, LANGUAGE] = now[N_LISTING] if op == o.O_CODE else 0
            now[N_SPANS] += 1
            lost = block == kind.heading and page.plan[k, o.P_NUMBER] > 0
        else:
            now[N_OUT] = before
            lost = n > 0 and spans[n - 1, KIND] == kind.heading
    n = now[N_SPANS]
    if n and spans[n - 1, KIND] == kind.rule:  # that parts nothing
        n -= 1
    return out[: spans[n - 1, END] if n else 0], spans[:n], now[N_UNREAD]


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
    formulas = _formulas(document, plan, holes)
    if may_hold_tex(prose, document.source):
        prose, holes, found = with_tex(prose, holes, len(formulas), document.source)
        formulas += found
    if steps:
        prose = normalize(prose.rstrip("\n"), steps, marks=True)
    names = _languages(document, plan)
    data = _bytes(prose)
    at, rough = places(data, plan)
    if rough:
        data = _bytes(_BLANKS.sub("\n", prose))
        at, _ = places(data, plan)
    page = Parts(text, blocks, plan, data, holes, at, *_buffers(formulas), *_buffers(names))
    out, spans, unread = assemble(page)
    written = out.tobytes().decode("utf-8", "replace")
    return written, Blocks(to_points(out, spans), tuple(names)), int(unread)


def _languages(document: Document, plan: np.ndarray) -> list[str]:
    """Language of every listing of a plan. One that stands in a head over it leaves the code."""
    names = []
    for k in np.flatnonzero(plan[:, o.P_OP] == o.O_CODE):
        row = plan[k]
        label = label_of(document.text, document.blocks[row[o.P_START] : row[o.P_END]])
        row[o.P_START] += label != ""
        found = language_of(document.source, document.elements, int(row[o.P_NUMBER]))
        names.append(found or label)
    return names


def _formulas(document: Document, plan: np.ndarray, holes: np.ndarray) -> list[str]:
    """TeX of every formula of a page, "" for one that cannot be read or is not kept."""
    sources = document.formulas() if document.has_formulas else []
    if not sources:
        return []
    wanted = _wanted(document.text, document.blocks, plan, holes, len(sources) + 1)
    formulas = [tex(source) if wanted[k] else "" for k, source in enumerate(sources)]
    return [*formulas, ""]  # those beyond MAX_FORMULAS share the last number


@kernel
def _wanted(
    text: np.ndarray, blocks: np.ndarray, plan: np.ndarray, holes: np.ndarray, count: int
) -> np.ndarray:
    """bool [count]: which formulas stand in what is kept."""
    out = np.zeros(count, np.bool_)
    for hole in holes:
        if hole[H_FORMULA]:
            out[hole[H_START]] = True
    for row in plan:
        if row[o.P_OP] == o.O_FORMULA:
            out[formula_number(text, row[o.P_START])] = True
        elif row[o.P_OP] == o.O_CODE:
            for i in range(row[o.P_START], row[o.P_END]):
                for at in range(blocks[i, b.B_START], blocks[i, b.B_END]):
                    if text[at] == b.FORMULA:
                        out[formula_number(text, at)] = True
    return out


_NOTHING = np.zeros(0, np.uint8), np.zeros(1, np.int64)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)


def _buffers(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(UTF-8 bytes of all texts, int64 [n + 1] where each begins and ends)."""
    if not texts:  # of most pages
        return _NOTHING
    parts = [text.encode("utf-8", "replace") for text in texts]
    return np.frombuffer(b"".join(parts), np.uint8).copy(), np.cumsum([0, *map(len, parts)])
