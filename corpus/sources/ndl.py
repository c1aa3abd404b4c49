"""Books of the National Diet Library as its OCR gives them.

NDLOCR version 2 and ndlocr-lite write XML (OCRDATASET, PAGE, TEXTBLOCK, LINE), ndlocr-lite also
JSON; the next digital library's full text is JSON with a text a page. A file is a document.

Lines come in the order that the OCR states. Running heads (柱), page numbers (ノンブル), readings
(ルビ) and advertisements go, also where only their repetition over pages tells them; lines become
paragraphs by indentation and by where sentences end, over columns and pages. How sure the OCR was
is in `metadata`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import XmlError, parse, tag
from corpus.text.builder import Builder
from corpus.text.lines import TABLE, Line, Page, at_margin, by_rows, once, paragraphs, running_heads
from corpus.text.orthography import orthography

LOW = 0.7  # confidence below which a line counts as unsure
UPRIGHT = 1.5  # times as high as wide: a cell that is set vertically
_GONE = frozenset(("柱", "ノンブル", "ルビ", "広告文字", "広告", "図版"))
_PLACES = frozenset((TABLE, "柱", "ノンブル"))  # blocks that tell what the lines in them are
_HEADINGS = frozenset(("タイトル本文", "見出し"))
_CAPTIONS = frozenset(("キャプション",))


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A book, or what of one the file holds."""
    return filled(unit, settings, "OCR of a book", _fill)


def is_ndl(head: bytes) -> bool:
    """Whether the beginning of a file is such an OCR."""
    return b"<OCRDATASET" in head or bool(
        re.match(rb"\s*\{", head)
        and (
            (b'"boundingBox"' in head and b'"isTextline"' in head)
            or (b'"contents"' in head and b'"page"' in head and b'"list"' in head)
        )
    )


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    builder = Builder(settings.normalize.steps)
    item.source = "ndl"
    if body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        answer = json.loads(body)
        if "list" in answer:
            for page in sorted(answer["list"], key=lambda p: int(p.get("page") or 0)):
                for line in str(page.get("contents") or "").split("\n"):
                    builder.paragraph(line)
            item.text, item.blocks = builder.done()
            item.orthography = orthography(item.text)
            _describe(item, answer)
            return [item]
        pages = _of_json(answer)
    else:
        pages = [_page(page) for page in parse(body).iter("PAGE")]
    if not pages:
        raise XmlError("no page")
    heads = running_heads(pages)
    lines = [line for page in pages for line in page.lines if _stays(line, page, heads)]
    for kind, words in paragraphs(lines):
        if kind in _HEADINGS:
            builder.heading(2, words)
        elif kind in _CAPTIONS:
            builder.caption(words)
        else:
            builder.paragraph(words)
    item.text, item.blocks = builder.done()
    item.orthography = orthography(item.text)
    sure = [line.confidence for line in lines if line.text]
    if sure:
        item.metadata["ocr_confidence"] = f"{np.mean(sure):.3f}"
        item.metadata["ocr_unsure_lines"] = f"{np.mean(np.array(sure) < LOW):.3f}"
    item.metadata["pages"] = str(len(pages))
    return [item]


def _describe(item: Item, answer: dict[str, Any]) -> None:
    """What the next digital library says of the book beside its text."""
    item.title, item.author = (str(answer.get(n) or "") for n in ("title", "responsibility"))
    for name in ("publisher", "published", "ndc", "callNo", "volume", "book", "id"):
        if value := answer.get(name) or (answer["list"] and answer["list"][0].get(name)):
            item.metadata[name] = str(value)[:300]


def _page(page: etree._Element) -> Page:
    lines: list[tuple[float, int, Line]] = []
    number = 0

    def walk(element: etree._Element, block: int, gone: bool, depth: int) -> None:
        nonlocal number
        for child in element:
            name, kind = tag(child), child.get("TYPE", "")
            if name == "TEXTBLOCK" or name == "BLOCK":
                number += 1
                if depth < 20:
                    walk(child, number, gone or kind in _GONE, depth + 1)
            if name not in ("LINE", "BLOCK") or not child.get("STRING"):
                continue
            x, y, width, height = (_float(child, key) for key in ("X", "Y", "WIDTH", "HEIGHT"))
            title = child.get("TITLE") == "TRUE"
            own = "柱" if gone else "タイトル本文" if title and kind == "本文" else kind
            sure = _float(child, "CONF", 1.0)
            words = child.get("STRING", "")
            line = Line(own, x, y, width, height, words, sure, block, height > width)
            # Lines without an order (running heads, tables) stay where they stand in the file.
            order = _float(child, "ORDER", lines[-1][0] if lines else -1.0)
            lines.append((order, len(lines), line))

    walk(page, 0, False, 0)
    places = [
        (e.get("TYPE", ""), [_float(e, key) for key in ("X", "Y", "WIDTH", "HEIGHT")])
        for e in page.iter("BLOCK")
        if e.get("TYPE") in _PLACES and not e.get("STRING")
    ]
    found = [_placed(line, places) for _, _, line in sorted(lines, key=lambda entry: entry[:2])]
    ordered = [
        line
        for (kind, _), run in itertools.groupby(once(found), lambda x: (x.kind, x.block))
        for line in (by_rows(list(run)) if kind == TABLE else run)
    ]
    return Page(_float(page, "WIDTH"), _float(page, "HEIGHT"), ordered)


def _placed(line: Line, places: Sequence[tuple[str, list[float]]]) -> Line:
    """The line as what the block around it is; lines of a table are of one block."""
    for k, (kind, (x, y, width, height)) in enumerate(places):
        across, down = line.x + line.width / 2 - x, line.y + line.height / 2 - y
        if 0 < across < width and 0 < down < height and line.kind not in _GONE:
            if kind == TABLE:
                return line._replace(kind=kind, block=-1 - k, vertical=_is_upright(line))
            return line._replace(kind=kind)
    return line


def _is_upright(cell: Line) -> bool:
    """Whether a cell is set vertically: the box of a single sign is often higher than wide."""
    return len(cell.text.strip()) > 1 and cell.height > UPRIGHT * cell.width


def _float(element: etree._Element, key: str, default: float = 0.0) -> float:
    try:
        value = float(element.get(key, default))
    except ValueError:
        return default
    return value if abs(value) < 1e9 else default


def _of_json(answer: dict[str, Any]) -> list[Page]:
    """ndlocr-lite: contents is a list of pages, each a list of lines with a bounding box."""
    info = answer.get("imginfo") or {}
    pages = []
    for page in answer["contents"]:
        lines = []
        for entry in sorted(page, key=lambda e: float(e.get("id") or 0)):
            xs, ys = zip(*((float(p[0]), float(p[1])) for p in entry["boundingBox"]), strict=True)
            width, height = max(xs) - min(xs), max(ys) - min(ys)
            vertical = str(entry.get("isVertical", height > width)).lower() == "true"
            kind = str(entry.get("class") or entry.get("type") or "本文")
            sure = float(entry.get("confidence", 1.0))
            words = str(entry.get("text") or "")
            lines.append(Line(kind, min(xs), min(ys), width, height, words, sure, 0, vertical))
        width, height = (float(info.get(key) or 0) for key in ("img_width", "img_height"))
        pages.append(Page(width, height, once(lines)))
    return pages


def _stays(line: Line, page: Page, heads: set[str]) -> bool:
    return line.kind not in _GONE and bool(line.text.strip()) and not at_margin(line, page, heads)


SOURCE = Source("ndl", (), read, bundled=True, knows=is_ndl)
