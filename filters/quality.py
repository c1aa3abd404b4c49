"""Quality classifiers: fastText on two folders of text, with calibrated probabilities.

    report, classifier = train(positive, negative, path)
    scores = load(path).score(texts)

fastText gives overconfident scores, so a logistic curve is fitted to scores of held-out folds
(Platt 1999) and stored beside the model: a score of .8 means that four in five such texts are
positive, on data like the training data. One thread and a fixed seed make the same model each time.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import fasttext
import numpy as np
import pyarrow as pa

from .morphemes import analyse

TOKENS = ("characters", "words")
MAX_CHARS = 4000  # the head of a text tells its kind; the rest costs time
FORMAT = "inaho-classifier-1"
POSITIVE = "__label__positive"


class ClassifierError(ValueError):
    """A classifier that cannot be trained or read: one line that says what and where."""


@dataclass(frozen=True)
class Report:
    """Figures on texts that the model has not seen.

    auc: area under the ROC curve; calibration_error: mean distance of probability and frequency
    over ten bins (ECE); confusion: true and false positives and negatives at .5.
    """

    documents: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    auc: float
    calibration_error: float
    confusion: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model, how texts become its tokens, and the curve 1 / (1 + exp(−slope·logit − offset))."""

    model: Any
    tokens: str
    slope: float
    offset: float

    def score(self, texts: pa.Array) -> np.ndarray:
        """float32[n]: probability that a text is of the positive kind; an empty text scores 0."""
        documents = [text or "" for text in texts.to_pylist()]
        raw = np.array([_logit(self.model, prepare(text, self.tokens)) for text in documents])
        scores = 1 / (1 + np.exp(-(self.slope * raw + self.offset)))
        scores[[not text.strip() for text in documents]] = 0.0
        return scores.astype(np.float32)


def prepare(text: str, tokens: str) -> str:
    """One line of tokens for fastText: single characters, or words of fugashi; digits are 0."""
    head = text[:MAX_CHARS].translate(DIGITS)
    if tokens == "words":
        return " ".join(analyse(head)[0])
    return " ".join("".join(head.split()))


DIGITS = {ord(d): "0" for d in "123456789０１２３４５６７８９"}


def train(
    positive: Sequence[str],
    negative: Sequence[str],
    path: Path,
    tokens: str = "characters",
    folds: int = 5,
    dim: int = 16,
    epochs: int = 20,
    seed: int = 1,
) -> tuple[Report, Classifier]:
    """Trains on all texts, reports and calibrates by cross-validation, writes path and path.json.

    The model is quantised (fastText's product quantisation), a few hundred kilobytes.
    Raises ClassifierError for too few texts, unknown tokens, or a folder that does not exist.
    """
    if tokens not in TOKENS:
        raise ClassifierError(f"unknown tokens {tokens!r}; there are {', '.join(TOKENS)}")
    if min(len(positive), len(negative)) < folds or folds < 2:
        raise ClassifierError(
            f"{len(positive)} positive and {len(negative)} negative texts are too few for "
            f"{folds} folds; give at least {max(folds, 2)} of each"
        )
    if not path.parent.is_dir():
        raise ClassifierError(f"{path.parent}: no such folder; create it first")
    lines = [prepare(t, tokens) for t in [*positive, *negative]]
    labels = np.array([True] * len(positive) + [False] * len(negative))
    fold_of = _folds(labels, folds, seed)
    logits = np.empty(len(lines))
    for fold in range(folds):
        inside = [i for i in range(len(lines)) if fold_of[i] != fold]
        model = _fit([lines[i] for i in inside], labels[inside], dim, epochs, seed)
        for i in np.flatnonzero(fold_of == fold):
            logits[i] = _logit(model, lines[i])
    slope, offset = _platt(logits, labels)
    report = evaluate(1 / (1 + np.exp(-(slope * logits + offset))), labels)
    model = _fit(lines, labels, dim, epochs, seed, quantise=True)
    model.save_model(str(path))
    facts = {
        "format": FORMAT,
        "tokens": tokens,
        "slope": slope,
        "offset": offset,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "report": asdict(report),
    }
    Path(f"{path}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return report, Classifier(model, tokens, slope, offset)


def load(path: Path) -> Classifier:
    """The classifier written by `train`. Raises ClassifierError for anything else."""
    try:
        facts = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
        data = path.read_bytes()
    except OSError as error:
        raise ClassifierError(f"classifier {error.filename}: {error.strerror}") from None
    except ValueError:
        raise ClassifierError(f"classifier {path}.json: not JSON") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ClassifierError(f"classifier {path}.json: not of the format {FORMAT}")
    if hashlib.sha256(data).hexdigest() != facts["sha256"]:
        raise ClassifierError(f"classifier {path}: not the model that {path.name}.json describes")
    model = fasttext.load_model(str(path))
    return Classifier(model, facts["tokens"], facts["slope"], facts["offset"])


def evaluate(scores: np.ndarray, labels: np.ndarray) -> Report:
    """Figures for probabilities float[n] against labels bool[n]."""
    predicted = scores >= 0.5
    tp, fp = int((predicted & labels).sum()), int((predicted & ~labels).sum())
    fn, tn = int((~predicted & labels).sum()), int((~predicted & ~labels).sum())
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    bins = np.minimum((scores * 10).astype(int), 9)
    error = sum(
        abs(scores[bins == b].mean() - labels[bins == b].mean()) * (bins == b).sum()
        for b in range(10)
        if (bins == b).any()
    )
    return Report(
        documents=len(labels),
        accuracy=(tp + tn) / len(labels),
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        auc=_auc(scores, labels),
        calibration_error=float(error) / len(labels),
        confusion=(tp, fp, fn, tn),
    )


def read_folder(folder: Path) -> list[str]:
    """The texts of all *.txt files under a folder, in the order of their names."""
    files = sorted(folder.rglob("*.txt"))
    if not files:
        raise ClassifierError(f"{folder}: no *.txt files in it")
    return [file.read_text(encoding="utf-8", errors="replace") for file in files]


def _fit(
    lines: Sequence[str],
    labels: np.ndarray,
    dim: int,
    epochs: int,
    seed: int,
    quantise: bool = False,
) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        names = np.where(labels, POSITIVE, "__label__negative")
        rows = (f"{name} {line}\n" for name, line in zip(names, lines, strict=True))
        file.write_text("".join(rows), encoding="utf-8")
        options = {"dim": dim, "epoch": epochs, "lr": 0.5, "wordNgrams": 3, "minCount": 2}
        options |= {"bucket": 50_000, "thread": 1, "seed": seed, "verbose": 0}
        model = fasttext.train_supervised(str(file), **options)
        if quantise:
            model.quantize(input=str(file), cutoff=50_000, qnorm=True, thread=1, verbose=0)
    return model


def _logit(model: Any, line: str) -> float:
    names, probabilities = model.predict(line, k=2)
    p = dict(zip(names, probabilities, strict=True)).get(POSITIVE, 0.0)
    p = min(max(float(p), 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def _folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """int64[n]: a fold for each text, both kinds spread evenly."""
    random = np.random.default_rng(seed)
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


def _auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Probability that a positive scores above a negative; ties count one half."""
    n_pos, n_neg = int(labels.sum()), int((~labels).sum())
    if not n_pos or not n_neg:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[labels].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))
