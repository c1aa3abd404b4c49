"""WARC, WET and ARC files as items: which records may be pages, and their decoded bodies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from corpus.errors import UnreadableError
from corpus.folder.schema import TRUNCATED
from corpus.settings import MIB, Settings
from corpus.sources import pdf
from corpus.sources.archives import arc, record_index, warc
from corpus.sources.archives.records import content_length
from corpus.sources.archives.window import Window
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source, even_cuts
from corpus.web import http
from corpus.web.charset import decode
from corpus.web.html.address import web_address
from corpus.web.rights import sites

# Content types that may hold a page; anything else with a declared type is no candidate.
PAGE_TYPES = ("text/html", "application/xhtml+xml", "text/plain", "application/xml", "text/xml")
VAGUE_TYPES = ("", "application/octet-stream", "unknown", "content/unknown", "application/unknown")
HEAD_SEARCHED = 1024
MOVED = (301, 308)  # for good (RFC 9110, 15.4); 302, 303 and 307 say nothing of the address
CUT = (".warc", ".warc.gz", ".warc.zst", ".wet", ".wet.gz")


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """Items of the records that start in the unit's byte range."""
    file = unit.files[0]
    with Window(file) as window:
        end = window.size if unit.end < 0 else unit.end
        if arc.looks_like_arc(window):
            records: Iterator[warc.Record | warc.Gap] = (
                arc.read(file) if unit.start == 0 else iter(())
            )
        else:
            if unit.start == 0 and not warc.looks_like_warc(window) and not _any_record(window):
                raise UnreadableError("it is no WARC file")
            records = warc.read(window, unit.start, end, settings.harvest.max_body_mib * MIB + 4096)
        yield from items(file, records, settings)


def items(
    file: str, records: Iterable[warc.Record | warc.Gap], settings: Settings
) -> Iterator[Item]:
    """An item for every record and gap of `file`."""
    for record in records:
        if isinstance(record, warc.Gap):
            yield Item(
                file,
                record.offset,
                record.length,
                problem="unreadable",
                detail=record.reason,
                value=float(record.length),
            )
        else:
            yield from _items(file, record, settings)


def _any_record(window: Window) -> bool:
    """A damaged first member may still be followed by good ones (searched in the first 64 MiB)."""
    stop = min(window.size, 64 * MIB)
    return any(isinstance(r, warc.Record) for r in warc.read(window, 0, stop, 1 << 16))


def _items(file: str, record: warc.Record, settings: Settings) -> list[Item]:
    """The items of a record, by its WARC-Type: one, and for a PDF what of its pages is missing."""
    headers = record.headers
    item = Item(
        file,
        record.offset,
        record.length,
        record.part,
        url=headers.get("warc-target-uri", "").strip("<> "),
        captured=headers.get("warc-date", ""),
    )
    record_type = record.type
    if record_type == "response":
        _response(item, record, settings)
    elif record_type == "conversion":
        _text(item, record)
    elif record_type == "resource":
        _page(item, record.block, {"content-type": headers.get("content-type", "")})
    else:
        item.skip = f"{record_type or 'untyped'} record"
        if record_type == "revisit":  # no body of its own: say where the original stands
            original = headers.get("warc-refers-to-target-uri", "") or item.url
            when = headers.get("warc-refers-to-date", "")
            item.detail = f"same body as {original} of {when or 'an earlier capture'}"
    if item.html is None and item.plain is None:
        return [item]
    item.digest = headers.get("warc-payload-digest", "")
    item.truncated = _truncated(record) or item.truncated
    if item.plain is not None and pdf.is_pdf(item.plain[:HEAD_SEARCHED]):
        body, item.plain = item.plain, None
        return pdf.items_of(item, body, settings)
    return [item]


def _truncated(record: warc.Record) -> str:
    """Why a record's block may end early (a key of TRUNCATED), as far as its header tells."""
    stated = record.headers.get("warc-truncated", "").strip().lower()
    if stated:
        return stated if stated in TRUNCATED else "unspecified"
    length = content_length(record.headers)
    if record.cut and not 0 <= length <= len(record.block):
        return "record"
    return "max_body_mib" if length > len(record.block) else ""


def _response(item: Item, record: warc.Record, settings: Settings) -> None:
    """Take the HTTP message of a response: a page, a rights file of its site, or why neither."""
    if not item.url[:6].lower().startswith(("http:", "https:")) and ":" in item.url:
        item.skip = f"{item.url.partition(':')[0].lower()[:20]} response"
        return
    response = http.parse(
        record.block, settings.harvest.max_body_mib * MIB, settings.harvest.max_ratio
    )
    if response is None:
        item.problem, item.detail = "no_http", "the block of this response holds no HTTP message"
    elif item.url.endswith(sites.FILES):
        item.skip = item.url.rpartition("/")[2]
        item.site = sites.row(item.url, item.captured, response.body, response.status)
    elif response.status != 200:
        item.skip = f"status {response.status}"
        if response.status in MOVED:
            item.moved_to = web_address(response.headers.get("location", ""), item.url)
    elif response.problem:
        item.problem = response.problem
        item.detail = (
            f"the body unpacks to more than {settings.harvest.max_body_mib} MiB and more than "
            f"{settings.harvest.max_ratio} times its packed size"
        )
    else:
        if response.cut:
            limit = settings.harvest.max_body_mib * MIB
            item.truncated = "max_body_mib" if len(response.body) >= limit else "body"
        _page(item, response.body, response.headers)


def _page(item: Item, body: bytes, headers: dict[str, str]) -> None:
    """Take the body as a page or a plain text, or say why it is neither."""
    declared = headers.get("content-type", "").lower()
    media_type = declared.partition(";")[0].strip()
    head = body[:HEAD_SEARCHED].lstrip()
    if "," in media_type:  # the field came twice: a page if one of them says so and the body, too
        media_types = [name.partition(";")[0].strip() for name in declared.split(",")]
        pages = [name for name in media_types if name in PAGE_TYPES]
        media_type = (
            pages[0]
            if pages and (len({*media_types}) == 1 or _looks_like_html(head))
            else media_type
        )
    if not head:
        item.skip = "empty body"
    elif pdf.is_pdf(head) and media_type in (*pdf.MEDIA_TYPES, *VAGUE_TYPES):
        item.plain, item.headers = body, headers  # `_items` takes it apart
    elif media_type not in PAGE_TYPES and not (
        media_type in VAGUE_TYPES and _looks_like_html(head)
    ):
        item.skip = f"type {media_type[:60] or 'undeclared'}"
    elif media_type in ("application/xml", "text/xml") and not _looks_like_html(head):
        item.skip = f"type {media_type}"
    elif media_type == "text/plain" and not _looks_like_html(head):
        item.plain, item.headers = body, headers
    else:
        item.html, item.headers = body, headers


def _text(item: Item, record: warc.Record) -> None:
    """A conversion record (WET): UTF-8 text by definition."""
    if record.block.strip():
        item.plain, item.charset = record.block, decode.UTF8
    else:
        item.skip = "empty body"


def _looks_like_html(head: bytes) -> bool:
    low = head.lower()
    return low.startswith((b"<!doctype html", b"<html")) or b"<html" in low or b"<body" in low


def cut(file: str, total: int, size: int) -> list[tuple[int, int]]:
    """Byte ranges, moved to where records start if an index beside the file says so; ARC: one."""
    ranges = even_cuts(total, size) if file.lower().endswith(CUT) else [(0, -1)]
    if len(ranges) == 1:
        return ranges
    cuts = record_index.cuts(file, [start for start, _ in ranges] + [ranges[-1][1]])
    return list(zip(cuts, cuts[1:], strict=False))


SOURCE = Source("warc", (*CUT, ".arc", ".arc.gz"), read, cut)
