"""MathML as TeX, also MathML that MathJax has drawn as HTML and left no source of.

Structure is read here: fences, matrices, cases, binomials, accents, limits, numbered equations.
What single identifiers and operators are called in TeX comes from mathml-to-latex.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

Element = ElementTree.Element
MAX_DEPTH = 100  # of elements; deeper formulas are left unread
_FENCES = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "〈": "〉", "⌊": "⌋", "⌈": "⌉"}
_CLOSERS = frozenset(_FENCES.values())
_FENCE_TEX = {
    "{": "\\{", "}": "\\}", "⟨": "\\langle", "⟩": "\\rangle", "〈": "\\langle", "〉": "\\rangle",
    "⌊": "\\lfloor", "⌋": "\\rfloor", "⌈": "\\lceil", "⌉": "\\rceil", "|": "|", "∣": "|",
    "‖": "\\|", "∥": "\\|", "": ".",
}  # fmt: skip
_MATRICES = {"()": "p", "[]": "b", "{}": "B", "||": "v", "∣∣": "v", "‖‖": "V", "∥∥": "V"}
_OVER = {
    "˙": "dot", "¨": "ddot", "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde", "¯": "bar",
    "‾": "bar", "―": "bar", "→": "vec", "⃗": "vec", "ˇ": "check", "˘": "breve", "´": "acute",
    "`": "grave", "⏞": "overbrace", "︷": "overbrace", "←": "overleftarrow",
}  # fmt: skip
_WIDE = {"hat": "widehat", "tilde": "widetilde", "bar": "overline", "vec": "overrightarrow"}
_UNDER = dict.fromkeys("_\u0332¯", "underline") | dict.fromkeys("⏟︸", "underbrace")
_LARGE = frozenset("∑∏∐⋃⋂⨁⨂⨆⋁⋀∫∬∭∮")
_NAMES = (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp lim liminf "
    "limsup max min sup inf arg det dim gcd ker hom deg Pr"
)
_LIMIT_NAMES = "lim liminf limsup max min sup inf det gcd Pr"
_FUNCTIONS, _LIMITS = frozenset(_NAMES.split()), frozenset(_LIMIT_NAMES.split())
_SPECIAL = re.compile(r"[%#&$_{}]")
_UNSEEN = frozenset("\u2061\u2062\u2063\u2064\u200b\ufe00\ufe01")
_MARK = re.compile(r"\bmjx-c([0-9A-F]{2,6})\b")
_STYLED = re.compile(r"MATHEMATICAL ([A-Z -]+?) (?:SMALL|CAPITAL|DIGIT|DOTLESS|PARTIAL|NABLA)\b")
_ROWS = ("mrow", "mstyle", "mpadded")
_STRIKES = {"updiagonalstrike": "cancel", "downdiagonalstrike": "bcancel"}


def to_tex(xml: str) -> str:
    """TeX of `<math>` or of MathJax's `<mjx-math>`. Raises ValueError where it cannot be read."""
    try:
        root = ElementTree.fromstring(xml)
        if root.tag.startswith("mjx-"):
            root = _of_mathjax(root, 0)
        return _row(list(root), 0, outer=True).strip()
    except (ElementTree.ParseError, IndexError) as error:
        raise ValueError("not MathML") from error


def _text(node: Element) -> str:
    """All characters of a leaf, blanks collapsed; what is only there for renderers goes."""
    kept = "".join(c for c in "".join(node.itertext()) if c not in _UNSEEN)
    return " ".join(kept.split())


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""


@lru_cache(maxsize=4096)
def _leaf(name: str, text: str, variant: str) -> str:
    """TeX of one identifier, number or operator."""
    from mathml_to_latex.converter import MathMLToLaTeX  # only pages with bare MathML need it

    said = f"<{name} mathvariant={quoteattr(variant)}>{escape(text)}</{name}>"
    found: str = MathMLToLaTeX.convert(f"<math>{said}</math>")
    return found


def _upright(text: str, variant: str) -> tuple[str, str]:
    """A mathematical letter as the letter it is and the style it is set in."""
    if len(text) == 1 and (style := _STYLED.match(unicodedata.name(text, ""))) is not None:
        plain = unicodedata.normalize("NFKC", text)
        named = style[1].lower().replace(" ", "-")
        return plain, variant if named == "italic" else named
    return text, variant


def _symbol(node: Element, name: str) -> str:
    text = _text(node)
    if not text:
        return ""
    if text in _FUNCTIONS:
        return "\\" + text
    if text in _FENCE_TEX or text in "()[]/":
        return _FENCE_TEX.get(text, text)
    if _SPECIAL.fullmatch(text):
        return "\\" + text
    text, variant = _upright(text, node.get("mathvariant", ""))
    if len(text) > 1 and name == "mo" and text.isalpha() and text.isascii():
        return f"\\operatorname{{{text}}}"
    found = _leaf(name, text, variant)
    return found if "\\" in found else _SPECIAL.sub(r"\\\g<0>", found)


def _quoted(node: Element) -> str:
    """Words in a formula."""
    raw = re.sub(r"\s+", " ", "".join(node.itertext()).replace("\xa0", " "))
    words = _SPECIAL.sub(r"\\\g<0>", raw.replace("\\", " "))
    if not any(c.isalnum() for c in words):
        return words.strip()
    return f"\\text{{{words}}}"


def _inner(node: Element) -> Element:
    """What an element is when rows that hold nothing else are taken off."""
    while _name(node) in _ROWS and len(node) == 1:
        node = node[0]
    return node


def _operator(node: Element) -> str | None:
    """The character that a lone operator is, "" for an unseen fence; None for anything else."""
    node = _inner(node)
    return _text(node) if _name(node) == "mo" else None


def _only(node: Element, name: str) -> Element | None:
    """The element of that name that a node is, or that its rows hold and nothing else."""
    node = _inner(node)
    return node if _name(node) == name else None


def _row(nodes: list[Element], depth: int, outer: bool = False) -> str:
    """TeX of elements that stand side by side. outer: they are the whole formula."""
    nodes = [n for n in nodes if _name(n) not in ("mspace", "annotation", "annotation-xml", "none")]
    partner = _partners(nodes)
    parts = []
    k = 0
    while k < len(nodes):
        here = _operator(nodes[k])
        behind = _operator(nodes[k + 2]) if k + 2 < len(nodes) else None
        table = _only(nodes[k + 1], "mtable") if here is not None and k + 1 < len(nodes) else None
        fraction = _only(nodes[k + 1], "mfrac") if k + 1 < len(nodes) else None
        fences = (here or "") + (behind or "")
        if table is not None and fences in _MATRICES:
            parts.append(_table(table, _MATRICES[fences] + "matrix", depth))
            k += 3
        elif table is not None and here == "{" and not behind:
            parts.append(_table(table, "cases", depth))
            k += 3 if behind == "" else 2
        elif here == "(" and behind == ")" and fraction is not None and _is_binomial(fraction):
            over, under = (_tex(n, depth + 1) for n in fraction[:2])
            parts.append(f"\\binom{{{over}}}{{{under}}}")
            k += 3
        else:
            if k in partner:
                sign = _FENCE_TEX.get(here or "", here or "")
                parts.append(("\\left" if partner[k] > k else "\\right") + sign)
            elif outer and len(nodes) == 1 and (table := _only(nodes[k], "mtable")) is not None:
                parts.append(_table(table, "aligned", depth))
            else:
                parts.append(_tex(nodes[k], depth + 1))
            k += 1
    return " ".join(filter(None, parts))


def _partners(nodes: list[Element]) -> dict[int, int]:
    """Which fence closes which, both ways."""
    pairs: dict[int, int] = {}
    opened: list[tuple[int, str]] = []
    for k, node in enumerate(nodes):
        sign = _operator(node)
        if sign in _FENCES:
            opened.append((k, _FENCES[sign]))
        elif sign in _CLOSERS and opened and opened[-1][1] == sign:
            first = opened.pop()[0]
            pairs[first], pairs[k] = k, first
    return pairs


def _tex(node: Element, depth: int) -> str:
    """TeX of one element."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    name = _name(node)
    if name in ("mi", "mo", "mn"):
        return _symbol(node, name)
    if name in ("mtext", "ms"):
        return _quoted(node)
    if name == "semantics" or name == "maction":
        return _row(list(node)[:1], depth)
    writer = _WRITERS.get(name)
    return writer(node, depth) if writer is not None else _row(list(node), depth)


def _group(node: Element, depth: int) -> str:
    """An element as the base of a power: braces where it is more than one thing."""
    tex = _tex(node, depth + 1)
    plain = len(tex) <= 1 or re.fullmatch(r"\\[A-Za-z]+(?:\{[^{}]*\})*", tex)
    node = _inner(node)
    inside = [n for n in node if _name(n) != "mspace"]
    fenced = len(inside) > 1 and _partners(inside).get(0) == len(inside) - 1
    single = _name(node) in ("mi", "mo", "mn", "mtext", "mfenced")
    return tex if plain or fenced or single else f"{{{tex}}}"


def _scripts(node: Element, depth: int) -> str:
    """msup, msub, msubsup, munderover, mmultiscripts."""
    name, base = _name(node), _group(node[0], depth)
    parts = ["", *(_tex(n, depth + 1) for n in node[1:])]
    if name == "msup":
        marks = set(_text(node[1])) if len(_text(node[1])) else {""}
        return base + "'" * len(_text(node[1])) if marks == {"′"} else f"{base}^{{{parts[1]}}}"
    if name == "msub":
        return f"{base}_{{{parts[1]}}}"
    if name in ("msubsup", "munderover"):
        return f"{base}_{{{parts[1]}}}^{{{parts[2]}}}"
    names = [_name(n) for n in node]
    split = names.index("mprescripts") if "mprescripts" in names else len(names)
    before = _pairs(parts[split + 1 :])
    return ("{}" + before + " " if before else "") + base + _pairs(parts[1:split])


def _pairs(parts: list[str]) -> str:
    return "".join(
        (f"_{{{part}}}" if k % 2 == 0 else f"^{{{part}}}") for k, part in enumerate(parts) if part
    )


def _beside(node: Element, depth: int) -> str:
    """munder and mover: limits of an operator, an accent, or one above the other."""
    over = _name(node) == "mover"
    base, mark = _tex(node[0], depth + 1), _tex(node[1], depth + 1)
    if _operator(node[0]) in _LARGE or base.removeprefix("\\") in _LIMITS:
        return f"{base}{'^' if over else '_'}{{{mark}}}"
    accent = (_OVER if over else _UNDER).get(_text(node[1]))
    if accent is not None:
        letters = len("".join(node[0].itertext()).strip())
        return f"\\{_WIDE.get(accent, accent) if letters > 1 else accent}{{{base}}}"
    return f"\\{'overset' if over else 'underset'}{{{mark}}}{{{base}}}"


def _is_binomial(node: Element) -> bool:
    return re.fullmatch(r"0(?:\.0*)?\s*[a-z%]*", node.get("linethickness", "")) is not None


def _fraction(node: Element, depth: int) -> str:
    if node.get("bevelled") == "true":
        return f"{_group(node[0], depth)}/{_group(node[1], depth)}"
    over, under = (_tex(n, depth + 1) for n in (node[0], node[1]))
    if _is_binomial(node):
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{over}}}{{{under}}}"
    return f"\\frac{{{over}}}{{{under}}}"


def _fenced(node: Element, depth: int) -> str:
    left, right = node.get("open", "(").strip(), node.get("close", ")").strip()
    if len(node) == 1 and (table := _only(node[0], "mtable")) is not None:
        if left + right in _MATRICES:
            return _table(table, _MATRICES[left + right] + "matrix", depth)
        if left == "{" and not right:
            return _table(table, "cases", depth)
    marks = "".join(node.get("separators", ",").split())
    inside = ""
    for k, child in enumerate(node):
        mark = marks[min(k - 1, len(marks) - 1)] + " " if k and marks else ""
        inside += mark + _tex(child, depth + 1)
    left, right = (_FENCE_TEX.get(sign, sign) for sign in (left, right))
    return f"\\left{left} {inside} \\right{right}"


def _enclosed(node: Element, depth: int) -> str:
    inside, notation = _row(list(node), depth), node.get("notation", "").split()
    if "top" in notation:
        return f"\\overline{{{inside}}}"
    if "bottom" in notation:
        return f"\\underline{{{inside}}}"
    if "radical" in notation:
        return f"\\sqrt{{{inside}}}"
    if {"box", "roundedbox"} & set(notation):
        return f"\\boxed{{{inside}}}"
    strikes = [_STRIKES[n] for n in notation if n in _STRIKES]
    return f"\\{strikes[0]}{{{inside}}}" if strikes else inside


def _table(table: Element, environment: str, depth: int) -> str:
    """Rows of cells; one row is no table. The number of an equation stands behind it."""
    rows = []
    for row in table:
        cells = [_row(list(cell), depth + 2) for cell in row]
        number = cells.pop(0) if _name(row) == "mlabeledtr" and len(cells) > 1 else ""
        rows.append((cells, number))
    if len(rows) == 1 and environment in ("aligned", "matrix"):
        cells, number = rows[0]
        return " ".join(filter(None, [*cells, number]))
    lines = [" & ".join(cells) + (" " + number if number else "") for cells, number in rows]
    return f"\\begin{{{environment}}}" + " \\\\ ".join(lines) + f"\\end{{{environment}}}"


_WRITERS: dict[str, Callable[[Element, int], str]] = {
    **dict.fromkeys(("msup", "msub", "msubsup", "munderover", "mmultiscripts"), _scripts),
    **dict.fromkeys(("munder", "mover"), _beside),
    "mfrac": _fraction,
    "msqrt": lambda node, depth: f"\\sqrt{{{_row(list(node), depth)}}}",
    "mroot": lambda node, depth: (
        f"\\sqrt[{_tex(node[1], depth + 1)}]{{{_tex(node[0], depth + 1)}}}"
    ),
    "mfenced": _fenced,
    "menclose": _enclosed,
    "mtable": lambda node, depth: _table(node, "matrix", depth),
    "mphantom": lambda node, depth: "",
    "mprescripts": lambda node, depth: "",
}

# What MathJax draws around the parts of MathML, and what it draws only.
_BOXES = (
    "mjx-box mjx-dbox mjx-dtable mjx-row mjx-base mjx-frac mjx-sqrt mjx-table mjx-itable mjx-root "
    "mjx-munder-box mjx-labels-box mjx-block"
)
_LINES = (
    "mjx-labels mjx-surd mjx-line mjx-nstrut mjx-dstrut mjx-tstrut mjx-spacer mjx-strut "
    "mjx-assistive-mml mjx-mspace"
)
_DRAWN, _ONLY_DRAWN = frozenset(_BOXES.split()), frozenset(_LINES.split())
_ORDER = {
    "mfrac": ("num", "den"), "msqrt": ("",), "mover": ("", "over"), "munder": ("", "under"),
    "munderover": ("", "under", "over"), "mroot": ("", "root"),
}  # fmt: skip


def _of_mathjax(node: Element, depth: int) -> Element:
    """The MathML that a tree of `mjx-` elements was drawn from."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    name = node.tag.removeprefix("mjx-")
    out = ElementTree.Element(
        {"math": "math", "num": "mrow", "den": "mrow", "texatom": "mrow"}.get(name, name)
    )
    if name in ("mi", "mo", "mn", "mtext", "ms"):
        out.text = _characters(node)
        return out
    if name in ("msup", "msub", "msubsup"):
        out.extend(_scripts_of_mathjax(node, depth))
        return out
    parts = dict[str, Element]()
    for child, role in _parts_of_mathjax(node, "", depth):
        row = parts.setdefault(role, ElementTree.Element("mrow"))
        row.append(_of_mathjax(child, depth + 1))
    if name == "mfrac" and next(node.iter("mjx-line"), None) is None:
        out.set("linethickness", "0")
    if name in _ORDER and name != "msqrt":
        out.extend(
            parts[role] if role in parts else ElementTree.Element("mrow") for role in _ORDER[name]
        )
    else:
        out.extend(parts.get("", ()))
    return out


def _parts_of_mathjax(node: Element, role: str, depth: int) -> list[tuple[Element, str]]:
    """The parts of an element, and which of its parts each is (num, den, over, under, root, "")."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    found = []
    for child in node:
        name = child.tag.removeprefix("mjx-")
        if child.tag in _ONLY_DRAWN:
            continue
        if name in ("num", "den", "over", "under", "root"):
            found += _parts_of_mathjax(child, name, depth + 1)
        elif child.tag in _DRAWN or (
            name == "munder" and node.tag in ("mjx-box", "mjx-munderover")
        ):
            found += _parts_of_mathjax(child, role, depth + 1)
        else:
            found.append((child, role))
    return found


def _scripts_of_mathjax(node: Element, depth: int) -> list[Element]:
    """Base and scripts; of two scripts the upper one is drawn first."""
    base, scripts = ElementTree.Element("mrow"), list[Element]()
    for child in node:
        if child.tag == "mjx-script":
            scripts += [_of_mathjax(n, depth + 1) for n, _ in _parts_of_mathjax(child, "", depth)]
        elif child.tag not in _ONLY_DRAWN:
            base.append(_of_mathjax(child, depth + 1))
    if len(scripts) == 2:
        scripts.reverse()
    return [base, *scripts]


def _characters(node: Element) -> str:
    """Characters drawn one by one: as text, or as the code in the name of a class."""
    text = ""
    for part in node:
        code = _MARK.search(part.get("class", ""))
        drawn = int(code[1], 16) if code is not None else 0
        text += part.text or (chr(drawn) if 0 < drawn < 0x110000 else "") or _characters(part)
    return text
