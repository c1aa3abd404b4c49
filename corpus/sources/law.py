"""Statutes of Japan: e-Gov's XML (standard law XML) and the JSON of its law API, version 2.

A file is a statute. Titles of parts to divisions and captions of articles are headings, articles
and paragraphs are paragraphs, items and what is below them are items, tables are tables; numbers
stand in front of what they number. Everything else keeps its words, in order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from corpus.settings import Settings
from corpus.sources.inputs import inner_name
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import MAX_DEPTH, XmlError, child_text, children, parse, tag, text
from corpus.text.blocks import UNREAD
from corpus.text.builder import Builder, Cell, Prose, spread
from corpus.text.ruby import with_ruby

LICENCE = "Art-13"  # Copyright Act, article 13: statutes are not protected
ADDRESS = "https://laws.e-gov.go.jp/law/"
_ERAS = {"Meiji": 1867, "Taisho": 1911, "Showa": 1925, "Heisei": 1988, "Reiwa": 2018}
_DIVISIONS = ("PartTitle", "ChapterTitle", "SectionTitle", "SubsectionTitle", "DivisionTitle")
_TITLES = {
    "SupplProvisionLabel": 2, "AppdxTableTitle": 2, "AppdxNoteTitle": 2, "AppdxStyleTitle": 2,
    "AppdxFormatTitle": 2, "AppdxFigTitle": 2, "ArithFormulaNum": 2, "TOCLabel": 2,
    "EnactStatement": 0, "LawNum": 0,
}  # fmt: skip
_CAPTIONS = ("ArticleCaption", "ParagraphCaption")
_ITEM = re.compile(r"Item|Subitem(\d+)")
_INLINE = frozenset(("Ruby", "Rt", "Sup", "Sub", "Line", "Sentence", "Column", "QuoteStruct"))
# 405AC0000000088_20240401_504AC0100000052: the law (3 digits of era and year, then 12), a version
_NAME = re.compile(
    r"(?<![^\W_])(\d{3}[A-Z][A-Z0-9]{11})(?:_(\d{8})_(?:\d{3}[A-Z][A-Z0-9]{11}))?(?![^\W_])"
)
_RESERVED = ("law_full_text", "lawFullText")


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A statute per file."""
    return filled(unit, settings, "statute", _fill)


def is_law(head: bytes) -> bool:
    """Whether the beginning of a file is that of a statute."""
    return bool(re.search(rb"<Law\s[^>]*\bLawType=|\"law_full_text\"\s*:", head))


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    law, facts = _law_of(body)
    body_of = next(children(law, "LawBody"), law)
    item.title = child_text(body_of, "LawTitle")
    item.source, item.licence = "law", LICENCE
    item.metadata = {
        "law_number": child_text(law, "LawNum"),
        "law_type": law.get("LawType", ""),
    } | facts
    item.date = item.metadata.pop("promulgated", "") or _promulgated(law)
    item.metadata = _named(item.file) | item.metadata
    if identity := item.metadata.get("law_id"):
        item.url = ADDRESS + identity
    builder = Builder(settings.normalize.steps)
    _Writer(builder, settings.harvest.ruby, _levels(law)).write(law)
    item.text, item.blocks = builder.done()
    return [item]


def _named(file: str) -> dict[str, str]:
    """What e-Gov's name of a file says: law id, and of a version its date and the amending law."""
    found = _NAME.search(inner_name(file).rpartition("/")[2])
    if found is None:
        return {}
    facts = {"law_id": found[1]}
    if day := found[2]:
        facts |= {"revision": found[0], "in_force": f"{day[:4]}-{day[4:6]}-{day[6:]}"}
    return facts


def _law_of(body: bytes) -> tuple[etree._Element, dict[str, str]]:
    """(the element Law, facts that stand beside it)."""
    if not body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
        root = parse(body)
        law = root if tag(root) == "Law" else next(root.iter("{*}Law"), None)
        if law is None:
            raise XmlError("no element Law")
        return law, {}
    answer = json.loads(body)
    info, revision = answer.get("law_info") or {}, answer.get("revision_info") or {}
    facts = {
        "law_id": info.get("law_id"),
        "promulgated": info.get("promulgation_date"),
        "category": revision.get("category"),
        "revision": revision.get("law_revision_id"),
        "amended": revision.get("amendment_promulgate_date"),
        "in_force": revision.get("amendment_enforcement_date"),
        "repealed": revision.get("repeal_date"),
    }
    law = _element(next(filter(None, map(answer.get, _RESERVED))), 0)
    return law, {name: value for name, value in facts.items() if value}


def _element(node: dict[str, Any], depth: int) -> etree._Element:
    """A node of the API's JSON as the element that it stands for."""
    if depth > MAX_DEPTH:
        raise XmlError("nested too deeply")
    attributes = {k: str(v) for k, v in (node.get("attr") or {}).items() if v is not None}
    element = etree.Element(node["tag"], attributes)
    last = None
    for child in node.get("children") or ():
        if isinstance(child, dict):
            last = _element(child, depth + 1)
            element.append(last)
        elif last is None:
            element.text = (element.text or "") + str(child)
        else:
            last.tail = (last.tail or "") + str(child)
    return element


def _promulgated(law: etree._Element) -> str:
    """ISO date of promulgation out of the attributes of Law; "" where one is missing."""
    try:
        year = _ERAS[law.get("Era", "")] + int(law.get("Year", ""))
        month, day = int(law.get("PromulgateMonth", "")), int(law.get("PromulgateDay", ""))
    except (KeyError, ValueError):
        return ""
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else ""


def _levels(law: etree._Element) -> dict[str, int]:
    """Level of the headings of each name: the divisions that the statute has from 2 on, captions of
    articles below the deepest."""
    own = [name for name in _DIVISIONS if next(law.iter(f"{{*}}{name}"), None) is not None]
    levels = {name: 2 + k for k, name in enumerate(own)}
    captions = dict.fromkeys(_CAPTIONS, min(2 + len(own), 6))
    return {"LawTitle": 1} | _TITLES | levels | captions


class _Writer:
    """Writes the elements of a statute as blocks."""

    def __init__(self, builder: Builder, ruby: str, levels: dict[str, int]) -> None:
        self.out, self.ruby, self.levels = builder, ruby, levels

    def write(self, element: etree._Element, lead: str = "", depth: int = 0) -> None:
        """The blocks of an element. lead: what stands before its first sentence."""
        if depth > MAX_DEPTH:
            raise XmlError("nested too deeply")
        name = tag(element)
        if name in self.levels:
            self._title(element, name)
        elif name.startswith("TOC") and name != "TOC":
            self._contents(element, 1)
        elif name == "TableStruct" or name == "Table":
            self._table(element)
        elif name in ("Fig", "ArithFormula") and not text(element).strip():
            self.out.paragraph("〔図〕" if name == "Fig" else UNREAD)
        elif (found := _ITEM.fullmatch(name)) or name in ("Article", "Paragraph", "List"):
            self._numbered(element, name, int(found[1] or 0) + 1 if found else 0, lead, depth)
        elif any(isinstance(child.tag, str) and tag(child) not in _INLINE for child in element):
            for child in element:
                self.write(child, "", depth + 1)
        elif line := self._line(element):
            self.out.paragraph(*line)

    def _title(self, element: etree._Element, name: str) -> None:
        line = self._line(element)
        if name == "SupplProvisionLabel" and (parent := element.getparent()) is not None:
            amends = parent.get("AmendLawNum", "")
            line = [*line, f"（{amends}）"] if amends else line
            # an extract: articles that only amend other acts are left out
            line = [*line, "　抄"] if parent.get("Extract") == "true" else line
        if level := self.levels[name]:
            self.out.heading(level, *line)
        else:
            self.out.paragraph(*line)

    def _contents(self, element: etree._Element, depth: int) -> None:
        """A line of the statute's own table of contents, and those below it."""
        own = [c for c in element if not tag(c).startswith("TOC")]
        self.out.item(*[part for child in own for part in self._line(child)], depth=depth)
        for child in element:
            if tag(child).startswith("TOC"):
                self._contents(child, min(depth + 1, 6))

    def _numbered(
        self, element: etree._Element, name: str, item_depth: int, lead: str, depth: int
    ) -> None:
        """An article, paragraph, item or list: its number before its first sentence."""
        number = lead
        for child in element:
            own = tag(child)
            if own in ("ArticleTitle", "ParagraphNum") or (own.endswith("Title") and item_depth):
                words = "".join(p for p in self._line(child) if isinstance(p, str))
                number += words and words + "　"
            elif own in _CAPTIONS:
                self._title(child, own)
            elif own.endswith("Sentence"):
                self._sentence(child, number, item_depth or (name == "List"))
                number = ""
            else:
                self.write(child, number, depth + 1)
                number = ""
        if number.strip():
            self._put([number], item_depth)

    def _sentence(self, element: etree._Element, number: str, item_depth: int) -> None:
        parts: list[Prose] = [number]
        # Tables and lists may stand inside a sentence: what is before them is written first.
        for child in element:
            if tag(child) in _INLINE:
                gap = "　" if tag(child) == "Column" and len(parts) > 1 else ""
                parts += [gap, *self._line(child)]
            else:
                self._put(parts, item_depth)
                parts = []
                self.write(child)
        if element.text and element.text.strip():
            parts.append(element.text)
        self._put(parts, item_depth)

    def _put(self, parts: list[Prose], item_depth: int) -> None:
        if any(parts):
            if item_depth:
                self.out.item(*parts, depth=item_depth)
            else:
                self.out.paragraph(*parts)

    def _table(self, element: etree._Element) -> None:
        for child in element:
            if tag(child) == "TableStructTitle":
                self.out.caption(*self._line(child))
            elif tag(child) == "Remarks":
                self.write(child)
        rows = element.iter("{*}TableRow", "{*}TableHeaderRow")
        self.out.table(spread(map(self._cell, row) for row in rows))

    def _cell(self, cell: etree._Element) -> Cell:
        parts: list[Prose] = []
        for child in cell.iter():
            if child is not cell and tag(child) in ("Sentence", "ItemTitle", "Fig"):
                words = self._line(child) or (["〔図〕"] if tag(child) == "Fig" else [])
                parts += [" "] * (bool(parts) and bool(words)) + words
        parts = parts or self._line(cell)
        return Cell(parts, cell.get("colspan", ""), cell.get("rowspan", ""))

    def _line(self, element: etree._Element) -> list[Prose]:
        """The words of an element, with its powers, indices and readings."""
        parts: list[Prose] = [element.text or ""]
        for child in element:
            name = tag(child)
            if name == "Ruby":
                base = "".join(filter(None, [child.text, *(c.tail for c in child)]))
                reading = "".join(text(c) for c in children(child, "Rt"))
                parts.append(with_ruby(base, reading, self.ruby))
            elif name in ("Sup", "Sub"):
                words = text(child)
                parts.append(f"{'^' if name == 'Sup' else '_'}{{{words}}}" if words else "")
            elif name in ("Fig", "ArithFormula") and not text(child).strip():
                parts.append("〔図〕" if name == "Fig" else UNREAD)
            else:
                gap = "　" if name == "Column" and any(parts) else ""
                parts += [gap, *self._line(child)]
            parts.append(child.tail or "")
        return [part for part in parts if isinstance(part, str) and part.strip("\n\r\t ")]


SOURCE = Source("law", (), read, bundled=True, knows=is_law)
