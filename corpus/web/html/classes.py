"""Class names with one meaning on every site: renderers of formulas, highlighters of code.

Unlike the words of `tags`, which say what a part of a page is likely to be, these are names that a
program writes: they are compared as a whole, and some only count when the content agrees.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html.attributes import lookup, span_hash
from corpus.web.html.tags import open_table
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

# C_FORMULA: all of the element is one formula. C_FORMULA_IMAGE: the alt text of the image is.
# C_DISPLAY: it stands on a line of its own. C_GUTTER: line numbers, if it holds digits only.
# C_ANCHOR: a link to itself, if it holds a sign only. C_UNSEEN: the site's own style hides it.
# C_LISTING: preformatted text without <pre>, with blanks written as &nbsp;. C_CODE: that, if it is
# <code> with line breaks, or holds nothing but one; C_CODE_BLOCK: also if it is text only.
# C_BLOCK: a <code> shown as a block is a listing, also of one line. C_BOX: in a listing, a box that
# is shown over it.
(C_FORMULA, C_FORMULA_IMAGE, C_DISPLAY, C_GUTTER, C_ANCHOR, C_UNSEEN, C_LISTING, C_CODE,
 C_CODE_BLOCK, C_BLOCK, C_BOX) = (1 << k for k in range(11))  # fmt: skip
_CLASSES = {
    C_FORMULA: "katex katex-display mathjax mathjax_display mathjax_svg mathjax_svg_display "
    "mathjax_chtml mjx-chtml mjx-container mwe-math-element hurmet-tex",
    C_FORMULA_IMAGE: "tex latex math mimetex mathtex mwe-math-fallback-image-inline "
    "mwe-math-fallback-image-display",
    C_DISPLAY: "katex-display mathjax_display mathjax_svg_display mwe-math-fallback-image-display "
    "mjxc-display",
    C_GUTTER: "gutter lineno linenos linenodiv line-number line-numbers line-numbers-rows "
    "linenumber linenumbers rouge-gutter hljs-ln-numbers hljs-ln-line-number blob-num lnt ln "
    "crayon-nums crayon-num code-line-number react-syntax-highlighter-line-number gl lnum "
    "lntd linenum line_numbers code-gutter codehilite-linenos",
    C_ANCHOR: "headerlink anchor-link hash-link header-anchor headeranchor heading-anchor anchor "
    "headinglink anchorjs-link permalink direct-link",
    C_UNSEEN: "mathjax_preview katex-html boring rusttest mw-editsection",
    C_BOX: "hover-info twoslash-popup-container",
    C_LISTING: "syntaxhighlighter crayon-pre dp-highlighter cm-content codemirror-code",
    C_CODE: "block code code-block codeblock",
    C_CODE_BLOCK: "code-block codeblock",
    C_BLOCK: "block code-block codeblock",
}


def _table() -> tuple[np.ndarray, np.ndarray]:
    bits: dict[str, int] = {}
    for bit, names in _CLASSES.items():
        for name in names.split():
            bits[name] = bits.get(name, 0) | bit
    return open_table(bits)


CLASSES = _table()
MAX_ANCHOR = 3  # bytes of the sign in a link to itself: ¶, #, §, 🔗 is an icon
_ZERO = np.uint32(0)
_CODE_TAG = np.frombuffer(b"<code", np.uint8)


@kernel
def class_bits(
    src: np.ndarray, start: int, end: int, hashes: np.ndarray, bits: np.ndarray
) -> np.int32:
    """The C_ bits of the names in a class value, each up to a blank."""
    found = np.int32(0)
    i = start
    while i < end:
        while i < end and src[i] <= ch.SPACE:
            i += 1
        first = i
        while i < end and src[i] > ch.SPACE:
            i += 1
        if i > first:
            found |= lookup(span_hash(src, first, i, _ZERO), hashes, bits)
    return found


@kernel
def _named(src: np.ndarray, i: int, start: int, end: int) -> bool:
    """Whether the name src[start:end] stands at i, and ends there."""
    size = end - start
    if i + size >= len(src):
        return False
    for k in range(size):
        if src[i + k] != src[start + k]:
            return False
    after = src[i + size]
    return after == ch.GREATER or after == ch.SPACE or after == ch.SLASH


@kernel
def element_end(src: np.ndarray, i: int, start: int, end: int) -> tuple[int, int]:
    """(index of the end tag, index after it) of the element named src[start:end] whose start tag
    ends at i; elements of that name inside it count. The end of the source without one."""
    depth = 1
    n = len(src)
    while i < n:
        if src[i] == ch.LESS and i + 1 < n:
            if src[i + 1] == ch.SLASH:
                if _named(src, i + 2, start, end):
                    depth -= 1
                    if depth == 0:
                        return i, min(i + 3 + end - start, n)
            elif _named(src, i + 1, start, end):
                depth += 1
        i += 1
    return n, n


@kernel
def sign_end(src: np.ndarray, i: int, start: int, end: int, digits: bool) -> int:
    """Index after the element named src[start:end] whose start tag ends at i, if its text is digits
    and blanks only, or (not digits) one sign that is no letter and no digit; 0 if it is not."""
    depth, size, n = 1, 0, len(src)
    while i < n:
        c = src[i]
        if c == ch.LESS and i + 1 < n:
            if src[i + 1] == ch.SLASH:
                depth -= _named(src, i + 2, start, end)
            else:
                depth += _named(src, i + 1, start, end)
            while i < n and src[i] != ch.GREATER:
                i += 1
            if depth == 0:
                return min(i + 1, n)
        elif c > ch.SPACE:
            digit = ch.ZERO <= c <= ch.NINE
            size += 1
            if digits and not (digit or c == ch.FULL_STOP or c == ch.COLON):
                return 0
            if not digits and (digit or size > MAX_ANCHOR or _is_letter(c)):
                return 0
        i += 1
    return n


@inlined
def _is_letter(c: int) -> bool:
    """Whether a byte is an ASCII letter or begins kana, kanji or a full-width form."""
    return ch.LOWER_A <= c <= ch.LOWER_Z or ch.UPPER_A <= c <= ch.UPPER_Z or 0xE3 <= c <= 0xEF


@kernel
def breaks_lines(src: np.ndarray, i: int, end: int) -> bool:
    """Whether src[i:end] holds a line feed between words, or a `<br>`, and no block element."""
    broken = False
    words = False
    while i < end:
        if src[i] == ch.LESS:
            name = src[i + 1] if i + 1 < end else ch.SPACE
            after = src[i + 2] if i + 2 < end else ch.SPACE
            if name == ch.LOWER_B and after == ch.LOWER_R:
                broken = True
            elif (
                name == ch.LOWER_D
                or name == ch.LOWER_P
                or name == ch.LOWER_T
                or (name == ch.LOWER_U)
            ):
                return False
            while i < end and src[i] != ch.GREATER:
                i += 1
        elif src[i] == ch.LINE_FEED:
            broken = broken or words
        elif src[i] > ch.SPACE:
            words = True
        i += 1
    return broken


@kernel
def is_bare_text(src: np.ndarray, i: int) -> bool:
    """Whether a `<math>` whose start tag ends at i holds text instead of MathML (old statutes)."""
    while i < len(src) and src[i] <= ch.SPACE:
        i += 1
    return i < len(src) and src[i] != ch.LESS


@kernel
def is_only_code(src: np.ndarray, i: int, end: int) -> bool:
    """Whether src[i:end] is one `<code>` element."""
    while i < end and src[i] <= ch.SPACE:
        i += 1
    for k in range(len(_CODE_TAG)):
        if i + k >= end or src[i + k] != _CODE_TAG[k]:
            return False
    i = element_end(src, i + 1, i + 1, i + len(_CODE_TAG))[1]
    while i < end and src[i] <= ch.SPACE:
        i += 1
    return i >= end


@kernel
def has_no_tag(src: np.ndarray, i: int, end: int) -> bool:
    """Whether src[i:end] is text and nothing else."""
    while i < end:
        if src[i] == ch.LESS:
            return False
        i += 1
    return True


@kernel
def has_break(src: np.ndarray, i: int, end: int) -> bool:
    """Whether a `<br>` stands in src[i:end]."""
    while i + 3 < end:
        if src[i] == ch.LESS and src[i + 1] == ch.LOWER_B and src[i + 2] == ch.LOWER_R:
            return True
        i += 1
    return False


@kernel
def ends_block(src: np.ndarray, i: int) -> bool:
    """Whether nothing but blanks stands between i and the end tag of a block element."""
    while i < len(src) and src[i] <= ch.SPACE:
        i += 1
    if i + 3 >= len(src) or src[i] != ch.LESS or src[i + 1] != ch.SLASH:
        return False
    c = src[i + 2]  # div, dd; p, pre; td; li; blockquote
    return (
        c == ch.LOWER_D
        or c == ch.LOWER_P
        or c == ch.LOWER_L
        or ((c == ch.LOWER_T or c == ch.LOWER_B) and src[i + 3] != ch.GREATER)
    )
