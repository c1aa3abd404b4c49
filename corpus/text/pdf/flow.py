"""Lines on their way into blocks: which goes on, which begins a paragraph, an item, a stanza."""

from __future__ import annotations

import re
from typing import NamedTuple

from corpus.text.lines import INDENT, LONG, Line, adjacent, begins, join
from corpus.text.pdf.page import PrintedLine, Table
from corpus.text.pdf.tables import continued, resumed
from corpus.text.pdf.verse import stops_short

ALIKE = 0.12  # of a size: lines of one paragraph differ by no more
DEEP = 2.5  # of a size: the deepest indent that begins a paragraph
WIDER = 1.35  # than lines are apart: a gap between paragraphs
_SENTENCE_END = re.compile(r"[。．！？!?」』）)]$")
BULLET = re.compile(r"^[•●◦■◆▪‣・➢✓](?=[\s　]*\S)[\s　]*")
NOTE_MARK = re.compile(
    r"^[\s　]*(?:[*＊※†‡][0-9０-９]*|[(（\[]?注?[0-9０-９]{1,3}[)）.．\]]?|注[)）]?)[\s　]*\D"
)
LABEL = re.compile(
    r"^(?:[一二三四五六七八九十]{1,3}(?:の[一二三四五六七八九十]{1,2})?|[0-9０-９]{1,2}[.．]?"
    r"|[(（][0-9０-９一二三四五六七八九十]{1,2}[)）]|[①-⑳]"
    r"|第[0-9０-９一二三四五六七八九十百]{1,6}条)　"
)

Block = tuple[str, int, object]  # kind, level, words (of a table: rows of cells)


class Mark(NamedTuple):
    """A line with what it is: heading, item or paragraph, and its level."""

    kind: str
    level: int
    printed: PrintedLine
    verse: bool = False


def same_size(one: PrintedLine, other: PrintedLine) -> bool:
    return abs(one.size - other.size) <= ALIKE * max(one.size, other.size)


def goes_on(one: Line, other: Line) -> bool:
    """Whether the other line stands further across the page than the one."""
    if one.vertical != other.vertical:
        return False
    return other.x < one.x if one.vertical else other.y > one.y


def apart(one: Line, other: Line) -> float:
    if one.vertical:
        return abs(one.x + one.width / 2 - other.x - other.width / 2)
    return abs(one.y + one.height / 2 - other.y - other.height / 2)


def _is_cut(last: Line, line: Line, end: float) -> bool:
    """Whether a line ended long before its column does, and not as its neighbour does."""
    return stops_short(last, end) and abs(last.end - line.end) > last.size


def is_labelled(line: Line) -> bool:
    return bool(LABEL.match(line.text))


class Flow:
    """Lines on their way into blocks."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._words = ""
        self._kind, self._level = "", 0
        self._last: PrintedLine | None = None
        self._full = False  # whether the last line reached the end of its column
        self._verse = self._gap = False  # whether the last line was verse; an empty one came since
        self._lines = 0  # of the block so far
        self._waiting: list[PrintedLine] = []
        self._table: Table | None = None

    def line(
        self, mark: Mark, below: Line | None, pitch: float, column: tuple[float, float]
    ) -> None:
        """Take the next line of text. below: the one behind it. pitch: of lines of the page.
        column: where its lines begin and end."""
        self._end_table()
        line = mark.printed.line
        if self._last is None or self._is_new(mark, below, pitch, column):
            self._end()
            self._kind, self._level = mark.kind, mark.level
            text = line.text.strip("　 ")
            self._words = BULLET.sub("", text) if mark.kind == "item" else text
            self._lines = 0
        elif mark.verse:
            self._words += "\n" + line.text.strip("　 ")
        else:
            self._words = join(self._words, line.text)
        self._last, self._verse, self._gap = mark.printed, mark.verse, False
        self._lines += 1
        self._full = column[1] - line.end < mark.printed.size and len(line.text) >= LONG

    @property
    def is_empty(self) -> bool:
        """Whether nothing was taken yet."""
        return not self.blocks and self._last is None

    def blank(self) -> None:
        """Take a line of blanks: between stanzas, also over columns."""
        self._gap = True

    def _is_new(
        self, mark: Mark, below: Line | None, pitch: float, column: tuple[float, float]
    ) -> bool:
        last, line = self._last, mark.printed.line
        assert last is not None
        if mark.kind == "item" or LABEL.match(line.text):
            return True
        if mark.kind == "heading" or self._kind == "heading":
            alike = (mark.kind, mark.level) == (self._kind, self._level)
            near = adjacent(last.line, line) and apart(last.line, line) < 2 * mark.printed.size
            return not (alike and near)
        if not same_size(last, mark.printed) or mark.verse != self._verse:
            return True
        if mark.verse:
            return self._gap or (
                goes_on(last.line, line) and apart(last.line, line) > WIDER * pitch > 0
            )
        if self._full and not adjacent(last.line, line) and not _SENTENCE_END.search(self._words):
            return line.text.startswith("　")
        if adjacent(last.line, line) and pitch and apart(last.line, line) > WIDER * pitch:
            return True
        if adjacent(last.line, line) and _is_cut(last.line, line, column[1]):
            return True
        if (
            _SENTENCE_END.search(self._words)
            and INDENT * mark.printed.size < line.begin - column[0] < DEEP * mark.printed.size
            and self._kind != "item"
            and not self._hangs(line)
        ):
            return True
        if self._kind == "item":  # it goes on below its words, not below its sign
            return not adjacent(last.line, line) or line.begin < last.line.begin - 1
        return begins(last.line, line, below, self._words)

    def _hangs(self, line: Line) -> bool:
        """Whether all lines of the block are indented alike, and the last one was full."""
        assert self._last is not None
        level = abs(line.begin - self._last.line.begin) < INDENT * self._last.size
        return self._full and level and (self._lines > 1 or not self._words.endswith("。"))

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
            if words and NOTE_MARK.match(printed.line.text):
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
