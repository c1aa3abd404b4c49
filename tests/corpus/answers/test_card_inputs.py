"""The inputs of a build are counted once: log, cards and disclosure say the same number."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

SENTENCE = "市の図書館では毎月、子どものための読み聞かせの会を開いています。予約はいりません。"


@pytest.fixture(scope="module")
def mixed(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A build of 24 files and an archive of 3 members; one file is unreadable, one member is the
    same as a file, and one of no known kind."""
    base = tmp_path_factory.mktemp("given")
    for number in range(22):
        folder = base / "in" / f"{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number // 2:02}.txt").write_text(f"{number}番の頁。{SENTENCE * 4}\n", "utf-8")
    (base / "in" / "table.csv").write_text("題,本文\n", "utf-8")
    with zipfile.ZipFile(base / "in" / "pack.zip", "w") as pack:
        pack.writestr("same.txt", (base / "in" / "0" / "00.txt").read_bytes())
        pack.writestr("00own.txt", f"書庫の頁。{SENTENCE * 4}\n")
        pack.writestr("photo.jpg", b"\xff\xd8")
    (base / "in" / "1" / "same.txt").write_bytes((base / "in" / "0" / "01.txt").read_bytes())
    run = run_corpus("build", base / "in", "--out", base / "out", "--profile", "none", "-j", 1)
    return base / "out", run.stderr


def test_log_cards_and_disclosure_name_one_number(mixed: tuple[Path, str], run_corpus) -> None:
    out, said = mixed
    assert "1 of 24 files and 2 members of packed files could not be read" in said
    card, japanese = ((out / name).read_text("utf-8") for name in ("README.md", "README.ja.md"))
    assert "- given: 24 files and 2 members of packed files\n" in card
    assert "- of these read: 23 (1 could not be read, 2 are the same as another)\n" in card
    assert "- 入力: 24 ファイル（ほかに圧縮ファイル内の 2 件）\n" in japanese
    sheet = json.loads(run_corpus("disclose", out, "--template", "datasheet", "--json").stdout)
    answer = next(line["answer"] for line in sheet if line["key"] == "data.acquired")
    assert answer[0].startswith("24 files and 2 members of packed files given, 23 read;")
    assert "24 ファイル（ほかに圧縮ファイル内の 2 件）、うち読み込み 23件" in answer[1]


def test_the_list_of_inputs_tells_files_of_one_name_apart_and_how_many_more(
    mixed: tuple[Path, str],
) -> None:
    out, _ = mixed
    card = (out / "README.md").read_text("utf-8")
    listed = [line for line in card.split("\n") if ".txt |" in line]
    assert len(listed) == 20 and "\nand 3 more\n" in card
    assert "\nほか 3 件\n" in (out / "README.ja.md").read_text("utf-8")
    assert any(line.startswith("| 0/03.txt |") for line in listed)
    assert any(line.startswith("| 1/03.txt |") for line in listed)
    assert str(out.parent) not in card
    assert any(line.startswith("| pack.zip/00own.txt | – | `") for line in listed)
    assert "\n|---|---:|---|\n" in card.partition("## Inputs and how to build it again")[2]
