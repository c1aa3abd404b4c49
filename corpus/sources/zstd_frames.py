"""zstd frames of a .warc.zst file, with a dictionary in the first frame or without.

RFC 8878; dictionaries as in the .warc.zst draft of IIPC: a skippable frame with magic 0x184D2A5D
that holds the dictionary, itself packed or not. The end of a frame is found by walking its block
headers, so damage is noticed before anything is unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator

import zstandard

from corpus.sources.records import Feed, Gap, Record, parse_member, u32
from corpus.sources.window import Window

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
DICTIONARY_MAGIC = 0x184D2A5D
NEXT_READ = 1 << 16
MAX_DICTIONARY = 1 << 26


def starts_zstd(head: bytes) -> bool:
    """True when four bytes begin a zstd frame, skippable or not."""
    return head[:4] == ZSTD_MAGIC or (len(head) >= 4 and (u32(head) & ~0xF) == 0x184D2A50)


def read_zstd(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    dictionary = _zstd_dictionary(window)
    position = start
    if start:
        position = _next_zstd_frame(window, start, end, dictionary)
    while position < end:
        after, reason = _zstd_frame_end(window, position)
        if after < 0:
            cut = reason == "cut"
            following = (
                window.size
                if cut
                else _next_zstd_frame(window, position + 1, window.size, dictionary)
            )
            records = list(_unpack_frame(window, position, following, dictionary, max_block))
            if cut and records:
                records[-1].cut = True
                yield from records
            else:
                yield Gap(position, following - position, f"zstd frame is damaged ({reason})")
            position = following
            continue
        if reason != "skippable":
            records = list(_unpack_frame(window, position, after, dictionary, max_block))
            if len(records) == 1:
                records[0].length = after - position
            yield from records
            if not records:
                yield Gap(position, after - position, "zstd frame holds no WARC record")
        position = after


def _unpack_frame(
    window: Window,
    position: int,
    after: int,
    dictionary: zstandard.ZstdCompressionDict | None,
    max_block: int,
) -> Iterator[Record]:
    unpacker = zstandard.ZstdDecompressor(dict_data=dictionary) if dictionary else _PLAIN_ZSTD
    reader = unpacker.stream_reader(window.read(position, after - position))
    yield from parse_member(Feed(_ZstdChunks(reader)), position, max_block)


_PLAIN_ZSTD = zstandard.ZstdDecompressor()


class _ZstdChunks:
    def __init__(self, reader: zstandard.ZstdDecompressionReader) -> None:
        self._reader = reader

    def next(self) -> bytes:
        try:
            return self._reader.read(NEXT_READ)
        except zstandard.ZstdError:
            return b""


def _zstd_dictionary(window: Window) -> zstandard.ZstdCompressionDict | None:
    head = window.read(0, 8)
    if len(head) < 8 or u32(head) != DICTIONARY_MAGIC:
        return None
    data = window.read(8, min(u32(head[4:]), MAX_DICTIONARY))
    if data[:4] == ZSTD_MAGIC:
        try:
            data = _PLAIN_ZSTD.stream_reader(data).read(MAX_DICTIONARY)
        except zstandard.ZstdError:
            return None
    return zstandard.ZstdCompressionDict(data)


def _zstd_frame_end(window: Window, position: int) -> tuple[int, str]:
    """Offset behind the frame at `position` by walking its block headers, or (-1, reason)."""
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
    while True:
        block = window.read(at, 3)
        if len(block) < 3:
            return -1, "cut"
        word = block[0] | block[1] << 8 | block[2] << 16
        last, kind, length = word & 1, word >> 1 & 3, word >> 3
        if kind == 3:
            return -1, "reserved block type"
        at += 3 + (1 if kind == 1 else length)
        if at > window.size:
            return -1, "cut"
        if last:
            return at + (4 if descriptor >> 2 & 1 else 0), ""


def _next_zstd_frame(
    window: Window, start: int, stop: int, dictionary: zstandard.ZstdCompressionDict | None
) -> int:
    position = window.find(ZSTD_MAGIC, start, stop)
    while position >= 0:
        after, _ = _zstd_frame_end(window, position)
        if after > 0 and any(_unpack_frame(window, position, after, dictionary, 1 << 16)):
            return position
        position = window.find(ZSTD_MAGIC, position + 1, stop)
    return stop
