"""Exact Jaccard similarity of shingle sets: the truth that signatures estimate.

A set is the distinct shingle hashes of a text (corpus.dedup.signatures.minhash: 32 bits, so among
10**5 shingles about one in 10**5 pairs of different shingles counts as equal, far below the third
digit). Distinctness and intersections go through an open hash table whose slots carry the number of
their user, so that it is never cleared: ten times faster than sorting the hashes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.dedup.signatures.hashes import premix, shingle_hashes
from corpus.dedup.signatures.masks import mask as mask_numbers
from corpus.dedup.signatures.normal import code_points, normalise_points, tables
from corpus.dedup.signatures.words import word_symbols
from corpus.settings import DedupSettings
from filters.buffers import Texts
from filters.kernels.kernel import kernel


@kernel
def _slots(size: Any) -> Any:
    """Power of two with at least twice as many slots as values."""
    slots = 16
    while slots < 2 * size:
        slots *= 2
    return slots


@kernel
def _insert(value: Any, user: Any, slots: Any, values: np.ndarray, users: np.ndarray) -> Any:
    """Put a hash into the first `slots` slots of the table; True if `user` did not have it."""
    at = np.int64(value) & (slots - 1)
    while users[at] == user:
        if values[at] == value:
            return False
        at = (at + 1) & (slots - 1)
    users[at] = user
    values[at] = value
    return True


@kernel
def _holds(value: Any, user: Any, slots: Any, values: np.ndarray, users: np.ndarray) -> Any:
    """Whether `user` put this hash into the table."""
    at = np.int64(value) & (slots - 1)
    while users[at] == user:
        if values[at] == value:
            return True
        at = (at + 1) & (slots - 1)
    return False


@kernel
def _sets(
    points: np.ndarray, starts: np.ndarray, tables: Any, mask: Any, ngram: Any, ends: np.ndarray
) -> Any:
    """Distinct shingle hashes (uint32[:]) of every document; fills `ends` (int64[n + 1]).

    points: code points, or with `tables` None the hashes of words, which are not normalised.
    """
    scratch = np.empty(1024, np.uint32)
    hashes = np.empty(1024, np.uint32)
    values = np.empty(2048, np.uint32)
    users = np.full(2048, -1, np.int64)
    out = np.empty(len(points) + 1, np.uint32)
    end = 0
    for doc in range(len(starts) - 1):
        if tables is None:
            n = starts[doc + 1] - starts[doc]
            scratch = points[starts[doc] : starts[doc + 1]].copy()
        else:
            scratch, n = normalise_points(points[starts[doc] : starts[doc + 1]], tables, scratch)
            if mask:
                n = mask_numbers(scratch, n, mask)
        # Room for its shingles, and for a table that they fill by half at most.
        size = max(0, n - min(ngram, n) + 1) if n else 0
        slots = _slots(size)
        if slots > len(values):
            values = np.empty(slots, np.uint32)
            users = np.full(slots, -1, np.int64)
        if size > len(hashes):
            hashes = np.empty(2 * size, np.uint32)
        if end + size > len(out):
            larger = np.empty(2 * len(out) + size, np.uint32)
            larger[:end] = out[:end]
            out = larger
        # Hash them, and keep each once.
        if size:
            premix(scratch, n)
            shingle_hashes(scratch, 0, size, min(ngram, n), hashes)
        for i in range(size):
            if _insert(hashes[i], doc, slots, values, users):
                out[end] = hashes[i]
                end += 1
        ends[doc + 1] = end
    return out[:end]


def shingle_sets(texts: Texts, settings: DedupSettings) -> tuple[np.ndarray, np.ndarray]:
    """(hashes uint32[:], starts int64[n + 1]): set i is hashes[starts[i]:starts[i + 1]]."""
    ends = np.zeros(len(texts) + 1, np.int64)
    if settings.shingle == "word":
        symbols, starts = word_symbols(texts, settings)
        return _sets(symbols, starts, None, False, settings.ngram, ends), ends
    points, starts = code_points(texts)
    hashes = _sets(points, starts, tables(), settings.mask, settings.ngram, ends)
    return hashes, ends


@kernel
def jaccard_pairs(
    hashes: np.ndarray, starts: np.ndarray, left: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Exact Jaccard (float64[m]) of sets left[k] and right[k]; 0 when both are empty.

    Fastest when pairs with the same left set stand together.
    """
    out = np.zeros(len(left), np.float64)
    values = np.empty(2048, np.uint32)
    users = np.full(2048, -1, np.int64)
    before = -1
    user = -1
    slots = 16
    for k in range(len(left)):
        i, j = left[k], right[k]
        size = starts[i + 1] - starts[i]
        # The left set goes into the table once for all pairs that it stands in.
        if i != before:
            slots = _slots(size)
            if slots > len(values):
                values = np.empty(slots, np.uint32)
                users = np.full(slots, -1, np.int64)
            for at in range(starts[i], starts[i + 1]):
                _insert(hashes[at], k, slots, values, users)
            user = k
            before = i
        both = 0
        for at in range(starts[j], starts[j + 1]):
            both += _holds(hashes[at], user, slots, values, users)
        union = size + starts[j + 1] - starts[j] - both
        if union:
            out[k] = both / union
    return out
