"""`corpus decontaminate`: planted items of JGLUE and JMMLU leave a corpus, and the books add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from build_folders import rows

SAMPLE = "tests/data/documents.jsonl.gz"


def items(shared_data: Path) -> tuple[str, str]:
    """An item of JSQuAD and a question of JMMLU."""
    folder = shared_data / "evaluation"
    file = sorted(folder.glob("JGLUE/**/jsquad*/valid*.json"))[0]
    context = json.loads(file.read_text("utf-8"))["data"][0]["paragraphs"][0]["context"]
    questions = sorted(folder.glob("JMMLU/**/*.csv"))
    question = max(
        (line.split(",")[0] for line in questions[0].read_text("utf-8-sig").splitlines()), key=len
    )
    return context.split("[SEP]")[-1].strip(), question


@pytest.fixture(scope="module")
def planted(run_corpus, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of real pages and two that hold an item, with other spacing and width."""
    folder = tmp_path_factory.mktemp("planted")
    context, question = items(shared_data)
    wide = question.translate({0x21 + i: 0xFF01 + i for i in range(94)})
    texts = {
        "https://a.example.jp/": "クイズの答え合わせです。\n" + context.replace("、", " 、\n"),
        "https://b.example.jp/": f"昨日の試験には「{wide}」という問題が出ました。難しかったです。",
        "https://c.example.jp/": "昨日の試験の難しい問題は、次のうち正しいものはどれか、でした。",
    }
    lines = [json.dumps({"url": u, "text": t}, ensure_ascii=False) for u, t in texts.items()]
    (folder / "planted.jsonl").write_text("\n".join(lines) + "\n")
    run_corpus("build", SAMPLE, folder / "planted.jsonl", "--out", folder / "corpus",
               "--profile", "none", "-q")  # fmt: skip
    return folder


def test_the_verb_drops_what_holds_an_item_and_says_which(
    run_corpus, planted: Path, shared_data: Path
) -> None:
    out = planted / "corpus"
    before = {row["url"] for row in rows(out / "corpus", "url")}
    evaluation = shared_data / "evaluation"
    result = run_corpus("decontaminate", out, "--eval", evaluation / "JGLUE",
                        "--eval", evaluation / "JMMLU", "--mark")  # fmt: skip
    assert "documents/s" in result.stderr
    assert {row["url"] for row in rows(out / "corpus", "url")} == before
    noted = [row for row in rows(out / "ledger") if row["stage"] == "decontaminate"]
    assert {row["action"] for row in noted} == {"mark"}
    run_corpus("decontaminate", out, "--remove", "-q")
    after = {row["url"] for row in rows(out / "corpus", "url")}
    dropped = {row["url"]: row for row in rows(out / "ledger") if row["stage"] == "decontaminate"}
    assert before - after == set(dropped)
    assert {"https://a.example.jp/", "https://b.example.jp/"} <= set(dropped)
    assert "https://c.example.jp/" in after
    detail = dropped["https://a.example.jp/"]["detail"]
    assert "jsquad" in detail.lower() and "クイズ" not in detail
    assert dropped["https://b.example.jp/"]["value"] >= 0.6
    funnel = json.loads((out / "funnel.json").read_text())
    assert funnel["decontaminate"]["dropped"] == {"contaminated": len(dropped)}
    assert funnel["publish"]["in"] == funnel["decontaminate"]["out"] == len(after)
    assert "decontaminate" in (out / "README.md").read_text()
    told = run_corpus("explain", out, "https://a.example.jp/").stdout
    assert "decontaminate" in told and "test item" in told


def test_a_build_with_sets_in_its_settings_gives_the_same_corpus(
    run_corpus, planted: Path, shared_data: Path, tmp_path: Path
) -> None:
    evaluation = shared_data / "evaluation"
    sets = f'["{evaluation / "JGLUE"}", "{evaluation / "JMMLU"}"]'
    (tmp_path / "c.toml").write_text(f"[decontaminate]\nsets = {sets}\n")
    run_corpus("build", SAMPLE, planted / "planted.jsonl", "--out", tmp_path / "o",
               "--config", tmp_path / "c.toml", "--profile", "none", "-q")  # fmt: skip
    urls = {row["url"] for row in rows(tmp_path / "o" / "corpus", "url")}
    assert not urls & {"https://a.example.jp/", "https://b.example.jp/"}
    assert "https://c.example.jp/" in urls


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "no evaluation sets"),
        (["--eval", "nowhere"], "no such evaluation set: nowhere"),
        (["--eval", "tests/data/sample.warc.gz"], "no .jsonl"),
    ],
)
def test_slips_are_one_line(run_corpus, built: Path, tmp_path: Path, args, words) -> None:
    import shutil

    copy = shutil.copytree(built, tmp_path / "copy")
    result = run_corpus("decontaminate", copy, *args, check=False)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
