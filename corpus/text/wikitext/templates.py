"""Templates of Wikipedia that carry words: which of their parameters a reader sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from corpus.text.builder import Verbatim, formula
from corpus.text.wikitext.tree import Nodes, Template, words_of

Seen: TypeAlias = "list[str | Verbatim | Nodes]"
Choose: TypeAlias = Callable[[Template], Seen]


def words_shown(node: Template) -> Seen | None:
    """What the template shows, in order; None for one that is not known to carry words."""
    choose = TEMPLATES.get(node.name)
    if choose is None and node.name.startswith(("lang-", "ipa-")):
        choose = _last
    return choose and choose(node)


def quotation(node: Template) -> tuple[Nodes, list[Nodes]]:
    """(the words, who said them and where) of {{Quotation|words|who|where}} and its like."""
    who, where = ("4", "5") if node.name == "cquote" else ("2", "3")
    words = node.get("1") or node.get("text") or node.get("quote")
    names = (("author", "sign", who), ("source", "title", where))
    found = (next(filter(None, map(node.get, keys)), []) for keys in names)
    said = [v for v in found if any(not isinstance(n, str) or n.strip() for n in v)]
    return words, said


def _first(node: Template) -> Seen:
    return [node.get("1")]


def _second(node: Template) -> Seen:
    return [node.get("2")]


def _number(node: Template) -> Seen:
    """{{val|1234|u=m}}: the number with its unit, {{val|5|e=3}} with its power of ten."""
    first = node.get("1")
    power = node.get("e")
    unit = node.get("u") or node.get("ul") or node.get("up")
    out: Seen = [first] if first else []
    out += [" × 10^{" if first else "10^{", power, "}"] if power else []
    return out + ([" ", unit] if unit else [])


def _range(node: Template) -> Seen:
    """{{要出典|範囲=語|date=…}}: the words that lack a source; without them only a mark."""
    return [node.get("範囲")]


def _ranged(node: Template) -> Seen:
    """{{要出典範囲|語}}"""
    return [node.get("1") or node.get("範囲")]


def _last(node: Template) -> Seen:
    return [*node.numbered()[-1:]]


def _nothing(node: Template) -> Seen:
    return []


def _link(node: Template) -> Seen:
    """{{仮リンク|記事|en|article|label=語}}"""
    return [node.get("label") or node.get("1")]


def _reading(node: Template) -> Seen:
    """{{読み仮名|漢字|かんじ}}: as the page shows it."""
    reading = node.get("2")
    return [node.get("1"), "（", reading, "）"] if reading else [node.get("1")]


def _fraction(node: Template) -> Seen:
    numbers = [words_of(value).strip() for _, value in node.parameters][-2:]
    return [formula(r"\frac{{{}}}{{{}}}".format(*numbers))] if len(numbers) == 2 else [*numbers]


def _joined(between: str) -> Choose:
    def choose(node: Template) -> Seen:
        out: Seen = []
        for value in node.numbered():
            out += [between] * bool(out) + [value]
        return out

    return choose


def _power(sign: str) -> Choose:
    return lambda node: [sign, node.get("1"), "}"]


def _words(words: str) -> Choose:
    return lambda node: [words]


# By name in lower case.
TEMPLATES: dict[str, Choose] = {
    **dict.fromkeys((
        "nobold", "nowrap", "small", "big", "smaller", "larger", "ruby", "ルビ", "by", "abbr",
        "strong", "em", "math", "mvar", "plainlist", "flatlist", "和暦", "vanchor",
        "visible anchor", "hide in print", "jis2004フォント", "補助漢字フォント", "cjk", "unicode",
        "ipa", "旧字体", "underline", "下線", "縦書き", "center", "nastaliq",
    ), _first),
    **dict.fromkeys((
        "要検証範囲", "要出典範囲", "独自研究範囲", "いつ範囲", "どこ範囲", "誰範囲", "要説明範囲",
        "要ページ番号範囲", "要文献特定詳細情報範囲", "疑問点範囲", "信頼性要検証範囲",
    ), _ranged),
    **dict.fromkeys((
        "要出典", "要検証", "独自研究", "いつ", "どこ", "誰", "誰2", "要説明", "要追加記述",
        "疑問点", "要高次出典",
        "要ページ番号", "信頼性要検証", "要出典科学", "fact", "citation needed", "cn",
    ), _range),
    "val": _number,
    **dict.fromkeys(("仮リンク", "ill", "ill2", "日本語版にない記事リンク"), _link),
    **dict.fromkeys(("lang", "llang", "rtl-lang", "color"), _second),
    **dict.fromkeys(("font color", "fontcolor", "anchors", "transl"), _last),
    **dict.fromkeys(("読み仮名", "読み仮名 ruby不使用", "ruby-ja", "ふりがな"), _reading),
    **dict.fromkeys(("sfrac", "frac", "分数"), _fraction),
    **dict.fromkeys(("hlist", "unbulleted list", "ubl"), _joined("、")),
    **dict.fromkeys(("節リンク", "convert"), _joined(" ")),
    **dict.fromkeys(("refnest", "efn", "sfn", "r", "cite web", "cite book", "reflist"), _nothing),
    "sup": _power("^{"),
    "sub": _power("_{"),
    "—": _words("—"),
    "!": _words("|"),
    "=": _words("="),
    "spaces": _words(" "),
}  # fmt: skip
