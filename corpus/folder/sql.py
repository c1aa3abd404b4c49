"""Values inside DuckDB statements, where a parameter cannot stand: in views and table functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def quoted(value: str | Path | Sequence[str | Path]) -> str:
    """A string or path as an SQL literal, several as a list of VARCHAR."""
    if isinstance(value, str | Path):
        return "'" + str(value).replace("'", "''") + "'"
    return "[" + ", ".join(map(quoted, value)) + "]::VARCHAR[]"
