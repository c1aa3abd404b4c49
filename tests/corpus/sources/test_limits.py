"""What one document may take: more is a row of the ledger, and the next one is read."""

from __future__ import annotations

import bz2
import gc
import gzip
import resource
import signal
import threading
import zipfile
from collections import Counter
from pathlib import Path

import numba
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.settings import Settings
from corpus.sources import limits, wikipedia
from corpus.sources.item import Item, Unit
from corpus.sources.kinds import items_of
from tests.corpus.sources.test_institutions import HEAD, page

GOOD = '<Law LawType="Act"><LawBody><LawTitle>稲穂法</LawTitle></LawBody></Law>'


def read(kind: str, *files: Path | str) -> list[Item]:
    return list(items_of(Unit(0, kind, tuple(map(str, files))), Settings()))


def test_a_document_that_computes_for_ever_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    bad, good = tmp_path / "bad.xml", tmp_path / "good.xml"
    bad.write_text(GOOD.replace("</LawBody>", "<P><Q>x</Q></P>" * 100_000 + "</LawBody>"))
    good.write_text(GOOD)
    first, second = read("law", bad, good)
    assert (first.problem, first.text) == ("document_limit", None)
    assert first.detail == "it took more than 0.2 s of a processor"
    assert second.text == "# 稲穂法"


def test_a_document_that_grows_for_ever_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # nested XML in a zip, 30 MB in 30 KB: far below the ratio of a bomb, its tree is 2 GB
    packed = tmp_path / "bad.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("bad.xml", GOOD.replace("</LawBody>", "<P/>" * 7_500_000 + "</LawBody>"))
        file.writestr("good.xml", GOOD)
    monkeypatch.setattr(limits, "MEMORY", 300 << 20)
    bad, good = read("law", f"zip://bad.xml::{packed}", f"zip://good.xml::{packed}")
    assert (bad.problem, bad.text) == ("document_limit", None)
    assert good.text == "# 稲穂法"


def test_what_unpacks_without_end_is_never_held_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of MB in some hundred KB; the whole, 2 GB of it, is the slow test below."""
    monkeypatch.setattr(limits, "MEMORY", 200 << 20)
    zeros = b"0" * (250 << 20)
    table = tmp_path / "a.csv.gz"
    table.write_bytes(gzip.compress(b"text\n" + zeros, 1))
    (item,) = read("csv", table)
    assert item.problem == "document_limit" and "200 MiB" in item.detail
    # of bzip2 a page is read from what follows: only a part of it is held
    dump = tmp_path / "pages-multistream.xml.bz2"
    good = page("田", "'''田'''は耕地。")
    dump.write_bytes(bz2.compress(HEAD.encode() + zeros[: 60 << 20] + good.encode()))
    monkeypatch.setattr(limits, "MEMORY", 50 << 20)
    monkeypatch.setattr(wikipedia, "MAX_PAGE", 8 << 20)
    (item,) = read("wikipedia", dump)
    assert item.text == "# 田\n\n田は耕地。"


def test_rows_whose_bytes_are_no_text_cost_themselves_alone(tmp_path: Path) -> None:
    words = pa.array([b"\xff\xfe", "稲穂。".encode(), b"a"], pa.binary()).view(pa.string())
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": words}), file)
    assert [(item.problem, item.text) for item in read("parquet", file)] == [
        ("unreadable", None), ("", "稲穂。"), ("", "a"),
    ]  # fmt: skip


def test_an_error_that_no_reader_foresaw_is_a_row_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("corpus.sources.parquet.wanted_columns", broken)
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["稲穂"]}), file)
    (item,) = read("parquet", file)
    assert (item.problem, item.detail) == ("unreadable_file", "KeyError: 'a bug'")


def test_bounds_leave_the_process_as_it_was() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGPROF)
    with pytest.raises(ZeroDivisionError), limits.Bounds():
        assert not gc.isenabled() and resource.getrlimit(resource.RLIMIT_AS) != before[0]
        1 / 0  # noqa: B018
    after = resource.getrlimit(resource.RLIMIT_AS), signal.getsignal(signal.SIGPROF)
    assert after == before and gc.isenabled()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_thread_reads_without_bounds(tmp_path: Path) -> None:
    file, found = tmp_path / "a.xml", list[Item]()
    file.write_text(GOOD)
    thread = threading.Thread(target=lambda: found.extend(read("law", file)))
    thread.start()
    thread.join()
    assert [item.text for item in found] == ["# 稲穂法"]


def test_the_time_of_compilers_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.05)
    with limits.Bounds():
        assert numba.njit(lambda x: sum([x for _ in range(3)]))(2) == 6
    with pytest.raises(limits.LimitError), limits.Bounds():
        while True:
            pass


@pytest.mark.slow
def test_two_gigabytes_in_a_folder_of_bombs_are_rows_of_the_ledger(
    run_corpus, data: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    """With the bounds as they are, through a whole build, beside a sitting that is read."""
    folder = tmp_path / "in"
    folder.mkdir()
    part = gzip.compress(b"0" * (256 << 20), 1)
    (folder / "line.csv.gz").write_bytes(gzip.compress(b"text\n") + 9 * part)
    (folder / "text.txt.gz").write_bytes(8 * part)
    nested = "<P>" * 200 + "</P>" * 200
    (folder / "tree.xml").write_text(GOOD.replace("</LawBody>", nested * 45_000 + "</LawBody>"))
    (folder / "kokkai.xml").write_bytes((data / "sources" / "kokkai.xml").read_bytes())
    run_corpus("build", str(folder), "--out", str(tmp_path / "out"), "--profile", "none")
    rules = Counter(
        rule
        for file in sorted((tmp_path / "out" / "ledger").glob("*.parquet"))
        for rule in pq.read_table(file)["rule"].to_pylist()
    )
    assert rules["document_limit"] == 1
    documents = pq.read_table(tmp_path / "out" / "corpus")
    assert documents.num_rows == 2
