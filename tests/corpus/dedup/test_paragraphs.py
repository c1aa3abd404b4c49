"""Paragraphs: counted by document, within a host and over the corpus."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.passages import paragraphs

DOCUMENTS = [
    ("a.jp", "ホーム｜会社概要\n本文その一です。\n更新日：2024年1月5日"),
    ("a.jp", "ホーム ｜ 会社概要\n本文その二です。\n更新日：2025年12月24日"),
    ("a.jp", "本文その三です。\n\n本文その三です。\n更新日：2025年12月24日"),
    ("b.jp", "ホーム｜会社概要\n別の本文です。"),
    ("", ""),
    ("b.jp", "……\n★"),
]


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    pq.write_table(pa.table({"host": [h for h, _ in rows], "text": [t for _, t in rows]}), path)
    return path


def annotated(folder: Path, rows: list[tuple[str, str]], files: int = 2) -> list[dict]:
    paths = [write(folder / f"d{k}.parquet", rows[k::files]) for k in range(files)]
    counts = [path.with_suffix(".counts") for path in paths]
    for path, out in zip(paths, counts, strict=True):
        paragraphs.count(path, out)
    paragraphs.merge(counts, folder / "frequent.parquet")
    out = []
    for path in paths:
        paragraphs.annotate(path, folder / "frequent.parquet", folder / "a.parquet")
        out.append(pq.read_table(folder / "a.parquet").to_pylist())
    return [out[k % files][k // files] for k in range(len(rows))]


def test_paragraphs_are_counted_by_document_host_and_corpus(tmp_path: Path) -> None:
    rows = annotated(tmp_path, DOCUMENTS)
    assert rows[0]["exact_host"] == [2, 1, 1] and rows[0]["exact_corpus"] == [3, 1, 1]
    assert rows[0]["near_host"] == [2, 1, 3] and rows[0]["near_corpus"] == [3, 1, 3]
    assert rows[1]["exact_host"] == [2, 1, 2]
    assert rows[2]["exact_host"] == [1, 0, 1, 2]  # twice in one document is once
    assert rows[3]["near_host"] == [1, 1] and rows[3]["near_corpus"] == [3, 1]
    assert rows[4]["near_host"] == [0] and rows[5]["near_host"] == [0, 0]


LINES = st.lists(
    st.tuples(
        st.sampled_from(["a.jp", "b.jp", ""]),
        st.lists(st.sampled_from(["あ", "い1", "い22", "い 1", "", "。", "う"]), max_size=6),
    ),
    max_size=8,
)


@settings(max_examples=20)
@given(LINES, st.integers(1, 3))
def test_counts_equal_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory, documents: list[tuple[str, list[str]]], files: int
) -> None:
    rows = [(host, "\n".join(lines)) for host, lines in documents]
    got = annotated(tmp_path_factory.mktemp("paragraphs"), rows, files)
    for mask, kind in ((False, "exact"), (True, "near")):
        by_host, by_corpus = defaultdict(set), defaultdict(set)
        for i, (host, text) in enumerate(rows):
            for line in text.split("\n"):
                by_host[host, reference.normalise(line, mask)].add(i)
                by_corpus[reference.normalise(line, mask)].add(i)
        for row, (host, text) in zip(got, rows, strict=True):
            folded = [reference.normalise(line, mask) for line in text.split("\n")]
            expected = [len(by_host[host, line]) if line else 0 for line in folded]
            assert row[f"{kind}_host"] == expected
            expected = [len(by_corpus[line]) if line else 0 for line in folded]
            assert row[f"{kind}_corpus"] == expected


def test_frequent_lines_are_dropped(tmp_path: Path) -> None:
    rows = annotated(tmp_path, DOCUMENTS)
    texts = pa.array([text for _, text in DOCUMENTS])
    counts = pa.array([row["near_host"] for row in rows], pa.list_(pa.int32()))
    table, dropped = paragraphs.drop(pa.table({"text": texts}), counts, 3)
    assert table["text"][0].as_py() == "ホーム｜会社概要\n本文その一です。"
    assert dropped.tolist() == [1, 1, 1, 0, 0, 0]


def test_real_pages_share_their_notices(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "warc" / "dev-sample.gold.jsonl.gz", "rt") as file:
        pages = [json.loads(line) for line in file]
    rows = [(urlsplit(page["url"]).hostname or "", page["gold"]) for page in pages]
    counted = annotated(tmp_path, rows, 3)
    near = np.concatenate([np.array(row["near_host"]) for row in counted])
    exact = np.concatenate([np.array(row["exact_host"]) for row in counted])
    assert (near >= exact).all() and (near > exact).any()
    assert near.max() > 50
    for (_, text), row in zip(rows, counted, strict=True):
        assert len(row["near_host"]) == text.count("\n") + 1
