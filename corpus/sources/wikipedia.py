"""Wikipedia and other MediaWiki sites: XML dumps (plain, bz2, multistream), Cirrus and Enterprise.

    XML         pages-articles[-multistream].xml(.bz2), a unit per run of streams
    Cirrus      lines {"index": …} {"title": …, "source_text": …}
    Enterprise  lines {"name": …, "article_body": {"wikitext": …, "html": …}}

Redirects, other namespaces (talk, user, templates) and disambiguation pages are skipped with their
reason. Text is CC BY-SA 4.0; page and revision id, contributors' credit by URL and categories are
in `metadata`.
"""

from __future__ import annotations

import bz2
import json
import re
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote, urlsplit

from corpus.settings import MIB, Settings
from corpus.sources.inputs import input_size, open_input
from corpus.sources.item import Item, Unit
from corpus.sources.rows import unpacked
from corpus.sources.source import Source, even_cuts
from corpus.sources.whole_files import malformed
from corpus.sources.xml import child_text, children, parse, text
from corpus.text.wikitext import article

LICENCE = "CC-BY-SA-4.0"
BASE = "https://ja.wikipedia.org/wiki/"
STREAM = b"BZh91AY&SY"  # a bzip2 stream with a first block begins so
CHUNK = 1 << 20
MAX_PAGE = 32 << 20  # bytes of XML; a longer page is no page
_BASE = re.compile(rb"<base>([^<]{1,300})</base>")
_BEGIN, _END = b"<page>", b"</page>"


def is_dump(head: bytes) -> bool:
    """Whether the beginning of a file, unpacked, is that of a dump."""
    return (
        b"<mediawiki" in head
        or (head.startswith(b'{"index":') and b'"_id"' in head[:300])
        or (b'"article_body"' in head and b'"name"' in head)
    )


def cut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """Byte ranges where the file is XML, plain or of many bzip2 streams."""
    name = file.lower()
    if name.endswith(".xml") or (name.endswith(".bz2") and "multistream" in name):
        return even_cuts(total, size)
    return [(0, -1)]


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """An article per page."""
    file = unit.files[0]
    with open_input(file) as raw:
        head = unpacked(raw, file).read(20_000)
    if head.lstrip().startswith(b"{"):
        yield from _of_lines(file, settings)
        return
    found = _BASE.search(head)
    base = _folder_of(found[1].decode("utf-8", "replace")) if found else BASE
    for offset, part, page in _pages(unit):
        item = Item(file, offset, len(page), part, source="wikipedia")
        try:
            yield _article(item, page, base, settings)
        except Exception as error:  # hostile input: one page must not cost its neighbours
            yield malformed(item, "page", error)


def _folder_of(base: str) -> str:
    return base.rpartition("/")[0] + "/"


def _pages(unit: Unit) -> Iterator[tuple[int, int, bytes]]:
    """(offset, number there, XML) of the pages of a unit.

    Of bzip2 the offset is that of the stream, of plain XML that of the page itself.
    """
    file, start, end = unit.files[0], unit.start, unit.end
    if not file.lower().endswith(".bz2"):
        yield from _plain_pages(file, start, end)
        return
    with open_input(file) as raw:
        for offset, data in _streams(raw, start, end if end >= 0 else input_size(file)):
            for part, page in enumerate(_split(data)):
                yield offset, part, page


def _streams(raw: IO[bytes], start: int, end: int) -> Iterator[tuple[int, Iterator[bytes]]]:
    """(offset, chunks) of the bzip2 streams that begin in [start, end)."""
    raw.seek(start)
    held = b""
    at = start  # of held[0]
    while at < end:
        # Find the next stream: its magic may lie across two reads.
        place = held.find(STREAM)
        if place < 0:
            more = raw.read(CHUNK)
            if not more:
                return
            tail = held[-(len(STREAM) - 1) :]
            at += len(held) - len(tail)
            held = tail + more
            continue
        at += place
        held = held[place:]
        if at >= end:
            return
        begin, unpack = at, bz2.BZ2Decompressor()
        rest: list[bytes] = []

        def chunks(first: bytes = held, unpack: Any = unpack, rest: Any = rest) -> Iterator[bytes]:
            data = first
            while not unpack.eof:
                yield unpack.decompress(data, CHUNK)  # a little of bzip2 may hold any amount
                data = b""
                if unpack.needs_input and not unpack.eof:
                    data = raw.read(CHUNK)
                    if not data:
                        return  # a cut file: what was read stays
            rest.append(unpack.unused_data)

        yield begin, chunks()
        held = rest[0] if rest else b""
        at = raw.tell() - len(held)


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The pages in a stream of XML."""
    held = b""
    for chunk in chunks:
        held += chunk
        while (end := held.find(_END)) >= 0:
            begin = held.rfind(_BEGIN, 0, end)
            if begin >= 0:
                yield held[begin : end + len(_END)]
            held = held[end + len(_END) :]
        if len(held) > MAX_PAGE:
            held = held[-len(_BEGIN) :]


def _plain_pages(file: str, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """The pages that begin in [start, end) of plain XML."""
    with open_input(file) as raw:
        stream = unpacked(raw, file)
        stream.seek(start)
        held, at, done = b"", start, False
        while not done:
            chunk = stream.read(CHUNK)
            done = not chunk
            held += chunk
            while (begin := held.find(_BEGIN)) >= 0 and (close := held.find(_END, begin)) >= 0:
                if 0 <= end <= at + begin:
                    return
                yield at + begin, 0, held[begin : close + len(_END)]
                at += close + len(_END)
                held = held[close + len(_END) :]
            if held.find(_BEGIN) < 0 or len(held) > MAX_PAGE:
                at += max(len(held) - len(_BEGIN), 0)
                held = held[-len(_BEGIN) :]
            if 0 <= end <= at:
                return


def _article(item: Item, page: bytes, base: str, settings: Settings) -> Item:
    root = parse(page)
    title = child_text(root, "title")
    revision = next(children(root, "revision"), None)
    words = text(next(children(revision, "text"), None)) if revision is not None else ""
    facts = {
        "page": child_text(root, "id"),
        "revision": child_text(revision, "id") if revision is not None else "",
        "changed": child_text(revision, "timestamp") if revision is not None else "",
    }
    redirect = next(children(root, "redirect"), None) is not None
    return _fill(item, title, words, child_text(root, "ns"), redirect, base, facts, settings)


def _of_lines(file: str, settings: Settings) -> Iterator[Item]:
    """Articles of Cirrus and Enterprise dumps, a JSON object a line."""
    with open_input(file) as raw:
        stream = unpacked(raw, file)
        offset = 0
        for line in stream:
            at, offset = offset, offset + len(line)
            if line.startswith(b'{"index"') or not line.strip():
                continue
            item = Item(file, at, len(line), source="wikipedia")
            try:
                yield _of_json(item, json.loads(line), settings)
            except Exception as error:  # as of a page
                yield malformed(item, "article", error)


def _of_json(item: Item, record: dict[str, Any], settings: Settings) -> Item:
    if "article_body" in record:
        version, space = record.get("version") or {}, record.get("namespace") or {}
        facts = {
            "page": str(record.get("identifier") or ""),
            "revision": str(version.get("identifier") or ""),
            "changed": str(record.get("date_modified") or ""),
        }
        words = str((record["article_body"] or {}).get("wikitext") or "")
        address = str(record.get("url") or "")
        base = _folder_of(address) if address.startswith("http") else BASE
        title, number = str(record.get("name") or ""), str(space.get("identifier") or 0)
        return _fill(item, title, words, number, False, base, facts, settings)
    facts = {
        "page": str(record.get("page_id") or ""),
        "revision": str(record.get("version") or ""),
        "changed": str(record.get("timestamp") or ""),
    }
    words = str(record.get("source_text") or "")
    base = (
        f"https://{record['wiki'].removesuffix('wiki')}.wikipedia.org/wiki/"
        if record.get("wiki")
        else BASE
    )
    title, number = str(record.get("title") or ""), str(record.get("namespace") or 0)
    if not words and record.get("text"):
        item.text, item.title = str(record["text"]), title
        item.url, item.licence, item.metadata = (
            base + quote(title.replace(" ", "_")),
            LICENCE,
            facts,
        )
        return item
    return _fill(item, title, words, number, False, base, facts, settings)


def _fill(
    item: Item, title: str, words: str, space: str, redirect: bool, base: str,
    facts: dict[str, str], settings: Settings,
) -> Item:  # fmt: skip
    """The article in the item, or why it is none."""
    item.title, item.licence = title, LICENCE
    item.url = base + quote(title.replace(" ", "_"), safe="/:(),!'*~")
    item.date, item.metadata = facts["changed"][:10], {k: v for k, v in facts.items() if v}
    if redirect or re.match(r"\s*#(?:redirect|転送)", words, re.IGNORECASE):
        item.skip = "redirect page"
    elif space not in ("0", ""):
        item.skip, item.detail = "namespace", f"namespace {space}"
    elif article.is_disambiguation(words):
        item.skip = "disambiguation page"
    else:
        limit = settings.harvest.max_body_mib * MIB
        item.text, item.blocks, page = article.read(words[:limit], title, settings.normalize.steps)
        if page.categories:
            item.metadata["categories"] = "; ".join(page.categories)
        host = urlsplit(base).hostname or ""
        item.metadata["credit"] = f"{title}, {host}"
    return item


SOURCE = Source("wikipedia", (), read, cut=cut, knows=is_dump)
