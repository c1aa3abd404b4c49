"""Profiles through `corpus select`: broken ones stop before any work, hostile texts cost a row."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from filters.morphemes import analyse
from filters.profile import load
from filters.signals import measure

Run = Callable[..., subprocess.CompletedProcess[str]]
RULE = '[[rule]]\nname = "r"\nsignal = "{}"\n{}\n'
# Each of these broke or stopped some filter once: MeCab takes the square of a run of digits or
# marks, Sudachi refuses what NFKC makes too long, NUL ends a C string.
HOSTILE = {
    "digits": "1" * 300_000,
    "marks": "\"'\\" * 30_000,
    "expands": "ﷺ" * 13_000,
    "nul": "\0" * 5_000,
    "one line": "漢字とカナ。" * 50_000,
    "markers": "EOS\nBOS\n" * 20_000,
    "emoji": "👩‍👩‍👧‍👦" * 5_000,
}
GOOD = "".join(
    f"これは{i}番目の文で、川と山について、少しだけ違うことを書いてある。" for i in range(60)
)


def error_of(run_corpus: Run, *args: object) -> str:
    result = run_corpus("select", *args, check=False)
    assert result.returncode == 2, result.stderr
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def kept_by(profile: str, build: Path) -> str:
    """A text of a build that the profile keeps."""
    texts = pq.read_table(sorted((build / "documents").glob("*.parquet")), columns=["text"])["text"]
    some = texts.combine_chunks().slice(0, 60)
    keep = load(profile).decide(measure(some, load(profile).groups())).keep
    return str(some[int(keep.argmax())])


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (RULE.format("n_char", "min = 1"), "did you mean 'n_chars'"),
        (RULE.format("n_chars", "min = 3\nmax = 2"), "empty interval"),
        (RULE.format("n_chars", "min = nan"), "NaN"),
        (RULE.format("ldnoobw_ja", "max = 0"), "select.word_lists=FOLDER"),
    ],
)
def test_a_broken_profile_is_one_line_before_any_work(
    run_corpus: Run, built: Path, tmp_path: Path, rules: str, words: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(rules, encoding="utf-8")
    stamps = {p: p.stat().st_mtime_ns for p in sorted((built / "state").rglob("*"))}
    line = error_of(run_corpus, built, "--profile", path)
    assert words in line and "mine" in line
    assert {p: p.stat().st_mtime_ns for p in sorted((built / "state").rglob("*"))} == stamps


def test_hostile_texts_cost_a_ledger_row_each_and_the_good_one_stays(
    run_corpus: Run, built: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sudachipy", reason="SUDACHIPY IS ABSENT: its hostile texts did not run")
    source = tmp_path / "hostile.jsonl"
    good = kept_by("hojichar", built)
    texts = {"good": good} | {name: good[:200] + "\n" + t for name, t in HOSTILE.items()}
    rows = [json.dumps({"text": t, "url": f"https://h/{i}"}) for i, t in enumerate(texts.values())]
    source.write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "out"
    run_corpus("build", source, "--out", out, "--profile", "none", "--dedup", "none", "-q", "-j", 1)
    documents = sum(pq.read_metadata(p).num_rows for p in (out / "documents").glob("*.parquet"))
    assert documents >= 4  # those that are mostly Japanese; the others are rows of harvest
    for profile in ("hojichar", "fineweb2-ja-compat"):
        run_corpus("select", out, "--profile", profile, "-q", "-j", 1)
        found = pq.read_table(sorted((out / "ledger").glob("select-*.parquet"))).to_pylist()
        kept = pq.read_table(sorted((out / "state/select").glob("*.parquet"))).num_rows
        assert kept >= 1 and kept + len(found) == documents
        assert len({row["id"] for row in found}) == len(found)
        assert "https://h/0" not in {row["url"] for row in found}


def test_long_runs_are_cut_for_the_analyser_and_nothing_is_lost() -> None:
    text = "数は" + "12" * 5_000 + "と" + "ab " * 900 + "カ" * 2_500 + "です。"
    surfaces, _, chunks = analyse(text)
    assert "".join(surfaces) == text.replace(" ", "")
    assert set(chunks) == {0}
