"""`corpus trace --text` and `--verify`: what of a text the corpus has, and texts made again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers import trace_text
from corpus.answers.trace import trace
from corpus.errors import UsageError
from corpus.folder.layout import Layout

OWN = "この一文はどこにもない、わたくしが今ここで書いたばかりの文章でございますよ。"


@pytest.fixture(scope="module")
def indexed(built: Path, run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = Path(shutil.copytree(built, tmp_path_factory.mktemp("traced") / "corpus"))
    run_corpus("index", out, "-j", 1, "-q")
    return out


def page(folder: Path, url: str) -> dict:
    rows = pq.read_table(folder / "corpus", columns=["id", "url", "text"]).to_pylist()
    return next(row for row in rows if row["url"].endswith(url))


def test_what_a_reader_pastes_leads_to_its_page(indexed: Path) -> None:
    """Without the signs of Markdown, with other widths, blanks and line ends, and own words."""
    row = page(indexed, "shared/guide/labels_database.html")
    lines = [line.lstrip("#-> ") for line in row["text"].split("\n") if line]
    pasted = "\r\n\u3000".join(lines).replace("Enter", "Ｅｎｔｅｒ")
    text = OWN + "\n" + pasted + "\n" + OWN
    facts = trace_text.trace_text(Layout(indexed), text)
    first = facts["spans"][0]
    assert first["documents"][0]["id"] == row["id"] and first["count"] >= 1
    assert first["written"] in row["text"] and "Ｅｎｔｅｒ" in first["text"]
    assert text[first["start"] : first["end"]] == first["text"]
    begin = len(OWN) + 1
    assert begin <= first["start"] and first["end"] <= begin + len(pasted)
    assert all(span["end"] <= begin + len(pasted) for span in facts["spans"])
    assert 0.9 * len(pasted) < facts["covered"] <= len(pasted)
    assert [near["id"] for near in facts["near"]][:1] == [row["id"]]
    lengths = [span["end"] - span["start"] for span in facts["spans"]]
    assert lengths == sorted(lengths, reverse=True) and min(lengths) >= 20


def test_a_text_that_is_nowhere_has_no_span(indexed: Path, run_corpus, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text(OWN, "utf-8")
    said = run_corpus("trace", indexed, "--text", tmp_path / "own.txt").stdout
    assert said.startswith("0 of ") and "are not found in this way" in said


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"\xff\xfe\x00", "cannot read the text"), (b" \n", "the text is empty")],
)
def test_what_is_no_text_is_refused(
    indexed: Path, run_corpus, tmp_path: Path, data: bytes, says: str
) -> None:
    (tmp_path / "given").write_bytes(data)
    done = run_corpus("trace", indexed, "--text", tmp_path / "given", check=False)
    assert done.returncode == 2 and says in done.stderr


def test_a_hostile_text_ends(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_text, "MOST", 10_000)
    for text in ("の" * 5000, "\n" * 5000 + "の", "\x1b[31m\x00設定" * 500, "゙" * 3000):
        facts = trace_text.trace_text(Layout(indexed), text)
        assert "\x1b" not in trace_text.as_text(facts)
    with pytest.raises(UsageError, match="10,001 characters"):
        trace_text.trace_text(Layout(indexed), "の" * 10_001)


def test_one_thing_is_traced_at_a_time(indexed: Path, run_corpus) -> None:
    for options in (
        [],
        ["x", "--text", "y"],
        ["--step", 3],
        ["--model", "m"],
        ["--text", "nofile"],
    ):
        done = run_corpus("trace", indexed, *options, check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, options


def test_a_run_that_is_none_is_named(indexed: Path, run_corpus, tmp_path: Path) -> None:
    name = page(indexed, "bind.html")["id"]
    done = run_corpus("trace", indexed, name, "--run", tmp_path, check=False)
    assert done.returncode == 2 and "is not a training run" in done.stderr


def test_the_record_gives_the_same_text_again(built: Path, run_corpus) -> None:
    ids = [row["id"] for row in pq.read_table(built / "corpus", columns=["id"]).to_pylist()]
    for name in (ids[0], ids[len(ids) // 2]):
        (found,) = json.loads(run_corpus("trace", built, name, "--verify", "--json").stdout)
        assert found["text"]["same"] and found["text"]["published"], found["text"]
        assert found["text"]["of"] in ("record", "unit")


def test_another_input_gives_another_text(run_corpus, tmp_path: Path) -> None:
    lines = tmp_path / "texts.jsonl"
    text = "設定ファイルの三行目では、サーバーが待ち受ける番号を指定します。" * 5
    rows = [{"url": f"https://w.example/{n}", "text": f"{n}番。{text}"} for n in range(3)]
    lines.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    out = tmp_path / "corpus"
    run_corpus("build", lines, "--out", out, "--profile", "none", "-q", "-j", 1)
    (found,) = trace(Layout(out), "https://w.example/1", verify=True)
    assert found["text"]["same"] and found["text"]["of"] == "unit"
    lines.write_text(lines.read_text("utf-8").replace("1番", "9番"), "utf-8")
    said = run_corpus("trace", out, "https://w.example/1", "--verify").stdout
    assert "NOT what harvest makes of the input now" in said
