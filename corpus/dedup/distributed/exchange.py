"""Clustering by units of work, for a cluster of machines: the same labels as on one machine.

    scatter     a signatures file → its band keys, in a row group per key range
    candidates  a key range of all files → pairs of documents that share a bucket
    ship        a block of documents → signatures and texts that other blocks compare with theirs
    verify      a block's pairs → edges, by signatures and, near the threshold, by texts
    components  all edges → labels (corpus.dedup.distributed.components)

A key range is the top bits of the key, so that every bucket lies in one range and ranges are of
equal size. Exact copies travel as one more band whose key is the text's hash, and equal addresses
as the band after it. The buckets are walked in the order of text hashes with the same WINDOW as in
corpus.dedup.local.buckets. A document sends 26 bytes a band through the exchange: 442 bytes at 16
bands and the exact one. The order of equal texts rests on 64 bits of their hash, where one machine
has 128.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.distributed.components import EDGES, write_edges
from corpus.dedup.distributed.groups import read_group, write_groups
from corpus.dedup.local.buckets import WINDOW
from corpus.dedup.local.load import by_file, take_rows
from corpus.dedup.local.verify import bounds, read_texts
from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.files import DOCUMENTS, check, has_near, has_url
from corpus.dedup.signatures.jaccard import jaccard_pairs, shingle_sets
from corpus.dedup.signatures.minhash import band_keys, banding, pair_similarity
from corpus.settings import DedupSettings
from filters.kernels.kernel import kernel

KEYS = pa.schema(
    [
        pa.field("band", pa.uint16()),  # after the last one: exact copies; then equal addresses
        pa.field("key", pa.uint64()),
        pa.field("content", pa.uint64()),  # high half of the text's hash
        pa.field("document", pa.int64()),  # position in the input
    ]
)

# copy: of equal text or address, an edge at once
PAIRS = pa.schema([*EDGES, pa.field("copy", pa.bool_())])
MEASURED = pa.schema([*EDGES, pa.field("jaccard", pa.float64())])


@dataclass(frozen=True)
class Exchange:
    """What every unit of an exchange knows; picklable."""

    signatures: tuple[Path, ...]
    starts: tuple[int, ...]  # first document of each file, and the number of all
    folder: Path
    ranges: int  # a power of two
    settings: DedupSettings
    taken: dict[int, np.ndarray] = field(default_factory=dict)  # rows of a file that take no part

    def keys(self, file: int) -> Path:
        return self.folder / "keys" / f"{file:06d}.parquet"

    def pairs(self, number: int) -> Path:
        return self.folder / "pairs" / f"{number:06d}.parquet"

    def partners(self, number: int) -> Path:
        return self.folder / "partners" / f"{number:06d}.parquet"

    def shipped(self, number: int) -> Path:
        return self.folder / "shipped" / f"{number:06d}.parquet"

    def block(self, documents: np.ndarray) -> np.ndarray:
        """Block of each document (int64): as many blocks as key ranges."""
        return documents * self.ranges // max(1, self.starts[-1])

    def edges(self, number: int, subset: str = "edges") -> Path:
        """All edges of a block; kind "copies", "sure" (no text was read): some; "measured": all
        pairs whose texts were read, edges or not, with their Jaccard similarity."""
        return self.folder / subset / f"{number:06d}.parquet"


def prepare(
    signatures: list[Path],
    folder: Path,
    ranges: int,
    settings: DedupSettings,
    taken: dict[int, np.ndarray] | None = None,
) -> Exchange:
    """The exchange of these signatures files by `ranges` key ranges (a power of two).

    Raises RunError if a file was signed under other settings, ValueError for other `ranges`.
    """
    if ranges < 1 or ranges & (ranges - 1):
        raise ValueError("the number of key ranges must be a power of two")
    starts = [0]
    for path in signatures:
        with pq.ParquetFile(path) as file:
            check(file.schema_arrow, settings, path)
            starts.append(starts[-1] + file.metadata.num_rows)
    return Exchange(tuple(signatures), tuple(starts), folder, ranges, settings, taken or {})


def scatter(unit: tuple[Exchange, int]) -> int:
    """Write the band keys of a signatures file, sorted, a row group per key range.

    Returns how many of its documents are empty (of those that take part).
    """
    exchange, number = unit
    settings = exchange.settings
    near = has_near(settings)
    columns = ["exact", "n_normal", "url_key"] + (["signature"] if near else [])
    table = pq.read_table(exchange.signatures[number], columns=columns)
    # What was taken down sends no key, so nothing can be kept in its favour.
    present = np.ones(len(table), np.bool_)
    present[exchange.taken.get(number, np.empty(0, np.int64))] = False
    full = table["n_normal"].to_numpy() > 0
    usable = np.flatnonzero(full & present)
    exact = fixed_rows(table["exact"], np.uint64)
    # The keys of all bands: near copies, then equal texts, then equal addresses (see KEYS).
    keys, rows = [], []
    if near:
        bands, width = banding(settings)
        signatures = fixed_rows(table["signature"], np.uint32)[usable]
        keys += [band_keys(signatures, band, width) for band in range(bands)]
        rows += [usable] * bands
    texts = usable if settings.mode != "url" else usable[:0]
    keys.append(exact[texts, 0] ^ (exact[texts, 1] * np.uint64(0x9E3779B97F4A7C15)))
    rows.append(texts)
    if has_url(settings):
        addresses = table["url_key"].to_numpy()
        rows.append(np.flatnonzero((addresses != 0) & present))
        keys.append(addresses[rows[-1]])
    # Sorted by range: a unit of `candidates` then reads one row group of every file.
    key = np.concatenate(keys)
    band = np.repeat(np.arange(len(keys), dtype=np.uint16), [len(of_band) for of_band in keys])
    row = np.concatenate(rows)
    content, document = exact[row, 0], row + exchange.starts[number]
    order = np.lexsort((content, key, band, _range(key, exchange.ranges)))
    places = _range(key[order], exchange.ranges)
    ends = np.searchsorted(places, np.arange(exchange.ranges + 1))
    columns = [pa.array(column[order]) for column in (band, key, content, document)]
    write_groups(exchange.keys(number), pa.table(columns, schema=KEYS), ends, "none")
    return int(np.count_nonzero(~full & present))


def _range(keys: np.ndarray, ranges: int) -> np.ndarray:
    """Key range of each key (int64[n]): its top bits."""
    bits = ranges.bit_length() - 1
    return (keys >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(keys), int)


@kernel
def _pairs(
    band: np.ndarray, key: np.ndarray, document: np.ndarray, chain: Any, exact_band: Any
) -> Any:
    """Pairs to compare (int64[m, 2], a < b), of rows sorted by band, key and content.

    A bucket is a run of equal (band, key). chain: every candidate is an edge (verify = "none"), so
    each row is paired with the one before it alone; the band of exact copies always is.
    """
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
    """Write the pairs of a key range (PAIRS), a row group per unit that verifies them.

    A pair belongs to the block of documents that its first lies in, so that a pair met in several
    bands is verified once and the texts of a block are read by one unit.
    """
    exchange, number = unit
    files = [exchange.keys(file) for file in range(len(exchange.signatures))]
    table = read_group(files, KEYS, number)
    band, key, content, document = (table[name].to_numpy() for name in KEYS.names)
    order = np.lexsort((document, content, key, band))
    band, key, content, document = (column[order] for column in (band, key, content, document))
    # Exact copies and equal addresses are edges at once; only the others are compared.
    exact_band = banding(exchange.settings)[0] if has_near(exchange.settings) else 0
    same = band >= exact_band
    copies = _pairs(band[same], key[same], document[same], True, exact_band)
    # Of equal texts in a bucket the first stands for all: a text on 1,000 pages is compared once.
    alone = ~same
    alone[1:] &= (band[1:] != band[:-1]) | (key[1:] != key[:-1]) | (content[1:] != content[:-1])
    chain = exchange.settings.verify == "none"
    pairs = _pairs(band[alone], key[alone], document[alone], chain, exact_band)
    both = np.concatenate([copies, pairs])
    copy = np.arange(len(both)) < len(copies)
    # Written twice: to the block of the first document, which verifies the pair, and to that of
    # the second, which ships its signature and text.
    for side, path in ((0, exchange.pairs(number)), (1, exchange.partners(number))):
        owner = exchange.block(both[:, side])
        order = np.lexsort((both[:, 1], both[:, 0], owner))
        ends = np.searchsorted(owner[order], np.arange(exchange.ranges + 1))
        columns = [pa.array(column[order]) for column in (*both.T, copy)]
        write_groups(path, pa.table(columns, schema=PAIRS), ends, "none")


def ship(unit: tuple[Exchange, int]) -> None:
    """Write signatures and texts of a block's documents for the other blocks that compare them.

    A row group (SHIPPED) per receiving block. So every documents file is read once, by its block.
    """
    exchange, number = unit
    files = [exchange.partners(r) for r in range(exchange.ranges)]
    table = read_group(files, PAIRS, number)
    table = table.filter(pc.invert(table["copy"]))
    # A receiver gets each document once, however many pairs it has there; its own it reads itself.
    receiver = exchange.block(table["a"].to_numpy())
    wanted = np.unique(np.stack([receiver, table["b"].to_numpy()], axis=1), axis=0)
    wanted = wanted[wanted[:, 0] != number]
    documents, place = np.unique(wanted[:, 1], return_inverse=True)
    rows = _rows(exchange, documents)
    ends = np.searchsorted(wanted[:, 0], np.arange(exchange.ranges + 1))
    write_groups(exchange.shipped(number), rows.take(pa.array(place)), ends)


def verify(unit: tuple[Exchange, int]) -> None:
    """Write the edges of a block of documents: its exact copies, and pairs at the threshold."""
    exchange, number = unit
    settings = exchange.settings
    table = read_group([exchange.pairs(r) for r in range(exchange.ranges)], PAIRS, number)
    every = np.stack([table["a"].to_numpy(), table["b"].to_numpy()], axis=1)
    copy = table["copy"].to_numpy()
    # A pair may have met in several bands and ranges.
    copies, pairs = (np.unique(every[mask], axis=0) for mask in (copy, ~copy))
    sure, jaccard = np.ones(len(pairs), np.bool_), np.ones(len(pairs))
    if len(pairs) and settings.verify != "none":
        # Signatures and texts: of this block from its files, of the others as they were shipped.
        documents = np.unique(pairs)
        rows = _rows(exchange, documents[exchange.block(documents) == number])
        files = [exchange.shipped(r) for r in range(exchange.ranges) if r != number]
        rows = pa.concat_tables([rows, read_group(files, rows.schema, number)])
        rows = rows.take(pc.sort_indices(rows["document"]))
        assert (rows["document"].to_numpy() == documents).all()
        sure, jaccard = _verdicts(rows, np.searchsorted(documents, pairs), settings)
    edge = sure | (jaccard >= settings.threshold)
    # The measured similarities go into the rows of duplicates, which then need no text.
    measured = ~sure & ~np.isnan(jaccard)
    columns = [pa.array(column[measured]) for column in (*pairs.T, jaccard)]
    ends = np.array([0, np.count_nonzero(measured)])
    write_groups(exchange.edges(number, "measured"), pa.table(columns, schema=MEASURED), ends)
    write_edges(exchange.edges(number, "copies"), copies)
    for subset, mask in (("sure", sure), ("edges", edge)):
        both = np.unique(np.concatenate([copies, pairs[mask]]), axis=0)
        write_edges(exchange.edges(number, subset), both)


def _verdicts(
    rows: pa.Table, pairs: np.ndarray, settings: DedupSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Of pairs (int64[m, 2], of rows): bool[m] sure to be edges by the signatures; float64[m]
    Jaccard similarity by the texts, NaN where the signatures decide."""
    # Signatures decide all but the pairs within three standard errors of the threshold.
    signatures = fixed_rows(rows["signature"], np.uint32)
    least, sure = bounds(settings)
    similarity = pair_similarity(signatures, pairs[:, 0], pairs[:, 1])
    equal = np.rint(similarity * settings.num_perm)
    edge = equal >= sure
    near = np.flatnonzero((equal >= least) & ~edge)
    open_rows, place = np.unique(pairs[near], return_inverse=True)
    hashes, starts = shingle_sets(rows["text"].take(pa.array(open_rows)), settings)
    place = place.reshape(-1, 2)
    jaccard = np.full(len(pairs), np.nan)
    jaccard[near] = jaccard_pairs(hashes, starts, place[:, 0], place[:, 1])
    return edge, jaccard


def _rows(exchange: Exchange, documents: np.ndarray) -> pa.Table:
    """Signature and plain text of documents (int64[m], ascending): SHIPPED."""
    signature_type = pa.binary(4 * exchange.settings.num_perm)
    fields = {"document": pa.int64(), "signature": signature_type, "text": pa.large_string()}
    parts = [pa.schema(fields.items()).empty_table()]
    for file, inside, rows in by_file(exchange.starts, documents):
        path = exchange.signatures[file]
        signed = take_rows(path, rows, ["signature"])
        name = pq.read_schema(path).metadata.get(DOCUMENTS, b"")
        source = path.parent / name.decode("utf-8", "surrogateescape")
        texts = pa.concat_arrays(read_texts(source, rows))
        columns = [pa.array(inside), signed["signature"], texts]
        parts.append(pa.table(columns, names=list(fields)))
    return pa.concat_tables(parts)
