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
from corpus.web.html import tags
from corpus.web.main_text.page import deepest, landmarks, prefix_sums, readable, sentence_weights
from filters.kernels.kernel import columns, kernel

CANDIDATES = 16  # elements kept, best EF1 first
THRESHOLDS = (0.1, 0.35)  # of the probability of a block that stays
SHARES = (0.9, 0.7, 0.4)  # of the page's sentences, in the deepest element that holds them
KINDS = tags.WORD_KINDS[:16]  # cookie banners are dropped by `waste`, not judged
EDGE = 3  # blocks at each end of an element, and on each side of it, whose mean p is taken

# The columns in order, each said once. How well the element fits the probable text (ef1, ef2, ef4:
# expected F1 with p sharpened by that power; the others by 2), and how much of the page it is.
_FIT = (
    "ef1 ef2 ef4 precision recall rank behind weight share sentence_share sentence_density "
    "link_density blocks block_share before after"
)
_TREE = "depth bad good landmark article header"
_ELEMENT = "body section cell item paragraph heading children siblings"
# Beside the next wider element, Readability's choice, the holders of SHARES and the heading.
_OTHERS = (
    "of_parent mass_of_parent parent_bad parent_links best_ratio is_best has_best in_best "
    "has90 has70 has40 is70 is40 has_h1 from_h1"
)
# Probabilities at its edges, what lies wrong on either side of them; the page.
_EDGES = (
    "first last outside_before outside_after low_inside high_outside largest media page_blocks "
    "page_weight page_links page_mean articles is_main in_main page_main"
)
# What the threshold leaves: only these differ between the options of one element.
_KEPT = "threshold kept kept_share kept_mean kept_ef1 kept_recall kept_blocks"
NAMES: tuple[str, ...] = (
    *_FIT.split(),
    *_TREE.split(),
    *(f"own_{kind}" for kind in KINDS),  # class words of the element
    *_ELEMENT.split(),
    *_OTHERS.split(),
    *_EDGES.split(),
    *_KEPT.split(),
)
COUNT = len(NAMES)
column = columns(NAMES)
SHARP_EF1 = column.ef4
_OWN = column.threshold  # columns before it do not depend on the threshold


@kernel
def sharpened(p: np.ndarray, power: float) -> np.ndarray:
    """q = p^power / (p^power + (1-p)^power), float64 like p."""
    yes = p**power
    no = (1.0 - p) ** power
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
    """Elements by falling EF1 (int64 [k], k <= CANDIDATES); of equal ranges only the deepest.

    mass, weights: prefix sums (float64 [n + 1]) of probable and of all weight.
    """
    scores = np.full(len(elements), -1.0)
    for e in range(len(elements)):
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
        if len(elements) == 0:
            break
        best = int(np.argmax(scores))
        if scores[best] <= 0.0:
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
        owner = blocks[i, b.B_ELEMENT]
        if owner >= 0:
            links = elements[owner, b.E_LANDMARK] & b.L_ASIDE and (
                5 * blocks[i, b.B_LINKED] >= 4 * blocks[i, b.B_WEIGHT]
            )
            out[i] = links or elements[owner, b.E_OVER] & tags.COOKIE
    return out


@kernel
def options(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray, dropped: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Element (int64 [k]), threshold (float64 [k]) and features (float32 [k, COUNT]) of options.

    blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH]; p float64 [n]: probability that a block
    is content; dropped bool [n] is what `waste` returns. A threshold that keeps what a lower one
    keeps is left out.
    """
    # Once an element: what no threshold changes.
    chosen, own = _container_features(blocks, elements, p)
    unit = blocks[:, b.B_WEIGHT].astype(np.float64)
    weights = prefix_sums(unit)
    page = (unit * p).sum()
    most = len(chosen) * len(THRESHOLDS)
    element = np.empty(most, dtype=np.int64)
    threshold = np.empty(most, dtype=np.float64)
    out = np.empty((most, COUNT), dtype=np.float32)
    kept_before = np.full(len(chosen), -1.0)  # blocks that the threshold before left
    k = 0
    # Once a threshold: prefix sums of what stays; then a row for every element it changes.
    for low in THRESHOLDS:
        stays = (p >= low) & ~dropped
        number = prefix_sums(stays)
        kept = prefix_sums(unit * stays)
        mass = prefix_sums(unit * p * stays)
        for c in range(len(chosen)):
            first, end = elements[chosen[c], b.E_FIRST], elements[chosen[c], b.E_END]
            count = number[end] - number[first]
            if count == kept_before[c]:
                continue
            kept_before[c] = count
            weight, probable = kept[end] - kept[first], mass[end] - mass[first]
            row = out[k]
            row[:_OWN] = own[c]
            row[column.threshold] = low
            row[column.kept] = np.log1p(weight)
            row[column.kept_share] = weight / max(weights[end] - weights[first], 1.0)
            row[column.kept_mean] = probable / max(weight, 1e-9)
            row[column.kept_ef1] = 2.0 * probable / (weight + page + 1e-9)
            row[column.kept_recall] = probable / max(page, 1e-9)
            row[column.kept_blocks] = count / max(end - first, 1)
            element[k] = chosen[c]
            threshold[k] = low
            k += 1
    return element[:k], threshold[:k], out[:k]


@kernel
def _container_features(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Candidate elements (int64 [k]) and their features that hold for every threshold
    (float32 [k, _OWN])."""
    # Of the page, once: prefix sums, so that every total of an element is one subtraction.
    n = len(blocks)
    unit = blocks[:, b.B_WEIGHT].astype(np.float64)
    weights = prefix_sums(unit)
    linked = prefix_sums(blocks[:, b.B_LINKED])
    sentences = prefix_sums(sentence_weights(blocks))
    mass1 = prefix_sums(unit * p)
    mass = prefix_sums(unit * sharpened(p, 2.0))
    mass4 = prefix_sums(unit * sharpened(p, 4.0))
    low = prefix_sums(unit * (p < 0.2))
    high = prefix_sums(unit * (p > 0.7))
    total = max(weights[n], 1.0)
    # Which elements are asked about, and the page's landmarks they are compared with.
    chosen = candidates(elements, mass, weights)
    out = np.zeros((len(chosen), _OWN), dtype=np.float32)
    best, scores = readable(blocks, elements, weights, linked)
    holders = np.empty(len(SHARES), dtype=np.int64)
    for k in range(len(SHARES)):
        holders[k] = deepest(elements, sentences, SHARES[k])
    h1, articles, mains = landmarks(elements)
    top = 0.0
    for k in range(len(chosen)):
        row = out[k]
        element = elements[chosen[k]]
        first, end = element[b.E_FIRST], element[b.E_END]
        inside = max(weights[end] - weights[first], 1.0)
        probable = mass[end] - mass[first]
        in_sentences = sentences[end] - sentences[first]

        # How well it fits the probable text, and how much of the page it is.
        row[column.ef1] = _ef1(mass1, weights, first, end)
        row[column.ef2] = _ef1(mass, weights, first, end)
        row[column.ef4] = _ef1(mass4, weights, first, end)
        if k == 0:
            top = row[column.ef2]
        row[column.precision] = probable / inside
        row[column.recall] = probable / max(mass[n], 1e-9)
        row[column.rank] = k
        row[column.behind] = top - row[column.ef2]
        row[column.weight] = np.log1p(inside)
        row[column.share] = inside / total
        row[column.sentence_share] = in_sentences / max(sentences[n], 1.0)
        row[column.sentence_density] = in_sentences / inside
        row[column.link_density] = (linked[end] - linked[first]) / inside
        row[column.blocks] = np.log1p(end - first)
        row[column.block_share] = (end - first) / n
        row[column.before] = first / n
        row[column.after] = (n - end) / n

        # What its author says it is: place in the tree, landmarks, class words, tag.
        own, over, props = element[b.E_OWN_LANDMARK], element[b.E_LANDMARK], element[b.E_PROPS]
        row[column.depth] = element[b.E_DEPTH]
        row[column.bad] = element[b.E_BAD]
        row[column.good] = element[b.E_GOOD]
        row[column.landmark] = (over & b.L_ASIDE) != 0
        row[column.article] = (own // b.L_ARTICLE) & 3  # 1 article, 2 its body, 3 both
        row[column.header] = (over & b.L_HEADER) != 0
        for j in range(len(KINDS)):
            row[column.own_nav + j] = (element[b.E_FLAGS] >> j) & 1
        row[column.body] = element[b.E_TAG] == tags.BODY or element[b.E_TAG] == tags.HTML
        row[column.section] = (props & tags.SECTION) != 0
        row[column.cell] = (props & tags.CELL) != 0
        row[column.item] = (props & (tags.ITEM | tags.LIST)) != 0
        row[column.paragraph] = element[b.E_TAG] == tags.P
        row[column.heading] = (props & tags.HEADING) != 0
        row[column.children] = element[b.E_CHILDREN]

        # Beside the next wider element: an option is wrong when that one would win as well.
        up = element[b.E_PARENT]
        row[column.siblings] = elements[up, b.E_CHILDREN] if up >= 0 else 0
        while up >= 0 and elements[up, b.E_FIRST] == first and elements[up, b.E_END] == end:
            up = elements[up, b.E_PARENT]
        if up >= 0:
            up_first, up_end = elements[up, b.E_FIRST], elements[up, b.E_END]
            wider = max(weights[up_end] - weights[up_first], 1.0)
            row[column.of_parent] = inside / wider
            row[column.mass_of_parent] = probable / max(mass[up_end] - mass[up_first], 1e-9)
            row[column.parent_bad] = elements[up, b.E_BAD]
            row[column.parent_links] = (linked[up_end] - linked[up_first]) / wider

        # Beside what simpler rules would take: Readability's choice, the holders, the heading.
        if best >= 0:
            its_first, its_end = elements[best, b.E_FIRST], elements[best, b.E_END]
            row[column.best_ratio] = max(scores[chosen[k]] / scores[best], 0.0)
            row[column.is_best] = its_first == first and its_end == end
            row[column.has_best] = first <= its_first and its_end <= end
            row[column.in_best] = its_first <= first and end <= its_end
        for j in range(len(SHARES)):
            if holders[j] >= 0:
                its_first = elements[holders[j], b.E_FIRST]
                its_end = elements[holders[j], b.E_END]
                row[column.has90 + j] = first <= its_first and its_end <= end
                if j > 0:
                    row[column.is70 + j - 1] = its_first == first and its_end == end
        if h1 >= 0:
            row[column.has_h1] = first <= h1 < end
            row[column.from_h1] = first - h1

        # At its edges and beyond: probable text left outside, improbable text taken in.
        row[column.first] = _mean(p, first, min(first + EDGE, end))
        row[column.last] = _mean(p, max(end - EDGE, first), end)
        row[column.outside_before] = _mean(p, first - EDGE, first)
        row[column.outside_after] = _mean(p, end, end + EDGE)
        row[column.low_inside] = (low[end] - low[first]) / inside
        row[column.high_outside] = (high[n] - high[end] + high[first]) / total
        row[column.largest] = unit[first:end].max() / inside
        row[column.media] = element[b.E_MEDIA]

        # The page, last: what is much on one page is little on another.
        row[column.page_blocks] = np.log1p(n)
        row[column.page_weight] = np.log1p(total)
        row[column.page_links] = linked[n] / total
        row[column.page_mean] = mass[n] / total
        row[column.articles] = articles
        row[column.is_main] = (own & b.L_MAIN) != 0
        row[column.in_main] = (over & b.L_MAIN) != 0
        row[column.page_main] = mains
    return chosen, out
