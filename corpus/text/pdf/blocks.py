"""The pages of a document as one text: typed blocks over all pages.

    pages ─▶ without running heads and page numbers ─▶ headings by size ─▶ paragraphs, items, notes

A sentence goes on over columns and pages; notes at the foot of a page follow the paragraph that
runs over it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from corpus.text.lines import (
    INDENT,
    LONG,
    Line,
    Page,
    adjacent,
    at_margin,
    begins,
    join,
    running_heads,
)
from corpus.text.pdf.careful import in_order
from corpus.text.pdf.page import PageText, PrintedLine, Table
from corpus.text.pdf.tables import continued, resumed

ALIKE = 0.12  # of a size: lines of one paragraph differ by no more
LARGER = 1.15  # than text: a heading
HEADING_CHARS = 80  # of a heading, at most
BOLD_CHARS = 40  # of a heading that is only bold
FEW = 0.3  # of a document's characters: more are no headings
NOTE = 0.93  # of the size of text: notes are no larger
DEEP = 2.5  # of a size: the deepest indent that begins a paragraph
VERSE = 3.0  # of a size: lines of Japanese prose end no further from the end of their column
WIDER = 1.35  # than lines are apart: a gap between paragraphs
_KANJI_NUMBER = re.compile("[一二三四五六七八九十百]{1,4}")
_SENTENCE_END = re.compile(r"[。．！？!?」』）)]$")
_SENTENCE = re.compile("[。、，,]$")
_BULLET = re.compile(r"^[•●◦■◆▪‣・➢✓](?=[\s　]*\S)[\s　]*")
_LABEL = re.compile(
    r"^(?:[一二三四五六七八九十]{1,3}(?:の[一二三四五六七八九十]{1,2})?|[0-9０-９]{1,2}[.．]?"
    r"|[(（][0-9０-９一二三四五六七八九十]{1,2}[)）]|[①-⑳]"
    r"|第[0-9０-９一二三四五六七八九十百]{1,6}条)　"
)
_NOTE = re.compile(
    r"^[\s　]*(?:[*＊※†‡][0-9０-９]*|[(（\[]?注?[0-9０-９]{1,3}[)）.．\]]?|注[)）]?)[\s　]*\D"
)

Block = tuple[str, int, object]  # kind, level, words (of a table: rows of cells)


class _Mark(NamedTuple):
    """A line with what it is: heading, item or paragraph, and its level."""

    kind: str
    level: int
    printed: PrintedLine


def blocks_of(pages: Sequence[PageText]) -> list[Block]:
    """The blocks of a document, of pages in order."""
    kept = _without_heads(pages)
    for page in kept:
        page.parts = in_order(page)
    printed = [part for page in kept for part in page.parts if isinstance(part, PrintedLine)]
    body = _body_size(printed)
    levels = _levels(printed, body)
    flow = _Flow()
    for page in kept:
        parts, notes = _notes(page, body)
        pitch, columns = _pitch(parts), _columns(parts)
        for k, part in enumerate(parts):
            if isinstance(part, Table):
                flow.table(part, k == 0)
                continue
            below = parts[k + 1] if k + 1 < len(parts) else None
            flow.line(_marked(part, body, levels), _alike(part, below), pitch, columns[k])
        flow.notes(notes)
    flow.close()
    return flow.blocks


def _alike(printed: PrintedLine, below: PrintedLine | Table | None) -> Line | None:
    """The line behind a line, if it is of the same size."""
    if not isinstance(below, PrintedLine) or not _same_size(printed, below):
        return None
    return below.line


def _same_size(one: PrintedLine, other: PrintedLine) -> bool:
    return abs(one.size - other.size) <= ALIKE * max(one.size, other.size)


def _without_heads(pages: Sequence[PageText]) -> list[PageText]:
    """The pages without what the edges of several have in common, and without page numbers."""
    plain = [
        Page(p.width, p.height, [x.line for x in p.parts if isinstance(x, PrintedLine)])
        for p in pages
    ]
    heads = running_heads(plain)
    return [
        PageText(page.width, page.height, [
            part for part in page.parts
            if isinstance(part, Table)
            or not at_margin(part.line, own, heads)
            or _is_label(part, page)
        ], "", page.vertical, page.ordered)
        for page, own in zip(pages, plain, strict=True)
    ]  # fmt: skip


def _is_label(printed: PrintedLine, page: PageText) -> bool:
    """Whether a number at the head of a vertical page is that of the item that begins below it."""
    line = printed.line
    if not line.vertical or not _KANJI_NUMBER.fullmatch(line.text):
        return False
    return any(
        isinstance(part, PrintedLine)
        and part.line.vertical
        and abs(part.line.x + part.line.width / 2 - line.x - line.width / 2) < printed.size / 2
        and 0 <= part.line.begin - line.end < 2 * printed.size
        for part in page.parts
    )


def _body_size(lines: Sequence[PrintedLine]) -> float:
    sizes = Counter[float]()
    for printed in lines:
        sizes[round(printed.size * 2) / 2] += len(printed.line.text)
    return max(sizes, key=lambda size: (sizes[size], size), default=10.0)


def _levels(lines: Sequence[PrintedLine], body: float) -> dict[float, int]:
    """Size → level of the headings of that size; 0.0 is the size of bold ones like text."""
    total = sum(len(x.line.text) for x in lines)
    large = [x for x in lines if x.size >= LARGER * body]
    bold = [x for x in lines if _is_bold_heading(x, body)]
    levels: dict[float, int] = {}
    if sum(len(x.line.text) for x in large) <= FEW * total or len(lines) == len(large):
        for size in sorted({_rounded(x.size) for x in large}, reverse=True):
            levels[size] = len(levels) + 1
    if sum(len(x.line.text) for x in bold) <= FEW * total and bold:
        levels[0.0] = max(len(levels) + 1, 2)
    return levels


def _rounded(size: float) -> float:
    return round(size * 2) / 2


def _is_bold_heading(printed: PrintedLine, body: float) -> bool:
    words = printed.line.text
    return (
        printed.bold
        and len(words) <= BOLD_CHARS
        and NOTE * body < printed.size < LARGER * body
        and not _SENTENCE.search(words)
    )


def _marked(printed: PrintedLine, body: float, levels: dict[float, int]) -> _Mark:
    words = printed.line.text
    if printed.size >= LARGER * body:
        level = levels.get(_rounded(printed.size), 0)
        if level and len(words) <= HEADING_CHARS and not words.endswith("。"):
            return _Mark("heading", min(level, 6), printed)
    elif 0.0 in levels and _is_bold_heading(printed, body):
        return _Mark("heading", min(levels[0.0], 6), printed)
    return _Mark("item" if _BULLET.match(words) else "paragraph", 0, printed)


def _notes(page: PageText, body: float) -> tuple[list[PrintedLine | Table], list[PrintedLine]]:
    """(parts without the notes at the foot of a horizontal page, these)."""
    at = len(page.parts)
    while at:
        part = page.parts[at - 1]
        if not isinstance(part, PrintedLine) or part.size > NOTE * body or part.line.vertical:
            break
        if part.line.y < page.height / 2:
            break
        at -= 1
    notes = [part for part in page.parts[at:] if isinstance(part, PrintedLine)]
    if not notes or not at or not _NOTE.match(notes[0].line.text):
        return page.parts, []
    return page.parts[:at], notes


def _pitch(parts: Sequence[PrintedLine | Table]) -> float:
    """How far lines beside each other are apart on a page, most often."""
    steps = Counter[float]()
    for one, other in zip(parts, parts[1:], strict=False):
        if isinstance(one, PrintedLine) and isinstance(other, PrintedLine):
            if abs(one.size - other.size) < 0.1 * one.size and adjacent(one.line, other.line):
                steps[round(_apart(one.line, other.line))] += 1
    return max(steps, key=lambda step: (steps[step], -step), default=0.0)


def _columns(parts: Sequence[PrintedLine | Table]) -> list[tuple[float, float]]:
    """For each part where the lines of its column begin and end, along the writing."""
    columns: list[list[Line]] = [[]]
    places = []
    for part in parts:
        if isinstance(part, PrintedLine):
            if columns[-1] and not _goes_on(columns[-1][-1], part.line):
                columns.append([])
            columns[-1].append(part.line)
        places.append(len(columns) - 1)
    ends = [
        (min((x.begin for x in own), default=0.0), max((x.end for x in own), default=0.0))
        for own in columns
    ]
    return [ends[place] for place in places]


def _goes_on(one: Line, other: Line) -> bool:
    """Whether the other line stands further across the page than the one."""
    if one.vertical != other.vertical:
        return False
    return other.x < one.x if one.vertical else other.y > one.y


def _apart(one: Line, other: Line) -> float:
    if one.vertical:
        return abs(one.x + one.width / 2 - other.x - other.width / 2)
    return abs(one.y + one.height / 2 - other.y - other.height / 2)


def _is_verse(last: Line, line: Line, end: float) -> bool:
    """Whether a line ended long before its column does, and not as its neighbour does."""
    size = last.size
    return (
        not last.text[-1:].isascii()
        and end - last.end > VERSE * size
        and abs(last.end - line.end) > size
    )


class _Flow:
    """Lines on their way into blocks."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._words = ""
        self._kind, self._level = "", 0
        self._last: PrintedLine | None = None
        self._full = False  # whether the last line reached the end of its column
        self._waiting: list[PrintedLine] = []
        self._table: Table | None = None

    def line(
        self, mark: _Mark, below: Line | None, pitch: float, column: tuple[float, float]
    ) -> None:
        """Take the next line of text. below: the one behind it. pitch: of lines of the page.
        column: where its lines begin and end."""
        self._end_table()
        line = mark.printed.line
        if self._last is None or self._is_new(mark, below, pitch, column):
            self._end()
            self._kind, self._level = mark.kind, mark.level
            text = line.text.strip("　 ")
            self._words = _BULLET.sub("", text) if mark.kind == "item" else text
        else:
            self._words = join(self._words, line.text)
        self._last = mark.printed
        self._full = column[1] - line.end < mark.printed.size and len(line.text) >= LONG

    def _is_new(
        self, mark: _Mark, below: Line | None, pitch: float, column: tuple[float, float]
    ) -> bool:
        last, line = self._last, mark.printed.line
        assert last is not None
        if mark.kind == "item" or _LABEL.match(line.text):
            return True
        if mark.kind == "heading" or self._kind == "heading":
            alike = (mark.kind, mark.level) == (self._kind, self._level)
            near = adjacent(last.line, line) and _apart(last.line, line) < 2 * mark.printed.size
            return not (alike and near)
        if not _same_size(last, mark.printed):
            return True
        if self._full and not adjacent(last.line, line) and not _SENTENCE_END.search(self._words):
            return line.text.startswith("　")
        if adjacent(last.line, line) and pitch and _apart(last.line, line) > WIDER * pitch:
            return True
        if adjacent(last.line, line) and _is_verse(last.line, line, column[1]):
            return True
        if (
            _SENTENCE_END.search(self._words)
            and INDENT * mark.printed.size < line.begin - column[0] < DEEP * mark.printed.size
            and self._kind != "item"
        ):
            return True
        if self._kind == "item":  # it goes on below its words, not below its sign
            return not adjacent(last.line, line) or line.begin < last.line.begin - 1
        return begins(last.line, line, below, self._words)

    def table(self, table: Table, first: bool) -> None:
        """Take a table; one that goes on in the next row of columns, or on the next page, is one
        with it. first: whether nothing stands before it on its page."""
        whole = continued(self._table, table) if self._table is not None else None
        if whole is None and first and self._table is not None:
            whole = resumed(self._table, table)
        if whole is None:
            self._end_table()
            self._end()
        self._table = whole or table

    def notes(self, notes: list[PrintedLine]) -> None:
        """Keep the notes of a page until its last paragraph ends."""
        self._waiting += notes

    def close(self) -> None:
        self._end_table()
        self._end()
        self._end_notes()

    def _end(self) -> None:
        if self._words:
            self.blocks.append((self._kind, self._level, self._words))
            self._end_notes()
        self._words, self._last = "", None

    def _end_notes(self) -> None:
        words = ""
        for printed in self._waiting:
            if words and _NOTE.match(printed.line.text):
                self.blocks.append(("paragraph", 0, words))
                words = ""
            words = join(words, printed.line.text)
        if words:
            self.blocks.append(("paragraph", 0, words))
        self._waiting = []

    def _end_table(self) -> None:
        if self._table is not None:
            rows = self._table.rows
            if max(map(len, rows), default=0) > 1:
                self.blocks.append(("table", 0, rows))
            else:
                self.blocks += [("paragraph", 0, row[0]) for row in rows]
        self._table = None


def titles(blocks: Sequence[Block]) -> Iterator[str]:
    """The words of the headings of the first level."""
    return (str(words) for kind, level, words in blocks if kind == "heading" and level == 1)
