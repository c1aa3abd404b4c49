"""TeX that stands in the page's own text, as MathJax and KaTeX read it there.

`\\(…\\)`, `\\[…\\]`, `$$…$$`, environments and Hatena's `[tex:…]`; `$…$` only where the page loads
a renderer. Each mark is looked at once: no text makes the search slow.
"""

from __future__ import annotations

import re
from bisect import bisect_left

import numpy as np

from corpus.web.html.formulas import tidy
from corpus.web.main_text.pieces import H_WIDTH

_NAMES = "equation|align|gather|eqnarray|multline|alignat|math|displaymath"
_TOKEN = re.compile(
    r"[\x1e\x1f]|\$\$?|\\[()\[\]]|\[tex:|\]|\\(?:begin|end)\{(?:" + _NAMES + r")\*?\}"
)
# What closes a formula, by what opens it, and how many characters may stand inside.
MAX_DISPLAY = 4000
_CLOSED_BY = {
    "$$": ("$$", MAX_DISPLAY),
    "\\[": ("\\]", MAX_DISPLAY),
    "\\(": ("\\)", 2000),
    "[tex:": ("]", 1000),
}
_DOLLARS = re.compile(
    r"(?<![\\$\w])\$(?![\s$\d])[^$\x1e\x1f\n]{1,500}?(?<![\s\\])\$(?![\d$])"
)  # no dollar stands inside, so nothing is searched twice
_SIGNS = re.compile(r"[\\^_{}=]|[A-Za-z]")
_RENDERERS = (b"MathJax", b"mathjax", b"KaTeX", b"katex", b"MATHJAX", b"Mathjax")
_PART, _ENDS = "\x1e", "\x1e\x1f"
_OPENERS = ("$$", "\\(", "\\[", "\\begin{", "[tex:")  # and a dollar, where a page loads a renderer

Token = tuple[int, int, str]  # start, end, what it is


def may_hold_tex(prose: str, source: bytes) -> bool:
    """Whether what opens TeX stands in the prose of a page."""
    return any(mark in prose for mark in _OPENERS) or ("$" in prose and _renders(source))


def _renders(source: bytes) -> bool:
    return any(name in source for name in _RENDERERS)


def with_tex(
    prose: str, holes: np.ndarray, known: int, source: bytes
) -> tuple[str, np.ndarray, list[str]]:
    """Prose with holes for the TeX in it, all holes in order, the formulas found.

    holes: those of `prose`; known: formulas numbered so far; source: of the page.
    """
    renders = _renders(source)
    tokens = [(m.start(), m.end(), m[0]) for m in _TOKEN.finditer(prose)]
    by_mark: dict[str, list[int]] = {}
    for k, token in enumerate(tokens):
        by_mark.setdefault(_PART if token[2] in _ENDS else token[2], []).append(k)
    old, rows = iter(holes.tolist()), []
    parts, found = [], list[str]()
    at = k = 0
    while k < len(tokens):
        start, end, mark = tokens[k]
        k += 1
        if mark == "\x1f":
            rows.append(next(old))
            continue
        last = _closing(prose, tokens, by_mark, k - 1, renders)
        if last < 0:
            continue
        close, behind, _ = tokens[last]
        environment = mark.startswith("\\begin")
        inside = tidy(prose[start:behind] if environment else prose[end:close])
        if not inside or not (renders or environment or _SIGNS.search(inside)):
            continue
        parts += [prose[at:start], "\x1f"]
        rows.append([1, known + len(found), 0])
        found.append(inside)
        at, k = behind, last + 1
    return "".join([*parts, prose[at:]]), np.array(rows, np.int32).reshape(-1, H_WIDTH), found


def _closing(
    prose: str, tokens: list[Token], by_mark: dict[str, list[int]], k: int, renders: bool
) -> int:
    """The token that closes the formula which token k opens; -1 if none does."""
    start, end, mark = tokens[k]
    if mark == "$":
        return _next(by_mark["$"], k) if renders and _DOLLARS.match(prose, start) else -1
    if mark.startswith("\\begin"):
        closer, most = mark.replace("begin", "end"), MAX_DISPLAY
    elif mark in _CLOSED_BY:
        closer, most = _CLOSED_BY[mark]
    else:
        return -1
    last = _next(by_mark.get(closer, []), k)
    if last < 0 or 0 <= _next(by_mark.get(_PART, []), k) < last:
        return -1
    if mark == "$$" and 0 <= _next(by_mark.get("$", []), k) < last:
        return -1
    return last if 0 < tokens[last][0] - end <= most else -1


def _next(places: list[int], k: int) -> int:
    """The first of the places (in order) behind k; -1 if none is."""
    at = bisect_left(places, k + 1)
    return places[at] if at < len(places) else -1
