"""Readers of public gold sets for main-content extraction: pages with their true main text.

Used by the training script and by `benchmarks/extraction.py`; nothing of these sets is shipped.
`material` is a folder with checkouts named owner+name (see `benchmarks.training.train_extractor`).
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from benchmarks.training.scoring import grams
from corpus.sources.archives import warc
from corpus.sources.archives.window import Window
from corpus.web import http

MAX_BODY, MAX_RATIO = 64 << 20, 1000  # of a page

_INVISIBLE = "script,style,noscript,template,iframe,select,textarea,button,svg,head,rt,rp"
_CODECS = {"shift_jis": "cp932", "sjis": "cp932", "windows-31j": "cp932", "gb2312": "gb18030"}


class GoldPage(NamedTuple):
    """A page (UTF-8 bytes) and its main text; a family shares a layout."""

    source: str
    family: str
    genre: str
    language: str
    url: str
    html: bytes
    gold: str


def _utf8(raw: bytes) -> bytes:
    """UTF-8 form of a page saved by others: as declared when that decodes, else UTF-8."""
    declared = re.search(rb"charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", raw[:4096])
    for codec in ("utf-8", declared.group(1).decode().lower() if declared else "gb18030"):
        try:
            return raw.decode(_CODECS.get(codec, codec)).encode("utf-8", "replace")
        except (LookupError, UnicodeDecodeError):
            continue
    return raw.decode("utf-8", "replace").encode()


def text_of(html: str, selector: str = "body") -> str:
    tree = LexborHTMLParser(html)
    for node in tree.css(_INVISIBLE):
        node.decompose()
    chosen = tree.css_first(selector)
    return chosen.text(separator="\n") if chosen else ""


def _body(member: bytes) -> bytes:
    """Payload of one WARC record; as sent when its content encoding lies."""
    for record in warc.read(Window.over(member), 0, 1, MAX_BODY):
        if isinstance(record, warc.Record):
            response = http.parse(record.block, MAX_BODY, MAX_RATIO)
            return response.body if response else record.block
    return b""


def sample_page(raw: bytes, row: dict) -> str:
    """The page of the shared sample (`raw`, its WARC) that a row of the truth file names."""
    body = _body(raw[row["offset"] : row["offset"] + row["length"]])
    return body.decode(_CODECS.get(row["true_enc"], row["true_enc"]), "replace")


def dev_sample(warc_folder: Path) -> Iterator[GoldPage]:
    """Documentation and law pages of the shared sample (gold by site rule or official text)."""
    truth = {}
    with gzip.open(warc_folder / "dev-sample.truth.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            truth[row["record_id"]] = row
    raw = (warc_folder / "dev-sample.warc.gz").read_bytes()
    with gzip.open(warc_folder / "dev-sample.gold.jsonl.gz", "rt") as lines:
        for line in lines:
            gold = json.loads(line)
            row = truth[gold["record_id"]]
            html = sample_page(raw, row).encode("utf-8", "replace")
            yield GoldPage(
                "dev",
                row["fam"],
                row["genre"],
                gold["true_lang"] or "",
                gold["url"],
                html,
                gold["gold"],
            )


def wide(folder: Path) -> Iterator[GoldPage]:
    """gold-wide: real Japanese pages of twelve genres, marked by hand; "" for index pages.

    A capture of a live site has the language "ja-capture": others come from a site's repository.
    """
    with gzip.open(folder / "gold.jsonl.gz", "rt") as lines:
        for row in map(json.loads, lines):
            html = base64.b64decode(row["raw_b64"]).decode(
                _CODECS.get(row["charset"], row["charset"]), "replace"
            )
            yield GoldPage(
                "wide",
                _SAME.get(row["host"], row["host"]),
                row["genre"],
                "ja-capture" if row["origin"] == "capture" else "ja",
                row["id"],
                html.encode("utf-8", "replace"),
                row["gold"],
            )


def wcxb(folder: Path, split: str) -> Iterator[GoldPage]:
    """WCXB (CC BY 4.0): 2,008 human-reviewed English pages of seven kinds, splits dev and test."""
    for path in sorted((folder / split / "ground-truth").glob("*.json")):
        row = json.loads(path.read_text())
        gold = row["ground_truth"].get("main_content") or ""
        page = folder / split / "html" / (path.stem + ".html.gz")
        if len(gold) >= 20 and page.exists():
            genre = row["_internal"]["page_type"]["primary"]
            host = urlsplit(row.get("url", "")).netloc or path.stem
            yield GoldPage(
                "wcxb-" + split,
                host,
                genre,
                "en",
                row.get("url", ""),
                _utf8(gzip.decompress(page.read_bytes())),
                gold,
            )


def scrapinghub(folder: Path) -> Iterator[GoldPage]:
    """scrapinghub/article-extraction-benchmark (MIT): 181 English news pages."""
    for key, row in json.loads((folder / "ground-truth.json").read_text()).items():
        html = gzip.decompress((folder / "html" / (key + ".html.gz")).read_bytes())
        host = urlsplit(row["url"]).netloc or key
        yield GoldPage(
            "scrapinghub", host, "news", "en", row["url"], _utf8(html), row["articleBody"]
        )


def readability(folder: Path) -> Iterator[GoldPage]:
    """mozilla/readability (Apache-2.0): 130 pages with the text a reader view keeps."""
    for path in sorted((folder / "test" / "test-pages").glob("*/source.html")):
        gold = text_of((path.parent / "expected.html").read_text())
        if len(gold) >= 50:
            yield GoldPage(
                "readability",
                path.parent.name,
                "mixed",
                "",
                path.parent.name,
                path.read_bytes(),
                gold,
            )


def daniel(folder: Path) -> Iterator[GoldPage]:
    """DAniEL corpus (rundimeco/waddle): 1,689 news pages in zh, el, pl, ru and en."""
    corpus = folder / "corpora" / "Corpus_daniel_v2.1"
    languages = json.loads((corpus / "doc_lg.json").read_text())
    codes = {"Chinese": "zh", "Greek": "el", "Polish": "pl", "Russian": "ru", "English": "en"}
    for path in sorted((corpus / "html").iterdir()):
        gold = text_of((corpus / "reference" / path.name).read_text(errors="replace"))
        host = path.name.split("_")[1]
        if len(gold) >= 50:
            yield GoldPage(
                "daniel",
                host,
                "news",
                codes.get(languages.get(path.name, ""), ""),
                path.name,
                _utf8(path.read_bytes()),
                gold,
            )


def segments(folder: Path) -> Iterator[tuple[GoldPage, list[str], list[str]]]:
    """adbar/trafilatura tests/eval (Apache-2.0): pages with segments to keep and to drop.

    Only those segments are gold; `gold` of the page is empty.
    """
    rows = json.loads((folder / "tests" / "evaldata.json").read_text())
    for url, row in sorted(rows.items()):
        for place in ("eval", "cache"):
            path = folder / "tests" / place / row.get("file", "")
            if row.get("file") and path.is_file():
                page = GoldPage(
                    "segments", urlsplit(url).netloc, "mixed", "", url, _utf8(path.read_bytes()), ""
                )
                yield page, row.get("with", []), row.get("without", [])
                break


def chinese(folder: Path) -> Iterator[GoldPage]:
    """immortal-autumn/Chinese-Web-Content-Extraction-Dataset: 69 pages, text copied by hand."""
    for path in sorted((folder / "original").glob("*.html")):
        gold = (folder / "cleaned" / (path.stem + ".txt")).read_text(errors="replace")
        if len(gold) >= 50:
            yield GoldPage(
                "chinese", path.stem, "mixed", "zh", path.stem, _utf8(path.read_bytes()), gold
            )


def fundus(folder: Path) -> Iterator[GoldPage]:
    """flairNLP/fundus (MIT): 255 news pages in some 30 languages, text by one parser a publisher.

    Where a publisher has versions of its parser, the gold text is that which the page holds most.
    """
    for meta in sorted((folder / "tests/resources/parser/test_data").glob("*/meta.info")):
        for name, about in sorted(json.loads(meta.read_text()).items()):
            publisher = re.sub(r"(_\d{4}_\d\d_\d\d.*)?\.html\.gz$", "", name)
            saved, truth = meta.parent / name, meta.parent / (publisher + ".json")
            url = about["url"]
            reserved = any(site in urlsplit(url).netloc for site in _RESERVED)
            if reserved or not (saved.exists() and truth.exists()):
                continue
            html = _utf8(gzip.decompress(saved.read_bytes()))
            page = set(grams(text_of(html.decode())).tolist())
            texts = [_fundus_text(row) for row in json.loads(truth.read_text()).values()]
            held = [len(page & set(grams(text).tolist())) for text in texts]
            gold = texts[held.index(max(held))]
            if len(gold) >= 100:
                family = _SAME.get(publisher, publisher)
                language = "ja" if re.search("[ぁ-ん]", gold) else meta.parent.name
                yield GoldPage("fundus", family, "news", language, url, html, gold)


def _fundus_text(row: dict) -> str:
    body = row.get("body") or {}
    parts = list(body.get("summary", ()))
    for section in body.get("sections", ()):
        parts += section.get("headline", []) + section.get("paragraphs", [])
    return "\n".join(parts)


# Publishers whose sites are in MEDIA stay out; those also in SITE_RULES share its families,
# like the hosts of gold-wide.
_RESERVED = ("asahi.", "yomiuri.", "wired.", "gizmodo.", "zdnet.", "cnet.", "lifehacker.", "infoq.")
_SAME = {
    "MainichiShimbun": "mainichi",
    "Nikkei": "nikkei",
    "SankeiShimbun": "sankei",
    "www.sankei.com": "sankei",
    "www.bfts.co.jp": "bft",
    "www3.nhk.or.jp": "nhk",
    "headlines.yahoo.co.jp": "yahoo",
}
_KORON = "koron+java-extractarticle/src/test/resources/0000"
_TAKAHIRO = "takahiroid+takahiroid.sakura.ne.jp/"
# Japanese pages in public repositories: family, genre, files, content selectors (all of them
# together are the gold), what is taken out. Sites of the MEDIA set (asahi, yomiuri) stay out.
SITE_RULES: tuple[tuple[str, str, str, str, str], ...] = (
    ("yahoo", "news", _KORON + "0[1-6].html", ".article_body", ""),
    ("sankei", "news", _KORON + "1[5-8].html", ".article-body", ""),
    (
        "mainichi-premier",
        "news",
        _KORON + "19.html",
        ".article-container .main-column",
        ".related-article",
    ),
    (
        "mainichi-premier",
        "news",
        _KORON + "20.html",
        ".article-container .main-column",
        ".related-article",
    ),
    ("mainichi", "news", _KORON + "2[12].html", ".articledetail-body", ""),
    ("nikkei", "news", _KORON + "2[3-6].html", "article section[class^=container_]", ""),
    ("fc2-blog", "blog", _KORON + "2[7-9].html", ".ently_text", ""),
    ("ameblo", "blog", _KORON + "3[0-2].html", "#entryBody", ""),
    ("hatena-blog", "blog", _KORON + "3[3-5].html", ".entry-content", ""),
    ("goo-blog", "blog", _KORON + "3[6-8].html", ".mod-entry-set .entry-body-text", ""),
    ("exblog", "blog", _KORON + "39.html", ".POST_BODY", ""),
    ("exblog", "blog", _KORON + "4[01].html", ".post-main", ""),
    ("nhk", "news", "ykpythemind+extractcontent/testdata/test01.html", ".module--content", ""),
    (
        "wikipedia",
        "reference",
        "ykpythemind+extractcontent/testdata/test02*.html",
        ".mw-parser-output",
        ".navbox,.mw-editsection,.reference,.metadata,#toc",
    ),
    (
        "qiita",
        "blog",
        "u6k+extract-content/tests/data/ok.html",
        "section.markdownContent",
        ".hidden",
    ),
    ("bft", "company", "MasaruFukazawa+www.bfts.co.jp/dist/*/index.html", "main.contents", ""),
    ("bft", "company", "MasaruFukazawa+www.bfts.co.jp/dist/*/*/index.html", "main.contents", ""),
    ("gyouzadaiou", "personal", _TAKAHIRO + "gyouzadaiou.com/*/index.html", "#main", ""),
    ("rumi-shishido", "personal", _TAKAHIRO + "rumi-shishido/[dp]*.html", "#contents", ""),
    ("turtles", "personal", _TAKAHIRO + "turtles_web/profile.html", "#Right", ""),
    (
        "psychology",
        "school",
        "development-psychology-hiroshima+development.hiroshima-u.ac.jp/research*.html",
        ".container-main-content",
        "",
    ),
)


def japanese_sites(material: Path) -> Iterator[GoldPage]:
    """Japanese news, blog and small-site pages of public repositories, gold by SITE_RULES."""
    for family, genre, files, selector, waste in SITE_RULES:
        for path in sorted(material.glob(files)):
            html = _utf8(path.read_bytes())
            gold = selected(html.decode(), [selector], [waste] if waste else [], every=True)
            if len(re.sub(r"\s", "", gold)) >= 100:
                yield GoldPage(
                    "japanese", family, genre, "ja", str(path.relative_to(material)), html, gold
                )


def selected(html: str, selectors: list, clean: list[str], every: bool = False) -> str:
    """Text of the first selector that matches, without what the `clean` selectors match.

    A selector counts with its first element (`every`: with all), a list of selectors with all.
    """
    tree = LexborHTMLParser(html)
    for node in tree.css(_INVISIBLE):
        node.decompose()
    for selector in selectors:
        parts = selector if isinstance(selector, list) else [selector]
        if not all(tree.css_first(part) for part in parts):
            continue
        limit = None if every or isinstance(selector, list) else 1
        nodes = [node for part in parts for node in tree.css(part)[:limit]]
        for node in nodes:
            for rule in clean:
                for waste in node.css(rule):
                    waste.decompose()
        return "\n".join(node.text(separator="\n") for node in nodes)
    return ""
