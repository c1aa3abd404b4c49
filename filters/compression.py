"""How far a text compresses: low for repetition, high for noise.

zlib at level 9 is the measure of LLM-jp corpus v1 (`has_good_compression_ratio`), the LZ4 fast
block format that of Uzushio (`CompressionRate`). zlib alone costs as much as all other signals
together (39 MB/s), so it is a group of its own, measured when a profile asks for it.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np

from filters.kernels.kernel import kernel
from filters.kernels.lz4 import TABLE_SIZE, compressed_size
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
LINE_BREAK = 10  # its paragraphs are compressed without the breaks between them


def measure_lz4(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, 1] for the documents data[offsets[i]:offsets[i + 1]]."""
    lz4_ratios(data, offsets, out)


def measure_zlib(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, 1] for the documents data[offsets[i]:offsets[i + 1]]."""
    view = memoryview(data)  # type: ignore[arg-type]
    for row, (begin, end) in enumerate(pairwise(offsets.tolist())):
        size = end - begin
        out[row, 0] = len(zlib.compress(view[begin:end], 9)) / size if size else 0.0


@kernel
def lz4_ratios(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """The LZ4 ratio of every document, its line breaks left out and cut at LZ4_INPUT bytes."""
    table = np.empty(TABLE_SIZE, np.uint32)
    text = np.empty(LZ4_INPUT, np.uint8)
    for row in range(len(offsets) - 1):
        size = 0
        for i in range(offsets[row], offsets[row + 1]):
            if data[i] != LINE_BREAK and size < LZ4_INPUT:
                text[size] = data[i]
                size += 1
        out[row, 0] = compressed_size(text[:size], table) / size if size else 0.0
