"""Long shared passages: exactly those that brute force finds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import dedup_reference as reference
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.passages.substrings import drop_spans, repeated_spans
from corpus.dedup.signatures import normal

PIECES = st.sampled_from(["あい", "あ", "うえお", "か\u3099", "、", "12", "Ａ"])
TEXTS = st.lists(st.lists(PIECES, max_size=16).map("".join), max_size=5)


def covered(texts: list[str], least: int) -> list[set[int]]:
    """Normalised positions of each text that lie in a window of an earlier text, by brute force."""
    folded = [reference.normalise(text) for text in texts]
    out = []
    for j, text in enumerate(folded):
        hits: set[int] = set()
        for start in range(len(text) - least + 1):
            if any(text[start : start + least] in earlier for earlier in folded[:j]):
                hits.update(range(start, start + least))
        out.append(hits)
    return out


@settings(max_examples=150)
@given(TEXTS, st.integers(2, 9))
def test_spans_are_those_of_brute_force(texts: list[str], least: int) -> None:
    spans = repeated_spans(pa.array(texts, pa.string()), least).to_pylist()
    for j, hits in enumerate(covered(texts, least)):
        got: set[int] = set()
        for span in spans:
            if span["document"] != j:
                continue
            assert span["partner"] < j
            before = len(reference.normalise(texts[j][: span["start"]]))
            inside = len(reference.normalise(texts[j][: span["end"]]))
            got.update(range(before, inside))
        assert got == hits


def test_a_quotation_is_found_despite_width_and_punctuation() -> None:
    rng = np.random.default_rng(0)
    passage, *rest = ("".join(map(chr, rng.integers(0x4E00, 0x9000, 200))) for _ in range(4))
    quoted = "、".join(passage[k : k + 7] for k in range(0, 200, 7))
    texts = pa.array([rest[0] + passage + rest[1], rest[2] + "「" + quoted + "」" + rest[0][:50]])
    spans = repeated_spans(texts)
    assert spans.num_rows == 1
    row = spans.to_pylist()[0]
    assert texts[1].as_py()[row["start"] : row["end"]] == quoted
    left = drop_spans(pa.table({"text": texts}), spans)["text"]
    assert left[1].as_py() == rest[2] + "「」" + rest[0][:50]
    assert left[0] == texts[0]


def test_one_long_repeated_text_is_no_quadratic_work() -> None:
    text = "".join(map(chr, np.random.default_rng(1).integers(0x4E00, 0x9000, 200_000)))
    spans = repeated_spans(pa.array([text, "序" + text, "あ" * 100_000, text]))
    assert [tuple(r.values()) for r in spans.to_pylist()] == [
        (1, 1, 200_001, 0),
        (3, 0, 200_000, 0),
    ]


def test_real_pages_share_passages(shared_data: Path) -> None:
    with gzip.open(shared_data / "warc" / "dev-sample.gold.jsonl.gz", "rt") as file:
        pages = [row["gold"] for row in map(json.loads, file) if row["true_lang"] == "ja"]
    texts = pa.array(pages)
    folded = normal.normalise(texts).to_pylist()
    rows = repeated_spans(texts).to_pylist()
    assert len(rows) > 100
    for row in rows:
        passage = reference.normalise(pages[row["document"]][row["start"] : row["end"]])
        assert len(passage) >= 100
        assert passage[:100] in "\n".join(folded[: row["document"]])
