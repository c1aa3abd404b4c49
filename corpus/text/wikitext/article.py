"""An article of wikitext as blocks: headings, paragraphs, lists, tables, formulas, code, captions.

Of templates those that carry words are written (`templates`), an infobox is definitions, quotations
are quotes, and the others go and are counted. References, navigation, files without captions and
categories are no text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from corpus.text.blocks import Blocks
from corpus.text.builder import Builder, Cell, Prose, Verbatim, code, formula, spread
from corpus.text.wikitext.templates import quotation, words_shown
from corpus.text.wikitext.tree import (
    External,
    Heading,
    Link,
    Node,
    Nodes,
    Tag,
    Template,
    parse,
    source_of,
    split,
    words_of,
)

MAX_DEPTH = 30
CUT_SECTIONS = frozenset((
    "脚注", "注釈", "出典", "参考文献", "関連項目", "外部リンク", "注", "参照", "典拠", "関連書籍",
    "関連文献",
))  # fmt: skip
_FILES = ("ファイル", "file", "image", "画像", "media")
_CATEGORIES = ("category", "カテゴリ")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z\-]+)?")
_THUMB = ("thumb", "thumbnail", "サムネイル", "frame", "framed")  # with them a caption is shown
_IMAGE_OPTION = re.compile(
    r"(?:thumb|thumbnail|サムネイル|frame|framed|frameless|border|left|right|center|none|左|右|中央|なし"
    r"|upright.*|\d*(?:x\d+)?px|(?:alt|link|lang|page|class)=.*|baseline|middle|top|bottom)",
    re.IGNORECASE,
)
_INFOBOX = re.compile(r"(?:infobox|基礎情報|.*infobox$)", re.IGNORECASE)
_NO_FACT = re.compile(
    r"(?:画像|image|ロゴ|logo|map|色|color|サイズ|size|width|コード|code)", re.IGNORECASE
)
_MAX_FACT = 300  # characters of a parameter of an infobox; a longer one is no fact
_QUOTATIONS = frozenset(("quote", "quotation", "引用", "cquote", "quotebox"))
_DROPPED_TAGS = frozenset((
    "ref", "references", "templatestyles", "section", "indicator", "imagemap", "timeline", "score",
    "graph", "mapframe", "style", "script", "noinclude", "includeonly", "categorytree", "inputbox",
    "hiero",
))  # fmt: skip
_SOURCE = ("syntaxhighlight", "source")
_CONTAINERS = frozenset(("div", "p", "center", "section", "ul", "ol", "onlyinclude"))
_QUOTES = re.compile("'{2,5}")  # bold and italic
_FEEDS = re.compile(r"(?<![ \t])[ \t]*\n[ \t]*")
_LATIN_END = re.compile(r"[A-Za-z0-9,.]$")
_MAGIC = re.compile(r"__[A-Z目次編集節]{3,30}__")
_DISAMBIGUATION = re.compile(
    r"\{\{\s*(?:aimai|disambig|[^{}|]{0,16}の?曖昧さ回避)\s*[|}]", re.IGNORECASE
)


def is_disambiguation(text: str) -> bool:
    """Whether the page says that it lists the meanings of a name."""
    return bool(_DISAMBIGUATION.search(text))


class Facts:
    """What wikitext gives beside its blocks."""

    def __init__(self) -> None:
        self.categories: list[str] = []
        self.unread: Counter[str] = Counter()  # templates that were dropped


def read(text: str, title: str, steps: tuple[str, ...]) -> tuple[str, Blocks, Facts]:
    """(Markdown, blocks, facts) of the wikitext of a page."""
    facts = Facts()
    builder = Builder(steps)
    builder.heading(1, title)
    writer = _Writer(builder, facts)
    writer.write(parse(_MAGIC.sub("", text)), 0)
    writer.close()
    writer.end()
    return *builder.done(), facts


class _Writer:
    """Writes nodes as blocks: a line is collected, and what it begins with says what it is."""

    def __init__(self, builder: Builder, facts: Facts) -> None:
        self.out, self.facts = builder, facts
        self.line: list[Prose] = []
        self.sign = ""  # of the list that the line is in: * # : ;
        self.term: list[Prose] = []  # that the next line defines
        self.numbers: dict[str, int] = {}  # signs of the numbered lists that are open → last number
        self.cut = False  # inside a section of references

    # blocks -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write the line so far."""
        line, sign, term = self.line, self.sign, self.term
        self.line, self.sign, self.term = [], "", []
        if self.numbers:
            self.numbers = {s: n for s, n in self.numbers.items() if sign.startswith(s)}
        words = any(p if isinstance(p, Verbatim) else p.strip() for p in line)
        if self.cut:
            return
        if term and words and sign.endswith(":"):
            self.out.definition(_plain(term), *line)
            return
        if term:
            self.out.paragraph(*term)
        if words:
            self._put(line, sign)

    def _put(self, line: list[Prose], sign: str) -> None:
        marks = sign.rstrip(":")
        if sign.endswith(";"):
            self.term = line
        elif marks:  # words below an item, as `*:` has them, are an item inside it
            number = None
            if sign.endswith("#"):
                number = self.numbers[sign] = self.numbers.get(sign, 0) + 1
            depth = sum(s in "*#" for s in marks) + len(sign) - len(marks)
            self.out.item(*line, depth=min(depth, 6), number=number)
        else:
            self.out.paragraph(*line)

    def end(self) -> None:
        """Write a term that nothing defines."""
        if self.term:
            self.out.paragraph(*self.term)

    def write(self, nodes: Nodes, depth: int) -> None:
        """The blocks of some nodes."""
        if depth > MAX_DEPTH:
            return
        for node in nodes:
            if isinstance(node, str):
                self._text(node)
            elif isinstance(node, Heading):
                self._heading(node, depth)
            elif not self._block(node, depth):
                self.line += self._of(node, depth)

    def _block(self, node: Node, depth: int) -> bool:
        """Writes a node that is a block; False for one inside a line."""
        if isinstance(node, Tag):
            return self._block_tag(node, depth)
        if isinstance(node, Template):
            return self._block_template(node, depth)
        return isinstance(node, Link) and self._file(node, depth)

    def _text(self, words: str) -> None:
        """Prose: a blank line or a new list ends the block, another line feed joins."""
        lines = _without_quotes(words).split("\n")
        for k, line in enumerate(lines):
            if k and (self.sign or not line.strip()):
                self.close()
            if not line or (line.startswith("----") and not "".join(map(str, self.line))):
                continue
            # Lines of Japanese join without a blank; between Latin words one stays.
            last = self.line[-1] if k and self.line else ""
            if isinstance(last, str) and _LATIN_END.search(last) and line.strip():
                line = " " + line
            self.line.append(line)

    def _heading(self, node: Heading, depth: int) -> None:
        self.close()
        words = self._inline(node.title, depth + 1)
        name = "".join(p for p in words if isinstance(p, str)).strip()
        if node.level <= 2:
            self.cut = name in CUT_SECTIONS
        if not self.cut and name not in CUT_SECTIONS:
            self.out.heading(max(node.level, 2), *words)

    def _block_tag(self, node: Tag, depth: int) -> bool:
        """Writes a tag that is a block; False for one inside a line."""
        name = node.name
        if node.markup and name in ("li", "dd", "dt"):
            if self.line:
                self.close()
            self.sign += node.markup
        elif name == "br":
            self.line.append("\n")
        elif name in ("small", "span"):
            self.write(node.nodes, depth + 1)
        elif name in _CONTAINERS:
            self.close()
            self.write(node.nodes, depth + 1)
        elif name in _SOURCE or name == "pre":
            self.close()
            if not self.cut:
                self._code(node)
        elif name == "math" and node.attributes.get("display") == "block":
            self.close()
            if not self.cut:
                self.out.formula(words_of(node.nodes).strip())
        elif name in ("table", "gallery", "blockquote", "poem"):
            self.close()
            if not self.cut:
                self._whole(node, depth)
        else:
            return False
        return True

    def _code(self, node: Tag) -> None:
        lines = words_of(node.nodes) if node.name == "pre" else source_of(node.nodes)
        if "inline" in node.attributes or (
            node.name != "pre" and "enclose" in node.attributes and "\n" not in lines.strip()
        ):
            self.line.append(code(lines.strip()))
            return
        language = node.attributes.get("lang", "")
        self.out.code(lines.strip("\n"), language if language.isalnum() else "")

    def _whole(self, node: Tag, depth: int) -> None:
        """A table, a gallery's captions, or a quotation."""
        if node.name == "table":
            self._table(node, depth)
        elif node.name == "gallery":
            for line in source_of(node.nodes).split("\n"):
                shown = line.partition("|")[2]
                if shown.strip():
                    self.out.caption(*self._inline(parse(shown), depth + 1))
        else:
            words = self._inline(node.nodes, depth + 1, keep_lines=True)
            if any(words):
                self.out.quote(*_trimmed(words))

    def _table(self, node: Tag, depth: int) -> None:
        rows: list[list[Cell]] = []
        loose: list[Tag] = []  # cells before the first sign of a row
        for part in node.nodes:
            if not isinstance(part, Tag):
                continue
            sign = not rows and not loose and part.name == "td" and _without_plus(part.nodes)
            if part.name == "caption" or sign:
                self.out.caption(*self._inline(sign or part.nodes, depth + 1))
            elif part.name in ("td", "th"):
                loose.append(part)
            elif part.name == "tr":
                rows += [self._row(loose, depth)] if loose else []
                loose = []
                rows.append(self._row(part.nodes, depth))
        rows += [self._row(loose, depth)] if loose else []
        self.out.table(spread(row for row in rows if row))

    def _row(self, parts: Iterable[str | Node], depth: int) -> list[Cell]:
        return [
            Cell(
                _trimmed(self._inline(part.nodes, depth + 1)),
                part.attributes.get("colspan", ""),
                part.attributes.get("rowspan", ""),
            )
            for part in parts
            if isinstance(part, Tag) and part.name in ("td", "th")
        ]

    def _block_template(self, node: Template, depth: int) -> bool:
        """Writes a template that is a block; False for one inside a line."""
        if node.name in _QUOTATIONS:
            self.close()
            if not self.cut:
                self._quotation(node, depth)
        elif _INFOBOX.match(node.name):
            self.close()
            if not self.cut:
                self._infobox(node, depth)
        else:
            return False
        return True

    def _quotation(self, node: Template, depth: int) -> None:
        """A quotation, and who said it where on a line below, as the page shows it."""
        said, credits = quotation(node)
        words = _trimmed(self._inline(said, depth + 1, keep_lines=True))
        if not words:
            return
        for k, credit in enumerate(credits):
            words += ["、" if k else "\n— ", *_trimmed(self._inline(credit, depth + 1))]
        self.out.quote(*words)

    def _infobox(self, node: Template, depth: int) -> None:
        for name, value in node.parameters:
            if not name or name.isdigit() or _NO_FACT.search(name):
                continue
            words = _trimmed(self._inline(value, depth + 1))
            if 0 < len(_plain(words)) <= _MAX_FACT:
                self.out.definition(name, *words)

    def _file(self, node: Link, depth: int) -> bool:
        """A picture's caption is a block; categories are facts. False for a link."""
        space, colon, rest = node.target.partition(":")
        if not colon:
            return False
        space = space.strip().lower()
        if space in _CATEGORIES:
            self.facts.categories.append(rest.strip())
            return True
        if space not in _FILES:  # links to other languages and projects at the end of a page
            return not node.words and bool(_LANGUAGE.fullmatch(space))
        caption = _caption(node)
        if caption and not self.cut:
            held, sign = self.line, self.sign
            self.out.caption(*_trimmed(self._inline(caption, depth + 1)))
            self.line, self.sign = held, sign
        return True

    # inside a line ------------------------------------------------------------------------------

    def _inline(self, nodes: Nodes, depth: int, keep_lines: bool = False) -> list[Prose]:
        """Nodes inside a line."""
        parts: list[Prose] = []
        if depth > MAX_DEPTH:
            return parts
        for node in nodes:
            if isinstance(node, str):
                parts.append(_without_quotes(node))
            else:
                parts += self._of(node, depth)
        if keep_lines:
            return parts
        return [
            _FEEDS.sub(" ", part) if isinstance(part, str) and "\n" in part else part
            for part in parts
        ]

    def _of(self, node: Node, depth: int) -> list[Prose]:
        """The words of one node."""
        if isinstance(node, Link):
            return self._link(node, depth)
        if isinstance(node, Template):
            return self._template(node, depth)
        if isinstance(node, Tag):
            return self._tag(node, depth)
        if isinstance(node, External):
            return self._inline(node.words, depth + 1)
        return []

    def _link(self, node: Link, depth: int) -> list[Prose]:
        space, colon, _ = node.target.partition(":")
        if colon and space.strip().lower() in (*_FILES, *_CATEGORIES):
            return []
        if node.words is not None:
            return self._inline(node.words, depth + 1)
        return [node.target.lstrip(":").partition("#")[0] or node.target.lstrip("#")]

    def _tag(self, node: Tag, depth: int) -> list[Prose]:
        name = node.name
        if name in _DROPPED_TAGS or name in ("rt", "rp", "table"):
            return []
        if name == "br":
            return ["\n"]
        if name in ("math", "chem", "ce"):
            tex = words_of(node.nodes).strip()
            return [formula(tex if name == "math" else rf"\ce{{{tex}}}")] if tex else []
        if name == "nowiki":
            return [words_of(node.nodes)]
        if name in _SOURCE:
            plain = source_of(node.nodes).strip()
            return [code(plain)] if plain else []
        words = self._inline(node.nodes, depth + 1)
        if name in ("code", "tt", "samp", "kbd"):
            plain = _plain(words).strip()
            return [code(plain)] if plain else []
        if name in ("sup", "sub") and any(words):
            return ["^{" if name == "sup" else "_{", *words, "}"]
        return words

    def _template(self, node: Template, depth: int) -> list[Prose]:
        shown = words_shown(node)
        if shown is None:
            self.facts.unread[node.name] += 1
            return []
        parts: list[Prose] = []
        for part in shown:
            parts += self._inline(part, depth + 1) if isinstance(part, list) else [part]
        return parts


def _caption(node: Link) -> Nodes:
    """The words below a picture that is set apart; none for one inside a line."""
    options = split(node.words or [], "|")
    named = [words_of(option).strip() for option in options]
    if not any(name.lower() in _THUMB for name in named):
        return []
    for option, name in zip(reversed(options), reversed(named), strict=True):
        if not _IMAGE_OPTION.fullmatch(name) or any(not isinstance(n, str) for n in option):
            return option if any(not isinstance(n, str) or n.strip() for n in option) else []
    return []


def _without_plus(nodes: Nodes) -> Nodes:
    """The words of a table's caption, which begin with +; none for those of a cell."""
    first = nodes[0].lstrip() if nodes and isinstance(nodes[0], str) else ""
    return [first[1:], *nodes[1:]] if first.startswith("+") else []


def _without_quotes(words: str) -> str:
    return _QUOTES.sub("", words) if "''" in words else words


def _plain(parts: Sequence[Prose]) -> str:
    return "".join([p if isinstance(p, str) else p.text for p in parts])


def _trimmed(parts: list[Prose]) -> list[Prose]:
    """Without blanks at both ends."""
    out = list(parts)
    while out and isinstance(out[0], str) and not out[0].strip():
        out.pop(0)
    while out and isinstance(out[-1], str) and not out[-1].strip():
        out.pop()
    return out
