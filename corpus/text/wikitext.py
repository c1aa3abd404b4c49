"""Wikitext as blocks: headings, paragraphs, lists, tables, formulas, code, captions, infoboxes.

mwparserfromhell reads the syntax. Of templates those that carry words are written (TEMPLATES), an
infobox is definitions, quotations are quotes, and the others go and are counted. References,
navigation, files without captions and categories are no text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

import mwparserfromhell
from mwparserfromhell import nodes
from mwparserfromhell.wikicode import Wikicode

from corpus.text.blocks import Blocks
from corpus.text.builder import Builder, Cell, Prose, Verbatim, code, formula, spread

MAX_DEPTH = 30
CUT_SECTIONS = frozenset(
    [
        "脚注",
        "注釈",
        "出典",
        "参考文献",
        "関連項目",
        "外部リンク",
        "注",
        "参照",
        "典拠",
        "関連書籍",
        "関連文献",
    ]
)
_FILES = ("ファイル", "file", "image", "画像", "media")
_CATEGORIES = ("category", "カテゴリ")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z\-]+)?")
_IMAGE_OPTION = re.compile(
    r"(?:thumb|thumbnail|サムネイル|frame|framed|frameless|border|left|right|center|none|左|右|中央|なし"
    r"|upright.*|\d*(?:x\d+)?px|(?:alt|link|lang|page|class)=.*|baseline|middle|top|bottom)",
    re.IGNORECASE,
)
_INFOBOX = re.compile(r"(?:infobox|基礎情報|.*infobox$)", re.IGNORECASE)
_DROPPED_TAGS = frozenset(
    [
        "ref",
        "references",
        "templatestyles",
        "section",
        "indicator",
        "imagemap",
        "timeline",
        "score",
        "graph",
        "mapframe",
        "style",
        "script",
        "noinclude",
        "includeonly",
        "categorytree",
        "inputbox",
        "hiero",
    ]
)
_QUOTES = re.compile("'{2,5}")  # bold and italic
_BLANKS = re.compile(r"[ \t]*\n[ \t]*")
_MAGIC = re.compile(r"__[A-Z目次編集節]{3,30}__")
_DISAMBIGUATION = re.compile(
    r"\{\{\s*(?:aimai|disambig|[^{}|]{0,16}の?曖昧さ回避)\s*[|}]", re.IGNORECASE
)


def is_disambiguation(text: str) -> bool:
    """Whether the page says that it lists the meanings of a name."""
    return bool(_DISAMBIGUATION.search(text))


class Page:
    """What wikitext gives beside its blocks."""

    def __init__(self) -> None:
        self.categories: list[str] = []
        self.unread: Counter[str] = Counter()  # templates that were dropped


def read(text: str, title: str, steps: tuple[str, ...]) -> tuple[str, Blocks, Page]:
    """(Markdown, blocks, facts) of the wikitext of a page."""
    page = Page()
    builder = Builder(steps)
    builder.heading(1, title)
    writer = _Writer(builder, page)
    writer.write(_parsed(_MAGIC.sub("", text)), 0)
    writer.close()
    writer.end()
    return *builder.done(), page


class _Writer:
    """Writes nodes as blocks: a line is collected, and what it begins with says what it is."""

    def __init__(self, builder: Builder, page: Page) -> None:
        self.out, self.page = builder, page
        self.line: list[Prose] = []
        self.sign = ""  # of the list that the line is in: * # : ;
        self.term: list[Prose] = []  # that the next line defines
        self.numbers: dict[str, int] = {}  # signs of the numbered lists that are open → last number
        self.cut = False  # inside a section of references

    def close(self) -> None:
        """Write the line so far."""
        line, sign, term = self.line, self.sign, self.term
        self.line, self.sign, self.term = [], "", []
        self.numbers = {s: n for s, n in self.numbers.items() if sign.startswith(s)}
        words = any(p if isinstance(p, Verbatim) else p.strip() for p in line)
        if self.cut:
            return
        if term and words and sign.endswith(":"):
            self.out.definition("".join(p if isinstance(p, str) else p.text for p in term), *line)
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

    def write(self, wikicode: Wikicode, depth: int) -> None:
        """The blocks of some nodes."""
        if depth > MAX_DEPTH:
            return
        for node in wikicode.nodes:
            if isinstance(node, nodes.Text):
                self._text(str(node.value))
            elif isinstance(node, nodes.Heading):
                self.close()
                words = [p for p in self._inline(node.title, depth + 1)]
                name = "".join(p for p in words if isinstance(p, str)).strip()
                if node.level <= 2:
                    self.cut = name in CUT_SECTIONS
                if not self.cut and name not in CUT_SECTIONS:
                    self.out.heading(max(node.level, 2), *words)
            elif isinstance(node, nodes.Tag) and self._block_tag(node, depth):
                continue
            elif isinstance(node, nodes.Template):
                self._template(node, depth)
            elif isinstance(node, nodes.Wikilink) and self._file(node, depth):
                continue
            else:
                self.line += self._of(node, depth)

    def _text(self, words: str) -> None:
        """Prose: a blank line or a new list ends the block, another line feed joins."""
        lines = _QUOTES.sub("", words).split("\n")
        for k, line in enumerate(lines):
            if k and (not line.strip() or self.sign):
                self.close()
            if line.startswith("----") and not "".join(map(str, self.line)):
                continue
            # Lines of Japanese join without a blank; between Latin words one stays.
            last = self.line[-1] if self.line else ""
            if k and line.strip() and isinstance(last, str) and re.search(r"[A-Za-z0-9,.]$", last):
                line = " " + line
            if line:
                self.line.append(line)

    def _block_tag(self, node: nodes.Tag, depth: int) -> bool:
        """Writes a tag that is a block; False for one inside a line."""
        name = str(node.tag).strip().lower()
        markup = str(node.wiki_markup or "")
        if name in ("li", "dd", "dt") and markup:
            if self.line:
                self.close()
            self.sign += markup
        elif name == "table":
            self.close()
            if not self.cut:
                self._table(node, depth)
        elif name in ("syntaxhighlight", "source", "pre"):
            self.close()
            language = str(node.get("lang").value).strip() if node.has("lang") else ""
            if not self.cut and _inline_code(node):
                self.line.append(code(str(node.contents).strip()))
            elif not self.cut:
                self.out.code(
                    str(node.contents).strip("\n"), language if language.isalnum() else ""
                )
        elif (
            name == "math"
            and str(node.get("display").value if node.has("display") else "") == "block"
        ):
            self.close()
            if not self.cut:
                self.out.formula(str(node.contents).strip())
        elif name in ("blockquote", "poem"):
            self.close()
            words = self._inline(node.contents, depth + 1, keep_lines=True)
            if not self.cut and any(words):
                self.out.quote(*_trimmed(words))
        elif name == "gallery":
            self.close()
            for line in str(node.contents).split("\n"):
                shown = line.partition("|")[2]
                if shown.strip() and not self.cut:
                    self.out.caption(*self._inline(_parsed(shown), depth + 1))
        elif name in ("div", "p", "center", "section", "small", "span", "ul", "ol", "onlyinclude"):
            if name not in ("small", "span"):
                self.close()
            self.write(node.contents, depth + 1)
        elif name == "br":
            self.line.append("\n")
        else:
            return False
        return True

    def _table(self, node: nodes.Tag, depth: int) -> None:
        rows: list[list[Cell]] = []
        loose: list[nodes.Node] = []  # cells before the first sign of a row
        for part in node.contents.nodes:
            if not isinstance(part, nodes.Tag):
                continue
            name = str(part.tag).strip().lower()
            words = str(part.contents).lstrip() if name in ("td", "caption") else ""
            if name == "caption" or (words.startswith("+") and not rows and not loose):
                self.out.caption(*self._inline(_parsed(words.removeprefix("+")), depth + 1))
            elif name in ("td", "th"):
                loose.append(part)
            elif name == "tr":
                rows += [self._row(loose, depth)] if loose else []
                loose = []
                rows.append(self._row(part.contents.nodes, depth))
        rows += [self._row(loose, depth)] if loose else []
        self.out.table(spread(row for row in rows if row))

    def _row(self, parts: Iterable[nodes.Node], depth: int) -> list[Cell]:
        return [
            Cell(
                _trimmed(self._inline(part.contents, depth + 1)),
                _attribute(part, "colspan"),
                _attribute(part, "rowspan"),
            )
            for part in parts
            if isinstance(part, nodes.Tag) and str(part.tag).strip().lower() in ("td", "th")
        ]

    def _template(self, node: nodes.Template, depth: int) -> None:
        name = _name(node)
        if name in ("quote", "quotation", "引用", "cquote", "quotebox"):
            self.close()
            if node.has(1) and not self.cut:
                self.out.quote(*_trimmed(self._inline(node.get(1).value, depth + 1, True)))
        elif _INFOBOX.match(name):
            self.close()
            self._infobox(node, depth)
        else:
            self.line += self._of(node, depth)

    def _infobox(self, node: nodes.Template, depth: int) -> None:
        for parameter in node.params:
            name = str(parameter.name).strip()
            words = _trimmed(self._inline(parameter.value, depth + 1))
            plain = "".join(p if isinstance(p, str) else p.text for p in words)
            if not name or name.isdigit() or not plain or len(plain) > 300 or self.cut:
                continue
            if re.search(
                r"(?:画像|image|ロゴ|logo|map|色|color|サイズ|size|width|コード|code)", name, re.I
            ):
                continue
            self.out.definition(name, *words)

    def _file(self, node: nodes.Wikilink, depth: int) -> bool:
        """A picture's caption is a block; categories are facts. False for a link."""
        target = str(node.title).strip()
        space = target.partition(":")[0].strip().lower()
        if space in _CATEGORIES:
            self.page.categories.append(target.partition(":")[2].strip())
            return True
        if space not in _FILES:
            # links to other languages and projects at the end of a page
            return bool(_LANGUAGE.fullmatch(space)) and ":" in target and not node.text
        options = str(node.text or "").split("|")
        words = next((o for o in reversed(options) if not _IMAGE_OPTION.fullmatch(o.strip())), "")
        if words.strip() and "thumb" in options + [o.strip() for o in options] and not self.cut:
            held, sign = self.line, self.sign
            self.out.caption(*self._inline(_parsed(words), depth + 1))
            self.line, self.sign = held, sign
        return True

    def _inline(self, wikicode: Wikicode, depth: int, keep_lines: bool = False) -> list[Prose]:
        """Nodes inside a line."""
        parts: list[Prose] = []
        if depth > MAX_DEPTH:
            return parts
        for node in wikicode.nodes:
            parts += self._of(node, depth)
        if keep_lines:
            return parts
        return [p if isinstance(p, Verbatim) else _BLANKS.sub(" ", p) for p in parts]

    def _of(self, node: nodes.Node, depth: int) -> list[Prose]:
        """The words of one node."""
        if isinstance(node, nodes.Text):
            return [_QUOTES.sub("", str(node.value))]
        if isinstance(node, nodes.HTMLEntity):
            return [node.normalize() or ""]
        if isinstance(node, nodes.ExternalLink):
            return self._inline(node.title, depth + 1) if node.title else []
        if isinstance(node, nodes.Wikilink):
            return self._link(node, depth)
        if isinstance(node, nodes.Template):
            return self._template_words(node, depth)
        if isinstance(node, nodes.Tag):
            return self._tag_words(node, depth)
        return []

    def _link(self, node: nodes.Wikilink, depth: int) -> list[Prose]:
        target = str(node.title).strip()
        if target.partition(":")[0].strip().lower() in (*_FILES, *_CATEGORIES):
            return []
        if node.text is not None:
            return self._inline(node.text, depth + 1)
        return [target.lstrip(":").partition("#")[0] or target.lstrip("#")]

    def _tag_words(self, node: nodes.Tag, depth: int) -> list[Prose]:
        name = str(node.tag).strip().lower()
        if name in _DROPPED_TAGS:
            return []
        if name == "br":
            return ["\n"]
        if name in ("math", "chem", "ce"):
            tex = str(node.contents).strip()
            return [formula(tex if name == "math" else rf"\ce{{{tex}}}")] if tex else []
        if name in ("code", "tt", "samp", "kbd") or (name in ("syntaxhighlight", "source")):
            words = self._inline(node.contents, depth + 1)
            plain = "".join(p if isinstance(p, str) else p.text for p in words).strip()
            return [code(plain)] if plain else []
        if name in ("sup", "sub"):
            words = self._inline(node.contents, depth + 1)
            sign = "^{" if name == "sup" else "_{"
            return [sign, *words, "}"] if any(words) else []
        if name == "nowiki":
            return [str(node.contents)]
        if name == "rt" or name == "rp" or name == "table" or node.contents is None:
            return []
        return self._inline(node.contents, depth + 1)

    def _template_words(self, node: nodes.Template, depth: int) -> list[Prose]:
        name = _name(node)
        which = TEMPLATES.get(name) or (_last if name.startswith("lang-") else None)
        if which is None:
            self.page.unread[name] += 1
            return []
        return [
            part
            for choice in which(node)
            for part in (
                [choice] if isinstance(choice, str | Verbatim) else self._inline(choice, depth + 1)
            )
        ]


Choice = str | Verbatim | Wikicode


def _value(node: nodes.Template, key: int | str) -> Wikicode | str:
    return node.get(key).value if node.has(key) else ""


def _first(node: nodes.Template) -> list[Choice]:
    return [_value(node, 1)]


def _second(node: nodes.Template) -> list[Choice]:
    return [_value(node, 2)]


def _last(node: nodes.Template) -> list[Choice]:
    numbered = [p for p in node.params if str(p.name).strip().isdigit()]
    return [numbered[-1].value] if numbered else []


def _reading(node: nodes.Template) -> list[Choice]:
    """{{読み仮名|漢字|かんじ}}: as the page shows it."""
    reading = _value(node, 2)
    return [_value(node, 1), "（", reading, "）"] if reading else [_value(node, 1)]


def _fraction(node: nodes.Template) -> list[Choice]:
    numbers = [str(p.value).strip() for p in node.params][-2:]
    return [formula(r"\frac{{{}}}{{{}}}".format(*numbers))] if len(numbers) == 2 else [*numbers]


def _joined(between: str) -> Callable[[nodes.Template], list[Choice]]:
    def choose(node: nodes.Template) -> list[Choice]:
        out: list[Choice] = []
        for parameter in node.params:
            if str(parameter.name).strip().isdigit():
                out += [between] * bool(out) + [parameter.value]
        return out

    return choose


def _power(sign: str) -> Callable[[nodes.Template], list[Choice]]:
    return lambda node: [sign, _value(node, 1), "}"]


_FIRST = (
    "nobold", "nowrap", "small", "big", "smaller", "larger", "仮リンク", "ill", "ill2", "ruby",
    "ルビ", "by", "abbr", "strong", "em", "math", "mvar", "val", "plainlist", "flatlist", "和暦",
    "要検証範囲", "要出典範囲", "vanchor", "visible anchor", "hide in print", "jis2004フォント",
    "補助漢字フォント", "cjk", "unicode", "ipa", "旧字体", "日本語版にない記事リンク", "underline",
    "下線", "縦書き",
)  # fmt: skip
# Templates that carry words, by their name in lower case: what of their parameters is text.
TEMPLATES: dict[str, Callable[[nodes.Template], list[Choice]]] = {
    **dict.fromkeys(_FIRST, _first),
    **dict.fromkeys(("lang", "color"), _second),
    **dict.fromkeys(("font color", "fontcolor", "anchors"), _last),
    **dict.fromkeys(("読み仮名", "読み仮名 ruby不使用", "ruby-ja", "ふりがな"), _reading),
    **dict.fromkeys(("sfrac", "frac", "分数"), _fraction),
    **dict.fromkeys(("hlist", "unbulleted list", "ubl"), _joined("、")),
    **dict.fromkeys(("節リンク", "convert"), _joined(" ")),
    **dict.fromkeys(
        ("refnest", "efn", "sfn", "r", "cite web", "cite book", "reflist"), lambda node: []
    ),
    "sup": _power("^{"),
    "sub": _power("_{"),
    "—": lambda node: ["—"],
    "!": lambda node: ["|"],
    "=": lambda node: ["="],
    "spaces": lambda node: [" "],
}


def _parsed(words: str) -> Wikicode:
    return mwparserfromhell.parse(words, skip_style_tags=True)


def _name(node: nodes.Template) -> str:
    return str(node.name).strip().replace("_", " ").lower()


def _inline_code(node: nodes.Tag) -> bool:
    return node.has("inline") or (
        str(node.tag).strip().lower() != "pre"
        and "\n" not in str(node.contents).strip()
        and node.has("enclose")
    )


def _trimmed(parts: list[Prose]) -> list[Prose]:
    """Without blanks at both ends."""
    out = list(parts)
    while out and isinstance(out[0], str) and not out[0].strip():
        out.pop(0)
    while out and isinstance(out[-1], str) and not out[-1].strip():
        out.pop()
    return out


def _attribute(node: nodes.Tag, name: str) -> str:
    return str(node.get(name).value).strip().strip("\"'") if node.has(name) else ""
