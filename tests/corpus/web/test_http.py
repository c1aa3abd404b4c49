"""HTTP bodies: every coding, chunking, and headers that lie."""

from __future__ import annotations

import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus.web import http

LIMIT = 1 << 20
PAGE = ("<html><body>" + "日本語の本文です。" * 200 + "</body></html>").encode()


def response(body: bytes, *headers: str) -> http.Response:
    head = "HTTP/1.1 200 OK\r\n" + "".join(f"{h}\r\n" for h in headers) + "\r\n"
    parsed = http.parse(head.encode("latin-1") + body, LIMIT, 1000)
    assert parsed is not None
    return parsed


def chunked(body: bytes, size: int = 700) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\nTrailer: x\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": lambda body: body,
}


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("in_chunks", [False, True])
def test_every_coding_is_undone(coding: str, in_chunks: bool) -> None:
    body = PACKERS[coding](PAGE)
    headers = [f"Content-Encoding: {coding}"]
    if in_chunks:
        body = chunked(body)
        headers.append("Transfer-Encoding: chunked")
    assert response(body, *headers).body == PAGE


def test_raw_deflate_and_two_codings() -> None:
    assert response(raw_deflate(PAGE), "Content-Encoding: deflate").body == PAGE
    twice = gzip.compress(gzip.compress(PAGE))
    assert response(twice, "Content-Encoding: gzip, gzip").body == PAGE


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "chunked", "nonsense"])
def test_a_lying_coding_leaves_the_body_alone(coding: str) -> None:
    header = "Transfer-Encoding" if coding == "chunked" else "Content-Encoding"
    assert response(PAGE, f"{header}: {coding}").body == PAGE


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_cut_packed_body_keeps_what_came_before(coding: str) -> None:
    long = bytes(range(256)) * 400 + PAGE
    packed = PACKERS[coding](long)
    body = response(packed[: len(packed) * 3 // 4], f"Content-Encoding: {coding}").body
    assert long.startswith(body[:100])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_named_and_bounded(coding: str) -> None:
    packed = PACKERS[coding](bytes(60 << 20))
    found = http.parse(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: " + coding.encode() + b"\r\n\r\n" + packed, LIMIT, 10
    )
    assert found is not None and found.problem == "bomb" and len(found.body) <= LIMIT


@pytest.mark.parametrize(
    "line", ["HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/2 200", "ICY 200 OK", "HTTP/1.1  200 OK"]
)
def test_status_lines_of_the_wild(line: str) -> None:
    found = http.parse(f"{line}\r\nA: b\r\n c\r\nA: d\r\n\r\nx".encode(), LIMIT, 10)
    assert found is not None and found.status == 200
    assert found.headers == {"a": "b c, d"} and found.body == b"x"


def test_bare_line_feeds_and_no_body() -> None:
    found = http.parse(b"HTTP/1.1 404 Not Found\nContent-Type: text/html\n\n<p>", LIMIT, 10)
    assert found is not None and found.status == 404 and found.body == b"<p>"
    assert http.parse(b"", LIMIT, 10) is None
    assert http.parse(b"<html>no headers</html>", LIMIT, 10) is None


@given(st.binary(max_size=2000), st.sampled_from([*PACKERS, "chunked"]))
def test_no_bytes_crash_the_parser(body: bytes, coding: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nTransfer-Encoding: {coding}\r\n\r\n"
    assert http.parse(head.encode() + body, LIMIT, 10) is not None


@given(st.binary(max_size=5000), st.integers(1, 600))
def test_dechunk_undoes_chunking(body: bytes, size: int) -> None:
    assert http.dechunk(chunked(body, size)) == (body, False)
