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
