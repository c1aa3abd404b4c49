"""Articles: JATS (NISO Z39.96) as J-STAGE, PubMed Central and publishers give it.

Titles and abstracts in every language that is there, sections, lists, tables, formulas and captions
in reading order; notes and the list of references are left out. Who wrote it, journal, DOI, dates
and the licence of the article are facts.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import partial

from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import MAX_DEPTH, XmlError, child_text, children, parse, tag, text
from corpus.text.blocks import UNREAD
from corpus.text.builder import Builder, Cell, Prose, formula, spread
from corpus.text.ruby import with_ruby
from corpus.web.html.formulas import tex
from corpus.web.rights.page import licence_class

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
XLINK = "{http://www.w3.org/1999/xlink}href"
_DROPPED = frozenset(
    ("fn", "fn-group", "ref-list", "object-id", "permissions", "label", "sec-meta")
)
_BLOCKS = frozenset((
    "p", "sec", "list", "table-wrap", "fig", "disp-formula", "disp-quote", "boxed-text", "def-list",
    "code", "preformat", "title", "abstract", "trans-abstract", "statement", "ack", "app",
    "fig-group", "verse-group", "body", "back", "app-group", "disp-formula-group", "alternatives",
    "caption",
))  # fmt: skip
_SECTIONS = ("sec", "abstract", "trans-abstract", "ack", "app", "boxed-text", "statement")
_SPACE = re.compile(r"(?<![ \t])[ \t]*\n[ \t\n]*")
_BETWEEN_MARKS = re.compile(r"[\s,，、;；・‐\-―–−~〜～()（）［］\]]*")
_BRACKETS = re.compile(r"[()（）［］\]]")
_SET_WIDE = re.compile("[\u3040-\u9fff](?:\\s+[\u3040-\u9fff])+")  # 緒　言, as print sets it
_MATH = "math"


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """An article per file."""
    return filled(unit, settings, "article", _fill)


def is_article(head: bytes) -> bool:
    """Whether the beginning of a file is that of a JATS article."""
    return bool(re.search(rb"<article[\s>]", head)) and bool(
        re.search(rb"<(?:front|journal-meta|article-meta)[\s>]|JATS|//NLM//DTD", head)
    )


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    root = parse(body)
    article = root if tag(root) == "article" else next(root.iter("{*}article"), None)
    if article is None:
        raise XmlError("no element article")
    meta = next(article.iter("{*}article-meta"), article)
    item.source = "articles"
    language = article.get(LANGUAGE, "en")[:2]
    titles = [t for t in meta.iter("{*}article-title", "{*}trans-title") if not _in_reference(t)]
    for title in titles:  # what a title refers to are notes
        etree.strip_elements(title, "{*}xref", "{*}fn", with_tail=False)
    names = [" ".join(" ".join(map(_without_readings, _with_subtitles(t))).split()) for t in titles]
    item.title = _own_title(titles, names, language)
    item.author = "; ".join(filter(None, (_name(c, language) for c in meta.iter("{*}contrib"))))
    item.date = _date(meta)
    item.licence = next(filter(None, map(_licence, meta.iter("{*}license"))), "")
    item.metadata = _facts(article, meta)
    if doi := item.metadata.get("doi"):
        item.url = f"https://doi.org/{doi}"
    writer = _Writer(Builder(settings.normalize.steps), settings.harvest.ruby)
    for title in titles:
        parts = [part for t in _with_subtitles(title) for part in (*writer.inline(t), " ")]
        writer.out.heading(1 if tag(title) == "article-title" else 2, *parts)
    for part in meta.iter("{*}abstract", "{*}trans-abstract"):
        writer.write(part, 2, 0)
    for keywords in meta.iter("{*}kwd-group"):
        words = [" ".join(text(k).split()) for k in keywords.iter("{*}kwd")]
        if words:
            writer.out.definition(child_text(keywords, "title") or "キーワード", "、".join(words))
    for name in ("body", "back"):
        for part in children(article, name):
            writer.write(part, 2, 0)
    item.text, item.blocks = writer.out.done()
    return [item]


def _without_readings(element: etree._Element) -> str:
    element = copy.deepcopy(element)
    etree.strip_elements(element, "{*}rt", "{*}rp", with_tail=False)
    return text(element)


def _own_title(titles: list[etree._Element], names: list[str], language: str) -> str:
    """The title in the article's language, where one says that it is; else the first."""
    for title, name in zip(titles, names, strict=True):
        around = title.getparent()
        stated = title.get(LANGUAGE, "")
        if not stated and tag(title) == "trans-title" and around is not None:
            stated = around.get(LANGUAGE, "")
        if stated[:2] == language and name:
            return name
    return names[0] if names else ""


def _in_reference(element: etree._Element) -> bool:
    parent = element.getparent()
    return parent is not None and tag(parent) in ("element-citation", "mixed-citation", "product")


def _with_subtitles(title: etree._Element) -> Iterator[etree._Element]:
    yield title
    for element in title.itersiblings():
        if tag(element) not in ("subtitle", "trans-subtitle"):
            return
        yield element


def _name(contributor: etree._Element, language: str) -> str:
    """The author's name, family name first as Japanese write it; "" for another contributor.

    Of names in several languages that of the article's language, or the first.
    """
    if contributor.get("contrib-type", "author") != "author":
        return ""
    first = next(contributor.iter("{*}name", "{*}string-name"), None)
    if first is None:
        return child_text(contributor, "collab")
    others = first.itersiblings("{*}name", "{*}string-name")
    name = next((n for n in (first, *others) if n.get(LANGUAGE, "")[:2] == language), first)
    parts = [child_text(name, "surname"), child_text(name, "given-names")]
    return " ".join(filter(None, parts)) or " ".join(text(name).split())


def _date(meta: etree._Element) -> str:
    """ISO 8601 date of the first publication, as exact as it is stated.

    That of the collection (a volume's year) only where there is no other.
    """
    dates = []
    for element in meta.iter("{*}pub-date"):
        parts = [child_text(element, name) for name in ("year", "month", "day")]
        if parts[0].isdigit():
            known = [parts[0].zfill(4)]
            for part in parts[1:]:
                if not (part.isascii() and part.isdigit()):
                    break
                known.append(part.zfill(2))
            collection = "collection" in (element.get("pub-type"), element.get("date-type"))
            dates.append((collection, "-".join(known)))
    # "~" sorts behind digits: of dates in a year the exact one comes first.
    return min(dates, key=lambda d: (d[0], d[1].ljust(10, "~")), default=(False, ""))[1]


def _licence(element: etree._Element) -> str:
    links = [element.get(XLINK, ""), *(e.get(XLINK, "") for e in element.iter("{*}ext-link"))]
    links += [text(e).strip() for e in element.iter("{*}license_ref")]
    return next(filter(None, map(licence_class, filter(None, links))), "")


def _facts(article: etree._Element, meta: etree._Element) -> dict[str, str]:
    facts = {
        "journal": " ".join(text(next(article.iter("{*}journal-title"), None)).split()),
        "volume": child_text(meta, "volume"),
        "issue": child_text(meta, "issue"),
        "type": article.get("article-type", ""),
    }
    for element in meta.iter("{*}article-id"):
        facts.setdefault(element.get("pub-id-type", "id"), text(element).strip())
    return {name: value for name, value in facts.items() if value}


class _Writer:
    """Writes the elements of an article as blocks."""

    def __init__(self, builder: Builder, ruby: str) -> None:
        self.out, self.ruby = builder, ruby

    def write(self, element: etree._Element, level: int, depth: int) -> None:
        """The blocks of an element. level: of its headings; depth: of the lists around it."""
        if level > MAX_DEPTH:
            raise XmlError("nested too deeply")
        name = tag(element)
        if name in _DROPPED:
            return
        if name == "title":
            self.out.heading(level, *self.inline(element))
        elif name in _SECTIONS:
            self._section(element, level, depth)
        elif name == "list":
            self._list(element, level, depth + 1)
        elif name == "def-list":
            for entry in children(element, "def-item"):
                term = next(children(entry, "term"), None)
                value = self.inline(next(children(entry, "def"), entry))
                self.out.definition(" ".join(text(term).split()), *value)
        elif name == "table-wrap":
            self._captioned(element)
            for table in element.iter("{*}table"):
                self._table(table)
            for foot in children(element, "table-wrap-foot"):
                self._foot(foot)
        elif name in ("fig", "fig-group"):
            for part in element.iter("{*}fig-group", "{*}fig"):
                self._captioned(part)
        elif name == "disp-formula":
            if words := _formula(element):
                number = _label(element).strip(" ()（）")
                self.out.formula(words + (f" \\tag{{{number}}}" if number else ""))
        elif name in ("disp-quote", "verse-group"):
            lines = [self.inline(line) for line in element if tag(line) in ("p", "verse-line")]
            parts = [part for k, line in enumerate(lines) for part in ("\n" * bool(k), *line)]
            self.out.quote(*parts)
        elif name in ("code", "preformat"):
            self.out.code(text(element), element.get("language", ""))
        elif any(tag(child) in _BLOCKS for child in element):
            self._mixed(element, level, depth)
        else:
            self.out.paragraph(*self.inline(element))

    def _section(self, element: etree._Element, level: int, depth: int) -> None:
        title = next(children(element, "title"), None)
        words = [] if title is None else self.inline(title)
        if len(words) == 1 and isinstance(words[0], str) and _SET_WIDE.fullmatch(words[0].strip()):
            words = ["".join(words[0].split())]
        self.out.heading(level, _label(element), *words)
        for child in element:
            if child is not title:
                self.write(child, level + 1, depth)

    def _mixed(
        self,
        element: etree._Element,
        level: int,
        depth: int,
        put: Callable[..., None] | None = None,
    ) -> None:
        """Words and blocks side by side: the words between blocks are paragraphs.

        put: what the words before the first block are instead.
        """
        put = put or self.out.paragraph
        parts: list[Prose] = [_squeezed(element.text)]
        for child in element:
            if tag(child) in _BLOCKS:
                put(*parts)
                parts, put = [], self.out.paragraph
                self.write(child, level, depth)
            else:
                parts += self._of(child)
            parts.append(_squeezed(child.tail))
        put(*parts)

    def _list(self, element: etree._Element, level: int, depth: int) -> None:
        number = 1 if element.get("list-type") in ("order", "number") else None
        for entry in children(element, "list-item"):
            first = True
            for child in entry:
                if tag(child) == "list":
                    self._list(child, level, depth + 1)
                elif tag(child) == "p" and first:
                    own = () if number else (_label(entry),)
                    put = partial(self.out.item, *own, depth=depth, number=number)
                    self._mixed(child, level, depth, put)
                    first = False
                else:
                    self.write(child, level, depth)
            number = None if number is None else number + 1

    def _captioned(self, element: etree._Element) -> None:
        for caption in children(element, "caption"):
            parts = [part for child in caption for part in (*self.inline(child), " ")]
            self.out.caption(_label(element), *parts)

    def _foot(self, element: etree._Element) -> None:
        """The notes below a table."""
        for note in element:
            if tag(note) == "fn-group":
                self._foot(note)
            elif tag(note) in ("fn", "p", "attrib"):
                self.out.caption(_label(note), *self.inline(note))

    def _table(self, table: etree._Element) -> None:
        self.out.table(spread(self._cells(row) for row in table.iter("{*}tr")))

    def _cells(self, row: etree._Element) -> Iterator[Cell]:
        for cell in row:
            if tag(cell) in ("td", "th"):
                yield Cell(self.inline(cell), cell.get("colspan", ""), cell.get("rowspan", ""))

    def inline(self, element: etree._Element) -> list[Prose]:
        """The words inside an element, with formulas, powers and indices."""
        parts: list[Prose] = [_squeezed(element.text)]
        for child in element:
            parts += [*self._of(child), _squeezed(child.tail)]
        return [part for part in parts if part]

    def _of(self, element: etree._Element) -> list[Prose]:
        name = tag(element)
        if name == "xref":
            words = _reference(element)
            return [f"[{words}]"] if words else self.inline(element)
        if name == "fn" and (words := _label(element).strip()):
            return [f"[{words}]"]
        if name in _DROPPED:
            return []
        if name == "ruby":
            base = "".join(text(part) for part in element.iter("{*}rb"))
            reading = "".join(text(part) for part in element.iter("{*}rt"))
            return [with_ruby(base, reading, self.ruby)]
        if name in ("inline-formula", "disp-formula", _MATH, "tex-math"):
            words = _formula(element)
            return [formula(words)] if words else [UNREAD]
        if name in ("sup", "sub"):
            inside = self.inline(element)
            if marks := _marks(inside):
                return marks
            return ["^{" if name == "sup" else "_{", *inside, "}"] if inside else []
        if name == "break":
            return ["\n"]
        return self.inline(element)


def _label(element: etree._Element) -> str:
    """The number or sign that an element bears, parted from the words behind it; "" without."""
    label = " ".join(child_text(element, "label").split())
    return label if label[-1:] in "．）：" else f"{label} "


def _reference(element: etree._Element) -> str:
    """The words of a mark that stands for a note or a reference; "" for a link to a section."""
    words = "".join(text(element).split()).strip("[]()（）")
    return words if element.get("ref-type") in ("bibr", "fn", "table-fn") else ""


def _marks(parts: list[Prose]) -> list[Prose]:
    """The marks of references that a superscript consists of, without brackets around them."""
    words = [part for part in parts if isinstance(part, str)]
    between = "".join(part for part in words if not part.startswith("["))
    if len(words) < len(parts) or not _BETWEEN_MARKS.fullmatch(between):
        return []
    marked = any(part.startswith("[") for part in words)
    return [p if p[:1] == "[" else _BRACKETS.sub("", p) for p in words] if marked else []


def _formula(element: etree._Element) -> str:
    """TeX of a formula: its own, or of its MathML; "" where there is neither."""
    for own in element.iter("{*}tex-math"):
        words = re.sub(r"(?s)^.*\\begin\{document\}|\\end\{document\}.*$", "", text(own)).strip()
        for sign in ("$$", "$"):
            if words.startswith(sign) and words.endswith(sign):
                words = words[len(sign) : -len(sign)].strip()
        if words:
            return words
    for own in element.iter(f"{{*}}{_MATH}"):
        if words := tex(etree.tostring(own, encoding="unicode", with_tail=False)):
            return words
    return ""


def _squeezed(words: str | None) -> str:
    """Words between tags; line feeds of the file are blanks, or nothing inside Japanese."""
    if not words or "\n" not in words:
        return words or ""
    return _SPACE.sub(lambda m: "" if _between_japanese(words, m) else " ", words)


def _between_japanese(words: str, found: re.Match[str]) -> bool:
    before, after = words[: found.start()][-1:], words[found.end() :][:1]
    return before > "\u2fff" or after > "\u2fff"


SOURCE = Source("articles", (), read, bundled=True, knows=is_article)
