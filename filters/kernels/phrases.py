"""Style from small lists of phrases: politeness, old spelling, machine translation, shop and menu.

Every list is short and closed, so one walk compares the few phrases that begin with the character
at hand. Densities are per 1,000 characters. Overlapping phrases each count.
"""

from __future__ import annotations

import numpy as np

from filters.kernels import characters as ch
from filters.kernels.classes import KANJI
from filters.kernels.kernel import columns, kernel
from filters.kernels.marks import KANA, SENTENCE_END, WHITESPACE, Marks, marks_of
from filters.kernels.phrase_lists import KYUJITAI, PHRASES, SIMPLIFIED
from filters.kernels.spec import (
    Bytes,
    Floats,
    Hashes,
    Ints,
    Offsets,
    Points,
    Scalar,
    Signal,
    number,
    share,
)

PER_MILLE = "per 1,000 characters"

SIGNALS: tuple[Signal, ...] = (
    share("polite_share", "of sentence ends", "sentences that end in です, ます and their forms"),
    share("plain_share", "of sentence ends", "sentences that end in だ, である, た, る, ない …"),
    share("particle_share", "of n_chars", "the characters の に は を が と で も"),
    share("kyujitai_share", "of kanji", "old forms such as 國 學 會 (not 舊 names alone)"),
    share("simplified_share", "of kanji", "simplified Chinese forms that Japanese does not use"),
    number("old_kana_density", PER_MILLE, "historical spelling: ゐ ゑ せう やう いふ てふ …"),
    number("classical_density", PER_MILLE, "classical endings: なり。 たり。 べし けり ざる …"),
    number("translation_density", PER_MILLE, "turns that machine translation overuses"),
    number("shop_density", PER_MILLE, "words of shops, rankings and search optimisation"),
    number("menu_density", PER_MILLE, "words of menus, forms, footers and notices"),
    number("markup_density", PER_MILLE, "left-over tags, entities, wiki markup and script"),
    number("law_density", PER_MILLE, "words of statutes: の規定 前項 施行 に掲げる …"),
    number("minutes_density", PER_MILLE, "words of sittings: 委員長 議長 ○ 君 答弁 質疑 …"),
    number(
        "dialogue_density", PER_MILLE, "lines that begin with 「, （ or a speaker's name and ："
    ),
    number("function_word_density", PER_MILLE, "から まで ので けれど について など …"),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)
CLASSES: tuple[str, ...] = (
    *("old_kana", "classical", "translation", "shop", "menu", "markup", "law", "minutes"),
    "function_word",
)
N_CLASSES = len(CLASSES)
phrase_class = columns(CLASSES)

KYU, SIMPLE, PARTICLE = 1, 2, 4  # bits of a character; the phrase group begins at bit 8
GROUP_BITS = 8
# How a sentence ends, by its last characters.
NO_STYLE, POLITE, PLAIN = range(3)
NE, YO, KA, NA, N = map(ord, "ねよかなん")  # final particles, and ん
DE, MA, SU, SHI, TA, SE, SA, II, U, DA, SMALL_YO = map(ord, "でますしたせさいうだょ")
PLAIN_ENDINGS = tuple(map(ord, "だたるいうくすつむぶぬぐずし"))
NAME = 8  # characters: a longer one before a colon is no speaker


def _build() -> tuple[Ints, Ints, Hashes, Points, Ints]:
    """(first int32[PLANE], group bounds, second characters, code points, spans).

    A group holds the phrases with one first character. Bit c mod 64 of its second characters is
    set when a phrase goes on with c, so most positions of a frequent first character end there.
    """
    first = np.zeros(ch.PLANE, np.int32)
    for characters, bit in ((KYUJITAI, KYU), (SIMPLIFIED, SIMPLE), ("のにはをがとでも", PARTICLE)):
        for character in characters:
            first[ord(character)] |= bit
    by_start: dict[int, list[tuple[str, int]]] = {}
    for index, name in enumerate(CLASSES):
        for phrase in PHRASES[name]:
            by_start.setdefault(ord(phrase[0]), []).append((phrase, index))
    bounds: list[int] = [0]
    spans: list[tuple[int, int, int]] = []
    letters: list[int] = []
    seconds: list[int] = []
    for group, (start, phrases) in enumerate(sorted(by_start.items()), 1):
        first[start] |= group << GROUP_BITS
        for phrase, index in sorted(phrases):
            spans.append((len(letters), len(phrase) - 1, index))
            letters.extend(ord(ch) for ch in phrase[1:])
        bounds.append(len(spans))
        single = any(len(phrase) == 1 for phrase, _ in phrases)
        bits = {1 << (ord(phrase[1]) % 64) for phrase, _ in phrases if len(phrase) > 1}
        seconds.append(2**64 - 1 if single else sum(bits))
    return (
        first,
        np.array(bounds, np.int32),
        np.array(seconds, np.uint64),
        np.array(letters, np.uint32),
        np.array(spans, np.int32),
    )


TABLES = _build()


@kernel
def measure_phrases(
    points: Points,
    starts: Offsets,
    marks: Marks,
    kinds: Bytes,
    first: Ints,
    bounds: Ints,
    seconds: Hashes,
    letters: Points,
    spans: Ints,
    out: Floats,
) -> None:
    """Fills out[n, N_SIGNALS]; marks MARK_TABLE, kinds CLASS_TABLE, then the five TABLES."""
    counts = np.zeros(N_CLASSES, np.int64)
    for doc in range(len(starts) - 1):
        text = points[starts[doc] : starts[doc + 1]]
        row = out[doc]
        row[:] = 0.0
        counts[:] = 0
        particles = kyu = simple = kanji = 0
        ends = polite = plain = speech = 0
        at_line_start = True
        for i in range(len(text)):
            point = text[i]
            # A line ends a sentence whose last character is kana.
            if point == ch.LINE_FEED:
                at_line_start = True
                if i > 0 and (marks_of(text[i - 1], marks) & KANA) != 0:
                    ends += 1
                    style = _style(text, i)
                    polite += style == POLITE
                    plain += style == PLAIN
                continue
            if point >= ch.PLANE:
                at_line_start = False
                continue
            # What begins at this character: speech, single forms, phrases of its group.
            if at_line_start and (marks[point] & WHITESPACE) == 0:
                speech += _speech(text, i)
                at_line_start = False
            kanji += kinds[point] == KANJI
            entry = first[point]
            if entry:
                particles += (entry & PARTICLE) != 0
                kyu += (entry & KYU) != 0
                simple += (entry & SIMPLE) != 0
                group = entry >> GROUP_BITS
                after = text[i + 1] if i + 1 < len(text) else np.uint32(0)
                if group and (seconds[group - 1] >> np.uint64(after & np.uint32(63))) & np.uint64(
                    1
                ):
                    _count_group(text, i, bounds[group - 1], bounds[group], letters, spans, counts)
            # The first of 。．！？ ends a sentence.
            if (
                (marks[point] & SENTENCE_END) != 0
                and point > ch.QUESTION
                and i > 0
                and (marks_of(text[i - 1], marks) & SENTENCE_END) == 0
            ):
                ends += 1
                style = _style(text, i)
                polite += style == POLITE
                plain += style == PLAIN
        if ends:
            row[column.polite_share] = polite / ends
            row[column.plain_share] = plain / ends
        if kanji:
            row[column.kyujitai_share] = kyu / kanji
            row[column.simplified_share] = simple / kanji
        if len(text):
            row[column.particle_share] = particles / len(text)
            scale = 1000 / len(text)
            for k in range(phrase_class.function_word):
                row[column.old_kana_density + k] = counts[k] * scale
            row[column.dialogue_density] = speech * scale
            row[column.function_word_density] = counts[phrase_class.function_word] * scale


@kernel
def _count_group(
    text: Points,
    i: Scalar,
    begin: Scalar,
    end: Scalar,
    letters: Points,
    spans: Ints,
    counts: Offsets,
) -> None:
    """Counts the phrases begin … end − 1, all of which start with text[i], that stand at i."""
    for k in range(begin, end):
        offset, rest = spans[k, 0], spans[k, 1]
        if i + rest >= len(text):
            continue
        j = 0
        while j < rest and text[i + 1 + j] == letters[offset + j]:
            j += 1
        counts[spans[k, 2]] += j == rest


@kernel
def _style(text: Points, end: Scalar) -> Scalar:
    """POLITE, PLAIN or NO_STYLE, for the sentence that ends before `end`.

    Final particles (ね よ か な わ ぞ ぜ さ) and closing brackets are stepped over first.
    """
    i = end - 1
    while i > 0 and (
        text[i] == NE
        or text[i] == YO
        or text[i] == KA
        or (text[i] == NA and text[i - 1] != N)  # でんな and the like stay; 〜なの is plain anyway
        or text[i] == ch.CLOSE_CORNER
        or text[i] == ch.WIDE_CLOSE_ROUND
        or text[i] == ch.CLOSE_ROUND
    ):
        i -= 1
    if i < 1:
        return NO_STYLE
    last, before = text[i], text[i - 1]
    third = text[i - 2] if i > 1 else np.uint32(0)
    if last == SU and (before == DE or before == MA):  # です ます
        return POLITE
    if last == TA and before == SHI and (third == DE or third == MA):  # でした ました
        return POLITE
    if last == N and before == SE and third == MA:  # ません
        return POLITE
    if last == II and before == SA and third == DA:  # ください
        return POLITE
    if last == U and before == SMALL_YO and third == SHI:  # でしょう ましょう
        return POLITE
    for ending in PLAIN_ENDINGS:
        if last == ending:
            return PLAIN
    return NO_STYLE


@kernel
def _speech(text: Points, i: Scalar) -> bool:
    """Whether the line that begins at i is speech: 「…, or a short name and a colon."""
    if text[i] == ch.OPEN_CORNER or text[i] == ch.OPEN_DOUBLE_CORNER:
        return True
    if text[i] == ch.DASH and i + 1 < len(text):
        return True
    for k in range(i + 1, min(i + NAME + 1, len(text))):
        if text[k] == ch.LINE_FEED or text[k] == ch.KUTEN:
            return False
        if text[k] == ch.WIDE_COLON or text[k] == ch.OPEN_CORNER:
            return True
    return False
