"""The Japanese card says everything in Japanese: columns, licence classes, charsets, profiles."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corpus.answers.facts import SCRIPTS as MEASURED
from corpus.answers.vocabulary import SCRIPTS
from corpus.folder.schema import LENT, SHARD
from corpus.sources import captions, law, news
from corpus.stages.rights import OPEN
from corpus.words import card
from filters.profile import load
from filters.profile import names as profiles

JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")


def test_every_column_has_a_japanese_meaning_and_no_other_has() -> None:
    assert list(card.known()["columns"]) == SHARD.names
    assert all(JAPANESE.search(card.column(name)) for name in SHARD.names)


@pytest.mark.parametrize("name", profiles())
def test_every_profile_has_a_japanese_title(name: str) -> None:
    assert card.profile(name) and load(name).title


def test_licence_classes_and_ways_to_find_a_charset_are_explained() -> None:
    classes = (LENT, law.LICENCE, news.LICENCE, captions.LICENCE)
    examples = [re.sub(r"\[0-9\]|\*", "4", pattern) for pattern in OPEN]
    stated = SHARD.field("charset_from").metadata[b"description"].decode()
    ways = stated.replace(" or ", ", ").split(", ")
    asked = [("licence", name) for name in (*classes, *examples, "unknown")]
    for column, value in asked + [("charset_from", way) for way in ways]:
        english, japanese = card.meaning(column, value)
        assert english and JAPANESE.search(japanese), (column, value)
    assert card.meaning("licence", "my own") == card.meaning("host", "bytes") == ("", "")


def section(page: str, title: str) -> list[list[str]]:
    """The cells of the table below a heading, without its head."""
    below = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in below.split("\n") if line[:2] == "| "]
    return rows[1:]


def test_the_cards_of_a_build_say_it(built: Path) -> None:
    page = (built / "README.ja.md").read_text("utf-8")
    assert len(section(page, "列")) == len(SHARD)
    assert all(JAPANESE.search(row[2]) for row in section(page, "列"))
    found = {row[0]: row[1] for row in section(page, "文字コードの判定根拠")}
    assert found["meta"] == "&lt;meta&gt; の指定による"
    assert any(row[0] == "1（重複なし）" for row in section(page, "重複"))
    shares = [float(row[1].rstrip("%")) for row in section(page, "文字種")]
    assert len(shares) == len(MEASURED) + 1 == len(SCRIPTS) and abs(sum(shares) - 100) < 0.5
