"""Patents: gazettes of the Japan Patent Office as XML (ST.36 shape and WIPO ST.96), or as text.

A gazette is a document: 要約, 特許請求の範囲 and the description, whose sections get the headings
that the office prints over them. Claims and paragraphs keep their numbers 【請求項1】 【0001】, as
texts refer to them. Tables that are tables stay so; formulas are TeX where MathML is there; what
is an image only is named: 〔表1〕 〔化1〕 〔図〕, a formula 【数1】〈数式〉. Drawings, amendments,
search reports and sequence listings are left out. Full texts with 【】 marks (exports, NTCIR's
SGML) are read by corpus.text.gazette, wherever they stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import MAX_DEPTH, XmlError, parse, squeezed, text
from corpus.text import gazette
from corpus.text.blocks import UNREAD
from corpus.text.builder import Builder, Cell, Prose, formula, spread
from corpus.web.charset import decode, gate
from corpus.web.html.formulas import tex

# Names of ST.36 without hyphens and of ST.96 in lower case are mostly the same. Section → heading.
_SECTIONS = {
    "abstract": "要約", "claims": "特許請求の範囲", "description": "発明の詳細な説明",
    "technicalfield": "技術分野", "backgroundart": "背景技術", "citationlist": "先行技術文献",
    "citationbag": "先行技術文献", "patentliterature": "特許文献", "patentcitationbag": "特許文献",
    "nonpatentliterature": "非特許文献", "nplcitationbag": "非特許文献",
    "disclosure": "発明の開示", "summaryofinvention": "発明の概要",
    "inventionsummary": "発明の概要",
    "techproblem": "発明が解決しようとする課題", "technicalproblem": "発明が解決しようとする課題",
    "techsolution": "課題を解決するための手段", "technicalsolution": "課題を解決するための手段",
    "advantageouseffects": "発明の効果", "inventionadvantageouseffects": "発明の効果",
    "descriptionofdrawings": "図面の簡単な説明", "drawingdescription": "図面の簡単な説明",
    "descriptionofembodiments": "発明を実施するための形態",
    "embodimentdescription": "発明を実施するための形態",
    "modeforinvention": "発明を実施するための形態",
    "bestmode": "発明を実施するための最良の形態", "embodimentsexample": "実施例",
    "embodimentexample": "実施例", "industrialapplicability": "産業上の利用可能性",
    "referencesignslist": "符号の説明", "referencesignbag": "符号の説明",
    "referencetodepositedbiologicalmaterial": "受託番号",
    "sequencelisttext": "配列表フリーテキスト", "sequencelistfreetext": "配列表フリーテキスト",
}  # fmt: skip
_LEVELS = {"abstract": 2, "claims": 2, "description": 2, "patentliterature": 4,
           "patentcitationbag": 4, "nonpatentliterature": 4, "nplcitationbag": 4,
           "techproblem": 4, "technicalproblem": 4, "techsolution": 4, "technicalsolution": 4,
           "advantageouseffects": 4, "inventionadvantageouseffects": 4}  # fmt: skip
_DROPPED = ("drawings", "sequencelist", "sequencelistbag", "inventiontitle", "writtenamendmentbag",
            "writtenamendment", "searchreport", "claimnumber", "figurenumber")  # fmt: skip
_NAMED = {"tables": "表", "table": "表", "tablebag": "表", "maths": "数", "math": "数",
          "mathbag": "数", "chemistry": "化", "chemicalformulae": "化", "chemicalformula": "化",
          "chemistrybag": "化", "img": "図", "image": "図", "imagebag": "図"}  # fmt: skip
_CITED = {"patcit": "特許文献", "patentcitation": "特許文献",
          "nplcit": "非特許文献", "nplcitation": "非特許文献"}  # fmt: skip
_FIGURES = ("figref", "figurereference")
_BLOCKS = frozenset((*_SECTIONS, *_NAMED, *_CITED, "p", "claim", "heading", *_DROPPED))
_ROOT = re.compile(
    rb"<(?:jp-official-gazette|(?:\w+:)?(?:Unexamined|Registered|International)"
    rb"(?:Patent|UtilityModel)Publication|(?:\w+:)?application-body)[\s>]"
)
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A gazette per file."""
    return filled(unit, settings, "patent", _fill)


def is_patent(head: bytes) -> bool:
    """Whether the beginning of a file is that of a gazette in XML."""
    return bool(_ROOT.search(head[:4000]))


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    item.source = "patents"
    if not re.match(rb"[\xef\xbb\xbf\s]*<\?xml|\s*<(?:jp-off|\w+:)", body):
        words = decode.decode(body, "", gate.evidence(body)).text
        if not gazette.is_gazette(words):
            raise XmlError("neither XML nor a text with 【特許請求の範囲】")
        found = gazette.read(words, settings.normalize.steps)
        item.title, item.author, item.date = found.title, found.author, found.date
        item.text, item.blocks, item.metadata = found.text, found.blocks, found.metadata
        return [item]
    root = parse(body)
    item.title, item.author, item.date, item.metadata = _facts(root)
    writer = _Writer(Builder(settings.normalize.steps))
    writer.out.heading(1, item.title)
    parts = _parts(root)
    if not parts["claims"] and not parts["description"]:
        item.skip = "no full text"
        return [item]
    for sections in parts.values():
        for section in sections:
            writer.write(section, 0)
    item.text, item.blocks = writer.out.done()
    return [item]


def _name(element: etree._Element) -> str:
    """The name of an element as both standards have it: no namespace, no hyphens, lower case."""
    return _local(element.tag)


@functools.lru_cache(maxsize=4096)
def _local(name: object) -> str:
    return name.rpartition("}")[2].replace("-", "").lower() if isinstance(name, str) else ""


def _parts(root: etree._Element) -> dict[str, list[etree._Element]]:
    """Abstract, claims and description that are the gazette's own: none inside an amendment."""
    found: dict[str, list[etree._Element]] = {"abstract": [], "claims": [], "description": []}
    waiting = [root]
    while waiting:
        element = waiting.pop()
        own = _name(element)
        if own in found:
            found[own].append(element)
        elif "amend" not in own and own not in _DROPPED:
            waiting.extend(reversed(element))
    return found


# facts --------------------------------------------------------------------------------------------


def _facts(root: etree._Element) -> tuple[str, str, str, dict[str, str]]:
    """(title, inventors, ISO date of publication, the rest)."""
    biblio = next(
        (e for e in root.iter(etree.Element) if _name(e).endswith("bibliographicdata")), root
    )
    titles = [" ".join(text(e).split()) for e in root.iter(etree.Element) if
              _name(e) == "inventiontitle"]  # fmt: skip
    published, applied = _documents(biblio, "publication"), _documents(biblio, "application")
    facts = {
        "publication_number": gazette.number(published[0]),
        "application_number": gazette.number(applied[0]),
        "filed": applied[1],
        "applicants": "; ".join(_people(biblio, "applicant")),
        "ipc": _ipc(_classes(biblio, ("classificationipc", "ipcclassification"))),
        "fi": "; ".join(_classes(biblio, ("classificationnational", "nationalclassification"))),
        "kind": biblio.get("kind-of-jp") or root.get("kind-of-jp") or _gazette_kind(root),
    }
    inventors = "; ".join(_people(biblio, "inventor"))
    title = next(filter(None, titles), "")
    return title, inventors, published[1], {name: v for name, v in facts.items() if v}


def _gazette_kind(root: etree._Element) -> str:
    name = _name(root)
    return {"unexamined": "A", "registered": "B", "international": "A"}.get(
        next((k for k in ("unexamined", "registered", "international") if name.startswith(k)), ""),
        "",
    )


def _documents(biblio: etree._Element, what: str) -> tuple[str, str]:
    """(number, ISO date) of the publication or application."""
    places = {f"{what}reference", f"patent{what}identification", f"{what}identification"}
    for element in biblio.iter(etree.Element):
        if _name(element) in places:
            number = date = ""
            for part in element.iter(etree.Element):
                own = _name(part)
                if own in ("docnumber", "publicationnumber", "applicationnumbertext"):
                    number = number or text(part).strip()
                elif own in ("date", "publicationdate", "filingdate"):
                    date = date or _date(text(part))
            return number, date
    return "", ""


def _date(words: str) -> str:
    digits = re.sub(r"[-/.\s]", "", words)
    found = re.fullmatch(r"(\d{4})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", digits)
    return "-".join(found.groups()) if found else ""


def _people(biblio: etree._Element, role: str) -> list[str]:
    """Names of the applicants or inventors, each once."""
    names = []
    for element in biblio.iter(etree.Element):
        if _name(element) == role:
            own = (e for e in element.iter(etree.Element) if _name(e) in ("name", "entityname"))
            names += [words for e in own if not len(e) and (words := " ".join(text(e).split()))]
    return list(dict.fromkeys(names))


def _classes(biblio: etree._Element, places: Iterable[str]) -> list[str]:
    found = (e for e in biblio.iter(etree.Element) if _name(e) in places)
    leaves = (leaf for e in found for leaf in e.iter(etree.Element) if not len(leaf))
    named = (leaf for leaf in leaves if re.search("clsf|classification", _name(leaf)))
    return list(dict.fromkeys(" ".join(text(leaf).split()) for leaf in named if text(leaf).strip()))


def _ipc(classes: Iterable[str]) -> str:
    """The symbols alone; what has none of the usual shape as it stands."""
    found = (symbol for words in classes for symbol in gazette.symbols(words) or [words])
    return "; ".join(dict.fromkeys(found))


# text ---------------------------------------------------------------------------------------------


class _Writer:
    """Writes the elements of a gazette as blocks."""

    def __init__(self, builder: Builder) -> None:
        self.out = builder
        self.lead = ""  # a number that waits for the words behind it

    def write(self, element: etree._Element, depth: int) -> None:
        """The blocks of an element."""
        if depth > MAX_DEPTH:
            raise XmlError("nested too deeply")
        name = _name(element)
        if name in _DROPPED:
            return
        if name in _SECTIONS:
            self.out.heading(_LEVELS.get(name, 3), _SECTIONS[name])
            self._mixed(element, depth)
        elif name == "heading":
            self.out.heading(4, text(element).strip("【】 \n\t　"))
        elif name == "claim":
            number = element.get("num") or _number(element) or "?"
            self.lead += f"【請求項{number.lstrip('0') or number}】"
            self._mixed(element, depth)
        elif name in _CITED:
            self.out.item(self._led(f"【{_CITED[name]}{_number(element)}】"), *self.line(element))
        elif name in _NAMED:
            self._thing(element, name)
        elif name == "p":
            number = _number(element)
            self.lead += f"【{number.zfill(4).translate(_WIDE)}】" if number else ""
            self._mixed(element, depth)
            self.lead = ""
        else:
            self._mixed(element, depth)

    def _led(self, words: str = "") -> str:
        """The words behind the number that waits for them."""
        lead, self.lead = self.lead, ""
        return lead + words

    def _mixed(self, element: etree._Element, depth: int) -> None:
        """Words and blocks side by side: the words between blocks are paragraphs."""
        parts: list[Prose] = [squeezed(element.text)]
        for child in element:
            name = _name(child)
            if name in _FIGURES and _number(child) and text(child).strip() and not _said(parts):
                self._put(parts)
                parts = []
                self.out.item(self._led(f"【図{_number(child)}】"), *self.line(child))
            elif name in _BLOCKS or self._holds_blocks(child):
                self._put(parts)
                parts = []
                self.write(child, depth + 1)
            else:
                parts += self._of(child)
            parts.append(squeezed(child.tail))
        self._put(parts)

    def _holds_blocks(self, element: etree._Element) -> bool:
        return len(element) > 0 and any(_name(child) in _BLOCKS for child in element.iter())

    def _put(self, parts: list[Prose]) -> None:
        if _said(parts):
            self.out.paragraph(self._led(), *parts)

    def _thing(self, element: etree._Element, name: str) -> None:
        """A table, formula or image: as what it is, else by its name."""
        rows = [e for e in element.iter(etree.Element) if _name(e) in ("row", "tr")]
        named = f"{_NAMED[name]}{_number(element)}"
        if name not in ("tables", "table", "tablebag") or not rows:
            for own in element.iter("{*}math"):
                if words := tex(etree.tostring(own, encoding="unicode", with_tail=False)):
                    self.out.formula(words)
                    return
            is_formula = _NAMED[name] == "数"
            self.out.paragraph(self._led(_unread(element)) if is_formula else f"〔{named}〕")
            return
        if _number(element):
            self.out.caption(f"【{named}】")
        self.out.table(spread(map(self._cell, self._cells(row)) for row in rows))

    def _cells(self, row: etree._Element) -> list[etree._Element]:
        return [cell for cell in row if _name(cell) in ("entry", "td", "th")]

    def _cell(self, cell: etree._Element) -> Cell:
        rows = cell.get("rowspan", "")
        if (more := cell.get("morerows", "")).isascii() and more.isdigit():
            rows = str(min(int(more[:4]) + 1, 1000))
        return Cell(self.line(cell), cell.get("colspan", ""), rows)

    def line(self, element: etree._Element, depth: int = 0) -> list[Prose]:
        """The words of an element, with powers, indices and names of what is an image."""
        if depth > MAX_DEPTH:
            raise XmlError("nested too deeply")
        parts: list[Prose] = [squeezed(element.text)]
        for child in element:
            parts += [*self._of(child, depth + 1), squeezed(child.tail)]
        return [part for part in parts if part]

    def _of(self, element: etree._Element, depth: int = 0) -> list[Prose]:
        name = _name(element)
        if name == "br":
            return ["\n"]
        if name in ("sup", "sub", "superscript", "subscript"):
            inside = self.line(element, depth)
            return ["^{" if name.startswith("sup") else "_{", *inside, "}"] if inside else []
        if name == "math":
            words = tex(etree.tostring(element, encoding="unicode", with_tail=False))
            return [formula(words)] if words else [_unread(element)]
        if name in _FIGURES and not text(element).strip():
            return [f"図{_number(element)}"]
        if name in _DROPPED:
            return []
        if name in _NAMED and not text(element).strip():
            if _NAMED[name] == "数":
                return [_unread(element)]
            return [f"〔{_NAMED[name]}{_number(element)}〕"]
        return self.line(element, depth)


def _unread(element: etree._Element) -> str:
    """What stands for a formula that is only an image: 【数1】〈数式〉."""
    number = _number(element)
    return f"【数{number}】{UNREAD}" if number else UNREAD


def _number(element: etree._Element) -> str:
    """The number that an element has as an attribute, or as a child; at most nine digits."""
    own = next((str(v) for k, v in element.attrib.items() if _is_number(str(k))), "")
    if not own:
        own = next((text(c) for c in element if _name(c).endswith("number")), "")
    own = own.strip()
    return own[:9] if own.isascii() and own.isdigit() else ""


def _is_number(attribute: str) -> bool:
    return attribute.rpartition("}")[2] in ("num", "pNumber", "sequenceNumber", "number")


def _said(parts: list[Prose]) -> bool:
    """Whether there are words already."""
    return any(not isinstance(p, str) or p.strip() for p in parts)


SOURCE = Source("patents", (".sgm", ".sgml"), read, bundled=True, knows=is_patent)
