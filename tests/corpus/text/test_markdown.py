"""Reading Markdown: the blocks of markdown-it-py, Japanese prose, hostile input.

Deviations from CommonMark are those that corpus/text/markdown.py lists.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.text.blocks import END, KIND, KINDS, LEVEL, START
from corpus.text.markdown import read
from corpus.text.normalize_blocks import of_markdown
from corpus.text.views import plain_text

REPO = Path(__file__).resolve().parents[3]
ORACLE = MarkdownIt("commonmark", {"html": False}).enable("table").disable("reference")
TOKENS = {
    "heading": "heading", "paragraph": "paragraph", "fence": "code", "code_block": "code",
    "hr": "rule", "table": "table", "blockquote": "quote",
}  # fmt: skip
Line = tuple[str, int, int, int]  # kind, level, first line, line behind the last


def expected(text: str) -> list[Line]:
    """The blocks of markdown-it, lists made flat: an item is its first paragraph."""
    lines = text.split("\n")
    found: list[list] = []
    depth, first, skip = 0, -1, None
    for token in ORACLE.parse(text):
        name = token.type.removesuffix("_open")
        if skip:
            skip = None if (token.type, token.level) == skip else skip
        elif name == "list_item":
            depth, first = depth + 1, len(found)
            found.append(["item", depth, token.map[0], token.map[0] + 1])
        elif name == "list_item_close":
            depth, first = depth - 1, -1
        elif name in TOKENS and token.map:
            start, end = token.map
            while end > start and not lines[end - 1].strip(" \t"):
                end -= 1
            if name == "paragraph" and 0 <= first == len(found) - 1 and found[first][2] == start:
                found[first][3] = end
                continue
            if name in ("table", "blockquote"):
                skip = (f"{name}_close", token.level)
            level = int(token.tag[1]) if name == "heading" else 0
            found.append([TOKENS[name], level, start, end])
    return [tuple(block) for block in found]


def lines_of(text: str) -> list[Line]:
    found = []
    for span in read(text).spans.tolist():
        first = text.count("\n", 0, span[START])
        last = first + text.count("\n", span[START], span[END])
        found.append((KINDS[span[KIND]], span[LEVEL], first, last + 1))
    return found


def kinds_of(text: str) -> list[str]:
    return [KINDS[kind] for kind in read(text).spans[:, KIND]]


@pytest.mark.parametrize(
    "path", sorted([*(REPO / "docs").glob("*.md"), *REPO.glob("*.md")]), ids=lambda p: p.name
)
def test_real_markdown_has_the_blocks_of_markdown_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert lines_of(text) == expected(text)


WORDS = st.sampled_from(
    ["本文です。", "foo", "日本語 text", "a|b", "#x", "-x", "1.x", "2. x", "`c`"]
)
PIECES = st.sampled_from(
    [
        "\n", "\n", "\n\n", "# ", "### ", "- ", "* ", "1. ", "2) ", "10. ", "  ", "    ", "\t",
        "```\n", "~~~\n", "````py\n", "```", "| a | b |\n| --- | :-: |\n", "|---|\n", "| 1 | |\n",
        "---\n", "***\n", "- - -\n", "> a\n\n", "題\n===\n", "題\n---\n", "本文です。", "foo",
        "a|b", "#", "`c`", "題", "2. x",
    ]
)  # fmt: skip


def deviates(text: str) -> bool:
    """Whether the generated text has what corpus/text/markdown.py reads otherwise."""
    wanted = expected(text)
    lines = text.split("\n")
    for token in ORACLE.parse(text):  # an underlined title of several lines, or a sentence
        if token.type == "heading_open" and token.markup in ("=", "-"):
            first, last = token.map
            if last - first > 2 or lines[first].rstrip().endswith("。"):
                return True
    for item, after in zip(wanted, wanted[1:], strict=False):  # a block on the line of the sign
        if item[0] == "item" and after[2] == item[2]:
            return True
    for kind, _, first, last in wanted:
        if kind == "code" and "。" in "\n".join(lines[first:last]):
            return True
        # markdown-it takes a lazy line of an item that is indented by four blanks for code
        if (
            kind == "code"
            and first
            and lines[first].startswith(("    ", "\t"))
            and lines[first - 1]
        ):
            return True
    return "$$" in text


@given(st.lists(PIECES, max_size=25).map("".join))
def test_generated_markdown_has_the_blocks_of_markdown_it(text: str) -> None:
    if not deviates(text):
        assert lines_of(text) == expected(text)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("一行目。\n二行目。\n\n次の段落。", ["paragraph", "paragraph"]),
        ("　全角の字下げ。\n　　\n　　　　まだ本文。", ["paragraph", "paragraph"]),
        ("説明:\n\n    int x;\n\n    int y;\n\n終わり", ["paragraph", "code", "paragraph"]),
        ("    これは字下げされた文章です。\n\n    次の文章です。", ["paragraph", "paragraph"]),
        ("本文の一行目。\n---\n次", ["paragraph", "rule", "paragraph"]),
        ("一行目\n二行目\n===\n次", ["paragraph", "paragraph"]),
        ("題\n---\n本文", ["heading", "paragraph"]),
        ("> 引用\n返信の文", ["quote", "paragraph"]),
        ("- 手順\n\n  続き\n\n  ```sh\n  ls\n  ```\n- 次", ["item", "paragraph", "code", "item"]),
        ("- ```sh\n  ls\n  ```", ["item", "code"]),
        ("式\n$$\nx^2\n$$\n次", ["paragraph", "formula", "paragraph"]),
        ("$$x^2$$\n\\[ y = 1 \\]\n\\[注\\]", ["formula", "formula", "paragraph"]),
        ("\\begin{align*}\na &= b\n\\end{align*}", ["formula"]),
        ("\\begin{align}\na\n\\end{gather}", ["paragraph"]),
        ("$$ は記号\n次の行", ["paragraph"]),
        ("| 名前 | 値 |\n| --- | --- |\n| 甲 | |", ["table"]),
        ("| 名前 | 値 |\n| --- |\n", ["paragraph"]),
        ("```\n閉じない\n\n# 中", ["code"]),
        ("\ufeff# 題", ["heading"]),
        ("", []),
        ("\n　\n", []),
    ],
)
def test_blocks_by_example(text: str, kinds: list[str]) -> None:
    assert kinds_of(text) == kinds


def test_languages_are_the_first_word_behind_the_fence() -> None:
    blocks = read(
        "```Python title=x\na\n```\n\n~~~ c++\nb\n~~~\n\n```\nc\n```\n\n```python\nd\n```"
    )
    assert [(*blocks.languages, "")[code - 1] for code in blocks.spans[:, -1]] == [
        "python", "c++", "", "python",
    ]  # fmt: skip


def test_levels_of_items_are_their_depths() -> None:
    text = "- a\n  1. b\n     - c\n  2. d\n- e\n\n本文\n- f"
    blocks = read(text).spans
    assert [s[LEVEL] for s in blocks if KINDS[s[KIND]] == "item"] == [1, 2, 3, 2, 1, 1]


PROSE = st.text("あ漢、。ー「」　aZ 9・：！？（）％", min_size=1, max_size=30).map(str.strip)
LINES = st.lists(st.one_of(PROSE, st.just("")), max_size=12).filter(any)


@given(LINES)
def test_the_plain_view_of_prose_is_the_prose_without_blank_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    blocks = read(text)
    assert plain_text(text, blocks) == "\n".join(line for line in lines if line)
    assert set(kinds_of(text)) <= {"paragraph"}


SIGNS = "あa1 \t\n\n-*+#>|:=_~`$\\[]{}.)　"


@given(st.text(SIGNS, max_size=120))
def test_spans_cover_all_but_blank_lines(text: str) -> None:
    spans = read(text).spans.tolist()
    ends = [0, *(span[END] for span in spans)]
    starts = [*(span[START] for span in spans), len(text)]
    for end, start in zip(ends, starts, strict=True):
        assert end <= start and not text[end:start].strip(" \t\n　")
    assert all(text[span[START] : span[END]].strip() for span in spans)


@pytest.mark.parametrize(
    "line",
    [
        "- ", "> ", "```", "~~~x\n", "$$", "$$\n", "\\[\n", "\\begin{align}\n", "|a|\n|-|\n", "*",
        "#", "    本。\n\n", "    a\n\n", "=\n", "1.\n", "`", "$", "\\", "- a\n", "| ", "|-",
        "- - ", "\t", "a|b\n---|---|---\n", "  - a\n    - b\n", "> ```\n", "[", "- ```\n", "$a ",
        "$a\n", "$a$b", "`a ``b", "# a #", "\\$", "> > ", "１. ", "　- a\n", "\n> - a",
    ],
)  # fmt: skip
def test_hostile_text_of_any_length_is_read(line: str) -> None:
    """A search that is not linear takes minutes here: the run is the test."""
    text = line * (1_000_000 // len(line)) + "x$"
    written, blocks = of_markdown(text)
    assert len(blocks.spans) and len(plain_text(written, blocks)) <= len(written) + len(text)
