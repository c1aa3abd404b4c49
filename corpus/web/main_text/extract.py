"""Main text and metadata of a web page: `extract(html, url)`.

    html ─guard─▶ lexbor ─▶ normalised HTML ─walk─▶ blocks, elements, head marks   (html/document)
         ─▶ features ─▶ p(block is content) ─▶ one container ─▶ kept blocks,
            none on an index page, and the page's <h1>                 (select, page_title)
         ─▶ Markdown with typed blocks, without boilerplate phrases                (write)
         ─▶ title, date, author, site                                              (html/metadata)

Everything between lexbor and the finished text is native code. Lines repeated over the pages of a
host are removed later, per work unit: `corpus.web.main_text.repeated.site_boilerplate`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from corpus.text.blocks import Blocks
from corpus.web.html.document import RUBY, Document, parse
from corpus.web.html.metadata import metadata
from corpus.web.main_text import containers, features, listing
from corpus.web.main_text.forest import Forest, load_forest
from corpus.web.main_text.page_title import with_title
from corpus.web.main_text.select import METHODS, choose
from corpus.web.main_text.write import write

MODEL = Path(__file__).with_name("models") / "extractor.npz"

__all__ = ["Document", "Page", "extract", "parse"]


class Page(NamedTuple):
    """What is kept of a page. Strings are "" where nothing was found.

    text: Markdown (docs/text.md), of which `blocks` are the parts; unread_formulas: those that left
    a mark only; date: YYYY-MM-DD; method: how the text was chosen ("container" as a rule; "blocks",
    "largest", "rule", "none" are fallbacks; "listing" is an index page, mostly without text);
    listing: probability that the page is an index without main text, 0 where it was not judged;
    n_blocks: text blocks on the page, kept or not.
    """

    text: str
    blocks: Blocks
    unread_formulas: int
    title: str
    date: str
    author: str
    site: str
    method: str
    listing: float
    n_blocks: int


@lru_cache(maxsize=1)
def _forests() -> tuple[Forest, Forest, Forest]:
    return (
        load_forest(MODEL, "block", features.NAMES),
        load_forest(MODEL, "container", containers.NAMES),
        load_forest(MODEL, "listing", listing.NAMES),
    )


def main_text(
    document: Document, steps: tuple[str, ...] = ()
) -> tuple[tuple[str, Blocks, int], str, float]:
    """((Markdown, blocks, unread formulas), method, listing) of a parsed page."""
    keep, method, listed = choose(document.blocks, document.elements, *_forests())
    return write(document, with_title(document, keep), steps), METHODS[method], listed


def extract(
    html: str | bytes | Document, url: str = "", ruby: str = "drop", steps: tuple[str, ...] = ()
) -> Page:
    """Main content of a page (text, UTF-8 bytes, or what `parse` returned).

    `ruby` is "drop" (readings left out), "inline" (漢字（かんじ）) or "keep" (｜漢字《かんじ》, the
    notation of Aozora Bunko). steps: of `corpus.text.normalize`, for prose. Raises ValueError for
    another policy; never for what a page holds.
    """
    if ruby not in RUBY:
        raise ValueError(f"ruby policy {ruby!r}: must be one of {', '.join(RUBY)}")
    document = html.with_ruby(ruby) if isinstance(html, Document) else parse(html, ruby)
    written, method, listed = main_text(document, steps)
    return Page(*written, *metadata(document, url), method, listed, len(document.blocks))
