"""The three files of cases: encodings, hostile records, damaged compression."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from . import recode
from .pages import Page
from .wrap import Archive, chunk, facts, gzipped, http

WRONG = {  # encoding -> what a misconfigured server says, what a copied template says
    "shift_jis": ("utf-8", "euc-jp"),
    "euc-jp": ("iso-8859-1", "shift_jis"),
    "iso-2022-jp": ("utf-8", "shift_jis"),
    "utf-8": ("shift_jis", "euc-jp"),
}
# encoding, HTTP charset, charset in the page, style of the declaration (recode.declared)
LABELS: list[tuple[str, str | None, str | None, str]] = [
    ("shift_jis", "x-sjis", None, "http-equiv"),
    ("shift_jis", "Windows-31J", None, "http-equiv"),
    ("shift_jis", '"Shift_JIS"', None, "http-equiv"),
    ("shift_jis", "none", "Shift_JIS", "http-equiv"),
    ("shift_jis", None, "x-sjis", "unquoted"),
    ("shift_jis", None, "shift_jis", "html5"),
    ("shift_jis", None, "shift_jis", "upper"),
    ("shift_jis", None, "shift_jis", "spaced"),
    ("shift_jis", None, "shift_jis", "late"),
    ("shift_jis", None, "shift_jis", "comment"),
    ("shift_jis", None, "cp932", "http-equiv"),
    ("euc-jp", None, "x-euc-jp", "http-equiv"),
    ("euc-jp", "EUC-JP", None, "http-equiv"),
    ("euc-jp", None, "euc-jp", "xml"),
    ("euc-jp", None, "auto", "http-equiv"),
    ("iso-2022-jp", "csISO2022JP", None, "http-equiv"),
    ("iso-2022-jp/roman", None, "iso-2022-jp", "http-equiv"),
    ("eucjp-ms", "euc-jp", "euc-jp", "http-equiv"),
    ("eucjp-ms", None, None, "http-equiv"),
    ("utf-8", "utf8", None, "http-equiv"),
    ("utf-8", None, "utf-8", "xml"),
    ("utf-8", None, "utf-16", "html5"),  # browsers read it as UTF-8
    ("utf-8", "ISO-8859-1", "UTF-8", "http-equiv"),
    ("utf-16le", "utf-16le", None, "html5"),
    ("utf-16be", "utf-16be", "utf-16", "html5"),
    ("utf-16le", None, None, "html5"),
]


def encodings(archive: Archive, japanese: Iterator[Page], others: dict[str, list[Page]]) -> None:
    """Every encoding under right, wrong and missing declarations; one page each, no page twice."""
    number = 0

    def add(
        encoding: str,
        header: str | None,
        meta: str | None,
        style: str = "http-equiv",
        kana: bool = False,
    ) -> None:
        nonlocal number
        page, number = next(japanese), number + 1
        html = recode.with_paragraph(recode.declared(page.text, meta, style), recode.VENDOR)
        if kana or number % 4 == 0:
            html = recode.with_paragraph(html, recode.HALFWIDTH)
        html = recode.representable(html)
        archive.page(
            page,
            url=f"http://www.example.jp/encoding/{number:03d}.html",
            body=recode.encode(html, encoding),
            text=html,
            encoding=encoding.removesuffix("/roman"),
            header=header,
            transform=[
                f"encoding: {encoding}",
                f"declaration: {meta} ({style})",
                "paragraph added",
            ],
        )

    for encoding, (header, meta) in WRONG.items():
        for h in (None, encoding, header):
            for m in (None, encoding, meta):
                add(encoding, h, m)
    for label in LABELS:
        add(*label)
    _byte_order_marks(archive, japanese)
    _damaged_text(archive, japanese)
    _other_languages(archive, others)


def _byte_order_marks(archive: Archive, japanese: Iterator[Page]) -> None:
    for encoding, header in (("utf-8", "shift_jis"), ("utf-16le", None), ("utf-16be", "utf-8")):
        page = next(japanese)
        html = recode.with_paragraph(recode.undeclared(page.text), recode.VENDOR)
        archive.page(
            page,
            url=f"http://www.example.jp/bom/{encoding}.html",
            body=("\ufeff" + html).encode(encoding),
            text=html,
            encoding=encoding,
            header=header,
            transform=[f"encoding: {encoding} with byte order mark", "paragraph added"],
        )


def _damaged_text(archive: Archive, japanese: Iterator[Page]) -> None:
    """Bad bytes, cut characters, references, mojibake: `lossy` when the text holds U+FFFD."""

    def add(
        name: str, page: Page, body: bytes, text: str, encoding: str, header: str | None
    ) -> None:
        archive.page(
            page,
            url=f"http://www.example.jp/damaged/{name}.html",
            body=body,
            text=text,
            encoding=encoding,
            header=header,
            transform=[name],
            extra={"lossy": "\ufffd" in text},
        )

    codecs = {"utf-8": "utf-8", "shift_jis": "cp932"}
    for encoding, codec in codecs.items():
        for header in (None, encoding):
            page = next(japanese)
            html = recode.representable(recode.declared(page.text, encoding))
            spot = html.index("</p>", len(html) // 2)  # 0xFF is no character in either encoding
            bad = html[:spot].encode(codec) + b"\xff" + html[spot:].encode(codec)
            marked = html[:spot] + "\ufffd" + html[spot:]
            suffix = f"{encoding}{'-declared' if header else ''}"
            add(f"bad-byte-{suffix}", page, bad, marked, encoding, header)
            page = next(japanese)
            html = recode.representable(recode.declared(page.text, encoding))
            spot = max(i for i, c in enumerate(html) if "ぁ" <= c <= "ヺ")
            cut = html[: spot + 1].encode(codec)[:-1]
            add(f"cut-character-{suffix}", page, cut, html[:spot] + "\ufffd", encoding, header)
    for decimal in (True, False):
        page = next(japanese)
        html = recode.references(recode.declared(page.text, "us-ascii"), decimal)
        name = "references-decimal" if decimal else "references-hexadecimal"
        add(name, page, html.encode(), html, "ascii", "iso-8859-1")
    page = next(japanese)  # read as windows-1252 once and stored again: nobody can trust it
    html = recode.declared(page.text, "utf-8").encode().decode("latin-1")
    add("mojibake-stored-as-utf-8", page, html.encode(), html, "utf-8", "utf-8")
    page = next(japanese)  # JIS X 0212 (three bytes): 丂 and 侄 are not in CP932
    html = recode.declared(recode.with_paragraph(page.text, "補助漢字：丂、侄、犱。"), "euc-jp")
    html = "".join(c if c < "\x80" or c in recode.CELLS or c in "丂侄犱" else "?" for c in html)
    add("jis-x-0212", page, recode.encode(html, "euc-jp"), html, "euc-jp", "euc-jp")


def _other_languages(archive: Archive, others: dict[str, list[Page]]) -> None:
    plan = [("zh-cn", "gb2312"), ("zh-tw", "big5"), ("ko", "euc-kr"), ("ru", "koi8-r")]
    plan += [("ru", "windows-1251"), ("fr", "iso-8859-1"), ("de", "windows-1252"), ("en", "ascii")]
    for name, encoding in plan:
        for number, (header, meta) in enumerate([(None, None), (None, encoding), (encoding, None)]):
            page = others[name][number]
            html = recode.declared(page.text, meta)
            body = recode.encode(html, encoding)
            codec = {"gb2312": "gbk", "big5": "cp950", "euc-kr": "cp949"}.get(encoding, encoding)
            archive.page(
                page,
                url=f"http://www.example.org/{name}/{encoding}/{number}.html",
                body=body,
                text=body.decode(codec),
                encoding=encoding,
                header=header,
                transform=[f"encoding: {encoding}", f"declaration: {meta}"],
            )
    for number, encoding in enumerate(("utf-8", "utf-8", "gb2312")):
        page = others["zh-cn"][3 + number]  # Chinese that uses の as an ornament
        html = recode.with_paragraph(
            recode.declared(page.text, encoding), "优の良品，鲜の每日，美の物语。"
        )
        archive.page(
            page,
            url=f"http://www.example.org/zh-no/{number}.html",
            body=(body := recode.encode(html, encoding)),
            text=body.decode("gbk" if encoding == "gb2312" else encoding),
            encoding=encoding,
            header=encoding,
            transform=[f"encoding: {encoding}", "paragraph with の added"],
        )


CODINGS = ["gzip", "x-gzip", "gzip, gzip", "deflate", "raw-deflate", "br", "zstd", "chunked"]
CODINGS += ["chunked+gzip", "chunked+br", "lying gzip", "lying br", "lying deflate"]
CODINGS += ["lying chunked", "cc-decoded"]


def hostile(archive: Archive, japanese: Iterator[Page]) -> None:
    """Records that lie, end early or are built to hurt a reader; good pages stand between them."""

    def page(name: str, **settings: Any) -> None:
        settings.setdefault("extra", {})
        settings["extra"] = {"case": name, **settings["extra"]}
        archive.page(next(japanese), url=f"http://hostile.example.jp/{name}", **settings)

    def blob(name: str, block: bytes, kind: str = "response", **settings: Any) -> None:
        row = {"kind": "hostile", "case": name, "true_lang": None, "licence": "CC0-1.0"}
        url = settings.pop("url", f"http://hostile.example.jp/{name}")
        archive.record(kind, url, block, row=row, **settings)

    for coding in CODINGS:
        page(f"coding/{coding.replace(', ', '-').replace(' ', '-')}", coding=coding, header="utf-8")
    for reason in ("length", "time", "disconnect"):
        page(f"truncated/{reason}", cut=4001, fields=[("WARC-Truncated", reason)])
    page("truncated/gzip", coding="gzip", cut=1500, fields=[("WARC-Truncated", "length")])
    page("truncated/br", coding="br", cut=1500, fields=[("WARC-Truncated", "length")])
    page("truncated/chunked", coding="chunked", cut=3300, fields=[("WARC-Truncated", "length")])
    page("http-length/too-short", http_fields=[("Content-Length", "100")])
    page("http-length/too-long", http_fields=[("Content-Length", "9999999")])
    page("http-length/negative", http_fields=[("Content-Length", "-1")])
    page("type/none", media=None)
    page("type/plain", media="text/plain", header="utf-8")
    page("type/octets", media="application/octet-stream")
    page("type/xhtml", media="application/xhtml+xml", header="utf-8")
    page("type/twice", http_fields=[("Content-Type", "text/html"), ("Content-Type", "image/png")])
    page("type/garbage", media=";;charset==;")
    page("status/404", status="404 Not Found")
    page("status/500", status="500 Internal Server Error")
    page("status/206", status="206 Partial Content", cut=3000)
    page("date/missing-time", fields=[("WARC-Date", "2024-05-01")])
    page("date/garbage", fields=[("WARC-Date", "yesterday")])
    page("digest/wrong", fields=[("WARC-Payload-Digest", "sha1:" + "A" * 32)])
    page("uri/brackets", fields=[("WARC-Target-URI", "<http://hostile.example.jp/uri/brackets>")])
    page("uri/space and 日本語.html?q=あ")
    page("header/latin-1", http_fields=[("X-Name", "caf\xe9 \xa0\xff")])
    page("header/long", http_fields=[("Set-Cookie", "c=" + "x" * 20_000)])
    page("header/folded", http_fields=[("X-Folded", "one\r\n two")])
    page("robots/header", http_fields=[("X-Robots-Tag", "noai, noimageai")])
    page("robots/tdm", http_fields=[("TDM-Reservation", "1")])
    page("bomb-neighbour")
    html = [("Content-Type", "text/html; charset=utf-8")]
    bomb = gzipped(bytes(10_000_000))
    blob("bomb/gzip-10MB", http("200 OK", [*html, ("Content-Encoding", "gzip")], bomb))
    nested = "<div>" * 20_000 + "深い入れ子" + "</div>" * 20_000
    blob("nesting/20000", http("200 OK", html, nested.encode()))
    line = "<p>" + "改行のない一行です。" * 40_000
    blob("line/1MB", http("200 OK", html, line.encode()))
    blob("bytes/nul", http("200 OK", html, "<p>\0ヌル\0文字\0".encode() * 50))
    odd = "<p>&#xD800;&#0;&#x110000;&#99999999999;孤立した代用符号と範囲外の参照です。</p>"
    blob("references/out-of-range", http("200 OK", html, odd.encode() * 20))
    blob("body/empty", http("200 OK", html, b""))
    blob("body/no-content", http("204 No Content", [], b""))
    blob("tags/unclosed", http("200 OK", html, ("<p title='" + "閉じない属性 " * 500).encode()))
    blob("tags/angle-brackets", http("200 OK", html, b"<" * 100_000))
    blob(
        "chunks/wrong-size", http("200 OK", [*html, ("Transfer-Encoding", "chunked")], b"zz\r\nab")
    )
    over = chunk("数え間違い".encode() * 40).replace(b"258", b"fffffff", 1)
    blob("chunks/too-long", http("200 OK", [*html, ("Transfer-Encoding", "chunked")], over))
    blob("http/no-status-line", "<p>状態行のない応答です。</p>".encode())
    blob("http/bad-status", b"HTTP/1.1 abc\r\n\r\n<p>x</p>")
    blob("http/headers-only", b"HTTP/1.1 200 OK\r\nContent-Type: text/html")
    blob("http/empty", b"")
    blob("warc/no-uri", http("200 OK", html, b"<p>x</p>"), url=None)
    blob("warc/no-date", http("200 OK", html, b"<p>x</p>"), drop=["WARC-Date"])
    blob(
        "warc/resource",
        "<p>資源レコードの頁です。</p>".encode(),
        "resource",
        content_type="text/html",
    )
    blob("warc/unknown-type", b"x", "hearsay")
    page("last")


def damaged(
    truncated: Archive, corrupt: Archive, japanese: Iterator[Page], lengths: list[int]
) -> None:
    """`truncated`: last gzip member cut. `corrupt`: bytes in a middle member overwritten.

    Rows of the damaged records have kind `damaged`. `lengths`: pages in each file.
    """
    for archive, count in zip((truncated, corrupt), lengths, strict=True):
        for number in range(count):
            archive.page(
                next(japanese), header="utf-8", coding="gzip" if number % 3 else "identity"
            )
    member = truncated.parts[-1]
    truncated.parts[-1] = member[: len(member) * 2 // 3]
    truncated.truth[-1] |= {"kind": "damaged", "length": len(truncated.parts[-1])}
    middle = len(corrupt.parts) // 2
    member = corrupt.parts[middle]
    half = len(member) // 2
    corrupt.parts[middle] = member[:half] + bytes(64) + member[half + 64 :]
    corrupt.truth[middle - 1] |= {"kind": "damaged"}  # the warcinfo record has no row
    try:
        zlib.decompress(corrupt.parts[middle], 31)
    except zlib.error:
        return
    raise AssertionError("the corrupt member still decompresses")


def length_lies(archive: Archive, japanese: Iterator[Page]) -> None:
    """Two records whose WARC Content-Length is 300 bytes short or long, between good ones.

    Each record is its own gzip member, so a reader that trusts members loses one record only.
    """
    for name, change in (("good", 0), ("short", -300), ("good", 0), ("long", 300), ("good", 0)):
        page = next(japanese)
        block = http("200 OK", [("Content-Type", "text/html; charset=utf-8")], page.body)
        row = facts(page, page.body, page.text, "utf-8", "utf-8")
        row |= {"status": 200, "case": f"warc-length/{name}"}
        if change:
            row["kind"] = "damaged"
        fields = [("Content-Length", str(len(block) + change))]
        archive.record("response", page.url, block, fields, row=row)
