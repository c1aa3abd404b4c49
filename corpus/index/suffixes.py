"""The suffix array of a part: made by libdivsufsort, searched by kernels over mapped files.

    text       uint16[n]     UTF-16 code units, each document behind it a PARTING
    positions  uint8[m * w]  where each suffix that begins with a character starts, in the order of
                             the suffixes: little-endian numbers of w bytes, 3 up to 2**24 units

Only suffixes that begin with a character are kept: neither partings nor second halves of pairs. A
PARTING is the second half of a pair without a first one, which no text holds; so no match crosses
documents. UTF-16 takes two thirds of the bytes of UTF-8 for Japanese, to sort and to keep, and the
order of its big-endian bytes at even places is that of its units. Manber and Myers 1993; sorting:
Mori's libdivsufsort (Fischer and Kurpicz 2017 describe it).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np

from filters.kernels.kernel import inlined, kernel

PARTING = 0xDFFF
FIRST_FIRST = 0xD800  # first halves of pairs begin here
SECOND_FIRST, SECOND_LAST = 0xDC00, 0xDFFF  # second halves of pairs
NARROW = 1 << 24  # units that numbers of three bytes reach


def units_of(text: str) -> np.ndarray | None:
    """The UTF-16 units (uint16[n]) of a text; None where it is none: it has a lone surrogate."""
    try:
        return np.frombuffer(text.encode("utf-16-le"), np.uint16)
    except UnicodeEncodeError:
        return None


def text_of(units: np.ndarray) -> str:
    """The inverse of `units_of`; what was cut out of a pair becomes U+FFFD."""
    return units.tobytes().decode("utf-16-le", "replace")


def parted(units: np.ndarray) -> list[str]:
    """The texts of a part, from its units; whatever stands there."""
    ends = np.flatnonzero(units == PARTING)
    ends = ends[(ends == 0) | ((units[ends - 1] & 0xFC00) != FIRST_FIRST)]
    return [text_of(piece)[1 if k else 0 :] for k, piece in enumerate(np.split(units, ends))]


def width_of(units: int) -> int:
    """Bytes of a position in so many units."""
    return 3 if units <= NARROW else 4


def sorted_positions(text: np.ndarray) -> np.ndarray:
    """`positions` of a text (uint16[n]): uint8[m * w].

    Takes 13 bytes of memory a unit while it sorts.
    """
    from pydivsufsort import divsufsort  # loads its library

    width = width_of(len(text))
    if not len(text):
        return np.empty(0, np.uint8)
    data = text.byteswap().view(np.uint8)
    suffixes = divsufsort(data)
    # Suffixes that begin with the second half of a pair stand together: no text need be looked at.
    first, end = (
        bisect_left(suffixes, byte, key=data.__getitem__)
        for byte in (SECOND_FIRST >> 8, (SECOND_LAST >> 8) + 1)
    )
    out = np.empty(width * int(_starts(text)), np.uint8)
    _pack(suffixes, first, end, width, out)
    return out


@inlined
def is_second(unit: int) -> bool:
    """Whether no character begins with this unit."""
    return SECOND_FIRST <= unit <= SECOND_LAST


@kernel
def _starts(text: np.ndarray) -> int:
    count = 0
    for i in range(len(text)):
        count += not is_second(np.int64(text[i]))
    return count


@kernel
def _pack(suffixes: np.ndarray, first: int, end: int, width: int, out: np.ndarray) -> None:
    """The places of units, from those of bytes, but for suffixes first to end."""
    o = 0
    for k in range(len(suffixes)):
        place = np.int64(suffixes[k])
        if place & 1 or first <= k < end:
            continue
        place >>= 1
        for b in range(width):
            out[o + b] = (place >> (8 * b)) & 0xFF
        o += width


# search ------------------------------------------------------------------------------------------


@inlined
def _at(positions: np.ndarray, width: int, k: int) -> int:
    """The k-th position."""
    i = k * width
    place: Any = np.int64(positions[i]) | np.int64(positions[i + 1]) << 8
    place |= np.int64(positions[i + 2]) << 16
    if width == 4:
        place |= np.int64(positions[i + 3]) << 24
    return place


@kernel
def _common(text: np.ndarray, at: int, query: np.ndarray, first: int, known: int, end: int) -> int:
    """How many units query[first:end] and the suffix at `at` have in common; `known` they have."""
    most = min(end - first, len(text) - at)
    k = known
    while k < most and text[at + k] == query[first + k]:
        k += 1
    return k


@kernel
def _place(
    text: np.ndarray,
    positions: np.ndarray,
    width: int,
    query: np.ndarray,
    first: int,
    end: int,
    behind: bool,
) -> tuple[int, int, int]:
    """(k, common with suffix k - 1, common with suffix k): before suffix k stands query[first:end],
    or, if `behind`, behind all suffixes that begin with it."""
    low, high = 0, len(positions) // width
    at_low, at_high = 0, 0
    while low < high:
        middle = (low + high) >> 1
        place = _at(positions, width, middle)
        # All between share with it what both ends share: that need not be compared again.
        known = min(at_low, at_high)
        common = _common(text, place, query, first, known, end)
        if first + common >= end:
            less = behind
        elif place + common >= len(text):
            less = True
        else:
            less = text[place + common] < query[first + common]
        if less:
            low, at_low = middle + 1, common
        else:
            high, at_high = middle, common
    return low, at_low, at_high


@kernel
def bounds(
    text: np.ndarray, positions: np.ndarray, width: int, query: np.ndarray
) -> tuple[int, int]:
    """(first, end) of the suffixes that begin with a query of one unit or more."""
    first = _place(text, positions, width, query, 0, len(query), False)[0]
    if first * width >= len(positions):
        return first, first
    place = _at(positions, width, first)
    if _common(text, place, query, 0, 0, len(query)) < len(query):
        return first, first
    return first, _place(text, positions, width, query, 0, len(query), True)[0]


@kernel
def longest(
    text: np.ndarray, positions: np.ndarray, width: int, query: np.ndarray, first: int, end: int
) -> int:
    """Units of the longest prefix of query[first:end] that the text has at a character."""
    _, before, behind = _place(text, positions, width, query, first, end, False)
    return max(before, behind)


@kernel
def blocks(
    text: np.ndarray,
    positions: np.ndarray,
    width: int,
    query: np.ndarray,
    size: int,
    out: np.ndarray,
) -> None:
    """Set out[k] (bool[n // size]) where query[k * size : (k + 1) * size] stands in the text.

    Of a block that begins inside a character, what follows that is looked for.
    """
    for k in range(len(out)):
        first, end = k * size, (k + 1) * size
        if is_second(np.int64(query[first])):
            first += 1
        if not out[k]:
            out[k] = longest(text, positions, width, query, first, end) >= end - first


@kernel
def gather(positions: np.ndarray, width: int, first: int, end: int, out: np.ndarray) -> None:
    """Fill out (int64[end - first]) with positions first to end."""
    for k in range(first, end):
        out[k - first] = _at(positions, width, k)


@kernel
def scan(text: np.ndarray, query: np.ndarray, out: np.ndarray) -> int:
    """Fill out (int64[k]) with the first places of a query in the text; how many there were."""
    count, n, m = 0, len(text), len(query)
    for i in range(n - m + 1):
        if count == len(out):
            break
        k = 0
        while k < m and text[i + k] == query[k]:
            k += 1
        if k == m:
            out[count] = i
            count += 1
    return count


@kernel
def characters(text: np.ndarray) -> int:
    """Code points of units (uint16[n]) that begin and end with a whole one."""
    count = 0
    for i in range(len(text)):
        count += not is_second(np.int64(text[i]))
    return count
