"""Tables, lists, captions and notes of articles, Wikipedia and statutes: nothing shifted or lost."""

from __future__ import annotations

import re
from pathlib import Path

from corpus.sources import articles
from corpus.sources.item import Item
from corpus.text import wikitext
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
