"""MinHash signatures and LSH bands: numba kernels over Arrow buffers, equal to datasketch's.

Data: a text is normalised (corpus.dedup.signatures.normal) to code points c[0..m). Its shingles are
the m - n + 1 runs of n code points, or the whole text when m < n; an empty text has none. The hash
of a shingle is MurmurHash3_x86_32 (seed 0) of its UTF-32-LE bytes. With that hash function a
signature is bit for bit `datasketch.MinHash(num_perm, seed, hashfunc=…)` of scheme affine32:

    signature[k] = min over shingles of a[k] * fmix32(hash) + b[k]  mod 2**32

uint32[num_perm]; an empty text keeps 2**32 - 1 everywhere and is never compared. Word shingles take
words for code points: a word's symbol is MurmurHash3_x86_32 of its normalised UTF-32-LE bytes.

A band is `rows` neighbouring values; its key is a 64-bit hash of them and of the band's number.
Formulas: Broder 1997; Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, chapter 3.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from corpus.dedup.signatures.hashes import murmur128
from corpus.dedup.signatures.masks import mask as mask_numbers
from corpus.dedup.signatures.normal import code_points, normalise_points, tables
from corpus.dedup.signatures.permute import CHUNK, TILE, permutations, sign_symbols
from corpus.dedup.signatures.words import sign_words
from corpus.settings import DedupSettings
from filters.buffers import Texts
from filters.kernels.kernel import kernel


@functools.cache
def params(threshold: float, num_perm: int, recall_weight: float = 0.5) -> tuple[int, int]:
    """(bands, rows) that minimise datasketch's weighted error areas at `threshold`.

    `recall_weight` is the weight of false negatives (datasketch's default: 0.5).
    """
    from datasketch.lsh import _optimal_param  # here: it brings scipy, half of a command's start

    return _optimal_param(threshold, num_perm, 1.0 - recall_weight, recall_weight)


def banding(settings: DedupSettings) -> tuple[int, int]:
    """(bands, rows) of the settings: given, or chosen; never more than num_perm values."""
    bands, rows = settings.bands, settings.rows
    if not (bands and rows):
        bands, rows = params(settings.threshold, settings.num_perm, settings.recall_weight)
    if bands * rows > settings.num_perm:
        raise ValueError(f"{bands} bands of {rows} rows need {bands * rows} permutations")
    return bands, rows


def s_curve(bands: int, rows: int, similarities: np.ndarray | None = None) -> np.ndarray:
    """Probability that a pair of Jaccard s becomes a candidate: 1 - (1 - s**rows)**bands.

    Returns float64[n, 2]: s and the probability; s = 0.05 … 1 by default.
    """
    s = np.linspace(0.05, 1.0, 20) if similarities is None else similarities
    return np.stack([s, 1.0 - (1.0 - s**rows) ** bands], axis=1)


@kernel
def _sign_texts(
    points: np.ndarray,
    starts: np.ndarray,
    tables: Any,
    mask: Any,
    ngram: Any,
    a: np.ndarray,
    b: np.ndarray,
    signatures: np.ndarray,
    exact: np.ndarray,
    lengths: np.ndarray,
) -> Any:
    work = np.empty(CHUNK + TILE, np.uint32)
    scratch = np.empty(1024, np.uint32)
    for doc in range(len(starts) - 1):
        scratch, n = normalise_points(points[starts[doc] : starts[doc + 1]], tables, scratch)
        lengths[doc] = n
        exact[doc, 0], exact[doc, 1] = murmur128(scratch, n)
        if len(signatures):
            if mask:
                n = mask_numbers(scratch, n, mask)
            sign_symbols(scratch, n, ngram, a, b, work, signatures[doc])


def sign_texts(
    texts: Texts, settings: DedupSettings, near: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(signatures uint32[n, num_perm], exact hash uint64[n, 2], normalised lengths int64[n]).

    Without `near` the signatures are skipped (shape (0, num_perm)). A text of normalised length 0
    has an all-ones signature and must not be compared.
    """
    points, starts = code_points(texts)
    n = len(starts) - 1
    characters = near and settings.shingle == "char"
    a, b = permutations(settings.num_perm, settings.seed)
    signatures = np.empty((n if characters else 0, settings.num_perm), np.uint32)
    exact = np.empty((n, 2), np.uint64)
    lengths = np.empty(n, np.int64)
    _sign_texts(
        points,
        starts,
        tables(),
        settings.mask,
        settings.ngram,
        a,
        b,
        signatures,
        exact,
        lengths,
    )
    if near and settings.shingle == "word":
        signatures = sign_words(texts, settings)
    return signatures, exact, lengths


def signatures(texts: Texts, settings: DedupSettings | None = None) -> np.ndarray:
    """MinHash signatures of the texts: uint32[n, num_perm], datasketch's values (affine32)."""
    return sign_texts(texts, settings or DedupSettings())[0]


@kernel
def _fill_band(signatures: np.ndarray, band: Any, rows: Any, keys: np.ndarray) -> Any:
    for doc in range(len(signatures)):
        key = np.uint64(band + 1) * np.uint64(0x9E3779B97F4A7C15)
        for k in range(band * rows, (band + 1) * rows):
            key = (key ^ np.uint64(signatures[doc, k])) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        key *= np.uint64(0xBF58476D1CE4E5B9)
        keys[doc] = key ^ (key >> np.uint64(32))


def band_keys(signatures: np.ndarray, band: int, rows: int) -> np.ndarray:
    """Keys (uint64[n]) of one band of signatures (uint32[n, p]): equal where the band is equal.

    key = (band + 1) * G; for each value v: key = (key ^ v) * G, key ^= key >> 29; then
    key *= 0xBF58476D1CE4E5B9, key ^= key >> 32; G = 0x9E3779B97F4A7C15, all modulo 2**64.
    """
    keys = np.empty(len(signatures), np.uint64)
    _fill_band(signatures, band, rows, keys)
    return keys


@kernel
def similarity(signatures: np.ndarray, i: Any, j: Any) -> Any:
    """Estimated Jaccard of two signatures: the share of equal values (float64)."""
    equal = 0
    for k in range(signatures.shape[1]):
        equal += signatures[i, k] == signatures[j, k]
    return equal / signatures.shape[1]


@kernel
def _similarities(
    signatures: np.ndarray, left: np.ndarray, right: np.ndarray, out: np.ndarray
) -> Any:
    for pair in range(len(left)):
        out[pair] = similarity(signatures, left[pair], right[pair])


def pair_similarity(signatures: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Estimated Jaccard (float32[m]) of documents left[k] and right[k] (int64[m] each)."""
    out = np.empty(len(left), np.float32)
    _similarities(signatures, left, right, out)
    return out
