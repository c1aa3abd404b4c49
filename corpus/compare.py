"""`corpus compare` and `corpus sweep`: what other profiles and thresholds would keep.

Both read the stored signals of a build, so nothing is harvested again. The documents compared are
those before dedup and selection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.build import load_settings
from corpus.errors import UsageError
from corpus.select import COLUMNS, decide
from filters import compare as tables
from filters.profile import Decisions, Profile, ProfileError
from filters.published_words import check
from filters.signals import SIGNALS
from filters.words import WordError


def compare(root: Path, profiles: list[Profile]) -> dict[str, Any]:
    """Kept documents and characters of each profile, the keep/drop matrix, and what rules take.

    Returns {documents, kept: name → {documents, characters}, matrix, rules: name → rows}.
    """
    lengths = _column(root, "n_chars")
    lists = load_settings(root)[0].select.word_lists
    decisions = {p.name: _decide(root, p, lists) for p in profiles}
    return {
        "documents": len(lengths),
        "kept": {
            name: {"documents": int(d.keep.sum()), "characters": int(lengths[d.keep].sum())}
            for name, d in decisions.items()
        },
        "matrix": tables.keep_matrix(decisions, lengths).to_pylist(),
        "rules": {
            p.name: tables.rule_table(p, decisions[p.name], lengths).to_pylist() for p in profiles
        },
    }


def sweep(root: Path, signal: str, low: float, high: float, steps: int) -> list[dict[str, Any]]:
    """Documents and characters on both sides of a threshold that moves from `low` to `high`."""
    if signal not in SIGNALS:
        raise UsageError(
            f"unknown signal {signal!r}: `corpus profiles NAME` names those of a profile"
        )
    parts = [
        pq.read_table(path, columns=["quality"])["quality"].combine_chunks().field(signal)
        for path in _documents(root)
    ]
    values = pa.chunked_array(parts).cast(pa.float64()).to_numpy()
    if len(values) and np.isnan(values).all():
        raise UsageError(f"signal {signal} is lazy and was not stored in {root}")
    try:
        return tables.sweep(values, _column(root, "n_chars"), low, high, steps).to_pylist()
    except ProfileError as error:
        raise UsageError(str(error)) from error


def _documents(root: Path) -> list[Path]:
    found = sorted((root / "documents").glob("*.parquet"))
    paths = [path for path in found if pq.read_metadata(path).num_rows]
    if not paths:
        raise UsageError(f"{root} holds no documents: run `corpus harvest` first")
    return paths


def _column(root: Path, name: str) -> np.ndarray:
    parts = [pq.read_table(path, columns=[name])[name].to_numpy() for path in _documents(root)]
    return np.concatenate(parts).astype(np.int64)


def _decide(root: Path, profile: Profile, lists: str) -> Decisions:
    try:
        check(profile.extra_signals(), Path(lists) if lists else None)
    except WordError as error:
        raise UsageError(
            f"profile {profile.name}: {error} (corpus select --set select.word_lists=FOLDER first)"
        ) from error
    parts = [
        decide(profile, pq.read_table(path, columns=list(COLUMNS)).combine_chunks(), path, lists)
        for path in _documents(root)
    ]
    names = ("keep", "rule", "value", "threshold", "failures")
    return Decisions(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
