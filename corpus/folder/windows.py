"""Windows: hashes of pieces of a text, by which its absence can be shown without keeping it.

Of a text that is taken out the hash of every STEP-th window of SIZE bytes (UTF-8) is kept. To look
for it anywhere, the hashes of all windows of what is searched are rolled over it (Rabin and Karp
1987) and looked up. Any common string of SIZE + STEP − 1 bytes, 32 Japanese characters, holds a
window that was kept, wherever it begins.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.kernel import inlined, kernel

SIZE = STEP = 48  # bytes: a sixth of a text's size as hashes
LEAST = SIZE + STEP - 1  # bytes of a common string that is found for certain
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, of the golden ratio


def kept_windows(text: str) -> np.ndarray:
    """The hashes (uint64[n]) of every STEP-th window of a text."""
    return _kept(np.frombuffer(text.encode("utf-8", "replace"), np.uint8))


class Windows:
    """A set of windows to look for: hashes uint64[n] in any order, and whose each is."""

    def __init__(self, hashes: np.ndarray) -> None:
        self.hashes = np.unique(hashes.astype(np.uint64))
        # The top bits of the hashes, looked up before the hashes: 1 of 64 places is taken.
        bits = min(26, max(10, 6 + len(self.hashes).bit_length()))
        self.filter = np.zeros(1 << bits, np.bool_)
        self.shift = np.uint64(64 - bits)
        self.filter[(self.hashes >> self.shift).astype(np.int64)] = True

    def search(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        """(first bytes int64[k], places in `hashes` int64[k]) of the windows that `data` holds.

        data: bytes, or any buffer of them.
        """
        values = np.frombuffer(data, np.uint8)
        if not len(self.hashes) or len(values) < SIZE:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        room = 64
        while True:
            out = np.empty((room, 2), np.int64)
            room = _search(values, self.hashes, self.filter, self.shift, out)
            if room <= len(out):
                return out[:room, 0], out[:room, 1]


@inlined
def _mixed(value: np.uint64) -> np.uint64:
    """Spreads a hash over its bits (the end of SplitMix64)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _kept(data: np.ndarray) -> np.ndarray:
    count = max(0, (len(data) - SIZE) // STEP + 1)
    out = np.empty(count, np.uint64)
    for i in range(count):
        value = np.uint64(0)
        for k in range(SIZE):
            value = value * FACTOR + np.uint64(data[i * STEP + k]) + np.uint64(1)
        out[i] = _mixed(value)
    return out


@kernel
def _search(
    data: np.ndarray, hashes: np.ndarray, seen: np.ndarray, shift: np.uint64, out: np.ndarray
) -> int:
    """Fill `out` (int64[n, 2]) with where a window of `hashes` (ascending) begins in `data`, and
    which it is; returns how many there are, also those that `out` has no room for."""
    first = np.uint64(1)  # what the first byte of a window counts: FACTOR ** (SIZE - 1)
    for _ in range(SIZE - 1):
        first *= FACTOR
    value, count = np.uint64(0), 0
    for i in range(min(SIZE - 1, len(data))):
        value = value * FACTOR + np.uint64(data[i]) + np.uint64(1)
    for i in range(SIZE - 1, len(data)):
        value = value * FACTOR + np.uint64(data[i]) + np.uint64(1)
        mixed = _mixed(value)
        if seen[np.int64(mixed >> shift)]:
            place = np.searchsorted(hashes, mixed)
            if place < len(hashes) and hashes[place] == mixed:
                if count < len(out):
                    out[count, 0] = i - SIZE + 1
                    out[count, 1] = place
                count += 1
        value -= first * (np.uint64(data[i - SIZE + 1]) + np.uint64(1))
    return count
