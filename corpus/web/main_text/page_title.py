"""The page's own `<h1>` where it stands before the chosen part: a text begins with its title.

Heads of sites hold an `<h1>` too (a name, words for search engines): it is the title of the text
only where the page's `<title>` says the same, and it leads nowhere.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.html.document import Document
from filters.kernels.kernel import kernel

MIN_TITLE = 2  # characters
_PARTS = re.compile(r"[|｜:：»›/～~]|\s[-–—]\s|\s*[–—]\s*")  # between a title and the site's name


@kernel
def heading_before(keep: np.ndarray, blocks: np.ndarray, elements: np.ndarray) -> int:
    """The last `<h1>` before the first kept block that is no link; -1 if there is none, or if an
    `<h1>` is kept. keep bool [n], blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH]."""
    kept = 0
    while kept < len(keep) and not keep[kept]:
        kept += 1
    found = -1
    if kept == len(keep):
        return found
    for e in range(len(elements)):
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        if elements[e, b.E_TAG] != tags.H1 or end == first:
            continue
        weight = linked = 0
        for i in range(first, end):
            if keep[i]:
                return -1
            weight += blocks[i, b.B_WEIGHT]
            linked += blocks[i, b.B_LINKED]
        if end <= kept and 2 * linked < weight:
            found = e
    return found


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def with_title(document: Document, keep: np.ndarray) -> np.ndarray:
    """`keep` (bool [n], changed in place) with the blocks of the `<h1>` that is the title."""
    element = heading_before(keep, document.blocks, document.elements)
    if element < 0:
        return keep
    row = document.elements[element]
    first, end = int(row[b.E_FIRST]), int(row[b.E_END])
    spans = document.blocks[[first, end - 1]]
    words = _bare(document.words(int(spans[0, b.B_START]), int(spans[1, b.B_END])))
    title = _bare(document.title)
    begins = title.startswith(words) and not title[len(words) : len(words) + 1].isalnum()
    in_head = row[b.E_LANDMARK] & b.L_HEADER and not row[b.E_LANDMARK] & b.L_ARTICLE
    parts = [] if in_head else [_bare(part) for part in _PARTS.split(document.title)]
    if len(words) >= MIN_TITLE and (begins or words in parts):
        keep[first:end] = True
    return keep
