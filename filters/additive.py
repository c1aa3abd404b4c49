"""Additive models: a probability that people keep a text, as a sum of one curve a signal.

    model = load("web-2")                         # a name of filters/models
    model.probability(columns)                    # columns: signal → values, as stored

A curve is linear between its knots and level beyond them, in log odds; their sum and the intercept
go through the logistic function (a generalised additive model, Hastie & Tibshirani 1986). So what a
signal did to a decision is a number that can be told: `contributions`. A profile names a model as
the signal `model.NAME`. `benchmarks.training.train_web` makes the files.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from filters.kernels import hashed
from filters.kernels.curves import add_curve
from filters.kernels.spec import Bytes, Floats, Offsets, Points
from filters.perplexity import fold

FOLDER = Path(__file__).parent / "models"
FORMAT = "inaho-additive-1"
SHIPPED = ("web-2",)


class ModelError(ValueError):
    """A model file that cannot be used: one line that says which and why."""


@dataclass(frozen=True)
class Curve:
    """The log odds that values of a signal add: knots float64[k], ascending, and heights there."""

    signal: str
    knots: Floats
    heights: Floats

    def at(self, values: np.ndarray) -> Floats:
        """float64[n]: what each value adds; NaN for a missing one."""
        out = np.zeros(len(values))
        add_curve(np.ascontiguousarray(values), self.knots, self.heights, out)
        return out

    def span(self) -> float:
        """Log odds between the highest and the lowest height."""
        return float(self.heights.max() - self.heights.min())

    def in_words(self) -> str:
        """The knots and what is added there, such as `0.1 -1.20 · 0.5 +0.35`."""
        return " · ".join(
            f"{k:.3g} {h:+.2f}" for k, h in zip(self.knots, self.heights, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Additive:
    """A model: log odds = intercept + the sum of its curves.

    table, bias: the hashed n-grams behind the signals of `filters.kernels.hashed`.
    """

    name: str
    intercept: float
    curves: tuple[Curve, ...]
    table: Floats
    bias: float

    @property
    def signals(self) -> tuple[str, ...]:
        return tuple(curve.signal for curve in self.curves)

    def log_odds(self, columns: Mapping[str, np.ndarray]) -> Floats:
        """float64[n] of n documents; NaN where a signal is missing."""
        out = np.full(len(columns[self.curves[0].signal]), self.intercept)
        for curve in self.curves:
            values = np.ascontiguousarray(columns[curve.signal])
            add_curve(values, curve.knots, curve.heights, out)
        return out

    def probability(self, columns: Mapping[str, np.ndarray]) -> Floats:
        """float64[n]: probability that a person keeps the text."""
        return np.asarray(1 / (1 + np.exp(-np.clip(self.log_odds(columns), -700, 700))))

    def contributions(self, values: Mapping[str, float]) -> list[tuple[str, float, float]]:
        """(signal, value, log odds it adds) of one document, the largest effect first."""
        each = [
            (c.signal, values[c.signal], float(c.at(np.array([values[c.signal]], np.float64))[0]))
            for c in self.curves
        ]
        return sorted(each, key=lambda row: (-abs(row[2]), row[0]))


def sentence(rows: Sequence[tuple[str, float, float]], most: int = 3) -> str:
    """The strongest contributions in words: `for it speak …; against it …`."""
    parts = []
    for word, sign in (("for it", 1), ("against it", -1)):
        told = [f"{s} {v:.3g} ({c:+.2f})" for s, v, c in rows[:most] if c * sign > 0]
        if told:
            parts.append(f"{word} {'speaks' if len(told) == 1 else 'speak'} {', '.join(told)}")
    return "; ".join(parts) or "no signal speaks for it or against it"


def measure_passages(
    points: Points, starts: Offsets, out: Floats, model: Additive | None = None
) -> None:
    """Fills out[n, len(hashed.SIGNALS)] by the n-grams of a model; None: that of Inaho."""
    model = model or shipped()
    hashed.measure_hashed(points, starts, letters(), model.table, model.bias, out)


def shipped() -> Additive:
    """The model that comes with Inaho, read once a process."""
    return load(SHIPPED[0])


def fingerprint(name: str) -> str:
    """Names what a model says: SHA-256 of its file."""
    return hashlib.sha256((FOLDER / f"{name}.npz").read_bytes()).hexdigest()


@cache
def letters() -> Points:
    """uint32[PLANE]: the code point that stands for each in an n-gram."""
    return fold()


@cache
def load(name: str) -> Additive:
    """The model of that name. ModelError, one line, for a file that is missing or damaged."""
    path = FOLDER / f"{name}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["format"]) != FORMAT:
                raise ModelError(f"not of the format {FORMAT}")
            return _model(name, file)
    except OSError as error:
        raise ModelError(f"model {path}: {error.strerror or error}") from None
    except KeyError as error:
        raise ModelError(f"model {path}: {error.args[0]}") from None
    except (ModelError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ModelError(f"model {path}: {' '.join(str(error).split())}") from None


def _model(name: str, file: Mapping[str, np.ndarray]) -> Additive:
    """The arrays of a file, checked: signals str[s], sizes int[s], knots and heights float[sum]."""
    signals, sizes = file["signals"].tolist(), file["sizes"].astype(np.int64)
    knots, heights = (file[k].astype(np.float64) for k in ("knots", "heights"))
    ends = np.cumsum(sizes)
    if len(sizes) != len(signals) or not len(ends) or (sizes < 2).any() or ends[-1] != len(knots):
        raise ModelError("the curves are not all there")
    if len(heights) != len(knots) or not np.isfinite([*knots, *heights]).all():
        raise ModelError("a knot or height that is no number")
    curves = []
    for signal, size, end in zip(signals, sizes.tolist(), ends.tolist(), strict=True):
        part = slice(end - size, end)
        if (np.diff(knots[part]) <= 0).any():
            raise ModelError(f"the knots of {signal} do not ascend")
        curves.append(Curve(str(signal), knots[part], heights[part]))
    codes: Bytes = file["table"]
    if codes.shape != (hashed.SLOTS,) or codes.dtype != np.int8:
        raise ModelError(f"no table of {hashed.SLOTS} slots")
    table = codes.astype(np.float64) * float(file["step"])
    return Additive(name, float(file["intercept"]), tuple(curves), table, float(file["bias"]))


def save(
    path: Path, intercept: float, curves: Sequence[Curve], codes: Bytes, step: float, bias: float
) -> None:
    """Writes a model file; the same model gives the same bytes."""
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            format=np.array(FORMAT),
            signals=np.array([curve.signal for curve in curves]),
            sizes=np.array([len(curve.knots) for curve in curves], np.int32),
            knots=np.concatenate([curve.knots for curve in curves]).astype(np.float32),
            heights=np.concatenate([curve.heights for curve in curves]).astype(np.float32),
            intercept=np.float32(intercept),
            table=codes,
            step=np.float32(step),
            bias=np.float32(bias),
        )
