"""Train the model behind the profiles `web`, `web-strict` and `web-wide` (development only).

    python -m benchmarks.training.train_filter --shared SHARED [--labels FOLDER] [--out FILE]

Learns from pages that people labelled (benchmarks/training/labels.py; more labels are more files in
FOLDER) and, with less weight, from texts of known kinds (benchmarks/training/distant.py).

1. A linear table of hashed character n-grams learns from passages (L2 logistic regression).
2. Its answers on documents whose hosts it had not seen (FOLDS folds) become signals.
3. A curve for each of SIGNALS is fitted to those and to the stored signals: P-splines of degree one
   (Eilers & Marx 1996), all curves at once by Newton's method.

Deterministic; needs scikit-learn. `out_of_fold` gives what models that had not seen a host say of
its pages; benchmarks/judged.py reports on that alone.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from benchmarks.training import distant
from benchmarks.training.labels import BORDERLINE, KEEP, Harvested, harvest_labels, read
from filters import additive
from filters.additive import Curve
from filters.kernels import hashed
from filters.signals import measure, slices

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "web-2"
FOLDS = 5
# Weights: a page by how sure its label is, a text of known kind, many pages of one host, passages.
UNSURE, MADE, DISTANT = 0.6, 0.7, 0.1
HOST_POWER, PASSAGE_POWER = -0.3, -0.5
REGULARISATION, ROUNDS = 50.0, 20  # of the linear table: C, passes over the passages
KNOTS = 7  # at quantiles of the values, unless PLACES names them
PLACES = {"n_chars": (80.0, 120.0, 180.0, 260.0, 400.0, 700.0, 1500.0)}  # longer is no better
BEND, SLOPE, SIZE = 5.0, 0.5, 1e-3  # penalties on second and first differences and on heights
SIGNALS = (  # of 40 tried, those without which other hosts were judged worse
    "ngram_logit", "n_chars", "prose_closed_sentence_share", "particle_share",
    "katakana_share_ja", "long_sentence_share", "bullet_line_share", "dup_line_char_share",
    "url_density", "menu_density", "shop_density",
)  # fmt: skip
LEARNED = tuple(signal.name for signal in hashed.SIGNALS)


@dataclass(frozen=True, eq=False)
class Examples:
    """n documents to learn from.

    good bool[n]; weight float64[n]; host str[n]: documents of a host are in one fold; columns:
    stored signals, float64[n] each; vectors: sparse [passages, SLOTS]; owner int32[passages]: the
    document of each; size int32[passages]: its characters.
    """

    good: np.ndarray
    weight: np.ndarray
    host: np.ndarray
    columns: dict[str, np.ndarray]
    vectors: sparse.csr_matrix
    owner: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class Table:
    """A linear table in 8 bits: weight of a slot = codes × step."""

    codes: np.ndarray
    step: float
    bias: float


@dataclass(frozen=True)
class Sum:
    """An additive model before it has a name."""

    intercept: float
    curves: tuple[Curve, ...]

    def log_odds(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        parts = [curve.at(columns[curve.signal]) for curve in self.curves]
        return np.asarray(self.intercept + np.sum(parts, axis=0))


def examples(pages: list[dict], harvested: Harvested, others: list[distant.Text]) -> Examples:
    """The labelled documents, in their order (borderline ones weigh nothing), then the texts."""
    own = [pages[i] for i in harvested.rows]
    weight = [
        (page["label"] != BORDERLINE)
        * (1.0 if page["sure"] else UNSURE)
        * (MADE if page["made"] else 1.0)
        for page in own
    ]
    more = pa.array([each.text for each in others], pa.large_string())
    quality = [harvested.quality, measure(more)]
    texts = pa.concat_arrays([harvested.text.cast(pa.large_string()), more])
    names = [name for name in SIGNALS if name not in LEARNED]
    columns = {
        name: np.concatenate([np.asarray(q.field(name), np.float64) for q in quality])
        for name in names
    }
    return Examples(
        np.array([page["label"] == KEEP for page in own] + [each.good for each in others]),
        np.array(weight + [DISTANT] * len(others)),
        np.array([page["host"] for page in own] + [each.host for each in others]),
        columns,
        *vectors(texts),
    )


def vectors(texts: pa.Array) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """(matrix [passages, SLOTS], owner, size) of texts: see filters.kernels.hashed.vectors."""
    parts, owners, sizes, before = [], [], [], 0
    counts = np.zeros(hashed.SLOTS, np.int32)
    touched = np.empty(hashed.SIZES * (hashed.LONGEST + hashed.PASSAGE), np.int32)
    for part in slices(texts):
        documents, room = len(part.starts) - 1, hashed.SIZES * len(part.points)
        rows = len(part.points) // hashed.PASSAGE + documents
        owner, size = np.empty(rows, np.int32), np.empty(rows, np.int32)
        first, slots, values = (
            np.empty(rows + 1, np.int64),
            np.empty(room, np.int32),
            np.empty(room),
        )
        used = hashed.vectors(
            part.points, part.starts, additive.letters(), counts, touched,
            owner, size, first, slots, values,
        )  # fmt: skip
        end = first[used]
        shape = (used, hashed.SLOTS)
        parts.append(sparse.csr_matrix((values[:end], slots[:end], first[: used + 1]), shape))
        owners.append(owner[:used] + before)
        sizes.append(size[:used])
        before += documents
    return sparse.vstack(parts).tocsr(), np.concatenate(owners), np.concatenate(sizes)


def fit_table(e: Examples, use: np.ndarray) -> Table:
    """The linear table of the passages of the documents bool[n] `use`."""
    rows = np.flatnonzero((use & (e.weight > 0))[e.owner])
    owner = e.owner[rows]
    weight = e.weight[owner] * np.bincount(e.owner)[owner] ** PASSAGE_POWER
    weight = balanced(weight, e.good[owner])
    model = LogisticRegression(
        C=REGULARISATION, solver="liblinear", dual=True, tol=0.1, max_iter=ROUNDS, random_state=0
    )
    with warnings.catch_warnings():  # more rounds change the answers by less than their rounding
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(e.vectors[rows], e.good[owner], sample_weight=weight)
    heights = model.coef_[0]
    step = float(np.abs(heights).max() / 127)
    return Table(np.round(heights / step).astype(np.int8), step, float(model.intercept_[0]))


def learned(e: Examples, table: Table) -> dict[str, np.ndarray]:
    """What the kernel `measure_hashed` says of every document, from its vectors."""
    scores = e.vectors @ (table.codes * table.step) + table.bias
    n = len(e.good)
    chars = np.maximum(np.bincount(e.owner, e.size, n), 1)
    worst = np.full(n, np.inf)
    np.minimum.at(worst, e.owner, scores)
    mean = np.bincount(e.owner, scores * e.size, n) / chars
    share = np.bincount(e.owner, (scores > 0) * e.size, n) / chars
    return dict(zip(LEARNED, (mean, worst, share), strict=True))


def passages(texts: pa.Array, model: additive.Additive) -> dict[str, np.ndarray]:
    """The learned signals of texts, by the kernel that measures them at harvest."""
    out = np.empty((len(texts), len(LEARNED)))
    row = 0
    for part in slices(texts):
        n = len(part.starts) - 1
        additive.measure_passages(part.points, part.starts, out[row : row + n], model)
        row += n
    return dict(zip(LEARNED, out.T, strict=True))


def fit_sum(e: Examples, use: np.ndarray, answers: dict[str, np.ndarray]) -> Sum:
    """The curves of the documents `use`; answers: their learned signals, out of fold."""
    rows = np.flatnonzero(use & (e.weight > 0))
    columns = {name: (e.columns | answers)[name][rows] for name in SIGNALS}
    good = e.good[rows].astype(np.float64)
    _, host, pages = np.unique(e.host[rows], return_inverse=True, return_counts=True)
    weight = balanced(e.weight[rows] * pages[host] ** HOST_POWER, e.good[rows])
    knots = {name: _knots(name, values) for name, values in columns.items()}
    knots = {name: places for name, places in knots.items() if len(places) > 1}
    bases = [_hats(columns[name], places) for name, places in knots.items()]
    rank = np.cumsum([1] + [base.shape[1] for base in bases])
    matrix = np.concatenate([np.ones((len(rows), 1)), *bases], axis=1)
    penalty = np.zeros((rank[-1], rank[-1]))
    for begin, end in zip(rank[:-1], rank[1:], strict=True):
        penalty[begin:end, begin:end] = _penalty(end - begin)
    theta = _newton(matrix, good, weight, penalty)
    # Each curve is 0 on the (weighted) average document; the intercept takes what that moves.
    intercept, curves = theta[0], []
    for name, base, begin, end in zip(knots, bases, rank[:-1], rank[1:], strict=True):
        mean = float(np.average(base @ theta[begin:end], weights=weight))
        intercept += mean
        curves.append(Curve(name, knots[name], theta[begin:end] - mean))
    return Sum(float(intercept), tuple(curves))


def balanced(weight: np.ndarray, good: np.ndarray) -> np.ndarray:
    """The weights with an equal sum, half their number, on each side."""
    out = weight.copy()
    for side in (good, ~good):
        out[side] *= len(out) / 2 / out[side].sum()
    return out


def _knots(name: str, values: np.ndarray) -> np.ndarray:
    places = PLACES.get(name) or np.quantile(values, np.linspace(0.02, 0.98, KNOTS))
    return np.unique(np.asarray(places, np.float32).astype(np.float64))


def _hats(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """float64[n, k]: linear B-splines, level beyond the outer knots."""
    inside = np.clip(values, knots[0], knots[-1])
    left = np.clip(np.searchsorted(knots, inside, "right") - 1, 0, len(knots) - 2)
    along = (inside - knots[left]) / (knots[left + 1] - knots[left])
    out = np.zeros((len(values), len(knots)))
    rows = np.arange(len(values))
    out[rows, left], out[rows, left + 1] = 1 - along, along
    return out


def _penalty(k: int) -> np.ndarray:
    """float64[k, k]: what bends, slopes and heights of a curve cost."""
    out = SIZE * np.eye(k)
    for order, price in ((1, SLOPE), (2, BEND)):
        if k > order:
            difference = np.diff(np.eye(k), order, axis=0)
            out += price * difference.T @ difference
    return out


def _newton(
    matrix: np.ndarray, good: np.ndarray, weight: np.ndarray, penalty: np.ndarray
) -> np.ndarray:
    """The minimum of weighted logistic loss and penalty."""
    theta = np.zeros(matrix.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(matrix @ theta, -30, 30)))
        slope = matrix.T @ (weight * (p - good)) + penalty @ theta
        curvature = (matrix * (weight * p * (1 - p))[:, None]).T @ matrix + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(theta)), slope)
        theta -= step
        if np.abs(step).max() < 1e-6:
            break
    return theta


def folds(hosts: np.ndarray, seed: int) -> np.ndarray:
    """int[n] below FOLDS: hosts are dealt out in a shuffled order, so folds are of equal size."""
    names, where = np.unique(hosts, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    return np.asarray((order % FOLDS)[where])


Answers = dict[tuple[int, int], dict[str, np.ndarray]]


def answers_by_folds(e: Examples, fold: np.ndarray, nested: bool) -> Answers:
    """(a, b) → the learned signals of every document by a table that saw neither fold a nor b.

    a ≤ b; without `nested` only a = b.
    """
    pairs = [(a, b) for a in range(FOLDS) for b in range(a, FOLDS if nested else a + 1)]
    return {(a, b): learned(e, fit_table(e, (fold != a) & (fold != b))) for a, b in pairs}


def unseen(answers: Answers, fold: np.ndarray, without: int | None) -> dict[str, np.ndarray]:
    """The learned signals of every document by a table that saw neither its fold nor `without`."""
    out = {name: np.empty(len(fold)) for name in LEARNED}
    for k in range(FOLDS):
        other = k if without is None else without
        given = answers[min(k, other), max(k, other)]
        for name in LEARNED:
            out[name][fold == k] = given[name][fold == k]
    return out


def out_of_fold(e: Examples, fold: np.ndarray, answers: Answers) -> np.ndarray:
    """float64[n]: log odds by whole models (table and curves) that had not seen the host.

    answers: of `answers_by_folds(e, fold, nested=True)`.
    """
    out = np.empty(len(e.good))
    for k in range(FOLDS):
        own = unseen(answers, fold, without=k)
        model = fit_sum(e, fold != k, own)
        out[fold == k] = model.log_odds(e.columns | own)[fold == k]
    return out


def train(e: Examples) -> tuple[Sum, Table]:
    """The model of all examples."""
    everything = np.ones(len(e.good), bool)
    fold = folds(e.host, 0)
    answers = unseen(answers_by_folds(e, fold, nested=False), fold, without=None)
    return fit_sum(e, everything, answers), fit_table(e, everything)


def prepare(labels: Path, shared: Path, work: Path) -> tuple[list[dict], Harvested, dict, Examples]:
    """(pages, their documents, page → why it became none, examples)."""
    path = additive.FOLDER / f"{NAME}.npz"
    if not path.exists():  # harvest measures with it; these answers are not learned from
        blank = [Curve("n_chars", np.array([0.0, 1.0]), np.zeros(2))]
        additive.save(path, 0.0, blank, np.zeros(hashed.SLOTS, np.int8), 1.0, 0.0)
    pages = read(labels)
    harvested, lost = harvest_labels(pages, work)
    return pages, harvested, lost, examples(pages, harvested, distant.texts(shared))


def main() -> None:
    """Command line: harvest the labels, train, write the model file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shared", type=Path, required=True, help="folder with data/")
    parser.add_argument("--labels", type=Path, help="folder of *.jsonl.gz; SHARED/data/labels")
    parser.add_argument("--out", type=Path, default=additive.FOLDER / f"{NAME}.npz")
    options = parser.parse_args()
    data = options.shared / "data"
    with tempfile.TemporaryDirectory() as work:
        _, _, _, e = prepare(options.labels or data / "labels", data, Path(work))
    model, table = train(e)
    additive.save(options.out, model.intercept, model.curves, table.codes, table.step, table.bias)
    print(options.out, options.out.stat().st_size, "bytes")
    for curve in sorted(model.curves, key=lambda c: -c.span()):
        print(f"{curve.signal:28} {curve.span():5.2f}  {curve.in_words()}")


if __name__ == "__main__":
    main()
