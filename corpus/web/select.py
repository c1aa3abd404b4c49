"""Choose the blocks of a page that are its main text, and write them out.

Block probabilities (first forest), then one container: the candidate with the highest predicted
F1 (second forest) plus EF1_SHARE times its expected F1; inside it the blocks with p >= LOW stay.
On a page with one `<main>` that holds MAIN_MASS of the probable text, the container lies in it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from corpus.web import blocks as b
from corpus.web import tags as t
from corpus.web.containers import container_features, sharpened
from corpus.web.features import block_features, prefix_sums
from corpus.web.forest import Forest, probabilities, raw_scores

LOW = 0.15
EF1_SHARE = 0.45
EF1_SHARPNESS = 4.0
MAIN_MASS = 0.2
MAX_BLOCKS = 20_000  # longer pages (tables, dumps) are chosen by rule: features would take 0.5 GB
CELL_WEIGHT = 600  # cells of up to 60 CJK characters are joined by tabs to a table row
OUTSIDE = 10.0  # more than any score
NONE, CONTAINER, BLOCKS, LARGEST, RULE = range(5)
METHODS = ("none", "container", "blocks", "largest", "rule")


@njit(cache=True, nogil=True)
def _mask_waste(blocks: np.ndarray, elements: np.ndarray, keep: np.ndarray) -> None:
    """Cookie banners never stay, nor do links in nav, aside and footer."""
    for i in range(len(blocks)):
        e = blocks[i, b.B_ELEMENT]
        if e >= 0:
            links = elements[e, b.E_LANDMARK] & 1 and (
                5 * blocks[i, b.B_LINKED] >= 4 * blocks[i, b.B_WEIGHT]
            )
            if links or elements[e, b.E_OVER] & t.COOKIE:
                keep[i] = False


@njit(cache=True, nogil=True)
def _main_range(blocks: np.ndarray, elements: np.ndarray, p: np.ndarray) -> tuple[int, int]:
    """Blocks of the page's only `<main>`, or of the whole page where that says too little."""
    found = -1
    for e in range(len(elements)):
        if elements[e, b.E_OWN_LANDMARK] & 64:
            if found >= 0:
                return 0, len(blocks)
            found = e
    if found < 0:
        return 0, len(blocks)
    first, end = elements[found, b.E_FIRST], elements[found, b.E_END]
    mass = blocks[:, b.B_WEIGHT] * p
    if mass[first:end].sum() < MAIN_MASS * mass.sum():
        return 0, len(blocks)
    return first, end


@njit(cache=True, nogil=True)
def choose(
    blocks: np.ndarray, elements: np.ndarray, block_forest: Forest, container_forest: Forest
) -> tuple[np.ndarray, int]:
    """Mask (bool [n]) of the blocks of the main text, and the method that chose them."""
    n = len(blocks)
    keep = np.zeros(n, dtype=np.bool_)
    if n == 0 or len(elements) == 0:
        return keep, NONE
    if n > MAX_BLOCKS:
        for i in range(n):
            e = blocks[i, b.B_ELEMENT]
            keep[i] = 2 * blocks[i, b.B_LINKED] < blocks[i, b.B_WEIGHT] and (
                e < 0 or not elements[e, b.E_LANDMARK] & 1
            )
        _mask_waste(blocks, elements, keep)
        return keep, RULE
    p = probabilities(block_features(blocks, elements), block_forest)
    chosen, rows = container_features(blocks, elements, p)
    method = CONTAINER
    if len(chosen):
        unit = blocks[:, b.B_WEIGHT].astype(np.float64)
        weights = prefix_sums(unit)
        mass = prefix_sums(unit * sharpened(p, EF1_SHARPNESS))
        scores = raw_scores(rows, container_forest)
        main_first, main_end = _main_range(blocks, elements, p)
        for k in range(len(chosen)):
            first, end = elements[chosen[k], b.E_FIRST], elements[chosen[k], b.E_END]
            if first < main_first or end > main_end:
                scores[k] -= OUTSIDE
            expected = (
                2.0 * (mass[end] - mass[first]) / (weights[end] - weights[first] + mass[n] + 1e-9)
            )
            scores[k] += EF1_SHARE * expected
        best = chosen[np.argmax(scores)]
        for i in range(elements[best, b.E_FIRST], elements[best, b.E_END]):
            keep[i] = p[i] >= LOW
        _mask_waste(blocks, elements, keep)
    if not keep.any():
        method = BLOCKS
        keep[:] = p >= 0.5
        _mask_waste(blocks, elements, keep)
    if not keep.any():
        method = LARGEST
        largest = 0
        for i in range(n):
            if blocks[i, b.B_WEIGHT] - blocks[i, b.B_LINKED] > (
                blocks[largest, b.B_WEIGHT] - blocks[largest, b.B_LINKED]
            ):
                largest = i
        keep[largest] = True
        _mask_waste(blocks, elements, keep)
    return keep, method


@njit(cache=True, nogil=True)
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
            out[o] = 9 if same_row else 10
            o += 1
        start, end = blocks[i, b.B_START], blocks[i, b.B_END]
        out[o : o + end - start] = text[start:end]
        o += end - start
        last = i
    return out[:o]
