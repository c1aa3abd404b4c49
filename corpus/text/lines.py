"""Lines of printed pages: which go as running heads and page numbers, which join to paragraphs.

What OCR reads and what PDF prints comes as lines with a place on the page (`Line`), in reading
order. What stands at the edge of several pages is a running head (柱) or a page number (ノンブル);
lines become paragraphs by indentation and by where sentences end, over columns and pages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

EDGE = 0.12  # of the page: where running heads and page numbers stand
REPEATED = 3  # pages
INDENT, SHORT = 0.6, 1.5  # of a character: a line that begins later, or ends earlier
APART = 3.0  # of a line's thickness: lines further apart are not beside each other
LONG = 8  # characters: shorter lines in other columns are cells, not sentences that go on
TABLE = "表組"  # its rows are lines of one paragraph: their columns are not known
COVERED = 0.8  # of a line, inside another that has half of its characters: it was read twice
MANY = 5000  # lines of a page, cells of a table: more are not compared one by one
_END = re.compile(r"[。．！？!?」』）)]$")
_COMMA = re.compile(r"[、，,]$")  # no paragraph ends so
_DIGITS = re.compile(r"[0-9０-９一二三四五六七八九十〇百]+")
_LATIN, _LATIN_END = re.compile("[A-Za-z]"), re.compile(r"[A-Za-z0-9,.]$")
_HYPHENATED = re.compile("[a-z]{2}[-‐]$")
_NUMBER = re.compile(
    r"[\s\-—–・.()（）]*(?:p\.? ?|page )?[0-9０-９一二三四五六七八九十〇百]{1,5}"
    r"(?:\s*(?:/|／|of)\s*[0-9０-９]{1,5})?(?:\s*(?:頁|ページ))?[\s\-—–・.()（）]*",
    re.IGNORECASE,
)


class Line(NamedTuple):
    """A line of the page: what it is, where it stands (pixels), what it says, how sure that is."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    text: str
    confidence: float
    block: int  # lines of one block of text
    vertical: bool

    @property
    def begin(self) -> float:
        return self.y if self.vertical else self.x

    @property
    def end(self) -> float:
        return self.begin + (self.height if self.vertical else self.width)

    @property
    def size(self) -> float:
        """Size of a character."""
        return max((self.end - self.begin) / max(len(self.text), 1), 1.0)


class Page(NamedTuple):
    width: float
    height: float
    lines: list[Line]


def running_heads(pages: Sequence[Page]) -> set[str]:
    """What stands at the edge of REPEATED pages and more, or of both of two, digits aside."""
    seen = Counter(
        words
        for page in pages
        for words in {_key(line) for line in page.lines if _at_edge(line, page)}
    )
    least = max(min(REPEATED, len(pages)), 2)
    return {words for words, count in seen.items() if words and count >= least}


def _key(line: Line) -> str:
    return _DIGITS.sub("#", re.sub(r"\s", "", line.text))


def _at_edge(line: Line, page: Page) -> bool:
    """Whether the line stands at the head or foot of the page, or in the outer margin of one that
    is set in columns of vertical lines."""
    if not page.height:
        return False
    middle = (line.y + line.height / 2) / page.height
    return middle < EDGE or middle > 1 - EDGE


def at_margin(line: Line, page: Page, heads: set[str]) -> bool:
    """Whether a line is a running head or a page number. heads: what `running_heads` gives."""
    return _at_edge(line, page) and (_key(line) in heads or bool(_NUMBER.fullmatch(line.text)))


def once(lines: Sequence[Line]) -> list[Line]:
    """The lines without those that stand inside another, larger or surer one, and say its words."""
    if len(lines) > MANY:
        return list(lines)
    boxes = np.array([(x.x, x.y, x.x + x.width, x.y + x.height) for x in lines]).reshape(-1, 4)
    area = np.array([x.width * x.height for x in lines])
    out = []
    for k, line in enumerate(lines):
        low, high = np.maximum(boxes[k, :2], boxes[:, :2]), np.minimum(boxes[k, 2:], boxes[:, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        over = np.flatnonzero((shared > COVERED * area[k]) & (area >= area[k])).tolist()
        if not any(_says(lines[i], line) and _rank(lines, i) > _rank(lines, k) for i in over):
            out.append(line)
    return out


def _says(one: Line, other: Line) -> bool:
    words = set(other.text.strip())
    return 2 * len(words & set(one.text)) >= len(words) > 0


def _rank(lines: Sequence[Line], k: int) -> tuple[float, float, int]:
    return lines[k].width * lines[k].height, lines[k].confidence, -k


def by_rows(cells: Sequence[Line]) -> list[Line]:
    """The cells of a table by rows, each from left to right; labels set vertically are rows."""
    if len(cells) > MANY:
        return list(cells)
    rows: list[list[Line]] = []
    for cell in sorted(cells, key=lambda cell: cell.x):
        near = [row for row in rows if row[-1].x < cell.x and _level(row[-1], cell)]
        if near:
            min(near, key=lambda row: abs(_middle(row[-1]) - _middle(cell))).append(cell)
        else:
            rows.append([cell])
    return [cell for row in sorted(rows, key=lambda row: _middle(row[0])) for cell in row]


def _middle(line: Line) -> float:
    return line.y if line.vertical else line.y + line.height / 2


def _level(one: Line, other: Line) -> bool:
    apart = abs(_middle(one) - _middle(other))
    return not (one.vertical or other.vertical) and 2 * apart < min(one.height, other.height)


def paragraphs(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """(kind, text) of each paragraph, of lines in reading order."""
    kind, words = "", ""
    for k, line in enumerate(lines):
        last = lines[k - 1] if k else None
        below = lines[k + 1] if k + 1 < len(lines) else None
        if last is not None and line.kind == last.kind == TABLE:
            words += (" " if line.x > last.x and _level(last, line) else "\n") + line.text.strip()
            continue
        if last is None or line.kind != last.kind or begins(last, line, below, words):
            if words:
                yield kind, words
            kind, words = line.kind, ""
        words = join(words, line.text)
    if words:
        yield kind, words


def join(words: str, line: str) -> str:
    """The words with those of the next line: a blank between Latin ones, none in Japanese; a word
    that was hyphenated becomes whole."""
    line = line.strip()
    if _HYPHENATED.search(words) and line[:1].islower() and line[:1].isascii():
        return words[:-1] + line
    return words + (" " if _LATIN_END.search(words) and _LATIN.match(line) else "") + line


def begins(last: Line, line: Line, below: Line | None, words: str) -> bool:
    """Whether a line begins a paragraph. words: what the paragraph before has so far.

    Beside its neighbours it is indented, or the line before ended a sentence and stopped short.
    Over columns and pages a sentence that is not ended goes on, between lines of some length.
    """
    ended = bool(_END.search(words))
    inward = below is not None and adjacent(line, below) and _inward(line, below)
    if line.text.startswith("　"):
        return True
    if not adjacent(last, line):
        return inward or ended or min(len(last.text), len(line.text)) < LONG
    furthest = max(x.end for x in (last, line, below or line) if adjacent(line, x) or x is line)
    short = furthest - last.end > SHORT * last.size
    # Below a full line that goes on, an indented one is the second of an item with a hanging label.
    if inward and (ended or short or _inward(last, line)):
        return True
    goes_on = _COMMA.search(words) and not line.text.strip().startswith(("「", "『"))
    return (ended or (short and not goes_on)) and (short or _inward(line, last))


def _inward(line: Line, other: Line) -> bool:
    return line.begin - other.begin > INDENT * line.size


def adjacent(one: Line, other: Line) -> bool:
    """Whether two lines of a block stand beside each other and share most of their room."""
    if one.block != other.block or one.vertical != other.vertical:
        return False
    apart = abs(one.x - other.x) if one.vertical else abs(one.y - other.y)
    thick = max(min(one.width, one.height), min(other.width, other.height))
    if apart >= APART * thick:
        return False
    shared = min(one.end, other.end) - max(one.begin, other.begin)
    return 2 * shared > min(one.end - one.begin, other.end - other.begin)
