"""What verbs print: JSON, and the funnel as a table."""

from __future__ import annotations

import json
from typing import IO, Any


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def print_funnel(funnel: dict[str, Any], file: IO[str]) -> None:
    """A row a stage: in, out, the share that stays, and where the rest went."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    for name in ("in", "out", "kept"):
        table.add_column(name, justify="right")
    table.add_column("where the rest went")
    for stage, entry in funnel.items():
        reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
        words = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        profiles = dict.fromkeys(facts["profile"] for facts in entry.get("sources", {}).values())
        if profiles:
            words = f"by {', '.join(profiles)}: {words or 'nothing dropped'}"
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else "-"
        table.add_row(stage, f"{entry['in']:,}", f"{entry['out']:,}", share, words)
        if len(profiles) > 1:
            for source, facts in entry["sources"].items():
                part = f"{facts['out'] / facts['in']:.1%}", f"source {source} by {facts['profile']}"
                table.add_row("", f"{facts['in']:,}", f"{facts['out']:,}", *part)
    Console(file=file, width=None if file.isatty() else 200, highlight=False).print(table)
