"""The plain view: a pure function of text and blocks; escaped prose is prose to any reader."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.text import views
from corpus.text.blocks import KIND, KINDS, NONE, to_arrow
from corpus.text.escape import escaped
from corpus.text.markdown import read

ORACLE = MarkdownIt("commonmark").enable("table")
SIGNS = st.text("あ漢aB1 -*+#>|:=_~`$\\[]()!<&;/.\"'{}", min_size=1, max_size=30)
LINE = SIGNS.map(lambda line: " ".join(line.split())).filter(bool)
PROSE = st.lists(LINE, min_size=1, max_size=4).map("\n".join)


def said(text: str) -> list[tuple[str, str]]:
    """(kind, text) of the blocks that markdown-it reads, its soft breaks as line feeds."""
    found = []
    for before, token in zip((tokens := ORACLE.parse(text))[:-1], tokens[1:], strict=True):
        if token.type == "inline":
            parts = [
                "\n" if part.type == "softbreak" else part.content
                for part in token.children or []
                if part.type in ("text", "softbreak", "text_special")
            ]
            rest = [
                part.type
                for part in token.children or []
                if part.type not in ("text", "softbreak", "text_special")
            ]
            found.append((before.type, "".join(parts) + "".join(f"<{x}>" for x in rest)))
    return found


@given(PROSE)
def test_escaped_prose_is_one_paragraph_to_markdown_it(text: str) -> None:
    assert said(escaped(text)) == [("paragraph_open", text)]


@given(PROSE)
def test_escaped_prose_is_one_paragraph_to_our_reader(text: str) -> None:
    written = escaped(text)
    blocks = read(written)
    assert [KINDS[kind] for kind in blocks.spans[:, KIND]] == ["paragraph"]
    assert views.plain_text(written, blocks) == text


@given(LINE)
def test_escaped_prose_forges_nothing_behind_the_signs_of_headings_items_and_quotes(
    text: str,
) -> None:
    for sign, kind in (("## ", "heading"), ("- ", "item"), ("3. ", "item"), ("> ", "quote")):
        written = sign + escaped(text)
        blocks = read(written)
        assert [KINDS[k] for k in blocks.spans[:, KIND]] == [kind]
        assert views.plain_text(written, blocks) == text
        assert [own for _, own in said(written)] == [text]


@given(st.lists(st.lists(LINE, min_size=2, max_size=2), min_size=1, max_size=3))
def test_escaped_cells_stay_in_their_columns(rows: list[list[str]]) -> None:
    lines = ["| " + " | ".join(escaped(cell, True) for cell in row) + " |" for row in rows]
    written = "\n".join([lines[0], "| --- | --- |", *lines[1:]])
    blocks = read(written)
    assert [KINDS[k] for k in blocks.spans[:, KIND]] == ["table"]
    assert views.plain_text(written, blocks) == "\n".join("\t".join(row) for row in rows)
    assert [own for _, own in said(written)] == [cell for row in rows for cell in row]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("## 設定 `a  b` と $x^2$", "設定 a  b と x^2"),
        ("- a\n  b\n  1. c", "a\nb\nc"),
        ("| 名前 | 値 |\n| --- | :-: |\n| 甲 | |\n| | 乙 \\| 丙 |", "名前\t値\n甲\t\n\t乙 | 丙"),
        ("````md\n```\nx\n```\n````", "```\nx\n```"),
        ("````\n```\nx\n```", "```\nx\n```"),  # nothing closes it
        ("- a\n\n\t~~~\n\t  x\n\t~~~", "a\n  x"),
        ("    a\n\n      b", "a\n\n  b"),
        (
            "> > 引用の\n> 二行\n>\n> ```\n>   x\n>\n> > y\n> ```\n> 終わり",
            "引用の\n二行\n  x\n\n> y\n終わり",
        ),
        ("> `a\n> b`", "a\nb"),
        ("$$\nx\n$$\n\n\\[ y_1 \\]\n\n$$z$$", "x\ny_1\nz"),
        ("題\n===\n\n---\n\n値段は $5 と $6、`閉じない", "題\n値段は $5 と $6、`閉じない"),
        ("\\# 本文\\*", "# 本文*"),
    ],
)
def test_views_by_example(text: str, plain: str) -> None:
    assert views.plain_text(text, read(text)) == plain


ANY = st.text("あa1 \t\n\n-*+#>|:=_~`$\\[]{}.)　", max_size=80)


@given(st.lists(ANY, max_size=4))
def test_views_of_a_column_are_those_of_its_texts(texts: list[str]) -> None:
    blocks = [read(text) for text in texts]
    column, spans = pa.array(texts, pa.string()), to_arrow(blocks)
    formats = pa.array(["markdown"] * len(texts))
    one = [views.plain_text(*pair) for pair in zip(texts, blocks, strict=True)]
    assert views.plain(column, spans, formats).to_pylist() == one
    prose = [views.plain_text(*pair, views.PROSE_KINDS) for pair in zip(texts, blocks, strict=True)]
    for text, own, seen in zip(
        prose, blocks, views.prose(column, spans, formats).to_pylist(), strict=True
    ):
        assert seen == text or not len(own.spans)
    plain = pa.array(["plain"] * len(texts))
    assert views.plain(column, spans, plain).to_pylist() == texts


@given(ANY)
def test_a_text_made_plain_is_its_plain_view(text: str) -> None:
    blocks = read(text)
    plain, own = views.plain_blocks(text, blocks)
    assert plain == views.plain_text(text, blocks)
    for start, end in own.spans[:, :2].tolist():
        assert start < end <= len(plain) and plain[start - 1 : start] in ("", "\n")
    assert views.plain_text("無し", NONE) == "無し"


@given(ANY)
def test_every_character_of_the_view_stands_at_its_place(text: str) -> None:
    blocks = read(text)
    view, places = views.plain_with_places(text, blocks)
    assert len(places) == len(view) + 1
    for char, place in zip(view, places.tolist(), strict=False):
        assert text[place] == char or char in "\n\t"
