"""Gazettes of patents, minutes of councils, and the orthography of works."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.settings import HarvestSettings, Settings
from corpus.sources import minutes, ndl, patents
from corpus.sources.item import Item
from corpus.sources.kinds import kind_of
from corpus.stages.document import document
from corpus.text import council, gazette, works
from corpus.text.orthography import modern, orthography
from corpus.text.views import plain_text
from tests.corpus.sources.test_institutions import STEPS, items, kinds


@pytest.fixture(scope="module")
def sources(data: Path) -> Path:
    return data / "sources"


# patents ------------------------------------------------------------------------------------------

ST36 = """# 稲穂の乾燥装置

## 要約

【課題】稲穂を均一に乾燥させる。
【解決手段】送風機10と、回転棚20とを備える。
【選択図】図1

## 特許請求の範囲

【請求項1】送風機と、
前記送風機の風を受ける回転棚と、
を備えることを特徴とする稲穂の乾燥装置。

【請求項2】前記回転棚の角速度ωが

【数1】〈数式〉

を満たす、請求項1に記載の乾燥装置。

## 発明の詳細な説明

### 技術分野

【0001】本発明は、稲穂の乾燥装置に関する。

### 背景技術

【0002】従来、稲穂は天日で乾燥させていた（例えば、特許文献1参照。）。

- 【0003】【特許文献1】特開2000－999999号公報

### 発明の開示

#### 発明が解決しようとする課題

【0004】しかしながら、天候に左右される。H_{2}Oの割合は10^{-3}である。

#### 課題を解決するための手段

【0005】本発明は、送風機を備える。

#### 発明の効果

【0006】均一に乾燥できる。

### 発明を実施するための最良の形態

【0007】図1に示すように、装置1は送風機10を備える。
送風量を表1に示す。

【表1】

| 区分 | 風量 |
| --- | --- |
| 弱 | 10 |

〔表2〕

#### 実施例1

【0008】乾燥時間は五時間①であった。

### 図面の簡単な説明

- 【0009】【図1】装置の斜視図である。
- 【図2】装置の断面図である。"""


def test_a_gazette_in_the_office_s_xml(sources: Path) -> None:
    file = sources / "patent-st36.xml"  # EUC-JP, with a character of NEC's rows
    assert kind_of(str(file)) == "patents"
    (item,) = items(patents, file)
    assert item.text == ST36
    assert (item.title, item.author, item.date) == ("稲穂の乾燥装置", "稲田 花子", "2010-04-15")
    assert item.metadata == {
        "publication_number": "2010999999", "application_number": "2008999999",
        "filed": "2008-10-01", "applicants": "株式会社稲穂製作所", "kind": "A",
        "ipc": "A01F 25/00", "fi": "A01F 25/00 A",
    }  # fmt: skip
    assert kinds(item) == {"heading", "paragraph", "item", "caption", "table"}


def test_a_gazette_in_wipo_st96_without_its_amendment(sources: Path) -> None:
    file = sources / "patent-st96.xml"
    assert kind_of(str(file)) == "patents"
    (item,) = items(patents, file)
    words = item.text or ""
    assert "【請求項1】水温を測る工程と、\n給水する工程とを含む、水温の制御方法。" in words
    assert "給水量Qは次式で求める。\n\n$$\nQ = a T\n$$\n\nただし、Tは水温である。" in words
    assert "#### 特許文献\n\n- 【0003】【特許文献1】特開2020－999999号公報" in words
    assert "補正" not in words
    assert (item.title, item.author, item.date) == ("水温の制御方法", "田中 一郎", "2026-05-20")
    assert item.metadata["applicants"] == "国立大学法人稲穂大学"
    assert item.metadata["ipc"] == "A01G 7/00"


def test_a_full_text_with_marks_is_known_by_its_words(sources: Path) -> None:
    words = (sources / "patent.txt").read_text("utf-8")
    found = works.recognised(words, STEPS, "drop")
    assert found is not None
    source, work = found
    assert (source, work.title, work.date) == ("patents", "炊飯器の蓋", "1998-01-06")
    assert work.metadata["publication_number"] == "特開平10-999999"
    assert (
        "### 産業上の利用分野\n\n【0001】本発明は、炊飯器の蓋に関する。\n\n### 従来の技術\n\n"
        "【0002】従来の蓋では蒸気が漏れた。\n\nまた、重かった。\n\n【0003】H_{2}Oが出る。\n\n【数1】〈数式〉"
    ) in work.text
    (item,) = items(patents, sources / "patent.txt")
    assert item.text == work.text
    for file in ("patent.txt", "patent-st36.xml"):  # both count the formula that is an image
        (item,) = items(patents, sources / file)
        row = document(item, Settings())
        assert isinstance(row, dict)
        assert (row["unread_formulas"], row["title"]) == (1, item.title)
    assert gazette.symbols("Ａ０１Ｇ   7/00        20060101AFI20260513BHJP Ａ４７Ｊ 27/00") == [
        "A01G 7/00", "A47J 27/00"
    ]  # fmt: skip
    assert not gazette.is_gazette("【発明の名称】【請求項】という言葉が出てくる解説です。")


# minutes of councils ------------------------------------------------------------------------------


def test_minutes_of_a_council_in_shift_jis(sources: Path) -> None:
    (item,) = items(minutes, sources / "council.txt")
    words = item.text or ""
    assert item.title == "令和５年第３回稲穂市議会定例会会議録（第２号）"
    assert item.date == "2023-09-06"
    assert item.metadata == {
        "house": "稲穂市議会",
        "speakers": "山田太郎（議長）; 佐藤花子（２番）; 高橋一郎（市長）",
    }
    # lines broken by hand are whole again, notes are captions, lists stay lines
    assert (
        "○議長（山田太郎君）　おはようございます。ただいまから、本日の会議を開きます。\n\n日程第1、"
        in words
    )
    assert "\n\n## 出席議員（3名）\n\n1番　山田太郎 2番　佐藤花子\n3番　鈴木次郎\n\n" in words
    assert kinds(item) == {"heading", "paragraph", "caption"}


def test_minutes_without_marks_are_known_by_roles_and_names(sources: Path) -> None:
    marked = (sources / "council.txt").read_bytes().decode("cp932")
    bare = re.sub("(?m)^[○◆◎](?=.*[（(].*君[）)])", "　", marked)
    assert not re.search("(?m)^[○◆◎]", bare)
    found = works.recognised(bare, STEPS, "drop")
    assert found is not None
    source, work = found
    other = council.read(marked, STEPS)
    assert (source, work.title, work.date) == ("minutes", other.title, other.date)
    assert work.metadata == other.metadata
    assert work.text == re.sub("(?m)^[○◆◎](?=.*君）)", "", other.text)
    assert "──" not in work.text
    letter = "会議録について\n\n事務局長（山田太郎君）　は、\n委員長（佐藤花子君）　に伝えた。\n"
    assert works.recognised(letter, STEPS, "drop") is None


def test_what_is_no_minutes_is_left_alone(data: Path, sources: Path) -> None:
    for words in (
        "○議長（山田君）　開会します。",
        "会議録の書き方\n○主語（だれが）を書く。\n○述語（何をした）を書く。\n○主語（だれが）を忘れない。",
        *(path.read_bytes().decode("utf-8", "replace") for path in (data / "text").iterdir()),
    ):
        assert not council.is_council(words), words[:40]
    with zipfile.ZipFile(sources / "aozora.zip") as file:
        work = file.read("3730_ruby_12444.txt").decode("cp932")
    assert not council.is_council(work)
    assert not gazette.is_gazette(work)


def test_lines_that_are_whole_stay_as_they_are() -> None:
    words = "○議長（山田太郎君）　開きます。\n次に移ります。\n以上です。"
    assert council.unwrapped(words, 0) == words
    assert council.unwrapped("一二三四五\n六七\n　八", 5) == "一二三四五六七\n　八"


def test_all_of_them_are_found_in_a_folder(run_corpus, sources: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("council.txt", "patent.txt", "patent-st36.xml"):
        (folder / name).write_bytes((sources / name).read_bytes())
    run_corpus("build", folder, "--out", out, "--profile", "none", "-q", "-j", 1)
    rows = pq.read_table(out / "corpus").to_pylist()
    assert sorted(row["source"] for row in rows) == ["minutes", "patents", "patents"]
    assert {row["date"] for row in rows} == {"2023-09-06", "1998-01-06", "2010-04-15"}


# orthography --------------------------------------------------------------------------------------

OLD = "國の學校では、圖書を讀むことを勸めてゐる。さういふ會が廣く行はれたのである。" * 20


def test_old_characters_become_new_ones_and_kana_stay() -> None:
    assert orthography(OLD) == "旧字旧仮名"
    assert modern(OLD).startswith(
        "国の学校では、図書を読むことを勧めてゐる。さういふ会が広く行はれた"
    )
    assert orthography(modern(OLD)) == "新字旧仮名"
    assert modern("籠・龍・辯護士・體") == "籠・竜・弁護士・体"


def test_what_no_character_or_kana_tells_is_not_said() -> None:
    told = {
        "ABC": "",
        "山と川": "",
        "国の学校。": "",  # no kana that tells
        "そうだったように思う。": "",  # no character that tells
        "第一條 大日本帝國ハ萬世一系ノ天皇之ヲ統治ス": "旧字旧仮名",
        "国の学校だったように思う。": "新字新仮名",
        "春はあけぼの。やうやう白くなりゆく、紫だちたる雲の細くたなびきたる。飛びちがひたる": "",
        "つれづれなるままに、日くらし、硯に向かひて、心に移りゆくよしなし事": "",
    }
    for words, expected in told.items():
        assert orthography(words) == expected, words


@given(st.text())
def test_modern_keeps_the_length_and_is_done_once(words: str) -> None:
    assert len(modern(words)) == len(words)
    assert modern(modern(words)) == modern(words)


def test_the_policy_changes_text_column_and_blocks_stay_true() -> None:
    words = f"表題\n著者\n\n{OLD}\n\n底本：「全集」\n青空文庫作成ファイル：\n"

    def row(policy: str) -> dict[str, object]:
        item = Item("a.txt", 0, 0, plain=words.encode())
        made = document(item, Settings(harvest=HarvestSettings(orthography=policy)))
        assert isinstance(made, dict)
        return made

    kept, new = row("keep"), row("modern")
    assert (kept["orthography"], new["orthography"]) == ("旧字旧仮名", "新字旧仮名")
    assert json.loads(str(new["metadata"]))["printed_orthography"] == "旧字旧仮名"
    assert "國の學校" in str(kept["text"])
    assert "国の学校" in str(new["text"])
    assert plain_text(str(new["text"]), new["blocks"]) == modern(  # type: ignore[arg-type]
        plain_text(str(kept["text"]), kept["blocks"])  # type: ignore[arg-type]
    )


def test_the_next_digital_library_s_text_with_its_book(tmp_path: Path) -> None:
    book = {
        "title": "國文讀本", "responsibility": "山田太郎 著", "ndc": "810", "published": "1905",
        "list": [{"id": "1_2", "page": 2, "contents": "つぎの頁。"},
                 {"id": "1_1", "page": 1, "contents": OLD}],
    }  # fmt: skip
    file = tmp_path / "book.json"
    file.write_text(json.dumps(book, ensure_ascii=False), "utf-8")
    assert kind_of(str(file)) == "ndl"
    (item,) = items(ndl, file)
    assert (item.title, item.author, item.metadata["ndc"]) == ("國文讀本", "山田太郎 著", "810")
    assert item.orthography == "旧字旧仮名"
    assert (item.text or "").endswith("つぎの頁。")


def test_lines_of_ndlocr_lite_in_json(tmp_path: Path) -> None:
    def line(words: str, x: int, y: int, height: int, number: int) -> dict[str, object]:
        width = 20 if height > 20 else 90
        box = [[x, y], [x, y + height], [x + width, y + height], [x + width, y]]
        return {
            "boundingBox": box, "id": number, "isVertical": str(height > 20).lower(),
            "text": words, "isTextline": "true", "confidence": 0.6 + 0.3 * (height > 20),
        }  # fmt: skip

    pages = [
        [
            line(f"第{n}章　物語", 100, 20, 15, 3), line(str(n + 10), 200, 970, 15, 4),
            line("　その日は朝から雨が降つてゐて、", 400, 150, 700, 0),
            line("学校に出るのもおつくうであつた", 360, 150, 700, 1),
        ]
        for n in (1, 2, 3)
    ]  # fmt: skip
    info = {"img_width": 500, "img_height": 1000, "img_path": "1.jpg", "img_name": "1.jpg"}
    file = tmp_path / "book.json"
    file.write_text(json.dumps({"contents": pages, "imginfo": info}), "utf-8")
    assert kind_of(str(file)) == "ndl"
    (item,) = items(ndl, file)
    whole = "その日は朝から雨が降つてゐて、学校に出るのもおつくうであつた"
    assert (item.text or "").split("\n\n") == [whole] * 3
    assert (item.metadata["pages"], item.metadata["ocr_confidence"]) == ("3", "0.900")
    assert item.orthography == "新字旧仮名"
