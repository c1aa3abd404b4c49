"""Repetition of word n-grams: Gopher's rules as coded in datatrove, and HojiChar's.

The words of one document stand in `spaced`, joined by single spaces; word i is
spaced[begins[i]:ends[i]], so an n-gram is one span of that array and two n-grams are equal when
their spans are. `joined` is the same without the spaces (datatrove compares long n-grams so).
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import kernel
from filters.kernels.spans import GOLDEN, SEED, mix, same_span
from filters.kernels.spec import Hashes, Ints, Offsets, Points, Scalar


@kernel
def top_ngram_characters(
    spaced: Points, begins: Offsets, ends: Offsets, n: Scalar, counts: Ints, first: Ints
) -> Scalar:
    """Length × occurrences of the most frequent n-gram; among equals the one that comes first.

    counts and first are working room, int32[2 · words + 2] and more.
    """
    total = len(begins) - n + 1
    if total <= 0:
        return 0
    size, shift = _table_size(total)
    first[:size] = -1
    counts[:total] = 0
    hashes = _hashes(spaced, begins, ends, n)
    best = np.int64(0)
    for i in range(total):
        slot = np.int64((hashes[i] * GOLDEN) >> shift)
        while first[slot] >= 0:
            other = first[slot]
            if hashes[other] == hashes[i] and same_span(
                spaced, begins[other], ends[other + n - 1], begins[i], ends[i + n - 1]
            ):
                break
            slot = (slot + 1) & (size - 1)
        if first[slot] < 0:
            first[slot] = i
        counts[first[slot]] += 1
        best = max(best, np.int64(counts[first[slot]]))
    for i in range(total):
        if counts[i] == best:
            return best * (ends[i + n - 1] - begins[i])
    return 0


@kernel
def duplicate_characters(
    joined: Points, begins: Offsets, ends: Offsets, n: Scalar, first: Ints
) -> Scalar:
    """Characters in n-grams seen before, walking on by n words after each such n-gram."""
    total = len(begins) - n + 1
    if total <= 0:
        return 0
    size, shift = _table_size(total)
    first[:size] = -1
    hashes = _hashes(joined, begins, ends, n)
    characters = np.int64(0)
    i = 0
    while i < total:
        slot = np.int64((hashes[i] * GOLDEN) >> shift)
        repeats = False
        while first[slot] >= 0 and not repeats:
            other = first[slot]
            repeats = hashes[other] == hashes[i] and same_span(
                joined, begins[other], ends[other + n - 1], begins[i], ends[i + n - 1]
            )
            if not repeats:
                slot = (slot + 1) & (size - 1)
        if repeats:
            characters += ends[i + n - 1] - begins[i]
            i += n
        else:
            first[slot] = i
            i += 1
    return characters


@kernel
def repeated_share(
    spaced: Points,
    begins: Offsets,
    ends: Offsets,
    chunks: Ints,
    n: Scalar,
    counts: Ints,
    first: Ints,
) -> Scalar:
    """Share of the n-grams that occur more than once; none reaches over two chunks."""
    total = len(begins) - n + 1
    if total <= 0:
        return 0.0
    size, shift = _table_size(total)
    first[:size] = -1
    counts[:total] = 0
    hashes = _hashes(spaced, begins, ends, n)
    seen = repeated = 0
    for i in range(total):
        if chunks[i] != chunks[i + n - 1]:
            continue
        seen += 1
        slot = np.int64((hashes[i] * GOLDEN) >> shift)
        while first[slot] >= 0:
            other = first[slot]
            if hashes[other] == hashes[i] and same_span(
                spaced, begins[other], ends[other + n - 1], begins[i], ends[i + n - 1]
            ):
                break
            slot = (slot + 1) & (size - 1)
        if first[slot] < 0:
            first[slot] = i
        counts[first[slot]] += 1
    for i in range(total):
        if counts[i] > 1:
            repeated += counts[i]
    return repeated / seen if seen else 0.0


@kernel
def _hashes(points: Points, begins: Offsets, ends: Offsets, n: Scalar) -> Hashes:
    total = len(begins) - n + 1
    hashes = np.empty(total, np.uint64)
    for i in range(total):
        h = SEED
        for k in range(begins[i], ends[i + n - 1]):
            h = mix(h, points[k])
        hashes[i] = h
    return hashes


@kernel
def _table_size(n: Scalar) -> tuple[Scalar, Scalar]:
    bits = np.uint64(2)
    while (np.int64(1) << np.int64(bits)) < 2 * n:
        bits += np.uint64(1)
    return np.int64(1) << np.int64(bits), np.uint64(64) - bits
