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


class Unpacker(Protocol):
    """Unpacks a member step by step."""

    def next(self) -> bytes:
        """The next unpacked bytes; b"" when there are no more."""


class Feed:
    """Bytes of a member as they are unpacked: `data` grows by `more()` until that returns False."""

    def __init__(self, unpack: Unpacker | None, data: bytes = b"") -> None:
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


def parse_member(feed: Feed, offset: int, max_block: int) -> Iterator[Record]:
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
        length = content_length(headers)
        if length < 0:  # no length: the rest of the member is the block
            block, cut = feed.take(max_block, max_block)[0], True
        else:
            block, cut = feed.take(length, max_block)
        yield Record(offset, 0, part, headers, block, cut)
        part += 1


def parse_headers(data: bytes, start: int) -> tuple[dict[str, str], int] | None:
    """Named fields of the WARC header block at `start`, and the offset of the content behind it.

    None when there is no complete header block. Field names are lower-cased, folded lines joined,
    the last of repeated fields wins: the fields that may repeat are of no interest here.
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
    headers = http.fields(data[start:stop].decode("utf-8", "replace"), join=False)
    return headers, stop + gap


def content_length(headers: dict[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def u32(data: bytes) -> int:
    return int(struct.unpack_from("<I", data)[0])
