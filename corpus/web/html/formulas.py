"""TeX of a formula, from the source of what shows it.

Whatever wrote the page, the author's own TeX is looked for first: MathML's annotation (KaTeX,
Wikipedia, LaTeXML, MathJax), the script of MathJax 2, alt texts, attributes. MathML without one is
converted (`mathml`). What cannot be read is "", and the caller leaves a mark. Attributes may
hold whole tags, so all searches are for plain strings or stop at the next quote: none is slow.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

from corpus.web.html.mathml import to_tex

MAX_MATHML = 100_000  # bytes; larger ones are left unread
MAX_STYLES = 4  # of Wikipedia's `{\displaystyle …}` around each other
_TEX_TYPES = ("application/x-tex", "text/x-tex", "latex", "tex", "application/x-latex")
_ENCODING = re.compile(r'\sencoding="([^"]*)"', re.I)
_MATH = re.compile(r"<(?:\w{1,20}:)?math[\s>]", re.I)
_MATH_END = re.compile(r"</(?:\w{1,20}:)?math>", re.I)
_ALTTEXT = re.compile(r'\salttext="([^"]*)"', re.I)
_ATTRIBUTE = re.compile(
    r'\s(?:data-latex|data-tex|data-math|data-formula|data-expr|data-original|data-entry|'
    r'data-katex|data-equation|data-mathml)="([^"]+)"', re.I
)  # fmt: skip
_INSIDE_TAG, _ELEMENT = re.compile(r' [^\s="<>]{1,99}="'), re.compile("<[a-z]")
_TAG = re.compile(r'<[^"<>]*(?:"[^"]*"[^"<>]*)*')  # of serialised HTML, up to its `>`
_TAGS = re.compile(_TAG.pattern + ">")
_SOURCE = re.compile(r'\ssrc="([^"]*)"')
_SERVICE = re.compile(r"latex\.php\?|codecogs\.com/[^?]{0,40}\?|latex\?|math?i?tex\.cgi\?|cht=tx&")
_IN_PATH = re.compile(r"/([^/?#]{0,1000}%5[Cc][A-Za-z]+%7[Bb][^?#]{1,4000})$")  # \frac{ …
_PARAMETER = re.compile(r"(?:latex|chl)=")
_SIGN, _OTHER_SIGN = re.compile(r"[\\^_=]"), re.compile(r"[^\sA-Za-z]")
_IMAGE_CLASS = re.compile(r'\sclass="(?:[^"]*\s)?(?:latex|tex|math)[\s"]')
_SCRIPT_TYPE = re.compile(r'\stype="math/tex', re.I)
_ALT = re.compile(r'\salt="([^"]*)"')
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("[tex:", "]"))
_STYLE = re.compile(r"\{\s*\\(?:displaystyle|textstyle)\s(.*)\}", re.S)
_BRACES = re.compile(r"\\.|[{}]", re.S)
_CDATA = re.compile(r"^%\s*<!\[CDATA\[|%?\s*\]\]>$")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COMMENT = re.compile(r"(?<!\\)%[^\n]*\n")
_DOLLAR = re.compile(r"\\.|\$+", re.S)
_BARE = re.compile(r"<(/?)\w{1,20}:")  # prefixes of names in MathML
_PREFIXED = re.compile(r'\s\w{1,20}:[\w-]{1,40}="[^"]*"')  # attributes of other namespaces
_SAFE = re.compile(r"<!|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)")


def tex(source: str) -> str:
    """TeX of one formula, without delimiters and on one line unless it has several; "" if unread.

    source: serialised HTML of the element, or the content of a script of TeX.
    """
    if _INSIDE_TAG.match(source):  # of an image
        return tidy(_of_image(source))
    if not _ELEMENT.match(source):  # of a script
        return tidy(source)
    own = _ATTRIBUTE.search(tag[0]) if (tag := _TAG.match(source)) else None
    if own is not None and not own[1].lstrip().startswith("&lt;"):
        return tidy(html.unescape(own[1]))
    if found := _annotation(source) or _script(source):
        return tidy(found)
    if (math := _MATH.search(source)) is not None:
        return _of_mathml(source, math.start())
    if (drawn := _drawn(source)) and (found := _converted(drawn)):
        return found
    if (attribute := _ATTRIBUTE.search(source)) is not None:
        value = html.unescape(attribute[1])
        return _converted(value) if value.lstrip().startswith("<") else tidy(value)
    if source.startswith("<embed-katex"):  # TeX that the page renders later
        return tidy(html.unescape(_TAGS.sub("", source)))
    return tidy(html.unescape(alt[1])) if (alt := _ALT.search(source)) is not None else ""


def _of_image(tag: str) -> str:
    """The alt text of an image, or the TeX that its address asks a service for."""
    alt = html.unescape(found[1]) if (found := _ALT.search(tag)) is not None else ""
    address = html.unescape(found[1]) if (found := _SOURCE.search(tag)) is not None else ""
    if _SIGN.search(alt) or (_OTHER_SIGN.search(alt) and _IMAGE_CLASS.search(tag)):
        return alt
    if (service := _SERVICE.search(address)) is None:
        path = _IN_PATH.search(address)
        return unquote(path[1]) if path is not None and not alt else alt
    query = address[service.end() :]
    given = [part for part in query.split("&") if _PARAMETER.match(part)]
    return unquote_plus(given[0].partition("=")[2] if given else query.partition("&")[0])


def _elements(source: str, name: str) -> Iterator[tuple[str, str]]:
    """(tag, content) of the elements of a name that holds no element of that name."""
    at = source.find(f"<{name}")
    while at >= 0:
        tag = _TAG.match(source, at)
        begin = tag.end() + 1 if tag is not None else at + 1
        end = source.find(f"</{name}", begin)
        if end < 0:
            return
        yield source[at:begin], source[begin:end]
        at = source.find(f"<{name}", end)


def _annotation(source: str) -> str:
    """The first annotation of MathML that is TeX."""
    for tag, content in _elements(source, "annotation"):
        encoding = _ENCODING.search(tag)
        if encoding is not None and encoding[1].lower() in _TEX_TYPES and content.strip():
            return html.unescape(content)
    return ""


def _script(source: str) -> str:
    """The first script of TeX."""
    for tag, content in _elements(source, "script"):
        if _SCRIPT_TYPE.search(tag) and content.strip():
            return content
    return ""


def _of_mathml(source: str, start: int) -> str:
    """The alternative text of the `<math>` that begins at `start`, or what it converts to."""
    tag = _TAG.match(source, start)
    alternative = _ALTTEXT.search(tag[0]) if tag is not None else None
    if alternative is not None and alternative[1].strip():
        return tidy(html.unescape(alternative[1]))
    end = _MATH_END.search(source, start)
    return _converted(source[start : end.end()]) if end is not None else ""


def _drawn(source: str) -> str:
    """What MathJax 3 has drawn as HTML of a formula whose MathML it did not keep."""
    start, end = source.find("<mjx-math"), source.rfind("</mjx-math>")
    return source[start : end + len("</mjx-math>")] if 0 <= start < end else ""


def tidy(text: str) -> str:
    """TeX without delimiters, CDATA, the style that Wikipedia wraps around, and ends of blanks.

    Dollars inside become `\\(…\\)`, so that `$…$` around it ends where it should.
    """
    text = _CDATA.sub("", _CONTROLS.sub(" ", text).strip()).strip()
    for left, right in _DELIMITERS:
        inside = text[len(left) : len(text) - len(right)]
        whole = text.startswith(left) and text.endswith(right) and right not in inside[:-1]
        if inside and whole:
            text = inside.strip()
            break
    for _ in range(MAX_STYLES):
        if (style := _STYLE.fullmatch(text)) is None or not _balanced(style[1]):
            break
        text = style[1].strip()
    if "\n" in text and "%" in text:
        text = _COMMENT.sub("\n", text)  # it would hide what stands behind it on one line
    if "$" in text:
        text = _without_dollars(text)
    text = "\n".join(filter(None, (line.strip() for line in text.split("\n"))))
    slashes = len(text) - len(text.rstrip("\\"))
    return text[:-1].rstrip() if slashes % 2 else text


def _without_dollars(text: str) -> str:
    """Pairs of dollars as `\\(…\\)`; one alone is escaped."""
    runs = [m for m in _DOLLAR.finditer(text) if m[0][0] == "$"]
    parts, at = [], 0
    for number, run in enumerate(runs):
        alone = number % 2 == 0 and number + 1 == len(runs)
        parts += [text[at : run.start()], "\\$" if alone else "\\)" if number % 2 else "\\("]
        at = run.end()
    return "".join([*parts, text[at:]])


def _balanced(text: str) -> bool:
    """Whether no brace closes that was not opened in the text."""
    depth = 0
    for mark in _BRACES.findall(text):
        depth += (mark == "{") - (mark == "}")
        if depth < 0:
            return False
    return depth == 0


@lru_cache(maxsize=4096)
def _converted(mathml: str) -> str:
    """MathML as TeX; "" for what the converter cannot read, or reads as nothing."""
    if len(mathml) > MAX_MATHML:
        return ""
    xml = _BARE.sub(r"<\1", mathml.replace("&nbsp;", "&#160;"))
    xml = _PREFIXED.sub("", xml)
    if _SAFE.search(xml):  # a doctype, or entities that XML does not know: hostile, or broken
        return ""
    try:
        return tidy(to_tex(xml))
    except Exception:  # of the parser or the tables of names, over what a page wrote
        return ""
