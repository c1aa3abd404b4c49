"""The report of duplicates, and rehydration weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup import report
from corpus.dedup.keep import repetitions
from corpus.dedup.local import cluster
from corpus.folder.layout import Layout
from corpus.settings import REHYDRATION, DedupSettings, parse_weights


def text(seed: int) -> str:
    return "".join(map(chr, np.random.default_rng(seed).integers(0x4E00, 0x9000, 300)))


def test_report_counts_sizes_hosts_and_shows_first_lines(tmp_path: Path) -> None:
    rows = [("a.jp", 1)] * 12 + [("b.jp", 1)] * 3 + [("b.jp", 2), ("c.jp", 2), ("c.jp", 3)]
    texts = [f"\n見出し{seed}\n{text(seed)}" for _, seed in rows]
    texts[0] += "改訂版"
    table = {
        "id": [f"{k:02d}" for k in range(len(rows))],
        "host": [host for host, _ in rows],
        "url": [f"https://{host}/{k}" for k, (host, _) in enumerate(rows)],
        "text": texts,
    }
    paths = []
    for part in (0, 1):
        path = tmp_path / f"documents-{part}.parquet"
        pq.write_table(pa.table({k: v[part::2] for k, v in table.items()}), path, row_group_size=2)
        paths.append(path)
        cluster.sign(path, tmp_path / f"signatures-{part}.parquet", DedupSettings())
    signed = [tmp_path / f"signatures-{part}.parquet" for part in (0, 1)]
    counts = cluster.find_duplicates(signed, Layout(tmp_path), DedupSettings())
    facts = report.report([Layout(tmp_path).duplicates], signed, paths, top=4)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["removed"] == counts["removed"] == 15 and facts["clusters"] == 2
    assert facts["sizes"] == [[2, 1], [15, 1]]
    assert facts["kinds"] == {"exact": 1, "kept": 2, "near": 14}
    assert sum(number for _, number in facts["similarity"]) == 15
    big = facts["largest"][0]
    assert big["size"] == 15 and len(big["members"]) == 4
    assert big["members"][0] == {
        "id": "00",
        "kind": "kept",
        "similarity": 1.0,
        "url": "https://a.jp/0",
        "line": "見出し1",
    }
    assert facts["hosts"][0] == ["a.jp", "a.jp", 11] and ["b.jp", "a.jp", 3] in facts["hosts"]
    shown = report.as_text(facts)
    assert "10–19" in shown and "見出し1" in shown and "b.jp → a.jp" in shown


def test_report_of_a_corpus_without_duplicates(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "text": ["一つだけ"]}), tmp_path / "d.parquet")
    cluster.sign(tmp_path / "d.parquet", tmp_path / "s.parquet", DedupSettings())
    cluster.find_duplicates([tmp_path / "s.parquet"], Layout(tmp_path), DedupSettings())
    files = [Layout(tmp_path).duplicates], [tmp_path / "s.parquet"], [tmp_path / "d.parquet"]
    facts = report.report(*files)
    assert facts["removed"] == 0 and facts["largest"] == []
    assert report.as_text(facts).startswith("0 removed in 0 clusters")


def test_fineweb2_weights_are_those_of_its_readme() -> None:
    sizes = np.array([1, 2, 3, 4, 5, 99, 100, 999, 1000, 10**6])
    expected = [1, 2, 3, 3, 5, 5, 8, 8, 1, 1]
    assert repetitions(sizes, REHYDRATION["fineweb2"]).tolist() == expected
    assert repetitions(sizes, parse_weights("none")).tolist() == [1] * 10
    assert repetitions(sizes, parse_weights("1:1,4:0")).tolist() == [1, 1, 1] + [0] * 7


@pytest.mark.parametrize("table", ["fineweb", "2:1", "1:-1", "1", "a:b", ""])
def test_a_table_that_is_none_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match="rehydrate"):
        parse_weights(table)
