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
from filters.kernels import characters as ch
from filters.kernels.kernel import inlined, kernel

MAX_ATTRIBUTES = 500
MAX_DEPTH = 512
MANY_TAGS = 50_000  # pages with more start tags than this get
MANY_DEPTH = 100  # this depth
MAX_REBUILT = 2_000_000  # start tags times open formatting elements
FEW_FORMATTING = 8  # open at once: rebuilding so few is quick on a page of any length
SMALL = 2000  # bytes: no page so short is slow
UNLIMITED = 1 << 60

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
        elif c == ch.GREATER:
            return i + 1, blanks
        elif (c == ch.QUOTE or c == ch.APOSTROPHE) and src[i - 1] == ch.EQUALS:
            quote = c
        elif c <= ch.SPACE or c == ch.SLASH:
            blanks += 1
        i += 1
    return n, blanks


@kernel
def _after(src: np.ndarray, i: int, left: int, right: int) -> int:
    """Index of the next byte pair (left, right) at or after i, or the length."""
    n = len(src)
    while i + 1 < n and not (src[i] == left and src[i + 1] == right):
        i += 1
    return i if i + 1 < n else n


@inlined
def _is_letter(c: int) -> bool:
    return ch.UPPER_A <= c <= ch.UPPER_Z or ch.LOWER_A <= c <= ch.LOWER_Z


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
        c = src[i + 1] if i + 1 < n else ch.SPACE
        if src[i] != ch.LESS:
            # Text goes through as it is.
            while i < n and src[i] != ch.LESS:
                i += 1
        elif c == ch.EXCLAMATION:
            # A comment is skipped to its --, since the tags in it open nothing.
            comment = i + 3 < n and src[i + 2] == ch.HYPHEN
            i = _after(src, i + 4, ch.HYPHEN, ch.HYPHEN) if comment else i + 2
        elif c == ch.SLASH or _is_letter(c):
            i += 2 if c == ch.SLASH else 1
            name = i
            while i < n and (_is_letter(src[i]) or ch.ZERO <= src[i] <= ch.NINE):
                i += 1
            kind = lookup(span_hash(src, name, min(i, name + 16), _ZERO), hashes, kinds)
            i, blanks = _tag_end(src, i)
            if c == ch.SLASH:
                # An end tag goes with the start tag that was dropped last.
                if kind == _FORMATTING:
                    keep = unbold == 0
                    unbold = max(0, unbold - 1)
                    bold = max(0, bold - keep)
                elif kind == 0:
                    keep = dropped == 0
                    dropped = max(0, dropped - 1)
                    depth = max(0, depth - keep)
            else:
                # A start tag over a limit is dropped; what it holds stays.
                starts += 1
                most = max(most, blanks)
                if kind == _FORMATTING:
                    keep = bold < bold_limit
                    unbold += not keep
                    bold += keep
                    boldest = max(boldest, bold)
                elif kind == 0:
                    keep = depth < depth_limit
                    dropped += not keep
                    depth += keep
                    deepest = max(deepest, depth)
                elif kind == _RAW:
                    i = _after(src, i, ch.LESS, ch.SLASH)
                keep = keep and blanks <= MAX_ATTRIBUTES
        else:
            i += 1
        if copying and keep:
            out[written : written + i - start] = src[start:i]
            written += i - start
    return starts, deepest, boldest, most, written


def harmless(html: bytes) -> bytes:
    """The page itself, or a copy without the tags that would make parsing slow."""
    if len(html) < SMALL:
        return html
    src = np.frombuffer(html, dtype=np.uint8)
    nothing = np.empty(0, dtype=np.uint8)
    starts, deepest, boldest, most, _ = _scan(src, *KINDS, UNLIMITED, UNLIMITED, nothing)
    depth_limit = MAX_DEPTH if starts < MANY_TAGS else MANY_DEPTH
    rebuilt = starts * max(boldest, 1)
    if (
        deepest <= depth_limit
        and most <= MAX_ATTRIBUTES
        and (rebuilt <= MAX_REBUILT or boldest <= FEW_FORMATTING)
    ):
        return html
    out = np.empty(len(src), dtype=np.uint8)
    bold_limit = UNLIMITED if rebuilt <= MAX_REBUILT else 0
    written = _scan(src, *KINDS, depth_limit, bold_limit, out)[4]
    return out[:written].tobytes()
