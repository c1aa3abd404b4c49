"""Decontamination: documents that hold items of evaluation sets, whatever their spacing or width.

Items and documents are normalised (corpus.dedup.signatures.normal) and cut into character n-grams.
An n-gram weighs log(N / df) / log(N), df being the number of the corpus' N documents that hold it,
and as much less as it occurs in several items: 次のうち正しいものはどれか is worth nothing. The
score of an item in a document is the weight of its n-grams found there over the number of its
n-grams; a document is contaminated by an item that scores `threshold` or more. A whole rare item
scores about 1; one with a changed character in its middle still passes from 27 characters on.

Three steps, the first and the last a unit per documents file:
`count` (df of a file) → `weigh` (all dfs added up) → `mark` (ledger rows, with span and item).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.dedup.passages.batches import Documents, batches_of
from corpus.dedup.passages.evalsets import read_items
from corpus.dedup.signatures.normal import code_points, normalise_points, tables
from corpus.folder.commit import CommitParquet, commit_parquet
from corpus.folder.schema import LEDGER
from corpus.text import views
from filters.kernels.kernel import kernel

NGRAM = 8
THRESHOLD = 0.6
LEAST_DOCUMENTS = 1000  # N of a smaller corpus, which cannot tell what is common
SHOWN = 60  # characters of the matching span that the ledger quotes
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Items:
    """Evaluation items as n-grams; picklable, the same for every unit.

    Grams are numbered; gram g occurs in the items `owners[first[g]:first[g + 1]]`.
    """

    names: list[str]
    texts: list[str]
    ngram: int
    keys: np.ndarray  # uint64[2**k]: open hash table of n-gram hashes, 0 = free
    slots: np.ndarray  # int32[2**k]: the gram of a key
    sizes: np.ndarray  # int32[items]: distinct grams of each
    first: np.ndarray  # int64[grams + 1]
    owners: np.ndarray  # int32[:]


@kernel
def gram_hashes(points: np.ndarray, count: Any, n: Any, out: np.ndarray) -> Any:
    """64-bit hashes (never 0) of the n-grams of points[:count], in order; returns how many."""
    size = max(0, count - n + 1)
    for i in range(size):
        h = np.uint64(n)
        for k in range(i, i + n):
            h = (h ^ np.uint64(points[k])) * MULTIPLIER
            h ^= h >> np.uint64(29)
        out[i] = h | np.uint64(1)
    return size


@kernel
def _lookup(hash_: Any, keys: np.ndarray, slots: np.ndarray) -> Any:
    """Gram of a hash, or -1."""
    mask = len(keys) - 1
    at = np.int64(hash_ >> np.uint64(20)) & mask
    while keys[at] != 0:
        if keys[at] == hash_:
            return slots[at]
        at = (at + 1) & mask
    return -1


@kernel
def _fill(hashes: np.ndarray, keys: np.ndarray, slots: np.ndarray) -> None:
    """Enter gram g under hashes[g] into the open hash table of `keys` and `slots`."""
    mask = len(keys) - 1
    for gram in range(len(hashes)):
        at = np.int64(hashes[gram] >> np.uint64(20)) & mask
        while keys[at] != 0:
            at = (at + 1) & mask
        keys[at] = hashes[gram]
        slots[at] = gram


def load_items(paths: list[Path], ngram: int = NGRAM) -> Items:
    """Read evaluation sets and cut them into n-grams. UsageError for what cannot be read."""
    names, texts, folded = read_items(paths)
    # The distinct grams of each item, then all of them numbered by hash.
    per_item = []
    for text in folded:
        points = np.array([ord(c) for c in text], np.uint32)
        out = np.empty(len(points), np.uint64)
        per_item.append(np.unique(out[: gram_hashes(points, len(points), ngram, out)]))
    sizes = np.array([len(hashes) for hashes in per_item], np.int32)
    every = np.concatenate([*per_item, np.empty(0, np.uint64)])
    hashes, gram = np.unique(every, return_inverse=True)
    # Which items hold a gram, as one array with offsets: most grams are of a single item.
    order = np.argsort(gram, kind="stable")
    owners = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)[order]
    first = np.concatenate([[0], np.cumsum(np.bincount(gram, minlength=len(hashes)))])
    # A table at most a quarter full: a look-up that fails, as most do, ends after a step or two.
    room = 1 << max(4, int(4 * len(hashes)).bit_length())
    keys, slots = np.zeros(room, np.uint64), np.zeros(room, np.int32)
    _fill(hashes, keys, slots)
    return Items(names, texts, ngram, keys, slots, sizes, first.astype(np.int64), owners)


@kernel
def _count(
    points: np.ndarray,
    starts: np.ndarray,
    tables: Any,
    n: Any,
    keys: np.ndarray,
    slots: np.ndarray,
    df: np.ndarray,
) -> None:
    """Add to df (int64[grams]) the number of these documents that hold each gram."""
    last = np.full(len(df), -1, np.int64)  # document that counted this gram last
    scratch = np.empty(1024, np.uint32)
    hashes = np.empty(1024, np.uint64)
    for doc in range(len(starts) - 1):
        scratch, count = normalise_points(points[starts[doc] : starts[doc + 1]], tables, scratch)
        if count > len(hashes):
            hashes = np.empty(2 * count, np.uint64)
        for i in range(gram_hashes(scratch, count, n, hashes)):
            gram = _lookup(hashes[i], keys, slots)
            if gram >= 0 and last[gram] != doc:
                last[gram] = doc
                df[gram] += 1


def count(documents: Documents, items: Items) -> tuple[int, np.ndarray]:
    """(number of documents, df int64[grams]): how many documents of a file hold each n-gram.

    documents: the file, or batches with views.COLUMNS.
    """
    df = np.zeros(len(items.first) - 1, np.int64)
    total = 0
    for batch in batches_of(documents, list(views.COLUMNS)):
        points, starts = code_points(views.plain_of(batch))
        _count(points, starts, tables(), items.ngram, items.keys, items.slots, df)
        total += batch.num_rows
    return total, df


def weigh(items: Items, counts: list[tuple[int, np.ndarray]]) -> np.ndarray:
    """Weights (float64[grams], 0 to 1) from the counts of all files.

    weight = log(N / df) / log(N) * log(M / m) / log(M), with df at least 1, M items, m of which
    hold the n-gram. An n-gram of a single document and a single item weighs 1.
    """
    total = max(LEAST_DOCUMENTS, sum(number for number, _ in counts))
    df = sum((part for _, part in counts), np.zeros(len(items.first) - 1, np.int64))
    rare = np.log(total / np.clip(df, 1, total)) / np.log(total)
    holders, many = np.diff(items.first), max(2, len(items.sizes))
    return rare * np.log(many / holders) / np.log(many)


@kernel
def _mark(
    points: np.ndarray,
    starts: np.ndarray,
    tables: Any,
    n: Any,
    keys: np.ndarray,
    slots: np.ndarray,
    first: np.ndarray,
    owners: np.ndarray,
    sizes: np.ndarray,
    weights: np.ndarray,
    threshold: Any,
) -> Any:
    """Per hit: (document, item), score, and [from, to) in the normalised text of the document."""
    last = np.full(len(weights), -1, np.int64)
    scores = np.zeros(len(sizes), np.float64)
    touched = np.empty(len(sizes), np.int64)
    scratch = np.empty(1024, np.uint32)
    hashes = np.empty(1024, np.uint64)
    hits: Any = [(np.int64(0), np.int64(0), 0.0, np.int64(0), np.int64(0))]
    for doc in range(len(starts) - 1):
        scratch, length = normalise_points(points[starts[doc] : starts[doc + 1]], tables, scratch)
        if length > len(hashes):
            hashes = np.empty(2 * length, np.uint64)
        size = gram_hashes(scratch, length, n, hashes)
        # Every gram counts once a document and adds its weight to all items that have it.
        seen = 0
        for i in range(size):
            gram = _lookup(hashes[i], keys, slots)
            if gram < 0 or last[gram] == doc or weights[gram] <= 0.0:
                continue
            last[gram] = doc
            for k in range(first[gram], first[gram + 1]):
                item = owners[k]
                if scores[item] == 0.0:
                    touched[seen] = item
                    seen += 1
                scores[item] += weights[gram]
        # Only the items touched are scored, and set back for the next document.
        for k in range(seen):
            item = touched[k]
            score = scores[item] / sizes[item]
            scores[item] = 0.0
            if score >= threshold:
                start, end = _span(hashes, size, n, item, keys, slots, first, owners)
                hits.append((np.int64(doc), np.int64(item), score, start, end))
    return hits[1:]


@kernel
def _span(
    hashes: np.ndarray,
    size: Any,
    n: Any,
    item: Any,
    keys: np.ndarray,
    slots: np.ndarray,
    first: np.ndarray,
    owners: np.ndarray,
) -> Any:
    """The stretch with the most n-grams of the item, gaps of up to 2 n allowed."""
    best_start = best_end = start = end = np.int64(0)
    most_grams = grams = 0
    # A gap ends a stretch; the longest so far is remembered whenever the current one outgrows it.
    for i in range(size):
        gram = _lookup(hashes[i], keys, slots)
        if gram < 0:
            continue
        own = False
        for k in range(first[gram], first[gram + 1]):
            own |= owners[k] == item
        if not own:
            continue
        if grams == 0 or i > end + 2 * n:
            start, grams = np.int64(i), 0
        grams += 1
        end = i + n
        if grams > most_grams:
            most_grams, best_start, best_end = grams, start, end
    return np.int64(best_start), np.int64(best_end)


def mark(
    documents: Documents,
    out: Path,
    items: Items,
    weights: np.ndarray,
    threshold: float = THRESHOLD,
    action: str = "drop",
    rows_hit: list[int] | None = None,
    write: CommitParquet = commit_parquet,
) -> dict[str, int]:
    """Write the ledger rows (LEDGER) of the contaminated documents of a file.

    A row for each document, with its highest-scoring item: `value` the score, `detail` the item,
    the matching span and the number of further items. `rows_hit` gets the values of the batches'
    column `row`. Returns {documents, contaminated}.
    """
    totals = {"documents": 0, "contaminated": 0}
    about = ["id", "url", "source_file", "source_offset"]

    def rows() -> Iterator[pa.RecordBatch]:
        for batch in batches_of(documents, [*about, *views.COLUMNS]):
            hits_of_rows = contaminated(views.plain_of(batch), items, weights, threshold)
            totals["documents"] += batch.num_rows
            totals["contaminated"] += len(hits_of_rows)
            if rows_hit is not None:
                rows_hit.extend(batch["row"][row].as_py() for row, _ in hits_of_rows)
            # The other columns become Python values only where something was found, which is rare.
            names = [n for n in about if n in batch.schema.names]
            columns_of_rows = batch.select(names).to_pylist() if hits_of_rows else []
            yield pa.RecordBatch.from_pylist(
                [
                    _ledger_row(columns_of_rows[row], hits, items, threshold, action)
                    for row, hits in hits_of_rows
                ],
                LEDGER,
            )

    write(out, LEDGER, rows())
    return totals


def contaminated(
    texts: pa.Array, items: Items, weights: np.ndarray, threshold: float = THRESHOLD
) -> list[tuple[int, list[tuple[int, float, str]]]]:
    """(row, its hits) for every contaminated text; a hit is (item, score, span), best first.

    The span is quoted from the normalised text.
    """
    points, starts = code_points(texts)
    table = (items.ngram, items.keys, items.slots, items.first, items.owners, items.sizes)
    hits = _mark(points, starts, tables(), *table, weights, threshold)
    hits_of_row: dict[int, list[tuple[int, float, str]]] = {}
    # The kernel gives places in the normalised text: it is made again for the few rows hit.
    for row, item, score, start, end in hits:
        folded, _ = normalise_points(points[starts[row] : starts[row + 1]], tables(), points[:0])
        span = "".join(map(chr, folded[start:end].tolist()))
        hits_of_row.setdefault(int(row), []).append((int(item), float(score), span))
    return [
        (row, sorted(hits_of_row[row], key=lambda hit: (-hit[1], hit[0])))
        for row in sorted(hits_of_row)
    ]


def _ledger_row(
    document: dict[str, Any],
    hits: list[tuple[int, float, str]],
    items: Items,
    threshold: float,
    action: str,
) -> dict[str, Any]:
    """The row of a document, by the item that scores highest; the others are counted."""
    item, score, span = hits[0]
    quoted = span if len(span) <= SHOWN else span[: SHOWN - 1] + "…"
    more = f" and {len(hits) - 1} more items" if len(hits) > 1 else ""
    decision = {"stage": "decontaminate", "rule": "contaminated", "action": action, "kept_id": None}
    detail = f"holds test item {items.names[item]}{more}: {quoted}"
    return {**document, **decision, "value": score, "threshold": threshold, "detail": detail}
