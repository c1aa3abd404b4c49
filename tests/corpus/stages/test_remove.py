"""`corpus remove`: gone for good, the next copy kept, only what changed is written again."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

SAMPLE = "tests/data/sample.warc.gz"
FLAGS = ("--profile", "none", "--set", "input.unit_mib=1", "--set", "publish.shard_mib=1", "-q")


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def rows(folder: Path, *columns: str) -> list[dict]:
    return pq.read_table(folder, columns=list(columns) or None).to_pylist()


@pytest.fixture(scope="module")
def clean(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "corpus"
    run_corpus("build", SAMPLE, "--out", out, *FLAGS)
    return out


@pytest.fixture
def build(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "corpus"))


def kept_copy(build: Path) -> dict:
    """The kept document of a cluster of two, whose copy has another URL."""
    found = [row for row in rows(build / "duplicates") if row["cluster_size"] == 2]
    kept = {row["cluster"]: row for row in found if row["kind"] == "kept"}
    urls = {row["id"]: row["url"] for row in rows(build / "documents", "id", "url")}
    for row in sorted(found, key=lambda row: row["id"]):
        first = kept[row["cluster"]]
        if row is not first and urls[row["id"]] != urls[first["id"]]:
            return {**first, "url": urls[first["id"]], "copy": row["id"]}
    raise AssertionError("the sample has such a cluster")


def test_the_next_copy_is_kept_and_the_ledger_tells_why(run_corpus, build: Path) -> None:
    gone = kept_copy(build)
    says = run_corpus(
        "remove", build, "--id", gone["id"], "--reason", "著作権者の申し出", "--json"
    ).stdout
    about = json.loads(says)
    assert [row["id"] for row in about["removed"]] == [gone["id"]]
    assert about["removed"][0]["was"] == "in the corpus"
    assert [row["id"] for row in about["promoted"]] == [gone["copy"]]
    ids = {row["id"] for row in rows(build / "corpus", "id")}
    assert gone["id"] not in ids and gone["copy"] in ids
    noted = [row for row in rows(build / "ledger") if row["id"] == gone["id"]]
    assert [(row["stage"], row["rule"], row["action"]) for row in noted] == [
        ("remove", "id", "drop")
    ]
    assert "著作権者の申し出" in noted[0]["detail"]
    funnel = json.loads((build / "funnel.json").read_text())
    assert funnel["remove"]["in"] - funnel["remove"]["out"] == 1
    assert funnel["dedup"]["in"] == funnel["remove"]["out"]
    told = run_corpus("explain", build, gone["id"]).stdout
    assert "taken down" in told and "著作権者の申し出" in told


def test_the_folder_is_that_of_a_build_with_the_list_from_the_start(
    run_corpus, build: Path, tmp_path: Path
) -> None:
    urls = [row["url"] for row in rows(build / "corpus", "url")]
    run_corpus("remove", build, "--url", urls[3], "--host", "debian-handbook.info", "-q")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    shutil.copy(build / "removals.json", fresh / "removals.json")
    run_corpus("build", SAMPLE, "--out", fresh, *FLAGS)
    assert tree(build) == tree(fresh)
    hosts = {row["host"] for row in rows(build / "corpus", "host")}
    assert not [h for h in hosts if f".{h}".endswith(".debian-handbook.info")]
    assert urls[3] not in {row["url"] for row in rows(build / "corpus", "url")}


def test_the_page_does_not_come_back_with_a_later_build(run_corpus, build: Path) -> None:
    url = kept_copy(build)["url"]
    run_corpus("remove", build, "--url", url.replace("https:", "http:") + "#top", "-q")
    after = tree(build)
    run_corpus("build", SAMPLE, "--out", build, *FLAGS)
    assert tree(build) == after
    run_corpus("dedup", build, "--set", "dedup.ngram=7", "-q")
    run_corpus("publish", build, "-q")
    assert url not in {row["url"] for row in rows(build / "corpus", "url")}
    noted = [row for row in rows(build / "ledger") if row["url"] == url]
    assert noted and {row["stage"] for row in noted} == {"remove"}


def test_shards_whose_rows_are_the_same_are_not_written_again(run_corpus, build: Path) -> None:
    shards = sorted((build / "corpus").iterdir())
    assert len(shards) >= 2
    before = [path.stat().st_mtime_ns for path in shards]
    signatures = build / "state" / "dedup" / "signatures"
    signed = {path: path.stat().st_mtime_ns for path in signatures.glob("*.parquet")}
    last = rows(shards[-1], "id", "cluster_size")
    alone = min(row["id"] for row in last if row["cluster_size"] == 1)
    run_corpus("remove", build, "--id", alone, "-q")
    after = [path.stat().st_mtime_ns for path in sorted((build / "corpus").iterdir())]
    assert after[0] == before[0] and after[-1] != before[-1]
    assert {path: path.stat().st_mtime_ns for path in signed} == signed


def test_dry_run_says_the_same_and_changes_nothing(run_corpus, build: Path) -> None:
    before = tree(build)
    gone = kept_copy(build)["id"]
    args = ("remove", build, "--id", gone, "--host", "mirror0.example.jp", "--json")
    said = json.loads(run_corpus(*args, "--dry-run").stdout)
    assert tree(build) == before
    done = json.loads(run_corpus(*args).stdout)
    for key in ("removed", "promoted"):
        assert sorted(map(str, said[key])) == sorted(map(str, done[key])), key
    assert said["promoted"] and len(said["removed"]) > 2


def test_a_list_of_another_build_is_taken_over(run_corpus, build: Path, tmp_path: Path) -> None:
    url = rows(build / "corpus", "url")[0]["url"]
    file = tmp_path / "takedowns.txt"
    file.write_text(f"# 2026-11\n{url}\nhttps://nowhere.example.jp/\n")
    about = json.loads(run_corpus("remove", build, "--list", file, "--json").stdout)
    assert {row["url"] for row in about["removed"]} == {url} and about["list"] == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "nothing to remove"),
        (["--id", "0" * 24], "holds no document"),
        (["--url", "no address"], "no http or https URL"),
        (["--list", "nowhere.json"], "cannot read the removal list"),
    ],
)
def test_slips_are_one_line_and_change_nothing(run_corpus, clean: Path, args, words) -> None:
    before = tree(clean)
    result = run_corpus("remove", clean, *args, check=False)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
    assert tree(clean) == before
