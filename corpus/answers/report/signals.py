"""The report on signals: small histograms with the thresholds of the profiles drawn in."""

from __future__ import annotations

from html import escape
from typing import Any

from corpus.answers.report.parts import both, code
from filters.signals import signal_of

Bounds = dict[float, list[str]]  # threshold → the profiles that have it
WIDTH, HEIGHT = 200.0, 60.0  # of a histogram, in units of its drawing
TALLEST = 56.0  # a bar


def signals(facts: dict[str, Any], histograms: dict[str, Any]) -> str:
    """Those with thresholds first, the others folded away."""
    if not histograms:
        return ""
    bounds = _bounds(facts["rules"])
    figures = {
        name: _histogram(name, found, bounds.get(name, {})) for name, found in histograms.items()
    }
    first = "".join(figure for name, figure in figures.items() if name in bounds)
    rest = "".join(figure for name, figure in figures.items() if name not in bounds)
    lead = both(
        "Of the documents before dedup, between the 0.5 % and the 99.5 % quantile; lines are "
        "thresholds of the profiles, dashed where they lie beyond.",
        "重複除去前の文書。0.5 % 点から 99.5 % 点まで。線はプロファイルの閾値（破線は範囲外）。",
    )
    said = both("Signals without a threshold", "閾値のない信号")
    folded = f"<details><summary>{said}</summary><div class='signals'>{rest}</div></details>"
    shown = f"<div class='signals'>{first}</div>" if first else ""
    return f"<p class='lead'>{lead}</p>{shown}{folded if rest else ''}"


def _bounds(rules: list[dict[str, Any]]) -> dict[str, Bounds]:
    """Signal → its thresholds, ascending."""
    found: dict[str, Bounds] = {}
    for profile in rules:
        for rule in profile["rules"]:
            for value in (rule["low"], rule["high"]):
                if value is not None:
                    of = found.setdefault(rule["signal"], {}).setdefault(value, [])
                    if profile["name"] not in of:
                        of.append(profile["name"])
    return {signal: dict(sorted(of.items())) for signal, of in found.items()}


def _histogram(name: str, found: dict[str, Any], bounds: Bounds) -> str:
    """A figure: bars, thresholds, and whose they are."""
    counts, (low, high) = found["counts"], found["edges"]
    most, width = max(counts) or 1, WIDTH / len(counts)
    steps = "".join(
        f"M{i * width:.1f},{HEIGHT:g}v{-TALLEST * count / most:.1f}h{width - 0.6:.1f}"
        f"v{TALLEST * count / most:.1f}z"
        for i, count in enumerate(counts)
        if count
    )
    lines = "".join(_line(value, profiles, low, high) for value, profiles in bounds.items())
    signal = signal_of(name)
    hint = escape(signal.description if signal else name)
    marks = "; ".join(f"{value:g} {', '.join(map(code, of))}" for value, of in bounds.items())
    return (
        f"<figure><svg viewBox='0 0 200 76' role='img' aria-label='{escape(name)}: {low:.4g}–"
        f"{high:.4g}'><path d='{steps}'/>{lines}<text x='0' y='74' class='small'>{low:.3g}</text>"
        f"<text x='200' y='74' text-anchor='end' class='small'>{high:.3g}</text></svg>"
        f"<figcaption title='{hint}'><b>{code(name)}</b> "
        f"<span class='dim'>{marks}</span></figcaption></figure>"
    )


def _line(value: float, profiles: list[str], low: float, high: float) -> str:
    """A threshold as a line, at the edge where it lies beyond what is drawn."""
    x = WIDTH * min(max((value - low) / (high - low), 0), 1)
    title = escape(f"{', '.join(profiles)}: {value:g}")
    beyond = "" if low <= value <= high else " class='beyond'"
    return f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='62'{beyond}><title>{title}</title></line>"
