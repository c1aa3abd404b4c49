"""Features of a block: its own shape, its neighbourhood, its place in the tree, its page.

No feature says which language a page is in: the training pages are news in many languages and
Japanese documentation, so kana shares would teach "Japanese means documentation" (extraction.md).
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html import tags as t
from filters.kernels.kernel import kernel

WINDOWS = (1, 2, 4, 8, 16)
SENTENCE_WEIGHT = 150  # a block of 15 CJK characters with a stop counts as sentence text

NAMES = (
    *(
        "length",
        "link_share",
        "stops",
        "stop_rate",
        "comma_rate",
        "last",
        "digit_rate",
        "bar_rate",
        "breaks",
        "bold",
        "links",
        "dates",
        "copyright",
        "pre",
        "mean_line",
    ),
    *(
        "block_place",
        "weight_place",
        "depth",
        "bad",
        "good",
        "aside",
        "header",
        "article",
        "article_body",
        "form",
        "aria_hidden",
        "tables",
        "lists",
        "items",
    ),
    *(
        "nav",
        "side",
        "frame",
        "share",
        "related",
        "advert",
        "comment",
        "byline",
        "form_word",
        "content",
        "body_text",
        "wrap",
        "hidden",
        "notice",
        "author",
        "listing",
    ),
    *(
        "inline_bad",
        "inline_byline",
        "own_bad",
        "own_good",
        "heading",
        "is_p",
        "is_li",
        "is_cell",
        "is_definition",
        "is_div",
        "siblings",
    ),
    *(f"{name}{size}" for size in WINDOWS for name in ("text", "links", "sentences")),
    *(
        f"{name}{offset}"
        for offset in ("-2", "-1", "+1", "+2")
        for name in ("length", "link_share", "sentence", "same_element")
    ),
    *(
        f"{name}_up{level}"
        for level in (1, 2, 3, 4)
        for name in ("weight", "share", "links", "sentences", "blocks")
    ),
    *("page_blocks", "page_weight", "page_links", "page_sentences"),
    *(
        "in_best",
        "best_share",
        "in90",
        "in70",
        "in40",
        "in20",
        "share70",
        "share40",
        "place70",
        "place40",
        "after_h1",
        "from_h1",
        "from_peak",
        "best_links",
        "articles",
        "in_main",
        "page_main",
        "only_article",
    ),
)
COUNT = len(NAMES)


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
    found = -1
    if total <= 0:
        return found
    for e in range(len(elements)):
        if elements[e, b.E_PARENT] == found or found < 0:
            inside = sums[elements[e, b.E_END]] - sums[elements[e, b.E_FIRST]]
            if inside >= share * total:
                found = e
    return found


@kernel
def readable(
    blocks: np.ndarray, elements: np.ndarray, weights: np.ndarray, linked: np.ndarray
) -> int:
    """The element a Readability-like score prefers: paragraphs pass points up, links reduce them.

    After mozilla/readability's `_grabArticle`: 1 + commas + length/100 (at most 3) to the parent,
    half to the grandparent, a third of that to the next two.
    """
    scores = np.zeros(len(elements), dtype=np.float64)
    for i in range(len(blocks)):
        weight = blocks[i, b.B_WEIGHT]
        if weight < SENTENCE_WEIGHT or 2 * blocks[i, b.B_LINKED] > weight:
            continue
        points = 1.0 + blocks[i, b.B_COMMAS] + min(weight / 500.0, 3.0)
        e = blocks[i, b.B_ELEMENT]
        if e >= 0 and not (elements[e, b.E_PROPS] & t.SECTION):
            e = elements[e, b.E_PARENT]
        divider = 1.0
        for level in range(4):
            if e < 0:
                break
            scores[e] += points / divider
            divider = 2.0 if level == 0 else 3.0 * (level + 1)
            e = elements[e, b.E_PARENT]
    best, top = -1, 0.0
    for e in range(len(elements)):
        if scores[e] > 0:
            first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
            total = weights[end] - weights[first]
            score = scores[e] * (1.0 - (linked[end] - linked[first]) / max(total, 1.0))
            if elements[e, b.E_BAD] > 0:
                score *= 0.5
            if score > top:
                best, top = e, score
    return best


@kernel
def _log(x: float) -> float:
    return np.log1p(x if x > 0 else 0.0)


@kernel
def _own(x: np.ndarray, row: np.ndarray, element: np.ndarray, parent: np.ndarray) -> int:
    """Features of the block alone and of its element; returns how many."""
    weight = max(row[b.B_WEIGHT], 1)
    chars = max(row[b.B_CHARS], 1)
    x[0] = _log(weight)
    x[1] = row[b.B_LINKED] / weight
    x[2] = row[b.B_STOPS]
    x[3] = 300.0 * row[b.B_STOPS] / weight
    x[4] = 300.0 * row[b.B_COMMAS] / weight
    x[5] = row[b.B_LAST]
    x[6] = row[b.B_DIGITS] / chars
    x[7] = 100.0 * row[b.B_BARS] / weight
    x[8] = row[b.B_BREAKS]
    x[9] = row[b.B_BOLD] / weight
    x[10] = row[b.B_LINKS]
    x[11] = row[b.B_DATES]
    x[12] = row[b.B_COPYRIGHT]
    x[13] = row[b.B_PRE]
    x[14] = _log(weight / (1.0 + row[b.B_BREAKS]))
    x[17] = element[b.E_DEPTH]
    x[18] = element[b.E_BAD]
    x[19] = element[b.E_GOOD]
    for k in range(6):
        x[20 + k] = (element[b.E_LANDMARK] >> k) & 1
    x[22], x[21] = (element[b.E_LANDMARK] >> 2) & 1, (element[b.E_LANDMARK] >> 1) & 1
    x[26] = element[b.E_TABLES]
    x[27] = element[b.E_LISTS]
    x[28] = element[b.E_ITEMS]
    for k in range(16):
        x[29 + k] = (element[b.E_OVER] >> k) & 1
    x[45] = (row[b.B_INLINE] & t.BOILERPLATE) != 0
    x[46] = (row[b.B_INLINE] & t.BYLINE) != 0
    x[47] = (element[b.E_FLAGS] & t.BOILERPLATE) != 0
    x[48] = (element[b.E_FLAGS] & (t.CONTENT | t.BODYTEXT)) != 0
    x[49] = element[b.E_HEADING]
    props = element[b.E_PROPS]
    x[50] = element[b.E_TAG] == t.P
    x[51] = (props & t.ITEM) != 0
    x[52] = (props & t.CELL) != 0
    x[53] = (props & t.HEADING) != 0
    x[54] = (props & t.SECTION) != 0
    x[55] = parent[b.E_CHILDREN]
    return 56


@kernel
def block_features(blocks: np.ndarray, elements: np.ndarray) -> np.ndarray:
    """Features of all blocks of a page: float32 [n, COUNT], columns in the order of NAMES."""
    n = len(blocks)
    out = np.zeros((n, COUNT), dtype=np.float32)
    if n == 0 or len(elements) == 0:
        return out
    weights = prefix_sums(blocks[:, b.B_WEIGHT])
    linked = prefix_sums(blocks[:, b.B_LINKED])
    sentence = sentence_weights(blocks)
    sentences = prefix_sums(sentence)
    total = max(weights[n], 1.0)
    best = readable(blocks, elements, weights, linked)
    marks = np.empty(5, dtype=np.int64)
    marks[0] = best
    marks[1] = deepest(elements, sentences, 0.9)
    marks[2] = deepest(elements, sentences, 0.7)
    marks[3] = deepest(elements, sentences, 0.4)
    marks[4] = deepest(elements, sentences, 0.2)
    h1 = -1
    articles, mains = 0, 0
    for e in range(len(elements)):
        mains += (elements[e, b.E_OWN_LANDMARK] & 64) != 0
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        if h1 < 0 and elements[e, b.E_TAG] == t.H1 and end > first:
            h1 = first
        articles += (elements[e, b.E_OWN_LANDMARK] & 68) == 4
    peak, height = 0, -1.0
    for i in range(n):
        lo, hi = max(0, i - 4), min(n, i + 5)
        if sentences[hi] - sentences[lo] > height:
            peak, height = i, sentences[hi] - sentences[lo]
    root = elements[0]
    for i in range(n):
        x = out[i]
        e = blocks[i, b.B_ELEMENT]
        element = elements[e] if e >= 0 else root
        parent = elements[element[b.E_PARENT]] if element[b.E_PARENT] >= 0 else element
        j = _own(x, blocks[i], element, parent)
        x[15] = i / n
        x[16] = weights[i] / total
        for size in (1, 2, 4, 8, 16):
            lo, hi = max(0, i - size), min(n, i + size + 1)
            around = weights[hi] - weights[lo]
            links = linked[hi] - linked[lo]
            x[j] = _log(around - links)
            x[j + 1] = links / max(around, 1.0)
            x[j + 2] = (sentences[hi] - sentences[lo]) / max(around, 1.0)
            j += 3
        for offset in (-2, -1, 1, 2):
            k = i + offset
            if 0 <= k < n:
                x[j] = _log(blocks[k, b.B_WEIGHT])
                x[j + 1] = blocks[k, b.B_LINKED] / max(blocks[k, b.B_WEIGHT], 1)
                x[j + 2] = sentence[k] > 0
                other = blocks[k, b.B_ELEMENT]
                x[j + 3] = other == e or (
                    e >= 0
                    and other >= 0
                    and elements[other, b.E_PARENT] == element[b.E_PARENT]
                    and elements[other, b.E_TAG] == element[b.E_TAG]
                )
            else:
                x[j] = -1.0
            j += 4
        up = element[b.E_PARENT]
        first, end = element[b.E_FIRST], element[b.E_END]
        for _ in range(4):
            while up >= 0 and elements[up, b.E_FIRST] == first and elements[up, b.E_END] == end:
                up = elements[up, b.E_PARENT]
            if up >= 0:
                first, end = elements[up, b.E_FIRST], elements[up, b.E_END]
            inside = weights[end] - weights[first]
            x[j] = _log(inside)
            x[j + 1] = inside / total
            x[j + 2] = (linked[end] - linked[first]) / max(inside, 1.0)
            x[j + 3] = (sentences[end] - sentences[first]) / max(inside, 1.0)
            x[j + 4] = _log(end - first)
            j += 5
        x[j] = _log(n)
        x[j + 1] = _log(weights[n])
        x[j + 2] = linked[n] / total
        x[j + 3] = sentences[n] / total
        j += 4
        for k in range(5):
            m = marks[k]
            inside_mark = m >= 0 and elements[m, b.E_FIRST] <= i < elements[m, b.E_END]
            x[j if k == 0 else j + k + 1] = inside_mark
        if best >= 0:
            f, g = elements[best, b.E_FIRST], elements[best, b.E_END]
            x[j + 1] = (weights[g] - weights[f]) / total
            x[j + 13] = (linked[g] - linked[f]) / max(weights[g] - weights[f], 1.0)
        for k in range(2, 4):
            m = marks[k]
            if m >= 0:
                f, g = elements[m, b.E_FIRST], elements[m, b.E_END]
                x[j + 4 + k] = (weights[g] - weights[f]) / total
                x[j + 6 + k] = (i - f) / max(g - f, 1)
        x[j + 10] = i >= h1 if h1 >= 0 else -1.0
        x[j + 11] = i - h1 if h1 >= 0 else 0
        x[j + 12] = abs(i - peak)
        x[j + 14] = articles
        x[j + 15] = (element[b.E_LANDMARK] & 64) != 0
        x[j + 16] = mains
        x[j + 17] = articles == 1 and x[22] > 0
    return out
