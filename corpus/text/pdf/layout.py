"""Characters to lines: which way they run, what is beside what, and readings beside their words.

    characters ─▶ runs (in the order of the file) ─▶ lines (by place) ─▶ readings to their words

A page is looked at along its lines: `along` runs with the writing, `across` from line to line, so
that vertical pages (downwards, right to left) and horizontal ones are the same to what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from corpus.text.lines import Line
from corpus.text.pdf.page import GETA, Character, PrintedLine, Table
from corpus.text.ruby import with_ruby

ALIKE = 1.25  # sizes of characters that may stand in one run
BESIDE = 0.35  # of a size: how far the middle of a character may be off its line
GAP = 0.7  # of a size: the widest gap inside a line before columns are known
SAME_ROW = 0.5  # of a size: pieces of one line
WORD = 0.2  # of a size: a gap that parts Latin words
READING = 0.65  # of the base's size: readings are no larger
NEAR, FAR = 0.35, 1.4  # of the base's size: how far across a reading stands from its base
UPRIGHT_RUN = 1.4  # of a size: 縦中横 is no wider
_KANA = re.compile("[ぁ-ゖァ-ヺー・ゝゞヽヾ]")
_KANJI = re.compile("[々〆〇ヶ\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORDS = re.compile("[!-~À-ɏ]")


class Glyph(NamedTuple):
    """A character along and across its line."""

    begin: float
    end: float
    top: float
    bottom: float
    size: float
    text: str
    bold: bool
    blank: bool


@dataclass
class Run:
    """Glyphs of a line, in order; across: the middle of the line."""

    glyphs: list[Glyph]
    across: float
    size: float
    readings: list[tuple[int, int, str]] = field(default_factory=list)  # first, behind last, words

    @property
    def begin(self) -> float:
        return min(g.begin for g in self.glyphs)

    @property
    def end(self) -> float:
        return max(g.end for g in self.glyphs)


def lines_of(
    characters: Sequence[Character], width: float, ruby: str, vertical: bool | None = None
) -> tuple[list[PrintedLine], bool]:
    """(the lines, in no order; whether most of the characters run downwards).

    width: of the page, points. ruby: the policy `harvest.ruby`. vertical: which way a character
    that stands alone runs; None: as most do.
    """
    level, upright, alone = _runs(characters)
    if vertical is None:
        vertical = _count(upright) > _count(level)
    (upright if vertical else level).extend([single] for single in alone)
    if vertical:
        level, upright = _upright_numbers(level, upright)
    lines = []
    for runs, down in ((level, False), (upright, True)):
        rows = _rows([[_glyph(c, down, width) for c in run] for run in runs])
        lines += [_line(run, down, width, ruby) for run in _with_readings(rows)]
    return lines, vertical


def _count(runs: Iterable[Sequence[Character]]) -> int:
    return sum(len(run) - 1 for run in runs)


def _runs(
    characters: Sequence[Character],
) -> tuple[list[list[Character]], list[list[Character]], list[Character]]:
    """(level runs, runs downwards, single characters) in the order of the file."""
    level: list[list[Character]] = []
    upright: list[list[Character]] = []
    alone: list[Character] = []
    run: list[Character] = []
    way = 0  # 1: level, 2: downwards, 0: not known yet

    def close() -> None:
        if len(run) == 1:
            alone.append(run[0])
        elif run:
            (upright if way == 2 else level).append(run)

    for character in characters:
        step = _step(run[-1], character) if run else 0
        if run and step and way in (0, step):
            run.append(character)
            way = step
        else:
            close()
            run, way = [character], 0
    close()
    return level, upright, alone


def _step(one: Character, other: Character) -> int:
    """1 if the other stands right of the one, 2 if below it, 0 if they are not of one run."""
    size = max(one.size, other.size)
    if size > ALIKE * min(one.size, other.size):
        return 0
    across = abs((one.y0 + one.y1) - (other.y0 + other.y1)) / 2
    if across < BESIDE * size and -0.5 * size < other.x0 - one.x1 < GAP * size:
        return 1 if other.x0 + other.x1 > one.x0 + one.x1 else 0
    across = abs((one.x0 + one.x1) - (other.x0 + other.x1)) / 2
    if across < BESIDE * size and -0.6 * size < other.y0 - one.y1 < GAP * size:
        return 2 if other.y0 + other.y1 > one.y0 + one.y1 else 0
    return 0


def _upright_numbers(
    level: list[list[Character]], upright: list[list[Character]]
) -> tuple[list[list[Character]], list[list[Character]]]:
    """縦中横: short level runs inside vertical text are characters of it."""
    stay = []
    for run in level:
        box = (min(c.x0 for c in run), min(c.y0 for c in run),
               max(c.x1 for c in run), max(c.y1 for c in run))  # fmt: skip
        if len(run) <= 4 and box[2] - box[0] < UPRIGHT_RUN * run[0].size:
            text = "".join(c.text for c in run)
            upright.append([run[0]._replace(x0=box[0], y0=box[1], x1=box[2], y1=box[3], text=text)])
        else:
            stay.append(run)
    return stay, upright


def _glyph(c: Character, down: bool, width: float) -> Glyph:
    if down:
        return Glyph(c.y0, c.y1, width - c.x1, width - c.x0, c.size, c.text, c.bold, c.blank)
    return Glyph(c.x0, c.x1, c.y0, c.y1, c.size, c.text, c.bold, c.blank)


def _middle(run: Sequence[Glyph]) -> float:
    return sum(g.top + g.bottom for g in run) / (2 * len(run))


def _rows(runs: list[list[Glyph]]) -> list[Run]:
    """Lines: runs on one level, from gap to gap."""
    ordered = sorted(((_middle(run), run) for run in runs), key=lambda entry: entry[0])
    rows: list[list[tuple[float, list[Glyph]]]] = []
    for across, run in ordered:
        size = run[0].size
        row = rows[-1] if rows else []
        if row and across - row[-1][0] < 0.2 * size and across - row[0][0] < BESIDE * size:
            row.append((across, run))
        else:
            rows.append([(across, run)])
    lines: list[Run] = []
    for row in rows:
        row.sort(key=lambda entry: entry[1][0].begin)
        for across, run in row:
            last = lines[-1] if lines and run is not row[0][1] else None
            size = max(run[0].size, last.size if last else 0)
            if (
                last is not None
                and -0.6 * size < run[0].begin - last.glyphs[-1].end < GAP * size
                and size < 1 / READING * min(run[0].size, last.size)
            ):
                last.glyphs.extend(run)
            else:
                lines.append(Run(list(run), across, max(g.size for g in run)))
    return lines


def _with_readings(lines: list[Run]) -> list[Run]:
    """The lines without those that are readings; these go to the words they stand beside."""
    largest = max((line.size for line in lines), default=0.0)
    stay: list[Run] = []
    small: list[Run] = []
    for line in lines:
        said = "".join(g.text for g in line.glyphs)
        kana = len(_KANA.findall(said))
        is_small = line.size <= READING * largest and 2 * kana >= len(said)
        (small if is_small else stay).append(line)
    # Larger ones first: text below a heading is small, and may have readings of its own.
    for reading in sorted(small, key=lambda line: -line.size):
        base = _base(reading, stay)
        if base is None:
            stay.append(reading)
        else:
            _attach(reading, base)
    return stay


def _base(reading: Run, lines: Sequence[Run]) -> Run | None:
    """The nearest larger line that the reading stands beside, before it across the page."""
    best, nearest = None, 0.0
    for line in lines:
        distance = line.across - reading.across
        if distance > FAR * line.size or reading.size > READING * line.size:
            continue
        shared = min(line.end, reading.end) - max(line.begin, reading.begin)
        if (
            NEAR * line.size < distance
            and 2 * shared > reading.end - reading.begin
            and (best is None or distance < nearest)
        ):
            best, nearest = line, distance
    return best


def _attach(reading: Run, base: Run) -> None:
    """Note the reading for the glyphs beside it, kanji of them if there are any."""
    begin, end = reading.begin, reading.end
    beside = [
        k
        for k, g in enumerate(base.glyphs)
        if min(g.end, end) - max(g.begin, begin) > 0.3 * (g.end - g.begin)
    ]
    kanji = [k for k in beside if _KANJI.match(base.glyphs[k].text)]
    if kanji:
        first, last = kanji[0], kanji[-1]
    elif beside:
        first, last = beside[0], beside[-1]
    else:
        return
    said = "".join(g.text for g in reading.glyphs)
    base.readings.append((first, last + 1, said))


def _line(run: Run, down: bool, width: float, ruby: str) -> PrintedLine:
    begin, end = run.begin, run.end
    top = min(g.top for g in run.glyphs)
    bottom = max(g.bottom for g in run.glyphs)
    box = (width - bottom, begin, bottom - top, end - begin) if down else (
        begin, top, end - begin, bottom - top)  # fmt: skip
    letters = [g for g in run.glyphs if not g.text.isspace()]
    bold = bool(letters) and all(g.bold for g in letters)
    return PrintedLine(Line("", *box, _text(run, ruby), 1.0, 0, down), run.size, bold)


def _text(run: Run, ruby: str) -> str:
    pieces = []
    for k, glyph in enumerate(run.glyphs):
        text = glyph.text or GETA
        if k and _parted(run.glyphs[k - 1], glyph):
            text = " " + text
        pieces.append(text)
    taken = len(pieces)
    for first, behind, reading in sorted(run.readings, reverse=True):
        if behind <= taken:  # two readings of one word: the later one
            word = "".join(pieces[first:behind])
            lead = " " if word.startswith(" ") else ""
            pieces[first:behind] = [lead + with_ruby(word.lstrip(), reading, ruby)]
            taken = first
    return "".join(pieces)


def _parted(one: Glyph, other: Glyph) -> bool:
    """Whether a blank stands between two characters: Latin words have one, Japanese has none."""
    if not (_WORDS.match(one.text[-1:]) and _WORDS.match(other.text[:1])):
        return False
    return other.blank or other.begin - one.end > WORD * other.size


def rejoined(parts: Iterable[PrintedLine | Table]) -> list[PrintedLine | Table]:
    """The parts with pieces of one line as one: they follow each other and stand on one level."""
    out: list[PrintedLine | Table] = []
    for part in parts:
        last = out[-1] if out else None
        if isinstance(part, PrintedLine) and isinstance(last, PrintedLine):
            whole = _one_line(last, part)
            if whole is not None:
                out[-1] = whole
                continue
        out.append(part)
    return out


def _one_line(one: PrintedLine, other: PrintedLine) -> PrintedLine | None:
    a, b = one.line, other.line
    if a.vertical != b.vertical or b.begin < a.end - 0.5 * one.size:
        return None
    middles = [
        (line.x + line.width / 2) if line.vertical else (line.y + line.height / 2)
        for line in (a, b)
    ]
    if abs(middles[0] - middles[1]) > SAME_ROW * min(one.size, other.size):
        return None
    left, top = min(a.x, b.x), min(a.y, b.y)
    right, bottom = max(a.x + a.width, b.x + b.width), max(a.y + a.height, b.y + b.height)
    blank = " " if a.text[-1:].isascii() and b.text[:1].isascii() else "　"
    blank = "" if b.text.startswith("　") or a.text.endswith("　") else blank
    line = a._replace(
        x=left, y=top, width=right - left, height=bottom - top, text=a.text + blank + b.text
    )
    return PrintedLine(line, max(one.size, other.size), one.bold and other.bold)
