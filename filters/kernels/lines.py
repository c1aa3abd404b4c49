"""Lines as they stand in the text: lengths, ends and beginnings, blank ones, repeated ones.

Four published ways of cutting live side by side, each under its own name: all lines (HojiChar),
lines that are not blank (FineWeb), pieces between runs of line breaks, and pieces between two or
more of them (Gopher, in datatrove).
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import kernel
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
        "dup_line_char_share", "of characters but \\n", "in repeated lines that are not blank",
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
)  # fmt: skip
N_SIGNALS = len(SIGNALS)
START = 50


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
            row[14] = characters / (len(text) - n_breaks)
        if n_filled == n_breaks + 1:  # no blank line: the lines are the pieces, and one block
            row[15] = repeats / n_filled
            row[16] = characters / len(text)
            continue
        n = _pieces(text, begins, ends, hashes)
        repeats, characters = count_repeats(text, begins, ends, hashes, n, table)
        row[15] = repeats / n
        if len(text):
            row[16] = characters / len(text)
        n = _blocks(text, marks, begins, ends, hashes)
        repeats, characters = count_repeats(text, begins, ends, hashes, n, table)
        row[17] = repeats / n
        if len(text):
            row[18] = characters / len(text)


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
        if i < len(text) and text[i] != 10:
            point = text[i]
            mark = marks_of(point, marks)
            h = mix(h, point)
            seen |= mark
            special += (mark & SPECIAL) != 0
            maru += point == 0x3002
            kuten += (mark & SENTENCE_END) != 0 and point > 0x3F
            utf16 += 1 + (point > 0xFFFF)
            hiragana += 0x3040 <= point <= 0x309F
            if (mark & WHITESPACE) == 0:
                if blank:
                    opening_marks = mark
                    blank = False
                last_marks = mark
            if i < START:
                kana_start += (mark & KANA) != 0
            continue
        length = i - begin
        n_lines += 1
        short += length <= 10
        if length > third:
            first, second, third = _top_three(first, second, third, length)
        if i < len(text):
            special += 1  # a line break is one of HojiChar's special characters
            ellipses += (length >= 1 and text[i - 1] == 0x2026) or (
                length >= 3 and text[i - 1] == 46 and text[i - 2] == 46 and text[i - 3] == 46
            )
        if not blank:
            begins[n_filled] = begin
            ends[n_filled] = i
            hashes[n_filled] = h
            n_filled += 1
            filled_size += length
            short30 += length <= 30
            fineweb += (marks_of(text[i - 1], marks) & FINEWEB_END) != 0
            prose += (last_marks & TERMINAL) != 0
            bullets += (opening_marks & BULLET) != 0
            kana_lines += (seen & KANA) != 0
            tiny += length <= 2
            # A line without a final mark whose text goes on in hiragana was cut by its width.
            if i + 1 < len(text) and (last_marks & TERMINAL) == 0:
                broken += length >= 10 and 0x3041 <= text[i + 1] <= 0x3096
        begin = i + 1
        h = SEED
        seen = opening_marks = last_marks = np.uint16(0)
        blank = True
    row[0] = n_lines
    row[1] = (n_lines - n_filled) / n_lines
    row[3] = first
    row[4] = third
    row[5] = short / n_lines
    if n_filled:
        row[2] = filled_size / n_filled
        row[6] = short30 / n_filled
        row[7] = fineweb / n_filled
        row[8] = prose / n_filled
        row[9] = bullets / n_filled
        row[11] = kana_lines / n_filled
        row[12] = broken / n_filled
        row[13] = tiny / n_filled
    if n_lines > 1:
        row[10] = ellipses / (n_lines - 1)
    row[19] = kana_start
    row[22] = utf16
    row[24] = hiragana / utf16 if utf16 else 0.0
    if len(text):
        row[20] = len(text) / maru if maru else np.inf
        row[23] = len(text) / kuten if kuten else np.inf
        row[21] = special / len(text)
    return n_filled, n_lines - 1


@kernel
def _top_three(a: Scalar, b: Scalar, c: Scalar, x: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    if x > a:
        return x, a, b
    if x > b:
        return a, x, b
    return a, b, x


@kernel
def _pieces(text: Points, begins: Offsets, ends: Offsets, hashes: Hashes) -> Scalar:
    """Spans of `re.split("\\n+", text)`, empty first and last pieces included; their number."""
    n = 0
    begin = 0
    h = SEED
    i = 0
    while i <= len(text):
        if i == len(text) or text[i] == 10:
            begins[n] = begin
            ends[n] = i
            hashes[n] = h
            n += 1
            while i + 1 < len(text) and text[i] == 10 and text[i + 1] == 10:
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
        if i == last or (text[i] == 10 and i + 1 < last and text[i + 1] == 10):
            begins[n] = begin
            ends[n] = i
            hashes[n] = h
            n += 1
            while i < last and text[i] == 10:
                i += 1
            begin = i
            h = SEED
            if i == last:
                break
        else:
            h = mix(h, text[i])
            i += 1
    return n
