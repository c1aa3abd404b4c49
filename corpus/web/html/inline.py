"""Inline signs of the walk: formulas, inline code, powers and indices, line breaks."""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.html.blocks import before_character, close_block, put_blank
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

MAX_POWER = 24  # bytes of a power or index; longer ones are small print
ORDINALS = ("st", "nd", "rd", "th", "TM", "SM", "R", "tm", "sm")  # raised words that are no power
_ORDINALS = np.array([(ord(w[0]) << 8) + ord(w[1]) if w[1:] else ord(w) for w in ORDINALS])
FIRST_WIDE = 0xE3  # first byte of kana; kanji and full-width forms follow
DAGGER, DOUBLE_DAGGER, KOME = (tuple(mark.encode()) for mark in "†‡※")  # marks of notes


@kernel
def put_formula(
    row: int, display: int, soft: bool, out: np.ndarray, state: np.ndarray, blocks: np.ndarray
) -> None:
    """Write the place of the formula whose mark is `row` (-1: there were MAX_FORMULAS before it).

    display: it is a block of its own. soft: a renderer's work, which a script of TeX may follow.
    """
    if display:
        close_block(out, state, blocks)
    before_character(False, out, state, blocks)
    number = state[b.S_FORMULAS]
    state[b.S_FORMULAS] = min(number + 1, b.MAX_FORMULAS)
    o = state[b.S_OUT]
    out[o] = b.FORMULA
    for k in range(b.NUMBER_BYTES):
        out[o + 1 + k] = 0x80 | ((number >> (6 * k)) & 0x3F)
    state[b.S_OUT] = o + 1 + b.NUMBER_BYTES
    block = blocks[state[b.S_BLOCKS]]
    block[b.B_WEIGHT] += b.FORMULA_WEIGHT
    block[b.B_CHARS] += b.FORMULA_CHARS
    state[b.S_LAST] = 0
    state[b.S_WIDE] = 1  # a line break of the source beside it is no blank
    if display:
        close_block(out, state, blocks)
    state[b.S_SOFT_FORMULA] = state[b.S_OUT] if soft and row >= 0 else 0
    state[b.S_SOFT_MARK] = row


@kernel
def break_line(out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """A `<br>`: a line feed in preformatted text, else one that waits for a character."""
    if state[b.S_PRE]:
        put_blank(ch.LINE_FEED, out, state, blocks)
    else:
        state[b.S_BREAKS] += 1


@kernel
def begin_inline(tag: int, out: np.ndarray, state: np.ndarray) -> int:
    """Code waits for its first character; a power begins at the place returned, 0 for nowhere."""
    if tag == tags.SUP or tag == tags.SUB:
        if tag == tags.SUP and state[b.S_OPEN] and state[b.S_SPACE] and state[b.S_BREAKS] == 0:
            if ch.ZERO <= out[state[b.S_OUT] - 1] <= ch.NINE:  # 2 <sup>30</sup>
                state[b.S_SPACE] = 0
        waits = state[b.S_SPACE] or state[b.S_BREAKS] or not state[b.S_OPEN]
        return 0 if waits or state[b.S_PRE] or state[b.S_CODE] else state[b.S_OUT]
    if state[b.S_PRE] == 0 and state[b.S_CODE] == 0:
        state[b.S_PENDING] = b.OPEN_CODE
    return 0


@kernel
def end_inline(
    tag: int, start: int, linked: bool, out: np.ndarray, state: np.ndarray, blocks: np.ndarray
) -> None:
    """End of inline code, or of a power whose text begins at `start` (0: none). linked: a link
    stands in it."""
    if tag == tags.SUP or tag == tags.SUB:
        if start and state[b.S_OPEN] and start < state[b.S_OUT]:
            _raise(tag, start, linked, out, state)
    elif state[b.S_CODE]:
        out[state[b.S_OUT]] = b.CODE_OFF
        state[b.S_OUT] += 1
        state[b.S_CODE] = 0
    elif state[b.S_PENDING] == b.OPEN_CODE:
        state[b.S_PENDING] = 0


@kernel
def _raise(tag: int, start: int, linked: bool, out: np.ndarray, state: np.ndarray) -> None:
    """10 and 23 become 10^{23}, H and 2 become H_{2}, a linked 1 behind text [1]."""
    end = state[b.S_OUT]
    size = end - start
    if size > MAX_POWER:
        return
    digits = True
    blank = operator = False
    for k in range(start, end):
        c = out[k]
        blank = blank or c == ch.SPACE
        operator = operator or c == ch.PLUS or c == ch.HYPHEN or c == ch.EQUALS or c == ch.SLASH
        if c < ch.SPACE or c >= FIRST_WIDE or c == ch.OPEN_SQUARE or c == ch.ASTERISK:
            return  # words, kanji, [1]: they stay as they are
        if c == KOME[0] and k + 2 < end and out[k + 1] == KOME[1]:
            last = out[k + 2]
            if last == KOME[2] or last == DAGGER[2] or last == DOUBLE_DAGGER[2]:
                return
        digits = digits and ch.ZERO <= c <= ch.NINE
    if blank and not operator:
        return
    word = (np.int64(out[start]) << 8) + out[start + 1] if size == 2 else np.int64(out[start])
    if size <= 2:
        for known in _ORDINALS:
            if word == known:
                return
    base = start - 1
    while base > 0 and out[base] & 0xC0 == 0x80:
        base -= 1
    note = digits and tag == tags.SUP and (linked or out[base] >= FIRST_WIDE)
    shift = 1 if note else 2
    for k in range(end - 1, start - 1, -1):
        out[k + shift] = out[k]
    if note:
        out[start] = ch.OPEN_SQUARE
        out[end + 1] = ch.CLOSE_SQUARE
    else:
        out[start] = ch.CARET if tag == tags.SUP else ch.UNDERSCORE
        out[start + 1] = ch.OPEN_CURLY
        out[end + 2] = ch.CLOSE_CURLY
    state[b.S_OUT] = end + shift + 1
