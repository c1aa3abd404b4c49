"""Curves as SVG: lines over steps, with a legend, for report.html."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 240.0, 66.0, 22.0, 10.0, 26.0
COLOURS = 8  # --c0 to --c7 of the page
MOST = 600  # points of a curve that are drawn: every n-th, the last always

Points = Sequence[tuple[int, float]]  # (step, value)


def chart(
    label: str,
    series: Mapping[tuple[str, bool], Points],
    marks: Sequence[int] = (),
    phases: Sequence[int] = (),
    logarithmic: bool = False,
    wide: bool = False,
) -> str:
    """The chart of (name, dashed) -> points; vertical lines at `marks` and `phases` (steps).

    Values that are not finite, and those below zero on a logarithmic axis, are left out.
    """
    kept = {
        key: [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not logarithmic)]
        for key, points in series.items()
    }
    kept = {key: points for key, points in kept.items() if points}
    if not kept:
        return ""
    width = 920.0 if wide else 460.0
    xs = [x for points in kept.values() for x, _ in points]
    ys = [math.log10(y) if logarithmic else y for points in kept.values() for _, y in points]
    x_low, x_high = _span(min(xs), max(xs))
    y_low, y_high = _span(min(ys), max(ys))

    def across(x: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * (x - x_low) / (x_high - x_low)

    def down(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - y_low) / (y_high - y_low)

    parts = _grid(width, (x_low, x_high), (y_low, y_high), across, down, logarithmic)
    for kind, steps in (("phase", phases), ("mark", marks)):
        parts += [_line(kind, across(x), TOP, across(x), HEIGHT - BOTTOM)
                  for x in steps if x_low <= x <= x_high]  # fmt: skip
    colours = {name: i % COLOURS for i, name in enumerate(dict.fromkeys(n for n, _ in kept))}
    for (name, dashed), points in kept.items():
        every = -(-len(points) // MOST)
        places = " ".join(
            f"{across(x):.1f},{down(math.log10(y) if logarithmic else y):.1f}"
            for x, y in [*points[:-1:every], points[-1]]
        )
        parts.append(_curve(places, colours[name], dashed))
    drawing = (
        f"<svg viewBox='0 0 {width:g} {HEIGHT:g}' role='img' aria-label='{escape(label)}'>"
        f"{''.join(parts)}</svg>"
    )
    if wide:
        said = escape(label)
        drawing = (
            f"<div class='scroll' tabindex='0' role='region' aria-label='{said}'>{drawing}</div>"
        )
    return drawing + (_key(kept, colours) if len(kept) > 1 else "")


def _span(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis; a single value stands in its middle."""
    return (low, high) if high > low else (low - 0.5 * (abs(low) or 1), low + 0.5 * (abs(low) or 1))


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two others."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _grid(
    width: float,
    x_span: tuple[float, float],
    y_span: tuple[float, float],
    across: Callable[[float], float],
    down: Callable[[float], float],
    logarithmic: bool,
) -> list[str]:
    """Level lines with their values, and the steps below."""
    parts = []
    for y in _ticks(*y_span):
        said = _number(10**y if logarithmic else y)
        parts.append(_line("grid", LEFT, down(y), width - RIGHT, down(y)))
        parts.append(f"<text x='{LEFT - 6}' y='{down(y) + 4:.1f}' text-anchor='end'>{said}</text>")
    for x in _ticks(*x_span):
        if x == int(x):
            parts.append(
                f"<text x='{across(x):.1f}' y='{HEIGHT - 8}' text-anchor='middle'>{int(x):,}</text>"
            )
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line class='{kind}' x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}'/>"


def _curve(places: str, colour: int, dashed: bool) -> str:
    held = " class='held'" if dashed else ""
    # A single point is a line of no length, which a round cap makes a dot.
    places = places if " " in places else f"{places} {places}"
    return f"<polyline{held} stroke-linecap='round' stroke='var(--c{colour})' points='{places}'/>"


def _key(kept: Mapping[tuple[str, bool], Points], colours: Mapping[str, int]) -> str:
    """The legend, with the last value of each curve."""
    entries = "".join(
        f"<li><svg viewBox='0 0 26 10' aria-hidden='true'>{_curve('1,5 25,5', colours[n], dashed)}"
        f"</svg>{escape(n)}{', held out' * dashed} {points[-1][1]:.3f}</li>"
        for (n, dashed), points in kept.items()
    )
    return f"<ul class='key'>{entries}</ul>"
