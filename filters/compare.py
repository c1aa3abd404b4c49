"""Profiles side by side: who keeps what, what a rule takes alone and last, what a threshold costs.

Everything here reads stored signals only and returns Arrow tables, which print, save and plot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from .profile import Decisions, Profile, ProfileError

Extra = Mapping[str, pa.Array]


def decide_all(
    profiles: Sequence[Profile], quality: pa.StructArray, extra: Extra | None = None
) -> dict[str, Decisions]:
    """The decisions of every profile, by its name."""
    return {p.name: p.decide(quality, extra) for p in profiles}


def keep_matrix(decisions: Mapping[str, Decisions], n_chars: np.ndarray) -> pa.Table:
    """A row for every pair of profiles: documents and characters that both, one, or none keep.

    n_chars int[n]: length of each document. Columns: a, b, both, only_a, only_b, neither,
    agreement (share of documents with the same decision), both_chars, and Cohen's kappa.
    """
    rows = []
    for a, da in decisions.items():
        for b, db in decisions.items():
            both = da.keep & db.keep
            n = max(len(both), 1)
            agreement = float((da.keep == db.keep).sum()) / n
            ka, kb = da.keep.sum() / n, db.keep.sum() / n
            chance = ka * kb + (1 - ka) * (1 - kb)
            rows.append(
                {
                    "a": a,
                    "b": b,
                    "both": int(both.sum()),
                    "only_a": int((da.keep & ~db.keep).sum()),
                    "only_b": int((~da.keep & db.keep).sum()),
                    "neither": int((~da.keep & ~db.keep).sum()),
                    "agreement": agreement,
                    "both_chars": int(n_chars[both].sum()),
                    "kappa": float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0,
                }
            )
    return pa.Table.from_pylist(rows)


def rule_table(profile: Profile, decisions: Decisions, n_chars: np.ndarray) -> pa.Table:
    """A row for every rule, in the order of the profile.

    fails: documents that break the rule; first: those for which it is the reason given; alone:
    those that break no other rule, so that dropping the rule would keep them; alone_chars: their
    characters.
    """
    failures = decisions.failures
    single = failures.sum(axis=1) == 1
    rows = []
    for index, rule in enumerate(profile.rules):
        alone = failures[:, index] & single
        rows.append(
            {
                "rule": rule.name,
                "bounds": rule.bounds(),
                "fails": int(failures[:, index].sum()),
                "first": int((decisions.rule == index).sum()),
                "alone": int(alone.sum()),
                "alone_chars": int(n_chars[alone].sum()),
            }
        )
    return pa.Table.from_pylist(rows)


def pass_rates(decisions: Mapping[str, Decisions], genres: Sequence[str]) -> pa.Table:
    """Share of documents kept, a row a genre and a column a profile; `documents` counts them."""
    labels = np.array(genres, dtype=object)
    rows = []
    for genre in sorted(set(genres)):
        chosen = labels == genre
        row: dict[str, object] = {"genre": genre, "documents": int(chosen.sum())}
        row |= {name: float(d.keep[chosen].mean()) for name, d in decisions.items()}
        rows.append(row)
    return pa.Table.from_pylist(rows)


def borderline(profile: Profile, decisions: Decisions, rule: str, k: int = 10) -> np.ndarray:
    """int64[≤ k]: documents that fail only `rule`, those nearest to its threshold first."""
    names = [r.name for r in profile.rules]
    if rule not in names:
        raise ProfileError(f"profile {profile.name} has no rule {rule!r}: {', '.join(names)}")
    index = names.index(rule)
    alone = np.flatnonzero((decisions.rule == index) & (decisions.failures.sum(axis=1) == 1))
    distance = np.abs(decisions.value[alone] - decisions.threshold[alone])
    return alone[np.argsort(distance, kind="stable")[:k]]


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
