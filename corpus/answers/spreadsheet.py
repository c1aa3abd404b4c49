"""CSV that a spreadsheet shows and does not run.

Excel, LibreOffice and Google Sheets take a cell that begins with = + - @ as a formula, and such a
formula can read other cells or fetch an address. Titles, URLs and texts of pages come from
strangers, so they get a leading ' (OWASP, "CSV Injection"), which these programs do not show as
text. Numbers stay as they are, also those that stand in a string.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from typing import IO, Any

# Also the full-width forms, and the tab and line breaks behind which a formula may follow.
_FORMULA = re.compile("[\\s\0]*[=+@＝＋＠－-]|[\t\r\n]")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def guarded(value: Any) -> Any:
    """The value of a cell; text that would be a formula begins with '."""
    if isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return "'" + value
    return value


def write_csv(file: IO[str], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a heading; every cell `guarded`, lines end with a line feed."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([guarded(name) for name in names])
    writer.writerows([guarded(value) for value in row] for row in rows)
