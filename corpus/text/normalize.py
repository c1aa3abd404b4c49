"""Text normalisation: named, switchable steps that keep what cannot be got back.

Plain NFKC is never applied: it turns ① into 1, ㍿ into 株式会社, ㎡ into m2, ～ into ~, and
none of that can be undone. Each step below is idempotent and so is their sequence.

    newlines         CR LF, CR, NEL, LS, PS, VT, FF become LF
    controls         C0/C1 controls, zero-width and bidi marks, U+FFFD, private use removed
    nfc              canonical composition (か + ゙ becomes が)
    halfwidth-kana   ｶﾞ becomes ガ, ｡ becomes 。
    fullwidth-ascii  Ａ and ３ become A and 3; full-width punctuation stays
    punctuation      ，． become 、。 in documents that use them as Japanese punctuation (Swallow)
    spaces           runs of blanks become one, lines are trimmed, blank lines go
    japanese-spaces  a blank behind 、。」 or between spaced-out kanji (日 本 語) goes; others stay,
                     because they separate names, list items and words written apart

Most texts need few of them: one pass over the bytes finds which.

Some characters that no text has are marks under `marks=True`, and come through every step: a line
of PART alone parts the pieces of prose of a document (`join_prose`), so that all are normalised at
once, and STAND_IN takes the place of inline code and formulas, which no step may change.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from corpus.settings import NORMALIZE_STEPS
from filters.kernels.kernel import kernel

PART, STAND_IN = "\x1e", "\x1f"
_PART = ord(PART)
MARKS = re.compile("[\x1c-\x1f]")
_NEWLINES = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\uffff\ue000-\uf8ff\ufdd0-\ufdef\ud800-\udfff\U000e0000-\U000e007f"
    "\U000f0000-\U0010ffff]"
)
_MARKLESS = re.compile(_CONTROLS.pattern.replace("\x0e-\x1f", "\x0e-\x1b", 1))  # marks stay
_HALF_KANA = re.compile("[\uff61-\uff9f]+")
_WIDE_FIRST, _TO_ASCII = 0xFF10, 0xFEE0  # ０, and how far from a full-width character to its ASCII
_IS_WIDE = np.zeros(0xFF5B - _WIDE_FIRST, np.bool_)
for _range in ("０９", "ＡＺ", "ａｚ"):
    _IS_WIDE[ord(_range[0]) - _WIDE_FIRST : ord(_range[1]) + 1 - _WIDE_FIRST] = True
_JAPANESE = (
    "\u3041-\u3096\u30a1-\u30fa\u30fc\u3005\u3007\u303b\u3400-\u9fff\uf900-\ufaff」』）】〉》"
)
# Blanks that become a space. A run of these, of spaces and of full-width spaces becomes one space;
# a single full-width space between words stays.
_RARE_BLANKS = (
    "\t\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
)
_WIDE_RUN = re.compile("[ \u3000]{2,}")
_RUN = re.compile("  +")


def newlines(text: str) -> str:
    """Line ends of every kind become LF."""
    if any(mark in text for mark in "\r\x0b\x0c\x85\u2028\u2029"):
        return _NEWLINES.sub("\n", text)
    return text


def controls(text: str) -> str:
    """Without characters that no reader sees (see the table above)."""
    return _CONTROLS.sub("", text)


def nfc(text: str) -> str:
    """Canonical composition; most texts are composed already."""
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def halfwidth_kana(text: str) -> str:
    """Runs of half-width kana as full-width ones: with their voicing marks, so by runs."""
    wide = _HALF_KANA.sub(lambda run: unicodedata.normalize("NFKC", run.group()), text)
    return text if wide == text else nfc(wide)  # the mark of かﾞ belongs to the kana before it


def fullwidth_ascii(text: str) -> str:
    """Full-width letters and digits become ASCII; punctuation stays."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    place = points - np.uint32(_WIDE_FIRST)  # beyond all for what is before
    wide = np.flatnonzero(place < len(_IS_WIDE))
    wide = wide[_IS_WIDE[place[wide]]]
    if not len(wide):
        return text
    points = points.copy()
    points[wide] -= np.uint32(_TO_ASCII)
    return nfc(points.tobytes().decode("utf-32-le", "surrogatepass"))  # accents join the letters


def punctuation(text: str) -> str:
    """Swallow's kutoten rule: per document and mark, by majority after Japanese characters.

    Source: swallow-corpus kutoten.py. After digits and Latin letters the Western mark stays.
    """
    for western, japanese in (("，", "、"), ("．", "。")):
        if western not in text:
            continue
        after = re.compile(f"(?<=[{_JAPANESE}]){western}")
        if len(after.findall(text)) > len(re.findall(f"(?<=[{_JAPANESE}]){japanese}", text)):
            text = re.sub(f"(?<![Ａ-Ｚａ-ｚ０-９A-Za-z0-9{STAND_IN}]){western}", japanese, text)
    return text


def spaces(text: str) -> str:
    """One blank between words, none at the ends of lines, no blank lines."""
    for blank in _RARE_BLANKS:
        if blank in text:
            text = text.replace(blank, " ")
    if "\u3000" in text:
        text = _WIDE_RUN.sub(" ", text)
    elif "  " in text:
        text = _RUN.sub(" ", text)
    lines = (line.strip(" \u3000") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


# Blank first, so that the search runs from blank to blank.
_AFTER_MARK = re.compile(
    f" (?:(?<=[、。」』] )(?=[{_JAPANESE}「『（【〈《])"
    f"|(?<=[、。」』）】] )(?=[A-Za-z0-9{STAND_IN}]))"
)
_KANJI = "[々\u3400-\u4dbf\u4e00-\u9fff](?<![一二三四五六七八九十月火水木金土])"
_SPACED_KANJI = re.compile(f" (?<=(?<![^ \u3000\n]){_KANJI} )(?={_KANJI}(?:[ \u3000\n]|$))")


def japanese_spaces(text: str) -> str:
    """Blanks of layout inside Japanese: 、 日本 becomes 、日本, and 日 本 語 becomes 日本語.

    Behind 、。」』）】 one before a Latin letter, a digit or inline code is layout too: 。 Apache.
    """
    if " " not in text:
        return text
    return _SPACED_KANJI.sub("", _AFTER_MARK.sub("", text))


_FUNCTIONS = (newlines, controls, nfc, halfwidth_kana, fullwidth_ascii, punctuation, spaces)
STEPS: dict[str, Callable[[str], str]] = dict(
    zip(NORMALIZE_STEPS, (*_FUNCTIONS, japanese_spaces), strict=True)
)


# What `_needed` finds, a bit each.
_HAS_CONTROL, _HAS_HALF, _HAS_FULL, _HAS_BLANK, _HAS_NEWLINE = 1, 2, 4, 8, 16
# A step does nothing when none of these bits is set. Removing a character may join two blanks.
_WHEN = {
    "newlines": _HAS_NEWLINE,
    "controls": _HAS_CONTROL,
    "halfwidth-kana": _HAS_HALF,
    "fullwidth-ascii": _HAS_FULL,
    "spaces": _HAS_BLANK | _HAS_CONTROL | _HAS_NEWLINE,
}


@kernel
def _is_empty_piece(data: np.ndarray, i: int) -> bool:
    """Whether the line that ends at i is an empty piece of `join_prose`."""
    begins = i == 0 or (i > 1 and data[i - 1] == 0x0A and data[i - 2] == _PART)
    return begins and i + 1 < len(data) and data[i + 1] == _PART


@kernel
def _needed(data: np.ndarray, marks: bool) -> int:
    """Bits of what the steps would change in UTF-8 text (surrogates passed); at least those.

    marks: U+001C to U+001F are no controls.
    """
    needs = 0
    blank = True  # the last character was one, or a line begins
    i = 0
    n = data.size
    while i < n:
        # ASCII is nearly all that matters for blanks and line ends.
        lead = data[i]
        if lead < 0x80:
            if lead == 0x20 or lead == 0x0A:
                # what a piece leaves that was emptied: no line between two parts
                empty = marks and lead == 0x0A and _is_empty_piece(data, i)
                needs |= _HAS_BLANK if blank and not empty else 0
                blank = True
            else:
                blank = False
                if lead < 0x20 and not (marks and lead >= 0x1C):
                    ends = lead == 0x0B or lead == 0x0C or lead == 0x0D
                    needs |= _HAS_BLANK if lead == 0x09 else _HAS_NEWLINE if ends else _HAS_CONTROL
                elif lead == 0x7F:
                    needs |= _HAS_CONTROL
            i += 1
            continue
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if i + size > n:
            return 31
        # Else by lead byte: C2 holds C1 controls and NBSP; E2 spaces and marks; E3 the full-width
        # space; EF full- and half-width forms; EE, ED A0–, F3– private use and surrogates.
        second = data[i + 1]
        wide = False
        if lead == 0xC2:
            if second == 0x85:
                needs |= _HAS_NEWLINE
            elif second == 0xA0:
                needs |= _HAS_BLANK
            elif second < 0xA0 or second == 0xAD:
                needs |= _HAS_CONTROL
        elif lead == 0xE2:
            third = data[i + 2]
            if second == 0x80:
                if third == 0xA8 or third == 0xA9:
                    needs |= _HAS_NEWLINE
                elif third <= 0x8A or third == 0xAF:
                    needs |= _HAS_BLANK
                elif third <= 0x8F or 0xAA <= third <= 0xAE:
                    needs |= _HAS_CONTROL
            elif second == 0x81 and third >= 0x9F:
                needs |= _HAS_BLANK | _HAS_CONTROL
        elif lead == 0xE3:
            wide = second == 0x80 and data[i + 2] == 0x80
            if wide and blank:
                needs |= _HAS_BLANK
        elif lead == 0xEF:
            third = data[i + 2]
            if second == 0xBC:
                needs |= _HAS_FULL if 0x90 <= third <= 0x99 or 0xA1 <= third <= 0xBA else 0
            elif second == 0xBD:
                needs |= _HAS_FULL if third <= 0x9A else _HAS_HALF if third >= 0xA1 else 0
            elif second == 0xBE:
                needs |= _HAS_HALF if third <= 0x9F else 0
            elif second < 0xA4 or second == 0xB7 or second == 0xBB or second == 0xBF:
                needs |= _HAS_CONTROL
        elif lead == 0xEE or (lead == 0xED and second >= 0xA0) or lead >= 0xF3:
            needs |= _HAS_CONTROL
        blank = wide
        i += size
    return needs | (_HAS_BLANK if blank and n else 0)


def normalize(text: str, steps: tuple[str, ...] = tuple(STEPS), marks: bool = False) -> str:
    """Apply the named steps in the order of STEPS.

    marks: U+001C to U+001F come through where they stand; else `controls` removes them.
    """
    needs = _needed(np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8), marks)
    for name, step in STEPS.items():
        if name in steps and (name not in _WHEN or needs & _WHEN[name]):
            text = _MARKLESS.sub("", text) if marks and step is controls else step(text)
    return text


def has_marks(text: str) -> bool:
    """Whether U+001C to U+001F stand in a text; faster than MARKS for the many without."""
    return "\x1c" in text or "\x1d" in text or "\x1e" in text or "\x1f" in text


def join_prose(pieces: Sequence[str]) -> str:
    """Pieces of prose as one text for `normalize(…, marks=True)`; they hold no PART."""
    return f"\n{PART}\n".join(pieces)


def split_prose(text: str) -> list[str]:
    """The pieces of `join_prose`, as many as they were; "" for one that was emptied."""
    return [piece.removeprefix("\n").removesuffix("\n") for piece in f"\n{text}\n".split(PART)]
