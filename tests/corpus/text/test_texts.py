"""Normalisation, language and rights on single texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.text import language
from corpus.text.normalize import STEPS, normalize
from corpus.web.rights import page


@given(text=st.text())
@pytest.mark.parametrize("steps", [tuple(STEPS), *[(name,) for name in STEPS]])
def test_every_step_and_their_sequence_are_idempotent(text: str, steps: tuple[str, ...]) -> None:
    once = normalize(text, steps)
    assert normalize(once, steps) == once


SPECIAL = (
    "ab1 \n\t\r\x00\x0b\x0c\x1c\x7f\x85\x90\xa0\xad\u2000\u200a\u200b\u200f\u2028\u202a\u202f\u205f"
    "\u2060\u3000\ufeff\ufffd\ue000\ufdd0\ud800\U000e0001\U0010ffff\uf900か\u3099ガｶﾞｰ｡Ａ９ｚ！，．"
)


@given(st.text(alphabet=st.one_of(st.sampled_from(SPECIAL), st.characters()), max_size=40))
def test_a_step_that_is_left_out_would_have_done_nothing(text: str) -> None:
    expected = text
    for step in STEPS.values():
        expected = step(expected)
    assert normalize(text) == expected


def test_every_character_is_treated_alike_with_and_without_the_look_ahead() -> None:
    for code in [*range(0x3000), *range(0xA000, 0x10000, 3), *range(0x10000, 0x110000, 509)]:
        text = expected = f"漢{chr(code)}字 {chr(code)}"
        for step in STEPS.values():
            expected = step(expected)
        assert normalize(text) == expected, hex(code)


def test_what_cannot_be_got_back_survives() -> None:
    assert normalize("①㍿㎡～…㈱髙﨑！？（）") == "①㍿㎡～…㈱髙﨑！？（）"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ﾊﾟｿｺﾝとｶﾞｽ｡", "パソコンとガス。"),
        ("か\u3099は\u309a", "がぱ"),
        ("かﾞ Ｅ\u0301", "が É"),
        ("ＡＢＣ１２３", "ABC123"),
        ("一行\r\n二行\x0b三行\u2028四行", "一行\n二行\n三行\n四行"),
        ("見え\u200bない\ufeff字\x00", "見えない字"),
        ("　字下げ。\n\n\n　次の段落。 ", "字下げ。\n次の段落。"),
        ("日 本 語 は、 「とても」 良い。 次に", "日本語 は、「とても」良い。次に"),
        ("東 京 都\n日　時", "東京都\n日　時"),
        ("佐藤 花子　東京 大阪\n一 二 三\n月 火 水", "佐藤 花子　東京 大阪\n一 二 三\n月 火 水"),
        ("終わり。 And then 、 と", "終わり。And then 、と"),
        ("版は。 2.4、 Apache（注） x】 3", "版は。2.4、Apache（注）x】3"),
        ("日本語 Apache と （注） 日本", "日本語 Apache と （注） 日本"),
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
    found = page.read(
        {"x-robots-tag": "googlebot: noindex, noai"},
        {"robots": ["NOARCHIVE, noimageai"]},
        (),
        (),
        "",
    )
    assert found["robots"] == ["googlebot: noindex", "noai", "noarchive", "noimageai"]
    assert found["noai"]


def test_tdm_reservation_licence_and_phrases() -> None:
    found = page.read(
        {"tdm-reservation": "1", "tdm-policy": "https://example.jp/tdm.json"},
        {},
        [("license", "https://creativecommons.org/licenses/by-sa/4.0/deed.ja")],
        (),
        "本文\n当サイトの記事・写真の無断転載を固く禁じます。",
    )
    assert found["tdm_reservation"] and found["tdm_policy"] == "https://example.jp/tdm.json"
    assert found["reserved"]
    assert page.licence_class(found["licence_url"]) == "CC-BY-SA-4.0"
    assert page.licence_class("https://creativecommons.org/publicdomain/zero/1.0/") == "CC0-1.0"


def test_a_text_about_reserved_rights_is_no_reservation() -> None:
    text = "無断転載という言葉の意味を説明する。"
    assert not page.read({}, {}, (), (), text)["reserved"]


SENTENCES = {
    "ja": "この文書は二つの言語で書かれています。前半は日本語で、後半は英語です。",
    "en": "This document is written in two languages, and the second half is English.",
    "zh": "本文件以两种语言写成，前半部分是日语，后半部分是中文，请各位读者注意阅读并给出意见。",
    "ko": "이 문서는 두 언어로 작성되었으며 전반부는 일본어이고 후반부는 한국어입니다.",
    "fr": "Ce document est rédigé en deux langues, la seconde moitié est en français, merci.",
    "ru": "Этот документ написан на двух языках, вторая половина на русском языке.",
}


@pytest.mark.parametrize("order", ["in turn", "one after the other"])
@pytest.mark.parametrize("codes", [("ja", "en"), ("ja", "zh"), ("ja", "ko"), tuple(SENTENCES)])
def test_every_language_of_a_page_gets_its_share(codes: tuple[str, ...], order: str) -> None:
    lines = [SENTENCES[code] for code in codes] * 10
    if order != "in turn":
        lines.sort()
    shares = language.identify("\n".join(lines)).shares
    total = sum(len(SENTENCES[code]) for code in codes)
    assert set(shares) == set(codes) and abs(sum(shares.values()) - 1) < 0.01
    for code in codes:
        assert abs(shares[code] - len(SENTENCES[code]) / total) < 0.11, (code, shares)


def test_kanji_headings_of_a_japanese_page_are_japanese() -> None:
    text = "東京都千代田区霞が関\n主要都市気象情報一覧\n" + SENTENCES["ja"]
    assert language.identify("\n".join([text] * 10)).shares == {"ja": 1.0}


def scripts(text: str) -> list[tuple[int, int]]:
    """Reference of the kernel: (script, code points) of every line."""
    found = []
    for line in text.split("\n"):
        counts = dict.fromkeys(("kana", "han", "hangul", "latin", "other"), 0)
        in_word = False
        for char in line:
            c = ord(char)
            latin = char.isascii() and char.isalpha()
            accented = 0xC0 <= c < 0x250 and c not in (0xD7, 0xF7)
            if latin or accented:
                counts["latin"] += not in_word
                in_word = True
                continue
            if (c >= 0x80 and (c >= 0x250)) or c < 0x80:
                in_word = False
            if 0x3041 <= c <= 0x3096 or (0x30A1 <= c <= 0x30FC and c != 0x30FB):
                counts["kana"] += 1
            elif 0x3400 <= c <= 0x9FFF or 0xF900 <= c <= 0xFAFF or c == 0x3005 or (
                0x20000 <= c < 0x40000
            ):  # fmt: skip
                counts["han"] += 1
            elif 0xAC00 <= c <= 0xD7A3 or 0x1100 <= c <= 0x11FF:
                counts["hangul"] += 1
            elif 0x250 <= c < 0x2000 or 0xA000 <= c < 0xAC00:
                counts["other"] += 1
        units = sum(counts.values())
        order = ("han", "hangul", "latin", "other")
        top = max(order, key=lambda name: counts[name])
        if not units:
            kind = language.NONE
        elif counts["kana"] >= language.KANA_DECIDES * units:
            kind = language.JAPANESE
        elif top == "han":
            many = counts["han"] >= language.HAN_LINE
            kind = language.HAN if many else language.SHORT_HAN
        else:
            kind = {"hangul": language.HANGUL, "latin": language.LATIN}.get(top, language.OTHER)
        found.append((kind, len(line)))
    return found


@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("aé \nかカ漢字々한Яก、。・ー😀𠮟"), st.characters(codec="utf-8")
        ),
        max_size=120,
    )
)
def test_the_script_kernel_equals_its_reference(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    lines = text.count("\n") + 1
    script, chars = np.empty(lines, np.uint8), np.empty(lines, np.int32)
    language._scripts(data, script, chars)
    assert list(zip(script.tolist(), chars.tolist(), strict=True)) == scripts(text)


@given(st.text())
def test_any_text_has_a_language(text: str) -> None:
    found = language.identify(text * 3)
    assert 0 <= found.score <= 1
    assert not found.shares or abs(sum(found.shares.values()) - 1) < 0.01
