"""`corpus remove`: gone for good, the next copy kept, only what changed is written again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from build_folders import rows, tree

from corpus.folder import commit
from corpus.folder.removals import hashed_url

SAMPLE = "tests/data/sample.warc.gz"
FLAGS = ("--profile", "none", "--set", "input.unit_mib=1", "--set", "publish.shard_mib=1", "-q")


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
    noted = [row for row in rows(build / "ledger") if row["url"] == hashed_url(url)]
    assert {row["stage"] for row in noted if row["action"] == "drop"} == {"remove"}
    assert not [row for row in rows(build / "ledger") if row["url"] == url]


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
    resigned = [path for path in signed if path.stat().st_mtime_ns != signed[path]]
    assert len(resigned) == 1 < len(signed)


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


# the content --------------------------------------------------------------------------------------


def everything(folder: Path) -> dict[str, str]:
    """File → all it says: the columns of Parquet files as JSON, other files as they are."""
    said = {}
    for path in (p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            table = pq.ParquetFile(path).read()
            data += json.dumps(table.to_pylist(), ensure_ascii=False, default=repr)
        said[path.relative_to(folder).as_posix()] = data
    return said


def alone(build: Path, least: int = 400) -> dict:
    """A published document without a copy, with a title that nobody else has."""
    table = pq.read_table(build / "corpus", columns=["id", "url", "title", "text", "cluster_size"])
    titles = table["title"].to_pylist()
    for row in sorted(table.to_pylist(), key=lambda row: row["id"]):
        if row["cluster_size"] == 1 and len(row["text"]) > least and len(row["title"]) > 20:
            if titles.count(row["title"]) == 1:
                return row
    raise AssertionError("the sample has one")


def test_text_title_address_and_signals_leave_every_file(run_corpus, build: Path) -> None:
    gone = alone(build)
    lines = [line for line in gone["text"].splitlines() if len(line) >= 60]
    others = [
        row["text"] for row in rows(build / "documents", "id", "text") if row["id"] != gone["id"]
    ]
    own = [line for line in lines if not any(line in text for text in others)]
    assert own and any(own[0] in said for said in everything(build).values())
    run_corpus("remove", build, "--url", gone["url"], "-q")
    for name, said in everything(build).items():
        for string in (*own, gone["title"], f'"{gone["url"]}"'):
            assert string not in said, f"{name} still says {string}"
    register = (build / "removals.json").read_text()
    assert gone["url"] not in register and "example" not in register
    row = next(row for row in rows(build / "documents") if row["id"] == gone["id"])
    assert row["format"] == "removed" and row["quality"] is None and row["source_offset"] > 0
    for path in (build / "state" / "dedup" / "signatures").glob("*.parquet"):
        assert not [r for r in rows(path) if r["id"] == gone["id"] and r["n_normal"]]
    told = run_corpus("explain", build, gone["url"]).stdout  # by the hash of what is asked
    assert "taken down by url" in told and gone["title"] not in told
    traced = json.loads(run_corpus("trace", build, gone["id"], "--verify", "--json").stdout)
    assert traced[0]["outcome"] == "dropped" and "record" not in traced[0]
    seen = run_corpus(
        "explore", build, f"select * from documents where id = '{gone['id']}'", "--json"
    )
    assert gone["title"] not in seen.stdout and own[0] not in seen.stdout


def test_verify_proves_absence_and_names_what_is_left(run_corpus, build: Path) -> None:
    gone = kept_copy(build)
    text = next(r["text"] for r in rows(build / "documents", "id", "text") if r["id"] == gone["id"])
    said = json.loads(run_corpus("remove", build, "--id", gone["id"], "--verify", "--json").stdout)
    assert gone["copy"] in [row["id"] for row in said["copies"]]
    facts = said["verified"]
    assert facts["absent"] and facts["removed"] == 1 and facts["remnants"] == []
    assert gone["copy"] in [row["id"] for row in facts["copies"]]  # the near copy, by its passages
    alone_ = alone(build)
    run_corpus("remove", build, "--id", alone_["id"], "-q")
    note = build / "plots" / "note.md"
    note.parent.mkdir(exist_ok=True)
    note.write_text(f"# kept by mistake\n{alone_['text'][60:160]}\n")
    table = pa.table({"id": ["x" * 24], "quote": [alone_["text"][:200]], "of": [alone_["id"]]})
    pq.write_table(table.rename_columns(["key", "quote", "id"]), build / "plots" / "q.parquet")
    result = run_corpus("remove", build, "--verify", check=False)
    assert result.returncode == 1 and "note.md" in result.stdout and "q.parquet" in result.stdout
    assert "still holds" in result.stderr
    assert text and len(facts["copies"]) >= 1


SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3, 4, 6, 7, 9, 11, 13, 17, 21)]


@pytest.mark.parametrize("moment", [5, 8, *SLOW])
def test_a_removal_that_is_interrupted_goes_on(
    run_corpus, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The process ends before its n-th file gets its name; the next run ends as if it had not."""
    host = "debian-handbook.info"
    whole = Path(shutil.copytree(build, tmp_path / "whole"))
    run_corpus("remove", whole, "--host", host, "-q", "-j", 1)
    named, replace = [0], os.replace

    def cut(source, target) -> None:
        named[0] += 1
        if named[0] == moment:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(commit.os, "replace", cut)
    assert run_corpus("remove", build, "--host", host, "-q", "-j", 1, check=False).returncode == 1
    monkeypatch.undo()
    if moment > 1:  # the register knows of it: what is not gone yet is said
        assert run_corpus("remove", build, "--verify", check=False).returncode == 1
    run_corpus("remove", build, *(() if moment > 1 else ("--host", host)), "-q", "-j", 1)
    assert tree(build) == tree(whole)
    run_corpus("remove", build, "--verify", "-q")


def test_a_unit_that_is_read_again_does_not_bring_it_back(run_corpus, build: Path) -> None:
    gone = alone(build)
    run_corpus("remove", build, "--id", gone["id"], "-q")
    after = tree(build)
    for path in (build / "state" / "harvest").glob("[0-9]*.json"):
        path.unlink()
    run_corpus("build", SAMPLE, "--out", build, *FLAGS)
    assert tree(build) == after


def test_scores_of_what_was_taken_out_are_gone(run_corpus, build: Path) -> None:
    from corpus.folder.scores import SCORES

    gone = alone(build)
    for path in (build / "documents").glob("*.parquet"):
        ids = pq.read_table(path, columns=["id"])["id"].combine_chunks()
        (build / "scores" / "mine").mkdir(parents=True, exist_ok=True)
        table = pa.table([ids, pa.array([0.5] * len(ids), pa.float32())], schema=SCORES)
        pq.write_table(table, build / "scores" / "mine" / path.name)
    run_corpus("remove", build, "--id", gone["id"], "-q")
    scored = {row["id"]: row["score"] for row in rows(build / "scores" / "mine")}
    assert scored.pop(gone["id"]) is None and set(scored.values()) == {0.5}
    swept = run_corpus("sweep", build, "--signal", "n_chars", "--from", 0, "--to", 9000, "--json")
    assert json.loads(swept.stdout)[0]["documents"] == len(scored)


def test_a_register_of_an_earlier_version_is_read_and_hashed(run_corpus, build: Path) -> None:
    url = alone(build)["url"]
    old = [{"kind": "url", "value": url, "reason": "2026"}, {"kind": "host", "value": "a.example"}]
    (build / "removals.json").write_text(json.dumps(old))
    run_corpus("build", SAMPLE, "--out", build, *FLAGS)
    assert url not in {row["url"] for row in rows(build / "corpus", "url")}
