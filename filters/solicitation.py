"""Pages that solicit: adult and gambling offers, quick money, keyword spam, affiliate text.

    solicitation = max(0, topic + min(topic, offer) − guard) per 100 characters

`topic` sums the weights of the different phrases of adult, gambling and money offers, `offer` those
of calls to act (register now, free, only today), `guard` those of news, medicine, law and stories
that speak of such things. An offer counts at most as much as the topic: a shop that only calls to
buy does not solicit. A text is searched a second time without the slashes, spaces and circles by
which words are hidden (無/修/正, バ カ ラ, 巨○), each circle inside a word counting as a phrase.
Phrases are found by one automaton over the bytes. What begins or ends in katakana or in a Latin
letter or digit does not stand in a longer run of such (エロ in イエロー, FX in FXAA).
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from itertools import pairwise

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from filters.kernels.kernel import columns
from filters.kernels.spec import Bytes, Floats, Offsets, Signal, number

CLASSES = ("adult", "gambling", "money", "offer", "seo", "affiliate", "translation", "guard")
ADULT, GAMBLING, MONEY, OFFER, SEO, AFFILIATE, TRANSLATION, GUARD = range(len(CLASSES))
FLOOR = 100  # characters: a shorter text is weighed as one of this length
MASK_WEIGHT, MOST_MASKS = 2, 6  # of a circle inside a word, and how many are counted

PER_CENT = "per 100 characters"
SIGNALS: tuple[Signal, ...] = (
    number("solicitation", PER_CENT, "phrases of adult, gambling and money offers, calls to act"),
    number("keyword_density", PER_CENT, "words that searches are refined by: 格安 口コミ 比較 …"),
    number("affiliate_density", PER_CENT, "different phrases of generated affiliate text"),
    number("foreign_turn_density", PER_CENT, "pronouns and turns of machine translation"),
)
column = columns(s.name for s in SIGNALS)

_CJK = "ぁ-ゖァ-ヺー一-鿿々"
_CIRCLES = "○〇●◯□*"
_MASK = re.compile(f"(?<=[{_CJK}])[{re.escape(_CIRCLES)}](?=[{_CJK}])")
_NUMERALS = frozenset("一二三四五六七八九十百千年月")  # beside them 〇 is a zero
# Both begin with a character that few texts have: a search for them is fast.
_SLASH = re.compile(f"/(?=[{_CJK}])")
_SPELLED = re.compile(f"(?<![{_CJK}])[{_CJK}](?:[ \u3000][{_CJK}]){{2,}}(?![{_CJK}])")
_SPELLED_HINT = re.compile(f"[ \u3000][{_CJK}][ \u3000][{_CJK}](?![{_CJK}])")
_SPACE = re.compile("[ \u3000]")
_EDGE = re.compile("[A-Za-z0-9ァ-ヺー]")  # what a run may go on behind


@cache
def _phrases() -> tuple[BytesAhoCorasick, list[int], list[int], list[bool]]:
    """The automaton, and of each phrase its class, weight and whether a run may go on beyond it."""
    text = resources.files("filters").joinpath("lists", "solicitation.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    words = [word for _, _, word in rows]
    return (
        BytesAhoCorasick([w.encode() for w in words], MatchKind.Standard, Implementation.DFA),
        [CLASSES.index(topic) for topic, _, _ in rows],
        [int(weight) for _, weight, _ in rows],
        [any(map(_EDGE.match, (word[0], word[-1]))) for word in words],
    )


def measure_solicitation(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] for the documents data[offsets[i]:offsets[i + 1]]."""
    for row, (first, last) in enumerate(pairwise(offsets.tolist())):
        raw = data[first:last].tobytes()
        text = raw.decode("utf-8", "ignore")
        # Words taken apart are put together; circles in words are counted.
        plain = _SLASH.sub("", text) if "/" in text else text
        if _SPELLED_HINT.search(plain):
            plain = _SPELLED.sub(lambda spelled: _SPACE.sub("", spelled.group()), plain)
        masks = MASK_WEIGHT * min(MOST_MASKS, _masks(text))
        # Weights of the different phrases, and of all their occurrences.
        distinct, total = _sums(raw if plain is text else plain.encode())
        size = max(FLOOR, len(text)) / 100
        topic = distinct[ADULT] + distinct[GAMBLING] + distinct[MONEY] + masks
        offer = min(topic, distinct[OFFER])
        out[row, column.solicitation] = max(0, topic + offer - distinct[GUARD]) / size
        out[row, column.keyword_density] = total[SEO] / size
        out[row, column.affiliate_density] = distinct[AFFILIATE] / size
        out[row, column.foreign_turn_density] = total[TRANSLATION] / size


def _masks(text: str) -> int:
    """How many circles stand inside words."""
    if not any(circle in text for circle in _CIRCLES):
        return 0
    places = (mask.start() for mask in _MASK.finditer(text))
    return sum(text[i] != "〇" or _NUMERALS.isdisjoint((text[i - 1], text[i + 1])) for i in places)


def _sums(raw: bytes) -> tuple[list[int], list[int]]:
    """By class: (sum of the weights of the different phrases, of all their occurrences)."""
    automaton, topics, weights, edged = _phrases()
    distinct, total = [0] * len(CLASSES), [0] * len(CLASSES)
    seen = set()
    for i, begin, end in automaton.find_matches_as_indexes(raw, overlapping=True):
        if edged[i] and not _stands_alone(raw, begin, end):
            continue
        total[topics[i]] += weights[i]
        if i not in seen:
            seen.add(i)
            distinct[topics[i]] += weights[i]
    return distinct, total


def _stands_alone(raw: bytes, begin: int, end: int) -> bool:
    """Whether no run of katakana, or of ASCII letters and digits, goes on beyond raw[begin:end]."""
    before, first = raw[max(0, begin - 3) : begin], raw[begin : begin + 3]
    last, after = raw[max(0, end - 3) : end], raw[end : end + 3]
    return not (
        (_is_katakana(before) and _is_katakana(first))
        or (_is_katakana(last) and _is_katakana(after))
        or (before[-1:].isalnum() and first[:1].isalnum())
        or (last[-1:].isalnum() and after[:1].isalnum())
    )


def _is_katakana(character: bytes) -> bool:
    """Is this, three bytes of UTF-8, one of ァ to ー without ・?"""
    return b"\xe3\x82\xa1" <= character <= b"\xe3\x83\xbc" and character != b"\xe3\x83\xbb"
