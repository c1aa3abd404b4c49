"""What the kept blocks of a page are: headings, items, code, quotes, cells of data tables.

`outline` turns the mask of kept blocks into a plan: a row an operation, in the order of the page,
from which `write` makes Markdown. Contexts are handed down the tree once, from parent to child.
"""

from __future__ import annotations

import numpy as np

from corpus.text.blocks import kind
from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.main_text.tables import Tables, read_tables, reading_order
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

# Columns of a plan (int32): what to do, the bytes of the page's text it is about, the kind and
# level of the block, the number of an item, and whether it stands close to the one before it.
P_OP, P_START, P_END, P_KIND, P_LEVEL, P_NUMBER, P_CLOSE, P_WIDTH = range(8)
# Operations: prose; the term of a definition that its value follows; a listing (START and END are
# blocks, NUMBER its element); a formula of its own; a table (START rows of END cells), its cells
# (START to END: blocks, NUMBER: an empty one); a rule. NUMBER of a heading: what stands behind it
# are links that are not kept.
O_PROSE, O_TERM, O_CODE, O_FORMULA, O_TABLE, O_CELL, O_RULE = range(7)
# Contexts of an element (int32): the nearest heading, item, list, term or value, quote, caption and
# cell over it or itself, -1 for none; how many lists hold it; the place of an item in its list.
(
    C_HEADING, C_ITEM, C_LIST, C_TERM, C_VALUE, C_QUOTE, C_CAPTION, C_CELL, C_DEPTH, C_PLACE,
    C_WIDTH,
) = range(11)  # fmt: skip
QUOTE_SHARE = 0.5  # of the kept text: a page quoted as a whole is indented, not quoted
TERM_WEIGHT = 400  # a term of up to 40 CJK characters stands before its value
VALUE_WEIGHT = 1500  # the blocks of a value up to this weight are one line
LINKED = 0.8  # of what follows a heading and is not kept: a menu or list of contents
PROSE_STOPS = 3  # full stops in preformatted text that make it prose …
PROSE_WIDE = 0.6  # … if so much of it is CJK characters …
PROSE_INDENT = 0.2  # … and no more of its lines are indented


@kernel
def contexts(elements: np.ndarray) -> np.ndarray:
    """int32 [m, C_WIDTH] of elements int32 [m, E_WIDTH]: parents stand before their children."""
    m = len(elements)
    out = np.full((m, C_WIDTH), -1, np.int32)
    items = np.zeros(m, np.int32)  # of a list so far
    for e in range(m):
        parent, tag = elements[e, b.E_PARENT], elements[e, b.E_TAG]
        row = out[e]
        if parent >= 0:
            row[:] = out[parent]
        else:
            row[C_DEPTH] = 0
        row[C_PLACE] = 0
        if elements[e, b.E_PROPS] & tags.HEADING:
            row[C_HEADING] = e
        elif tag == tags.UL or tag == tags.OL or tag == tags.MENU or tag == tags.DIR:
            row[C_LIST] = e
            row[C_DEPTH] += 1
            items[e] = elements[e, b.E_NUMBER] - 1 if elements[e, b.E_NUMBER] > 0 else 0
        elif tag == tags.LI:
            row[C_ITEM] = e
            row[C_VALUE] = row[C_TERM] = -1
            holder = row[C_LIST]
            if holder >= 0:
                if elements[e, b.E_NUMBER] > 0:
                    items[holder] = elements[e, b.E_NUMBER] - 1
                items[holder] += 1
                if elements[holder, b.E_TAG] == tags.OL:
                    row[C_PLACE] = items[holder]
        elif tag == tags.DT:
            row[C_TERM], row[C_VALUE], row[C_ITEM] = e, -1, -1
        elif tag == tags.DD:
            row[C_TERM], row[C_VALUE], row[C_ITEM] = -1, e, -1
        elif tag == tags.BLOCKQUOTE:
            row[C_QUOTE] = e
        elif tag == tags.CAPTION or tag == tags.FIGCAPTION:
            row[C_CAPTION] = e
        elif tag == tags.TD or tag == tags.TH:
            row[C_CELL] = e
            row[C_HEADING] = row[C_ITEM] = row[C_TERM] = row[C_VALUE] = row[C_CAPTION] = -1
    return out


@kernel
def heading_level(tag: int) -> int:
    """1 to 6 for h1 to h6."""
    return 1 if tag == tags.H1 else tag - tags.H2 + 2


@kernel
def is_formula(text: np.ndarray, block: np.ndarray) -> bool:
    """Whether the block is one formula and nothing else."""
    size = block[b.B_END] - block[b.B_START]
    return size == 1 + b.NUMBER_BYTES and text[block[b.B_START]] == b.FORMULA


@kernel
def listing_end(blocks: np.ndarray, first: int) -> int:
    """Behind the last block of the listing that block `first` begins."""
    last = first
    while last < len(blocks) and blocks[last, b.B_LISTING] == blocks[first, b.B_LISTING]:
        last += 1
    return last


@kernel
def reads_as_prose(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, first: int, last: int
) -> bool:
    """Whether preformatted text is sentences in Japanese, as on old pages, and no code."""
    inner = blocks[first, b.B_LISTING]  # the first element in it
    if inner < len(elements) and elements[inner, b.E_PARENT] == inner - 1:
        if elements[inner, b.E_TAG] == tags.CODE:
            return False
    stops = wide = chars = lines = indented = 0
    for i in range(first, last):
        stops += blocks[i, b.B_STOPS]
        wide += blocks[i, b.B_KANA] + blocks[i, b.B_HAN]
        chars += blocks[i, b.B_CHARS]
        for k in range(blocks[i, b.B_START], blocks[i, b.B_END]):
            if k == blocks[i, b.B_START] or text[k - 1] == ch.LINE_FEED:
                if text[k] == ch.LESS:
                    return False
                lines += text[k] != ch.LINE_FEED
                indented += text[k] == ch.SPACE or text[k] == ch.TAB
    if stops < PROSE_STOPS or wide < PROSE_WIDE * chars:
        return False
    return indented <= PROSE_INDENT * lines


@inlined
def _add(
    plan: np.ndarray, n: int, op: int, start: int, end: int, block: int, level: int, number: int,
    close: bool,
) -> int:  # fmt: skip
    row = plan[n]
    row[P_OP], row[P_START], row[P_END], row[P_KIND] = op, start, end, block
    row[P_LEVEL], row[P_NUMBER], row[P_CLOSE] = level, number, close
    return n + 1


@kernel
def _paragraphs(text: np.ndarray, start: int, end: int, plan: np.ndarray, n: int) -> int:
    """A paragraph for every run of lines of preformatted prose between empty ones."""
    i = start
    while i < end:
        while i < end and text[i] <= ch.SPACE:
            i += 1
        first = i
        while i < end and not (
            text[i] == ch.LINE_FEED and (i + 1 == end or text[i + 1] == ch.LINE_FEED)
        ):
            i += 1
        if i > first:
            n = _add(plan, n, O_PROSE, first, i, kind.paragraph, 0, 0, False)
    return n


@kernel
def _quoted_pages(blocks: np.ndarray, keep: np.ndarray, own: np.ndarray) -> bool:
    """Whether most of what is kept stands in quotes: they are used as indents then."""
    quoted, total = 0.0, 0.0
    for i in range(len(blocks)):
        if keep[i]:
            total += blocks[i, b.B_WEIGHT]
            e = blocks[i, b.B_ELEMENT]
            if e >= 0 and own[e, C_QUOTE] >= 0:
                quoted += blocks[i, b.B_WEIGHT]
    return quoted > QUOTE_SHARE * total


@kernel
def _holder(elements: np.ndarray, e: int) -> int:
    """The `<dl>` that element e stands in; -1 for none."""
    while e >= 0 and elements[e, b.E_TAG] != tags.DL:
        e = elements[e, b.E_PARENT]
    return e


@kernel
def _value_of(
    blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray, own: np.ndarray, i: int
) -> int:
    """Behind the last block of the value that follows the term in block i, all one line; i + 1 if
    none of its own list does."""
    holder = _holder(elements, own[blocks[i, b.B_ELEMENT], C_TERM])
    value = -1
    last = i + 1
    weight = 0
    while last < len(blocks) and keep[last]:
        e = blocks[last, b.B_ELEMENT]
        at = own[e, C_VALUE] if e >= 0 else -1
        if at < 0 or (value >= 0 and at != value) or _holder(elements, at) != holder:
            break
        if blocks[last, b.B_LISTING] or own[e, C_ITEM] >= 0 or own[e, C_HEADING] >= 0:
            break
        value = at
        weight += blocks[last, b.B_WEIGHT]
        last += 1
    return last if weight <= VALUE_WEIGHT else i + 2


@kernel
def _put_table(elements: np.ndarray, tables: Tables, table: int, plan: np.ndarray, n: int) -> int:
    """A data table and its cells, row by row."""
    first, wide = tables.first[table], tables.columns[table]
    n = _add(plan, n, O_TABLE, tables.rows[table], wide, kind.table, 0, 0, False)
    for cell in tables.cells[first : first + tables.rows[table] * wide]:
        low = elements[cell, b.E_FIRST] if cell >= 0 else 0
        high = elements[cell, b.E_END] if cell >= 0 else 0
        n = _add(plan, n, O_CELL, low, high, kind.table, 0, cell < 0, False)
    return n


@inlined
def _goes_on(blocks: np.ndarray, elements: np.ndarray, i: int, k: int) -> bool:
    """Whether the listings of blocks i and k are pieces of one: they stand side by side, and either
    is a `<code>` that is shown as a block."""
    if not (i >= 0 and k < len(blocks) and blocks[i, b.B_LISTING] and blocks[k, b.B_LISTING]):
        return False
    one, other = blocks[i, b.B_LISTING] - 1, blocks[k, b.B_LISTING] - 1
    code = elements[one, b.E_TAG] == tags.CODE or elements[other, b.E_TAG] == tags.CODE
    return code and elements[one, b.E_PARENT] == elements[other, b.E_PARENT]


@kernel
def _is_kept_listing(
    blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray, i: int
) -> bool:  # fmt: skip
    """Whether block i begins a listing of which half is kept, or a piece beside it."""
    listing = blocks[i, b.B_LISTING]
    if listing == 0 or (i and blocks[i - 1, b.B_LISTING] == listing):
        return False
    kept = total = 0
    last = listing_end(blocks, i)
    for k in range(i, last):
        total += blocks[k, b.B_WEIGHT]
        kept += blocks[k, b.B_WEIGHT] * keep[k]
    if kept and 2 * kept >= total:
        return True
    before = _goes_on(blocks, elements, i - 1, i) and keep[i - 1]
    return before or (_goes_on(blocks, elements, i, last) and keep[last])


@kernel
def _put_listing(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, i: int, last: int,
    plan: np.ndarray, n: int,
) -> int:  # fmt: skip
    """The blocks [i, last) of a preformatted element: one listing, or paragraphs.

    What goes on in the listing before has no row of its own.
    """
    if not reads_as_prose(text, blocks, elements, i, last):
        if n and plan[n - 1, P_OP] == O_CODE and plan[n - 1, P_END] == i:
            if _goes_on(blocks, elements, i - 1, i):
                plan[n - 1, P_END] = last
                return n
        return _add(plan, n, O_CODE, i, last, kind.code, 0, blocks[i, b.B_LISTING] - 1, False)
    for k in range(i, last):
        n = _paragraphs(text, blocks[k, b.B_START], blocks[k, b.B_END], plan, n)
    return n


@kernel
def _outermost(elements: np.ndarray, own: np.ndarray, e: int) -> int:
    """The list over e that stands in no other list; -1 for none."""
    outer = own[e, C_LIST]
    while outer >= 0:
        over = elements[outer, b.E_PARENT]
        if over < 0 or own[over, C_LIST] < 0:
            break
        outer = own[over, C_LIST]
    return outer


@kernel
def _heads_links(blocks: np.ndarray, keep: np.ndarray, i: int) -> bool:
    """Whether links that are not kept follow block i."""
    weight = linked = 0
    k = i + 1
    while k < len(keep) and not keep[k]:
        weight += blocks[k, b.B_WEIGHT]
        linked += blocks[k, b.B_LINKED]
        k += 1
    return weight > 0 and linked >= LINKED * weight


@kernel
def _put_block(
    blocks: np.ndarray, elements: np.ndarray, own: np.ndarray, keep: np.ndarray, i: int,
    used: np.ndarray, quotes: bool, before: np.ndarray, plan: np.ndarray, n: int,
) -> tuple[int, int]:  # fmt: skip
    """(rows of the plan, next block) with block i of prose, as what its elements make of it.

    used: items that have their sign; quotes: quotes are what they say; before: the outermost list
    of the item that the block before was, or -1.
    """
    e = blocks[i, b.B_ELEMENT]
    start, end = blocks[i, b.B_START], blocks[i, b.B_END]
    here = own[e]
    item = here[C_ITEM]
    list_before = before[0]
    before[0] = -1
    if here[C_HEADING] >= 0:
        if item >= 0:
            used[item] = True
        level = heading_level(elements[here[C_HEADING], b.E_TAG])
        lost = _heads_links(blocks, keep, i)
        return _add(plan, n, O_PROSE, start, end, kind.heading, level, lost, False), i + 1
    if here[C_CAPTION] >= 0:
        return _add(plan, n, O_PROSE, start, end, kind.caption, 0, 0, False), i + 1
    if item >= 0 and not used[item]:
        used[item] = True
        outer = _outermost(elements, own, e)
        close = list_before >= 0 and list_before == outer
        before[0] = outer if outer >= 0 else item
        depth = max(here[C_DEPTH], 1)
        return _add(
            plan, n, O_PROSE, start, end, kind.item, depth, own[item, C_PLACE], close
        ), i + 1
    if here[C_TERM] >= 0 or here[C_VALUE] >= 0:
        last = i + 1
        if here[C_TERM] >= 0 and blocks[i, b.B_WEIGHT] <= TERM_WEIGHT:
            last = _value_of(blocks, elements, keep, own, i)
        if last == i + 1:
            return _add(plan, n, O_PROSE, start, end, kind.definition, 0, 0, False), last
        n = _add(plan, n, O_TERM, start, end, kind.definition, 0, 0, False)
        return _add(plan, n, O_CELL, i + 1, last, kind.definition, 0, 0, False), last
    block = kind.quote if quotes and here[C_QUOTE] >= 0 else kind.paragraph
    return _add(plan, n, O_PROSE, start, end, block, 0, 0, False), i + 1


@kernel
def _room(blocks: np.ndarray, keep: np.ndarray, tables: Tables) -> int:
    """Rows that a plan takes at most."""
    room = 2 * len(blocks) + len(tables.cells) + 4
    for i in range(len(blocks)):
        if blocks[i, b.B_LISTING]:
            room += blocks[i, b.B_BREAKS]
    return room


@kernel
def outline(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    """The plan of the kept blocks: int32 [n, P_WIDTH].

    text uint8, blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH] as in
    `corpus.web.html.blocks`; keep bool [n].
    """
    own = contexts(elements)
    tables: Tables = read_tables(text, blocks, elements, own[:, C_CELL], keep)
    quotes = not _quoted_pages(blocks, keep, own)
    used = np.zeros(len(elements) + 1, np.bool_)  # items that have their sign, tables written
    plan = np.empty((_room(blocks, keep, tables), P_WIDTH), np.int32)
    before = np.full(1, -1, np.int64)
    order = reading_order(blocks, elements, tables)
    n = at = 0
    while at < len(blocks):
        i = order[at]
        at += 1
        e = blocks[i, b.B_ELEMENT]
        table = tables.of_cell[own[e, C_CELL]] if e >= 0 and own[e, C_CELL] >= 0 else -1
        # A data table is written as a whole where its first block stands.
        if table >= 0:
            if not used[table]:
                used[table] = True
                n = _put_table(elements, tables, table, plan, n)
                before[0] = -1
            continue
        if not keep[i] and not _is_kept_listing(blocks, elements, keep, i):
            continue
        if blocks[i, b.B_RULE] and n and i and keep[i - 1]:
            n = _add(plan, n, O_RULE, 0, 0, kind.rule, 0, 0, False)
        start, end = blocks[i, b.B_START], blocks[i, b.B_END]
        if blocks[i, b.B_LISTING]:
            last = listing_end(blocks, i)
            n = _put_listing(text, blocks, elements, i, last, plan, n)
            if e >= 0 and own[e, C_ITEM] >= 0:
                used[own[e, C_ITEM]] = True
            before[0] = -1
            at += last - i - 1
        elif is_formula(text, blocks[i]):
            n = _add(plan, n, O_FORMULA, start, end, kind.formula, 0, 0, False)
            before[0] = -1
        elif e < 0:
            n = _add(plan, n, O_PROSE, start, end, kind.paragraph, 0, 0, False)
            before[0] = -1
        else:
            n, last = _put_block(blocks, elements, own, keep, i, used, quotes, before, plan, n)
            at += last - i - 1
    return plan[:n]
