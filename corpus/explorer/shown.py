"""How text from strangers is shown: nothing unseen, nothing that acts, nothing without an end."""

from __future__ import annotations

import difflib
import re
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

RENDERED = 60_000  # characters of Markdown that are rendered
LISTED = 200_000  # characters of a text that are listed block by block
LINES = 2_000  # of each text of a difference
# Controls, marks of direction, and what has no width: shown by number, so that nothing is reordered
# or hidden (Unicode TR 36, 2.10).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e0fff]"
)


def shown(value: Any) -> str:
    """The value with every unseen character as its number."""
    return _UNSEEN.sub(lambda match: f"⟦U+{ord(match[0]):04X}⟧", str(value))


def rendered(text: str) -> Markup:
    """Markdown as HTML: no raw HTML, no images, links that tell nothing about where they stood."""
    reader = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable("table")
    reader.disable(["image", "html_block", "html_inline"])
    tokens = reader.parse(shown(text[:RENDERED]))
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                child.attrSet("rel", "noreferrer nofollow noopener")
                child.attrSet("title", str(child.attrGet("href") or ""))
    return Markup(reader.renderer.render(tokens, reader.options, {}))


def blocks_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(kind, text) of the blocks of a document, up to LISTED characters."""
    text = row["text"][:LISTED]
    found = [
        (block["kind"], text[block["start"] : block["end"]])
        for block in row["blocks"] or []
        if block["start"] < len(text)
    ]
    return found or [("text", text)]


def difference(one: str, other: str) -> list[tuple[str, str]]:
    """(same, gone or new; line) from one text to the other; long runs of the same are cut."""
    a, b = one.split("\n")[:LINES], other.split("\n")[:LINES]
    out: list[tuple[str, str]] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, False).get_opcodes():
        if tag == "equal":
            lines = a[i:j]
            cut = len(lines) > 6
            out += [("same", line) for line in (lines[:3] if cut else lines)]
            if cut:
                out.append(("cut", str(len(lines) - 6)))
                out += [("same", line) for line in lines[-3:]]
            continue
        out += [("gone", line) for line in a[i:j]] + [("new", line) for line in b[k:m]]
    return out
