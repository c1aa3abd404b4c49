"""TeX of a formula, from the source of what shows it.

Whatever wrote the page, the author's own TeX is looked for first: MathML's annotation (KaTeX,
Wikipedia, LaTeXML, MathJax), the script of MathJax 2, alt texts, attributes. MathML without one is
converted (mathml-to-latex). What cannot be read is "", and the caller leaves a mark.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from urllib.parse import unquote_plus

MAX_MATHML = 100_000  # bytes; larger ones are left unread
_ANNOTATION = re.compile(
    r'<annotation[^>]*encoding="(?:application/x-tex|text/x-tex|latex|tex|application/x-latex)"'
    r"[^>]*>(.*?)</annotation>",
    re.S | re.I,
)
_MATH = re.compile(r"<(?:\w+:)?math[\s>].*?</(?:\w+:)?math>", re.S | re.I)
_ALTTEXT = re.compile(r'<math[^>]*\salttext="([^"]*)"', re.I)
_ATTRIBUTE = re.compile(
    r'\s(?:data-latex|data-tex|data-math|data-formula|data-expr|data-original|data-entry|'
    r'data-katex|data-equation|data-mathml)="([^"]+)"', re.I
)  # fmt: skip
_OWN = re.compile(r"<[^<>]*?" + _ATTRIBUTE.pattern, re.I)
_SERVICE = re.compile(
    r'\ssrc="[^"]*(?:latex\.php\?(?:[^"]*?&amp;)?latex=|codecogs\.com/[^"?]*\?|latex\?|'
    r'(?:mathtex|mimetex)\.cgi\?|cht=tx&amp;(?:[^"]*?&amp;)?chl=)([^"&]+)"?'
)  # fmt: skip
_SIGN = re.compile(r"[\\^_=]")
_SCRIPT = re.compile(r'<script[^>]*type="math/tex[^"]*"[^>]*>(.*?)</script>', re.S | re.I)
_ALT = re.compile(r'\salt="([^"]*)"')
_DELIMITED = re.compile(
    r"\s*(?:\$\$(.+)\$\$|\$(.+)\$|\\\((.+)\\\)|\\\[(.+)\\\]|\[tex:\s*(.+)\])\s*", re.S
)
_STYLE = re.compile(r"\{\s*\\(?:displaystyle|textstyle)\s+(.*)\}", re.S)
_ROWS = re.compile(r"(?<!\\)&|\\\\")  # of a matrix, which the converter leaves bare
_COMMENT = re.compile(r"^%\s*<!\[CDATA\[|%?\s*\]\]>\s*$")
_BARE = re.compile(r"<(/?)\w+:")  # prefixes of names in MathML
_SAFE = re.compile(r"<!|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")


def tex(source: str) -> str:
    """TeX of one formula, without delimiters and on one line unless it has several; "" if unread.

    source: serialised HTML of the element, or the content of a script of TeX.
    """
    if not source.lstrip().startswith("<"):
        if not source.startswith(" "):  # of a script
            return _tidy(source)
        alt, service = _ALT.search(source), _SERVICE.search(source)  # the inside of an <img> tag
        if service is not None and not (alt is not None and _SIGN.search(html.unescape(alt[1]))):
            return _tidy(unquote_plus(html.unescape(service[1])))
        return _tidy(html.unescape(alt[1])) if alt is not None else ""
    if (own := _OWN.match(source)) is not None and not own[1].lstrip().startswith("&lt;"):
        return _tidy(html.unescape(own[1]))
    for pattern in (_ANNOTATION, _SCRIPT):
        if (found := pattern.search(source)) is not None and found[1].strip():
            return _tidy(found[1] if pattern is _SCRIPT else html.unescape(found[1]))
    if (found := _ALTTEXT.search(source)) is not None and found[1].strip():
        return _tidy(html.unescape(found[1]))
    if (found := _MATH.search(source)) is not None:
        return _converted(found[0])
    for found in _ATTRIBUTE.finditer(source):
        value = html.unescape(found[1])
        return _converted(value) if value.lstrip().startswith("<") else _tidy(value)
    if (found := _ALT.search(source)) is not None:
        return _tidy(html.unescape(found[1]))
    return ""


def _tidy(text: str) -> str:
    """Without delimiters, CDATA, the style that Wikipedia wraps around, and ends of blanks."""
    text = _COMMENT.sub("", text.strip()).strip()
    if (inside := _DELIMITED.fullmatch(text)) is not None:
        text = next(part for part in inside.groups() if part is not None)
    while (style := _STYLE.fullmatch(text)) is not None and _balanced(style[1]):
        text = style[1]
    lines = (line.strip() for line in text.replace("\r", "").split("\n"))
    return "\n".join(line for line in lines if line)


def _balanced(text: str) -> bool:
    """Whether no brace closes that was not opened in the text."""
    depth = 0
    for mark in re.findall(r"\\.|[{}]", text, re.S):
        depth += (mark == "{") - (mark == "}")
        if depth < 0:
            return False
    return depth == 0


@lru_cache(maxsize=4096)
def _converted(mathml: str) -> str:
    """MathML as TeX; "" for what the converter cannot read, or reads as nothing."""
    from mathml_to_latex.converter import MathMLToLaTeX  # only pages with bare MathML need it

    if len(mathml) > MAX_MATHML:
        return ""
    xml = _BARE.sub(r"<\1", mathml.replace("&nbsp;", "&#160;"))
    if _SAFE.search(xml):  # a doctype, or entities that XML does not know: hostile, or broken
        return ""
    try:
        found = MathMLToLaTeX.convert(xml)
    except Exception:  # of the converter, over what a page wrote
        return ""
    found = found.replace("\\left(\\right.", "\\left(").replace("\\left.\\right)", "\\right)")
    found = found.replace("\\left[\\right.", "\\left[").replace("\\left.\\right]", "\\right]")
    if _ROWS.search(found) and "\\begin" not in found:
        found = "\\begin{aligned}" + found + "\\end{aligned}"
    return _tidy(found)
