"""The suffix array against a scan, and texts as the corpus writes them against what was given."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.index import suffixes
from corpus.index.query import _first_places, maximal
from corpus.settings import NORMALIZE_STEPS
from corpus.text.normalize import normalize
from corpus.text.places import with_places

PARTING = np.array([suffixes.PARTING], np.uint16)
# Few characters, so that much repeats: kana, pairs that share halves, what sorts at the ends.
TEXTS = st.text(st.sampled_from("ああい𠮷𠮸𝄞\U000103ff\uffffa\n\0"), max_size=40)


class Part:
    """A part in memory."""

    def __init__(self, documents: list[str]) -> None:
        parted = [a for text in documents for a in (suffixes.units_of(text), PARTING)]
        self.text = np.concatenate([np.empty(0, np.uint16), *parted])
        self.positions = suffixes.sorted_positions(self.text)
        self.width = suffixes.width_of(len(self.text))

    def longest(self, units: np.ndarray, first: int, end: int) -> int:
        return int(suffixes.longest(self.text, self.positions, self.width, units, first, end))


def scan(documents: list[str], text: str) -> int:
    return sum(
        document.startswith(text, at) for document in documents for at in range(len(document))
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), TEXTS.filter(bool))
def test_a_count_is_that_of_a_scan(documents: list[str], text: str) -> None:
    part, pieces = Part(documents), [text, text[:1], documents[0][1:3], documents[-1][:7]]
    for piece in filter(None, pieces):
        units = suffixes.units_of(piece)
        first, end = suffixes.bounds(part.text, part.positions, part.width, units)
        assert end - first == scan(documents, piece), piece
        places = _first_places(part, units, first, end, 3)  # type: ignore[arg-type]
        found = np.empty(3, np.int64)
        assert places.tolist() == found[: suffixes.scan(part.text, units, found)].tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS, st.integers(1, 5))
def test_spans_are_those_of_a_scan(documents: list[str], text: str, least: int) -> None:
    part, units = Part(documents), suffixes.units_of(text)
    ends = []
    for first in range(len(text)):
        held = [
            e for e in range(first, len(text) + 1) if e == first or scan(documents, text[first:e])
        ]
        ends.append(max(held))
    wanted = [
        (first, end)
        for first, end in enumerate(ends)
        if end - first >= least and end > max([0, *ends[:first]])
    ]
    size = (least + 1) // 2
    blocks = np.zeros(len(units) // size, np.bool_)
    suffixes.blocks(part.text, part.positions, part.width, units, size, blocks)
    assert maximal(part.longest, units, least, blocks) == wanted


@given(st.lists(TEXTS, max_size=5))
def test_a_part_gives_its_texts_back(documents: list[str]) -> None:
    assert suffixes.parted(Part(documents).text)[:-1] == documents


GIVEN = st.text(st.sampled_from("ｶﾞガがＡＡａ 　\t\r\n\n、，．。12①㍿é́𠮷漢\u200b\x07a"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(GIVEN)
def test_each_character_of_a_normal_text_has_its_place_in_the_given_one(text: str) -> None:
    normal, begins, ends = with_places(text, NORMALIZE_STEPS)
    assert normal == normalize(text, NORMALIZE_STEPS)
    assert (begins <= ends).all() and (np.diff(begins) >= 0).all() and (np.diff(ends) >= 0).all()
    assert not len(normal) or (begins[0] >= 0 and ends[-1] <= len(text))
    for character, begin, end in zip(normal, begins.tolist(), ends.tolist(), strict=True):
        if character in "漢𠮷①㍿12":
            assert character in text[begin:end] or "１２".find(text[begin:end]) >= 0


def test_half_width_kana_and_blanks_lead_back() -> None:
    text = "\u3000ﾊﾞｲﾝﾄﾞ  は\r\n\r\n Ｈｔｔｐｄ の設定"
    normal, begins, ends = with_places(text, NORMALIZE_STEPS)
    assert normal == "バインド は\nHttpd の設定"
    places = {c: text[b:e] for c, b, e in zip(normal, begins, ends, strict=True)}
    assert places["バ"] == "ﾊﾞ" and places["ド"] == "ﾄﾞ" and places["H"] == "Ｈ"
    assert places["\n"].strip() == "" and places["設"] == "設"
