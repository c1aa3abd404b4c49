"""How far a text compresses: low for repetition, high for noise.

zlib at level 9 is the measure of LLM-jp corpus v1 (`has_good_compression_ratio`), the LZ4 fast
block format that of Uzushio (`CompressionRate`). zlib alone costs as much as all other signals
together (39 MB/s), so it is a group of its own, measured when a profile asks for it.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

import pyarrow as pa

from filters.kernels.spec import Bytes, Floats, Offsets, Signal, number

LZ4_SIGNALS: tuple[Signal, ...] = (
    number(
        "lz4_ratio",
        "compressed / UTF-8 bytes",
        "LZ4 block of the first MiB without line breaks",
        "Uzushio CompressionRate",
    ),
)
ZLIB_SIGNALS: tuple[Signal, ...] = (
    number(
        "zlib_ratio",
        "compressed / UTF-8 bytes",
        "zlib level 9, whole document; 0 when empty",
        "LLM-jp corpus v1",
    ),
)
LZ4_INPUT = 1 << 20  # Uzushio fills a buffer of this size and compresses that
LZ4 = pa.Codec("lz4_raw")  # LZ4_compress_default of the reference: acceleration 1, no frame


def measure_lz4(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, 1] for the documents data[offsets[i]:offsets[i + 1]].

    Line breaks are left out first: Uzushio compresses the paragraphs without those between them.
    """
    for row, (begin, end) in enumerate(pairwise(offsets.tolist())):
        text = data[begin:end].tobytes().replace(b"\n", b"")[:LZ4_INPUT]
        out[row, 0] = LZ4.compress(text).size / len(text) if text else 0.0


def measure_zlib(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, 1] for the documents data[offsets[i]:offsets[i + 1]]."""
    view = data.data
    for row, (begin, end) in enumerate(pairwise(offsets.tolist())):
        size = end - begin
        out[row, 0] = len(zlib.compress(view[begin:end], 9)) / size if size else 0.0
