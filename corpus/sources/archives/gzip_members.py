"""gzip members of a WARC file: one record each, or many, or damaged. RFC 1952."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from zlib_ng import zlib_ng

from corpus.sources.archives.boundaries import range_start
from corpus.sources.archives.records import (
    Feed,
    Gap,
    Record,
    content_length,
    parse_headers,
    parse_member,
)
from corpus.sources.archives.window import Window
from corpus.web.http import ZlibError

GZIP_MAGIC = b"\x1f\x8b\x08"
PROBE_BYTES = 1 << 12
FEXTRA = 4  # flag of a header with a field of up to 64 KiB
FIRST_READ = 1 << 14  # most members are smaller: one read, one inflate
NEXT_READ = 1 << 16


class _Unpacker:
    """Inflates one gzip member step by step; knows where it ended and what went wrong."""

    def __init__(self, window: Window, start: int) -> None:
        self._window = window
        self._start = start
        self.restart()

    def restart(self) -> None:
        """Begin again at the first byte of the member."""
        self._stream = zlib_ng.decompressobj(31)
        self._next = self._start
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
            except ZlibError as error:
                self.error = f"gzip: {error}"
                return b""
            if self._stream.eof:
                self.end = self._next - len(self._stream.unused_data)
            if out:
                return out
        return b""


def read_gzip(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    """Records and gaps of the gzip members that start in bytes [start, end)."""
    position = 0
    if start:
        find = partial(_next_gzip_member, window)
        position = range_start(start, end, find, partial(_member_end, window))
    while position < end:
        # Nearly always a member is one whole record and another member follows: one step.
        unpack = _Unpacker(window, position)
        feed = _whole_member(unpack, max_block)
        usual = _one_record(feed.data, position, unpack.end - position)
        if usual is not None and window.read(unpack.end, 3) in (GZIP_MAGIC, b""):
            yield usual
            position = unpack.end
            continue
        # Else record by record, the last held back until it is known whether the member broke.
        number = 0
        held: Record | None = None
        for record in parse_member(feed, position, max_block):
            if held is not None:
                yield held
            held, number = record, number + 1
        while unpack.next():  # the member may hold padding after its last record
            pass
        # Where the member ends: as it says, with the file, or at the next verified member.
        if unpack.end >= 0:
            after = unpack.end
        elif "file ends" in unpack.error:
            after = window.size
        else:  # damaged: what was unpacked before the error cannot be trusted
            after = _next_gzip_member(window, position + 1, window.size)
            held = None
            yield Gap(position, after - position, unpack.error)
        if held is not None:
            held.length = after - position if number == 1 else 0
            held.cut = held.cut or unpack.end < 0
            yield held
        elif unpack.end >= 0 or "file ends" in unpack.error:
            if not number and after > position:
                yield Gap(position, after - position, unpack.error or "no WARC record in member")
        # What lies behind a member and is none (padding, garbage) is a gap of its own.
        position = after
        if position < end and window.read(position, 3) != GZIP_MAGIC:
            following = _next_gzip_member(window, position, window.size)
            yield Gap(position, following - position, "no gzip member where one should start")
            position = following


def _one_record(member: bytes, offset: int, length: int) -> Record | None:
    """The usual case, in one step: the member ended (`length` > 0) and holds one whole record with
    the two line ends behind it. None for anything else.
    """
    parsed = parse_headers(member, 0) if length > 0 else None
    if parsed is None:
        return None
    headers, start = parsed
    stop = start + content_length(headers)
    if stop < start or member[stop:] != b"\r\n\r\n":
        return None
    return Record(offset, length, 0, headers, member[start:stop], False)


def _whole_member(unpack: _Unpacker, max_block: int) -> Feed:
    """A feed that already holds the first piece; small members are then whole in it."""
    parts, total = [], 0
    while total <= max_block:
        chunk = unpack.next()
        if not chunk:
            break
        parts.append(chunk)
        total += len(chunk)
    return Feed(unpack, parts[0] if len(parts) == 1 else b"".join(parts))


def _next_gzip_member(window: Window, start: int, stop: int) -> int:
    """Offset of the first verified member in [start, stop), else `stop`."""
    position = window.find(GZIP_MAGIC, start, stop)
    while position >= 0:
        if gzip_member_at(window, position):
            return position
        position = window.find(GZIP_MAGIC, position + 1, stop)
    return stop


def _member_end(window: Window, position: int) -> int:
    """Offset behind the member at `position`, -1 when it is damaged or cut."""
    unpack = _Unpacker(window, position)
    while unpack.next():
        pass
    return unpack.end


def gzip_member_at(window: Window, position: int) -> bool:
    """True when a gzip member stands at `position` whose content starts like a WARC record."""
    head = window.read(position, 12)
    extra = int.from_bytes(head[10:12], "little") if head[3:4] and head[3] & FEXTRA else 0
    try:
        stream = zlib_ng.decompressobj(31)
        plain = stream.decompress(window.read(position, PROBE_BYTES + extra), 64)
        return plain.lstrip(b"\r\n").startswith(b"WARC/")
    except ZlibError:
        return False
