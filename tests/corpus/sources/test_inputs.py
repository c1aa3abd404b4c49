"""Several collections in one build: which source a file is, and a file that changes meanwhile."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from corpus import config
from corpus.folder.commit import sha256


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("laws/1.jsonl", "law"),
        ("/data/laws/1.jsonl", "law"),
        ("s3://b/laws/1.jsonl", "law"),
        ("outlaws/1.jsonl", "rest"),
        ("crawl.warc.gz", "web"),
        ("", "rest"),
    ],
)
def test_a_glob_names_the_source_of_a_file(file: str, source: str) -> None:
    wanted = ["input.name=rest", "input.sources.law=laws/*.jsonl", "input.sources.web=*.warc.gz"]
    assert config.load(None, wanted).input.source_of(file) == source


def test_each_source_has_its_profile_in_one_build(run_corpus, data: Path, tmp_path: Path) -> None:
    inputs = (data / "documents.jsonl.gz", data / "html")
    names = ("--set", "input.sources.manual=html/*", "--set", "input.sources.rows=*.jsonl.gz")
    out = tmp_path / "build"
    run_corpus("build", *inputs, "--out", out, "--profile", "none,manual=technical", "-q", *names)
    sources = pq.read_table(out / "documents", columns=["source"])["source"]
    assert set(pc.unique(sources).to_pylist()) == {"manual", "rows"}
    assert "technical" in (out / "README.md").read_text()


@pytest.fixture
def grown(run_corpus, data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A build, and its archive with more records than it had then."""
    archive, out = tmp_path / "a.warc.gz", tmp_path / "build"
    shutil.copy(data / "encodings.warc.gz", archive)
    run_corpus("build", archive, "--out", out, "-q")
    with archive.open("ab") as file:
        file.write((data / "hostile.warc.gz").read_bytes())
    return out, archive


def test_a_file_that_grew_since_the_build_began_is_refused(run_corpus, grown) -> None:
    out, archive = grown
    result = run_corpus("build", archive, "--out", out, "-q", check=False)
    assert result.returncode == 2
    assert "build into another folder" in result.stderr and len(result.stderr.splitlines()) == 1


def test_verbs_that_read_no_input_do_not_mind_a_file_that_grew(run_corpus, grown) -> None:
    out, _ = grown
    before = sha256(out / "documents" / "0000000.parquet")
    run_corpus("select", out, "--profile", "none", "-q")
    run_corpus("publish", out, "-q")
    assert sha256(out / "documents" / "0000000.parquet") == before


def test_a_verb_that_still_has_input_to_read_refuses_a_file_that_grew(run_corpus, grown) -> None:
    out, _ = grown
    (out / "state" / "harvest" / "0000000.json").unlink()
    result = run_corpus("select", out, "-q", check=False)
    assert result.returncode == 2 and "build into another folder" in result.stderr


def test_a_harvest_that_is_planned_anew_takes_the_file_as_it_is_now(run_corpus, grown) -> None:
    out, archive = grown
    run_corpus("select", out, "--set", "input.unit_mib=3", "-q")
    plan = json.loads((out / "state" / "plan.json").read_bytes())
    size, _, identity = plan["files"][str(archive)]
    assert size == archive.stat().st_size and plan["units"][0]["identities"] == [identity]
