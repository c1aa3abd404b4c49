"""Solicitation, keyword spam, affiliate text, machine translation: written texts, good pages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.settings import Settings
from corpus.text.normalize import normalize
from filters.profile import Profile, load
from filters.signals import measure
from filters.solicitation import CLASSES, SIGNALS

TEXTS = Path(__file__).parent / "bad_pages.jsonl"
RULES = Path(__file__).resolve().parents[2] / "benchmarks/solicitation.toml"
GROUP = frozenset({"solicitation"})


def written() -> list[dict[str, Any]]:
    steps = Settings().normalize.steps
    rows = [json.loads(line) for line in TEXTS.read_text("utf-8").splitlines()[1:]]
    return [row | {"text": normalize(row["text"], steps)} for row in rows]


def keeps(texts: list[str]) -> np.ndarray:
    rules: Profile = load(str(RULES))
    assert {rule.signal for rule in rules.rules} > {signal.name for signal in SIGNALS}
    return rules.decide(measure(pa.array(texts), rules.groups())).keep


def solicitation(text: str) -> float:
    value: float = measure(pa.array([text]), GROUP).field("solicitation")[0].as_py()
    return value


def test_the_written_set_says_that_it_is_invented_and_has_no_address_in_it() -> None:
    header, rows = json.loads(TEXTS.read_text("utf-8").splitlines()[0])["header"], written()
    assert "Invented" in header
    assert len({row["text"] for row in rows}) == len(rows)
    innocent = [row for row in rows if row["kind"] == "innocent"]
    assert len(innocent) >= 60 and len(rows) - len(innocent) >= 150
    assert abs(sum(2 * row["held_out"] - 1 for row in rows)) <= 10
    assert not any("http" in row["text"] or "@" in row["text"] for row in rows)


@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.parametrize("copies", [1, 3])
def test_nine_of_ten_bad_texts_are_dropped_and_innocent_ones_are_kept(
    held_out: bool, copies: int
) -> None:
    """copies: so many texts of one kind, one below the other, as longer pages have them."""
    rows = [row for row in written() if row["held_out"] == held_out]
    kinds = {row["kind"] for row in rows}
    groups = {kind: [row["text"] for row in rows if row["kind"] == kind] for kind in kinds}
    for kind, texts in groups.items():
        pages = [
            "\n".join(texts[(i + k) % len(texts)] for k in range(copies)) for i in range(len(texts))
        ]
        share = 1 - keeps(pages).mean()
        assert share < 0.1 if kind == "innocent" else share >= 0.9, (kind, share)


def test_at_most_one_in_a_hundred_pages_that_people_keep_is_dropped(shared_data: Path) -> None:
    with gzip.open(shared_data / "labels/labels.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [row["text"] for row in map(json.loads, lines) if row["label"] == "keep"]
    assert len(texts) > 400
    assert (~keeps(texts)).mean() <= 0.01


@pytest.mark.parametrize(
    ("hidden", "plain"),
    [
        ("無/修/正の素人", "無修正の素人"),
        ("バ カ ラ 必 勝 法 公開", "バカラ必勝法公開"),
    ],
)
def test_words_taken_apart_are_read_as_whole_ones(hidden: str, plain: str) -> None:
    assert solicitation(hidden) == solicitation(plain) > 2


def test_a_circle_inside_a_word_counts_and_one_for_a_name_or_a_number_does_not() -> None:
    assert solicitation("巨○の人妻が中○し") > solicitation("人妻が")
    for text in ("○○市の天気", "二〇二四年一〇月", "正解に○をつける", "東○西走"):
        assert solicitation(text) <= 2, text
    assert solicitation("○○市は二〇二四年一〇月に") == 0


@pytest.mark.parametrize(
    "text",
    ["イエローのフェラーリ", "アルファベットとチベット", "オリパラの聖書はバイブル", "FXAAとSLOT"],
)
def test_a_phrase_inside_a_longer_word_is_none(text: str) -> None:
    assert solicitation(text) == 0


def test_a_shop_that_only_calls_to_buy_does_not_solicit() -> None:
    assert solicitation("送料無料！今すぐ登録で特典プレゼント中！お早めに！") == 0


@given(st.lists(st.text(alphabet="あア亜○/ 　カジノ無修正格安。\nA", max_size=30), max_size=5))
def test_a_text_is_measured_alone_and_never_below_zero(texts: list[str]) -> None:
    together = measure(pa.array(texts, pa.string()), GROUP)
    for signal in SIGNALS:
        values = together.field(signal.name).to_pylist()
        assert all(value >= 0 and np.isfinite(value) for value in values)
        alone = [measure(pa.array([t]), GROUP).field(signal.name)[0].as_py() for t in texts]
        assert values == alone


def test_every_phrase_stands_once_in_its_class() -> None:
    path = Path(__file__).resolve().parents[2] / "filters/lists/solicitation.tsv"
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines() if line[0] != "#"]
    assert {topic for topic, _, _ in rows} == set(CLASSES)
    assert {weight for _, weight, _ in rows} == {"1", "2", "3"}
    assert len({(topic, phrase) for topic, _, phrase in rows}) == len(rows)
