"""Cutting lines, blocks and parts out of a text keeps its blocks true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import END, KIND, KINDS, NONE, START, Blocks
from corpus.text.cut import (
    LINE_BLOCK,
    LINE_END,
    LINE_SIGN,
    LINE_START,
    bare,
    lines_of,
    only_blocks,
    replaced,
    without_lines,
)
from corpus.text.markdown import read
from corpus.text.views import plain_text

TEXT = """# 題

本文の一行目。
二行目。

- 項目
- 次の項目
- 最後

| 名前 | 値 |
| --- | --- |
| 甲 | 1 |

```sh
ls
}
```

$$
x^2
$$

---

> 引用"""


def parts(text: str, blocks: Blocks) -> list[str]:
    return [text[a:z] for a, z in blocks.spans[:, : END + 1].tolist()]


def cut(text: str, *gone: str) -> tuple[str, Blocks]:
    blocks = read(text)
    lines = lines_of(text, blocks)
    found = [text[a:z] in gone for a, z in lines[:, : LINE_END + 1].tolist()]
    return without_lines(text, blocks, lines, np.array(found, np.bool_))


def test_lines_of_a_text_with_blocks() -> None:
    blocks = read(TEXT)
    lines = lines_of(TEXT, blocks)
    shown = [(TEXT[a:z], bool(sign)) for a, z, _, sign in lines.tolist()]
    assert shown == [
        ("# 題", False), ("本文の一行目。", False), ("二行目。", False), ("- 項目", False),
        ("- 次の項目", False), ("- 最後", False), ("| 名前 | 値 |\n| --- | --- |", False),
        ("| 甲 | 1 |", False), ("```sh", True), ("ls", False), ("}", False), ("```", True),
        ("$$\nx^2\n$$", False), ("---", True), ("> 引用", False),
    ]  # fmt: skip
    assert [KINDS[blocks.spans[k, KIND]] for k in lines[:, LINE_BLOCK]].count("code") == 4


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        (("二行目。",), TEXT.replace("\n二行目。", "")),
        (("本文の一行目。", "二行目。"), TEXT.replace("本文の一行目。\n二行目。\n\n", "")),
        (("- 次の項目",), TEXT.replace("- 次の項目\n", "")),
        (("| 甲 | 1 |",), TEXT.replace("\n| 甲 | 1 |", "")),
        (("ls", "}"), TEXT.replace("```sh\nls\n}\n```\n\n", "")),
        (("}",), TEXT.replace("}\n", "")),
        (("```",), TEXT),  # fences go with their code only
        (("---",), TEXT.replace("---\n\n", "")),
        (("# 題",), TEXT.replace("# 題\n\n", "")),
        (("> 引用",), TEXT.replace("\n\n---\n\n> 引用", "")),  # a rule that parts nothing goes too
    ],
)
def test_lines_go_and_blocks_stay_true(gone: tuple[str, ...], left: str) -> None:
    text, blocks = cut(TEXT, *gone)
    assert text == left
    assert parts(text, blocks) == parts(left, read(left))


def test_a_text_without_blocks_loses_its_lines() -> None:
    text = "一\n二\n\n三"
    lines = lines_of(text, NONE)
    gone = np.array([False, True, False, False])
    assert without_lines(text, NONE, lines, gone) == ("一\n\n三", NONE)


def test_blocks_go_as_wholes() -> None:
    blocks = read(TEXT)
    text, left = only_blocks(TEXT, blocks, blocks.spans[:, KIND] != KINDS.index("code"))
    assert text == TEXT.replace("```sh\nls\n}\n```\n\n", "")
    assert (left.spans == read(text).spans).all()


def test_signs_of_prose_are_bared() -> None:
    assert [bare(x) for x in ("## 題", "- 項", "  12. 項", "> 引", "本文", "#本文")] == [
        "題", "項", "項", "引", "本文", "#本文",
    ]  # fmt: skip


def test_a_replacement_moves_the_blocks_behind_it() -> None:
    text = "電話は 03-1234 です。\n\n次の段落。"
    new, blocks = replaced(text, read(text), [(4, 11, "〈電話番号〉")])
    assert new == "電話は 〈電話番号〉 です。\n\n次の段落。"
    assert parts(new, blocks) == ["電話は 〈電話番号〉 です。", "次の段落。"]


def test_a_block_that_is_replaced_by_nothing_goes() -> None:
    text = "一\n\n二\n\n三"
    new, blocks = replaced(text, read(text), [(3, 4, "")])
    assert parts(new, blocks) == ["一", "三"]


def test_a_replacement_across_blocks_belongs_to_the_first() -> None:
    text = "一二\n\n三四\n\n五"
    new, blocks = replaced(text, read(text), [(1, 5, "×××")])
    assert new == "一×××\n\n四\n\n五" and parts(new, blocks) == ["一×××", "四", "五"]


@given(
    st.lists(st.text("あa-# |`", min_size=1, max_size=6), min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6), st.text("xy", max_size=4))),
)
def test_replacing_keeps_blocks_in_order_and_apart(
    paragraphs: list[str], wanted: list[tuple[int, int, str]]
) -> None:
    text = "\n\n".join(paragraphs)
    edits, at = [], 0
    for start, size, new in sorted(wanted):
        if at <= start and start + size <= len(text):
            edits.append((start, start + size, new))
            at = start + size + 1
    new_text, blocks = replaced(text, read(text), edits)
    expected = text
    for start, end, new in reversed(edits):
        expected = expected[:start] + new + expected[end:]
    assert "".join(new_text.split()) == "".join(expected.split())
    at = 0
    for start, end in blocks.spans[:, : END + 1].tolist():
        assert at <= start < end <= len(new_text)
        at = end


@given(st.text("あa1 \t\n\n-*+#>|:=_~`$\\[].)", max_size=80), st.data())
def test_any_lines_of_any_text_can_go(text: str, data: st.DataObject) -> None:
    blocks = read(text)
    lines = lines_of(text, blocks)
    gone = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines))), np.bool_
    )
    new, left = without_lines(text, blocks, lines, gone)
    assert (lines[:, LINE_START] <= lines[:, LINE_END]).all() and lines[:, LINE_SIGN].max(
        initial=0
    ) <= 1
    for start, end in left.spans[:, [START, END]].tolist():
        assert start < end <= len(new)
    assert len(plain_text(new, left)) <= len(new) + len(left.spans)
