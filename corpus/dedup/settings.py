"""Settings of deduplication, the section [dedup] of a build's TOML."""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("near", "exact", "url", "none")
SHINGLES = ("char", "word")
VERIFY = ("exact", "estimate", "none")
KEEP = ("best", "first", "longest", "newest")
PARAGRAPH = ("none", "host", "corpus")
PARAGRAPH_MATCH = ("exact", "near")
PARAGRAPH_RULES = ("count", "remove", "weight")
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
    mask_dates: bool = False  # numbers before 年月日時分秒, 漢数字 too; era names and weekdays go
    mask_prices: bool = False  # numbers before 円, ドル, ユーロ, 元, ウォン
    keep: str = "best"  # best: the order below; or first, longest, newest
    keep_order: tuple[str, ...] = ("source", "rights", "quality", "length", "date", "id")
    keep_n: int = 1  # copies kept of a cluster
    sources: tuple[str, ...] = ()  # source names, best first, for the key `source`
    quality: str = NO_QUALITY  # the signal that the key `quality` compares; empty: none
    rehydrate: str = "none"  # column `weight` by cluster size: none, fineweb2 or 1:1,2:2,100:8
    against: str = ""  # folder of an index of earlier crawls (corpus dedup --against)
    generation: int = 0  # so many segments of that index count; 0: all there are
    paragraph: str = "none"  # paragraphs frequent within their host, or over the corpus
    paragraph_match: str = "near"  # near: also with every run of digits masked; exact
    paragraph_least: int = 10  # frequent: in so many documents
    paragraph_rule: str = "remove"  # remove them, weight (1 / count), or only count
    substring: int = 0  # cut passages of so many letters that an earlier document has; 0: none
    memory_mib: int = 4096  # of signatures and texts held in memory; more is mapped or refused

    @property
    def mask(self) -> int:
        """The masks as flags of corpus.dedup.signatures.masks."""
        return self.mask_digits + 2 * self.mask_dates + 4 * self.mask_prices

    def __post_init__(self) -> None:
        """Refuse what cannot work, with a ValueError of one line."""
        if self.shingle == "word" and (self.mask_dates or self.mask_prices):
            raise ValueError("mask_dates and mask_prices need shingle = char; words: mask_digits")
        _choice("mode", self.mode, MODES)
        _choice("shingle", self.shingle, SHINGLES)
        _choice("verify", self.verify, VERIFY)
        _choice("keep", self.keep, KEEP)
        _choice("paragraph", self.paragraph, PARAGRAPH)
        _choice("paragraph_match", self.paragraph_match, PARAGRAPH_MATCH)
        _choice("paragraph_rule", self.paragraph_rule, PARAGRAPH_RULES)
        parse_table(self.rehydrate)
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
        if self.paragraph_least < 2 or self.generation < 0 or self.memory_mib < 1:
            raise ValueError("paragraph_least is at least 2, memory_mib 1, generation 0")
        if self.substring and self.substring < 20:
            raise ValueError("substring must be at least 20 letters (0: off)")
        if self.keep_n < 1:
            raise ValueError("keep_n must be at least 1")
        if self.bands < 0 or self.rows < 0:
            raise ValueError("bands and rows must not be negative (0: chosen from threshold)")


@dataclass(frozen=True)
class DecontaminateSettings:
    """Evaluation sets whose items no selected document may hold."""

    sets: tuple[str, ...] = ()  # files and folders: JSON, JSON lines, CSV, Parquet
    action: str = "remove"  # remove the document, or only mark it in the ledger
    threshold: float = 0.6  # share of an item's n-grams, by weight, that a document holds
    ngram: int = 8  # characters

    def __post_init__(self) -> None:
        _choice("action", self.action, ("remove", "mark"))
        if not 0.0 < self.threshold <= 1.0 or not 4 <= self.ngram <= 64:
            raise ValueError("threshold lies in 0 to 1, ngram in 4 to 64")


# Least cluster size → weight of the kept copy. `fineweb2`: README of huggingface/fineweb-2
# ("promising", not tuned; a thousand copies or more are taken for boilerplate).
REHYDRATION: dict[str, dict[int, int]] = {
    "none": {1: 1},
    "fineweb2": {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1},
}


def parse_table(text: str) -> dict[int, int]:
    """A preset by its name, or a table written `1:1,2:2,100:8`; ValueError for anything else.

    Keys are least cluster sizes, the first being 1; values repetitions, 0 or more.
    """
    if text in REHYDRATION:
        return REHYDRATION[text]
    try:
        pairs = [part.split(":") for part in text.split(",")]
        table = {int(size): int(times) for size, times in pairs}
    except ValueError as error:
        known = ", ".join(REHYDRATION)
        raise ValueError(f"rehydrate: name one of {known} or write 1:1,2:2,100:8") from error
    if min(table) != 1 or min(table.values()) < 0:
        raise ValueError("rehydrate: sizes begin at 1, repetitions are not negative")
    return table


def _choice(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is none of {', '.join(known)}")
