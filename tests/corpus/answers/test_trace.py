"""`corpus trace`: from a shard row to the record's bytes, and from a record to its row."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.trace import trace
from corpus.errors import UsageError
from corpus.folder.layout import Layout


def test_a_shard_row_leads_to_its_record_and_the_record_back(
    run_corpus, built: Path, repo: Path
) -> None:
    shard = sorted((built / "corpus").iterdir())[0]
    wanted = pq.read_table(shard, columns=["id", "url", "source_digest"]).to_pylist()[17]
    says = run_corpus("trace", built, f"{shard.name}:17", "--verify", "--json").stdout
    (found,) = json.loads(says)
    assert {key: found[key] for key in wanted} == wanted and found["outcome"] == "kept"
    raw = (repo / found["source_file"]).read_bytes()
    start = found["source_offset"]
    record = raw[start : start + found["source_length"]]
    assert record[:2] == b"\x1f\x8b"
    assert found["record"]["sha256"] == hashlib.sha256(record).hexdigest()
    assert found["record"]["first_line"].startswith("WARC/1")
    for name in (f"{found['source_file']}:{start}", f"sample.warc.gz:{start}", found["id"]):
        (back,) = trace(Layout(built), name)
        assert (back["shard"], back["row"]) == (f"corpus/{shard.name}", 17), name


def test_a_document_that_was_dropped_has_a_record_and_no_row(run_corpus, built: Path) -> None:
    row = next(r for r in pq.read_table(built / "duplicates").to_pylist() if r["kind"] != "kept")
    (found,) = trace(Layout(built), row["id"])
    assert found["shard"] is None and found["outcome"] == "dropped"
    assert found["source_file"].endswith("sample.warc.gz") and found["source_length"] > 0
    text = run_corpus("trace", built, row["id"]).stdout
    assert "not published" in text and "kept copy" in text


def test_every_shard_row_can_be_traced(built: Path) -> None:
    shard = sorted((built / "corpus").iterdir())[0]
    rows = pq.read_table(shard, columns=["id"])["id"].to_pylist()
    for number in (0, len(rows) // 2, len(rows) - 1):
        (found,) = trace(Layout(built), f"{shard}:{number}")
        assert found["id"] == rows[number]


@pytest.mark.parametrize("name", ["https://nowhere.example.jp/", "sample.warc.gz:1", "x"])
def test_an_unknown_name_is_refused_in_one_line(built: Path, name: str) -> None:
    with pytest.raises(UsageError, match="SHARD:ROW") as error:
        trace(Layout(built), name)
    assert "\n" not in str(error.value)


def test_a_row_beyond_the_shard_is_named(built: Path) -> None:
    with pytest.raises(UsageError, match="there is no row 99999"):
        trace(Layout(built), "train-00000-of-00001.parquet:99999")
