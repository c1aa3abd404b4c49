"""Boosted trees: scores against trees walked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from corpus.web.main_text.forest import MAX_LEAVES, Forest, as_forest, raw_scores


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
    forest = as_forest(
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


def test_a_tree_of_too_many_leaves_is_refused() -> None:
    splits = MAX_LEAVES
    left = np.array([~i for i in range(splits)], np.int16)
    right = np.array([*range(1, splits), ~splits], np.int16)
    value = np.zeros(splits + 1, np.float32)
    zeros, start = np.zeros(splits, np.float32), np.zeros(1, np.int32)
    with pytest.raises(ValueError, match="33 leaves"):
        as_forest(zeros.astype(np.int16), zeros, left, right, value, start, start)
