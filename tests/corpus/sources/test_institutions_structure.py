"""Tables, lists, captions and notes of articles and Wikipedia: nothing shifted or lost."""

from __future__ import annotations

import re
from pathlib import Path

from corpus.settings import HarvestSettings, Settings
from corpus.sources import articles
from corpus.sources.item import Item
from corpus.text.wikitext import article as wikitext
from corpus.text.wikitext.tree import MAX_COST, unclosed
from tests.corpus.sources.test_institutions import ARTICLE_XML, STEPS, items


def wiki(words: str) -> str:
    return wikitext.read(words, "題", STEPS)[0].removeprefix("# 題\n\n")


def article(tmp_path: Path, body: str, meta: str = "") -> Item:
    """The article of the other tests with another body, and facts before its own."""
    whole = re.sub(r"(?s)<body>.*</body>", lambda _: f"<body>{body}</body>", ARTICLE_XML)
    whole = whole.replace("<article-meta>", f"<article-meta>{meta}")
    (tmp_path / "article.xml").write_text(whole, "utf-8")
    (item,) = items(articles, tmp_path / "article.xml")
    return item


def body(item: Item) -> str:
    return (item.text or "").partition("調べた。\n\n")[2]


# tables -------------------------------------------------------------------------------------------


def test_a_cell_over_the_ends_of_rows_shifts_nothing_below(tmp_path: Path) -> None:
    item = article(
        tmp_path,
        '<table-wrap><table><tr><th rowspan="2">項目</th><th colspan="2">転倒</th>'
        '<th rowspan="2">p値</th></tr><tr><th>あり</th><th>なし</th></tr>'
        "<tr><td>年齢</td><td>76</td><td>73</td><td>0.001</td></tr></table></table-wrap>",
    )
    assert body(item).splitlines() == [
        "| 項目 | 転倒 |  | p値 |", "| --- | --- | --- | --- |", "|  | あり | なし |  |",
        "| 年齢 | 76 | 73 | 0.001 |",
    ]  # fmt: skip
    # also behind columns that a short row leaves out
    table = '{|\n! 年 !! 名 !! 備考\n|-\n|1||甲||rowspan="2"|共通\n|-\n|2\n|-\n|-\n|3||丙||個別\n|}'
    assert wiki(table).splitlines()[2:] == ["| 1 | 甲 | 共通 |", "| 2 |  |  |", "| 3 | 丙 | 個別 |"]


# lists --------------------------------------------------------------------------------------------


def test_a_term_stays_with_the_definition_on_the_next_line() -> None:
    assert wiki("; 1994年度\n: [[山根一眞]]、穴井\n: 他\n;語\n\n文。\n;終\n== 節 ==\n;末") == (
        "1994年度: 山根一眞、穴井\n\n他\n\n語\n\n文。\n\n終\n\n## 節\n\n末"
    )
    assert wiki(";一般的な意味\n*[[フランス語]]で\n;甲\n;乙\n:説明") == (
        "一般的な意味\n\n- フランス語で\n\n甲\n\n乙: 説明"
    )
    assert wiki("== 脚注 ==\n;語\n:消える\n;語\n== 節 ==\n:残る") == "## 節\n\n残る"


def test_words_below_an_item_keep_the_depth_of_the_next() -> None:
    assert wiki("* 甲\n*: 続き\n** 乙\n* 丙\n: 文") == "- 甲\n  - 続き\n  - 乙\n- 丙\n\n文"


def test_numbered_lists_of_wikitext_keep_their_numbers() -> None:
    assert wiki("# 一\n## 子\n## 子\n#: 注\n# [[二]]\n## 子\n#* 点\n# 三\n\n# 一\n文\n# 一") == (
        "1. 一\n   1. 子\n   2. 子\n   - 注\n2. 二\n   1. 子\n   - 点\n3. 三\n1. 一\n\n文\n\n1. 一"
    )


# articles -----------------------------------------------------------------------------------------


def test_labels_captions_and_notes_of_articles_are_text(tmp_path: Path) -> None:
    item = article(
        tmp_path,
        "<sec><label>II．</label><title>対　　象</title><disp-formula><label>(1)</label>"
        "<tex-math>a=b</tex-math></disp-formula><sec><label>2.1</label><p>文。</p></sec>"
        "<statement><label>定理1</label><p>成り立つ。</p></statement></sec>"
        "<table-wrap><label>表1</label><caption><title>背景</title></caption><table><tr><th>p値"
        '<xref ref-type="table-fn">*</xref></th></tr></table><table-wrap-foot><fn-group><fn>'
        "<label>*</label><p>t検定による。</p></fn></fn-group><p>n：人数。</p></table-wrap-foot>"
        "</table-wrap><fig-group><caption><p>分布</p></caption><fig><label>図2A</label><caption>"
        "<p>夏季</p></caption></fig><fig><label>図2B</label><caption><p>冬季</p></caption></fig>"
        "</fig-group>",
    )
    assert body(item).split("\n\n") == [
        "## II．対象", "$$\na=b \\tag{1}\n$$", "### 2.1", "文。", "### 定理1", "成り立つ。",
        "表1 背景", "| p値[\\*] |\n| --- |", "\\* t検定による。", "n：人数。", "分布", "図2A 夏季",
        "図2B 冬季",
    ]  # fmt: skip


def test_subtitles_stand_with_their_titles(tmp_path: Path) -> None:
    title = "<title-group><article-title>転倒</article-title><subtitle>―追跡研究―</subtitle>"
    other = "<trans-title>Falls</trans-title><trans-subtitle>A cohort</trans-subtitle>"
    meta = f"{title}<trans-title-group>{other}</trans-title-group></title-group>"
    item = article(tmp_path, "<p>文。</p>", meta)
    assert (item.text or "").startswith("# 転倒 ―追跡研究―\n\n## Falls A cohort\n\n")
    assert item.title == "転倒 ―追跡研究―"


def test_the_title_is_that_of_the_article_s_language_and_readings_follow_the_policy(
    tmp_path: Path,
) -> None:
    title = (
        '<article xml:lang="ja"><front><article-meta><title-group><article-title '
        'xml:lang="en">Fields</article-title><trans-title-group xml:lang="ja"><trans-title>'
        "<ruby><rb>圃場</rb>"
        "<rt>ほじょう</rt></ruby>の水</trans-title></trans-title-group></title-group></article-meta></front><body>"
        "<p><ruby><rb>圃場</rb><rt>ほじょう</rt></ruby>である<fn><label>*1</label><p>注記。</p></fn>。</p>"
        "</body></article>"
    )
    file = tmp_path / "title.xml"
    file.write_text(title, "utf-8")
    (item,) = items(articles, file)
    assert item.title == "圃場の水"
    assert item.text == "# Fields\n\n## 圃場の水\n\n圃場である[\\*1]。"
    inline = Settings(harvest=HarvestSettings(ruby="inline"))
    (item,) = items(articles, file, settings=inline)
    assert item.title == "圃場の水"
    assert "圃場（ほじょう）である" in (item.text or "")


def test_a_list_inside_the_words_of_an_item_is_a_list(tmp_path: Path) -> None:
    inner = "<list><list-item><label>ア</label><p>MMSE</p></list-item></list>"
    item = article(
        tmp_path,
        f'<list list-type="order"><list-item><p>認知症{inner}</p></list-item>'
        "<list-item><label>2)</label><p>腎<sup>+</sup></p></list-item></list>",
    )
    assert body(item) == "1. 認知症\n   - ア MMSE\n2. 腎^{+}"


def test_references_in_one_superscript_are_marks(tmp_path: Path) -> None:
    def ref(n: int) -> str:
        return f'<xref ref-type="bibr">{n}</xref>'

    item = article(
        tmp_path,
        f"<p>である<sup>{ref(1)},{ref(2)})</sup>。低下<sup>{ref(4)}–{ref(6)}</sup>、又<sup>({ref(7)}"
        f"</sup>。10<sup>-</sup>、10<sup>2</sup>、m<sup>2,{ref(8)}</sup>。</p>",
    )
    assert body(item) == ("である[1],[2]。低下[4]–[6]、又[7]。10^{-}、10^{2}、m^{2,[8]}。")


def test_facts_are_those_of_the_article_s_language_and_first_publication(tmp_path: Path) -> None:
    def name(language: str, family: str, own: str) -> str:
        parts = f"<surname>{family}</surname><given-names>{own}</given-names>"
        return f'<name xml:lang="{language}">{parts}</name>'

    names = name("en", "Suzuki", "Hanako") + name("ja", "鈴木", "花子")
    title = '窒素N<sub>2</sub><xref ref-type="fn"><sup>†</sup></xref>の研究<fn><p>注</p></fn>'
    item = article(
        tmp_path,
        "<p>文。</p>",
        f"<title-group><article-title>{title}</article-title></title-group>"
        '<contrib-group><contrib contrib-type="author"><name-alternatives>'
        f"{names}</name-alternatives></contrib></contrib-group>"
        '<pub-date pub-type="collection"><year>2023</year></pub-date>'
        '<pub-date pub-type="ppub"><year>2023</year></pub-date><pub-date pub-type="epub">'
        "<day>25</day><month>12</month><year>2023</year></pub-date>",
    )
    assert (item.author, item.date) == ("鈴木 花子; 稲田 花子", "2023-12-25")
    assert item.title == "窒素N2の研究"
    assert (item.text or "").startswith("# 窒素N_{2}の研究\n\n")


# Wikipedia's templates and captions ---------------------------------------------------------------


def test_a_caption_with_links_inside_is_whole() -> None:
    assert wiki(
        "前。\n[[ファイル:a.jpg|thumb|300px|[[ギーザ|ギザ]]の[[三大ピラミッド]]]]\n\n"
        "[[File:b.jpg|サムネイル|{{lang|en|Cairo}}の街|alt=街]]\n\n[[File:c.png|20px|行の中]]後。"
    ) == ("前。\n\nギザの三大ピラミッド\n\nCairoの街\n\n後。")  # fmt: skip


def test_labels_of_links_readings_and_names_in_other_letters_are_shown() -> None:
    assert wiki(
        "{{仮リンク|記事|en|article|label=語}}と{{仮リンク|別の記事|en|other}}、"
        "{{llang|es|paz}}、{{IPA-en|kaɪroʊ}}、{{transl|ar|DIN|Miṣr}}、{{Lang-en-short|Cairo}}。"
    ) == "語と別の記事、paz、kaɪroʊ、Miṣr、Cairo。"  # fmt: skip


def test_templates_keep_units_doubted_words_and_who_said_a_quotation() -> None:
    for words, shown in (
        ("高さ{{val|1234|u=m}}", "高さ1234 m"),
        ("{{val|5|e=3|u=kg}}", "5 × 10^{3} kg"),
        ("彼は{{要出典|範囲=偉い|date=2020年}}人{{要出典|date=2020年}}。", "彼は偉い人。"),
        ("彼は{{要出典範囲|date=2020年|偉い}}人。", "彼は偉い人。"),
        ("{{Quotation|花は桜。|古人|[[書]]}}", "> 花は桜。\n> — 古人、書"),
        ("{{Cquote|花は桜。|||古人}}", "> 花は桜。\n> — 古人"),
        ("{{quote|花は桜。}}", "> 花は桜。"),
    ):
        assert wiki(words) == shown


def test_code_keeps_its_entities_and_formulas_read_them() -> None:
    assert wiki("<syntaxhighlight lang='c'>\na &lt; b;\n</syntaxhighlight>") == (
        "```c\na &lt; b;\n```"
    )
    assert wiki("<math>a &lt; b</math>、<pre>x &amp; y</pre>") == "$a < b$、\n\n```\nx & y\n```"


def test_marks_that_nothing_closes_cost_no_more_than_their_page() -> None:
    for mark in ("{{a|", "[[a|", "<b>", "<br ", "{{{a|", '<b a="', "\n{|\n", "<!--"):
        assert unclosed(mark * 10_000) * 40_000 > MAX_COST
        assert "終わり" in wiki(f"{mark * (40_000 // len(mark))}\n\n終わり")
