"""UTF-8 bytes of an Arrow array to code points, once, for all kernels of a slice.

Swallow, HojiChar and LLM-jp count Python characters, that is code points, so the kernels do too.
Arrow does not check that a string array holds valid UTF-8; a byte that begins no valid sequence
becomes U+FFFD, one for one, and nothing outside the document is ever read.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.kernel import inlined, kernel
from filters.kernels.spec import Bytes, Offsets, Points, Scalar

REPLACEMENT = np.uint32(0xFFFD)


@kernel
def decode(data: Bytes, offsets: Offsets, points: Points, starts: Offsets) -> None:
    """Code points of the documents `data[offsets[i]:offsets[i + 1]]`.

    data: uint8[:]; offsets: int32[:] or int64[:], n + 1; points: uint32[:], room for one a byte;
    starts: int64[:], n + 1, filled so that document i is `points[starts[i]:starts[i + 1]]`.
    """
    out = 0
    starts[0] = 0
    for doc in range(len(offsets) - 1):
        i = np.int64(offsets[doc])
        end = np.int64(offsets[doc + 1])
        while i < end:
            lead = np.uint32(data[i])
            if lead < 0x80:
                points[out] = lead
                i += 1
            elif 0xE0 <= lead < 0xF0 and i + 2 < end and _tail(data[i + 1]) and _tail(data[i + 2]):
                point = (
                    ((lead & np.uint32(0x0F)) << np.uint32(12))
                    | _low6(data[i + 1], 6)
                    | _low6(data[i + 2], 0)
                )
                if point >= 0x800 and not (0xD800 <= point < 0xE000):  # overlong; a surrogate
                    points[out] = point
                    i += 3
                else:
                    points[out] = REPLACEMENT
                    i += 1
            elif 0xC2 <= lead < 0xE0 and i + 1 < end and _tail(data[i + 1]):
                points[out] = ((lead & np.uint32(0x1F)) << np.uint32(6)) | _low6(data[i + 1], 0)
                i += 2
            elif (
                0xF0 <= lead < 0xF5
                and i + 3 < end
                and _tail(data[i + 1])
                and _tail(data[i + 2])
                and _tail(data[i + 3])
            ):
                point = ((lead & np.uint32(0x07)) << np.uint32(18)) | _low6(data[i + 1], 12)
                point |= _low6(data[i + 2], 6) | _low6(data[i + 3], 0)
                if 0x10000 <= point < 0x110000:
                    points[out] = point
                    i += 4
                else:
                    points[out] = REPLACEMENT
                    i += 1
            else:
                points[out] = REPLACEMENT
                i += 1
            out += 1
        starts[doc + 1] = out


@inlined
def _tail(byte: Scalar) -> bool:
    return (byte & 0xC0) == 0x80


@inlined
def _low6(byte: Scalar, shift: Scalar) -> Scalar:
    return (np.uint32(byte) & np.uint32(0x3F)) << np.uint32(shift)
