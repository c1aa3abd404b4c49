"""What becomes of every duplicate: the kept copy, the kind of link, the reason in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup.index import NOTHING_BEFORE, Before
from corpus.dedup.keep import DROPPED_BEFORE, KEPT_BEFORE, NEW, policy_text, rank_copies
from corpus.dedup.local.buckets import (
    Buckets,
    join_pairs,
    labels,
    link_equal,
    link_similar,
    shared_buckets,
)
from corpus.dedup.local.load import (
    Sample,
    Scratch,
    Signatures,
    read_band_keys,
    read_rows,
    read_signatures,
)
from corpus.dedup.local.verify import bounds, exact_jaccard
from corpus.dedup.signatures.files import has_near, has_url
from corpus.folder.schema import DUPLICATES, LEDGER
from corpus.settings import DedupSettings

# Of a member of a cluster: what the policy may order by, and what the ledger says of it.
MEMBER_COLUMNS = [
    *("id", "url", "canonical_url", "source", "rights", "quality", "n_chars", "date", "captured"),
    *("source_file", "source_offset"),
]


# The highest similarity of texts that differ: signatures, and even sets of n-grams, may be equal.
NEARLY = np.float32(0.999)


@dataclass(frozen=True)
class Links:
    """Labels (int64[n]) after each kind of link was added to those before it.

    `pairs` (int64[u, 2], ascending) were verified exactly on the way: `jaccard` float64[u].
    """

    exact: np.ndarray
    url: np.ndarray
    near: np.ndarray
    pairs: np.ndarray
    jaccard: np.ndarray


def link(
    data: Signatures, settings: DedupSettings, scratch: Scratch, before: Before = NOTHING_BEFORE
) -> Links:
    """Connected components by equal text, then also by equal address, then also by similarity.

    Clusters of `before` stay as they are; its documents are only compared with those of the crawl.
    """
    # Strictest links first, with the labels after each: so the kind of every link is known later.
    parents = np.arange(data.n, dtype=np.int64)
    if settings.mode in ("near", "exact"):
        link_equal(parents, data.exact, data.usable)
    by_exact = labels(parents)
    if has_url(settings):
        link_equal(parents, data.url_keys, data.url_keys != 0)
    by_url = labels(parents)
    join_pairs(parents, before.pairs)
    pairs, jaccard = np.empty((0, 2), np.int64), np.empty(0)
    if has_near(settings):
        bands = _buckets(data, by_exact, settings, scratch)
        candidates = np.unique(np.concatenate([band.documents for band in bands]))
        sample = read_signatures(data, candidates, scratch)
        least, sure = bounds(settings)
        _, pairs = link_similar(
            parents, bands, sample.documents, sample.values, least, sure, data.indexed
        )
        # Where the estimate is too close to the threshold, the texts decide.
        jaccard = _decide_pairs(data, sample, pairs, settings, scratch)
        join_pairs(parents, pairs[jaccard >= settings.threshold])
    return Links(by_exact, by_url, labels(parents), pairs, jaccard)


def _buckets(
    data: Signatures, by_exact: np.ndarray, settings: DedupSettings, scratch: Scratch
) -> list[Buckets]:
    """Of each band, the documents that share a key of it: one document of each text, in the order
    of text hashes, so that which pairs are compared does not depend on the order of the input."""
    unique = np.flatnonzero(data.usable & (by_exact == np.arange(data.n)))
    members = unique[np.lexsort((data.exact[unique, 1], data.exact[unique, 0]))]
    # Without verification a bucket joins whatever is in it, of earlier crawls too.
    settled = data.indexed if settings.verify != "none" else 0
    keys = read_band_keys(data, settings, scratch)
    with ThreadPoolExecutor(2) as pool:  # kernels and sorts hold no lock
        return list(pool.map(lambda band: shared_buckets(band[members], members, settled), keys))


def _decide_pairs(
    data: Signatures, sample: Sample, pairs: np.ndarray, settings: DedupSettings, scratch: Scratch
) -> np.ndarray:
    """Exact Jaccard of the undecided pairs; the estimate where one comes from an index.

    The texts of earlier crawls need not be at hand any more.
    """
    jaccard = sample.similarity(pairs[:, 0], pairs[:, 1]).astype(np.float64)
    ours = pairs[:, 0] >= data.indexed
    jaccard[ours] = exact_jaccard(data, pairs[ours, 0], pairs[ours, 1], settings, scratch)
    return jaccard


def decide(
    data: Signatures,
    links: Links,
    settings: DedupSettings,
    scratch: Scratch,
    before: Before = NOTHING_BEFORE,
) -> pa.Table:
    """A row for every document of a cluster of two or more, by file and row.

    Columns: DUPLICATES' and MEMBER_COLUMNS, `document`, `measured` (the similarity is exact). The
    first `keep_n` copies by the policy are kept; the others name the first. `kind` is the first of
    exact, url and near that connects a document with the kept copy. Documents of an index go before
    all others, except those that it dropped, which come last.
    """
    sizes = np.bincount(links.near, minlength=data.n)
    documents = np.flatnonzero(sizes[links.near] > 1)
    members = read_rows(data, documents, MEMBER_COLUMNS)
    signed = functools.partial(read_signatures, data, scratch=scratch)
    return judge(members, documents, data, links, signed, settings, before)


def judge(
    members: pa.Table,
    documents: np.ndarray,
    data: Signatures,
    links: Links,
    signed: Callable[[np.ndarray], Sample],
    settings: DedupSettings,
    before: Before = NOTHING_BEFORE,
) -> pa.Table:
    """`decide` on the members of whole clusters: `documents` (int64[m], ascending) of `data`.

    signed: gives the signatures of documents (int64[k], ascending).
    """
    # Standing: what an index kept or dropped goes before, or behind, whatever the policy says.
    sizes = np.bincount(links.near, minlength=data.n)
    label = links.near[documents]
    standing = np.where(documents < data.indexed, KEPT_BEFORE, NEW).astype(np.int8)
    standing[np.isin(documents, before.dropped)] = DROPPED_BEFORE
    members = members.append_column("label", pa.array(label))
    members = members.append_column("standing", pa.array(standing))
    # The policy's order puts each cluster in a row, its best copy first: the first `keep_n` keep
    # themselves, all others name the best.
    order = rank_copies(members, settings)
    first = np.flatnonzero(np.diff(label[order], prepend=-1) != 0)
    size = sizes[label[order][first]]
    best = np.repeat(order[first], size)  # row of the kept copy, in policy order
    place = np.arange(len(order)) - np.repeat(first, size)  # 0: best, 1: second …
    kept_row = np.empty(len(order), np.int64)
    kept_row[order] = np.where(place < settings.keep_n, order, best)
    kept = kept_row == np.arange(len(order))
    # Kind: the strictest link that joins a document with its kept copy, written weakest first.
    target = documents[kept_row]
    kind = np.full(len(order), "near", object)
    kind[links.url[documents] == links.url[target]] = "url"
    kind[links.exact[documents] == links.exact[target]] = "exact"
    kind[kept] = "kept"
    near = has_near(settings)
    similarity, exact = _similarity(data, links, documents, target, kind, signed if near else None)
    ids = members["id"].cast(pa.large_string()).combine_chunks()  # may exceed 2 GiB
    urls = members["url"].cast(pa.large_string()).combine_chunks()
    table = pa.table(
        {
            "id": ids,
            "cluster": _smallest_ids(ids, label, documents >= data.indexed),
            "kept_id": ids.take(pa.array(kept_row)),
            "kind": pa.array(kind, pa.string()),
            "similarity": similarity,
            "cluster_size": sizes[label].astype(np.int32),
            "file": members["file"],
            "row": members["row"],
            "measured": exact,
            "kept_url": urls.take(pa.array(kept_row)),
            "kept_file": members["file"].combine_chunks().take(pa.array(kept_row)),
        }
    )
    for name in ("document", *MEMBER_COLUMNS[1:]):
        table = table.append_column(name, members[name])
    return table


def _similarity(
    data: Signatures,
    links: Links,
    documents: np.ndarray,
    kept: np.ndarray,
    kind: np.ndarray,
    signed: Callable[[np.ndarray], Sample] | None,
) -> tuple[pa.Array, np.ndarray]:
    """(similarity to the kept copy float32[m], whether it is exact bool[m]).

    Exact where the clustering verified this very pair; a copy that was linked through others and
    never compared with the kept one has the estimate. Below 1 where the texts differ. Null without
    signatures (mode `url`).
    """
    exact = (kind == "exact") | (kind == "kept")
    values = np.ones(len(kind), np.float32)
    if signed is None:
        return pa.array(values, mask=~exact), exact
    pairs = documents[~exact], kept[~exact]
    values[~exact] = signed(np.unique(np.concatenate(pairs))).similarity(*pairs)
    # A pair as one number, left * n + right: `links.pairs` are ascending by it, so look it up.
    left, right = np.minimum(documents, kept), np.maximum(documents, kept)
    wanted, known = left * data.n + right, links.pairs[:, 0] * data.n + links.pairs[:, 1]
    place = np.searchsorted(known, wanted)
    place[place == len(known)] = 0
    verified = (known[place] == wanted) if len(known) else np.zeros(len(wanted), np.bool_)
    values[verified] = links.jaccard[place[verified]]
    if data.indexed:  # those were decided by the estimate
        verified &= left >= data.indexed
    values[~exact] = np.minimum(values[~exact], NEARLY)  # equal signatures are not equal texts
    return pa.array(values), exact | verified


def _smallest_ids(ids: pa.Array, label: np.ndarray, new: np.ndarray) -> pa.Array:
    """The smallest id of each row's cluster: a name that no order of documents changes.

    Documents of an index name their cluster, so that a later crawl does not rename it.
    """
    table = pa.table({"label": label, "new": new, "id": ids})
    keys = [(name, "ascending") for name in ("label", "new", "id")]
    order = pc.sort_indices(table, keys).to_numpy()
    first = np.diff(label[order], prepend=-1) != 0
    runs = np.cumsum(first) - 1
    smallest = np.empty(len(order), np.int64)
    smallest[order] = order[np.flatnonzero(first)][runs]
    return ids.take(pa.array(smallest))


def tally(outcome: pa.Table) -> dict[str, int]:
    """{removed, clusters, exact, near, url} of rows of `decide`."""
    kinds = {row["values"]: row["counts"] for row in pc.value_counts(outcome["kind"]).to_pylist()}
    return {
        "removed": len(outcome) - kinds.get("kept", 0),
        "clusters": len(outcome["cluster"].unique()),
        **{kind: kinds.get(kind, 0) for kind in ("exact", "near", "url")},
    }


def duplicates_table(outcome: pa.Table) -> pa.Table:
    """The rows of DUPLICATES."""
    return outcome.select(DUPLICATES.names)


def ledger_table(removed: pa.Table, settings: DedupSettings) -> pa.Table:
    """Ledger rows of removed documents (rows of `decide`), with the reason in words."""
    columns = ("kind", "similarity", "measured", "cluster_size", "kept_url", "generation")
    rows = zip(*(removed[name].to_pylist() for name in columns), strict=True)
    policy = policy_text(settings)
    details = [_reason(*row, threshold=settings.threshold, policy=policy) for row in rows]
    kinds, n = removed["kind"].to_pylist(), len(removed)
    bound = {"near": settings.threshold, "exact": 1.0, "url": None}
    ledger = {
        "stage": pa.array(["dedup"] * n, pa.string()),
        "rule": removed["kind"],
        "action": pa.array(["drop"] * n, pa.string()),
        "id": removed["id"],
        "url": removed["url"],
        "source_file": removed["source_file"],
        "source_offset": removed["source_offset"],
        "value": removed["similarity"].cast(pa.float64()),
        "threshold": pa.array([bound[kind] for kind in kinds], pa.float64()),
        "kept_id": removed["kept_id"],
        "detail": pa.array(details, pa.string()),
    }
    return pa.table([ledger[name] for name in LEDGER.names], names=LEDGER.names)


def _reason(
    kind: str,
    similarity: float,
    measured: bool,
    size: int,
    kept_url: str | None,
    generation: int | None,
    *,
    threshold: float,
    policy: str,
) -> str:
    """Why a copy went: how it is alike, how large its cluster is, and why the other was kept."""
    if kind == "exact":
        alike = "same text as the kept copy up to width, case, punctuation and spaces"
    elif kind == "url":
        alike = "same canonical address as the kept copy"
    else:
        alike = f"near-duplicate of the kept copy, Jaccard {similarity:.3f}"
        if not measured:
            alike = f"near-duplicate of the kept copy by estimate, Jaccard about {similarity:.3f}"
        if similarity < min(np.float32(threshold), NEARLY):
            alike += " (linked through other copies of its cluster)"
    kept = f"kept by: {policy}"
    if generation is not None:
        kept = f"kept in generation {generation} of the index: {kept_url or 'no address'}"
    return f"{alike}; cluster of {size}; {kept}"
