"""Word statistics from fugashi and unidic-lite: the lazy group `words`.

Morphological analysis costs some forty times all other signals together, so these are measured
only for a profile that asks for them (Gopher, FineWeb-2, HojiChar). One Tagger serves a process.
MeCab fails on very long inputs, so a text is analysed in chunks of CHUNK characters.

The published pipelines cut words differently: FineWeb-2 with spaCy's Sudachi, HojiChar with
fugashi. Here it is UniDic's short units throughout.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .kernels.charsets import FINEWEB_PUNCTUATION, code_points
from .kernels.spec import Bytes, Floats, Offsets, Signal, count, number, share
from .kernels.wordgrams import duplicate_characters, repeated_share, top_ngram_characters

CHUNK = 100_000  # HojiChar's max_parse_chars
GOPHER = "Gopher rules as coded in datatrove"
FINEWEB2 = "FineWeb-2 configs/jpn_Jpan.yml"
HOJICHAR = "HojiChar"
STOP_WORDS = frozenset("のにをはたてがとで年し・月れさ")
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

SIGNALS: tuple[Signal, ...] = (
    count("n_words", "words", "words that are more than punctuation", GOPHER),
    number("mean_word_length", "code points", "mean length of those words", GOPHER),
    share("alpha_word_share", "of all words", "words with a letter of any script", GOPHER),
    count("stop_words", "of 15 words", "how many of の に を は た て が と で … occur", FINEWEB2),
    number("line_breaks_per_word", "per word", "line breaks for each word", "FineWeb"),
    number("hashes_per_word", "per word", "# for each word", GOPHER),
    number("ellipses_per_word", "per word", "… and ... for each word", GOPHER),
    share("dash_line_share", "of lines", "lines that begin with • or -", GOPHER),
    share("dots_line_share", "of lines", "lines that end in … or ...", GOPHER),
    share("noun_share", "of words", "nouns among all words but 補助記号", HOJICHAR),
    share("dup_word_7gram_share", "of 7-grams", "word 7-grams that occur more than once", HOJICHAR),
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
        lines = tagger().parse(text[begin : begin + CHUNK].replace("\0", " ")).split("\n")
        for line in lines:
            surface, _, kind = line.rpartition("\t")
            if surface:
                surfaces.append(surface)
                kinds.append(kind)
                chunks.append(chunk)
    return surfaces, kinds, chunks


def measure_words(data: Bytes, offsets: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] for the documents data[offsets[i]:offsets[i + 1]]."""
    for row in range(len(offsets) - 1):
        text = data[offsets[row] : offsets[row + 1]].tobytes().decode("utf-8", "replace")
        out[row] = _measure_one(text)


def _measure_one(text: str) -> list[float]:
    words, kinds, chunks = analyse(text)
    if not words:
        return [0.0] * len(SIGNALS)
    content = [w for w in words if not PUNCTUATION.issuperset(w)]
    lines = text.splitlines()
    marks = kinds.count("補助記号")
    return [
        len(content),
        sum(map(len, content)) / len(content) if content else 0.0,
        sum(any(c.isalpha() for c in w) for w in words) / len(words),
        len(STOP_WORDS.intersection(words)),
        text.count("\n") / len(words),
        text.count("#") / len(words),
        (text.count("...") + text.count("…")) / len(words),
        sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines),
        sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines),
        kinds.count("名詞") / (len(words) - marks) if len(words) > marks else 0.0,
        *_ngram_shares(words, chunks, len(text)),
    ]


def _ngram_shares(words: list[str], chunks: list[int], length: int) -> list[float]:
    lengths = np.array([len(w) for w in words], np.int64)
    joined = np.frombuffer("".join(words).encode("utf-32-le", "replace"), np.uint32)
    spaced = np.frombuffer(" ".join(words).encode("utf-32-le", "replace"), np.uint32)
    ends = np.cumsum(lengths)
    begins = ends - lengths
    shift = np.arange(len(words))
    counts = np.empty(len(words) + 1, np.int32)
    first = np.empty(4 * len(words) + 4, np.int32)
    chunk_of = np.array(chunks, np.int32)
    spans = (spaced, begins + shift, ends + shift)
    return [
        repeated_share(*spans, chunk_of, 7, counts, first),
        *(top_ngram_characters(*spans, n, counts, first) / length for n in TOP_SIZES),
        *(duplicate_characters(joined, begins, ends, n, first) / length for n in DUPLICATE_SIZES),
    ]
