"""Word statistics from fugashi and unidic-lite: the lazy group `words`.

Morphological analysis costs some forty times all other signals together, so these are measured
only for a profile that asks for them (Gopher, FineWeb-2, HojiChar). One Tagger serves a process.
MeCab fails on very long inputs, so a text is analysed in chunks of CHUNK characters.

The published pipelines cut words differently: FineWeb-2 with spaCy's Sudachi, HojiChar with
fugashi. Here it is UniDic's short units throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from filters.kernels.charsets import FINEWEB_PUNCTUATION, code_points
from filters.kernels.spec import Bytes, Floats, Ints, Offsets, Points, Signal, count, number, share
from filters.kernels.wordgrams import duplicate_characters, repeated_share, top_ngram_characters

CHUNK = 100_000  # HojiChar's max_parse_chars
RUN = 1000
NO_BREAK = re.compile(r"[^ぁ-ゖ\u3400-\u9fff\s]+")
GOPHER = "Gopher rules as coded in datatrove"
FINEWEB2 = "FineWeb-2 configs/jpn_Jpan.yml"
HOJICHAR = "HojiChar"
STOP_WORDS = frozenset("のにをはたてがとで年し・月れさ")
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

# What Gopher's rules ask, as datatrove counts it, in the order of `gopher_numbers`.
GOPHER_SIGNALS: tuple[Signal, ...] = (
    count("n_words", "words", "words that are more than punctuation", GOPHER),
    number("mean_word_length", "code points", "mean length of those words", GOPHER),
    share("alpha_word_share", "of all words", "words with a letter of any script", GOPHER),
    count("stop_words", "of 15 words", "how many of の に を は た て が と で … occur", FINEWEB2),
    number("line_breaks_per_word", "per word", "line breaks for each word", "FineWeb"),
    number("hashes_per_word", "per word", "# for each word", GOPHER),
    number("ellipses_per_word", "per word", "… and ... for each word", GOPHER),
    share("dash_line_share", "of lines", "lines that begin with • or -", GOPHER),
    share("dots_line_share", "of lines", "lines that end in … or ...", GOPHER),
    *(
        share(
            f"top_word_{n}gram_share", "of n_chars", f"characters of the top word {n}-gram", GOPHER
        )
        for n in TOP_SIZES
    ),
    *(
        share(f"dup_word_{n}gram_char_share", "of n_chars", f"in repeated word {n}-grams", GOPHER)
        for n in DUPLICATE_SIZES
    ),
)
N_PLAIN = 9  # of them come before the n-grams
SIGNALS: tuple[Signal, ...] = (
    *GOPHER_SIGNALS[:N_PLAIN],
    share("noun_share", "of words", "nouns among all words but 補助記号", HOJICHAR),
    share("dup_word_7gram_share", "of 7-grams", "word 7-grams that occur more than once", HOJICHAR),
    *GOPHER_SIGNALS[N_PLAIN:],
)
PUNCTUATION = frozenset(map(chr, code_points(FINEWEB_PUNCTUATION)))


@cache
def tagger() -> Any:
    """The Tagger of this process; its output is one line `surface TAB part of speech` a word."""
    import fugashi  # the dictionary takes a second to load: only whoever needs words waits
    import unidic_lite  # type: ignore[import-untyped]

    options = rf"-d {unidic_lite.DICDIR} -r {unidic_lite.DICDIR}/mecabrc"
    line = r"'%m\t%f[0]\n'"
    return fugashi.GenericTagger(f"-O '' {options} -F {line} -U {line} -E ''")


def analyse(text: str) -> tuple[list[str], list[str], list[int]]:
    """(surfaces, parts of speech, chunk of each word) of a text of any length."""
    surfaces: list[str] = []
    kinds: list[str] = []
    chunks: list[int] = []
    for chunk, begin in enumerate(range(0, len(text), CHUNK)):
        part = text[begin : begin + CHUNK].replace("\0", " ")
        lines = [line for piece in _pieces(part) for line in tagger().parse(piece).split("\n")]
        for line in lines:
            surface, _, kind = line.rpartition("\t")
            if surface:
                surfaces.append(surface)
                kinds.append(kind)
                chunks.append(chunk)
    return surfaces, kinds, chunks


def _pieces(text: str) -> Iterator[str]:
    """The text, cut within runs of more than RUN characters without kana, kanji or white space.

    MeCab takes time by the square of a run of digits, letters or marks: 1 MB of them, 136 s.
    """
    begin = 0
    for run in NO_BREAK.finditer(text):
        for cut in range(run.start() + RUN, run.end(), RUN):
            yield text[begin:cut]
            begin = cut
    yield text[begin:]


def measure_words(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] for the documents data[offsets[i]:offsets[i + 1]]."""
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]].tobytes().decode("utf-8", "replace")
        out[row] = _measure_one(text)


def _measure_one(text: str) -> list[float]:
    words, kinds, chunks = analyse(text)
    if not words:
        return [0.0] * len(SIGNALS)
    marks = kinds.count("補助記号")
    numbers = gopher_numbers(text, words, STOP_WORDS)
    nouns = kinds.count("名詞") / (len(words) - marks) if len(words) > marks else 0.0
    sevens = _repeated_sevens(words, chunks)
    return [*numbers[:N_PLAIN], nouns, sevens, *numbers[N_PLAIN:]]


def gopher_numbers(text: str, words: Sequence[str], stop_words: frozenset[str]) -> list[float]:
    """The values of GOPHER_SIGNALS for a text and its words; zeros for a text without words."""
    if not words:
        return [0.0] * len(GOPHER_SIGNALS)
    content = [w for w in words if not PUNCTUATION.issuperset(w)]
    lines = text.splitlines()
    return [
        len(content),
        sum(map(len, content)) / len(content) if content else 0.0,
        sum(any(c.isalpha() for c in w) for w in words) / len(words),
        len(stop_words.intersection(words)),
        text.count("\n") / len(words),
        text.count("#") / len(words),
        (text.count("...") + text.count("…")) / len(words),
        sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines),
        sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines),
        *_ngram_shares(words, len(text)),
    ]


Room = tuple[Ints, Ints]  # for wordgrams: counts int32[words + 1], first int32[4 · words + 4]


def _room(words: Sequence[str]) -> Room:
    return np.empty(len(words) + 1, np.int32), np.empty(4 * len(words) + 4, np.int32)


def _spans(words: Sequence[str], between: str) -> tuple[Points, Offsets, Offsets]:
    """(code points, begins, ends): the words joined by `between`, as wordgrams takes them."""
    points = np.frombuffer(between.join(words).encode("utf-32-le", "replace"), np.uint32)
    lengths = np.array([len(w) for w in words], np.int64)
    ends = np.cumsum(lengths + len(between)) - len(between)
    return points, ends - lengths, ends


def _ngram_shares(words: Sequence[str], length: int) -> list[float]:
    counts, first = _room(words)
    spaced, joined = _spans(words, " "), _spans(words, "")
    return [
        *(top_ngram_characters(*spaced, n, counts, first) / length for n in TOP_SIZES),
        *(duplicate_characters(*joined, n, first) / length for n in DUPLICATE_SIZES),
    ]


def _repeated_sevens(words: Sequence[str], chunks: Sequence[int]) -> float:
    counts, first = _room(words)
    share_: float = repeated_share(
        *_spans(words, " "), np.array(chunks, np.int32), 7, counts, first
    )
    return share_
