"""Choose the blocks of a page that are its main text, and write them out.

Block probabilities (first forest), then one option, an element with a threshold: the one with the
highest predicted F1 (second forest) plus EF1_SHARE times the expected F1 of its element. Inside it
the blocks with p >= threshold stay.
On a page with one `<main>` that holds MAIN_MASS of the probable text, the element lies in it.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags as t
from corpus.web.main_text.containers import SHARP_EF1, options, waste
from corpus.web.main_text.features import block_features
from corpus.web.main_text.forest import Forest, probabilities, raw_scores
from filters.kernels import characters as ch
from filters.kernels.kernel import kernel

EF1_SHARE = 0.4
MAIN_MASS = 0.2
MAX_BLOCKS = 20_000  # longer pages (tables, dumps) are chosen by rule: features would take 0.5 GB
CELL_WEIGHT = 600  # cells of up to 60 CJK characters are joined by tabs to a table row
OUTSIDE = 10.0  # more than any score
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
    """Mask (bool [n]) of the blocks of the main text, and the method that chose them."""
    n = len(blocks)
    keep = np.zeros(n, dtype=np.bool_)
    if n == 0 or len(elements) == 0:
        return keep, NONE
    dropped = waste(blocks, elements)
    if n > MAX_BLOCKS:
        for i in range(n):
            e = blocks[i, b.B_ELEMENT]
            keep[i] = 2 * blocks[i, b.B_LINKED] < blocks[i, b.B_WEIGHT] and (
                e < 0 or not elements[e, b.E_LANDMARK] & b.L_ASIDE
            )
        return keep & ~dropped, RULE
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
    keep = (p >= 0.5) & ~dropped
    if keep.any():
        return keep, BLOCKS
    largest = 0
    for i in range(n):
        if blocks[i, b.B_WEIGHT] - blocks[i, b.B_LINKED] > (
            blocks[largest, b.B_WEIGHT] - blocks[largest, b.B_LINKED]
        ):
            largest = i
    keep[largest] = not dropped[largest]
    return keep, LARGEST


@kernel
def joined(
    text: np.ndarray, blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    """UTF-8 bytes of the kept blocks: lines, and tabs between the short cells of a table row."""
    size = 0
    for i in range(len(blocks)):
        if keep[i]:
            size += blocks[i, b.B_END] - blocks[i, b.B_START] + 1
    out = np.empty(size, dtype=np.uint8)
    o = 0
    last = -2
    for i in range(len(blocks)):
        if not keep[i]:
            continue
        if o:
            e, before = blocks[i, b.B_ELEMENT], blocks[last, b.B_ELEMENT]
            same_row = (
                last == i - 1
                and e >= 0
                and before >= 0
                and e != before
                and elements[e, b.E_PROPS] & t.CELL
                and elements[before, b.E_PROPS] & t.CELL
                and elements[e, b.E_PARENT] == elements[before, b.E_PARENT]
                and blocks[i, b.B_WEIGHT] <= CELL_WEIGHT
                and blocks[last, b.B_WEIGHT] <= CELL_WEIGHT
            )
            out[o] = ch.TAB if same_row else ch.LINE_FEED
            o += 1
        start, end = blocks[i, b.B_START], blocks[i, b.B_END]
        out[o : o + end - start] = text[start:end]
        o += end - start
        last = i
    return out[:o]
