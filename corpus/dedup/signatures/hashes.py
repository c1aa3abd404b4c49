"""MurmurHash3 (Austin Appleby, public domain) as numba kernels over code points.

A standard hash, so that another implementation reproduces shingles and signatures: the value of a
run of symbols is that of its bytes as uint32 little-endian, for text `s.encode('utf-32-le')`.
All arithmetic is explicitly 32 or 64 bits wide: numba widens mixed expressions silently.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.kernel import inlined, kernel
from filters.kernels.murmur import block, finish


@inlined
def fmix32(h: Any) -> Any:
    """The finaliser of MurmurHash3_x86_32: a bijection of uint32."""
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@kernel
def premix(symbols: np.ndarray, count: Any) -> Any:
    """The part of MurmurHash3_x86_32 that needs one block alone, in place on symbols[:count]."""
    for i in range(count):
        k = np.uint32(symbols[i] * np.uint32(0xCC9E2D51))
        k = np.uint32((k << np.uint32(15)) | (k >> np.uint32(17)))
        symbols[i] = np.uint32(k * np.uint32(0x1B873593))


@kernel
def shingle_hashes(mixed: np.ndarray, first: Any, size: Any, n: Any, out: np.ndarray) -> Any:
    """MurmurHash3_x86_32 of the `size` runs of n symbols that begin at mixed[first], …, into out.

    The loop over positions is the inner one, so that it becomes SIMD code.
    """
    for i in range(size):
        out[i] = np.uint32(0)
    for j in range(n):
        start = first + j
        for i in range(size):
            h = np.uint32(out[i] ^ mixed[start + i])
            h = np.uint32((h << np.uint32(13)) | (h >> np.uint32(19)))
            out[i] = np.uint32(h * np.uint32(5) + np.uint32(0xE6546B64))
    length = np.uint32(4 * n)
    for i in range(size):
        out[i] = fmix32(np.uint32(out[i] ^ length))


@inlined
def _word(points: np.ndarray, i: Any, n: Any) -> Any:
    """Two code points as one little-endian uint64; beyond the end: zero."""
    low = np.uint64(points[i]) if i < n else np.uint64(0)
    high = np.uint64(points[i + 1]) if i + 1 < n else np.uint64(0)
    return low | (high << np.uint64(32))


@kernel
def murmur128(points: np.ndarray, n: Any) -> Any:
    """MurmurHash3_x64_128 (seed 0) of points[:n] as UTF-32-LE: two uint64."""
    h1 = np.uint64(0)
    h2 = np.uint64(0)
    whole = n // 4 * 4
    for i in range(0, whole, 4):
        k1 = np.uint64(points[i]) | (np.uint64(points[i + 1]) << np.uint64(32))
        k2 = np.uint64(points[i + 2]) | (np.uint64(points[i + 3]) << np.uint64(32))
        h1, h2 = block(h1, h2, k1, k2)
    return finish(h1, h2, _word(points, whole, n), _word(points, whole + 2, n), 4 * n)
