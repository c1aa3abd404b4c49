"""Arrow string arrays as the two NumPy arrays that kernels read, and back."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Texts: TypeAlias = "pa.Array | pa.ChunkedArray"


def text_buffers(texts: Texts) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and offsets of a string or large_string array, sliced or not; nulls are empty.

    Returns (data uint8[:], offsets int64[n + 1]): text i is `data[offsets[i]:offsets[i + 1]]`.
    Raises TypeError for any other type.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
        if isinstance(texts, pa.ChunkedArray):  # pyarrow keeps an empty chunked array chunked
            texts = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise TypeError(f"expected a string array, got {texts.type}")
    if texts.null_count:  # a null may own bytes; they are no text
        texts = pc.fill_null(texts, "")
    width: Any = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    n = len(texts)
    if offsets is None or n == 0:
        return np.empty(0, np.uint8), np.zeros(n + 1, np.int64)
    starts = np.frombuffer(offsets, width)[texts.offset : texts.offset + n + 1].astype(np.int64)
    if data is None:
        return np.empty(0, np.uint8), starts
    return np.frombuffer(data, np.uint8), starts


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
