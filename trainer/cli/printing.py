"""Tables on the terminal, and the same rows as JSON."""

from __future__ import annotations

import json
from typing import Any


def columns(rows: list[dict[str, str]]) -> str:
    """Rows as plain aligned text, never cut to the width of a terminal or a log."""
    table = [list(rows[0]), *(list(r.values()) for r in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *others in table:
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines) + "\n"


def show(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a plain table with the keys of the first as head, or as JSON."""
    if as_json:
        print(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*map(str, rows[0])) if rows else Table()
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
