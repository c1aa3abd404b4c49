"""ARC files, the forerunner of WARC, through warcio: they are old, rare and small.

Where warcio gives up, e.g. behind a record whose length is wrong, it is started again at the next
line that looks like the head of a record; what lies between is a gap.
"""

from __future__ import annotations

import contextlib
import io
import re
import zlib
from collections.abc import Iterator
from typing import IO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from corpus.errors import one_line
from corpus.sources.archives.records import Gap, Record, content_length
from corpus.sources.archives.warc import GZIP_MAGIC
from corpus.sources.archives.window import Window
from corpus.sources.inputs import open_buffered

MAX_BLOCK = 8 << 20
SEARCHED = 1 << 20
# URL, IP address, archive date, content type, length: ArcFileFormat of the Internet Archive, v1
_LINE = rb"[a-zA-Z][a-zA-Z0-9+.-]*:[^\r\n]+ [0-9a-fA-F.:]+ \d{14} \S+ \d{1,12}\r?\n"
_HEAD = re.compile(_LINE)
_NEXT_HEAD = re.compile(rb"\n(?=" + _LINE + rb")")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_BROKEN = (ArchiveLoadFailed, ValueError, AttributeError, UnicodeDecodeError, zlib.error)


def looks_like_arc(window: Window) -> bool:
    """True when the file starts with an ARC version block, packed or not."""
    head = window.read(0, 4096)
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(31).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(b"filedesc://")


def read(file: str) -> Iterator[Record | Gap]:
    """Records of an ARC file, and a gap for what lies between the readable ones."""
    with open_buffered(file) as stream:
        stream.seek(0, io.SEEK_END)
        size = stream.tell()
        start = 0
        while start < size:
            stream.seek(start)
            behind = start
            reason = "not an ARC record"
            try:
                for record in _records(stream):
                    yield record
                    behind = max(behind + 1, record.offset + record.length)
                return
            except _BROKEN as error:
                reason = one_line(error, 200)
            # Go on behind the last good record, or at the next line that looks like a head.
            stream.seek(behind)
            if behind > start and _HEAD.match(stream.read(4096)):
                start = behind  # records without a line end between them
                continue
            start = _next_head(stream, behind, size)
            if start > behind:
                yield Gap(behind, start - behind, f"ARC: {reason}")


def _records(stream: IO[bytes]) -> Iterator[Record]:
    archive = ArchiveIterator(stream, no_record_parse=True, arc2warc=True)
    while True:
        with contextlib.redirect_stderr(io.StringIO()):  # it warns there; we have a ledger
            record = _record(archive)
        if record is None:
            return
        yield record


def _record(archive: ArchiveIterator) -> Record | None:
    record = next(archive, None)
    if record is None:
        return None
    headers = {name.lower(): value for name, value in record.rec_headers.headers}
    record_type = headers.get("warc-type", "")
    if not record_type or (
        record_type == "response" and not _SCHEME.match(headers.get("warc-target-uri", ""))
    ):
        # it takes any line for a head
        raise ValueError("not the head of an ARC record")
    block = record.raw_stream.read(MAX_BLOCK)  # before the place is asked for: that reads on
    offset, length = archive.get_record_offset(), archive.get_record_length() or 0
    cut = len(block) < min(content_length(headers), MAX_BLOCK)
    return Record(offset, length, 0, headers, block, cut)


def _next_head(stream: IO[bytes], start: int, size: int) -> int:
    """Offset of the next record head, plain or packed, behind `start`; `size`: there is none."""
    position = start
    while position < size:
        stream.seek(position)
        data = stream.read(SEARCHED + 4096)  # a head may straddle the step
        head = _NEXT_HEAD.search(data)
        places = [head.end()] if head else []
        magic = data.find(GZIP_MAGIC, 1 if position == start else 0)
        while magic >= 0:
            if _packed_head(data[magic : magic + 4096]):
                places.append(magic)
                break
            magic = data.find(GZIP_MAGIC, magic + 1)
        if places:
            return position + min(places)
        position += SEARCHED
    return size


def _packed_head(data: bytes) -> bool:
    try:
        return bool(_HEAD.match(zlib.decompressobj(31).decompress(data, 4096)))
    except zlib.error:
        return False
