"""Equality of spans of code points: which line, paragraph or sentence repeats an earlier one.

A span is found by a 64-bit hash and confirmed by comparison, so the counts are exact.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Hashes, Ints, Offsets, Points, Scalar

SEED = np.uint64(0xCBF29CE484222325)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined
def mix(state: Scalar, point: Scalar) -> Scalar:
    """One step of the span hash, FNV-1a over code points; it begins with `SEED`."""
    return (state ^ np.uint64(point)) * np.uint64(0x100000001B3)


@kernel
def count_repeats(
    points: Points, begins: Offsets, ends: Offsets, hashes: Hashes, n: Scalar, table: Ints
) -> tuple[Scalar, Scalar]:
    """How many of the spans 0 … n − 1 equal an earlier one, and the characters in those.

    hashes are made by `mix`; table has `table_size(n)` entries and is overwritten. Returns
    (spans, characters): a span that occurs f times counts f − 1 times, as in Gopher and Swallow.
    """
    bits = np.uint64(1)
    while (np.int64(1) << np.int64(bits)) < 2 * n:
        bits += np.uint64(1)
    size = np.int64(1) << np.int64(bits)
    table[:size] = -1
    repeats = np.int64(0)
    characters = np.int64(0)
    for k in range(n):
        slot = np.int64((hashes[k] * GOLDEN) >> (np.uint64(64) - bits))
        while True:
            other = table[slot]
            if other < 0:
                table[slot] = k
                break
            if hashes[other] == hashes[k] and same_span(
                points, begins[other], ends[other], begins[k], ends[k]
            ):
                repeats += 1
                characters += ends[k] - begins[k]
                break
            slot = (slot + 1) & (size - 1)
    return repeats, characters


@kernel
def table_size(n: Scalar) -> Scalar:
    """Entries that `count_repeats` needs for n spans."""
    size = np.int64(2)
    while size < 2 * n:
        size *= 2
    return size


@kernel
def same_span(points: Points, begin: Scalar, end: Scalar, other: Scalar, other_end: Scalar) -> bool:
    if end - begin != other_end - other:
        return False
    for i in range(end - begin):  # noqa: SIM110 (numba compiles loops, not generators)
        if points[begin + i] != points[other + i]:
            return False
    return True
