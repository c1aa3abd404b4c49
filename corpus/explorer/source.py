"""The raw page behind a document: its record, read again from the input.

Only files that the build's plan names are opened. What a browser is given of it has lost everything
that acts or fetches; the headers of `corpus.explorer.app` forbid the same once more.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pyarrow as pa
from selectolax.lexbor import LexborHTMLParser

from corpus import config
from corpus.folder.layout import Layout
from corpus.folder.schema import DOCUMENT, document_id
from corpus.sources.item import Item, Unit
from corpus.sources.kinds import items_of
from corpus.sources.plan import as_planned
from corpus.stages.clean import plain_view
from corpus.stages.document import Reject, document
from corpus.text.views import plain_of
from corpus.web.charset import decode, gate
from corpus.web.html.document import parse

FATES = ("kept", "later", "removed")
SECONDS = 5.0  # a record is looked for in its unit
LONGEST = 2 << 20  # characters of a page that are shown
ACTS = ",".join(
    ("script", "link", "meta", "base", "iframe", "frame", "frameset", "object", "embed", "applet",
     "portal", "form", "template", "svg", "math", "audio", "video", "source", "track", "img",
     "picture", "noscript", "animate", "set", "foreignObject", "dialog")
)  # fmt: skip
FETCHES = ("href", "src", "srcset", "action", "formaction", "background", "poster", "data", "ping",
           "xlink:href", "srcdoc", "cite", "longdesc", "manifest", "target", "autofocus",
           "contenteditable", "popover")  # fmt: skip


def record(layout: Layout, row: dict[str, Any]) -> Item | None:
    """The item of a document, read again; None where its input is not there any more."""
    settings, _ = config.of_folder(layout)
    ends = time.monotonic() + SECONDS
    for unit in as_planned(layout):
        if not _holds(unit, row):
            continue
        try:
            for item in items_of(_narrowed(unit, row), settings):
                if document_id(item.identity, item.offset, item.part) == row["id"]:
                    return item
                if time.monotonic() > ends:
                    return None
        except Exception:  # the file is gone, or another one
            return None
    return None


def _holds(unit: Unit, row: dict[str, Any]) -> bool:
    offset = row["source_offset"]
    ends = unit.end < 0 or offset < unit.end
    ranged = len(unit.files) > 1 or (unit.start <= offset and ends)
    return row["source_file"] in unit.files and not unit.unread and ranged


def _narrowed(unit: Unit, row: dict[str, Any]) -> Unit:
    """The unit cut to the one record, where its kind is cut by bytes."""
    if len(unit.files) > 1:
        at = unit.files.index(row["source_file"])
        identities = unit.identities[at : at + 1]
        return dataclasses.replace(unit, files=(unit.files[at],), identities=identities)
    if unit.kind in ("warc", "jsonl"):
        offset = row["source_offset"]
        return dataclasses.replace(unit, start=offset, end=offset + 1)
    return unit


def decoded(item: Item) -> str:
    """The page's markup, or the text, as it was read."""
    body = item.html if item.html is not None else item.plain
    if body is None:
        return (item.text or "")[:LONGEST]
    if item.charset:
        return decode.decode_as(body, item.charset)[0][:LONGEST]
    found = decode.decode(body, item.headers.get("content-type", ""), gate.evidence(body))
    return found.text[:LONGEST]


def harmless(markup: str) -> str:
    """The page without what acts or fetches: to be shown in a frame that forbids both."""
    tree = LexborHTMLParser(markup)
    for node in tree.css(ACTS):
        node.decompose()
    for node in tree.css("*"):
        for name in list(node.attributes):
            low = name.lower()
            if low.startswith("on") or low in FETCHES:
                del node.attrs[name]
            elif low == "style":
                node.attrs[name] = _quiet_style(node.attributes[name] or "")
    for node in tree.css("style"):
        node.decompose()
    return tree.html or ""


def _quiet_style(style: str) -> str:
    """A style attribute that fetches nothing and covers nothing."""
    low = style.lower()
    return (
        "" if any(word in low for word in ("url", "\\", "position", "image-set", "/*")) else style
    )


def lines(item: Item, row: dict[str, Any], layout: Layout) -> list[tuple[str, str]]:
    """(fate, line) of what a reader of the raw page sees, in its order.

    fate: kept; later: it was extracted and then removed by a rule that the ledger names; removed:
    it was not taken as main text.
    """
    settings, _ = config.of_folder(layout)
    seen = "\n".join(parse(decoded(item)).block_texts()) if item.html is not None else decoded(item)
    kept = _keys(plain_of(pa.Table.from_pylist([row], _TEXT))[0].as_py())
    again = document(dataclasses.replace(item), settings)
    first = kept if isinstance(again, Reject) else _keys(plain_view(again))
    out = []
    for line in seen.split("\n"):
        text = " ".join(line.split())
        if text:
            fate = "kept" if _in(text, kept) else "later" if _in(text, first) else "removed"
            out.append((fate, text))
    return out


_TEXT = pa.schema([DOCUMENT.field(name) for name in ("text", "blocks", "format")])


def _keys(plain: str) -> tuple[frozenset[str], str]:
    """(lines without white space, the whole so) of a plain view, to look lines up in."""
    found = ["".join(line.split()) for line in plain.split("\n")]
    return frozenset(found), "".join(found)


def _in(line: str, keys: tuple[frozenset[str], str]) -> bool:
    key = "".join(line.split())
    return key in keys[0] or (len(key) > 5 and key in keys[1])
