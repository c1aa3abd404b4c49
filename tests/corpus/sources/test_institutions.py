"""Statutes, minutes, Aozora Bunko, captions, OCR, books, Wikipedia: each by its own words."""

from __future__ import annotations

import bz2
import gzip
import html
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.settings import HarvestSettings, Settings
from corpus.sources import articles, books, captions, law, minutes, ndl, whole_files, wikipedia
from corpus.sources.item import Item, Unit
from corpus.sources.kinds import kind_of
from corpus.sources.xml import parse, text
from corpus.stages.document import document
from corpus.text import aozora
from corpus.text.blocks import KINDS
from corpus.text.builder import Builder
from corpus.text.normalize import normalize
from corpus.text.views import plain_text
from corpus.text.wikitext import article as wikitext

STEPS = Settings().normalize.steps


@pytest.fixture(scope="module")
def sources(data: Path) -> Path:
    return data / "sources"


def items(source, *files: Path, settings: Settings = Settings()) -> Iterator[Item]:  # type: ignore[no-untyped-def]  # noqa: B008
    return source.SOURCE.read(Unit(0, source.SOURCE.kind, tuple(map(str, files))), settings)


def kinds(item: Item) -> set[str]:
    assert item.blocks is not None
    return {KINDS[k] for k in item.blocks.spans[:, 2]}


def squeezed(words: str) -> str:
    return re.sub(r"\s", "", normalize(words))


# statutes -----------------------------------------------------------------------------------------


def test_a_statute_keeps_every_character_in_reading_order(sources: Path) -> None:
    file = sources / "gyosei-tetsuzuki-ho.xml.gz"
    (item,) = items(law, file)
    assert (item.title, item.date, item.licence) == ("行政手続法", "1993-11-12", "Art-13")
    assert item.metadata["law_number"] == "平成五年法律第八十八号"
    plain = plain_text(item.text or "", item.blocks)
    # of which act a supplementary provision is, and that it is an extract, are attributes
    own = re.sub(r"附則(?:（[^（）]*号）)?抄?", "附則", squeezed(plain))
    assert own == squeezed(text(parse(gzip.decompress(file.read_bytes()))))
    assert kinds(item) == {"heading", "paragraph", "item"}
    assert len(re.findall("(?m)^## 附　則（.*号）　抄$", item.text or "")) == 13
    assert "\n\n## 目次\n" in (item.text or "")  # beside the chapters: it is no parent of them
    assert "\n\n## 第一章　総則\n\n#### （目的等）\n\n第一条　この法律は、" in (item.text or "")
    assert re.search(r"\n- 二　処分　行政庁の処分", item.text or "")


def test_the_name_of_a_file_tells_law_and_version(sources: Path, tmp_path: Path) -> None:
    data = (sources / "gyosei-tetsuzuki-ho.xml.gz").read_bytes()
    one = tmp_path / "405AC0000000088_20240401_504AC0100000052.xml.gz"
    two = tmp_path / "20240401_4405AC00000000881.xml.gz"
    one.write_bytes(data)
    two.write_bytes(data)
    found, nothing = items(law, one, two)
    assert found.url == "https://laws.e-gov.go.jp/law/405AC0000000088"
    assert found.metadata["revision"] == "405AC0000000088_20240401_504AC0100000052"
    assert found.metadata["in_force"] == "2024-04-01"
    assert not {"law_id", "revision", "in_force"} & set(nothing.metadata) and not nothing.url


def node(tag: str, *children: object, **attributes: str) -> dict[str, object]:
    return {"tag": tag, "attr": attributes, "children": list(children)}


def test_tables_formulas_and_figures_of_the_law_api(tmp_path: Path) -> None:
    def cell(*words: object, **attributes: str) -> dict[str, object]:
        return node("TableColumn", node("Sentence", *words), **attributes)

    table = node(
        "TableStruct",
        node(
            "Table",
            node("TableRow", cell("区分"), cell("額")),
            node("TableRow", cell("甲", rowspan="2"), cell("一円")),
            node("TableRow", cell("二円")),
        ),
    )
    sentence = node("Sentence", "面積は十", node("Sup", "2"), "とし、次の図による。")
    paragraph = node(
        "Paragraph",
        node("ParagraphNum"),
        node("ParagraphSentence", sentence),
        node("Fig", src="a.jpg"),
    )
    article = node("Article", node("ArticleTitle", "第一条"), paragraph)
    body = node("LawBody", node("LawTitle", "試験法"), node("MainProvision", article, table))
    answer = {
        "law_info": {"law_id": "X1", "promulgation_date": "2001-02-03"},
        "law_full_text": node("Law", body),
    }
    file = tmp_path / "law.json"
    file.write_text(json.dumps(answer), "utf-8")
    assert kind_of(str(file)) == "law"
    (item,) = items(law, file)
    assert item.url == "https://laws.e-gov.go.jp/law/X1"
    assert item.text == (
        "# 試験法\n\n第一条　面積は十^{2}とし、次の図による。\n\n〔図〕\n\n"
        "| 区分 | 額 |\n| --- | --- |\n| 甲 | 一円 |\n|  | 二円 |"
    )


# minutes ------------------------------------------------------------------------------------------


def test_a_sitting_of_the_diet_is_a_document(sources: Path) -> None:
    first, second = items(minutes, sources / "kokkai.xml")
    assert first.title == "第212回国会 参議院 本会議 第9号"
    assert first.metadata["house"] == "参議院"
    assert first.metadata["speakers"].startswith("尾辻秀久（各派に属しない議員・議長）")
    # an agenda broken over lines is joined, notes of the stage are captions
    assert "環太平洋パートナーシップに関する包括的及び先進的な協定へのグレートブリテン" in (
        first.text or ""
    )
    assert {"heading", "paragraph", "caption", "rule"} == kinds(first)
    assert "\n\n○議長（尾辻秀久君）　これより会議を開きます。" in (first.text or "")
    assert second.date == "1947-11-14"
    assert "\n\n労働委員長において、左の通り小委員を選定した。\n\n" in (second.text or "")


def test_names_of_one_family_name_and_of_two_characters_are_parted_alike(
    shared_data: Path,
) -> None:
    file = shared_data / "formats" / "minutes" / "kokkai-1-end.xml"
    words = "\n".join(item.text or "" for item in items(minutes, file))
    assert "堀　末治君\n" in words and "小林　運美君 寺本　齋君" in words
    assert "堀 末治君" not in words and "江崎　真澄君 小澤佐重喜君" in words


def test_answers_of_speeches_nulls_and_volumes_of_contents(tmp_path: Path) -> None:
    words = "○山田太郎君　賛成です。\r\n　理由を述べます。"
    speech = {
        "speechID": "a_1", "issueID": "a", "speechOrder": 1, "speaker": "山田太郎", "session": 1,
        "speakerGroup": None, "speech": words, "nameOfHouse": "衆議院",
    }  # fmt: skip
    answer = {
        "speechRecord": [speech, speech | {"speechID": "a_2", "speech": "○山田太郎君　以上です。"}]
    }
    contents = {
        "meetingRecord": [
            {"issueID": "b", "imageKind": "目次", "speechRecord": [{"speech": "索引"}]}
        ]
    }
    one, two = tmp_path / "speech.json", tmp_path / "meeting.json"
    one.write_text(json.dumps(answer), "utf-8")
    two.write_text(json.dumps(contents), "utf-8")
    assert [kind_of(str(p)) for p in (one, two)] == ["minutes", "minutes"]
    whole, skipped = items(minutes, one, two)
    assert (whole.text or "").endswith("賛成です。\n\n理由を述べます。\n\n○山田太郎君　以上です。")
    assert whole.metadata["speakers"] == "山田太郎"
    assert skipped.skip == "no meeting"


# Aozora Bunko -------------------------------------------------------------------------------------

# The reference rendering of these inserts words that the work lacks, or shows marks of the print.
INSERTED = "_no_referent"
SHOWN = {
    "accent_decomposition_applied": "前æon後",  # brackets stand for the accents
    "fraction_forward": "１／４",
    "pua_collision": "abc\ue001def",  # normalisation takes it out
    "unresolved_gaiji": "〓",
}


def test_the_public_vectors_of_the_notation_read_as_their_rendering(data: Path) -> None:
    rows = [json.loads(line) for line in (data / "aozora-vectors.jsonl").open(encoding="utf-8")]
    assert len(rows) == 127
    for row in rows:
        builder = Builder(())
        aozora.write(builder, aozora.inline(row["source"], "drop"))
        own = plain_text(*builder.done())
        shown = re.sub(
            r"<(\w+)[^>]*\bhidden>.*?</\1>|<rt[^>]*>.*?</rt>|<rp>.*?</rp>", "", row["html"]
        )
        shown = re.sub(r'<sup class="aozora-(?:kaeriten|ruby-note)">.*?</sup>', "", shown)
        expected = SHOWN.get(row["name"], html.unescape(re.sub("<[^>]*>", "", shown)))
        if not row["name"].endswith(INSERTED):
            assert _bare(own) == _bare(expected), row["name"]


def _bare(words: str) -> str:
    return re.sub(r"[\s　^_{}（）⁄]", "", words)


def test_a_work_with_header_ruby_and_colophon(sources: Path) -> None:
    with zipfile.ZipFile(sources / "aozora.zip") as file:
        words = file.read("3730_ruby_12444.txt").decode("cp932")
    assert aozora.is_work(words)
    work = aozora.read(words, STEPS)
    assert (work.title, work.author, work.licence) == ("弟子の心", "宮本百合子", "PDM")
    assert (work.metadata["first"], work.metadata["first_year"]) == ("「新家庭」", "1923")
    assert work.metadata["base_year"] == "1981"
    assert work.orthography == "新字新仮名"
    assert not re.search("［＃|《|｜|底本|テキスト中に現れる", work.text)
    ruby = aozora.read(words, STEPS, "inline").text
    assert len(re.findall(r"（[ぁ-ん]+）", ruby)) > len(re.findall(r"（[ぁ-ん]+）", work.text))


def test_only_the_pairs_of_the_table_are_accents() -> None:
    for written, read in {
        "〔Crevez chiens, si vous n'e^tes pas contents〕": (  # the legend of work 56656
            "Crevez chiens, si vous n'êtes pas contents"
        ),
        "〔l'ami n'est, s'il c'est d'or, qu'il e'te'〕": "l'ami n'est, s'il c'est d'or, qu'il été",
        "〔Parlez moi franc,ais〕": "Parlez moi français",
        "〔Ma:dchen, scho:n; A&ngstro:m; man~ana; coe&ur; Gru:s&e〕": (
            "Mädchen, schön; Ångström; mañana; cœur; Grüße"
        ),
        "〔and/or n't s, d'un〕": "〔and/or n't s, d'un〕",
    }.items():
        assert aozora.inline(written, "drop") == read


def test_headings_characters_and_old_orthography() -> None:
    words = (
        "題\n著者\n\n［＃２字下げ］第一篇［＃「第一篇」は大見出し］\n\n"
        "　国の蝶※［＃「木＋吶のつくり」、第3水準1-85-54］が"
        "※［＃「火＋華」、U+7187、1-2］いてゐるでせう。※［＃「判らぬ字」、ページ数-行数］\n\n底本：「全集」\n"
        "青空文庫作成ファイル：\n"
    )
    work = aozora.read(words, STEPS)
    assert work.text == "# 題\n\n## 第一篇\n\n国の蝶枘が\u7187いてゐるでせう。〓"
    assert work.orthography == "新字旧仮名"
    assert work.metadata["unread_characters"] == "1"


def test_headings_set_as_runs() -> None:
    for size, mark in {"大": "## ", "中": "### ", "小": "#### "}.items():
        body = f"［＃{size}見出し］第一篇［＃{size}見出し終わり］\n　朝。"
        builder = Builder(())
        aozora.write(builder, aozora.inline(body, "drop"))
        assert builder.done()[0] == f"{mark}第一篇\n\n朝。"


XHTML = """<html><head><title>米川訳 罪と罰</title></head><body><div class="metadata">
<h1 class="title">罪と罰</h1>
<h2 class="author">ドストエフスキー</h2>
<h2 class="translator">米川正夫訳</h2></div>
<div id="contents" style="display:none"></div><div class="main_text"><br />
<div class="jisage_2" style="margin-left: 2em"><h3 class="o-midashi"><a class="midashi_anchor" \
id="midashi100">第一篇</a></h3></div>
<br />
　<ruby><rb>臆病</rb><rp>（</rp><rt>おくびょう</rt><rp>）</rp></ruby>な鞘へ\
<img src="../gaiji/1-85/1-85-54.png" \
alt="※(「木＋吶のつくり」、第3水準1-85-54)" class="gaiji" />を学んだようだった。<br />
<span class="notes">［＃改ページ］</span><br />
n'<img src="../../../gaiji/1-09/1-09-64.png" alt="※(サーカムフレックスアクセント付きE小文字)" \
class="gaiji" />tes &amp;\
（<span class="warichu">割り注</span>）、自<sub class="kaeriten">二</sub>国<br />
</div>
<div class="bibliographical_information"><hr /><br />
底本：「罪と罰　上」角川文庫、角川書店<br />
入力：高柳典子<br />
2021年10月27日作成<br />
青空文庫作成ファイル：<br />
</div><div class="notation_notes"><hr />●表記について</div></body></html>
"""


def test_the_xhtml_form_reads_as_the_text_form() -> None:
    def row(words: str, ruby: str = "drop") -> dict[str, object]:
        own = Settings(harvest=HarvestSettings(gate=False, min_language_score=0, ruby=ruby))
        made = document(Item("56656.html", 0, 0, html=words.encode("cp932")), own)
        assert isinstance(made, dict), made
        return made

    read = row(XHTML)
    assert read["text"] == (
        "# 罪と罰\n\n## 第一篇\n\n臆病な鞘へ枘を学んだようだった。\n\nn'êtes &（割り注）、自国"
    )
    assert (read["title"], read["author"], read["licence"]) == ("罪と罰", "ドストエフスキー", "PDM")
    assert (read["source"], read["orthography"]) == ("aozora", "新字新仮名")
    facts = json.loads(str(read["metadata"]))
    assert facts["contributors"] == "米川正夫訳"
    assert facts["made"] == "2021-10-27"
    assert "臆病（おくびょう）な" in str(row(XHTML, ruby="inline")["text"])
    # without its colophon it is a page like any other
    assert row(XHTML.replace("底本：", ""))["source"] == "files"


def test_a_page_without_an_edition_is_a_work_with_its_characters(shared_data: Path) -> None:
    file = shared_data / "formats" / "aozora" / "chukiichiran_kinyurei.html"
    (item,) = whole_files.HTML.read(Unit(0, "html", (str(file),)), Settings())
    row = document(item, Settings())
    assert isinstance(row, dict)
    text = row["text"]
    assert "いささか、étranger の感があった。" in text
    assert "水鉢を置いた欞子窓の下には" in text
    assert "［＃" not in text and "入力：" not in text
    assert (row["source"], row["title"]) == ("aozora", "「注記一覧」記載例文")
    assert aozora.inline("※［＃アキュートアクセント付きE小文字］", "drop") == "é"


# captions -----------------------------------------------------------------------------------------


def test_captions_become_turns_and_sentences(sources: Path) -> None:
    vtt, ttml = items(captions, sources / "programme.vtt", sources / "arib.ttml")
    assert vtt.licence == ttml.licence == "contract"
    assert (vtt.text or "").split("\n\n") == [
        "アナウンサー: 今日は京都の山あいにある小さな酒蔵を訪ねました。",
        "杜氏: 仕込みは十月から始めます。水は裏の山からくんできます。",
        "アナウンサー: 昔の蔵はどんなでしたか？",
        "蔵の一日は朝の五時に始まる。",
    ]
    # a reading named by its id is no word, a live continuation is one cue
    assert ttml.text == "仁和寺の法師が、石清水へ参りました。極楽寺や高良などを拝んで帰りました。"
    assert ttml.title == "古寺をたずねて"
    inline = Settings(harvest=HarvestSettings(ruby="inline"))
    (read,) = items(captions, sources / "arib.ttml", settings=inline)
    assert (read.text or "").startswith("仁和寺（にんなじ）の法師が")


def test_srt_in_shift_jis(tmp_path: Path) -> None:
    file = tmp_path / "a.srt"
    file.write_bytes(
        "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>今日は</i>雨です。\r\n".encode("cp932")
    )
    (item,) = items(captions, file)
    assert item.text == "今日は雨です。"


def test_dashes_are_turns_and_a_role_alone_on_its_line_speaks(tmp_path: Path) -> None:
    shown = [
        "（ナレーション）\n町に朝が来ました。",
        "（拍手）\n（女性）おはよう。",
        "- 元気かい？\n- 元気ですよ。\nとても。",
        "そうですか。",
        "-5度まで下がります。",
    ]
    file = tmp_path / "turns.srt"
    times = (f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n" for n in range(1, 6))
    file.write_text("\n".join(a + b + "\n" for a, b in zip(times, shown, strict=True)), "utf-8")
    (item,) = items(captions, file)
    assert (item.text or "").split("\n\n") == [
        "ナレーション: 町に朝が来ました。",
        "女性: おはよう。",
        "元気かい？",
        "元気ですよ。とても。",
        "そうですか。-5度まで下がります。",
    ]


def test_cues_without_full_stops_stay_lines(tmp_path: Path) -> None:
    shown = [
        "待ってくれ",
        "もう行くよ\n早くしろ",
        "そんなことを➡",
        "言われても",
        "彼は",
        "来ない",
        "嘘だ！",
    ]
    file = tmp_path / "film.srt"
    file.write_text(
        "\n".join(
            f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{words}\n"
            for n, words in enumerate(shown, 1)
        ),
        "utf-8",
    )
    (item,) = items(captions, file)
    assert (item.text or "").split("\n") == [
        "待ってくれ", "もう行くよ 早くしろ", "そんなことを言われても", "彼は来ない", "嘘だ！",
    ]  # fmt: skip


# OCR of the National Diet Library -----------------------------------------------------------------


def test_lines_of_ocr_become_paragraphs_and_the_page_goes(sources: Path) -> None:
    page, verse = items(ndl, sources / "ndl-geppo.xml", sources / "ndl-tategaki.xml")
    assert (page.text or "").startswith(
        "はじめまして!私は2017年4月に就職後、次世代システム開発研究室"
    )
    assert "\n\n次世代室は、図書館の役割がインターネット等の情報技術で変化する中、" in (
        page.text or ""
    )
    assert float(page.metadata["ocr_confidence"]) > 0.9
    assert (verse.text or "").startswith("春はあけぼの")


def test_a_short_line_that_ends_in_a_comma_goes_on(tmp_path: Path) -> None:
    lines = [(47, 435, "つれづれなるままに、"), (40, 555, "日くらし、硯におかひて、心にうつりゆく"),
             (40, 555, "よしなし事を、そこはかとなく書きつくれば")]  # fmt: skip
    inside = "".join(
        f'<LINE TYPE="本文" X="{x}" Y="{100 + 60 * k}" WIDTH="{end - x}" HEIGHT="40" '
        f'STRING="{words}"/>'
        for k, (x, end, words) in enumerate(lines)
    )
    file = tmp_path / "page.xml"
    file.write_text(
        f'<OCRDATASET><PAGE WIDTH="600" HEIGHT="800"><TEXTBLOCK>{inside}</TEXTBLOCK></PAGE>'
        "</OCRDATASET>",
        "utf-8",
    )
    (item,) = items(ndl, file)
    assert item.text == "".join(words for _, _, words in lines)


def test_doubled_lines_go_page_numbers_in_their_block_too_and_tables_read_by_rows(
    tmp_path: Path,
) -> None:
    def box(kind: str, x: int, y: int, width: int, height: int, words: str, sure: float) -> str:
        place = f'X="{x}" Y="{y}" WIDTH="{width}" HEIGHT="{height}" CONF="{sure}"'
        said = f' STRING="{words}"' if words else ""
        return f'<{"LINE" if words else "BLOCK"} TYPE="{kind}" {place}{said}/>'

    rows = [("内科", "885", "1,124"), ("外科", "108", "103"), ("計", "993", "1,227")]
    cells = "".join(  # by columns, each in an order of its own, as NDLOCR gives them
        box("本文", 100 + 90 * column, 400 + 24 * row + 4 * column, 60, 23, rows[row][column], 0.8)
        for column in range(3)
        for row in ((1, 2, 0), (0, 2, 1), (2, 0, 1))[column]
    )
    inside = (
        box("本文", 40, 100, 500, 20, "（以下、議論が続く……）", 0.899)
        + box("本文", 40, 100, 500, 20, "（以下、議論が続く……）", 0.276)
        + box("本文", 60, 103, 60, 14, "議{", 0.3)  # a piece of it
        + f'<BLOCK TYPE="表組" X="90" Y="390" WIDTH="400" HEIGHT="120">{cells}</BLOCK>'
        + box("本文", 300, 820, 50, 14, "(30)", 0.9)
        + box("ノンブル", 300, 820, 53, 14, "", 0.7)
    )
    file = tmp_path / "page.xml"
    page = f'<PAGE WIDTH="600" HEIGHT="1000"><TEXTBLOCK>{inside}</TEXTBLOCK></PAGE>'
    file.write_text(f"<OCRDATASET>{page}</OCRDATASET>", "utf-8")
    (item,) = items(ndl, file)
    table = "\n".join(map(" ".join, rows))
    assert item.text == f"（以下、議論が続く……）\n\n{table}"


def test_cells_of_one_sign_stand_in_their_rows(shared_data: Path) -> None:
    (item,) = items(ndl, shared_data / "formats" / "ndl" / "digidepo_3048008_0025.xml")
    rows = (item.text or "").split("\n")
    assert "(分娩費 ② 17.900.00 22 133,975.00 24 151,875.00" in rows
    assert "〃埋葬料 1 12,600.00 10 79,700.00 ヒ 92,300.00" in rows
    assert "諸手当" in rows  # this one is set vertically
    assert not [row for row in rows if len(row) == 1]


def test_running_heads_and_page_numbers_over_pages(tmp_path: Path) -> None:
    def line(words: str, x: int, y: int, height: int, order: int) -> str:
        place = f'X="{x}" Y="{y}" WIDTH="{20 if height > 20 else 90}" HEIGHT="{height}"'
        return f'<LINE TYPE="本文" {place} CONF="0.9" ORDER="{order}" STRING="{words}"/>'

    pages = "".join(
        f'<PAGE WIDTH="500" HEIGHT="1000" IMAGENAME="{n}">'
        f"{line(f'第{n}章　物語', 100, 20, 15, 9)}{line(str(n + 10), 200, 970, 15, 10)}"
        f"<TEXTBLOCK>{line('　その日は朝から雨が降つてゐて、', 400, 150, 700, 0)}"
        f"{line('外に出るのもおつくうであつた', 360, 150, 700, 1)}</TEXTBLOCK></PAGE>"
        for n in (1, 2, 3)
    )
    file = tmp_path / "book.xml"
    file.write_text(f"<OCRDATASET>{pages}</OCRDATASET>", "utf-8")
    assert kind_of(str(file)) == "ndl"
    (item,) = items(ndl, file)
    whole = "その日は朝から雨が降つてゐて、外に出るのもおつくうであつた"
    assert (item.text or "").split("\n\n") == [whole] * 3


# books --------------------------------------------------------------------------------------------


def epub(parts: dict[str, str], spine: list[str]) -> bytes:
    entry = '<item id="{0}" href="{0}.xhtml" media-type="application/xhtml+xml"{1}/>'
    items_ = "".join(
        entry.format(name, ' properties="nav"' if name == "nav" else "") for name in parts
    )
    refs = "".join(f'<itemref idref="{n}"/>' for n in spine)
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>山の本</dc:title><dc:creator>作者</dc:creator><dc:date>2010-05-01</dc:date>"
        "<dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights></metadata>"
        f"<manifest>{items_}</manifest><spine>{refs}</spine></package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("mimetype", "application/epub+zip")
        file.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="OPS/a.opf"/></rootfiles></container>',
        )
        file.writestr("OPS/a.opf", package)
        for name, body in parts.items():
            file.writestr(
                f"OPS/{name}.xhtml",
                f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>',
            )
    return out.getvalue()


def test_a_book_follows_its_spine_without_the_contents(tmp_path: Path) -> None:
    parts = {
        "nav": "<nav><ol><li><a href='two.xhtml'>二</a></li></ol></nav>",
        "two": "<h2>二</h2><p>あとの章です。</p>",
        "one": "<h2>一</h2><p><ruby>山路<rt>やまみち</rt></ruby>を登りながら、こう考えた。</p>",
    }
    file = tmp_path / "book.epub"
    file.write_bytes(epub(parts, ["nav", "one", "two"]))
    (item,) = items(books, file)
    assert item.text == "## 一\n\n山路を登りながら、こう考えた。\n\n## 二\n\nあとの章です。"
    assert (item.title, item.author, item.date, item.licence) == (
        "山の本",
        "作者",
        "2010-05-01",
        "CC-BY-4.0",
    )


# articles -----------------------------------------------------------------------------------------

ARTICLE_XML = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Publishing DTD v1.1//EN" "x.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"
 article-type="research-article" xml:lang="ja"><front><journal-meta>

<journal-title>稲作研究</journal-title></journal-meta><article-meta>
<article-id pub-id-type="doi">10.1234/x</article-id>
<title-group><article-title>水温と収量</article-title>
<trans-title-group xml:lang="en"><trans-title>Water temperature and yield</trans-title>
</trans-title-group>
</title-group><contrib-group><contrib contrib-type="author"><name><surname>稲田</surname>
<given-names>花子</given-names></name></contrib></contrib-group>
<pub-date><day>3</day><month>4</month><year>2025</year></pub-date><permissions><license
 xlink:href="https://creativecommons.org/licenses/by/4.0/"/></permissions>
<abstract><p>水温が収量に
与える影響を調べた。</p></abstract></article-meta></front>
<body><sec><label>1</label><title>方法</title><p>収量は<inline-formula><mml:math><mml:mi>y</mml:mi>
<mml:mo>=</mml:mo><mml:mi>a</mml:mi><mml:mi>x</mml:mi></mml:math></inline-formula>とした<xref
 ref-type="bibr">1</xref>。<italic>N</italic><sub>2</sub>を用いた。</p>
<disp-formula><tex-math>\\frac{a}{b}</tex-math></disp-formula>
<list list-type="bullet"><list-item><p>早植え</p></list-item>
<list-item><p>遅植え</p></list-item></list>
<table-wrap><label>表1</label><caption><p>結果</p></caption>
<table><tr><th>区</th><th>値</th></tr>
<tr><td rowspan="2">甲</td><td>1</td></tr>
<tr><td>2</td></tr></table></table-wrap>
</sec></body>
<back><ref-list><ref><mixed-citation>消える文献</mixed-citation></ref></ref-list></back></article>
"""


def test_an_article_has_sections_formulas_and_tables(tmp_path: Path) -> None:
    file = tmp_path / "article.xml"
    file.write_text(ARTICLE_XML, "utf-8")
    assert kind_of(str(file)) == "articles"
    (item,) = items(articles, file)
    assert (item.text or "").split("\n\n") == [
        "# 水温と収量", "## Water temperature and yield", "水温が収量に与える影響を調べた。",
        "## 1 方法",
        "収量は$y = a x$とした[1]。N_{2}を用いた。", "$$\n\\frac{a}{b}\n$$",
        "- 早植え\n- 遅植え",
        "表1 結果", "| 区 | 値 |\n| --- | --- |\n| 甲 | 1 |\n|  | 2 |",
    ]  # fmt: skip
    assert (item.author, item.date, item.licence) == ("稲田 花子", "2025-04-03", "CC-BY-4.0")
    assert item.url == "https://doi.org/10.1234/x"
    assert item.metadata["journal"] == "稲作研究"


# Wikipedia ----------------------------------------------------------------------------------------

ARTICLE = """{{基礎情報 会社|社名=稲穂社|設立=[[1923年]]}}
'''稲穂'''（いなほ、{{lang-en|ear of rice}}）は、[[イネ]]の[[穂]]である<ref>脚注</ref>。
次の行も同じ段落。

解は <math>x = \\frac{-b}{2a}</math> で、10<sup>23</sup>個の{{読み仮名|籾|もみ}}。
[[ファイル:a.jpg|thumb|穂の写真]]
== 種類 ==
* 早生
** [[コシヒカリ]]
;用語:説明
{| class="wikitable"
! 名 !! 数
|-
| 甲 || 1
|}
<syntaxhighlight lang="python">
if x:
    y()
</syntaxhighlight>
== 脚注 ==
{{Reflist}}
[[Category:稲]]
"""
EXPECTED = """# 稲穂

社名: 稲穂社

設立: 1923年

稲穂（いなほ、ear of rice）は、イネの穂である。次の行も同じ段落。

解は $x = \\frac{-b}{2a}$ で、10^{23}個の籾（もみ）。

穂の写真

## 種類

- 早生
  - コシヒカリ

用語: 説明

| 名 | 数 |
| --- | --- |
| 甲 | 1 |

```python
if x:
    y()
```"""


def page(title: str, words: str, space: int = 0, more: str = "") -> str:
    return (
        f"<page><title>{title}</title><ns>{space}</ns><id>7</id>{more}<revision><id>9</id>"
        f"<timestamp>2026-01-02T03:04:05Z</timestamp><text>{html.escape(words)}</text></revision></page>"
    )


PAGES = [
    page("稲穂", ARTICLE),
    page("ノート:稲穂", "話", 1),
    page("いなほ", "#転送 [[稲穂]]", more='<redirect title="稲穂"/>'),
    page("穂", "{{aimai}}\n* 稲穂"),
    page("田", "'''田'''は耕地。"),
]
HEAD = "<mediawiki><siteinfo><base>https://ja.wikipedia.org/wiki/x</base></siteinfo>"


def test_an_article_has_its_structure_and_its_facts(tmp_path: Path) -> None:
    file = tmp_path / "dump.xml"
    file.write_text(HEAD + "".join(PAGES) + "</mediawiki>", "utf-8")
    assert kind_of(str(file)) == "wikipedia"
    article, talk, redirect, meanings, field = items(wikipedia, file)
    assert article.text == EXPECTED
    assert article.licence == "CC-BY-SA-4.0"
    assert article.url == "https://ja.wikipedia.org/wiki/%E7%A8%B2%E7%A9%82"
    assert article.metadata["revision"] == "9"
    assert article.metadata["categories"] == "稲"
    skips = [item.skip for item in (talk, redirect, meanings, field)]
    assert skips == ["namespace", "redirect page", "disambiguation page", ""]


@pytest.mark.parametrize("kind", ["multistream", "plain"])
def test_a_cut_dump_gives_every_page_once(tmp_path: Path, kind: str) -> None:
    groups = [[page(f"頁{g}-{k}", f"本文{g}-{k}です。") for k in range(3)] for g in range(20)]
    if kind == "plain":
        file = tmp_path / "dump.xml"
        file.write_text(HEAD + "".join("".join(g) for g in groups) + "</mediawiki>", "utf-8")
    else:
        file = tmp_path / "pages-multistream.xml.bz2"
        streams = [HEAD, *("".join(g) for g in groups), "</mediawiki>"]
        file.write_bytes(b"".join(bz2.compress(s.encode()) for s in streams))
    size = file.stat().st_size
    titles = []
    for start, end in [(size * k // 5, size * (k + 1) // 5) for k in range(5)]:
        unit = Unit(0, "wikipedia", (str(file),), start, end)
        titles += [item.title for item in wikipedia.read(unit, Settings())]
    assert titles == [f"頁{g}-{k}" for g in range(20) for k in range(3)]


def test_cirrus_and_enterprise_lines(tmp_path: Path) -> None:
    cirrus = {
        "title": "田",
        "namespace": 0,
        "source_text": "'''田'''は耕地。",
        "wiki": "jawiki",
        "page_id": 3,
    }
    enterprise = {"name": "畑", "identifier": 4, "url": "https://ja.wikipedia.org/wiki/畑",
                  "article_body": {"wikitext": "'''畑'''も耕地。"}}  # fmt: skip
    one, two = tmp_path / "cirrus.json.gz", tmp_path / "enterprise.ndjson"
    one.write_bytes(gzip.compress(f'{{"index":{{"_id":"3"}}}}\n{json.dumps(cirrus)}\n'.encode()))
    two.write_text(json.dumps(enterprise), "utf-8")
    assert [kind_of(str(p)) for p in (one, two)] == ["wikipedia", "wikipedia"]
    (first,), (second,) = items(wikipedia, one), items(wikipedia, two)
    assert (first.text, second.text) == ("# 田\n\n田は耕地。", "# 畑\n\n畑も耕地。")
    assert first.url == "https://ja.wikipedia.org/wiki/%E7%94%B0"


def test_wikitext_that_is_broken_gives_its_words() -> None:
    for words in (
        "{{{{[[",
        "[[a|[[b]]",
        "{|\n|-\n| x",
        "<ref>a",
        "<math>x",
        "''' a ''b '''''",
        "{{a|" * 200,
    ):
        wikitext.read(f"前{words}", "題", STEPS)


# all of them --------------------------------------------------------------------------------------


def test_a_folder_that_mixes_all_kinds_is_one_corpus(
    run_corpus, data: Path, sources: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "in"
    shutil.copytree(sources, folder)
    shutil.copy(
        data / "text" / "utf-8.txt"
        if (data / "text" / "utf-8.txt").exists()
        else next((data / "text").iterdir()),
        folder / "notes.txt",
    )
    (folder / "dump.xml").write_text(HEAD + "".join(PAGES) + "</mediawiki>", "utf-8")
    (folder / "book.epub").write_bytes(
        epub({"one": "<p>山路を登りながら、こう考えた。</p>"}, ["one"])
    )
    out = tmp_path / "out"
    run_corpus("build", folder, "--out", out, "--profile", "none", "-q", "-j", 1)
    rows = pq.read_table(out / "corpus").to_pylist()
    found = {row["source"] for row in rows}
    assert found == {
        "law", "minutes", "aozora", "captions", "ndl", "books", "wikipedia", "files", "news",
        "patents", "pdf",
    }  # fmt: skip
    zipped = next(row for row in rows if row["title"] == "弟子の心")
    assert zipped["source_file"] == f"zip://3730_ruby_12444.txt::{folder}/aozora.zip"
    assert json.loads(zipped["metadata"])["typed"]
    assert all(row["licence"] == "contract" for row in rows if row["source"] == "captions")
    # each source by its own profile, the others by the default
    said = run_corpus("select", out, "--profile", "auto", "--json").stdout
    decided = json.loads(said)["select"]["sources"]
    assert {s: decided[s]["profile"] for s in ("law", "aozora", "captions", "files")} == {
        "law": "law", "aozora": "literature", "captions": "dialogue", "files": "web",
    }  # fmt: skip


def test_a_file_nested_too_deeply_is_a_problem_and_its_neighbour_is_read(
    sources: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "deep.xml"
    nested = "<Paragraph>" * 230 + "深い" + "</Paragraph>" * 230
    deep.write_text(f'<Law LawType="Act"><LawBody>{nested}</LawBody></Law>', "utf-8")
    bad, good = items(law, deep, sources / "gyosei-tetsuzuki-ho.xml.gz")
    assert (bad.problem, bad.text, bad.blocks) == ("malformed", None, None)
    assert good.title == "行政手続法"
