"""The corpus does not depend on how its files are named: spellings, copies, links, stores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.sources import identity
from corpus.sources.identity import BLOCK, InputFile, look, told_apart
from corpus.sources.plan import units

Run = Callable[..., subprocess.CompletedProcess[str]]
OPTIONS = ("--profile", "none", "-q", "-j", 1)


@pytest.fixture(scope="module")
def exam(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of every kind, two of one base name, and copies that dedup must choose
    between: their ids break the ties.
    """
    folder = tmp_path_factory.mktemp("exam") / "exam"
    (folder / "sub").mkdir(parents=True)
    for name in ("documents.jsonl.gz", "documents.parquet", "documents.csv", "truncated.warc.gz"):
        shutil.copy(data / name, folder / name)
    for number, page in enumerate(sorted((data / "text").iterdir())[:8]):
        shutil.copy(page, folder / ("sub" if number % 2 else "") / "page.txt")
        shutil.copy(page, folder / ("sub" if number % 3 else "") / f"{number}.txt")
    return folder


def shards(out: Path) -> pa.Table:
    """The published rows, without the column that shows the path."""
    return pq.read_table(out / "corpus").drop_columns(["source_file"])


@pytest.fixture(scope="module")
def built_exam(exam: Path, run_corpus: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "out"
    run_corpus("build", "exam", "--out", out, *OPTIONS, cwd=exam.parent)
    return out


@pytest.mark.parametrize("spelling", ["./exam", "ABSOLUTE", "cd", "file://", "files", "@list"])
def test_spellings_of_a_path_give_the_same_corpus(
    spelling: str, exam: Path, built_exam: Path, run_corpus: Run, tmp_path: Path
) -> None:
    files = [str(path) for path in exam.rglob("*") if path.is_file()]
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(files))
    inputs = {
        "./exam": ["./exam"],
        "ABSOLUTE": [str(exam)],
        "cd": ["."],
        "file://": [f"file://{exam}"],
        "files": sorted(files, reverse=True),  # as another shell sorts them
        "@list": [f"@{listing}"],
    }[spelling]
    cwd = exam if spelling == "cd" else exam.parent
    run_corpus("build", *inputs, "--out", tmp_path / "out", *OPTIONS, cwd=cwd)
    assert shards(tmp_path / "out").equals(shards(built_exam))


def test_a_build_goes_on_under_another_spelling(
    exam: Path, built_exam: Path, run_corpus: Run
) -> None:
    before = (built_exam / "manifest.json").read_bytes()
    for spelling in (exam, "./exam/", f"file://{exam}/"):
        run_corpus("build", spelling, "--out", built_exam, *OPTIONS, cwd=exam.parent)
    assert (built_exam / "manifest.json").read_bytes() == before


def test_a_copied_folder_gives_the_same_corpus(
    exam: Path, built_exam: Path, run_corpus: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "machine" / "other name"
    shutil.copytree(exam, copy)
    os.utime(copy / "documents.csv", (1, 1))
    run_corpus("build", copy, "--out", tmp_path / "out", *OPTIONS)
    assert shards(tmp_path / "out").equals(shards(built_exam))
    assert built_exam.name in ("out",) and pq.read_table(tmp_path / "out" / "corpus")[
        "source_file"
    ][0].as_py().startswith(str(copy))


def test_the_same_file_under_other_names_is_said_and_read_once(
    data: Path, built_exam: Path, exam: Path, run_corpus: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "exam"
    shutil.copytree(exam, copy)
    shutil.copy(copy / "documents.csv", copy / "z.csv")
    (copy / "link.jsonl.gz").symlink_to(copy / "documents.jsonl.gz")
    (copy / "loop").symlink_to(copy)
    out = tmp_path / "out"
    said = run_corpus(
        "build", copy, copy / "documents.parquet", "--out", out, "--profile", "none", "-j", 1
    ).stderr
    assert shards(out).equals(shards(built_exam))
    unread = [row for row in ledger(out) if row["rule"] == "repeated_file"]
    repeated = {Path(row["source_file"]).name: row["detail"] for row in unread}
    # which of two names is shown is the first by base name; copies among the pages count, too
    assert {"z.csv", "link.jsonl.gz", "documents.parquet"} & {*repeated} >= {"z.csv"}
    assert repeated["z.csv"] == f"the same as {copy / 'documents.csv'}"
    assert f"{len(unread)} files given twice, read once" in " ".join(said.split())


def ledger(out: Path) -> list[dict]:
    return pq.read_table(out / "ledger").to_pylist()


def test_large_files_alike_at_both_ends_are_two_files(tmp_path: Path) -> None:
    same = bytes(BLOCK)
    for name, middle in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        (tmp_path / name).write_bytes(same + middle + same)
    files = [look(InputFile(str(tmp_path / name), "text")) for name in "abc"]
    assert len({file.identity for file in files}) == 1
    a, b, c = (file.identity for file in told_apart(files))
    assert a == c != b
    assert told_apart(files[:1]) == files[:1]


def test_an_identity_is_of_content_and_reads_two_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(50 << 30)  # sparse: reading it whole would take minutes
        file.seek(-5, os.SEEK_END)
        file.write(b"end")
    first = look(InputFile(str(path), "warc"))
    assert first.size == 50 << 30
    other = path.rename(tmp_path / "other")
    assert look(InputFile(str(other), "warc")).identity == first.identity
    with other.open("r+b") as file:
        file.write(b"x")
    assert look(InputFile(str(other), "warc")).identity != first.identity


def test_a_plan_keeps_identities_so_that_a_resumed_build_reads_no_file_again(
    data: Path, run_corpus: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, out = tmp_path / "a.csv", tmp_path / "out"
    shutil.copy(data / "documents.csv", copy)
    run_corpus("harvest", copy, "--out", out, "-q")
    plan = json.loads((out / "state" / "plan.json").read_bytes())
    assert plan["files"][str(copy)][2] == plan["units"][0]["identities"][0]
    monkeypatch.setattr(identity, "look", None)
    run_corpus("harvest", copy, "--out", out, "-q")
    monkeypatch.undo()
    # of the same length and other content: a change, too
    body = copy.read_bytes()
    copy.write_bytes(body[:-2] + bytes([body[-2] ^ 1]) + body[-1:])
    os.utime(copy, (1, 1))
    failed = run_corpus("harvest", copy, "--out", out, "-q", check=False)
    assert failed.returncode == 2 and "is not the file it was" in failed.stderr
    copy.write_bytes(body)  # as it was, at another time
    run_corpus("harvest", copy, "--out", out, "-q")


def test_files_are_taken_by_kind_and_base_name(tmp_path: Path) -> None:
    from corpus.settings import Settings

    for name in ("z/a.txt", "a/b.txt", "m/a.html", "b.html", "c.jsonl", "d/b.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": name}) + "\n")
    planned = units([str(tmp_path)], Settings())
    assert [file.removeprefix(f"{tmp_path}/") for unit in planned for file in unit.files] == [
        "d/b.jsonl", "c.jsonl", "m/a.html", "b.html", "z/a.txt", "a/b.txt",
    ]  # fmt: skip
    assert [unit.kind for unit in planned] == ["jsonl", "jsonl", "html", "text"]
