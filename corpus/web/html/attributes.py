"""Reading attributes of a serialised start tag: class words, hidden styles, rel and type values."""

from __future__ import annotations

import numpy as np

from corpus.web.html.tags import HASH_BASE, TABLE_SIZE, Tables, name_hash
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

MAX_WORD = 40  # longer class words are generated names
_BASE = np.uint32(HASH_BASE)
_MASK = np.uint32(TABLE_SIZE - 1)
_ROLE = np.uint32(name_hash("role="))
_POWERS = np.array([pow(HASH_BASE, k, 1 << 32) for k in range(MAX_WORD + 1)], dtype=np.uint32)


@inlined
def lookup(key: np.uint32, hashes: np.ndarray, values: np.ndarray) -> np.int32:
    """Value of a name's hash in an open-addressed table, 0 if absent."""
    slot = key & _MASK
    while hashes[slot] != np.uint32(0):
        if hashes[slot] == key:
            return values[slot]
        slot = (slot + np.uint32(1)) & _MASK
    return np.int32(0)


@kernel
def span_hash(src: np.ndarray, start: int, end: int, value: np.uint32) -> np.uint32:
    """Polynomial hash of a byte span, ASCII letters lowered, continued from `value`."""
    for i in range(start, end):
        c = src[i]
        if ch.UPPER_A <= c <= ch.UPPER_Z:
            c = np.uint8(c + ch.TO_LOWER)
        value = np.uint32(value * _BASE + np.uint32(c))
    return value


@kernel
def _compound(prefix: np.ndarray, n: int, hashes: np.ndarray, bits: np.ndarray) -> np.int32:
    """Bits of an unknown word that joins known ones: `mainvisual`, `globalnavi`, `entrybody2`."""
    joined = np.int32(0)
    for k in range(3, n - 1):
        head = lookup(prefix[k], hashes, bits)
        tail_key = np.uint32(prefix[n] - np.uint32(prefix[k] * _POWERS[n - k]))
        tail = lookup(tail_key, hashes, bits) if n - k >= 3 else np.int32(0)
        if head != 0 and tail != 0:
            return np.int32(head | tail)
        if head != 0 and k >= 4:
            joined = np.int32(joined | head)
        if tail != 0 and n - k >= 4:
            joined = np.int32(joined | tail)
    return joined


@kernel
def word_bits(src: np.ndarray, start: int, end: int, tables: Tables) -> np.int32:
    """Kinds (bits of `tags.NAV` …) of the words in a class or id value.

    Words end at a byte that is no ASCII letter and at camelCase boundaries.
    """
    kinds = np.int32(0)
    prefix = np.empty(MAX_WORD + 1, dtype=np.uint32)
    i = start
    while i < end:
        n = 0
        prefix[0] = 0
        lower_before = False
        while i < end and n < MAX_WORD:
            c = src[i]
            upper = ch.UPPER_A <= c <= ch.UPPER_Z
            if not upper and not ch.LOWER_A <= c <= ch.LOWER_Z:
                break
            if upper and lower_before:
                break
            prefix[n + 1] = np.uint32(
                prefix[n] * _BASE + np.uint32(c + ch.TO_LOWER if upper else c)
            )
            n += 1
            lower_before = not upper
            i += 1
        if n == 0:
            i += 1
            continue
        if n < 2:
            continue
        bits = lookup(prefix[n], tables.word_hash, tables.word_bits)
        if bits == 0 and n >= 6:
            bits = _compound(prefix, n, tables.word_hash, tables.word_bits)
        kinds = np.int32(kinds | bits)
    return kinds


@kernel
def role_bits(src: np.ndarray, start: int, end: int, tables: Tables) -> np.int32:
    """Kind of an ARIA role value."""
    return lookup(span_hash(src, start, end, _ROLE), tables.word_hash, tables.word_bits)


@kernel
def contains(src: np.ndarray, start: int, end: int, needle: np.ndarray) -> bool:
    """Whether the span holds `needle` (lower-case ASCII bytes), ignoring case and white space."""
    n = len(needle)
    for i in range(start, end):
        k = 0
        j = i
        while k < n and j < end:
            c = src[j]
            j += 1
            if c <= ch.SPACE:
                continue
            if ch.UPPER_A <= c <= ch.UPPER_Z:
                c = np.uint8(c + ch.TO_LOWER)
            if c != needle[k]:
                break
            k += 1
        if k == n:
            return True
    return False


def as_bytes(text: str) -> np.ndarray:
    """uint8 [n]: the UTF-8 bytes of a text, as `contains` takes its needle."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


_DISPLAY_NONE = as_bytes("display:none")
_INVISIBLE = as_bytes("visibility:hidden")


@kernel
def style_hides(src: np.ndarray, start: int, end: int) -> bool:
    """Whether an inline style makes the element invisible."""
    return contains(src, start, end, _DISPLAY_NONE) or contains(src, start, end, _INVISIBLE)
