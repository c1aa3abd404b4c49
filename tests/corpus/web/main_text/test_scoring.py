"""benchmarks.training.scoring: F1 against Counters, labels of blocks that repeat the article."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.training.scoring import (
    block_labels,
    counted,
    folded,
    matched,
    precision_recall_f1,
)


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


def test_folded_texts_differ_in_words_only() -> None:
    plain = "見出し\n項目１、Ａ―Ｂ。\n“引用”\n1 2\nx"
    marked = '## 見出し\n- 項目1，A—B．\n"引用"\n| --- | --- |\n| 1 | 2 |\n```python\nx\n```'
    squeezed = ["".join(folded(text).split()) for text in (plain, marked)]
    assert squeezed[0] == squeezed[1]
