"""A page as a parsed tree: parsed once, read by extraction, metadata and rights detection."""

from __future__ import annotations

from functools import cached_property

from selectolax.lexbor import LexborHTMLParser


class Document:
    """One HTML page, parsed by lexbor.

    Attributes: `meta` maps the lower-cased name, property, itemprop or http-equiv of a
    `<meta>` to its contents in document order; `links` lists (rel, href) of `<link>` and of
    `<a rel>`; `jsonld` the raw JSON-LD scripts; `title` the text of `<title>`.
    """

    def __init__(self, html: str | bytes) -> None:
        self.tree = LexborHTMLParser(html)

    @cached_property
    def meta(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for node in self.tree.css("meta"):
            attributes = node.attributes
            content = attributes.get("content")
            if content is None:
                continue
            for key in ("name", "property", "itemprop", "http-equiv"):
                name = attributes.get(key)
                if name:
                    found.setdefault(name.strip().lower(), []).append(content.strip())
        return found

    @cached_property
    def links(self) -> list[tuple[str, str]]:
        return [
            (node.attributes.get("rel") or "", node.attributes.get("href") or "")
            for node in self.tree.css("link[rel], a[rel]")
        ]

    @cached_property
    def jsonld(self) -> list[str]:
        return [node.text() for node in self.tree.css('script[type="application/ld+json"]')]

    @cached_property
    def title(self) -> str:
        node = self.tree.css_first("title")
        return " ".join(node.text().split()) if node else ""


def parse(html: str | bytes) -> Document:
    """Parse a page (text, or UTF-8 bytes; broken bytes become U+FFFD)."""
    if isinstance(html, str):
        html = html.encode("utf-8", "replace")
    return Document(html)
