"""Clustering by units of work, for a cluster of machines: the same labels as on one machine.

    scatter    a signatures file → its band keys, in a row group per key range
    candidates a key range of all files → pairs of documents that share a bucket
    verify     a key range's pairs → edges, by signatures and, near the threshold, by texts
    components all edges → labels (corpus.dedup.components)

A key range is the top bits of the key, so that every bucket lies in one range and ranges are of
equal size. Exact copies travel as one more band whose key is the text's hash. The buckets are
walked in the order of text hashes with the same WINDOW as in corpus.dedup.cluster. A document sends
26 bytes a band through the exchange: 442 bytes at 16 bands and the exact one. The order of equal
texts rests on 64 bits of their hash, where one machine has 128.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from corpus.dedup.arrow import fixed_rows
from corpus.dedup.cluster import WINDOW
from corpus.dedup.components import read_edges, write_edges
from corpus.dedup.load import Signatures, take_rows
from corpus.dedup.minhash import band_keys, banding, pair_similarity
from corpus.dedup.settings import DedupSettings
from corpus.dedup.signatures import DOCUMENTS, check, has_near
from corpus.dedup.verify import bounds, exact_jaccard
from corpus.storage import commit

KEYS = pa.schema(
    [
        pa.field("band", pa.uint16()),  # the last one: exact copies
        pa.field("key", pa.uint64()),
        pa.field("content", pa.uint64()),  # high half of the text's hash
        pa.field("document", pa.int64()),  # position in the input
    ]
)


@dataclass(frozen=True)
class Exchange:
    """What every unit of an exchange knows; picklable."""

    signatures: tuple[Path, ...]
    starts: tuple[int, ...]  # first document of each file, and the number of all
    folder: Path
    ranges: int  # a power of two
    settings: DedupSettings
    memory: int = 1 << 30  # bytes of texts that a unit holds while verifying

    def keys(self, file: int) -> Path:
        return self.folder / "keys" / f"{file:06d}.parquet"

    def pairs(self, number: int) -> Path:
        return self.folder / "pairs" / f"{number:06d}.parquet"

    def edges(self, number: int) -> Path:
        return self.folder / "edges" / f"{number:06d}.parquet"


def plan(signatures: list[Path], folder: Path, ranges: int, settings: DedupSettings) -> Exchange:
    """The exchange of these files (mode near or exact, without addresses)."""
    if ranges < 1 or ranges & (ranges - 1):
        raise ValueError("the number of key ranges must be a power of two")
    starts = [0]
    for path in signatures:
        with pq.ParquetFile(path) as file:
            check(file.schema_arrow, settings, path)
            starts.append(starts[-1] + file.metadata.num_rows)
    return Exchange(tuple(signatures), tuple(starts), folder, ranges, settings)


def scatter(unit: tuple[Exchange, int]) -> None:
    """Write the band keys of a signatures file, sorted, a row group per key range."""
    exchange, number = unit
    near = has_near(exchange.settings)
    columns = ["exact", "n_normal"] + (["signature"] if near else [])
    table = pq.read_table(exchange.signatures[number], columns=columns)
    usable = np.flatnonzero(table["n_normal"].to_numpy() > 0)
    exact = fixed_rows(table["exact"], np.uint64)[usable]
    bands, rows = banding(exchange.settings) if near else (0, 0)
    keys = [exact[:, 0] ^ (exact[:, 1] * np.uint64(0x9E3779B97F4A7C15))]
    if near:
        signatures = fixed_rows(table["signature"], np.uint32)[usable]
        keys = [band_keys(signatures, band, rows) for band in range(bands)] + keys
    key = np.concatenate(keys)
    band = np.repeat(np.arange(len(keys), dtype=np.uint16), len(usable))
    content = np.tile(exact[:, 0], len(keys))
    document = np.tile(usable + exchange.starts[number], len(keys))
    order = np.lexsort((content, key, band, _range(key, exchange.ranges)))
    places = _range(key[order], exchange.ranges)
    ends = np.searchsorted(places, np.arange(exchange.ranges + 1))

    def write(file: Any) -> None:
        with pq.ParquetWriter(file, KEYS, compression="none") as writer:
            for low, high in zip(ends, ends[1:], strict=False):
                rows = order[low:high]
                part = [pa.array(c[rows]) for c in (band, key, content, document)]
                writer.write_table(pa.table(part, KEYS), row_group_size=max(1, len(rows)))

    commit(exchange.keys(number), write)


def _range(keys: np.ndarray, ranges: int) -> np.ndarray:
    bits = ranges.bit_length() - 1
    return (keys >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(keys), int)


@njit(cache=True, nogil=True)
def _pairs(
    band: np.ndarray, key: np.ndarray, document: np.ndarray, chain: Any, exact_band: Any
) -> Any:
    """Pairs to compare (int64[m, 2], a < b), of rows sorted by band, key and content."""
    out = np.empty((1024, 2), np.int64)
    size = 0
    start = 0
    for k in range(1, len(key)):
        if key[k] != key[k - 1] or band[k] != band[k - 1]:
            start = k
            continue
        alike = chain or band[k] == exact_band  # every neighbour is an edge: a chain will do
        window = k - 1 if alike else max(start, k - WINDOW)
        for other in range(window - 1, k):
            if other < window and (window == start or alike):
                continue
            at = start if other < window else other
            if size == len(out):
                larger = np.empty((2 * size, 2), np.int64)
                larger[:size] = out
                out = larger
            out[size, 0] = min(document[at], document[k])
            out[size, 1] = max(document[at], document[k])
            size += 1
    return out[:size]


def candidates(unit: tuple[Exchange, int]) -> None:
    """Write the pairs of a key range: (a, b) to verify; exact copies go to the edges at once."""
    exchange, number = unit
    parts = []
    for file in range(len(exchange.signatures)):
        with pq.ParquetFile(exchange.keys(file)) as keys:
            parts.append(keys.read_row_group(number))
    table = pa.concat_tables(parts or [KEYS.empty_table()])
    band, key, content, document = (table[name].to_numpy() for name in KEYS.names)
    order = np.lexsort((document, content, key, band))
    band, key, content, document = (c[order] for c in (band, key, content, document))
    exact_band = banding(exchange.settings)[0] if has_near(exchange.settings) else 0
    same = band == exact_band
    copies = _pairs(band[same], key[same], document[same], True, exact_band)
    alone = ~same  # of equal texts the first stands for all
    alone[1:] &= (band[1:] != band[:-1]) | (key[1:] != key[:-1]) | (content[1:] != content[:-1])
    chain = exchange.settings.verify == "none"
    pairs = _pairs(band[alone], key[alone], document[alone], chain, exact_band)
    write_edges(exchange.pairs(number).with_suffix(".exact.parquet"), np.unique(copies, axis=0))
    write_edges(exchange.pairs(number), np.unique(pairs, axis=0))


def verify(unit: tuple[Exchange, int]) -> None:
    """Write the edges of a key range: its exact copies, and pairs at the threshold or above."""
    exchange, number = unit
    settings = exchange.settings
    copies = read_edges([exchange.pairs(number).with_suffix(".exact.parquet")])
    pairs = read_edges([exchange.pairs(number)])
    if len(pairs) and settings.verify != "none":
        documents = np.unique(pairs)
        data = _signatures(exchange, documents)
        left, right = (np.searchsorted(documents, pairs[:, side]) for side in (0, 1))
        least, sure = bounds(settings)
        equal = np.rint(pair_similarity(data.signatures, left, right) * settings.num_perm)
        edge = equal >= sure
        open_ = np.flatnonzero((equal >= least) & ~edge)
        exact = exact_jaccard(data, pairs[open_, 0], pairs[open_, 1], settings, exchange.memory)
        edge[open_] = exact >= settings.threshold
        pairs = pairs[edge]
    write_edges(exchange.edges(number), np.unique(np.concatenate([copies, pairs]), axis=0))


def _signatures(exchange: Exchange, documents: np.ndarray) -> Signatures:
    """Signatures of these documents alone, with what reading their texts needs."""
    starts = np.array(exchange.starts, np.int64)
    sources, rows = [], [np.empty((0, exchange.settings.num_perm), np.uint32)]
    lengths = np.zeros(int(starts[-1]), np.int32)
    for number, path in enumerate(exchange.signatures):
        low, high = np.searchsorted(documents, starts[number : number + 2])
        chosen = documents[low:high]
        schema = pq.read_schema(path)
        sources.append(schema.metadata.get(DOCUMENTS, b"").decode("utf-8", "surrogateescape"))
        if len(chosen):
            table = take_rows(path, chosen - starts[number], ["n_normal", "signature"])
            rows.append(fixed_rows(table["signature"], np.uint32))
            lengths[chosen] = table["n_normal"].to_numpy()
    none = np.empty(0, np.uint64)
    signatures = np.concatenate(rows)
    return Signatures(
        list(exchange.signatures), sources, starts, none.reshape(0, 2), none, lengths, signatures
    )
