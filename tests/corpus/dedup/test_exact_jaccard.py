"""Exact Jaccard: on demand, near the threshold, and by brute force."""

from __future__ import annotations

from pathlib import Path

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.local import cluster
from corpus.dedup.local.load import Scratch, load
from corpus.dedup.local.verify import exact_jaccard
from corpus.dedup.signatures.jaccard import jaccard_pairs, shingle_sets
from corpus.errors import RunError
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings

TEXTS = st.lists(st.text(st.sampled_from("あいが12。 "), max_size=25), max_size=7)


@given(TEXTS, st.integers(1, 6))
def test_pairs_equal_the_set_arithmetic_of_python(texts: list[str], n: int) -> None:
    hashes, starts = shingle_sets(pa.array(texts, pa.string()), DedupSettings(ngram=n))
    for i, text in enumerate(texts):
        assert starts[i + 1] - starts[i] == len(set(reference.shingles(text, n)))
    pairs = [(i, j) for i in range(len(texts)) for j in range(i)]
    left = np.array([i for i, _ in pairs], np.int64)
    right = np.array([j for _, j in pairs], np.int64)
    exact = [reference.jaccard(texts[i], texts[j], n) for i, j in pairs]
    assert jaccard_pairs(hashes, starts, left, right).tolist() == exact
    found = reference.all_pairs(hashes, starts, 0.5)
    expected = {(j, i): x for (i, j), x in zip(pairs, exact, strict=True) if x >= 0.5}
    assert dict(zip(zip(*map(list, found[:2]), strict=True), found[2], strict=True)) == expected


def family(rng: np.random.Generator, copies: int) -> list[str]:
    """Copies of a text with 1 to 19 of 900 characters rewritten: Jaccard 0.67 to 0.99."""
    base = rng.integers(0x4E00, 0x9000, 900)
    texts = []
    for _ in range(copies):
        copy = base.copy()
        places = rng.choice(900, int(rng.integers(1, 20)), replace=False)
        copy[places] = rng.integers(0x4E00, 0x9000, len(places))
        texts.append("".join(map(chr, copy)))
    return texts


def signed(folder: Path, texts: list[str], settings: DedupSettings, files: int = 3) -> list[Path]:
    paths = []
    for index in range(files):
        part = texts[index::files]
        table = pa.table({"id": [f"{index}-{k}" for k in range(len(part))], "text": part})
        pq.write_table(table, folder / f"documents-{index}.parquet", row_group_size=4)
        paths.append(folder / f"signatures-{index}.parquet")
        cluster.sign(folder / f"documents-{index}.parquet", paths[-1], settings)
    return paths


@pytest.mark.parametrize("memory", [1, 50_000, 1 << 30])
def test_shingles_of_all_pairs_are_held_in_memory_or_mapped(tmp_path: Path, memory: int) -> None:
    rng = np.random.default_rng(3)
    texts = family(rng, 20)
    settings = DedupSettings()
    data = load(signed(tmp_path, texts, settings), settings)
    order = [t for index in range(3) for t in texts[index::3]]
    left, right = rng.integers(0, 20, 40), rng.integers(0, 20, 40)
    got = exact_jaccard(data, left, right, settings, Scratch(tmp_path / "scratch", memory))
    expected = [reference.jaccard(order[i], order[j], 5) for i, j in zip(left, right, strict=True)]
    assert got == pytest.approx(expected, abs=1e-4)


def test_clusters_are_those_of_brute_force_where_estimates_would_err(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    texts = [text for _ in range(25) for text in family(rng, 3)]
    order = [t for index in range(3) for t in texts[index::3]]
    sets = [set(reference.shingles(text, 5)) for text in order]
    edges = [
        (i, j)
        for i, a in enumerate(sets)
        for j, b in enumerate(sets[:i])
        if len(a & b) >= 0.8 * len(a | b)
    ]
    assert len(edges) > 20
    expected = reference.components(len(order), edges)
    got = {}
    for verify in ("exact", "estimate"):
        settings = DedupSettings(verify=verify, bands=32, rows=4)
        cluster.find_duplicates(
            signed(tmp_path, texts, settings), Layout(tmp_path / verify), settings
        )
        rows = pq.read_table(Layout(tmp_path / verify).duplicates).to_pylist()
        parents = np.arange(len(order))
        by_cluster: dict[str, int] = {}
        for row in rows:
            i = sum(len(texts[k::3]) for k in range(row["file"])) + row["row"]
            parents[i] = by_cluster.setdefault(row["cluster"], i)
        got[verify] = parents.tolist()
    assert got["exact"] == expected
    assert got["estimate"] != expected  # otherwise this test shows nothing


def test_the_ledger_says_which_similarities_are_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    texts = [text for _ in range(20) for text in family(rng, 2)]
    settings = DedupSettings()
    cluster.find_duplicates(signed(tmp_path, texts, settings, 1), Layout(tmp_path), settings)
    rows = pq.read_table(Layout(tmp_path).dedup_ledger).to_pylist()
    assert rows
    for row in rows:
        left, right = (texts[int(row[k].split("-")[1])] for k in ("id", "kept_id"))
        exact = reference.jaccard(left, right, 5)
        if "by estimate" in row["detail"]:
            assert abs(row["value"] - 0.8) > 0.1 or "linked through" in row["detail"]
            assert abs(row["value"] - exact) < 0.15
        else:
            assert row["value"] == pytest.approx(exact, abs=1e-4)


def test_missing_documents_are_named_with_the_mend(tmp_path: Path) -> None:
    settings = DedupSettings()
    paths = signed(tmp_path, family(np.random.default_rng(8), 9), settings)
    for index in range(3):
        (tmp_path / f"documents-{index}.parquet").unlink()
    with pytest.raises(RunError, match="verify = estimate") as error:
        cluster.find_duplicates(paths, Layout(tmp_path / "out"), settings)
    assert "\n" not in str(error.value)


def test_an_array_that_the_disk_has_no_room_for_is_refused_in_one_line(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path, 1 << 20)
    assert scratch.empty((3, 4), np.uint64).shape == (3, 4)
    mapped = scratch.empty((1 << 19,), np.uint32)
    mapped[:] = 7
    assert isinstance(mapped, np.memmap) and mapped.sum() == 7 << 19
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RunError, match="has no room for"):
        scratch.empty((1 << 50,), np.uint64)
