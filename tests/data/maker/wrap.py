"""Bytes of HTTP messages and WARC records, well-formed or broken on request.

Written by hand rather than with warcio, so that warcio and FastWARC stay independent readers of
the result, and so that a record can lie about itself.
"""

from __future__ import annotations

import base64
import codecs
import gzip
import hashlib
import re
import uuid
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import brotli
import zstandard

from .pages import PACKAGES, Page

Headers = Sequence[tuple[str, str]]
START = datetime(2024, 5, 1, tzinfo=UTC)


def digest(data: bytes) -> str:
    """WARC digest header value: `sha1:` and base32."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def chunk(body: bytes, size: int = 1000) -> bytes:
    """HTTP/1.1 chunked transfer coding."""
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


def gzipped(data: bytes) -> bytes:
    """One gzip member, level 9, no name, time 0."""
    return gzip.compress(data, 9, mtime=0)


def code(body: bytes, coding: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Apply a content and transfer coding; returns the bytes on the wire and the header lines."""
    if coding == "identity":
        return body, []
    if coding == "gzip":
        return gzipped(body), [("Content-Encoding", "gzip")]
    if coding == "x-gzip":
        return gzipped(body), [("Content-Encoding", "x-gzip")]
    if coding == "gzip, gzip":
        return gzipped(gzipped(body)), [("Content-Encoding", "gzip, gzip")]
    if coding == "deflate":
        return zlib.compress(body, 9), [("Content-Encoding", "deflate")]
    if coding == "raw-deflate":  # what some IIS versions send as "deflate"
        return zlib.compress(body, 9, -15), [("Content-Encoding", "deflate")]
    if coding == "br":
        return brotli.compress(body, quality=11), [("Content-Encoding", "br")]
    if coding == "zstd":
        return zstandard.ZstdCompressor(19).compress(body), [("Content-Encoding", "zstd")]
    if coding == "chunked":
        return chunk(body), [("Transfer-Encoding", "chunked")]
    if coding == "chunked+gzip":
        fields = [("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]
        return chunk(gzipped(body)), fields
    if coding == "chunked+br":
        fields = [("Content-Encoding", "br"), ("Transfer-Encoding", "chunked")]
        return chunk(brotli.compress(body, quality=11)), fields
    if coding.startswith("lying "):  # the header stays although the crawler stored plain bytes
        name = "Transfer-Encoding" if coding == "lying chunked" else "Content-Encoding"
        return body, [(name, coding.removeprefix("lying "))]
    if coding == "cc-decoded":  # as Common Crawl stores it
        fields = [("X-Crawler-Content-Encoding", "gzip")]
        return body, [*fields, ("X-Crawler-Content-Length", str(len(gzipped(body))))]
    raise ValueError(coding)


def http(status: str, headers: Headers, body: bytes) -> bytes:
    """An HTTP/1.1 response; header text may hold any latin-1 character."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


CHARSET = re.compile(
    rb"(?i)<meta\b[^>]*?charset\s*=\s*[\"']?\s*([\w:.-]+)|<\?xml[^>]*encoding=.([\w-]+)"
)


def meta_charset(body: bytes) -> str | None:
    """The charset that the page's own first declaration names."""
    found = CHARSET.search(body.replace(b"\0", b""))
    return (found[1] or found[2]).decode().lower() if found else None


def _verdict(label: str | None, encoding: str) -> str:
    if label is None:
        return "none"
    names = {"shift_jis": "cp932", "gb2312": "gbk", "euc-kr": "cp949", "big5": "cp950"}
    names |= {"eucjp-ms": "euc_jp", "ms932": "cp932", "windows-31j": "cp932", "x-sjis": "cp932"}
    names |= {"x-euc-jp": "euc_jp", "utf-16": "utf-16-le"}
    try:
        one, two = (codecs.lookup(names.get(x.lower(), x)).name for x in (label, encoding))
    except LookupError:
        return "wrong"
    return "ok" if one == two or (one, two) == ("utf-8", "ascii") else "wrong"


def facts(
    page: Page,
    body: bytes,
    text: str | None,
    encoding: str,
    header: str | None,
    transform: Sequence[str] = (),
    language: str | None = None,
) -> dict[str, Any]:
    """The truth row of a page: what it is, where it comes from, what was done to it.

    `text` is the right decoding of `body`, without a byte order mark.
    """
    version, licence, _ = PACKAGES[page.package]
    meta = meta_charset(body)
    return {
        "kind": "html",
        "true_lang": language or page.language,
        "true_enc": encoding,
        "header_charset": header,
        "meta_charset": meta,
        "enc_case": f"H-{_verdict(header, encoding)}/M-{_verdict(meta, encoding)}",
        "transform": list(transform),
        "family": page.url,
        "src": f"deb:{page.package}",
        "version": version,
        "path": page.path,
        "licence": licence,
        "origin": page.origin,
        "source_sha1": hashlib.sha1(page.body).hexdigest(),
        "body_sha1": hashlib.sha1(body).hexdigest(),
        "body_bytes": len(body),
        "text_sha1": None if text is None else hashlib.sha1(text.encode()).hexdigest(),
        "kana": None if text is None else len(re.findall("[ぁ-ヺ]", text)),
    }


class Archive:
    """One WARC file being built: records in order, each compressed alone, and their truth rows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts: list[bytes] = []
        self.truth: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}
        self.size = 0
        fields = "software: tests/make_sample.py\r\nformat: WARC File Format 1.0\r\n"
        self.record("warcinfo", None, fields.encode(), [("WARC-Filename", name)])

    def date(self) -> str:
        """The date of the next record: seven seconds after the one before."""
        return f"{START + timedelta(seconds=7 * len(self.parts)):%Y-%m-%dT%H:%M:%SZ}"

    def record(
        self,
        kind: str,
        uri: str | None,
        block: bytes,
        fields: Headers = (),
        content_type: str | None = None,
        drop: Sequence[str] = (),
        row: dict[str, Any] | None = None,
    ) -> str:
        """Append a record; `fields` override the usual ones, `drop` leaves named ones out.

        Returns the record id. With `row` (facts about the page) a truth row is written.
        """
        types = {
            "response": "application/http; msgtype=response",
            "request": "application/http; msgtype=request",
            "revisit": "application/http; msgtype=response",
            "warcinfo": "application/warc-fields",
            "metadata": "application/warc-fields",
        }
        record_id = f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{self.name}#{len(self.parts)}')}>"
        head = {
            "WARC-Type": kind,
            "WARC-Record-ID": record_id,
            "WARC-Date": self.date(),
        }
        if uri is not None:
            head["WARC-Target-URI"] = uri
        if kind in ("response", "revisit"):
            head["WARC-Payload-Digest"] = digest(block.partition(b"\r\n\r\n")[2])
        head["WARC-Block-Digest"] = digest(block)
        head["Content-Type"] = content_type or types.get(kind, "text/plain")
        head["Content-Length"] = str(len(block))
        head.update(fields)
        lines = [f"{name}: {value}" for name, value in head.items() if name not in drop]
        text = "\r\n".join(["WARC/1.0", *lines, "", ""])
        self.raw(text.encode("utf-8") + block + b"\r\n\r\n", kind, row, uri, record_id)
        return record_id

    def raw(
        self,
        data: bytes,
        kind: str,
        row: dict[str, Any] | None = None,
        uri: str | None = None,
        record_id: str | None = None,
    ) -> None:
        """Append the bytes of a whole record, compressed as the file's name says."""
        if self.name.endswith(".gz"):
            data = gzipped(data)
        elif self.name.endswith(".zst"):
            data = zstandard.ZstdCompressor(19).compress(data)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if row is not None:
            place = {"file": self.name, "offset": self.size, "length": len(data)}
            self.truth.append({**place, "record_id": record_id, "url": uri, **row})
        self.parts.append(data)
        self.size += len(data)

    def page(
        self,
        page: Page,
        *,
        url: str | None = None,
        body: bytes | None = None,
        text: str | None = None,
        encoding: str | None = None,
        header: str | None = None,
        media: str | None = "text/html",
        coding: str = "identity",
        status: str = "200 OK",
        transform: Sequence[str] = (),
        language: str | None = None,
        http_fields: Headers = (),
        fields: Headers = (),
        cut: int | None = None,
        extra: dict[str, Any] | None = None,
    ) -> str:
        """Append a page as a response record; without `body` it is the page's own, untouched.

        `header` is the charset in the HTTP header, `media` the media type there (None: no
        Content-Type at all), `cut` the number of bytes kept of what was on the wire.
        """
        if body is None:
            body, text, encoding = page.body, page.text, page.encoding
        assert encoding is not None
        row = facts(page, body, text, encoding, header, transform, language)
        wire, coded = code(body, coding)
        wire = wire[:cut]
        head = [("Date", "Wed, 01 May 2024 00:00:00 GMT"), ("Server", "Apache")]
        if media is not None:
            head.append(("Content-Type", f"{media}; charset={header}" if header else media))
        if not any(name == "Transfer-Encoding" for name, _ in coded):
            head.append(("Content-Length", str(len(wire))))
        replaced = {name.lower() for name, _ in http_fields}
        head = [*(f for f in head if f[0].lower() not in replaced), *coded, *http_fields]
        if transform:
            fields = [*fields, ("X-Altered", "; ".join(transform))]  # the licences ask for a notice
        row |= {"status": int(status.split()[0]), "coding": coding}
        row["truncated"] = dict(fields).get("WARC-Truncated")
        if cut is not None:
            row["text_sha1"] = None  # only a part of the page is there
        row |= extra or {}
        target = url or page.url
        return self.record("response", target, http(status, head, wire), fields, row=row)

    def write(self, folder: Path) -> None:
        """Write the file."""
        (folder / self.name).write_bytes(b"".join(self.parts))
