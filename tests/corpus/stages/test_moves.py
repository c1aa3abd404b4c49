"""A page that moved, whose redirect and new place stand in another file than its old copy."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_kept_copy import paragraphs, record

from corpus.folder.layout import Layout
from corpus.stages import moves

OLD, NEW = "http://old.example.jp/e.html", "http://new.example.jp/e.html"
OTHER_OLD, OTHER_NEW = "http://old.example.jp/f.html", "http://new.example.jp/f.html"
LONGER = "この頁には広告があります。ほかの頁も読んでください。"
GONE = "301 Moved Permanently\r\nLocation: {}"

OLD_PAGES = [
    record(OLD, "2024-05-09", paragraphs(5, LONGER)),
    record(OTHER_OLD, "2024-05-09", paragraphs(6)),
    record("http://third.example.jp/x.html", "2024-05-01", paragraphs(8)),
]
REDIRECTS = [
    record(
        OLD, "2024-05-08", "", "", GONE.format("http://third.example.jp/x.html")
    ),  # a later one counts
    record(OLD, "2024-05-10", "", "", GONE.format(NEW)),
    record(OTHER_OLD, "2024-05-10", "", "", GONE.format(OTHER_NEW)),
    record("http://old.example.jp/none.html", "2024-05-10", "", "", GONE.format(NEW)),
]
NEW_PAGES = [
    record(NEW, "2024-05-01", paragraphs(5)),
    record(OTHER_NEW, "2024-05-01", paragraphs(7)),  # another text: the address alone joins them
]
ARGS = ("--profile", "none", "-j", 1, "-q", "--set", "dedup.url=true")


def kept(out: Path) -> dict[str, str]:
    """Address → rule of the ledger, or kept."""
    ledger = pq.read_table(out / "ledger", filters=[("stage", "==", "dedup")]).to_pylist()
    rules = {row["url"]: row["rule"] for row in ledger}
    return rules | {row["url"]: "kept" for row in pq.read_table(out / "corpus").to_pylist()}


EXPECTED = {
    OLD: "url",
    NEW: "kept",
    OTHER_OLD: "url",
    OTHER_NEW: "kept",
    "http://third.example.jp/x.html": "kept",
}


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_a_redirect_in_one_file_joins_pages_of_two_others(
    run_corpus, tmp_path: Path, order: str
) -> None:
    for name, records in zip(order, (OLD_PAGES, REDIRECTS, NEW_PAGES), strict=True):
        (tmp_path / f"{name}.warc").write_bytes(b"".join(records))
    whole = tmp_path / "whole.warc"
    whole.write_bytes(b"".join([*OLD_PAGES, *REDIRECTS, *NEW_PAGES]))
    run_corpus("build", *(tmp_path / f"{x}.warc" for x in "abc"), "--out", tmp_path / "out", *ARGS)
    assert kept(tmp_path / "out") == EXPECTED
    moved = pq.read_table(Layout(tmp_path / "out").moved)["to"].to_pylist()
    assert sorted(moved) == [NEW, OTHER_NEW]
    run_corpus("verify", tmp_path / "out")
    if order == "abc":  # and as in one file
        run_corpus("build", whole, "--out", tmp_path / "one", *ARGS)
        assert kept(tmp_path / "one") == EXPECTED
        assert not Layout(tmp_path / "one").moved.exists()  # its unit knew


def test_redirects_are_stored_by_hash_and_a_page_taken_out_is_no_goal(
    run_corpus, tmp_path: Path
) -> None:
    (tmp_path / "a.warc").write_bytes(b"".join(OLD_PAGES))
    (tmp_path / "b.warc").write_bytes(b"".join([*REDIRECTS, *NEW_PAGES]))
    out, layout = tmp_path / "out", Layout(tmp_path / "out")
    run_corpus("build", tmp_path / "a.warc", tmp_path / "b.warc", "--out", out, *ARGS)
    assert [len(moves.of_file(layout, index)) for index in (0, 1)] == [2, 0]
    (stored,) = layout.moves_files()
    assert pq.read_table(stored).num_rows == 4
    assert b"example" not in stored.read_bytes().split(b"PAR1")[1]
    run_corpus("remove", out, "--url", NEW)
    assert kept(out)[OLD] == "kept"  # its better copy is gone
    assert moves.of_file(layout, 0) == {1: OTHER_NEW}
    signed = pq.read_table(layout.signatures(0), columns=["canonical_url"])["canonical_url"]
    assert signed.to_pylist() == ["", OTHER_NEW, ""]
    run_corpus("verify", out)
