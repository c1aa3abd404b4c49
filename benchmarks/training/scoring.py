"""Character 5-gram F1 of an extracted text, and block labels from a gold text.

White space is removed first, so the score does not depend on how paragraphs are joined.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from filters.kernels.kernel import kernel

SIZE = 5
NEAR = 4  # blocks on either side that say whether a repeated 5-gram belongs to the gold text
_BASE = 1000003
_MIX = 0x9E3779B97F4A7C15
_SPACE = re.compile(r"\s+")
# Marks that a Markdown writer adds and a gold text may lack, and characters written in two forms.
_MARKDOWN = re.compile(
    r"(?m)^[ \t>]*(?:```.*|~~~.*|[-|: \t]+)$|^[ \t>]*(?:[-*+•・]|\d{1,3}[.)])[ \t]+|[#|`*\\]"
)
_FOLDED = str.maketrans(
    {c: to for forms, to in (("‐‑‒–—―−─", "-"), ("“”„〝〟", '"'), ("‘’‛", "'")) for c in forms}
    | {"、": ",", "。": ".", "〜": "~"}
)


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


def folded(text: str) -> str:
    """A text as it is scored: NFKC, one form of dashes, quotes and stops, no Markdown signs."""
    return _MARKDOWN.sub("", unicodedata.normalize("NFKC", text)).translate(_FOLDED)


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


@kernel
def matched(
    text: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    order: np.ndarray,
    joined: bool,
    gold: np.ndarray,
    left: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """5-grams of the blocks named in `order`, and those found in the gold text: int64 [n] each.

    `gold` is its sorted distinct hashes, `left` how many of each may still be matched (changed).
    `joined` lets 5-grams run from one block into the next, as in a text made of these blocks.
    """
    total = np.zeros(len(starts), dtype=np.int64)
    hits = np.zeros(len(starts), dtype=np.int64)
    window = np.zeros(5, dtype=np.uint64)
    seen = 0
    for i in order:
        if not joined:
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
                if at < len(gold) and gold[at] == key and left[at] > 0:
                    left[at] -= 1
                    hits[i] += 1
    return total, hits


def block_labels(
    text: np.ndarray, starts: np.ndarray, ends: np.ndarray, weights: np.ndarray, gold: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far each block is the gold text's: the mean of two shares of its 5-grams.

    The first share counts the 5-grams that occur in the gold text, the second at most as often as
    they occur there, blocks amid gold text first: a teaser that repeats the article or a label
    between posts is half content. (Either share alone trained a worse model.)
    A block of under five characters is 1 when the gold text contains it; half without neighbours.
    `weights` says how much a block counts among its neighbours. Returns the labels (float32 [n]),
    the blocks' 5-grams and those of the first share (int64 [n]).
    """
    n = len(starts)
    known, counts = counted(gold)
    everywhere = np.full(len(known), np.iinfo(np.int64).max)
    total, hits = matched(text, starts, ends, np.arange(n), False, known, everywhere)
    labels = (hits / np.maximum(total, 1)).astype(np.float32)
    long = total > 0
    squeezed, raw = _SPACE.sub("", gold), text.tobytes()
    for i in np.flatnonzero(~long):
        short = _SPACE.sub("", raw[starts[i] : ends[i]].decode("utf-8", "replace"))
        labels[i] = float(bool(short) and short in squeezed)
    size = np.sqrt(weights.astype(np.float64))
    sums, inside = np.cumsum(np.r_[0, size]), np.cumsum(np.r_[0, size * labels])
    lo, hi = np.maximum(np.arange(n) - NEAR, 0), np.minimum(np.arange(n) + NEAR + 1, n)
    near = (inside[hi] - inside[lo]) / np.maximum(sums[hi] - sums[lo], 1e-9)
    order = np.argsort(-near, kind="stable")
    fewer = matched(text, starts, ends, order, False, known, counts.copy())[1]
    limited = np.where(long, fewer / np.maximum(total, 1), labels * (near > 0.5)).astype(np.float32)
    return (labels + limited) / np.float32(2), total, hits
