"""What the sections of the report are made of: words in both languages, tables, bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE

Heads = Sequence[tuple[str, str]]  # of a table: English, Japanese


def both(english: str, japanese: str) -> str:
    """Both languages; CSS shows one."""
    return f"<span class='en'>{english}</span><span class='ja' lang='ja'>{japanese}</span>"


def code(name: str) -> str:
    """An identifier, escaped; a line may break behind its underscores."""
    return escape(name).replace("_", "_<wbr>")


def safe(text: str) -> str:
    """Text of strangers: escaped, in one line, without unseen characters."""
    seen = "".join(c if c.isprintable() else " " for c in text)
    return escape(" ".join(seen.split()))


def stage(name: str) -> str:
    return both(code(name), code(names.stage(name, JAPANESE)))


def rule(name: str) -> str:
    """A rule's name with its meaning as a hint."""
    if not name:
        return both("others", "ほか")
    hint = escape(f"{names.meaning(name, ENGLISH)} / {names.meaning(name, JAPANESE)}")
    words = both(code(names.called(name, ENGLISH)), code(names.called(name, JAPANESE)))
    return f"<span title='{hint}'>{words}</span>"


def share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


class Bar:
    """A share from 0 to 1 as a bar."""

    def __init__(self, part: float, whole: float) -> None:
        self.share = part / whole if whole else 0.0

    def __str__(self) -> str:
        return (
            "<svg viewBox='0 0 100 10' preserveAspectRatio='none' aria-hidden='true'>"
            f"<rect width='{self.share * 100:.2f}' height='10' rx='1'/></svg>"
        )


def table(heads: Heads, rows: Iterable[Sequence[Any]], label: str) -> str:
    """A table; numbers right, a `Bar` as a bar. Nothing without rows.

    A whole number is written with commas, a float with at most three digits behind the point.
    """
    rows = list(rows)
    if not rows:
        return ""
    numeric = [isinstance(rows[0][i], int | float) for i in range(len(heads))]
    body = "</tr><tr>".join("".join(map(_cell, row)) for row in rows)
    head = "".join(
        f"<th scope='col'{' class=n' if right else ''}>{both(*pair)}</th>"
        if pair[0]
        else "<td></td>"
        for pair, right in zip(heads, numeric, strict=True)
    )
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(label)}'><table>"
        f"<thead><tr>{head}</tr></thead><tbody><tr>{body}</tr></tbody></table></div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, Bar):
        return f"<td class='bar'>{value}</td>"
    if isinstance(value, int | float):
        return f"<td class='n'>{value:,}</td>"
    return f"<td>{value}</td>"


def counted(english: str, japanese: str, rows: Iterable[tuple[str, int]]) -> str:
    """A heading and a table of documents, with bars. Nothing without rows."""
    listed = list(rows)
    most = max((count for _, count in listed), default=0)
    body = [(name, count, Bar(count, most)) for name, count in listed]
    heads = (("", ""), ("documents", "文書数"), ("", ""))
    return titled(english, japanese, table(heads, body, english))


def titled(english: str, japanese: str, content: str) -> str:
    """A block with a heading, as `pairs` sets them beside each other; nothing without content."""
    return f"<div><h3>{both(english, japanese)}</h3>{content}</div>" if content else ""


def pairs(*blocks: str) -> str:
    """Blocks beside each other where there is room."""
    return f"<div class='pairs'>{''.join(blocks)}</div>" if any(blocks) else ""
