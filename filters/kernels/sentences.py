"""Sentences and paragraphs as Swallow cuts them, and how many of them repeat.

A paragraph is a line. A sentence is a match of `[^。．！？!?]+[。．！？!?]?` within a line: marks
that follow a first mark (！？) belong to no sentence. Swallow builds its paragraphs from the
sentences, so those marks are missing there as well; `points` is therefore copied without them,
and sentences and paragraphs are spans of that copy.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.kernel import columns, kernel
from filters.kernels.marks import ELLIPSIS, SENTENCE_END, WHITESPACE, Marks, marks_of
from filters.kernels.spans import SEED, count_repeats, mix, table_size
from filters.kernels.spec import (
    SWALLOW,
    Floats,
    Hashes,
    Ints,
    Offsets,
    Points,
    Scalar,
    Signal,
    count,
    number,
    share,
)

SIGNALS: tuple[Signal, ...] = (
    count("n_paragraphs", "lines", "lines with more than white space and sentence marks"),
    count(
        "n_sentences", "sentences", "matches of [^。．！？!?]+[。．！？!?]? within lines", SWALLOW
    ),
    number("mean_sentence_length", "code points", "mean length of a sentence", SWALLOW),
    count("max_sentence_length", "code points", "length of the longest sentence", SWALLOW),
    share("ellipsis_sentence_share", "of n_sentences", "sentences that end in ・ or …", SWALLOW),
    share("dup_sentence_share", "of n_sentences", "sentences equal to an earlier one", SWALLOW),
    share("dup_sentence_char_share", "of sentence characters", "characters in those", SWALLOW),
    share("dup_paragraph_share", "of n_paragraphs", "paragraphs equal to an earlier one", SWALLOW),
    share("dup_paragraph_char_share", "of their characters", "characters in those", SWALLOW),
    share(
        "dup_paragraph_blank_share",
        "of all lines",
        "lines equal to an earlier one, where blank lines count as paragraphs",
        f"{SWALLOW}, code",
    ),
    share(
        "dup_paragraph_blank_char_share",
        "of sentence characters",
        "characters in those",
        f"{SWALLOW}, code",
    ),
    share("closed_sentence_share", "of n_sentences", "sentences that end in 。．！？!?"),
    share("long_sentence_share", "of n_chars", "characters in sentences longer than 200"),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)
LONG = 200  # code points of a sentence, above which it is long
Spans = tuple[Offsets, Offsets, Hashes]  # begins, ends, hashes


@kernel
def measure_sentences(points: Points, starts: Offsets, marks: Marks, out: Floats) -> None:
    """Fills out[n, N_SIGNALS] for n documents; marks is MARK_TABLE."""
    longest = np.int64(1)
    for doc in range(len(starts) - 1):
        longest = max(longest, starts[doc + 1] - starts[doc])
    kept = np.empty(longest, np.uint32)
    sentence = _spans(longest + 1)
    line = _spans(longest + 1)
    table = np.empty(table_size(longest + 1), np.int32)
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        _measure_one(text, marks, kept, sentence, line, table, out[doc])


@kernel
def _spans(n: Scalar) -> Spans:
    return np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)


@kernel
def _measure_one(
    text: Points,
    marks: Marks,
    kept: Points,
    sentence: Spans,
    line: Spans,
    table: Ints,
    row: Floats,
) -> None:
    sentence_begin, sentence_end, sentence_hash = sentence
    line_begin, line_end, line_hash = line
    n_sentences = n_lines = n_blank = size = 0
    begin = paragraph = 0
    ellipses = closed = longest = in_long = blank_size = 0
    hashed = hashed_line = SEED  # of the sentence, of the paragraph
    blank = True
    for i in range(len(text) + 1):
        point = text[i] if i < len(text) else np.uint32(ch.LINE_FEED)
        mark = marks_of(point, marks)
        newline = point == ch.LINE_FEED
        ends = (mark & SENTENCE_END) != 0
        if not newline:
            if ends and size == begin:
                continue  # a mark that follows a mark, or begins a line
            kept[size] = point
            size += 1
            hashed = mix(hashed, point)
            hashed_line = mix(hashed_line, point)
            blank = blank and (mark & WHITESPACE) != 0
        # A sentence ends at its first mark, or with the line.
        if (newline or ends) and size > begin:
            sentence_begin[n_sentences] = begin
            sentence_end[n_sentences] = size
            sentence_hash[n_sentences] = hashed
            n_sentences += 1
            longest = max(longest, size - begin)
            in_long += size - begin if size - begin > LONG else 0
            closed += ends
            ellipses += _ends_in_ellipsis(kept, begin, size, marks)
            begin = size
            hashed = SEED
        if newline:
            # Paragraphs fill the arrays from the front, blank lines from the back.
            if blank:
                n_blank += 1
                blank_size += size - paragraph
                at = len(line_begin) - n_blank
            else:
                at = n_lines
                n_lines += 1
            line_begin[at] = paragraph
            line_end[at] = size
            line_hash[at] = hashed_line
            paragraph = size
            hashed_line = SEED
            blank = True
    # Counts, then which sentences and paragraphs repeat an earlier one.
    row[:] = 0.0
    row[column.n_paragraphs] = n_lines
    row[column.n_sentences] = n_sentences
    row[column.max_sentence_length] = longest
    if n_sentences:
        repeats, characters = count_repeats(
            kept, sentence_begin, sentence_end, sentence_hash, n_sentences, table
        )
        row[column.mean_sentence_length] = size / n_sentences
        row[column.ellipsis_sentence_share] = ellipses / n_sentences
        row[column.dup_sentence_share] = repeats / n_sentences
        row[column.dup_sentence_char_share] = characters / size
        row[column.closed_sentence_share] = closed / n_sentences
        row[column.long_sentence_share] = in_long / len(text)
    repeats, characters = count_repeats(kept, line_begin, line_end, line_hash, n_lines, table)
    if n_lines:
        row[column.dup_paragraph_share] = repeats / n_lines
        row[column.dup_paragraph_char_share] = characters / (size - blank_size)
    back = len(line_begin) - n_blank
    blank_repeats, blank_characters = count_repeats(
        kept, line_begin[back:], line_end[back:], line_hash[back:], n_blank, table
    )
    row[column.dup_paragraph_blank_share] = (repeats + blank_repeats) / (n_lines + n_blank)
    if size:
        row[column.dup_paragraph_blank_char_share] = (characters + blank_characters) / size


@kernel
def _ends_in_ellipsis(points: Points, begin: Scalar, end: Scalar, marks: Marks) -> bool:
    """Whether `sentence.strip().endswith(("・", "…"))`."""
    while end > begin:
        point = points[end - 1]
        mark = marks_of(point, marks)
        if (mark & WHITESPACE) == 0:
            return (mark & ELLIPSIS) != 0
        end -= 1
    return False
