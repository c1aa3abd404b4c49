"""Options for the main text: an element with a threshold, and what speaks for each.

An option keeps the blocks of probability p >= threshold inside a candidate element: news pages are
cut best at a high threshold, forums and lists at a low one.

With p the probability that a block is content and u its weight, an element's expected F1 is
EF1 = 2 sum(p u, inside) / (sum(u, inside) + sum(p u, page)). Probabilities are sharpened first,
q = p^a / (p^a + (1-p)^a): a long menu of blocks at p = 0.1 must not outweigh a short article.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags as t
from corpus.web.main_text.features import deepest, prefix_sums, readable, sentence_weights
from filters.kernels.kernel import kernel

CANDIDATES = 16  # elements kept, best EF1 first
THRESHOLDS = (0.1, 0.25)  # of the probability of a block that stays

NAMES = (
    *(
        "ef1",
        "ef2",
        "ef4",
        "precision",
        "recall",
        "rank",
        "behind",
        "weight",
        "share",
        "sentence_share",
        "sentence_density",
        "link_density",
        "blocks",
        "block_share",
        "before",
        "after",
        "depth",
        "bad",
        "good",
        "landmark",
        "article",
        "header",
    ),
    *(f"own{k}" for k in range(16)),
    *(
        "body",
        "section",
        "cell",
        "item",
        "paragraph",
        "heading",
        "children",
        "siblings",
        "of_parent",
        "mass_of_parent",
        "parent_bad",
        "parent_links",
    ),
    *("is_best", "has_best", "in_best", "has90", "has70", "has40", "is70", "is40"),
    *(
        "has_h1",
        "from_h1",
        "first",
        "last",
        "outside_before",
        "outside_after",
        "low_inside",
        "high_outside",
        "largest",
        "media",
        "page_blocks",
        "page_weight",
        "page_links",
        "page_mean",
        "articles",
        "is_main",
        "in_main",
        "page_main",
    ),
    *("threshold", "kept", "kept_share", "kept_mean", "kept_ef1", "kept_recall", "kept_blocks"),
)
COUNT = len(NAMES)
SHARP_EF1 = NAMES.index("ef4")
_OWN = COUNT - 7  # columns that do not depend on the threshold


@kernel
def sharpened(p: np.ndarray, a: float) -> np.ndarray:
    """q = p^a / (p^a + (1-p)^a), float64 like p."""
    yes = p**a
    no = (1.0 - p) ** a
    return yes / (yes + no + 1e-12)


@kernel
def _ef1(inside: np.ndarray, total: np.ndarray, first: int, end: int) -> float:
    return 2.0 * (inside[end] - inside[first]) / (total[end] - total[first] + inside[-1] + 1e-9)


@kernel
def _mean(values: np.ndarray, start: int, end: int) -> float:
    lo, hi = max(0, start), min(len(values), end)
    return values[lo:hi].mean() if hi > lo else 0.0


@kernel
def candidates(elements: np.ndarray, mass: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Elements by falling EF1 (int64 [k], k <= CANDIDATES); of equal ranges only the deepest."""
    m = len(elements)
    scores = np.full(m, -1.0)
    for e in range(m):
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        if end <= first:
            continue
        parent = elements[e, b.E_PARENT]
        if parent >= 0 and (
            elements[parent, b.E_FIRST] == first and elements[parent, b.E_END] == end
        ):
            scores[parent] = -1.0
        scores[e] = _ef1(mass, weights, first, end)
    count = 0
    out = np.empty(CANDIDATES, dtype=np.int64)
    while count < CANDIDATES:
        best = int(np.argmax(scores)) if m else 0
        if m == 0 or scores[best] <= 0.0:
            break
        out[count] = best
        count += 1
        scores[best] = -1.0
    return out[:count]


@kernel
def waste(blocks: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Blocks that never stay (bool [n]): cookie banners, and links in nav, aside and footer."""
    n = len(blocks)
    out = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        e = blocks[i, b.B_ELEMENT]
        if e >= 0:
            links = elements[e, b.E_LANDMARK] & 1 and (
                5 * blocks[i, b.B_LINKED] >= 4 * blocks[i, b.B_WEIGHT]
            )
            out[i] = links or elements[e, b.E_OVER] & t.COOKIE
    return out


@kernel
def options(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray, dropped: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Element (int64 [k]), threshold (float64 [k]) and features (float32 [k, COUNT]) of options.

    `dropped` is what `waste` returns. A threshold that keeps what a lower one keeps is left out.
    """
    chosen, own = _container_features(blocks, elements, p)
    unit = blocks[:, b.B_WEIGHT].astype(np.float64)
    weights = prefix_sums(unit)
    page = (unit * p).sum()
    most = len(chosen) * len(THRESHOLDS)
    element = np.empty(most, dtype=np.int64)
    threshold = np.empty(most, dtype=np.float64)
    out = np.empty((most, COUNT), dtype=np.float32)
    last = np.full(len(chosen), -1.0)
    k = 0
    for low in THRESHOLDS:
        stays = (p >= low) & ~dropped
        number = prefix_sums(stays)
        kept = prefix_sums(unit * stays)
        mass = prefix_sums(unit * p * stays)
        for c in range(len(chosen)):
            first, end = elements[chosen[c], b.E_FIRST], elements[chosen[c], b.E_END]
            count = number[end] - number[first]
            if count == last[c]:
                continue
            last[c] = count
            w, m = kept[end] - kept[first], mass[end] - mass[first]
            x = out[k]
            x[:_OWN] = own[c]
            x[_OWN] = low
            x[_OWN + 1] = np.log1p(w)
            x[_OWN + 2] = w / max(weights[end] - weights[first], 1.0)
            x[_OWN + 3] = m / max(w, 1e-9)
            x[_OWN + 4] = 2.0 * m / (w + page + 1e-9)
            x[_OWN + 5] = m / max(page, 1e-9)
            x[_OWN + 6] = count / max(end - first, 1)
            element[k] = chosen[c]
            threshold[k] = low
            k += 1
    return element[:k], threshold[:k], out[:k]


@kernel
def _container_features(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Candidate elements (int64 [k]) and the features that hold for every threshold."""
    n = len(blocks)
    unit = blocks[:, b.B_WEIGHT].astype(np.float64)
    weights = prefix_sums(unit)
    linked = prefix_sums(blocks[:, b.B_LINKED])
    sentence = sentence_weights(blocks)
    sentences = prefix_sums(sentence)
    mass1 = prefix_sums(unit * p)
    mass = prefix_sums(unit * sharpened(p, 2.0))
    mass4 = prefix_sums(unit * sharpened(p, 4.0))
    low = prefix_sums(unit * (p < 0.2))
    high = prefix_sums(unit * (p > 0.7))
    chosen = candidates(elements, mass, weights)
    out = np.zeros((len(chosen), _OWN), dtype=np.float32)
    best = readable(blocks, elements, weights, linked)
    at90, at70 = deepest(elements, sentences, 0.9), deepest(elements, sentences, 0.7)
    at40 = deepest(elements, sentences, 0.4)
    h1, articles, mains = -1, 0, 0
    for e in range(len(elements)):
        mains += (elements[e, b.E_OWN_LANDMARK] & 64) != 0
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        if h1 < 0 and elements[e, b.E_TAG] == t.H1 and end > first:
            h1 = first
        articles += (elements[e, b.E_OWN_LANDMARK] & 68) == 4
    total = max(weights[n], 1.0)
    top = 0.0
    for k in range(len(chosen)):
        x = out[k]
        row = elements[chosen[k]]
        first, end = row[b.E_FIRST], row[b.E_END]
        inside = max(weights[end] - weights[first], 1.0)
        x[0] = _ef1(mass1, weights, first, end)
        x[1] = _ef1(mass, weights, first, end)
        x[2] = _ef1(mass4, weights, first, end)
        if k == 0:
            top = x[1]
        x[3] = (mass[end] - mass[first]) / inside
        x[4] = (mass[end] - mass[first]) / max(mass[n], 1e-9)
        x[5] = k
        x[6] = top - x[1]
        x[7] = np.log1p(inside)
        x[8] = inside / total
        x[9] = (sentences[end] - sentences[first]) / max(sentences[n], 1.0)
        x[10] = (sentences[end] - sentences[first]) / inside
        x[11] = (linked[end] - linked[first]) / inside
        x[12] = np.log1p(end - first)
        x[13] = (end - first) / n
        x[14] = first / n
        x[15] = (n - end) / n
        x[16] = row[b.E_DEPTH]
        x[17] = row[b.E_BAD]
        x[18] = row[b.E_GOOD]
        x[19] = row[b.E_LANDMARK] & 1
        x[20] = (row[b.E_OWN_LANDMARK] >> 2) & 3
        x[21] = (row[b.E_LANDMARK] >> 1) & 1
        for j in range(16):
            x[22 + j] = (row[b.E_FLAGS] >> j) & 1
        props = row[b.E_PROPS]
        x[38] = row[b.E_TAG] == t.BODY or row[b.E_TAG] == t.HTML
        x[39] = (props & t.SECTION) != 0
        x[40] = (props & t.CELL) != 0
        x[41] = (props & (t.ITEM | t.LIST)) != 0
        x[42] = row[b.E_TAG] == t.P
        x[43] = (props & t.HEADING) != 0
        x[44] = row[b.E_CHILDREN]
        up = row[b.E_PARENT]
        x[45] = elements[up, b.E_CHILDREN] if up >= 0 else 0
        while up >= 0 and elements[up, b.E_FIRST] == first and elements[up, b.E_END] == end:
            up = elements[up, b.E_PARENT]
        if up >= 0:
            f, g = elements[up, b.E_FIRST], elements[up, b.E_END]
            x[46] = inside / max(weights[g] - weights[f], 1.0)
            x[47] = (mass[end] - mass[first]) / max(mass[g] - mass[f], 1e-9)
            x[48] = elements[up, b.E_BAD]
            x[49] = (linked[g] - linked[f]) / max(weights[g] - weights[f], 1.0)
        if best >= 0:
            f, g = elements[best, b.E_FIRST], elements[best, b.E_END]
            x[50] = f == first and g == end
            x[51] = first <= f and g <= end
            x[52] = f <= first and end <= g
        for j in range(3):
            mark = at90 if j == 0 else (at70 if j == 1 else at40)
            if mark >= 0:
                f, g = elements[mark, b.E_FIRST], elements[mark, b.E_END]
                x[53 + j] = first <= f and g <= end
                if j > 0:
                    x[55 + j] = f == first and g == end
        if h1 >= 0:
            x[58] = first <= h1 < end
            x[59] = first - h1
        x[60] = _mean(p, first, min(first + 3, end))
        x[61] = _mean(p, max(end - 3, first), end)
        x[62] = _mean(p, first - 3, first)
        x[63] = _mean(p, end, end + 3)
        x[64] = (low[end] - low[first]) / inside
        x[65] = (high[n] - high[end] + high[first]) / total
        x[66] = unit[first:end].max() / inside
        x[67] = row[b.E_MEDIA]
        x[68] = np.log1p(n)
        x[69] = np.log1p(total)
        x[70] = linked[n] / total
        x[71] = mass[n] / total
        x[72] = articles
        x[73] = (row[b.E_OWN_LANDMARK] & 64) != 0
        x[74] = (row[b.E_LANDMARK] & 64) != 0
        x[75] = mains
    return chosen, out
