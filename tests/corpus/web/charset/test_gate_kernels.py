"""The gate's kernels against plain searches for the same bytes."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.warc import read
from corpus.web.charset import gate

# Kana as UTF-8 shows them after Windows-1252 (undefined bytes as C1 controls) and after CP932.
_MOJIBAKE = re.compile(
    rb"\xc3\xa3(?:\xc2[\x81-\x83]|\xe2\x80\x9a|\xc6\x92)|\xe7\xb8\xba|\xe7\xb9\xa7|\xe7\xb9\x9d"
)


@given(st.text(alphabet="ã\x81\x82\x83‚ƒ縺繧繝縷aあ&#$\x1b;x3", max_size=200))
def test_marks_and_mojibake_are_counted_as_plain_searches_find_them(text: str) -> None:
    body = text.encode()
    found = gate.evidence(body)
    assert found.mojibake == len(_MOJIBAKE.findall(body))
    assert found.iso2022 == len(gate._ISO2022.findall(body))
    assert found.entities == len(gate._ENTITY.findall(body))


# One well-formed character as the gate reads UTF-8: overlong forms and surrogates are none's.
_CHARACTER = re.compile(
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|(.)",
    re.S,
)
_KANA = re.compile(rb"\xe3(?:[\x81\x82].|\x83[\x80-\xba])", re.S)
PIECES = [
    "あ",
    "・",
    "ン",
    "é",
    "ã",
    "漢",
    "😀",
    "&",
    "#",
    "x3042;",
    "&#12354;",
    "a" * 61,
    "\x1b",
    "$B",
]
BYTES = [
    b"\xc0",
    b"\xf5",
    b"\xe3",
    b"\x82",
    b"\xc2",
    b"\xf4\x90\x80\x80",
    b"\x8f\xa2\xa2",
    b"\xa4\xa2",
]


@given(
    st.lists(st.sampled_from([piece.encode() for piece in PIECES]), max_size=40),
    st.lists(st.sampled_from(BYTES), max_size=2),
    st.lists(st.sampled_from([piece.encode() for piece in PIECES]), max_size=40),
)
def test_utf8_is_counted_as_a_plain_reader_counts_it(
    before: list[bytes], between: list[bytes], behind: list[bytes]
) -> None:
    body = b"".join([*before, *between, *behind])
    read = [(match.group(), match.group(1)) for match in _CHARACTER.finditer(body)]
    kana = [bool(not bad and _KANA.match(one)) for one, bad in read]
    found = gate.evidence(body)
    assert found.utf8_bad == sum(bad is not None for _, bad in read)
    assert found.utf8 == sum(len(one) > 1 for one, _ in read)
    assert found.high == sum(len(one) for one, _ in read if one[0] >= 0x80)
    assert found.utf8_kana == sum(kana)
    assert found.utf8_pairs == sum(map(min, kana, kana[1:]))
    assert found.entities == len(gate._ENTITY.findall(body))
    assert found.iso2022 == len(gate._ISO2022.findall(body))


LEGACY = {"zh": ["gbk", "big5"], "ko": ["cp949"]}
SENTENCE = "これはとてもながいぶんしょうのなかにあるひらがなです"


@pytest.mark.parametrize("codec", ["utf-8", "cp932", "euc_jp"])
@pytest.mark.parametrize("around", ["àccénts ", "中文文字很多的頁面", "русский "])
def test_a_japanese_sentence_in_a_large_foreign_page_is_found(codec: str, around: str) -> None:
    filler = (around * 50_000).encode(codec, "ignore")
    body = filler + SENTENCE.encode(codec) + filler
    assert gate.is_candidate(gate.evidence(body))


def test_legacy_chinese_and_korean_pages_do_not_flood_through(shared_data: Path) -> None:
    truth = shared_data / "warc" / "dev-sample.truth.jsonl.gz"
    with gzip.open(truth, "rt", encoding="utf-8") as lines:
        languages = {row["offset"]: row.get("true_lang") for row in map(json.loads, lines)}
    asked = passed = 0
    unit = Unit(0, "warc", (str(shared_data / "warc" / "dev-sample.warc.gz"),))
    for item in read(unit, Settings()):
        for codec in {"zh": ["gbk", "big5"], "ko": ["cp949"]}.get(
            languages.get(item.offset, ""), []
        ):
            text = (item.html or b"").decode("utf-8", "replace")
            if text and "\ufffd" not in text:
                body = text.encode(codec, "ignore")
                asked += 1
                passed += gate.is_candidate(gate.evidence(body))
    assert asked > 800 and passed < 0.01 * asked
