"""PDF files with a text layer: a document each, its blocks by the places of characters on pages.

Files, members of archives and records of web archives go the same way (`items_of`). Pages that tell
nothing (images, fonts without a map) are rows of the ledger beside the document: one a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpus.settings import MIB, Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import malformed, whole_files
from corpus.text.builder import Builder
from corpus.text.pdf import bounded
from corpus.text.pdf.page import REASONS

MEDIA_TYPES = ("application/pdf", "application/x-pdf")
MARK = b"%PDF-"
PAGE_PART = 1 << 20  # added to an item's part: rows of the ledger for pages of its file
BLANK = "pdf_blank"  # pages of which nothing is said


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A document per file."""
    for item, body in whole_files(unit, settings, settings.input.max_file_mib * MIB):
        if body is None:
            yield item
        else:
            yield from items_of(item, body, settings)


def is_pdf(head: bytes) -> bool:
    """Whether the beginning of a file is that of a PDF: within 1,024 bytes, as readers allow."""
    return MARK in head[:1024]


def items_of(item: Item, body: bytes, settings: Settings) -> list[Item]:
    """The item with the document's text, or why it has none, and one for each reason of pages."""
    item.source = "pdf"
    try:
        found = bounded.read(body, settings.harvest.ruby, settings.harvest.gate)
        if "skip" in found:
            item.skip = found["skip"]
        elif "refused" in found:
            _refuse(item, found["refused"], found["detail"])
        else:
            return [_filled(item, found, settings), *_dropped_pages(item, found["dropped"])]
    except Exception as error:  # hostile input: one file must not cost its neighbours
        malformed(item, "PDF", error)
    return [item]


def _refuse(item: Item, rule: str, detail: str) -> None:
    """Say why the file is not read; what the crawler cut off is the reason for its damage."""
    item.problem, item.detail = rule, detail
    if item.truncated and rule in ("malformed", "pdf_malformed", "pdf_blank"):
        item.problem = "pdf_truncated"
        item.detail = f"its end is missing ({item.truncated}), and with it the table of its objects"


def _filled(item: Item, found: dict[str, Any], settings: Settings) -> Item:
    builder = Builder(settings.normalize.steps)
    for kind, level, words in found["blocks"]:
        match kind:
            case "heading":
                builder.heading(level, words)
            case "item":
                builder.item(words)
            case "table":
                builder.table([[[cell] for cell in row] for row in words])
            case _:
                builder.paragraph(words)
    item.text, item.blocks = builder.done()
    item.title, item.author, item.date = found["title"], found["author"], found["date"]
    item.metadata = found["facts"] | {
        reason.replace("pdf_", "pages_"): _ranges(pages)
        for reason, pages in found["dropped"].items()
        if reason != BLANK
    }
    return item


def _dropped_pages(item: Item, dropped: dict[str, list[int]]) -> Iterator[Item]:
    """An item for each reason why pages of a document are missing from it."""
    for reason, pages in dropped.items():
        if reason == BLANK:
            continue
        part = item.part + PAGE_PART * pages[0]
        detail = f"pages {_ranges(pages)}: {REASONS[reason]}"[:300]
        yield Item(
            item.file, item.offset, item.length, part, url=item.url, captured=item.captured,
            source="pdf", problem=reason, detail=detail, value=float(len(pages)),
        )  # fmt: skip


def _ranges(pages: list[int]) -> str:
    """Page numbers in words: 1-3, 7."""
    parts: list[list[int]] = []
    for page in pages:
        if parts and page == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], page]
        else:
            parts.append([page])
    return ", ".join("-".join(map(str, part)) for part in parts)


SOURCE = Source("pdf", (".pdf",), read, bundled=True, knows=is_pdf)
