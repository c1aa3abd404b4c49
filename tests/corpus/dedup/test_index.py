"""Crawl after crawl: real partners, a stable past, takedowns and merging."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup.index import before, membership, open_index, take_down
from corpus.dedup.local import cluster
from corpus.errors import RunError, UsageError
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings

SETTINGS = DedupSettings(verify="estimate", keep="longest")


def text(seed: int, size: int = 400) -> str:
    return "".join(map(chr, np.random.default_rng(seed).integers(0x4E00, 0x9000, size)))


def edited(base: str, seed: int, edits: int = 4) -> str:
    rng = np.random.default_rng(seed)
    out = list(base)
    for at in rng.choice(len(out), edits, replace=False):
        out[int(at)] = chr(int(rng.integers(0x4E00, 0x9000)))
    return "".join(out)


def crawl(folder: Path, texts: dict[str, str], files: int = 1) -> list[Path]:
    folder.mkdir(parents=True)
    signed = []
    for index in range(files):
        part = dict(list(texts.items())[index::files])
        urls = [f"https://example.jp/{name}" for name in part]
        table = pa.table({"id": list(part), "url": urls, "text": list(part.values())})
        pq.write_table(table, folder / f"documents-{index}.parquet")
        signed.append(folder / f"signatures-{index}.parquet")
        cluster.sign(folder / f"documents-{index}.parquet", signed[-1], SETTINGS)
    return signed


def run(
    folder: Path, texts: dict[str, str], index: Path, add: bool = True, files: int = 1
) -> tuple[dict[str, int], dict[str, dict], dict[str, dict]]:
    signed = crawl(folder, texts, files)
    counts = cluster.find_duplicates(signed, Layout(folder), SETTINGS, against=index, add=add)
    rows = pq.read_table(Layout(folder).duplicates).to_pylist()
    ledger = pq.read_table(Layout(folder).dedup_ledger).to_pylist()
    return counts, {r["id"]: r for r in rows}, {r["id"]: r for r in ledger}


A, B, C = text(1), text(2), text(3)


def test_a_new_crawl_names_its_partners_in_the_earlier_ones(tmp_path: Path) -> None:
    index = tmp_path / "index"
    counts, found, _ = run(tmp_path / "1", {"a1": A, "a2": A + "追", "b1": B}, index)
    assert counts["indexed"] == 0 and found["a2"]["kind"] == "kept"
    new = {"a3": A, "a4": edited(A, 9) + "もっと長い版", "b2": B, "c1": C, "c2": C + "。"}
    counts, found, ledger = run(tmp_path / "2", new, index, files=2)
    assert set(found) == {"a3", "a4", "b2", "c1", "c2"}
    assert {k: found[k]["kept_id"] for k in ("a3", "a4", "b2")} == {
        "a3": "a2",
        "a4": "a2",
        "b2": "b1",
    }
    assert found["b2"]["kind"] == "exact" and found["a4"]["kind"] == "near"
    assert found["a3"]["kind"] == "near"  # exact copy of a1, which is no kept copy
    assert found["a3"]["cluster"] == found["a4"]["cluster"] == "a1"
    assert [found[k]["cluster_size"] for k in ("a3", "b2", "c1")] == [4, 2, 2]
    assert ledger["a4"]["kept_id"] == "a2"
    assert {r["file"] for r in found.values()} == {0, 1}
    assert counts["documents"] == 5 and counts["removed"] == 4 and counts["indexed"] == 3


def test_what_the_index_kept_stays_kept_though_a_better_copy_comes(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"short": A}, index)
    _, found, _ = run(tmp_path / "2", {"longer": A + "長い", "longest": A + "もっと長い"}, index)
    assert {r["kept_id"] for r in found.values()} == {"short"}
    _, found, _ = run(tmp_path / "3", {"again": A + "もっと長い"}, index)
    assert found["again"]["kept_id"] == "short" and found["again"]["cluster_size"] == 4


def test_without_add_the_index_does_not_change(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"a": A}, index)
    files = sorted(p.relative_to(index) for p in index.rglob("*"))
    counts, _, _ = run(tmp_path / "2", {"b": A}, index, add=False)
    assert counts["removed"] == 1
    assert sorted(p.relative_to(index) for p in index.rglob("*")) == files


def test_a_repeated_run_gives_the_same_bytes_and_appends_once(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"a": A}, index)
    run(tmp_path / "2", {"b": A, "c": B, "d": B}, index)
    first = (Layout(tmp_path / "2").duplicates).read_bytes()
    signed = [tmp_path / "2" / "signatures-0.parquet"]
    cluster.find_duplicates(signed, Layout(tmp_path / "2"), SETTINGS, against=index, add=True)
    assert (Layout(tmp_path / "2").duplicates).read_bytes() == first
    assert open_index(index, SETTINGS).segments == ("000001", "000002")


def partition(rows: list[dict], ids: list[str]) -> set[frozenset[str]]:
    groups = defaultdict(set)
    for name in ids:
        groups[name].add(name)
    for row in rows:
        groups[row["id"]].discard(row["id"])
        groups[row["cluster"]].add(row["id"])
    return {frozenset(group) for group in groups.values() if group}


def test_three_crawls_one_by_one_give_the_clusters_of_all_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    bases = [text(100 + k, 300) for k in range(40)]
    every: dict[str, str] = {}
    for k in range(150):
        base = bases[int(rng.integers(0, 40))]
        every[f"{k:03d}"] = edited(base, 500 + k, int(rng.integers(0, 12)))
    ids = list(every)
    index = tmp_path / "index"
    for number, part in enumerate((ids[:60], ids[60:100], ids[100:])):
        run(tmp_path / str(number), {i: every[i] for i in part}, index)
    together = crawl(tmp_path / "all", every)
    cluster.find_duplicates(together, Layout(tmp_path / "all"), SETTINGS)
    rows = pq.read_table(Layout(tmp_path / "all").duplicates).to_pylist()
    members = membership(open_index(index, SETTINGS))
    assert partition(members.to_pylist(), ids) == partition(rows, ids)
    kept = members.filter(members["kept"])["cluster"].to_pylist()
    assert len(set(kept)) == len(set(members["cluster"].to_pylist()))


def test_a_takedown_promotes_the_best_remaining_copy(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"a1": A, "a2": A + "いう", "b1": B, "c1": C, "c2": C + "え"}, index)
    run(tmp_path / "2", {"a3": A + "い", "c3": C}, index)
    gone = take_down(index, ["a2", "b1", "c1"], SETTINGS).to_pylist()
    assert [(r["id"], r["cluster"], r["promoted_id"]) for r in gone] == [
        ("a2", "a1", "a3"),  # the longest of those left
        ("b1", None, None),  # it had no copy
        ("c1", "c1", None),  # it was not the kept one
    ]
    assert take_down(index, ["a3", "a2"], SETTINGS)["promoted_id"].to_pylist() == ["a1"]
    _, found, _ = run(tmp_path / "3", {"a4": A + "うえお", "c4": C}, index)
    assert found["a4"]["kept_id"] == "a1" and found["c4"]["kept_id"] == "c2"
    assert take_down(index, ["a1", "a4"], SETTINGS)["promoted_id"].to_pylist() == [None, None]
    assert len(before(open_index(index, SETTINGS)).dropped) == 8


def test_taking_down_an_unknown_id_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"a": A}, index)
    with pytest.raises(RunError, match="no document x"):
        take_down(index, ["a", "x"], SETTINGS)
    assert open_index(index, SETTINGS).segments == ("000001",)


def test_indexes_merge(tmp_path: Path) -> None:
    run(tmp_path / "1", {"a1": A, "b1": B}, tmp_path / "one")
    run(tmp_path / "2", {"a2": A, "c1": C}, tmp_path / "two")
    run(tmp_path / "3", {"c2": C, "b2": B}, tmp_path / "two")
    counts = cluster.merge(tmp_path / "one", tmp_path / "two", tmp_path / "out", SETTINGS)
    assert counts["documents"] == 4 and counts["removed"] == 3 and counts["indexed"] == 3
    merged = open_index(tmp_path / "one", SETTINGS)
    assert merged.segments == ("000001", "000002", "000003")
    kept = membership(merged)
    assert set(kept.filter(kept["kept"])["id"].to_pylist()) == {"a1", "b1", "c1"}
    again = cluster.merge(tmp_path / "one", tmp_path / "two", tmp_path / "out", SETTINGS)
    assert again == counts and open_index(tmp_path / "one", SETTINGS).segments == merged.segments


def test_other_settings_and_other_folders_are_refused_in_one_line(tmp_path: Path) -> None:
    open_index(tmp_path / "index", SETTINGS)
    with pytest.raises(UsageError, match="other settings") as error:
        open_index(tmp_path / "index", DedupSettings(ngram=7))
    assert "\n" not in str(error.value)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="is no index"):
        open_index(tmp_path / "full", SETTINGS)


def test_a_segment_that_was_not_finished_leaves_the_index_as_it_was(tmp_path: Path) -> None:
    index = tmp_path / "index"
    run(tmp_path / "1", {"a": A}, index)
    torn = index / "segments" / ".tmp4711"
    torn.mkdir()
    (torn / "signatures-00000.parquet").write_bytes(b"half")
    _, found, _ = run(tmp_path / "2", {"b": A}, index)
    assert found["b"]["kept_id"] == "a"
    assert open_index(index, SETTINGS).segments == ("000001", "000002")
