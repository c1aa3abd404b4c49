"""Tables on the terminal, and the same rows as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from rich.cells import cell_len

WIDTH = 80


def columns(rows: list[dict[str, Any]]) -> str:
    """Rows as plain aligned text, in no more than 80 columns and never cut: where that is too
    narrow a row is its first value with the others named below it."""
    if not rows:
        return ""
    table = [[str(cell) for cell in row] for row in (rows[0], *(r.values() for r in rows))]
    widths = [max(map(cell_len, column)) for column in zip(*table, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        return "\n".join(_record(row) for row in rows)
    lines = []
    for cells in table:
        spaces = [" " * (w - cell_len(c)) for w, c in zip(widths, cells, strict=True)]
        others = [space + cell for space, cell in zip(spaces[1:], cells[1:], strict=True)]
        lines.append("  ".join([cells[0] + spaces[0], *others]).rstrip())
    return "\n".join(lines) + "\n"


def _record(row: dict[str, Any]) -> str:
    (name, head), *others = row.items()
    words = [f"{key}\u00a0{value}".replace(" ", "\u00a0") for key, value in others]
    text = textwrap.fill(
        ", ".join(words),
        WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{name} {head}\n{text}\n".replace("\u00a0", " ")


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table with the keys of the first as head, or as JSON."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        print(columns(rows), end="")
