"""Arrow strings as the two NumPy arrays that kernels read."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa

from filters.kernels.spec import Bytes, Offsets

Texts: TypeAlias = "pa.Array | pa.ChunkedArray"


def text_buffers(texts: Texts) -> tuple[Bytes, Offsets]:
    """(data uint8[:], offsets int64[n + 1]): text i is `data[offsets[i]:offsets[i + 1]]`, UTF-8.

    texts: string or large_string, sliced, in chunks, or as a dictionary; nulls are empty texts.
    Nothing is copied but the offsets, unless there are nulls or chunks. Arrow does not promise that
    the bytes are valid UTF-8. Raises TypeError for an array of another type.
    """
    if isinstance(texts, pa.ChunkedArray):
        # Not combine_chunks: pyarrow keeps an empty chunked array chunked.
        texts = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], texts.type)
    if pa.types.is_dictionary(texts.type):
        texts = texts.dictionary_decode()
    if pa.types.is_null(texts.type):
        texts = texts.cast(pa.string())
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        raise TypeError(f"texts must be an Arrow string array, not {texts.type}")
    if texts.null_count:  # a null may own bytes; they are no text
        texts = texts.fill_null("")
    width = np.dtype(np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    _, offset_buffer, data_buffer = texts.buffers()
    if offset_buffer is None or len(texts) == 0:
        return _read_only(np.empty(0, np.uint8)), np.zeros(len(texts) + 1, np.int64)
    offsets = np.frombuffer(offset_buffer, width, len(texts) + 1, texts.offset * width.itemsize)
    data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return _read_only(data), offsets.astype(np.int64)


def _read_only(data: Bytes) -> Bytes:
    """Whether Arrow lets its bytes be written or not: kernels are compiled for one of the two."""
    data.flags.writeable = False
    return data
