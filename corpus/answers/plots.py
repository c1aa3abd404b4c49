"""Plots without a plotting library: a drawing of lines, boxes and texts, written as SVG.

It names Japanese font families and leaves the choice to the viewer. Same drawing, same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

FAMILIES = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "IPAexGothic", "IPAGothic",
    "Hiragino Sans", "Yu Gothic", "Meiryo", "BIZ UDGothic", "TakaoGothic", "VL Gothic", "MS Gothic",
)  # fmt: skip
INK, PALE = "#222222", "#d8d8d8"
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Box:
    """A filled rectangle; x and y of its upper left corner, in pixels from the upper left."""

    x: float
    y: float
    width: float
    height: float
    fill: str


@dataclass(frozen=True)
class Stroke:
    """A polyline."""

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 1.0
    dashed: bool = False


@dataclass(frozen=True)
class Label:
    """A line of text; x is its start, middle or end, y its baseline."""

    x: float
    y: float
    text: str
    anchor: str = "start"  # start, middle, end
    size: float = 12.0
    colour: str = INK
    turned: bool = False  # reads upwards


@dataclass
class Drawing:
    """What is drawn, in order, on a white sheet of width × height pixels."""

    width: float
    height: float
    title: str
    items: list[Box | Stroke | Label] = field(default_factory=list)


def svg(drawing: Drawing) -> str:
    """The drawing as an SVG document."""
    width, height = f"{drawing.width:g}", f"{drawing.height:g}"
    families = ",".join(f"'{name}'" for name in FAMILIES) + ",sans-serif"
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" xml:lang="ja" font-family="{families}">',
        f"<title>{_clean(drawing.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *map(_svg_item, drawing.items),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _svg_item(item: Box | Stroke | Label) -> str:
    if isinstance(item, Box):
        return (
            f'<rect x="{item.x:.1f}" y="{item.y:.1f}" width="{item.width:.1f}" '
            f'height="{item.height:.1f}" fill="{item.fill}"/>'
        )
    if isinstance(item, Stroke):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in item.points)
        dash = ' stroke-dasharray="6 4"' if item.dashed else ""
        return (
            f'<polyline points="{points}" fill="none" stroke="{item.colour}" '
            f'stroke-width="{item.width:g}"{dash}/>'
        )
    turn = f' transform="rotate(-90 {item.x:.1f} {item.y:.1f})"' if item.turned else ""
    return (
        f'<text x="{item.x:.1f}" y="{item.y:.1f}" font-size="{item.size:g}" '
        f'text-anchor="{item.anchor}" fill="{item.colour}"{turn}>{_clean(item.text)}</text>'
    )


def _clean(text: str) -> str:
    """The text for XML: markup escaped, characters that XML forbids shown as �."""
    return escape(NOT_XML.sub("\ufffd", text))
