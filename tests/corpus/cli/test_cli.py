"""What bad input gets: one line that names the thing and the mend, and the right exit status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = "tests/data/sample.warc.gz"


def fails(run_corpus, status: int, *args: object) -> str:
    result = run_corpus(*args, check=False)
    assert result.returncode == status, result.stderr
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere.warc.gz"], "no such file or folder: nowhere.warc.gz"),
        (["nowhere/*.warc.gz"], "no file matches nowhere/*.warc.gz"),
        (["Makefile"], "--source"),
        ([SAMPLE, "--profile", "swalow-v1"], "did you mean swallow-v1"),
        ([SAMPLE, "--set", "harvest.rubi=keep"], "did you mean ruby"),
        ([SAMPLE, "--set", "harvest.ruby=loud"], "drop, inline, keep"),
        ([SAMPLE, "--set", "dedup.threshold=high"], "no float"),
        ([SAMPLE, "--dedup", "fuzzy"], "near"),
        ([SAMPLE, "--config", "nowhere.toml"], "no such settings file: nowhere.toml"),
        ([SAMPLE, "--engine", "spark"], "unknown engine"),
        (["@nowhere.txt"], "cannot read the list nowhere.txt"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(run_corpus, tmp_path: Path, args, words) -> None:
    out = tmp_path / "out"
    assert words in fails(run_corpus, 2, "build", *args, "--out", out).replace("'", "")
    assert not list(out.glob("corpus/*"))


def test_an_unknown_key_in_the_toml_names_the_nearest(run_corpus, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[dedup]\ntreshold = 0.7\n")
    line = fails(
        run_corpus, 2, "build", SAMPLE, "--out", tmp_path / "o", "--config", tmp_path / "a.toml"
    )
    assert "treshold" in line and "did you mean threshold?" in line and "a.toml" in line


def test_broken_toml_is_named(run_corpus, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[dedup\n")
    line = fails(
        run_corpus, 2, "build", SAMPLE, "--out", tmp_path / "o", "--config", tmp_path / "a.toml"
    )
    assert "not readable TOML" in line


def test_a_file_that_is_no_warc_fails_the_run(run_corpus, tmp_path: Path) -> None:
    fake = tmp_path / "fake.warc.gz"
    fake.write_bytes(b"this is no archive" * 100)
    line = fails(run_corpus, 1, "build", fake, "--out", tmp_path / "out", "-j", 1)
    assert str(fake) in line and "is no WARC file" in line
    assert not list((tmp_path / "out").glob("corpus/*"))


def test_an_unreadable_parquet_fails_the_run(run_corpus, tmp_path: Path) -> None:
    fake = tmp_path / "fake.parquet"
    fake.write_bytes(b"PAR1 but not really PAR1")
    line = fails(run_corpus, 1, "build", fake, "--out", tmp_path / "out")
    assert str(fake) in line and "Parquet" in line


def test_a_table_without_the_text_column_says_which_it_has(run_corpus, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("title,body\n題,本文です。\n", encoding="utf-8")
    line = fails(run_corpus, 1, "build", table, "--out", tmp_path / "out", "-j", 1)
    assert "no column 'text'" in line and "body" in line and "input.columns.text" in line


def test_another_configuration_is_refused_and_left_alone(run_corpus, built: Path) -> None:
    before = (built / "manifest.json").read_bytes()
    line = fails(run_corpus, 2, "build", SAMPLE, "--out", built, "--profile", "none",
                 "--set", "harvest.ruby=keep")  # fmt: skip
    assert "harvest.ruby" in line and "another --out" in line
    line = fails(run_corpus, 2, "build", SAMPLE, "--out", built, "--profile", "web")
    assert "corpus select" in line
    assert (built / "manifest.json").read_bytes() == before


def test_a_folder_that_is_no_build_is_named(run_corpus, tmp_path: Path) -> None:
    for verb in ("stats", "card", "select"):
        assert "no build folder" in fails(run_corpus, 2, verb, tmp_path)


def test_explain_answers_for_kept_dropped_and_duplicate_pages(run_corpus, built: Path) -> None:
    import pyarrow.parquet as pq

    kept = pq.read_table(built / "corpus", columns=["url"])["url"][0].as_py()
    assert "is in the corpus" in run_corpus("explain", built, kept).stdout
    ledger = pq.read_table(built / "ledger").to_pylist()
    near = next(row for row in ledger if row["rule"] == "near")
    said = run_corpus("explain", built, near["id"]).stdout
    assert "DROPPED" in said and near["kept_id"] in said and "similarity" in said
    noai = next(row for row in ledger if row["rule"] == "noai")
    assert "noai" in run_corpus("explain", built, noai["url"]).stdout


def test_explain_reads_the_input_again_for_what_was_only_counted(
    run_corpus, built: Path, data: Path
) -> None:
    import gzip

    with gzip.open(data / "truth.jsonl.gz", "rt") as lines:
        korean = next(r for r in map(json.loads, lines) if r["true_lang"] == "ko")
    assert "not Japanese (gate)" in run_corpus("explain", built, korean["url"]).stdout


def test_explain_finds_a_url_however_it_is_spelled_and_suggests_the_nearest(
    run_corpus, built: Path
) -> None:
    import pyarrow.parquet as pq

    kept = pq.read_table(built / "corpus", columns=["url"])["url"].to_pylist()
    url = next(u for u in kept if u.startswith("https://") and not u.endswith("/"))
    said = run_corpus("explain", built, url).stdout
    bare = url.removeprefix("https://")
    for spelling in (bare, f"http://{bare}", bare.upper(), f"{url}/", f"{bare}#part"):
        assert run_corpus("explain", built, spelling).stdout == said, spelling
    line = fails(run_corpus, 2, "explain", built, url[:-3] + "x" + url[-3:])
    assert "is in no record" in line and f"did you mean {url}" in line
    assert "like it" in fails(run_corpus, 2, "explain", built, "http://q.invalid/")


def test_a_page_that_is_a_file_is_explained_by_its_name(run_corpus, data: Path, tmp_path) -> None:
    out = tmp_path / "out"
    run_corpus("harvest", data / "html", "--out", out, "-q", "-j", 1)
    said = run_corpus("explain", out, "0-utf-8.html").stdout
    assert "UNDECIDED" in said and str(data / "html" / "0-utf-8.html") in said
    assert run_corpus("explain", out, f"file:{data}/html/0-utf-8.html").stdout == said


def test_tables_stay_narrow_in_pipes(built: Path) -> None:
    for args in (("stats", built), ("explore", built, "select * from ledger limit 3")):
        command = [sys.executable, "-m", "corpus", *map(str, args)]
        environment = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
        said = subprocess.run(command, capture_output=True, text=True, env=environment).stdout
        assert said and max(map(len, said.splitlines())) <= 120
        assert all(line == line.rstrip() for line in said.splitlines())


def test_json_of_reporting_verbs_is_json(run_corpus, built: Path) -> None:
    for args in (["stats", built], ["card", built], ["profiles"], ["profiles", "web"], ["doctor"]):
        assert json.loads(run_corpus(*args, "--json").stdout)


def test_the_card_states_what_is_done_with_organisations_and_code(run_corpus, built: Path) -> None:
    facts = json.loads(run_corpus("card", built, "--json").stdout)
    assert facts["personal_policy"] == {"organisations": "mask", "code": "owned"}
    card = (built / "README.ja.md").read_text("utf-8")
    assert "団体の連絡先 (確実な場合): `mask`" in card and "コードブロック内: `owned`" in card


def test_version_help_and_completion(run_corpus) -> None:
    from corpus import __version__

    assert __version__ in run_corpus("--version").stdout
    said = run_corpus("--help").stdout
    for verb in ("build", "harvest", "dedup", "select", "publish", "explain", "stats", "doctor"):
        assert verb in said
    assert "--install-completion" in said


def test_compare_shows_what_other_profiles_keep(run_corpus, built: Path) -> None:
    found = json.loads(
        run_corpus("compare", built, "--profiles", "web-v1,technical", "--json").stdout
    )
    assert 0 < found["kept"]["web-v1"]["documents"] < found["kept"]["technical"]["documents"]
    said = run_corpus("compare", built, "--profiles", "web-v1,technical").stdout
    assert "kappa" in said and "dup_5gram" in said
    assert "did you mean" in fails(run_corpus, 2, "compare", built, "--profiles", "wep")


def test_sweep_counts_both_sides_of_a_threshold(run_corpus, built: Path) -> None:
    args = ("sweep", built, "--signal", "n_chars", "--from", "0", "--to", "10000")
    rows = json.loads(run_corpus(*args, "--json").stdout)
    kept = [row["at_least"] for row in rows]
    assert kept == sorted(kept, reverse=True) and kept[0] > kept[-1]
    assert "unknown signal" in fails(
        run_corpus, 2, "sweep", built, "--signal", "x", "--from", 0, "--to", 1
    )


def test_a_folder_of_an_earlier_version_is_named_with_the_mend(run_corpus, tmp_path: Path) -> None:
    (tmp_path / "corpus.toml").write_text("[harvest]\ndrop_noai = true\n")
    for verb in ("select", "card"):
        line = fails(run_corpus, 2, verb, tmp_path)
        assert "earlier version" in line and "rights.drop_noai" in line and "another folder" in line


def test_names_that_are_no_folder_are_one_line(run_corpus, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("")
    assert "is a file, no build" in fails(
        run_corpus, 2, "remove", tmp_path / "x.jsonl", "--id", "a"
    )
    assert "cannot be opened" in fails(run_corpus, 2, "stats", "x" * 300)
    for slip, words in (
        ("selct.profiles.law=x", "did you mean select"),
        ("input.source.a=x", "sources"),
    ):
        assert words in fails(
            run_corpus, 2, "build", SAMPLE, "--out", tmp_path / "o", "--set", slip
        )


def test_the_report_of_clusters_does_without_signatures(
    run_corpus, built: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    whole = json.loads(run_corpus("dedup", copy, "--report", "--json").stdout)
    shutil.rmtree(copy / "state" / "dedup" / "signatures")
    without = json.loads(run_corpus("dedup", copy, "--report", "--json").stdout)
    assert without["sizes"] == whole["sizes"] and whole["documents"] == without["documents"]


def test_start_up_needs_no_kernels(spawn_corpus, tmp_path: Path) -> None:
    """`--help` and `stats` answer at once: they import neither numba nor pyarrow."""
    code = (
        "import sys; from corpus.cli import app; from corpus.stages import books, table; "
        "sys.exit(' '.join({'numba', 'pyarrow', 'duckdb', 'rich'} & sys.modules.keys()) or 0)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    refused = spawn_corpus("build", "nowhere", "--out", tmp_path / "o", check=False)
    assert "no such file" in refused.stderr
    assert spawn_corpus("--version").returncode == 0
