"""datasketch's permutations, and the kernel that lowers a signature by the shingles of a text."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from corpus.dedup.signatures.hashes import fmix32, premix, shingle_hashes
from filters.kernels.kernel import kernel

TILE = 8  # shingles per pass over the permutations: their hashes stay in registers
CHUNK = 4096  # shingles hashed at a time, so that the buffer stays in the first-level cache
EMPTY = np.uint32(0xFFFFFFFF)


@functools.cache
def permutations(num_perm: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """datasketch's (a, b) of scheme affine32, uint32[num_perm] each; every a is odd."""
    from datasketch import MinHash  # here: it brings scipy, half of a command's start

    a, b = MinHash(num_perm=num_perm, seed=seed, scheme="affine32").permutations
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


@kernel
def update(
    hashes: np.ndarray, count: Any, a: np.ndarray, b: np.ndarray, signature: np.ndarray
) -> Any:
    """Lower `signature` (uint32[p]) by `hashes[:count]`; hashes has room for TILE - 1 more."""
    if count == 0:
        return
    for i in range(count, count + (-count) % TILE):
        hashes[i] = hashes[0]  # a repeated shingle changes no minimum
    for i in range(0, count, TILE):
        h0, h1, h2, h3 = hashes[i], hashes[i + 1], hashes[i + 2], hashes[i + 3]
        h4, h5, h6, h7 = hashes[i + 4], hashes[i + 5], hashes[i + 6], hashes[i + 7]
        for k in range(len(signature)):
            factor = a[k]
            summand = b[k]
            low0 = min(np.uint32(factor * h0 + summand), np.uint32(factor * h1 + summand))
            low1 = min(np.uint32(factor * h2 + summand), np.uint32(factor * h3 + summand))
            low2 = min(np.uint32(factor * h4 + summand), np.uint32(factor * h5 + summand))
            low3 = min(np.uint32(factor * h6 + summand), np.uint32(factor * h7 + summand))
            low0 = min(np.uint32(low0), np.uint32(low1))
            low2 = min(np.uint32(low2), np.uint32(low3))
            low0 = min(np.uint32(low0), np.uint32(low2))
            signature[k] = min(np.uint32(signature[k]), np.uint32(low0))


@kernel
def sign_symbols(
    symbols: np.ndarray,
    count: Any,
    ngram: Any,
    a: np.ndarray,
    b: np.ndarray,
    work: np.ndarray,
    signature: np.ndarray,
) -> Any:
    """Signature of symbols[:count] (uint32: code points or word hashes), which are overwritten.

    work: uint32[CHUNK + TILE]. signature: uint32[p], filled.
    """
    signature[:] = EMPTY
    if count == 0:
        return
    n = min(ngram, count)
    premix(symbols, count)
    shingles = count - n + 1
    for first in range(0, shingles, CHUNK):
        size = min(CHUNK, shingles - first)
        shingle_hashes(symbols, first, size, n, work)
        for i in range(size):
            work[i] = fmix32(work[i])
        update(work, size, a, b, signature)
