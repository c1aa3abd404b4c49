"""Every setting of a build, once: its default, what it means and which values it may have.

The ground of the house: this file imports nothing of ours, and everything may import it.
`corpus.config` fills the sections from a TOML file and from flags; `corpus settings` and
docs/settings.md are made from the fields. Only what changes the bytes of a corpus is a setting; the
number of workers and the engine are not.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

MIB = 1 << 20


def setting(
    default: Any, help: str, *, least: float | None = None, above: float | None = None,
    most: float | None = None, choices: tuple[str, ...] = (),
) -> Any:  # fmt: skip
    """A field of a section: `help` says in one line what it means.

    least, above, most: bounds of a number; choices: what a text, or each text of a tuple, may be.
    """
    metadata = {"help": help, "least": least, "above": above, "most": most, "choices": choices}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def check(section: Any) -> None:
    """ValueError, in one line that begins with the key, for the first value out of its bounds."""
    for field in dataclasses.fields(section):
        value, limits = getattr(section, field.name), field.metadata
        for item in value if isinstance(value, tuple) else (value,):
            if limits["choices"] and item not in limits["choices"]:
                known = ", ".join(limits["choices"])
                raise ValueError(f"{field.name} = {item!r}: choose one of {known}")
        if limits["least"] is not None and not value >= limits["least"]:
            raise ValueError(f"{field.name} = {value}: must be at least {limits['least']:g}")
        if limits["above"] is not None and not value > limits["above"]:
            raise ValueError(f"{field.name} = {value}: must be above {limits['above']:g}")
        if limits["most"] is not None and not value <= limits["most"]:
            raise ValueError(f"{field.name} = {value}: must be at most {limits['most']:g}")


# Columns of the corpus that rows of JSON lines, Parquet, Arrow and CSV can give; the first ones by
# their own name without being asked for.
OWN_COLUMNS = ("text", "url", "title", "date")
ROW_COLUMNS = (*OWN_COLUMNS, "author", "licence", "source", "captured", "orthography")


@dataclass(frozen=True)
class InputSettings:
    """What is read and how its parts are called."""

    kind: str = setting("auto", "auto (by the ending), or a kind of source: --source")
    name: str = setting("", "value of the column `source`; empty: web or files")
    sources: dict[str, str] = setting({}, "source → glob of its files, before `name`")
    licence: str = setting("", "licence class of the whole collection, e.g. PDL-1.0")
    text: str = setting(
        "markdown", "how texts of JSON lines, Parquet, CSV and text files are read: docs/text.md",
        choices=("markdown", "plain"),
    )  # fmt: skip
    columns: dict[str, str] = setting(
        {}, "of rows: column of the corpus → column that holds it; text, url, title and date are "
        "their own without one",
    )  # fmt: skip
    metadata_columns: tuple[str, ...] = setting((), "of rows: columns that go into `metadata`")
    max_file_mib: int = setting(
        512, "books and archives that are read whole: at most this", least=1
    )
    as_of: str = setting(
        "", "ISO 8601 time that embargoes of news are compared with; empty: the time of reading"
    )
    unit_mib: int = setting(64, "a larger file is split into units of about this size", least=1)

    def __post_init__(self) -> None:
        check(self)
        if self.as_of:
            datetime.fromisoformat(self.as_of)
        for name in self.columns:
            if name not in ROW_COLUMNS:
                raise ValueError(f"columns: {name!r} is no column that rows can give: "
                                 f"choose one of {', '.join(ROW_COLUMNS)}")  # fmt: skip

    def column(self, name: str) -> str:
        """The column of a row that holds a column of the corpus; "" for none."""
        return self.columns.get(name, name if name in OWN_COLUMNS else "")

    def source_of(self, file: str) -> str:
        """The source whose glob fits a file (its whole name, or its end from a / on), or `name`."""
        for source, pattern in sorted(self.sources.items()):
            if fnmatchcase(file, pattern) or fnmatchcase(file, f"*/{pattern}"):
                return source
        return self.name


@dataclass(frozen=True)
class CcindexSettings:
    """What `--source ccindex` takes from an index; an empty list or text: no such filter."""

    base: str = setting(
        "https://data.commoncrawl.org/", "what warc_filename is relative to: URL or folder"
    )
    languages: tuple[str, ...] = setting(
        ("jpn",), "ISO 639-3 codes in content_languages; unknown: none is noted"
    )
    hosts: tuple[str, ...] = setting((), "a host and everything below it")
    since: str = setting("", "fetched at or after this date or time, UTC")
    until: str = setting("", "fetched before it")
    status: tuple[str, ...] = setting(("200",), "HTTP status codes")
    mimes: tuple[str, ...] = setting(
        ("text/html", "application/xhtml+xml", "text/plain"), "content types; undetected ones too"
    )
    unit_records: int = setting(4000, "records of a unit of work", least=1)

    def __post_init__(self) -> None:
        check(self)
        for time in filter(None, (self.since, self.until)):
            datetime.fromisoformat(time)
        wrong = [code for code in self.status if not (code.isascii() and code.isdigit())]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no HTTP status code")


@dataclass(frozen=True)
class FetchSettings:
    """How patiently and how politely records are fetched; of no influence on their bytes."""

    connections: int = setting(4, "requests of a worker at the same time", least=1)
    gap_kib: int = setting(128, "records nearer than this are fetched by one request", least=0)
    attempts: int = setting(8, "how often a range is asked for", least=1)
    backoff_s: float = setting(
        1.0, "seconds before the 2nd attempt; doubled each time, up to a minute", least=0
    )
    timeout_s: float = setting(
        60.0, "seconds without a byte; the whole answer has longer, by its size", least=0.1
    )
    max_skip_mib: int = setting(
        256, "read away at most so much from a server that ignores Range", least=0
    )
    max_failed: float = setting(
        0.5, "a unit whose server fails for a larger share is left for a later run", least=0
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class HarvestSettings:
    """Limits of reading and extraction."""

    max_body_mib: int = setting(
        8, "a longer body is cut there (Common Crawl itself cuts at 1 MiB)", least=1
    )
    max_ratio: int = setting(
        1000, "a body that unpacks to more than this multiple is a bomb", least=1
    )
    min_chars: int = setting(1, "shorter texts are dropped as empty")
    format: str = setting(
        "markdown", "of the column text; plain: no signs, but blocks: docs/text.md",
        choices=("markdown", "plain"),
    )  # fmt: skip
    ruby: str = setting("drop", "what happens to furigana", choices=("drop", "inline", "keep"))
    orthography: str = setting(
        "keep", "of works and OCR; modern: 舊字 become 旧字, one by one, kana stay",
        choices=("keep", "modern"),
    )  # fmt: skip
    site_boilerplate: bool = setting(
        True, "remove lines that most pages of a host in a unit repeat"
    )
    gate: bool = setting(True, "look for Japanese bytes before parsing")
    language: str = setting("ja", "ISO 639 code; other languages are dropped")
    min_language_score: float = setting(0.5, "least probability of that language, 0 to 1")
    ledger: str = setting(
        "candidates", "full: also a ledger row for every record that is no candidate",
        choices=("candidates", "full"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)


# The steps of corpus/text/normalize.py, in the order in which they are applied.
NORMALIZE_STEPS = (
    "newlines", "controls", "nfc", "halfwidth-kana", "fullwidth-ascii", "punctuation", "spaces",
    "japanese-spaces",
)  # fmt: skip


@dataclass(frozen=True)
class NormalizeSettings:
    """Which steps of corpus/text/normalize.py are applied to every text."""

    steps: tuple[str, ...] = setting(
        NORMALIZE_STEPS, "in this order; see docs/cleaning.md", choices=NORMALIZE_STEPS
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class CleanSettings:
    """What is cut and masked after normalisation. Classes are checked by corpus.config."""

    footer: bool = setting(True, "cut copyright and navigation lines at both ends of a text")
    personal: str = setting(
        "mask", "policy of every class of personal data that has no own (drop: the document)",
        choices=("detect", "mask", "drop", "off"),
    )  # fmt: skip
    # IP addresses are counted only: nearly all in real pages are examples of configuration files.
    personal_classes: dict[str, str] = setting({"ip": "detect"}, "class → its own policy")
    organisations: str = setting(
        "mask", "contact data that for certain an organisation publishes of itself",
        choices=("mask", "keep"),
    )  # fmt: skip
    code: str = setting(
        "owned", "personal data in code blocks (owned: behind a name, or Author, Copyright, TEL …)",
        choices=("owned", "mask", "keep"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)


# Agents that collect text for training or sell it for that, from github.com/ai-robots-txt (its
# state of 2026) and the vendors' pages. Search and user-triggered fetchers are left out: a site
# that blocks those says nothing about training. PerplexityBot is kept as the usual exception.
AI_CRAWLERS = (
    "AI2Bot", "Ai2Bot-Dolma", "Amazonbot", "anthropic-ai", "Applebot-Extended", "Bytespider",
    "CCBot", "ChatGLM-Spider", "ClaudeBot", "Claude-Web", "cohere-ai",
    "cohere-training-data-crawler", "Cotoyogi", "DeepSeekBot", "Diffbot", "FacebookBot",
    "Google-Extended", "GPTBot", "ICC-Crawler", "img2dataset", "laion-huggingface-processor",
    "meta-externalagent", "omgili", "omgilibot", "PanguBot", "PerplexityBot", "PetalBot",
    "SBIntuitionsBot", "Timpibot", "VelenPublicWebCrawler", "Webzio-Extended",
)  # fmt: skip
# Google's list of robots directives, and noai and noimageai of DeviantArt.
ROBOTS_DIRECTIVES = (
    "indexifembedded", "noai", "noarchive", "nocache", "nofollow", "noimageai", "noimageindex",
    "noindex", "none", "noodp", "nosnippet", "notranslate", "noydir", "unavailable_after",
)  # fmt: skip


@dataclass(frozen=True)
class RightsSettings:
    """What is done with what pages and sites say about use. All of it is recorded in any case."""

    drop_noai: bool = setting(
        True, "drop pages with an explicit noai directive, before anything of them is stored"
    )
    drop_tdm_reservation: bool = setting(
        True, "drop pages with a TDMRep reservation (header, meta: before anything is stored)"
    )
    agents: tuple[str, ...] = setting(AI_CRAWLERS, "whose robots.txt rules are looked up")
    obey_robots_txt: bool = setting(
        False, "drop pages that robots.txt or ai.txt forbids any of the agents"
    )
    obey_usage: bool = setting(
        False, "drop pages whose robots.txt refuses training (Content-Signal, Content-Usage)"
    )
    drop_directives: tuple[str, ...] = setting(
        (), "robots directives that drop a page, e.g. noarchive", choices=ROBOTS_DIRECTIVES
    )
    drop_reserved: bool = setting(False, "drop pages with a phrase such as 無断転載を禁ず")
    licence: tuple[str, ...] = setting(
        (), "licence classes (globs: CC-BY-*) that are kept; public: all but contract; open: those "
        "that allow all to use and pass on; empty: all",
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class UrlSettings:
    """Lists of URLs that are kept out: hosts, suffixes, paths (forms: filters/urls/rules.py)."""

    block: tuple[str, ...] = setting((), "files, folders or tar archives in UT1 layout")
    allow: tuple[str, ...] = setting((), "lists whose entries win where they are more specific")
    categories: tuple[str, ...] = setting(
        (), "of UT1 lists; empty: all; swallow: those of Swallow v1"
    )

    def __post_init__(self) -> None:
        check(self)


KEEP_KEYS = (
    *("source", "rights", "canonical", "version", "date", "captured", "quality", "length"),
    *("address", "licence", "reader", "order", "id"),
)


@dataclass(frozen=True)
class RemoveSettings:
    """What is taken out for good, besides what `corpus remove` named to the folder itself."""

    registers: tuple[str, ...] = setting(
        (), "files of takedowns that the build obeys (corpus register): docs/register.md"
    )

    def __post_init__(self) -> None:
        check(self)


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

    mode: str = setting(
        "near", "near (and exact), exact, url, or none", choices=("near", "exact", "url", "none")
    )
    url: bool = setting(False, "also one document per canonical URL, beside near or exact")
    shingle: str = setting(
        "char", "n-grams of characters, or of fugashi's short-unit words", choices=("char", "word")
    )
    ngram: int = setting(5, "characters or words of a shingle", least=1, most=64)
    num_perm: int = setting(128, "permutations of a signature", least=2, most=4096)
    threshold: float = setting(0.8, "Jaccard similarity of a near duplicate", above=0, most=1)
    recall_weight: float = setting(
        0.95, "weight of a miss against a false candidate in choosing bands and rows", above=0
    )
    bands: int = setting(0, "bands of the signature; 0: chosen from threshold", least=0)
    rows: int = setting(0, "rows of a band; 0: chosen from threshold", least=0)
    seed: int = setting(1, "of the permutations", least=0, most=2**32 - 1)
    verify: str = setting(
        "exact", "exact (by the texts, near the threshold), estimate, none (every candidate)",
        choices=("exact", "estimate", "none"),
    )  # fmt: skip
    mask_digits: bool = setting(False, "a run of digits counts as one 0: dates, prices, counters")
    mask_dates: bool = setting(
        False, "numbers before 年月日時分秒 count as 0, 漢数字 too; era names and weekdays go"
    )
    mask_prices: bool = setting(False, "numbers before 円, ドル, ユーロ, 元, ウォン count as 0")
    keep: str = setting(
        "best", "which copy stays: best by keep_order, or first, longest, newest",
        choices=("best", "first", "longest", "newest"),
    )  # fmt: skip
    keep_order: tuple[str, ...] = setting(
        ("source", "canonical", "version", "date", "captured", "quality", "length",
         "address", "licence", "reader", "id"),
        "what best means, first key first", choices=KEEP_KEYS,
    )  # fmt: skip
    keep_n: int = setting(1, "copies kept of a cluster", least=1)
    sources: tuple[str, ...] = setting((), "source names, best first, for the key `source`")
    quality: str = setting(
        "", "the signal that the key `quality` compares, larger is better; empty: none"
    )
    rehydrate: str = setting(
        "none", "column `weight` by cluster size: none, fineweb2 or 1:1,2:2,100:8"
    )
    against: str = setting("", "folder of an index of earlier crawls (corpus dedup --against)")
    generation: int = setting(0, "so many segments of that index count; 0: all", least=0)
    paragraph: str = setting(
        "none", "paragraphs frequent within their host, or over the corpus",
        choices=("none", "host", "corpus"),
    )  # fmt: skip
    paragraph_match: str = setting(
        "near", "near: also with every run of digits masked", choices=("exact", "near")
    )
    paragraph_least: int = setting(10, "frequent: in so many documents", least=2)
    paragraph_rule: str = setting(
        "remove", "remove them, weight (1 / count), or only count",
        choices=("count", "remove", "weight"),
    )  # fmt: skip
    substring: int = setting(
        0, "cut passages of so many letters that an earlier document has; 0: none, else 20 or more",
        least=0,
    )  # fmt: skip
    memory_mib: int = setting(
        4096,
        "of an array of keys, signatures or shingles in memory; a larger one is mapped",
        least=1,
    )

    @property
    def mask(self) -> int:
        """The masks as flags of corpus.dedup.signatures.masks."""
        return self.mask_digits + 2 * self.mask_dates + 4 * self.mask_prices

    def __post_init__(self) -> None:
        check(self)
        if self.shingle == "word" and (self.mask_dates or self.mask_prices):
            raise ValueError("mask_dates and mask_prices need shingle = char; words: mask_digits")
        if self.recall_weight >= 1:
            raise ValueError("recall_weight must lie between 0 and 1")
        if 0 < self.substring < 20:
            raise ValueError("substring must be at least 20 letters (0: off)")
        parse_weights(self.rehydrate)


# Least cluster size → weight of the kept copy. `fineweb2`: README of huggingface/fineweb-2
# ("promising", not tuned; a thousand copies or more are taken for boilerplate).
REHYDRATION: dict[str, dict[int, int]] = {
    "none": {1: 1},
    "fineweb2": {1: 1, 2: 2, 3: 3, 5: 5, 100: 8, 1000: 1},
}


def parse_weights(text: str) -> dict[int, int]:
    """Least cluster size → weight: a preset by its name, or a table written `1:1,2:2,100:8`.

    ValueError unless sizes begin at 1 and weights are 0 or more.
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


# What the profile `auto` takes for sources of institutions; all others have DEFAULT_PROFILE.
AUTO, DEFAULT_PROFILE = "auto", "web"
PROFILE_OF_SOURCE = {
    "law": "law", "minutes": "minutes", "aozora": "literature", "books": "literature",
    "captions": "dialogue", "articles": "technical", "ndl": "ocr", "wikipedia": "encyclopedia",
    "pdf": "technical", "news": "news", "patents": "technical",
}  # fmt: skip


@dataclass(frozen=True)
class SelectSettings:
    """Which profile decides on the documents of which source."""

    profile: str = setting(
        DEFAULT_PROFILE,
        "filter profile: `corpus profiles` lists them; auto: docs/sources/README.md says which",
    )
    profiles: dict[str, str] = setting({}, "source → its own profile")
    word_lists: str = setting(
        "", "folder with the published word lists that some -compat profiles count"
    )

    def __post_init__(self) -> None:
        check(self)

    def names(self) -> list[str]:
        """The profiles that may decide, each once."""
        default, own = self.by_source()
        return list(dict.fromkeys([default, *(name for _, name in sorted(own.items()))]))

    def by_source(self) -> tuple[str, dict[str, str]]:
        """(profile of the sources that have no own one, source → its own)."""
        if self.profile != AUTO:
            return self.profile, self.profiles
        return DEFAULT_PROFILE, PROFILE_OF_SOURCE | self.profiles

    def profile_of(self, source: str) -> str:
        """The profile of a value of the column `source`."""
        default, own = self.by_source()
        return own.get(source, default)


@dataclass(frozen=True)
class DecontaminateSettings:
    """Evaluation sets whose items no selected document may hold."""

    sets: tuple[str, ...] = setting((), "files and folders: JSON, JSON lines, CSV, Parquet")
    action: str = setting(
        "remove", "remove the document, or only mark it in the ledger", choices=("remove", "mark")
    )
    threshold: float = setting(
        0.6, "share of an item's n-grams, by weight, that a document holds", above=0, most=1
    )
    ngram: int = setting(8, "characters of an n-gram", least=4, most=64)

    def __post_init__(self) -> None:
        check(self)


# The kinds of blocks (docs/text.md); what a text may be.
BLOCK_KINDS = (
    "paragraph", "heading", "item", "table", "code", "quote", "definition", "formula", "caption",
    "rule",
)  # fmt: skip
FORMATS = ("markdown", "plain")


@dataclass(frozen=True)
class PublishSettings:
    """The shape of the published shards."""

    name: str = setting("japanese-corpus", "title of the data card")
    purpose: str = setting("", "what the corpus is for, in a sentence or two of the data card")
    contact: str = setting("", "address or URL where a removal is asked for; of the data card")
    version: str = setting("", "of the corpus, e.g. 1.0.0; of croissant.json")
    date: str = setting("", "of publication, YYYY-MM-DD; of croissant.json")
    format: str = setting(
        "markdown", "markdown: texts as they were harvested; plain: what a reader sees, no signs",
        choices=FORMATS,
    )  # fmt: skip
    drop_blocks: tuple[str, ...] = setting(
        (), "kinds of blocks that are left out of the texts, e.g. table,code", choices=BLOCK_KINDS
    )
    shard_mib: int = setting(256, "MiB of UTF-8 text per shard before compression", least=1)
    order: str = setting(
        "input", "of the documents: as in the input, shuffled by `seed`, or by id",
        choices=("input", "shuffled", "id"),
    )  # fmt: skip
    seed: int = setting(1, "of the order `shuffled`", least=0, most=2**32 - 1)
    allow_empty: bool = setting(False, "publish a corpus without documents; else that is an error")

    def __post_init__(self) -> None:
        check(self)
        if self.date and not re.fullmatch(r"\d{4}-\d\d-\d\d", self.date, re.ASCII):
            raise ValueError(f"date = {self.date!r} must be YYYY-MM-DD")


@dataclass(frozen=True)
class Settings:
    """All settings of a build, a section for each part of it."""

    input: InputSettings = InputSettings()
    ccindex: CcindexSettings = CcindexSettings()
    fetch: FetchSettings = FetchSettings()
    harvest: HarvestSettings = HarvestSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    clean: CleanSettings = CleanSettings()
    rights: RightsSettings = RightsSettings()
    urls: UrlSettings = UrlSettings()
    remove: RemoveSettings = RemoveSettings()
    dedup: DedupSettings = DedupSettings()
    select: SelectSettings = SelectSettings()
    decontaminate: DecontaminateSettings = DecontaminateSettings()
    publish: PublishSettings = PublishSettings()
