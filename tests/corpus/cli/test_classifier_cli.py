"""`corpus classifier`: from two folders to a model, to scores that decide, and wrong usage."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

PROFILE = """
title = "what reads like the manual"
[[rule]]
name = "manual_like"
signal = "score.manual"
min = 0.5
"""


@pytest.fixture(scope="module")
def folders(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two kinds of pages of the sample: those of one manual, and all others."""
    root = tmp_path_factory.mktemp("kinds")
    good, other = root / "manual", root / "other.jsonl"
    good.mkdir()
    with gzip.open(data / "documents.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    hosts = sorted({row["url"].split("/")[2] for row in rows})
    mine = max(hosts, key=lambda host: sum(host in row["url"] for row in rows))
    bad = []
    for i, row in enumerate(rows):
        if mine in row["url"]:
            (good / f"{i:02}.txt").write_text(row["text"], encoding="utf-8")
        else:
            bad.append(json.dumps({"body": row["text"]}, ensure_ascii=False) + "\n")
    other.write_text("".join(bad), encoding="utf-8")
    (good / "empty.txt").write_text("", encoding="utf-8")
    return good, other


@pytest.fixture(scope="module")
def model(run_corpus, folders: tuple[Path, Path], tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("model") / "manual.ftz"
    result = run_corpus("classifier", "train", "-p", folders[0], "-n", folders[1], "--folds", 2,
                        "--text-column", "body", "--out", out, "--json")  # fmt: skip
    facts = json.loads(result.stdout)
    assert facts["report"]["documents"] > 40 and len(facts["folds"]) == 2
    assert result.stderr == ""
    return out


def fails(run_corpus, status: int, *args: object) -> str:
    result = run_corpus(*args, check=False)
    assert result.returncode == status, result.stderr
    lines = result.stderr.strip().split("\n")
    assert len(lines) == 1 and lines[0].startswith("error: "), result.stderr
    return lines[0]


def test_evaluate_prints_figures_calibration_and_sources(run_corpus, folders, model: Path) -> None:
    args = ("classifier", "evaluate", "-m", model, "-p", folders[0], "-n", folders[1],
            "--text-column", "body")  # fmt: skip
    found = json.loads(run_corpus(*args, "--json").stdout)
    assert found["report"]["auc"] > 0.9
    assert [row["source"] for row in found["sources"]] == ["manual", "other.jsonl"]
    said = run_corpus(*args).stdout
    assert "AUC" in said and "calibration error" in said and "manual" in said
    limited = json.loads(run_corpus(*args, "--max-documents", 5, "--json").stdout)
    assert limited["report"]["documents"] == 10


def test_files_and_stdin_are_scored(run_corpus, folders, model: Path, tmp_path: Path) -> None:
    args = ("classifier", "score", folders[1], "-m", model, "--text-column", "body")
    rows = [json.loads(line) for line in run_corpus(*args).stdout.splitlines()]
    assert len(rows) == len(folders[1].read_text("utf-8").splitlines())
    run_corpus(*args, "--out", tmp_path / "s.parquet")
    table = pq.read_table(tmp_path / "s.parquet")
    assert table["score"].to_pylist() == pytest.approx([row["score"] for row in rows], abs=1e-6)
    assert table["source_offset"].to_pylist() == [row["source_offset"] for row in rows]
    texts = folders[1].read_bytes() + b"\n" + "ただの文。\n".encode() + b"\xff\n"
    for more, read in (([], float), (["--json"], lambda line: json.loads(line)["score"])):
        said = subprocess.run(
            [sys.executable, "-m", "corpus", "classifier", "score", "-", "-m", str(model),
             "--text-column", "body", *more], input=texts, capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
        found = [read(line) for line in said.splitlines()]
        assert found[: len(rows)] == pytest.approx([row["score"] for row in rows], abs=2e-6)
        assert found[len(rows)] == 0 and len(found) == len(rows) + 3


def test_scores_of_a_build_decide_sweep_and_explain(
    run_corpus, built: Path, model: Path, tmp_path: Path
) -> None:
    root, profile = tmp_path / "build", tmp_path / "manual.toml"
    shutil.copytree(built, root)
    profile.write_text(PROFILE, encoding="utf-8")
    line = fails(run_corpus, 2, "select", root, "--profile", profile)
    assert "has no scores 'manual'" in line and "corpus classifier score" in line
    about = json.loads(run_corpus("classifier", "score", root, "-m", model, "--json").stdout)
    documents = sum(pq.read_metadata(p).num_rows for p in (root / "documents").glob("*.parquet"))
    assert about["signal"] == "score.manual" and about["documents"] == documents

    profile.write_text(PROFILE.replace("0.5", str(about["mean"])), encoding="utf-8")
    run_corpus("select", root, "--profile", profile, "-q")
    ledger = pq.read_table(root / "ledger").to_pylist()
    dropped = [row for row in ledger if row["rule"] == "manual_like"]
    scores = {r["id"]: r["score"] for r in pq.read_table(root / "scores/manual").to_pylist()}
    assert dropped and all(row["value"] == pytest.approx(scores[row["id"]]) for row in dropped)
    assert all(row["value"] < about["mean"] for row in dropped)
    said = run_corpus("explain", root, dropped[0]["id"]).stdout
    assert "Classifier manual gives it" in said and "manual_like" in said

    args = ("sweep", root, "--signal", "score.manual", "--from", 0, "--to", 1, "--json")
    rows = json.loads(run_corpus(*args).stdout)
    assert rows[0]["at_least"] == documents
    every = pq.read_table(root / "scores/manual")["score"].to_pylist()
    half = next(row for row in rows if row["threshold"] == pytest.approx(0.5))
    assert half["at_least"] == sum(s >= 0.5 for s in every)
    lazy = ("sweep", root, "--signal", "educational", "--from", 0, "--to", 1, "--json")
    assert json.loads(run_corpus(*lazy).stdout)[0]["at_least"] == documents
    assert "score.other" in fails(
        run_corpus, 2, "sweep", root, "--signal", "score.other", "--from", 0, "--to", 1
    ).replace("no scores 'other'", "score.other")

    # Other scores under the same name: what was decided by the old ones is decided anew.
    before = (root / "state/select/settings.json").exists()
    run_corpus("classifier", "score", root, "-m", "wiki-like", "--name", "manual")
    assert before and not (root / "state/select/settings.json").exists()
    run_corpus("select", root, "--profile", profile, "-q")
    now = [r for r in pq.read_table(root / "ledger").to_pylist() if r["rule"] == "manual_like"]
    assert {r["id"] for r in now} != {r["id"] for r in dropped}


def test_a_profile_may_name_the_shipped_scores(run_corpus, built: Path, tmp_path: Path) -> None:
    root, profile = tmp_path / "build", tmp_path / "mine.toml"
    shutil.copytree(built, root)
    profile.write_text(
        PROFILE.replace("score.manual", "educational").replace("manual_like", "explains")
        + '[[rule]]\nname = "fluent"\nsignal = "perplexity"\nmax = 200\n',
        encoding="utf-8",
    )
    run_corpus("select", root, "--profile", profile, "-q")
    rules = {row["rule"] for row in pq.read_table(root / "ledger").to_pylist()}
    assert rules & {"explains", "fluent"}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["score", "-", "-m", "absent.ftz"], "absent.ftz.json: No such file"),
        (["score", "absent.txt", "-m", "wiki-like"], "no such file or folder: absent.txt"),
        (["evaluate", "-m", "wiki-like", "-p", "EMPTY", "-n", "EMPTY"], "no readable files in"),
        (["train", "-p", "EMPTY", "-n", "EMPTY", "-o", "m.ftz"], "no readable files in"),
        (["train", "-p", "ONE", "-n", "ONE", "-o", "m.ftz"], "too few for 5 folds"),
        (["train", "-p", "ONE", "-n", "ONE", "-o", "m.ftz", "--tokens", "x"], "unknown tokens"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    run_corpus, tmp_path: Path, args: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.txt").write_text("一つだけ。", encoding="utf-8")
    places = {"EMPTY": tmp_path / "empty", "ONE": tmp_path / "one.txt", "m.ftz": tmp_path / "m.ftz"}
    given = [places.get(arg, arg) for arg in args]
    assert words in fails(run_corpus, 2, "classifier", *given)


def test_a_model_of_another_format_is_named_before_any_work(run_corpus, tmp_path: Path) -> None:
    model = tmp_path / "m.ftz"
    model.write_bytes(b"not a model")
    Path(f"{model}.json").write_text('{"format": "pickle"}', encoding="utf-8")
    assert "not of the format" in fails(
        run_corpus, 2, "classifier", "score", "absent.jsonl", "-m", model
    )


def test_help_names_the_verbs(run_corpus) -> None:
    said = run_corpus("classifier", "--help").stdout
    for verb in ("train", "score", "evaluate"):
        assert verb in said
