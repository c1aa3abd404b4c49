"""Repetition of character n-grams, n = 2 … 10, from one sort of the positions.

The positions of a document are sorted by the ten characters that begin there (radix sort: two
counting passes over the document's own alphabet number its pairs, five over the pairs, of which the
order of the pairs themselves spares the first). Neighbours
in that order share their longest common prefix, so one scan of the prefix lengths tells for every n
how many n-grams occur more than once, how many distinct ones, and how often the most frequent one
does. No hash, so no n-gram is taken for another, and the time is linear for every text.

n-grams run over the whole document, line breaks included, as in Swallow's `quality.py`.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import columns, inlined, kernel
from filters.kernels.spec import SWALLOW, Floats, Hashes, Offsets, Points, Scalar, Signal, share

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)
LONGEST = 10

SIGNALS: tuple[Signal, ...] = (
    *(
        share(f"top_{n}gram_share", "of n-grams", f"most frequent character {n}-gram", SWALLOW)
        for n in TOP_SIZES
    ),
    *(
        share(
            f"dup_{n}gram_share",
            "of n-grams",
            f"occurrences of character {n}-grams that occur more than once",
            f"{SWALLOW}, README",
        )
        for n in DUPLICATE_SIZES
    ),
    *(
        share(
            f"dup_{n}gram_type_share",
            "of distinct n-grams",
            f"distinct character {n}-grams that occur more than once",
            f"{SWALLOW}, code",
        )
        for n in DUPLICATE_SIZES
    ),
    share(
        "frequent_5gram_share",
        "of 5-grams",
        "occurrences of the √N most frequent of the N distinct 5-grams, those that repeat",
        "HojiChar CharRepetitionRatioFilter, after BigScience",
    ),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)
LETTER_BITS = 21  # a letter of a document's own alphabet; three make a uint64
FIRST_LETTER = np.uint64((1 << LETTER_BITS) - 1)
TWO_LETTERS = np.uint64((1 << 2 * LETTER_BITS) - 1)


@kernel
def measure_ngrams(points: Points, starts: Offsets, out: Floats) -> None:
    """Fills out[n, N_SIGNALS] for n documents."""
    longest = np.int64(1)
    for doc in range(len(starts) - 1):
        longest = max(longest, starts[doc + 1] - starts[doc])
    letter_of = np.zeros(0x110000, np.uint32)  # only the pages of characters in use are touched
    alphabet = np.empty(longest + 1, np.uint32)
    letters = np.empty(longest + LONGEST, np.uint32)
    pairs = np.empty(longest + LONGEST, np.uint32)
    counts = np.empty(longest + 2, np.uint32)
    offsets = np.empty(longest + 2, np.uint32)
    order = np.empty(longest, np.uint32)
    spare = np.empty(longest, np.uint32)
    triples = np.empty(longest + LONGEST, np.uint64)
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        n_letters = _spell(text, letter_of, alphabet, letters, counts)
        ranked = _sort(len(text), n_letters, letters, pairs, counts, offsets, order, spare)
        free = order if ranked is spare else spare
        _scan(letters, ranked[: len(text)], triples, free, out[doc])


@kernel
def _spell(
    text: Points, letter_of: Points, alphabet: Points, letters: Points, counts: Points
) -> Scalar:
    """The text in its own alphabet 1 … k, zeros behind its end; counts of each; returns k."""
    n_letters = 0
    for i in range(len(text)):
        letter = letter_of[text[i]]
        if letter == 0:
            n_letters += 1
            letter = np.uint32(n_letters)
            letter_of[text[i]] = letter
            alphabet[letter] = text[i]
            counts[letter] = 0
        counts[letter] += 1
        letters[i] = letter
    letters[len(text) : len(text) + LONGEST] = 0
    for letter in range(1, n_letters + 1):
        letter_of[alphabet[letter]] = 0
    return n_letters


@kernel
def _sort(
    length: Scalar,
    n_letters: Scalar,
    letters: Points,
    pairs: Points,
    counts: Points,
    offsets: Points,
    order: Points,
    spare: Points,
) -> Points:
    """Positions sorted by their next LONGEST letters; either `order` or `spare` is returned.

    Two passes sort by two letters and number the pairs; passes over pairs do the rest.
    """
    for i in range(length):
        order[i] = i
    _pass(1, length, n_letters, letters, counts, offsets, order, spare)
    _pass(0, length, n_letters, letters, counts, offsets, spare, order)
    n_pairs = np.uint32(0)
    first = second = np.uint32(0)
    for rank in range(length):
        i = order[rank]
        if letters[i] != first or letters[i + 1] != second:
            first, second = letters[i], letters[i + 1]
            n_pairs += np.uint32(1)
            counts[n_pairs] = 0
        pairs[i] = n_pairs
        counts[n_pairs] += np.uint32(1)
    pairs[length : length + LONGEST] = 0
    # By the last pair: the order of the pairs, so many places before; what ends sooner comes first.
    last = LONGEST - 2
    at = min(last, length)
    for i in range(at):
        spare[i] = length - at + i
    for rank in range(length):
        if order[rank] >= last:
            spare[at] = order[rank] - last
            at += 1
    order, spare = spare, order
    for k in range(last - 2, -1, -2):
        _pass(k, length, n_pairs, pairs, counts, offsets, order, spare)
        order, spare = spare, order
    return order


@kernel
def _pass(
    k: Scalar,
    length: Scalar,
    n_keys: Scalar,
    keys: Points,
    counts: Points,
    offsets: Points,
    order: Points,
    spare: Points,
) -> None:
    """One counting pass: `spare` becomes `order`, sorted stably by keys[position + k].

    Keys are 1 … n_keys, `counts` says how often each occurs in keys[:length].
    """
    # At distance k the first k keys are never seen, and k positions see beyond the end.
    beyond = min(k, length)
    for i in range(beyond):
        counts[keys[i]] -= np.uint32(1)
    at = np.uint32(beyond)
    offsets[0] = 0
    for key in range(1, n_keys + 1):
        offsets[key] = at
        at += counts[key]
    for i in range(beyond):
        counts[keys[i]] += np.uint32(1)
    seen = keys[k:]
    for i in range(length):
        position = order[i]
        key = seen[position]
        place = offsets[key]
        offsets[key] = place + np.uint32(1)
        spare[place] = position


@kernel
def _scan(letters: Points, ranked: Points, triples: Hashes, sizes: Points, row: Floats) -> None:
    """Signals of one document from its sorted positions; triples and sizes are working room."""
    length = len(ranked)
    for i in range(length + LONGEST - 2):
        triples[i] = (
            np.uint64(letters[i])
            | np.uint64(letters[i + 1]) << np.uint64(LETTER_BITS)
            | np.uint64(letters[i + 2]) << np.uint64(2 * LETTER_BITS)
        )
    occurrences = np.zeros(LONGEST + 2, np.int64)
    types = np.zeros(LONGEST + 2, np.int64)
    tops = np.ones(LONGEST + 1, np.int64)
    run2 = run3 = run4 = run5 = top2 = top3 = top4 = np.int64(1)
    n_sizes = 0
    before = np.int64(0)  # common prefix with the neighbour before
    # No branch below depends on the text except the rare last one: a mispredicted jump costs more
    # than all the arithmetic of a position.
    for rank in range(1, length + 1):
        after = np.int64(0)
        if rank < length:
            after = _common_prefix(triples, ranked[rank - 1], ranked[rank])
        occurrences[max(before, after)] += 1
        begins = np.int64(after > before)
        types[after] += begins
        types[before] -= begins
        run2 = run2 * np.int64(after >= 2) + 1
        run3 = run3 * np.int64(after >= 3) + 1
        run4 = run4 * np.int64(after >= 4) + 1
        top2 = max(top2, run2)
        top3 = max(top3, run3)
        top4 = max(top4, run4)
        if after < 5 <= before:
            sizes[n_sizes] = run5
            n_sizes += 1
        run5 = run5 * np.int64(after >= 5) + 1
        before = after
    tops[2], tops[3], tops[4] = top2, top3, top4
    for n in range(LONGEST - 1, 1, -1):
        occurrences[n] += occurrences[n + 1]
        types[n] += types[n + 1]
    _shares(length, occurrences, types, tops, row)
    row[column.frequent_5gram_share] = _frequent_share(length - 4, occurrences[5], sizes[:n_sizes])


@inlined
def _common_prefix(triples: Hashes, a: Scalar, b: Scalar) -> Scalar:
    """Letters that two positions share, at most LONGEST; behind the end no two are alike."""
    difference = triples[a] ^ triples[b]
    if difference:
        return _equal_letters(difference)
    difference = triples[a + np.uint32(3)] ^ triples[b + np.uint32(3)]
    if difference:
        return 3 + _equal_letters(difference)
    difference = triples[a + np.uint32(6)] ^ triples[b + np.uint32(6)]
    if difference:
        return 6 + _equal_letters(difference)
    difference = triples[a + np.uint32(9)] ^ triples[b + np.uint32(9)]
    return 9 + np.int64(difference & FIRST_LETTER == 0)


@inlined
def _equal_letters(difference: Scalar) -> Scalar:
    """Leading letters (21 bits each) without a difference, at most 2."""
    return np.int64(difference & FIRST_LETTER == 0) + np.int64(difference & TWO_LETTERS == 0)


@kernel
def _shares(
    length: Scalar, occurrences: Offsets, types: Offsets, tops: Offsets, row: Floats
) -> None:
    """Shares of the n-grams; what is longer than the document stays 0."""
    row[:] = 0.0
    for n in range(2, LONGEST + 1):
        total = length - n + 1
        if total <= 0:
            break
        if n <= 4:
            row[column.top_2gram_share + n - 2] = tops[n] / total
        else:
            row[column.dup_5gram_share + n - 5] = occurrences[n] / total
            distinct = total - occurrences[n] + types[n]
            row[column.dup_5gram_type_share + n - 5] = types[n] / distinct


@kernel
def _frequent_share(total: Scalar, occurrences: Scalar, sizes: Points) -> Scalar:
    """sizes: occurrences of the repeated 5-grams, `occurrences` their sum; sizes is reordered."""
    if total <= 0:
        return 0.0
    distinct = total - occurrences + len(sizes)
    wanted: Scalar = min(np.int64(np.sqrt(distinct)), len(sizes))
    if wanted == len(sizes):
        return occurrences / total
    bins = np.zeros(64, np.int64)  # how many 5-grams occur 0 … 62 times; the last bin is the rest
    for size in sizes:
        bins[min(size, np.uint32(63))] += 1
    taken = np.int64(0)
    if bins[63]:
        sizes.sort()
        for i in range(len(sizes) - wanted, len(sizes)):
            taken += sizes[i]
        return taken / total
    for size in range(62, 1, -1):
        part = min(bins[size], wanted)
        taken += part * size
        wanted -= part
    return taken / total
