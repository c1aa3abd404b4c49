"""Personal data in Markdown: what stands in the plain view goes, and the blocks stay true."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text.blocks import END, KINDS, START, Blocks
from corpus.text.escape import escaped
from corpus.text.mask import masked, put
from corpus.text.views import plain_text
from filters.personal import PLACEHOLDERS, find

PHONE = "03-3581-0123"
HIDDEN = PLACEHOLDERS["phone"]
PROSE = st.text(alphabet="電話は日本 a1.-#>*_|`$\\[]()&;<!~+=:", max_size=12)


def joined(parts: list[tuple[str, str]]) -> tuple[str, Blocks]:
    """(kind, Markdown) of blocks as a text with its blocks."""
    spans, text = [], ""
    for kind, body in parts:
        text += "\n\n" if text else ""
        level = 1 if kind in ("heading", "item") else 0
        spans.append([len(text), len(text) + len(body), KINDS.index(kind), level, 0])
        text += body
    return text, Blocks(np.array(spans, np.int32).reshape(-1, 5))


def hidden(text: str, blocks: Blocks, signed: bool = True) -> tuple[str, Blocks]:
    view = plain_text(text, blocks) if signed else text
    edits = [(f.begin, f.end, PLACEHOLDERS[f.kind]) for f in find(view)]
    return masked(text, blocks, signed, edits)


def check(text: str, blocks: Blocks) -> None:
    """Spans follow each other, and between them stand line feeds only."""
    at = 0
    for start, end in blocks.spans[:, [START, END]].tolist():
        assert at <= start < end and not text[at:start].strip("\n")
        at = end
    assert not text[at:].strip("\n")


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("paragraph", f"電話は{PHONE}です\\*。", f"電話は{HIDDEN}です\\*。"),
        ("paragraph", f"電話は`{PHONE}`です。", f"電話は`{HIDDEN}`です。"),
        ("paragraph", f"\\*電話\\* `a  b` {PHONE}", f"\\*電話\\* `a  b` {HIDDEN}"),
        # a code span of which nothing would be left becomes prose
        ("paragraph", "電話は03-`3581`-0123です。", f"電話は{HIDDEN}です。"),
        ("heading", f"## 電話 {PHONE}", f"## 電話 {HIDDEN}"),
        ("item", f"- {PHONE}\n  本社", f"- {HIDDEN}\n  本社"),
        ("item", "12. `a` 03-`3581`-0123\n    本社", f"12. a {HIDDEN}\n    本社"),
        ("quote", f"> 電話は\n> {PHONE}", f"> 電話は\n> {HIDDEN}"),
        ("code", f"```py\n  call('{PHONE}')\n```", f"```py\n  call('{HIDDEN}')\n```"),
        (
            "table",
            f"| 名 | 電話 |\n| --- | --- |\n|  | {PHONE} \\| a |",
            f"| 名 | 電話 |\n| --- | --- |\n|  | {HIDDEN} \\| a |",
        ),
        (
            "table",
            "| 電話 | 03-`3581`-0123 |\n| --- | --- |\n|  | a\\|b |",
            f"| 電話 | {HIDDEN} |\n| --- | --- |\n|  | a\\|b |",
        ),
        # one finding over two cells is hidden in both
        (
            "table",
            "| ゆうちょ 記号12345 | 番号1234567 |\n| --- | --- |",
            "| ゆうちょ 〈口座番号〉 | 〈口座番号〉 |\n| --- | --- |",
        ),
    ],
)
def test_what_is_masked_in_each_kind_of_block(kind: str, before: str, after: str) -> None:
    text, blocks = joined([("paragraph", "前"), (kind, before), ("paragraph", "後")])
    new, moved = hidden(text, blocks)
    assert new == f"前\n\n{after}\n\n後"
    check(new, moved)
    assert [new[a:z] for a, z in moved.spans[:, [START, END]].tolist()] == ["前", after, "後"]


def test_a_text_of_the_format_plain_has_no_signs_to_mind() -> None:
    text = f"電話は`{PHONE}`\n| {PHONE} |"
    blocks = Blocks(np.array([[0, 17, 0, 0, 0], [18, len(text), 3, 0, 0]], np.int32))
    new, moved = hidden(text, blocks, signed=False)
    assert new == f"電話は`{HIDDEN}`\n| {HIDDEN} |"
    check(new, moved)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Blocks]:
    """Escaped prose with telephones, some of it in backticks, in blocks of every kind."""
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(KINDS[:-1]))
        pieces = []
        for _ in range(draw(st.integers(1, 4))):
            phone = draw(st.sampled_from(["", PHONE, "03-`3581`-0123", f"`{PHONE}`"]))
            pieces.append(escaped(draw(PROSE).strip(), kind == "table") + phone)
        lines = [line.strip() for line in pieces if line.strip()] or ["語"]
        parts.append((kind, written(kind, lines)))
    return joined(parts)


def written(kind: str, lines: list[str]) -> str:
    if kind == "heading":
        return f"# {lines[0]}"
    if kind == "item":
        return "- " + "\n  ".join(lines)
    if kind == "quote":
        return "\n".join(f"> {line}" for line in lines)
    if kind == "table":
        row = f"| {' | '.join(lines)} |"
        return f"{row}\n|{' --- |' * len(lines)}\n{row}"
    if kind == "code":
        return "\n".join(["~~~~~~~~~~~~~~~~", *lines, "~~~~~~~~~~~~~~~~"])
    return "$$\nx\n$$" if kind == "formula" else "\n".join(lines)


@given(documents())
def test_the_view_of_a_masked_text_is_the_masked_view(document: tuple[str, Blocks]) -> None:
    text, blocks = document
    view = plain_text(text, blocks)
    edits = [(f.begin, f.end, PLACEHOLDERS[f.kind]) for f in find(view)]
    new, moved = masked(text, blocks, True, edits)
    check(new, moved)
    assert plain_text(new, moved) == put(view, edits)
    assert len(moved.spans) == len(blocks.spans)
