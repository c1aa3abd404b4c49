"""What a terminal is told of a takedown."""

from __future__ import annotations

from typing import Any

from corpus.errors import counted

SHOWN = 20  # rows that are listed


def as_text(facts: dict[str, Any]) -> str:
    """The facts of a removal for a terminal."""
    if "removed" not in facts:
        return _tokens_text(facts)
    verb = "would be removed" if facts["dry_run"] else "removed"
    lines = [f"{counted(len(facts['removed']), 'document')} {verb} from {facts['folder']}"]
    lines += [
        f"  {row['id']}  {row['url'] or ''}  by {row['by']}, was {row['was']}"
        for row in facts["removed"][:SHOWN]
    ]
    verb = "would be kept instead" if facts["dry_run"] else "kept instead"
    lines.append(f"{counted(len(facts['promoted']), 'copy', 'copies')} {verb}")
    lines += [f"  {row['id']}  {row['url'] or ''}" for row in facts["promoted"][:SHOWN]]
    lines += copies_lines(facts.get("copies", []))
    if "out" in facts:
        verb = "is" if facts["out"] == 1 else "are"
        out = f"{counted(facts['out'], 'document')} {verb} out of {facts['folder']}"
        lines.append(f"{out} altogether.")
    if parts := sum(index["sorted"] for index in facts.get("index", ())):
        lines.append(f"The index was sorted again without them: {counted(parts, 'part')}.")
    if not facts["removed"] and facts.get("named", True):
        later = "." if facts["dry_run"] else "; it will stay out when it comes."
        lines.append(f"Nothing there has that name{later}")
    return "\n".join(lines) + "\n" + _tokens_text(facts)


def copies_lines(copies: list[dict[str, Any]]) -> list[str]:
    """What is said of `copies_that_stay`; no line where there is none."""
    if not copies:
        return []
    stay = "copy under another name stays: remove it as well?"
    if len(copies) > 1:
        stay = "copies under other names stay: remove them as well?"
    rows = [
        f"  {row['id']}  {row['url'] or ''}  {row['similarity']:.2f} like {row['of']}"
        for row in copies[:SHOWN]
    ]
    more = len(copies) - len(rows)
    return [f"{len(copies):,} {stay}", *rows, *([f"  and {more:,} more"] if more else [])]


def _tokens_text(facts: dict[str, Any]) -> str:
    return "".join(
        f"{counted(row['removed'], 'document')} removed from the token shards {row['tokens']}\n"
        for row in facts.get("tokens", ())
    )
