"""What a page of a PDF holds, whichever library read it; places in points, from its top left."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from corpus.text.lines import Line

MAX_CHARACTERS = 60_000  # of a page; a newspaper's has 15,000
MAX_RULES = 4_000  # ruled lines of a page: more are a drawing
GETA = "〓"  # a character that its font does not tell

# Why a page or a whole file has no text.
REASONS = {
    "pdf_encrypted": "it needs a password, or its owner forbids to take its text",
    "pdf_image": "images without text: it needs OCR",
    "pdf_blank": "nothing is on it",
    "pdf_no_font_map": "its fonts do not tell which characters they show",
    "pdf_malformed": "it cannot be read",
}


class Refused(ValueError):
    """A file that is not read; the first argument is a key of REASONS."""


class Character(NamedTuple):
    """A character: its box, its size, its text ("" where the font has no map) and its font."""

    x0: float
    y0: float
    x1: float
    y1: float
    size: float
    text: str
    bold: bool = False
    blank: bool = False  # whether a blank stood before it


class Rule(NamedTuple):
    """A ruled line, upright or level: two ends, x0 <= x1 and y0 <= y1."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def upright(self) -> bool:
        return self.y1 - self.y0 > self.x1 - self.x0


class PrintedLine(NamedTuple):
    """A line as the page has it, and what its print tells of it."""

    line: Line
    size: float  # of its characters
    bold: bool = False


class Table(NamedTuple):
    """A ruled table: its box, its cells in rows, what its columns are, whether it is vertical."""

    x0: float
    y0: float
    x1: float
    y1: float
    rows: list[list[str]]
    columns: tuple[float, ...]  # of a vertical table of one row: where its ruled lines stand
    parts: list[list[tuple[float, str]]]  # (how far across, words) of its cells' lines, of one row


@dataclass
class PageText:
    """The parts of a page, or the reason why it has none.

    vertical: whether most of it runs downwards. ordered: whether parts stand in reading order."""

    width: float
    height: float
    parts: list[PrintedLine | Table] = field(default_factory=list)
    reason: str = ""
    vertical: bool = False
    ordered: bool = False
