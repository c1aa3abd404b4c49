"""Character 5-gram F1 of an extracted text, and block labels from a gold text.

White space is removed first, so the score does not depend on how paragraphs are joined.
"""

from __future__ import annotations

import re

import numpy as np
from numba import njit

SIZE = 5
_BASE = 1000003
_MIX = 0x9E3779B97F4A7C15
_SPACE = re.compile(r"\s+")


def grams(text: str) -> np.ndarray:
    """Hashes (uint64) of all character 5-grams of a text without its white space."""
    text = _SPACE.sub("", text)
    if not text:
        return np.empty(0, dtype=np.uint64)
    codes = np.frombuffer(text.ljust(SIZE, "\0").encode("utf-32-le", "replace"), dtype=np.uint32)
    codes = codes.astype(np.uint64)
    last = len(codes) - SIZE + 1
    out = codes[:last].copy()
    for k in range(1, SIZE):
        out = out * np.uint64(_BASE) + codes[k : k + last]
    return out * np.uint64(_MIX)


def counted(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Distinct 5-gram hashes in order, and how often each occurs."""
    return np.unique(grams(text), return_counts=True)


def precision_recall_f1(
    found: tuple[np.ndarray, np.ndarray], gold: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float, float]:
    """Multiset precision, recall and F1 of two `counted` texts; 0 where either is empty."""
    if not len(found[0]) or not len(gold[0]):
        return 0.0, 0.0, 0.0
    _, i, j = np.intersect1d(found[0], gold[0], assume_unique=True, return_indices=True)
    common = float(np.minimum(found[1][i], gold[1][j]).sum())
    precision, recall = common / float(found[1].sum()), common / float(gold[1].sum())
    f1 = 2 * precision * recall / (precision + recall) if common else 0.0
    return precision, recall, f1


@njit(cache=True, nogil=True)
def _block_hits(
    text: np.ndarray, starts: np.ndarray, ends: np.ndarray, gold: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n = len(starts)
    total = np.zeros(n, dtype=np.int64)
    hits = np.zeros(n, dtype=np.int64)
    window = np.zeros(5, dtype=np.uint64)
    for i in range(n):
        seen = 0
        o = starts[i]
        while o < ends[i]:
            c = np.uint64(text[o])
            size = 1 if c < 0x80 else (2 if c < 0xE0 else (3 if c < 0xF0 else 4))
            code = c
            if size > 1:
                code = c & np.uint64(0x7F >> size)
                for k in range(1, size):
                    code = np.uint64(code << np.uint64(6)) | np.uint64(text[o + k] & 0x3F)
            o += size
            if code <= 32 or code == 0x3000 or code == 0xA0:
                continue
            window[:4] = window[1:]
            window[4] = code
            seen += 1
            if seen >= 5:
                key = window[0]
                for k in range(1, 5):
                    key = key * np.uint64(_BASE) + window[k]
                key = key * np.uint64(_MIX)
                total[i] += 1
                at = np.searchsorted(gold, key)
                if at < len(gold) and gold[at] == key:
                    hits[i] += 1
    return total, hits


def block_labels(
    text: np.ndarray, starts: np.ndarray, ends: np.ndarray, gold: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(share of each block's 5-grams in the gold text, its 5-grams, those found).

    A block of under five characters is 1 when the gold text contains it, else 0.
    """
    known = np.unique(grams(gold))
    total, hits = _block_hits(text, starts, ends, known)
    labels = np.zeros(len(starts), dtype=np.float32)
    long = total > 0
    labels[long] = hits[long] / total[long]
    squeezed, raw = _SPACE.sub("", gold), text.tobytes()
    for i in np.flatnonzero(~long):
        short = _SPACE.sub("", raw[starts[i] : ends[i]].decode("utf-8", "replace"))
        labels[i] = float(bool(short) and short in squeezed)
    return labels, total, hits
