"""Books of the National Diet Library as its OCR gives them.

NDLOCR version 2 and ndlocr-lite write XML (OCRDATASET, PAGE, TEXTBLOCK, LINE), ndlocr-lite also
JSON; the next digital library's full text is JSON with a text a page. A file is a document.

Lines come in the order that the OCR states. Running heads (柱), page numbers (ノンブル), readings
(ルビ) and advertisements go, also where only their repetition over pages tells them; lines become
paragraphs by indentation and by where sentences end, over columns and pages. How sure the OCR was
is in `metadata`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import XmlError, parse, tag
from corpus.text.builder import Builder
from corpus.text.orthography import orthography

LOW = 0.7  # confidence below which a line counts as unsure
EDGE = 0.12  # of the page: where running heads and page numbers stand
REPEATED = 3  # pages
INDENT, SHORT = 0.6, 1.5  # of a character: a line that begins later, or ends earlier
APART = 3.0  # of a line's thickness: lines further apart are not beside each other
LONG = 8  # characters: shorter lines in other columns are cells, not sentences that go on
TABLE = "表組"  # its cells are lines of one paragraph: their columns are not known
_GONE = frozenset(("柱", "ノンブル", "ルビ", "広告文字", "広告", "図版"))
_HEADINGS = frozenset(("タイトル本文", "見出し"))
_CAPTIONS = frozenset(("キャプション",))
_END = re.compile(r"[。．！？!?」』）)]$")
_DIGITS = re.compile(r"[0-9０-９一二三四五六七八九十〇百]+")
_LATIN, _LATIN_END = re.compile("[A-Za-z]"), re.compile(r"[A-Za-z0-9,.]$")
_NUMBER = re.compile(r"[\s\-—–・.()（）]*[0-9０-９一二三四五六七八九十〇百]{1,5}[\s\-—–・.()（）]*")


class Line(NamedTuple):
    """A line of the page: what it is, where it stands (pixels), what it says, how sure that is."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    text: str
    confidence: float
    block: int  # lines of one block of text
    vertical: bool

    @property
    def begin(self) -> float:
        return self.y if self.vertical else self.x

    @property
    def end(self) -> float:
        return self.begin + (self.height if self.vertical else self.width)

    @property
    def size(self) -> float:
        """Size of a character."""
        return max((self.end - self.begin) / max(len(self.text), 1), 1.0)


class Page(NamedTuple):
    width: float
    height: float
    lines: list[Line]


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
    tables = [
        tuple(_float(e, key) for key in ("X", "Y", "WIDTH", "HEIGHT"))
        for e in page.iter("BLOCK")
        if e.get("TYPE") == TABLE
    ]
    ordered = [
        line._replace(kind=TABLE) if any(_inside(line, *table) for table in tables) else line
        for _, _, line in sorted(lines, key=lambda entry: entry[:2])
    ]
    return Page(_float(page, "WIDTH"), _float(page, "HEIGHT"), ordered)


def _inside(line: Line, x: float, y: float, width: float, height: float) -> bool:
    across, down = line.x + line.width / 2 - x, line.y + line.height / 2 - y
    return 0 < across < width and 0 < down < height and line.kind not in _GONE


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
        pages.append(Page(width, height, lines))
    return pages


def running_heads(pages: Sequence[Page]) -> set[str]:
    """What stands at the edge of REPEATED pages and more, digits aside."""
    seen = Counter(
        words
        for page in pages
        for words in {_key(line) for line in page.lines if _at_edge(line, page)}
    )
    return {words for words, count in seen.items() if words and count >= REPEATED}


def _key(line: Line) -> str:
    return _DIGITS.sub("#", re.sub(r"\s", "", line.text))


def _at_edge(line: Line, page: Page) -> bool:
    """Whether the line stands at the head or foot of the page, or in the outer margin of one that
    is set in columns of vertical lines."""
    if not page.height:
        return False
    middle = (line.y + line.height / 2) / page.height
    return middle < EDGE or middle > 1 - EDGE


def _stays(line: Line, page: Page, heads: set[str]) -> bool:
    if line.kind in _GONE or not line.text.strip():
        return False
    if not _at_edge(line, page):
        return True
    return _key(line) not in heads and not _NUMBER.fullmatch(line.text)


def paragraphs(lines: Sequence[Line]) -> Iterator[tuple[str, str]]:
    """(kind, text) of each paragraph, of lines in reading order."""
    kind, words = "", ""
    for k, line in enumerate(lines):
        last = lines[k - 1] if k else None
        below = lines[k + 1] if k + 1 < len(lines) else None
        if last is not None and line.kind == last.kind == TABLE:
            words += "\n" + line.text.strip()
            continue
        if last is None or line.kind != last.kind or _begins(last, line, below, words):
            if words:
                yield kind, words
            kind, words = line.kind, ""
        gap = " " if _LATIN_END.search(words) and _LATIN.match(line.text) else ""
        words += gap + line.text.strip()
    if words:
        yield kind, words


def _begins(last: Line, line: Line, below: Line | None, words: str) -> bool:
    """Whether a line begins a paragraph. words: what the paragraph before has so far.

    Beside its neighbours it is indented, or the line before ended a sentence and stopped short.
    Over columns and pages a sentence that is not ended goes on, between lines of some length.
    """
    ended = bool(_END.search(words))
    inward = below is not None and _adjacent(line, below) and _inward(line, below)
    if line.text.startswith("　") or inward:
        return True
    if not _adjacent(last, line):
        return ended or min(len(last.text), len(line.text)) < LONG
    furthest = max(x.end for x in (last, line, below or line) if _adjacent(line, x) or x is line)
    short = furthest - last.end > SHORT * last.size
    return (ended or short) and (short or _inward(line, last))


def _inward(line: Line, other: Line) -> bool:
    return line.begin - other.begin > INDENT * line.size


def _adjacent(one: Line, other: Line) -> bool:
    """Whether two lines of a block stand beside each other and share most of their room."""
    if one.block != other.block or one.vertical != other.vertical:
        return False
    apart = abs(one.x - other.x) if one.vertical else abs(one.y - other.y)
    thick = max(min(one.width, one.height), min(other.width, other.height))
    shared = min(one.end, other.end) - max(one.begin, other.begin)
    return apart < APART * thick and 2 * shared > min(one.end - one.begin, other.end - other.begin)


SOURCE = Source("ndl", (), read, bundled=True, knows=is_ndl)
