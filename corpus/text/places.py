"""A text as the corpus writes it, and where each of its characters stands in what was given.

The steps of `corpus.text.normalize` change widths, compose and drop, but never the order. So both
texts are taken apart to what stays the same (compatibility decomposition, without blanks and
controls), and these parts are laid side by side.
"""

from __future__ import annotations

import unicodedata

import numpy as np

from corpus.text.normalize import controls, normalize

AHEAD = 64  # parts of the given text that are passed over to find the next that is the same
_MARKS = str.maketrans({"、": ",", "。": "."})  # what the step `punctuation` makes of them


def with_places(text: str, steps: tuple[str, ...]) -> tuple[str, np.ndarray, np.ndarray]:
    """(normalised text, begins int64[n], ends int64[n]): character i of it comes from
    text[begins[i] : ends[i]], a blank from what stands between its neighbours.

    Both arrays ascend, and ends[i] >= begins[i].
    """
    normal = normalize(text, steps)
    given, places = _parts(text)
    own, characters = _parts(normal)
    begins = np.full(len(normal), -1, np.int64)
    ends = np.full(len(normal), -1, np.int64)
    at = 0
    for part, character in zip(own, characters, strict=True):
        found = at
        while found < min(len(given), at + AHEAD) and given[found] != part:
            found += 1
        if found == min(len(given), at + AHEAD):  # in another order: beside the one before it
            continue
        if begins[character] < 0:
            begins[character] = places[found]
        ends[character] = places[found] + 1
        at = found + 1
    # What has no part of its own lies between the characters around it.
    before, following = 0, len(text)
    for i in range(len(normal)):
        if begins[i] < 0:
            begins[i] = before
        else:
            begins[i] = max(begins[i], before)
            ends[i] = max(ends[i], begins[i])
            before = int(ends[i])
    for i in range(len(normal) - 1, -1, -1):
        if ends[i] < 0:
            ends[i] = max(following, begins[i])
        following = int(begins[i])
    return normal, begins, ends


def _parts(text: str) -> tuple[list[str], list[int]]:
    """What of a text no step changes, and the character that each part is of."""
    parts: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if character.isspace() or not controls(character):
            continue
        for part in unicodedata.normalize("NFKD", character).translate(_MARKS):
            if not part.isspace():
                parts.append(part)
                places.append(place)
    return parts, places
