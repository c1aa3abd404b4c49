"""Replacing parts of the plain view in a text, so that it stays Markdown and its blocks true.

What is found in the plain view (personal data) may hold escapes and inline signs in the text: a
line or cell that is nothing but escaped prose is written anew, and elsewhere the characters alone
are replaced. Where signs are in the way of that, the block becomes escaped prose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from corpus.text import cut
from corpus.text.blocks import END, KIND, START, Blocks, kind
from corpus.text.escape import escaped
from corpus.text.views import plain_text, plain_with_places

Edit = tuple[int, int, str]  # [begin, end) and what stands there then


def masked(text: str, blocks: Blocks, signed: bool, edits: Sequence[Edit]) -> tuple[str, Blocks]:
    """The text whose plain view has the edits, and its blocks. signed: the text is Markdown.

    edits: of the plain view, in order, not overlapping; their new texts are prose without signs.
    An edit over several lines or cells is done in each of them.
    """
    if not len(blocks.spans):
        return put(text, edits), blocks
    if not signed:
        return cut.replaced(text, blocks, _parted(text, edits, "\n"))
    view, places = plain_with_places(text, blocks)
    found: list[Edit] = []
    for edit in _parted(view, edits, "\n"):
        in_table = blocks.spans[_block(blocks, places, edit), KIND] == kind.table
        found += _parted(view, [edit], "\t") if in_table else [edit]
    changes: list[Edit] = []
    at = 0
    while at < len(found):
        block = int(blocks.spans[_block(blocks, places, found[at]), KIND])
        begin, end = _segment(view, block, found[at])
        own = [edit for edit in found[at:] if edit[0] < end]
        changes += _changes(text, view, places, block, begin, end, own)
        at += len(own)
    new, moved = cut.replaced(text, blocks, changes)
    if plain_text(new, moved) == put(view, found):
        return new, moved
    return _rewritten(text, blocks, view, places, found)


def put(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits."""
    parts, at = [], 0
    for begin, end, new in edits:
        parts += [text[at:begin], new]
        at = end
    return "".join([*parts, text[at:]])


def _parted(text: str, edits: Sequence[Edit], mark: str) -> list[Edit]:
    """The edits, those that cross a mark as one on each side of it."""
    parts = []
    for begin, end, new in edits:
        for piece in text[begin:end].split(mark):
            if piece:
                parts.append((begin, begin + len(piece), new))
            begin += len(piece) + 1
    return parts


def _block(blocks: Blocks, places: np.ndarray, edit: Edit) -> int:
    """The block that an edit of the view is in."""
    return int(np.searchsorted(blocks.spans[:, START], places[edit[0]], "right")) - 1


def _segment(view: str, block: int, edit: Edit) -> tuple[int, int]:
    """[begin, end) of the line of the view, or the cell, that holds an edit."""
    marks = "\n\t" if block == kind.table else "\n"
    begin = max(view.rfind(mark, 0, edit[0]) for mark in marks) + 1
    ends = [at for mark in marks if (at := view.find(mark, edit[1])) >= 0]
    return begin, min(ends, default=len(view))


def _start(text: str, view: str, places: np.ndarray, i: int) -> int:
    """Where character i of the view begins in the text, with the backslash that escapes it."""
    at = int(places[i])
    is_shown = i > 0 and view[i - 1] == "\\" and places[i - 1] == at - 1
    return at - 1 if at > 0 and text[at - 1] == "\\" and not is_shown else at


def _changes(
    text: str, view: str, places: np.ndarray, block: int, begin: int, end: int,
    edits: Sequence[Edit],
) -> list[Edit]:  # fmt: skip
    """What the edits of one line or cell, view[begin:end], are in the text."""
    if block not in (kind.code, kind.formula):
        start, stop = _start(text, view, places, begin), int(places[end - 1]) + 1
        cell = block == kind.table
        if text[start:stop] == escaped(view[begin:end], cell):
            own = [(first - begin, last - begin, new) for first, last, new in edits]
            return [(start, stop, escaped(put(view[begin:end], own), cell))]
    # Inline signs, or code: runs of characters that stand together in the text.
    changes: list[Edit] = []
    for first, last, new in edits:
        runs: list[Edit] = []
        for i in range(first, last):
            at, after = _start(text, view, places, i), int(places[i]) + 1
            if runs and runs[-1][1] == at:
                runs[-1] = (runs[-1][0], after, runs[-1][2])
            else:
                runs.append((at, after, "" if runs else new))
        changes += runs
    return changes


def _rewritten(
    text: str, blocks: Blocks, view: str, places: np.ndarray, edits: Sequence[Edit]
) -> tuple[str, Blocks]:
    """The text with the blocks that have edits as escaped prose: their inline signs are gone."""
    bodies: list[str | None] = [text[span[START] : span[END]] for span in blocks.spans]
    for k in sorted({_block(blocks, places, edit) for edit in edits}):
        begin, end = np.searchsorted(places, blocks.spans[k, START : END + 1])
        begin += begin > 0  # the line feed before the block
        own = [(a - begin, z - begin, new) for a, z, new in edits if begin <= a < end]
        body = put(view[begin:end], own)
        bodies[k] = _written(body, bodies[k] or "", int(blocks.spans[k, KIND]))
    return cut.rebuilt(text, blocks, bodies)


def _written(body: str, before: str, block: int) -> str:
    """The plain text of a block as Markdown, with the signs that it had before."""
    if block in (kind.code, kind.formula):
        opening, *_, closing = before.split("\n")
        return f"{opening}\n{body}\n{closing}"
    if block == kind.table:
        rows = [
            f"| {' | '.join(escaped(cell, cell=True) for cell in row.split(chr(9)))} |"
            for row in body.split("\n")
        ]
        return "\n".join([rows[0], before.split("\n")[1], *rows[1:]])
    sign = cut.sign(before) if block in (kind.heading, kind.item, kind.quote) else ""
    lines = escaped(body).split("\n")
    after = sign if block == kind.quote else " " * len(sign) if block == kind.item else ""
    return "\n".join(f"{after if i else sign}{line}" for i, line in enumerate(lines))
