"""What another threshold of a rule would keep: from stored signals, in a moment.

The signals that a profile reads are read once and kept while readers move its thresholds.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import config
from corpus.answers.compare import documents_of
from corpus.errors import UsageError
from corpus.folder import removals
from corpus.folder.layout import Layout
from corpus.folder.signals import signals_of
from filters.profile import Profile, ProfileError, Rule, load
from filters.signals import as_numbers

SAMPLES = 8  # documents shown on each side
BINS = 40
LOCK = threading.Lock()  # signals of one profile are read once, whoever asks


@dataclass(frozen=True)
class Columns:
    """Of all documents: ids, addresses, titles, and the signals of a profile, a column each."""

    ids: list[str]
    urls: list[str]
    titles: list[str]
    signals: dict[str, pa.Array]


@functools.lru_cache(maxsize=2)
def _columns(layout: Layout, profile: str, changed: int) -> Columns:
    """Read once a profile and harvest."""
    lists = config.of_folder(layout)[0].select.word_lists
    rules = load(profile).rules
    names = list(dict.fromkeys(["n_chars", *(rule.signal for rule in rules)]))
    parts: dict[str, list[pa.Array]] = {name: [] for name in names}
    about: list[pa.Table] = []
    for index in documents_of(layout):
        there = removals.left(layout, index)
        for name, column in signals_of(layout, index, names, lists, there).items():
            parts[name].append(column)
        table = pq.read_table(layout.documents(index), columns=["id", "url", "title"])
        about.append(table if there is None else table.take(pa.array(there)))
    whole = pa.concat_tables(about)
    signals = {name: pa.concat_arrays(each) for name, each in parts.items()}
    ids, urls, titles = (whole[name].to_pylist() for name in ("id", "url", "title"))
    return Columns(ids, urls, titles, signals)


def moved(
    layout: Layout, profile: str, rule: str, side: str, value: float | None
) -> dict[str, Any]:
    """What the profile keeps with another bound of a rule, against its own.

    side: low or high; value: the bound, None for the profile's own. Returns {profile, rule, rules,
    side, value, own, range: [least, most] of the signal, documents, kept, kept_before, enters,
    leaves: samples nearest to the bound, histogram: [edges, counts]}. UsageError for a wrong name.
    """
    try:
        found = load(profile) if "/" not in profile and not profile.endswith(".toml") else None
    except ProfileError as error:
        raise UsageError(str(error)) from error
    if found is None or not found.rules:
        raise UsageError(f"{profile} is no profile that comes with Inaho and has rules")
    rules = {each.name: each for each in found.rules}
    old = rules.get(rule) or found.rules[0]
    side = side if side in ("low", "high") else "low" if old.low != -math.inf else "high"
    own = getattr(old, side)
    if math.isinf(own):
        raise UsageError(f"rule {old.name} has no {side} bound")
    bound = own if value is None or math.isnan(value) else value
    is_low = side == "low"
    new = dataclasses.replace(old, low=bound) if is_low else dataclasses.replace(old, high=bound)
    with LOCK:
        columns = _columns(layout, profile, layout.documents_folder.stat().st_mtime_ns)
    before, after = _kept(found, columns), _kept(_with(found, new), columns)
    values = as_numbers(columns.signals[old.signal]).astype(np.float64)
    return {
        "profile": profile,
        "rule": old.name,
        "rules": [(each.name, each.signal) for each in found.rules],
        "signal": old.signal,
        "side": side,
        "value": bound,
        "own": own,
        "range": _range(values, own),
        "documents": len(values),
        "kept": int(after.sum()),
        "kept_before": int(before.sum()),
        "enters": _samples(columns, values, after & ~before, bound),
        "leaves": _samples(columns, values, before & ~after, bound),
        "histogram": _histogram(values),
    }


def _kept(profile: Profile, columns: Columns) -> np.ndarray:
    n_chars = columns.signals["n_chars"]
    return profile.decide(pa.StructArray.from_arrays([n_chars], ["n_chars"]), columns.signals).keep


def _with(profile: Profile, rule: Rule) -> Profile:
    rules = tuple(rule if each.name == rule.name else each for each in profile.rules)
    return dataclasses.replace(profile, rules=rules)


def _range(values: np.ndarray, own: float) -> list[float]:
    """Where a slider makes sense: 98 % of the values, and the profile's own bound."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, (0.01, 0.99)).tolist() if len(finite) else (0.0, 1.0)
    low, high = min(low, own), max(high, own)
    return [low, high if high > low else low + 1]


def _histogram(values: np.ndarray) -> tuple[list[float], list[int]]:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [0.0, 1.0], [0]
    low, high = np.quantile(finite, (0.005, 0.995)).tolist()
    counts, edges = np.histogram(finite.clip(low, high), BINS)
    return edges.tolist(), counts.tolist()


def _samples(
    columns: Columns, values: np.ndarray, rows: np.ndarray, bound: float
) -> list[dict[str, Any]]:
    """The documents nearest to the bound."""
    at = np.flatnonzero(rows)
    near = at[np.argsort(np.abs(values[at] - bound), kind="stable")][:SAMPLES]
    return [
        {"id": columns.ids[i], "url": columns.urls[i], "title": columns.titles[i],
         "value": float(values[i])}
        for i in near.tolist()
    ]  # fmt: skip
