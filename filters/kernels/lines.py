"""Lines as they stand in the text: lengths, ends and beginnings, blank ones, repeated ones.

Four published ways of cutting live side by side, each under its own name: all lines (HojiChar),
lines that are not blank (FineWeb), pieces between runs of line breaks, and pieces between two or
more of them (Gopher, in datatrove).
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.kernel import columns, kernel
from filters.kernels.marks import (
    BULLET,
    FINEWEB_END,
    KANA,
    SENTENCE_END,
    SPECIAL,
    TERMINAL,
    WHITESPACE,
    Marks,
    marks_of,
)
from filters.kernels.spans import SEED, count_repeats, mix, table_size
from filters.kernels.spec import (
    Floats,
    Hashes,
    Offsets,
    Points,
    Scalar,
    Signal,
    count,
    number,
    share,
)

FIRST_HIRAGANA, LAST_HIRAGANA = 0x3040, 0x309F  # the block, as Uzushio counts it

FINEWEB = "FineWebQualityFilter (datatrove)"
GOPHER = "GopherRepetitionFilter (datatrove)"
HOJICHAR = "HojiChar"

SIGNALS: tuple[Signal, ...] = (
    count("n_lines", "lines", "lines, blank ones included"),
    share("blank_line_share", "of n_lines", "lines of white space only"),
    number("mean_line_length", "code points", "mean length of the lines that are not blank"),
    count("max_line_length", "code points", "length of the longest line"),
    count(
        "third_line_length",
        "code points",
        "length of the third longest line, 0 if there are fewer",
        "mC4 (Xue et al. 2021)",
    ),
    share("short_line_share", "of n_lines", "lines of ten characters or fewer", HOJICHAR),
    share("short_line_30_share", "of lines not blank", "lines of 30 characters or fewer", FINEWEB),
    share("line_end_share", "of lines not blank", "lines that end in FineWeb's marks", FINEWEB),
    share("prose_line_share", "of lines not blank", "lines that end in a kuten, quote or ellipsis"),
    share("bullet_line_share", "of lines not blank", "lines that begin with a bullet"),
    share("ellipsis_line_share", "of line breaks", "line breaks after … or ...", HOJICHAR),
    share("kana_line_share", "of lines not blank", "lines with hiragana or katakana"),
    share("broken_line_share", "of lines not blank", "lines that break off amid a sentence"),
    share("one_char_line_share", "of lines not blank", "lines of one or two characters"),
    share(
        "dup_line_char_share",
        "of characters but \\n",
        "in repeated lines that are not blank",
        FINEWEB,
    ),
    share("dup_run_line_share", "of pieces", "repeated pieces between runs of \\n", GOPHER),
    share("dup_run_line_char_share", "of n_chars", "characters in those", GOPHER),
    share("dup_block_share", "of blocks", "repeated blocks between two or more \\n", GOPHER),
    share("dup_block_char_share", "of n_chars", "characters in those", GOPHER),
    count("kana_at_start", "code points", "[ぁ-んァ-ン] among the first 50 characters", HOJICHAR),
    number("chars_per_maru", "code points", "n_chars for each 。; infinite without any", HOJICHAR),
    share("special_share", "of n_chars", "HojiChar's special characters", HOJICHAR),
    count("utf16_length", "UTF-16 units", "length without line breaks", "Uzushio DocLength"),
    number("chars_per_kuten", "code points", "n_chars for each of 。．！？; infinite without any"),
    share("hiragana_block_share", "of utf16_length", "U+3040–309F", "Uzushio HiraganaRatio"),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)
START = 50  # characters in which `kana_at_start` counts
SHORT, MEDIUM, TINY = 10, 30, 2  # characters of a line, as the signals' names say
CUT = 10  # characters: a shorter line without a final mark was not cut by its width


@kernel
def measure_lines(points: Points, starts: Offsets, marks: Marks, out: Floats) -> None:
    """Fills out[n, N_SIGNALS] for n documents; marks is MARK_TABLE."""
    longest = np.int64(1)
    for doc in range(len(starts) - 1):
        longest = max(longest, starts[doc + 1] - starts[doc])
    begins = np.empty(longest + 1, np.int64)
    ends = np.empty(longest + 1, np.int64)
    hashes = np.empty(longest + 1, np.uint64)
    table = np.empty(table_size(longest + 1), np.int32)
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        row = out[doc]
        row[:] = 0.0
        n_filled, n_breaks = _lines(text, marks, begins, ends, hashes, row)
        repeats, characters = count_repeats(text, begins, ends, hashes, n_filled, table)
        if len(text) > n_breaks:
            row[column.dup_line_char_share] = characters / (len(text) - n_breaks)
        if n_filled == n_breaks + 1:  # no blank line: the lines are the pieces, and one block
            row[column.dup_run_line_share] = repeats / n_filled
            row[column.dup_run_line_char_share] = characters / len(text)
            continue
        n = _pieces(text, begins, ends, hashes)
        repeats, characters = count_repeats(text, begins, ends, hashes, n, table)
        row[column.dup_run_line_share] = repeats / n
        if len(text):
            row[column.dup_run_line_char_share] = characters / len(text)
        n = _blocks(text, marks, begins, ends, hashes)
        repeats, characters = count_repeats(text, begins, ends, hashes, n, table)
        row[column.dup_block_share] = repeats / n
        if len(text):
            row[column.dup_block_char_share] = characters / len(text)


@kernel
def _lines(
    text: Points, marks: Marks, begins: Offsets, ends: Offsets, hashes: Hashes, row: Floats
) -> tuple[Scalar, Scalar]:
    """Spans of the lines that are not blank; most signals of `row`; (spans, line breaks)."""
    n_lines = n_filled = filled_size = short = short30 = fineweb = prose = bullets = 0
    ellipses = kana_lines = broken = tiny = kana_start = maru = special = 0
    utf16 = hiragana = kuten = 0
    first = second = third = 0
    begin = 0
    h = SEED
    seen = np.uint16(0)  # marks of all characters of the line
    opening_marks = np.uint16(0)  # marks of its first character that is no space
    last_marks = np.uint16(0)  # and of its last
    blank = True
    for i in range(len(text) + 1):
        # Within a line: what each of its characters adds.
        if i < len(text) and text[i] != ch.LINE_FEED:
            point = text[i]
            mark = marks_of(point, marks)
            h = mix(h, point)
            seen |= mark
            special += (mark & SPECIAL) != 0
            maru += point == ch.KUTEN
            kuten += (mark & SENTENCE_END) != 0 and point > ch.QUESTION
            utf16 += 1 + (point >= ch.PLANE)
            hiragana += FIRST_HIRAGANA <= point <= LAST_HIRAGANA
            if (mark & WHITESPACE) == 0:
                if blank:
                    opening_marks = mark
                    blank = False
                last_marks = mark
            if i < START:
                kana_start += (mark & KANA) != 0
            continue
        # At its end, or the text's: what the line as a whole is.
        length = i - begin
        n_lines += 1
        short += length <= SHORT
        if length > third:
            first, second, third = _top_three(first, second, third, length)
        if i < len(text):
            special += 1  # a line break is one of HojiChar's special characters
            ellipses += (length >= 1 and text[i - 1] == ch.ELLIPSIS) or (
                length >= 3
                and text[i - 1] == ch.FULL_STOP
                and text[i - 2] == ch.FULL_STOP
                and text[i - 3] == ch.FULL_STOP
            )
        if not blank:
            begins[n_filled] = begin
            ends[n_filled] = i
            hashes[n_filled] = h
            n_filled += 1
            filled_size += length
            short30 += length <= MEDIUM
            fineweb += (marks_of(text[i - 1], marks) & FINEWEB_END) != 0
            prose += (last_marks & TERMINAL) != 0
            bullets += (opening_marks & BULLET) != 0
            kana_lines += (seen & KANA) != 0
            tiny += length <= TINY
            # A line without a final mark whose text goes on in hiragana was cut by its width.
            if i + 1 < len(text) and (last_marks & TERMINAL) == 0:
                broken += length >= CUT and ch.FIRST_HIRAGANA <= text[i + 1] <= ch.LAST_HIRAGANA
        begin = i + 1
        h = SEED
        seen = opening_marks = last_marks = np.uint16(0)
        blank = True
    row[column.n_lines] = n_lines
    row[column.blank_line_share] = (n_lines - n_filled) / n_lines
    row[column.max_line_length] = first
    row[column.third_line_length] = third
    row[column.short_line_share] = short / n_lines
    if n_filled:
        row[column.mean_line_length] = filled_size / n_filled
        row[column.short_line_30_share] = short30 / n_filled
        row[column.line_end_share] = fineweb / n_filled
        row[column.prose_line_share] = prose / n_filled
        row[column.bullet_line_share] = bullets / n_filled
        row[column.kana_line_share] = kana_lines / n_filled
        row[column.broken_line_share] = broken / n_filled
        row[column.one_char_line_share] = tiny / n_filled
    if n_lines > 1:
        row[column.ellipsis_line_share] = ellipses / (n_lines - 1)
    row[column.kana_at_start] = kana_start
    row[column.utf16_length] = utf16
    row[column.hiragana_block_share] = hiragana / utf16 if utf16 else 0.0
    if len(text):
        row[column.chars_per_maru] = len(text) / maru if maru else np.inf
        row[column.chars_per_kuten] = len(text) / kuten if kuten else np.inf
        row[column.special_share] = special / len(text)
    return n_filled, n_lines - 1


@kernel
def _top_three(
    first: Scalar, second: Scalar, third: Scalar, length: Scalar
) -> tuple[Scalar, Scalar, Scalar]:
    """The three largest of these, where `length` is larger than `third`."""
    if length > first:
        return length, first, second
    if length > second:
        return first, length, second
    return first, second, length


@kernel
def _pieces(text: Points, begins: Offsets, ends: Offsets, hashes: Hashes) -> Scalar:
    """Spans of `re.split("\\n+", text)`, empty first and last pieces included; their number."""
    n = 0
    begin = 0
    h = SEED
    i = 0
    while i <= len(text):
        if i == len(text) or text[i] == ch.LINE_FEED:
            begins[n] = begin
            ends[n] = i
            hashes[n] = h
            n += 1
            while i + 1 < len(text) and text[i] == ch.LINE_FEED and text[i + 1] == ch.LINE_FEED:
                i += 1
            begin = i + 1
            h = SEED
        else:
            h = mix(h, text[i])
        i += 1
    return n


@kernel
def _blocks(text: Points, marks: Marks, begins: Offsets, ends: Offsets, hashes: Hashes) -> Scalar:
    """Spans of `re.split("\\n{2,}", text.strip())`; their number."""
    first, last = 0, len(text)
    while first < last and (marks_of(text[first], marks) & WHITESPACE) != 0:
        first += 1
    while last > first and (marks_of(text[last - 1], marks) & WHITESPACE) != 0:
        last -= 1
    n = 0
    begin = first
    h = SEED
    i = first
    while i <= last:
        if i == last or (text[i] == ch.LINE_FEED and i + 1 < last and text[i + 1] == ch.LINE_FEED):
            begins[n] = begin
            ends[n] = i
            hashes[n] = h
            n += 1
            while i < last and text[i] == ch.LINE_FEED:
                i += 1
            begin = i
            h = SEED
            if i == last:
                break
        else:
            h = mix(h, text[i])
            i += 1
    return n
