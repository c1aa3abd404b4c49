"""Words that label a text: harmful words with topic and severity, and words of advertising.

All words are found in one pass of an Aho-Corasick automaton over the UTF-8 bytes. A hit counts only
as a word of its own: katakana never inside a longer run of katakana, and otherwise at the
boundaries that the morphological analyser sets in the sentence around it. So words inside
アスパラガス, リュックサック and セックスレスの相談 are no hits. A hit is a label, never a
deletion: text about crime, medicine or discrimination uses these words too.

The public lists are not copied here. `hojichar_counts`, `llmjp_counts` and `ldnoobw_counts` of
`published_words` read them where the user has them, and count exactly as those projects do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from filters.kernels.kernel import columns
from filters.kernels.spec import Bytes, Floats, Offsets, Signal, count, share
from filters.morphemes import analyse

TOPICS = ("adult", "discrimination", "violence", "drugs", "gambling", "crime", "self-harm", "ads")
WINDOW = 60  # bytes of context that the analyser sees on each side of a hit, about 20 characters

SIGNALS: tuple[Signal, ...] = (
    count("harmful_words", "matches", "words of every harmful topic"),
    count("harmful_severity", "1–3", "highest severity among them, 0 without any"),
    share("harmful_share", "of UTF-8 bytes", "bytes of those words"),
    count("adult_words", "matches", "adult words"),
    count("adult_types", "distinct words", "different adult words"),
    count("discrimination_words", "matches", "discriminating words"),
    count("discrimination_types", "distinct words", "different discriminating words"),
    count("violence_words", "matches", "words of violence and threat"),
    count("ad_words", "matches", "words of shops, job offers and campaigns"),
)
column = columns(s.name for s in SIGNALS)


@dataclass(frozen=True)
class Word:
    text: str
    topic: str
    severity: int


@dataclass(frozen=True)
class Hit:
    """One found word: document number, byte span within that document, and which word."""

    document: int
    begin: int
    end: int
    word: Word


class WordError(ValueError):
    """A word list that cannot be read: one line that says which file and line."""


@dataclass(frozen=True, eq=False)
class WordList:
    """Words and the automaton that finds them."""

    words: tuple[Word, ...]
    automaton: BytesAhoCorasick

    @staticmethod
    def of(words: Iterable[Word]) -> WordList:
        """A list that matches the longest word at each place."""
        kept = tuple(dict.fromkeys(words))
        patterns = [w.text.encode() for w in kept]
        kind = MatchKind.LeftmostLongest
        return WordList(kept, BytesAhoCorasick(patterns, kind, Implementation.DFA))

    def find(self, data: Bytes, offsets: Offsets) -> list[Hit]:
        """Hits in the documents data[offsets[i]:offsets[i + 1]], in order, at word boundaries."""
        hits = []
        for document, begin, end, index in self._candidates(data, offsets):
            if is_word(data[offsets[document] : offsets[document + 1]], begin, end):
                hits.append(Hit(document, begin, end, self.words[index]))
        return hits

    def _candidates(self, data: Bytes, offsets: Offsets) -> Iterable[tuple[int, int, int, int]]:
        """(document, begin, end, word) of every match, byte positions in the document."""
        bounds = offsets.tolist()
        for document, (first, last) in enumerate(pairwise(bounds)):
            text = data[first:last]
            for index, begin, end in self.automaton.find_matches_as_indexes(text.data):
                yield document, begin, end, index


def load(path: Path | None = None) -> WordList:
    """Inaho's list, or a file of the same form: topic TAB severity TAB word, # begins a comment.

    Raises WordError for a line of another form, an unknown topic or a severity outside 1–3.
    """
    if path is None:
        return _own()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WordError(f"word list {path}: {error}") from None
    return WordList.of(_parse(text, str(path)))


@cache
def _own() -> WordList:
    text = resources.files("filters").joinpath("lists", "words.tsv").read_text(encoding="utf-8")
    return WordList.of(_parse(text, "lists/words.tsv"))


def _parse(text: str, where: str) -> list[Word]:
    words = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 3 or parts[0] not in TOPICS or parts[1] not in ("1", "2", "3"):
            raise WordError(
                f"word list {where}, line {number}: expected topic, severity 1–3 and word, "
                f"separated by tabs; topics are {', '.join(TOPICS)}"
            )
        words.append(Word(parts[2], parts[0], int(parts[1])))
    return words


def is_word(text: Bytes, begin: int, end: int) -> bool:
    """Whether text[begin:end], UTF-8 bytes of one document, stands there as a word of its own."""
    before = _last_character(text[max(0, begin - 4) : begin])
    after = _first_character(text[end : end + 4])
    first = _first_character(text[begin : begin + 4])
    last = _last_character(text[max(begin, end - 4) : end])
    for inside, outside in ((first, before), (last, after)):
        if _is_katakana(inside) and (_is_katakana(outside) or outside == "ー"):
            return False
        if inside.isascii() and inside.isalnum() and outside.isascii() and outside.isalnum():
            return False
    window_begin, window_end = max(0, begin - WINDOW), min(len(text), end + WINDOW)
    left = text[window_begin:begin].tobytes().decode("utf-8", "ignore").rpartition("\n")[2]
    word = text[begin:end].tobytes().decode("utf-8", "ignore")
    right = text[end:window_end].tobytes().decode("utf-8", "ignore").partition("\n")[0]
    return at_boundaries(left, word, right)


def at_boundaries(left: str, word: str, right: str) -> bool:
    """Whether the analyser sets a boundary before and after `word` in left + word + right."""
    sentence = left + word + right
    begin, end = len(left), len(left) + len(word)
    position = 0
    starts = {0, len(sentence)}
    for surface in analyse(sentence)[0]:
        position = sentence.find(surface, position)
        if position < 0:
            return True  # white space was rewritten: rather a label too many
        starts.add(position)
        position += len(surface)
        starts.add(position)
    return begin in starts and end in starts


def _is_katakana(character: str) -> bool:
    return "ァ" <= character <= "ヿ" and character != "・"


def _first_character(piece: Bytes) -> str:
    return piece.tobytes().decode("utf-8", "ignore")[:1]


def _last_character(piece: Bytes) -> str:
    return piece.tobytes().decode("utf-8", "ignore")[-1:]


def measure_harm(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] with the counts of Inaho's list."""
    out[:] = 0.0
    types: set[tuple[int, str]] = set()
    for hit in _own().find(data, offsets):
        row, topic = out[hit.document], hit.word.topic
        if topic == "ads":
            row[column.ad_words] += 1
            continue
        row[column.harmful_words] += 1
        row[column.harmful_severity] = max(row[column.harmful_severity], hit.word.severity)
        row[column.harmful_share] += hit.end - hit.begin
        new = (hit.document, hit.word.text) not in types
        types.add((hit.document, hit.word.text))
        if topic == "adult":
            row[column.adult_words] += 1
            row[column.adult_types] += new
        elif topic == "discrimination":
            row[column.discrimination_words] += 1
            row[column.discrimination_types] += new
        elif topic == "violence":
            row[column.violence_words] += 1
    sizes, harmful = np.diff(offsets), out[:, column.harmful_share]
    np.divide(harmful, sizes, out=harmful, where=sizes > 0)
