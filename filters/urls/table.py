"""Millions of host and URL entries as sorted 128-bit hashes: built once, mapped by every worker.

An entry is a key, ASCII bytes `host` or `host/path`. A row of the table is the MurmurHash3_x64_128
of a key in two uint64 columns; both must agree, so that among 10 million entries the chance that a
host is taken for another is below 1e-24. About 25 bytes an entry, no string is kept: the matched
entry is a part of the URL itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel
from filters.kernels.murmur import block, finish
from filters.kernels.spec import Bytes, Hashes, Ints, Offsets, Scalar
from filters.urls.forms import MAX_HOST

SUFFIX, EXACT, PATH, MARK_PATHS, MARK_PATTERNS = range(5)  # kinds of entries
NO_CODE = 65535
MAX_KEY_PATH = 1024  # bytes of a path that entries are compared with; longer ones are patterns
SLOW = -2  # a URL in another form, or a host with patterns: the caller normalises and asks again
HTTP = tuple(map(ord, "http"))
_PATHS = 1
_PATTERNS = 2


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, sorted by (low, high); codes number the categories, 65535 is none.

    `buckets[b]:buckets[b + 1]` are the rows whose `low` begins with the bits b.
    """

    low: Hashes
    high: Hashes
    suffix: NDArray[np.uint16]
    exact: NDArray[np.uint16]
    flags: NDArray[np.uint8]
    buckets: NDArray[np.uint32]

    NAMES: ClassVar = ("low", "high", "suffix", "exact", "flags", "buckets")

    def __len__(self) -> int:
        return len(self.low)

    def columns(self) -> tuple[NDArray[Any], ...]:
        """The columns as `find` and `classify` take them."""
        return tuple(getattr(self, name) for name in self.NAMES)


def build(hashes: Hashes, kinds: NDArray[np.uint8], codes: NDArray[np.uint16]) -> Table:
    """A table of entries: hashes uint64[n, 2], kind and category code of each; the lowest code of
    a key and kind wins."""
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    hashes, kinds, codes = hashes[order], kinds[order], codes[order]
    first = np.ones(len(hashes), dtype=np.bool_)
    first[1:] = (hashes[1:] != hashes[:-1]).any(axis=1)
    starts = np.flatnonzero(first)
    unique = hashes[starts]

    def lowest(*of_kinds: int) -> NDArray[np.uint16]:
        masked = np.where(np.isin(kinds, of_kinds), codes, np.uint16(NO_CODE))
        return np.minimum.reduceat(masked, starts) if len(starts) else masked

    bits = (kinds == MARK_PATHS) * np.uint8(_PATHS) + (kinds == MARK_PATTERNS) * np.uint8(_PATTERNS)
    flags = np.bitwise_or.reduceat(bits, starts) if len(starts) else bits
    width = max(1, len(starts).bit_length())
    counts = np.bincount((unique[:, 0] >> np.uint64(64 - width)).astype(np.int64))
    buckets = np.zeros((1 << width) + 1, dtype=np.uint32)
    buckets[1 : len(counts) + 1] = counts
    buckets = np.cumsum(buckets, dtype=np.uint32)
    columns = (
        np.ascontiguousarray(unique[:, 0]),
        np.ascontiguousarray(unique[:, 1]),
        lowest(SUFFIX, PATH),
        lowest(EXACT),
        flags.astype(np.uint8),
        buckets,
    )
    for column in columns:
        column.flags.writeable = False  # the type of a mapped file: one compilation serves both
    return Table(*columns)


@inlined
def _load(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    """Up to 8 bytes as a little-endian uint64."""
    value = np.uint64(0)
    for i in range(min(end, begin + 8) - 1, begin - 1, -1):
        value = (value << np.uint64(8)) | np.uint64(data[i])
    return value


@kernel
def murmur128(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    """MurmurHash3_x64_128 (Austin Appleby, public domain), seed 0, of data[begin:end]."""
    h1 = np.uint64(0)
    h2 = np.uint64(0)
    at = begin
    while at + 16 <= end:
        h1, h2 = block(h1, h2, _load(data, at, end), _load(data, at + 8, end))
        at += 16
    return finish(h1, h2, _load(data, at, end), _load(data, at + 8, end), end - begin)


@inlined
def _is_host_byte(c: Scalar) -> Scalar:
    return (
        ch.LOWER_A <= c <= ch.LOWER_Z
        or ch.ZERO <= c <= ch.NINE
        or c == ch.HYPHEN
        or c == ch.FULL_STOP
        or c == ch.UNDERSCORE
    )


@inlined
def _hex(c: Scalar) -> Scalar:
    """Value of an upper-case hexadecimal digit, -1 for another byte."""
    if ch.ZERO <= c <= ch.NINE:
        return np.int64(c) - ch.ZERO
    return np.int64(c) - ch.UPPER_A + 10 if ch.UPPER_A <= c <= ch.UPPER_F else -1


@inlined
def _is_needed_escape(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Whether %XX stands at data[at] as in forms.percent: upper case, not of an unreserved."""
    if at + 2 >= end or _hex(data[at + 1]) < 0 or _hex(data[at + 2]) < 0:
        return False
    c = 16 * _hex(data[at + 1]) + _hex(data[at + 2])
    return not (_is_host_byte(c) or ch.UPPER_A <= c <= ch.UPPER_Z or c == ch.TILDE)


@kernel
def hash_lines(block: Bytes, hashes: Hashes, plain: Bytes, bounds: Offsets) -> Scalar:
    """Lines of a block: how many; their bounds int64[n, 2] without white space at the ends; plain
    is 1 and the hash set where the line is a host in normal form, 0 where Python must look."""
    n = 0
    at = 0
    size = len(block)
    while at < size:
        end = at
        while end < size and block[end] != ch.LINE_FEED:
            end += 1
        first, last = at, end
        while first < last and block[first] <= ch.SPACE:
            first += 1
        while last > first and block[last - 1] <= ch.SPACE:
            last -= 1
        at = end + 1
        if first == last or block[first] == ch.HASH:
            continue
        normal = (
            last - first <= MAX_HOST
            and block[first] != ch.FULL_STOP
            and block[last - 1] != ch.FULL_STOP
        )
        for i in range(first, last):
            empty_label = block[i] == ch.FULL_STOP and block[i - 1] == ch.FULL_STOP
            if not _is_host_byte(block[i]) or empty_label:
                normal = False
                break
        bounds[n, 0] = first
        bounds[n, 1] = last
        plain[n] = normal
        if normal:
            hashes[n, 0], hashes[n, 1] = murmur128(block, first, last)
        n += 1
    return n


@kernel
def row_of(
    data: Bytes, begin: Scalar, end: Scalar, low: Hashes, high: Hashes, buckets: Scalar
) -> Scalar:
    """Row of the key data[begin:end], -1 when it is no entry."""
    h1, h2 = murmur128(data, begin, end)
    width = 0
    while (1 << (width + 1)) < len(buckets):
        width += 1
    bucket = np.int64(h1 >> np.uint64(64 - width))
    for i in range(np.int64(buckets[bucket]), np.int64(buckets[bucket + 1])):
        if low[i] == h1 and high[i] == h2:
            return i
    return -1


@kernel
def find(
    data: Bytes,
    begin: Scalar,
    host_end: Scalar,
    end: Scalar,
    clean: Scalar,
    low: Hashes,
    high: Hashes,
    suffix: Scalar,
    exact: Scalar,
    flags: Scalar,
    buckets: Scalar,
    patterns: Scalar,
) -> Scalar:
    """The most specific entry for data[begin:end], host and path in normal form.

    Returns (code, key begin, key end, exact). Code -1: none; SLOW: the path is needed and not
    `clean`, or, unless `patterns` is true, patterns of a host must be asked first.
    """
    if host_end == begin or host_end - begin > MAX_HOST:
        return -1, 0, 0, False
    limit = min(end, host_end + MAX_KEY_PATH)
    for at in range(begin, host_end):
        if at > begin and data[at - 1] != ch.FULL_STOP:
            continue
        row = row_of(data, at, host_end, low, high, buckets)
        if row < 0:
            continue
        if flags[row] & _PATTERNS and not patterns:
            return SLOW, 0, 0, False
        if flags[row] & _PATHS and limit - host_end > 1:
            if not clean:
                return SLOW, 0, 0, False
            for stop in range(limit, host_end + 1, -1):
                # / ? & ; # end a part of a path; a slash belongs to what follows it
                c = data[stop] if stop < end else np.uint8(ch.SLASH)
                if (
                    c != ch.SLASH
                    and c != ch.QUESTION
                    and c != ch.AMPERSAND
                    and c != ch.SEMICOLON
                    and c != ch.HASH
                ):
                    continue
                longer = row_of(data, at, stop, low, high, buckets)
                if longer >= 0 and suffix[longer] != NO_CODE:
                    return np.int64(suffix[longer]), at, stop, False
        if at == begin and exact[row] != NO_CODE:
            return np.int64(exact[row]), at, host_end, True
        if suffix[row] != NO_CODE:
            return np.int64(suffix[row]), at, host_end, False
    return -1, 0, 0, False


@kernel
def classify(
    data: Bytes,
    offsets: Scalar,
    low: Hashes,
    high: Hashes,
    suffix: Scalar,
    exact: Scalar,
    flags: Scalar,
    buckets: Scalar,
    out: Ints,
) -> Scalar:
    """Code of each URL data[offsets[i]:offsets[i + 1]] into out int32[n]: -1 none, SLOW unknown.

    URLs in normal form up to the path are decided here: http(s)://, a host in lower case, a port.
    """
    for i in range(len(offsets) - 1):
        begin, end = np.int64(offsets[i]), np.int64(offsets[i + 1])
        # The scheme; a port or another form before the path is for Python to read.
        out[i] = SLOW
        at = begin
        for c in HTTP:
            if at >= end or data[at] != c:
                break
            at += 1
        if at - begin != len(HTTP):
            continue
        if at < end and data[at] == ch.LOWER_S:
            at += 1
        if end - at < 4 or not (
            data[at] == ch.COLON and data[at + 1] == ch.SLASH and data[at + 2] == ch.SLASH
        ):
            continue
        at += 3
        # The host, in lower case and without an empty label.
        host = at
        empty_label = data[at] == ch.FULL_STOP
        while at < end and _is_host_byte(data[at]):
            empty_label = empty_label or (data[at] == ch.FULL_STOP and data[at - 1] == ch.FULL_STOP)
            at += 1
        if empty_label or at == host or data[at - 1] == ch.FULL_STOP:
            continue
        if at < end and not (
            data[at] == ch.SLASH or data[at] == ch.QUESTION or data[at] == ch.HASH
        ):
            continue
        # The path to its fragment: clean where `forms.percent` would leave it as it is.
        stop = at
        clean = True
        while stop < end and data[stop] != ch.HASH:
            clean = clean and ch.SPACE < data[stop] < ch.DELETE
            if data[stop] == ch.PERCENT:
                clean = clean and _is_needed_escape(data, stop, end)
            stop += 1
        clean = clean and (stop == at or data[at] == ch.SLASH)
        out[i] = find(data, host, at, stop, clean, low, high, suffix, exact, flags, buckets, False)[
            0
        ]
