"""`corpus diff`, `corpus rebuild`, `corpus merge`: builds beside each other."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from build_folders import rows

FLAGS = ("--profile", "none", "-q")
DOCUMENTS = "tests/data/documents.jsonl.gz"


def shards(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (folder / "corpus").iterdir()
    }


@pytest.fixture(scope="module")
def work(run_corpus, repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two inputs that share 20 documents word for word, and a build of each and of both."""
    work = tmp_path_factory.mktemp("versions")
    with gzip.open(repo / DOCUMENTS, "rt", encoding="utf-8") as lines:
        documents = list(lines)
    (work / "a.jsonl").write_text("".join(documents[:35]), "utf-8")
    (work / "b.jsonl").write_text("".join(documents[15:]), "utf-8")
    for name, inputs in (("a", ["a.jsonl"]), ("b", ["b.jsonl"]), ("both", ["a.jsonl", "b.jsonl"])):
        run_corpus("build", *inputs, "--out", name, *FLAGS, cwd=work)
    return work


def test_a_merge_is_the_build_of_all_inputs_at_once(run_corpus, work: Path) -> None:
    said = json.loads(run_corpus("merge", "a", "b", "--out", "c", "--json", cwd=work).stdout)
    assert [part["documents"] for part in said["parts"]] == [35, 35]
    assert shards(work / "c") == shards(work / "both")
    funnel = json.loads((work / "both" / "funnel.json").read_text())
    assert said["funnel"] == funnel and "whole" in run_corpus("verify", work / "c").stdout
    # Run again it does nothing; a folder of another build is not touched.
    before = (work / "c" / "manifest.json").read_bytes()
    run_corpus("merge", "a", "b", "--out", "c", "-q", cwd=work)
    assert (work / "c" / "manifest.json").read_bytes() == before
    refused = run_corpus("merge", "a", "b", "--out", "both", cwd=work, check=False)
    assert refused.returncode == 2 and "holds another build" in refused.stderr


def test_no_page_is_read_again_and_the_parts_stay_what_they_are(
    run_corpus, work: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        shutil.copytree(work / name, tmp_path / name)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    run_corpus("merge", "a", "b", "--out", "c", "-q", cwd=tmp_path)  # no input is there
    url = rows(tmp_path / "c" / "corpus", "url")[0]["url"]
    run_corpus("remove", "c", "--url", url, "-q", cwd=tmp_path)
    assert url not in {row["url"] for row in rows(tmp_path / "c" / "corpus", "url")}
    for path, data in before.items():
        assert path.read_bytes() == data, path
    # What cannot be read again is refused, never done under other settings.
    (tmp_path / "c" / "documents" / "0000001.parquet").unlink()
    again = run_corpus("publish", "c", cwd=tmp_path, check=False)
    assert again.returncode == 1 and "merge its parts" in again.stderr


def test_a_unit_that_parts_share_is_taken_once_and_overlaps_lose_what_is_twice(
    run_corpus, work: Path
) -> None:
    said = json.loads(run_corpus("merge", "a", "both", "--out", "d", "--json", cwd=work).stdout)
    assert [part["shared"] for part in said["parts"]] == [0, 1]
    assert said["funnel"]["harvest"]["out"] == 70
    ids = [row["id"] for row in rows(work / "d" / "documents", "id")]
    assert len(ids) == len(set(ids))
    # One file cut otherwise: rows that are there already go, with a row of the ledger each.
    big = work / "big.jsonl"
    line = json.dumps(
        {"url": "", "text": "稲穂が実る秋の田んぼで、農家の人たちが働いている。" * 400}
    )
    big.write_text("\n".join([line] * 150), "utf-8")
    for name, size in (("whole", 64), ("cut", 1)):
        options = ("--set", f"input.unit_mib={size}", *FLAGS)
        run_corpus("build", big.name, "--out", name, *options, cwd=work)
    said = json.loads(run_corpus("merge", "cut", "whole", "--out", "e", "--json", cwd=work).stdout)
    harvest = said["funnel"]["harvest"]
    assert len(list((work / "cut" / "documents").iterdir())) > 1
    assert harvest["out"] == 150 and harvest["dropped"] == {"merged_twice": 150}
    assert "whole" in run_corpus("verify", work / "e").stdout


def test_takedowns_of_every_part_hold_in_the_merged_corpus(
    run_corpus, work: Path, tmp_path: Path
) -> None:
    shutil.copytree(work, tmp_path / "w")
    there = tmp_path / "w"
    shared = {r["url"] for r in rows(there / "a" / "corpus", "url")}
    shared &= {r["url"] for r in rows(there / "b" / "corpus", "url")}
    url, other = sorted(shared)[:2]
    run_corpus("remove", "b", "--url", url, "-q", cwd=there)
    run_corpus("remove", "a", "--url", other, "--register", "r.jsonl", "-q", cwd=there)
    run_corpus("merge", "a", "b", "--out", "c2", "-q", cwd=there)
    left = {row["url"] for row in rows(there / "c2" / "corpus", "url")}
    assert url not in left and other not in left
    said = json.loads(run_corpus("remove", "c2", "--verify", "--json", cwd=there).stdout)
    assert said["verified"]["absent"] and said["verified"]["removed"] == 4


def test_builds_of_other_texts_are_not_merged(run_corpus, work: Path) -> None:
    flags = ("--set", "normalize.steps=newlines", *FLAGS)
    run_corpus("build", "b.jsonl", "--out", "other", *flags, cwd=work)
    refused = run_corpus("merge", "a", "other", "--out", "f", cwd=work, check=False)
    assert refused.returncode == 2 and "normalize.steps" in refused.stderr
    assert not (work / "f").exists() or not list((work / "f").rglob("*.parquet"))


def test_diff_says_what_came_went_and_changed_and_why(run_corpus, work: Path) -> None:
    lines = (work / "a.jsonl").read_text("utf-8").splitlines()
    documents = [json.loads(line) for line in lines]
    gone, changed = documents[3]["url"], documents[5]["url"]
    documents[5]["text"] += "\n\n後から書き足した一段落がここにある。"
    documents.append({"url": "https://new.example.jp/", "text": "新しい記事の本文です。" * 9})
    kept = [d for d in documents if d["url"] != gone]
    (work / "next.jsonl").write_text("".join(json.dumps(d) + "\n" for d in kept), "utf-8")
    # What a host's pages repeat depends on all of them: not what this is about.
    flags = ("--dedup", "none", "--set", "harvest.site_boilerplate=false", *FLAGS)
    run_corpus("build", "next.jsonl", "--out", "next", *flags, cwd=work)
    run_corpus("build", "a.jsonl", "--out", "plain", *flags, cwd=work)
    said = json.loads(run_corpus("diff", "plain", "next", "--json", cwd=work).stdout)
    assert [said[f]["documents"] for f in ("same", "changed", "in", "out")] == [33, 1, 1, 1]
    assert said["examples"]["changed"][0]["name"] == changed
    assert said["examples"]["out"][0]["name"] == gone
    assert said["rules"] == {"out": {"not read": 1}, "in": {"not read": 1}}
    assert {"name": "new.example.jp", "in": 1, "out": 0, "changed": 0, "same": 0} in said["by"][
        "host"
    ]
    # Out by a rule: what the other build's ledger says.
    run_corpus("remove", "next", "--url", documents[9]["url"], "-q", cwd=work)
    said = json.loads(run_corpus("diff", "plain", "next", "--json", cwd=work).stdout)
    assert said["rules"]["out"] == {"not read": 1, "remove: url": 1}
    assert "1 remove: url of B dropped them" in run_corpus("diff", "plain", "next", cwd=work).stdout


def test_rebuild_gives_the_same_bytes_or_names_what_is_another_one(
    run_corpus, work: Path, tmp_path: Path
) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        shutil.copy2(work / name, tmp_path / name)
    run_corpus("build", "a.jsonl", "b.jsonl", "--out", "x", *FLAGS, cwd=tmp_path)
    url = rows(tmp_path / "x" / "corpus", "url")[0]["url"]
    run_corpus("remove", "x", "--url", url, "--register", "r.jsonl", "-q", cwd=tmp_path)
    run_corpus("remove", "x", "--host", "nowhere.example.jp", "-q", cwd=tmp_path)
    args = ("rebuild", "x/reproducibility.json")
    said = run_corpus(*args, "--out", "y", cwd=tmp_path).stdout
    assert "The same bytes" in said and shards(tmp_path / "x") == shards(tmp_path / "y")
    assert url not in {row["url"] for row in rows(tmp_path / "y" / "corpus", "url")}
    # An input with one other letter, and one that is gone.
    text = (tmp_path / "b.jsonl").read_text("utf-8")
    (tmp_path / "b.jsonl").write_text(text.replace("の", "を", 1), "utf-8")
    (tmp_path / "a.jsonl").unlink()
    said = json.loads(run_corpus(*args, "--check", "--json", cwd=tmp_path, check=False).stdout)
    assert [row["name"] for row in said["differs"]["inputs"]] == ["a.jsonl", "b.jsonl"]
    refused = run_corpus(*args, "--out", "z", cwd=tmp_path, check=False)
    assert refused.returncode == 1 and "input b.jsonl is another one" in refused.stdout
    assert not (tmp_path / "z" / "corpus").exists()
    # Entries that came to the register since, and a file that was changed by hand.
    run_corpus("register", "add", "r.jsonl", "--host", "more.example.jp", cwd=tmp_path)
    said = json.loads(run_corpus(*args, "--check", "--json", cwd=tmp_path, check=False).stdout)
    assert said["differs"]["registers"][0]["now"].endswith("1 entries more")
    recipe = tmp_path / "x" / "reproducibility.json"
    recipe.write_text(recipe.read_text("utf-8").replace('"numpy"', '"numpi"'), "utf-8")
    assert "changed by hand" in run_corpus(*args, "--check", cwd=tmp_path, check=False).stderr
