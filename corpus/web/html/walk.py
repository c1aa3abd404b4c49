"""One native pass over a page's normalised HTML: blocks of text, elements, head marks.

lexbor parses and serialises the page in C; what it writes is well-formed (lower-case names, quoted
attributes, five entities, every end tag), so a small state machine can read it without a DOM.
This replaces a Python walk over nodes, which cost more than parsing did (0.9 ms a page).
The tables it fills are described in `corpus.web.html.blocks`.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.html.attributes import lookup, span_hash
from corpus.web.html.blocks import close_block, put_text, put_wide
from corpus.web.html.classes import (
    C_ANCHOR,
    C_BLOCK,
    C_BOX,
    C_CODE,
    C_CODE_BLOCK,
    C_DISPLAY,
    C_FORMULA,
    C_GUTTER,
    C_LISTING,
    breaks_lines,
    element_end,
    ends_block,
    has_break,
    has_no_tag,
    is_bare_text,
    is_only_code,
    sign_end,
)
from corpus.web.html.inline import begin_inline, break_line, end_inline, put_formula
from corpus.web.html.starttag import (
    X_AUTHOR,
    X_CLASSES,
    X_FLAGS,
    X_HIDDEN,
    X_HREF,
    X_LANDMARK,
    X_MARK,
    X_NUMBER,
    X_ROWS,
    X_TEX,
    X_WIDTH,
    raw_end,
    read_attributes,
    tag_end,
)
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

MAX_MARKS = 2048  # besides formulas
MAX_STRAY = 64  # open elements an end tag is compared with; lexbor's own output always fits
DROP, INLINE, KEEP = 0, 1, 2  # ruby policies

# Columns of the stack of open elements (int64).
K_NAME, K_ELEMENT, K_PROPS, K_TAG, K_LINK, K_MARK, K_OUT, K_LINKS, K_WIDTH = range(9)
# The tag functions are inlined: handing a dozen arrays to each tag cost 0.2 ms a page.
_ZERO = np.uint32(0)
_B = np.uint32(tags.name_hash("b"))
_STRONG = np.uint32(tags.name_hash("strong"))


@kernel
def _put_mark(marks: np.ndarray, state: np.ndarray, kind: int, start: int, end: int) -> int:
    """Add a mark; returns its row, or -1 when there are MAX_MARKS, or MAX_FORMULAS formulas."""
    row, formulas = state[b.S_MARKS], state[b.S_FORMULAS]
    full = formulas >= b.MAX_FORMULAS if kind == b.M_FORMULA else row - formulas >= MAX_MARKS
    if full:
        return -1
    marks[row, b.MARK_KIND] = kind
    marks[row, b.MARK_START] = start
    marks[row, b.MARK_END] = end
    state[b.S_MARKS] = row + 1
    return row


@kernel
def _new_element(
    elements: np.ndarray, tag: int, props: int, start: int, said: np.ndarray, state: np.ndarray
) -> int:
    """Add an element from its parent's row and its own attributes; returns its row."""
    count, parent = state[b.S_COUNT], state[b.S_CURRENT]
    row = elements[count]
    row[:] = 0
    if parent >= 0:
        row[:] = elements[parent]
        elements[parent, b.E_LAST_CHILD] = count
        elements[parent, b.E_CHILDREN] += 1
    # words on <html> and <body> name the page's kind, not a part of it
    flags = 0 if tag == tags.BODY or tag == tags.HTML else said[X_FLAGS]
    row[b.E_TAG] = tag
    row[b.E_PARENT] = parent
    row[b.E_FIRST] = state[b.S_BLOCKS]
    row[b.E_END] = state[b.S_BLOCKS]
    row[b.E_DEPTH] += 1
    row[b.E_FLAGS] = flags
    row[b.E_OVER] |= flags
    good = (flags & (tags.CONTENT | tags.BODYTEXT)) != 0
    row[b.E_BAD] += (flags & tags.BOILERPLATE) != 0 and not good
    row[b.E_GOOD] += good
    row[b.E_LANDMARK] |= said[X_LANDMARK]
    row[b.E_OWN_LANDMARK] = said[X_LANDMARK]
    row[b.E_TABLES] += (props & tags.TABLE) != 0
    row[b.E_LISTS] += (props & tags.LIST) != 0
    row[b.E_ITEMS] += (props & (tags.ITEM | tags.CELL)) != 0
    row[b.E_HEADING] |= (props & tags.HEADING) != 0
    row[b.E_PROPS] = props
    row[b.E_LAST_CHILD] = -1
    row[b.E_CHILDREN] = 0
    row[b.E_MEDIA] = state[b.S_MEDIA]
    row[b.E_SOURCE] = start
    row[b.E_NUMBER] = said[X_NUMBER]
    row[b.E_ROWS] = said[X_ROWS]
    state[b.S_COUNT] = count + 1
    state[b.S_CURRENT] = count
    return count


@kernel
def _empty_line(element: int, state: np.ndarray, elements: np.ndarray) -> None:
    """A block element of a listing that holds nothing is an empty line."""
    row = elements[element]
    if row[b.E_FIRST] == state[b.S_BLOCKS] and row[b.E_CHILDREN] == 0:
        state[b.S_EMPTY] += 1


@inlined
def _close_element(
    top: np.ndarray,
    ruby: int,
    out: np.ndarray,
    state: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    marks: np.ndarray,
) -> None:
    """What the end of a visible element means for the text, its row and the marks."""
    props, tag, name = top[K_PROPS], top[K_TAG], top[K_NAME]
    if props & tags.BLOCK:
        if state[b.S_PRE] and not state[b.S_OPEN]:
            _empty_line(top[K_ELEMENT], state, elements)
        close_block(out, state, blocks)
    if props & tags.PRE:
        state[b.S_PRE] -= 1
        if state[b.S_PRE] == 0:
            state[b.S_LISTING] = state[b.S_SOFT] = 0
            if tag != tags.CODE:  # of which the next one may go on
                state[b.S_EMPTY] = 0
    if props & tags.INLINE:
        linked = blocks[state[b.S_BLOCKS], b.B_LINKS] > top[K_LINKS]
        end_inline(tag, top[K_OUT], linked, out, state, blocks)
    if tag == tags.RT and ruby != DROP:
        if state[b.S_PENDING] == ruby + 1:  # an empty reading
            state[b.S_PENDING] = 0
        elif state[b.S_OPEN]:
            put_wide(out, state, ch.WIDE_CLOSE_ROUND if ruby == INLINE else ch.CLOSE_DOUBLE_ANGLE)
            state[b.S_PENDING] = b.BASE_MARK if ruby == KEEP else 0
    elif tag == tags.RUBY:
        state[b.S_PENDING] = 0
    state[b.S_LINK] = top[K_LINK]
    if name == _B or name == _STRONG:
        state[b.S_BOLD] -= 1
    if top[K_MARK] >= 0:
        marks[top[K_MARK], b.MARK_END] = state[b.S_OUT]
    me = top[K_ELEMENT]
    if me >= 0:
        elements[me, b.E_END] = state[b.S_BLOCKS] + state[b.S_OPEN]
        elements[me, b.E_MEDIA] = state[b.S_MEDIA] - elements[me, b.E_MEDIA]
        state[b.S_CURRENT] = elements[me, b.E_PARENT]
        if props & tags.BLOCK:
            state[b.S_ELEMENT] = state[b.S_CURRENT]
            state[b.S_INLINE] = 0


@inlined
def _end_tag(
    name: np.uint32,
    ruby: int,
    stack: np.ndarray,
    out: np.ndarray,
    state: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    marks: np.ndarray,
) -> None:
    """Close the open elements down to the one named; a stray end tag closes none."""
    depth = state[b.S_DEPTH]
    level = depth
    while level > 0 and depth - level < MAX_STRAY and stack[level - 1, K_NAME] != name:
        level -= 1
    if level == 0 or stack[level - 1, K_NAME] != name:
        return
    while depth >= level:
        depth -= 1
        if state[b.S_SKIPPING] == 0:
            _close_element(stack[depth], ruby, out, state, blocks, elements, marks)
        elif state[b.S_SKIPPING] == depth + 1:
            state[b.S_SKIPPING] = 0
    state[b.S_DEPTH] = depth


@inlined
def _open_element(
    start: int,
    name: np.uint32,
    tag: int,
    props: int,
    ruby: int,
    said: np.ndarray,
    top: np.ndarray,
    out: np.ndarray,
    state: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    marks: np.ndarray,
) -> None:
    """What the start of a visible element means for the text, the tables and the marks."""
    if props & tags.BLOCK:
        close_block(out, state, blocks)
    if props & tags.INLINE:
        top[K_OUT] = begin_inline(tag, out, state)
        top[K_LINKS] = blocks[state[b.S_BLOCKS], b.B_LINKS] if state[b.S_OPEN] else 0
    if tag == tags.A and said[X_HREF]:
        state[b.S_LINK] = 1
        if state[b.S_OPEN]:
            blocks[state[b.S_BLOCKS], b.B_LINKS] += 1
    elif tag == tags.RUBY and ruby == KEEP:
        state[b.S_PENDING] = b.BASE_MARK
    elif tag == tags.RT:
        state[b.S_PENDING] = ruby + 1
    if name == _B or name == _STRONG:
        state[b.S_BOLD] += 1
    if tag == tags.H1 or said[X_AUTHOR] or said[X_FLAGS] & tags.AUTHOR:
        kind = b.M_H1 if tag == tags.H1 else b.M_AUTHOR
        top[K_MARK] = _put_mark(marks, state, kind, state[b.S_OUT], state[b.S_OUT])
    top[K_ELEMENT] = _new_element(elements, tag, props, start, said, state)
    if props & tags.PRE:
        if state[b.S_PRE] == 0:
            state[b.S_LISTING] = top[K_ELEMENT] + 1
            state[b.S_SOFT] = b.COLLAPSED if props & tags.COLLAPSE else tag != tags.PRE_TAG
            if tag != tags.CODE:
                state[b.S_EMPTY] = 0
        state[b.S_PRE] += 1
    if props & tags.BLOCK:
        state[b.S_ELEMENT] = top[K_ELEMENT]
        state[b.S_INLINE] = 0
    elif said[X_FLAGS]:
        state[b.S_INLINE] |= said[X_FLAGS]
        if state[b.S_OPEN]:
            blocks[state[b.S_BLOCKS], b.B_INLINE] |= said[X_FLAGS]


@inlined
def _start_tag(
    src: np.ndarray,
    i: int,
    tables: tags.Tables,
    ruby: int,
    frames: bool,
    said: np.ndarray,
    stack: np.ndarray,
    out: np.ndarray,
    state: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    marks: np.ndarray,
) -> int:
    """Read the start tag whose name begins at `i`; returns the index after it.

    That is the index after the whole element for raw text (script, style, xmp …).
    """
    # Its name and, unless what is around it is skipped, its attributes.
    n = len(src)
    start = i
    while i < n and src[i] != ch.SPACE and src[i] != ch.GREATER and src[i] != ch.SLASH:
        i += 1
    name_end = i
    name = span_hash(src, start, name_end, _ZERO)
    tag = lookup(name, tables.tag_hash, tables.tag_id)
    props = tables.tag_props[tag]
    visible = state[b.S_SKIPPING] == 0
    if visible:
        i = read_attributes(src, i, tag, name, said, tables)
    else:
        i = tag_end(src, i)
        said[:] = 0
    # What metadata and rights read later is marked, also inside skipped elements.
    if tag == tags.META:
        _put_mark(marks, state, b.M_META, name_end, i)
    elif tag == tags.LINK or (tag == tags.A and said[X_MARK]):
        _put_mark(marks, state, b.M_LINK, name_end, i)
    elif tag == tags.TIME:
        _put_mark(marks, state, b.M_TIME, name_end, i)
    elif tag == tags.TITLE:
        _put_mark(marks, state, b.M_TITLE, i, raw_end(src, i, start, name_end))
    # Elements without an end tag, and those whose content is no markup, are done with at once.
    if props & tags.VOID:
        if visible and tag == tags.BR:
            break_line(out, state, blocks)
        elif visible and tag == tags.HR:
            close_block(out, state, blocks)
            state[b.S_RULE] = 1
        elif visible and tag == tags.IMG:
            state[b.S_MEDIA] += 1
            if said[X_TEX] and said[X_HIDDEN] == 0:
                row = _put_mark(marks, state, b.M_FORMULA, name_end, i)
                put_formula(row, said[X_CLASSES] & C_DISPLAY, False, out, state, blocks)
        return i
    if props & tags.RAW and not (frames and tag == tags.NOFRAMES):
        end = raw_end(src, i, start, name_end)
        if tag == tags.SCRIPT and said[X_MARK]:
            _put_mark(marks, state, b.M_JSONLD, i, end)
        elif tag == tags.SCRIPT and said[X_TEX] and visible:
            # what MathJax wrote before it is the same formula
            if state[b.S_SOFT_FORMULA] == state[b.S_OUT] and state[b.S_SPACE] == 0:
                row = state[b.S_SOFT_MARK]
                marks[row, b.MARK_START], marks[row, b.MARK_END] = i, end
                state[b.S_SOFT_FORMULA] = 0
            else:
                row = _put_mark(marks, state, b.M_FORMULA, i, end)
                put_formula(row, said[X_CLASSES] & C_DISPLAY, False, out, state, blocks)
        if props & tags.PRE and visible and said[X_HIDDEN] == 0:
            close_block(out, state, blocks)
            state[b.S_PRE] += 1
            state[b.S_ELEMENT] = _new_element(elements, tag, props, start, said, state)
            state[b.S_LISTING] = state[b.S_ELEMENT] + 1
            put_text(src, i, end, out, state, blocks)
            close_block(out, state, blocks)
            state[b.S_PRE] -= 1
            if state[b.S_PRE] == 0:
                state[b.S_LISTING] = 0
            elements[state[b.S_ELEMENT], b.E_END] = state[b.S_BLOCKS]
            elements[state[b.S_ELEMENT], b.E_MEDIA] = 0
            state[b.S_CURRENT] = elements[state[b.S_ELEMENT], b.E_PARENT]
            state[b.S_ELEMENT] = state[b.S_CURRENT]
        return tag_end(src, end)
    # So are formulas, line numbers and links of a heading to itself.
    classes = said[X_CLASSES]
    if classes & C_BOX and state[b.S_PRE]:
        said[X_HIDDEN] = 1
    shown = visible and said[X_HIDDEN] == 0
    if classes & C_FORMULA and shown and not (tag == tags.MATH and is_bare_text(src, i)):
        end, after = element_end(src, i, start, name_end)
        row = _put_mark(marks, state, b.M_FORMULA, start - 1, after)
        soft = tag != tags.MATH
        put_formula(row, classes & C_DISPLAY, soft, out, state, blocks)
        return after
    if classes & (C_GUTTER | C_ANCHOR) and visible:
        after = sign_end(src, i, start, name_end, classes & C_GUTTER != 0)
        if after > 0:
            return after
    # Every other element stays open on the stack until its end tag.
    top = stack[state[b.S_DEPTH]]
    state[b.S_DEPTH] += 1
    top[K_NAME], top[K_PROPS], top[K_TAG] = name, props, tag
    top[K_LINK], top[K_ELEMENT], top[K_MARK] = state[b.S_LINK], -1, -1
    if tag == tags.MATH:
        props = top[K_PROPS] = 0
    elif visible and classes & (C_LISTING | C_CODE) and state[b.S_PRE] == 0:
        listing = classes & C_LISTING and (props & tags.BLOCK or tag == tags.TEXTAREA)
        if not listing and (classes & C_CODE or tag == tags.CODE):
            end, after = element_end(src, i, start, name_end)
            listing = tag == tags.CODE or is_only_code(src, i, end)
            listing = listing or (classes & C_CODE_BLOCK and has_no_tag(src, i, end))
            shown_as_block = tag == tags.CODE and classes & C_BLOCK and not state[b.S_OPEN]
            listing = listing and (shown_as_block or breaks_lines(src, i, end))
        if listing:
            props = (props | tags.PRE | tags.BLOCK) & ~(tags.SKIP | tags.INLINE)
            top[K_PROPS] = props
    elif visible and tag == tags.CODE and not (state[b.S_PRE] or state[b.S_OPEN]):
        end, after = element_end(src, i, start, name_end)
        if ends_block(src, after) and has_break(src, i, end) and breaks_lines(src, i, end):
            props = (props | tags.PRE | tags.BLOCK | tags.COLLAPSE) & ~tags.INLINE
            top[K_PROPS] = props
    if visible and tag != tags.HEAD:
        drop = tag == tags.RP or (ruby == DROP and (tag == tags.RT or tag == tags.RTC))
        if (props & tags.SKIP or said[X_HIDDEN] or drop) and tag != tags.HTML and tag != tags.BODY:
            state[b.S_SKIPPING] = state[b.S_DEPTH]  # until its own end tag
        else:
            _open_element(
                start, name, tag, props, ruby, said, top, out, state, blocks, elements, marks
            )
    return i


@kernel
def _after_declaration(src: np.ndarray, i: int) -> int:
    """Index after the comment or doctype whose `!` is at `i`."""
    n = len(src)
    if not (i + 2 < n and src[i + 1] == ch.HYPHEN):
        return tag_end(src, i)
    i += 3
    while i + 2 < n and not (
        src[i] == ch.HYPHEN and src[i + 1] == ch.HYPHEN and src[i + 2] == ch.GREATER
    ):
        i += 1
    return i + 3


@kernel
def walk(
    src: np.ndarray, tables: tags.Tables, ruby: int, frames: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read serialised HTML `src` (uint8) under a ruby policy.

    Returns text (uint8), blocks (int32 [n, B_WIDTH]), elements (int32 [m, E_WIDTH]) and marks
    (int32 [k, MARK_WIDTH]). `frames` also reads `<noframes>`, for framesets.
    """
    n = len(src)
    # Room: no more blocks and elements than tags, no more text than source.
    room = 2
    for i in range(n):
        room += src[i] == ch.LESS
    out = np.empty(n + 64, dtype=np.uint8)
    out[: b.TEXT_START] = 0
    blocks = np.empty((room + 2, b.B_WIDTH), dtype=np.int32)
    elements = np.empty((room, b.E_WIDTH), dtype=np.int32)
    marks = np.empty((room, b.MARK_WIDTH), dtype=np.int32)
    stack = np.empty((room, K_WIDTH), dtype=np.int64)
    said = np.zeros(X_WIDTH, dtype=np.int32)
    state = np.zeros(b.S_WIDTH, dtype=np.int64)
    state[b.S_OUT] = b.TEXT_START
    state[b.S_ELEMENT] = -1
    state[b.S_CURRENT] = -1
    # From front to back, one run of text, declaration, end tag or start tag at a time.
    i = 0
    while i < n:
        if src[i] != ch.LESS:
            start = i
            while i < n and src[i] != ch.LESS:
                i += 1
            if state[b.S_SKIPPING] == 0:
                put_text(src, start, i, out, state, blocks)
        elif i + 1 < n and src[i + 1] == ch.EXCLAMATION:
            i = _after_declaration(src, i + 1)
        elif i + 1 < n and src[i + 1] == ch.SLASH:
            start = i + 2
            i = tag_end(src, start)
            name = span_hash(src, start, max(start, i - 1), _ZERO)
            _end_tag(name, ruby, stack, out, state, blocks, elements, marks)
        else:
            i = _start_tag(
                src, i + 1, tables, ruby, frames, said, stack, out, state, blocks, elements, marks
            )
    # What is still open ends with the page.
    close_block(out, state, blocks)
    for depth in range(state[b.S_DEPTH]):
        if stack[depth, K_ELEMENT] >= 0:
            elements[stack[depth, K_ELEMENT], b.E_END] = state[b.S_BLOCKS]
    return (
        out[: state[b.S_OUT]],
        blocks[: state[b.S_BLOCKS]],
        elements[: state[b.S_COUNT]],
        marks[: state[b.S_MARKS]],
    )
