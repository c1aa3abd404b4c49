"""The plain view of a Markdown text: what a reader sees, without its signs, a line feed a block.

`plain` and `prose` are pure functions of text and blocks. Published recipes, dedup, language and
personal data read the plain view; signals that structure distorts are measured on prose too (no
code, tables, formulas, headings). Cells are parted by tabs, so that an empty one keeps its column.
What a sign is: docs/text.md. A dollar or backtick that nothing closes is itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.text.blocks import (
    BLOCKS_TYPE,
    END,
    KIND,
    KINDS,
    PROSE,
    START,
    Blocks,
    as_column,
    from_arrow,
    kind,
    to_bytes,
    to_points,
)
from filters.buffers import text_buffers
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

COLUMNS = ("text", "blocks", "format")  # of a documents file: what `plain_of` reads
MAX_RUN = 8  # backticks; a longer run is text
IS_SIGN = np.zeros(256, np.bool_)  # what `_inline` looks at: the rest is copied
IS_SIGN[[ch.BACKSLASH, ch.BACKTICK, ch.DOLLAR, ch.LINE_FEED]] = True
MAX_FORMULA = 2000  # bytes between the dollars of a foreign text
ALL_LEVELS = 1 << 30  # of quotes in quotes
ALL = np.ones(len(KINDS), np.bool_)
PROSE_KINDS = np.array([name in PROSE for name in KINDS])


@inlined
def is_punctuation(c: int) -> bool:
    """Whether a byte is ASCII punctuation: a backslash before it is an escape (CommonMark 2.4)."""
    return (
        ch.EXCLAMATION <= c <= ch.SLASH
        or ch.COLON <= c <= ch.AT
        or ch.OPEN_SQUARE <= c <= ch.BACKTICK
        or ch.OPEN_CURLY <= c <= ch.TILDE
    )


@kernel
def _run(data: np.ndarray, i: int, end: int) -> int:
    """Length of the run of the byte at i."""
    k = i
    while k < end and data[k] == data[i]:
        k += 1
    return k - i


@kernel
def _closing(data: np.ndarray, i: int, end: int, mark: int, size: int) -> int:
    """Where the next run of exactly `size` marks begins in [i, end); -1 without one.

    A dollar closes a formula behind no blank and before no digit (so $5 and $6 are prices), and a
    backslash hides it; code knows no escapes.
    """
    while i < end:
        if data[i] == mark:
            run = _run(data, i, end)
            if run == size and (
                mark == ch.BACKTICK
                or (
                    data[i - 1] > ch.SPACE
                    and not (i + run < end and ch.ZERO <= data[i + run] <= ch.NINE)
                )
            ):
                return i
            i += run
        elif data[i] == ch.BACKSLASH and mark == ch.DOLLAR:
            i += 2
        else:
            i += 1
    return -1


@kernel
def closed_at(
    data: np.ndarray, i: int, run: int, end: int, absent_code: np.ndarray, absent_math: np.ndarray
) -> int:
    """Where what the run of backticks or dollars at i opens is closed in [i, end); -1 for text.

    absent_*: bool [run], what a search to `end` has not found; so none is searched for twice.
    """
    code = data[i] == ch.BACKTICK
    if run > (MAX_RUN if code else 2) or i + run >= end:
        return -1
    absent = absent_code if code else absent_math
    if absent[run] or not (code or data[i + run] > ch.SPACE):
        return -1
    close = _closing(data, i + run, end, data[i], run)
    absent[run] = close < 0
    return close


@kernel
def _is_formula(data: np.ndarray, i: int, end: int, run: int) -> bool:
    """Whether `$…$` at data[i:end] of a foreign text is a formula, and not "$a" and "$b".

    It stands on one line, no letter follows, and what is not ASCII stands in it only beside TeX.
    """
    wide = tex = False
    if end - i > MAX_FORMULA:
        return False
    for k in range(i, end):
        if data[k] == ch.LINE_FEED and run == 1:
            return False
        wide |= data[k] >= ch.ASCII_END
        tex |= data[k] == ch.BACKSLASH
    after = data[end] if end < len(data) else ch.SPACE
    return (tex or not wide) and not (
        after == ch.UNDERSCORE
        or ch.UPPER_A <= after <= ch.UPPER_Z
        or ch.LOWER_A <= after <= ch.LOWER_Z
    )


@kernel
def inline_spans(data: np.ndarray, part: int) -> np.ndarray:
    """int32 [n, 3]: bytes of inline code and formulas, with their signs, in pieces of prose.

    Pieces are parted by the byte `part`. In the last column 1: a dollar of prose, to be escaped.
    """
    count = 0
    for c in data:
        count += c == ch.BACKTICK or c == ch.DOLLAR
    out = np.empty((count, 3), np.int32)
    absent_code = np.zeros(MAX_RUN + 1, np.bool_)
    absent_math = np.zeros(3, np.bool_)
    known = np.zeros(3, np.int64)  # where the next dollars that close stand
    n = i = end = 0
    while i < len(data):
        if i >= end:
            end = i
            while end < len(data) and data[end] != part:
                end += 1
            absent_code[:] = False
            absent_math[:] = False
        c = data[i]
        if c == ch.BACKSLASH and i + 1 < end and is_punctuation(data[i + 1]):
            i += 2
        elif c == ch.BACKTICK or c == ch.DOLLAR:
            run = _run(data, i, end)
            if c == ch.DOLLAR and run <= 2 and i + run < known[run]:
                close = known[run] if data[i + run] > ch.SPACE else -1
            else:
                close = closed_at(data, i, run, end, absent_code, absent_math)
            if close > i + run:
                prose = c == ch.DOLLAR and not _is_formula(data, i, close + run, run)
                if c == ch.DOLLAR:
                    known[run] = close
                out[n, 0], out[n, 1], out[n, 2] = i, i + run if prose else close + run, prose
                i = i if prose else close
                n += 1
            i += run
        else:
            i += 1
    return out[:n]


@kernel
def _after_quote(data: np.ndarray, i: int, end: int, levels: int) -> int:
    """Behind the `> ` of at most so many levels at the start of a quote's line."""
    for _ in range(levels):
        k = i
        while k < end and (data[k] == ch.SPACE or data[k] == ch.TAB):
            k += 1
        if k == end or data[k] != ch.GREATER:
            break
        i = k + 1
        if i < end and data[i] == ch.SPACE:
            i += 1
    return i


@inlined
def _put(data: np.ndarray, i: int, out: np.ndarray, where: np.ndarray, o: int) -> int:
    out[o] = data[i]
    where[o] = i
    return o + 1


@kernel
def _inline(
    data: np.ndarray, i: int, end: int, quoted: bool, cell: bool,
    out: np.ndarray, where: np.ndarray, o: int,
) -> int:  # fmt: skip
    """Write the text of one block or cell without escapes, backticks and dollars."""
    absent_code = np.zeros(MAX_RUN + 1, np.bool_)  # runs of this length that nothing closes
    absent_math = np.zeros(3, np.bool_)
    line = True  # a line begins: its indent, and the sign of a quote, are no text
    while i < end:
        if line:
            if quoted:
                i = _after_quote(data, i, end, ALL_LEVELS)
            while i < end and (data[i] == ch.SPACE or data[i] == ch.TAB):
                i += 1
            line = False
            continue
        k = i
        while k < end and not IS_SIGN[data[k]]:
            k += 1
        if k > i:  # most of a text is no sign: in one piece
            out[o : o + k - i] = data[i:k]
            for n in range(k - i):
                where[o + n] = i + n
            o += k - i
            i = k
            continue
        c = data[i]
        if c == ch.BACKSLASH and i + 1 < end and is_punctuation(data[i + 1]):
            o = _put(data, i + 1, out, where, o)
            i += 2
            continue
        if c == ch.BACKTICK or c == ch.DOLLAR:
            run = _run(data, i, end)
            code = c == ch.BACKTICK
            close = closed_at(data, i, run, end, absent_code, absent_math)
            if close > i + run:
                first, last = i + run, close
                if code and last - first > 2 and data[first] == data[last - 1] == ch.SPACE:
                    first, last = first + 1, last - 1
                k = first
                while k < last:
                    if quoted and k > first and data[k - 1] == ch.LINE_FEED:
                        k = _after_quote(data, k, last, ALL_LEVELS)
                        if k == last:
                            break
                    if not (
                        cell and data[k] == ch.BACKSLASH and k + 1 < end and data[k + 1] == ch.BAR
                    ):
                        o = _put(data, k, out, where, o)
                    k += 1
                i = close + run
            else:
                for k in range(i, i + run):
                    o = _put(data, k, out, where, o)
                i += run
            continue
        o = _put(data, i, out, where, o)
        i += 1
        line = c == ch.LINE_FEED
    return o


@kernel
def _line_end(data: np.ndarray, i: int, end: int) -> int:
    while i < end and data[i] != ch.LINE_FEED:
        i += 1
    return i


@kernel
def is_delimiter_row(data: np.ndarray, i: int, end: int) -> bool:
    """Whether the line is the rule below a table's header: `| --- | :-: |`."""
    dashes = False
    for k in range(i, end):
        c = data[k]
        if c == ch.HYPHEN:
            dashes = True
        elif c != ch.BAR and c != ch.COLON and c != ch.SPACE and c != ch.TAB:
            return False
    return dashes


@kernel
def _table(data: np.ndarray, i: int, end: int, out: np.ndarray, where: np.ndarray, o: int) -> int:
    """Rows on lines of their own, cells parted by tabs; the delimiter row is a sign."""
    number = 0
    while i < end:
        stop = _line_end(data, i, end)
        number += 1
        if number == 2 and is_delimiter_row(data, i, stop):
            i = stop + 1
            continue
        if number > 1:
            out[o] = ch.LINE_FEED
            where[o] = i
            o += 1
        last = stop
        while last > i and data[last - 1] <= ch.SPACE:
            last -= 1
        while i < last and data[i] <= ch.SPACE:
            i += 1
        if i < last and data[i] == ch.BAR:
            i += 1
        if last > i and data[last - 1] == ch.BAR and data[last - 2] != ch.BACKSLASH:
            last -= 1
        start = i
        k = i
        while k <= last:
            if k == last or (data[k] == ch.BAR and data[k - 1] != ch.BACKSLASH):
                a, z = start, k
                while a < z and data[a] <= ch.SPACE:
                    a += 1
                while z > a and data[z - 1] <= ch.SPACE:
                    z -= 1
                o = _inline(data, a, z, False, True, out, where, o)
                if k < last:
                    out[o] = ch.TAB
                    where[o] = k
                    o += 1
                start = k + 1
            k += 1
        i = stop + 1
    return o


@kernel
def indent_columns(data: np.ndarray, i: int, end: int, column: int) -> int:
    """Columns that the blanks data[i:end] take from `column` on: a tab goes to the next 4th."""
    start = column
    for k in range(i, end):
        column += 4 - column % 4 if data[k] == ch.TAB else 1
    return column - start


@kernel
def fence_size(data: np.ndarray, i: int, end: int) -> int:
    """Length of the fence of backticks or tildes that the line opens at i; 0 for another line."""
    if i >= end or (data[i] != ch.BACKTICK and data[i] != ch.TILDE):
        return 0
    size = _run(data, i, end)
    if size < 3:
        return 0
    if data[i] == ch.BACKTICK:
        for k in range(i + size, end):
            if data[k] == ch.BACKTICK:
                return 0
    return size


@kernel
def closes_fence(data: np.ndarray, i: int, end: int, mark: int, size: int) -> bool:
    """Whether the line at i, behind its blanks, closes a fence of `size` marks."""
    if i >= end or data[i] != mark:
        return False
    run = _run(data, i, end)
    for k in range(i + run, end):
        if data[k] > ch.SPACE:
            return False
    return run >= size


@kernel
def is_fence(data: np.ndarray, i: int, end: int) -> int:
    """Columns of indent plus 1 of a line that is a fence; 0 for another."""
    k = i
    while k < end and (data[k] == ch.SPACE or data[k] == ch.TAB):
        k += 1
    return indent_columns(data, i, k, 0) + 1 if fence_size(data, k, end) else 0


@kernel
def _after_indent(data: np.ndarray, i: int, end: int, indent: int) -> int:
    """Behind the blanks of at most `indent` columns."""
    column = 0
    while i < end and column < indent and (data[i] == ch.SPACE or data[i] == ch.TAB):
        column += indent_columns(data, i, i + 1, column)
        if column <= indent:
            i += 1
    return i


@kernel
def _closing_fence(data: np.ndarray, i: int, first: int, end: int) -> int:
    """Where the lines of code end whose fence is data[i:first]: before the closing one, if any."""
    k = end
    while k > first and data[k - 1] != ch.LINE_FEED:
        k -= 1
    last = k
    while k < end and (data[k] == ch.SPACE or data[k] == ch.TAB):
        k += 1
    while i < first and (data[i] == ch.SPACE or data[i] == ch.TAB):
        i += 1
    size = fence_size(data, i, first)
    return last - 1 if last > first and closes_fence(data, k, end, data[i], size) else end


@kernel
def _code(data: np.ndarray, i: int, end: int, out: np.ndarray, where: np.ndarray, o: int) -> int:
    """The lines between the fences byte for byte; of indented code, without four blanks."""
    first = _line_end(data, i, end)
    fence = is_fence(data, i, first)
    indent = fence - 1 if fence else 4
    last = end
    if fence:
        last = _closing_fence(data, i, first, end)
        i = first + 1
    while i <= last:
        stop = _line_end(data, i, last)
        for k in range(_after_indent(data, i, stop, indent), stop):
            o = _put(data, k, out, where, o)
        if stop < last:
            o = _put(data, stop, out, where, o)
        i = stop + 1
    return o


@kernel
def _quoted(
    data: np.ndarray, i: int, end: int, begin: int, out: np.ndarray, where: np.ndarray, o: int
) -> int:
    """Write lines of a quote's prose; `begin`: where the quote began in `out`."""
    if i >= end:
        return o
    if o > begin:
        out[o] = ch.LINE_FEED
        where[o] = i
        o += 1
    return _inline(data, i, end, True, False, out, where, o)


@kernel
def _quote(data: np.ndarray, i: int, end: int, out: np.ndarray, where: np.ndarray, o: int) -> int:
    """The lines of a quote without their signs; empty ones are left out, but for those of code."""
    begin, start = o, i
    size = mark = levels = indent = 0  # of the fence that is open
    while i <= end:
        stop = _line_end(data, i, end)
        if size > 0:
            at = _after_quote(data, i, stop, levels)
            if closes_fence(data, _after_indent(data, at, stop, stop), stop, mark, size):
                size = 0
            else:
                if o > begin:
                    out[o] = ch.LINE_FEED
                    where[o] = i
                    o += 1
                for k in range(_after_indent(data, at, stop, indent), stop):
                    o = _put(data, k, out, where, o)
            start = stop + 1
        else:
            at = _after_quote(data, i, stop, ALL_LEVELS)
            first = _after_indent(data, at, stop, stop)
            size = fence_size(data, first, stop)
            if size > 0 or first == stop:
                o = _quoted(data, start, i - 1, begin, out, where, o)
                start = stop + 1
            if size > 0:
                mark, indent, levels = data[first], indent_columns(data, at, first, 0), 0
                for k in range(i, at):
                    levels += data[k] == ch.GREATER
        i = stop + 1
    return _quoted(data, start, end, begin, out, where, o)


@kernel
def _formula(data: np.ndarray, i: int, end: int) -> tuple[int, int]:
    """Where the TeX of a display formula stands: between $$ and $$ or \\[ and \\]."""
    while i < end and data[i] <= ch.SPACE:
        i += 1
    while end > i and data[end - 1] <= ch.SPACE:
        end -= 1
    if end - i >= 4 and (
        (data[i] == data[i + 1] == data[end - 1] == data[end - 2] == ch.DOLLAR)
        or (
            data[i] == data[end - 2] == ch.BACKSLASH
            and data[i + 1] == ch.OPEN_SQUARE
            and data[end - 1] == ch.CLOSE_SQUARE
        )
    ):
        i, end = i + 2, end - 2
    while i < end and data[i] <= ch.SPACE:
        i += 1
    while end > i and data[end - 1] <= ch.SPACE:
        end -= 1
    return i, end


@kernel
def _after_sign(data: np.ndarray, i: int, end: int, block: int) -> int:
    """Behind the `## ` of a heading or the `- ` or `12. ` of an item."""
    start = i
    while i < end and (data[i] == ch.SPACE or data[i] == ch.TAB):
        i += 1
    mark = i
    if block == kind.heading:
        while i < end and data[i] == ch.HASH:
            i += 1
    elif i < end and (data[i] == ch.HYPHEN or data[i] == ch.ASTERISK or data[i] == ch.PLUS):
        i += 1
    else:
        while i < end and ch.ZERO <= data[i] <= ch.NINE:
            i += 1
        if i > mark and i < end and (data[i] == ch.FULL_STOP or data[i] == ch.CLOSE_ROUND):
            i += 1
        else:
            i = mark
    return i if i > mark else start


@kernel
def _heading_end(data: np.ndarray, i: int, end: int) -> int:
    """Where a heading's text ends: before the line of = or - below it."""
    k = end
    while k > i and (data[k - 1] == ch.EQUALS or data[k - 1] == ch.HYPHEN):
        k -= 1
    return k - 1 if i < k < end and data[k - 1] == ch.LINE_FEED else end


@kernel
def put_block(
    data: np.ndarray, i: int, end: int, block: int, out: np.ndarray, where: np.ndarray, o: int
) -> int:
    """Write the plain text of the block data[i:end]; return the new end of `out`."""
    if block == kind.code:
        return _code(data, i, end, out, where, o)
    if block == kind.table:
        return _table(data, i, end, out, where, o)
    if block == kind.rule:
        return o
    if block == kind.quote:
        return _quote(data, i, end, out, where, o)
    if block == kind.formula:
        i, end = _formula(data, i, end)
        for k in range(i, end):
            o = _put(data, k, out, where, o)
        return o
    if block == kind.heading:
        end = _heading_end(data, i, end)
    if block == kind.heading or block == kind.item:
        i = _after_sign(data, i, end, block)
    return _inline(data, i, end, block == kind.quote, False, out, where, o)


@kernel
def _view(
    data: np.ndarray, spans: np.ndarray, signed: bool, wanted: np.ndarray,
    out: np.ndarray, where: np.ndarray, seen: np.ndarray,
) -> int:  # fmt: skip
    """Write the wanted blocks of one text; return the size. signed: the text is Markdown.

    spans: in bytes; seen: of the same shape, filled with the spans of the view, START = END for a
    block of which it has nothing.
    """
    o = 0
    for k in range(len(spans)):
        seen[k] = spans[k]
        seen[k, START] = seen[k, END] = o
        if not wanted[spans[k, KIND]]:
            continue
        start, end = spans[k, START], spans[k, END]
        before = o
        if o > 0:
            out[o] = ch.LINE_FEED
            where[o] = start
            o += 1
        text = o
        if signed:
            o = put_block(data, start, end, spans[k, KIND], out, where, o)
        else:
            for i in range(start, end):
                o = _put(data, i, out, where, o)
        if o == text:
            o = before
        else:
            seen[k, START], seen[k, END] = text, o
    return o


@kernel
def _views(
    data: np.ndarray, offsets: np.ndarray, spans: np.ndarray, rows: np.ndarray,
    signed: np.ndarray, wanted: np.ndarray, out: np.ndarray, ends: np.ndarray, seen: np.ndarray,
    points: bool,
) -> None:  # fmt: skip
    """The view of every text, one after the other: `ends` int64 [n + 1] are their offsets.

    seen: as `_view` fills it, of all texts; points: in code points.
    """
    o = 0
    everything = wanted.all()
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]]
        own, placed = spans[rows[row] : rows[row + 1]], seen[rows[row] : rows[row + 1]]
        if len(own) == 0 or (everything and not signed[row]):
            out[o : o + len(text)] = text
            o += len(text)
            placed[:] = own
        else:
            where = np.empty(len(text) + len(own) + 1, np.int32)
            room = out[o:]
            size = _view(text, to_bytes(text, own), signed[row], wanted, room, where, placed)
            if points:
                placed[:] = to_points(room[:size], placed)
            o += size
        ends[row + 1] = o


def views(
    texts: pa.Array, blocks: pa.ListArray, formats: pa.Array, kinds: np.ndarray = ALL
) -> pa.Array:
    """The plain view of every text (string or large_string, as given), of the kinds wanted.

    blocks: BLOCKS_TYPE; formats: "markdown" or "plain", a text of the latter is its own view;
    kinds: bool [len(KINDS)]. A text without blocks is all prose and stands as it is.
    """
    return _all(texts, from_arrow(blocks), formats, kinds, False)[0]


def with_blocks(
    texts: pa.Array, blocks: pa.ListArray, formats: pa.Array, kinds: np.ndarray = ALL
) -> tuple[pa.Array, pa.ListArray]:
    """`views`, and the blocks of each as spans over its view: texts of the format "plain"."""
    spans, rows, languages = from_arrow(blocks)
    found, seen = _all(texts, (spans, rows, languages), formats, kinds, True)
    left = seen[:, END] > seen[:, START]
    rows = np.concatenate([[0], np.cumsum(left)])[rows]
    return found, as_column(seen[left], rows, languages)


def _all(
    texts: pa.Array, blocks: tuple[np.ndarray, np.ndarray, list[str]], formats: pa.Array,
    kinds: np.ndarray, points: bool,
) -> tuple[pa.Array, np.ndarray]:  # fmt: skip
    """(views, spans int32 [n, WIDTH] over them). blocks: of `from_arrow`."""
    data, offsets = text_buffers(texts)
    spans, rows, _ = blocks
    out = np.empty(int(offsets[-1] - offsets[0]) + len(spans) + 1, np.uint8)
    ends = np.zeros(len(offsets), np.int64)
    seen = np.empty_like(spans)
    _views(data, offsets, spans, rows, is_signed(formats), kinds, out, ends, seen, points)
    return strings(out, ends, texts.type), seen


def plain(texts: pa.Array, blocks: pa.ListArray, formats: pa.Array) -> pa.Array:
    """The plain view of every text: see `views`."""
    return views(texts, blocks, formats)


def prose(texts: pa.Array, blocks: pa.ListArray, formats: pa.Array) -> pa.Array:
    """The paragraphs, items, quotes, definitions and captions of every text, in the plain view."""
    return views(texts, blocks, formats, PROSE_KINDS)


def plain_of(documents: pa.RecordBatch | pa.Table) -> pa.Array:
    """The plain view of the column `text` of documents, by their columns `blocks` and `format`."""
    texts, blocks, formats = columns_of(documents)
    return plain(texts, blocks, formats) if len(blocks.flatten()) else texts


def columns_of(
    documents: pa.RecordBatch | pa.Table,
) -> tuple[pa.Array, pa.ListArray, pa.Array]:
    """(texts, blocks, formats) of documents.

    Files of a user have neither of the latter: their texts are plain views without blocks.
    """
    names = documents.schema.names
    texts = _whole(documents["text"])
    blocks = _whole(documents["blocks"]) if "blocks" in names else pa.nulls(len(texts), BLOCKS_TYPE)
    formats = documents["format"] if "format" in names else pa.repeat("markdown", len(texts))
    return texts, blocks, _whole(formats)


def is_signed(formats: pa.Array) -> np.ndarray:
    """Whether each text is Markdown (bool [n])."""
    return pc.fill_null(pc.not_equal(formats, "plain"), True).to_numpy(zero_copy_only=False)


def strings(data: np.ndarray, ends: np.ndarray, like: pa.DataType) -> pa.Array:
    """Texts of UTF-8 bytes and offsets (int64 [n + 1]): large_string, or string as `like` is."""
    buffers = pa.py_buffer(ends), pa.py_buffer(data[: ends[-1]])
    wide = pa.LargeStringArray.from_buffers(len(ends) - 1, *buffers)
    return wide if pa.types.is_large_string(like) else wide.cast(pa.string())


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def prose_beside(
    seen: pa.Array, texts: pa.Array, blocks: pa.ListArray, formats: pa.Array
) -> pa.Array:
    """The prose of every text; `seen`, their plain views, where no text has anything else."""
    spans, rows, _ = from_arrow(blocks)
    other = ~PROSE_KINDS[spans[:, KIND]] & (spans[:, KIND] != kind.rule)
    more = np.diff(np.concatenate([[0], np.cumsum(other)])[rows]) > 0
    if not more.any():
        return seen
    taken = pa.array(np.flatnonzero(more))
    own = prose(texts.take(taken), blocks.take(taken), formats.take(taken))
    place = np.arange(len(texts))
    place[more] = len(texts) + np.arange(len(own))
    return pa.concat_arrays([seen, own]).take(pa.array(place))


def plain_text(text: str, blocks: Blocks, kinds: np.ndarray = ALL) -> str:
    """The plain view of one Markdown text."""
    return _one(text, blocks, kinds)[0]


def plain_with_places(text: str, blocks: Blocks) -> tuple[str, np.ndarray]:
    """(plain view, int64 [n + 1]: code point of `text` that each of its code points stands at).

    The last place is the end of the text.
    """
    view, where, _ = _one(text, blocks, ALL)
    data = np.frombuffer(text.encode(), np.uint8)
    point_of = np.concatenate([np.cumsum((data & 0xC0) != 0x80) - 1, [len(text)]])
    seen = np.frombuffer(view.encode(), np.uint8)
    places = point_of[where[(seen & 0xC0) != 0x80]]
    return view, np.concatenate([places, [len(text)]])


def _one(text: str, blocks: Blocks, kinds: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """(view, byte of the text for each of its bytes, spans int32 [n, WIDTH] of the view)."""
    data = np.frombuffer(text.encode(), np.uint8)
    if not len(blocks.spans):
        return text, np.arange(len(data)), blocks.spans
    out = np.empty(len(data) + len(blocks.spans) + 1, np.uint8)
    where, seen = np.empty(len(out), np.int32), np.empty_like(blocks.spans)
    size = _view(data, to_bytes(data, blocks.spans), True, kinds, out, where, seen)
    return out[:size].tobytes().decode(), where[:size], to_points(out[:size], seen)


def plain_blocks(text: str, blocks: Blocks) -> tuple[str, Blocks]:
    """A Markdown text as one of the format "plain": its plain view, and the spans over that.

    A block without text (a rule) has none there.
    """
    view, _, seen = _one(text, blocks, ALL)
    return view, Blocks(seen[seen[:, END] > seen[:, START]], blocks.languages)


def without_kinds(blocks: Blocks, kinds: Iterable[str]) -> np.ndarray:
    """Mask (bool [n]) of the blocks whose kind is none of these."""
    gone = [KINDS.index(name) for name in kinds]
    return ~np.isin(blocks.spans[:, KIND], gone)
