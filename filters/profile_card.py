"""What is known of a profile, for people: rules and reasons, curves of its model, measured figures.

    print(card(load("web")))

The figures were measured before and are stored beside the profiles: `lists/pass_rates.tsv` by
`benchmarks/filters.py --pass-rates`, `lists/judged.json` by `benchmarks/judged.py`.
"""

from __future__ import annotations

import dataclasses
import json
import math
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from filters import additive
from filters.profile import Profile
from filters.signals import signal_of

BARS = "▁▂▃▄▅▆▇█"


def card(profile: Profile) -> str:
    """The profile as documentation: purpose, source, every rule with its reason, figures."""
    head = [f"{profile.name}: {profile.title}" if profile.title else profile.name]
    source = profile.source and f"Source: {profile.source}"
    head += [part.strip() for part in (profile.purpose, source) if part]
    lines = ["\n\n".join(head), ""]
    for number, r in enumerate(profile.rules, 1):
        signal = signal_of(r.signal)
        assert signal is not None  # `parse` has looked
        lines.append(f"{number:3}. {r.name}: {r.bounds()}")
        lines.append(f"       {r.signal}: {signal.description} ({signal.unit})")
        lines += [f"       {part}" for part in (r.why, r.source and f"[{r.source}]") if part]
    if not profile.rules:
        lines.append("No rules: every document is kept.")
    if profile.notes:
        lines += ["", profile.notes.strip()]
    for name in profile.models():
        lines += ["", *_curves(additive.load(name))]
    if found := judged(profile.name):
        lines += ["", *_judged_lines(found)]
    if rates := pass_rates(profile.name):
        lines += ["", "Kept of real texts (benchmarks/filters.py --pass-rates):"]
        genre_of = genres()
        lines += [f"  {kept:6.1%} of {n:4} {genre}: {genre_of[genre]}" for genre, n, kept in rates]
    return "\n".join(lines)


def as_json(profile: Profile) -> dict[str, Any]:
    """The same as data; JSON has no infinity, so an absent bound is null."""
    about = dataclasses.asdict(profile)
    for rule in about["rules"]:
        rule |= {k: None for k in ("low", "high") if math.isinf(rule[k])}
    models = [additive.load(name) for name in profile.models()]
    return about | {
        "models": [
            {
                "name": model.name,
                "intercept": model.intercept,
                "curves": {c.signal: [c.knots.tolist(), c.heights.tolist()] for c in model.curves},
            }
            for model in models
        ],
        "judged": judged(profile.name),
        "pass_rates": [
            {"genre": genre, "documents": n, "kept": kept}
            for genre, n, kept in pass_rates(profile.name)
        ],
    }


def _curves(model: additive.Additive) -> list[str]:
    """The curves of a model, those that can change most first."""
    lines = [
        f"Model {model.name}: log odds = {model.intercept:+.2f} + one curve a signal, linear",
        "between the values named and level beyond them.",
    ]
    heights = np.concatenate([curve.heights for curve in model.curves])
    low, high = heights.min(), heights.max()
    for curve in sorted(model.curves, key=lambda c: (-c.span(), c.signal)):
        steps = ((curve.heights - low) / max(high - low, 1e-9) * (len(BARS) - 1)).round()
        bars = "".join(BARS[int(step)] for step in steps)
        lines.append(f"  {curve.signal:28} {bars:7}  {curve.in_words()}")
    return lines


def _judged_lines(found: dict[str, Any]) -> list[str]:
    """Errors on pages that people judged."""
    of, own = found["set"], found["profile"]
    seen = " by models that had not seen the page's host" if own["held_out"] else ""
    lines = [
        f"Judged by people ({found['date']}; {of['keep']} pages to keep, {of['drop']} to drop, "
        f"{of['borderline']} borderline, {of['hosts']} hosts;",
        f"benchmarks/judged.py{seen}). In brackets: 95 % intervals, hosts drawn again.",
    ]
    for name, key in (
        ("wrong drops, of the pages to keep", "wrong_drops"),
        ("wrong keeps, of the pages to drop", "wrong_keeps"),
        ("balanced accuracy", "balanced"),
        ("area under the ROC curve", "auc"),
    ):
        if own.get(key) is not None:
            value, low, high = own[key]
            form = ".3f" if key in ("balanced", "auc") else ".1%"
            lines.append(f"  {name}: {value:{form}} ({low:{form}}–{high:{form}})")
    lines.append(f"  borderline pages kept: {own['borderline_kept']:.1%}")
    for key in ("length", "genre"):
        parts = [
            f"{name} {row['balanced']:.2f} ({row['keep']}+{row['drop']})"
            for name, row in own[key].items()
            if row["balanced"] is not None
        ]
        lines.append(f"  balanced accuracy by {key} (pages to keep + drop): {', '.join(parts)}")
    return lines


def judged(name: str) -> dict[str, Any] | None:
    """{date, set, profile} of a profile as `benchmarks/judged.py` measured it last; None if not."""
    found = _stored()
    if name not in found.get("profiles", {}):
        return None
    return {"date": found["date"], "set": found["set"], "profile": found["profiles"][name]}


@cache
def _stored() -> dict[str, Any]:
    file = resources.files("filters").joinpath("lists", "judged.json")
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def pass_rates(name: str) -> list[tuple[str, int, float]]:
    """(genre, documents, share kept) as `benchmarks/filters.py --pass-rates` measured them last."""
    head, rows = _measured()
    if name not in head:
        return []
    column = head.index(name)
    return [(row[0], int(row[2]), float(row[column])) for row in rows]


def genres() -> dict[str, str]:
    """What the genres of the pass rates are, by name."""
    return {row[0]: row[1] for row in _measured()[1]}


def _measured() -> tuple[list[str], list[list[str]]]:
    file = resources.files("filters").joinpath("lists", "pass_rates.tsv")
    head, *rows = [row.split("\t") for row in file.read_text(encoding="utf-8").splitlines()]
    return head, rows
