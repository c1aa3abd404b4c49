"""Columns of the block, element and mark tables, and the text writer that fills a block.

A block is the text between block-level boundaries or two `<br>`; one `<br>` is a newline inside it.
White space collapses as in a browser, except that a source newline between two wide characters
writes nothing (Japanese has no word spaces), and an indent of full-width spaces is dropped.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import inlined, kernel

CJK_WEIGHT = 10  # length in tenths of a CJK character; other characters say less
OTHER_WEIGHT = 4

# Block columns (int32). Weights in tenths of a CJK character; LINKED is the weight inside links;
# STOPS counts 。！？!? and a full stop at a word's end; LAST is 1 after a stop, 2 after 」』）,
# else 0; DATES counts 年月日 and colons between digits.
(
    B_START,
    B_END,
    B_ELEMENT,
    B_WEIGHT,
    B_LINKED,
    B_KANA,
    B_HAN,
    B_STOPS,
    B_COMMAS,
    B_DIGITS,
    B_BREAKS,
    B_PRE,
    B_LINKS,
    B_CHARS,
    B_LAST,
    B_BARS,
    B_INLINE,
    B_BOLD,
    B_DATES,
    B_COPYRIGHT,
    B_WIDTH,
) = range(21)

# Element columns (int32). Blocks [E_FIRST, E_END) lie inside the element. E_FLAGS holds the kinds
# of its class, id and role; E_OVER those of its ancestors and itself; E_BAD and E_GOOD count the
# ancestors-or-self named like boilerplate and like content; E_LANDMARK is a bit set:
# 1 nav/aside/footer, 2 header, 4 article/main, 8 itemprop=articleBody, 16 form, 32 aria-hidden,
# 64 main.
(
    E_TAG,
    E_PARENT,
    E_FIRST,
    E_END,
    E_DEPTH,
    E_FLAGS,
    E_OVER,
    E_BAD,
    E_GOOD,
    E_LANDMARK,
    E_TABLES,
    E_LISTS,
    E_ITEMS,
    E_PROPS,
    E_LAST_CHILD,
    E_MEDIA,
    E_HEADING,
    E_CHILDREN,
    E_OWN_LANDMARK,
    E_WIDTH,
) = range(20)

# Marks (int32 [k, 3]: kind, start, end): spans of the source, or for M_H1 and M_AUTHOR of the text.
M_META, M_LINK, M_JSONLD, M_TITLE, M_TIME, M_H1, M_AUTHOR = range(7)

# State of the walk and its writer (int64).
(
    S_OUT,
    S_BLOCKS,
    S_OPEN,
    S_SPACE,
    S_BREAKS,
    S_WIDE,
    S_ELEMENT,
    S_LINK,
    S_PRE,
    S_PENDING,
    S_LAST,
    S_BOLD,
    S_INLINE,
    S_DEPTH,
    S_SKIPPING,
    S_COUNT,
    S_CURRENT,
    S_MARKS,
    S_MEDIA,
    S_WIDTH,
) = range(20)
SPACE, NEWLINE = 1, 2
BASE_MARK, OPEN_ROUND, OPEN_DOUBLE = 1, 2, 3  # pending ruby marks: ｜ （ 《


@kernel
def close_block(out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """End the open block, if any, and forget pending white space."""
    if state[S_OPEN]:
        row = blocks[state[S_BLOCKS]]
        while out[state[S_OUT] - 1] <= 32:
            state[S_OUT] -= 1
        row[B_END] = state[S_OUT]
        row[B_LAST] = state[S_LAST]
        state[S_BLOCKS] += 1
        state[S_OPEN] = 0
    state[S_SPACE] = 0
    state[S_BREAKS] = 0
    state[S_WIDE] = 0


@kernel
def _put_newline(out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """A newline of preformatted text: no trailing blanks, at most one empty line."""
    o = state[S_OUT]
    while out[o - 1] == 32 or out[o - 1] == 9:
        o -= 1
    if out[o - 1] != 10 or out[o - 2] != 10:
        out[o] = 10
        o += 1
        blocks[state[S_BLOCKS], B_BREAKS] += 1
    state[S_OUT] = o


@kernel
def put_wide(out: np.ndarray, state: np.ndarray, code: int) -> None:
    """Write one character of the range U+0800 to U+FFFF."""
    o = state[S_OUT]
    out[o] = 0xE0 | (code >> 12)
    out[o + 1] = 0x80 | ((code >> 6) & 0x3F)
    out[o + 2] = 0x80 | (code & 0x3F)
    state[S_OUT] = o + 3
    state[S_WIDE] = 1


@kernel
def _before_character(wide: bool, out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """Open a block if none is, and write the pending break, space or ruby mark."""
    if state[S_OPEN] and state[S_BREAKS] >= 2:
        close_block(out, state, blocks)
    if not state[S_OPEN]:
        row = blocks[state[S_BLOCKS]]
        row[:] = 0
        row[B_START] = state[S_OUT]
        row[B_ELEMENT] = state[S_ELEMENT]
        row[B_PRE] = state[S_PRE]
        row[B_INLINE] = state[S_INLINE]
        row[B_LINKS] = 1 if state[S_LINK] else 0
        state[S_OPEN] = 1
    elif state[S_BREAKS] == 1:
        out[state[S_OUT]] = 10
        state[S_OUT] += 1
        blocks[state[S_BLOCKS], B_BREAKS] += 1
    elif state[S_SPACE] == SPACE or (state[S_SPACE] == NEWLINE and not (wide and state[S_WIDE])):
        out[state[S_OUT]] = 32
        state[S_OUT] += 1
    state[S_SPACE] = 0
    state[S_BREAKS] = 0
    if state[S_PENDING]:
        pending = state[S_PENDING]
        state[S_PENDING] = 0
        put_wide(out, state, 0xFF5C if pending == 1 else (0xFF08 if pending == 2 else 0x300A))


@inlined
def _classify(code: int, row: np.ndarray, state: np.ndarray, following: int) -> int:
    """Count a character in its block; return its weight."""
    last = 0
    weight = OTHER_WEIGHT
    if code < 0x80:
        if 48 <= code <= 57:
            row[B_DIGITS] += 1
        elif code == 33 or code == 63 or (code == 46 and (following <= 41 or following == 60)):
            # a following byte of at most 41 is white space, a quote or a bracket: end of word
            row[B_STOPS] += 1
            last = 1
        elif code == 44:
            row[B_COMMAS] += 1
        elif code == 124 or code == 62 or code == 47:
            row[B_BARS] += 1
        elif code == 41:
            last = 2
        elif code == 58 and 48 <= following <= 57:
            row[B_DATES] += 1
    elif code >= 0x2E80:
        weight = CJK_WEIGHT
        if code == 0x3002 or code == 0xFF01 or code == 0xFF1F or code == 0xFF0E:
            row[B_STOPS] += 1
            last = 1
        elif code == 0x3001 or code == 0xFF0C:
            row[B_COMMAS] += 1
        elif code == 0x30FB or code == 0xFF5C:
            row[B_BARS] += 1
        elif 0x3041 <= code <= 0x30FF:
            row[B_KANA] += 1
        elif 0x3400 <= code <= 0x9FFF or code >= 0x20000:
            row[B_HAN] += 1
            row[B_DATES] += code == 0x5E74 or code == 0x6708 or code == 0x65E5
        elif code == 0x300D or code == 0x300F or code == 0xFF09:
            last = 2
        elif 0xFF10 <= code <= 0xFF19:
            row[B_DIGITS] += 1
    elif code == 0xA9:
        row[B_COPYRIGHT] += 1
    elif code == 0xBB or code == 0x203A or code == 0xB7:
        row[B_BARS] += 1
    state[S_LAST] = last
    return weight


@kernel
def put_text(
    src: np.ndarray, start: int, end: int, out: np.ndarray, state: np.ndarray, blocks: np.ndarray
) -> None:
    """Write the serialised text `src[start:end]` (no tags; entities amp, lt, gt, nbsp, quot)."""
    i = start
    pre = state[S_PRE]
    while i < end:
        c = src[i]
        if c <= 32:  # white space; other control characters are dropped
            i += 1
            if pre and (c == 10 or c == 32 or c == 9):
                if c == 10:
                    if state[S_OPEN]:
                        _put_newline(out, state, blocks)
                elif state[S_OPEN]:
                    out[state[S_OUT]] = c
                    state[S_OUT] += 1
            elif c == 10 or c == 13:
                state[S_SPACE] = NEWLINE if state[S_SPACE] != SPACE else SPACE
            elif c == 32 or c == 9 or c == 12:
                if state[S_SPACE] == 0:
                    state[S_SPACE] = SPACE
            continue
        size = 1 if c < 0x80 else (2 if c < 0xE0 else (3 if c < 0xF0 else 4))
        if i + size > end:
            break
        code = np.int64(c)
        if c == 38:  # &
            j = i + 1
            while j < end and j < i + 6 and src[j] != 59:
                j += 1
            if src[i + 1] == 97:
                code = np.int64(38)
            elif src[i + 1] == 108:
                code = np.int64(60)
            elif src[i + 1] == 103:
                code = np.int64(62)
            elif src[i + 1] == 113:
                code = np.int64(34)
            else:  # &nbsp;
                i = j + 1
                if state[S_SPACE] == 0 or state[S_SPACE] == NEWLINE:
                    state[S_SPACE] = SPACE
                continue
            i = j + 1
        elif size == 1:
            i += 1
            if c == 127:
                continue
        elif size == 2:
            code = (np.int64(c & 0x1F) << 6) | np.int64(src[i + 1] & 0x3F)
            i += 2
            if code == 0xA0:
                state[S_SPACE] = SPACE
                continue
            if code < 0xA0:
                continue
        elif size == 3:
            code = (
                (np.int64(c & 0x0F) << 12)
                | (np.int64(src[i + 1] & 0x3F) << 6)
                | np.int64(src[i + 2] & 0x3F)
            )
            i += 3
            if code == 0x3000 and (
                not state[S_OPEN] or state[S_BREAKS] or (pre == 0 and state[S_SPACE] != 0)
            ):
                if state[S_OPEN] and state[S_BREAKS] == 0:
                    state[S_SPACE] = SPACE
                continue
            if code == 0x200B or code == 0xFEFF:
                continue
        else:
            code = np.int64(0x20000)
            i += 4
        wide = code >= 0x2E80
        if state[S_SPACE] or state[S_BREAKS] or not state[S_OPEN] or state[S_PENDING]:
            _before_character(wide, out, state, blocks)
        row = blocks[state[S_BLOCKS]]
        following = np.int64(src[i]) if i < len(src) else np.int64(32)
        weight = _classify(code, row, state, following)
        row[B_WEIGHT] += weight
        row[B_CHARS] += 1
        if state[S_LINK]:
            row[B_LINKED] += weight
        if state[S_BOLD]:
            row[B_BOLD] += weight
        o = state[S_OUT]
        if size == 1:
            out[o] = code
        else:
            for k in range(size):
                out[o + k] = src[i - size + k]
        state[S_OUT] = o + size
        state[S_WIDE] = 1 if wide else 0
