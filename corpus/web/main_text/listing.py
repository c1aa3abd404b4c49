"""Features of a page as a whole: is it an index, a listing or a form, with no main text of its own?

Such pages (the newest posts of a blog, search results, a shop's shelf) are teasers and links to
text that stands elsewhere. What was kept of them looks like text, so blocks alone cannot tell: what
tells are links in most of what is kept, siblings of one shape with a link in each, few sentences.
"""

from __future__ import annotations

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.main_text.page import landmarks, prefix_sums, sentence_weights
from filters.kernels.kernel import columns, kernel

# Shares are of weight; of the page, then of what was kept: link_blocks are blocks of links alone,
# dates and headings per block, card_* the siblings with links under one element that hold most.
_PAGE = "page_blocks page_weight page_links page_sentences page_link_blocks page_mean articles"
_KEPT = (
    "share weight blocks mean_weight largest links link_blocks with_links sentences mean_p "
    "headings items cells dates stops last has_h1 media"
)
_CARDS = "cards card_share card_weight card_sentences"
NAMES: tuple[str, ...] = (*_PAGE.split(), *_KEPT.split(), *_CARDS.split())
COUNT = len(NAMES)
column = columns(NAMES)


@kernel
def _cards(
    elements: np.ndarray, kept: np.ndarray, linked: np.ndarray, sentences: np.ndarray
) -> tuple[float, float, float, float]:
    """Of the element whose children with links hold most kept text: how many such children, their
    share of the kept text, their mean weight, their share of sentences. Arrays: prefix sums."""
    m = len(elements)
    count, weight = np.zeros(m, dtype=np.float64), np.zeros(m, dtype=np.float64)
    text = np.zeros(m, dtype=np.float64)
    for e in range(m):
        up, first, end = elements[e, b.E_PARENT], elements[e, b.E_FIRST], elements[e, b.E_END]
        if up >= 0 and linked[end] > linked[first] and kept[end] > kept[first]:
            count[up] += 1
            weight[up] += kept[end] - kept[first]
            text[up] += sentences[end] - sentences[first]
    best = -1
    for e in range(m):
        if count[e] >= 3 and (best < 0 or count[e] * weight[e] > count[best] * weight[best]):
            best = e
    if best < 0:
        return 0.0, 0.0, 0.0, 0.0
    inside = max(weight[best], 1.0)
    return count[best], inside / max(kept[-1], 1.0), inside / count[best], text[best] / inside


@kernel
def page_features(
    blocks: np.ndarray, elements: np.ndarray, p: np.ndarray, keep: np.ndarray
) -> np.ndarray:
    """Features of a page (float32 [1, COUNT]) of which the blocks `keep` (bool [n]) were chosen.

    blocks int32 [n, B_WIDTH], elements int32 [m, E_WIDTH]; p float64 [n]: probability that a block
    is content.
    """
    n = len(blocks)
    unit = blocks[:, b.B_WEIGHT].astype(np.float64)
    links = blocks[:, b.B_LINKED].astype(np.float64)
    sentence = sentence_weights(blocks)
    total = max(unit.sum(), 1.0)
    only_links = 5 * blocks[:, b.B_LINKED] >= 4 * blocks[:, b.B_WEIGHT]
    h1, articles, _ = landmarks(elements)
    out = np.zeros((1, COUNT), dtype=np.float32)
    row = out[0]
    row[column.page_blocks] = np.log1p(n)
    row[column.page_weight] = np.log1p(total)
    row[column.page_links] = links.sum() / total
    row[column.page_sentences] = sentence.sum() / total
    row[column.page_link_blocks] = only_links.sum() / n
    row[column.page_mean] = (unit * p).sum() / total
    row[column.articles] = articles
    # Of what was kept.
    inside = max((unit * keep).sum(), 1.0)
    count = max(keep.sum(), 1)
    row[column.share] = inside / total
    row[column.weight] = np.log1p(inside)
    row[column.blocks] = np.log1p(count)
    row[column.mean_weight] = np.log1p(inside / count)
    row[column.largest] = (unit * keep).max() / inside
    row[column.links] = (links * keep).sum() / inside
    row[column.link_blocks] = (only_links & keep).sum() / count
    row[column.with_links] = ((blocks[:, b.B_LINKED] > 0) & keep).sum() / count
    row[column.sentences] = (sentence * keep).sum() / inside
    row[column.mean_p] = (unit * keep * p).sum() / inside
    row[column.dates] = (blocks[:, b.B_DATES] * keep).sum() / count
    row[column.stops] = 300.0 * (blocks[:, b.B_STOPS] * keep).sum() / inside
    row[column.last] = ((blocks[:, b.B_LAST] == b.AFTER_STOP) & keep).sum() / count
    row[column.has_h1] = h1 >= 0 and keep[h1]
    first, end = -1, 0
    for i in range(n):
        if keep[i]:
            first = i if first < 0 else first
            end = i + 1
            owner = blocks[i, b.B_ELEMENT]
            if owner >= 0:
                row[column.headings] += (elements[owner, b.E_HEADING] != 0) / count
                row[column.items] += (elements[owner, b.E_LISTS] > 0) / count
                row[column.cells] += (elements[owner, b.E_TABLES] > 0) / count
    for e in range(len(elements)):
        if elements[e, b.E_FIRST] <= first and end <= elements[e, b.E_END]:
            row[column.media] = elements[e, b.E_MEDIA] / count
    cards = _cards(
        elements, prefix_sums(unit * keep), prefix_sums(links * keep), prefix_sums(sentence * keep)
    )
    row[column.cards] = np.log1p(cards[0])
    row[column.card_share] = cards[1]
    row[column.card_weight] = np.log1p(cards[2])
    row[column.card_sentences] = cards[3]
    return out
