"""Guard before the HTML parser: pages built to make it slow are flattened first.

lexbor walks up the open elements at every block-level start tag, rebuilds all open formatting
elements in every block and compares each attribute with all earlier ones. 30,000 nested `<div>`
take 3.6 s, 3,000 distinct `<font><p>` grow 56 kB to 110 MB. Real pages stay far below the limits.
Dropping a tag never drops text.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html.attributes import lookup, span_hash
from corpus.web.html.tags import TABLE_SIZE, open_table
from filters.kernels.kernel import kernel

MAX_ATTRIBUTES = 500
MAX_DEPTH = 512
MANY_TAGS = 50_000  # pages with more start tags than this get
MANY_DEPTH = 100  # this depth
MAX_REBUILT = 2_000_000  # start tags times open formatting elements

_IGNORED, _FORMATTING, _RAW = 1, 2, 3
# End tags of these may be left out, or they have none: they say nothing about depth.
_NO_END = (
    "a p li dt dd tr td th thead tbody tfoot option optgroup rt rp rb rtc colgroup caption "
    "area base basefont bgsound br col embed frame hr img input keygen link meta param "
    "source track wbr html head body"
)
_BOLD = "b big code em font i nobr s small strike strong tt u"
KINDS = open_table(
    {name: _IGNORED for name in _NO_END.split()}
    | {name: _FORMATTING for name in _BOLD.split()}
    | {name: _RAW for name in ("script", "style")}
)
assert len(KINDS[0]) == TABLE_SIZE
_ZERO = np.uint32(0)


@kernel
def _tag_end(src: np.ndarray, i: int) -> tuple[int, int]:
    """(index after the tag's `>`, number of blanks outside quotes in it)."""
    quote = 0
    blanks = 0
    n = len(src)
    while i < n:
        c = src[i]
        if quote:
            if c == quote:
                quote = 0
        elif c == 62:
            return i + 1, blanks
        elif (c == 34 or c == 39) and src[i - 1] == 61:
            quote = c
        elif c <= 32 or c == 47:
            blanks += 1
        i += 1
    return n, blanks


@kernel
def _after(src: np.ndarray, i: int, a: int, b: int) -> int:
    """Index of the next byte pair (a, b) at or after i, or the length."""
    n = len(src)
    while i + 1 < n and not (src[i] == a and src[i + 1] == b):
        i += 1
    return i if i + 1 < n else n


@kernel
def _scan(
    src: np.ndarray,
    hashes: np.ndarray,
    kinds: np.ndarray,
    depth_limit: int,
    bold_limit: int,
    out: np.ndarray,
) -> tuple[int, int, int, int, int]:
    """Measure a page, and copy it to `out` (unless empty) without the tags over the limits.

    Returns (start tags, deepest, deepest formatting, most attributes, bytes written).
    """
    n = len(src)
    copying = len(out) > 0
    starts = depth = deepest = bold = boldest = most = written = dropped = unbold = 0
    i = 0
    while i < n:
        start = i
        keep = True
        c = src[i + 1] if i + 1 < n else 32
        if src[i] != 60:
            while i < n and src[i] != 60:
                i += 1
        elif c == 33:
            i = _after(src, i + 4, 45, 45) if i + 3 < n and src[i + 2] == 45 else i + 2
        elif c == 47 or 65 <= c <= 90 or 97 <= c <= 122:
            i += 2 if c == 47 else 1
            name = i
            while i < n and (65 <= src[i] <= 90 or 97 <= src[i] <= 122 or 48 <= src[i] <= 57):
                i += 1
            kind = lookup(span_hash(src, name, min(i, name + 16), _ZERO), hashes, kinds)
            i, blanks = _tag_end(src, i)
            if c == 47:
                if kind == 2:
                    keep = unbold == 0
                    unbold = max(0, unbold - 1)
                    bold = max(0, bold - keep)
                elif kind == 0:
                    keep = dropped == 0
                    dropped = max(0, dropped - 1)
                    depth = max(0, depth - keep)
            else:
                starts += 1
                most = max(most, blanks)
                if kind == 2:
                    keep = bold < bold_limit
                    unbold += not keep
                    bold += keep
                    boldest = max(boldest, bold)
                elif kind == 0:
                    keep = depth < depth_limit
                    dropped += not keep
                    depth += keep
                    deepest = max(deepest, depth)
                elif kind == 3:
                    i = _after(src, i, 60, 47)
                keep = keep and blanks <= MAX_ATTRIBUTES
        else:
            i += 1
        if copying and keep:
            out[written : written + i - start] = src[start:i]
            written += i - start
    return starts, deepest, boldest, most, written


def harmless(html: bytes) -> bytes:
    """The page itself, or a copy without the tags that would make parsing slow."""
    if len(html) < 2000:
        return html
    src = np.frombuffer(html, dtype=np.uint8)
    nothing = np.empty(0, dtype=np.uint8)
    huge = 1 << 60
    starts, deepest, boldest, most, _ = _scan(src, *KINDS, huge, huge, nothing)
    depth_limit = MAX_DEPTH if starts < MANY_TAGS else MANY_DEPTH
    rebuilt = starts * max(boldest, 1)
    if (
        deepest <= depth_limit
        and most <= MAX_ATTRIBUTES
        and (rebuilt <= MAX_REBUILT or boldest <= 8)
    ):
        return html
    out = np.empty(len(src), dtype=np.uint8)
    bold_limit = huge if rebuilt <= MAX_REBUILT else 0
    written = _scan(src, *KINDS, depth_limit, bold_limit, out)[4]
    return out[:written].tobytes()
