"""Several collections in one build: which source a file is, and a file that changes meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from corpus import config


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


def test_each_source_has_its_profile_in_one_build(run_corpus, data: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    inputs = (data / "documents.jsonl.gz", data / "html")
    names = ("--set", "input.sources.manual=html/*", "--set", "input.sources.rows=*.jsonl.gz")
    out = tmp_path / "build"
    run_corpus("build", *inputs, "--out", out, "--profile", "none,manual=technical", "-q", *names)
    sources = pq.read_table(out / "documents", columns=["source"])["source"]
    assert set(pc.unique(sources).to_pylist()) == {"manual", "rows"}
    assert "technical" in (out / "README.md").read_text()


def test_a_file_that_grew_since_the_build_began_is_refused(
    run_corpus,
    data: Path,
    tmp_path: Path,  # type: ignore[no-untyped-def]
) -> None:
    archive = tmp_path / "a.warc.gz"
    shutil.copy(data / "encodings.warc.gz", archive)
    out = tmp_path / "build"
    run_corpus("build", archive, "--out", out, "-q")
    with archive.open("ab") as file:
        file.write((data / "hostile.warc.gz").read_bytes())
    result = run_corpus("build", archive, "--out", out, "-q", check=False)
    assert result.returncode == 2
    assert "build into another folder" in result.stderr and len(result.stderr.splitlines()) == 1
