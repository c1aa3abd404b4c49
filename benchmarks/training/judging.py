"""Figures of a decision on pages that people judged, with intervals by host."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.training.labels import BORDERLINE, DROP, KEEP
from filters.quality import area

DRAWS = 1000  # of hosts, for an interval of 95 %
AUC_DRAWS = 200
LENGTHS = ((0, 400), (400, 1000), (1000, 4000), (4000, 1 << 40))
NO_DOCUMENT = "no document"


@dataclass(frozen=True, eq=False)
class Judged:
    """n pages: label, host and genre str[n]; n_chars int64[n], 0 where harvest found no text."""

    label: np.ndarray
    host: np.ndarray
    genre: np.ndarray
    n_chars: np.ndarray

    def about(self) -> dict[str, int]:
        """How many pages of each label there are, and of how many hosts."""
        counts = Counter(self.label.tolist())
        return {
            **{name: counts[name] for name in (KEEP, BORDERLINE, DROP)},
            "hosts": len(np.unique(self.host)),
            "no_document_keep": int(((self.n_chars == 0) & (self.label == KEEP)).sum()),
            "no_document_drop": int(((self.n_chars == 0) & (self.label == DROP)).sum()),
        }


def figures(
    pages: Judged, kept: np.ndarray, rules: list[list[str]], scores: np.ndarray | None
) -> dict[str, Any]:
    """What a profile does to the pages.

    kept bool[r, n]: decisions of r repetitions, each by models of other folds (one row where
    nothing is trained); rules: for each repetition and page, the rule that dropped it or "";
    scores float[r, n] or None: what orders the pages, −inf where there is no document. Values that
    have an interval are [value, low, high].
    """
    good, bad = pages.label == KEEP, pages.label == DROP
    out: dict[str, Any] = _with_intervals(pages, kept)
    out["auc"] = None if scores is None else _auc(pages, scores)
    out["borderline_kept"] = float(kept[:, pages.label == BORDERLINE].mean())
    out["length"] = {}
    for low, high in LENGTHS:
        inside = (pages.n_chars >= low) & (pages.n_chars < high)
        name = f"{low:,}+" if high > 1 << 30 else f"{low:,}–{high - 1:,}" if low else f"<{high}"
        out["length"][name] = _part(kept, good & inside, bad & inside)
    out["genre"] = {
        name: _part(kept, good & (pages.genre == name), bad & (pages.genre == name))
        for name in sorted(set(pages.genre.tolist()))
    }
    counts: Counter[tuple[str, str]] = Counter()
    for each in rules:
        counts.update(zip(each, pages.label.tolist(), strict=True))
    out["rule"] = {
        rule: {name: counts[rule, name] / len(rules) for name in (KEEP, BORDERLINE, DROP)}
        for rule in sorted({rule for rule, _ in counts if rule})
    }
    return out


def _part(kept: np.ndarray, good: np.ndarray, bad: np.ndarray) -> dict[str, Any]:
    """Pages and errors of a part; balanced accuracy is of the sides that have pages."""
    drops = float((~kept[:, good]).mean()) if good.any() else None
    keeps = float(kept[:, bad].mean()) if bad.any() else None
    errors = [error for error in (drops, keeps) if error is not None]
    return {
        "keep": int(good.sum()),
        "drop": int(bad.sum()),
        "wrong_drops": drops,
        "wrong_keeps": keeps,
        "balanced": 1 - float(np.mean(errors)) if errors else None,
    }


def _with_intervals(pages: Judged, kept: np.ndarray) -> dict[str, list[float]]:
    """wrong_drops, wrong_keeps and balanced, each [value, low, high]."""
    names, host = np.unique(pages.host, return_inverse=True)
    good, bad = pages.label == KEEP, pages.label == DROP
    share = kept.mean(axis=0)  # of the repetitions that keep a page
    sums = [
        np.bincount(host, values, len(names))
        for values in ((1 - share) * good, good * 1.0, share * bad, bad * 1.0)
    ]
    draws = np.random.default_rng(0).multinomial(
        len(names), np.ones(len(names)) / len(names), DRAWS
    )
    draws = np.concatenate([np.ones((1, len(names)), np.int64), draws])
    wrong, of_good, passed, of_bad = (draws @ values for values in sums)
    drops, keeps = wrong / np.maximum(of_good, 1), passed / np.maximum(of_bad, 1)
    return {
        name: [float(values[0]), *(float(q) for q in np.quantile(values[1:], (0.025, 0.975)))]
        for name, values in (
            ("wrong_drops", drops),
            ("wrong_keeps", keeps),
            ("balanced", 1 - (drops + keeps) / 2),
        )
    }


def _auc(pages: Judged, scores: np.ndarray) -> list[float]:
    """Mean over the repetitions of the area under the ROC curve, with its interval."""
    rows = np.flatnonzero(pages.label != BORDERLINE)
    good = pages.label[rows] == KEEP
    names, host = np.unique(pages.host[rows], return_inverse=True)
    by_host = [np.flatnonzero(host == k) for k in range(len(names))]

    def mean(some: np.ndarray) -> float:
        return float(np.mean([area(each[rows][some], good[some]) for each in scores]))

    random = np.random.default_rng(0)
    drawn = [
        mean(np.concatenate([by_host[k] for k in random.integers(0, len(names), len(names))]))
        for _ in range(AUC_DRAWS)
    ]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return [mean(np.arange(len(rows))), float(low), float(high)]
