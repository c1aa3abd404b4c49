"""Records as they are found in the wild, byte for byte, as the items that harvest sees."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from corpus.settings import Settings
from corpus.sources import warc
from corpus.sources.item import Item, Unit

PAGE = "<html><body><p>これは日本語のページです。</p></body></html>".encode()


def items(path: Path) -> list[Item]:
    return list(warc.read(Unit(0, "warc", (str(path),)), Settings()))


@pytest.fixture
def edge(shared_data: Path) -> Path:
    return shared_data / "warc" / "edge"


def pages(path: Path) -> list[tuple[str, int]]:
    return [(item.url, len(item.html)) for item in items(path) if item.html is not None]


# archives that tools of the field wrote -----------------------------------------------------------


def test_a_revisit_points_to_its_original(edge: Path) -> None:
    (revisit,) = [i for i in items(edge / "warcio__example.warc.gz") if i.skip == "revisit record"]
    assert revisit.url == "http://example.com/" and revisit.html is None
    assert revisit.detail == "same body as http://example.com/ of 2017-03-06T04:02:06Z"


def test_a_resource_record_is_a_page_by_its_own_content_type(edge: Path) -> None:
    assert pages(edge / "warcio__example-resource.warc.gz") == [("http://example.com/", 1303)]
    image = items(edge / "warcio__example-space-in-target-uri.warc.gz")[1]
    assert image.skip == "type image/png" and image.url == "file:///example with spaces.png"


def test_conversion_records_are_text(edge: Path, data: Path) -> None:
    for path, count in ((edge / "whirlwind.warc.wet.gz", 1), (data / "sample.warc.wet.gz", 60)):
        texts = [item for item in items(path) if item.plain is not None]
        assert len(texts) == count and {item.charset for item in texts} == {"utf-8"}


def test_a_page_without_content_type_is_told_by_its_bytes(edge: Path) -> None:
    assert pages(edge / "1memento_noContentType.warc") == [("http://memento.us/", 108)]


def test_brackets_around_a_uri_go(edge: Path) -> None:
    found = pages(edge / "warcio__example-wget-bad-target-uri.warc.gz")
    assert found == [("http://example.com/", 1270)]


def test_chunked_bodies_with_trailers_and_short_dates(edge: Path) -> None:
    ((_, size),) = pages(edge / "baconIpsum_chunked_httpTrailors.warc")
    (page,) = [i.html for i in items(edge / "baconIpsum_chunked_httpTrailors.warc") if i.html]
    assert size == 39553 and page.rstrip().endswith(b"</html>")
    dates = [i.captured for i in items(edge / "variableSizedDates.warc") if i.html]
    assert dates[:2] == ["2014-01", "2014-02-10T00:00:01.000000002Z"]


def test_arc_pages_come_with_their_bodies(edge: Path) -> None:
    for name in ("warcio__example.arc", "warcio__example.arc.gz"):
        assert pages(edge / name) == [("http://example.com/", 1270)]
    heritrix = edge / "iipc-wac__IAH-20080430204825-00000-blackbook-truncated.arc"
    assert pages(heritrix) == [
        ("http://www.archive.org/", 366), ("http://www.archive.org/index.php", 28681)
    ]  # fmt: skip
    assert not [item for item in items(heritrix) if item.problem]


@pytest.mark.parametrize("name", ["warcio__example.arc", "warcio__example.arc.gz"])
def test_damage_in_an_arc_costs_itself(name: str, edge: Path, tmp_path: Path) -> None:
    whole = (edge / name).read_bytes()
    wounded = (
        whole + b"\n\x1f\x8b\x08 garbage 12 \n" + whole[151 if name.endswith("arc") else 171 :]
    )
    (tmp_path / name).write_bytes(wounded)
    found = items(tmp_path / name)
    assert [len(i.html) for i in found if i.html] == [1270, 1270]
    assert [i.problem for i in found if i.problem] == ["unreadable"]
    (tmp_path / name).write_bytes(whole[:-300])
    (last,) = [item for item in items(tmp_path / name) if item.html]
    assert 400 < len(last.html) < 1270


def test_every_page_of_the_hostile_archive_with_status_200_is_taken(data: Path) -> None:
    import json

    with gzip.open(data / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["file"] == "hostile.warc.gz"]
    wanted = {r["offset"]: r.get("case") for r in rows if r["kind"] == "html"}
    taken = {item.offset for item in items(data / "hostile.warc.gz") if item.html is not None}
    left = {case for offset, case in wanted.items() if offset not in taken}
    assert left == {"status/404", "status/500", "status/206"}


# one record each, in bytes ------------------------------------------------------------------------


def item(tmp_path: Path, http: bytes, *warc_lines: bytes, body: bytes = PAGE) -> Item:
    """The item of one response record with these header lines."""
    block = http + b"\r\n\r\n" + body
    head = b"\r\n".join([
        b"WARC/1.1", b"WARC-Type: response", b"Content-Type: application/http; msgtype=response",
        b"WARC-Date: 2024-01-02T03:04:05Z", *(warc_lines or (b"WARC-Target-URI: http://a.example/",)),
        b"Content-Length: %d" % len(block),
    ])  # fmt: skip
    path = tmp_path / "one.warc"
    path.write_bytes(head + b"\r\n\r\n" + block + b"\r\n\r\n")
    (found,) = items(path)
    return found


@pytest.mark.parametrize(
    "line",
    [b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/2 200", b"HTTP/2.0 200 OK", b"HTTP/3 200 ",
     b"ICY 200 OK", b"HTTP/1.1  200 \xc0\xcb\xa1\xb9"],
)  # fmt: skip
def test_status_lines_of_every_version(line: bytes, tmp_path: Path) -> None:
    assert item(tmp_path, line + b"\r\nContent-Type: text/html").html == PAGE


def test_folded_headers_of_record_and_message(tmp_path: Path) -> None:
    found = item(
        tmp_path, b"HTTP/1.1 200 OK\r\nContent-Type: text/html;\r\n\t charset=Shift_JIS",
        b"WARC-Target-URI:\r\n http://a.example/\r\n\t%E9%A0%81",
    )  # fmt: skip
    assert found.headers["content-type"] == "text/html; charset=Shift_JIS"
    assert found.url == "http://a.example/ %E9%A0%81"


@pytest.mark.parametrize(
    "uri",
    [b"http://a.example/%", b"http://a.example/%E3%81", b"http://a.example/%ZZ%u3042",
     "http://例え.jp/頁".encode(), "http://a.example/頁".encode("cp932"), b"http://[::1/",
     b"http://a.example/ a b", b"HTTP://A.EXAMPLE/", b"http:/a.example", b"http://a.example/\xff\0"],
)  # fmt: skip
def test_broken_uris_cost_no_page(uri: bytes, tmp_path: Path) -> None:
    from corpus.stages.document import document

    body = PAGE.replace("これは".encode(), "これは".encode() * 40)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"
    found = item(tmp_path, head, b"WARC-Target-URI: " + uri, body=body)
    result = document(found, Settings())
    assert isinstance(result, dict), result
    result["url"].encode("utf-8")


@pytest.mark.parametrize(
    ("line", "taken"),
    [(b"Content-Type: text/html, text/html; charset=utf-8", True),
     (b"Content-Type: text/html\r\nContent-Type: text/html", True),
     (b"Content-Type: image/png\r\nContent-Type: text/html", True),
     (b"Content-Type:", True), (b"X: y", True), (b"Content-Type: TEXT/HTML;charset", True),
     (b"Content-Type: image/png", False), (b"Content-Type: a, b", False)],
)  # fmt: skip
def test_content_types_that_are_missing_or_doubled(
    line: bytes, taken: bool, tmp_path: Path
) -> None:
    assert (item(tmp_path, b"HTTP/1.1 200 OK\r\n" + line).html is not None) == taken


def test_headers_with_bare_line_feeds_end_where_they_end(tmp_path: Path) -> None:
    """The CRLF pair of the HTTP head behind must not be taken for the end of the WARC head."""
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE
    head = "WARC/1.0\nWARC-Type: response\nWARC-Target-URI: http://a.example/\nContent-Length: "
    path = tmp_path / "lf.warc.gz"
    path.write_bytes(gzip.compress(f"{head}{len(block)}\n\n".encode() + block + b"\n\n"))
    (found,) = items(path)
    assert found.html == PAGE and found.url == "http://a.example/"


def test_a_revisit_without_an_original_still_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "revisit.warc"
    path.write_bytes(
        b"WARC/1.0\r\nWARC-Type: revisit\r\nWARC-Target-URI: http://a.example/b\r\n"
        b"WARC-Refers-To-Target-URI: http://other.example/\r\nContent-Length: 0\r\n\r\n\r\n\r\n"
        b"WARC/1.0\r\nWARC-Type: revisit\r\nWARC-Target-URI: http://a.example/c\r\n"
        b"Content-Length: 0\r\n\r\n\r\n\r\n"
    )
    assert [i.detail for i in items(path)] == [
        "same body as http://other.example/ of an earlier capture",
        "same body as http://a.example/c of an earlier capture",
    ]
