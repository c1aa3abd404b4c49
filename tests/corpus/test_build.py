"""`corpus build` end to end on the sample archive: complete, accounted for, and the same bytes."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from build_folders import tree

from corpus.folder.commit import sealed
from corpus.stages import stage

INPUTS = ["tests/data/sample.warc.gz", "tests/data/documents.jsonl.gz", "tests/data/html"]
SMALL_UNITS = ["--set", "input.unit_mib=1"]


def truth(data: Path, file: str) -> list[dict]:
    with gzip.open(data / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if row["file"] == file]


def test_the_build_folder_is_complete(built: Path) -> None:
    names = {path.name for path in built.iterdir()}
    assert names >= {
        "corpus.toml", "documents", "duplicates", "corpus", "ledger", "README.md",
        "README.ja.md", "croissant.json", "report.html", "funnel.json", "manifest.json",
        "reproducibility.json",
    }  # fmt: skip
    assert [p.name for p in (built / "corpus").iterdir()] == ["train-00000-of-00001.parquet"]


def test_no_temporary_file_is_left(built: Path) -> None:
    assert {path.name for path in built.rglob(".*")} <= {".lock", ".times.jsonl"}


def test_every_record_is_accounted_for(built: Path) -> None:
    funnel = json.loads((built / "funnel.json").read_text())
    harvest, dedup, select = funnel["harvest"], funnel["dedup"], funnel["select"]
    assert harvest["in"] == 771  # as warcio and FastWARC count
    assert harvest["in"] == harvest["out"] + sum(harvest["dropped"].values()) + sum(
        harvest["skipped"].values()
    )
    assert dedup["in"] == harvest["out"] and select["in"] == dedup["out"]
    actions = pq.read_table(built / "ledger")["action"].to_pylist()
    dropped = sum(sum(funnel[s]["dropped"].values()) for s in ("harvest", "dedup", "select"))
    assert actions.count("drop") == dropped
    assert actions.count("alter") == sum(harvest["altered"].values()) > 0
    rows = sum(pq.read_metadata(p).num_rows for p in (built / "corpus").glob("*.parquet"))
    assert rows == funnel["publish"]["out"] == select["out"]


def test_japanese_pages_are_found_and_others_are_not(built: Path, data: Path) -> None:
    rows = pq.read_table(built / "documents", columns=["source_offset"])
    offsets = set(rows["source_offset"].to_pylist())
    pages = [row for row in truth(data, "sample.warc.gz") if row["kind"] == "html"]
    japanese = {row["offset"] for row in pages if row["true_lang"] == "ja"}
    asked = {
        row["source_offset"]
        for row in pq.read_table(built / "ledger").to_pylist()
        if row["rule"] in ("noai", "tdm_reservation")
    }
    missing = japanese - offsets - asked
    assert len(missing) <= 0.02 * len(japanese)
    assert not offsets - japanese
    assert len(asked) >= 6


def test_lineage_points_to_the_record(built: Path, repo: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    table = pq.read_table(built / "corpus").slice(0, 20).to_pylist()
    for row in table:
        with open(repo / row["source_file"], "rb") as file:
            file.seek(row["source_offset"])
            record = next(iter(ArchiveIterator(file)))
            assert record.rec_headers.get_header("WARC-Target-URI") == row["url"]
            end = row["source_offset"] + row["source_length"]
            file.seek(end)
            assert file.read(2) in (b"\x1f\x8b", b"")


def test_workers_do_not_change_a_byte(
    run_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "SMALL", 0)  # in every stage, not in harvest alone
    trees = []
    for workers in (1, 3):
        out = tmp_path / f"workers{workers}"
        run_corpus("build", *INPUTS, "--out", out, "--workers", workers, *SMALL_UNITS, "-q")
        trees.append(tree(out))
    assert trees[0] == trees[1]
    assert len([name for name in trees[0] if name.startswith("documents/")]) >= 5


def test_split_units_publish_the_same_shards(run_corpus, tmp_path: Path) -> None:
    """But for lines that a site repeats: that rule sees the pages of one unit (docs/design.md)."""
    flags = ("--set", "harvest.site_boilerplate=false", "--profile", "none", "-q")
    shards = []
    for unit in (1, 64):
        out = tmp_path / f"unit{unit}"
        run_corpus("build", INPUTS[0], "--out", out, "--set", f"input.unit_mib={unit}", *flags)
        shards.append(pq.read_table(out / "corpus"))
    assert shards[0].equals(shards[1])


@pytest.mark.parametrize("times", [4, pytest.param(10, marks=pytest.mark.slow)])
def test_kills_and_a_rerun_give_the_same_bytes(
    run_corpus, repo: Path, tmp_path: Path, times: int
) -> None:
    args = ["build", INPUTS[0], "--profile", "none", "--workers", "2", *SMALL_UNITS, "-q", "--out"]
    start = time.monotonic()
    run_corpus(*args, tmp_path / "whole")
    whole_run = time.monotonic() - start
    out = tmp_path / "killed"
    moments = random.Random(20231124)
    kills = 0
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-m", "corpus", *args, str(out)], cwd=repo,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            process.wait(moments.uniform(0.3, 0.8) * whole_run)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        if process.returncode == 0:  # it got through: start over, so that all kills hit work
            shutil.rmtree(out)
    assert kills >= times // 2
    run_corpus(*args, out)
    assert tree(out) == tree(tmp_path / "whole")


def test_a_finished_build_run_again_changes_nothing(built: Path, run_corpus) -> None:
    before = {p: os.stat(p).st_mtime_ns for p in built.glob("documents/*")}
    run_corpus("build", "tests/data/sample.warc.gz", "--out", built, "--profile", "none", "-q")
    assert before == {p: os.stat(p).st_mtime_ns for p in built.glob("documents/*")}


def test_select_decides_again_without_reading_pages(
    built: Path, run_corpus, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    shutil.copytree(built, out)
    harvested = tree(out / "documents")
    result = run_corpus("select", out, "--profile", "swallow-v1", "--json")
    funnel = json.loads(result.stdout)
    assert funnel["select"]["out"] < funnel["select"]["in"]
    assert "publish" not in funnel
    assert pq.read_table(out / "corpus").num_rows == funnel["select"]["in"]  # until it is published
    run_corpus("publish", out, "-q")
    assert pq.read_table(out / "corpus").num_rows == funnel["select"]["out"]
    assert tree(out / "documents") == harvested


def test_a_profile_that_needs_words_measures_them_at_selection(
    built: Path, run_corpus, tmp_path: Path
) -> None:
    out = tmp_path / "words"
    shutil.copytree(built, out)
    funnel = json.loads(run_corpus("select", out, "--profile", "fineweb2-ja", "--json").stdout)
    assert 0 < funnel["select"]["out"] < funnel["select"]["in"]


def test_an_empty_result_is_still_a_whole_build(run_corpus, data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html><body>Nothing Japanese here.</body></html>")
    run_corpus("build", page, "--out", tmp_path / "out", "-q",
               "--set", "publish.allow_empty=true")  # fmt: skip
    assert pq.read_table(tmp_path / "out" / "corpus").num_rows == 0
    assert (tmp_path / "out" / "README.md").exists()
    run_corpus("card", tmp_path / "out")


def test_ledger_full_has_a_row_for_every_record(run_corpus, tmp_path: Path) -> None:
    out = tmp_path / "full"
    run_corpus("harvest", "tests/data/sample.warc.gz", "--out", out, "--ledger", "full", "-q")
    documents = pq.read_table(out / "documents").num_rows
    ledger = [row for row in pq.read_table(out / "ledger").to_pylist() if row["action"] != "alter"]
    assert documents + len(ledger) == 771
    revisits = [row for row in ledger if row["rule"] == "revisit record"]
    assert len(revisits) == 10 and all("same body as http" in row["detail"] for row in revisits)


@pytest.mark.parametrize("kind", ["wet", "warc", "zst", "jsonl.zst", "parquet", "csv", "text"])
def test_every_input_format_yields_documents(
    kind: str, run_corpus, data: Path, tmp_path: Path
) -> None:
    file = {
        "wet": "sample.warc.wet.gz", "warc": "plain.warc", "zst": "sample.warc.zst",
        "jsonl.zst": "documents.jsonl.zst", "parquet": "documents.parquet", "text": "text",
        "csv": next(p.name for p in data.glob("*.csv")),
    }[kind]  # fmt: skip
    out = tmp_path / "out"
    result = run_corpus("build", data / file, "--out", out, "--profile", "none", "--json", "-j", 1)
    funnel = json.loads(result.stdout)
    assert funnel["publish"]["out"] >= 4
    texts = pq.read_table(out / "corpus", columns=["text"])["text"].to_pylist()
    assert all("\ufffd" not in text for text in texts)


def test_a_mismatch_in_the_books_fails_the_build(built: Path, run_corpus, tmp_path: Path) -> None:
    out = tmp_path / "cooked"
    shutil.copytree(built, out)
    receipt = out / "state" / "harvest" / "0000000.json"
    about = json.loads(receipt.read_text())
    about["counts"]["records"] += 1
    receipt.write_text(json.dumps(sealed(about)))
    result = run_corpus("build", "tests/data/sample.warc.gz", "--out", out, "--profile", "none",
                        check=False)  # fmt: skip
    assert result.returncode == 1
    assert "does not add up" in result.stderr and result.stderr.count("\n") == 1


def test_lone_surrogates_and_odd_rows_cost_no_neighbour(run_corpus, tmp_path: Path) -> None:
    good = "これは日本語の文章です。正しく読めるはずの行でもあります。"
    lines = [
        json.dumps({"text": good, "url": "http://a.example/1"}),
        '{"text": "' + good + '\\ud800壊れた", "url": "\\udfff"}',
        "not json at all",
        "[1, 2]",
        '{"text": 5}',
        '{"text": "", "title": null}',
        "[" * 100_000,
        json.dumps({"text": good + "終", "url": None, "title": ["list"]}),
    ]
    (tmp_path / "odd.jsonl").write_text("\n".join(lines), "utf-8", "surrogatepass")
    flags = ("--profile", "none", "--dedup", "none", "--json", "-j", 1)
    result = run_corpus("build", tmp_path / "odd.jsonl", "--out", tmp_path / "out", *flags)
    funnel = json.loads(result.stdout)
    assert funnel["harvest"]["in"] == 8 and funnel["publish"]["out"] == 3
    assert funnel["harvest"]["dropped"] == {"unreadable": 4}
