"""Words as FineWeb-2 and datatrove cut Japanese: SudachiPy's short units (mode A).

The thresholds of FineWeb-2's `jpn_Jpan.yml` were set on these words, so the profiles
`fineweb2-ja-compat` and `gopher-compat` decide on them. Needs the packages `sudachipy` and
`sudachidict_core`; the dictionary's version moves single words, as it does in the original.

datatrove reaches Sudachi through spaCy, which only drops white space from the output, so spaCy is
not needed. Sudachi takes 49,149 bytes at most; datatrove cuts a text into pieces of 40,000 bytes,
and a word at a cut is two words. Both are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

import pyarrow as pa

from filters.morphemes import GOPHER_SIGNALS, STOP_WORDS, gopher_numbers
from filters.words import WordError

PREFIX = "sudachi_"
PIECE = 40_000  # bytes
STEP = 10  # characters by which datatrove lengthens a piece until it is full
ENGLISH_STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))


@cache
def tokenizer() -> Any:
    """Sudachi in mode A; WordError, one line, where it is not installed."""
    try:
        sudachipy = import_module("sudachipy")
        dictionary = sudachipy.Dictionary(dict="core")
        make = getattr(dictionary, "tokenizer", dictionary.create)  # `create` until 0.6
        return make(mode=sudachipy.SplitMode.A)
    except ImportError:
        raise WordError(
            "words as datatrove cuts them need SudachiPy, which is not installed: "
            "pip install sudachipy sudachidict_core"
        ) from None
    except Exception as error:  # the dictionary is a package of its own
        raise WordError(
            f"SudachiPy finds no dictionary ({str(error).splitlines()[0]}): "
            "pip install sudachidict_core"
        ) from None


def cut(text: str) -> list[str]:
    """The words of a text without white space, as `split_into_words(text, "ja")` of datatrove."""
    surfaces = (m.surface().strip() for p in pieces(text) for m in tokenizer().tokenize(p))
    return [surface for surface in surfaces if surface]


def pieces(text: str) -> list[str]:
    """Pieces of about PIECE bytes, cut where datatrove's `chunk_text_on_bytes` cuts."""
    if not text:
        return []
    guess = int(max(PIECE * len(text) / len(text.encode()) - STEP, 1))
    out = []
    while text:
        if _size(text[:guess]) > PIECE:
            guess = max(guess - STEP, 1)
            continue
        end, size = guess, _size(text[:guess])
        while size < PIECE and end < len(text):
            size += _size(text[end : end + STEP])
            end = min(len(text), end + STEP)
        end -= STEP if size > PIECE else 0
        out.append(text[:end])
        text = text[end:]
    return out


def _size(text: str) -> int:
    return len(text.encode())


def sudachi_numbers(texts: pa.Array) -> dict[str, pa.Array]:
    """`sudachi_n_words` … for `Profile.decide(..., extra=...)`; a null counts as an empty text."""
    rows = [_measure_one(text or "") for text in texts.to_pylist()]
    names = [*(s.name for s in GOPHER_SIGNALS), "english_stop_words"]
    kinds = [pa.int32() if s.kind == "count" else pa.float32() for s in GOPHER_SIGNALS]
    columns = zip(names, [*kinds, pa.int32()], strict=True)
    return {
        PREFIX + name: pa.array([row[i] for row in rows], pa.float64()).cast(kind, safe=False)
        for i, (name, kind) in enumerate(columns)
    }


def _measure_one(text: str) -> list[float]:
    try:
        words: Sequence[str] = cut(text)
    except WordError:
        raise
    except Exception:  # Sudachi refuses the text, where the original stops: no word at all
        words = []
    english = len(ENGLISH_STOP_WORDS.intersection(words))
    return [*gopher_numbers(text, words, STOP_WORDS), english]
