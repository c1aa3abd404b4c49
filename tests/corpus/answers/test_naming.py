"""What a name means to `corpus explain`: a file of the input, a title; documents without URL."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers import explain
from corpus.folder.layout import Layout

TEXT = "稲の刈り取りは、晴れた日の昼に始まり、夕方までに終わった。" * 20


@pytest.fixture(scope="module")
def named(run_corpus, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("naming")
    for name, end in (("a.txt", ""), ("b.txt", "\n")):  # one text, without URL and title
        (folder / name).write_text(TEXT + end, "utf-8")
    lines = (json.dumps({"text": f"{n}日目。{TEXT}{n}"}, ensure_ascii=False) for n in range(30))
    (folder / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    inputs = (data / "sources" / "kokkai.xml", data / "sources" / "aozora.zip")
    args = (*inputs, folder, "--out", folder / "out", "--profile", "none", "--dedup", "exact")
    run_corpus("build", *args, "-q", "-j", 1)
    return folder / "out"


def ids_of(build: Path, ending: str) -> set[str]:
    table = pq.read_table(build / "documents", columns=["id", "source_file"]).to_pylist()
    return {row["id"] for row in table if row["source_file"].endswith(ending)}


def test_a_file_means_its_documents_with_or_without_url(run_corpus, named: Path) -> None:
    for file, number in (("kokkai.xml", 2), ("sources/kokkai.xml", 2), ("aozora.zip", 2)):
        told = json.loads(run_corpus("explain", named, file, "--json").stdout)
        assert {answer["id"] for answer in told} == ids_of(named, "/" + file)
        assert len(told) == number == told[0]["of_file"]
    assert "KEPT" in run_corpus("explain", named, "3196_txt_10876.txt").stdout  # in the zip


def test_of_a_large_file_the_first_are_told_and_all_are_counted(run_corpus, named: Path) -> None:
    said = run_corpus("explain", named, "rows.jsonl").stdout
    assert said.count("KEPT") == explain.OF_FILE and "20 of 30 records of rows.jsonl" in said
    japanese = run_corpus("--lang", "ja", "explain", named, "rows.jsonl").stdout
    assert "rows.jsonl の記録 30 件のうち 20 件" in japanese


def test_a_title_is_pointed_to(run_corpus, named: Path) -> None:
    done = run_corpus("explain", named, "弟子の心", check=False)
    rows = pq.read_table(named / "documents", columns=["id", "title"]).to_pylist()
    (name,) = (row["id"] for row in rows if row["title"] == "弟子の心")
    assert done.returncode == 2 and f"but a title: {name}" in done.stderr


def test_a_kept_copy_without_url_is_named_by_its_place(named: Path) -> None:
    (gone,) = (
        row for path in sorted((named / "ledger").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist() if row["rule"] == "exact"
    )  # fmt: skip
    (answer,) = explain.explain(Layout(named), gone["id"])
    told = answer["sentences"][-1]
    assert "the kept copy /" in told and f".txt:0 ({gone['kept_id']})" in told


def test_no_charset_is_named_where_there_is_none(run_corpus, named: Path) -> None:
    for spoken, words in (("en", "decoded from  "), ("ja", "文字コード （")):
        said = run_corpus("explain", named, "kokkai.xml", "--lang", spoken).stdout
        assert words not in said and "decoded" not in said and "kokkai.xml" in said
    assert "decoded from shift_jis" in run_corpus("explain", named, "aozora.zip").stdout


def test_a_sentence_is_no_file_to_trace(run_corpus, named: Path) -> None:
    for text in ("こんにちは。", "あ" * 300):
        done = run_corpus("trace", named, "--text", text, check=False)
        assert done.returncode == 2 and "Errno" not in done.stderr
        assert "--text names a file" in done.stderr and "corpus find" in done.stderr
