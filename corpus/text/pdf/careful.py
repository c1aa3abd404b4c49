"""A page by all its characters: tables, vertical writing, columns, readings (pdfminer)."""

from __future__ import annotations

from collections.abc import Sequence

from corpus.text.lines import EDGE
from corpus.text.pdf.characters import Collector
from corpus.text.pdf.layout import lines_of, rejoined
from corpus.text.pdf.order import Box, reading_order
from corpus.text.pdf.page import Character, PageText, PrintedLine, Table
from corpus.text.pdf.tables import tables_of

FEW = 4  # characters that do not tell which way they run
UNMAPPED = 0.3  # of a page's characters: without a map its font tells nothing
Part = PrintedLine | Table


def page_text(device: Collector, ruby: str) -> PageText:
    """The parts of the page that `device` gathered, in no order, or why there are none."""
    page = PageText(device.width, device.height)
    characters = device.characters
    if not characters:
        page.reason = "pdf_image" if device.images else "pdf_blank"
        return page
    unmapped = sum(not c.text for c in characters)
    if unmapped > UNMAPPED * len(characters):
        page.reason = "pdf_no_font_map"
        return page
    width = page.width
    lines, vertical = lines_of(characters, width, ruby)

    def own_lines(own: Sequence[Character]) -> tuple[list[PrintedLine], bool]:
        return lines_of(own, width, ruby, vertical if len(own) < FEW else None)

    tables, rest = tables_of(characters, device.rules, own_lines)
    if tables:
        lines, vertical = lines_of(rest, width, ruby, vertical if len(rest) < FEW else None)
    if vertical:  # level lines at head and foot are no text: 柱 and ノンブル
        lines = _without_level_heads(lines, page.height)
    page.parts, page.vertical = [*lines, *tables], vertical
    return page


def in_order(page: PageText) -> list[Part]:
    """The parts of a page in reading order, lines whole."""
    if page.ordered:
        return page.parts
    size = _body_size([part for part in page.parts if isinstance(part, PrintedLine)])
    boxes = [_box(part, page.width, page.vertical) for part in page.parts]
    return rejoined([page.parts[k] for k in reading_order(boxes, size)])


def _without_level_heads(lines: list[PrintedLine], height: float) -> list[PrintedLine]:
    """The lines of a vertical page without the level ones at its head and foot, and what stands
    on one level with these."""
    heads = [x.line for x in lines if not x.line.vertical and _at_end(x, height)]
    bands = [(line.y - line.height / 2, line.y + line.height * 1.5) for line in heads]

    def goes(printed: PrintedLine) -> bool:
        line = printed.line
        if not line.vertical:
            return _at_end(printed, height)
        middle = line.y + line.height / 2
        return len(line.text) < 3 and any(a < middle < b for a, b in bands)

    return [printed for printed in lines if not goes(printed)]


def _at_end(printed: PrintedLine, height: float) -> bool:
    middle = (printed.line.y + printed.line.height / 2) / height
    return middle < EDGE or middle > 1 - EDGE


def _body_size(lines: list[PrintedLine]) -> float:
    weights: dict[float, int] = {}
    for line in lines:
        key = round(line.size, 1)
        weights[key] = weights.get(key, 0) + len(line.line.text)
    return max(weights, key=lambda key: weights[key], default=10.0)


def _box(part: Part, width: float, vertical: bool) -> Box:
    if isinstance(part, Table):
        x0, y0, x1, y1 = part.x0, part.y0, part.x1, part.y1
        characters = sum(len(cell) for row in part.rows for cell in row)
    else:
        line = part.line
        x0, y0, x1, y1 = line.x, line.y, line.x + line.width, line.y + line.height
        characters = len(line.text)
    if vertical:
        return Box(y0, y1, width - x1, width - x0, characters)
    return Box(x0, x1, y0, y1, characters)
