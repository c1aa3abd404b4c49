"""From signatures to clusters: buckets, verified candidates, connected components.

Data: n documents by index; `parents` int64[n] is a union-find forest whose roots are the smallest
index of their tree. Documents whose band keys are equal share a bucket. Within a bucket the
documents stand in the order of their text hashes, so which pairs are compared depends on the
texts and not on the order of the input: each with the bucket's first and with the WINDOW before
it. A bucket of g documents therefore costs at most g * (WINDOW + 1) comparisons, never g**2; pairs
already in one cluster cost none. An edge exists where the estimated Jaccard reaches the threshold,
and a cluster is a connected component of edges: the same for every order of documents and bands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.kernels.kernel import kernel

# A bucket up to this size is compared pair by pair. In a larger one a pair may be missed, but it
# meets again in every other band it shares.
WINDOW = 32


@dataclass(frozen=True)
class Work:
    """What near clustering did: for the report and the benchmarks."""

    buckets: int  # with at least two documents
    largest_bucket: int
    compared: int  # pairs whose signatures were compared
    linked: int  # of them, pairs that joined two clusters


@kernel
def find(parents: np.ndarray, i: Any) -> Any:
    """Root of i; halves the path on its way."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@kernel
def union(parents: np.ndarray, i: Any, j: Any) -> Any:
    """Join the trees of i and j under the smaller root; True if they were two."""
    i = find(parents, i)
    j = find(parents, j)
    if i == j:
        return False
    if i < j:
        parents[j] = i
    else:
        parents[i] = j
    return True


@kernel
def labels(parents: np.ndarray) -> Any:
    """Root of every document: int64[n], the smallest index of its cluster. Flattens `parents`."""
    for i in range(len(parents)):
        parents[i] = parents[parents[i]]  # the parent is smaller, so it is flat already
    return parents.copy()


@kernel
def _link_runs(parents: np.ndarray, order: np.ndarray, first: Any, second: Any) -> Any:
    """Join neighbours in `order` whose two key columns are equal."""
    for k in range(1, len(order)):
        i, j = order[k - 1], order[k]
        if first[i] == first[j] and second[i] == second[j]:
            union(parents, i, j)


def link_equal(parents: np.ndarray, keys: np.ndarray, usable: np.ndarray) -> None:
    """Join documents whose keys are equal. keys: uint64[n] or uint64[n, 2]; usable: bool[n]."""
    members = np.flatnonzero(usable)
    columns = keys if keys.ndim == 2 else keys[:, None]
    low, high = columns[:, 0], columns[:, -1]
    members = members[recurring(high[members])]
    order = members[np.lexsort((low[members], high[members]))]
    _link_runs(parents, order, high, low)


@kernel
def _recurring(keys: np.ndarray, shift: Any, once: np.ndarray, again: np.ndarray) -> Any:
    # A bit for every key seen, a second for those seen before: two passes, no sort.
    for key in keys:
        slot = (key * np.uint64(0x9E3779B97F4A7C15)) >> shift
        bit = np.uint64(1) << (slot & np.uint64(63))
        word = slot >> np.uint64(6)
        again[word] |= once[word] & bit
        once[word] |= bit
    count = 0
    for word in again:
        while word:
            word &= word - np.uint64(1)
            count += 1
    out = np.empty(min(len(keys), 2 * count), np.int64)
    size = 0
    for i in range(len(keys)):
        slot = (keys[i] * np.uint64(0x9E3779B97F4A7C15)) >> shift
        if again[slot >> np.uint64(6)] >> (slot & np.uint64(63)) & np.uint64(1):
            if size == len(out):
                larger = np.empty(min(len(keys), 2 * size), np.int64)
                larger[:size] = out
                out = larger
            out[size] = i
            size += 1
    return out[:size]


def recurring(keys: np.ndarray) -> np.ndarray:
    """Positions (int64[m], ascending) of the keys (uint64[n]) that may occur more than once.

    Every key that recurs is among them, and about an eighth of the others: two bit tables with
    8 to 16 slots a key. Most documents of a crawl have no duplicate, so what is left to sort is
    small; the tables take 2 to 4 bytes a key.
    """
    bits = max(6, int(8 * len(keys)).bit_length())
    once, again = np.zeros(1 << (bits - 6), np.uint64), np.zeros(1 << (bits - 6), np.uint64)
    return _recurring(keys, np.uint64(64 - bits), once, again)


def sort_buckets(keys: np.ndarray) -> np.ndarray:
    """Positions of the keys that may recur, by key and then by position (int64[m])."""
    positions = recurring(keys)
    return positions[np.argsort(keys[positions], kind="stable")]


@dataclass(frozen=True)
class Buckets:
    """Documents whose keys of a band are equal: documents[starts[b]:starts[b + 1]], two or more."""

    documents: np.ndarray  # int64[m]
    starts: np.ndarray  # int64[buckets + 1]


def shared_buckets(keys: np.ndarray, members: np.ndarray, settled: int = 0) -> Buckets:
    """The buckets of a band, by key, and each in the order of `members` (int64[m]).

    keys: uint64[m], of the members. A bucket without a document from `settled` on is left out. So
    is every document without company: of a crawl's, most. Memory beside the arguments: about 12
    bytes a member, and 32 more for each that may have a duplicate.
    """
    order = sort_buckets(keys)
    keys, documents = keys[order], members[order]
    # A run of one is a key that `recurring` took for another.
    first = np.flatnonzero(np.concatenate([keys[:1] == keys[:1], keys[1:] != keys[:-1]]))
    sizes = np.diff(first, append=len(keys))
    shared = sizes > 1
    if settled and len(first):
        shared &= np.maximum.reduceat(documents, first) >= settled
    starts = np.concatenate([[0], np.cumsum(sizes[shared])]).astype(np.int64)
    return Buckets(documents[np.repeat(shared, sizes)], starts)


@kernel
def _equal_values(signatures: np.ndarray, i: Any, j: Any, least: Any) -> Any:
    """Number of equal values of two signatures, or less than `least` if that is out of reach."""
    size = signatures.shape[1]
    equal = 0
    for start in range(0, size, 32):
        end = min(start + 32, size)
        for k in range(start, end):
            equal += signatures[i, k] == signatures[j, k]
        if equal + size - end < least:
            return equal
    return equal


@kernel
def _link_buckets(
    parents: np.ndarray,
    documents: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    signatures: np.ndarray,
    least: Any,
    sure: Any,
    settled: Any,
    work: np.ndarray,
) -> Any:
    """Compare within buckets; signatures[rows[k]] is the signature of documents[k].

    Returns the undecided pairs: int64[u, 2], of `least` to `sure` - 1 equal values.
    """
    undecided = np.empty((256, 2), np.int64)
    open_pairs = 0
    for bucket in range(len(starts) - 1):
        start, end = starts[bucket], starts[bucket + 1]
        work[0] += 1
        work[1] = max(work[1], end - start)
        for k in range(start + 1, end):
            i = documents[k]
            root = find(parents, i)
            window = max(start, k - WINDOW)
            if sure == 0:  # every candidate is an edge: a chain through the bucket will do
                work[3] += union(parents, documents[k - 1], i)
                continue
            for other in range(window - 1, k):
                if other < window and window == start:
                    continue  # the bucket's first is inside the window
                at = start if other < window else other
                j = documents[at]
                if max(i, j) < settled or find(parents, j) == root:
                    continue
                work[2] += 1
                equal = _equal_values(signatures, rows[k], rows[at], least)
                if equal >= sure:
                    work[3] += union(parents, i, j)
                    root = find(parents, i)
                elif equal >= least:
                    if open_pairs == len(undecided):
                        larger = np.empty((2 * open_pairs, 2), np.int64)
                        larger[:open_pairs] = undecided
                        undecided = larger
                    undecided[open_pairs, 0] = min(i, j)
                    undecided[open_pairs, 1] = max(i, j)
                    open_pairs += 1
    return undecided[:open_pairs]


def link_similar(
    parents: np.ndarray,
    bands: Iterable[Buckets],
    signed: np.ndarray,
    signatures: np.ndarray,
    least: int,
    sure: int,
    settled: int = 0,
) -> tuple[Work, np.ndarray]:
    """Join documents that share a bucket and at least `sure` equal values of their signatures.

    bands: the buckets of each, inside in the order of text hashes; signatures: uint32[k, num_perm],
    those of the documents `signed` (int64[k], ascending), among which are all of the buckets.
    Documents below `settled` are not compared among themselves. With `sure` 0 every candidate is an
    edge, and the signatures are not read.

    Returns what was done, and the undecided pairs (int64[u, 2], distinct, ascending): those with
    `least` to `sure` - 1 equal values whose documents are still in two clusters.
    """
    work = np.zeros(4, np.int64)
    undecided = [np.empty((0, 2), np.int64)]
    for band in bands:
        documents, starts = band.documents, band.starts
        rows = np.searchsorted(signed, documents)
        open_pairs = _link_buckets(
            parents, documents, starts, rows, signatures, least, sure, settled, work
        )
        undecided.append(np.unique(open_pairs, axis=0))
    pairs = np.unique(np.concatenate(undecided), axis=0)
    return Work(*(int(value) for value in work)), pairs[_apart(parents, pairs)]


@kernel
def _apart(parents: np.ndarray, pairs: np.ndarray) -> Any:
    """bool[u]: pairs whose documents are in two clusters still."""
    out = np.empty(len(pairs), np.bool_)
    for k in range(len(pairs)):
        out[k] = find(parents, pairs[k, 0]) != find(parents, pairs[k, 1])
    return out


@kernel
def join_pairs(parents: np.ndarray, pairs: np.ndarray) -> None:
    """Join the two documents of every pair (int64[m, 2])."""
    for k in range(len(pairs)):
        union(parents, pairs[k, 0], pairs[k, 1])
