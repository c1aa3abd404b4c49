"""Long passages that documents share: quotations, reprints, terms of use inside other text.

Winnowing (Schleimer, Wilkerson, Aiken 2003): of every run of W = least - K + 1 neighbouring K-gram
hashes the smallest is a fingerprint, so any common passage of `least` normalised characters has a
fingerprint in common. Equal fingerprints are extended to both sides as far as the texts agree. A
fingerprint's bucket is walked as in corpus.dedup.local.buckets: each occurrence is compared with
the bucket's first and the WINDOW before it, so a passage on a million pages costs linear work.

Works on the texts it is given, plain views, in memory: about 40 bytes a character. Repetition
within one document is not looked for; the filters measure that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from corpus.dedup.local.buckets import WINDOW, sort_buckets
from corpus.dedup.passages.batches import read_rows, with_texts
from corpus.dedup.signatures.normal import code_points, normalise_points, tables
from corpus.text import cut
from filters.buffers import Texts
from filters.kernels.kernel import kernel

LEAST = 100  # normalised characters
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

SPANS = pa.schema(
    [
        pa.field("document", pa.int64()),
        pa.field("start", pa.int64()),  # code points of the plain view, [start, end)
        pa.field("end", pa.int64()),
        pa.field("partner", pa.int64()),  # an earlier document that holds most of the passage
    ]
)


@kernel
def _normalise_all(points: np.ndarray, starts: np.ndarray, tables: Any) -> Any:
    """(normalised points, their places among `points`, starts) of all documents, in a row.

    A document is normalised piece by piece to learn which code point each normalised one is from:
    the point at which a prefix first has that length.
    """
    out = np.empty(len(points) + 64, np.uint32)
    origin = np.empty(len(points) + 64, np.int64)
    ends = np.zeros(len(starts), np.int64)
    scratch = np.empty(64, np.uint32)
    size = 0
    for doc in range(len(starts) - 1):
        first = size
        for i in range(starts[doc], starts[doc + 1]):
            scratch, n = normalise_points(points[i : i + 1], tables, scratch)
            if n == 0:
                continue
            if n == 1 and size > first:  # it may compose with the one before
                pair = np.empty(2, np.uint32)
                pair[0], pair[1] = out[size - 1], scratch[0]
                scratch, both = normalise_points(pair, tables, scratch)
                if both == 1:
                    out[size - 1] = scratch[0]
                    continue
                scratch[0] = pair[1]
            if size + n > len(out):
                room = 2 * len(out) + n
                out = np.concatenate((out[:size], np.empty(room - size, np.uint32)))
                origin = np.concatenate((origin[:size], np.empty(room - size, np.int64)))
            out[size : size + n] = scratch[:n]
            origin[size : size + n] = i
            size += n
        ends[doc + 1] = size
    return out[:size], origin[:size], ends


@kernel
def _fingerprints(points: np.ndarray, starts: np.ndarray, k: Any, window: Any) -> Any:
    """(hash, position, document) of the winnowed k-grams of every document."""
    hashes = np.empty(len(points), np.uint64)
    keys = np.empty(len(points), np.uint64)
    places = np.empty(len(points), np.int64)
    owners = np.empty(len(points), np.int64)
    size = 0
    power = np.uint64(1)
    for _ in range(k):
        power *= MULTIPLIER
    for doc in range(len(starts) - 1):
        begin, count = starts[doc], starts[doc + 1] - starts[doc] - k + 1
        rolling = np.uint64(0)
        for i in range(starts[doc], starts[doc + 1]):
            rolling = rolling * MULTIPLIER + np.uint64(points[i] + 1)
            if i - begin >= k:
                rolling -= np.uint64(points[i - k] + 1) * power
            # Mixed before they are compared: the order of rolling hashes favours some characters.
            if i - begin >= k - 1:
                mixed = rolling ^ (rolling >> np.uint64(31))
                hashes[i - begin - k + 1] = mixed * np.uint64(0xBF58476D1CE4E5B9)
        smallest = -1
        for last in range(window - 1, count):
            if smallest <= last - window:  # the smallest left the window: look anew
                smallest = last - window + 1
                for i in range(smallest + 1, last + 1):
                    if hashes[i] <= hashes[smallest]:
                        smallest = i
            elif hashes[last] <= hashes[smallest]:
                smallest = last
            elif last > window - 1:
                continue  # chosen before
            keys[size], places[size], owners[size] = hashes[smallest], begin + smallest, doc
            size += 1
    return keys[:size], places[:size], owners[:size]


@kernel
def _extend(points: np.ndarray, starts: np.ndarray, a: Any, doc_a: Any, b: Any, doc_b: Any) -> Any:
    """[start, end) of the common passage in document b around equal positions a and b."""
    left = 0
    most = min(a - starts[doc_a], b - starts[doc_b])
    while left < most and points[a - left - 1] == points[b - left - 1]:
        left += 1
    right = 0
    most = min(starts[doc_a + 1] - a, starts[doc_b + 1] - b)
    while right < most and points[a + right] == points[b + right]:
        right += 1
    return b - left, b + right


@kernel
def _match(
    points: np.ndarray,
    starts: np.ndarray,
    order: np.ndarray,
    keys: np.ndarray,
    places: np.ndarray,
    owners: np.ndarray,
    least: Any,
) -> Any:
    """Passages in an earlier document (int64[m, 4]: document, start, end, partner).

    order: fingerprints by key, then by document and position.
    """
    rank = np.full(len(keys), -1, np.int64)  # place in `order`
    first = np.empty(len(order), np.int64)  # where its bucket begins
    for k in range(len(order)):
        rank[order[k]] = k
        same = k > 0 and keys[order[k]] == keys[order[k - 1]]
        first[k] = first[k - 1] if same else k
    seen = np.full(len(starts), -1, np.int64)  # per partner: the document that met it last,
    offset = np.empty(len(starts), np.int64)  # how far apart the passages were,
    reach = np.empty(len(starts), np.int64)  # and where the passage ended
    out = np.empty((256, 4), np.int64)
    size = 0
    for i in range(len(keys)):
        k = rank[i]
        if k < 0:
            continue
        b, doc_b = places[i], owners[i]
        window = max(first[k], k - WINDOW)
        for other in range(window - 1, k):
            if other < window and window == first[k]:
                continue
            at = order[first[k] if other < window else other]
            a, doc_a = places[at], owners[at]
            if doc_a == doc_b:
                continue
            if seen[doc_a] == doc_b and offset[doc_a] == b - a and b < reach[doc_a]:
                continue  # inside the passage found before
            low, high = _extend(points, starts, a, doc_a, b, doc_b)
            seen[doc_a], offset[doc_a], reach[doc_a] = doc_b, b - a, high
            if high - low < least:
                continue
            if size == len(out):
                larger = np.empty((2 * size, 4), np.int64)
                larger[:size] = out
                out = larger
            out[size, 0], out[size, 1], out[size, 2], out[size, 3] = doc_b, low, high, doc_a
            size += 1
    return out[:size]


def repeated_spans(texts: Texts, least: int = LEAST) -> pa.Table:
    """Passages of `least` or more normalised characters that an earlier text holds too (SPANS).

    Overlapping passages are one span, whose partner shares the longest of them. Ascending by
    document and start. Raises ValueError for `least` below 2.
    """
    if least < 2:
        raise ValueError("a repeated passage has at least 2 characters")
    # k and window add up to least + 1: the longest k-grams with which no passage is missed.
    points, starts = code_points(texts)
    folded, origin, ends = _normalise_all(points, starts, tables())
    k = least // 2
    keys, places, owners = _fingerprints(folded, ends, k, least - k + 1)
    passages = _match(folded, ends, sort_buckets(keys), keys, places, owners, least)
    passages = passages[
        np.lexsort((passages[:, 3], -passages[:, 2], passages[:, 1], passages[:, 0]))
    ]
    # By document and start, so that passages that overlap stand next to each other.
    rows: list[list[int]] = []
    longest = 0
    for document, low, high, partner in passages.tolist():
        if rows and rows[-1][0] == document and low <= rows[-1][2]:
            rows[-1][2] = max(rows[-1][2], high)
            if high - low > longest:
                rows[-1][3], longest = partner, high - low
        else:
            rows.append([document, low, high, partner])
            longest = high - low
    # From normalised characters back to those of the text.
    merged = np.array(rows, np.int64).reshape(-1, 4)
    base = starts[merged[:, 0]]
    merged[:, 1] = origin[merged[:, 1]] - base
    merged[:, 2] = origin[merged[:, 2] - 1] + 1 - base
    return pa.table([merged[:, column].copy() for column in range(4)], SPANS)


def drop_spans(documents: pa.Table, spans: pa.Table) -> pa.Table:
    """Documents (views.COLUMNS and others) without the spans that `repeated_spans` found in their
    plain views, as `cut.without_spans` takes them out."""
    if not spans.num_rows:
        return documents
    rows, first = np.unique(spans["document"].to_numpy(), return_index=True)
    bounds = np.stack([spans["start"].to_numpy(), spans["end"].to_numpy()], axis=1)
    shorter = [
        cut.without_spans(text, own, part.tolist(), signed)
        for part, (_, text, own, signed) in zip(
            np.split(bounds, first[1:]), read_rows(documents, rows), strict=True
        )
    ]
    return with_texts(documents, rows, shorter)
