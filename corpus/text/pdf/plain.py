"""A plain horizontal page, the fast way: the lines that PDFium finds, if nothing speaks against it.

PDFium gives text in the order of the file, a line a line. That is right for pages of one column
without tables, readings and vertical writing; whether a page is one is told from the two ends of
each line and from the kinds of objects on the page. For all other pages `plain_page` gives None.
"""

from __future__ import annotations

import ctypes
import math
import re
import unicodedata
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from corpus.text.lines import EDGE, Line
from corpus.text.pdf.characters import known
from corpus.text.pdf.page import MAX_CHARACTERS, PageText, PrintedLine

MAX_OBJECTS = 4000
FEW_PATHS = 3  # more may rule a table
LONG_PATH = 15.0  # points
WIDER = 1.3  # than its characters are: a gap in the line, so columns or cells
FEW_BESIDE = 2  # lines that share no room with the one below: more are columns
BACK = 0.3  # of a size: how far a line may begin above the one before
SMALL = 0.7  # of the largest size of a line beside it: readings, notes
# Codes of glyphs that PDFium gives as characters where a font has no map are letters of no language
# that is written in Japan.
BROKEN = re.compile("[\0\ufffd\ufffe\ue000-\uefff\u0100-\u02af]")
_SINGLE = re.compile(r"[!-~ ½¼¾±°×÷–—‘’“”…\uff61-\uff9f]")
_BLANKS = re.compile("(?<=[^!-~]) +|(?: +(?=[^!-~ ]))")
_ODD = re.compile("[\u2e80-\u2fdf\ufb00-\ufb06\ufe10-\ufe4f\uf000-\uf8ff]")


def plain_page(page: pdfium.PdfPage) -> PageText | None:
    """The page's lines, if it is plain; None if it must be read with care."""
    if page.get_rotation() or _is_drawn(page):
        return None
    text_page = page.get_textpage()
    try:
        count = text_page.count_chars()
        if not 0 < count <= MAX_CHARACTERS:
            return None
        text = text_page.get_text_range()
        if len(BROKEN.findall(text)) * 100 > len(text):
            return None
        width, height = page.get_size()
        lines = _lines(text_page.raw, text, count, height)
    finally:
        text_page.close()
    if lines is None:
        return None
    return PageText(width, height, list(lines), ordered=True)


def _is_drawn(page: pdfium.PdfPage) -> bool:
    """Whether there are paths that may rule a table, or forms that hold more objects."""
    paths = 0
    count = raw.FPDFPage_CountObjects(page.raw)
    if not 0 < count <= MAX_OBJECTS:
        return True
    for k in range(count):
        kind = raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page.raw, k))
        paths += kind == raw.FPDF_PAGEOBJ_PATH and _is_long(raw.FPDFPage_GetObject(page.raw, k))
        if kind == raw.FPDF_PAGEOBJ_FORM or paths > FEW_PATHS:
            return True
    return False


def _is_long(path: Any) -> bool:
    """Whether a path may be a ruled line: a bullet or a check mark is none."""
    sides = [ctypes.c_float() for _ in range(4)]
    if not raw.FPDFPageObj_GetBounds(path, *map(ctypes.byref, sides)):
        return True
    left, bottom, right, top = (side.value for side in sides)
    return max(right - left, top - bottom) > LONG_PATH


def _lines(text_page: Any, text: str, count: int, height: float) -> list[PrintedLine] | None:
    """The lines, or None if they are not one below the other, each as wide as its words."""
    out: list[PrintedLine] = []
    at = 0
    for words in text.split("\r\n"):
        first, behind = at, at + len(words)
        at = behind + 2
        if behind > count:  # characters beyond the BMP: places are not those of the text
            return None
        if not words.strip():
            continue
        first += len(words) - len(words.lstrip(" "))
        behind -= len(words) - len(words.rstrip(" "))
        printed = _line(text_page, words.strip(" "), first, behind - 1, height)
        if printed is None or (out and not _follows(out[-1], printed, height)):
            return None
        out.append(printed)
    # Page numbers and running heads may come first or last in the file.
    out.sort(key=lambda p: p.line.y + p.line.height / 2)
    pairs = list(zip(out, out[1:], strict=False))
    beside = sum(b.line.begin > a.line.end or a.line.begin > b.line.end for a, b in pairs)
    return out if beside <= FEW_BESIDE and all(_below(a, b) for a, b in pairs) else None


def _follows(last: PrintedLine, printed: PrintedLine, height: float) -> bool:
    """Whether the order of the file goes downwards, but for the edges of the page."""
    if _below(last, printed):
        return True
    for line in (last.line, printed.line):
        middle = (line.y + line.height / 2) / height
        if middle < EDGE or middle > 1 - EDGE:
            return True
    return False


def _line(text_page: Any, words: str, first: int, last: int, height: float) -> PrintedLine | None:
    """The line, by the boxes of its first and last character."""
    one, other = _box(text_page, first, height), _box(text_page, last, height)
    size = _size(text_page, first)
    if one is None or other is None or size < 0.5:
        return None
    level = abs((one[1] + one[3]) - (other[1] + other[3])) / 2 < 0.5 * size
    singles = len(_SINGLE.findall(words))
    estimate = size * (0.62 * singles + len(words) - singles)
    width = other[2] - one[0]
    if not level or width > WIDER * estimate + size or (len(words) > 3 and width < 0.3 * estimate):
        return None
    x, y = one[0], min(one[1], other[1])
    bottom = max(one[3], other[3])
    bold = raw.FPDFText_GetFontWeight(text_page, first) >= 600
    line = Line("", x, y, width, bottom - y, _clean(words), 1.0, 0, False)
    return PrintedLine(line, size, bold)


def _below(last: PrintedLine, printed: PrintedLine) -> bool:
    """Whether a line stands below the last one, and is not so small that it belongs to it."""
    a, b = last.line, printed.line
    if b.y + b.height / 2 < a.y + a.height * (1 - BACK):
        return False
    near = b.y - (a.y + a.height) < 0.5 * max(last.size, printed.size)
    return not (near and min(last.size, printed.size) < SMALL * max(last.size, printed.size))


def _box(text_page: Any, index: int, height: float) -> tuple[float, float, float, float] | None:
    """(left, top, right, bottom) of a character, its whole body, from the top of the page."""
    box = raw.FS_RECTF()
    if not raw.FPDFText_GetLooseCharBox(text_page, index, ctypes.byref(box)):
        return None
    return box.left, height - box.top, box.right, height - box.bottom


def _size(text_page: Any, index: int) -> float:
    matrix = raw.FS_MATRIX()
    if not raw.FPDFText_GetMatrix(text_page, index, ctypes.byref(matrix)):
        return 0.0
    size = raw.FPDFText_GetFontSize(text_page, index)
    return float(abs(size) * math.hypot(matrix.c, matrix.d))


def _clean(words: str) -> str:
    """The line without blanks beside Japanese characters, with the characters that are meant."""
    if _ODD.search(words):
        words = "".join(known(c) or "" if _ODD.match(c) else c for c in words)
    words = "".join(c for c in words if c >= " " and unicodedata.category(c) != "Cc")
    return _BLANKS.sub("", words)
