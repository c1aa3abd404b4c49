"""Parts of a page's structure, and the rules that say whether one stands in a Markdown text.

Characters are compared without white space and Markdown signs; code and TeX by rules of their own.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import NamedTuple

MAX_SHIFT = 12  # blanks by which a whole code block may be moved: a fence inside a list
MAX_GAP = 3000  # characters between the surroundings of a formula
ANY = "\0"  # a cell that may hold anything: covered by the span of another
LINE = "\u2028"  # a <br> in the text of a part

FENCE = re.compile(r"[ \t]*(?:> ?)*[ \t]*(`{3,}|~{3,})")
_RULE = re.compile(r"(?m)^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_FENCES = re.compile(r"(?m)^[ \t]*(?:`{3,}|~{3,})[^\n`]*$")
_QUOTES = re.compile(r"(?m)^[ \t]*(?:>[ \t]?)+")
PERMALINK = re.compile(r"\s*[¶#§🔗]\s*$")
_MARK = re.compile(r"([ \t]*)([-+*]|(\d{1,9})[.)])[ \t]+(?=\S)")
_MARKS = re.compile(r"(?m)^" + _MARK.pattern)
_SIGNS = re.compile(r"[\s#|`*\u200b\ufeff\u00ad]+")
_MORE = re.compile(r"[$^{}_]+|~~|==|<br ?/?>")
_LINKS = re.compile(r"!\[[^\]]*\]\([^)]*\)|\[([^\]]*)\]\([^)]*\)")
_FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$(?!\s)([^$\n]+?)(?<![\s\\])\$(?!\d)", re.DOTALL)
_COMMAND = re.compile(r"\\(?:begin|end)\{[a-z*]+\}|\\[A-Za-z]+|\\.")
_BRACES = re.compile(r"[\s{}]|\\(?:left|right|displaystyle|[,;:!>])(?![A-Za-z])|\\(?![A-Za-z])")
MARKED = re.compile(r"\$|\[(?:formula|math|数式)[^\]]*\]|\ufffc|〓", re.IGNORECASE)


class Part(NamedTuple):
    """One thing a page has. want: its characters, lines, cells or TeX; source: where it was.

    near: characters before and behind a formula or power, without white space and signs;
    language: of a code block, "" where the page names none.
    """

    kind: str
    want: str
    near: tuple[str, str] = ("", "")
    language: str = ""
    source: str = ""


class Sample(NamedTuple):
    """A page and its parts. published: parts were counted on the page as published, so that only
    those whose characters stand in an extractor's text are asked for."""

    name: str
    url: str
    html: str
    parts: list[Part]
    published: bool = False
    gold: str = ""


def squeeze(text: str) -> str:
    """A text without white space, `#`, list marks, `|`, backticks, `*`, backslashes, fences and
    table rules."""
    text = text.replace("\\", "").replace(LINE, "\n")
    for sign in (_QUOTES, _FENCES, _RULE, _MARKS):
        text = sign.sub("", text)
    return _SIGNS.sub("", text)


def bare(text: str) -> str:
    """`squeeze`, also without the signs of formulas and powers, and <br> of cells."""
    return _MORE.sub("", squeeze(text))


def without_links(text: str) -> str:
    """Markdown with links as their text and without images."""
    return _LINKS.sub(lambda link: link[1] or "", text)


def tex(text: str) -> str:
    """Without blanks and backslashes."""
    return re.sub(r"[\s\\]+", "", text)


def braceless(text: str) -> str:
    """TeX also without braces, \\left, \\right and spacing: one formula written by two hands."""
    return _BRACES.sub("", text).replace("\\", "")


def signature(text: str) -> str:
    """Single Latin letters and digits of a formula (TeX), sorted: what is left of MathML."""
    return "".join(sorted(re.findall(r"[0-9A-Za-z]", _COMMAND.sub(" ", text))))


def cells(line: str) -> tuple[str, ...]:
    """Cells of a row, split at `|` that no backslash escapes."""
    return tuple(bare(c) for c in re.split(r"(?<!\\)\|", line.strip().removeprefix("|")))


def row(values: list[str]) -> str:
    """The `want` of a row."""
    return "|".join(ANY if v == ANY else bare(v) for v in values)


class Markdown:
    """An extractor's text, seen in the ways the rules ask for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.trimmed = "\n" + "\n".join(line.rstrip() for line in text.split("\n")) + "\n"
        self.lines = set(self.trimmed.split("\n"))

    @cached_property
    def squeezed(self) -> str:
        return squeeze(self.text)

    @cached_property
    def bare(self) -> str:
        return bare(self.text)

    @cached_property
    def tex(self) -> str:
        return tex(self.text)

    @cached_property
    def braceless(self) -> str:
        return braceless(self.text)

    @cached_property
    def _starts(self) -> list[str]:
        """Lines without the marks of quotes, links and images."""
        return [without_links(_QUOTES.sub("", line)) for line in self.trimmed.split("\n")]

    @cached_property
    def headings(self) -> set[str]:
        lines = (re.match(r"[ \t]*#{1,6}[ \t]+(.+)", line) for line in self._starts)
        return {bare(PERMALINK.sub("", m[1])) for m in lines if m}

    @cached_property
    def items(self) -> set[tuple[str, int]]:
        """(characters, blanks before the mark) of lines with a list mark."""
        found = ((_MARK.match(line), line) for line in self._starts)
        return {(bare(line[m.end() :]), len(m[1].expandtabs(4))) for m, line in found if m}

    @cached_property
    def marked(self) -> set[str]:
        return {words for words, _ in self.items}

    @cached_property
    def rows(self) -> set[tuple[str, ...]]:
        """Cells of every line with `|`, with and without an empty last one (`| a | b |`)."""
        split = [cells(line) for line in self._starts if "|" in line]
        return {c for c in split} | {c[:-1] for c in split if not c[-1]}

    @cached_property
    def quotes(self) -> str:
        return bare("\n".join(x for x in self.text.split("\n") if re.match(r"[ \t]*>", x)))

    @cached_property
    def formulas(self) -> set[str]:
        return {tex(a or b) for a, b in _FORMULA.findall(self.text)}

    @cached_property
    def signatures(self) -> set[str]:
        return {signature(a or b) for a, b in _FORMULA.findall(self.text)}


def formulas_of(markdown: str) -> list[str]:
    """TeX between dollars."""
    return [(a or b).strip() for a, b in _FORMULA.findall(markdown)]


def shifts(lines: list[str]) -> list[list[str]]:
    """The lines as they are, behind `> `, and moved by up to MAX_SHIFT blanks."""
    prefixes = ["", *(" " * n for n in range(1, MAX_SHIFT + 1)), "> "]
    return [[(p + line).rstrip() for line in lines] for p in prefixes]


def has_block(text: Markdown, part: Part, language: bool = False) -> bool:
    """Whether all lines of a code block follow each other in the text, byte for byte."""
    for lines in shifts(part.want.split("\n")):
        block = "\n".join(lines)
        before = ("`" + part.language) if language else ""
        if before + "\n" + block + "\n" in text.trimmed:
            return True
    return False


def code_lines(text: Markdown, part: Part, only_indented: bool) -> tuple[int, int, list[str]]:
    """(found, there, missing) of the lines of a `pre`; there: the text has their characters."""
    lines = [x.rstrip() for x in part.want.split("\n")]
    asked = [
        i
        for i, x in enumerate(lines)
        if x.strip() and (x[0].isspace() or not only_indented) and squeeze(x) in text.squeezed
    ]
    best = max(shifts(lines), key=lambda moved: sum(moved[i] in text.lines for i in asked))
    missing = [lines[i] for i in asked if best[i] not in text.lines]
    return len(asked) - len(missing), len(asked), missing


def is_row(text: Markdown, want: str) -> bool:
    """Whether some line has the cells in their order, empty ones included."""
    asked = tuple(want.split("|"))
    if ANY not in asked:
        return asked in text.rows
    return any(
        len(own) == len(asked) and all(a in (ANY, b) for a, b in zip(asked, own, strict=True))
        for own in text.rows
    )


def between(text: Markdown, near: tuple[str, str]) -> str | None:
    """What stands between the surroundings of a formula; None where they are not kept."""
    before, behind = (re.escape(tex(n)) for n in near)
    found = re.search(before + f"(.{{0,{MAX_GAP}}}?)" + behind, text.tex, re.DOTALL)
    return found[1] if found and before and behind else None


def is_formula(text: Markdown, want: str) -> bool:
    """Whether a formula stands in the text: its TeX (short TeX between dollars), or one of the
    same letters and digits where the page has MathML only."""
    if want.startswith(ANY):
        return want[1:] in text.signatures
    return tex(want) in (text.tex if len(tex(want)) > 3 else text.formulas)


def stands(text: Markdown, part: Part, published: bool) -> bool | None:
    """Whether a part stands in the text; None: not asked for, its characters are not there."""
    kind, want = part.kind.split(":")[0], part.want
    if kind == "formulas":
        if published and between(text, part.near) is None and not is_formula(text, want):
            return None
        return is_formula(text, want)
    if kind == "formulas in dollars":
        return want[1:] in text.signatures if want.startswith(ANY) else tex(want) in text.formulas
    if kind == "formulas, braces aside":
        return braceless(want) in text.braceless
    if kind == "formulas without a hole":
        gap = between(text, part.near)
        if gap is None:
            return None
        return bool(MARKED.search(gap)) or is_formula(text, want)
    if kind == "powers":
        base = part.near[0]
        if base + want not in text.squeezed.replace("^", "").translate(_NO_BRACES):
            return None if published else False
        return base + "^" in text.squeezed.translate(_NO_BRACES)
    if kind == "code blocks":
        return has_block(text, part)
    if kind == "code blocks, blanks aside":  # tabs, empty lines and escapes by another hand
        return tex(want) in text.tex
    if kind == "code languages":
        return has_block(text, part, language=True)
    if published and bare(want.replace("|", "")) not in text.bare:
        return None
    if kind == "headings":
        return bare(want) in text.headings
    if kind == "list items":
        first = want.split(LINE)[0]
        return bare(want) in text.marked or bare(first) in text.marked
    if kind == "nested items":
        return any(words == bare(want) and indent >= 2 for words, indent in text.items)
    if kind in ("table rows", "rows with spans"):
        return is_row(text, want)
    if kind == "quotes":
        return bare(want) in text.quotes
    if kind == "terms":  # and their definitions, not run together
        term, meaning = want.split("|")
        glued = any(bare(term + meaning) == bare(line) and not re.search(r"[:：—]|\s[-–]\s", line)
                    for line in text.lines)  # fmt: skip
        return bare(term) in text.bare and bare(meaning) in text.bare and not glued
    return bare(want) in text.bare  # paragraphs, ruby


_NO_BRACES = str.maketrans("", "", "{}$")
