"""Messages in Japanese: one is recognised by its fixed words, and its values are put in anew.

Code makes English messages; `messages.toml` has the Japanese for each. So a message needs no number
and no call where it is made, JSON stays English, and what has no Japanese is shown in English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from corpus.words import names
from corpus.words.language import JAPANESE

LONGEST = 4000  # characters of a message that is looked at: its values come from outside
DEPTH = 3  # messages within messages


class _Value(str):
    """A value of a message, said as `{0}`, `{0:rule}`, `{0:stage}` or `{0:language}`."""

    def __format__(self, kind: str) -> str:
        if kind == "rule":
            return names.called(self, JAPANESE)
        if kind == "language":
            return names.language(self, JAPANESE)
        return names.stage(self, JAPANESE) if kind == "stage" else str(self)


@cache
def known() -> dict[str, str]:
    """English message, {} for its values → Japanese message, {0} {1} … for them."""
    text = resources.files("corpus.words").joinpath("messages.toml").read_text("utf-8")
    return {english: str(japanese) for english, japanese in tomllib.loads(text).items()}


@cache
def _patterns() -> list[tuple[list[str], re.Pattern[str], str]]:
    """(fixed parts, pattern, Japanese message), those with most fixed letters first."""
    ordered = sorted(known().items(), key=lambda pair: -len(pair[0].replace("{}", "")))
    split = [(english.split("{}"), japanese) for english, japanese in ordered]
    return [
        (parts, re.compile("(.*?)".join(map(re.escape, parts)), re.DOTALL), japanese)
        for parts, japanese in split
    ]


def said(message: str, language: str, depth: int = DEPTH) -> str:
    """The message in a language; as it is where that is English or no translation is known."""
    if language != JAPANESE or not depth or len(message) > LONGEST:
        return message
    for parts, pattern, japanese in _patterns():
        match = pattern.fullmatch(message) if _has(message, parts) else None
        if match:
            values = [_Value(said(value, language, depth - 1)) for value in match.groups()]
            return japanese.format(*values)
    return message


def _has(message: str, parts: Sequence[str]) -> bool:
    """Whether the parts stand there in their order: else no search is worth its time."""
    at = 0
    for part in parts:
        at = message.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True
