"""The conformance file tests/data/dedup_vectors.json: Inaho gives what it says."""

from __future__ import annotations

import json
from pathlib import Path

import make_vectors
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup.local import cluster
from corpus.dedup.signatures import jaccard, minhash, normal
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings

VECTORS = json.loads(make_vectors.OUT.read_text("utf-8"))
SETTINGS = DedupSettings(**VECTORS["settings"])
ROWS = VECTORS["documents"]
TEXTS = pa.array([row["text"] for row in ROWS])


def test_the_file_is_what_the_reference_writes() -> None:
    assert json.loads(json.dumps(make_vectors.vectors())) == VECTORS


def test_the_defaults_are_the_files_settings() -> None:
    default = DedupSettings()
    bands, rows = minhash.banding(default)
    mine = {key: getattr(default, key) for key in ("ngram", "num_perm", "seed", "threshold")}
    assert mine | {"bands": bands, "rows": rows} == VECTORS["settings"]


def test_normalised_texts_hashes_signatures_and_band_keys() -> None:
    assert normal.normalise(TEXTS).to_pylist() == [row["normalised"] for row in ROWS]
    signatures, exact, _ = minhash.sign_texts(TEXTS, SETTINGS)
    assert signatures.tolist() == [row["signature"] for row in ROWS]
    assert [f"{a:016x}{b:016x}" for a, b in exact.tolist()] == [row["exact"] for row in ROWS]
    for band in range(SETTINGS.bands):
        keys = minhash.band_keys(signatures, band, SETTINGS.rows)
        assert [f"{key:016x}" for key in keys.tolist()] == [row["band_keys"][band] for row in ROWS]


def test_similarities_of_all_pairs() -> None:
    place = {row["id"]: i for i, row in enumerate(ROWS)}
    left = np.array([place[pair["a"]] for pair in VECTORS["pairs"]])
    right = np.array([place[pair["b"]] for pair in VECTORS["pairs"]])
    exact = jaccard.jaccard_pairs(*jaccard.shingle_sets(TEXTS, SETTINGS), left, right)
    assert exact == pytest.approx([pair["jaccard"] for pair in VECTORS["pairs"]])
    signatures = minhash.signatures(TEXTS, SETTINGS)
    estimates = minhash.pair_similarity(signatures, left, right)
    assert estimates == pytest.approx([pair["estimate"] for pair in VECTORS["pairs"]])


def test_clusters(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [r["id"] for r in ROWS], "text": TEXTS}), tmp_path / "d.parquet")
    cluster.sign(tmp_path / "d.parquet", tmp_path / "s.parquet", SETTINGS)
    cluster.find_duplicates([tmp_path / "s.parquet"], Layout(tmp_path), SETTINGS)
    clusters: dict[str, list[str]] = {}
    for row in pq.read_table(Layout(tmp_path).duplicates).to_pylist():
        clusters.setdefault(row["cluster"], []).append(row["id"])
    assert sorted(sorted(members) for members in clusters.values()) == VECTORS["clusters"]
