"""Normalisation of a text with blocks: prose goes through the steps, code and formulas do not.

The prose of a document is cut into pieces (a paragraph, what stands behind the sign of a heading or
item, a cell, lines of a quote), normalised at once, and put together again in the dialect of
docs/text.md: headings as `## `, tables as `| a | b |`, one blank line between blocks. What stands
inside an item keeps the indentation that puts it there, since its code does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from corpus.text.blocks import END, KIND, KINDS, NONE, START, Blocks, kind, to_points
from corpus.text.escape import line_sign
from corpus.text.markdown import MAX_INDENT, read
from corpus.text.normalize import (
    MARKS,
    PART,
    STAND_IN,
    STEPS,
    has_marks,
    join_prose,
    newlines,
    normalize,
    split_prose,
)  # fmt: skip
from corpus.text.views import inline_spans

# What XML 1.0 does not call a character: all that is removed from code and formulas.
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)]|)([ \t]*)")
_FIRST = re.compile(r"[ \t]*(?:[-*+]|1[.)])")
_HEADING = re.compile(r"[ \t]*#{0,6}[ \t]*")
_CLOSING_HASHES = re.compile(r"(?:^|(?<=[ \t]))#+[ \t]*$")
_BAR = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_SIGN = re.compile(r"[ \t]*(?:#{1,6}|[-*+]|\d{1,9}[.)])[ \t]+")
_RULE = re.compile(r"[ \t]*([-=*_])[ \t]*(?:\1[ \t]*)*")
_BLANKS = re.compile(r"[ \t]*")
# Lines that may begin a block once the blanks and marks at their start are gone, and digits narrow.
_MAY_BEGIN = re.compile(
    "\n[\x00-\x09\x0b-\x1b \x7f-\xa0\u00ad\u1680\u2000-\u200f\u2028-\u206f\u3000\ufeff]"
    "*(?:[-+*#>=_~|:`$\\\\]|[0-9０-９]{1,9}[.)])[^\n]*"
)
_MAX_BLANKS = 4  # behind an item's sign; more are indented code

_WHOLE = np.array([name in ("paragraph", "definition", "caption") for name in KINDS])

Build = Callable[[Iterator[str]], str]  # normalised pieces → the block's text


class _Pieces:
    """The prose of a document: texts, and whether each begins a line of its own."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.inside: set[int] = set()  # pieces that begin behind a sign

    def add(self, text: str, own_line: bool = True) -> None:
        if not own_line:
            self.inside.add(len(self.texts))
        self.texts.append(text)

    def normalized(self, steps: tuple[str, ...]) -> list[str]:
        """All pieces through the steps; inline code and formulas stay as they are."""
        if not self.texts:
            return []
        text, verbatim = _stand_ins(join_prose(self.texts))
        text = normalize(self._safe(text, steps), steps, marks=True)
        return split_prose(_restored(text, verbatim) if verbatim else text)

    def _safe(self, text: str, steps: tuple[str, ...]) -> str:
        """A backslash before what the steps would make the beginning of a block: １. or 　# ."""
        done = tuple(step for step in steps if step != "punctuation")  # which asks the document
        parts, at, piece = [], 0, 0
        framed = "\n" + text
        for found in _MAY_BEGIN.finditer(framed):
            line = found.group()[1:]
            piece += framed.count(PART, at, found.start())
            parts.append(framed[at : found.start() + 1])
            at = found.end()
            blanks = _BLANKS.match(line).group()  # type: ignore[union-attr]
            first = found.start() == 0 or framed[found.start() - 1] == PART
            began = _width(blanks) <= MAX_INDENT and _sign_of(line[len(blanks) :]) >= 0
            if piece in self.inside or (began and (first or not _is_below(line))):
                after, sign = line, -1
            else:
                after = normalize(line, done, True)
                sign = _sign_of(after)
            parts.append(line if sign < 0 else f"{after[:sign]}\\{after[sign:]}")
        return "".join([*parts, framed[at:]])[1:] if parts else text


def _sign_of(line: str) -> int:
    """Where a backslash must stand so that the line begins no block, or -1."""
    if line.startswith(("```", "\\[", "\\begin{", "$$")):
        return 0 if line[0] != "`" or _FENCE.match(line) else -1
    return line_sign(np.frombuffer(data := line.encode("utf-8", "replace"), np.uint8), 0, len(data))


def _is_below(line: str) -> bool:
    """Whether the line would make a heading or the head of a table of the one above."""
    return not line.strip("= \t") or ("-" in line and not line.strip("|:- \t"))


def _stand_ins(text: str) -> tuple[str, list[str]]:
    """(text with STAND_IN for each inline code and formula, those); dollars of prose escaped."""
    if "`" not in text and "$" not in text:
        return text, []
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    parts: list[str] = []
    verbatim: list[str] = []
    at = 0
    for start, end, prose in to_points(data, inline_spans(data, ord(PART))).tolist():
        own = text[start:end]
        parts += [text[at:start], own.replace("$", "\\$") if prose else STAND_IN]
        if not prose:
            verbatim.append(_NO_TEXT.sub("", own))
        at = end
    return "".join([*parts, text[at:]]), verbatim


def _restored(text: str, verbatim: list[str]) -> str:
    """The text with inline code and formulas for their stand-ins."""
    between = text.split(STAND_IN)
    parts = [between[0]]
    for own, after in zip(verbatim, between[1:], strict=True):
        # Fences and $$ behind full-width blanks are text, and stay so without them.
        alone = own.startswith("$$") and after[:1] in ("", "\n")
        if alone or ("\n" in own and _FENCE.match(own.partition("\n")[0])):
            own = own if parts[-1] and not parts[-1].endswith("\n") else "\\" + own
        if own[0] == "$" and "0" <= after[:1] <= "9":
            after = " " + after  # 5 has become narrow: $x$5 is no formula
        parts += [own, after]
    return "".join(parts)


def _width(blanks: str) -> int:
    return len(blanks.expandtabs(4))


def _dedented(text: str, columns: int) -> str:
    """Lines behind the first without so many columns of blanks; of those with fewer, four stay."""
    lines = text.split("\n")
    for k, line in enumerate(lines[1:], 1):
        blanks = _BLANKS.match(line).group()  # type: ignore[union-attr]
        width = _width(blanks)
        left = width - columns if width >= columns else min(width, MAX_INDENT + 1)
        lines[k] = " " * left + line[len(blanks) :]
    return "\n".join(lines)


def _paragraph(body: str, margin: str, pieces: _Pieces) -> Build:
    if not margin:
        pieces.add(body)
        return next
    pieces.add(_dedented("\n" + body, len(margin))[1:])

    def build(done: Iterator[str]) -> str:
        text = next(done)
        return margin + text.replace("\n", "\n" + margin) if text else ""

    return build


def _heading(body: str, level: int, margin: str, pieces: _Pieces) -> Build:
    """`## title`; a closing run of # and a line of === or --- below are other signs of the same."""
    title, under, _ = body.partition("\n")
    if not under:
        title = _CLOSING_HASHES.sub("", title[_HEADING.match(title).end() :])  # type: ignore[union-attr]
    pieces.add(title, own_line=False)

    def build(done: Iterator[str]) -> str:
        text = next(done)
        closing = _CLOSING_HASHES.search(text)
        if closing:
            text = f"{text[: closing.start()]}\\{closing.group()}"
        return f"{margin}{'#' * level} {text}".rstrip()

    return build


def _item(body: str, pieces: _Pieces) -> tuple[Build, int]:
    """And the column at which the item's text begins."""
    indent, mark, blanks = _ITEM.match(body).groups()  # type: ignore[union-attr]
    text = body[len(indent) + len(mark) + len(blanks) :]
    sign = indent + mark
    column = _width(sign + blanks)
    if not text or not 1 <= column - _width(sign) <= _MAX_BLANKS:
        blanks, column = " " if mark else "", _width(sign) + bool(mark)
    pieces.add(_dedented(text, column))
    margin = "\n" + " " * column

    def build(done: Iterator[str]) -> str:
        text = next(done)
        return sign + blanks + text.replace("\n", margin) if text else sign

    return build, column


def _cells(row: str) -> list[str]:
    row = row.strip(" \t").removeprefix("|")
    if row.endswith("|") and not row.endswith("\\|"):
        row = row[:-1]
    return [cell.strip(" \t") for cell in _BAR.split(row)]


def _table(body: str, margin: str, pieces: _Pieces) -> Build:
    """Rows as `| a | b |`; an empty cell stays."""
    rows = [_cells(row) for row in body.split("\n")]
    for k, row in enumerate(rows):
        if k == 1:
            rows[k] = [":" * (x[:1] == ":") + "---" + ":" * (x[-1:] == ":") for x in row]
        else:
            for cell in row:
                if cell:
                    pieces.add(cell, own_line=False)

    def build(done: Iterator[str]) -> str:
        lines = []
        for k, row in enumerate(rows):
            cells = row if k == 1 else [cell and next(done) for cell in row]
            lines.append(f"{margin}| {' | '.join(cells)} |")
        return "\n".join(lines)

    return build


def _unquoted(line: str, levels: int) -> tuple[int, str]:
    """(levels of > found, at most so many; the line without them)."""
    found = at = 0
    while found < levels:
        sign = _BLANKS.match(line, at).end()  # type: ignore[union-attr]
        if line[sign : sign + 1] != ">":
            break
        at = sign + 2 if line[sign + 1 : sign + 2] == " " else sign + 1
        found += 1
    return found, line[at:]


class _Line(NamedTuple):
    """Of a quote: signs and what stands behind them; None: lines of the next piece."""

    before: str
    text: str | None


def _quote(body: str, margin: str, pieces: _Pieces) -> Build:
    """`> ` before every line. Lines of code inside stay; signs of items and headings do."""
    lines: list[_Line] = []
    fence, levels, ahead = "", 0, ""
    run: list[str] = []

    def flush() -> None:
        if run:
            pieces.add("\n".join(run))
            lines.append(_Line(ahead, None))
            run.clear()

    for line in body.split("\n"):
        depth, text = _unquoted(line, levels if fence else len(line))
        before = "> " * depth
        mark = _FENCE.match(text)
        sign = _SIGN.match(text)
        if fence or mark:
            flush()
            lines.append(_Line(before if text else before[:-1], _NO_TEXT.sub("", text)))
            if not fence and mark:
                fence, levels = mark.group(1), depth
            elif mark and text.strip() == mark.group(1) and mark.group(1).startswith(fence):
                fence = ""
        elif not text.strip(" \t"):
            flush()
            lines.append(_Line("", ""))
        elif _RULE.fullmatch(text):
            flush()
            lines.append(_Line(before, text.strip()))
        elif sign:
            flush()
            pieces.add(text[sign.end() :], own_line=False)
            lines.append(_Line(before + sign.group(), None))
        else:
            if before != ahead:
                flush()
            ahead = before
            run.append(text)
    flush()
    return lambda done: _requoted(lines, margin, done)


def _requoted(lines: list[_Line], margin: str, done: Iterator[str]) -> str:
    """The lines of a quote, with one empty one at most between those with text."""
    out: list[str] = []
    for before, text in lines:
        if text is None:
            own = next(done)
            out += [before + line for line in own.split("\n")] if own else []
        elif before:
            out.append(before + text)
        elif out and out[-1] != ">":
            out.append(">")
    while out and out[-1] == ">":
        out.pop()
    return "\n".join(margin + line for line in out or [">"])


def _verbatim(body: str, margin: str) -> Build:
    text = margin + _NO_TEXT.sub("", body)
    return lambda done: text


def _cut(text: str, spans: list[list[int]], pieces: _Pieces) -> tuple[list[Build], list[bool]]:
    """How each block is built of its pieces, and whether it stands right below the one before."""
    builds: list[Build] = []
    close: list[bool] = []
    columns: list[int] = []  # where the texts of the open items begin
    before, last, depth = -1, 0, 0  # of the last block and item
    hollow = False  # the last block is an item without text
    for start, end, block, level, _ in spans:
        body = text[start:end]
        glued = start > 0 and text[start - 1] != "\n"  # a fence on the line of its item's sign
        ended = hollow and text.count("\n", last, start) > 1  # by a blank line
        if ended:
            columns.pop()
            hollow = False
        if columns and not glued:
            column = _width(_BLANKS.match(body).group())  # type: ignore[union-attr]
            while columns and column < columns[-1]:
                columns.pop()
        margin = " " * columns[-1] if columns else ""
        below = hollow and bool(columns)
        hollow = False
        if block == kind.item:
            build, column = _item(body, pieces)
            columns.append(column)
            hollow = not pieces.texts[-1]
            # A list begins inside an item's text only with 1 and with text, else behind a blank.
            opens = level > depth and (hollow or not _FIRST.match(body))
            below |= before == kind.item and not opens and not ended
            depth = level
            builds.append(build)
        elif block == kind.heading:
            builds.append(_heading(body, level, margin, pieces))
        elif block == kind.table:
            builds.append(_table(body, margin, pieces))
        elif block == kind.quote:
            builds.append(_quote(body, margin, pieces))
        elif block in (kind.code, kind.formula, kind.rule):
            builds.append(_verbatim(body, margin if glued else ""))
        else:
            builds.append(_paragraph(body, margin, pieces))
        close.append(below)
        before, last = block, end
    return builds, close


def normalize_blocks(
    text: str, blocks: Blocks, steps: tuple[str, ...] = tuple(STEPS)
) -> tuple[str, Blocks]:
    """The text in the dialect of docs/text.md with its prose normalised, and its blocks.

    Code, inline code and formulas stay byte for byte, but for what is no text (C0 controls,
    U+FFFE …). Blocks that are left without text go. Lines end with line feeds already.
    """
    if has_marks(text):
        blocks = _unmarked(text, blocks)
        text = MARKS.sub("", text)
    pieces = _Pieces()
    if _WHOLE[blocks.spans[:, KIND]].all():  # most texts: paragraphs are their own pieces
        pieces.texts = [text[a:z] for a, z in blocks.spans[:, : END + 1].tolist()]
        bodies, close = pieces.normalized(steps), None
    else:
        builds, close = _cut(text, blocks.spans.tolist(), pieces)
        done = iter(pieces.normalized(steps))
        bodies = [build(done) for build in builds]
    return _parted(bodies, close, blocks)


def _parted(bodies: list[str], close: list[bool] | None, blocks: Blocks) -> tuple[str, Blocks]:
    """Blocks parted by a blank line, or by a line feed where `close`; empty ones go."""
    spans = blocks.spans
    if not all(bodies):
        kept = [k for k, body in enumerate(bodies) if body]
        if not kept:
            return "", NONE
        if close:
            close = [close[k] and bool(bodies[k - 1]) for k in kept]
        bodies, spans = [bodies[k] for k in kept], spans[kept]
    elif not bodies:
        return "", NONE
    gaps = ["\n" if near else "\n\n" for near in close[1:]] if close else []
    parts = [*(part for pair in zip(bodies, gaps, strict=False) for part in pair), bodies[-1]]
    text = "".join(parts) if close else "\n\n".join(bodies)
    sizes = np.array([len(body) for body in bodies], np.int32)
    spans = spans.copy()
    spans[:, END] = ends = np.cumsum(sizes + 2) - 2
    if close:
        ends -= np.cumsum(close)  # the first is never close
        spans[:, END] = ends
    spans[:, START] = ends - sizes
    return text, Blocks(spans, blocks.languages)


def _unmarked(text: str, blocks: Blocks) -> Blocks:
    """The blocks of the text without U+001C to U+001F."""
    gone = np.cumsum([0, *(bool(MARKS.match(c)) for c in text)])
    spans = blocks.spans.copy()
    for column in (START, END):
        spans[:, column] -= gone[spans[:, column]].astype(np.int32)
    return Blocks(spans[spans[:, END] > spans[:, START]], blocks.languages)


def of_markdown(text: str, steps: tuple[str, ...] = tuple(STEPS)) -> tuple[str, Blocks]:
    """A Markdown text that others wrote, normalised, and its blocks."""
    text = newlines(text) if "newlines" in steps else text.replace("\r\n", "\n")
    text = MARKS.sub("", text) if has_marks(text) else text
    return normalize_blocks(text, read(text), steps)
