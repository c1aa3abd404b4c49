"""Rows of numbers as Arrow fixed-size binary, one value a row, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from filters.buffers import Texts


def fixed_binary(rows: np.ndarray) -> pa.Array:
    """A C-contiguous 2-D array as fixed-size binary, one value a row (little-endian bytes)."""
    rows = np.ascontiguousarray(rows)
    width = rows.shape[1] * rows.itemsize
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(width), len(rows), [None, pa.py_buffer(rows)]
    )


def fixed_rows(array: Texts, dtype: Any) -> np.ndarray:
    """The inverse of `fixed_binary`: an array of shape (n, width / itemsize), read-only."""
    if isinstance(array, pa.ChunkedArray):
        parts = [fixed_rows(chunk, dtype) for chunk in array.chunks]
        width = array.type.byte_width // np.dtype(dtype).itemsize
        return np.concatenate(parts) if parts else np.empty((0, width), dtype)
    width = array.type.byte_width
    columns = width // np.dtype(dtype).itemsize
    if len(array) == 0:
        return np.empty((0, columns), dtype)
    raw = np.frombuffer(array.buffers()[1], np.uint8)
    raw = raw[array.offset * width : (array.offset + len(array)) * width]
    return raw.view(dtype).reshape(len(array), columns)
