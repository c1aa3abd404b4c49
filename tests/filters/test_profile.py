"""Profiles: what they decide, what they say, and what a broken one gets."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from filters.profile import Profile, ProfileError, load, names, parse
from filters.profile_card import card, genres, pass_rates
from filters.signals import QUALITY_TYPE, SIGNALS, measure

RULE = '[[rule]]\nname = "r"\nsignal = "n_chars"\n'


def profile(rules: str) -> Profile:
    return parse(rules, "test", "test")


def quality(**columns: list[float | None]) -> pa.StructArray:
    fields = [QUALITY_TYPE.field(name) for name in columns]
    arrays = [pa.array(c, f.type) for c, f in zip(columns.values(), fields, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def test_every_profile_loads_and_explains_every_rule() -> None:
    assert {"none", "web", "swallow-v1", "swallow-v1-compat"} <= set(names())
    for name in names():
        loaded = load(name)
        text = card(loaded)
        assert all(rule.name in text and rule.signal in text for rule in loaded.rules)
        assert all(rule.why and rule.source for rule in loaded.rules), name
        assert name == "none" or (
            loaded.title and loaded.purpose and loaded.source and loaded.notes
        )


def test_every_profile_has_measured_pass_rates_and_keeps_its_own_genre_but_no_page_furniture() -> (
    None
):
    genre_of = {"law": "statute"} | {
        name: name
        for name in (
            "minutes",
            "literature",
            "encyclopedia",
            "technical",
            "ocr",
            "news",
            "dialogue",
        )
    }
    for name in names():
        rates = {genre: kept for genre, _, kept in pass_rates(name)}
        assert name == "none" or load(name).models() or rates.keys() == genres().keys(), name
        if name in genre_of:
            assert rates[genre_of[name]] > 0.8, name
            assert rates["furniture"] < 0.07 and rates["foreign"] == 0, name
            assert "Kept of real texts" in card(load(name))


def test_every_compat_profile_says_what_is_kept_and_its_plain_one_what_is_mended() -> None:
    pairs = [(n, n.removesuffix("-compat")) for n in names() if n.endswith("-compat")]
    assert {plain for _, plain in pairs} == {
        *("swallow-v1", "fineweb2-ja", "llm-jp-v1", "llm-jp-v1-strict", "hojichar", "uzushio"),
        *("gopher", "c4-ja"),
    }
    for compat, plain in pairs:
        assert plain in load(compat).notes and compat in load(plain).notes, compat


def test_every_signal_has_unit_description_and_source_in_the_schema() -> None:
    assert len(QUALITY_TYPE) == len(SIGNALS)
    for field in QUALITY_TYPE:
        assert {b"unit", b"description", b"source"} == set(field.metadata)
        assert all(field.metadata.values()), field.name


def test_none_keeps_every_document() -> None:
    decisions = load("none").decide(measure(pa.array(["", "あ"])))
    assert decisions.keep.tolist() == [True, True]
    assert decisions.rule.tolist() == [-1, -1]
    assert decisions.failures.shape == (2, 0)


def test_min_and_max_are_inclusive_above_and_below_are_not() -> None:
    values = quality(n_chars=[9, 10, 11, 19, 20, 21])
    closed = profile(RULE + "min = 10\nmax = 20").decide(values)
    opened = profile(RULE + "above = 10\nbelow = 20").decide(values)
    assert closed.keep.tolist() == [False, True, True, True, True, False]
    assert opened.keep.tolist() == [False, False, True, True, False, False]
    assert closed.threshold[[0, 5]].tolist() == [10, 20]


def test_the_first_failing_rule_is_reported_with_value_and_threshold() -> None:
    rules = profile(
        RULE + "min = 5\n" + '[[rule]]\nname = "s"\nsignal = "hiragana_share"\nmax = 0.3\n'
    )
    decisions = rules.decide(quality(n_chars=[4, 9, 9], hiragana_share=[0.5, 0.5, 0.1]))
    assert decisions.rule.tolist() == [0, 1, -1]
    assert decisions.failures.tolist() == [[True, True], [False, True], [False, False]]
    assert decisions.value[:2].tolist() == [4, 0.5]
    assert decisions.threshold[:2].tolist() == [5, 0.3]
    assert np.isnan(decisions.value[2]) and np.isnan(decisions.threshold[2])


def test_a_share_equal_to_the_threshold_passes_although_it_is_stored_as_float32() -> None:
    rules = profile('[[rule]]\nname = "s"\nsignal = "hiragana_share"\nmax = 0.3\n')
    assert rules.decide(quality(hiragana_share=[3 / 10, 300_001 / 1_000_000])).keep.tolist() == [
        True,
        False,
    ]


def test_sliced_quality_decides_as_its_rows() -> None:
    rules = profile(RULE + "min = 3")
    values = measure(pa.array(["あ", "いいい", "う", "ええええ"]))
    assert rules.decide(values.slice(1, 2)).keep.tolist() == [True, False]


def test_extra_columns_serve_signals_that_are_no_quality_field() -> None:
    rules = profile('[[rule]]\nname = "l"\nsignal = "language_score"\nmin = 0.5\n')
    values = measure(pa.array(["あ", "い", "う"]))
    extra = {"language_score": pa.array([0.4, 0.5, None], pa.float32())}
    assert rules.decide(values, extra).keep.tolist() == [False, True, False]
    with pytest.raises(ProfileError, match="language_score"):
        rules.decide(values)


def test_a_group_that_was_not_measured_is_an_error_and_not_a_rejection() -> None:
    values = measure(pa.array(["あ"]), frozenset({"scripts"}))
    with pytest.raises(ProfileError, match="measure the group 'sentences'"):
        load("web-v1").decide(values)


def test_groups_names_what_has_to_be_measured() -> None:
    assert profile(RULE + "min = 3").groups() == {"scripts"}
    assert load("web-v1").groups() == {"scripts", "sentences", "ngrams"}
    assert load("web").groups() >= {"passages", "scripts", "sentences", "lines"}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[[rule]]\nname = "r"\nsignal = "n_char"\nmin = 1', "did you mean 'n_chars'"),
        (RULE + "min = 3\nmax = 2", "empty interval"),
        (RULE + "above = 2\nmax = 2", "empty interval"),
        (RULE + "min = nan", "NaN"),
        (RULE + "minn = 1", "did you mean 'min'"),
        (RULE + "min = true", "must be a number"),
        (RULE + 'min = "3"', "must be a number"),
        (RULE + "min = 1\nabove = 1", "not both"),
        (RULE, "no bound"),
        ('[[rule]]\nsignal = "n_chars"\nmin = 1', "'name' is missing"),
        (RULE + "min = 1\n" + RULE + "min = 1", "two rules"),
        ('titel = "x"', "did you mean 'title'"),
        ("title = 3", "must be text"),
        ("rule = 3", "list of tables"),
        ("= 3", "not valid TOML"),
    ],
)
def test_a_broken_profile_is_one_line_that_says_what_is_wrong(toml: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message) as caught:
        profile(toml)
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(ProfileError, match="did you mean 'swallow-v1'"):
        load("swallow-v")


def test_a_profile_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(RULE + "min = 2", encoding="utf-8")
    loaded = load(path)
    assert loaded.name == "mine"
    assert loaded.rules[0].low == 2 and loaded.rules[0].high == math.inf
    with pytest.raises(ProfileError, match="No such file"):
        load(tmp_path / "absent.toml")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match="not UTF-8"):
        load(path)


@pytest.mark.parametrize(
    ("signal", "where"),
    [
        ("cluster_size", "documents of its cluster of duplicates, by dedup"),
        ("language_score", "fastText lid.176"),
        ("score.mine", "`corpus classifier score`"),
    ],
)
def test_a_signal_that_is_a_column_of_its_own_is_not_asked_of_harvest(
    signal: str, where: str
) -> None:
    found = parse(f'[[rule]]\nname = "r"\nsignal = "{signal}"\nmax = 1\n', "p", "p")
    with pytest.raises(ProfileError, match="column beside the stored signals") as error:
        found.decide(measure(pa.array(["稲穂"])))
    assert where in str(error.value) and "harvest again" not in str(error.value)
