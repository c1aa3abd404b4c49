"""What the features of blocks and of containers both measure of a page.

blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH]: the tables of `corpus.web.html.blocks`;
`sums` are prefix sums over the blocks, so that an element's total is sums[E_END] - sums[E_FIRST].
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags
from filters.kernels.kernel import kernel

SENTENCE_WEIGHT = 150  # a block of 15 CJK characters with a stop counts as sentence text
POINT_WEIGHT = 500.0  # 50 CJK characters: as much as Readability's 100 Latin letters
LEVELS = 4  # elements above a paragraph that get points of it


@kernel
def sentence_weights(blocks: np.ndarray) -> np.ndarray:
    """Weight of the blocks that read like sentences (float64 [n]), 0 for the others."""
    n = len(blocks)
    out = np.zeros(n, dtype=np.float64)
    for i in range(n):
        weight = blocks[i, b.B_WEIGHT]
        if blocks[i, b.B_STOPS] > 0 and weight >= SENTENCE_WEIGHT:
            if 2 * blocks[i, b.B_LINKED] < weight:
                out[i] = weight - blocks[i, b.B_LINKED]
    return out


@kernel
def prefix_sums(values: np.ndarray) -> np.ndarray:
    """float64 [n + 1]: sums of the first k values."""
    out = np.zeros(len(values) + 1, dtype=np.float64)
    for i in range(len(values)):
        out[i + 1] = out[i] + values[i]
    return out


@kernel
def deepest(elements: np.ndarray, sums: np.ndarray, share: float) -> int:
    """The deepest element that holds at least `share` of the page's total; -1 if there is none."""
    total = sums[-1]
    holder = -1
    if total <= 0:
        return holder
    for e in range(len(elements)):
        if elements[e, b.E_PARENT] == holder or holder < 0:
            inside = sums[elements[e, b.E_END]] - sums[elements[e, b.E_FIRST]]
            if inside >= share * total:
                holder = e
    return holder


@kernel
def landmarks(elements: np.ndarray) -> tuple[int, int, int]:
    """(first block of the first `<h1>` with text, -1 without; `<article>`s; `<main>`s)."""
    h1, articles, mains = -1, 0, 0
    for e in range(len(elements)):
        own = elements[e, b.E_OWN_LANDMARK]
        mains += (own & b.L_MAIN) != 0
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        if h1 < 0 and elements[e, b.E_TAG] == tags.H1 and end > first:
            h1 = first
        articles += (own & (b.L_ARTICLE | b.L_MAIN)) == b.L_ARTICLE  # a <main> has both bits
    return h1, articles, mains


@kernel
def readable(
    blocks: np.ndarray, elements: np.ndarray, weights: np.ndarray, linked: np.ndarray
) -> tuple[int, np.ndarray]:
    """The element a Readability-like score prefers (-1 without any) and the scores of all
    (float64 [m]): paragraphs pass points up, links reduce them. weights, linked: prefix sums of
    B_WEIGHT and B_LINKED.

    After mozilla/readability's `_grabArticle`: 1 + commas + length/100 (at most 3) to the parent,
    half to the grandparent, a third of that to the next two.
    """
    # Paragraphs with more text than links give points to the elements above them.
    scores = np.zeros(len(elements), dtype=np.float64)
    for i in range(len(blocks)):
        weight = blocks[i, b.B_WEIGHT]
        if weight < SENTENCE_WEIGHT or 2 * blocks[i, b.B_LINKED] > weight:
            continue
        points = 1.0 + blocks[i, b.B_COMMAS] + min(weight / POINT_WEIGHT, 3.0)
        e = blocks[i, b.B_ELEMENT]
        if e >= 0 and not (elements[e, b.E_PROPS] & tags.SECTION):
            e = elements[e, b.E_PARENT]
        divider = 1.0
        for level in range(LEVELS):
            if e < 0:
                break
            scores[e] += points / divider
            divider = 2.0 if level == 0 else 3.0 * (level + 1)
            e = elements[e, b.E_PARENT]
    # The best score, less the share of links, halved inside elements named like boilerplate.
    best, top = -1, 0.0
    for e in range(len(elements)):
        if scores[e] > 0:
            first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
            total = weights[end] - weights[first]
            score = scores[e] * (1.0 - (linked[end] - linked[first]) / max(total, 1.0))
            if elements[e, b.E_BAD] > 0:
                score *= 0.5
            scores[e] = score
            if score > top:
                best, top = e, score
    return best, scores
