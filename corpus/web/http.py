"""The HTTP message inside a response record: status, headers, and the body as it was meant.

Headers lie: a body said to be gzip is often plain already (Common Crawl stores bodies decoded), a
chunked one whole, a Content-Length short. Each coding is undone only where the bytes agree.
RFC 9112 (message), RFC 9110 section 8.4 (codings).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import brotli
import zstandard
from zlib_ng import zlib_ng

_STATUS = re.compile(rb"(?:HTTP/\d(?:\.\d)?|ICY) +(\d{3})(?:[^\d]|$)")
_CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
MAX_HEAD = 1 << 18
MAX_CODINGS = 8  # of one body; browsers and curl stop at five
_USUAL = """Accept-Ranges Age Cache-Control Connection Content-Encoding Content-Language
Content-Length Content-Security-Policy Content-Type Date ETag Expires Keep-Alive Last-Modified Link
P3P Pragma Server Set-Cookie Strict-Transport-Security Transfer-Encoding Vary Via
X-Content-Type-Options X-Crawler-Transfer-Encoding X-Crawler-Content-Encoding
X-Crawler-Content-Length X-Frame-Options X-Powered-By X-Robots-Tag X-XSS-Protection WARC-Type
WARC-Date WARC-Record-ID WARC-Warcinfo-ID WARC-Concurrent-To WARC-IP-Address WARC-Target-URI
WARC-Payload-Digest WARC-Block-Digest WARC-Identified-Payload-Type WARC-Truncated
WARC-Refers-To WARC-Refers-To-Target-URI WARC-Refers-To-Date WARC-Profile WARC-Protocol
WARC-Cipher-Suite"""
_LOWER = {n: n.lower() for name in _USUAL.split() for n in (name, name.lower())}  # saves a third

ZlibError: type[Exception] = zlib_ng.error  # type: ignore[assignment]  # the stub says instance


@dataclass(slots=True)
class Response:
    """A parsed response. `headers` joins repeated fields with ", "; names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool  # the body was longer than the limit, or ended early
    problem: str  # "" or why the body is not to be trusted: bomb


def parse(message: bytes, max_body: int, max_ratio: int) -> Response | None:
    """Split and decode an HTTP response; None when `message` is none.

    `max_body` is in bytes after decoding; a coding that expands by more than `max_ratio` beyond
    that limit is reported as a bomb.
    """
    # Head: up to a blank line, or all of it where servers forgot that.
    match = _STATUS.match(message)
    if match is None:
        return None
    stop = message.find(b"\r\n\r\n", 0, MAX_HEAD)
    gap = 4
    bare = message.find(b"\n\n", 0, MAX_HEAD if stop < 0 else stop)
    if bare >= 0:
        stop, gap = bare, 2
    if stop < 0:
        stop, gap = min(len(message), MAX_HEAD), 0
    headers = fields(message[:stop].decode("latin-1"), join=True)
    body = message[stop + gap :]
    # Body: chunks first, then the codings from the last applied to the first.
    cut, problem = False, ""
    transfer = headers.get("transfer-encoding", "")
    codings = f"{headers.get('content-encoding', '')},{transfer}".lower()
    if "chunked" in codings:
        body, cut = dechunk(body)
    named = [c.strip() for c in codings.split(",")]
    undone = [c for c in reversed(named) if c not in ("", "chunked", "identity", "none")]
    for coding in undone[:MAX_CODINGS]:
        packed = len(body)
        plain, more = _uncode(coding, body, max_body)
        if plain is None:  # the header lies: take the bytes as they are
            continue
        body, cut = plain, cut or more
        if more and len(body) > max_ratio * max(packed, 1):
            problem = "bomb"
    if len(body) > max_body:
        body, cut = body[:max_body], True
    return Response(int(match.group(1)), headers, body, cut, problem)


def fields(head: str, join: bool) -> dict[str, str]:
    """Named fields behind the first line of a header block, names in lower case, folded lines
    joined. A repeated field is appended with ", " (`join`), or its last value wins.
    """
    headers: dict[str, str] = {}
    name = ""
    for line in head.split("\n")[1:]:
        raw, colon, value = line.partition(":")
        known = _LOWER.get(raw, "")
        if not known:
            if line[:1] in " \t" and name:
                headers[name] += " " + line.strip()
                continue
            known = raw.strip().lower() if colon else ""
        name = known
        if name:
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if join and name in headers else value
    return headers


def dechunk(body: bytes) -> tuple[bytes, bool]:
    """Undo chunked coding; (body, ended early). A body that is not chunked comes back as it is."""
    parts: list[bytes] = []
    position = 0
    # Where no chunk size stands, what follows is kept as it is and the body counts as cut.
    while True:
        match = _CHUNK.match(body, position)
        if match is None:
            if not parts:
                return body, False
            rest = body[position:].strip(b"\r\n")
            return b"".join(parts) + rest if rest else b"".join(parts), True
        size = int(match.group(1), 16)
        position = match.end()
        if size == 0:
            return b"".join(parts), False
        if not parts and position + size > len(body) + (len(body) >> 1) + 64:
            return body, False  # the first line only looked like a chunk size
        parts.append(body[position : position + size])
        position += size
        if position >= len(body):
            return b"".join(parts), True
        if body.startswith(b"\r\n", position):
            position += 2
        elif body.startswith(b"\n", position):
            position += 1


def _uncode(coding: str, body: bytes, limit: int) -> tuple[bytes | None, bool]:
    """(decoded bytes up to `limit`, more followed), or (None, False) if the bytes are not that."""
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, 31, limit) if body[:2] == b"\x1f\x8b" else (None, False)
    if coding == "deflate":
        plain, more = _inflate(body, 15, limit)
        return (plain, more) if plain is not None else _inflate(body, -15, limit)
    if coding == "br":
        return _brotli(body, limit)
    if coding == "zstd":
        if body[:4] != b"\x28\xb5\x2f\xfd":
            return None, False
        try:
            plain = zstandard.ZstdDecompressor().stream_reader(body).read(limit + 1)
        except (zstandard.ZstdError, MemoryError):
            return None, False
        return plain[:limit], len(plain) > limit
    return None, False


def _inflate(body: bytes, window_bits: int, limit: int) -> tuple[bytes | None, bool]:
    """Inflate as far as the stream goes: a cut or damaged tail keeps what came before it."""
    stream = zlib_ng.decompressobj(window_bits)
    parts: list[bytes] = []
    total = 0
    data = body
    while data and total <= limit and not stream.eof:
        piece, data = data[: 1 << 16], data[1 << 16 :]
        try:
            out = stream.decompress(piece, limit + 1 - total)
            total += len(out)
            parts.append(out)
            if stream.unconsumed_tail:
                data = stream.unconsumed_tail + data
        except ZlibError:
            break
    if not total:
        return (b"", False) if stream.eof else (None, False)
    plain = b"".join(parts)
    return plain[:limit], total > limit


def _brotli(body: bytes, limit: int) -> tuple[bytes | None, bool]:
    """As `_inflate`; fewer than 64 bytes before an error may be chance, as brotli has no magic."""
    stream = brotli.Decompressor()
    plain = b""
    data = body
    try:
        while len(plain) <= limit and not stream.is_finished():
            out = stream.process(data, output_buffer_limit=limit + 1 - len(plain))
            data = b""
            if not out and (stream.can_accept_more_data() or not data):
                break
            plain += out
    except brotli.error:
        if len(plain) < 64:
            return None, False
    if not plain and not stream.is_finished():
        return None, False
    return plain[:limit], len(plain) > limit
