"""Characters and ruled lines of a page, by pdfminer: every glyph with its place.

pdfminer finds where glyphs stand, in horizontal and in vertical fonts; what they mean together is
for `layout`. Its own layout analysis is not used.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from pdfminer.pdfdevice import PDFTextDevice
from pdfminer.pdffont import PDFFont, PDFUnicodeNotDefined
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdftypes import resolve1
from pdfminer.utils import apply_matrix_pt

from corpus.text.pdf.page import MAX_CHARACTERS, MAX_RULES, Character, Rule

THIN = 3.0  # points: a filled box that is thinner is a ruled line
SHORTEST = 4.0  # points of a ruled line
_BOLD = ("bold", "heavy", "black", "-w6", "-w7", "-w8", "gothic-bbb")
# Radicals that font maps give instead of the characters that look the same (Unicode's
# EquivalentUnifiedIdeograph; those of U+2F00 are compatibility characters).
_RADICALS = dict(zip("⺟⺠⻁⻄⻑⻘⻝⻤⻨⻩⻫⻭⻯⻲⻳⺩⻖⻌⻂⺝⺅⺡⺤",
                     "母民虎西長青食鬼麦黄斉歯竜亀龟王阝辶衤月亻氵爫", strict=True))  # fmt: skip
# Fonts of the official gazette hold digits at places of other characters: 0 to 9 in this order.
_DIGIT_FONTS = ("DFHSMincho-W3G0",)
_DIGITS = ("emdash", "tilde", "trademark", "scaron", "guilsinglright",
           "oe", "c157", "c158", "Ydieresis", "c160")  # fmt: skip


_FORMS = re.compile("[\u2f00-\u2fdf\ufe10-\ufe4f\ufb00-\ufb06]")


class Overfull(ValueError):
    """A page with more on it than any page of text has."""


class Fonts(PDFResourceManager):
    """Fonts of a document; knows those whose digits stand at places of other characters."""

    def __init__(self) -> None:
        super().__init__(caching=True)
        self.digits: dict[int, dict[int, str]] = {}  # id of a font → code → digit

    def get_font(self, objid: object, spec: Any) -> PDFFont:
        font = super().get_font(objid, spec)
        name = str(getattr(font, "fontname", ""))
        if id(font) not in self.digits and any(own in name for own in _DIGIT_FONTS):
            self.digits[id(font)] = _digits(spec)
        return font


def _digits(spec: Any) -> dict[int, str]:
    """Codes of digits by the names of the font's Differences."""
    encoding = resolve1(spec.get("Encoding"))
    found, code = {}, 0
    for entry in resolve1(encoding.get("Differences", [])) if isinstance(encoding, dict) else []:
        if isinstance(entry, int):
            code = entry
            continue
        name = str(getattr(entry, "name", ""))
        if name in _DIGITS:
            found[code] = str(_DIGITS.index(name))
        code += 1
    return found


class Collector(PDFTextDevice):
    """Gathers the characters and ruled lines of one page at a time."""

    def __init__(self, fonts: Fonts) -> None:
        super().__init__(fonts)
        self.fonts = fonts
        self.characters: list[Character] = []
        self.rules: list[Rule] = []
        self.images = 0
        self.width = self.height = 0.0
        self._blank = False
        self._bold: dict[int, bool] = {}
        self._texts: dict[tuple[int, int], str | None] = {}

    def begin_page(self, page: PDFPage, ctm: Any) -> None:
        x0, y0, x1, y1 = page.mediabox
        width, height = abs(x1 - x0), abs(y1 - y0)
        turned = page.rotate in (90, 270)
        self.width, self.height = (height, width) if turned else (width, height)
        self.characters, self.rules, self.images, self._blank = [], [], 0, False

    def render_char(
        self,
        matrix: Any,
        font: PDFFont,
        fontsize: float,
        scaling: float,
        rise: float,
        cid: int,
        ncs: Any,
        graphicstate: Any,
    ) -> float:
        """Take one glyph; returns how far the next one is."""
        advance = float(font.char_width(cid)) * fontsize * scaling
        text = self._text(font, cid)
        if text is not None and text.isspace() and text != "　":
            self._blank = True
            return advance
        if font.is_vertical():
            right, down = font.char_disp(cid)  # type: ignore[misc]
            low_x = -(0.5 if right is None else right * 0.001) * fontsize
            high_y = (1000 - down) * 0.001 * fontsize + rise
            left, bottom, x, top = low_x, high_y + advance, low_x + fontsize, high_y
        else:
            bottom = font.get_descent() * fontsize + rise
            left, x, top = 0.0, advance, bottom + fontsize
        a, b, c, d, e, f = matrix
        xs = (a * left + c * bottom + e, a * x + c * top + e, a * left + c * top + e)
        ys = (b * left + d * bottom + f, b * x + d * top + f, b * left + d * top + f)
        size = abs(fontsize) * math.hypot(c, d)
        x0, x1, y0, y1 = min(xs), max(xs), self.height - max(ys), self.height - min(ys)
        # What stands outside the page is not printed.
        if 0 < (x0 + x1) / 2 < self.width and 0 < (y0 + y1) / 2 < self.height and size > 0.5:
            if len(self.characters) >= MAX_CHARACTERS:
                raise Overfull(f"more than {MAX_CHARACTERS:,} characters on a page")
            bold = self._is_bold(font)
            self.characters.append(Character(x0, y0, x1, y1, size, text or "", bold, self._blank))
            self._blank = False
        return advance

    def _text(self, font: PDFFont, cid: int) -> str | None:
        """What a glyph says; None where the font does not tell."""
        key = (id(font), cid)
        if key not in self._texts:
            digits = self.fonts.digits.get(id(font), {})
            try:
                said = digits.get(cid) or font.to_unichr(cid)
            except (PDFUnicodeNotDefined, KeyError, ValueError, OverflowError):
                said = ""
            self._texts[key] = known(said)
        return self._texts[key]

    def _is_bold(self, font: PDFFont) -> bool:
        if id(font) not in self._bold:
            name = str(getattr(font, "fontname", "")).lower()
            self._bold[id(font)] = any(mark in name for mark in _BOLD)
        return self._bold[id(font)]

    def render_image(self, name: str, stream: Any) -> None:
        self.images += 1

    def paint_path(
        self, graphicstate: Any, stroke: bool, fill: bool, evenodd: bool, path: Sequence[Any]
    ) -> None:
        """Take the straight lines of a path: strokes, and boxes so thin that they are lines."""
        if len(self.rules) >= MAX_RULES or not (stroke or fill) or len(path) > 1000:
            return
        points: list[tuple[float, float]] = []
        for segment in (*path, ("m",)):
            if segment[0] == "m" and len(points) > 1:
                self._outline(points, stroke)
            if segment[0] == "m":
                points = []
            if segment[0] == "h" and points:
                points.append(points[0])
            elif len(segment) >= 3 and self.ctm is not None:
                x, y = apply_matrix_pt(self.ctm, (segment[-2], segment[-1]))
                points.append((x, self.height - y))

    def _outline(self, points: list[tuple[float, float]], stroke: bool) -> None:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        box = (min(xs), min(ys), max(xs), max(ys))
        if min(box[2] - box[0], box[3] - box[1]) < THIN:
            self._rule(*box)
        elif stroke:
            for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
                if min(abs(x1 - x0), abs(y1 - y0)) < 1:
                    self._rule(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))

    def _rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        if max(x1 - x0, y1 - y0) >= SHORTEST:
            self.rules.append(Rule(x0, y0, x1, y1))


def known(text: str) -> str | None:
    """The text as Unicode means it: no radicals, forms of vertical writing, private characters;
    None for what is none."""
    if len(text) == 1 and ("!" <= text <= "~" or "\u3041" <= text <= "\u9fff"):
        return text
    out = []
    for char in text:
        if char in _RADICALS:
            char = _RADICALS[char]
        elif _FORMS.match(char):
            # Forms of vertical writing decompose to ASCII; what they stand for is wide.
            plain, upright = unicodedata.normalize("NFKC", char), char >= "\ufe10"
            char = "".join(
                chr(ord(c) + 0xFEE0) if upright and "!" <= c <= "~" else c for c in plain
            )
        out.append("•" if "\uf000" <= char <= "\uf0ff" else char)
    whole = "".join(c for c in out if not unicodedata.category(c).startswith("C"))
    return whole if whole and "\ufffd" not in whole else None


def collect(interpreter: PDFPageInterpreter, device: Collector, page: PDFPage) -> None:
    """Fill `device` with what the page holds."""
    interpreter.process_page(page)
