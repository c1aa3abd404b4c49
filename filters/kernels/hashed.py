"""Hashed character n-grams: a passage as a sparse vector, and its score under a linear table.

A document is cut into passages at line ends, about PASSAGE characters each, so that a score is
that of its passages and does not grow or shrink with length. Of a passage count the 1- to 3-grams
of folded characters (digits are 0, full-width ASCII is ASCII, Latin is lower case) in SLOTS slots
by a multiplicative hash (Knuth, TAOCP 6.4); a slot of count c weighs log(1 + c), and the vector has
length 1 (Euclid).
"""

from __future__ import annotations

import math

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Floats, Ints, Offsets, Points, Scalar, Signal, number, share

BITS = 17
SLOTS = 1 << BITS
SIZES = 3
PASSAGE = 400  # characters; the last one may be half as long or half longer again
LONGEST = 2 * PASSAGE  # where no line ends, a passage does
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
LETTER_BITS = np.uint64(21)
TWO_LETTERS = np.uint64((1 << 42) - 1)

SIGNALS: tuple[Signal, ...] = (
    number("ngram_logit", "log odds", "that people keep such text, by its character 1- to 3-grams"),
    number("ngram_worst_logit", "log odds", "the same of its worst passage of 400 characters"),
    share("ngram_keep_share", "of n_chars", "passages of 400 characters with odds above even"),
)


@kernel
def passage_end(text: Points, begin: Scalar) -> Scalar:
    """Where the passage that begins at `begin` ends; len(text) at last."""
    n = len(text)
    end = min(begin + PASSAGE, n)
    while end < n and end < begin + LONGEST and text[end - 1] != ch.LINE_FEED:
        end += 1
    return n if n - end < PASSAGE // 2 else end


@kernel
def count_passage(
    text: Points, begin: Scalar, end: Scalar, folded: Points, counts: Ints, touched: Ints
) -> Scalar:
    """Counts the n-grams of text[begin:end]; returns how many slots `touched` then names.

    counts int32[SLOTS] must be zero; touched int32[SIZES × (end − begin)] has room enough.
    """
    used = 0
    history = np.uint64(0)
    for i in range(begin, end):
        point = text[i]
        letter = np.uint64(folded[point] if point < ch.PLANE else point)
        history = ((history & TWO_LETTERS) << LETTER_BITS) | letter
        for size in range(1, min(SIZES, i - begin + 1) + 1):
            gram = history & ((np.uint64(1) << (LETTER_BITS * np.uint64(size))) - np.uint64(1))
            slot = _slot(gram, size)
            if counts[slot] == 0:
                touched[used] = slot
                used += 1
            counts[slot] += 1
    return used


@inlined
def _slot(gram: Scalar, size: Scalar) -> Scalar:
    key = (gram ^ (np.uint64(size) << np.uint64(62))) * MULTIPLIER
    key ^= key >> np.uint64(29)
    return np.int64((key * MULTIPLIER) >> np.uint64(64 - BITS))


@kernel
def measure_hashed(
    points: Points, starts: Offsets, folded: Points, weights: Floats, bias: Scalar, out: Floats
) -> None:
    """Fills out[n, len(SIGNALS)]; weights float64[SLOTS], bias: what a vector without slots has.

    A text without characters has the bias. The worst passage of a short text is the text.
    """
    counts = np.zeros(SLOTS, np.int32)
    touched = np.empty(SIZES * (LONGEST + PASSAGE), np.int32)
    logs = np.log1p(np.arange(64.0))
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        total, worst, kept = 0.0, np.inf, 0
        begin = 0
        while begin < len(text):
            end = passage_end(text, begin)
            used = count_passage(text, begin, end, folded, counts, touched)
            dot, square = 0.0, 0.0
            for k in range(used):
                c = counts[touched[k]]
                counts[touched[k]] = 0
                value = logs[c] if c < 64 else math.log1p(c)
                dot += weights[touched[k]] * value
                square += value * value
            score = bias + dot / math.sqrt(square)
            total += score * (end - begin)
            kept += (end - begin) * (score > 0)
            worst = min(worst, score)
            begin = end
        if len(text):
            out[doc, 0], out[doc, 1], out[doc, 2] = total / len(text), worst, kept / len(text)
        else:
            out[doc, 0], out[doc, 1], out[doc, 2] = bias, bias, 0.0


@kernel
def vectors(
    points: Points, starts: Offsets, folded: Points, counts: Ints, touched: Ints,
    owner: Ints, size: Ints, first: Offsets, slots: Ints, values: Floats,
) -> Scalar:  # fmt: skip
    """The vectors of all passages, as a sparse matrix by rows; returns the number of rows.

    owner, size int32: document and characters of each passage; slots, values [first[i]:first[i+1]]:
    its slots that are not zero. The caller gives room: a passage has at most SIZES slots a
    character, and a document at most one passage for every PASSAGE characters and one more.
    """
    row = 0
    first[0] = 0
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        begin = 0
        while begin < len(text):
            end = passage_end(text, begin)
            used = count_passage(text, begin, end, folded, counts, touched)
            square = 0.0
            at = first[row]
            for k in range(used):
                value = math.log1p(counts[touched[k]])
                counts[touched[k]] = 0
                slots[at + k], values[at + k] = touched[k], value
                square += value * value
            values[at : at + used] /= math.sqrt(square)
            owner[row], size[row] = doc, end - begin
            row += 1
            first[row] = at + used
            begin = end
    return row
