"""Free boosted trees on all stored signals: what the additive model is compared with."""

from __future__ import annotations

import lightgbm
import numpy as np
import pyarrow as pa

from benchmarks.training.train_filter import FOLDS, LEARNED, Answers, Examples, balanced, unseen
from filters.signals import GROUP_OF, GROUPS, as_numbers

PARAMETERS = {
    "objective": "binary", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 10,
    "feature_fraction": 0.3, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 3.0,
    "verbose": -1, "num_threads": 1, "deterministic": True, "seed": 0,
}  # fmt: skip
TREES = 150


def out_of_fold(
    e: Examples, quality: pa.StructArray, fold: np.ndarray, answers: Answers
) -> np.ndarray:
    """float64[n]: log odds for the labelled documents, the first len(quality) of the examples.

    Trained on the labelled documents of other folds: stored signals and the same learned ones.
    """
    n = len(quality)
    names = [
        name for name in quality.type.names
        if not GROUPS[GROUP_OF[name]].lazy and name not in LEARNED
    ]  # fmt: skip
    stored = np.stack([as_numbers(quality.field(name)) for name in names], axis=1)
    out = np.empty(n)
    for k in range(FOLDS):
        own = unseen(answers, fold, without=k)
        matrix = np.concatenate([stored, np.stack([own[s][:n] for s in LEARNED], axis=1)], axis=1)
        train = np.flatnonzero((fold[:n] != k) & (e.weight[:n] > 0))
        weight = balanced(e.weight[train], e.good[train])
        data = lightgbm.Dataset(matrix[train], e.good[train].astype(float), weight=weight)
        model = lightgbm.train(PARAMETERS, data, TREES)
        out[fold[:n] == k] = model.predict(matrix[fold[:n] == k], raw_score=True)
    return out
