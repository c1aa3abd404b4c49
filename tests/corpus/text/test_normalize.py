"""Normalisation of a text with blocks: prose is normalised, code and formulas stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import END, KIND, KINDS, START
from corpus.text.markdown import read
from corpus.text.normalize import STEPS, join_prose, normalize, split_prose
from corpus.text.normalize_blocks import normalize_blocks, of_markdown
from corpus.text.views import plain_text

REPO = Path(__file__).resolve().parents[3]
ANY = "あ漢ａ１aA1 　\t\n\n\xa0\x1c\x1e\x1f-*+#>|:=_~`$\\[]{}.)。、｡ｶﾞか\u3099，．\r\x0c"


@given(st.lists(st.text(st.sampled_from("あａ1 　\n\t\x00\x1f。、か\u3099a\u200b"), max_size=12)))
def test_pieces_of_prose_come_back_as_many_as_they_were(pieces: list[str]) -> None:
    text = normalize(join_prose(pieces), marks=True)
    assert normalize(text, marks=True) == text
    back = split_prose(text) if pieces else []
    assert len(back) == len(pieces)
    # What each step does to a piece it does to the whole, but for what asks the document.
    assert back == [normalize(piece, marks=True) for piece in pieces]
    assert [piece.count("\x1f") for piece in back] == [piece.count("\x1f") for piece in pieces]


@given(
    text=st.text(st.sampled_from("あ漢ａ1 　\n\t\x00。、\x1c\x1d\x1e\x1fｶﾞ，．a\u200b"), max_size=40)
)
@pytest.mark.parametrize("steps", [tuple(STEPS), *[(name,) for name in STEPS]])
def test_marks_survive_every_step(text: str, steps: tuple[str, ...]) -> None:
    marks = re.findall("[\x1c-\x1f]", text)
    once = normalize(text, steps, marks=True)
    assert re.findall("[\x1c-\x1f]", once) == marks
    assert normalize(once, steps, marks=True) == once
    assert "controls" not in steps or not re.search("[\x1c-\x1f]", normalize(text, steps))


def test_a_stand_in_is_a_letter() -> None:
    assert normalize("関数。 \x1f を", marks=True) == "関数。\x1f を"
    assert normalize("日本 \x1f 語", marks=True) == "日本 \x1f 語"
    assert normalize("これは，本文，です。\x1f，と", marks=True) == "これは、本文、です。\x1f，と"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("本文。 Apache\r\n次\n\n\n\n　次の  段落", "本文。Apache\n次\n\n次の 段落"),
        ("# ＡＢＣ #\n本文\n====\n", "# ABC\n\n# 本文"),
        ("- ａ\n\n\n- b\n  -  ｃ\n本文", "- a\n- b\n  -  c\n     本文"),
        ("- ａ\n\n  段　落\n\n  ```\n  Ａ  x\n  ```\n- b",
         "- a\n\n  段　落\n\n  ```\n  Ａ  x\n  ```\n\n- b"),
        ("```py\nＡ　 \xa0\tx\x00\n\n\n  y\n```", "```py\nＡ　 \xa0\tx\n\n\n  y\n```"),
        ("関数。 `a  Ｂ`  と $x  y$", "関数。`a  Ｂ` と $x  y$"),
        ("ａ|b\n-|:-:\n１||\nx|`p  q`", "| a | b |\n| --- | :---: |\n| 1 |  |\n| x | `p  q` |"),
        ("> ａ\n>\n>\n> ```\n>   Ａ\n>\n>\n> ```\n> - ｂ\n>   - c",
         "> a\n>\n> ```\n>   Ａ\n>\n>\n> ```\n> - b\n>   - c"),
        ("$$\nx  Ａ\n$$\n本文", "$$\nx  Ａ\n$$\n\n本文"),
        # Dollars that are no formula are escaped where the plain view would take them for one.
        ("$a = 1;\n$b = $c[1];", "$a = 1;\n$b = $c[1];"),
        ("`$x` \"$foo\" か \"$bar\" か 5$", "`$x` \"\\$foo\" か \"\\$bar\" か 5$"),
        ("$x$ か $価格$ か $\\text{価格}$", "$x$ か \\$価格$ か $\\text{価格}$"),
        ("- ```sh\n  ls\n  ```", "-\n  ```sh\n  ls\n  ```"),
        ("\u200b\n\n本文\n\n\u200b", "本文"),
        ("A\x1e\x1fB\n\n`\x1e`C", "AB\n\n``C"),
        # What the steps uncover begins no block.
        ("１. はじめに", "1\\. はじめに"),
        ("　# 題\n　- a\n　> b\n\u200b---", "\\# 題\n\\- a\n\\> b\n\\---"),
        ("　```\nx\n　```", "\\```\nx\n　```"),
        ("本文\n        # x", "本文\n\\# x"),
        ("本文\n2. x\n=a", "本文\n2. x\n=a"),
    ],
)  # fmt: skip
def test_texts_with_blocks_by_example(before: str, after: str) -> None:
    text, blocks = of_markdown(before)
    assert text == after
    assert [KINDS[k] for k in blocks.spans[:, KIND]] == [
        KINDS[k] for k in read(after).spans[:, KIND]
    ]


@given(st.text(st.sampled_from(ANY), max_size=80))
def test_what_is_normalised_is_read_again_as_the_same(text: str) -> None:
    once, blocks = of_markdown(text)
    spans = blocks.spans[:, : END + 1].tolist()
    assert [once[a:z] for a, z in spans] == [part for part in (once[a:z] for a, z in spans) if part]
    ends, starts = [0, *(z for _, z in spans)], [*(a for a, _ in spans), len(once)]
    for k, (end, start) in enumerate(zip(ends, starts, strict=True)):
        inner = 0 < k < len(spans)
        assert once[end:start] in (("\n", "\n\n") if inner else ("",))
    again, same = of_markdown(once)
    assert again == once and (same.spans == blocks.spans).all()


PROSE = st.text("あ漢、。ー「」　 aZ9ａ１・：\u200b", max_size=20)


@given(st.lists(PROSE, max_size=8))
def test_the_plain_view_of_prose_is_the_normalised_prose(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert plain_text(*of_markdown(text)) == normalize(text)


@pytest.mark.parametrize(
    "path", sorted([*(REPO / "docs").glob("*.md"), *REPO.glob("*.md")]), ids=lambda p: p.name
)
def test_code_of_real_markdown_stays_byte_for_byte(path: Path) -> None:
    before = path.read_text("utf-8")
    blocks = read(before)
    text, after = normalize_blocks(before, blocks)
    verbatim = [KINDS.index("code"), KINDS.index("formula")]
    assert [text[s[START] : s[END]] for s in after.spans if s[KIND] in verbatim] == [
        before[s[START] : s[END]] for s in blocks.spans if s[KIND] in verbatim
    ]
    assert [KINDS[k] for k in after.spans[:, KIND]] == [KINDS[k] for k in blocks.spans[:, KIND]]
    assert (read(text).spans == after.spans).all()
