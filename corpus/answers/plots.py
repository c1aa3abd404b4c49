"""Plots without a plotting library: a drawing of lines, boxes and texts, written as SVG or PNG.

The SVG is written by hand and needs nothing; it names Japanese font families and leaves the choice
to the viewer. The PNG is painted by matplotlib where that is installed (`pip install '.[plot]'`),
in the Japanese fonts found there. Same drawing (and fonts), same bytes.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from corpus.folder import commit

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

    def text(self) -> str:
        """All characters of the labels."""
        return "".join(item.text for item in self.items if isinstance(item, Label))


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


def save(drawing: Drawing, stem: Path) -> tuple[list[Path], str]:
    """(files, note): writes `stem`.svg, and `stem`.png where matplotlib is installed.

    The note is one line about what is missing, empty where nothing is.
    """
    image = stem.with_name(f"{stem.name}.svg")
    commit.commit_bytes(image, svg(drawing).encode())
    if importlib.util.find_spec("matplotlib") is None:
        return [image], "no PNG: matplotlib is not installed (pip install '.[plot]')"
    paint = stem.with_name(f"{stem.name}.png")
    note = _paint(drawing, paint)
    return [image, paint], note


def _paint(drawing: Drawing, path: Path) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    missing = _lacking(frozenset(NOT_XML.sub("\ufffd", drawing.text())))
    figure = Figure(figsize=(drawing.width / 100, drawing.height / 100), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    for item in drawing.items:
        _paint_item(axes, item)

    def write(file: Any) -> None:
        with warnings.catch_warnings():  # one note of ours instead of one a glyph
            warnings.filterwarnings("ignore", message="Glyph .* missing")
            figure.savefig(file, format="png", metadata={"Software": None})

    commit.commit(path, write)
    if missing:
        return (
            f"PNG: no installed font has {missing[0]!r}: pip install matplotlib-fontja, or install "
            "Noto Sans CJK JP; the SVG is complete"
        )
    return ""


def _paint_item(axes: Any, item: Box | Stroke | Label) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    points_per_pixel = 72 / 100
    if isinstance(item, Box):
        corner = (item.x, item.y)
        axes.add_patch(Rectangle(corner, item.width, item.height, color=item.fill, linewidth=0))
    elif isinstance(item, Stroke):
        xs, ys = zip(*item.points, strict=True)
        style: Any = (0, (6, 4)) if item.dashed else "solid"
        width = item.width * points_per_pixel
        axes.add_line(Line2D(xs, ys, color=item.colour, linewidth=width, linestyle=style))
    else:
        sides = {"start": "left", "middle": "center", "end": "right"}
        properties = FontProperties(family=list(_families()), size=item.size * points_per_pixel)
        turn = 90 if item.turned else 0
        if item.turned:  # its baseline stands upright, so the two alignments change places
            sides = {"start": "bottom", "middle": "center", "end": "top"}
        aligned = ("right", sides[item.anchor]) if turn else (sides[item.anchor], "baseline")
        axes.text(
            item.x, item.y, NOT_XML.sub("\ufffd", item.text), color=item.colour, rotation=turn,
            ha=aligned[0], va=aligned[1], fontproperties=properties, parse_math=False,
        )  # fmt: skip


@functools.lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """Installed Japanese families, best first, then matplotlib's own: a glyph falls through."""
    from matplotlib import font_manager

    package = importlib.util.find_spec("matplotlib_fontja")  # found, not imported: it sets fonts
    if package and package.origin:
        shipped = Path(package.origin).parent / "fonts" / "ipaexg.ttf"
        if shipped.is_file():
            font_manager.fontManager.addfont(str(shipped))
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return (*(name for name in FAMILIES if name in installed), "DejaVu Sans")


def _lacking(characters: frozenset[str]) -> list[str]:
    """The characters that no family of `_families` has."""
    from matplotlib import font_manager

    left = {c for c in characters if not c.isspace()}
    for family in _families():
        known = font_manager.get_font(font_manager.findfont(family)).get_charmap()
        left = {c for c in left if ord(c) not in known}
    return sorted(left)
