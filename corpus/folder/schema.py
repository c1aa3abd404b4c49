"""The document schema, the ledger schema and the duplicates schema: once, for every stage.

A document is a row of `DOCUMENT` from harvest to the published shard. Units and meanings are in the
field metadata, so `pyarrow.parquet.read_schema(shard)` documents itself.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from corpus.text.blocks import BLOCKS_TYPE
from filters.personal import KINDS
from filters.signals import STORED_TYPE

# Part of every document id. Raise it when the same bytes would yield another text
# (a change in decoding, extraction or normalisation), so that ids never name two texts.
TEXT_VERSION = 4
# `format` of a document that was taken out: its row stays, without content (corpus.stages.remove).
REMOVED_FORMAT = "removed"
LENT = "contract"  # licence class: lent to whoever built the corpus, to no one else

# Why the text of a document may end early.
TRUNCATED = {
    "length": "WARC-Truncated says length: the crawler took only so many bytes",
    "time": "WARC-Truncated says time: the crawler waited only so long",
    "disconnect": "WARC-Truncated says disconnect",
    "unspecified": "WARC-Truncated gives no reason",
    "record": "the record is shorter than its Content-Length",
    "body": "the body ends inside its transfer coding",
    "damage": "the packed file is damaged behind this",
    "max_body_mib": "it is longer than harvest.max_body_mib",
}


def _field(name: str, data_type: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, data_type, metadata={"description": meaning})


RIGHTS_TYPE = pa.struct(
    [
        _field("robots", pa.list_(pa.string()), "robots directives of the page and its headers"),
        _field("noai", pa.bool_(), "an explicit noai directive (noimageai concerns images)"),
        _field(
            "tdm_reservation", pa.bool_(), "TDMRep reservation (header or meta tdm-reservation=1)"
        ),
        _field("tdm_policy", pa.string(), "URL of the TDMRep policy"),
        _field("licence_url", pa.string(), "licence link of the page (rel=license, RDFa, JSON-LD)"),
        _field("reserved", pa.bool_(), "a phrase such as 無断転載を禁ず stands on the page"),
        _field(
            "robots_txt", pa.list_(pa.string()), "agents of rights.agents that may not fetch it"
        ),
        _field(
            "robots_usage", pa.list_(pa.string()), "usage lines of robots.txt, e.g. ai-train=no"
        ),
    ]
)

LANGUAGES_TYPE = pa.list_(
    pa.struct([pa.field("language", pa.string()), pa.field("share", pa.float32())])
)

PERSONAL_TYPE = pa.struct(
    [_field(kind, pa.int32(), f"places with personal data of the class {kind}") for kind in KINDS]
)

DOCUMENT = pa.schema(
    [
        _field(
            "id", pa.string(), "24 hex digits: BLAKE2b of the file's identity, offset, text version"
        ),
        _field("url", pa.string(), "address the text was published at, as recorded"),
        _field("host", pa.string(), "host of url, lower case, without port"),
        _field(
            "canonical_url",
            pa.string(),
            "address the page names as its own (rel=canonical, else og:url), or that it moved to",
        ),
        _field("title", pa.string(), "title of the page or work"),
        _field("author", pa.string(), "author as the page states it"),
        _field("site", pa.string(), "name of the site as the page states it"),
        _field("text", pa.string(), "main text, Markdown of docs/text.md or plain: see format"),
        _field("blocks", BLOCKS_TYPE, "what stands where in text: spans in code points, kinds"),
        _field("format", pa.string(), "markdown, or plain: text has no signs"),
        _field("unread_formulas", pa.int32(), "formulas that left 〈数式〉 in the text"),
        _field("listing", pa.float32(), "probability that the page is an index, 0 to 1"),
        _field("date", pa.string(), "ISO 8601 date of publication as the page states it"),
        _field("captured", pa.string(), "ISO 8601 time of capture (WARC-Date)"),
        _field("source", pa.string(), "name of the source collection"),
        _field("language", pa.string(), "ISO 639 code by fastText lid.176"),
        _field("language_score", pa.float32(), "probability of that language, 0 to 1"),
        _field("languages", LANGUAGES_TYPE, "languages of the text, largest first"),
        _field("charset", pa.string(), "charset the bytes were decoded from (WHATWG name)"),
        _field("charset_from", pa.string(), "bom, header, meta, bytes, given or mojibake"),
        _field("repairs", pa.int32(), "number of undecodable spots replaced or dropped"),
        _field("truncated", pa.string(), f"why it may end early: {', '.join(TRUNCATED)}; or empty"),
        _field("n_chars", pa.int32(), "code points of text"),
        _field("n_bytes", pa.int32(), "UTF-8 bytes of text"),
        _field("licence", pa.string(), "licence class, e.g. CC-BY-4.0; empty when unknown"),
        _field("rights", RIGHTS_TYPE, "what page, headers and robots.txt say about use"),
        _field(
            "orthography", pa.string(), "of works and OCR: 新字新仮名, 旧字旧仮名 …; else empty"
        ),
        _field("metadata", pa.string(), "JSON object: facts of the source that have no column"),
        _field("source_file", pa.string(), "input file as it was named on the command line"),
        _field("source_offset", pa.int64(), "byte offset of the record, or its number in the file"),
        _field(
            "source_length", pa.int64(), "bytes of the record, compressed; 0: a number is its place"
        ),
        _field("source_digest", pa.string(), "digest of the payload, e.g. sha1:…"),
        _field("personal", PERSONAL_TYPE, "personal data found in title and text, a count a class"),
        _field("quality", STORED_TYPE, "signals, measured once; see filters/signals.py"),
    ]
)

# What publish adds: the columns of a shard are DOCUMENT + these.
CLUSTER_FIELDS = [
    _field("cluster", pa.string(), "id of the kept document of the duplicate cluster"),
    _field("cluster_size", pa.int32(), "documents in that cluster, 1 when unique"),
    _field("weight", pa.float32(), "how often to see it: [dedup] rehydrate, paragraph_rule"),
]
SHARD = pa.schema([*DOCUMENT, *CLUSTER_FIELDS])

LEDGER = pa.schema(
    [
        _field(
            "stage", pa.string(), "harvest, remove, dedup, select, trim, decontaminate, publish"
        ),
        _field("rule", pa.string(), "rule that decided"),
        _field("action", pa.string(), "drop, alter, mark or skip"),
        _field("id", pa.string(), "document id; of a record without text: id of the record"),
        _field("url", pa.string(), "address as recorded"),
        _field("source_file", pa.string(), "input file"),
        _field("source_offset", pa.int64(), "byte offset, or number in the file"),
        _field("value", pa.float64(), "measured value, null where the rule measures nothing"),
        _field("threshold", pa.float64(), "bound the value violated"),
        _field("kept_id", pa.string(), "for a duplicate: id of the kept copy"),
        _field("detail", pa.string(), "the reason in words"),
    ]
)

DUPLICATES = pa.schema(
    [
        _field("id", pa.string(), "document"),
        _field("cluster", pa.string(), "smallest id of the cluster: its stable name"),
        _field("kept_id", pa.string(), "id of the copy that is kept (equal to id: this one)"),
        _field(
            "kind", pa.string(), "exact, near or url: how it joined the cluster; kept: the copy"
        ),
        _field(
            "similarity", pa.float32(), "Jaccard to the kept copy; 1 only where texts are the same"
        ),
        _field("measured", pa.bool_(), "similarity is exact; else an estimate from signatures"),
        _field("cluster_size", pa.int32(), "documents in the cluster"),
        _field("file", pa.int32(), "index of the documents file"),
        _field("row", pa.int32(), "row in that file"),
        _field("kept_url", pa.string(), "address of the copy that is kept"),
        _field("generation", pa.int32(), "segment of the index it stands in; null: this build"),
    ]
)

# A version of an item of news, or that the item is withdrawn (corpus.stages.notices).
NOTICE = pa.schema(
    [
        _field("item", pa.string(), "BLAKE2b of the item's name over all versions"),
        _field("version", pa.int64(), "as the agency counts; 0 where it does not"),
        _field("time", pa.int64(), "seconds since 1970 of this version; 0: unknown"),
        _field("state", pa.string(), "usable, withheld or canceled"),
    ]
)


def document_id(identity: str, offset: int, part: int = 0) -> str:
    """Stable id of the text at `offset` (bytes or rows) of a file; `part` tells several apart.

    identity: of the file, by its content (corpus/sources/identity.py), never its path.
    """
    name = f"{identity}\0{offset}\0{part}\0{TEXT_VERSION}"
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
