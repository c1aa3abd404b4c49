"""Choose the blocks of a page that are its main text.

Block probabilities (first forest), then one option, an element with a threshold: the one with the
highest predicted F1 (second forest) plus EF1_SHARE times the expected F1 of its element. Inside it
the blocks with p >= threshold stay.
On a page with one `<main>` that holds MAIN_MASS of the probable text, the element lies in it.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.main_text.containers import SHARP_EF1, options, waste
from corpus.web.main_text.features import block_features
from corpus.web.main_text.forest import Forest, probabilities, raw_scores
from filters.kernels.kernel import kernel

EF1_SHARE = 0.4
MAIN_MASS = 0.2
MAX_BLOCKS = 20_000  # longer pages (tables, dumps) are chosen by rule: features would take 0.5 GB
OUTSIDE = 10.0  # more than any score
LIKELY = 0.5
NONE, CONTAINER, BLOCKS, LARGEST, RULE = range(5)
METHODS = ("none", "container", "blocks", "largest", "rule")


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
def choose(
    blocks: np.ndarray, elements: np.ndarray, block_forest: Forest, container_forest: Forest
) -> tuple[np.ndarray, int]:
    """Mask (bool [n]) of the blocks of the main text, and the method that chose them (METHODS).

    blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH] as in `corpus.web.html.blocks`.
    """
    n = len(blocks)
    keep = np.zeros(n, dtype=np.bool_)
    if n == 0 or len(elements) == 0:
        return keep, NONE
    dropped = waste(blocks, elements)
    # A table or a dump: what is less than half links stays, outside nav, aside and footer.
    if n > MAX_BLOCKS:
        for i in range(n):
            owner = blocks[i, b.B_ELEMENT]
            keep[i] = 2 * blocks[i, b.B_LINKED] < blocks[i, b.B_WEIGHT] and (
                owner < 0 or not elements[owner, b.E_LANDMARK] & b.L_ASIDE
            )
        return keep & ~dropped, RULE
    # As a rule: the option of the best score, and in it the blocks that pass its threshold.
    p = probabilities(block_features(blocks, elements), block_forest)
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
        for i in range(elements[element[best], b.E_FIRST], elements[element[best], b.E_END]):
            keep[i] = p[i] >= threshold[best] and not dropped[i]
        if keep.any():
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
