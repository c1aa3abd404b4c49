"""Main text and metadata of a web page."""

from __future__ import annotations

from typing import NamedTuple

from resiliparse.extract.html2text import extract_plain_text

from corpus.web.trees import Document, parse


class Page(NamedTuple):
    """What is kept of a page: clean paragraphs separated by newlines, and its columns."""

    text: str
    title: str
    date: str
    author: str
    site: str
    method: str
    n_blocks: int


def extract(html: str | bytes | Document, url: str = "", ruby: str = "drop") -> Page:
    """Main content of a page (text, UTF-8 bytes, or what `parse` returned)."""
    document = html if isinstance(html, Document) else parse(html)
    source = document.tree.html or ""
    method = "main"
    text = extract_plain_text(source, main_content=True, list_bullets=False)
    if len(text) < 50:
        text, method = extract_plain_text(source, list_bullets=False), "all"
    lines = [line for line in (line.strip() for line in text.split("\n")) if line]
    meta = document.meta
    date = next((meta[key][0] for key in ("article:published_time", "date") if key in meta), "")
    author = meta.get("author", [""])[0]
    site = meta.get("og:site_name", [""])[0]
    return Page("\n".join(lines), document.title, date, author, site, method, len(lines))
