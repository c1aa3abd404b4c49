"""What the sections of the card are made of: words in a language, headings, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.answers.facts import UNKNOWN
from corpus.answers.markdown import escaped
from corpus.words.language import JAPANESE

Lines = list[str]


@dataclass(frozen=True)
class Card:
    """The facts of a corpus (`corpus.answers.facts`) and the language in which they are told."""

    facts: dict[str, Any]
    language: str

    @property
    def funnel(self) -> dict[str, Any]:
        found: dict[str, Any] = self.facts["funnel"]
        return found

    def t(self, english: str, japanese: str) -> str:
        """What the card says, in its language."""
        return japanese if self.language == JAPANESE else english

    def h(self, english: str, japanese: str, level: int = 2) -> Lines:
        """A heading."""
        return ["", f"{'#' * level} {self.t(english, japanese)}", ""]

    def table(self, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Lines:
        """A table; numbers are aligned right. Nothing without rows."""
        body = [list(row) for row in rows]
        if not body:
            return []
        right = [all(isinstance(row[i], int | Share) for row in body) for i in range(len(heads))]
        head = " | ".join(self.t(*pair) for pair in heads)
        marks = "|".join("---:" if each else "---" for each in right)
        cells = [" | ".join(_cell(value) for value in row) for row in body]
        return [f"| {head} |", f"|{marks}|", *(f"| {row} |" for row in cells)]

    def value(self, value: str) -> str:
        """A value of a list; what stands for none, and for the others, is ours."""
        if self.language == JAPANESE and value == UNKNOWN:
            return "不明"
        others = re.fullmatch(r"(\d+) others", value)
        return self.t(value, f"ほか {others[1]} 件") if others else escaped(value)


class Share:
    """A share as a cell of a table, – where there is nothing to share."""

    def __init__(self, part: float, whole: float) -> None:
        self.text = f"{part / whole:.1%}" if whole else "–"

    def __str__(self) -> str:
        return self.text


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
