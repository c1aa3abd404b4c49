"""The gate's kernels against plain searches for the same bytes."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
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
    marks = gate._marks(np.frombuffer(body, np.uint8))
    assert marks == (b"\x1b$" in body) + 2 * (b"&#" in body)


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
