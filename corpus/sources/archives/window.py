"""Random access to an input file: memory-mapped when local, block-wise by range when remote."""

from __future__ import annotations

import io
import mmap
import os
from collections import OrderedDict
from types import TracebackType
from typing import IO

from corpus.errors import RunError
from corpus.sources.inputs import input_size, is_remote, open_input

BLOCK = 8 << 20  # bytes fetched at once from a remote file
BLOCKS_KEPT = 4
SEARCH_STEP = 1 << 20


class Window:
    """`read(offset, count)` and `find(needle, start, stop)` over a file of `size` bytes."""

    def __init__(self, path: str) -> None:
        self._map: mmap.mmap | bytes | None = None
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        try:
            self._file: IO[bytes] = open_input(path)
            self.size = input_size(path)
            if not is_remote(path) and self.size:
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
                self.size = len(self._map)
        except OSError as error:
            raise RunError(f"cannot read {path}: {error.strerror or error}") from error

    @classmethod
    def over(cls, data: bytes) -> Window:
        """A window over bytes that are already here, e.g. one fetched record."""
        window = cls.__new__(cls)
        window._map, window._file, window.size = data, io.BytesIO(), len(data)
        return window

    def read(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes at `offset`; fewer at the end of the file."""
        if self._map is not None:
            return self._map[offset : offset + count]
        parts = []
        count = min(count, self.size - offset)
        while count > 0:
            block = self._block(offset // BLOCK)
            piece = block[offset % BLOCK : offset % BLOCK + count]
            if not piece:
                break
            parts.append(piece)
            offset += len(piece)
            count -= len(piece)
        return b"".join(parts)

    def find(self, needle: bytes, start: int, stop: int) -> int:
        """Offset of the first `needle` that starts in [start, stop), or -1."""
        if self._map is not None:
            return self._map.find(needle, start, min(self.size, stop + len(needle) - 1))
        while start < min(stop, self.size):
            chunk = self.read(start, min(SEARCH_STEP, stop - start) + len(needle) - 1)
            at = chunk.find(needle)
            if at >= 0:
                return start + at if start + at < stop else -1
            start += SEARCH_STEP
        return -1

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._file.seek(number * BLOCK, os.SEEK_SET)
            self._blocks[number] = self._file.read(BLOCK)
            while len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def close(self) -> None:
        if isinstance(self._map, mmap.mmap):
            self._map.close()
        self._file.close()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
