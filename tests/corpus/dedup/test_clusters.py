"""Clusters: datasketch's candidates, brute force's components, the same for every order."""

from __future__ import annotations

from dataclasses import replace

import dedup_reference as reference
import numpy as np
import pyarrow as pa
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.local import buckets
from corpus.dedup.local.verify import bounds
from corpus.dedup.signatures import minhash
from corpus.settings import DedupSettings


def versions(rng: np.random.Generator, families: int, size: int) -> list[str]:
    """Families of edited copies: each member rewrites a random share of its family's text."""
    texts = []
    for _ in range(families):
        base = rng.integers(0x4E00, 0x6000, size=int(rng.integers(40, 400)))
        for _ in range(int(rng.integers(1, 5))):
            copy = base.copy()
            for _ in range(int(rng.integers(0, 6))):
                at = int(rng.integers(0, len(copy)))
                copy[at : at + 3] = rng.integers(0x4E00, 0x6000, size=len(copy[at : at + 3]))
            texts.append("".join(map(chr, copy)))
    return texts


def link_similar(
    parents: np.ndarray,
    members: np.ndarray,
    signatures: np.ndarray,
    bands: int,
    rows: int,
    least: int,
    sure: int,
    settled: int = 0,
) -> tuple[buckets.Work, np.ndarray]:
    """buckets.link_similar with the signatures of all documents; `members` in the order to walk."""
    keys = [minhash.band_keys(signatures, band, rows)[members] for band in range(bands)]
    shared = [buckets.shared_buckets(band, members, settled) for band in keys]
    every = np.arange(len(signatures))
    return buckets.link_similar(parents, shared, every, signatures, least, sure, settled)


def linked(signatures: np.ndarray, order: np.ndarray, bands: int, rows: int, t: float) -> list[int]:
    parents = np.arange(len(signatures), dtype=np.int64)
    needed = int(np.ceil(round(t * signatures.shape[1], 9)))
    link_similar(parents, order, signatures, bands, rows, needed, needed)
    return buckets.labels(parents).tolist()


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39))))
def test_union_find_labels_are_the_smallest_index_of_the_component(
    n: int, edges: list[tuple[int, int]]
) -> None:
    edges = [(i % n, j % n) for i, j in edges]
    parents = np.arange(n, dtype=np.int64)
    for i, j in edges:
        buckets.union(parents, i, j)
    assert buckets.labels(parents).tolist() == reference.components(n, edges)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.booleans()), max_size=40))
def test_equal_keys_are_linked_and_unusable_ones_never(rows: list[tuple[int, int, bool]]) -> None:
    keys = np.array([r[:2] for r in rows], np.uint64).reshape(-1, 2)
    usable = np.array([r[2] for r in rows], np.bool_)
    parents = np.arange(len(rows), dtype=np.int64)
    buckets.link_equal(parents, keys, usable)
    edges = [
        (i, j)
        for i in range(len(rows))
        for j in range(i)
        if rows[i] == rows[j] and rows[i][2] and rows[j][2]
    ]
    assert buckets.labels(parents).tolist() == reference.components(len(rows), edges)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(16, 8), (9, 13), (32, 4)]))
def test_clusters_are_the_components_of_datasketchs_verified_candidates(
    seed: int, banding: tuple[int, int]
) -> None:
    rng = np.random.default_rng(seed)
    texts = versions(rng, 12, 400)
    signatures = minhash.signatures(pa.array(texts), DedupSettings())
    index = MinHashLSH(num_perm=128, params=banding)
    sketches = [MinHash(128, hashvalues=row, scheme="affine32") for row in signatures]
    for i, sketch in enumerate(sketches):
        index.insert(i, sketch)
    edges = [
        (i, j)
        for i, sketch in enumerate(sketches)
        for j in index.query(sketch)
        if j < i and sketch.jaccard(sketches[j]) >= 0.8
    ]
    got = linked(signatures, np.arange(len(texts)), *banding, 0.8)
    assert got == reference.components(len(texts), edges)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_documents_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = versions(rng, 30, 200)
    options = DedupSettings()

    def clusters(order: np.ndarray) -> set[frozenset[int]]:
        signatures, exact, _ = minhash.sign_texts(pa.array([texts[i] for i in order]), options)
        by_hash = np.lexsort((exact[:, 1], exact[:, 0]))
        groups: dict[int, set[int]] = {}
        for place, label in enumerate(linked(signatures, by_hash, 16, 8, 0.8)):
            groups.setdefault(label, set()).add(int(order[place]))
        return {frozenset(group) for group in groups.values()}

    assert clusters(np.arange(len(texts))) == clusters(rng.permutation(len(texts)))


def test_a_hot_bucket_costs_linear_work() -> None:
    rng = np.random.default_rng(1)
    for n in (1000, 4000):
        signatures = rng.integers(0, 2**32, (n, 16), dtype=np.uint32)
        signatures[:, :4] = 7  # every document shares the first band, nothing else
        parents = np.arange(n, dtype=np.int64)
        work, undecided = link_similar(parents, np.arange(n), signatures, 4, 4, 10, 14)
        assert len(undecided) == 0
        assert work.largest_bucket == n
        assert work.compared <= n * (buckets.WINDOW + 1)
        assert (parents == np.arange(n)).all()


def test_a_hot_bucket_of_true_copies_is_one_cluster() -> None:
    rng = np.random.default_rng(2)
    signatures = np.repeat(rng.integers(0, 2**32, (1, 128), dtype=np.uint32), 5000, axis=0)
    signatures[np.arange(5000), rng.integers(0, 128, 5000)] = rng.integers(0, 2**32, 5000)
    parents = np.arange(5000, dtype=np.int64)
    work, _ = link_similar(parents, np.arange(5000), signatures, 16, 8, 103, 103)
    assert not buckets.labels(parents).any()
    assert work.compared < 5000 * 2


def test_similarity_exactly_at_the_threshold_is_an_edge() -> None:
    estimate = DedupSettings(verify="estimate", num_perm=10, threshold=0.7)
    assert bounds(estimate) == (7, 7)
    assert bounds(replace(estimate, num_perm=100, threshold=0.8)) == (80, 80)
    assert bounds(replace(estimate, num_perm=128, threshold=0.8)) == (103, 103)
    signatures = np.zeros((2, 10), np.uint32)
    signatures[1, :3] = 1
    assert linked(signatures, np.arange(2), 2, 5, 0.7) == [0, 0]
    signatures[1, 3] = 1
    assert linked(signatures, np.arange(2), 2, 5, 0.7) == [0, 1]


@given(st.integers(2, 512), st.floats(0.05, 1.0))
def test_pairs_within_three_standard_errors_are_undecided(num_perm: int, threshold: float) -> None:
    least, sure = bounds(DedupSettings(num_perm=num_perm, threshold=threshold))
    margin = 3 * np.sqrt(threshold * (1 - threshold) / num_perm)
    for equal in range(num_perm + 1):
        distance = abs(equal / num_perm - threshold)
        if abs(distance - margin) > 1e-6 and equal > 0:
            assert (least <= equal < sure) == (distance <= margin)


def test_undecided_pairs_are_returned_once_and_only_while_apart() -> None:
    signatures = np.zeros((4, 20), np.uint32)
    signatures[1, 12:] = 1  # 12 of 20 equal to document 0: undecided, in several bands
    signatures[2] = np.arange(2, 22)
    signatures[3] = signatures[0]
    parents = np.arange(4, dtype=np.int64)
    _, undecided = link_similar(parents, np.arange(4), signatures, 5, 4, 10, 16)
    assert undecided.tolist() == [[0, 1], [1, 3]]
    parents = np.array([0, 0, 2, 3])
    _, undecided = link_similar(parents, np.arange(4), signatures, 5, 4, 10, 16)
    assert undecided.tolist() == []


@given(st.lists(st.integers(0, 30), max_size=80), st.booleans())
def test_every_recurring_key_is_kept_for_sorting(values: list[int], spread: bool) -> None:
    keys = np.array(values, np.uint64) << np.uint64(59 if spread else 0)
    positions = buckets.recurring(keys)
    assert (np.diff(positions) > 0).all()
    kept = set(positions.tolist())
    same = keys.tolist()
    for i, key in enumerate(same):
        if same.count(key) > 1:
            assert i in kept
    order = buckets.sort_buckets(keys).tolist()
    assert order == sorted(kept, key=lambda i: (same[i], i))


def test_most_unique_keys_are_not_sorted() -> None:
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    assert len(buckets.recurring(keys)) < 16_000


def test_without_verification_every_candidate_is_an_edge() -> None:
    signatures = np.arange(40, dtype=np.uint32).reshape(4, 10)
    signatures[3, :5] = signatures[0, :5]
    signatures[2, 5:] = signatures[3, 5:]
    parents = np.arange(4, dtype=np.int64)
    link_similar(parents, np.arange(4), signatures, 2, 5, 0, 0)
    assert buckets.labels(parents).tolist() == [0, 1, 0, 0]


@given(st.lists(st.integers(0, 6), max_size=30), st.integers(0, 31), st.integers(0, 2**32 - 1))
def test_buckets_are_the_members_of_equal_keys_in_their_order(
    values: list[int], settled: int, seed: int
) -> None:
    members = np.random.default_rng(seed).permutation(len(values))
    found = buckets.shared_buckets(np.array(values, np.uint64), members, settled)
    expected = []
    for value in sorted(set(values)):
        bucket = [int(members[at]) for at, key in enumerate(values) if key == value]
        if len(bucket) > 1 and max(bucket) >= settled:
            expected.append(bucket)
    ends = found.starts.tolist()
    got = [found.documents[a:b].tolist() for a, b in zip(ends, ends[1:], strict=False)]
    assert got == expected


def test_a_sample_of_the_signatures_gives_the_clusters_of_all() -> None:
    rng = np.random.default_rng(9)
    signatures = minhash.signatures(pa.array(versions(rng, 30, 200)), DedupSettings())
    n, order = len(signatures), rng.permutation(len(signatures))
    keys = [minhash.band_keys(signatures, band, 8)[order] for band in range(16)]
    shared = [buckets.shared_buckets(band, order) for band in keys]
    some = np.unique(np.concatenate([band.documents for band in shared]))
    assert len(some) < n
    parents = np.arange(n, dtype=np.int64)
    buckets.link_similar(parents, shared, some, signatures[some], 103, 103)
    assert buckets.labels(parents).tolist() == linked(signatures, order, 16, 8, 0.8)
