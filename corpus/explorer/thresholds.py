"""What another threshold of a rule would keep: from stored signals, in a moment.

The signals of a profile are read once, and every rule is asked once. Moving a threshold
then asks one rule again: a document stays where no other rule fails and this one does not.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from corpus.errors import UsageError
from corpus.explorer.measured import measured
from corpus.explorer.store import Store
from corpus.folder.layout import Layout
from filters.profile import Profile, ProfileError, Rule, load, names

SAMPLES = 8  # documents shown on each side
BINS = 40
HELD = 2  # profiles whose rules are kept


@dataclass(frozen=True)
class Spread:
    """Where the values of a signal lie: [1 %, 99 %] quantile, and a histogram (edges, counts)."""

    range: tuple[float, float]
    histogram: tuple[list[float], list[int]]


class Asked:
    """What the rules of a profile say of n documents. failed: uint8[n], how many of them fail."""

    def __init__(self, layout: Layout, profile: Profile) -> None:
        self.documents = measured(layout)
        self.signals = self.documents.values(rule.signal for rule in profile.rules)
        self.failed = np.zeros(len(self.documents.rows), np.uint8)
        for rule in profile.rules:
            self.failed += self.fails(rule)
        self.spread = functools.cache(self._spread)

    def fails(self, rule: Rule) -> np.ndarray:
        """bool[n]: where a rule fails."""
        below, above = rule.failing(self.signals[rule.signal])
        return np.logical_or(below, above, out=below)

    def _spread(self, signal: str) -> Spread:
        values = self.signals[signal]
        finite = values[np.isfinite(values)].astype(np.float64)
        if not len(finite):
            return Spread((0.0, 1.0), ([0.0, 1.0], [0]))
        least, low, high, most = np.quantile(finite, (0.005, 0.01, 0.99, 0.995)).tolist()
        counts, edges = np.histogram(finite.clip(least, most), BINS)
        return Spread((low, high), (edges.tolist(), counts.tolist()))


class Thresholds:
    """The thresholds of the shipped profiles over a build."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._lock = threading.Lock()  # signals of one profile are read once, whoever asks
        self._held = functools.lru_cache(HELD)(self._asked)

    def asked(self, profile: str) -> Asked:
        """The rules of a profile, asked once until documents are written anew."""
        with self._lock:
            return self._held(profile, self.layout.documents_folder.stat().st_mtime_ns)

    def warm(self, profile: str) -> None:
        """Measure what the first reader who moves a threshold of the profile would wait for."""
        if profile in choices():
            asked = self.asked(profile)
            for signal in asked.signals:
                asked.spread(signal)

    def _asked(self, profile: str, changed: int) -> Asked:
        return Asked(self.layout, load(profile))

    def moved(
        self, store: Store, profile: str, rule: str, side: str, value: float | None
    ) -> dict[str, Any]:
        """What the profile keeps with another bound of a rule, against its own.

        side: low or high; value: the bound, None for the profile's own. Returns {profile, rule,
        rules, side, value, own, range: [least, most] of the signal, documents, kept, kept_before,
        enters, leaves: samples nearest to the bound, histogram: [edges, counts]}. UsageError for a
        wrong name.
        """
        found = _shipped(profile)
        rules = {each.name: each for each in found.rules}
        old = rules.get(rule) or found.rules[0]
        side = side if side in ("low", "high") else "low" if old.low != -math.inf else "high"
        own = getattr(old, side)
        if math.isinf(own):
            raise UsageError(f"rule {old.name} has no {side} bound")
        bound = own if value is None or math.isnan(value) else value
        is_low = side == "low"
        new = (
            dataclasses.replace(old, low=bound) if is_low else dataclasses.replace(old, high=bound)
        )
        asked = self.asked(profile)
        before = asked.failed == 0
        after = (asked.failed - asked.fails(old) == 0) & ~asked.fails(new)
        spread = asked.spread(old.signal)
        return {
            "profile": profile,
            "rule": old.name,
            "rules": [(each.name, each.signal) for each in found.rules],
            "signal": old.signal,
            "side": side,
            "value": bound,
            "own": own,
            "range": _slider(spread, own),
            "documents": len(before),
            "kept": int(np.count_nonzero(after)),
            "kept_before": int(np.count_nonzero(before)),
            "enters": _samples(store, asked, old.signal, after & ~before, bound),
            "leaves": _samples(store, asked, old.signal, before & ~after, bound),
            "histogram": spread.histogram,
        }


@functools.cache
def choices() -> list[str]:
    """The shipped profiles that have rules."""
    return [name for name in names() if load(name).rules]


def _shipped(profile: str) -> Profile:
    """A profile that comes with Inaho and has rules; UsageError for any other name."""
    try:
        found = load(profile) if "/" not in profile and not profile.endswith(".toml") else None
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if found is None or not found.rules:
        raise UsageError(f"{profile} is no profile that comes with Inaho and has rules")
    return found


def _slider(spread: Spread, own: float) -> list[float]:
    """Where a slider makes sense: 98 % of the values, and the profile's own bound."""
    low, high = min(spread.range[0], own), max(spread.range[1], own)
    return [low, high if high > low else low + 1]


def _samples(
    store: Store, asked: Asked, signal: str, chosen: np.ndarray, bound: float
) -> list[dict[str, Any]]:
    """The documents nearest to the bound; of equals the first."""
    at = np.flatnonzero(chosen)
    values = asked.signals[signal][at].astype(np.float64)
    away = np.abs(values - bound)
    if len(at) > SAMPLES:  # sorting a million costs more than finding the nearest
        near = np.flatnonzero(away <= np.partition(away, SAMPLES - 1)[SAMPLES - 1])
        at, values, away = at[near], values[near], away[near]
    order = np.argsort(away, kind="stable")[:SAMPLES]
    places = zip(asked.documents.files[at[order]], asked.documents.rows[at[order]], strict=True)
    pages = store.placed(list(places))
    return [
        page | {"value": value} for page, value in zip(pages, values[order].tolist(), strict=True)
    ]
