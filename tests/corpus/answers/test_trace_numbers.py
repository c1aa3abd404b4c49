"""Places of documents of a file that holds several: each has a number, and leads back to itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.trace import trace
from corpus.folder.layout import Layout
from corpus.folder.schema import document_id
from corpus.sources.plan import as_planned

FILES = ("kokkai.xml", "news-g2.xml", "newsml1.xml", "feed.atom", "news.nitf")


@pytest.fixture(scope="module")
def sheets(run_corpus, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("numbered") / "out"
    inputs = (data / "sources" / name for name in FILES)
    more = ("--profile", "none", "--set", "input.as_of=2026-06-01", "-q")
    run_corpus("build", *inputs, "--out", out, "-j", 1, *more)
    return out


def rows(folder: Path, part: str) -> list[dict]:
    columns = ["id", "source_file", "source_offset"]
    more = ["source_length"] if part == "documents" else []
    return pq.read_table(folder / part, columns=columns + more).to_pylist()


def test_no_two_records_of_a_file_stand_in_one_place(sheets: Path) -> None:
    found = rows(sheets, "documents") + rows(sheets, "ledger")
    places = {(row["source_file"], row["source_offset"], row["id"]) for row in found}
    assert max(Counter(place[:2] for place in places).values()) == 1
    numbers = {name: [] for name in FILES}
    for row in rows(sheets, "documents"):
        numbers[Path(row["source_file"]).name].append(row["source_offset"])
    assert numbers["news-g2.xml"][:2] == [0, 1] and len(numbers["kokkai.xml"]) >= 2
    assert numbers["news.nitf"] == [0]


def test_ids_do_not_depend_on_how_a_place_is_told(sheets: Path) -> None:
    identities = {
        file: identity
        for unit in as_planned(Layout(sheets))
        for file, identity in zip(unit.files, unit.identities, strict=True)
    }
    for row in rows(sheets, "documents"):
        number = row["source_offset"]
        assert row["id"] == document_id(identities[row["source_file"]], 0, number)
        alone = Path(row["source_file"]).name == "news.nitf"
        assert row["source_length"] == (Path(row["source_file"]).stat().st_size if alone else 0)


def test_a_place_leads_to_its_document_alone_which_is_made_again(sheets: Path, run_corpus) -> None:
    for row in rows(sheets, "documents"):
        name = f"{Path(row['source_file']).name}:{row['source_offset']}"
        (found,) = json.loads(run_corpus("trace", sheets, name, "--verify", "--json").stdout)
        assert found["id"] == row["id"] and found["text"]["same"]
        assert found["text"]["of"] == ("unit" if name.startswith("kokkai.xml") else "file")
        assert ("record" in found) == (row["source_length"] > 0)
    (back,) = trace(Layout(sheets), name)
    assert back["id"] == row["id"]
    said = run_corpus("trace", sheets, "kokkai.xml:1", "--verify").stdout
    assert "kokkai.xml:1  by its number in the file" in said and "byte for byte" in said
