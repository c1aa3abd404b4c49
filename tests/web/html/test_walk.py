"""The native kernels against plain references: the DOM, Counters, trees walked by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from selectolax.lexbor import LexborHTMLParser, LexborNode

from benchmarks.training.scoring import block_labels, counted, matched, precision_recall_f1
from corpus.web.html import blocks as b
from corpus.web.html.document import parse
from corpus.web.main_text.forest import Forest, raw_scores

SKIPPED = (
    "script style noscript template button select option textarea input iframe svg math object "
    "embed canvas audio video head title datalist meter progress applet map rt rp rtc noframes "
    "-comment -undef"
)
DROPPED = dict.fromkeys([*range(32), *range(127, 160), 0x200B, 0xFEFF])


def visible(node: LexborNode) -> str:
    """Text of a DOM subtree that the walk should read, in document order (reference)."""
    if node.tag == "-text":
        return node.text_content or ""
    style = "".join((node.attributes.get("style") or "").split())
    if node.tag in SKIPPED.split() or "hidden" in node.attributes or "display:none" in style:
        return ""
    found, child = "", node.child
    while child is not None:
        found += visible(child)
        child = child.next
    return found


def squeezed(text: str) -> str:
    return "".join(text.translate(DROPPED).split())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "<div>",
                    "</div>",
                    "<p>",
                    "</p>",
                    "<table><tr><td>",
                    "</table>",
                    "<br>",
                    "<b>",
                    "</b>",
                    "<ruby>漢<rp>(</rp><rt>かん</rt></ruby>",
                    "<script>x<y</script>",
                    "<p hidden>",
                    "<select>",
                    "<a href='?a=1&b=\"2\"'>",
                    "</a>",
                    "<svg><p>",
                    "<!-- > -->",
                    "&amp;&lt;&nbsp;&#12354;",
                    "<ul>",
                    "<li>",
                ]
            ),
            st.text(st.characters(codec="utf-8", exclude_characters="<&\0\r"), max_size=20),
        ),
        max_size=30,
    )
)
def test_the_walk_reads_what_the_dom_shows(parts: list[str]) -> None:
    html = "".join(parts)
    body = LexborHTMLParser(html.encode()).body
    assert squeezed("".join(parse(html).block_texts())) == squeezed(visible(body) if body else "")


def test_real_pages_are_read_as_the_dom_shows_them(shared_data: Path) -> None:
    from benchmarks.training.goldsets import dev_sample

    pages = [page for page, _ in zip(dev_sample(shared_data / "warc"), range(60), strict=False)]
    for page in pages:
        body = LexborHTMLParser(page.html).body
        assert body is not None
        ours = squeezed("".join(parse(page.html).block_texts()))
        assert ours == squeezed(visible(body)), page.url


def test_blocks_lie_inside_their_elements() -> None:
    document = parse("<div><p>一</p><ul><li>二<b>三</b></li></ul>四</div><p>五</p>" * 3)
    for i, row in enumerate(document.blocks):
        e = row[b.B_ELEMENT]
        while e >= 0:
            element = document.elements[e]
            assert element[b.E_FIRST] <= i < element[b.E_END]
            e = element[b.E_PARENT]


@njit
def scores(rows: np.ndarray, forest: Forest) -> np.ndarray:
    return raw_scores(rows, forest)


@pytest.mark.parametrize("seed", range(4))
def test_forest_scores_equal_trees_walked_by_hand(seed: int) -> None:
    draw = np.random.default_rng(seed)
    trees, splits = 5, 6
    shape = (trees, splits)
    feature = draw.integers(0, 4, shape).astype(np.int16)
    threshold = draw.normal(size=shape).astype(np.float32)
    left = np.empty(shape, dtype=np.int16)
    right = np.empty(shape, dtype=np.int16)
    for k in range(trees):  # a chain: left ends in a leaf, right goes on
        left[k] = [~i for i in range(splits)]
        right[k] = [*range(1, splits), ~splits]
    value = draw.normal(size=(trees, splits + 1)).astype(np.float32)
    starts = np.arange(trees, dtype=np.int32)
    forest = Forest(
        feature.ravel(),
        threshold.ravel(),
        left.ravel(),
        right.ravel(),
        value.ravel(),
        starts * splits,
        starts * (splits + 1),
    )
    rows = draw.normal(size=(50, 4)).astype(np.float32)

    def by_hand(row: np.ndarray) -> float:
        total = 0.0
        for k in range(trees):
            i = next((i for i in range(splits) if row[feature[k, i]] <= threshold[k, i]), splits)
            total += value[k, i]
        return total

    assert np.allclose(scores(rows, forest), [by_hand(row) for row in rows])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_f1_equals_counter_arithmetic(found: str, gold: str) -> None:
    def grams(text: str) -> Counter[str]:
        text = "".join(text.encode("utf-8", "replace").decode().split())
        padded = text.ljust(5, "\0")
        return Counter(padded[i : i + 5] for i in range(len(padded) - 4)) if text else Counter()

    a, g = grams(found), grams(gold)
    common = sum((a & g).values())
    expected = (0.0, 0.0, 0.0)
    if a and g:
        p, r = common / a.total(), common / g.total()
        expected = (p, r, 2 * p * r / (p + r) if common else 0.0)
    assert precision_recall_f1(counted(found), counted(gold)) == pytest.approx(expected)


def as_blocks(parts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sizes = [len(part.encode()) for part in parts]
    ends = np.cumsum(sizes, dtype=np.int64)
    raw = np.frombuffer("".join(parts).encode(), dtype=np.uint8)
    return raw, ends - np.array(sizes, dtype=np.int64), ends


def test_block_labels_are_shares_of_known_grams() -> None:
    raw, starts, ends = as_blocks(["今日は良い天気です。", "広告を見て買おう。", "晴れ"])
    labels, total, hits = block_labels(raw, starts, ends, ends - starts, "今日は良い天気です。晴れ")
    assert labels.tolist() == [1.0, 0.0, 1.0]
    assert (total.tolist(), hits.tolist()) == ([6, 5, 0], [6, 0, 0])


def test_a_teaser_that_repeats_the_article_is_half_content() -> None:
    article = [f"第{k}段落は、この記事の本文として書かれた文章です。" for k in range(6)]
    waste = [f"サイドバーの見出し{k}はこちらからどうぞ" for k in range(9)]
    raw, starts, ends = as_blocks([*article, *waste, article[0]])
    labels, _, _ = block_labels(raw, starts, ends, ends - starts, "".join(article))
    assert labels[:6].tolist() == [1.0] * 6
    assert labels[-1] == pytest.approx(0.5, abs=0.1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text("ああい漢a \n", min_size=1, max_size=12), min_size=1, max_size=5),
    st.text("ああい漢a ", max_size=30),
)
def test_matches_of_joined_blocks_equal_those_of_their_text(parts: list[str], gold: str) -> None:
    known, counts = counted(gold)
    order = np.arange(len(parts))
    total, hits = matched(*as_blocks(parts), order, True, known, counts.copy())
    if len("".join("".join(parts).split())) >= 5:  # a shorter text is padded by `counted`
        found = counted("".join(parts))
        precision, recall, _ = precision_recall_f1(found, (known, counts))
        assert hits.sum() / total.sum() == pytest.approx(precision)
        assert hits.sum() / max(counts.sum(), 1) == pytest.approx(recall)
