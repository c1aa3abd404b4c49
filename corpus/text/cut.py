"""Cutting and replacing parts of a text, with its blocks kept true.

Steps after extraction find what goes in the plain view: lines (a site's, a footer's) or spans
(personal data). `lines_of` and `views.plain_with_places` say where that stands in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from corpus.text.blocks import END, KIND, START, WIDTH, Blocks, kind, to_bytes, to_points
from corpus.text.views import is_delimiter_row, is_fence
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

PARTED = "\n\n"  # between blocks; "\n" between the items of a list
SOLID = (kind.code, kind.table, kind.formula)  # never a site's own lines, nor a footer's
LINE_START, LINE_END, LINE_BLOCK, LINE_SIGN, LINE_WIDTH = range(5)
_SIGN = re.compile(r"#{1,6} |[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+|> ?")


@kernel
def _lines(data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """int32 [n, LINE_WIDTH], positions in bytes: see `lines_of`."""
    room = len(spans) + 1
    for c in data:
        room += c == ch.LINE_FEED
    out = np.zeros((room, LINE_WIDTH), np.int32)
    n = 0
    for k in range(len(spans)):
        start, end, block = spans[k, START], spans[k, END], spans[k, KIND]
        first = n
        i = start
        while i <= end:
            stop = i
            while stop < end and data[stop] != ch.LINE_FEED:
                stop += 1
            header = block == kind.table and n == first + 1 and is_delimiter_row(data, i, stop)
            if header or (block == kind.formula and n > first):
                out[n - 1, LINE_END] = stop
            else:
                fence = block == kind.code and (i == start or stop == end)
                out[n, LINE_START], out[n, LINE_END], out[n, LINE_BLOCK] = i, stop, k
                out[n, LINE_SIGN] = block == kind.rule or (fence and is_fence(data, i, stop) > 0)
                n += 1
            i = stop + 1
    return out[:n]


def lines_of(text: str, blocks: Blocks) -> np.ndarray:
    """Where the lines of a text stand: int32 [n, LINE_WIDTH], start, end (code points), block, and
    1 for a line that is nothing but a sign (a fence, a rule).

    The rule below a table's header belongs to the header, and a formula is one line. A text
    without blocks has the lines it has, all of block 0.
    """
    data = np.frombuffer(text.encode(), np.uint8)
    spans = blocks.spans if len(blocks.spans) else np.array([[0, len(text), 0, 0, 0]], np.int32)
    return to_points(data, _lines(data, to_bytes(data, spans)))


def sign(line: str) -> str:
    """The sign of a heading, an item or a quote at the start of a line, with its indent."""
    found = _SIGN.match(line)
    return found.group() if found else ""


def bare(line: str) -> str:
    """A line of prose without the sign of a heading, an item or a quote at its start."""
    return line[len(sign(line)) :]


def without_lines(
    text: str, blocks: Blocks, lines: np.ndarray, gone: np.ndarray
) -> tuple[str, Blocks]:
    """The text without some of its lines. lines: of `lines_of`; gone: bool [n].

    A block that is left with nothing but signs goes as a whole, and so does a rule that parts
    nothing any more.
    """
    gone = gone & (lines[:, LINE_SIGN] == 0)
    if not gone.any():
        return text, blocks
    if not len(blocks.spans):
        left = lines[~gone]
        return "\n".join(text[a:z] for a, z in left[:, :LINE_BLOCK].tolist()), blocks
    seen = ~gone & (lines[:, LINE_SIGN] == 0)
    left = np.bincount(lines[:, LINE_BLOCK], seen, len(blocks.spans)) > 0
    left = _with_rules(left, blocks.spans[:, KIND] == kind.rule)
    bodies: list[str | None] = [
        text[a:z] if stays else None
        for a, z, stays in zip(
            blocks.spans[:, START].tolist(), blocks.spans[:, END].tolist(), left, strict=True
        )
    ]
    for block in np.unique(lines[gone, LINE_BLOCK]).tolist():
        if bodies[block] is not None:
            own = lines[:, LINE_BLOCK] == block
            parts = [text[a:z] for a, z in lines[own, :LINE_BLOCK].tolist()]
            bodies[block] = _without(parts, gone[own].tolist(), int(blocks.spans[block, KIND]))
    return rebuilt(text, blocks, bodies)


def _with_rules(left: np.ndarray, rules: np.ndarray) -> np.ndarray:
    """`left`, and of the rules (bool [n] both) one between two blocks that are left."""
    kept = np.flatnonzero(left | rules)
    inner = kept[np.maximum.accumulate(left[kept]) & np.maximum.accumulate(left[kept][::-1])[::-1]]
    alone = rules[inner] & ~np.append(False, rules[inner][:-1])
    left = left.copy()
    left[inner[alone]] = True
    return left


def _without(parts: list[str], gone: list[bool], block: int) -> str:
    """The lines of a block without some; what the first says of the block passes to the next."""
    kept = [part for part, out in zip(parts, gone, strict=True) if not out]
    if gone[0] and block in (kind.heading, kind.item):
        kept[0] = sign(parts[0]) + kept[0].lstrip()
    elif gone[0] and block == kind.table and "\n" in parts[0]:
        kept[0] += parts[0][parts[0].index("\n") :]  # the rule below the header
    return "\n".join(kept)


def only_blocks(text: str, blocks: Blocks, keep: np.ndarray) -> tuple[str, Blocks]:
    """The text of some of its blocks (bool [n]), parted as they were."""
    if keep.all():
        return text, blocks
    bodies = [
        text[span[START] : span[END]] if stays else None
        for span, stays in zip(blocks.spans, keep, strict=True)
    ]
    return rebuilt(text, blocks, bodies)


def rebuilt(text: str, blocks: Blocks, bodies: Sequence[str | None]) -> tuple[str, Blocks]:
    """The text with other bodies for its blocks, None for one that goes; parted as they were."""
    spans = blocks.spans
    parts: list[str] = []
    kept, at, last = [], 0, 0
    for k, body in enumerate(bodies):
        if body is None:
            continue
        if parts:
            beside = bodies[k - 1] is not None
            items = spans[last, KIND] == spans[k, KIND] == kind.item
            between = "\n" if items else PARTED
            if beside:
                between = text[spans[k - 1, END] : spans[k, START]]
            parts.append(between)
            at += len(between)
        parts.append(body)
        last = k
        kept.append([at, at + len(body), *spans[k, KIND:].tolist()])
        at += len(body)
    return "".join(parts), Blocks(np.array(kept, np.int32).reshape(-1, WIDTH), blocks.languages)


def replaced(
    text: str, blocks: Blocks, edits: Sequence[tuple[int, int, str]]
) -> tuple[str, Blocks]:
    """The text with parts of it replaced, and its blocks moved along; empty ones go.

    edits: (start, end, new text) in code points, in order and not overlapping.
    """
    parts, at = [], 0
    starts, ends, moved = [0], [0], [0]
    for start, end, new in edits:
        parts += [text[at:start], new]
        at = end
        starts.append(start)
        ends.append(end)
        moved.append(moved[-1] + len(new) - (end - start))
    parts.append(text[at:])
    # A boundary inside what was replaced moves behind the new text: that is the former block's.
    spans = blocks.spans.copy()
    first, last, shift = np.array(starts), np.array(ends), np.array(moved)
    for column in (START, END):
        places = spans[:, column]
        k = np.maximum(np.searchsorted(first, places) - 1, 0)  # the last edit that begins before
        spans[:, column] = np.maximum(places, last[k]) + shift[k]
    keep = spans[:, END] > spans[:, START]
    return "".join(parts), Blocks(spans[keep], blocks.languages)
