"""Books: EPUB 2 and 3, with ruby, in the order of the spine; the navigation is left out.

Each part is a page whose every block is text: the walk and the writer of pages give its blocks.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from corpus.settings import MIB, Settings
from corpus.sources.item import Item, Unit
from corpus.sources.pages import written
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import parse, tag, text
from corpus.sources.zipped import Zip, ZipError
from corpus.text.blocks import Blocks
from corpus.text.builder import joined
from corpus.web.html import blocks as b
from corpus.web.html.document import Document
from corpus.web.html.document import parse as parse_page
from corpus.web.rights.page import licence_class

CONTAINER = "META-INF/container.xml"
LINKED = 0.8  # of a part's text in links: a table of contents
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_FACTS = ("publisher", "identifier", "language", "source", "subject", "date", "rights")


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A book per file."""
    return filled(unit, settings, "EPUB", _fill, settings.input.max_file_mib * MIB)


def is_epub(head: bytes) -> bool:
    """Whether the beginning of a file is that of an EPUB."""
    return head.startswith(b"PK") and b"application/epub+zip" in head[:200]


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    book = Zip(body, settings.harvest.max_body_mib * MIB, settings.harvest.max_ratio)
    package_name = _package_name(book)
    package = parse(book.read(package_name))
    facts = _metadata(package)
    item.source = "books"
    item.title, item.author = facts.pop("title", ""), facts.pop("creator", "")
    item.date = facts.get("date", "")[:10]
    item.licence = licence_class(facts.pop("license", "") or facts.get("rights", ""))
    parts: list[tuple[str, Blocks]] = []
    for name in _spine(package, posixpath.dirname(package_name)):
        if name not in book.members:
            continue
        page = parse_page(book.read(name), settings.harvest.ruby)
        if not _is_contents(page):
            parts.append(written(page, settings))
    item.metadata = facts | {"parts": str(len(parts))}
    item.text, item.blocks = joined(parts)
    return [item]


def _package_name(book: Zip) -> str:
    if CONTAINER in book.members:
        for found in parse(book.read(CONTAINER)).iter("{*}rootfile"):
            if (name := unquote(found.get("full-path", ""))) in book.members:
                return name
    packages = [name for name in sorted(book.members) if name.endswith(".opf")]
    if not packages:
        raise ZipError("no package file")
    return packages[0]


def _metadata(package: etree._Element) -> dict[str, str]:
    """Dublin Core of the package, the first of each name, and its licence."""
    facts: dict[str, str] = {}
    for element in package.iter("{http://purl.org/dc/elements/1.1/}*"):
        name = tag(element)
        if name in (*_FACTS, "title", "creator") and (words := " ".join(text(element).split())):
            facts.setdefault(name, words)
    for element in package.iter("{*}meta"):
        own = element.get("property", "")
        if own == "dcterms:license" and not element.get("refines"):
            facts.setdefault("license", text(element).strip())
    return facts


def _spine(package: etree._Element, folder: str) -> Iterator[str]:
    """Names of the parts in reading order, without the navigation."""
    items = {}
    for found in package.iter("{*}manifest"):
        for entry in found:
            if (
                entry.get("media-type") in _PAGES
                and "nav" not in entry.get("properties", "").split()
            ):
                href = unquote(entry.get("href", "").partition("#")[0])
                items[entry.get("id", "")] = posixpath.normpath(posixpath.join(folder, href))
    seen = set()
    for found in package.iter("{*}itemref"):
        name = items.get(found.get("idref", ""))
        if name and name not in seen:
            seen.add(name)
            yield name


def _is_contents(page: Document) -> bool:
    """Whether a part is mostly links to other parts."""
    weight = int(page.blocks[:, b.B_WEIGHT].sum())
    return weight > 0 and int(page.blocks[:, b.B_LINKED].sum()) > LINKED * weight


SOURCE = Source("books", (".epub",), read, bundled=True, knows=is_epub)
