"""WARC records and the unpacked bytes they are parsed from, whatever the packing.

WARC: ISO 28500:2017.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from corpus.web import http

MAX_HEADER_BYTES = 1 << 18  # of a WARC header block; the longest seen in the wild is below 20 kB


@dataclass(slots=True)
class Record:
    """One WARC record: where it stood, its headers (names in lower case) and its block."""

    offset: int  # of the member in the file, bytes
    length: int  # of the member, compressed bytes; 0 while unknown (several records in a member)
    part: int  # number of the record within its member
    headers: dict[str, str]
    block: bytes  # HTTP message of a response, or the content itself; at most max_block bytes
    cut: bool  # the block is not as long as Content-Length says

    @property
    def type(self) -> str:
        """WARC-Type in lower case: response, conversion, revisit …; "" when there is none."""
        return self.headers.get("warc-type", "").lower()


@dataclass(slots=True)
class Gap:
    """Bytes that hold no readable record."""

    offset: int
    length: int
    reason: str


class Unpacker(Protocol):
    """Unpacks a member step by step."""

    def next(self) -> bytes:
        """The next unpacked bytes; b"" when there are no more."""

    def restart(self) -> None:
        """Go back to the first byte of the member."""


class Feed:
    """Bytes of a member as they are unpacked: `data` grows by `more()` until that returns False."""

    def __init__(self, unpack: Unpacker | None, data: bytes = b"") -> None:
        self.data = data
        self.position = 0
        self._unpack = unpack
        self._base = 0  # bytes of the member before `data`
        self.rewound = False

    def tell(self) -> int:
        """Bytes of the member before `position`."""
        return self._base + self.position

    def rewind(self, offset: int) -> bool:
        """Unpack the member again as far as `offset`; only once, so that the cost is bounded."""
        if self.rewound or self._unpack is None:
            return False
        self.rewound = True
        self._unpack.restart()
        self.data, self.position, self._base = b"", 0, 0
        while self.more() and self.tell() + len(self.data) < offset:
            self.position = len(self.data)
        self.position = min(len(self.data), offset - self._base)
        return True

    def put_back(self, block: bytes) -> None:
        """Undo a `take` of bytes that all were kept."""
        self._base = self.tell() - len(block)
        self.data, self.position = block + self.data[self.position :], 0

    def more(self) -> bool:
        """Unpack the next bytes, letting go of those before `position`; False: there are none."""
        if self._unpack is None:
            return False
        chunk = self._unpack.next()
        if not chunk:
            return False
        self._base += self.position
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
            self._base, self.data, self.position = self.tell(), b"", 0
            if not self.more():
                return kept, True
            self.position = min(len(self.data), missing)
            missing -= len(self.data)
        return kept, False


def parse_member(feed: Feed, offset: int, max_block: int) -> Iterator[Record]:
    """The records inside one unpacked member, also of those whose Content-Length lies.

    A length that ends neither before a record nor with the member is not believed: the block goes
    on, or stops, where the next record starts.
    """
    part = 0
    parsed = _next_headers(feed)
    while parsed is not None:
        # The block by its length; after a rewind a length beyond max_block is not believed again.
        headers, feed.position = parsed
        length, start = content_length(headers), feed.tell()
        if length < 0 or (feed.rewound and length > max_block):
            block, cut = b"", True
        else:
            block, cut = feed.take(length, max_block)
        # The length lies if no record and no end follows it: then the next record tells.
        parsed = None if cut else _next_headers(feed)
        if cut or (parsed is None and feed.position < len(feed.data)):
            longer, parsed = _until_record(feed, start, block, max_block)
            if cut or parsed or longer[len(block) :].strip(b"\0\t\r\n "):  # no mere padding
                block, cut = longer, True
        yield Record(offset, 0, part, headers, block, cut)
        part += 1


def _next_headers(feed: Feed) -> tuple[dict[str, str], int] | None:
    """Headers of the record that follows here, behind blank lines. None: there is none; `feed`
    then has bytes left if it is not the end.
    """
    # Behind blank lines, of which a file of nothing else may hold gigabytes: they are let go.
    at = feed.position
    while True:
        while at < len(feed.data) and feed.data[at] in b"\r\n":
            at += 1
        if at < len(feed.data):
            break
        if at - feed.position > MAX_HEADER_BYTES:
            feed.position = at
        at -= feed.position
        if not feed.more():
            feed.position = len(feed.data)
            return None
    # The header block may go on in bytes not unpacked yet, as long as it still looks like one.
    while True:
        parsed = parse_headers(feed.data, at)
        if parsed is not None or not b"WARC/".startswith(feed.data[at : at + 5]):
            return parsed
        at -= feed.position
        if len(feed.data) - at > MAX_HEADER_BYTES or not feed.more():
            return None


def _until_record(
    feed: Feed, start: int, block: bytes, max_block: int
) -> tuple[bytes, tuple[dict[str, str], int] | None]:
    """The block that began at byte `start` of the member, up to the next record or the end of the
    member and at most `max_block` bytes long; and the headers of that record.
    """
    # Back to where the block began: from memory if all of it was kept, else by unpacking again.
    kept: bytes | None = None
    if feed.tell() - start == len(block):
        feed.put_back(block)
    elif not feed.rewind(start):  # another length far beyond: only what follows can be saved
        kept = block
    # On to the next record; once max_block bytes are known the rest is only searched, not held.
    at = max(0, feed.position - 1)
    while True:
        at, parsed = find_record(feed.data, at)
        if kept is None and (parsed or at - feed.position > max_block):
            kept = feed.data[feed.position : min(at, feed.position + max_block)]
        if parsed:
            return (kept or b"").removesuffix(b"\r\n\r\n"), parsed
        if kept is not None:
            feed.position = max(feed.position, at)
        at -= feed.position
        if not feed.more():
            rest = feed.data[feed.position :][:max_block] if kept is None else kept
            feed.position = len(feed.data)
            return rest.removesuffix(b"\r\n\r\n"), None


def find_record(data: bytes, at: int) -> tuple[int, tuple[dict[str, str], int] | None]:
    """Offset and headers of the first believable record at a line start behind `at`.

    Without one: (offset from which to search again when there are more bytes, None).
    """
    while True:
        at = data.find(b"\nWARC/", at)
        if at < 0:
            return max(0, len(data) - 5), None
        behind = data.find(b"\nWARC/", at + 1, at + MAX_HEADER_BYTES)  # no header holds that
        stop = behind + 1 if behind >= 0 else at + MAX_HEADER_BYTES
        parsed = parse_headers(data[at + 1 : stop], 0)
        if parsed and "warc-type" in parsed[0]:
            return at + 1, (parsed[0], at + 1 + parsed[1])
        if not parsed and behind < 0 and len(data) - at < MAX_HEADER_BYTES:
            return at, None
        at += 1


def parse_headers(data: bytes, start: int) -> tuple[dict[str, str], int] | None:
    """Named fields of the WARC header block at `start`, and the offset of the content behind it.

    None when there is no complete header block. Field names are lower-cased, folded lines joined,
    the last of repeated fields wins: the fields that may repeat are of no interest here.
    """
    if not data.startswith(b"WARC/", start):
        return None
    stop = data.find(b"\r\n\r\n", start, start + MAX_HEADER_BYTES)
    bare = data.find(b"\n\n", start, start + MAX_HEADER_BYTES if stop < 0 else stop)
    gap = 4 if bare < 0 else 2
    stop = stop if bare < 0 else bare
    if stop < 0:
        return None
    headers = http.fields(data[start:stop].decode("utf-8", "replace"), join=False)
    return headers, stop + gap


def content_length(headers: dict[str, str]) -> int:
    """Content-Length in bytes, -1 when it is missing or no number."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def u32(data: bytes) -> int:
    """The first four bytes as a little-endian number."""
    return int(struct.unpack_from("<I", data)[0])
