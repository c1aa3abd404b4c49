"""Make tests/data: a small web archive of real pages, with the truth about every record.

    python tests/data/make_sample.py --shared ../shared/data --debs DIR [--out tests/data]

DIR holds the package files named in `maker/pages.py` and, unpacked beside them, a folder each:

    apt-get download libreoffice-help-ja debian-handbook
    dpkg-deb -x libreoffice-help-ja_*.deb DIR/libreoffice-help-ja      (and so on)

The bytes depend only on those inputs and on the versions of zlib, brotli, zstandard, pyarrow and
resiliparse (the last one for the plain text in the WET, jsonl, Parquet, CSV and text files).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from maker import cases, recode
from maker.pages import Page, deb_pages, dev_sample_pages
from maker.wrap import Archive, digest, facts, gzipped, http
from resiliparse.extract.html2text import extract_plain_text

LIBREOFFICE_PAGES = 240  # with the other packages: about 3 MB of Japanese text
ERRORS = ["404 Not Found", "403 Forbidden", "410 Gone", "503 Service Unavailable"]
OTHERS = {"zh-cn": 40, "zh-tw": 24, "ko": 40, "ru": 24, "en": 40, "fr": 14, "de": 8, "vi": 10}
CODINGS = ["identity"] * 3 + ["cc-decoded"] * 4 + ["gzip", "br", "chunked", "chunked+gzip"]
CODINGS += ["deflate", "lying gzip"]
RECODED = [  # one page in eight: encoding, HTTP charset, charset in the page
    ("shift_jis", None, "shift_jis"),
    ("shift_jis", "utf-8", "shift_jis"),
    ("euc-jp", None, "euc-jp"),
    ("shift_jis", "Shift_JIS", None),
    ("iso-2022-jp", None, "iso-2022-jp"),
    ("shift_jis", None, None),
    ("euc-jp", "iso-8859-1", None),
]


def by_hash(pages: list[Page]) -> list[Page]:
    """A fixed order that mixes packages and languages."""
    return sorted(pages, key=lambda page: hashlib.sha1(page.url.encode()).digest())


def choose(shared: Path, debs: Path) -> tuple[list[Page], dict[str, list[Page]], list[Page]]:
    """Japanese pages of the sample; pages in other languages; Japanese pages left for the cases."""
    pages = {page.url: page for page in deb_pages(debs)}
    dev = dev_sample_pages(shared)
    pages |= {page.url: page for page in dev if page.language == "ja" and page.kana >= 120}
    bodies: dict[bytes, Page] = {}
    for page in pages.values():
        bodies.setdefault(page.body, page)
    japanese = [page for page in bodies.values() if len(page.body) < 150_000]
    office = [page for page in japanese if page.package == "libreoffice-help-ja"]
    office.sort(key=lambda page: (page.origin != "dev-sample" or page.kana < 600, -page.density))
    sample = [page for page in japanese if page.package != "libreoffice-help-ja"]
    sample += office[:LIBREOFFICE_PAGES]
    middling = [p for p in office[LIBREOFFICE_PAGES:] if len(p.body) < 12_000 and p.kana >= 250]
    rest = [page for page in middling if page.text.count("</p>") >= 5]
    others: dict[str, list[Page]] = {}
    for page in by_hash(dev):
        chinese = "zh-tw" if "zh-tw" in page.url.lower() else "zh-cn"
        language = chinese if page.language == "zh" else page.language
        if language in OTHERS and 2_000 < len(page.body) < 14_000:
            others.setdefault(language, []).append(page)
    return by_hash(sample), others, by_hash(rest)


def sample(
    archive: Archive, japanese: list[Page], others: dict[str, list[Page]], spare: Iterator[Page]
) -> None:
    """A crawl in small: pages, some re-encoded, and the usual records that are no pages."""
    foreign = [page for name, count in OTHERS.items() for page in others[name][:count]]
    first: list[tuple[Page, str, str]] = []  # pages with date and payload digest, for revisits
    odd = _not_pages()
    for number, page in enumerate(by_hash(japanese + foreign)):
        if number % 25 == 0:
            request = f"GET / HTTP/1.1\r\nHost: {page.url.split('/')[2]}\r\n\r\n"
            archive.record("request", page.url, request.encode())
        coding = CODINGS[number % len(CODINGS)]
        if page.language == "ja" and number % 8 == 5:
            _recoded(archive, page, *RECODED[number // 8 % len(RECODED)], coding=coding)
        else:
            header = page.encoding.replace("ascii", "iso-8859-1") if number % 3 else None
            if page.language == "ja" and coding == "identity" and number % 3 == 0:
                first.append((page, archive.date(), digest(page.body)))
            archive.page(page, header=header, coding=coding)
        if number % 6 == 3:
            uri, kind, status, block = next(odd, (None, None, 0, b""))
            if uri is not None:
                row = {"kind": kind, "status": status, "true_lang": None, "licence": "CC0-1.0"}
                archive.record("response", uri, block, row=row)
    for page, date, payload in first[:10]:
        fields = [
            ("WARC-Profile", "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest")
        ]
        fields += [("WARC-Refers-To-Target-URI", page.url), ("WARC-Refers-To-Date", date)]
        head = http("200 OK", [("Content-Type", "text/html")], b"")
        archive.record("revisit", page.url, head, [*fields, ("WARC-Payload-Digest", payload)])
    _duplicates(archive, japanese)
    _with_wishes(archive, spare)
    archive.record("metadata", japanese[0].url, b"fetchTimeMs: 120\r\n")


def _recoded(
    archive: Archive, page: Page, encoding: str, header: str | None, meta: str | None, **more: Any
) -> None:
    html = recode.representable(recode.declared(page.text, meta))
    changes = [f"encoding: {encoding}", f"declaration: {meta}"]
    body = recode.encode(html, encoding)
    archive.page(
        page, body=body, text=html, encoding=encoding, header=header, transform=changes, **more
    )


def _duplicates(archive: Archive, japanese: list[Page]) -> None:
    """Exact, near and repeated copies of pages that the sample already holds."""
    sources = [p for p in japanese if p.kana >= 800 and len(p.body) < 20_000]
    sources = [p for p in sources if len(recode.SENTENCE.findall(p.text)) >= 8]
    plan = ["header", "footer", "edit", "mirror", "recrawl", "recrawl-edit", "shift_jis"]
    plan += ["https", "utm"]
    for number, page in enumerate(sources[: 5 * len(plan)]):
        kind, html = plan[number % len(plan)], page.text
        url = f"http://mirror{number % 3}.example.jp/{page.path.rpartition('share/')[2]}"
        change = {
            "header": partial(recode.with_header, number=number),
            "footer": partial(recode.with_footer, number=number),
            "edit": partial(recode.with_edits, count=3),
            "recrawl-edit": partial(recode.with_edits, count=2),
        }.get(kind)
        if kind == "https":
            scheme, _, rest = page.url.partition("://")
            url = f"{'http' if scheme == 'https' else 'https'}://{rest}"
        elif kind in ("recrawl", "recrawl-edit"):
            url = page.url
        elif kind == "utm":
            url = page.url + "?utm_source=feed&utm_medium=rss"
        extra = {"duplicate": "near" if change else "exact", "duplicate_kind": kind}
        if kind == "shift_jis":
            html = recode.representable(recode.declared(html, "Shift_JIS"))
            body, encoding = recode.encode(html, "shift_jis"), "shift_jis"
        else:
            html = change(html) if change else html
            body, encoding = html.encode(), "utf-8"
        altered = [] if body == page.body else [kind]
        archive.page(
            page, url=url, body=body, text=html, encoding=encoding, transform=altered, extra=extra
        )


def _with_wishes(archive: Archive, pages: Iterator[Page]) -> None:
    """Pages that ask not to be used, in the ways that publishers ask (tag, HTTP header)."""
    tags = [
        'robots" content="noai, noimageai',
        'robots" content="noindex',
        'tdm-reservation" content="1',
    ]
    headers = [("X-Robots-Tag", "noai"), ("TDM-Reservation", "1")]
    for number, tag in enumerate(tags * 2):
        page = next(pages)
        html = recode.in_head(page.text, f'<meta name="{tag}">')
        url, name = f"http://www.example.jp/wish/{number}.html", tag.replace('" content="', ": ")
        change, body = [f"meta {name}"], html.encode()
        archive.page(page, url=url, body=body, text=html, encoding="utf-8", transform=change)
    for field in headers:
        archive.page(next(pages), header="utf-8", http_fields=[field], extra={"case": field[0]})


def _not_pages() -> Iterator[tuple[str, str, int, bytes]]:
    """Redirects, errors, robots.txt, feeds, JSON, images: written for this file (CC0)."""
    host = "http://www.example.jp"
    for number, status in enumerate(
        ("301 Moved Permanently", "302 Found", "308 Permanent Redirect") * 8
    ):
        place = ("Location", f"{host}/new/{number}.html")
        html = f'<html><title>{status}</title><a href="{place[1]}">移転しました</a></html>'.encode()
        fields = [place, ("Content-Type", "text/html; charset=utf-8")]
        yield f"{host}/old/{number}.html", "redirect", int(status[:3]), http(status, fields, html)
        if number % 3 == 0:
            title = ERRORS[number // 3 % len(ERRORS)]
            words = "お探しのページは見つかりません。"
            html = f"<html lang=ja><title>{title}</title><p>{words}</p>".encode()
            fields = [("Content-Type", "text/html; charset=utf-8")]
            yield f"{host}/gone/{number}", "error", int(title[:3]), http(title, fields, html)
    refresh = b'<html><meta http-equiv="refresh" content="0;url=/new/"><title>-</title></html>'
    gif = bytes.fromhex(
        "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
    )
    feed = (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>新着情報</title>'
        "<item><title>配布物を更新しました</title><link>http://www.example.jp/1</link></item></channel></rss>"
    )
    files: list[tuple[str, str, str, bytes]] = [
        ("refresh.html", "redirect", "text/html", refresh),
        ("robots.txt", "robots", "text/plain", b"User-agent: *\nDisallow: /private/\n"),
        (
            "ai/robots.txt",
            "robots",
            "text/plain",
            b"User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n",
        ),
        ("image.gif", "nonhtml", "image/gif", gif),
        ("image-as-html", "nonhtml", "text/html", gif * 8),
        (
            "paper.pdf",
            "nonhtml",
            "application/pdf",
            b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n",
        ),
        ("feed.rss", "nonhtml", "application/rss+xml", feed.encode()),
        (
            "feed.atom",
            "nonhtml",
            "application/atom+xml",
            b'<feed xmlns="http://www.w3.org/2005/Atom"/>',
        ),
        ("api.json", "nonhtml", "application/json", '{"題名": "検索結果", "件数": 3}'.encode()),
        ("style.css", "nonhtml", "text/css", b"body { font-family: sans-serif }\n"),
        ("script.js", "nonhtml", "text/javascript", 'alert("こんにちは");'.encode()),
        ("data.csv", "nonhtml", "text/csv", "名前,値\n東京,1\n".encode("cp932")),
        ("sitemap.xml", "nonhtml", "application/xml", b"<urlset><url><loc>/</loc></url></urlset>"),
        ("empty.html", "empty", "text/html", b""),
    ]
    for name, kind, media, body in files:
        yield f"{host}/{name}", kind, 200, http("200 OK", [("Content-Type", media)], body)


def formats(out: Path, japanese: list[Page], archives: list[Archive]) -> list[dict[str, Any]]:
    """The same pages as WET, plain WARC, zstd WARC, tables and folders; returns rows of files."""
    pages = [p for p in japanese if p.kana >= 500 and len(p.body) < 20_000]
    wet, plain, zstd = (Archive(n) for n in ("sample.warc.wet.gz", "plain.warc", "sample.warc.zst"))
    archives += [wet, plain, zstd]
    for page in pages[:60]:
        text = extract_plain_text(page.text, main_content=False, alt_texts=False)
        row = {"kind": "conversion", "true_lang": "ja", "src": f"deb:{page.package}"}
        row |= {"text_sha1": hashlib.sha1(text.encode()).hexdigest(), "family": page.url}
        fields = [("WARC-Identified-Content-Language", "jpn")]
        wet.record("conversion", page.url, text.encode(), fields, "text/plain", row=row)
    for page in pages[:12]:
        plain.page(page, header="utf-8")
    for page in pages[:40]:
        zstd.page(page, coding="identity")
    records: list[dict[str, str]] = []
    for page in pages[60:140]:
        text = extract_plain_text(page.text, main_content=True, alt_texts=False)
        found = re.search(r"(?is)<title[^>]*>(.*?)</title>", page.text)
        title = " ".join(found[1].split()) if found else ""
        record = {"url": page.url, "title": title, "date": "2024-05-01", "text": text}
        records += [record] if len(text) >= 400 and len(records) < 50 else []
    lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()
    (out / "documents.jsonl.gz").write_bytes(gzipped(lines))
    (out / "documents.jsonl.zst").write_bytes(zstandard.ZstdCompressor(19).compress(lines))
    pq.write_table(pa.Table.from_pylist(records), out / "documents.parquet", compression="zstd")
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, ["url", "title", "date", "text"], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records[:20])
    (out / "documents.csv").write_text(table.getvalue(), encoding="utf-8", newline="")
    return _folders(out, pages[140:148], records)


def _folders(out: Path, pages: list[Page], records: list[dict[str, str]]) -> list[dict[str, Any]]:
    rows = []
    plan = ["utf-8"] * 3 + ["shift_jis"] * 2 + ["euc-jp", "iso-2022-jp", "utf-8"]
    for folder in ("html", "text"):
        (out / folder).mkdir(exist_ok=True)
    for number, (page, encoding) in enumerate(zip(pages, plan, strict=True)):
        meta = None if number in (4, 7) else encoding
        html = page.text if number < 3 else recode.representable(recode.declared(page.text, meta))
        body = recode.encode(html, encoding)
        name = f"html/{number}-{encoding}.html"
        (out / name).write_bytes(body)
        altered = [] if body == page.body else [f"encoding: {encoding}", f"declaration: {meta}"]
        rows.append({"file": name, **facts(page, body, html, encoding, None, altered)})
    plan = ["utf-8", "utf-8", "utf-8-sig", "cp932", "euc-jp"]
    for number, (encoding, record) in enumerate(zip(plan, records, strict=False)):
        text = record["text"] + "\n"
        if encoding == "cp932":
            text = recode.representable(text).replace("\n", "\r\n")
        body = (
            recode.euc_jp(recode.representable(text))
            if encoding == "euc-jp"
            else text.encode(encoding)
        )
        name = f"text/{number}-{encoding}.txt"
        (out / name).write_bytes(body)
        row = {"file": name, "kind": "text", "true_lang": "ja", "true_enc": encoding}
        rows.append(
            {**row, "family": record["url"], "text_sha1": hashlib.sha1(text.encode()).hexdigest()}
        )
    return rows


def main() -> None:
    """Write every file and print a table of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--shared", type=Path, required=True, help="folder of the dev sample's README"
    )
    parser.add_argument("--debs", type=Path, required=True, help="package files, unpacked beside")
    parser.add_argument("--out", type=Path, default=Path("tests/data"))
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    japanese, others, rest = choose(arguments.shared, arguments.debs)
    spare = iter(rest)
    names = ("sample", "encodings", "hostile", "truncated", "corrupt", "lengths")
    archives = [Archive(f"{name}.warc.gz") for name in names]
    sample(archives[0], japanese, others, spare)
    cases.encodings(archives[1], spare, {k: v[-8:] for k, v in others.items()})
    cases.hostile(archives[2], spare)
    cases.damaged(archives[3], archives[4], spare, [12, 20])
    cases.length_lies(archives[5], spare)
    rows = formats(out, japanese, archives)
    for archive in archives:
        archive.write(out)
        print(archive.name, archive.size, archive.counts)
    rows = [row for archive in archives for row in archive.truth] + rows
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "truth.jsonl.gz").write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    print(f"{len(rows)} rows of truth; {sum(1 for _ in spare)} Japanese pages left over")


if __name__ == "__main__":
    main()
