"""The charts of `corpus compare` and `corpus sweep`: lines, bars and a matrix, as drawings."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from corpus.answers.plots import INK, PALE, Box, Drawing, Label, Stroke

# Okabe and Ito's colours, told apart by every kind of colour vision.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")


@dataclass(frozen=True)
class Series:
    """A line: points in data units, its colour by number, dashed or not."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: int = 0
    dashed: bool = False


def lines(title: str, x_label: str, y_label: str, series: Sequence[Series]) -> Drawing:
    """Lines over a number axis; y are shares, drawn from 0 to 100 %."""
    left, top, width, height = 70.0, 50.0, 560.0, 320.0
    legend = 24.0 + max((_width(s.name, 12) for s in series), default=0.0)
    sheet = Drawing(left + width + 30 + legend + 20, top + height + 60, title)
    low = min(min(s.xs) for s in series)
    high = max(max(s.xs) for s in series)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + width * (x - low) / (high - low), top + height * (1 - y)

    # Grid and axes first, so that the lines lie over them.
    sheet.items.append(Label(left, 28, title, size=15))
    for step in range(0, 101, 20):
        y = at(low, step / 100)[1]
        sheet.items.append(Stroke(((left, y), (left + width, y)), PALE))
        sheet.items.append(Label(left - 8, y + 4, f"{step} %", "end"))
    for tick in ticks(low, high):
        x = at(tick, 0)[0]
        sheet.items.append(Stroke(((x, top), (x, top + height)), PALE))
        sheet.items.append(Label(x, top + height + 18, f"{tick:,.6g}", "middle"))
    sheet.items.append(Label(left + width / 2, top + height + 42, x_label, "middle"))
    sheet.items.append(Label(18, top + height / 2, y_label, "middle", turned=True))
    # Each line and, right of the plot, its entry in the legend.
    for i, s in enumerate(series):
        colour = COLOURS[s.colour % len(COLOURS)]
        points = tuple(at(x, y) for x, y in zip(s.xs, s.ys, strict=True))
        sheet.items.append(Stroke(points, colour, 2.0, s.dashed))
        x, y = left + width + 20, top + 10 + 20 * i
        sheet.items.append(Stroke(((x, y), (x + 24, y)), colour, 2.0, s.dashed))
        sheet.items.append(Label(x + 30, y + 4, s.name))
    sheet.width += 10
    sheet.height = max(sheet.height, top + 20 + 20 * len(series))
    return sheet


def bars(title: str, legend: Sequence[str], rows: Sequence[tuple[str, Sequence[float]]]) -> Drawing:
    """Horizontal bars, a group of len(legend) bars for each row, each with its number."""
    left = 24 + max((_width(name, 12) for name, _ in rows), default=0.0)
    width, thick, top = 420.0, 11.0, 74.0
    group = thick * len(legend) + 8
    most = max((value for _, values in rows for value in values), default=0) or 1
    sheet = Drawing(
        max(left + width + 100, 30 + _width(title, 15)), top + group * len(rows) + 16, title
    )
    sheet.items.append(Label(16, 28, title, size=15))
    x = 16.0
    for i, name in enumerate(legend):
        sheet.items.append(Box(x, 44, 12, 12, COLOURS[i]))
        sheet.items.append(Label(x + 18, 54, name))
        x += 40 + _width(name, 12)
    sheet.width = max(sheet.width, x)
    # A group of bars for each row, its name left, the numbers behind the bars.
    for row, (name, values) in enumerate(rows):
        y = top + group * row
        sheet.items.append(Label(left - 8, y + (group - 8) / 2 + 4, name, "end"))
        for i, value in enumerate(values):
            length = width * value / most
            sheet.items.append(Box(left, y + thick * i, length, thick - 2, COLOURS[i]))
            above = y + thick * (i + 1) - 3
            sheet.items.append(Label(left + length + 5, above, f"{value:,.6g}", size=10))
    return sheet


def matrix(title: str, names: Sequence[str], shares: Sequence[Sequence[float]]) -> Drawing:
    """A square of shares (0 to 1), darker where they are larger."""
    cell, left, top = 56.0, 24 + max(_width(name, 12) for name in names), 60.0
    foot = 16 + max(_width(name, 12) for name in names)
    side = cell * len(names)
    sheet = Drawing(max(left + side + 24, 30 + _width(title, 15)), top + side + foot + 16, title)
    sheet.items.append(Label(16, 28, title, size=15))
    for i, row in enumerate(shares):
        sheet.items.append(Label(left - 8, top + cell * (i + 0.5) + 4, names[i], "end"))
        foot_x = left + cell * (i + 0.5) + 4
        sheet.items.append(Label(foot_x, top + side + 10, names[i], "end", turned=True))
        for j, share in enumerate(row):
            x, y = left + cell * j, top + cell * i
            sheet.items.append(Box(x, y, cell - 2, cell - 2, _blue(share)))
            ink = "#ffffff" if share > 0.6 else INK
            middle = (x + cell / 2 - 1, y + cell / 2 + 4)
            sheet.items.append(Label(*middle, f"{share:.0%}", "middle", colour=ink))
    return sheet


def ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers between low and high: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * multiple for multiple in (1, 2, 5, 10) if power * multiple >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _blue(share: float) -> str:
    """White at 0 to the first colour at 1."""
    full = [int(COLOURS[0][i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + (part - 255) * share):02x}" for part in full)


def _width(text: str, size: float) -> float:
    """About how many pixels the text takes: full-width characters an em, others 0.6 of it."""
    wide = sum(unicodedata.east_asian_width(c) in "WFA" for c in text)
    return size * (wide + 0.6 * (len(text) - wide))
