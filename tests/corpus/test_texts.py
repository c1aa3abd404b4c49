"""Normalisation, language and rights on single texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import language
from corpus.normalize import STEPS, normalize
from corpus.web import rights


@given(text=st.text())
@pytest.mark.parametrize("steps", [tuple(STEPS), *[(name,) for name in STEPS]])
def test_every_step_and_their_sequence_are_idempotent(text: str, steps: tuple[str, ...]) -> None:
    once = normalize(text, steps)
    assert normalize(once, steps) == once


def test_what_cannot_be_got_back_survives() -> None:
    assert normalize("①㍿㎡～…㈱髙﨑！？（）") == "①㍿㎡～…㈱髙﨑！？（）"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ﾊﾟｿｺﾝとｶﾞｽ｡", "パソコンとガス。"),
        ("か\u3099は\u309a", "がぱ"),
        ("ＡＢＣ１２３", "ABC123"),
        ("一行\r\n二行\x0b三行\u2028四行", "一行\n二行\n三行\n四行"),
        ("見え\u200bない\ufeff字\x00", "見えない字"),
        ("　字下げ。\n\n\n　次の段落。 ", "字下げ。\n次の段落。"),
        ("これは，論文の文体である．そう書く．", "これは、論文の文体である。そう書く。"),
        ("値は3．14，つまり円周率、と書く。", "値は3．14，つまり円周率、と書く。"),
    ],
)
def test_normalisation_by_example(before: str, after: str) -> None:
    assert normalize(before) == after


def test_languages_of_real_texts(data: Path) -> None:
    import gzip

    with gzip.open(data / "documents.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    found = [language.identify(text)[0] for text in texts]
    assert found.count("ja") >= len(found) - 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The quick brown fox jumps over the lazy dog and runs away into the forest.", "en"),
        ("中国人民共和国的首都是北京，人口很多，历史悠久。我们喜欢吃中国菜。", "zh"),
        ("대한민국의 수도는 서울이며 인구가 많고 역사가 오래되었습니다.", "ko"),
        ("apt install と dpkg -i の違いについて", "ja"),
        ("12345 --- 67890", "und"),
        ("", "und"),
    ],
)
def test_languages_by_example(text: str, code: str) -> None:
    assert language.identify(text)[0] == code


def test_a_mixed_text_gets_the_shares_of_its_languages() -> None:
    japanese = "この文書は二つの言語で書かれています。前半は日本語で、後半は英語です。" * 20
    english = "This document is written in two languages, and the second half is English. " * 10
    shares = language.identify(japanese + "\n" + english).shares
    assert set(shares) == {"ja", "en"} and 0.3 < shares["en"] < 0.7
    assert language.identify(japanese).shares == {"ja": 1.0}


def test_robots_directives_of_headers_and_meta() -> None:
    found = rights.read(
        {"x-robots-tag": "googlebot: noindex, noai"},
        {"robots": ["NOARCHIVE, noimageai"]},
        (),
        (),
        "",
    )
    assert found["robots"] == ["googlebot: noindex", "noai", "noarchive", "noimageai"]
    assert found["noai"]


def test_tdm_reservation_licence_and_phrases() -> None:
    found = rights.read(
        {"tdm-reservation": "1", "tdm-policy": "https://example.jp/tdm.json"},
        {},
        [("license", "https://creativecommons.org/licenses/by-sa/4.0/deed.ja")],
        (),
        "本文\n当サイトの記事・写真の無断転載を固く禁じます。",
    )
    assert found["tdm_reservation"] and found["tdm_policy"] == "https://example.jp/tdm.json"
    assert found["reserved"]
    assert rights.licence_class(found["licence_url"]) == "CC-BY-SA-4.0"
    assert rights.licence_class("https://creativecommons.org/publicdomain/zero/1.0/") == "CC0-1.0"


def test_a_text_about_reserved_rights_is_no_reservation() -> None:
    text = "無断転載という言葉の意味を説明する。"
    assert not rights.read({}, {}, (), (), text)["reserved"]
