"""MurmurHash3_x64_128 (Austin Appleby, public domain), seed 0, in parts.

What is hashed lies as bytes here (filters.urls.table) and as code points there
(corpus.dedup.signatures.hashes): both feed 64-bit little-endian words into the same state of two
uint64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.kernel import inlined

C1 = np.uint64(0x87C37B91114253D5)
C2 = np.uint64(0x4CF5AD432745937F)


@inlined
def _rotate(word: Any, by: Any) -> Any:
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))


@inlined
def _mix(k: Any) -> Any:
    k ^= k >> np.uint64(33)
    k *= np.uint64(0xFF51AFD7ED558CCD)
    k ^= k >> np.uint64(33)
    k *= np.uint64(0xC4CEB9FE1A85EC53)
    return k ^ (k >> np.uint64(33))


@inlined
def block(h1: Any, h2: Any, k1: Any, k2: Any) -> Any:
    """The state after 16 bytes more: two words k1, k2 (uint64)."""
    h1 ^= _rotate(k1 * C1, 31) * C2
    h1 = (_rotate(h1, 27) + h2) * np.uint64(5) + np.uint64(0x52DCE729)
    h2 ^= _rotate(k2 * C2, 33) * C1
    h2 = (_rotate(h2, 31) + h1) * np.uint64(5) + np.uint64(0x38495AB5)
    return h1, h2


@inlined
def finish(h1: Any, h2: Any, k1: Any, k2: Any, size: Any) -> Any:
    """The hash after a tail of fewer than 16 bytes (absent ones zero), `size` bytes in all."""
    h2 ^= _rotate(k2 * C2, 33) * C1
    h1 ^= _rotate(k1 * C1, 31) * C2
    h1 ^= np.uint64(size)
    h2 ^= np.uint64(size)
    h1 += h2
    h2 += h1
    h1 = _mix(h1)
    h2 = _mix(h2)
    h1 += h2
    return h1, h2 + h1
