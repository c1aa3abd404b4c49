"""Ruled tables: from ruled lines to grids, from grids to cells.

Lines that touch are one table. It may be open at its sides, as tables are that run on in the next
row of columns, or whose sides are not ruled. What holds pages of text in few cells is a frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from corpus.text.lines import join
from corpus.text.pdf.layout import rejoined
from corpus.text.pdf.page import Character, PrintedLine, Rule, Table

TOUCH = 2.0  # points between lines that meet
APART = 5.0  # points between two lines of a grid
MAX_RULED = 1500  # of a page; more are a drawing
MAX_CELLS = 4000
FRAME = 600  # characters a cell, on average: text in a frame
COVERED = 0.6  # of the side of a cell that is ruled
LinesOf = Callable[[Sequence[Character]], tuple[list[PrintedLine], bool]]
Grid = tuple[list[float], list[float], list[Rule]]


def tables_of(
    characters: Sequence[Character], rules: Sequence[Rule], lines_of: LinesOf
) -> tuple[list[Table], list[Character]]:
    """(the tables of a page, the characters outside of them)."""
    rest = list(characters)
    tables = []
    if not 4 <= len(rules) <= MAX_RULED:
        return [], rest
    for group in _touching(rules):
        grid = _grid(group)
        if grid is None:
            continue
        xs, ys, _ = grid
        inside = [c for c in rest if xs[0] < _x(c) < xs[-1] and ys[0] < _y(c) < ys[-1]]
        table = _table(grid, inside, lines_of)
        if table is not None:
            gone = set(map(id, inside))
            rest = [c for c in rest if id(c) not in gone]
            tables.append(table)
    return tables, rest


def _x(c: Character) -> float:
    return (c.x0 + c.x1) / 2


def _y(c: Character) -> float:
    return (c.y0 + c.y1) / 2


def _touching(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Groups of ruled lines that meet."""
    parent = list(range(len(rules)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    ordered = sorted(range(len(rules)), key=lambda k: rules[k].x0)
    for place, i in enumerate(ordered):
        one = rules[i]
        for j in ordered[place + 1 :]:
            other = rules[j]
            if other.x0 > one.x1 + TOUCH:
                break
            if other.y0 <= one.y1 + TOUCH and one.y0 <= other.y1 + TOUCH:
                parent[root(j)] = root(i)
    groups: dict[int, list[Rule]] = {}
    for k, rule in enumerate(rules):
        groups.setdefault(root(k), []).append(rule)
    return list(groups.values())


def _grid(rules: Sequence[Rule]) -> Grid | None:
    """(x of its columns' sides, y of its rows' sides, its lines), if lines both ways make cells."""
    upright = [rule for rule in rules if rule.upright]
    level = [rule for rule in rules if not rule.upright]
    if len(upright) < 2 or not level:
        return None
    left, right = min(r.x0 for r in rules), max(r.x1 for r in rules)
    top, bottom = min(r.y0 for r in rules), max(r.y1 for r in rules)
    xs = _places([left, right, *((r.x0 + r.x1) / 2 for r in upright)])
    ys = _places([top, bottom, *((r.y0 + r.y1) / 2 for r in level)])
    cells = (len(xs) - 1) * (len(ys) - 1)
    return (xs, ys, list(rules)) if 2 <= cells <= MAX_CELLS else None


def _places(values: list[float]) -> list[float]:
    """The values in order, those APART from each other."""
    out: list[float] = []
    for value in sorted(values):
        if not out or value - out[-1] > APART:
            out.append(value)
    return out


def _table(grid: Grid, inside: Sequence[Character], lines_of: LinesOf) -> Table | None:
    xs, ys, rules = grid
    wide, high = len(xs) - 1, len(ys) - 1
    head = _merged(xs, ys, rules)
    held: dict[int, list[Character]] = {}
    for c in inside:
        place = head[_slot(ys, _y(c)) * wide + _slot(xs, _x(c))]
        held.setdefault(place, []).append(c)
    if not held or len(held) + wide * high < 4 or len(inside) > FRAME * len(held):
        return None
    _, vertical = lines_of(inside)
    cells: list[list[tuple[float, str]]] = [[] for _ in range(wide * high)]
    for place, own in held.items():
        cells[place] = _lines(lines_of(own)[0], vertical, xs[-1])
    words = [_joined(cell) for cell in cells]
    rows = [words[k * wide : (k + 1) * wide] for k in range(high)]
    columns: tuple[float, ...] = ()
    parts: list[list[tuple[float, str]]] = []
    if vertical:  # its rows go from right to left
        rows = [[row[k] for row in rows] for k in reversed(range(wide))]
        if high == 1:
            columns = tuple(xs[-1] - x for x in reversed(xs))
            parts = [cells[k] for k in reversed(range(wide))]
    rows = [row for row in rows if any(row)]
    return Table(xs[0], ys[0], xs[-1], ys[-1], rows, columns, parts)


def _slot(places: list[float], value: float) -> int:
    return next(k for k in range(len(places) - 1) if value <= places[k + 1] or k + 2 == len(places))


def _merged(xs: list[float], ys: list[float], rules: Sequence[Rule]) -> list[int]:
    """Of each cell of the grid the first one that it is joined with: no line stands between."""
    wide, high = len(xs) - 1, len(ys) - 1
    head = list(range(wide * high))
    upright = [r for r in rules if r.upright]
    level = [r for r in rules if not r.upright]
    for row in range(high):
        for column in range(wide):
            here = row * wide + column
            if column and not _ruled(
                [(r.y0, r.y1) for r in upright if abs((r.x0 + r.x1) / 2 - xs[column]) <= APART],
                ys[row], ys[row + 1],
            ):  # fmt: skip
                head[here] = head[here - 1]
            elif row and not _ruled(
                [(r.x0, r.x1) for r in level if abs((r.y0 + r.y1) / 2 - ys[row]) <= APART],
                xs[column], xs[column + 1],
            ):  # fmt: skip
                head[here] = head[here - wide]
    return head


def _ruled(spans: list[tuple[float, float]], begin: float, end: float) -> bool:
    covered, reach = 0.0, begin
    for a, b in sorted(spans):
        a, b = max(a, reach), min(b, end)
        if b > a:
            covered += b - a
            reach = b
    return covered >= COVERED * (end - begin)


def _lines(lines: list[PrintedLine], vertical: bool, right: float) -> list[tuple[float, str]]:
    """(how far across the table, words) of each line of a cell, in order."""

    def place(printed: PrintedLine) -> tuple[float, float]:
        line = printed.line
        if vertical:
            return right - line.x - line.width, line.y
        return line.y, line.x

    def level(printed: PrintedLine) -> tuple[int, float]:
        return round(place(printed)[0] / printed.size / 0.6), place(printed)[1]

    pieces = sorted(lines, key=level)
    ordered = [p for p in rejoined(pieces) if isinstance(p, PrintedLine)]
    return [(round(place(p)[0], 1), p.line.text.strip()) for p in ordered]


def _joined(cell: Sequence[tuple[float, str]]) -> str:
    words = ""
    for _, line in cell:
        words = join(words, line)
    return words


def continued(one: Table, other: Table) -> Table | None:
    """Both as one table, where the other one is the part of it in the next row of columns."""
    same = len(one.columns) == len(other.columns) > 2 and all(
        abs(a - b) < APART / 2 for a, b in zip(one.columns, other.columns, strict=True)
    )
    if not same:
        return None
    rows, parts = [], []
    for upper, lower in zip(one.parts, other.parts, strict=True):
        # A line stands as far across in both parts.
        both = [(at, 0, words) for at, words in upper] + [(at, 1, words) for at, words in lower]
        lines = sorted(both, key=lambda entry: (round(entry[0] / APART), entry[1]))
        parts.append([(at, words) for at, _, words in lines])
        rows.append([_joined(parts[-1])])
    return other._replace(rows=[row for row in rows if any(row)], parts=parts)


def resumed(one: Table, other: Table) -> Table | None:
    """Both as one table, where the other one is the part of it on the next page: as many columns
    as wide as before; a header that is printed again goes."""
    widths = [abs(t.x1 - t.x0) for t in (one, other)]
    heights = [abs(t.y1 - t.y0) for t in (one, other)]
    alike = min(abs(widths[0] - widths[1]), abs(heights[0] - heights[1])) < APART
    if not alike or not one.rows or not other.rows or len(one.rows[0]) != len(other.rows[0]):
        return None
    rows = other.rows[1:] if other.rows[0] == one.rows[0] else other.rows
    return other._replace(rows=[*one.rows, *rows])
