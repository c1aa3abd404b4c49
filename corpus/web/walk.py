"""One native pass over a page's normalised HTML: blocks of text, elements, head marks.

lexbor parses and serialises the page in C; what it writes is well-formed (lower-case names, quoted
attributes, five entities, every end tag), so a small state machine can read it without a DOM.
This replaces a Python walk over nodes, which cost more than parsing did (0.9 ms a page).
The tables it fills are described in `corpus.web.blocks`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from corpus.web import blocks as b
from corpus.web import tags as t
from corpus.web.attributes import contains, lookup, role_bits, span_hash, style_hides, word_bits
from corpus.web.blocks import close_block, put_text, put_wide

MAX_MARKS = 2048
DROP, INLINE, KEEP = 0, 1, 2  # ruby policies

# What a start tag's attributes say: filled by `_read_attributes`.
(X_FLAGS, X_HIDDEN, X_HREF, X_LANDMARK, X_MARK, X_AUTHOR, X_WIDTH) = range(7)


def _hash(name: str) -> np.uint32:
    return np.uint32(t.name_hash(name))


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


_CLASS, _ID, _ROLE, _STYLE, _HIDDEN_NAME, _HREF, _REL, _ITEMPROP, _TYPE, _ARIA = (
    _hash(name) for name in ("class", "id", "role", "style", "hidden", "href", "rel", "itemprop",
                             "type", "aria-hidden"))
_NAV, _ASIDE, _FOOTER, _HEADER, _ARTICLE, _MAIN, _FORM_TAG, _B, _STRONG, _DIALOG = (
    _hash(name) for name in ("nav", "aside", "footer", "header", "article", "main", "form", "b",
                             "strong", "dialog"))
_ARTICLE_BODY = _hash("articlebody")
_AUTHOR_NAME = _hash("author")
_TRUE = _hash("true")
_UNTIL_FOUND = _hash("until-found")
_JSONLD_TYPE = _hash("application/ld+json")
_OPEN_NAME = _hash("open")
_LICENCE = _bytes("licen")
_AUTHOR_REL = _bytes("author")
_COMMONS = _bytes("creativecommons.org/")
_ZERO = np.uint32(0)


@njit(cache=True, nogil=True)
def _tag_end(src: np.ndarray, i: int) -> int:
    """Index after the `>` that ends the tag starting before `i`."""
    quoted = False
    while i < len(src):
        c = src[i]
        if c == 34:
            quoted = not quoted
        elif c == 62 and not quoted:
            return i + 1
        i += 1
    return i


@njit(cache=True, nogil=True)
def _read_attributes(
    src: np.ndarray, i: int, tag: int, name: np.uint32, found: np.ndarray, tables: t.Tables
) -> int:
    """Read the attributes at `i` into `found` (X_ columns); return the index after `>`."""
    found[:] = 0
    opened = False
    n = len(src)
    while i < n and src[i] != 62:
        if src[i] == 32:
            i += 1
            continue
        start = i
        i += 1
        while i < n and src[i] != 61 and src[i] != 62:
            i += 1
        key = span_hash(src, start, i, _ZERO)
        if i + 1 >= n or src[i] != 61:
            continue
        start = i + 2
        i = start
        while i < n and src[i] != 34:
            i += 1
        end = min(i, n)
        i += 1
        if key == _CLASS or key == _ID:
            found[X_FLAGS] |= word_bits(src, start, end, tables)
        elif key == _HREF:
            found[X_HREF] = 1
            if tag == t.A and contains(src, start, end, _COMMONS):
                found[X_MARK] = 1
        elif key == _STYLE:
            if style_hides(src, start, end):
                found[X_HIDDEN] = 1
        elif key == _ROLE:
            found[X_FLAGS] |= role_bits(src, start, end, tables)
            if span_hash(src, start, end, _ZERO) == _MAIN:
                found[X_LANDMARK] |= 68
        elif key == _HIDDEN_NAME:
            if span_hash(src, start, end, _ZERO) != _UNTIL_FOUND:
                found[X_HIDDEN] = 1
        elif key == _REL:
            if contains(src, start, end, _LICENCE):
                found[X_MARK] = 1
            if contains(src, start, end, _AUTHOR_REL):
                found[X_AUTHOR] = 1
        elif key == _ITEMPROP:
            value = span_hash(src, start, end, _ZERO)
            if value == _ARTICLE_BODY:
                found[X_LANDMARK] |= 8
            elif value == _AUTHOR_NAME:
                found[X_AUTHOR] = 1
        elif key == _TYPE:
            if tag == t.SCRIPT and span_hash(src, start, end, _ZERO) == _JSONLD_TYPE:
                found[X_MARK] = 1
        elif key == _ARIA:
            if span_hash(src, start, end, _ZERO) == _TRUE:
                found[X_LANDMARK] |= 32
        elif key == _OPEN_NAME:
            opened = True
    if name == _DIALOG and not opened:
        found[X_HIDDEN] = 1
    if name == _NAV or name == _ASIDE or name == _FOOTER:
        found[X_LANDMARK] |= 1
    elif name == _HEADER:
        found[X_LANDMARK] |= 2
    elif name == _ARTICLE:
        found[X_LANDMARK] |= 4
    elif name == _MAIN:
        found[X_LANDMARK] |= 68
    elif name == _FORM_TAG:
        found[X_LANDMARK] |= 16
    return i + 1


@njit(cache=True, nogil=True)
def _raw_end(src: np.ndarray, i: int, name_start: int, name_end: int) -> int:
    """Index of `</name` at or after `i`, or the end of the source."""
    size = name_end - name_start
    n = len(src)
    while i + size + 2 <= n:
        if src[i] == 60 and src[i + 1] == 47:
            k = 0
            while k < size and src[i + 2 + k] == src[name_start + k]:
                k += 1
            if k == size:
                return i
        i += 1
    return n


@njit(cache=True, nogil=True)
def _new_element(
    elements: np.ndarray, count: int, parent: int, tag: int, props: int, found: np.ndarray,
    state: np.ndarray,
) -> None:
    """Fill the row of a new element from its parent's and its own attributes."""
    row = elements[count]
    row[:] = 0
    if parent >= 0:
        row[:] = elements[parent]
        elements[parent, b.E_LAST_CHILD] = count
        elements[parent, b.E_CHILDREN] += 1
    # words on <html> and <body> name the page's kind, not a part of it
    flags = 0 if tag == t.BODY or tag == t.HTML else found[X_FLAGS]
    row[b.E_TAG] = tag
    row[b.E_PARENT] = parent
    row[b.E_FIRST] = state[b.S_BLOCKS]
    row[b.E_END] = state[b.S_BLOCKS]
    row[b.E_DEPTH] += 1
    row[b.E_FLAGS] = flags
    row[b.E_OVER] |= flags
    row[b.E_BAD] += (flags & t.BOILERPLATE) != 0 and (flags & (t.CONTENT | t.BODYTEXT)) == 0
    row[b.E_GOOD] += (flags & (t.CONTENT | t.BODYTEXT)) != 0
    row[b.E_LANDMARK] |= found[X_LANDMARK]
    row[b.E_OWN_LANDMARK] = found[X_LANDMARK]
    row[b.E_TABLES] += (props & t.TABLE) != 0
    row[b.E_LISTS] += (props & t.LIST) != 0
    row[b.E_ITEMS] += (props & (t.ITEM | t.CELL)) != 0
    row[b.E_HEADING] |= (props & t.HEADING) != 0
    row[b.E_PROPS] = props
    row[b.E_LAST_CHILD] = -1
    row[b.E_CHILDREN] = 0


@njit(cache=True, nogil=True)
def walk(
    src: np.ndarray, tables: t.Tables, ruby: int, frames: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read serialised HTML `src` (uint8) under a ruby policy.

    Returns text (uint8), blocks (int32 [n, B_WIDTH]), elements (int32 [m, E_WIDTH]) and marks
    (int32 [k, 3]). `frames` also reads `<noframes>`, for framesets.
    """
    n = len(src)
    tags = 2
    for i in range(n):
        tags += src[i] == 60
    out = np.empty(n + 64, dtype=np.uint8)
    out[0] = 0
    out[1] = 0
    blocks = np.empty((tags + 2, b.B_WIDTH), dtype=np.int32)
    elements = np.empty((tags, b.E_WIDTH), dtype=np.int32)
    marks = np.empty((MAX_MARKS, 3), dtype=np.int32)
    stack_name = np.empty(tags, dtype=np.uint32)
    stack = np.empty((tags, 5), dtype=np.int32)  # element, properties, tag, link, mark
    state = np.zeros(b.S_WIDTH, dtype=np.int64)
    state[b.S_OUT] = 2  # two zero bytes so that looking back is always possible
    state[b.S_ELEMENT] = -1
    found = np.zeros(X_WIDTH, dtype=np.int32)
    depth = 0
    skipping = 0  # depth at which an invisible subtree began, 0 if none
    count = 0
    element = -1
    n_marks = 0
    media = 0
    i = 0
    while i < n:
        if src[i] != 60:
            start = i
            while i < n and src[i] != 60:
                i += 1
            if skipping == 0:
                put_text(src, start, i, out, state, blocks)
            continue
        i += 1
        if i >= n:
            break
        c = src[i]
        if c == 33:  # <!-- … --> or <!DOCTYPE …>
            if i + 2 < n and src[i + 1] == 45:
                i += 3
                while i + 2 < n and not (src[i] == 45 and src[i + 1] == 45 and src[i + 2] == 62):
                    i += 1
                i += 3
            else:
                i = _tag_end(src, i)
            continue
        if c == 47:  # end tag
            start = i + 1
            i = start
            while i < n and src[i] != 62:
                i += 1
            name = span_hash(src, start, i, _ZERO)
            i += 1
            level = depth
            while level > 0 and depth - level < 64 and stack_name[level - 1] != name:
                level -= 1
            if level == 0 or stack_name[level - 1] != name:
                continue
            while depth >= level:
                depth -= 1
                if skipping:
                    if depth + 1 == skipping:
                        skipping = 0
                    continue
                props = stack[depth, 1]
                tag = stack[depth, 2]
                if props & t.BLOCK:
                    close_block(out, state, blocks)
                if props & t.PRE:
                    state[b.S_PRE] -= 1
                if tag == t.RT and ruby != DROP:
                    if state[b.S_PENDING] == ruby + 1:
                        state[b.S_PENDING] = 0
                    elif state[b.S_OPEN]:
                        put_wide(out, state, 0xFF09 if ruby == INLINE else 0x300B)
                        state[b.S_PENDING] = b.BASE_MARK if ruby == KEEP else 0
                elif tag == t.RUBY:
                    state[b.S_PENDING] = 0
                state[b.S_LINK] = stack[depth, 3]
                if stack_name[depth] == _B or stack_name[depth] == _STRONG:
                    state[b.S_BOLD] -= 1
                if stack[depth, 4] >= 0:
                    marks[stack[depth, 4], 2] = state[b.S_OUT]
                me = stack[depth, 0]
                if me >= 0:
                    elements[me, b.E_END] = state[b.S_BLOCKS] + state[b.S_OPEN]
                    elements[me, b.E_MEDIA] = media - elements[me, b.E_MEDIA]
                    element = elements[me, b.E_PARENT]
                    if props & t.BLOCK:
                        state[b.S_ELEMENT] = element
                        state[b.S_INLINE] = 0
            continue
        start = i
        while i < n and src[i] != 32 and src[i] != 62 and src[i] != 47:
            i += 1
        name = span_hash(src, start, i, _ZERO)
        name_end = i
        tag = lookup(name, tables.tag_hash, tables.tag_id)
        props = tables.tag_props[tag]
        if skipping:
            i = _tag_end(src, i)
            found[:] = 0
        else:
            i = _read_attributes(src, i, tag, name, found, tables)
        if tag == t.META or tag == t.LINK or (tag == t.A and found[X_MARK]) or tag == t.TIME:
            if n_marks < MAX_MARKS:
                kind = b.M_META if tag == t.META else (b.M_TIME if tag == t.TIME else b.M_LINK)
                marks[n_marks, 0] = kind
                marks[n_marks, 1] = name_end
                marks[n_marks, 2] = i
                n_marks += 1
        if props & t.VOID:
            if skipping == 0:
                if tag == t.BR:
                    state[b.S_BREAKS] += 1
                elif tag == t.HR:
                    close_block(out, state, blocks)
                elif tag == t.IMG:
                    media += 1
            continue
        if props & t.RAW and not (frames and tag == t.NOFRAMES):
            end = _raw_end(src, i, start, name_end)
            if tag == t.SCRIPT and found[X_MARK] and n_marks < MAX_MARKS:
                marks[n_marks, 0] = b.M_JSONLD
                marks[n_marks, 1] = i
                marks[n_marks, 2] = end
                n_marks += 1
            if props & t.PRE and skipping == 0 and found[X_HIDDEN] == 0:
                state[b.S_PRE] += 1
                put_text(src, i, end, out, state, blocks)
                close_block(out, state, blocks)
                state[b.S_PRE] -= 1
            i = _tag_end(src, end)
            continue
        if tag == t.TITLE and n_marks < MAX_MARKS:
            end = _raw_end(src, i, start, name_end)
            marks[n_marks, 0] = b.M_TITLE
            marks[n_marks, 1] = i
            marks[n_marks, 2] = end
            n_marks += 1
        stack_name[depth] = name
        stack[depth, 0] = -1
        stack[depth, 1] = props
        stack[depth, 2] = tag
        stack[depth, 3] = state[b.S_LINK]
        stack[depth, 4] = -1
        depth += 1
        if skipping:
            continue
        drop_ruby = tag == t.RP or (ruby == DROP and (tag == t.RT or tag == t.RTC))
        if (props & t.SKIP and tag != t.HEAD) or found[X_HIDDEN] or drop_ruby:
            # an invisible subtree: its end tag ends the skipping
            if tag != t.HTML and tag != t.BODY:
                skipping = depth
                continue
        if tag == t.HEAD:
            continue
        if props & t.BLOCK:
            close_block(out, state, blocks)
        if props & t.PRE:
            state[b.S_PRE] += 1
        if tag == t.A and found[X_HREF]:
            state[b.S_LINK] = 1
            if state[b.S_OPEN]:
                blocks[state[b.S_BLOCKS], b.B_LINKS] += 1
        elif tag == t.RUBY and ruby == KEEP:
            state[b.S_PENDING] = b.BASE_MARK
        elif tag == t.RT:
            state[b.S_PENDING] = ruby + 1
        if name == _B or name == _STRONG:
            state[b.S_BOLD] += 1
        if (tag == t.H1 or found[X_AUTHOR] or found[X_FLAGS] & t.AUTHOR) and n_marks < MAX_MARKS:
            marks[n_marks, 0] = b.M_H1 if tag == t.H1 else b.M_AUTHOR
            marks[n_marks, 1] = state[b.S_OUT]
            marks[n_marks, 2] = state[b.S_OUT]
            stack[depth - 1, 4] = n_marks
            n_marks += 1
        _new_element(elements, count, element, tag, props, found, state)
        elements[count, b.E_MEDIA] = media
        stack[depth - 1, 0] = count
        element = count
        if props & t.BLOCK:
            state[b.S_ELEMENT] = count
            state[b.S_INLINE] = 0
        elif found[X_FLAGS]:
            state[b.S_INLINE] |= found[X_FLAGS]
            if state[b.S_OPEN]:
                blocks[state[b.S_BLOCKS], b.B_INLINE] |= found[X_FLAGS]
        count += 1
    close_block(out, state, blocks)
    while depth > 0:
        depth -= 1
        if stack[depth, 0] >= 0:
            elements[stack[depth, 0], b.E_END] = state[b.S_BLOCKS]
    return out[: state[b.S_OUT]], blocks[: state[b.S_BLOCKS]], elements[:count], marks[:n_marks]
