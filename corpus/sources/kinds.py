"""The kinds of input there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

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
    limits,
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
from corpus.sources.source import WEB_ARCHIVES, packed

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
    for part in _parts(unit):
        yield from _items_of(part, settings)


def _parts(unit: Unit) -> Iterator[Unit]:
    """The unit, file by file if it is a bundle: what ends the reading of one ends no other."""
    if not SOURCES[unit.kind].bundled:
        yield unit
        return
    identities = unit.identities or [""] * len(unit.files)
    for file, identity in zip(unit.files, identities, strict=True):
        yield replace(unit, files=(file,), identities=(identity,))


def _items_of(unit: Unit, settings: Settings) -> Iterator[Item]:
    """The same of a unit of one file."""
    file = unit.files[0]
    identity = (unit.identities or ("",))[0] or file
    problem, detail, offset = "", "", 0
    try:
        items = SOURCES[unit.kind].read(unit, settings)
        # Records of web archives are small, and read in `stages.document`.
        for item in items if unit.kind in WEB_ARCHIVES else _bounded(items):
            item.identity = item.identity or (identity if item.file == file else item.file)
            offset = item.offset + item.length + 1
            yield item
    except UnreadableError as error:
        problem, detail = UNREADABLE, one_line(error)
    except RunError:
        raise
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise RunError(f"cannot read {unit}: {reason}; run again once it is there") from error
    except (MemoryError, limits.LimitError) as error:
        problem, detail = limits.RULE, limits.words_of(error)
    except Exception as error:  # hostile input that its reader did not foresee
        problem, detail = UNREADABLE, f"{type(error).__name__}: {one_line(error)}"
    if problem:
        yield Item(file, offset, 0, identity=identity, problem=problem, detail=detail)


def _bounded(items: Iterator[Item]) -> Iterator[Item]:
    """The items, each read within bounds of time and memory."""
    bounds = limits.Bounds()
    while True:
        with bounds:
            item = next(items, None)
        if item is None:
            return
        yield item
