"""Files that are a document each: pages and plain texts, in any Japanese charset."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.errors import RunError
from corpus.settings import MIB, Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source


def read_html(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A page per file."""
    for item, body in whole_files(unit, settings):
        item.html = body
        yield item


def read_text(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A document per file, in any Japanese charset."""
    for item, body in whole_files(unit, settings):
        item.plain = body
        yield item


def whole_files(
    unit: Unit, settings: Settings, limit: int = 0
) -> Iterator[tuple[Item, bytes | None]]:
    """(item, its first `limit` bytes) of every file; a blank one: None, and a skip.

    limit: 0 for `harvest.max_body_mib`.

    Raises RunError for a file that cannot be read.
    """
    limit = limit or settings.harvest.max_body_mib * MIB
    for file in unit.files:
        try:
            with open_input(file) as stream:
                body = stream.read(limit)
        except OSError as error:
            raise RunError(f"cannot read {file}: {error.strerror or error}") from error
        item = Item(file, 0, len(body), url=file if "://" in file else f"file:{file}")
        item.skip = "" if body.strip() else "empty body"
        yield item, body if body.strip() else None


HTML = Source("html", (".html", ".htm", ".xhtml", ".shtml"), read_html, bundled=True)
TEXT = Source("text", (".txt", ".text", ".md"), read_text, bundled=True)
