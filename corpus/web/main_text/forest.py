"""Boosted trees as flat arrays: what LightGBM trained, scored without it.

A model file is an `.npz` with, for each forest NAME, `NAME_feature` (int16), `NAME_threshold`
(float32), `NAME_left` and `NAME_right` (int16: a node of the same tree, or the complement of a
leaf's number), `NAME_value` (float32, leaves), and `NAME_nodes`, `NAME_leaves` (int32: where each
tree's nodes and leaves begin). A tree goes left where the feature is at most the threshold.
`NAME_names` (str) are the columns that the features are numbers of.

Trees are not walked: the nodes of all trees stand by feature and rising threshold, so that those
where a row goes right are the first of each feature; each says which leaves of its tree that rules
out (those to its left), and the first leaf that is left of every tree is the row's (QuickScorer,
Lucchese et al., SIGIR 2015). No jump depends on a single node, which is twice as fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from filters.kernels.kernel import kernel

FIELDS = ("feature", "threshold", "left", "right", "value", "nodes", "leaves")  # of a file
MAX_LEAVES = 32  # of a tree: bits of a mask
# Number of the lowest bit of a uint32, by the top five bits of its product with a de Bruijn number.
_DE_BRUIJN = np.uint32(0x077CB531)
_BIT = np.zeros(32, np.int64)
_BIT[[(0x077CB531 << k & 0xFFFFFFFF) >> 27 for k in range(32)]] = np.arange(32)


class Forest(NamedTuple):
    """One boosted ensemble. Node k of feature f, begins[f] <= k < begins[f + 1], sends what is
    above threshold[k] right and leaves its tree[k] the leaves of mask[k] (uint32); leaf j of tree
    t, from left to right, is worth value[leaves[t] + j]."""

    begins: np.ndarray
    threshold: np.ndarray
    tree: np.ndarray
    mask: np.ndarray
    value: np.ndarray
    leaves: np.ndarray


def as_forest(
    feature: np.ndarray, threshold: np.ndarray, left: np.ndarray, right: np.ndarray,
    value: np.ndarray, nodes: np.ndarray, leaves: np.ndarray,
) -> Forest:  # fmt: skip
    """The forest of a file's arrays. Raises ValueError for a tree of more than MAX_LEAVES."""
    mask = np.zeros(len(feature), np.uint32)
    tree = np.repeat(np.arange(len(nodes)), np.diff([*nodes, len(feature)])).astype(np.int16)
    placed: list[int] = []  # leaves of all trees, from left to right

    def place(first: int, node: int, leaf: int) -> None:
        if node < 0:
            placed.append(leaf + ~node)
            return
        before = len(placed) - leaf
        place(first, int(left[first + node]), leaf)
        inside = (1 << len(placed) - leaf) - (1 << before)
        mask[first + node] = ~np.uint32(inside & 0xFFFFFFFF)
        place(first, int(right[first + node]), leaf)

    for first, leaf in zip(nodes.tolist(), leaves.tolist(), strict=True):
        place(first, 0, leaf)
        if len(placed) - leaf > MAX_LEAVES:
            raise ValueError(f"a tree has {len(placed) - leaf} leaves; at most {MAX_LEAVES}")
    order = np.lexsort((threshold, feature))
    begins = np.searchsorted(feature[order], np.arange(int(feature.max(initial=-1)) + 2))
    return Forest(
        begins, threshold[order], tree[order], mask[order], value[np.array(placed)], leaves
    )


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
        return as_forest(*(arrays[f"{name}_{field}"] for field in FIELDS))


@kernel
def raw_scores(rows: np.ndarray, forest: Forest) -> np.ndarray:
    """Sum of the trees' values for each row of features (float32 [n, f]): float64 [n]."""
    n = len(rows)
    out = np.zeros(n, dtype=np.float64)
    left = np.empty(len(forest.leaves), dtype=np.uint32)  # of each tree, the leaves still possible
    for i in range(n):
        left[:] = np.uint32(0xFFFFFFFF)
        for feature in range(len(forest.begins) - 1):
            value = rows[i, feature]
            for k in range(forest.begins[feature], forest.begins[feature + 1]):
                if value <= forest.threshold[k]:
                    break
                left[forest.tree[k]] &= forest.mask[k]
        total = 0.0
        for tree in range(len(forest.leaves)):
            lowest = left[tree] & (~left[tree] + np.uint32(1))
            leaf = _BIT[np.uint32(lowest * _DE_BRUIJN) >> np.uint32(27)]
            total += forest.value[forest.leaves[tree] + leaf]
        out[i] = total
    return out


@kernel
def probabilities(rows: np.ndarray, forest: Forest) -> np.ndarray:
    """Logistic function of the raw scores."""
    return 1.0 / (1.0 + np.exp(-raw_scores(rows, forest)))
