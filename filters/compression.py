"""How far a text compresses: low for repetition, high for noise.

zlib at level 9 is the measure of LLM-jp corpus v1 (`has_good_compression_ratio`), the LZ4 fast
block format that of Uzushio (`CompressionRate`).
"""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np

from .kernels.lz4 import compressed_size
from .kernels.spec import Bytes, Floats, Offsets, Signal, number

SIGNALS: tuple[Signal, ...] = (
    number(
        "zlib_ratio",
        "compressed / UTF-8 bytes",
        "zlib level 9, whole document; 0 when empty",
        "LLM-jp corpus v1",
    ),
    number(
        "lz4_ratio",
        "compressed / UTF-8 bytes",
        "LZ4 block of the first MiB without line breaks",
        "Uzushio CompressionRate",
    ),
)
LZ4_INPUT = 1 << 20  # Uzushio fills a buffer of this size and compresses that
LINE_BREAK = 10  # its paragraphs are compressed without the breaks between them


def measure_compression(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, 2] for the documents data[offsets[i]:offsets[i + 1]]."""
    view = memoryview(data)  # type: ignore[arg-type]
    bounds = offsets.tolist()
    table = np.empty(1 << 13, np.uint32)
    for row, (begin, end) in enumerate(pairwise(bounds)):
        size = end - begin
        if size == 0:
            out[row] = 0.0
            continue
        out[row, 0] = len(zlib.compress(view[begin:end], 9)) / size
        text = data[begin:end]
        text = text[text != LINE_BREAK][:LZ4_INPUT]
        out[row, 1] = compressed_size(text, table) / len(text) if len(text) else 0.0
