"""The pages of a document as one text: typed blocks over all pages.

    pages ─▶ without running heads and page numbers ─▶ headings by size ─▶ paragraphs, items, notes

A sentence goes on over columns and pages; notes at the foot of a page follow the paragraph that
runs over it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from corpus.text.lines import (
    Line,
    Page,
    adjacent,
    at_margin,
    running_heads,
)
from corpus.text.pdf.careful import in_order
from corpus.text.pdf.flow import (
    BULLET,
    NOTE_MARK,
    Block,
    Flow,
    Mark,
    apart,
    goes_on,
    is_labelled,
    same_size,
)
from corpus.text.pdf.page import PageText, PrintedLine, Table
from corpus.text.pdf.verse import verse

LARGER = 1.15  # than text: a heading
HEADING_CHARS = 80  # of a heading, at most
BOLD_CHARS = 40  # of a heading that is only bold
TITLE_CHARS = 20  # of the title above verse that is no larger
FEW = 0.3  # of a document's characters: more are no headings
NOTE = 0.93  # of the size of text: notes are no larger
_KANJI_NUMBER = re.compile("[一二三四五六七八九十百]{1,4}")
_SENTENCE = re.compile("[。、，,]$")


def blocks_of(pages: Sequence[PageText]) -> list[Block]:
    """The blocks of a document, of pages in order."""
    kept = _without_heads(pages)
    for page in kept:
        page.parts = in_order(page)
    printed = [part for page in kept for part in page.parts if isinstance(part, PrintedLine)]
    body = _body_size(printed)
    levels = _levels(printed, body)
    flow = Flow()
    for page in kept:
        parts, notes = _notes(page, body)
        _write(flow, parts, [_marked(part, body, levels) for part in parts])
        flow.notes(notes)
    flow.close()
    return flow.blocks


def _write(flow: Flow, parts: Sequence[PrintedLine | Table], marks: Sequence[Mark | None]) -> None:
    """Put the parts of a page into the flow. marks: of its lines; None for tables."""
    pitch, columns = _pitch(parts), _columns(parts)
    own = [m is None or m.kind != "paragraph" or is_labelled(m.printed.line) for m in marks]
    broken = verse(parts, columns, own)
    for k, (part, mark) in enumerate(zip(parts, marks, strict=True)):
        below = parts[k + 1] if k + 1 < len(parts) else None
        if isinstance(part, Table):
            flow.table(part, k == 0)
        elif mark is None:
            continue
        elif not part.line.text.strip():
            flow.blank()
        else:
            mark = mark._replace(verse=broken[k])
            if flow.is_empty and broken[k] and _is_title(part.line, parts[k + 1 :], pitch):
                mark = Mark("heading", 1, part)
            flow.line(mark, _alike(part, below), pitch, columns[k])


def _is_title(line: Line, behind: Sequence[PrintedLine | Table], pitch: float) -> bool:
    """Whether a line above verse is its title: short, and set apart from the next one."""
    return len(line.text) <= TITLE_CHARS and any(
        goes_on(line, part.line) and apart(line, part.line) > 2 * pitch > 0
        for part in [p for p in behind if isinstance(p, PrintedLine) and p.line.text.strip()][:1]
    )


def _alike(printed: PrintedLine, below: PrintedLine | Table | None) -> Line | None:
    """The line behind a line, if it is of the same size."""
    if not isinstance(below, PrintedLine) or not same_size(printed, below):
        return None
    return below.line


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


def _marked(printed: PrintedLine | Table, body: float, levels: dict[float, int]) -> Mark | None:
    if isinstance(printed, Table):
        return None
    words = printed.line.text
    if printed.size >= LARGER * body:
        level = levels.get(_rounded(printed.size), 0)
        if level and len(words) <= HEADING_CHARS and not words.endswith("。"):
            return Mark("heading", min(level, 6), printed)
    elif 0.0 in levels and _is_bold_heading(printed, body):
        return Mark("heading", min(levels[0.0], 6), printed)
    return Mark("item" if BULLET.match(words) else "paragraph", 0, printed)


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
    if not notes or not at or not NOTE_MARK.match(notes[0].line.text):
        return page.parts, []
    return page.parts[:at], notes


def _pitch(parts: Sequence[PrintedLine | Table]) -> float:
    """How far lines beside each other are apart on a page, most often."""
    steps = Counter[float]()
    for one, other in zip(parts, parts[1:], strict=False):
        if isinstance(one, PrintedLine) and isinstance(other, PrintedLine):
            if abs(one.size - other.size) < 0.1 * one.size and adjacent(one.line, other.line):
                steps[round(apart(one.line, other.line))] += 1
    return max(steps, key=lambda step: (steps[step], -step), default=0.0)


def _columns(parts: Sequence[PrintedLine | Table]) -> list[tuple[float, float]]:
    """For each part where the lines of its column begin and end, along the writing."""
    columns: list[list[Line]] = [[]]
    places = []
    for part in parts:
        if isinstance(part, PrintedLine):
            if columns[-1] and not goes_on(columns[-1][-1], part.line):
                columns.append([])
            columns[-1].append(part.line)
        places.append(len(columns) - 1)
    ends = [
        (min((x.begin for x in own), default=0.0), max((x.end for x in own), default=0.0))
        for own in columns
    ]
    return [ends[place] for place in places]


def titles(blocks: Sequence[Block]) -> Iterator[str]:
    """The words of the headings of the first level."""
    return (str(words) for kind, level, words in blocks if kind == "heading" and level == 1)
