"""A page parsed once: its blocks and elements for extraction, its head for metadata and rights.

lexbor parses the bytes and writes them back normalised; one native walk (`corpus.web.html.walk`)
reads that. Nothing later touches the DOM.
"""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
from selectolax.lexbor import LexborHTMLParser

from corpus.web.html import blocks as b
from corpus.web.html.classes import CLASSES
from corpus.web.html.guard import harmless
from corpus.web.html.tags import build_tables
from corpus.web.html.walk import DROP, INLINE, KEEP, walk

TABLES = build_tables(CLASSES)
RUBY = {"drop": DROP, "inline": INLINE, "keep": KEEP}
_ATTRIBUTE = re.compile(r'([^\s="/>]+)="([^"]*)"')
_MARKS = re.compile(rb"[\xf8\xf9]|\xfa[\x80-\xbf]{3}")  # of code and formulas
_CODE_MARKS = bytes((b.CODE_ON, b.CODE_OFF))
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&nbsp;", " "), ("&amp;", "&"))


def _plain(text: str) -> str:
    """Decode the entities lexbor writes."""
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return text


class Document:
    """One HTML page.

    text uint8, blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH] and marks int32
    [k, MARK_WIDTH] as in `corpus.web.html.blocks`; `source` is the normalised HTML in UTF-8.
    """

    def __init__(self, html: bytes, ruby: str = "drop") -> None:
        self.ruby = ruby
        try:
            written = LexborHTMLParser(harmless(html)).html or ""
        except Exception:  # lexbor reports nothing but its own failure: an empty page
            written = ""
        self.source = written.encode("utf-8", "replace")
        self._walk(ruby, frames=False)
        if not len(self.blocks) and b"<frameset" in self.source:
            self._walk(ruby, frames=True)

    def _walk(self, ruby: str, frames: bool) -> None:
        page = np.frombuffer(self.source, dtype=np.uint8)
        self.text, self.blocks, self.elements, self.marks = walk(page, TABLES, RUBY[ruby], frames)
        self.__dict__.pop("visible", None)

    def with_ruby(self, ruby: str) -> Document:
        """The same page read under a ruby policy: "drop", "inline" or "keep"."""
        if ruby != self.ruby:
            self.ruby = ruby
            self._walk(ruby, frames=False)
        return self

    def words(self, start: int, end: int) -> str:
        """Text between two places, without the marks of code and formulas."""
        raw = self.text[start:end].tobytes()
        # formulas have a number behind their mark; code has none, which is quicker
        raw = _MARKS.sub(b"", raw) if self.has_formulas else raw.translate(None, _CODE_MARKS)
        return raw.decode("utf-8", "replace")

    @cached_property
    def visible(self) -> str:
        """All that a reader sees of the page."""
        return self.words(b.TEXT_START, len(self.text))

    def block_texts(self) -> list[str]:
        """Text of every block."""
        return [self.words(row[b.B_START], row[b.B_END]) for row in self.blocks]

    @cached_property
    def has_formulas(self) -> bool:
        return bool((self.marks[:, b.MARK_KIND] == b.M_FORMULA).any())

    def formulas(self) -> list[str]:
        """Source of every formula, in the order of their numbers in the text."""
        return self._spans(b.M_FORMULA)

    def _spans(self, kind: int) -> list[str]:
        """Source spans of the marks of one kind."""
        return [
            self.source[start:end].decode("utf-8", "replace")
            for mark, start, end in self.marks.tolist()
            if mark == kind
        ]

    def _tags(self, kind: int) -> list[dict[str, str]]:
        return [
            {name.lower(): _plain(value) for name, value in _ATTRIBUTE.findall(span)}
            for span in self._spans(kind)
        ]

    @cached_property
    def meta(self) -> dict[str, list[str]]:
        """Contents of `<meta>` by lower-cased name, property, itemprop or http-equiv, in order.

        A `<meta charset>` is under "charset".
        """
        contents: dict[str, list[str]] = {}
        for tag in self._tags(b.M_META):
            if "charset" in tag:
                contents.setdefault("charset", []).append(tag["charset"])
            for key in ("name", "property", "itemprop", "http-equiv"):
                if tag.get(key) and "content" in tag:
                    name = tag[key].strip().lower()
                    contents.setdefault(name, []).append(tag["content"].strip())
        return contents

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        """(rel, href) of every `<link>`, of `<a>` with a licence or author rel, and of `<a>`
        to creativecommons.org, in document order; rel lower-cased, "" where there is none."""
        return [
            (" ".join(tag.get("rel", "").lower().split()), tag.get("href", "").strip())
            for tag in self._tags(b.M_LINK)
            if "href" in tag
        ]

    @cached_property
    def jsonld(self) -> list[str]:
        """The page's JSON-LD scripts, as written."""
        return self._spans(b.M_JSONLD)

    @cached_property
    def times(self) -> list[str]:
        """`datetime` of every `<time>` that has one."""
        return [tag["datetime"] for tag in self._tags(b.M_TIME) if tag.get("datetime")]

    @cached_property
    def title(self) -> str:
        """Text of the first `<title>`."""
        spans = self._spans(b.M_TITLE)
        return " ".join(_plain(spans[0]).split()) if spans else ""

    def marked_text(self, kind: int) -> list[str]:
        """Texts of the marks M_H1 or M_AUTHOR."""
        return [
            " ".join(self.words(start, end).split())
            for mark, start, end in self.marks.tolist()
            if mark == kind
        ]


def parse(html: str | bytes, ruby: str = "drop") -> Document:
    """Parse a page (text, or UTF-8 bytes; broken bytes and lone surrogates become U+FFFD or ?)."""
    if isinstance(html, str):
        html = html.encode("utf-8", "replace")
    return Document(html, ruby)
