"""`corpus find`: where a string stands in a build, for a terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import Any

from corpus import config
from corpus.errors import counted
from corpus.folder.layout import Layout
from corpus.index import Index
from corpus.text.escape import escaped
from corpus.text.normalize import normalize


def find(
    layout: Layout, text: str, documents: bool = False, limit: int = 10, context: int = 40
) -> dict[str, Any]:
    """Where a string stands: {folder, side, text, count, documents, hits, as_written}.

    count: places, overlapping ones too; documents: how many hold it, null where it stands very
    often; hits: the first `limit` places (corpus.index.Hit); as_written: {text, count} where it
    stands nowhere, and the corpus would write it in another way.
    """
    config.require_build(layout)
    index = Index(layout, documents)
    count = index.count(text)
    facts: dict[str, Any] = {
        "folder": str(layout),
        "side": index.side,
        "text": text,
        "count": count,
        "documents": index.documents(text),
        "hits": [asdict(hit) for hit in index.find(text, limit, context)],
        "as_written": None,
    }
    if not count:
        facts["as_written"] = _as_written(layout, index, text)
    return facts


def _as_written(layout: Layout, index: Index, text: str) -> dict[str, Any] | None:
    """How the corpus writes a string: its width and blanks, and a sign before what is none."""
    settings, _ = config.of_folder(layout)
    normal = normalize(text, tuple(settings.normalize.steps))
    for other in dict.fromkeys((normal, escaped(normal))):
        if other and other != text and (count := index.count(other)):
            return {"text": other, "count": count}
    return None


def as_text(facts: dict[str, Any]) -> str:
    """What a terminal is told: the count, then document by document the places."""
    side = "published shards" if facts["side"] == "corpus" else "harvested documents"
    count, number = facts["count"], facts["documents"]
    within = "" if number is None else f" in {counted(number, 'document')}"
    times = f"{counted(count, 'time')}{within}" if count else "nowhere"
    lines = [f"「{one_line(facts['text'])}」 stands {times}: {side} of {facts['folder']}"]
    if other := facts["as_written"]:
        lines.append(
            f"As the corpus writes it, 「{one_line(other['text'])}」, it stands "
            f"{counted(other['count'], 'time')}: look for that."
        )
    for _, group in groupby(facts["hits"], key=lambda hit: (hit["file"], hit["row"])):
        lines += _document(list(group))
    if count > len(facts["hits"]) > 0:
        lines.append(f"… the first {len(facts['hits']):,} of {count:,} places; --limit shows more")
    return "\n".join(lines) + "\n"


def _document(hits: list[dict[str, Any]]) -> list[str]:
    """A document with its places, each in its context."""
    first = hits[0]
    lines = ["", *about(first)]
    for hit in hits:
        before, after = one_line(hit["before"]), one_line(hit["after"])
        lines.append(f"  at {hit['position']:,}: …{before}【{one_line(hit['match'])}】{after}…")
    return lines


def about(row: dict[str, Any]) -> list[str]:
    """Two lines on a document: what it is, and where its record, its row and its text are."""
    title = f"  「{one_line(row['title'])}」" if row["title"] else ""
    dates = "".join(
        f", {word} {one_line(row[key])}"
        for key, word in (("date", "dated"), ("captured", "captured"))
        if row[key]
    )
    return [
        f"{one_line(row['url'] or row['source_file'])}{title}{dates}",
        f"  id {row['id']}  row {row['file']}:{row['row']}  "
        f"record {one_line(row['source_file'])}:{row['source_offset']}",
    ]


def one_line(text: str) -> str:
    """A text in one line, without what would move the cursor of a terminal."""
    return "".join(
        c if c.isprintable() or c == "\u3000" else "⏎" if c == "\n" else "·" for c in text
    )
