"""Columns of the block, element and mark tables, and the text writer that fills a block.

A block is the text between block-level boundaries or two `<br>`; one `<br>` is a newline inside it.
White space collapses as in a browser, except that a source newline between two wide characters
writes nothing (Japanese has no word spaces), and an indent of full-width spaces is dropped. In
preformatted text every blank stays. Bytes that are no UTF-8 mark what the words alone do not say:
the ends of inline code, and the place of a formula.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

CJK_WEIGHT = 10  # length in tenths of a CJK character; other characters say less
OTHER_WEIGHT = 4
AFTER_STOP, AFTER_BRACKET = 1, 2  # values of B_LAST
LAST_KANA = 0x30FF
FIRST_HAN, LAST_HAN, FAR_HAN = 0x3400, 0x9FFF, 0x20000  # extension A to the basic kanji; plane 2
YEAR, MONTH, DAY = map(ord, "年月日")

# Block columns (int32). Weights in tenths of a CJK character; LINKED is the weight inside links;
# STOPS counts 。！？!? and a full stop at a word's end; LAST says what the block ends in, 0 where
# that is no stop and no 」』）; DATES counts 年月日 and colons between digits.
# LISTING is the outermost preformatted element it stands in, plus 1; EMPTY the empty lines before
# it there; RULE: an `<hr>` stands before it.
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
    B_LISTING,
    B_EMPTY,
    B_RULE,
    B_WIDTH,
) = range(24)

# Element columns (int32). Blocks [E_FIRST, E_END) lie inside the element. E_FLAGS holds the kinds
# of its class, id and role; E_OVER those of its ancestors and itself; E_BAD and E_GOOD count the
# ancestors-or-self named like boilerplate and like content; E_LANDMARK holds the L_ bits of those,
# E_OWN_LANDMARK its own. E_SOURCE: where its tag's name begins; E_NUMBER: start or value of a list
# or item, colspan of a cell; E_ROWS: rowspan.
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
    E_SOURCE,
    E_NUMBER,
    E_ROWS,
    E_WIDTH,
) = range(23)

# Landmarks (bits): nav, aside or footer; header; article or main; itemprop=articleBody; form;
# aria-hidden; main.
(L_ASIDE, L_HEADER, L_ARTICLE, L_ARTICLE_BODY, L_FORM, L_ARIA_HIDDEN, L_MAIN) = (
    1 << k for k in range(7)
)

# Mark columns (int32) and kinds. A mark is a span of the source, for M_H1 and M_AUTHOR of the text.
MARK_KIND, MARK_START, MARK_END, MARK_WIDTH = range(4)
M_META, M_LINK, M_JSONLD, M_TITLE, M_TIME, M_H1, M_AUTHOR, M_FORMULA = range(8)

TEXT_START = 2  # two zero bytes stand before the text, so that looking back is always possible
# Bytes of the text that are no UTF-8: inline code begins and ends, a formula with its number.
CODE_ON, CODE_OFF, FORMULA = 0xF8, 0xF9, 0xFA
NUMBER_BYTES = 3  # behind FORMULA: six bits each, as 0x80 to 0xBF
MAX_FORMULAS = 20_000  # of a page; the others have this number and stay unread
FORMULA_WEIGHT, FORMULA_CHARS = 40, 4  # what a formula counts in its block

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
    S_CODE,
    S_LISTING,
    S_SOFT,
    S_EMPTY,
    S_RULE,
    S_FORMULAS,
    S_SOFT_FORMULA,
    S_SOFT_MARK,
    S_WIDTH,
) = range(28)
SPACE, NEWLINE = 1, 2
# Values of S_SOFT: a listing without <pre>, whose &nbsp; are blanks; one of <br>, whose own blanks
# collapse.
SOFT, COLLAPSED = 1, 2
# What waits for the next character: ruby's ｜ （ 《, or the begin of inline code.
BASE_MARK, OPEN_ROUND, OPEN_DOUBLE, OPEN_CODE = 1, 2, 3, 4


@kernel
def close_block(out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """End the open block, if any, and forget pending white space."""
    if state[S_OPEN]:
        row = blocks[state[S_BLOCKS]]
        if state[S_CODE]:  # code that goes on in the next block
            out[state[S_OUT]] = CODE_OFF
            state[S_OUT] += 1
            state[S_CODE] = 0
            state[S_PENDING] = OPEN_CODE
        feeds = 0
        while state[S_OUT] > row[B_START] and out[state[S_OUT] - 1] <= ch.SPACE:
            state[S_OUT] -= 1
            feeds += out[state[S_OUT]] == ch.LINE_FEED
        row[B_END] = state[S_OUT]
        row[B_LAST] = state[S_LAST]
        state[S_OPEN] = 0
        if state[S_OUT] > row[B_START]:
            state[S_BLOCKS] += 1
            state[S_EMPTY] = max(feeds - 1, 0)
        else:  # an empty line of a listing
            state[S_EMPTY] += 1
    state[S_SPACE] = 0
    state[S_BREAKS] = 0
    state[S_WIDE] = 0


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
def open_block(state: np.ndarray, blocks: np.ndarray) -> None:
    """Begin a block where none is open."""
    row = blocks[state[S_BLOCKS]]
    row[:] = 0
    row[B_START] = state[S_OUT]
    row[B_ELEMENT] = state[S_ELEMENT]
    row[B_PRE] = state[S_PRE]
    row[B_INLINE] = state[S_INLINE]
    row[B_LINKS] = 1 if state[S_LINK] else 0
    row[B_LISTING] = state[S_LISTING]
    row[B_EMPTY] = state[S_EMPTY]
    row[B_RULE] = state[S_RULE]
    state[S_RULE] = 0
    state[S_OPEN] = 1


@kernel
def before_character(wide: bool, out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """Open a block if none is, and write the pending break, space or mark."""
    if state[S_OPEN] and state[S_BREAKS] >= 2:
        close_block(out, state, blocks)
    if not state[S_OPEN]:
        open_block(state, blocks)
    elif state[S_BREAKS] == 1:
        out[state[S_OUT]] = ch.LINE_FEED
        state[S_OUT] += 1
        blocks[state[S_BLOCKS], B_BREAKS] += 1
    elif out[state[S_OUT] - 1] == ch.LINE_FEED:
        pass  # a line of a listing begins
    elif state[S_SPACE] == SPACE or (state[S_SPACE] == NEWLINE and not (wide and state[S_WIDE])):
        out[state[S_OUT]] = ch.SPACE
        state[S_OUT] += 1
    state[S_SPACE] = 0
    state[S_BREAKS] = 0
    if state[S_PENDING]:
        pending = state[S_PENDING]
        state[S_PENDING] = 0
        if pending == OPEN_CODE:
            out[state[S_OUT]] = CODE_ON
            state[S_OUT] += 1
            state[S_CODE] = 1
        elif pending == BASE_MARK:
            put_wide(out, state, ch.WIDE_BAR)
        else:
            put_wide(
                out, state, ch.WIDE_OPEN_ROUND if pending == OPEN_ROUND else ch.OPEN_DOUBLE_ANGLE
            )


@kernel
def put_blank(c: int, out: np.ndarray, state: np.ndarray, blocks: np.ndarray) -> None:
    """A blank or line feed of preformatted text, which stays as it is."""
    if not state[S_OPEN]:
        open_block(state, blocks)
    state[S_SPACE] = 0
    out[state[S_OUT]] = c
    state[S_OUT] += 1
    blocks[state[S_BLOCKS], B_BREAKS] += c == ch.LINE_FEED


@inlined
def _classify(code: int, row: np.ndarray, state: np.ndarray, following: int) -> int:
    """Count a character in its block; return its weight."""
    last = 0
    weight = OTHER_WEIGHT
    if code < ch.ASCII_END:
        if ch.ZERO <= code <= ch.NINE:
            row[B_DIGITS] += 1
        elif (
            code == ch.EXCLAMATION
            or code == ch.QUESTION
            or (code == ch.FULL_STOP and (following <= ch.CLOSE_ROUND or following == ch.LESS))
        ):
            # a byte up to `)` is white space, a quote or a bracket: the stop ends a word
            row[B_STOPS] += 1
            last = AFTER_STOP
        elif code == ch.COMMA:
            row[B_COMMAS] += 1
        elif code == ch.BAR or code == ch.GREATER or code == ch.SLASH:
            row[B_BARS] += 1
        elif code == ch.CLOSE_ROUND:
            last = AFTER_BRACKET
        elif code == ch.COLON and ch.ZERO <= following <= ch.NINE:
            row[B_DATES] += 1
    elif code >= ch.FIRST_CJK:
        weight = CJK_WEIGHT
        if (
            code == ch.KUTEN
            or code == ch.WIDE_EXCLAMATION
            or code == ch.WIDE_QUESTION
            or code == ch.WIDE_FULL_STOP
        ):
            row[B_STOPS] += 1
            last = AFTER_STOP
        elif code == ch.TOTEN or code == ch.WIDE_COMMA:
            row[B_COMMAS] += 1
        elif code == ch.NAKAGURO or code == ch.WIDE_BAR:
            row[B_BARS] += 1
        elif ch.FIRST_HIRAGANA <= code <= LAST_KANA:
            row[B_KANA] += 1
        elif FIRST_HAN <= code <= LAST_HAN or code >= FAR_HAN:
            row[B_HAN] += 1
            row[B_DATES] += code == YEAR or code == MONTH or code == DAY
        elif (
            code == ch.CLOSE_CORNER or code == ch.CLOSE_DOUBLE_CORNER or code == ch.WIDE_CLOSE_ROUND
        ):
            last = AFTER_BRACKET
        elif ch.WIDE_ZERO <= code <= ch.WIDE_NINE:
            row[B_DIGITS] += 1
    elif code == ch.COPYRIGHT:
        row[B_COPYRIGHT] += 1
    elif code == ch.RIGHT_GUILLEMET or code == ch.RIGHT_ANGLE or code == ch.MIDDLE_DOT:
        row[B_BARS] += 1
    state[S_LAST] = last
    return weight


@inlined
def _put_letters(
    src: np.ndarray, i: int, end: int, out: np.ndarray, state: np.ndarray, row: np.ndarray
) -> int:
    """Write the run of Latin letters, kana and kanji at i, behind a character of its block, and
    count it as `_classify` would; return its end. Most of a text, so in one step."""
    start, o = i, state[S_OUT]
    letters = kana = han = dates = 0
    wide = False
    while i < end:
        c = src[i]
        if ch.LOWER_A <= c <= ch.LOWER_Z or ch.UPPER_A <= c <= ch.UPPER_Z:
            letters += 1
            wide = False
            out[o] = c
            i, o = i + 1, o + 1
            continue
        if not (0xE3 <= c <= 0xE9 and i + 3 <= end):  # of kana and the basic kanji
            break
        second, third = src[i + 1], src[i + 2]
        code = (np.int64(c & 0x0F) << 12) | (np.int64(second & 0x3F) << 6) | np.int64(third & 0x3F)
        if FIRST_HAN <= code <= LAST_HAN:
            han += 1
            dates += code == YEAR or code == MONTH or code == DAY
        elif ch.FIRST_HIRAGANA <= code <= LAST_KANA and code != ch.NAKAGURO:
            kana += 1
        else:
            break
        wide = True
        out[o], out[o + 1], out[o + 2] = c, second, third
        i, o = i + 3, o + 3
    if i > start:
        weight = CJK_WEIGHT * (kana + han) + OTHER_WEIGHT * letters
        row[B_WEIGHT] += weight
        row[B_CHARS] += letters + kana + han
        row[B_KANA] += kana
        row[B_HAN] += han
        row[B_DATES] += dates
        if state[S_LINK]:
            row[B_LINKED] += weight
        if state[S_BOLD]:
            row[B_BOLD] += weight
        state[S_OUT] = o
        state[S_LAST] = 0
        state[S_WIDE] = 1 if wide else 0
    return i


@kernel
def put_text(
    src: np.ndarray, start: int, end: int, out: np.ndarray, state: np.ndarray, blocks: np.ndarray
) -> None:
    """Write the serialised text `src[start:end]` (no tags; entities amp, lt, gt, nbsp, quot).

    src, out uint8; state int64 [S_WIDTH]; blocks int32 [rows, B_WIDTH], counted up as they open.
    """
    i = start
    pre = state[S_PRE] if state[S_SOFT] != COLLAPSED else 0
    while i < end:
        c = src[i]
        # White space waits until a character follows; other control characters are dropped.
        if c <= ch.SPACE:
            i += 1
            if pre and (c == ch.LINE_FEED or c == ch.SPACE or c == ch.TAB):
                put_blank(c, out, state, blocks)
            elif state[S_CODE] and c == ch.SPACE and state[S_BREAKS] == state[S_SPACE] == 0:
                out[state[S_OUT]] = c
                state[S_OUT] += 1
            elif c == ch.LINE_FEED or c == ch.RETURN:
                state[S_SPACE] = NEWLINE if state[S_SPACE] != SPACE else SPACE
            elif c == ch.SPACE or c == ch.TAB or c == ch.FORM_FEED:
                if state[S_SPACE] == 0:
                    state[S_SPACE] = SPACE
            continue
        # The next character: an entity, or one to four bytes of UTF-8.
        size = 1 if c < 0x80 else (2 if c < 0xE0 else (3 if c < 0xF0 else 4))
        if i + size > end:
            break
        code = np.int64(c)
        if c == ch.AMPERSAND:
            j = i + 1
            while j < end and j < i + 6 and src[j] != ch.SEMICOLON:
                j += 1
            if src[i + 1] == ch.LOWER_A:  # &amp;
                code = np.int64(ch.AMPERSAND)
            elif src[i + 1] == ch.LOWER_L:  # &lt;
                code = np.int64(ch.LESS)
            elif src[i + 1] == ch.LOWER_G:  # &gt;
                code = np.int64(ch.GREATER)
            elif src[i + 1] == ch.LOWER_Q:  # &quot;
                code = np.int64(ch.QUOTE)
            elif pre:
                i = j + 1
                put_blank(ch.SPACE, out, state, blocks)
                if not state[S_SOFT]:
                    out[state[S_OUT] - 1] = 0xC2
                    out[state[S_OUT]] = 0xA0
                    state[S_OUT] += 1
                continue
            elif state[S_PRE]:
                i = j + 1
                put_blank(ch.SPACE, out, state, blocks)
                continue
            else:  # &nbsp;
                i = j + 1
                if state[S_SPACE] == 0 or state[S_SPACE] == NEWLINE:
                    state[S_SPACE] = SPACE
                continue
            i = j + 1
        elif size == 1:
            i += 1
            if c == ch.DELETE:
                continue
        elif size == 2:
            code = (np.int64(c & 0x1F) << 6) | np.int64(src[i + 1] & 0x3F)
            i += 2
            if code == ch.NO_BREAK_SPACE and state[S_PRE] and not pre:
                put_blank(ch.SPACE, out, state, blocks)
                continue
            if code == ch.NO_BREAK_SPACE and not pre:
                state[S_SPACE] = SPACE
                continue
            if code < ch.NO_BREAK_SPACE:  # C1 control characters
                continue
        elif size == 3:
            code = (
                (np.int64(c & 0x0F) << 12)
                | (np.int64(src[i + 1] & 0x3F) << 6)
                | np.int64(src[i + 2] & 0x3F)
            )
            i += 3
            if (
                pre == 0
                and code == ch.WIDE_SPACE
                and (not state[S_OPEN] or state[S_BREAKS] or state[S_SPACE] != 0)
            ):
                if state[S_OPEN] and state[S_BREAKS] == 0:
                    state[S_SPACE] = SPACE
                continue
            if not pre and (code == ch.ZERO_WIDTH_SPACE or code == ch.BYTE_ORDER_MARK):
                continue
        else:
            code = np.int64(FAR_HAN)  # or an emoji: they weigh the same
            i += 4
        # It ends the wait of white space, and opens a block if none is open.
        wide = code >= ch.FIRST_CJK
        if state[S_SPACE] or state[S_BREAKS] or not state[S_OPEN] or state[S_PENDING]:
            before_character(wide, out, state, blocks)
        # It is counted in its block, and written.
        row = blocks[state[S_BLOCKS]]
        following = np.int64(src[i]) if i < len(src) else np.int64(ch.SPACE)
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
        i = _put_letters(src, i, end, out, state, row)
