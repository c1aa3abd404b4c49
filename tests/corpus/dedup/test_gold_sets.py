"""Quality on real pages: precision and recall against exact Jaccard by brute force."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup.local import cluster
from corpus.dedup.signatures import jaccard
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings

SETTINGS = DedupSettings()


def co_members(labels: list[int]) -> set[tuple[int, int]]:
    groups = defaultdict(list)
    for i, label in enumerate(labels):
        groups[label].append(i)
    return {pair for members in groups.values() for pair in combinations(members, 2)}


@pytest.fixture(scope="module")
def gold(shared_data: Path) -> list[dict]:
    with gzip.open(shared_data / "warc" / "dev-sample.gold.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


def clustered(folder: Path, rows: list[dict]) -> list[int]:
    """Label of every document: the first of its cluster."""
    table = pa.table({"id": [r["record_id"] for r in rows], "text": [r["gold"] for r in rows]})
    pq.write_table(table, folder / "documents.parquet")
    cluster.sign(folder / "documents.parquet", folder / "signatures.parquet", SETTINGS)
    cluster.find_duplicates([folder / "signatures.parquet"], Layout(folder), SETTINGS)
    labels = list(range(len(rows)))
    first: dict[str, int] = {}
    for row in pq.read_table(Layout(folder).duplicates).to_pylist():
        labels[row["row"]] = first.setdefault(row["cluster"], row["row"])
    return labels


def test_clusters_of_main_texts_are_those_of_brute_force(gold: list[dict], tmp_path: Path) -> None:
    sets = jaccard.shingle_sets(pa.array([r["gold"] for r in gold]), SETTINGS)
    left, right, exact = reference.all_pairs(*sets, SETTINGS.threshold)
    assert (exact >= SETTINGS.threshold).all() and len(left) > 50
    edges = list(zip(left.tolist(), right.tolist(), strict=True))
    true = co_members(reference.components(len(gold), edges))
    found = co_members(clustered(tmp_path, gold))
    assert len(found & true) >= 0.98 * len(found)
    assert len(found & true) >= 0.98 * len(true)


def test_gold_pairs_of_main_texts_are_decided_rightly(
    gold: list[dict], shared_data: Path, tmp_path: Path
) -> None:
    """Gold Jaccard is of texts normalised elsewhere, so pairs within 0.04 of 0.8 are left out."""
    labels = clustered(tmp_path, gold)
    place = {r["record_id"]: i for i, r in enumerate(gold)}
    lines = (shared_data / "warc" / "dev-sample.neardup_gold.jsonl").read_text().splitlines()
    outcomes = {True: np.zeros(2, int), False: np.zeros(2, int)}
    for pair in map(json.loads, lines):
        if abs(pair["jaccard5"] - SETTINGS.threshold) > 0.04:
            together = labels[place[pair["a"]]] == labels[place[pair["b"]]]
            outcomes[pair["jaccard5"] > SETTINGS.threshold][int(together)] += 1
    missed, found = outcomes[True]
    assert found >= 40 and missed <= 1
    apart, joined = outcomes[False]
    assert apart >= 15 and joined <= 3  # joined through a third version of the page
