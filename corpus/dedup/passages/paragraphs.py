"""Paragraphs that recur: within a host (menus, notices, bylines) or over the whole corpus.

A paragraph is a line of a document's prose: lines of code, tables, formulas and headings are none
(docs/text.md), and of a text without blocks every line is one. Two are *exactly* equal when their
normalised texts are, and *nearly* when they also are with every run of digits masked: 2024年1月5日
(3件) and 2025年12月24日 (15件). What counts is the number of documents, not of occurrences. Three
steps, the first and the last a unit per documents file:

`count` (a file's paragraphs) → `merge` (all files, out of core) → `annotate` (counts per document).

A rule then decides: `drop` removes paragraphs of frequent counts, and headings with the last line
under them; `document_weights` gives each 1 / count.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.passages.batches import Documents, batches_of, read_rows, with_texts
from corpus.dedup.signatures.hashes import murmur128
from corpus.dedup.signatures.normal import code_points, mask_digits, normalise_points, tables
from corpus.folder.commit import ROWS_PER_GROUP, CommitParquet, commit, commit_parquet
from corpus.text import cut, views
from filters.buffers import Texts
from filters.kernels.kernel import kernel

LINE_FEED = 0x0A
EXACT, NEAR = 0, 1

COUNTS = pa.schema(
    [
        pa.field("kind", pa.uint8()),  # EXACT or NEAR
        pa.field("hash", pa.uint64()),
        pa.field("host", pa.string()),
        pa.field("documents", pa.int64()),  # of this host, with this paragraph
    ]
)
FREQUENT = pa.schema([*COUNTS, pa.field("corpus", pa.int64()), pa.field("hosts", pa.int64())])
LISTS = ("exact_host", "exact_corpus", "near_host", "near_corpus")
ANNOTATED = pa.schema(
    [pa.field("row", pa.int32()), *(pa.field(name, pa.list_(pa.int32())) for name in LISTS)]
)


@kernel
def _hash_paragraphs(
    points: np.ndarray,
    starts: np.ndarray,
    tables: Any,
    documents: np.ndarray,
    exact: np.ndarray,
    near: np.ndarray,
) -> Any:
    """Document and hashes of every paragraph; hash 0: no letter or digit. Returns the number."""
    scratch = np.empty(1024, np.uint32)
    size = 0
    for doc in range(len(starts) - 1):
        begin = starts[doc]
        for i in range(starts[doc], starts[doc + 1] + 1):
            if i < starts[doc + 1] and points[i] != LINE_FEED:
                continue
            scratch, n = normalise_points(points[begin:i], tables, scratch)
            begin = i + 1
            documents[size] = doc
            exact[size] = murmur128(scratch, n)[0] if n else np.uint64(0)
            n = mask_digits(scratch, n)
            near[size] = murmur128(scratch, n)[0] if n else np.uint64(0)
            size += 1
    return size


def hash_paragraphs(texts: Texts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(document int64[p], exact hash uint64[p], near hash uint64[p]) of all lines of the texts.

    A text of k line feeds has k + 1 lines, an empty one has one; a line without a letter or digit
    has hash 0 and counts nowhere.
    """
    points, starts = code_points(texts)
    room = int(np.count_nonzero(points == LINE_FEED)) + len(starts) - 1
    documents = np.empty(room, np.int64)
    exact, near = np.empty(room, np.uint64), np.empty(room, np.uint64)
    size = _hash_paragraphs(points, starts, tables(), documents, exact, near)
    assert size == room
    return documents, exact, near


def count(documents: Documents, out: Path) -> dict[str, int]:
    """Write the paragraph counts (COUNTS) of one documents file; return {documents, paragraphs}.

    documents: the file, or batches with views.COLUMNS and host.
    """
    # Per batch: (hash, host number) of every paragraph, each once a document.
    hosts: dict[str, int] = {"": 0}
    parts: dict[int, list[np.ndarray]] = {EXACT: [], NEAR: []}
    totals = {"documents": 0, "paragraphs": 0}
    for batch in batches_of(documents, [*views.COLUMNS, "host"]):
        number = np.array([hosts.setdefault(h, len(hosts)) for h in _hosts(batch)], np.uint64)
        document, exact, near = hash_paragraphs(cut.prose_lines(batch))
        totals["documents"] += batch.num_rows
        totals["paragraphs"] += len(document)
        for kind, hashes in ((EXACT, exact), (NEAR, near)):
            pairs = np.stack([hashes, document.astype(np.uint64)], axis=1)[hashes != 0]
            pairs = np.unique(pairs, axis=0)  # a document counts once
            parts[kind].append(np.stack([pairs[:, 0], number[pairs[:, 1].astype(int)]], axis=1))
    # Over the file: how many documents of a host have the paragraph.
    names = pa.array(list(hosts), pa.string())
    parts_of_table = []
    for kind, pieces in parts.items():
        every = np.concatenate([*pieces, np.empty((0, 2), np.uint64)])
        pairs, counts = np.unique(every, axis=0, return_counts=True)
        host = names.take(pa.array(pairs[:, 1].astype(np.int64)))
        columns = [np.full(len(pairs), kind, np.uint8), pairs[:, 0], host, counts]
        parts_of_table.append(pa.table([pa.array(c) for c in columns], COUNTS))
    table = pa.concat_tables(parts_of_table).combine_chunks()
    commit_parquet(out, COUNTS, iter(table.to_batches(max_chunksize=ROWS_PER_GROUP)))
    return totals


def merge(counts: list[Path], out: Path, least: int = 2, memory: str = "4GB") -> int:
    """Add up the counts of all files; write those of `least` documents or more (FREQUENT).

    Runs in DuckDB within `memory`, spilling beside `out`. Returns the number of rows.
    """
    rows = 0
    out.parent.mkdir(parents=True, exist_ok=True)
    spill = out.parent / f".{out.name}.spill"
    settings: Any = {"memory_limit": memory, "temp_directory": str(spill), "threads": 1}
    database: Any = duckdb.connect(config=settings)
    with database:
        files = [str(path) for path in counts]
        summed = (
            "SELECT kind, hash, host, sum(documents)::BIGINT AS documents "
            "FROM read_parquet($files) GROUP BY kind, hash, host"
        )
        query = (
            f"WITH summed AS ({summed}), whole AS ("
            "SELECT kind, hash, sum(documents)::BIGINT AS corpus, count(*)::BIGINT AS hosts "
            "FROM summed GROUP BY kind, hash HAVING sum(documents) >= $least) "
            "SELECT kind, hash, host, documents, corpus, hosts "
            "FROM summed JOIN whole USING (kind, hash) ORDER BY kind, hash, host"
        )
        parameters = {"files": files, "least": least}
        reader = database.sql(query, params=parameters).to_arrow_reader(ROWS_PER_GROUP)

        # The answer goes from DuckDB to the file batch by batch: it may be larger than memory.
        def write(file: Any) -> None:
            nonlocal rows
            with pq.ParquetWriter(file, FREQUENT, compression="zstd") as writer:
                for batch in reader:
                    rows += batch.num_rows
                    writer.write_batch(batch.cast(FREQUENT))

        commit(out, write)
    if spill.is_dir():
        spill.rmdir()
    return rows


class Frequent:
    """The frequent paragraphs of a corpus, for look-ups by hash and host."""

    def __init__(self, path: Path) -> None:
        self.kinds: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}
        table = pq.read_table(path)
        for kind in (EXACT, NEAR):
            part = table.filter(pc.equal(table["kind"], pa.scalar(kind, pa.uint8())))
            hosts = _host_hashes(part["host"].combine_chunks())
            hashes = part["hash"].to_numpy()
            # Sorted by hash and host in one key: a look-up is a binary search over all paragraphs.
            keys = hashes ^ hosts
            order = np.argsort(keys, kind="stable")
            first = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] ^ np.uint64(1)) != 0)
            host_counts = part["documents"].to_numpy()[order]
            corpus = (hashes[first], part["corpus"].to_numpy()[first])
            self.kinds[kind] = (keys[order], host_counts, *corpus)

    def counts(
        self, kind: int, hashes: np.ndarray, hosts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Documents (int32[p] each) of the host and of the corpus that hold each paragraph.

        1 for a paragraph that is not frequent, 0 for one without a letter or digit.
        """
        host_keys, host_counts, corpus_keys, corpus_counts = self.kinds[kind]
        counts = []
        for keys, values, wanted in (
            (host_keys, host_counts, hashes ^ hosts),
            (corpus_keys, corpus_counts, hashes),
        ):
            out = np.ones(len(wanted), np.int32)
            if len(keys):
                place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
                same = keys[place] == wanted
                out[same] = np.minimum(values[place[same]], 2**31 - 1)
            out[hashes == 0] = 0
            counts.append(out)
        return counts[0], counts[1]


def annotate(
    documents: Documents,
    frequent: Path,
    out: Path,
    write: CommitParquet = commit_parquet,
) -> dict[str, int]:
    """Write the counts of every paragraph of a documents file (ANNOTATED: a row per document).

    The lists have an entry per line (cut.lines_of), 0 for one that is no paragraph; `row` is the
    batches' column of that name, or counts the documents. Returns {documents, paragraphs,
    frequent}, the last being the lines that another document of the same host shares nearly.
    """
    known = Frequent(frequent)
    totals = {"documents": 0, "paragraphs": 0, "frequent": 0}

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in batches_of(documents, [*views.COLUMNS, "host"]):
            n = batch.num_rows
            document, *hashes = hash_paragraphs(cut.prose_lines(batch))
            hosts = _host_hashes(pa.array(_hosts(batch), pa.string()))[document]
            # A list a document, as Arrow wants it: offsets into the paragraphs of the batch.
            ends = np.concatenate([[0], np.cumsum(np.bincount(document, minlength=n))])
            offsets = pa.array(ends.astype(np.int32))
            lists = [c for k in (EXACT, NEAR) for c in known.counts(k, hashes[k], hosts)]
            row = pa.array(np.arange(totals["documents"], totals["documents"] + n, dtype=np.int32))
            if "row" in batch.schema.names:
                row = batch["row"]
            totals["documents"] += n
            totals["paragraphs"] += len(document)
            totals["frequent"] += int(np.count_nonzero(lists[2] > 1))
            columns = [pa.ListArray.from_arrays(offsets, pa.array(c)) for c in lists]
            yield pa.record_batch([row, *columns], schema=ANNOTATED)

    write(out, ANNOTATED, rows())
    return totals


def drop(documents: pa.Table, counts: pa.ListArray, least: int) -> tuple[pa.Table, np.ndarray]:
    """Documents without the lines whose count is `least` or more, and how many went (int32[n]).

    documents: views.COLUMNS and others; counts: one of LISTS. A text may become empty. Headings
    that go with what stands under them are not counted.
    """
    frequent, ends = _frequent(counts, least)
    dropped = np.diff(np.concatenate([[0], np.cumsum(frequent)])[ends]).astype(np.int32)
    rows = np.flatnonzero(dropped)
    shorter = [
        cut.without_paragraphs(text, own, frequent[ends[row] : ends[row + 1]], signed)
        for row, text, own, signed in read_rows(documents, rows)
    ]
    return with_texts(documents, rows, shorter), dropped


def document_weights(documents: pa.Table, counts: pa.ListArray, least: int) -> np.ndarray:
    """Mean of 1 / count of the lines whose count is `least` or more, 1 of the others, by length.

    float32[n]; 1 for a text without characters. documents: views.COLUMNS; counts: one of LISTS.
    """
    frequent, ends = _frequent(counts, least)
    values = counts.flatten().to_numpy()
    each = np.where(frequent, 1.0 / np.maximum(values, 1.0), 1.0)
    out = np.ones(len(documents), np.float32)
    rows = np.flatnonzero(np.diff(np.concatenate([[0], np.cumsum(frequent)])[ends]))
    for row, text, own, _ in read_rows(documents, rows):
        lines = cut.lines_of(text, own)
        lengths = (lines[:, cut.LINE_END] - lines[:, cut.LINE_START]).astype(float)
        lengths[lines[:, cut.LINE_SIGN] == 1] = 0.0
        if lengths.sum():
            out[row] = (each[ends[row] : ends[row + 1]] * lengths).sum() / lengths.sum()
    return out


def _frequent(counts: pa.ListArray, least: int) -> tuple[np.ndarray, np.ndarray]:
    """(bool[lines] of all documents: `least` or more have it, int64[n + 1] offsets)."""
    ends = np.concatenate([[0], np.cumsum(pc.list_value_length(counts).to_numpy())])
    return counts.flatten().to_numpy() >= least, ends.astype(np.int64)


def _host_hashes(hosts: pa.Array) -> np.ndarray:
    """A 64-bit hash (uint64[n]) of each host; 0 for none."""
    encoded = pc.dictionary_encode(hosts)
    points, starts = code_points(encoded.dictionary)
    hashed = [
        murmur128(points[start:end], end - start)[0] if end > start else 0
        for start, end in zip(starts, starts[1:], strict=False)
    ]
    return np.array(hashed, np.uint64)[encoded.indices.to_numpy()]


def _hosts(batch: pa.RecordBatch) -> list[str]:
    if "host" not in batch.schema.names:
        return [""] * batch.num_rows
    return [host or "" for host in batch["host"].to_pylist()]
