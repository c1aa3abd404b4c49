"""Profiles side by side: who keeps what, what a rule takes alone and last, what a threshold costs.

Everything here reads stored signals only and returns Arrow tables, which print, save and plot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from filters.profile import Decisions, Profile, ProfileError


def keep_matrix(keeps: Mapping[str, np.ndarray], n_chars: np.ndarray) -> pa.Table:
    """A row for every pair of profiles: documents and characters that both, one, or none keep.

    keeps: bool[n] of each profile. n_chars int[n]: length of each document. Columns: a, b, both,
    only_a, only_b, neither, agreement (share of documents with the same decision), both_chars, and
    kappa (Cohen 1960: agreement beyond chance, (agreement − chance) / (1 − chance)).
    """
    rows = []
    for a, ka in keeps.items():
        for b, kb in keeps.items():
            both = ka & kb
            n = max(len(both), 1)
            agreement = float((ka == kb).sum()) / n
            share_a, share_b = ka.sum() / n, kb.sum() / n
            chance = share_a * share_b + (1 - share_a) * (1 - share_b)
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "both": int(both.sum()),
                    "only_a": int((ka & ~kb).sum()),
                    "only_b": int((~ka & kb).sum()),
                    "neither": int((~ka & ~kb).sum()),
                    "agreement": agreement,
                    "both_chars": int(n_chars[both].sum()),
                    "kappa": float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0,
                }
            )
    return pa.Table.from_pylist(rows)


def rule_table(profile: Profile, decisions: Decisions, n_chars: np.ndarray) -> pa.Table:
    """A row for every rule, in the order of the profile.

    alone: documents the rule takes if it is the only one; first: those for which it is the reason
    given; last: those it takes after all other rules, so that without it they would be kept;
    last_chars: their characters.
    """
    failures = decisions.failures
    single = failures.sum(axis=1) == 1
    rows = []
    for index, rule in enumerate(profile.rules):
        last = failures[:, index] & single
        rows.append(
            {
                "rule": rule.name,
                "bounds": rule.bounds(),
                "alone": int(failures[:, index].sum()),
                "first": int((decisions.rule == index).sum()),
                "last": int(last.sum()),
                "last_chars": int(n_chars[last].sum()),
            }
        )
    return pa.Table.from_pylist(rows)


def pass_rates(decisions: Mapping[str, Decisions], genres: Sequence[str]) -> pa.Table:
    """Share of documents kept, a row a genre and a column a profile; `documents` counts them."""
    labels = np.array(genres, dtype=object)
    rows = []
    for genre in sorted(set(genres)):
        of_genre = labels == genre
        row: dict[str, object] = {"genre": genre, "documents": int(of_genre.sum())}
        row |= {name: float(d.keep[of_genre].mean()) for name, d in decisions.items()}
        rows.append(row)
    return pa.Table.from_pylist(rows)


def at_bounds(
    profile: Profile, decisions: Decisions, index: int, values: np.ndarray, k: int
) -> list[tuple[str, float, str, int, float]]:
    """The k documents on each side of each bound of rule `index` that are nearest to it.

    Only documents on which no other rule decides count, so that this bound alone keeps or drops
    them. values float[n]: the rule's signal. Returns (bound such as `min`, threshold, `kept` or
    `dropped`, row, value), the nearest first.
    """
    rule = profile.rules[index]
    others = decisions.failures.sum(axis=1) - decisions.failures[:, index]
    rows = np.flatnonzero((others == 0) & ~np.isnan(values))
    kept = ~decisions.failures[rows, index]
    below, above = rule.failing(values[rows])
    examples: list[tuple[str, float, str, int, float]] = []
    ends = (
        ("above" if rule.low_open else "min", rule.low, below),
        ("below" if rule.high_open else "max", rule.high, above),
    )
    for bound, threshold, outside in ends:
        if not np.isfinite(threshold):
            continue
        for side, side_rows in (("kept", rows[kept]), ("dropped", rows[outside])):
            distance = np.abs(values[side_rows].astype(np.float64) - threshold)
            nearest = side_rows[np.argsort(distance, kind="stable")[:k]]
            examples += [(bound, threshold, side, int(row), float(values[row])) for row in nearest]
    return examples


def sweep(
    values: np.ndarray, n_chars: np.ndarray, low: float, high: float, steps: int = 50
) -> pa.Table:
    """What a threshold on one signal keeps: threshold, documents and characters on each side.

    values float[n]: the signal. Columns: threshold, at_least (documents with value ≥ threshold),
    at_most, at_least_chars, at_most_chars. Raises ProfileError for an empty or endless range.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low < high) or steps < 2:
        raise ProfileError(f"sweep from {low:g} to {high:g} in {steps} steps: an empty range")
    kept = ~np.isnan(values)
    order = np.argsort(values[kept], kind="stable")
    ranked = values[kept][order].astype(np.float64)
    chars = np.concatenate([[0], np.cumsum(n_chars[kept][order], dtype=np.int64)])
    thresholds = np.linspace(low, high, steps)
    below = np.searchsorted(ranked, thresholds, side="left")
    up_to = np.searchsorted(ranked, thresholds, side="right")
    return pa.table(
        {
            "threshold": thresholds,
            "at_least": len(ranked) - below,
            "at_most": up_to,
            "at_least_chars": chars[-1] - chars[below],
            "at_most_chars": chars[up_to],
        }
    )
