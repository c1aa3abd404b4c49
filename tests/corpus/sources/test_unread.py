"""Nothing is lost in silence: files that cannot be read, unknown kinds, cut texts, no column."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

Run = Callable[..., subprocess.CompletedProcess[str]]
TEXT = "これは日本語の文章です。雨の日には本を読み、晴れた日には庭で花を育てています。"


def ledger(out: Path) -> dict[str, tuple[str, str]]:
    """Base name → (rule, reason) of what was not read."""
    rows = pq.read_table(out / "ledger").to_pylist()
    return {Path(r["source_file"]).name: (r["rule"], r["detail"]) for r in rows}


@pytest.fixture(scope="module")
def crawl(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a crawl in which much went wrong."""
    folder = tmp_path_factory.mktemp("crawl")
    for name in ("truncated.warc.gz", "documents.parquet", "documents.csv"):
        shutil.copy(data / name, folder / name)
    for name in ("empty.warc.gz", "empty.parquet", "empty.csv", "empty2.warc.gz"):
        (folder / name).write_bytes(b"")
    (folder / "page.warc.gz").write_bytes(b"<html>not found</html>")
    (folder / "nothing.warc.gz").write_bytes(gzip.compress(b""))
    (folder / "fake.parquet").write_bytes(b"PAR1 but not really PAR1")
    (folder / "odd.csv").write_text("title,body\n題,本文です。\n", encoding="utf-8")
    (folder / "gone.jsonl.gz").symlink_to("nowhere.jsonl.gz")
    (folder / "photo.JPG").write_bytes(b"\xff\xd8")
    (folder / "README").write_text("about")
    os.mkfifo(folder / "pipe.txt")
    # broken in its middle: what comes before is kept
    lines = "".join(f"{json.dumps({'text': f'{n}。{TEXT}'})}\n" for n in range(3000))
    packed = gzip.compress(lines.encode())
    (folder / "half.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    return folder


BAD = {"empty.warc.gz", "empty2.warc.gz", "empty.parquet", "empty.csv", "page.warc.gz", "odd.csv",
       "nothing.warc.gz", "fake.parquet", "gone.jsonl.gz", "pipe.txt"}  # fmt: skip


@pytest.fixture(scope="module")
def harvested_crawl(crawl: Path, run_corpus: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "out"
    said = run_corpus("harvest", crawl, "--out", out, "-j", 1).stderr
    (out / "said.txt").write_text(said)
    return out


def test_bad_files_cost_a_row_each_and_are_said(harvested_crawl: Path) -> None:
    rows, said = ledger(harvested_crawl), (harvested_crawl / "said.txt").read_text()
    assert {name for name, (rule, _) in rows.items() if rule == "unreadable_file"} == BAD
    assert "10 of 14 files could not be read: " in said and "; and 7 more" in said
    reasons = {name: reason for name, (_, reason) in rows.items()}
    assert reasons["empty.warc.gz"] == "the file is empty"
    assert reasons["page.warc.gz"] == "it is no WARC file"
    assert "no column 'text'" in reasons["odd.csv"] and "body" in reasons["odd.csv"]
    assert "nowhere.jsonl.gz, which is not there" in reasons["gone.jsonl.gz"]
    assert rows["photo.JPG"] == ("unknown_ending", "ending .jpg")
    assert "2 files of unknown kinds passed over: ending .jpg 1, no ending 1" in said


def test_a_file_that_breaks_in_its_middle_keeps_what_was_read(harvested_crawl: Path) -> None:
    rule, reason = ledger(harvested_crawl)["half.jsonl.gz"]
    assert rule == "unreadable" and reason.startswith("packed data")
    files = pq.read_table(harvested_crawl / "documents", columns=["source_file"])["source_file"]
    assert sum(name.endswith("half.jsonl.gz") for name in files.to_pylist()) > 500


def test_any_number_of_workers_and_a_resumed_build_lose_the_same(
    crawl: Path, harvested_crawl: Path, run_corpus: Run, spawn_corpus: Run, tmp_path: Path
) -> None:
    def outputs(folder: Path) -> dict[str, bytes]:
        kinds = ("documents", "ledger", "state/harvest")
        paths = [path for kind in kinds for path in (folder / kind).iterdir()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}

    spawn_corpus("harvest", crawl, "--out", tmp_path / "two", "-j", 2, "-q")
    assert outputs(tmp_path / "two") == outputs(harvested_crawl)
    for number in (1, 3, 7):
        (tmp_path / "two" / "state" / "harvest" / f"{number:07d}.json").unlink(missing_ok=True)
    run_corpus("harvest", crawl, "--out", tmp_path / "two", "-j", 1, "-q")
    assert outputs(tmp_path / "two") == outputs(harvested_crawl)


def test_strict_stops_at_the_first_bad_file(
    crawl: Path, harvested_crawl: Path, data: Path, run_corpus: Run, tmp_path: Path
) -> None:
    failed = run_corpus("build", crawl, "--out", tmp_path / "a", "--strict", "-j", 1, check=False)
    assert failed.returncode == 1 and "cannot be read" in failed.stderr
    assert not list((tmp_path / "a").glob("documents/*"))
    # one that only reading finds, and one that an earlier run has found
    shutil.copy(crawl / "page.warc.gz", tmp_path)
    inputs = (tmp_path / "page.warc.gz", data / "truncated.warc.gz", "--out", tmp_path / "b")
    for strict in ([], ["--strict"]):
        done = run_corpus("harvest", *inputs, "-j", 1, "-q", *strict, check=False)
        assert done.returncode == len(strict), done.stderr
    assert "page.warc.gz cannot be read: it is no WARC file" in done.stderr


def test_a_file_that_goes_away_during_a_build_is_an_error_and_no_loss(
    data: Path, run_corpus: Run, tmp_path: Path
) -> None:
    copy, out = tmp_path / "documents.csv", tmp_path / "out"
    shutil.copy(data / "documents.csv", copy)
    run_corpus("harvest", copy, data / "documents.parquet", "--out", out, "-q", "-j", 1)
    (out / "state" / "harvest" / "0000001.json").unlink()
    copy.rename(tmp_path / "elsewhere")
    again = ("harvest", copy, data / "documents.parquet", "--out", out, "-q", "-j", 1)
    failed = run_corpus(*again, check=False)
    assert failed.returncode == 1 and "cannot read" in failed.stderr
    (tmp_path / "elsewhere").rename(copy)
    run_corpus(*again)


def test_unreadable_folders_are_said(
    data: Path, run_corpus: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: str) -> object:  # root may enter what others may not
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    (tmp_path / "in" / "locked").mkdir(parents=True)
    shutil.copy(data / "documents.csv", tmp_path / "in")
    monkeypatch.setattr(os, "scandir", scandir)
    said = run_corpus("harvest", tmp_path / "in", "--out", tmp_path / "out", "-j", 1).stderr
    assert "1 folder could not be entered" in said and "Permission denied" in said
    assert ledger(tmp_path / "out")["locked"] == ("unreadable_folder", "Permission denied")


def test_a_name_of_any_bytes_is_planned_and_read(run_corpus: Run, tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    for name in (b"\xff\xfe.txt", "日本.txt".encode(), b"\x1b[31m.txt"):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(name + TEXT.encode())
    Path(os.fsdecode(folder + b"/\xfe.csv")).write_bytes(b"")
    out = tmp_path / "out"
    for _ in range(2):
        run_corpus("harvest", tmp_path / "in", "--out", out, "-j", 1)
    assert pq.read_table(out / "documents").num_rows == 3


# packed, cut --------------------------------------------------------------------------------------


def test_packed_pages_and_texts_simply_work(data: Path, run_corpus: Run, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    page, text = (data / "html" / "0-utf-8.html").read_bytes(), TEXT.encode()
    (folder / "a.html.gz").write_bytes(gzip.compress(page))
    (folder / "b.txt.gz").write_bytes(gzip.compress(b"b" + text))
    (folder / "c.md.zst").write_bytes(zstandard.compress(b"c" + text))
    (folder / "d.jsonl.zstd").write_bytes(zstandard.compress(json.dumps({"text": TEXT}).encode()))
    (folder / "e.tsv.zst").write_bytes(zstandard.compress(b"text\n" + text + b"\n"))
    long = "".join(f"{n}。{TEXT}\n" for n in range(30_000)).encode()
    (folder / "f.txt.gz").write_bytes(gzip.compress(long)[:-40_000])  # ends early
    (folder / "g.txt").write_bytes(b"g" + long)  # longer than the limit
    options = ("--set", "harvest.max_body_mib=1", "-j", 1)
    said = run_corpus("harvest", folder, "--out", tmp_path / "out", *options).stderr
    rows = pq.read_table(tmp_path / "out" / "documents", columns=["source_file", "truncated"])
    truncated = {Path(r["source_file"]).name: r["truncated"] for r in rows.to_pylist()}
    assert truncated == {
        "a.html.gz": "", "b.txt.gz": "", "c.md.zst": "", "d.jsonl.zstd": "", "e.tsv.zst": "",
        "f.txt.gz": "max_body_mib", "g.txt": "max_body_mib",
    }  # fmt: skip
    assert "2 documents may end early (column truncated): max_body_mib 2" in said


def test_truncated_records_are_a_column_a_count_a_sentence_and_a_line_of_the_card(
    run_corpus: Run, data: Path, tmp_path: Path
) -> None:
    page = (data / "html" / "0-utf-8.html").read_bytes()

    def record(name: str, more: str, body: bytes, lost: int = 0) -> bytes:
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://{name}.example/\r\n{more}"
        )
        head += f"Content-Length: {len(block) + lost}\r\n\r\n"
        return head.encode() + block + b"\r\n\r\n"

    long = b"<p>" + "".join(f"{n}。{TEXT}\n" for n in range(15_000)).encode() + b"</p>"
    parts = [
        record("whole", "", page),
        record("length", "WARC-Truncated: length\r\n", page.replace(b"</p>", b"A</p>")),
        record("odd", "WARC-Truncated: who knows\r\n", page.replace(b"</p>", b"B</p>")),
        record("long", "", page.replace(b"</body>", long + b"</body>")),
        record("end", "", page.replace(b"</p>", b"C</p>"), lost=5_000_000),
    ]
    (tmp_path / "a.warc").write_bytes(b"".join(parts))
    options = ("--profile", "none", "--dedup", "none", "--set", "harvest.max_body_mib=1", "-j", 1)
    out = tmp_path / "out"
    run_corpus("build", tmp_path / "a.warc", "--out", out, *options)
    rows = pq.read_table(out / "corpus", columns=["host", "truncated"]).to_pylist()
    assert {row["host"].partition(".")[0]: row["truncated"] for row in rows} == {
        "whole": "", "length": "length", "odd": "unspecified", "long": "max_body_mib",
        "end": "record",
    }  # fmt: skip
    funnel = json.loads(run_corpus("stats", out, "--json").stdout)
    assert funnel["harvest"]["truncated"] == dict.fromkeys(
        ("length", "max_body_mib", "record", "unspecified"), 1
    )
    assert (
        "the crawler took only so many bytes"
        in run_corpus("explain", out, "http://length.example/").stdout
    )
    assert "途中で切れている可能性: 4" in (out / "README.ja.md").read_text()


# columns, empty corpora ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.parquet", "a.csv"])
def test_a_table_without_the_text_is_one_error_that_names_the_columns_and_the_flag(
    name: str, run_corpus: Run, tmp_path: Path
) -> None:
    rows = [{"body": f"{n}。{TEXT}", "title": "題"} for n in range(3)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path = tmp_path / name
    if name.endswith(".parquet"):
        import pyarrow as pa

        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".csv"):
        path.write_text("body,title\n" + "".join(f"{r['body']},題\n" for r in rows))
    else:
        path.write_bytes(gzip.compress(lines.encode()) if ".gz" in name else lines.encode())
    build = ("build", path, "--out", tmp_path / "out", "--profile", "none", "-j", 1)
    failed = run_corpus(*build, check=False)
    assert failed.returncode == 1 and len(failed.stderr.splitlines()) == 1
    for words in (str(path), "no column 'text'", "body, title", "--set input.columns.text="):
        assert words in failed.stderr
    # the flag mends it, in the same folder
    run_corpus(*build, "--set", "input.columns.text=body", "-q")
    assert pq.read_table(tmp_path / "out" / "corpus").num_rows


def test_foreign_tables_beside_other_files_stop_no_build(run_corpus: Run, tmp_path: Path) -> None:
    import pyarrow as pa

    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "page.txt").write_text(TEXT)
    (folder / "types.csv").write_text("datasetid,kind\n1,本\n")
    (folder / "types.jsonl").write_text('{"datasetid": 1}\n')
    pq.write_table(pa.table({"datasetid": [1]}), folder / "types.parquet")
    build = ("build", folder, "--out", out, "--profile", "none", "-j", 1)
    strict = run_corpus(*build, "--strict", check=False)
    assert strict.returncode == 1 and "cannot be read" in strict.stderr
    done = run_corpus(*build)
    assert "3 of 4 files could not be read: " in done.stderr and "no column 'text'" in done.stderr
    assert pq.read_table(out / "corpus")["text"].to_pylist() == [TEXT]
    rows = ledger(out)
    assert sorted(rows) == ["types.csv", "types.jsonl", "types.parquet"]
    for rule, reason in rows.values():
        assert rule == "unreadable_file" and "it has datasetid" in reason
    (folder / "page.txt").unlink()
    alone = run_corpus("build", folder, "--out", tmp_path / "alone", "-j", 1, check=False)
    assert alone.returncode == 1 and "--set input.columns.text=" in alone.stderr


def test_json_lines_may_leave_out_an_empty_text(run_corpus: Run, tmp_path: Path) -> None:
    rows = [{"url": "http://a.example/"}, {"text": TEXT}, {"url": "http://b.example/"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    run_corpus("build", tmp_path / "a.jsonl", "--out", out, "--profile", "none", "-q", "-j", 1)
    assert pq.read_table(out / "corpus").num_rows == 1


def test_an_empty_corpus_is_an_error_unless_asked_for(
    run_corpus: Run, data: Path, tmp_path: Path
) -> None:
    english = "This is a sentence in English. It is here for the language check to refuse it. "
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": english * 5}) + "\n")
    build = ("build", tmp_path / "a.jsonl", "--out", tmp_path / "out", "-q", "-j", 1)
    failed = run_corpus(*build, check=False)
    assert failed.returncode == 1
    assert "nothing is left to publish: harvest took 1 of 1 by language" in failed.stderr
    assert not (tmp_path / "out" / "README.md").exists()
    run_corpus("publish", tmp_path / "out", "--set", "publish.allow_empty=true", "-q")
    assert pq.read_table(tmp_path / "out" / "corpus").num_rows == 0
    assert (tmp_path / "out" / "README.md").exists()
