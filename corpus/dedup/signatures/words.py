"""Word shingles: fugashi's short-unit words (UniDic) in place of characters.

An option for comparison with pipelines that count words; characters are the default, because they
need no dictionary, are a hundred times faster and find the same pairs (docs/benchmarks.md).
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.dedup.signatures.hashes import fmix32, premix, shingle_hashes
from corpus.dedup.signatures.normal import code_points, mask_digits, normalise_points, tables
from corpus.dedup.signatures.permute import CHUNK, TILE, permutations, sign_symbols
from corpus.settings import DedupSettings
from filters.buffers import Texts
from filters.kernels.kernel import kernel

# MeCab is slow, and once crashed, on very long sentences (HojiChar issue 83).
PIECE = 2000


@functools.cache
def _tagger() -> Any:
    import fugashi

    return fugashi.Tagger("-Owakati")


def split_words(text: str) -> list[str]:
    """Surface forms of the short-unit words of a text, line by line."""
    words: list[str] = []
    for line in text.replace("\0", " ").splitlines():
        for start in range(0, len(line), PIECE):
            words += _tagger().parse(line[start : start + PIECE]).split()
    return words


@kernel
def _word_symbols(
    points: np.ndarray, starts: np.ndarray, tables: Any, mask: Any, symbols: np.ndarray
) -> None:
    """Hash of every normalised word; `lengths` 0 where nothing of it stays."""
    scratch = np.empty(64, np.uint32)
    hashed = np.empty(1, np.uint32)
    for word in range(len(starts) - 1):
        scratch, n = normalise_points(points[starts[word] : starts[word + 1]], tables, scratch)
        if mask:
            n = mask_digits(scratch, n)
        if n == 0:
            symbols[word] = 0
            continue
        premix(scratch, n)
        shingle_hashes(scratch, 0, 1, n, hashed)
        symbols[word] = hashed[0] if hashed[0] else fmix32(np.uint32(1))


@kernel
def _sign_words(
    symbols: np.ndarray,
    starts: np.ndarray,
    ngram: Any,
    a: np.ndarray,
    b: np.ndarray,
    signatures: np.ndarray,
) -> None:
    work = np.empty(CHUNK + TILE, np.uint32)
    for doc in range(len(starts) - 1):
        own = symbols[starts[doc] : starts[doc + 1]].copy()
        sign_symbols(own, len(own), ngram, a, b, work, signatures[doc])


def word_symbols(texts: Texts, settings: DedupSettings) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the words of all texts (uint32[:]) and where each text's begin (int64[n + 1]).

    Punctuation is no word.
    """
    words: list[str] = []
    ends = [0]
    for text in texts.to_pylist():
        words += split_words(text or "")
        ends.append(len(words))
    points, starts = code_points(pa.array(words, pa.large_string()))
    symbols = np.empty(len(words), np.uint32)
    _word_symbols(points, starts, tables(), settings.mask > 0, symbols)
    kept = np.concatenate([[0], np.cumsum(symbols != 0)])
    return symbols[symbols != 0], kept[np.array(ends)]


def sign_words(texts: Texts, settings: DedupSettings) -> np.ndarray:
    """Signatures (uint32[n, num_perm]) over n-grams of words."""
    symbols, starts = word_symbols(texts, settings)
    a, b = permutations(settings.num_perm, settings.seed)
    signatures = np.empty((len(starts) - 1, settings.num_perm), np.uint32)
    _sign_words(symbols, starts, settings.ngram, a, b, signatures)
    return signatures
