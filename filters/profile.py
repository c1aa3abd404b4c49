"""Profiles: a recipe of filtering is a list of rules over signals, and a rule is a few TOML lines.

    profile = load("web")                       # a name, or the path of a TOML file
    decisions = profile.decide(quality)         # quality: the struct array that `measure` returns

A rule bounds one signal. `min` and `max` belong to the allowed interval, `above` and `below` do
not. The rules of a profile are asked in the order of the file; the first that fails is the one
reported. Deciding reads stored signals only, so another threshold costs seconds and no text.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters.additive import SHIPPED
from filters.signals import (
    EXTRA_SIGNALS,
    GROUP_OF,
    GROUPS,
    MODEL,
    SCORE,
    SIGNALS,
    as_numbers,
    inputs_of,
    of_model,
    signal_of,
)

NONE = "none"
PROFILE_KEYS = ("title", "purpose", "source", "notes", "rule")
RULE_KEYS = ("name", "signal", "min", "max", "above", "below", "why", "source")


class ProfileError(ValueError):
    """A profile that cannot be used: one line that says which, what is wrong and what would do."""


@dataclass(frozen=True)
class Rule:
    """A document passes when low ≤ signal ≤ high; an open end is a bound that is not reached.

    low and high are −inf and inf where the rule has no such bound. A missing value (null or NaN)
    fails the rule.
    """

    name: str
    signal: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    why: str = ""
    source: str = ""

    def failing(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(below, above): bool[n] each, where the value breaks the lower or the upper bound.

        Bounds are rounded to float32 where the values are float32: see `kernels.spec.Signal`.
        """
        low, high = np.float64(self.low), np.float64(self.high)
        if values.dtype == np.float32:
            low, high = np.float32(low), np.float32(high)  # type: ignore[assignment]
        enough = values > low if self.low_open else values >= low
        within = values < high if self.high_open else values <= high
        return ~enough, ~within

    def bounds(self) -> str:
        """The allowed interval in words, such as `0.2 ≤ hiragana_share_ja`."""
        low = "" if self.low == -math.inf else f"{self.low:g} {'<' if self.low_open else '≤'} "
        high = "" if self.high == math.inf else f" {'<' if self.high_open else '≤'} {self.high:g}"
        return f"{low}{self.signal}{high}"


@dataclass(frozen=True)
class Decisions:
    """What a profile says of n documents under r rules.

    keep bool[n]; rule int32[n], the first failing rule or −1; value and threshold float64[n], the
    measured value and the bound it broke, NaN where kept; failures bool[n, r], every failing rule.
    """

    keep: np.ndarray
    rule: np.ndarray
    value: np.ndarray
    threshold: np.ndarray
    failures: np.ndarray


@dataclass(frozen=True)
class Profile:
    """A named list of rules. `none` has no rules and keeps everything."""

    name: str
    rules: tuple[Rule, ...] = ()
    title: str = ""
    purpose: str = ""
    source: str = ""
    notes: str = ""

    def groups(self) -> frozenset[str]:
        """The signal groups that the rules read, for `measure(texts, groups)`."""
        inputs = [name for rule in self.rules for name in inputs_of(rule.signal)]
        return frozenset(GROUP_OF[name] for name in inputs if name in GROUP_OF)

    def models(self) -> list[str]:
        """The additive models that the rules read, by name."""
        return [r.signal.removeprefix(MODEL) for r in self.rules if r.signal.startswith(MODEL)]

    def extra_signals(self) -> list[str]:
        """Signals that `decide` needs as `extra`, because no group measures them."""
        return [r.signal for r in self.rules if r.signal in EXTRA_SIGNALS]

    def scores(self) -> list[str]:
        """The signals `score.NAME` of the rules: what the user's own classifiers gave."""
        return [r.signal for r in self.rules if r.signal.startswith(SCORE)]

    def decide(
        self, quality: pa.StructArray, extra: Mapping[str, pa.Array] | None = None
    ) -> Decisions:
        """Decide on every document of `quality`, a struct of signals (`measure`).

        extra: arrays for signals that are no field of `quality` (`language_score` …).
        Raises ProfileError when a rule's signal is in neither, or was not measured at all.
        """
        n = len(quality)
        failures = np.zeros((n, len(self.rules)), bool)
        rule = np.full(n, -1, np.int32)
        value = np.full(n, np.nan)
        threshold = np.full(n, np.nan)
        for index, r in enumerate(self.rules):
            values = self._values(r, quality, extra or {})
            below, above = r.failing(values)
            np.logical_or(below, above, out=failures[:, index])
            first = failures[:, index] & (rule < 0)
            rule[first] = index
            value[first] = values[first]
            threshold[first] = np.where(below[first], r.low, r.high)
        return Decisions(rule < 0, rule, value, threshold, failures)

    def _values(
        self, rule: Rule, quality: pa.StructArray, extra: Mapping[str, pa.Array]
    ) -> np.ndarray:
        """The values of a rule's signal; those of a model are computed from its inputs."""
        if rule.signal in extra or not rule.signal.startswith(MODEL):
            return as_numbers(self._column(rule, rule.signal, quality, extra))
        inputs = {n: self._column(rule, n, quality, extra) for n in inputs_of(rule.signal)}
        return as_numbers(of_model(rule.signal, inputs))

    def _column(
        self, rule: Rule, name: str, quality: pa.StructArray, extra: Mapping[str, pa.Array]
    ) -> pa.Array:
        if name in extra:
            column = extra[name]
        elif quality.type.get_field_index(name) >= 0:
            column = quality.field(name)
        else:
            hint = "is not among the stored signals; harvest again with this version"
            group = GROUP_OF.get(name)
            if group and GROUPS[group].lazy:
                hint = f"was not measured; measure the group {group!r} for it"
            elif name not in SIGNALS:
                signal = signal_of(name)
                told = signal.description if signal else "unknown"
                hint = f"is a column beside the stored signals ({told}); give it in `extra`"
            raise ProfileError(f"profile {self.name}, rule {rule.name}: signal {name} {hint}")
        if len(column) and column.null_count == len(column):
            group = GROUP_OF.get(name)
            hint = f"measure the group {group!r} for it" if group else "give it as an extra column"
            raise ProfileError(
                f"profile {self.name}, rule {rule.name}: signal {name} was not measured; {hint}"
            )
        return column


def names() -> list[str]:
    """The profiles that come with Inaho, `none` among them, sorted."""
    files = resources.files("filters").joinpath("profiles").iterdir()
    return sorted(
        [NONE, *(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))]
    )


def load(name_or_path: str | Path) -> Profile:
    """The profile of that name, or of the TOML file at that path (`.toml` or a path separator).

    Raises ProfileError, one line, for whatever is wrong with it, before any document is read.
    """
    text = str(name_or_path)
    if text == NONE:
        return Profile(NONE, title="keep every document")
    if text.endswith(".toml") or "/" in text:
        try:
            return parse(Path(text).read_text(encoding="utf-8"), Path(text).stem, text)
        except OSError as error:
            raise ProfileError(f"profile {text}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ProfileError(f"profile {text}: not UTF-8 text") from None
    if text not in names():
        raise ProfileError(f"unknown profile {text!r}{_nearest(text, names())}")
    file = resources.files("filters").joinpath("profiles", f"{text}.toml")
    return parse(file.read_text(encoding="utf-8"), text, text)


def parse(toml: str, name: str, where: str) -> Profile:
    """A profile from TOML text; `where` is what an error message calls it."""
    try:
        table = tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"profile {where}: not valid TOML: {error}") from None
    _check_keys(table, PROFILE_KEYS, f"profile {where}")
    entries = table.pop("rule", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ProfileError(f"profile {where}: 'rule' must be a list of tables ([[rule]])")
    for key, text in table.items():
        _need_text(key, text, f"profile {where}")
    rules = tuple(_rule(e, f"profile {where}, rule {i}") for i, e in enumerate(entries, 1))
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise ProfileError(f"profile {where}: two rules are called {rule.name!r}")
        seen.add(rule.name)
    return Profile(name, rules, **table)


def _rule(entry: dict[str, Any], where: str) -> Rule:
    _check_keys(entry, RULE_KEYS, where)
    for key in ("name", "signal"):
        if key not in entry:
            raise ProfileError(f"{where}: the key {key!r} is missing")
    for key in ("name", "signal", "why", "source"):
        _need_text(key, entry.get(key, ""), where)
    where = f"{where} ({entry['name']})"
    known = [*SIGNALS, *EXTRA_SIGNALS, *(MODEL + name for name in SHIPPED)]
    if signal_of(entry["signal"]) is None:
        raise ProfileError(
            f"{where}: unknown signal {entry['signal']!r}{_nearest(entry['signal'], known)}"
        )
    low, low_open = _bound(entry, "min", "above", -math.inf, where)
    high, high_open = _bound(entry, "max", "below", math.inf, where)
    if low == -math.inf and high == math.inf:
        raise ProfileError(f"{where}: no bound; give min, max, above or below")
    if low > high or (low == high and (low_open or high_open)):
        raise ProfileError(f"{where}: empty interval: nothing lies between {low:g} and {high:g}")
    texts = {key: entry[key] for key in ("why", "source") if key in entry}
    return Rule(entry["name"], entry["signal"], low, high, low_open, high_open, **texts)


def _bound(
    entry: dict[str, Any], closed: str, opened: str, absent: float, where: str
) -> tuple[float, bool]:
    if closed in entry and opened in entry:
        raise ProfileError(f"{where}: give {closed} or {opened}, not both")
    key = opened if opened in entry else closed
    value = entry.get(key, absent)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProfileError(f"{where}: {key} must be a number, not {value!r}")
    if math.isnan(value):
        raise ProfileError(f"{where}: {key} is NaN; give a number")
    return float(value), key == opened


def _check_keys(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise ProfileError(f"{where}: unknown key {key!r}{_nearest(key, known)}")


def _need_text(key: str, value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise ProfileError(f"{where}: {key} must be text, not {value!r}")


def _nearest(word: str, known: list[str] | tuple[str, ...]) -> str:
    close = difflib.get_close_matches(word, known, 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known[:40])}"
