"""Trains a classifier of `filters.quality`, with a report on texts and on sources it has not seen.

    result = train(read_sources([Path("wiki")]), read_sources([Path("chat")]), Path("wiki.ftz"))

Texts come in named sources (a folder each). Folds are drawn from all texts, and --by-source leaves
out one source after the other: a classifier that knows its sources by their markup, not their kind,
shines in the first and fails in the second. One thread, a fixed seed: the same bytes each time.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa

from filters.quality import (
    FORMAT,
    POSITIVE,
    TOKENS,
    Classifier,
    ClassifierError,
    evaluate,
    logit,
    prepare,
    probability,
)

SEED = 1
DIM, RATE, GRAMS, BUCKETS = 16, 0.5, 3, 50_000
Sources = Mapping[str, Sequence[str]]  # name of a source → its texts


def train(
    positive: Sources,
    negative: Sources,
    path: Path,
    tokens: str = "characters",
    folds: int = 5,
    by_source: bool = False,
    epochs: int = 20,
    note: Callable[[str], None] = lambda _: None,
) -> Classifier:
    """Trains on all texts, reports and calibrates by cross-validation, writes path and path.json.

    The report is in `facts` of the result, see `report_of`. `note` is told each step. Every model,
    those of the folds too, is quantised (fastText's product quantisation), a few hundred kilobytes.
    Raises ClassifierError for too few texts, unknown tokens, or a folder that does not exist.
    """
    sources = [*positive, *negative]
    texts = [t for each in (positive, negative) for part in each.values() for t in part]
    source_of = np.repeat(
        np.arange(len(sources)), [len(s) for s in (*positive.values(), *negative.values())]
    )
    labels = source_of < len(positive)
    _check(labels, path, tokens, folds)
    note(f"{tokens} of {len(texts):,} texts")
    lines = [prepare(text, tokens) for text in texts]
    fold_of = _folds(labels, folds)
    logits = np.empty(len(lines))
    for fold in range(folds):
        note(f"fold {fold + 1} of {folds}")
        _held_out(lines, labels, fold_of == fold, logits, epochs)
    slope, offset = _platt(logits, labels)
    scores = probability(logits, slope, offset)
    facts: dict[str, Any] = {
        "format": FORMAT,
        "tokens": tokens,
        "slope": slope,
        "offset": offset,
        "sources": _sources(scores, labels, source_of, sources),
        "report": asdict(evaluate(scores, labels)),
        "folds": [_figures(scores[fold_of == f], labels[fold_of == f]) for f in range(folds)],
    }
    if by_source:
        facts["left_out"] = []
        for index, name in enumerate(sources):
            rows = source_of == index
            if len(set(labels[~rows].tolist())) < 2:
                continue
            note(f"without {name}")
            apart = np.empty(len(lines))
            _held_out(lines, labels, rows, apart, epochs)
            left = probability(apart, slope, offset)
            facts["left_out"] += _sources(left[rows], labels[rows], source_of[rows] * 0, [name])
    note("the model of all texts")
    model = _fit(lines, labels, epochs)
    model.save_model(str(path))
    facts["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    text = json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True)
    Path(f"{path}.json").write_text(text + "\n", encoding="utf-8")
    return Classifier(model, tokens, slope, offset, facts)


def assess(classifier: Classifier, positive: Sources, negative: Sources) -> dict[str, Any]:
    """{report, sources} of a classifier on labelled texts of both kinds, else ClassifierError."""
    if not any(positive.values()) or not any(negative.values()):
        raise ClassifierError("nothing to evaluate: give texts of both kinds")
    sources = [*positive, *negative]
    parts = [pa.array(list(t), pa.large_string()) for t in (*positive.values(), *negative.values())]
    scores = np.concatenate([classifier.score(part) for part in parts]).astype(np.float64)
    source_of = np.repeat(np.arange(len(sources)), [len(part) for part in parts])
    labels = source_of < len(positive)
    return {
        "report": asdict(evaluate(scores, labels)),
        "sources": _sources(scores, labels, source_of, sources),
    }


def _check(labels: np.ndarray, path: Path, tokens: str, folds: int) -> None:
    if tokens not in TOKENS:
        raise ClassifierError(f"unknown tokens {tokens!r}; there are {', '.join(TOKENS)}")
    n_pos, n_neg = int(labels.sum()), int((~labels).sum())
    if min(n_pos, n_neg) < folds or folds < 2:
        raise ClassifierError(
            f"{n_pos} positive and {n_neg} negative texts are too few for {folds} folds; give at "
            f"least 2 folds and {max(folds, 2)} texts of each kind"
        )
    if not path.parent.is_dir():
        raise ClassifierError(f"{path.parent}: no such folder; create it first")


def _held_out(
    lines: list[str], labels: np.ndarray, rows: np.ndarray, out: np.ndarray, epochs: int
) -> None:
    """Fills out[rows] with the logits of a model that has not seen those rows."""
    inside = np.flatnonzero(~rows)
    model = _fit([lines[i] for i in inside], labels[inside], epochs)
    for i in np.flatnonzero(rows):
        out[i] = logit(model, lines[i])


def _sources(
    scores: np.ndarray, labels: np.ndarray, source_of: np.ndarray, names: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for each source: its kind, texts, median score, and the share on the right side."""
    rows = []
    for index, name in enumerate(names):
        own = scores[source_of == index]
        kind = bool(labels[source_of == index].all()) if len(own) else False
        right = float(((own >= 0.5) == kind).mean()) if len(own) else 0.0
        rows.append(
            {
                "source": name,
                "kind": "positive" if kind else "negative",
                "documents": len(own),
                "median": round(float(np.median(own)), 4) if len(own) else 0.0,
                "right": round(right, 4),
            }
        )
    return rows


def _figures(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    report = evaluate(scores, labels)
    names = ("auc", "precision", "recall", "f1", "calibration_error")
    return {name: round(getattr(report, name), 4) for name in names}


def _fit(lines: Sequence[str], labels: np.ndarray, epochs: int) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        names = np.where(labels, POSITIVE, "__label__negative")
        rows = (f"{name} {line}\n" for name, line in zip(names, lines, strict=True))
        file.write_text("".join(rows), encoding="utf-8")
        options = {"dim": DIM, "epoch": epochs, "lr": RATE, "wordNgrams": GRAMS, "minCount": 2}
        options |= {"bucket": BUCKETS, "thread": 1, "seed": SEED, "verbose": 0}
        model = fasttext.train_supervised(str(file), **options)
        model.quantize(input=str(file), cutoff=BUCKETS, qnorm=True, thread=1, verbose=0)
    return model


def _folds(labels: np.ndarray, folds: int) -> np.ndarray:
    """int64[n]: a fold for each text, both kinds spread evenly."""
    random = np.random.default_rng(SEED)
    fold_of = np.empty(len(labels), np.int64)
    for kind in (True, False):
        rows = random.permutation(np.flatnonzero(labels == kind))
        fold_of[rows] = np.arange(len(rows)) % folds
    return fold_of


def _platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(slope, offset) of the logistic curve, by Newton's method on Platt's smoothed targets."""
    n_pos, n_neg = int(labels.sum()), int((~labels).sum())
    target = np.where(labels, (n_pos + 1) / (n_pos + 2), 1 / (n_neg + 2))
    slope, offset = 1.0, 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(slope * logits + offset)))
        weight = p * (1 - p) + 1e-9
        gradient = np.array([((p - target) * logits).sum() + 1e-3 * slope, (p - target).sum()])
        hessian = np.array(
            [
                [(weight * logits**2).sum() + 1e-3, (weight * logits).sum()],
                [(weight * logits).sum(), weight.sum() + 1e-3],
            ]
        )
        step = np.clip(np.linalg.solve(hessian, gradient), -1, 1)
        slope, offset = slope - float(step[0]), offset - float(step[1])
        if np.abs(step).max() < 1e-8:
            break
    return round(slope, 6), round(offset, 6)
