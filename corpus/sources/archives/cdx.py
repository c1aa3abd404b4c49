"""CDX and CDXJ index files as Arrow batches with the column names of Common Crawl's Parquet index.

    CDXJ        `urlkey timestamp {"url": …, "status": …, "filename": …, "offset": …, "length": …}`
                (Common Crawl, pywb)
    CDX         space-separated fields, named by a first line ` CDX N b a m s k r M S V g`; without
                that line the eleven of NutchWAX are meant (letters: https://archive.org/web/researcher/
                cdx_legend.php)

Plain or gzip (also many members, as Common Crawl's `cdx-00000.gz`).
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import urlsplit

import pyarrow as pa
from zlib_ng import gzip_ng

from corpus.errors import RunError, UsageError, one_line
from corpus.sources.inputs import open_buffered
from corpus.web.http import ZlibError

SCHEMA = pa.schema(
    [
        ("url", pa.string()),
        ("url_host_name", pa.string()),
        ("fetch_time", pa.string()),  # ISO 8601, as DuckDB casts it
        ("fetch_status", pa.int32()),
        ("content_mime_detected", pa.string()),
        ("content_languages", pa.string()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int64()),
        ("warc_record_length", pa.int64()),
    ]
)
UNKNOWN = "unknown"  # among languages: pages for which the index notes none
NUTCHWAX = "NbamskrMSVg"
MAX_LINE = 1 << 16
BATCH_ROWS = 1 << 15


@contextlib.contextmanager
def open_index(path: str) -> Iterator[IO[bytes]]:
    """The lines of an index file as a stream, unpacked if its first bytes are those of gzip."""
    with open_buffered(path) as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        yield gzip_ng.open(stream, "rb") if packed else stream


class Reader:
    """Iterates over the batches of one file; counts `lines` and those it could not `read`.

    `languages`: a JSON line that holds none of these codes is left out early; () keeps all, and
    UNKNOWN keeps those that name no language.
    """

    def __init__(self, path: str, languages: tuple[str, ...] = ()) -> None:
        self.path = path
        self.lines = self.unreadable = 0
        self.tells_languages = False
        words = [re.escape(word.encode()) for word in languages if word != UNKNOWN]
        self._language = re.compile(b"|".join(words)) if words else None
        self._unknown = UNKNOWN in languages
        self._letters = NUTCHWAX

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        rows: list[tuple[Any, ...]] = []
        for line in self._read_lines():
            row = self._row(line)
            if row:
                rows.append(row)
            if len(rows) == BATCH_ROWS:
                yield _batch(rows)
                rows.clear()
        if rows:
            yield _batch(rows)
        if self.lines and self.lines == self.unreadable:
            raise UsageError(
                f"{self.path}: none of its {self.lines:,} lines is CDX or CDXJ (nor is the file "
                "Parquet): name files of a Common Crawl index or a CDX"
            )

    def _read_lines(self) -> Iterator[bytes]:
        try:
            with open_index(self.path) as stream:
                yield from _lines(stream)
        except (OSError, EOFError, ZlibError) as error:
            raise RunError(f"{self.path} cannot be read to its end: {one_line(error)}") from error

    def _row(self, line: bytes) -> tuple[Any, ...] | None:
        line = line.rstrip(b"\r\n")
        if not line.strip() or line.startswith(b"!"):  # pywb's !meta lines
            return None
        if line.lstrip().startswith(b"CDX "):
            self._letters = "".join(line.decode("latin-1").split()[1:])
            if "S" not in self._letters:
                raise UsageError(
                    f"{self.path} tells no record lengths (CDX letter S): make it with 11 columns"
                )
            return None
        self.lines += 1
        try:
            if line.endswith(b"}"):
                return None if self._dropped(line) else _from_json(line)
            return self._from_columns(line)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            self.unreadable += 1
            return None

    def _dropped(self, line: bytes) -> bool:
        """True when the languages of a line are none of the wanted (cheaper than its JSON)."""
        if b'"languages"' in line:
            self.tells_languages = True
            return bool(self._language or self._unknown) and not (
                self._language and self._language.search(line)
            )
        return self._language is not None and not self._unknown

    def _from_columns(self, line: bytes) -> tuple[Any, ...]:
        fields = line.decode("utf-8", "replace").split(" ")
        if len(fields) != len(self._letters):
            raise ValueError
        named = dict(zip(self._letters, fields, strict=True))
        url, timestamp, status, mime, filename, *place = (named[letter] for letter in "absmgVS")
        return _row(url, timestamp, status, mime, None, filename, *map(int, place))


def _from_json(line: bytes) -> tuple[Any, ...]:
    """A row of SCHEMA from a CDXJ line; KeyError and ValueError for what is none."""
    brace = line.index(b" {")
    timestamp = line[:brace].rsplit(b" ", 1)[1].decode()
    capture = json.loads(line[brace:])
    mime = capture.get("mime-detected", capture.get("mime"))
    place = capture["filename"], int(capture["offset"]), int(capture["length"])
    status, languages = capture.get("status"), capture.get("languages")
    return _row(capture["url"], timestamp, status, mime, languages, *place)


def _row(
    url: str,
    timestamp: str,
    status: Any,
    mime: Any,
    languages: Any,
    filename: str,
    offset: int,
    length: int,
) -> tuple[Any, ...]:
    """A row of SCHEMA from the fields as the index writes them; ValueError for what is none."""
    if not (len(timestamp) == 14 and timestamp.isascii() and timestamp.isdigit()):
        raise ValueError
    if not (abs(offset) < 1 << 63 and abs(length) < 1 << 63):
        raise ValueError
    day, time = timestamp[:8], timestamp[8:]
    moment = f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}"
    code = str(status)
    return (
        _text(url),
        (urlsplit(url).hostname or "").rstrip("."),
        moment,
        int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None,
        None if mime in (None, "-", "unk", "") else _text(mime),
        _text(languages) if languages else None,
        _text(filename),
        offset,
        length,
    )


def _text(value: Any) -> str:
    """As a string that is UTF-8: JSON may hold lone surrogates."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of at most MAX_LINE bytes; a longer one comes cut and is then unreadable."""
    while line := stream.readline(MAX_LINE):
        yield line
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE)


def _batch(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
