"""The curves of an additive model as one drawing, a small plot for each signal.

python -m benchmarks.training.curve_plots MODEL FILE.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from corpus.answers.plots import INK, PALE, Drawing, Label, Stroke, svg
from filters.additive import Additive, load

COLUMNS, WIDTH, HEIGHT = 3, 250.0, 120.0
BLUE = "#0072b2"


def drawing(model: Additive) -> Drawing:
    """Log odds over the values of each signal, the strongest first, all on one scale."""
    curves = sorted(model.curves, key=lambda c: (-c.span(), c.signal))
    heights = np.concatenate([curve.heights for curve in curves])
    low, high = np.floor(heights.min()), np.ceil(heights.max())
    rows = -(-len(curves) // COLUMNS)
    title = f"What each signal adds to the log odds of {model.name}"
    sheet = Drawing(COLUMNS * (WIDTH + 50) + 20, 50 + rows * (HEIGHT + 50), title)
    sheet.items.append(Label(20, 26, title, size=15))
    for place, curve in enumerate(curves):
        left = 50 + place % COLUMNS * (WIDTH + 50)
        top = 60 + place // COLUMNS * (HEIGHT + 50)
        # The ends of the axes and the line of no effect, then the curve.
        for value in (low, 0.0, high):
            y = top + HEIGHT * (high - value) / (high - low)
            sheet.items.append(Stroke(((left, y), (left + WIDTH, y)), PALE))
            sheet.items.append(Label(left - 6, y + 4, f"{value:+g}", "end", 10))
        first, last = curve.knots[0], curve.knots[-1]
        points = tuple(
            (
                left + WIDTH * float((knot - first) / (last - first)),
                top + HEIGHT * float((high - height) / (high - low)),
            )
            for knot, height in zip(curve.knots, curve.heights, strict=True)
        )
        sheet.items.append(Stroke(points, BLUE, 2.0))
        sheet.items.append(Label(left, top - 6, curve.signal, size=12, colour=INK))
        for x, value, anchor in ((left, first, "start"), (left + WIDTH, last, "end")):
            sheet.items.append(Label(x, top + HEIGHT + 14, f"{value:.3g}", anchor, 10))
    return sheet


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(svg(drawing(load(sys.argv[1]))), encoding="utf-8")
