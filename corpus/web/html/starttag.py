"""Start tags of serialised HTML: where they end and what their attributes say."""

from __future__ import annotations

import numpy as np

from corpus.web.html import tags as t
from corpus.web.html.attributes import contains, role_bits, span_hash, style_hides, word_bits
from filters.kernels.kernel import kernel

# What a start tag's attributes say: filled by `read_attributes`.
(X_FLAGS, X_HIDDEN, X_HREF, X_LANDMARK, X_MARK, X_AUTHOR, X_WIDTH) = range(7)


def _hash(name: str) -> np.uint32:
    return np.uint32(t.name_hash(name))


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


_CLASS, _ID, _ROLE, _STYLE, _HIDDEN_NAME, _HREF, _REL, _ITEMPROP, _TYPE, _ARIA = (
    _hash(name)
    for name in (
        "class",
        "id",
        "role",
        "style",
        "hidden",
        "href",
        "rel",
        "itemprop",
        "type",
        "aria-hidden",
    )
)
_NAV, _ASIDE, _FOOTER, _HEADER, _ARTICLE, _MAIN, _FORM_TAG, _B, _STRONG, _DIALOG = (
    _hash(name)
    for name in (
        "nav",
        "aside",
        "footer",
        "header",
        "article",
        "main",
        "form",
        "b",
        "strong",
        "dialog",
    )
)
_ARTICLE_BODY = _hash("articlebody")
_AUTHOR_NAME = _hash("author")
_TRUE = _hash("true")
_UNTIL_FOUND = _hash("until-found")
_JSONLD_TYPE = _hash("application/ld+json")
_OPEN_NAME = _hash("open")
_LICENCE = _bytes("licen")
_AUTHOR_REL = _bytes("author")
_COMMONS = _bytes("creativecommons.org/")
_ZERO = np.uint32(0)


@kernel
def tag_end(src: np.ndarray, i: int) -> int:
    """Index after the `>` that ends the tag starting before `i`."""
    quoted = False
    while i < len(src):
        c = src[i]
        if c == 34:
            quoted = not quoted
        elif c == 62 and not quoted:
            return i + 1
        i += 1
    return i


@kernel
def read_attributes(
    src: np.ndarray, i: int, tag: int, name: np.uint32, found: np.ndarray, tables: t.Tables
) -> int:
    """Read the attributes at `i` into `found` (X_ columns); return the index after `>`."""
    found[:] = 0
    opened = False
    n = len(src)
    while i < n and src[i] != 62:
        if src[i] == 32:
            i += 1
            continue
        start = i
        i += 1
        while i < n and src[i] != 61 and src[i] != 62:
            i += 1
        key = span_hash(src, start, i, _ZERO)
        if i + 1 >= n or src[i] != 61:
            continue
        start = i + 2
        i = start
        while i < n and src[i] != 34:
            i += 1
        end = min(i, n)
        i += 1
        if key == _CLASS or key == _ID:
            found[X_FLAGS] |= word_bits(src, start, end, tables)
        elif key == _HREF:
            found[X_HREF] = 1
            if tag == t.A and contains(src, start, end, _COMMONS):
                found[X_MARK] = 1
        elif key == _STYLE:
            if style_hides(src, start, end):
                found[X_HIDDEN] = 1
        elif key == _ROLE:
            found[X_FLAGS] |= role_bits(src, start, end, tables)
            if span_hash(src, start, end, _ZERO) == _MAIN:
                found[X_LANDMARK] |= 68
        elif key == _HIDDEN_NAME:
            if span_hash(src, start, end, _ZERO) != _UNTIL_FOUND:
                found[X_HIDDEN] = 1
        elif key == _REL:
            if contains(src, start, end, _LICENCE):
                found[X_MARK] = 1
            if contains(src, start, end, _AUTHOR_REL):
                found[X_AUTHOR] = 1
        elif key == _ITEMPROP:
            value = span_hash(src, start, end, _ZERO)
            if value == _ARTICLE_BODY:
                found[X_LANDMARK] |= 8
            elif value == _AUTHOR_NAME:
                found[X_AUTHOR] = 1
        elif key == _TYPE:
            if tag == t.SCRIPT and span_hash(src, start, end, _ZERO) == _JSONLD_TYPE:
                found[X_MARK] = 1
        elif key == _ARIA:
            if span_hash(src, start, end, _ZERO) == _TRUE:
                found[X_LANDMARK] |= 32
        elif key == _OPEN_NAME:
            opened = True
    if name == _DIALOG and not opened:
        found[X_HIDDEN] = 1
    if name == _NAV or name == _ASIDE or name == _FOOTER:
        found[X_LANDMARK] |= 1
    elif name == _HEADER:
        found[X_LANDMARK] |= 2
    elif name == _ARTICLE:
        found[X_LANDMARK] |= 4
    elif name == _MAIN:
        found[X_LANDMARK] |= 68
    elif name == _FORM_TAG:
        found[X_LANDMARK] |= 16
    return i + 1


@kernel
def raw_end(src: np.ndarray, i: int, name_start: int, name_end: int) -> int:
    """Index of `</name` at or after `i`, or the end of the source."""
    size = name_end - name_start
    n = len(src)
    while i + size + 2 <= n:
        if src[i] == 60 and src[i + 1] == 47:
            k = 0
            while k < size and src[i + 2 + k] == src[name_start + k]:
                k += 1
            if k == size:
                return i
        i += 1
    return n
