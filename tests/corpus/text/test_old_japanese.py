"""Japanese of kanji and katakana, old spelling and old forms is Japanese; Chinese stays Chinese."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import pyarrow as pa
import pytest

from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.warc import read
from corpus.text import language
from corpus.web.charset import decode, gate
from corpus.web.html.document import parse
from corpus.web.main_text.extract import extract
from filters import profile, signals

TEXTS = tomllib.loads((Path(__file__).parent / "old_japanese.toml").read_text("utf-8"))
STATUTES, PROSE, CHINESE = TEXTS["statutes"], TEXTS["prose"], TEXTS["chinese"]


@pytest.mark.parametrize("name", [*STATUTES, *PROSE])
def test_old_japanese_is_japanese(name: str) -> None:
    text = (STATUTES | PROSE)[name]
    assert gate.is_candidate(gate.evidence(text.encode()))
    code, score, _ = language.identify(text)
    assert code == "ja" and score >= Settings().harvest.min_language_score
    assert language.identify("\n".join([text] * 4)).shares == {"ja": 1.0}


@pytest.mark.parametrize("name", CHINESE)
def test_chinese_stays_chinese_with_a_few_kana_and_written_in_japan(name: str) -> None:
    assert language.identify(CHINESE[name]).code == "zh"
    assert "ja" not in language.identify("\n".join([CHINESE[name]] * 10)).shares


@pytest.mark.parametrize(
    ("names", "texts"), [(("law", "ocr"), STATUTES), (("literature", "ocr"), PROSE)]
)
def test_old_japanese_passes_the_profiles_meant_for_it(
    names: tuple[str, ...], texts: dict[str, str]
) -> None:
    whole = "\n".join(texts.values())
    assert language.identify(whole).code == "ja"
    long = [text for text in texts.values() if len(text) >= 200]
    quality = signals.measure(pa.array([*long, whole]))
    for name in names:
        rules = profile.load(name).rules
        failing = profile.load(name).decide(quality).rule.tolist()
        assert [rules[i].name for i in failing if i >= 0] == [], name


def test_chinese_pages_have_no_japanese_without_kana(shared_data: Path) -> None:
    path = shared_data / "warc" / "dev-sample.warc.gz"
    with gzip.open(shared_data / "warc" / "dev-sample.truth.jsonl.gz", "rt") as lines:
        truth = [json.loads(line) for line in lines]
    chinese = {row["offset"] for row in truth if row.get("true_lang") == "zh"}
    seen = 0
    for item in read(Unit(0, "warc", (str(path),)), Settings()):
        if item.html is None or item.offset not in chinese:
            continue
        body, declared = item.html, item.headers.get("content-type", "")
        text = extract(parse(decode.decode(body, declared, gate.evidence(body)).text)).text
        if len(text) >= language.MIXED_CHARS and not any("ぁ" <= c <= "ヺ" for c in text):
            seen += 1
            assert "ja" not in language.identify(text).shares, item.url
    assert seen > 200
