"""Words of the data card in English and Japanese (card.toml); none for a name of a user's own."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import Any

UNKNOWN = ("", "")


@cache
def known() -> dict[str, dict[str, Any]]:
    """Section of card.toml → name → Japanese, or [English, Japanese]."""
    return tomllib.loads(resources.files("corpus.words").joinpath("card.toml").read_text("utf-8"))


def column(name: str) -> str:
    """What a column of the shards holds, in Japanese."""
    return str(known()["columns"].get(name, ""))


def profile(name: str) -> str:
    """The title of a profile that comes with Inaho, in Japanese."""
    return str(known()["profiles"].get(name, ""))


def meaning(column: str, value: str) -> tuple[str, str]:
    """What a value of a list of the card means: of a licence class, of how a charset was found."""
    section = {"licence": "licences"}.get(column, column)
    for pattern, (english, japanese) in known().get(section, {}).items():
        if fnmatchcase(value, pattern):
            return english, japanese
    return UNKNOWN
