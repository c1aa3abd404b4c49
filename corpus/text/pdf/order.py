"""Reading order of what stands on a page: recursive cuts at blank bands (XY-cut).

Nagy and Seth, Hierarchical representation of optically scanned documents (1984). Boxes are along
and across the writing (`layout`), so columns of a horizontal page and rows of columns (段) of a
vertical one are the same thing: a band along which several lines have nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from corpus.text.lines import LONG

BAND = 0.6  # of a character: a narrower band does not part columns
ROWS = 2  # lines on both sides of a band that parts columns
MANY = 1500  # boxes; more are ordered by place alone
DEEP = 40  # cuts inside each other


class Box(NamedTuple):
    """A line or table: its ends along and across the writing, and how many characters it has."""

    begin: float
    end: float
    top: float
    bottom: float
    characters: int


def reading_order(boxes: Sequence[Box], size: float) -> list[int]:
    """Places of the boxes in reading order. size: of a character of text."""
    places = list(range(len(boxes)))
    if len(boxes) > MANY:
        return sorted(places, key=lambda k: (boxes[k].top, boxes[k].begin))
    return _ordered(boxes, places, size, 0)


def _ordered(boxes: Sequence[Box], places: list[int], size: float, depth: int) -> list[int]:
    if len(places) < 2:
        return places
    rows = _parts(places, [(boxes[k].top, boxes[k].bottom) for k in places], 0.25 * size)
    if len(rows) == 1 or depth > DEEP:
        columns = _parts(places, [(boxes[k].begin, boxes[k].end) for k in places], 0.0)
        if len(columns) == 1 or depth > DEEP:
            return sorted(places, key=lambda k: (boxes[k].top, boxes[k].begin))
        return [k for part in columns for k in _ordered(boxes, part, size, depth + 1)]
    out: list[int] = []
    at = 0
    while at < len(rows):
        end, cut = _columns(boxes, rows, at, size)
        group = [k for row in rows[at:end] for k in row]
        if cut is None:
            out += _ordered(boxes, group, size, depth + 1)
        else:
            for side in (
                [k for k in group if boxes[k].end <= cut],
                [k for k in group if boxes[k].end > cut],
            ):
                out += _ordered(boxes, side, size, depth + 1)
        at = end
    return out


def _parts(places: list[int], spans: list[tuple[float, float]], shared: float) -> list[list[int]]:
    """The places in groups whose spans overlap by more than `shared`, in order."""
    parts: list[list[int]] = []
    reach = 0.0
    for (begin, end), place in sorted(zip(spans, places, strict=True)):
        if parts and begin < reach - min(shared, (end - begin) / 2):
            parts[-1].append(place)
            reach = max(reach, end)
        else:
            parts.append([place])
            reach = end
    return parts


def _columns(
    boxes: Sequence[Box], rows: list[list[int]], at: int, size: float
) -> tuple[int, float | None]:
    """(behind the last of the rows from `at` on that one band parts, its middle); or (at + 1, None)
    if the row at `at` is of no columns."""
    left = min(boxes[k].begin for row in rows for k in row)
    right = max(boxes[k].end for row in rows for k in row)
    free = [(left, right)]
    best: tuple[int, float | None] = (at + 1, None)
    seen: list[Sequence[int]] = []
    for place in range(at, len(rows)):
        for k in rows[place]:
            free = _without(free, boxes[k].begin, boxes[k].end, BAND * size)
        seen.append(rows[place])
        if not free:
            break
        for begin, end in sorted(free, key=lambda band: band[0] - band[1]):
            if _parts_columns(boxes, seen, (begin + end) / 2):
                best = (place + 1, (begin + end) / 2)
                break
    return best


def _without(
    bands: list[tuple[float, float]], begin: float, end: float, least: float
) -> list[tuple[float, float]]:
    cut = [part for a, b in bands for part in ((a, min(b, begin)), (max(a, end), b))]
    return [(a, b) for a, b in cut if b - a >= least]


def _parts_columns(boxes: Sequence[Box], rows: list[Sequence[int]], middle: float) -> bool:
    """Whether there are lines of text, no cells, on both sides of a band."""
    for before in (True, False):
        side = [
            [boxes[k].characters for k in row if (boxes[k].end <= middle) == before] for row in rows
        ]
        filled = [sum(row) for row in side if row]
        # Words of a table or of a list of names are short.
        if len(filled) < ROWS or sum(filled) < LONG * len(filled):
            return False
    return True
