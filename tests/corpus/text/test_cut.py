"""Cutting keeps spans true, Markdown valid, and takes from the plain view what was to go."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_texts import check_spans, documents, rendered, said

from corpus.text import cut, views
from corpus.text.blocks import KIND, KINDS, Blocks, kind, to_arrow
from corpus.text.cut import LINE_BLOCK, LINE_SIGN

Document = tuple[str, Blocks]


def plain_lines(text: str, blocks: Blocks) -> list[str]:
    """The plain text of every line of `lines_of`, by views of one block at a time."""
    out = []
    lines = cut.lines_of(text, blocks)
    for k, span in enumerate(blocks.spans):
        own = Blocks(span[None] - [span[0], span[0], 0, 0, 0])
        plain = views.plain_text(text[span[0] : span[1]], own)
        signs = lines[lines[:, LINE_BLOCK] == k, LINE_SIGN] == 1
        whole = span[KIND] in (kind.heading, kind.formula)
        left = iter([plain] if whole else plain.split("\n"))
        out += ["" if sign else next(left, "") for sign in signs]
    return out


def squeezed(text: str) -> list[str]:
    """Lines without blanks at their starts, and without empty ones."""
    return [line for line in (line.lstrip(" \t") for line in text.split("\n")) if line.strip()]


def same_rendering(text: str, blocks: Blocks) -> None:
    assert rendered(text) == said(text, blocks)


@settings(max_examples=200)
@given(documents)
def test_the_documents_are_what_a_renderer_sees(document: Document) -> None:
    check_spans(*document)
    same_rendering(*document)
    lines = plain_lines(*document)
    assert squeezed("\n".join(lines)) == squeezed(views.plain_text(*document))


@settings(max_examples=300)
@given(documents, st.randoms(use_true_random=False))
def test_lines_go(document: Document, random) -> None:
    text, blocks = document
    lines = cut.lines_of(text, blocks)
    gone = np.array([random.random() < 0.4 for _ in lines], bool)
    new, left = cut.without_lines(text, blocks, lines, gone)
    check_spans(new, left)
    same_rendering(new, left)
    # A table's header stays while a row of it does.
    expected = []
    for k, line in enumerate(plain_lines(text, blocks)):
        own = lines[:, LINE_BLOCK] == lines[k, LINE_BLOCK]
        header = blocks.spans[lines[k, LINE_BLOCK], KIND] == kind.table and own.argmax() == k
        if not gone[k] or (header and not gone[own][1:].all()):
            expected.append(line)
    assert squeezed(views.plain_text(new, left)) == squeezed("\n".join(expected))


@st.composite
def passages(draw: st.DrawFn) -> tuple[Document, list[tuple[int, int]]]:
    document = draw(documents)
    size = len(views.plain_text(*document))
    ends = sorted(draw(st.sets(st.integers(0, size), max_size=6)))
    return document, list(zip(ends[::2], ends[1::2], strict=False))


@settings(max_examples=400)
@given(passages())
def test_passages_go(given: tuple[Document, list[tuple[int, int]]]) -> None:
    (text, blocks), spans = given
    new, left = cut.without_spans(text, blocks, spans)
    check_spans(new, left)
    same_rendering(new, left)
    # Prose: exactly the letters that were not to go; the rest: lines that were there.
    hidden = np.zeros(len(views.plain_text(text, blocks)), bool)
    for start, end in spans:
        hidden[start:end] = True
    view, where = cut._where(text, blocks, True)
    expected = ""
    for (at, end), span in zip(where.tolist(), blocks.spans, strict=True):
        if views.PROSE_KINDS[span[KIND]]:
            kept = [c for c, h in zip(view[at:end], hidden[at:end], strict=True) if not h]
            expected += "".join(c for c in kept if c.isalnum())
    prose = views.plain_text(new, left, views.PROSE_KINDS) if len(left.spans) else ""
    assert "".join(c for c in prose if c.isalnum()) == expected
    others = set(squeezed("\n".join(plain_lines(text, blocks))))
    assert set(squeezed(views.plain_text(new, left, ~views.PROSE_KINDS))) <= others or not new


@settings(max_examples=200)
@given(passages())
def test_a_text_without_signs_is_cut_alike(given: tuple[Document, list[tuple[int, int]]]) -> None:
    document, spans = given
    bare, bare_blocks = views.plain_blocks(*document)
    new, left = cut.without_spans(*document, spans)
    short, short_blocks = cut.without_spans(bare, bare_blocks, spans, signed=False)
    check_spans(short, short_blocks)
    assert squeezed(short) == squeezed(views.plain_text(new, left)) or not len(bare_blocks.spans)


@settings(max_examples=200)
@given(documents, st.booleans())
def test_lines_of_prose_stand_in_the_order_of_lines(document: Document, signed: bool) -> None:
    text, blocks = document if signed else views.plain_blocks(*document)
    columns = {"text": [text], "blocks": to_arrow([blocks])}
    columns["format"] = ["markdown" if signed else "plain"]
    got = cut.prose_lines(pa.record_batch(columns))[0].as_py().split("\n")
    lines = cut.lines_of(text, blocks)
    assert len(got) == len(lines)
    for line, row in zip(got, lines, strict=True):
        if not len(blocks.spans):
            continue
        if not views.PROSE_KINDS[blocks.spans[row[LINE_BLOCK], KIND]]:
            assert line == ""
        elif not signed:
            assert line == text[row[0] : row[1]]
    if signed and len(blocks.spans):
        prose = views.plain_text(text, blocks, views.PROSE_KINDS)
        assert squeezed("\n".join(got)) == squeezed(prose)


def document(*blocks: tuple[str, int, str]) -> Document:
    from markdown_texts import joined

    return joined(list(blocks))


def without(document: Document, *numbers: int) -> Document:
    lines = cut.lines_of(*document)
    gone = np.isin(np.arange(len(lines)), numbers)
    return cut.without_lines(*document, lines, cut.with_headings(document[1], lines, gone))


def test_a_heading_goes_with_the_last_line_under_it() -> None:
    page = document(
        ("heading", 1, "# 題"), ("heading", 2, "## 甲"), ("paragraph", 0, "一"), ("rule", 0, "---"),
        ("heading", 3, "### 乙"), ("code", 0, "```\n}\n```"), ("heading", 2, "## 丙"),
        ("item", 1, "- 二\n  三"), ("heading", 2, "## 丁"),
    )  # fmt: skip
    assert without(page, 2)[0] == page[0].replace("一\n\n", "")
    assert without(page, 2, 6)[0] == "# 題\n\n## 丙\n\n- 二\n  三\n\n## 丁"
    assert without(page, 9, 10)[0] == page[0].replace("## 丙\n\n- 二\n  三\n\n", "")
    assert without(page, 9)[0] == page[0].replace("二\n  ", "")
    kinds = [KINDS[k] for k in without(page, 2, 6)[1].spans[:, KIND]]
    assert kinds == ["heading", "heading", "item", "heading"]


def test_items_stay_one_list_and_tables_keep_their_header() -> None:
    page = document(
        ("item", 1, "1. 一"), ("item", 1, "1. 二"), ("item", 1, "1. 三"),
        ("table", 0, "| 甲 | 乙 |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |"),
    )  # fmt: skip
    assert without(page, 1)[0].startswith("1. 一\n1. 三\n\n| 甲")
    assert without(page, 3, 4)[0].endswith("| 甲 | 乙 |\n| --- | --- |\n| 3 |  |")
    assert without(page, 3, 4, 5)[0] == "1. 一\n1. 二\n1. 三"


def test_signs_leave_with_what_they_mark() -> None:
    page = document(("item", 1, r"- 前 `a b` と \*後"), ("paragraph", 0, "あ - い $x$ う"))
    assert views.plain_text(*page) == "前 a b と *後\nあ - い x う"
    whole = cut.without_spans(*page, [(2, 6)])
    assert whole[0].split("\n")[0] == r"- 前 と \*後"
    assert cut.without_spans(*page, [(0, 4)])[0].startswith(r"- b と \*後")
    assert cut.without_spans(*page, [(11, 13)])[0].endswith(r"\- い $x$ う")


def test_what_replaces_text_of_two_blocks_stands_in_the_first() -> None:
    page = document(("paragraph", 0, "電話 03-1"), ("item", 1, "- 234 番"), ("item", 1, "- 五"))
    new, left = cut.replaced(*page, [(3, 14, "〈電話〉")])
    assert new == "電話 〈電話〉\n\n-  番\n- 五"
    check_spans(new, left)
    new, left = cut.replaced(*page, [(3, 16, "〈電話〉"), (17, 20, "")])
    assert new == "電話 〈電話〉" and len(left.spans) == 1
