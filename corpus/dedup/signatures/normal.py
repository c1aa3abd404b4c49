"""Normalisation for comparison: what two texts must share to count as the same text.

Only comparison sees it; the corpus keeps its text. Per code point: NFKC, case folding, NFKC again
(full-width ＡＢＣ and half-width ｱｲｳ become abc and アイウ); then letters, marks and numbers stay,
and punctuation, symbols, white space, controls and variation selectors go. A combining mark is
composed with the code point before it, so ｶﾞ, カ + U+3099 and ガ are one letter and が stays apart
from か. (Stripping marks after NFD, as datatrove's `simplify_text` does, makes が = か, ば = ぱ.)
Unassigned and private code points stay: letters of a newer Unicode and vendor gaiji are text.

The table is built from Python's `unicodedata` once per process, in about 0.3 s.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa

from filters.buffers import Texts, text_buffers
from filters.kernels.characters import NINE, ZERO
from filters.kernels.decode import decode
from filters.kernels.kernel import kernel

# An entry of the table: 0 (drop), a code point, or an index into `pool`; and two flags.
COMPOSES = 1 << 21  # may combine with the code point before it
EXPANDS = 1 << 31  # the low 16 bits are a row of `pool`: this code point becomes several
POINT = (1 << 21) - 1

# Default-ignorable code points that are letters or marks by category.
IGNORED = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0}
SELECTORS = ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF))

# Above this plane only U+E0000–E01EF (tags, variation selectors) are assigned.
LAST_TEXT_POINT = 0x3FFFF
ONE_TO_ONE_LIMIT = 18  # the longest NFKC expansion of a code point (U+FDFA)

Tables = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@functools.cache
def tables() -> Tables:
    """(table uint32[0x110000], pool uint32[:], pool starts int64[:], pairs uint64[:], composed
    uint32[:]): the folding of every code point, and the canonical compositions, sorted."""
    pairs = _compositions()
    seconds = {pair & POINT for pair in pairs}
    table = np.arange(0x110000, dtype=np.uint32)
    pool: list[int] = []
    starts = [0]
    rows: dict[str, int] = {}
    for point in (*range(LAST_TEXT_POINT + 1), *range(0xE0000, 0xE0200)):
        char = chr(point)
        category = unicodedata.category(char)
        if category in ("Cn", "Co"):
            continue
        folded = "" if category == "Cs" else fold(char)
        entries = [ord(c) | (COMPOSES if ord(c) in seconds else 0) for c in folded]
        if len(entries) < 2:
            table[point] = entries[0] if entries else 0
            continue
        if folded not in rows:
            rows[folded] = len(starts) - 1
            pool += entries
            starts.append(len(pool))
        table[point] = EXPANDS | rows[folded]
    keys = sorted(pairs)
    return (
        table,
        np.array(pool, np.uint32),
        np.array(starts, np.int64),
        np.array(keys, np.uint64),
        np.array([pairs[key] for key in keys], np.uint32),
    )


def fold(char: str) -> str:
    """What one character becomes: several, one or none."""
    folded = unicodedata.normalize("NFKC", char).casefold()
    return "".join(c for c in unicodedata.normalize("NFKC", folded) if _stays(c))


def _stays(char: str) -> bool:
    """Letters, marks and numbers, and what Unicode or a vendor may make one."""
    point = ord(char)
    if point in IGNORED or any(first <= point <= last for first, last in SELECTORS):
        return False
    category = unicodedata.category(char)
    return category[0] in "LMN" or category in ("Cn", "Co")


def _compositions() -> dict[int, int]:
    """base << 21 | mark → composed, for every canonical pair (Hangul syllables left out)."""
    pairs = {}
    for point in range(0x30000):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) != 2 or parts[0].startswith("<"):
            continue
        base, mark = (int(part, 16) for part in parts)
        if unicodedata.normalize("NFC", chr(base) + chr(mark)) == chr(point):
            pairs[base << 21 | mark] = point
    return pairs


@kernel
def _compose(before: Any, mark: Any, pairs: np.ndarray, composed: np.ndarray) -> Any:
    """The composition of two code points, or 0."""
    key = (np.uint64(before) << np.uint64(21)) | np.uint64(mark)
    low = 0
    high = len(pairs)
    while low < high:
        middle = (low + high) // 2
        if pairs[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low < len(pairs) and pairs[low] == key:
        return composed[low]
    return np.uint32(0)


@kernel
def _append(entry: Any, out: np.ndarray, n: Any, pairs: np.ndarray, composed: np.ndarray) -> Any:
    """Appends the code point of an entry, composed with the one before it; the new length."""
    point = entry & np.uint32(POINT)
    if entry & np.uint32(COMPOSES) and n > 0:
        joined = _compose(out[n - 1], point, pairs, composed)
        if joined:
            out[n - 1] = joined
            return n
    out[n] = point
    return n + 1


@kernel
def normalise_points(points: np.ndarray, tables: Any, out: np.ndarray) -> Any:
    """Fold `points` (uint32[:]) into `out` (uint32[:]); return (out, length).

    `out` is replaced by a larger array when expansions need it, so use the returned one.
    """
    table, pool, starts, pairs, composed = tables
    if len(out) < len(points) + ONE_TO_ONE_LIMIT:
        out = np.empty(2 * len(points) + ONE_TO_ONE_LIMIT, np.uint32)
    n = 0
    for i in range(len(points)):
        entry = table[points[i]]
        # Most code points become one or none; the others expand, or join the one before them.
        if entry < np.uint32(COMPOSES):
            out[n] = entry
            n += entry != 0  # without a branch: spaces and punctuation come at random
        elif entry & np.uint32(EXPANDS):
            if n + len(points) - i + ONE_TO_ONE_LIMIT > len(out):
                larger = np.empty(2 * len(out) + ONE_TO_ONE_LIMIT, np.uint32)
                larger[:n] = out[:n]
                out = larger
            row = np.int64(entry & np.uint32(0xFFFF))
            for k in range(starts[row], starts[row + 1]):
                n = _append(pool[k], out, n, pairs, composed)
        else:
            n = _append(entry, out, n, pairs, composed)
    return out, n


@kernel
def mask_digits(points: np.ndarray, n: Any) -> Any:
    """Replace every run of ASCII digits in points[:n] by one 0, in place; return the length.

    Folding has made all full-width digits ASCII and removed separators, so 1,234 is one run.
    """
    out = 0
    run = False
    for i in range(n):
        digit = ZERO <= points[i] <= NINE
        if not (digit and run):
            points[out] = np.uint32(ZERO) if digit else points[i]
            out += 1
        run = digit
    return out


@kernel
def encode_point(point: Any, out: np.ndarray, n: Any) -> Any:
    """Append one code point as UTF-8 to out (uint8[:]); return the new length."""
    if point < 0x80:
        out[n] = point
        return n + 1
    if point < 0x800:
        out[n] = 0xC0 | (point >> 6)
        out[n + 1] = 0x80 | (point & 0x3F)
        return n + 2
    if point < 0x10000:
        out[n] = 0xE0 | (point >> 12)
        out[n + 1] = 0x80 | ((point >> 6) & 0x3F)
        out[n + 2] = 0x80 | (point & 0x3F)
        return n + 3
    out[n] = 0xF0 | (point >> 18)
    out[n + 1] = 0x80 | ((point >> 12) & 0x3F)
    out[n + 2] = 0x80 | ((point >> 6) & 0x3F)
    out[n + 3] = 0x80 | (point & 0x3F)
    return n + 4


@kernel
def _normalise_all(
    points: np.ndarray, starts: np.ndarray, tables: Any, mask: Any, offsets: np.ndarray
) -> Any:
    """UTF-8 bytes (uint8[:]) of all folded documents one after another; fills `offsets`."""
    scratch = np.empty(64, np.uint32)
    data = np.empty(4 * len(points) + 64, np.uint8)
    end = 0
    offsets[0] = 0
    for doc in range(len(starts) - 1):
        scratch, n = normalise_points(points[starts[doc] : starts[doc + 1]], tables, scratch)
        if mask:
            n = mask_digits(scratch, n)
        if end + 4 * n > len(data):
            larger = np.empty(2 * len(data) + 4 * n, np.uint8)
            larger[:end] = data[:end]
            data = larger
        for i in range(n):
            end = encode_point(scratch[i], data, end)
        offsets[doc + 1] = end
    return data[:end]


def code_points(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """Code points (uint32[:]) of all texts one after another, and starts (int64[n + 1])."""
    data, offsets = text_buffers(texts)
    points = np.empty(int(offsets[-1] - offsets[0]), np.uint32)
    starts = np.empty(len(offsets), np.int64)
    decode(data, offsets, points, starts)
    return points[: starts[-1]], starts


def normalise(texts: Texts, mask: bool = False) -> pa.Array:
    """The texts as comparison sees them (large_string; nulls become empty); `mask`: digits too."""
    points, starts = code_points(texts)
    offsets = np.empty(len(starts), np.int64)
    data = _normalise_all(points, starts, tables(), mask, offsets)
    buffers: list[Any] = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.LargeStringArray.from_buffers(len(starts) - 1, buffers[1], buffers[2])
