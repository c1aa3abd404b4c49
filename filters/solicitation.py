"""Pages that solicit: adult and gambling offers, quick money, keyword spam, affiliate text.

    solicitation = max(0, topic + min(topic, offer) − guard) per 100 characters

`topic` sums the weights of the different phrases of adult, gambling and money offers, `offer` those
of calls to act (register now, free, only today), `guard` those of news, medicine, law and stories
that speak of such things. An offer counts at most as much as the topic: a shop that only calls to
buy does not solicit. A text is searched a second time without the slashes, spaces and circles by
which words are hidden (無/修/正, バ カ ラ, 巨○), each circle inside a word counting as a phrase.
Phrases are found by one automaton over the bytes; they are long enough to need no analyser.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from itertools import pairwise

import numpy as np
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
_MASK = re.compile(f"(?<=[{_CJK}])[○〇●◯□*](?=[{_CJK}])")
_NUMERAL = re.compile("[一二三四五六七八九〇十百]〇|〇[一二三四五六七八九〇十百年月]|[○●◯□]{2}")
_SPLIT = re.compile(f"(?<=[{_CJK}])/(?=[{_CJK}])|(?<![{_CJK}])[{_CJK}](?:[ \u3000][{_CJK}]){{2,}}")
_SPACE = re.compile("[/ \u3000]")


@cache
def _phrases() -> tuple[BytesAhoCorasick, list[int], list[int]]:
    """The automaton, and of each phrase its class and weight."""
    text = resources.files("filters").joinpath("lists", "solicitation.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    words = [word.encode() for _, _, word in rows]
    automaton = BytesAhoCorasick(words, MatchKind.Standard, Implementation.DFA)
    return (
        automaton,
        [CLASSES.index(topic) for topic, _, _ in rows],
        [int(weight) for _, weight, _ in rows],
    )


def measure_solicitation(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] for the documents data[offsets[i]:offsets[i + 1]]."""
    for row, (first, last) in enumerate(pairwise(offsets.tolist())):
        text = data[first:last].tobytes()
        sums, times, masks = _sums(text)
        size = max(FLOOR, len(text.decode("utf-8", "ignore"))) / 100
        topic = sums[ADULT] + sums[GAMBLING] + sums[MONEY] + masks
        offer = min(topic, sums[OFFER])
        out[row, column.solicitation] = max(0.0, topic + offer - sums[GUARD]) / size
        out[row, column.keyword_density] = times[SEO] / size
        out[row, column.affiliate_density] = sums[AFFILIATE] / size
        out[row, column.foreign_turn_density] = times[TRANSLATION] / size


def _sums(raw: bytes) -> tuple[np.ndarray, np.ndarray, float]:
    """(weights of the different phrases, weights of all occurrences, weight of hidden words)."""
    automaton, topics, weights = _phrases()
    text = raw.decode("utf-8", "ignore")
    masks = 0.0
    if _MASK.search(text):
        masks = MASK_WEIGHT * min(MOST_MASKS, len(_MASK.findall(_NUMERAL.sub("", text))))
    if _SPLIT.search(text):
        raw = _SPLIT.sub(lambda split: _SPACE.sub("", split.group()), text).encode()
    found = [i for i, _, _ in automaton.find_matches_as_indexes(raw, overlapping=True)]
    sums, times = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for i in found:
        times[topics[i]] += weights[i]
    for i in set(found):
        sums[topics[i]] += weights[i]
    return sums, times, masks
