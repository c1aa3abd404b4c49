"""The words of the answer in its two languages, from corpus/words/answer.toml.

A pair is (Japanese, English).
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE

Pair = tuple[str, str]
LANGUAGES = (JAPANESE, ENGLISH)  # in the order of the pairs


def _pair(words: list[str]) -> Pair:
    japanese, english = words
    return japanese, english


def _pairs(section: dict[str, list[str]]) -> dict[str, Pair]:
    return {name: _pair(words) for name, words in section.items()}


def _terms(rows: list[dict[str, list[str]]]) -> list[tuple[Pair, Pair]]:
    return [(_pair(row["name"]), _pair(row["meaning"])) for row in rows]


_TABLE: dict[str, Any] = tomllib.loads(
    resources.files("corpus.words").joinpath("answer.toml").read_text("utf-8")
)
# Outcome of an item, fate of a document → (what it is called, what it means), weightiest first.
OUTCOMES = {k: (_pair(name), _pair(meaning)) for k, (name, meaning) in _TABLE["outcomes"].items()}
KINDS = _pairs(_TABLE["kinds"])
HOW = _pairs(_TABLE["how"])
COPIES = _pairs(_TABLE["copies"])
TAKEN_BY = _pairs(_TABLE["taken_by"])
RIGHTS = _pairs(_TABLE["rights"])
LICENCES = _pairs(_TABLE["licences"])
TEXTS_BY = _pairs(_TABLE["texts_by"])
NOT_OBEYED = _pair(_TABLE["notes"]["not_obeyed"])
OBEYED = _pair(_TABLE["notes"]["obeyed"])
NO_RUN = _pair(_TABLE["notes"]["no_run"])
UNDATED = _pair(_TABLE["notes"]["undated"])
WEIGHTIEST = _pair(_TABLE["notes"]["weightiest"])
TERMS = _terms(_TABLE["terms"])
RUN_TERMS = _terms(_TABLE["run_terms"])
LIMITS = [(row["japanese"], row["english"]) for row in _TABLE["limits"]]


def rule(name: str, language: str) -> str:
    """A rule by its name, and what it means."""
    meaning = names.meaning(name, language)
    mark = "：" if language == JAPANESE else ": "
    return names.called(name, language) + (f"{mark}{meaning}" if meaning else "")
