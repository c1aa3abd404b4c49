"""The funnel as a Sankey diagram: bands whose thickness is a number of records, as SVG.

A band runs from each stage to the next; what a stage takes leaves it downwards, a band a reason.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, TOP = 980.0, 46.0
THICK = 190.0  # pixels of all records
LEAST = 1.5  # pixels of a band
REASONS = 5  # of a stage; the others together
ROW = 17.0  # pixels of a line of words
HALF = 6.2  # pixels of a half-width character of it


@dataclass(frozen=True)
class Loss:
    """A reason with its records."""

    name: str
    records: int


def sankey(
    funnel: dict[str, Any], stage_name: Callable[[str], str], reason_name: Callable[[str], str]
) -> str:
    """SVG of the funnel. stage_name, reason_name: name → its words, plain."""
    stages = list(funnel.items())
    most = max((entry["in"] for _, entry in stages), default=0) or 1
    step = WIDTH / max(len(stages), 1)
    parts, deepest = [], TOP + THICK
    for number, (name, entry) in enumerate(stages):
        x, inside, left = 8 + number * step, _thick(entry["in"], most), _thick(entry["out"], most)
        words = f"{entry['in']:,} → {entry['out']:,}"
        parts.append(f'<text x="{x:.1f}" y="16" class="name">{escape(stage_name(name))}</text>')
        parts.append(f'<text x="{x:.1f}" y="34">{words}</text>')
        parts.append(_rect(x, TOP, 10, inside, "node"))
        parts.append(_rect(x + 10, TOP, step - 10, left, "stay"))
        # What leaves: below what stays, each band bends down to its words.
        y, row = TOP + left, 0
        for loss in losses(entry):
            thick = _thick(loss.records, most)
            to = TOP + THICK + 22 + row * ROW
            reason, count = reason_name(loss.name), f"{loss.records:,}"
            title = f"<title>{escape(reason)}: {count}</title>"
            parts.append(
                f'<path class="leave" d="{_band(x + 10, y, x + 44, to - 4, thick)}">{title}</path>'
            )
            parts.append(
                f'<text x="{x + 48:.1f}" y="{to:.1f}" class="small">'
                f"{escape(_fitted(f'{count} {reason}', step - 54))}</text>"
            )
            y, row = y + thick, row + 1
            deepest = max(deepest, to)
    height = deepest + 14
    head = f'<svg viewBox="0 0 {WIDTH + 16:.0f} {height:.0f}" role="img" class="sankey" '
    return head + f'aria-labelledby="funnel-title">{"".join(parts)}</svg>'


def losses(entry: dict[str, Any]) -> list[Loss]:
    """The largest reasons of a stage, the rest as one named "" at the end."""
    reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
    ordered = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [Loss(name, count) for name, count in ordered[:REASONS]]
    rest = sum(count for _, count in ordered[REASONS:])
    return [*shown, Loss("", rest)] if rest else shown


def _fitted(words: str, room: float) -> str:
    """The words, cut to about so many pixels: a full-width character takes two of the others."""
    taken = 0.0
    for at, character in enumerate(words):
        taken += HALF * (1 + (unicodedata.east_asian_width(character) in "WFA"))
        if taken > room:
            return words[: max(at - 1, 1)] + "…"
    return words


def _thick(records: int, most: int) -> float:
    return max(THICK * records / most, LEAST) if records else 0.0


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'class="{escape(kind)}"/>'
    )


def _band(x: float, y: float, to_x: float, to_y: float, thick: float) -> str:
    """A band from a vertical edge to a point near the words, as thick as it is, at its end thin."""
    end = min(thick, ROW - 7)
    bend = (x + to_x) / 2
    return (
        f"M{x:.1f},{y:.1f}C{bend:.1f},{y:.1f} {bend:.1f},{to_y - end / 2:.1f} "
        f"{to_x:.1f},{to_y - end / 2:.1f}V{to_y + end / 2:.1f}"
        f"C{bend:.1f},{to_y + end / 2:.1f} {bend:.1f},{y + thick:.1f} {x:.1f},{y + thick:.1f}Z"
    )
