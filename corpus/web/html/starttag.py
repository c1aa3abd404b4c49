"""Start tags of serialised HTML: where they end and what their attributes say."""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.html.attributes import (
    as_bytes,
    contains,
    role_bits,
    span_hash,
    style_hides,
    word_bits,
)
from corpus.web.html.classes import (
    C_CODE,
    C_DISPLAY,
    C_FORMULA,
    C_FORMULA_IMAGE,
    C_GUTTER,
    C_LISTING,
    C_UNSEEN,
    class_bits,
)
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

# What a start tag's attributes say (int32): filled by `read_attributes`. X_FLAGS are kinds of class
# words (`tags.NAV` …), X_CLASSES the C_ bits of `classes`, X_LANDMARK the L_ bits of `blocks`;
# X_NUMBER is a start, value or colspan, X_ROWS a rowspan; the others are 0 or 1. X_MARK: a link or
# script that rights or metadata read. X_TEX: a script, or the alt text of an image, is TeX.
(
    X_FLAGS, X_HIDDEN, X_HREF, X_LANDMARK, X_MARK, X_AUTHOR, X_CLASSES, X_NUMBER, X_ROWS, X_TEX,
    X_WIDTH,
) = range(11)  # fmt: skip
MAX_NUMBER = 1_000_000


def _hash(name: str) -> np.uint32:
    return np.uint32(tags.name_hash(name))


_ATTRIBUTES = "class id role style hidden href rel itemprop type aria-hidden"
_CLASS, _ID, _ROLE, _STYLE, _HIDDEN_NAME, _HREF, _REL, _ITEMPROP, _TYPE, _ARIA = (
    _hash(name) for name in _ATTRIBUTES.split()
)
_START, _VALUE, _COLSPAN, _ROWSPAN, _ALT, _DISPLAY, _NAME = (
    _hash(name) for name in ["start", "value", "colspan", "rowspan", "alt", "display", "name"]
)
_DISPLAY_MODE = _hash("display-mode")
_NAV, _ASIDE, _FOOTER, _HEADER, _ARTICLE, _MAIN, _FORM_TAG, _DIALOG = (
    _hash(name)
    for name in ("nav", "aside", "footer", "header", "article", "main", "form", "dialog")
)
_ARTICLE_BODY = _hash("articlebody")
_AUTHOR_NAME = _hash("author")
_TRUE = _hash("true")
_UNTIL_FOUND = _hash("until-found")
_JSONLD_TYPE = _hash("application/ld+json")
_OPEN_NAME = _hash("open")
_LICENCE = as_bytes("licen")
_AUTHOR_REL = as_bytes("author")
_COMMONS = as_bytes("creativecommons.org/")
_TEX_TYPE = as_bytes("math/tex")
_MODE_DISPLAY = as_bytes("mode=display")
_SRC = _hash("src")
_DATA_TEX = tuple(
    _hash(name)
    for name in [
        "data-tex",
        "data-latex",
        "data-math",
        "data-katex",
        "data-formula",
        "data-equation",
    ]
)
_DISPLAY_BLOCK, _UNSELECTABLE = as_bytes("display:block"), as_bytes("user-select:none")
_SERVICE = ("latex.php?", "latex?", "codecogs.com", "mathtex.cgi?", "mimetex.cgi?", "cht=tx")
_SERVICES = as_bytes("".join(_SERVICE))  # of formulas as images
_SERVICE_ENDS = np.cumsum([len(part) for part in _SERVICE])
_BLOCK_VALUE, _CODE_VALUE = _hash("block"), _hash("code")
_FIVE, _SEVEN, _C = map(ord, "57c")
_SEGMENT = ord("S")  # id="S:1": a part of the page that React sends late and moves to its place
_PRE_STYLE = as_bytes("white-space:pre")
_PRE_WRAP = as_bytes("white-space:pre-")  # and pre-line: prose
_ZERO = np.uint32(0)


@kernel
def tag_end(src: np.ndarray, i: int) -> int:
    """Index after the `>` that ends the tag starting before `i`."""
    quoted = False
    while i < len(src):
        c = src[i]
        if c == ch.QUOTE:
            quoted = not quoted
        elif c == ch.GREATER and not quoted:
            return i + 1
        i += 1
    return i


@kernel
def _number(src: np.ndarray, i: int, end: int) -> int:
    """The whole number at i, at most MAX_NUMBER; 0 where there is none."""
    value = 0
    while i < end and src[i] <= ch.SPACE:
        i += 1
    while i < end and ch.ZERO <= src[i] <= ch.NINE and value < MAX_NUMBER:
        value = 10 * value + (src[i] - ch.ZERO)
        i += 1
    return value


@kernel
def _shows_tex(src: np.ndarray, start: int, end: int) -> bool:
    """Whether an alt text is TeX: a command, or a power or index in braces."""
    for i in range(start, end - 1):
        c, after = src[i], src[i + 1]
        if c == ch.BACKSLASH and (after > ch.NINE):
            return True
        if (c == ch.CARET or c == ch.UNDERSCORE) and after == ch.OPEN_CURLY:
            return True
    return False


@kernel
def _is_path_of_tex(src: np.ndarray, start: int, end: int) -> bool:
    """Whether an address without a query holds a command of TeX: `%5Cfrac%7B`."""
    found = False
    for i in range(start, end):
        if src[i] == ch.QUESTION or src[i] == ch.HASH:
            return False
        if i + 2 < end and src[i] == ch.PERCENT and src[i + 1] == _FIVE and src[i + 2] | 32 == _C:
            k = i + 3
            while k < end and ch.LOWER_A <= src[k] | 32 <= ch.LOWER_Z:
                k += 1
            brace = k + 2 < end and src[k] == ch.PERCENT and src[k + 1] == _SEVEN
            found |= k > i + 3 and brace and src[k + 2] | 32 == ch.LOWER_B
    return found


@kernel
def read_attributes(
    src: np.ndarray, i: int, tag: int, name: np.uint32, said: np.ndarray, tables: tags.Tables
) -> int:
    """Read the attributes at `i` into `said` (int32 [X_WIDTH]); return the index after `>`.

    src uint8 [n]: serialised HTML; tag: element id of `tags`; name: hash of the element's name.
    """
    said[:] = 0
    opened = hidden = streamed = False
    n = len(src)
    while i < n and src[i] != ch.GREATER:
        # A name, its hash, and the span of its value between the quotes.
        if src[i] == ch.SPACE:
            i += 1
            continue
        start = i
        i += 1
        while i < n and src[i] != ch.EQUALS and src[i] != ch.GREATER:
            i += 1
        key = span_hash(src, start, i, _ZERO)
        if i + 1 >= n or src[i] != ch.EQUALS:
            continue
        start = i + 2
        i = start
        while i < n and src[i] != ch.QUOTE:
            i += 1
        end = min(i, n)
        i += 1
        # What the few attributes say that the walk knows; most names fall through.
        if key == _CLASS or key == _ID:
            said[X_FLAGS] |= word_bits(src, start, end, tables)
            if key == _ID:
                streamed = end > start + 2 and src[start] == _SEGMENT and src[start + 1] == ch.COLON
            else:
                said[X_CLASSES] |= class_bits(src, start, end, tables.class_hash, tables.class_bits)
        elif key == _HREF:
            said[X_HREF] = 1
            if tag == tags.A and contains(src, start, end, _COMMONS):
                said[X_MARK] = 1
        elif key == _STYLE:
            if style_hides(src, start, end):
                said[X_HIDDEN] = 1
            if contains(src, start, end, _UNSELECTABLE):
                said[X_CLASSES] |= C_GUTTER
            if tag == tags.CODE and contains(src, start, end, _DISPLAY_BLOCK):
                said[X_CLASSES] |= C_CODE
            if contains(src, start, end, _PRE_STYLE) and not contains(src, start, end, _PRE_WRAP):
                said[X_CLASSES] |= C_LISTING
        elif key == _ROLE:
            said[X_FLAGS] |= role_bits(src, start, end, tables)
            if span_hash(src, start, end, _ZERO) == _MAIN:
                said[X_LANDMARK] |= b.L_ARTICLE | b.L_MAIN
        elif key == _HIDDEN_NAME:
            hidden = span_hash(src, start, end, _ZERO) != _UNTIL_FOUND
        elif key == _REL:
            if contains(src, start, end, _LICENCE):
                said[X_MARK] = 1
            if contains(src, start, end, _AUTHOR_REL):
                said[X_AUTHOR] = 1
        elif key == _ITEMPROP:
            value = span_hash(src, start, end, _ZERO)
            if value == _ARTICLE_BODY:
                said[X_LANDMARK] |= b.L_ARTICLE_BODY
            elif value == _AUTHOR_NAME:
                said[X_AUTHOR] = 1
        elif key == _TYPE:
            if tag == tags.SCRIPT and span_hash(src, start, end, _ZERO) == _JSONLD_TYPE:
                said[X_MARK] = 1
            elif tag == tags.SCRIPT and contains(src, start, end, _TEX_TYPE):
                said[X_TEX] = 1
                if contains(src, start, end, _MODE_DISPLAY):
                    said[X_CLASSES] |= C_DISPLAY
        elif key == _ARIA:
            if span_hash(src, start, end, _ZERO) == _TRUE:
                said[X_LANDMARK] |= b.L_ARIA_HIDDEN
        elif key == _OPEN_NAME:
            opened = True
        elif key == _START or key == _COLSPAN or (key == _VALUE and tag == tags.LI):
            said[X_NUMBER] = _number(src, start, end)
        elif key == _ROWSPAN:
            said[X_ROWS] = _number(src, start, end)
        elif key == _ALT:
            if tag == tags.IMG and _shows_tex(src, start, end):
                said[X_TEX] = 1
        elif key == _SRC and tag == tags.IMG:
            for k in range(len(_SERVICE_ENDS)):
                first = _SERVICE_ENDS[k - 1] if k else 0
                if contains(src, start, end, _SERVICES[first : _SERVICE_ENDS[k]]):
                    said[X_TEX] = 1
            if _is_path_of_tex(src, start, end):
                said[X_TEX] = 1
        elif key == _DISPLAY_MODE:
            said[X_CLASSES] |= C_DISPLAY
        elif key == _DISPLAY:
            value = span_hash(src, start, end, _ZERO)
            if value == _BLOCK_VALUE or value == _TRUE:
                said[X_CLASSES] |= C_DISPLAY
        elif key == _NAME and tag == tags.TEXTAREA:
            if span_hash(src, start, end, _ZERO) == _CODE_VALUE:
                said[X_CLASSES] |= C_LISTING
        elif end > start and (
            key == _DATA_TEX[0] or key == _DATA_TEX[1] or key == _DATA_TEX[2]
            or key == _DATA_TEX[3] or key == _DATA_TEX[4] or key == _DATA_TEX[5]
        ):  # fmt: skip
            said[X_CLASSES] |= C_FORMULA
    # What the element's own name says besides.
    if tag == tags.MATH or tag == tags.MJX_CONTAINER or tag == tags.EMBED_KATEX:
        said[X_CLASSES] |= C_FORMULA
    if tag == tags.IMG and said[X_CLASSES] & C_FORMULA_IMAGE:
        said[X_TEX] = 1
    if said[X_CLASSES] & C_UNSEEN or (hidden and not streamed):
        said[X_HIDDEN] = 1
    if name == _DIALOG and not opened:
        said[X_HIDDEN] = 1
    if name == _NAV or name == _ASIDE or name == _FOOTER:
        said[X_LANDMARK] |= b.L_ASIDE
    elif name == _HEADER:
        said[X_LANDMARK] |= b.L_HEADER
    elif name == _ARTICLE:
        said[X_LANDMARK] |= b.L_ARTICLE
    elif name == _MAIN:
        said[X_LANDMARK] |= b.L_ARTICLE | b.L_MAIN
    elif name == _FORM_TAG:
        said[X_LANDMARK] |= b.L_FORM
    return i + 1


@kernel
def raw_end(src: np.ndarray, i: int, name_start: int, name_end: int) -> int:
    """Index of `</name` at or after `i`, or the end of the source."""
    size = name_end - name_start
    n = len(src)
    while i + size + 2 <= n:
        if src[i] == ch.LESS and src[i + 1] == ch.SLASH:
            k = 0
            while k < size and src[i + 2 + k] == src[name_start + k]:
                k += 1
            if k == size:
                return i
        i += 1
    return n
