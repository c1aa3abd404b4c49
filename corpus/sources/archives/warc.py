"""WARC records, read as they are found in the wild.

A file is a row of *members*: gzip members, zstd frames, or plain records. A unit of work is a byte
range of the file; a member belongs to the unit in which it starts. The first member of a range is
found by its magic and verified by what it unpacks to, so no index is needed and any worker can
start anywhere. Damage costs the damaged member: the reader looks for the next verified one and
yields a `Gap` for the bytes lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from corpus.sources.archives.boundaries import range_start
from corpus.sources.archives.gzip_members import GZIP_MAGIC, gzip_member_at, read_gzip
from corpus.sources.archives.records import (
    MAX_HEADER_BYTES,
    Gap,
    Record,
    content_length,
    parse_headers,
)
from corpus.sources.archives.window import Window
from corpus.sources.archives.zstd_frames import read_zstd, starts_zstd

PROBE_BYTES = 1 << 12

__all__ = ["GZIP_MAGIC", "Gap", "Record", "looks_like_warc", "read"]


def read(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    """Records and gaps whose member starts in bytes [start, end). Never raises on any bytes.

    max_block: bytes of a block that are kept; what is longer comes cut.
    """
    head = window.read(0, 4)
    if head[:3] == GZIP_MAGIC:
        yield from read_gzip(window, start, end, max_block)
    elif starts_zstd(head):
        yield from read_zstd(window, start, end, max_block)
    else:
        yield from _read_plain(window, start, end, max_block)


def looks_like_warc(window: Window) -> bool:
    """True when the file starts with a WARC record, packed or not."""
    if window.size == 0:
        return False
    head = window.read(0, 16)
    if head[:3] == GZIP_MAGIC:
        return gzip_member_at(window, 0)
    if starts_zstd(head):
        first = next(read_zstd(window, 0, window.size, 1 << 20), None)
        return isinstance(first, Record)
    return head.startswith(b"WARC/")


def record_at(window: Window, offset: int) -> bool:
    """True when a record, or the member that holds it, starts at `offset`."""
    head = window.read(offset, 16)
    if head[:3] == GZIP_MAGIC:
        return gzip_member_at(window, offset)
    if starts_zstd(head):
        record = next(read_zstd(window, offset, offset + 1, 1 << 16), None)
        return isinstance(record, Record) and record.offset == offset
    return _headers_at(window, offset) is not None


def _read_plain(window: Window, start: int, end: int, max_block: int) -> Iterator[Record | Gap]:
    # A unit that starts inside the file begins at the first record there, not at its first byte.
    position = 0
    if start:
        find = partial(_next_plain_record, window)
        position = range_start(start, end, find, partial(_behind_plain_record, window))
    while position < end:
        # Two line ends stand behind a record; sloppy writers leave fewer or many more.
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
        # No header: the bytes up to the next believable one are lost, and said to be.
        parsed = _headers_at(window, position)
        if parsed is None:
            following = _next_plain_record(window, position + 1, window.size)
            yield Gap(position, following - position, "no WARC header")
            position = following
            continue
        # The block, as long as Content-Length says if a record or the end follows there.
        headers, behind = parsed
        block_at = position + behind
        block_end, wrong = _block_end(window, block_at, content_length(headers))
        block = window.read(block_at, min(block_end - block_at, max_block))
        if wrong:  # without the line ends that stand between records
            block = block.removesuffix(b"\r\n\r\n")
        yield Record(position, block_end - position, 0, headers, block, wrong)
        position = block_end


def _headers_at(window: Window, position: int) -> tuple[dict[str, str], int] | None:
    """Headers at `position` and their length; the usual 4 KiB first, then as far as they may go."""
    parsed = parse_headers(window.read(position, PROBE_BYTES), 0)
    return parsed or parse_headers(window.read(position, MAX_HEADER_BYTES), 0)


def _block_end(window: Window, start: int, length: int) -> tuple[int, bool]:
    """Offset behind the block at `start`; True when that is not what its Content-Length says."""
    end = start + length
    if length >= 0 and end <= window.size and _record_follows(window, end):
        return end, False
    return max(start, _next_plain_record(window, start, window.size)), True


def _behind_plain_record(window: Window, position: int) -> int:
    """Offset behind the record at `position`, -1 when none can be read there."""
    parsed = _headers_at(window, position)
    if parsed is None:
        return -1
    return _block_end(window, position + parsed[1], content_length(parsed[0]))[0]


def _record_follows(window: Window, position: int) -> bool:
    tail = window.read(position, 64).lstrip(b"\r\n")
    return not tail or tail.startswith(b"WARC/")


def _next_plain_record(window: Window, start: int, stop: int) -> int:
    """Offset of the first believable record in [start, stop), else `stop`."""
    position = window.find(b"\nWARC/", max(0, start - 1), stop)
    while position >= 0:
        # no header holds the needle, so that a file full of them is still read once
        behind = window.find(b"\nWARC/", position + 1, position + MAX_HEADER_BYTES)
        count = MAX_HEADER_BYTES if behind < 0 else behind - position
        parsed = parse_headers(window.read(position + 1, count), 0)
        if parsed is not None and "warc-type" in parsed[0]:
            return position + 1
        position = window.find(b"\nWARC/", position + 1, stop)
    return stop
