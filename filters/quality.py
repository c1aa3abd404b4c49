"""Quality classifiers: fastText on texts of two kinds, with calibrated probabilities.

    scores = load("wiki-like").score(texts)       # a name of SHIPPED, or the path of a model

A model is two files, as fastText writes it (quantised) and a JSON beside it: how texts become its
tokens, the logistic curve (Platt 1999) that turns its overconfident scores into probabilities, and
the cross-validated report. `filters.train_quality` makes them. The models that come with Inaho are
the lazy group `classifiers`; filters/models/README.md says what they were made of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa

from filters.kernels.spec import Floats, Offsets, Points, Signal, share
from filters.morphemes import analyse
from filters.perplexity import fold

TOKENS = ("characters", "words")
MAX_CHARS = 2000  # the head of a text tells its kind; the rest costs time
FORMAT = "inaho-classifier-2"
POSITIVE = "__label__positive"
BINS = 10
FOLDER = Path(__file__).parent / "models"
SHIPPED = ("wiki-like", "educational")
SIGNALS: tuple[Signal, ...] = (
    share("wiki_like", "probability", "that it reads like an encyclopedia; classifier wiki-like"),
    share("educational", "probability", "that it explains, rather than chats or tells a story"),
)


class ClassifierError(ValueError):
    """A classifier that cannot be trained or read: one line that says what and where."""


@dataclass(frozen=True)
class Report:
    """Figures on texts that the model has not seen.

    auc: area under the ROC curve; calibration_error: mean distance of probability and frequency
    over ten bins (ECE); confusion: true and false positives and negatives at .5; calibration: of
    each bin that is not empty, mean probability, share of positives, texts.
    """

    documents: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    auc: float
    calibration_error: float
    confusion: tuple[int, int, int, int]
    calibration: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model, how texts become its tokens, and the curve 1 / (1 + exp(−slope·logit − offset)).

    facts: what the JSON beside the model says, its report among it.
    """

    model: Any
    tokens: str
    slope: float
    offset: float
    facts: dict[str, Any]

    def score(self, texts: pa.Array) -> np.ndarray:
        """float32[n]: probability that a text is of the positive kind; an empty text scores 0."""
        return self.score_lines([prepare(t or "", self.tokens) for t in texts.to_pylist()])

    def score_lines(self, lines: Sequence[str]) -> np.ndarray:
        """float32[n]: the same of texts that `prepare` has made into lines of tokens."""
        raw = np.array([logit(self.model, line) for line in lines], np.float64)
        scores = probability(raw, self.slope, self.offset)
        scores[[not line for line in lines]] = 0.0
        return scores.astype(np.float32)


def prepare(text: str, tokens: str) -> str:
    """One line of tokens for fastText: single characters, or words of fugashi.

    Characters are folded as `filters.perplexity` folds them, so that neither digits nor the width
    of brackets, which differ from source to source, tell the kinds apart.
    """
    head = text[:MAX_CHARS].translate(_folded())
    if tokens == "words":
        return " ".join(analyse(head.replace("\n", " "))[0]).replace("\n", " ")
    return " ".join("".join(head.split()))


@cache
def _folded() -> dict[int, int]:
    table = fold()
    changed = np.flatnonzero(table != np.arange(len(table)))
    lone = {p: ord("?") for p in range(0xD800, 0xE000)}  # no UTF-8, so fastText would refuse it
    return {int(p): int(table[p]) for p in changed} | lone | {0: ord(" ")}


def probability(logits: np.ndarray, slope: float, offset: float) -> np.ndarray:
    """float64[n]: the logistic curve that calibrates a model."""
    return np.asarray(1 / (1 + np.exp(-np.clip(slope * logits + offset, -700, 700))))


def logit(model: Any, line: str) -> float:
    """Log odds that fastText gives the positive kind, clipped at one in a million."""
    names, probabilities = model.predict(line, k=2)
    p = dict(zip(names, probabilities, strict=True)).get(POSITIVE, 0.0)
    p = min(max(float(p), 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def load(name: str | Path) -> Classifier:
    """The classifier of that name, or the one `train` wrote at that path.

    Nothing is unpickled, and a model that its JSON does not describe is not given to fastText.
    Raises ClassifierError, one line, for a file that is missing, damaged or of another format.
    """
    path = FOLDER / f"{name}.ftz" if str(name) in SHIPPED else Path(name)
    try:
        facts = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        data = path.read_bytes()
    except OSError as error:
        names = ", ".join(SHIPPED)
        raise ClassifierError(
            f"classifier {error.filename}: {error.strerror}; give a model's path or one of {names}"
        ) from None
    except ValueError:
        raise ClassifierError(f"classifier {path}.json: not JSON") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ClassifierError(f"classifier {path}.json: not of the format {FORMAT}")
    if hashlib.sha256(data).hexdigest() != facts.get("sha256"):
        raise ClassifierError(f"classifier {path}: not the model that {path.name}.json describes")
    tokens, slope, offset = (facts.get(key) for key in ("tokens", "slope", "offset"))
    if tokens not in TOKENS or not isinstance(slope, float) or not isinstance(offset, float):
        raise ClassifierError(f"classifier {path}.json: tokens, slope or offset is not as it must")
    try:
        model = fasttext.load_model(str(path))
    except ValueError as error:
        raise ClassifierError(f"classifier {path}: {' '.join(str(error).split())}") from None
    return Classifier(model, tokens, slope, offset, facts)


@cache
def shipped() -> tuple[Classifier, ...]:
    """The classifiers behind SIGNALS, read once a process."""
    return tuple(load(name) for name in SHIPPED)


def measure_quality(points: Points, starts: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] for the documents points[starts[i]:starts[i + 1]]."""
    texts = [
        points[begin : min(end, begin + MAX_CHARS)].tobytes().decode("utf-32-le", "replace")
        for begin, end in pairwise(starts.tolist())
    ]
    lines: dict[str, list[str]] = {}
    for column, classifier in enumerate(shipped()):
        kind = classifier.tokens
        if kind not in lines:
            lines[kind] = [prepare(text, kind) for text in texts]
        out[:, column] = classifier.score_lines(lines[kind])


def evaluate(scores: np.ndarray, labels: np.ndarray) -> Report:
    """Figures for probabilities float[n] against labels bool[n]."""
    predicted = scores >= 0.5
    tp, fp = int((predicted & labels).sum()), int((predicted & ~labels).sum())
    fn, tn = int((~predicted & labels).sum()), int((~predicted & ~labels).sum())
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    table = [
        (float(scores[rows].mean()), float(labels[rows].mean()), int(rows.sum()))
        for rows in (bins == b for b in range(BINS))
        if rows.any()
    ]
    return Report(
        documents=len(labels),
        accuracy=(tp + tn) / len(labels),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        auc=area(scores, labels),
        calibration_error=sum(abs(p - share) * n for p, share, n in table) / len(labels),
        confusion=(tp, fp, fn, tn),
        calibration=tuple((round(p, 4), round(share, 4), n) for p, share, n in table),
    )


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """Probability that a positive scores above a negative; ties count one half."""
    n_pos, n_neg = int(labels.sum()), int((~labels).sum())
    if not n_pos or not n_neg:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[labels].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))
