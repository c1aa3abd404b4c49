"""The gate's kernels against plain searches for the same bytes."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpus.web import gate

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
