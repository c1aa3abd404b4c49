"""`corpus index` and `corpus find` on a build of real pages: every answer is that of a scan."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers import absence
from corpus.errors import UsageError
from corpus.folder.layout import Layout
from corpus.index import Index, build, suffixes

SAMPLE = "tests/data/sample.warc.gz"
FLAGS = ("--profile", "none", "--set", "input.unit_mib=1", "--set", "publish.shard_mib=1", "-q")


@pytest.fixture(scope="module")
def indexed(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of several units and shards, indexed in several parts."""
    out = tmp_path_factory.mktemp("indexed") / "corpus"
    run_corpus("build", SAMPLE, "--out", out, *FLAGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "PART", 200_000)
        run_corpus("index", out, "-j", 1, "-q")
        run_corpus("index", out, "-j", 1, "-q", "--documents")
    return out


@pytest.fixture
def copy(indexed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(indexed, tmp_path / "corpus"))


def texts(folder: Path) -> dict[tuple[str, int], dict]:
    columns = ["id", "url", "text", "source_file", "source_offset"]
    return {
        (f"{folder.name}/{path.name}", row): entry
        for path in sorted(folder.glob("*.parquet"))
        for row, entry in enumerate(pq.read_table(path, columns=columns).to_pylist())
    }


def scan(rows: dict[tuple[str, int], dict], text: str) -> list[tuple[str, int, int]]:
    """Every place of a text: file, row, position."""
    found = []
    for (file, row), entry in rows.items():
        at = entry["text"].find(text)
        while at >= 0:
            found.append((file, row, at))
            at = entry["text"].find(text, at + 1)
    return found


@pytest.mark.parametrize("side", ["corpus", "documents"])
def test_random_and_absent_strings_stand_where_a_scan_finds_them(indexed: Path, side: str) -> None:
    rows, draw = texts(indexed / side), random.Random(5)
    index = Index(indexed, documents=side == "documents")
    assert len(index.parts) > 3
    everything = [entry["text"] for entry in rows.values()]
    for number in range(150):
        text = draw.choice(everything)
        at = draw.randrange(len(text))
        asked = text[at : at + draw.choice([1, 2, 3, 5, 8, 20, 100])]
        if number % 3 == 0:
            asked = asked[:1] + draw.choice("鬱龘𠮷x") + asked[1:]
        places = scan(rows, asked)
        assert index.count(asked) == len(places), asked
        assert index.documents(asked) in (len({place[:2] for place in places}), None)
        held = {
            (path.relative_to(indexed).as_posix(), row)
            for path, own in index.rows(asked).items()
            for row in own.tolist()
        }
        assert held == {place[:2] for place in places}
        hits = index.find(asked, 3, 10)
        assert [(hit.file, hit.row, hit.position) for hit in hits] == places[:3]
        for hit in hits:
            entry = rows[hit.file, hit.row]
            assert {k: getattr(hit, k) for k in entry if k != "text"} == {
                k: v for k, v in entry.items() if k != "text"
            }
            around = entry["text"][max(0, hit.position - 10) : hit.position + len(asked) + 10]
            assert hit.before + hit.match + hit.after == around
    for (file, row), entry in rows.items():
        assert index.text(indexed / file, row) == entry["text"]
    assert index.text(indexed / file, row + 1) == ""


def test_frequent_strings_come_in_order_too(indexed: Path, monkeypatch) -> None:
    monkeypatch.setattr("corpus.index.query.SORTED", 0)
    rows, index = texts(indexed / "corpus"), Index(indexed)
    for text in ("の", "ます。", "\n"):
        places = [(hit.file, hit.row, hit.position) for hit in index.find(text, 40)]
        assert places == scan(rows, text)[:40]


def test_no_match_crosses_documents(indexed: Path) -> None:
    index = Index(indexed)
    for part in index.parts:
        ends = part.starts[1:-1] - 1
        for end in ends[:20].tolist():
            last, first = part.text[end - 3 : end], part.text[end + 1 : end + 4]
            joined = suffixes.text_of(last) + suffixes.text_of(first)
            assert index.count(joined) == len(scan(texts(indexed / "corpus"), joined))
            assert index.count(suffixes.text_of(last) + "\udfff") == 0


def test_strings_that_are_none(indexed: Path, run_corpus) -> None:
    index = Index(indexed)
    assert index.count("\ud800") == 0 and index.find("\udfff") == [] and index.spans("\udc00") == []
    with pytest.raises(UsageError, match="one character or more"):
        index.count("")
    assert run_corpus("find", indexed, "", check=False).returncode == 2
    with pytest.raises(UsageError, match="one character or more"):
        index.spans("設定", 0)


def test_find_names_document_row_and_record(indexed: Path, run_corpus, repo: Path) -> None:
    facts = json.loads(run_corpus("find", indexed, "設定ファイル", "--limit", 2, "--json").stdout)
    rows = texts(indexed / "corpus")
    assert facts["count"] == len(scan(rows, "設定ファイル")) and len(facts["hits"]) == 2
    hit = facts["hits"][0]
    raw = (repo / hit["source_file"]).read_bytes()
    assert raw[hit["source_offset"] :][:2] == b"\x1f\x8b"
    said = run_corpus("find", indexed, "設定ファイル", "--limit", 2).stdout
    assert f"record {hit['source_file']}:{hit['source_offset']}" in said
    assert "【設定ファイル】" in said and "the first 2 of" in said
    wide = run_corpus("find", indexed, "ＬｉｂｒｅＯｆｆｉｃｅ").stdout
    assert "stands nowhere" in wide and "「LibreOffice」" in wide


def test_what_did_not_change_is_not_sorted_again(copy: Path, run_corpus) -> None:
    before = {p: p.stat().st_mtime_ns for p in (copy / "index").rglob("*") if p.is_file()}
    facts = json.loads(run_corpus("index", copy, "-j", 1, "--json").stdout)
    assert facts["sorted"] == 0 and facts["kept"] == facts["parts"]
    assert before == {p: p.stat().st_mtime_ns for p in (copy / "index").rglob("*") if p.is_file()}


def test_an_index_of_other_shards_is_refused_and_brought_up_to_date(copy: Path, run_corpus) -> None:
    run_corpus("select", copy, "--profile", "technical", "-q")
    run_corpus("publish", copy, "-q")
    refused = run_corpus("find", copy, "設定", check=False)
    assert refused.returncode == 2 and "corpus index" in refused.stderr
    run_corpus("index", copy, "-j", 1, "-q")
    assert Index(copy).count("設定") == len(scan(texts(copy / "corpus"), "設定"))
    assert Index(copy, documents=True).count("設定") == len(scan(texts(copy / "documents"), "設定"))


def test_many_small_parts_are_packed_anew_and_answer_the_same(copy: Path, run_corpus) -> None:
    count = Index(copy).count("ファイル")
    part = build.whole_parts(Layout(copy), "corpus")[0]
    part.path.unlink()  # as a run that was killed leaves it: its files are swept
    with pytest.raises(UsageError, match="corpus index"):
        Index(copy)
    facts = json.loads(run_corpus("index", copy, "-j", 1, "--json").stdout)
    assert facts["kept"] == 0 and facts["parts"] == facts["sorted"] == 1
    assert Index(copy).count("ファイル") == count
    files = list((copy / "index" / "corpus").iterdir())
    assert len(files) == 4 * facts["parts"]


def test_same_texts_same_bytes(copy: Path, run_corpus, tmp_path: Path) -> None:
    def tree(folder: Path) -> dict[str, str]:
        files = sorted((folder / "index").rglob("*.*"))
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    shutil.rmtree(copy / "index")
    again = Path(shutil.copytree(copy, tmp_path / "again"))
    run_corpus("index", copy, "-j", 1, "-q")
    run_corpus("index", again, "-j", 2, "-q")
    assert tree(copy) == tree(again) and tree(copy)


def test_a_damaged_index_is_refused_and_verify_names_it(copy: Path, run_corpus) -> None:
    assert json.loads(run_corpus("verify", copy, "--json").stdout)["unrecorded"] == []
    part = build.whole_parts(Layout(copy), "corpus")[0]
    positions = part.files[2]
    data = bytearray(positions.read_bytes())
    data[: len(data) // 2] = b"\xff" * (len(data) // 2)  # places beyond the text
    positions.write_bytes(data)
    index = Index(copy)
    index.count("設定"), index.spans("設定ファイルを読み込みます", 3)  # wrong, but no crash
    says = run_corpus("verify", copy, check=False)
    assert says.returncode == 1 and positions.name in says.stdout
    positions.write_bytes(data[:-1])
    assert run_corpus("find", copy, "設定", check=False).returncode == 2
    part.path.write_text("{}")
    assert run_corpus("verify", copy, check=False).returncode == 1
    run_corpus("index", copy, "-j", 1, "-q")
    assert Index(copy).count("設定") == len(scan(texts(copy / "corpus"), "設定"))
    run_corpus("verify", copy)


def test_what_is_removed_leaves_the_index(copy: Path, run_corpus) -> None:
    index = Index(copy, documents=True)
    gone = next(h for h in index.find("ディレクティブ", 50) if index.count(h.after) == 1)
    shards = {path.name: path.read_bytes() for path in (copy / "index/corpus").iterdir()}
    facts = json.loads(run_corpus("remove", copy, "--id", gone.id, "-q", "-j", 1, "--json").stdout)
    assert facts["index"]
    assert Index(copy, documents=True).count(gone.after) == Index(copy).count(gone.after) == 0
    assert all(gone.id not in part.ids() for part in Index(copy).parts)
    assert absence.verify(Layout(copy), [])["absent"]
    # An old part that somebody put back is found, and a later removal, or index, sweeps it away.
    for name, data in shards.items():
        (copy / "index/corpus" / name).write_bytes(data)
    found = absence.verify(Layout(copy), [])
    assert not found["absent"]
    assert {Path(row["file"]).suffix for row in found["remnants"]} <= {".text", ".rows"}
    run_corpus("index", copy, "-j", 1, "-q")
    assert absence.verify(Layout(copy), [])["absent"]


def test_a_build_that_obeys_a_register_forgets_its_parts(copy: Path, run_corpus) -> None:
    """Killed behind the documents files, before the shards: the index must not keep the text."""
    index = Index(copy)
    gone = next(h for h in index.find("ディレクティブ", 50) if index.count(h.after) == 1)
    run_corpus("remove", copy, "--id", gone.id, "-q", "-j", 1, "--dry-run")
    assert index.parts[0].files[0].exists()
    from corpus.folder import removals
    from corpus.folder.folder import open_folder

    removals.add(open_folder(copy), [removals.Removal.of("id", gone.id)])
    run_corpus("select", copy, "-q", "-j", 1)
    held = [part for side in build.SIDES for part in build.whole_parts(Layout(copy), side)]
    assert held and all(gone.id not in part.ids() for part in held)
