"""Settings of deduplication, the section [dedup] of a build's TOML."""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("near", "exact", "url", "none")
SHINGLES = ("char", "word")
VERIFY = ("exact", "estimate", "none")
KEEP = ("best", "first", "longest", "newest")
KEEP_KEYS = ("source", "rights", "quality", "length", "date", "captured", "order", "id")

# Signals are read as `quality.<name>`; a larger value is a better document.
NO_QUALITY = ""


@dataclass(frozen=True)
class DedupSettings:
    """What counts as a duplicate and which copy stays.

    `threshold` 0.8 of the Jaccard similarity of character 5-grams is the value of FineWeb's
    near-duplicates (14 bands of 8 rows find 92 % of the pairs at 0.8) and of most published
    pipelines, so results compare.

    `recall_weight` is datasketch's weight of a false negative in choosing bands and rows. A false
    candidate costs one comparison of signatures, a missed one stays in the corpus, so misses weigh
    more: 0.95 gives 16 bands of 8 rows at 128 permutations, which make 94.7 % of the pairs at 0.8
    candidates and 99.4 % of those at 0.85. `bands` and `rows` above 0 override the choice.
    """

    mode: str = "near"  # near (and exact), exact, url, or none
    url: bool = False  # also one document per canonical URL, beside near or exact
    shingle: str = "char"  # char: n-grams of characters; word: of fugashi's short-unit words
    ngram: int = 5
    num_perm: int = 128
    threshold: float = 0.8
    recall_weight: float = 0.95
    bands: int = 0
    rows: int = 0
    seed: int = 1
    verify: str = "exact"  # exact (by the texts, near the threshold), estimate, none (LSH)
    mask_digits: bool = False  # a run of digits counts as one 0: dates, prices, counters
    keep: str = "best"  # best: the order below; or first, longest, newest
    keep_order: tuple[str, ...] = ("source", "rights", "quality", "length", "date", "id")
    keep_n: int = 1  # copies kept of a cluster
    sources: tuple[str, ...] = ()  # source names, best first, for the key `source`
    quality: str = NO_QUALITY  # the signal that the key `quality` compares; empty: none

    def __post_init__(self) -> None:
        """Refuse what cannot work, with a ValueError of one line."""
        _choice("mode", self.mode, MODES)
        _choice("shingle", self.shingle, SHINGLES)
        _choice("verify", self.verify, VERIFY)
        _choice("keep", self.keep, KEEP)
        for key in self.keep_order:
            _choice("keep_order", key, KEEP_KEYS)
        if not 1 <= self.ngram <= 64:
            raise ValueError("ngram must lie in 1 to 64")
        if not 2 <= self.num_perm <= 4096:
            raise ValueError("num_perm must lie in 2 to 4096")
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError("threshold is a Jaccard similarity: above 0, at most 1")
        if not 0.0 < self.recall_weight < 1.0:
            raise ValueError("recall_weight must lie between 0 and 1")
        if not 0 <= self.seed < 2**32:
            raise ValueError("seed must lie in 0 to 2**32 - 1")
        if self.keep_n < 1:
            raise ValueError("keep_n must be at least 1")
        if self.bands < 0 or self.rows < 0:
            raise ValueError("bands and rows must not be negative (0: chosen from threshold)")


def _choice(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is none of {', '.join(known)}")
