"""Style from small lists of phrases: politeness, old spelling, machine translation, shop and menu.

Every list is short and closed, so one walk compares the few phrases that begin with the character
at hand. Densities are per 1,000 characters. Overlapping phrases each count.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.classes import KANJI
from filters.kernels.kernel import kernel
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
CLASSES: tuple[str, ...] = (
    *("old_kana", "classical", "translation", "shop", "menu", "markup", "law", "minutes"),
    "function_word",
)
N_CLASSES = len(CLASSES)

KYU, SIMPLE, PARTICLE = 1, 2, 4  # bits of a character; the phrase group begins at bit 8


def _build() -> tuple[Ints, Ints, Hashes, Points, Ints]:
    """(first int32[0x10000], group bounds, second characters, code points, spans).

    A group holds the phrases with one first character. Bit c mod 64 of its second characters is
    set when a phrase goes on with c, so most positions of a frequent first character end there.
    """
    first = np.zeros(0x10000, np.int32)
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
        first[start] |= group << 8
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


FIRST, BOUNDS, SECONDS, LETTERS, SPANS = _build()


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
    """Fills out[n, N_SIGNALS]; marks MARK_TABLE, kinds CLASS_TABLE, then FIRST … SPANS."""
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
            if point == 10:
                at_line_start = True
                if i > 0 and (marks_of(text[i - 1], marks) & KANA) != 0:
                    ends += 1
                    style = _style(text, i)
                    polite += style == 1
                    plain += style == 2
                continue
            if point >= 0x10000:
                at_line_start = False
                continue
            if at_line_start and (marks[point] & WHITESPACE) == 0:
                speech += _speech(text, i)
                at_line_start = False
            kanji += kinds[point] == KANJI
            entry = first[point]
            if entry:
                particles += (entry & PARTICLE) != 0
                kyu += (entry & KYU) != 0
                simple += (entry & SIMPLE) != 0
                group = entry >> 8
                after = text[i + 1] if i + 1 < len(text) else np.uint32(0)
                if group and (seconds[group - 1] >> np.uint64(after & np.uint32(63))) & np.uint64(
                    1
                ):
                    _count_group(text, i, bounds[group - 1], bounds[group], letters, spans, counts)
            if (
                (marks[point] & SENTENCE_END) != 0
                and point > 0x3F
                and i > 0
                and (marks_of(text[i - 1], marks) & SENTENCE_END) == 0
            ):
                ends += 1
                style = _style(text, i)
                polite += style == 1
                plain += style == 2
        if ends:
            row[0] = polite / ends
            row[1] = plain / ends
        if kanji:
            row[3] = kyu / kanji
            row[4] = simple / kanji
        if len(text):
            row[2] = particles / len(text)
            scale = 1000 / len(text)
            for k in range(8):
                row[5 + k] = counts[k] * scale
            row[13] = speech * scale
            row[14] = counts[8] * scale


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
    """1 when the sentence that ends before `end` is polite, 2 when it is plain, else 0.

    Final particles (ね よ か な わ ぞ ぜ さ) and closing brackets are stepped over first.
    """
    i = end - 1
    while i > 0 and (
        text[i] == 0x306D
        or text[i] == 0x3088
        or text[i] == 0x304B
        or (
            text[i] == 0x306A and text[i - 1] != 0x3093
        )  # でんな and the like stay; 〜なの is plain anyway
        or text[i] == 0x300D
        or text[i] == 0xFF09
        or text[i] == 0x29
    ):
        i -= 1
    if i < 1:
        return 0
    a, b = text[i - 1], text[i]
    c = text[i - 2] if i > 1 else np.uint32(0)
    if b == 0x3059 and (a == 0x3067 or a == 0x307E):  # です ます
        return 1
    if b == 0x305F and a == 0x3057 and (c == 0x3067 or c == 0x307E):  # でした ました
        return 1
    if b == 0x3093 and a == 0x305B and c == 0x307E:  # ません
        return 1
    if b == 0x3044 and a == 0x3055 and c == 0x3060:  # ください
        return 1
    if b == 0x3046 and a == 0x3087 and c == 0x3057:  # でしょう ましょう
        return 1
    if b == 0x3060 or b == 0x305F or b == 0x308B or b == 0x3044:  # だ た る い
        return 2
    if b == 0x3046 or b == 0x304F or b == 0x3059 or b == 0x3064 or b == 0x3080:  # う く す つ む
        return 2
    if b == 0x3076 or b == 0x306C or b == 0x3050 or b == 0x305A or b == 0x3057:  # ぶ ぬ ぐ ず し
        return 2
    return 0


@kernel
def _speech(text: Points, i: Scalar) -> bool:
    """Whether the line that begins at i is speech: 「…, or a short name and a colon."""
    if text[i] == 0x300C or text[i] == 0x300E or (text[i] == 0x2015 and i + 1 < len(text)):
        return True
    for k in range(i + 1, min(i + 9, len(text))):
        if text[k] == 10 or text[k] == 0x3002:
            return False
        if text[k] == 0xFF1A:
            return True
        if text[k] == 0x300C:
            return True
    return False
