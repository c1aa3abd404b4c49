"""Files that are a document each: pages and plain texts, in any Japanese charset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from corpus.errors import one_line
from corpus.settings import MIB, Settings
from corpus.sources import limits
from corpus.sources.inputs import open_input
from corpus.sources.item import UNREADABLE, Item, Unit
from corpus.sources.rows import DAMAGE, unpacked
from corpus.sources.source import Source, packed

Fill = Callable[[Item, bytes, Settings], Iterable[Item]]
WEB = ("http://", "https://")
WHOLE_MIB = 64  # of a file that is parsed whole; the largest statutes, on taxes, have some 20


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

    Its address is that of a file in the web; any other has none, and is known by its name.
    """
    limit = limit or settings.harvest.max_body_mib * MIB
    for file in unit.files:
        item = Item(file, 0, 0, url=file if file.startswith(WEB) else "")
        body = _body(item, limit)
        item.length = len(body)
        if not item.problem and not body.strip():
            item.skip = "empty body"
        yield item, body if body.strip() else None


def filled(unit: Unit, settings: Settings, what: str, fill: Fill, limit: int = 0) -> Iterator[Item]:
    """The items that `fill` makes of each file; a file that it cannot read is one with a problem.

    what: such a file in words, for the ledger. limit: as of `whole_files`; 0 for WHOLE_MIB, or
    `harvest.max_body_mib` where that is more: half a file of markup is none.
    """
    limit = limit or max(settings.harvest.max_body_mib, WHOLE_MIB) * MIB
    for item, body in whole_files(unit, settings, limit):
        if body is None:
            yield item
            continue
        try:
            found = list(fill(item, body, settings))
        except Exception as error:  # hostile input: one file must not cost its neighbours
            found = [malformed(item, what, error)]
        yield from found


def several(items: Iterable[Item]) -> Iterator[Item]:
    """The items of a file that may hold several: then each is found by its number, its `part`."""
    found = list(items)
    for item in found:
        item.numbered = len(found) > 1
    yield from found


def malformed(item: Item, what: str, error: Exception) -> Item:
    """The item without text, and why it has none."""
    item.text = item.blocks = None
    if isinstance(error, MemoryError | limits.LimitError):
        item.problem, item.detail = limits.RULE, limits.words_of(error)
        return item
    cut = "it was cut where it is too long; " if item.truncated == "max_body_mib" else ""
    item.problem, item.detail = "malformed", f"no {what}: {cut}{error}"[:300]
    return item


def _body(item: Item, limit: int) -> bytes:
    """The first `limit` bytes of the item's file, unpacked; as many as come before damage."""
    parts: list[bytes] = []
    left = limit + 1
    with open_input(item.file) as stream:
        plain = unpacked(stream, item.file)
        try:
            while left and (part := plain.read(min(left, MIB))):
                parts.append(part)
                left -= len(part)
        except DAMAGE as error:
            item.truncated = "damage"
            if not parts:
                item.problem, item.detail = UNREADABLE, f"packed data: {one_line(error)}"
    if not left:
        item.truncated = "max_body_mib"
    return b"".join(parts)[:limit]


HTML = Source("html", packed(".html", ".htm", ".xhtml", ".shtml"), read_html, bundled=True)
TEXT = Source("text", packed(".txt", ".text", ".md"), read_text, bundled=True)
