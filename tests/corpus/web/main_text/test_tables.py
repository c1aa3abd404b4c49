"""Which tables are data, and that no value changes its column."""

from __future__ import annotations

import re

import numpy as np
import pytest

from corpus.text.blocks import KIND, KINDS
from corpus.text.views import plain_text
from corpus.web.html.document import parse
from corpus.web.main_text.write import write


def written(html: str) -> tuple[str, list[str], str]:
    """(Markdown, kinds, plain view) of a whole page."""
    document = parse(html)
    text, blocks, _ = write(document, np.ones(len(document.blocks), np.bool_))
    return text, [KINDS[k] for k in blocks.spans[:, KIND]], plain_text(text, blocks)


def table(*rows: str) -> str:
    return "<table>" + "".join(f"<tr>{row}" for row in rows) + "</table>"


def test_empty_cells_keep_their_place() -> None:
    text, _, plain = written(table("<th>年<th>春<th>秋", "<td>2022<td><td>5", "<td><td>3<td>"))
    assert text == "| 年 | 春 | 秋 |\n| --- | --- | --- |\n| 2022 |  | 5 |\n|  | 3 |  |"
    assert plain == "年\t春\t秋\n2022\t\t5\n\t3\t"


def test_short_rows_are_filled_and_empty_rows_go() -> None:
    text, _, _ = written(table("<th>甲<th>乙<th>丙", "<td>1", "<td><td> <td>", "<td>2<td>3<td>4"))
    assert text.split("\n")[2:] == ["| 1 |  |  |", "| 2 | 3 | 4 |"]


def test_a_cell_that_spans_stands_in_the_first_of_its_places() -> None:
    rows = ["<th rowspan=2>年<th colspan=2>数", "<th>春<th>秋", "<td>2022<td>3<td>5"]
    text, _, _ = written(table(*rows))
    assert text.split("\n") == [
        "| 年 | 数 |  |", "| --- | --- | --- |", "|  | 春 | 秋 |", "| 2022 | 3 | 5 |",
    ]  # fmt: skip


def test_spans_that_reach_beyond_the_table_are_cut() -> None:
    rows = ["<th rowspan=65535>年<th>数", "<td>3", "<td>5"]
    assert written(table(*rows))[0].split("\n")[2:] == ["|  | 3 |", "|  | 5 |"]
    wide = written(table("<th colspan=99999999>年<th>数", "<td>3<td>4"))
    assert wide[1] == ["paragraph"] * 4  # wider than any table that is read: as text


def test_signs_in_cells_are_escaped() -> None:
    cells = "<td>甲|乙<td><code>a|b</code><td><script type='math/tex'>a|b\\|c</script><td># - >"
    text, _, plain = written(table("<th>一<th>二<th>三<th>四", cells))
    row = text.split("\n")[2]
    assert row == r"| 甲\|乙 | `a\|b` | $a\vert b\Vert c$ | # - > |"
    assert plain.split("\n")[1].startswith("甲|乙\ta|b\t")


def test_line_breaks_and_paragraphs_in_a_cell_are_blanks() -> None:
    text, _, _ = written(table("<th>名<th>値", "<td>甲<br>乙<td><p>一</p><p>二</p>"))
    assert text.split("\n")[2] == "| 甲 乙 | 一 二 |"


def test_a_caption_stands_before_its_table() -> None:
    html = "<table><caption>表1 結果</caption><tr><th>名<th>値<tr><td>甲<td>1</table>"
    text, kinds, _ = written(html)
    assert kinds == ["caption", "table"] and text.startswith("表1 結果\n\n| 名 | 値 |")


@pytest.mark.parametrize(
    "html",
    [
        table("<td>左の欄", "<td>右の欄"),  # one column
        table("<td>左の欄<td>右の欄"),  # one row
        table("<td>" + "長い文章です。" * 60 + "<td>右の欄", "<td>一<td>二"),
        table("<td><h2>題</h2><td>右の欄", "<td>一<td>二"),
        table("<td><pre>a\nb</pre><td>右の欄", "<td>一<td>二"),
        table("<td>" + table("<td>一<td>二", "<td>三<td>四") + "<td>右", "<td>五<td>六"),
    ],
    ids=["column", "row", "long", "heading", "code", "nested"],
)
def test_tables_for_layout_are_text(html: str) -> None:
    text, kinds, plain = written(html)
    assert "右" in plain
    outer = "右の欄" if "右の欄" in text else "右"
    assert outer in re.split(r"\n+", text) and kinds.count("table") == html.count("<table") - 1


def test_a_table_of_lists_is_read_by_column() -> None:
    html = table("<th>賛成<th>反対", "<td><ul><li>甲<li>乙</ul><td><ul><li>丙<li>丁</ul>")
    assert written(html)[0] == "賛成\n\n- 甲\n- 乙\n\n反対\n\n- 丙\n- 丁"


def test_cells_of_rows_without_a_table_body_and_in_sections() -> None:
    html = (
        "<table><thead><tr><th>名<th>値</thead><tbody><tr><td>甲<td>1</tbody>"
        "<tfoot><tr><td>計<td>1</tfoot></table>"
    )
    assert written(html)[0].split("\n")[2:] == ["| 甲 | 1 |", "| 計 | 1 |"]


def test_ten_thousand_rows_are_one_table() -> None:
    html = table("<th>番号<th>値", *(f"<td>{n}<td>値{n}" for n in range(10_000)))
    text, kinds, _ = written(html)
    assert kinds == ["table"] and text.count("\n") == 10_001
    assert text.endswith("| 9999 | 値9999 |")


def test_code_of_one_line_in_a_cell_is_inline_code() -> None:
    code = "typedef  /* | */ size_t;"
    rows = ["<td>見出し<td><td>", f"<td><div><pre>{code}\n</pre></div><td><td>版 17"]
    text, kinds, plain = written(table(*rows))
    assert kinds == ["table"] and text.split("\n")[2] == (
        "| `typedef  /* \\| */ size_t;` |  | 版 17 |"
    )
    assert plain.split("\n")[1] == f"{code}\t\t版 17"


def test_a_table_with_code_of_more_lines_is_text() -> None:
    rows = ["<td>名前<td>例", "<td>甲<td><pre>a\n  b</pre>"]
    assert written(table(*rows))[1] == ["paragraph", "paragraph", "paragraph", "code"]
