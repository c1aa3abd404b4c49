"""WARC records, read as they are found in the wild.

A file is a row of *members*: gzip members, zstd frames, or plain records. A unit of work is a byte
range of the file; a member belongs to the unit in which it starts. The first member of a range is
found by its magic and verified by what it unpacks to, so no index is needed and any worker can
start anywhere. Damage costs the damaged member: the reader looks for the next verified one and
yields a `Gap` for the bytes lost.

WARC: ISO 28500:2017. gzip: RFC 1952. zstd: RFC 8878; dictionaries as in the .warc.zst draft of
IIPC (first frame skippable, magic 0x184D2A5D, holding the dictionary).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard
from zlib_ng import zlib_ng

from corpus.sources.window import Window

GZIP_MAGIC = b"\x1f\x8b\x08"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_DICTIONARY_MAGIC = 0x184D2A5D
MAX_HEADER_BYTES = 1 << 18  # of a WARC header block; the longest seen in the wild is below 20 kB
PROBE_BYTES = 1 << 12
FIRST_READ = 1 << 14  # most members are smaller: one read, one inflate
NEXT_READ = 1 << 16


@dataclass(slots=True)
class Record:
    """One WARC record: where it stood, its headers (names in lower case) and its block."""

    offset: int  # of the member in the file, bytes
    length: int  # of the member, compressed bytes; 0 while unknown (several records in a member)
    part: int  # number of the record within its member
    headers: dict[str, str]
    block: bytes  # HTTP message of a response, or the content itself; at most max_block bytes
    cut: bool  # the block is shorter than Content-Length says

    @property
    def type(self) -> str:
        return self.headers.get("warc-type", "").lower()


@dataclass(slots=True)
class Gap:
    """Bytes that hold no readable record."""

    offset: int
    length: int
    reason: str


class _Feed:
    """Bytes of a member as they are unpacked: `data` grows by `more()` until that returns False."""

    def __init__(self, unpack: _Unpacker | None, data: bytes = b"") -> None:
        self.data = data
        self.position = 0
        self._unpack = unpack

    def more(self) -> bool:
        if self._unpack is None:
            return False
        chunk = self._unpack.next()
        if not chunk:
            return False
        self.data = self.data[self.position :] + chunk
        self.position = 0
        return True

    def take(self, count: int, limit: int) -> tuple[bytes, bool]:
        """The next `count` bytes, cut to `limit`; True when the member ended before `count`."""
        while len(self.data) - self.position < min(count, limit):
            if not self.more():
                break
        kept = self.data[self.position : self.position + min(count, limit)]
        missing = count - (len(self.data) - self.position)
        self.position = min(len(self.data), self.position + count)
        while missing > 0:
            self.data, self.position = b"", 0
            if not self.more():
                return kept, True
            self.position = min(len(self.data), missing)
            missing -= len(self.data)
        return kept, False


class _Unpacker:
    """Inflates one gzip member step by step; knows where it ended and what went wrong."""

    def __init__(self, window: Window, start: int) -> None:
        self._window = window
        self._stream = zlib_ng.decompressobj(31)
        self._next = start
        self._read = FIRST_READ
        self.end = -1  # offset behind the member, once known
        self.error = ""

    def next(self) -> bytes:
        """The next unpacked bytes; b"" at the end of the member, of the file, or at an error."""
        while self.end < 0 and not self.error:
            data = self._window.read(self._next, self._read)
            if not data:
                self.error = "file ends inside a gzip member"
                return b""
            self._next += len(data)
            self._read = NEXT_READ
            try:
                out = self._stream.decompress(data)
            except zlib_ng.error as error:
                self.error = f"gzip: {error}"
                return b""
            if self._stream.eof:
                self.end = self._next - len(self._stream.unused_data)
            if out:
                return out
        return b""


def read(
    window: Window, start: int, end: int, max_block: int
) -> Iterator[Record | Gap]:
    """Records and gaps whose member starts in [start, end). Never raises on any bytes."""
    head = window.read(0, 4)
    if head[:3] == GZIP_MAGIC:
        yield from _read_gzip(window, start, end, max_block)
    elif head == ZSTD_MAGIC or (len(head) == 4 and (_u32(head) & ~0xF) == 0x184D2A50):
        yield from _read_zstd(window, start, end, max_block)
    else:
        yield from _read_plain(window, start, end, max_block)


def looks_like_warc(window: Window) -> bool:
    """True when the file starts with a WARC record, packed or not."""
    if window.size == 0:
        return False
    head = window.read(0, 16)
    if head[:3] == GZIP_MAGIC:
        return _gzip_member_at(window, 0)
    if head[:4] == ZSTD_MAGIC or (len(head) >= 4 and (_u32(head) & ~0xF) == 0x184D2A50):
        first = next(_read_zstd(window, 0, window.size, 1 << 20), None)
        return isinstance(first, Record)
    return head.startswith(b"WARC/")


# gzip ---------------------------------------------------------------------------------------------


def _read_gzip(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    position = start if start == 0 else _next_gzip_member(window, start, end)
    while position < end:
        unpack = _Unpacker(window, position)
        records = _parse_member(_whole_member(unpack, max_block), position, max_block)
        found = 0
        held: Record | None = None  # one behind: the last record learns whether its member broke
        for record in records:
            if held is not None:
                yield held
            held, found = record, found + 1
        while unpack.next():  # the member may hold padding after its last record
            pass
        if unpack.end >= 0:
            after = unpack.end
        elif "file ends" in unpack.error:
            after = window.size
        else:  # damaged: what was unpacked before the error cannot be trusted
            after = _next_gzip_member(window, position + 1, window.size)
            held = None
            yield Gap(position, after - position, unpack.error)
        if held is not None:
            held.length = after - position if found == 1 else 0
            held.cut = held.cut or unpack.end < 0
            yield held
        elif unpack.end >= 0 or "file ends" in unpack.error:
            if not found and after > position:
                yield Gap(position, after - position, unpack.error or "no WARC record in member")
        position = after
        if position < end and window.read(position, 3) != GZIP_MAGIC:
            following = _next_gzip_member(window, position, window.size)
            yield Gap(position, following - position, "no gzip member where one should start")
            position = following


def _whole_member(unpack: _Unpacker, max_block: int) -> _Feed:
    """A feed that already holds the first piece; small members are then whole in it."""
    parts, total = [], 0
    while total <= max_block:
        chunk = unpack.next()
        if not chunk:
            break
        parts.append(chunk)
        total += len(chunk)
    return _Feed(unpack, parts[0] if len(parts) == 1 else b"".join(parts))


def _next_gzip_member(window: Window, start: int, stop: int) -> int:
    """Offset of the first verified member in [start, stop), else `stop`."""
    position = window.find(GZIP_MAGIC, start, stop)
    while position >= 0:
        if _gzip_member_at(window, position):
            return position
        position = window.find(GZIP_MAGIC, position + 1, stop)
    return stop


def _gzip_member_at(window: Window, position: int) -> bool:
    try:
        stream = zlib_ng.decompressobj(31)
        return stream.decompress(window.read(position, PROBE_BYTES), 64).startswith(b"WARC/")
    except zlib_ng.error:
        return False


# zstd ---------------------------------------------------------------------------------------------


def _read_zstd(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    dictionary = _zstd_dictionary(window)
    position = start
    if start:
        position = _next_zstd_frame(window, start, end, dictionary)
    while position < end:
        after, reason = _zstd_frame_end(window, position)
        if after < 0:
            cut = reason == "cut"
            following = (
                window.size if cut else _next_zstd_frame(window, position + 1, window.size, dictionary)
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
    yield from _parse_member(_Feed(_ZstdChunks(reader)), position, max_block)  # type: ignore[arg-type]


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
    if len(head) < 8 or _u32(head) != ZSTD_DICTIONARY_MAGIC:
        return None
    data = window.read(8, min(_u32(head[4:]), 1 << 26))
    if data[:4] == ZSTD_MAGIC:
        try:
            data = _PLAIN_ZSTD.stream_reader(data).read(1 << 26)
        except zstandard.ZstdError:
            return None
    return zstandard.ZstdCompressionDict(data)


def _zstd_frame_end(window: Window, position: int) -> tuple[int, str]:
    """Offset behind the frame at `position` by walking its block headers, or (-1, reason)."""
    head = window.read(position, 18)
    if len(head) < 5:
        return -1, "cut"
    if (_u32(head) & ~0xF) == 0x184D2A50:
        after = position + 8 + _u32(head[4:8].ljust(4, b"\0"))
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


# plain --------------------------------------------------------------------------------------------


def _read_plain(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    position = start if start == 0 else _next_plain_record(window, start, end)
    while position < end:
        head = window.read(position, PROBE_BYTES)
        blank = len(head) - len(head.lstrip(b"\r\n"))
        if blank == len(head):
            if not head:
                return
            position += blank
            continue
        position += blank
        if position >= end:
            return
        head = window.read(position, MAX_HEADER_BYTES)
        parsed = parse_headers(head, 0)
        if parsed is None:
            following = _next_plain_record(window, position + 1, window.size)
            yield Gap(position, following - position, "no WARC header")
            position = following
            continue
        headers, behind = parsed
        length = _content_length(headers)
        block_at, block_end = position + behind, position + behind + max(length, 0)
        if length < 0 or (block_end < window.size and not _record_follows(window, block_end)):
            following = _next_plain_record(window, block_at, window.size)
            length, block_end, wrong = max(0, following - block_at), following, True
        else:
            wrong = block_end > window.size
            block_end = min(block_end, window.size)
        block = window.read(block_at, min(length, max_block))
        yield Record(position, block_end - position, 0, headers, block, wrong)
        position = block_end


def _record_follows(window: Window, position: int) -> bool:
    tail = window.read(position, 64).lstrip(b"\r\n")
    return not tail or tail.startswith(b"WARC/")


def _next_plain_record(window: Window, start: int, stop: int) -> int:
    position = window.find(b"\nWARC/", max(0, start - 1), stop)
    while position >= 0:
        parsed = parse_headers(window.read(position + 1, MAX_HEADER_BYTES), 0)
        if parsed is not None and "warc-type" in parsed[0]:
            return position + 1
        position = window.find(b"\nWARC/", position + 1, stop)
    return stop


# records ------------------------------------------------------------------------------------------


def _parse_member(feed: _Feed, offset: int, max_block: int) -> Iterator[Record]:
    """The records inside one unpacked member."""
    part = 0
    while True:
        while True:  # blank lines between records
            while feed.position < len(feed.data) and feed.data[feed.position] in b"\r\n":
                feed.position += 1
            if feed.position < len(feed.data) or not feed.more():
                break
        parsed = parse_headers(feed.data, feed.position)
        while parsed is None and len(feed.data) - feed.position < MAX_HEADER_BYTES:
            if not feed.more():
                return
            parsed = parse_headers(feed.data, feed.position)
        if parsed is None:
            return
        headers, feed.position = parsed
        length = _content_length(headers)
        if length < 0:  # no length: the rest of the member is the block
            block, cut = feed.take(max_block, max_block)[0], True
        else:
            block, cut = feed.take(length, max_block)
        yield Record(offset, 0, part, headers, block, cut)
        part += 1


def parse_headers(data: bytes, start: int) -> tuple[dict[str, str], int] | None:
    """Named fields of the WARC header block at `start`, and the offset of the content behind it.

    None when there is no complete header block. Field names are lower-cased, folded lines joined,
    the last of repeated fields wins, except that WARC-Protocol-like lists are of no interest here.
    """
    if not data.startswith(b"WARC/", start):
        return None
    stop = data.find(b"\r\n\r\n", start, start + MAX_HEADER_BYTES)
    gap = 4
    if stop < 0:
        stop = data.find(b"\n\n", start, start + MAX_HEADER_BYTES)
        gap = 2
        if stop < 0:
            return None
    headers: dict[str, str] = {}
    name = ""
    for line in data[start:stop].decode("utf-8", "replace").split("\n")[1:]:
        if line[:1] in " \t" and name:
            headers[name] += " " + line.strip()
            continue
        name, colon, value = line.partition(":")
        if colon:
            name = name.strip().lower()
            headers[name] = value.strip()
        else:
            name = ""
    return headers, stop + gap


def _content_length(headers: dict[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _u32(data: bytes) -> int:
    return int(struct.unpack_from("<I", data)[0])
