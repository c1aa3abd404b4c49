"""Repetition of character n-grams, n = 2 … 10, in one refinement.

Instead of a hash table of strings for every n, an n-gram is known by the identity of its
(n−1)-gram prefix and its last code point: a 64-bit key, so no two n-grams are ever confused. An
n-gram that occurs once can only begin longer n-grams that occur once, so after each step just
the positions that still repeat go on, and nine sizes cost little more than three.

n-grams run over the whole document, line breaks included, as in Swallow's `quality.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .spec import SWALLOW, Floats, Hashes, Ints, Offsets, Points, Signal, share

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
)
N_SIGNALS = len(SIGNALS)


@njit(cache=True, nogil=True)
def measure_ngrams(points: Points, starts: Offsets, out: Floats) -> None:
    """points uint32[:], starts int64[n + 1]; fills out float64[n, N_SIGNALS]."""
    longest = np.int64(1)
    for doc in range(len(starts) - 1):
        longest = max(longest, starts[doc + 1] - starts[doc])
    size = np.int64(4)
    while size < 2 * longest:
        size *= 2
    keys = np.empty(size, np.uint64)
    slots = np.full(size, -1, np.int32)  # identity of the n-gram in this slot
    used = np.empty(longest, np.int64)  # slot of an identity, to empty the table after each step
    counts = np.empty(longest, np.int32)
    where = np.empty(longest, np.int32)  # positions still repeating …
    names = np.empty(longest, np.uint32)  # … and the identity of the n-gram that begins there
    for doc in range(len(starts) - 1):
        _measure_one(
            points[starts[doc] : starts[doc + 1]],
            keys, slots, used, counts, where, names, out[doc],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _measure_one(
    text: Points,
    keys: Hashes,
    slots: Ints,
    used: Offsets,
    counts: Ints,
    where: Ints,
    names: Points,
    row: Floats,
) -> None:
    row[:] = 0.0
    length = len(text)
    bits = np.uint64(2)
    while (np.int64(1) << np.int64(bits)) < 2 * length:
        bits += np.uint64(1)
    shift = np.uint64(64) - bits
    mask = np.uint64((np.int64(1) << np.int64(bits)) - 1)
    alive = length
    for i in range(length):
        where[i] = i
        names[i] = text[i]
    for n in range(2, LONGEST + 1):
        total = length - n + 1
        if total <= 0:
            break
        distinct = 0
        candidates = 0
        for a in range(alive):
            i = where[a]
            if i + n > length:
                continue
            key = (np.uint64(names[a]) << np.uint64(21)) | np.uint64(text[i + n - 1])
            slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> shift
            while True:
                name = slots[slot]
                if name < 0:
                    name = distinct
                    keys[slot] = key
                    slots[slot] = name
                    used[name] = slot
                    counts[name] = 1
                    distinct += 1
                    break
                if keys[slot] == key:
                    counts[name] += 1
                    break
                slot = (slot + np.uint64(1)) & mask
            where[candidates] = i
            names[candidates] = name
            candidates += 1
        top = np.int32(1)
        repeated_types = 0
        for name in range(distinct):
            slots[used[name]] = -1
            if counts[name] > 1:
                repeated_types += 1
                top = max(top, counts[name])
        alive = 0
        for a in range(candidates):
            if counts[names[a]] > 1:
                where[alive] = where[a]
                names[alive] = names[a]
                alive += 1
        if n <= 4:
            row[n - 2] = top / total
        else:
            row[n - 2] = alive / total
            row[n + 4] = repeated_types / (total - alive + repeated_types)
