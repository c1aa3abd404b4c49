"""Exact verification of pairs whose estimate is too close to the threshold to decide.

An estimate from p permutations has the standard error sqrt(s (1 - s) / p): 0.035 at 0.8 with 128,
so pairs on the boundary are decided by luck. On the gold sets the estimate alone reaches precision
0.961 and recall 0.973; with the exact Jaccard of the pairs within three standard errors, 1.000
and 0.997 (benchmarks/dedup.py). Only the texts of such pairs are read again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.local.load import Scratch, Signatures, by_file
from corpus.dedup.signatures.jaccard import jaccard_pairs, shingle_sets
from corpus.errors import RunError
from corpus.folder.commit import picked_rows
from corpus.settings import DedupSettings
from corpus.text import views

STANDARD_ERRORS = 3.0


def bounds(settings: DedupSettings) -> tuple[int, int]:
    """(least, sure): fewer equal values than `least` are no edge, `sure` or more are one.

    Between them the exact Jaccard decides; with `verify = "estimate"` nothing lies between, and
    with `none` every candidate is an edge: (0, 0).
    """
    if settings.verify == "none":
        return 0, 0
    size, threshold = settings.num_perm, settings.threshold
    expected = threshold * size  # equal values of a pair that is as similar as the threshold
    if settings.verify == "estimate":
        needed = math.ceil(round(expected, 9))
        return needed, needed
    margin = STANDARD_ERRORS * math.sqrt(threshold * (1.0 - threshold) * size)
    return max(1, math.ceil(expected - margin)), min(size + 1, math.floor(expected + margin) + 1)


def exact_jaccard(
    data: Signatures,
    left: np.ndarray,
    right: np.ndarray,
    settings: DedupSettings,
    scratch: Scratch,
) -> np.ndarray:
    """Exact Jaccard (float64[m]) of documents left[k] and right[k] (int64[m]), from their texts.

    Holds the shingles of all of them, 4 bytes each, and a row group of texts. Raises RunError when
    a documents file is gone.
    """
    documents = np.unique(np.concatenate([left, right]))
    hashes, starts = _all_sets(data, documents, settings, scratch)
    # In the order of the left document, so that one of many pairs goes into the table once.
    out = np.empty(len(left), np.float64)
    order = np.lexsort((right, left))
    i, j = (np.searchsorted(documents, side[order]) for side in (left, right))
    out[order] = jaccard_pairs(hashes, starts, i, j)
    return out


def _all_sets(
    data: Signatures, documents: np.ndarray, settings: DedupSettings, scratch: Scratch
) -> tuple[np.ndarray, np.ndarray]:
    """`shingle_sets` of documents (int64[m], ascending): each text is read once, and let go."""
    hashes = scratch.empty((int(data.lengths[documents].sum(dtype=np.int64)),), np.uint32)
    starts, end = [np.zeros(1, np.int64)], 0
    for texts in _texts(data, documents):
        part, ends = shingle_sets(texts, settings)
        if end + len(part) > len(hashes):  # of words there may be more than letters
            larger = scratch.empty((2 * (end + len(part)),), np.uint32)
            larger[:end] = hashes[:end]
            hashes = larger
        hashes[end : end + len(part)] = part
        starts.append(end + ends[1:])
        end += len(part)
    return hashes[:end], np.concatenate(starts)


def _texts(data: Signatures, documents: np.ndarray) -> Iterator[pa.Array]:
    """Plain texts (large_string) of documents (int64[m], ascending), a row group at a time."""
    for file, _, rows in by_file(data.starts, documents):
        yield from read_texts(data.paths[file].parent / data.documents[file], rows)


def read_texts(documents: Path, rows: np.ndarray) -> Iterator[pa.Array]:
    """Plain views (large_string) of rows (int64[m], ascending) of a documents file.

    A row group at a time; RunError if the file is gone.
    """
    try:
        with pq.ParquetFile(documents) as file:
            columns = [name for name in views.COLUMNS if name in file.schema_arrow.names]
            for table, _, _ in picked_rows(file, rows, columns):
                yield views.plain_of(table).cast(pa.large_string())
    except OSError as error:
        raise RunError(
            f"cannot read {documents} to verify near-duplicates: put it back, or set "
            "dedup.verify = estimate"
        ) from error
