"""zstd frames of a .warc.zst file, with a dictionary in the first frame or without.

RFC 8878; dictionaries as in the .warc.zst draft of IIPC: a skippable frame with magic 0x184D2A5D
that holds the dictionary, itself packed or not. The end of a frame is found by walking its block
headers, so a worker can start anywhere and a frame of any size is unpacked piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, cast

import zstandard

from corpus.errors import one_line
from corpus.sources.archives.boundaries import range_start
from corpus.sources.archives.records import Feed, Gap, Record, parse_member, u32
from corpus.sources.archives.window import Window

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
DICTIONARY_MAGIC = 0x184D2A5D
READ = 1 << 16
PIECE = 1 << 20  # at most so much is unpacked at once
MAX_DICTIONARY = 1 << 26


def starts_zstd(head: bytes) -> bool:
    """True when four bytes begin a zstd frame, skippable or not."""
    return head[:4] == ZSTD_MAGIC or (len(head) >= 4 and (u32(head) & ~0xF) == 0x184D2A50)


def read_zstd(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    """Records and gaps of the zstd frames that start in bytes [start, end)."""
    unpacker = _unpacker(window)
    position = 0
    if start:
        find = partial(_next_zstd_frame, window, unpacker=unpacker)
        position = range_start(start, end, find, lambda at: _zstd_frame_end(window, at)[0])
    while position < end:
        after, reason = _zstd_frame_end(window, position)
        if reason == "skippable":
            position = after
            continue
        # Its records, the last held back until it is known whether the frame broke. A frame cut by
        # the end of the file is read as far as it goes.
        unpack = None
        held: Record | None = None
        number = 0
        if after >= 0 or reason == "cut":
            unpack = _Frame(window, position, after if after >= 0 else window.size, unpacker)
            for record in parse_member(Feed(unpack), position, max_block):
                if held is not None:
                    yield held
                held, number = record, number + 1
            while unpack.next():  # to its checksum
                pass
            reason = unpack.error or reason
        # A damaged frame costs the bytes up to the next one that begins with a WARC record.
        if unpack is None or unpack.error or (after < 0 and not number):
            after = _next_zstd_frame(window, position + 1, window.size, unpacker)
            yield Gap(position, after - position, f"zstd frame is damaged ({reason})")
        elif held is None:
            yield Gap(position, after - position, "zstd frame holds no WARC record")
        else:
            held.cut = held.cut or after < 0
            after = window.size if after < 0 else after
            held.length = after - position if number == 1 else 0
            yield held
        position = after


class _Frame:
    """Unpacks the frame in [start, stop) of a file step by step; knows what went wrong."""

    def __init__(
        self, window: Window, start: int, stop: int, unpacker: zstandard.ZstdDecompressor
    ) -> None:
        self._window, self._start, self._stop = window, start, stop
        self._unpacker = unpacker
        self.restart()

    def restart(self) -> None:
        """Begin again at the first byte of the frame."""
        self.error = ""
        source = cast(IO[bytes], _Bytes(self._window, self._start, self._stop))
        self._reader = self._unpacker.stream_reader(source, read_size=READ)

    def next(self) -> bytes:
        """The next unpacked bytes; b"" at the end of the frame or at an error."""
        if self.error:
            return b""
        try:
            return self._reader.read1(PIECE)
        except (zstandard.ZstdError, MemoryError) as error:
            self.error = one_line(error, 80)
            return b""


class _Bytes:
    """[start, stop) of a file as a stream to read from."""

    def __init__(self, window: Window, start: int, stop: int) -> None:
        self._window, self._next, self._stop = window, start, stop

    def read(self, count: int) -> bytes:
        data = self._window.read(self._next, min(count, self._stop - self._next))
        self._next += len(data)
        return data


def _unpacker(window: Window) -> zstandard.ZstdDecompressor:
    """A decompressor with the dictionary of the file's first frame, if there is one."""
    plain = zstandard.ZstdDecompressor()
    head = window.read(0, 8)
    if len(head) < 8 or u32(head) != DICTIONARY_MAGIC:
        return plain
    data = window.read(8, min(u32(head[4:]), MAX_DICTIONARY))
    if data[:4] == ZSTD_MAGIC:
        try:
            data = plain.stream_reader(data).read(MAX_DICTIONARY)
        except zstandard.ZstdError:
            return plain
    return zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(data))


def _zstd_frame_end(window: Window, position: int) -> tuple[int, str]:
    """Offset behind the frame at `position` by walking its block headers, or (-1, reason)."""
    # Frame header: magic, descriptor, window, dictionary id, size (RFC 8878, section 3.1.1).
    head = window.read(position, 18)
    if len(head) < 5:
        return -1, "cut"
    if (u32(head) & ~0xF) == 0x184D2A50:
        after = position + 8 + u32(head[4:8].ljust(4, b"\0"))
        return (after, "skippable") if after <= window.size else (-1, "cut")
    if head[:4] != ZSTD_MAGIC:
        return -1, "no magic"
    descriptor = head[4]
    single = descriptor >> 5 & 1
    size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    at = position + 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + size
    # Block headers of 3 bytes: last, type, length; an RLE block (type 1) holds a single byte.
    while True:
        block = window.read(at, 3)
        if len(block) < 3:
            return -1, "cut"
        word = block[0] | block[1] << 8 | block[2] << 16
        last, block_type, length = word & 1, word >> 1 & 3, word >> 3
        if block_type == 3:
            return -1, "reserved block type"
        at += 3 + (1 if block_type == 1 else length)
        if at > window.size:
            return -1, "cut"
        if last:  # then a checksum of 4 bytes, if the descriptor says so
            at += 4 if descriptor >> 2 & 1 else 0
            return (at, "") if at <= window.size else (-1, "cut")


def _next_zstd_frame(
    window: Window, start: int, stop: int, unpacker: zstandard.ZstdDecompressor
) -> int:
    """Offset of the first frame in [start, stop) that begins with a WARC record, else `stop`."""
    position = window.find(ZSTD_MAGIC, start, stop)
    while position >= 0:
        after, reason = _zstd_frame_end(window, position)
        if after > 0 or reason == "cut":
            frame = _Frame(window, position, after if after > 0 else window.size, unpacker)
            if frame.next().startswith(b"WARC/"):
                return position
        position = window.find(ZSTD_MAGIC, position + 1, stop)
    return stop
