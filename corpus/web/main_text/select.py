"""Choose the blocks of a page that are its main text.

Block probabilities (first forest), then one option, an element with a threshold: the one with the
highest predicted F1 (second forest) plus EF1_SHARE times the expected F1 of its element. Inside it
the blocks with p >= threshold stay.
On a page with one `<main>` that holds MAIN_MASS of the probable text, the element lies in it.
Last, a page that the third forest calls an index without main text keeps nothing ("listing").
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.main_text.containers import SHARP_EF1, options, waste
from corpus.web.main_text.features import block_features
from corpus.web.main_text.forest import Forest, probabilities, raw_scores
from corpus.web.main_text.listing import column as of_page
from corpus.web.main_text.listing import page_features
from corpus.web.main_text.page import landmarks, sentence_weights
from filters.kernels.kernel import kernel

EF1_SHARE = 0.4
MAIN_MASS = 0.2
MAX_BLOCKS = 20_000  # longer pages (tables, dumps) are chosen by rule: features would take 0.5 GB
OUTSIDE = 10.0  # more than any score
LIKELY = 0.5
SIBLING_MEAN = 0.4  # weighted mean probability of a sibling that is taken with the element
# A page is an index when the third forest's score passes LISTING, LISTING_LINKS of its text are
# links, and what was kept is not mostly sentences or under PROSE of them (100 CJK characters). Only
# where both hold, the whole page has under PAGE_PROSE and its author calls no one part of it an
# article, does it lose what was kept: losing a text is worse than keeping a listing.
LISTING, LISTING_LINKS, LISTING_SENTENCES, PROSE, PAGE_PROSE = 1.5, 0.4, 0.5, 1000.0, 1500.0
INDEX_BLOCKS = 8  # fewer blocks are no index
NONE, CONTAINER, BLOCKS, LARGEST, RULE, INDEX = range(6)
METHODS = ("none", "container", "blocks", "largest", "rule", "listing")


@kernel
def main_range(blocks: np.ndarray, elements: np.ndarray, p: np.ndarray) -> tuple[int, int]:
    """Blocks of the page's only `<main>`, or of the whole page where that says too little."""
    main = -1
    for e in range(len(elements)):
        if elements[e, b.E_OWN_LANDMARK] & b.L_MAIN:
            if main >= 0:
                return 0, len(blocks)
            main = e
    if main < 0:
        return 0, len(blocks)
    first, end = elements[main, b.E_FIRST], elements[main, b.E_END]
    mass = blocks[:, b.B_WEIGHT] * p
    if mass[first:end].sum() < MAIN_MASS * mass.sum():
        return 0, len(blocks)
    return first, end


@kernel
def add_siblings(
    keep: np.ndarray,
    blocks: np.ndarray,
    elements: np.ndarray,
    p: np.ndarray,
    stays: np.ndarray,
    chosen: int,
) -> None:
    """Keep also the blocks `stays` (bool [n]) of siblings of the chosen element that have its tag
    and class words and hold probable text: the other sections, tabs or stories of a page."""
    one = elements[chosen]
    while one[b.E_PARENT] >= 0 and (
        elements[one[b.E_PARENT], b.E_FIRST] == one[b.E_FIRST]
        and elements[one[b.E_PARENT], b.E_END] == one[b.E_END]
    ):
        one = elements[one[b.E_PARENT]]
    if one[b.E_PARENT] < 0:
        return
    for e in range(one[b.E_PARENT] + 1, len(elements)):
        if (
            elements[e, b.E_PARENT] == one[b.E_PARENT]
            and elements[e, b.E_TAG] == one[b.E_TAG]
            and elements[e, b.E_FLAGS] == one[b.E_FLAGS]
        ):
            weight, mass = 0.0, 0.0
            for i in range(elements[e, b.E_FIRST], elements[e, b.E_END]):
                weight += blocks[i, b.B_WEIGHT]
                mass += blocks[i, b.B_WEIGHT] * p[i]
            if mass > SIBLING_MEAN * weight:
                for i in range(elements[e, b.E_FIRST], elements[e, b.E_END]):
                    keep[i] = stays[i]


@kernel
def kept(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray, container_forest: Forest
) -> tuple[np.ndarray, int]:
    """Mask (bool [n]) of the blocks that look like main text, and the method that chose them.

    p float64 [n]: probability that a block is content.
    """
    n = len(blocks)
    keep = np.zeros(n, dtype=np.bool_)
    dropped = waste(blocks, elements)
    # As a rule: the option of the best score, and in it the blocks that pass its threshold.
    element, threshold, rows = options(blocks, elements, p, dropped)
    if len(element):
        scores = raw_scores(rows, container_forest)
        main_first, main_end = main_range(blocks, elements, p)
        for k in range(len(element)):
            first, end = elements[element[k], b.E_FIRST], elements[element[k], b.E_END]
            scores[k] += EF1_SHARE * rows[k, SHARP_EF1]
            if first < main_first or end > main_end:
                scores[k] -= OUTSIDE
        best = np.argmax(scores)
        stays = (p >= threshold[best]) & ~dropped
        first, end = elements[element[best], b.E_FIRST], elements[element[best], b.E_END]
        keep[first:end] = stays[first:end]
        if keep.any():
            add_siblings(keep, blocks, elements, p, stays, element[best])
            return keep, CONTAINER
    # No element holds probable text: the likely blocks, wherever they stand.
    keep = (p >= LIKELY) & ~dropped
    if keep.any():
        return keep, BLOCKS
    # Nor is any block likely: the one with most text outside links.
    largest = 0
    for i in range(n):
        if blocks[i, b.B_WEIGHT] - blocks[i, b.B_LINKED] > (
            blocks[largest, b.B_WEIGHT] - blocks[largest, b.B_LINKED]
        ):
            largest = i
    keep[largest] = not dropped[largest]
    return keep, LARGEST


@kernel
def choose(
    blocks: np.ndarray,
    elements: np.ndarray,
    block_forest: Forest,
    container_forest: Forest,
    listing_forest: Forest,
) -> tuple[np.ndarray, int, float]:
    """Mask (bool [n]) of the blocks of the main text, the method that chose them (METHODS), and
    the probability that the page is an index without main text (0 where it was not judged).

    blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH] as in `corpus.web.html.blocks`.
    """
    n = len(blocks)
    keep = np.zeros(n, dtype=np.bool_)
    if n == 0 or len(elements) == 0:
        return keep, NONE, 0.0
    # A table or a dump: what is less than half links stays, outside nav, aside and footer.
    if n > MAX_BLOCKS:
        for i in range(n):
            owner = blocks[i, b.B_ELEMENT]
            keep[i] = 2 * blocks[i, b.B_LINKED] < blocks[i, b.B_WEIGHT] and (
                owner < 0 or not elements[owner, b.E_LANDMARK] & b.L_ASIDE
            )
        return keep & ~waste(blocks, elements), RULE, 0.0
    p = probabilities(block_features(blocks, elements), block_forest)
    keep, method = kept(blocks, elements, p, container_forest)
    page = page_features(blocks, elements, p, keep)
    score = raw_scores(page, listing_forest)[0]
    index = 1.0 / (1.0 + np.exp(-score))
    links, sentences = page[0, of_page.page_links], page[0, of_page.sentences]
    prose = sentences * np.expm1(page[0, of_page.weight])
    names, little = sentences < LISTING_SENTENCES, prose < PROSE
    if score > LISTING and n >= INDEX_BLOCKS and links >= LISTING_LINKS and (names or little):
        bare = sentence_weights(blocks).sum() < PAGE_PROSE
        if names and little and bare and landmarks(elements)[1] != 1:
            keep[:] = False
        method = INDEX
    return keep, method, index
