"""Lines that a site repeats on its pages: menus, notices and footers that one page cannot show.

The rule, over the pages of a host in one work unit:

1. A line is the site's when it stands on at least MIN_PAGES pages and on at least SHARE of the
   host's pages (pages with the same text count once: duplicates are the dedup stage's business).
   Lines of code and formulas, rows of tables, and lines of brackets alone (`}`) are no one's.
2. Such a line is removed where it has at least LONG characters, or where it belongs to the run of
   such lines at the start or at the end of a text (short headings inside a text stay). With the
   run goes what is no text there: a lone <, > or |, a rule.
3. A heading goes only with all that stands under it, down to the next one of its level or above.
4. A text that would lose more than MAX_LOSS of its characters is left as it is.

The result depends only on the pages given, not on their order.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from corpus.text import cut
from corpus.text.blocks import KIND, KINDS, LEVEL, Blocks, kind

MIN_PAGES = 5
SHARE = 0.5
LONG = 20
MAX_LOSS = 0.8
LEVELS = 8  # above those of headings
NO_TEXT = re.compile(r"[\\<>|｜＜＞«»‹›\s]+")
BRACKETS = re.compile(r"[\\(){}\[\];,\s]+")
SIGNS = re.compile(r"```.*|~~~.*|---|\|(?: :?---:? \|)+")  # lines of Markdown that say nothing
_SOLID = np.isin(np.arange(len(KINDS)), cut.SOLID)

Text = tuple[str, Blocks]


class Lines(NamedTuple):
    """The lines of a text: where they stand (`cut.lines_of`) and what they say.

    None stands for a line that is no one's, "" for a rule.
    """

    where: np.ndarray
    words: list[str | None]


def lines_of(text: str, blocks: Blocks) -> Lines:
    """The lines of a text as rule 1 sees them."""
    where = cut.lines_of(text, blocks)
    spans = where[:, : cut.LINE_BLOCK].tolist()
    words: list[str | None] = [text[start:end].strip() for start, end in spans]
    if len(blocks.spans):
        for i in np.flatnonzero(where[:, cut.LINE_SIGN]).tolist():
            words[i] = ""
        for i in np.flatnonzero(_SOLID[blocks.spans[where[:, cut.LINE_BLOCK], KIND]]).tolist():
            words[i] = None
    return Lines(where, words)


def repeated_lines(pages: Collection[Lines], count: int) -> frozenset[str]:
    """Lines that rule 1 calls the site's: of a host of so many different pages, of which these have
    a line that others have."""
    return _often([set(filter(None, page.words)) for page in pages], count)


def _often(pages: Collection[set[str]], count: int) -> frozenset[str]:
    """What stands on so many of the `count` pages that it is the site's."""
    counts = Counter(itertools.chain.from_iterable(pages))
    needed = max(MIN_PAGES, SHARE * count)
    often = (line for line, count in counts.items() if count >= needed)
    return frozenset(line for line in often if line and not BRACKETS.fullmatch(line))


def without_lines(
    text: str, blocks: Blocks, lines: Lines, repeated: frozenset[str], signed: bool = True
) -> Text:
    """A text without its site's lines (rules 2 to 4). signed: it is Markdown."""
    where, words = lines
    flags = [word in repeated for word in words]
    if not any(flags):
        return text, blocks
    first, last = _run(words, flags), len(words) - _run(words[::-1], flags[::-1])
    gone = [
        not first <= i < last or (flag and len(cut.bare(word or "")) >= LONG)
        for i, (word, flag) in enumerate(zip(words, flags, strict=True))
    ]
    if len(blocks.spans) and any(gone):
        _keep_headings(gone, where, blocks)
    if not any(gone):
        return text, blocks
    sizes, out = where[:, cut.LINE_END] - where[:, cut.LINE_START], np.array(gone)
    if sizes[~out].sum() < (1 - MAX_LOSS) * sizes.sum():
        return text, blocks
    return cut.without_lines(text, blocks, where, out, signed)


def _run(words: Sequence[str | None], flags: Sequence[bool]) -> int:
    """How many lines go from the start on: the site's, and what is no text beside them."""
    n = 0
    for word, flag in zip(words, flags, strict=True):
        if not flag and (word is None or (word and not NO_TEXT.fullmatch(word))):
            break
        n += 1
    return n if any(flags[:n]) else 0


def _keep_headings(gone: list[bool], where: np.ndarray, blocks: Blocks) -> None:
    """Rule 3, in place: from the last line up, so that a heading that stays is text to others."""
    own = blocks.spans[where[:, cut.LINE_BLOCK]]
    levels = np.where(own[:, KIND] == kind.heading, own[:, LEVEL], LEVELS).tolist()
    signs = where[:, cut.LINE_SIGN].tolist()
    # [level]: whether text stays below, before the next heading of that level or above
    has_text = [False] * LEVELS
    for i in range(len(gone) - 1, -1, -1):
        level = levels[i]
        if level < LEVELS and has_text[level]:
            gone[i] = False
        if not gone[i] and not signs[i]:
            has_text = [True] * LEVELS
        if level < LEVELS:
            has_text[level:] = [False] * (LEVELS - level)


def site_boilerplate(
    hosts: Sequence[str], texts: Sequence[str], blocks: Sequence[Blocks], signed: bool = True
) -> list[Text]:
    """Texts of a work unit without the lines their hosts repeat, with their blocks, in the order
    given.

    The three are of equal length; a page without a host ("") is left alone. signed: the texts are
    Markdown.
    """
    out = list(zip(texts, blocks, strict=True))
    by_host: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, host in enumerate(hosts):
        by_host[host][texts[i]].append(i)
    for host, places in by_host.items():
        if not host or len(places) < MIN_PAGES:
            continue
        # Most hosts and pages repeat nothing: the lines as they are written tell that, without
        # their blocks.
        written = {text: set(map(str.strip, text.split("\n"))) for text in places}
        often = _often(written.values(), len(places))
        if signed and all(len(blocks[own[0]].spans) for own in places.values()):
            often = frozenset(line for line in often if not SIGNS.fullmatch(line))
        some = [text for text, lines in written.items() if not often.isdisjoint(lines)]
        pages = {text: lines_of(text, blocks[places[text][0]]) for text in some}
        repeated = repeated_lines(pages.values(), len(places))
        for text, lines in pages.items() if repeated else ():
            if repeated.isdisjoint(written[text]):
                continue
            cleaned = without_lines(text, blocks[places[text][0]], lines, repeated, signed)
            for i in places[text]:
                out[i] = cleaned
    return out
