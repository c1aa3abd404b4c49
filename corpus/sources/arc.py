"""ARC files, the forerunner of WARC, through warcio: they are old, rare and small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from warcio.archiveiterator import ArchiveIterator
from warcio.exceptions import ArchiveLoadFailed

from corpus.sources.warc import GZIP_MAGIC, Gap, Record
from corpus.sources.window import Window
from corpus.storage import open_input

MAX_BLOCK = 8 << 20


def looks_like_arc(window: Window) -> bool:
    """True when the file starts with an ARC version block, packed or not."""
    head = window.read(0, 4096)
    if head.startswith(GZIP_MAGIC):
        import zlib

        try:
            head = zlib.decompressobj(31).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(b"filedesc://")


def read(file: str) -> Iterator[Record | Gap]:
    """Records of an ARC file; what warcio cannot read on becomes one gap to the end of the file."""
    with open_input(file) as stream:
        yield from _read(stream)


def _read(stream: IO[bytes]) -> Iterator[Record | Gap]:
    archive = ArchiveIterator(stream, no_record_parse=True, arc2warc=True)
    offset = 0
    try:
        for record in archive:
            offset = archive.get_record_offset()
            headers = {name.lower(): value for name, value in record.rec_headers.headers}
            block = record.raw_stream.read(MAX_BLOCK)
            if not headers.get("warc-type"):
                headers["warc-type"] = "warcinfo"
            archive.read_to_end(record)
            yield Record(offset, archive.get_record_length() or 0, 0, headers, block, False)
    except (ArchiveLoadFailed, ValueError, AttributeError, UnicodeDecodeError) as error:
        stream.seek(0, 2)
        yield Gap(
            offset, max(0, stream.tell() - offset), f"ARC: {' '.join(str(error).split())[:200]}"
        )
