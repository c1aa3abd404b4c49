"""Size of a text as an LZ4 block, exactly as `LZ4_compress_default` of the reference makes it.

Only the size is wanted, so nothing is written. Algorithm and constants: lz4.c 1.9 and 1.10
(Yann Collet, BSD 2-clause), acceleration 1, an empty hash table for every document.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Bytes, Points, Scalar

MIN_MATCH = 4
LAST_LITERALS = 5
MATCH_FIND_LIMIT = 12
SKIP_TRIGGER = 6
FAR = 65535
SMALL_INPUT = 65536 + MATCH_FIND_LIMIT - 1  # below, the reference hashes 4 bytes into 13 bits
TABLE_SIZE = 1 << 13


@kernel
def compressed_size(data: Bytes, table: Points) -> Scalar:
    """Bytes of the LZ4 block of `data`; table has TABLE_SIZE entries and is overwritten."""
    end = np.int64(len(data))
    small = end < SMALL_INPUT
    out = np.int64(0)
    anchor = np.int64(0)
    if end > MATCH_FIND_LIMIT:
        table[:] = 0
        last_match = end - MATCH_FIND_LIMIT + 1
        match_limit = end - LAST_LITERALS
        ip = np.int64(1)
        forward_hash = _hash(data, ip, small)
        searching = True
        while searching:
            forward = ip
            step = np.int64(1)
            tries = np.int64(1) << SKIP_TRIGGER
            match = np.int64(0)
            while True:
                h = forward_hash
                ip = forward
                forward += step
                step = tries >> SKIP_TRIGGER
                tries += 1
                if forward > last_match:
                    searching = False
                    break
                match = np.int64(table[h])
                forward_hash = _hash(data, forward, small)
                table[h] = ip
                if match + FAR >= ip and _same4(data, match, ip):
                    break
            if not searching:
                break
            while ip > anchor and match > 0 and data[ip - 1] == data[match - 1]:
                ip -= 1
                match -= 1
            literals = ip - anchor
            out += 1 + literals + _extra(literals)
            while True:
                length = _common(data, match + MIN_MATCH, ip + MIN_MATCH, match_limit)
                out += 2 + _extra(length)
                ip += MIN_MATCH + length
                anchor = ip
                if ip >= last_match:
                    searching = False
                    break
                table[_hash(data, ip - 2, small)] = ip - 2
                h = _hash(data, ip, small)
                match = np.int64(table[h])
                table[h] = ip
                if match + FAR >= ip and _same4(data, match, ip):
                    out += 1
                    continue
                ip += 1
                forward_hash = _hash(data, ip, small)
                break
    literals = end - anchor
    return out + 1 + literals + _extra(literals)


@inlined
def _extra(length: Scalar) -> Scalar:
    """Length bytes beyond the token's four bits."""
    return (length - 15) // 255 + 1 if length >= 15 else 0


@inlined
def _read4(data: Bytes, i: Scalar) -> Scalar:
    i = np.uint64(i)
    return (
        np.uint32(data[i])
        | np.uint32(data[i + np.uint64(1)]) << np.uint32(8)
        | np.uint32(data[i + np.uint64(2)]) << np.uint32(16)
        | np.uint32(data[i + np.uint64(3)]) << np.uint32(24)
    )


@inlined
def _hash(data: Bytes, i: Scalar, small: Scalar) -> Scalar:
    low = _read4(data, i)
    if small:
        return np.uint32(low * np.uint32(2654435761)) >> np.uint32(19)
    five = np.uint64(low) | np.uint64(data[i + 4]) << np.uint64(32)
    return np.uint32(((five << np.uint64(24)) * np.uint64(889523592379)) >> np.uint64(52))


@inlined
def _same4(data: Bytes, a: Scalar, b: Scalar) -> bool:
    return _read4(data, a) == _read4(data, b)


@kernel
def _common(data: Bytes, a: Scalar, b: Scalar, limit: Scalar) -> Scalar:
    """Equal bytes from a and b on, b staying below limit."""
    length = np.int64(0)
    while b + length < limit and data[a + length] == data[b + length]:
        length += 1
    return length
