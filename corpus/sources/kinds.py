"""The kinds of input there are."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.errors import RunError, UnreadableError, one_line
from corpus.settings import Settings
from corpus.sources import ccindex, csv, jsonl, parquet, warc, whole_files
from corpus.sources.item import UNREADABLE, Item, Unit

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
    """The items of a unit of work, read by its source, each with the identity of its file.

    A file that is not read, or turns out not to be what its name says, is an item with a problem;
    what was read of it before that stays. Raises RunError for one that was there and is no more.
    """
    if unit.unread:
        for file, (rule, reason) in zip(unit.files, unit.unread, strict=True):
            yield Item(file, 0, 0, identity=file, problem=rule, detail=reason)
        return
    identities = dict(zip(unit.files, unit.identities, strict=False))
    offset = 0
    try:
        for item in SOURCES[unit.kind].read(unit, settings):
            item.identity = item.identity or identities.get(item.file, item.file)
            offset = item.offset + item.length + 1
            yield item
    except UnreadableError as error:
        file = unit.files[0]
        identity = identities.get(file, file)
        yield Item(file, offset, 0, identity=identity, problem=UNREADABLE, detail=one_line(error))
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RunError(f"cannot read {unit}: {reason}; run again once it is there") from error
