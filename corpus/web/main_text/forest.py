"""Boosted trees as flat arrays: what LightGBM trained, walked without it.

A model file is an `.npz` with, for each forest NAME, `NAME_feature` (int16), `NAME_threshold`
(float32), `NAME_left` and `NAME_right` (int16: a node of the same tree, or the complement of a
leaf's number), `NAME_value` (float32, leaves), and `NAME_nodes`, `NAME_leaves` (int32: where each
tree's nodes and leaves begin). A tree goes left where the feature is at most the threshold.
`NAME_names` (str) are the columns that the features are numbers of.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from filters.kernels.kernel import kernel


class Forest(NamedTuple):
    """One boosted ensemble; arrays as in the module's docstring."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    nodes: np.ndarray
    leaves: np.ndarray


def load_forest(path: Path, name: str, columns: tuple[str, ...]) -> Forest:
    """Read one forest of a model file, to be walked with rows of these columns.

    Raises ValueError where the model was trained on others, or on the same in another order.
    """
    with np.load(path, allow_pickle=False) as arrays:
        trained = tuple(arrays[f"{name}_names"].tolist())
        if trained != columns:
            wrong = sorted({*trained} ^ {*columns}) or ["their order"]
            raise ValueError(
                f"{path}: forest {name} was trained on other columns ({', '.join(wrong[:5])}); "
                "train it anew (benchmarks/training/train_extractor.py)"
            )
        return Forest(*(arrays[f"{name}_{field}"] for field in Forest._fields))


@kernel
def raw_scores(rows: np.ndarray, forest: Forest) -> np.ndarray:
    """Sum of the trees' values for each row of features (float32 [n, f]): float64 [n]."""
    n = len(rows)
    out = np.zeros(n, dtype=np.float64)
    for i in range(n):  # rows outside: the trees stay in the first-level cache, all rows would not
        row = rows[i]
        total = 0.0
        for tree in range(len(forest.nodes)):
            first = forest.nodes[tree]
            node = 0
            while node >= 0:
                k = first + node
                node = (
                    forest.left[k]
                    if row[forest.feature[k]] <= forest.threshold[k]
                    else (forest.right[k])
                )
            total += forest.value[forest.leaves[tree] + ~node]
        out[i] = total
    return out


@kernel
def probabilities(rows: np.ndarray, forest: Forest) -> np.ndarray:
    """Logistic function of the raw scores."""
    return 1.0 / (1.0 + np.exp(-raw_scores(rows, forest)))
