"""`corpus dedup`: its report, and the same bytes of every kind on 1 and 2 workers."""

from __future__ import annotations

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

INPUTS = ["tests/data/sample.warc.gz", "tests/data/documents.jsonl.gz"]
EVERY_KIND = [
    "--set", "dedup.paragraph=host", "--set", "dedup.paragraph_least=3",
    "--set", "dedup.substring=120", "--set", "dedup.rehydrate=fineweb2", "--set", "dedup.url=true",
    "--set", "decontaminate.sets=tests/data/documents.csv", "--set", "input.unit_mib=1",
    "--profile", "none", "-q",
]  # fmt: skip


def test_the_report_shows_sizes_texts_and_hosts(run_corpus, built: Path) -> None:
    before = tree(built)
    facts = json.loads(run_corpus("dedup", built, "--report", "--json").stdout)
    rows = pq.read_table(built / "duplicates").to_pylist()
    assert facts["removed"] == sum(row["kind"] != "kept" for row in rows)
    assert sum(number for _, number in facts["sizes"]) == facts["clusters"]
    largest = facts["largest"][0]
    assert largest["size"] == max(row["cluster_size"] for row in rows)
    texts = {row["id"]: row["text"] for row in pq.read_table(built / "documents").to_pylist()}
    for member in largest["members"]:
        assert member["line"] and member["line"] in texts[member["id"]]
    assert facts["hosts"] and all(number > 0 for *_, number in facts["hosts"])
    bands, rows = facts["bands"], facts["rows"]
    for similarity, probability in facts["s_curve"]:
        assert probability == pytest.approx(1 - (1 - similarity**rows) ** bands, abs=1e-4)
    text = run_corpus("dedup", built, "--report").stdout
    assert f"{bands} bands of {rows} rows" in text
    assert "cluster size" in text and "largest clusters" in text and "kept at" in text
    assert tree(built) == before


@pytest.fixture(scope="module")
def whole(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "o"
    run_corpus("build", *INPUTS, "--out", out, *EVERY_KIND, "--workers", 1)
    return out


def test_every_kind_on_two_workers_gives_the_same_bytes(run_corpus, whole: Path, tmp_path) -> None:
    run_corpus("build", *INPUTS, "--out", tmp_path / "o", *EVERY_KIND, "--workers", 2)
    assert tree(tmp_path / "o") == tree(whole)
    funnel = json.loads((whole / "funnel.json").read_text())
    assert set(funnel) >= {"trim", "decontaminate", "publish"}
    assert funnel["trim"]["altered"]["cut"] > 0 and funnel["decontaminate"]["dropped"]


@pytest.mark.slow
def test_a_build_killed_in_its_later_stages_goes_on_to_the_same_bytes(
    whole: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    command = [sys.executable, "-m", "corpus", "build", *INPUTS, "--out", str(tmp_path / "o"),
               *EVERY_KIND, "--workers", "2"]  # fmt: skip
    marks = ["state/dedup/0000000.json", "state/trim/settings.json",
             "state/decontaminate/settings.json"]  # fmt: skip
    for mark in marks:
        child = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
        while child.poll() is None and not (tmp_path / "o" / mark).exists():
            time.sleep(0.02)
        time.sleep(chance.random() / 2)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    subprocess.run(command, check=True)
    assert tree(tmp_path / "o") == tree(whole)


def test_switching_a_kind_off_gives_the_bytes_of_a_build_without_it(
    run_corpus, whole: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "o"))
    off = ["--set", "dedup.paragraph=none", "--set", "dedup.substring=0"]
    run_corpus("publish", out, *off, "--set", "decontaminate.sets=", "-q")
    run_corpus("build", *INPUTS, "--out", tmp_path / "p", *EVERY_KIND, *off,
               "--set", "decontaminate.sets=")  # fmt: skip
    assert tree(out) == tree(tmp_path / "p")
    assert not list(out.glob("ledger/trim-*")) and not list((out / "paragraphs").glob("*"))
