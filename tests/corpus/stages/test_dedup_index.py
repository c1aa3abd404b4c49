"""`corpus dedup --against INDEX`: crawl after crawl through the command, on real pages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from build_folders import rows

from corpus.folder.removals import hashed_url

SAMPLE = "tests/data/sample.warc.gz"
FLAGS = ("--profile", "none", "-q", "--set", "harvest.site_boilerplate=false",
         "--set", "dedup.keep=first", "--set", "dedup.verify=estimate")  # fmt: skip


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def crawls(folder: Path) -> list[Path]:
    """The records of the sample archive as two crawls: its first half and the rest."""
    from warcio.archiveiterator import ArchiveIterator

    with open(SAMPLE, "rb") as file:
        reader = ArchiveIterator(file)
        offsets = [reader.get_record_offset() for _ in reader]
    raw = Path(SAMPLE).read_bytes()
    cut = offsets[len(offsets) // 2]
    paths = [folder / "a.warc.gz", folder / "b.warc.gz"]
    for path, part in zip(paths, (raw[:cut], raw[cut:]), strict=True):
        path.write_bytes(part)
    return paths


@pytest.fixture(scope="module")
def two(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds `a` and `b`, the second compared with an index of the first, and `all` of both."""
    folder = tmp_path_factory.mktemp("two")
    one, other = crawls(folder)
    run_corpus("build", one, "--out", folder / "a", *FLAGS)
    run_corpus("dedup", folder / "a", "--against", folder / "index", "--update", "-q")
    run_corpus("build", other, "--out", folder / "b", *FLAGS)
    run_corpus("dedup", folder / "b", "--against", folder / "index", "--update", "-q")
    run_corpus("build", one, other, "--out", folder / "all", *FLAGS)
    return folder


@pytest.fixture
def copy(two: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two, tmp_path / "two"))


def test_the_partner_is_named_by_id_address_and_generation(two: Path) -> None:
    first = {row["id"]: row["url"] for row in rows(two / "a" / "documents", "id", "url")}
    outside = [row for row in rows(two / "b" / "duplicates") if row["generation"] is not None]
    assert len(outside) >= 10
    drops = [row for row in rows(two / "b" / "ledger") if row["action"] == "drop"]
    ledger = {row["id"]: row for row in drops}
    for row in outside:
        assert row["generation"] == 1 and first[row["kept_id"]] == row["kept_url"]
        noted = ledger[row["id"]]
        assert noted["stage"] == "dedup" and noted["kept_id"] == row["kept_id"]
        assert f"generation 1 of the index: {row['kept_url']}" in noted["detail"]
    assert all(row["generation"] is None for row in rows(two / "a" / "duplicates"))


def test_one_by_one_keeps_what_is_kept_of_both_together(two: Path) -> None:
    dropped = {}
    for name in ("a", "b", "all"):
        every = [row["id"] for row in rows(two / name / "documents", "id")]
        out = {row["id"] for row in rows(two / name / "duplicates") if row["kind"] != "kept"}
        dropped[name] = set(every) - out
    assert dropped["a"] | dropped["b"] == dropped["all"] and not dropped["a"] & dropped["b"]


def test_again_gives_the_same_bytes_and_appends_nothing(run_corpus, copy: Path) -> None:
    before = bytes_of(copy / "b" / "duplicates")
    facts = json.loads(run_corpus("dedup-index", "info", copy / "index", "--json").stdout)
    assert (
        facts["generation"] == 2 and [s["documents"] > 0 for s in facts["segments"]] == [True] * 2
    )
    shutil.rmtree(copy / "b" / "duplicates")
    run_corpus("dedup", copy / "b", "--against", copy / "index", "--update", "-q")
    assert bytes_of(copy / "b" / "duplicates") == before
    again = json.loads(run_corpus("dedup-index", "info", copy / "index", "--json").stdout)
    assert again == facts


def test_a_takedown_in_the_index_lets_the_copy_of_a_later_crawl_in(run_corpus, copy: Path) -> None:
    pairs = [row for row in rows(copy / "b" / "duplicates")
             if row["generation"] and row["cluster_size"] == 2]  # fmt: skip
    gone = min(pairs, key=lambda row: row["id"])
    said = run_corpus("remove", copy / "index", "--id", gone["kept_id"], "--dry-run", "--json")
    about = json.loads(
        run_corpus("remove", copy / "index", "--id", gone["kept_id"], "--json").stdout
    )
    assert [row["id"] for row in about["promoted"]] == [gone["id"]]
    assert json.loads(said.stdout)["promoted"] == about["promoted"]
    run_corpus("dedup", copy / "b", "--against", copy / "index", "-q")
    out = {row["id"] for row in rows(copy / "b" / "duplicates") if row["kind"] != "kept"}
    assert gone["id"] not in out


def test_a_page_taken_down_in_the_index_stays_out_of_later_crawls(run_corpus, copy: Path) -> None:
    url = min(row["url"] for row in rows(copy / "b" / "documents", "url"))
    run_corpus("remove", copy / "index", "--url", url, "--reason", "申し出", "-q")
    run_corpus("dedup", copy / "b", "--against", copy / "index", "-q")
    drops = [row for row in rows(copy / "b" / "ledger") if row["action"] == "drop"]
    noted = [row for row in drops if row["url"] == hashed_url(url)]
    assert noted and {row["stage"] for row in noted} == {"remove"}


def test_indexes_merge_with_their_takedowns(run_corpus, copy: Path) -> None:
    gone = min(row["id"] for row in rows(copy / "b" / "documents", "id"))
    run_corpus("dedup", copy / "b", "--against", copy / "other", "--update", "-q")
    run_corpus("remove", copy / "other", "--id", gone, "-q")
    run_corpus("dedup", copy / "a", "--against", copy / "one", "--update", "-q")
    run_corpus("dedup-index", "merge", copy / "one", copy / "other")
    facts = json.loads(run_corpus("dedup-index", "info", copy / "one", "--json").stdout)
    whole = json.loads(run_corpus("dedup-index", "info", copy / "index", "--json").stdout)
    assert facts["documents"] == whole["documents"] and facts["clusters"] == whole["clusters"]
    assert facts["removed"] == 1 and json.loads((copy / "one" / "removals.json").read_text())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--against", "nowhere"], "no index at nowhere: --update begins one"),
        (["--update"], "--update needs an index"),
    ],
)
def test_slips_are_one_line(run_corpus, copy: Path, args, words) -> None:
    before = bytes_of(copy / "a")
    shutil.copy(copy / "a" / "corpus.toml", copy / "toml")
    result = run_corpus("dedup", copy / "all", *args, check=False)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
    assert bytes_of(copy / "a") == before and not Path("nowhere").exists()
