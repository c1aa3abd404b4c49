"""A text written block by block: how sources (statutes, books, captions) give their structure.

    text = Builder(steps)
    text.heading(2, "第一条")
    text.paragraph("解は", formula("x^2"), " です。")
    text.item("一　目的", depth=1)
    markdown, blocks = text.done()

All prose of the document is normalised at once, then escaped, so that it can forge no structure;
code and formulas stay byte for byte. The dialect is that of docs/text.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from corpus.settings import NORMALIZE_STEPS
from corpus.text.blocks import KIND, KINDS, LANGUAGE, NO_SPANS, NONE, WIDTH, Blocks, kind
from corpus.text.escape import CELL, HEADING, LINES, put_escaped
from corpus.text.normalize import MARKS, STAND_IN, join_prose, normalize, split_prose

MAX_COLUMNS = 40  # a wider table is text, as in pages
MAX_SPAN = 100  # rows or columns of a cell
_MAY_NEED = re.compile(r"[\\`$*_\]<&#>|~+=\-:]|^\d{1,9}[.)]", re.MULTILINE)
_TICKS = re.compile("`+")
_FENCES = re.compile("^[ \t]*(`{3,})", re.MULTILINE)
_BAR = re.compile(r"(?<!\\)\|")


class Verbatim(NamedTuple):
    """Something inside prose that no step may change, with its signs."""

    text: str


Prose = str | Verbatim


def formula(tex: str) -> Verbatim:
    """A formula inside prose."""
    return Verbatim(f"${' '.join(tex.split())}$")


def code(text: str) -> Verbatim:
    """Code inside prose."""
    size = max((len(run) for run in _TICKS.findall(text)), default=0) + 1
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Verbatim(f"{'`' * size}{pad}{text}{pad}{'`' * size}")


class _Block(NamedTuple):
    kind: int
    level: int
    language: str
    pieces: int  # of prose, taken from the document's in order
    write: Callable[[Sequence[str]], str]  # those, normalised and escaped → the block; "" for none


class Builder:
    """The blocks of a text, in order. steps: of `corpus.text.normalize`, for prose."""

    def __init__(self, steps: tuple[str, ...] = NORMALIZE_STEPS) -> None:
        self.steps = steps
        self._blocks: list[_Block] = []
        self._prose: list[str] = []
        self._places: list[int] = []  # of each piece: LINES, CELL or HEADING
        self._verbatim: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._blocks)

    def heading(self, level: int, *parts: Prose) -> None:
        """A heading of level 1 to 6."""
        level = min(max(level, 1), 6)
        sign = "#" * level + " "
        self._add("heading", level, [_one_line(parts)], HEADING, lambda p: p[0] and sign + p[0])

    def paragraph(self, *parts: Prose) -> None:
        """A paragraph; a line feed in it is a line break."""
        self._add("paragraph", 0, [parts], LINES, lambda p: p[0])

    def item(self, *parts: Prose, depth: int = 1, number: int | None = None) -> None:
        """An item of a list, of depth 1 and more; a number as lists of Markdown have it."""
        sign = "- " if number is None else f"{number}. "
        self._add("item", max(depth, 1), [_one_line(parts)], LINES, lambda p: p[0] and sign + p[0])

    def table(self, rows: Sequence[Sequence[Sequence[Prose]]]) -> None:
        """Rows of cells, each a sequence of parts; the first row is the header.

        Short rows are filled with empty cells; a table of over MAX_COLUMNS columns is text, a line
        a row.
        """
        width = max((len(row) for row in rows), default=0)
        cells = [_one_line(row[k]) if k < len(row) else () for row in rows for k in range(width)]
        if not any(cells):
            return
        if width > MAX_COLUMNS:
            for k in range(0, len(cells), width):
                self.paragraph(*[part for cell in cells[k : k + width] for part in (*cell, " ")])
            return

        def write(p: Sequence[str]) -> str:
            lines = [f"| {' | '.join(p[k : k + width])} |" for k in range(0, len(p), width)]
            return "\n".join([lines[0], f"|{' --- |' * width}", *lines[1:]])

        self._add("table", 0, cells, CELL, write)

    def quote(self, *parts: Prose) -> None:
        """A quotation, of one or more lines."""
        self._add("quote", 0, [parts], LINES, lambda p: p[0] and "> " + p[0].replace("\n", "\n> "))

    def definition(self, name: str, *value: Prose) -> None:
        """A name and its value."""
        self._add(
            "definition", 0, [_one_line((f"{name}: ", *value))], LINES, lambda p: p[0].strip()
        )

    def caption(self, *parts: Prose) -> None:
        """The caption of a figure or table."""
        self._add("caption", 0, [_one_line(parts)], LINES, lambda p: p[0])

    def code(self, text: str, language: str = "") -> None:
        """Lines of code, byte for byte."""
        fence = "`" * (max((len(run) for run in _FENCES.findall(text)), default=2) + 1)
        body = MARKS.sub("", text).rstrip("\n")
        whole = f"{fence}{language}\n{body}\n{fence}"
        self._add("code", 0, [], LINES, lambda p: whole if body.strip() else "", language)

    def formula(self, tex: str) -> None:
        """A formula on lines of its own."""
        body = "\n".join(line for line in MARKS.sub("", tex).split("\n") if line.strip())
        self._add("formula", 0, [], LINES, lambda p: f"$$\n{body}\n$$" if body else "")

    def rule(self) -> None:
        """A thematic break."""
        self._add("rule", 0, [], LINES, lambda p: "---")

    def _add(
        self,
        name: str,
        level: int,
        pieces: Sequence[Sequence[Prose]],
        place: int,
        write: Callable[[Sequence[str]], str],
        language: str = "",
    ) -> None:
        for parts in pieces:
            self._prose.append("".join(map(self._stand_in, parts)))
            self._places.append(place)
        self._blocks.append(_Block(KINDS.index(name), level, language, len(pieces), write))

    def _stand_in(self, part: Prose) -> str:
        if isinstance(part, Verbatim):
            self._verbatim.append(MARKS.sub("", part.text))
            return STAND_IN
        return MARKS.sub("", part)

    def done(self) -> tuple[str, Blocks]:
        """(Markdown, its blocks); a block that normalisation leaves empty is none."""
        pieces = split_prose(normalize(join_prose(self._prose), self.steps, marks=True))
        verbatim = iter(self._verbatim)
        prose = iter(
            _restored(_escaped(piece, place), verbatim, place == CELL)
            for piece, place in zip(pieces, self._places, strict=True)
        )
        return _joined(
            (block, text)
            for block in self._blocks
            if (text := block.write([next(prose) for _ in range(block.pieces)]))
        )


class Cell(NamedTuple):
    """A cell with its spans as markup states them; what is no number from 1 on is 1."""

    parts: Sequence[Prose]
    colspan: str = ""
    rowspan: str = ""


def spread(rows: Iterable[Iterable[Cell]]) -> list[list[Sequence[Prose]]]:
    """Rows for `Builder.table`: a cell that spans places stands in the first of them alone."""
    out = []
    below: dict[int, int] = {}  # column → rows that a cell from above still covers
    for row in rows:
        cells: list[Sequence[Prose]] = []
        for cell in row:
            while below.get(len(cells), 0):
                below[len(cells)] -= 1
                cells.append([])
            down = _span(cell.rowspan)
            for k in range(_span(cell.colspan)):
                below[len(cells)] = down - 1
                cells.append([] if k else cell.parts)
        for column in sorted(c for c, left in below.items() if left and c >= len(cells)):
            below[column] -= 1
            cells += [[]] * (column + 1 - len(cells))
        out.append(cells)
    return out


def _span(words: str) -> int:
    return min(max(int(words), 1), MAX_SPAN) if words.isascii() and words.isdigit() else 1


def joined(parts: Sequence[tuple[str, Blocks]]) -> tuple[str, Blocks]:
    """Texts with their blocks as one, a blank line between them."""
    texts = [text for text, _ in parts if text]
    spans, names, at = [NO_SPANS], dict[str, int](), 0
    for text, blocks in parts:
        if not text:
            continue
        own = blocks.spans.copy()
        places = [0, *(names.setdefault(name, len(names) + 1) for name in blocks.languages)]
        own[:, :KIND] += at
        own[:, LANGUAGE] = np.array(places)[own[:, LANGUAGE]]
        spans.append(own)
        at += len(text) + 2
    return "\n\n".join(texts), Blocks(np.concatenate(spans), tuple(names))


def _one_line(parts: Sequence[Prose]) -> Sequence[Prose]:
    """The parts with a blank for each line feed."""
    return [p if isinstance(p, Verbatim) else p.replace("\n", " ") for p in parts]


def _escaped(text: str, place: int) -> str:
    if not _MAY_NEED.search(text):
        return text
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    out = np.empty(2 * len(data) + 1, np.uint8)
    return out[: put_escaped(data, 0, len(data), place, out, 0)].tobytes().decode()


def _restored(text: str, verbatim: Iterator[str], cell: bool) -> str:
    """The text with its code and formulas back; in a cell a bar of theirs is no border."""
    if STAND_IN not in text:
        return text
    parts = text.split(STAND_IN)
    out = [parts[0]]
    for part in parts[1:]:
        own = next(verbatim)
        out += [_BAR.sub(r"\\|" if own[0] == "`" else r"\\vert ", own) if cell else own, part]
    return "".join(out)


def _joined(blocks: Iterator[tuple[_Block, str]]) -> tuple[str, Blocks]:
    """The text of all blocks and the spans over it."""
    spans: list[tuple[int, int, int, int, int]] = []
    parts: list[str] = []
    names: dict[str, int] = {}
    indents: list[int] = []  # of the items that are open: where their text begins
    at = 0
    for block, text in blocks:
        after_item = bool(indents)
        if block.kind == kind.item:
            # An item stands below the text of the item that is one less deep.
            level = min(block.level, len(indents) + 1)
            opens = level > len(indents)
            del indents[level - 1 :]
            indent = indents[-1] if indents else 0
            sign = text.index(" ") + 1
            indents.append(indent + sign)
            text = " " * indent + text
            # A list that begins inside a paragraph of an item must begin with 1.
            tight = after_item and (not opens or text[indent] == "-" or text[indent:][:2] == "1.")
        else:
            indents.clear()
            level, tight = block.level, False
        if spans:
            parts.append("\n" if tight else "\n\n")
            at += len(parts[-1])
        language = names.setdefault(block.language, len(names) + 1) if block.language else 0
        spans.append((at, at + len(text), block.kind, level, language))
        parts.append(text)
        at += len(text)
    if not spans:
        return "", NONE
    return "".join(parts), Blocks(np.array(spans, np.int32).reshape(-1, WIDTH), tuple(names))
