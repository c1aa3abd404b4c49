"""What stages, rules and reasons are called and mean, in English and in Japanese (names.toml)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import NamedTuple

from corpus.words.language import JAPANESE


class Name(NamedTuple):
    """english: what it means; japanese: what it is called; meaning: that in Japanese."""

    english: str
    japanese: str
    meaning: str


UNKNOWN = Name("", "", "")


@cache
def known() -> dict[str, dict[str, Name]]:
    """Section of names.toml → name → its words."""
    text = resources.files("corpus.words").joinpath("names.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return {key: {name: Name(*words) for name, words in of.items()} for key, of in table.items()}


def rule(name: str) -> Name:
    """The words of a rule of the ledger or a reason of the funnel; UNKNOWN for a user's own."""
    found = known()["rules"].get(name) or known()["reasons"].get(name)
    return found or _patterned(name)


@cache
def _patterned(name: str) -> Name:
    """The words of a name of which a part varies, as `status 404`."""
    for pattern, words in known()["reasons"].items():
        head, mark, tail = pattern.partition("{}")
        match = re.fullmatch(f"{re.escape(head)}(.+){re.escape(tail)}", name) if mark else None
        if match:
            return words._replace(japanese=words.japanese.replace("{}", match.group(1)))
    return UNKNOWN


def meaning(name: str, language: str) -> str:
    """What a rule or reason means, in one phrase; "" for one that is not known."""
    words = rule(name)
    return words.meaning if language == JAPANESE else words.english


def called(name: str, language: str) -> str:
    """What a rule or reason is called; in Japanese with its name behind it, if that tells more."""
    japanese = rule(name).japanese if language == JAPANESE else ""
    listed = any(name in of for of in known().values())
    tells = japanese and listed and japanese != name and "(" not in name  # no brackets in brackets
    return f"{japanese} ({name})" if tells else japanese or name


def stage(name: str, language: str) -> str:
    """What a stage is called; in Japanese with its name behind it."""
    words = known()["stages"].get(name, UNKNOWN)
    return f"{words.japanese} ({name})" if language == JAPANESE and words.japanese else name


def language(code: str, spoken: str) -> str:
    """What a language is called that ISO 639 has under `code`; the code where no name is known."""
    return of("languages", code, spoken)


def of(section: str, name: str, language: str) -> str:
    """What a stage, an outcome, an action or a language is called; its name where not known."""
    words = known()[section].get(name, UNKNOWN)
    return words.japanese if language == JAPANESE and words.japanese else name
