"""The kinds of input there are."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.settings import Settings
from corpus.sources import ccindex, csv, jsonl, parquet, warc, whole_files
from corpus.sources.item import Item, Unit

SOURCES = {
    source.kind: source
    for source in (
        warc.SOURCE,
        jsonl.SOURCE,
        parquet.SOURCE,
        csv.SOURCE,
        whole_files.HTML,
        whole_files.TEXT,
        ccindex.SOURCE,
    )
}


def kind_of(path: str) -> str:
    """The kind that a file name's ending stands for, "" when none."""
    name = path.lower()
    for source in SOURCES.values():
        if source.endings and name.endswith(source.endings):
            return source.kind
    return ""


def items_of(unit: Unit, settings: Settings) -> Iterator[Item]:
    """The items of a unit of work, read by its source."""
    return SOURCES[unit.kind].read(unit, settings)
