"""Which tables of a page hold data, and their cells by row and column.

A table is data when its rows have cells beside each other that are short enough to be read as
values; tables for layout (with tables, headings or long texts in them) are read as text. A cell
that spans stands in the first of its places, the others are empty: no value changes its column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

MIN_ROWS, MIN_COLUMNS, MAX_COLUMNS = 2, 2, 40
MAX_CELLS = 200_000  # of all tables of a page, spans counted
CELL_WEIGHT = 2500  # of the longest cell of a table without <th>, in tenths of a CJK character
HEADED_WEIGHT = 8000  # with <th>
MEAN_WEIGHT = 1000  # of the cells that are not empty
CELL_BLOCKS = 6  # in a cell without <th> in its table
FILLED = 0.25  # of the rows with two cells or more that are not empty, without <th>
KEPT = 0.5  # of its weight: else only what is kept stays, as text


class Tables(NamedTuple):
    """of_cell int32 [m]: the data table (element) of each cell, -1 for none. By table (element):
    rows and columns of its grid, the place of its first cell in `cells`, which holds the grids row
    by row: elements, -1 for an empty place. All int32; lists bool [m]: a table of lists, which is
    read column by column (it is no data)."""

    of_cell: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    first: np.ndarray
    cells: np.ndarray
    lists: np.ndarray


@kernel
def _holds_list(blocks: np.ndarray, elements: np.ndarray, table: int) -> bool:
    """Whether two items of a list stand in the table: their signs matter more than its columns."""
    items = 0
    last = -1
    for i in range(elements[table, b.E_FIRST], elements[table, b.E_END]):
        e = blocks[i, b.B_ELEMENT]
        while e > table and elements[e, b.E_TAG] != tags.LI:
            e = elements[e, b.E_PARENT]
        if e > table and e != last:
            items += 1
            last = e
            if items > 1:
                return True
    return False


@kernel
def reading_order(blocks: np.ndarray, elements: np.ndarray, tables: Tables) -> np.ndarray:
    """Blocks in the order they are read (int32 [n]): of a table of lists with one row under its
    header, each name with its list; else as they stand."""
    n = len(blocks)
    order = np.arange(n, dtype=np.int32)
    for e in range(len(elements)):
        if tables.lists[e]:
            at = elements[e, b.E_FIRST]
            first = tables.first[e]
            columns = tables.columns[e]
            for column in range(columns):
                for row in range(2):
                    cell = tables.cells[first + row * columns + column]
                    if cell >= 0:
                        for i in range(elements[cell, b.E_FIRST], elements[cell, b.E_END]):
                            order[at] = i
                            at += 1
    return order


@kernel
def _is_one_line(text: np.ndarray, blocks: np.ndarray, i: int) -> bool:
    """Whether the listing that block i stands in is one line."""
    listing = blocks[i, b.B_LISTING]
    if i and blocks[i - 1, b.B_LISTING] == listing:
        return False
    if i + 1 < len(blocks) and blocks[i + 1, b.B_LISTING] == listing:
        return False
    feeds = 0
    for k in range(blocks[i, b.B_START], blocks[i, b.B_END]):
        feeds += text[k] == ch.LINE_FEED
    return feeds == 0


@kernel
def _is_data(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray, table: int,
    cells: np.ndarray, row_of: np.ndarray,
) -> bool:  # fmt: skip
    """Whether the table's cells (elements, in order) are values. row_of: the row of each."""
    headed = False
    longest = total = filled = most = 0
    rows = good = in_row = 0
    before = -1
    for k in range(len(cells)):
        cell = cells[k]
        first, end = elements[cell, b.E_FIRST], elements[cell, b.E_END]
        if row_of[k] != before:
            rows += 1
            good += in_row >= MIN_COLUMNS
            in_row = 0
            before = row_of[k]
        headed = headed or elements[cell, b.E_TAG] == tags.TH
        weight = blocks[first:end, b.B_WEIGHT].sum()
        if end > first:
            filled += 1
            in_row += 1
            total += weight
            longest = max(longest, weight)
            most = max(most, end - first)
    good += in_row >= MIN_COLUMNS
    if rows < MIN_ROWS or good == 0 or (not headed and good < FILLED * rows):
        return False
    if longest > (HEADED_WEIGHT if headed else CELL_WEIGHT):
        return False
    if not headed and (most > CELL_BLOCKS or total > MEAN_WEIGHT * filled):
        return False
    first, end = elements[table, b.E_FIRST], elements[table, b.E_END]
    kept = 0
    if _holds_list(blocks, elements, table):
        return False
    for i in range(first, end):
        if blocks[i, b.B_LISTING] and not _is_one_line(text, blocks, i):
            return False
        owner = blocks[i, b.B_ELEMENT]
        if not headed and owner >= 0 and elements[owner, b.E_HEADING]:
            return False
        if keep[i]:
            kept += blocks[i, b.B_WEIGHT]
    return kept > 0 and kept >= KEPT * blocks[first:end, b.B_WEIGHT].sum()


@kernel
def _is_pair_of_lists(
    blocks: np.ndarray, elements: np.ndarray, table: int, cells: np.ndarray, row_of: np.ndarray
) -> bool:  # fmt: skip
    """Whether a table is two rows, names above lists, and all its text stands in the cells."""
    half = len(cells) // 2
    if len(cells) < 2 * MIN_COLUMNS or len(cells) % 2 or row_of[half - 1] != row_of[0]:
        return False
    if row_of[half] == row_of[0] or row_of[-1] != row_of[half]:
        return False
    for i in range(elements[table, b.E_FIRST], elements[table, b.E_END]):
        if blocks[i, b.B_LISTING]:
            return False
    inside = 0
    for k in range(len(cells)):
        size = elements[cells[k], b.E_END] - elements[cells[k], b.E_FIRST]
        if elements[cells[k], b.E_NUMBER] > 1 or elements[cells[k], b.E_ROWS] > 1:
            return False
        if k < half and size > 1:
            return False
        inside += size
    whole = elements[table, b.E_END] - elements[table, b.E_FIRST]
    return inside == whole and _holds_list(blocks, elements, table)


@kernel
def _grid(
    elements: np.ndarray, cells: np.ndarray, row_of: np.ndarray, out: np.ndarray
) -> tuple[int, int]:
    """(rows, columns) of the table; its cells at their places in `out` (int32 [rows, columns],
    flat, row by row). With an empty `out` nothing is written. (0, 0): too wide, or too large."""
    down = np.zeros(MAX_COLUMNS, np.int32)  # rows that a cell above still takes
    rows = widest = column = 0
    before = -1
    width = 0
    for turn in range(2):  # the width is known after the first
        rows = column = 0
        before = -1
        down[:] = 0
        for k in range(len(cells)):
            if row_of[k] != before:
                # what spans down from above takes one row less from here on
                if before >= 0:
                    for c in range(MAX_COLUMNS):
                        down[c] = max(down[c] - 1, 0)
                rows += 1
                column = 0
                before = row_of[k]
            while column < MAX_COLUMNS and down[column] > 0:
                column += 1
            if column >= MAX_COLUMNS:
                return 0, 0
            if turn and len(out):
                out[(rows - 1) * width + column] = cells[k]
            across = max(elements[cells[k], b.E_NUMBER], 1)
            deep = max(elements[cells[k], b.E_ROWS], 1)
            if column + across > MAX_COLUMNS:
                return 0, 0
            for c in range(column, column + across):
                down[c] = max(down[c], deep)
            column += across
            widest = max(widest, column)
        width = widest
        if rows * width > MAX_CELLS:
            return 0, 0
        if not len(out):
            break
    return rows, width


@kernel
def read_tables(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, cell_over: np.ndarray,
    keep: np.ndarray,
) -> Tables:  # fmt: skip
    """The data tables of a page. cell_over int32 [m]: nearest cell over each element or itself.

    blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH]; keep bool [n]: blocks of the main text.
    """
    m = len(elements)
    of_cell = np.full(m, -1, np.int32)
    rows, columns = np.zeros(m, np.int32), np.zeros(m, np.int32)
    first, lists = np.zeros(m, np.int32), np.zeros(m, np.bool_)
    # The nearest table and row of every element; a table in a table makes the outer one layout.
    table_of, row_of = np.full(m, -1, np.int32), np.full(m, -1, np.int32)
    layout = np.zeros(m, np.bool_)
    count = 0
    for e in range(m):
        parent, tag = elements[e, b.E_PARENT], elements[e, b.E_TAG]
        if parent >= 0:
            table_of[e], row_of[e] = table_of[parent], row_of[parent]
        if tag == tags.TABLE_TAG:
            if table_of[e] >= 0 and elements[e, b.E_END] > elements[e, b.E_FIRST]:
                layout[table_of[e]] = True
            table_of[e], row_of[e] = e, -1
        elif tag == tags.TR:
            row_of[e] = e
        elif tag == tags.TD or tag == tags.TH:
            count += 1
    # Cells by table: counted, placed, then each table is looked at alone.
    starts = np.zeros(m + 1, np.int64)
    for e in range(m):
        tag = elements[e, b.E_TAG]
        if (tag == tags.TD or tag == tags.TH) and table_of[e] >= 0 and row_of[e] >= 0:
            starts[table_of[e] + 1] += 1
    starts = np.cumsum(starts)
    at = starts.copy()
    members = np.empty(count, np.int32)
    for e in range(m):
        tag = elements[e, b.E_TAG]
        if (tag == tags.TD or tag == tags.TH) and table_of[e] >= 0 and row_of[e] >= 0:
            members[at[table_of[e]]] = e
            at[table_of[e]] += 1
    grids = np.empty(MAX_CELLS if count else 0, np.int32)
    used = 0
    for e in range(m):
        if elements[e, b.E_TAG] != tags.TABLE_TAG or layout[e] or starts[e + 1] == starts[e]:
            continue
        cells = members[starts[e] : starts[e + 1]]
        data = _is_data(text, blocks, elements, keep, e, cells, row_of[cells])
        lists[e] = not data and _is_pair_of_lists(blocks, elements, e, cells, row_of[cells])
        if not data and not lists[e]:
            continue
        none = np.empty(0, np.int32)
        high, wide = _grid(elements, cells, row_of[cells], none)
        if wide < MIN_COLUMNS or high * wide + used > MAX_CELLS:
            lists[e] = False
            continue
        grid = grids[used : used + high * wide]
        grid[:] = -1
        rows[e], columns[e] = _grid(elements, cells, row_of[cells], grid)
        if rows[e] == 0:
            continue
        first[e] = used
        used += high * wide
        for cell in cells:
            of_cell[cell] = e if data else -1
    return Tables(of_cell, rows, columns, first, grids[:used], lists)
