"""Random Markdown documents made of blocks, and what a renderer makes of a text."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from corpus.text.blocks import END, KIND, KINDS, LEVEL, START, Blocks
from corpus.text.escape import escaped

Block = tuple[str, int, str]  # kind, level, Markdown
SIGNS = st.text("あ漢1。*_`$\\-#>.|[]()<&;~=+ab {}:!", min_size=1, max_size=8)
WORDS = st.sampled_from(
    ["あいう", "設定の手順です。", "}", "- 一", "3. x", "#", "a_b", "== ==", "本文、"]
)
PROSE = st.one_of(WORDS, SIGNS).map(lambda s: s.strip() or "あ")
INSIDE = st.sampled_from(["`a  b`", "`` x`y ``", "$x^2$", "`- z`"])


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """Lines of prose as Markdown, some with code or a formula inside."""
    out = []
    for _ in range(draw(st.integers(1, 3))):
        line = escaped(draw(PROSE))
        if draw(st.integers(0, 3)) == 0:
            line = f"{line} {draw(INSIDE)} {escaped(draw(PROSE))}"
        out.append(line)
    return out


@st.composite
def block(draw: st.DrawFn) -> Block:
    kind = draw(st.sampled_from(KINDS))
    if kind == "heading":
        level = draw(st.integers(1, 4))
        return kind, level, "#" * level + " " + draw(lines())[0]
    if kind == "item":
        mark = draw(st.sampled_from(["- ", "12. "]))
        return kind, 1, mark + ("\n" + " " * len(mark)).join(draw(lines()))
    if kind == "quote":
        return kind, 0, "\n".join(f"> {line}" for line in draw(lines()))
    if kind == "table":
        width = draw(st.integers(1, 3))
        rows = [
            [escaped(draw(st.one_of(PROSE, st.just(""))), True) for _ in range(width)]
            for _ in range(draw(st.integers(1, 4)))
        ]
        written = ["| " + " | ".join(row) + " |" for row in rows]
        return kind, 0, "\n".join([written[0], "|" + " --- |" * width, *written[1:]])
    if kind == "code":
        body = draw(st.lists(st.sampled_from(["}", "", "  if a:", "*x", "f();", "あ"]), max_size=4))
        return kind, 0, "\n".join(["```py", *body, "```"])
    if kind == "formula":
        return (
            kind,
            0,
            "$$\n" + draw(st.sampled_from(["x^2", r"\frac{a}{b}" + "\n\\cdot 1"])) + "\n$$",
        )
    return kind, 0, "---" if kind == "rule" else "\n".join(draw(lines()))


def joined(blocks: list[Block]) -> tuple[str, Blocks]:
    """The text of blocks, and their spans."""
    text, spans = "", []
    for k, (name, level, body) in enumerate(blocks):
        beside = name == "item" == blocks[k - 1][0] and body[:1] == blocks[k - 1][2][:1]
        text += "" if not k else "\n" if beside else "\n\n"
        spans.append([len(text), len(text) + len(body), KINDS.index(name), level, 0])
        text += body
    return text, Blocks(np.array(spans, np.int32).reshape(-1, 5))


documents = st.lists(block(), max_size=7).map(joined)


def check_spans(text: str, blocks: Blocks) -> None:
    """Spans follow each other, and line feeds alone stand between them."""
    at = 0
    for start, end in blocks.spans[:, START : END + 1].tolist():
        gap = text[at:start]
        assert start < end and gap == "\n" * len(gap) and (at > 0) == bool(gap)
        at = end
    assert at == len(text) or not len(blocks.spans)


def rendered(text: str) -> list[tuple[str, str]]:
    """(kind, what tells it from others) of the blocks that a renderer sees; formulas are text."""
    out: list[tuple[str, str]] = []
    within: list[str] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.nesting == 1:
            within.append(name)
            if name == "heading":
                out.append((name, token.tag[1:]))
            elif name in ("list_item", "blockquote", "tr") or within == ["paragraph"]:
                out.append((name, ""))
        elif token.nesting == -1:
            within.pop()
        elif token.type in ("fence", "code_block"):
            out.append(("fence", token.content))
        elif token.type != "inline":
            out.append((token.type, ""))
    return out


def said(text: str, blocks: Blocks) -> list[tuple[str, str]]:
    """What `rendered` must give, from the blocks."""
    out: list[tuple[str, str]] = []
    for span in blocks.spans:
        body, name = text[span[START] : span[END]], KINDS[span[KIND]]
        if name == "heading":
            out.append((name, str(span[LEVEL])))
        elif name == "item":
            out.append(("list_item", ""))
        elif name == "quote":
            out.append(("blockquote", ""))
        elif name == "table":
            out += [("tr", "")] * body.count("\n")
        elif name == "code":
            inside = body.split("\n")[1:-1]
            out.append(("fence", "".join(f"{line}\n" for line in inside)))
        else:
            out.append(("hr", "") if name == "rule" else ("paragraph", ""))
    return out
