"""Verse: lines that end long before their column does, one after the other, and end no sentence.

In prose only the last line of a paragraph stops short, and it ends a sentence. Where at least half
of the lines of a column stop short in the middle of one, or STANZA of them follow each other, the
page was broken where its writer broke it: the breaks are text, and a larger gap is a stanza.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpus.text.lines import Line
from corpus.text.pdf.page import PrintedLine, Table

SHORT = 3.0  # of a size: lines of Japanese prose end no further from the end of their column
STANZA = 4  # lines that stop short, at least
_SENTENCE_END = re.compile(r"[。．！？!?」』]$")

Places = Sequence[tuple[float, float]]  # where the column of each part begins and ends


def stops_short(line: Line, end: float) -> bool:
    """Whether a line ends long before its column does. end: of the column, along the writing."""
    return not line.text[-1:].isascii() and end - line.end > SHORT * line.size


def verse(parts: Sequence[PrintedLine | Table], columns: Places, own: Sequence[bool]) -> list[bool]:
    """For each part of a page whether it is a line of verse.

    columns: of each part, where its column begins and ends. own: whether it is a block by itself
    already (a heading, an item): such a part is no verse.
    """
    out = [False] * len(parts)
    for run in _runs(parts, columns, own):
        short = [_is_open(parts[k], columns[k][1]) for k in run]
        if sum(short) >= STANZA and 2 * sum(short) >= len(run):
            for k in run:
                out[k] = True
        else:
            _mark_stretches(out, run, short)
    return out


def _runs(
    parts: Sequence[PrintedLine | Table], columns: Places, own: Sequence[bool]
) -> list[list[int]]:
    """Lines of one column and block, as their places in `parts`."""
    runs: list[list[int]] = [[]]
    for k, part in enumerate(parts):
        if isinstance(part, Table) or own[k]:
            runs.append([])
            continue
        last = parts[runs[-1][-1]] if runs[-1] else None
        if isinstance(last, PrintedLine) and (
            columns[runs[-1][-1]] != columns[k] or last.line.vertical != part.line.vertical
        ):
            runs.append([])
        runs[-1].append(k)
    return [run for run in runs if run]


def _is_open(part: PrintedLine | Table, end: float) -> bool:
    assert isinstance(part, PrintedLine)
    return stops_short(part.line, end) and not _SENTENCE_END.search(part.line.text)


def _mark_stretches(out: list[bool], run: list[int], short: list[bool]) -> None:
    """Mark every STANZA lines and more that stop short one after the other."""
    first = 0
    for at in range(len(run) + 1):
        if at < len(run) and short[at]:
            continue
        if at - first >= STANZA:
            for k in run[first:at]:
                out[k] = True
        first = at + 1
