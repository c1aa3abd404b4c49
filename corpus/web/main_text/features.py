"""Features of a block: its own shape, its neighbourhood, its place in the tree, its page.

No feature says which language a page is in: the training pages are news in many languages and
Japanese documentation, so kana shares would teach "Japanese means documentation".
The shipped model stores NAMES beside its forest and is read only where they agree (forest.py).
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from corpus.web.main_text.page import deepest, landmarks, prefix_sums, readable, sentence_weights
from filters.kernels.kernel import columns, kernel

WINDOWS = (1, 2, 4, 8, 16)  # blocks on either side whose text, links and sentences are summed
WINDOW = ("text", "links", "sentences")
OFFSETS = (-2, -1, 1, 2)  # neighbours that are looked at one by one
NEIGHBOUR = ("length", "link_share", "sentence", "same_element")
LEVELS = (1, 2, 3, 4)  # elements above the block's own, each of a wider range than the one before
LEVEL = ("weight", "share", "links", "sentences", "blocks", "link_blocks", "children", "media")
SECTION = ("text", "links", "sentences", "blocks", "link_blocks", "place", "share_after")
SHARES = (0.9, 0.7, 0.4, 0.2)  # of the page's sentences, in the deepest element that holds them
PEAK = 4  # blocks on either side of the page's densest place
KINDS = tags.WORD_KINDS[:16]  # cookie banners are dropped by `containers.waste`, not judged

# The columns in order, each said once. `_share` names are shares of the block's or the page's
# weight; `per_` names are stops and commas per 30, bars per 10 CJK characters.
_ALONE = (
    "log_weight link_share stops per_stops per_commas last digit_share per_bars breaks bold_share "
    "links dates copyright pre mean_line block_place weight_place"
)
# Of its element: depth, ancestors named like boilerplate and like content, landmarks over it.
_ELEMENT = "depth bad good aside header article article_body form aria_hidden tables lists items"
# Class words of the inline elements in it and of its own element; what that element is.
_OWN = (
    "inline_bad inline_byline own_bad own_good in_heading is_p is_item is_cell is_heading "
    "is_section siblings"
)
# Its page, and its place to the page's best element, first heading and densest place.
_PAGE = (
    "page_blocks page_weight page_links page_sentences in_best best_ratio beside_best best_share "
    "in90 in70 in40 in20 share70 share40 place70 place40 after_h1 from_h1 from_peak best_links "
    "articles in_main page_main only_article"
)
NAMES: tuple[str, ...] = (
    *_ALONE.split(),
    *_ELEMENT.split(),
    *(f"over_{kind}" for kind in KINDS),  # class words of its element and of those above
    *_OWN.split(),
    *(f"{part}_within{size}" for size in WINDOWS for part in WINDOW),
    *(f"{part}_at{offset}" for offset in OFFSETS for part in NEIGHBOUR),
    *(f"{part}_up{level}" for level in LEVELS for part in LEVEL),
    *(f"section_{part}" for part in SECTION),  # from the heading before to the heading after
    *_PAGE.split(),
)
COUNT = len(NAMES)
column = columns(NAMES)
window, neighbour, above = columns(WINDOW), columns(NEIGHBOUR), columns(LEVEL)
section = columns(SECTION)
_WINDOWS, _NEIGHBOURS, _LEVELS, _SECTION = (  # where these families begin
    NAMES.index(first) for first in ("text_within1", "length_at-2", "weight_up1", "section_text")
)


@kernel
def _log(value: float) -> float:
    return np.log1p(value if value > 0 else 0.0)


@kernel
def _own_features(
    row: np.ndarray, block: np.ndarray, element: np.ndarray, parent: np.ndarray
) -> None:
    """Features of the block alone and of its element, into `row` (float32 [COUNT])."""
    weight = max(block[b.B_WEIGHT], 1)
    chars = max(block[b.B_CHARS], 1)
    row[column.log_weight] = _log(weight)
    row[column.link_share] = block[b.B_LINKED] / weight
    row[column.stops] = block[b.B_STOPS]
    row[column.per_stops] = 300.0 * block[b.B_STOPS] / weight
    row[column.per_commas] = 300.0 * block[b.B_COMMAS] / weight
    row[column.last] = block[b.B_LAST]
    row[column.digit_share] = block[b.B_DIGITS] / chars
    row[column.per_bars] = 100.0 * block[b.B_BARS] / weight
    row[column.breaks] = block[b.B_BREAKS]
    row[column.bold_share] = block[b.B_BOLD] / weight
    row[column.links] = block[b.B_LINKS]
    row[column.dates] = block[b.B_DATES]
    row[column.copyright] = block[b.B_COPYRIGHT]
    row[column.pre] = block[b.B_PRE]
    row[column.mean_line] = _log(weight / (1.0 + block[b.B_BREAKS]))

    row[column.depth] = element[b.E_DEPTH]
    row[column.bad] = element[b.E_BAD]
    row[column.good] = element[b.E_GOOD]
    over = element[b.E_LANDMARK]
    row[column.aside] = (over & b.L_ASIDE) != 0
    row[column.header] = (over & b.L_HEADER) != 0
    row[column.article] = (over & b.L_ARTICLE) != 0
    row[column.article_body] = (over & b.L_ARTICLE_BODY) != 0
    row[column.form] = (over & b.L_FORM) != 0
    row[column.aria_hidden] = (over & b.L_ARIA_HIDDEN) != 0
    row[column.tables] = element[b.E_TABLES]
    row[column.lists] = element[b.E_LISTS]
    row[column.items] = element[b.E_ITEMS]
    for k in range(len(KINDS)):
        row[column.over_nav + k] = (element[b.E_OVER] >> k) & 1

    row[column.inline_bad] = (block[b.B_INLINE] & tags.BOILERPLATE) != 0
    row[column.inline_byline] = (block[b.B_INLINE] & tags.BYLINE) != 0
    row[column.own_bad] = (element[b.E_FLAGS] & tags.BOILERPLATE) != 0
    row[column.own_good] = (element[b.E_FLAGS] & (tags.CONTENT | tags.BODYTEXT)) != 0
    row[column.in_heading] = element[b.E_HEADING]
    props = element[b.E_PROPS]
    row[column.is_p] = element[b.E_TAG] == tags.P
    row[column.is_item] = (props & tags.ITEM) != 0
    row[column.is_cell] = (props & tags.CELL) != 0
    row[column.is_heading] = (props & tags.HEADING) != 0
    row[column.is_section] = (props & tags.SECTION) != 0
    row[column.siblings] = parent[b.E_CHILDREN]


@kernel
def _sections(blocks: np.ndarray, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First block and end of the section each block is in (int64 [n]): a heading and what follows
    it up to the next; headings that follow each other begin one section."""
    n = len(blocks)
    first, end = np.zeros(n, dtype=np.int64), np.full(n, n, dtype=np.int64)
    before = False
    for i in range(n):
        owner = blocks[i, b.B_ELEMENT]
        heading = owner >= 0 and elements[owner, b.E_HEADING] != 0
        first[i] = i if i == 0 or (heading and not before) else first[i - 1]
        before = heading
    for i in range(n - 2, -1, -1):
        end[i] = end[i + 1] if first[i] == first[i + 1] else i + 1
    return first, end


@kernel
def _beside_best(
    elements: np.ndarray, scores: np.ndarray, best: int
) -> tuple[np.ndarray, np.ndarray]:
    """How near an element comes to Readability's choice (float64 [m] each): the largest score of it
    and those above it, as a share of the best; whether it lies in a sibling of the best that has
    the same tag and class words (a page of several sections, posts or tabs)."""
    ratio = np.zeros(len(elements), dtype=np.float64)
    beside = np.zeros(len(elements), dtype=np.float64)
    for e in range(len(elements)):
        if best < 0:
            break
        up = elements[e, b.E_PARENT]
        ratio[e] = max(scores[e] / scores[best], 0.0)
        beside[e] = (
            up == elements[best, b.E_PARENT]
            and elements[e, b.E_TAG] == elements[best, b.E_TAG]
            and elements[e, b.E_FLAGS] == elements[best, b.E_FLAGS]
        )
        if up >= 0:
            ratio[e] = max(ratio[e], ratio[up])
            beside[e] = max(beside[e], beside[up])
    return ratio, beside


@kernel
def _densest(sentences: np.ndarray, n: int) -> int:
    """The first block around which most sentence weight stands, PEAK blocks on either side."""
    peak, height = 0, -1.0
    for i in range(n):
        lo, hi = max(0, i - PEAK), min(n, i + PEAK + 1)
        if sentences[hi] - sentences[lo] > height:
            peak, height = i, sentences[hi] - sentences[lo]
    return peak


@kernel
def block_features(blocks: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Features of all blocks of a page: float32 [n, COUNT], columns in the order of NAMES.

    blocks int32 [n, B_WIDTH] and elements int32 [m, E_WIDTH] as in `corpus.web.html.blocks`; all
    zeros for a page without elements.
    """
    n = len(blocks)
    out = np.zeros((n, COUNT), dtype=np.float32)
    if n == 0 or len(elements) == 0:
        return out
    # Of the page, once: prefix sums, and the elements and places every block is compared with.
    weights = prefix_sums(blocks[:, b.B_WEIGHT])
    linked = prefix_sums(blocks[:, b.B_LINKED])
    sentence = sentence_weights(blocks)
    sentences = prefix_sums(sentence)
    links_only = prefix_sums(5 * blocks[:, b.B_LINKED] >= 4 * blocks[:, b.B_WEIGHT])
    section_first, section_end = _sections(blocks, elements)
    total = max(weights[n], 1.0)
    best, scores = readable(blocks, elements, weights, linked)
    ratio, beside = _beside_best(elements, scores, best)
    holders = np.empty(len(SHARES), dtype=np.int64)
    for k in range(len(SHARES)):
        holders[k] = deepest(elements, sentences, SHARES[k])
    h1, articles, mains = landmarks(elements)
    peak = _densest(sentences, n)
    root = elements[0]
    for i in range(n):
        row = out[i]
        owner = blocks[i, b.B_ELEMENT]
        element = elements[owner] if owner >= 0 else root
        parent = elements[element[b.E_PARENT]] if element[b.E_PARENT] >= 0 else element
        _own_features(row, blocks[i], element, parent)
        row[column.block_place] = i / n
        row[column.weight_place] = weights[i] / total

        # What stands around it: articles come in runs, a lone sentence amid links is a teaser.
        at = _WINDOWS
        for size in WINDOWS:
            lo, hi = max(0, i - size), min(n, i + size + 1)
            around = weights[hi] - weights[lo]
            links = linked[hi] - linked[lo]
            row[at + window.text] = _log(around - links)
            row[at + window.links] = links / max(around, 1.0)
            row[at + window.sentences] = (sentences[hi] - sentences[lo]) / max(around, 1.0)
            at += len(WINDOW)

        # The next blocks one by one: a row of the same small elements is a list or a menu.
        at = _NEIGHBOURS
        for offset in OFFSETS:
            k = i + offset
            if 0 <= k < n:
                row[at + neighbour.length] = _log(blocks[k, b.B_WEIGHT])
                row[at + neighbour.link_share] = blocks[k, b.B_LINKED] / max(
                    blocks[k, b.B_WEIGHT], 1
                )
                row[at + neighbour.sentence] = sentence[k] > 0
                other = blocks[k, b.B_ELEMENT]
                row[at + neighbour.same_element] = other == owner or (
                    owner >= 0
                    and other >= 0
                    and elements[other, b.E_PARENT] == element[b.E_PARENT]
                    and elements[other, b.E_TAG] == element[b.E_TAG]
                )
            else:
                row[at + neighbour.length] = -1.0
            at += len(NEIGHBOUR)

        # The elements above it, wrappers of the same range counting once: how large, how linked.
        at = _LEVELS
        up = element[b.E_PARENT]
        first, end = element[b.E_FIRST], element[b.E_END]
        for _ in LEVELS:
            while up >= 0 and elements[up, b.E_FIRST] == first and elements[up, b.E_END] == end:
                up = elements[up, b.E_PARENT]
            if up >= 0:
                first, end = elements[up, b.E_FIRST], elements[up, b.E_END]
            inside = weights[end] - weights[first]
            row[at + above.weight] = _log(inside)
            row[at + above.share] = inside / total
            row[at + above.links] = (linked[end] - linked[first]) / max(inside, 1.0)
            row[at + above.sentences] = (sentences[end] - sentences[first]) / max(inside, 1.0)
            row[at + above.blocks] = _log(end - first)
            row[at + above.link_blocks] = (links_only[end] - links_only[first]) / max(
                end - first, 1
            )
            if up >= 0:
                row[at + above.children] = elements[up, b.E_CHILDREN]
                row[at + above.media] = elements[up, b.E_MEDIA] / max(end - first, 1)
            at += len(LEVEL)

        # Its section: what stands under "related articles" is short, linked and near the end.
        first, end = section_first[i], section_end[i]
        inside = weights[end] - weights[first]
        links = linked[end] - linked[first]
        row[_SECTION + section.text] = _log(inside - links)
        row[_SECTION + section.links] = links / max(inside, 1.0)
        row[_SECTION + section.sentences] = (sentences[end] - sentences[first]) / max(inside, 1.0)
        row[_SECTION + section.blocks] = end - first
        row[_SECTION + section.link_blocks] = (links_only[end] - links_only[first]) / (end - first)
        row[_SECTION + section.place] = i - first
        row[_SECTION + section.share_after] = (sentences[n] - sentences[end]) / max(
            sentences[n], 1.0
        )

        # The page, last: what is much on one page is little on another.
        row[column.page_blocks] = _log(n)
        row[column.page_weight] = _log(weights[n])
        row[column.page_links] = linked[n] / total
        row[column.page_sentences] = sentences[n] / total
        if best >= 0:
            first, end = elements[best, b.E_FIRST], elements[best, b.E_END]
            inside = weights[end] - weights[first]
            row[column.in_best] = first <= i < end
            row[column.best_share] = inside / total
            row[column.best_links] = (linked[end] - linked[first]) / max(inside, 1.0)
        if owner >= 0:
            row[column.best_ratio] = ratio[owner]
            row[column.beside_best] = beside[owner]
        for k in range(len(SHARES)):
            holder = holders[k]
            if holder >= 0:
                first, end = elements[holder, b.E_FIRST], elements[holder, b.E_END]
                row[column.in90 + k] = first <= i < end
                if k == 1 or k == 2:
                    row[column.share70 + k - 1] = (weights[end] - weights[first]) / total
                    row[column.place70 + k - 1] = (i - first) / max(end - first, 1)
        row[column.after_h1] = i >= h1 if h1 >= 0 else -1.0
        row[column.from_h1] = i - h1 if h1 >= 0 else 0
        row[column.from_peak] = abs(i - peak)
        row[column.articles] = articles
        row[column.in_main] = (element[b.E_LANDMARK] & b.L_MAIN) != 0
        row[column.page_main] = mains
        row[column.only_article] = articles == 1 and row[column.article] > 0
    return out
