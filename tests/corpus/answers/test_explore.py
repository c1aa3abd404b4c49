"""`corpus explore`: SQL over a build folder."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.explore import EXAMPLES, query, views
from corpus.errors import UsageError
from corpus.folder.layout import Layout


def test_views_count_what_stands_in_the_files(built: Path) -> None:
    found = {view["view"]: view for view in views(Layout(built))}
    assert set(found) == {"corpus", "documents", "ledger", "duplicates"}
    for name, view in found.items():
        assert view["rows"] == pq.read_table(built / name).num_rows
        assert [c["name"] for c in view["columns"]] == pq.read_table(built / name).column_names


def test_the_examples_run(built: Path) -> None:
    for example in EXAMPLES:
        names, rows = query(Layout(built), example)
        assert names and list(rows)


def test_a_query_prints_a_table_json_or_csv(run_corpus, built: Path) -> None:
    sql = "select kind, count(*) as n from duplicates group by kind order by kind"
    found = json.loads(run_corpus("explore", built, sql, "--json").stdout)
    assert [row["kind"] for row in found] == ["exact", "kept", "near"]
    reader = csv.DictReader(io.StringIO(run_corpus("explore", built, sql, "--csv").stdout))
    assert [{"kind": row["kind"], "n": int(row["n"])} for row in reader] == found
    lines = run_corpus("explore", built, sql).stdout.split("\n")
    assert lines[0].split() == ["kind", "n"] and lines[1].split() == ["exact", str(found[0]["n"])]


def test_views_columns_and_examples_are_printed(run_corpus, built: Path) -> None:
    text = run_corpus("explore", built, "--views").stdout
    assert "ledger:" in text and "quality struct" in text
    assert text.count(f'corpus explore {built} "select') == len(EXAMPLES)


@pytest.mark.parametrize("sql", ["selec 1", "select nothing from corpus", "select * from nowhere"])
def test_a_wrong_query_is_one_line(built: Path, sql: str) -> None:
    with pytest.raises(UsageError, match="cannot run") as error:
        query(Layout(built), sql)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no build folder"):
        views(Layout(tmp_path))
