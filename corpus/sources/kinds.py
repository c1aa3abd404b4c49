"""The kinds of input there are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from corpus.errors import RunError, UnreadableError, one_line
from corpus.settings import Settings
from corpus.sources import (
    arrow,
    articles,
    books,
    captions,
    ccindex,
    csv,
    jsonl,
    law,
    minutes,
    ndl,
    news,
    parquet,
    patents,
    pdf,
    warc,
    whole_files,
    wikipedia,
)
from corpus.sources.inputs import inner_name, open_input
from corpus.sources.item import UNREADABLE, Item, Unit
from corpus.sources.rows import DAMAGE, unpacked
from corpus.sources.source import packed

SOURCES = {
    source.kind: source
    for source in (
        warc.SOURCE,
        jsonl.SOURCE,
        parquet.SOURCE,
        csv.SOURCE,
        arrow.SOURCE,
        whole_files.HTML,
        whole_files.TEXT,
        ccindex.SOURCE,
        law.SOURCE,
        minutes.SOURCE,
        captions.SOURCE,
        ndl.SOURCE,
        books.SOURCE,
        pdf.SOURCE,
        articles.SOURCE,
        patents.SOURCE,
        news.SOURCE,
        wikipedia.SOURCE,
    )
}
_CARD = re.compile(
    rb"---\r?\n(?:.*\n)*?(?:dataset_info|configs|task_categories|pretty_name|license):"
)
HEAD = 64 << 10  # bytes that tell the kind of a file whose ending does not
OPEN = (".json", ".ndjson")  # endings, packings aside, that stand for more than one kind


def kind_of(path: str) -> str:
    """The kind of a file: what its ending stands for, else what its first bytes are; "" for none.

    Only files whose ending does not tell are opened.
    """
    name = inner_name(path).lower()
    by_ending = next(
        (s.kind for s in SOURCES.values() if s.endings and name.endswith(s.endings)), ""
    )
    if by_ending and not name.endswith(packed(*OPEN)):
        return by_ending
    head = _head(path)
    for source in SOURCES.values():
        if source.knows and head and source.knows(head):
            return source.kind
    return by_ending


def is_dataset_card(path: str) -> bool:
    """Whether a file is the card of a Hugging Face dataset, which is about the texts beside it."""
    return inner_name(path).lower().endswith("readme.md") and bool(_CARD.match(_head(path)))


def _head(path: str) -> bytes:
    """The first bytes of a file, unpacked; as many as can be read."""
    try:
        with open_input(path) as stream:
            return unpacked(stream, path).read(HEAD)
    except (*DAMAGE, OSError, ValueError):  # why is said when the file is looked at
        return b""


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
