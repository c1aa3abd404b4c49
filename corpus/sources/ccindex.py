"""Selective reading of a crawl: ask its index for the wanted records, fetch only those.

    index (Parquet or CDX) ─▶ filters (DuckDB) ─▶ selection in the build folder ─▶ units
    unit = a row range of the selection ─▶ ranges near each other, joined ─▶ WARC records ─▶ items

The selection is written once, when the build is planned; a resumed build reads it back, so it never
depends on the index again. What comes back for a record goes the way of a local WARC. A record that
cannot be had is one item with the problem `fetch_failed`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import RunError, UsageError, one_line
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.settings import MIB, Settings
from corpus.sources import warc as pages
from corpus.sources.archives import warc
from corpus.sources.archives.window import Window
from corpus.sources.item import Item, Unit
from corpus.sources.remote import ranges, selection
from corpus.sources.source import Source

MAX_RECORD = 64 * MIB  # packed; Common Crawl's stay below 5 MiB
OUTAGE = 16  # requests in a row that fail for good: the server is down, not the record bad


def plan(indexes: list[str], settings: Settings, folder: Folder | None) -> list[Unit]:
    """Select the records, keep them in the build folder, cut them into units of a fixed number.

    Raises UsageError for an index without the columns the filters need, RunError for a damaged one.
    """
    if folder is None:
        raise UsageError("ccindex keeps its selection in a build folder: name it with --out")
    count = selection.write(indexes, settings.ccindex, folder)
    if not count:
        raise UsageError(
            "the index matches no record: loosen ccindex.languages, hosts, since, until, status "
            "or mimes"
        )
    cuts = [*range(0, count, settings.ccindex.unit_records), count]
    file = folder.layout.selection.relative_to(folder.path).as_posix()
    spans = enumerate(zip(cuts, cuts[1:], strict=False))
    return [Unit(index, "ccindex", (file,), *rows) for index, rows in spans]


def find(layout: Layout, url: str) -> list[Unit]:
    """A unit for every selected record of `url`: what `corpus explain` reads again."""
    path = layout.selection
    try:
        urls = pq.read_table(path, columns=["url"])["url"]
    except (OSError, pa.ArrowInvalid) as error:
        raise RunError(f"{layout.shown(path)} is not readable: {error}") from error
    rows = pc.indices_nonzero(pc.equal(urls, url)).to_pylist()
    return [Unit(row, "ccindex", (str(path),), row, row + 1, str(path)) for row in rows]


@dataclass(frozen=True, slots=True)
class _Row:
    url: str
    file: str  # with the base
    start: int
    stop: int
    problem: str = ""  # why it is not even asked for

    @property
    def archive(self) -> str:
        """What ids are made of: no archive is looked at as a whole, so it is its base name."""
        return self.file.rpartition("/")[2]


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """Items of the unit's records, in the order of the selection.

    Raises RunError when the server fails for more than `fetch.max_failed` of them, or has none of
    many: the unit is then not done, and the next run tries it again.
    """
    # Answers come back in the order of the rows, so each is handed on as it arrives.
    rows = _rows(unit, settings.ccindex.base)
    failed = lost = streak = 0
    places = [(r.file, r.start, r.stop) for r in rows if not r.problem]
    answers = ranges.fetch_all(places, settings.fetch)
    for row in rows:
        answer = ranges.Failure(row.problem, True) if row.problem else next(answers)
        if isinstance(answer, bytes):
            streak = 0
            yield from _items(row, answer, settings)
            continue
        # A lost record is an item; but a server in trouble must not pass for a small crawl. The
        # streak counts requests, not their records: one request may ask for hundreds.
        yield _failed(row, answer.reason)
        failed += 1
        if not answer.final:
            lost, streak = lost + 1, streak + (1 if answer.first else 0)
        enough = lost > settings.fetch.max_failed * len(rows) or streak >= OUTAGE
        if enough and settings.fetch.max_failed < 1:
            raise RunError(
                f"{lost} of {len(rows)} records could not be fetched ({answer.reason}; "
                f"{row.file}): run again later, or accept such losses with "
                "--set fetch.max_failed=1"
            )
        if failed == len(rows) >= OUTAGE and settings.fetch.max_failed < 1:
            raise RunError(
                f"none of {failed} records is there ({answer.reason}; {row.file}): "
                "is ccindex.base right? --set fetch.max_failed=1 takes them as lost"
            )


def _rows(unit: Unit, base: str) -> list[_Row]:
    """The unit's rows of the selection, with full addresses; RunError when it cannot be read."""
    path = Path(unit.state)
    try:
        table = _slice(path, unit.start, unit.end)
    except (OSError, pa.ArrowInvalid) as error:
        reason = one_line(error)
        raise RunError(f"{path} is not readable, remove state/plan.json: {reason}") from error
    columns = (table[name].to_pylist() for name in selection.SCHEMA.names)
    return [_row(base, *values) for values in zip(*columns, strict=True)]


def _slice(path: Path, start: int, end: int) -> pa.Table:
    """Rows [start, end) of a Parquet file, reading only the row groups they stand in."""
    with pq.ParquetFile(path) as file:
        groups: list[int] = []
        first = position = 0
        for number in range(file.num_row_groups):
            rows = file.metadata.row_group(number).num_rows
            if position < end and position + rows > start:
                if not groups:
                    first = position
                groups.append(number)
            position += rows
        return file.read_row_groups(groups).slice(start - first, end - start)


def _row(base: str, url: str | None, name: str | None, start: int | None, size: int | None) -> _Row:
    """A row of the selection; an index is a stranger's file, so a place is checked before use."""
    url, name, size = url or "", name or "", size or 0
    start = -1 if start is None else start
    file = f"{base.rstrip('/')}/{name}" if base else name
    problem = ""
    if not name or start < 0 or size <= 0:
        problem = f"the index gives no place: file {name!r}, offset {start}, length {size}"
    elif name.startswith("/") or "://" in name or ".." in name.split("/"):
        problem = "the index names a file outside ccindex.base"
    elif size > MAX_RECORD:
        problem = f"a record of {size:,} bytes; the limit is {MAX_RECORD:,}"
    return _Row(url, file, start, start + size, problem)


def _items(row: _Row, data: bytes, settings: Settings) -> Iterator[Item]:
    """What a local file would give at this place: only the member that starts at its first byte."""
    if not data:
        yield _failed(row, "the file ends before this record")
        return
    limit = settings.harvest.max_body_mib * MIB + 4096
    any_record = False
    for record in warc.read(Window.over(data), 0, 1, limit):
        any_record = True
        record.offset += row.start
        for item in pages.items(row.file, [record], settings):
            item.identity = row.archive
            yield item
    if not any_record:
        yield replace(_failed(row, "no WARC record stands there"), problem="unreadable")


def _failed(row: _Row, reason: str) -> Item:
    return Item(
        row.file,
        row.start,
        max(0, row.stop - row.start),
        identity=row.archive,
        url=row.url,
        problem="fetch_failed",
        detail=reason,
    )


SOURCE = Source("ccindex", (), read, plan=plan)  # no ending: it fetches, so it must be asked for
