"""The stage: documents files in, duplicates and ledger out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup.local import cluster
from corpus.errors import RunError
from corpus.folder.layout import Layout
from corpus.folder.schema import DUPLICATES, LEDGER
from corpus.settings import DedupSettings

RNG = np.random.default_rng(5)
BASE = "".join(map(chr, RNG.integers(0x4E00, 0x9000, 600)))
OTHER = "".join(map(chr, RNG.integers(0x4E00, 0x9000, 300)))

ROWS = [
    {"id": "b", "url": "https://example.jp/1", "text": BASE, "source": "web"},
    {"id": "a", "url": "https://example.jp/2", "text": BASE[:-9] + "改訂", "source": "web"},
    {"id": "c", "url": "https://example.jp/3", "text": "　".join(BASE) + "。", "source": "law"},
    {"id": "d", "url": "https://example.jp/4?utm_source=x", "text": OTHER, "source": "web"},
    {
        "id": "e",
        "url": "http://www.example.jp/4#top",
        "text": "まったく別の文章です",
        "source": "web",
    },
    {"id": "f", "url": None, "text": "", "source": "web"},
    {"id": "g", "url": None, "text": "！？", "source": "web"},
    {"id": "h", "url": None, "text": "短い", "source": "web"},
    {"id": "i", "url": None, "text": "短い。", "source": "web"},
]


def documents(folder: Path, rows: list[dict], files: int = 2) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    defaults = {"licence": "", "date": None, "source_file": "x.jsonl"}
    table = pa.Table.from_pylist([{**defaults, **row} for row in rows])
    quality = pa.array([{"score": float(len(row["text"]))} for row in rows])
    table = table.append_column("quality", quality)
    table = table.append_column("source_offset", pa.array(range(len(rows)), pa.int64()))
    paths = []
    for index in range(files):
        part = pa.array(range(index, len(rows), files), pa.int64())
        paths.append(folder / f"documents-{index}.parquet")
        pq.write_table(table.take(part), paths[-1])
    return paths


def run(
    folder: Path, rows: list[dict], settings: DedupSettings, files: int = 2, memory: int = 1 << 30
) -> tuple[dict, dict[str, dict], list[dict]]:
    signed = []
    for path in documents(folder, rows, files):
        signed.append(path.with_name(path.name.replace("documents", "signatures")))
        cluster.sign(path, signed[-1], settings)
    counts = cluster.find_duplicates(signed, Layout(folder), settings, memory)
    table = pq.read_table(Layout(folder).duplicates)
    ledger = pq.read_table(Layout(folder).dedup_ledger)
    assert table.schema.equals(DUPLICATES) and ledger.schema.equals(LEDGER)
    assert not (folder / "duplicates" / ".scratch").exists()
    pairs = table.select(["file", "row"]).to_pylist()
    assert pairs == sorted(pairs, key=lambda p: (p["file"], p["row"]))
    return counts, {r["id"]: r for r in table.to_pylist()}, ledger.to_pylist()


def test_exact_and_near_copies_are_found_and_explained(tmp_path: Path) -> None:
    counts, found, ledger = run(tmp_path, ROWS, DedupSettings(sources=("law", "web")))
    assert set(found) == {"a", "b", "c", "h", "i"}
    assert found["c"]["kind"] == "kept" and found["c"]["kept_id"] == "c"
    assert found["b"]["kind"] == "exact" and found["b"]["kept_id"] == "c"
    assert found["a"]["kind"] == "near" and 0.8 <= found["a"]["similarity"] < 1.0
    assert {r["cluster"] for r in found.values()} == {"a", "h"}
    assert [found[k]["cluster_size"] for k in "abchi"] == [3, 3, 3, 2, 2]
    assert found["b"]["similarity"] == found["c"]["similarity"] == 1.0
    assert counts == {
        "documents": 9,
        "removed": 3,
        "clusters": 2,
        "exact": 2,
        "near": 1,
        "url": 0,
        "empty": 2,
    }
    removed = {r["id"]: r for r in ledger}
    assert set(removed) == {"a", "b", "h"}
    assert removed["a"]["kept_id"] == "c" and removed["a"]["threshold"] == 0.8
    assert removed["a"]["value"] == pytest.approx(found["a"]["similarity"])
    assert "cluster of 3" in removed["a"]["detail"]
    assert all(r["stage"] == "dedup" and r["action"] == "drop" for r in ledger)
    assert {r["rule"] for r in ledger} == {"exact", "near"}


def test_same_address_is_a_duplicate_only_when_asked_for(tmp_path: Path) -> None:
    counts, found, _ = run(tmp_path / "1", ROWS, DedupSettings(url=True, keep="longest"))
    assert found["e"]["kind"] == "url" and found["e"]["kept_id"] == "d"
    assert counts["url"] == 1
    counts, found, _ = run(tmp_path / "2", ROWS, DedupSettings(mode="url", keep="longest"))
    assert set(found) == {"d", "e"} and counts["removed"] == 1
    assert found["e"]["similarity"] is None


def test_exact_mode_needs_no_signatures(tmp_path: Path) -> None:
    counts, found, _ = run(tmp_path, ROWS, DedupSettings(mode="exact"))
    assert set(found) == {"b", "c", "h", "i"} and counts["near"] == 0
    names = pq.read_schema(tmp_path / "signatures-0.parquet").names
    assert "signature" not in names


def test_mode_none_finds_nothing(tmp_path: Path) -> None:
    counts, found, ledger = run(tmp_path, ROWS, DedupSettings(mode="none"))
    assert not found and not ledger and counts["removed"] == 0 and counts["documents"] == 9


def test_empty_documents_never_match(tmp_path: Path) -> None:
    rows = [{"id": str(i), "url": None, "text": "。", "source": ""} for i in range(5)]
    counts, found, _ = run(tmp_path, rows, DedupSettings())
    assert not found and counts["empty"] == 5


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        (DedupSettings(keep="first"), "c"),
        (DedupSettings(keep="longest"), "b"),
        (DedupSettings(keep="newest"), "d"),
        (DedupSettings(keep="best"), "d"),
        (DedupSettings(keep_order=("rights", "length")), "a"),
        (DedupSettings(keep_order=("source", "id"), sources=("law",)), "c"),
        (DedupSettings(keep_order=("quality",), quality="score"), "b"),
        (DedupSettings(keep_order=("id",)), "a"),
    ],
)
def test_the_copy_that_the_policy_names_is_kept(
    tmp_path: Path, settings: DedupSettings, kept: str
) -> None:
    rows = [
        {"id": "c", "url": "", "text": BASE, "source": "law", "date": "2001"},
        {"id": "b", "url": "", "text": BASE + "！。", "source": "web", "date": None},
        {"id": "a", "url": "", "text": BASE, "source": "web", "licence": "CC0", "date": "2000-01"},
        {"id": "d", "url": "", "text": BASE, "source": "web", "date": "2020-05-01"},
    ]
    if settings.keep == "best" and settings.keep_order == DedupSettings().keep_order:
        rows[2]["licence"] = ""
    _, found, _ = run(tmp_path, rows, settings, files=1)
    assert {r["kept_id"] for r in found.values()} == {kept}
    assert [k for k, r in found.items() if r["kind"] == "kept"] == [kept]


@pytest.mark.parametrize("verify", ["exact", "estimate"])
def test_texts_that_differ_are_never_fully_alike(tmp_path: Path, verify: str) -> None:
    """One text three times over has the n-grams, and so the signature, of its longer repetition."""
    rows = [
        {"id": "a", "url": "", "text": "春は花、夏は鳥。" * 30, "source": ""},
        {"id": "b", "url": "", "text": "春は花、夏は鳥。" * 40, "source": ""},
    ]
    _, found, ledger = run(tmp_path, rows, DedupSettings(verify=verify), files=1)
    (row,) = ledger
    assert row["rule"] == "near" and 0.99 < row["value"] < 1
    assert "by estimate, Jaccard about 0.999" in row["detail"] and "1.000" not in row["detail"]
    assert not found["a"]["measured"] and found["b"]["measured"]


def test_keep_n_keeps_that_many_copies(tmp_path: Path) -> None:
    rows = [{"id": f"{i}", "url": "", "text": BASE, "source": ""} for i in range(5)]
    counts, found, _ = run(tmp_path, rows, DedupSettings(keep_n=2))
    assert [k for k, r in sorted(found.items()) if r["kind"] == "kept"] == ["0", "1"]
    assert counts["removed"] == 3
    assert {r["kept_id"] for r in found.values() if r["kind"] != "kept"} == {"0"}


def digests(folder: Path) -> list[str]:
    layout = Layout(folder)
    files = (layout.duplicates, layout.dedup_ledger)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_same_input_gives_the_same_bytes_in_memory_and_mapped(tmp_path: Path) -> None:
    for name, memory in (("1", 1 << 30), ("2", 0)):
        run(tmp_path / name, ROWS, DedupSettings(url=True), memory=memory)
    assert digests(tmp_path / "1") == digests(tmp_path / "2")


def test_shuffled_input_gives_the_same_clusters_and_kept_copies(tmp_path: Path) -> None:
    outcomes = []
    for name, order in (("1", range(9)), ("2", RNG.permutation(9)), ("3", RNG.permutation(9))):
        _, found, _ = run(tmp_path / name, [ROWS[i] for i in order], DedupSettings(url=True))
        keys = ("cluster", "kept_id", "kind", "similarity", "cluster_size")
        outcomes.append({i: [row[k] for k in keys] for i, row in found.items()})
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_signatures_of_other_settings_are_refused_in_one_line(tmp_path: Path) -> None:
    (path,) = documents(tmp_path, ROWS, 1)
    cluster.sign(path, tmp_path / "s.parquet", DedupSettings(ngram=4))
    with pytest.raises(RunError, match="ngram = 4, not 5") as error:
        cluster.find_duplicates([tmp_path / "s.parquet"], Layout(tmp_path), DedupSettings())
    assert "\n" not in str(error.value)
    with pytest.raises(RunError, match="no signatures file"):
        cluster.find_duplicates([path], Layout(tmp_path), DedupSettings())


def test_unknown_signal_is_refused_in_one_line(tmp_path: Path) -> None:
    (path,) = documents(tmp_path, ROWS, 1)
    with pytest.raises(RunError, match="no such signal"):
        cluster.sign(path, tmp_path / "s.parquet", DedupSettings(quality="beauty"))
    assert not (tmp_path / "s.parquet").exists()


def test_no_files_and_empty_files_are_no_error(tmp_path: Path) -> None:
    assert cluster.find_duplicates([], Layout(tmp_path / "d"), DedupSettings())["documents"] == 0
    counts, found, ledger = run(tmp_path, ROWS[:1], DedupSettings(url=True), files=2)
    assert counts["documents"] == 1 and not found and not ledger


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "fuzzy"},
        {"ngram": 0},
        {"num_perm": 1},
        {"threshold": 0.0},
        {"threshold": 1.5},
        {"keep_order": ("beauty",)},
        {"keep_n": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict) -> None:
    with pytest.raises(ValueError):
        DedupSettings(**change)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"url": "https://laws.example.jp/5"}, {"licence": "CC0-1.0", "source": "law"}),
        ({"licence": "Art-13"}, {"source": "law"}),
        ({"licence": "Art-13"}, {"licence": "contract", "source": "news"}),
        ({"source": "minutes"}, {"source": "files"}),
        ({"source": "law"}, {"source": "web"}),
    ],
)
@pytest.mark.parametrize("id_of_better", ["a", "z"])
def test_of_equal_copies_the_one_of_which_more_is_known_stays(
    tmp_path: Path, better: dict, worse: dict, id_of_better: str
) -> None:
    """Whatever their ids and their order are; a smaller id decides between equals alone."""
    plain = {"url": "", "text": BASE, "source": "files"}
    rows = [plain | worse | {"id": "m"}, plain | better | {"id": id_of_better}]
    for number, order in enumerate((rows, rows[::-1])):
        _, found, ledger = run(tmp_path / f"{number}", order, DedupSettings(), files=1)
        assert {row["kept_id"] for row in found.values()} == {id_of_better}
    assert (
        "then has an address, then has a known licence, then read as its own kind"
        in (ledger[0]["detail"])
    )
