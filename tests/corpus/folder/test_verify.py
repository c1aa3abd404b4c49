"""`corpus verify`: two flipped bytes in any file are found, named and mended from the input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from build_folders import tree

from corpus.answers.integrity import damaged_pages, verify
from corpus.folder.layout import Layout

INPUTS = ["tests/data/documents.csv", "tests/data/documents.parquet"]
FLAGS = ["--profile", "none", "-j", 1, "-q"]


@pytest.fixture
def build(small_built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_built, tmp_path / "corpus"))


def flip(path: Path, *places: float) -> None:
    """Change a bit of the bytes at these shares of a file."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[int(place * (len(data) - 1))] ^= 0x21
    path.write_bytes(data)


def test_a_whole_folder_is_whole_and_every_file_is_accounted_for(run_corpus, build: Path) -> None:
    facts = json.loads(run_corpus("verify", build, "--json").stdout)
    assert facts["whole"] and facts["unrecorded"] == [] and facts["files"] >= 15
    (build / "documents" / "0000009.parquet").write_bytes(b"PAR1 nothing PAR1")
    facts = verify(Layout(build))
    assert facts["unrecorded"] == ["documents/0000009.parquet"] and not facts["whole"]


def test_two_flipped_bytes_are_found_in_every_file(build: Path) -> None:
    layout, found = Layout(build), {}
    for name in tree(build):
        before = (build / name).read_bytes()
        for places in ((0.0, 1.0), (0.3, 0.6), (0.5, 0.95)):
            flip(build / name, *places)
            found[name] = [row["file"] for row in verify(layout)["findings"]]
            assert name in found[name], (name, places)
            (build / name).write_bytes(before)
    assert {name.split("/")[0] for name in found} >= {
        "README.md", "README.ja.md", "corpus.toml", "corpus", "croissant.json", "documents",
        "duplicates", "funnel.json", "ledger", "manifest.json", "report.html",
        "reproducibility.json", "state",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "documents/0000001.parquet", "state/dedup/signatures/0000000.parquet",
        "corpus/train-00000-of-00001.parquet", "state/plan.json",
        *(pytest.param(name, marks=pytest.mark.slow) for name in (
            "ledger/harvest-0000000.parquet", "duplicates/part-00000.parquet",
            "state/select/0000001.parquet", "state/harvest/0000001.json",
            "state/select/0000000.json", "state/publish/0000000.json",
            "state/harvest/settings.json", "state/dedup/settings.json",
        )),
    ],
)  # fmt: skip
def test_a_build_refuses_a_damaged_unit_and_repair_does_it_anew(
    run_corpus, build: Path, name: str
) -> None:
    before = tree(build)
    others = {
        p: p.stat().st_mtime_ns for p in (build / "documents").iterdir() if name not in str(p)
    }
    flip(build / name, 0.3, 0.6)
    refused = run_corpus("build", *INPUTS, "--out", build, *FLAGS, check=False)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1
    assert name in refused.stderr and "corpus verify" in refused.stderr
    assert "--repair" in refused.stderr
    said = run_corpus("verify", build, "--repair", "-j", 1).stdout
    assert f"{name}: made anew" in said and "whole" in said
    assert tree(build) == before
    assert {path: path.stat().st_mtime_ns for path in others} == others  # only what was damaged


def test_what_cannot_be_made_anew_is_said_and_left(run_corpus, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out"
    shutil.copy("tests/data/documents.csv", source)
    run_corpus("build", source, "--out", out, *FLAGS)
    source.unlink()
    flip(out / "documents" / "0000000.parquet", 0.5)
    damaged = tree(out)
    result = run_corpus("verify", out, "--repair", "-j", 1, check=False)
    assert result.returncode == 1 and "is gone" in result.stdout
    assert tree(out)["documents/0000000.parquet"] == damaged["documents/0000000.parquet"]
    flip(out / "corpus.toml", 0.5)
    result = run_corpus("verify", out, "--repair", check=False)
    assert result.returncode == 1 and "restore it from a copy" in result.stdout


def test_page_checksums_say_where_a_file_is_damaged(build: Path) -> None:
    path = build / "documents" / "0000001.parquet"
    assert damaged_pages(path) == ""
    with pq.ParquetFile(path) as file:
        names = [file.metadata.row_group(0).column(i) for i in range(file.metadata.num_columns)]
        text = next(column for column in names if column.path_in_schema == "text")
    data = bytearray(path.read_bytes())
    data[text.data_page_offset + text.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    assert damaged_pages(path) == "row group 0, column text"
    findings = verify(Layout(build))["findings"]
    assert [row["file"] for row in findings] == ["documents/0000001.parquet"]
    assert "row group 0, column text" in findings[0]["problem"]


def test_links_between_files_are_looked_at(build: Path) -> None:
    """A file that is replaced with its receipt, as no damage does it: only links tell."""
    from corpus.folder.folder import Folder

    folder = Folder(build)
    path = folder.layout.documents(0)
    table = pq.read_table(path)
    ids = table["id"].to_pylist()
    changed = table.set_column(0, table.schema.field(0), [[ids[1], *ids[1:]]])
    receipt = folder.receipt("harvest", 0)
    ledger = folder.layout.ledger("harvest", 0)
    outputs = {ledger: receipt["outputs"]["ledger/harvest-0000000.parquet"]["sha256"]}
    outputs[path] = folder.commit_parquet(path, table.schema, changed)[0]
    folder.write_receipt("harvest", 0, outputs, receipt["counts"])
    problems = " ".join(row["problem"] for row in verify(folder.layout)["findings"])
    assert "ids of two documents" in problems


def test_verify_of_a_folder_on_its_way(run_corpus, build: Path) -> None:
    """Another selection is begun: what is published is still what its manifest says."""
    run_corpus("select", build, "--profile", "swallow-v1", "-j", 1, "-q")
    assert json.loads(run_corpus("verify", build, "--json").stdout)["whole"]
    flip(build / "corpus" / "train-00000-of-00001.parquet", 0.5)
    result = run_corpus("verify", build, check=False)
    assert result.returncode == 1 and "train-00000" in result.stdout
