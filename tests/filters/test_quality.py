"""Classifiers: trained, calibrated, stored, read back, and what a broken file gets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filter_texts import documents
from hypothesis import given
from hypothesis import strategies as st

from filters.quality import (
    FOLDER,
    SHIPPED,
    ClassifierError,
    evaluate,
    load,
    prepare,
    shipped,
)
from filters.signals import measure
from filters.train_quality import assess, train


@pytest.fixture(scope="module")
def genres(shared_data: Path) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {"encyclopedia": [], "literature": []}
    for genre, text in documents(shared_data):
        if genre in out and len(text) > 300:
            out[genre].append(text[:1000])
    return out


@pytest.mark.slow
def test_encyclopedia_and_literature_are_told_apart(
    genres: dict[str, list[str]], tmp_path: Path
) -> None:
    wiki, novels = genres["encyclopedia"], genres["literature"]
    steps: list[str] = []
    path = tmp_path / "wiki.ftz"
    made = train(
        {"wiki": wiki},
        {"a": novels[::2], "b": novels[1::2]},
        path,
        folds=3,
        by_source=True,
        note=steps.append,
    )
    report = made.facts["report"]
    assert report["auc"] > 0.9 and report["f1"] > 0.5 and report["calibration_error"] < 0.2
    assert sum(n for _, _, n in report["calibration"]) == report["documents"] == len(wiki + novels)
    assert len(made.facts["folds"]) == 3 and min(f["auc"] for f in made.facts["folds"]) > 0.8
    # The only positive source cannot be left out; the others can.
    assert [row["source"] for row in made.facts["left_out"]] == ["a", "b"]
    assert [row["documents"] for row in made.facts["left_out"]] == [
        len(novels[::2]),
        len(novels[1::2]),
    ]
    assert steps[-1] == "the model of all texts" and "without b" in steps
    read = load(path)
    texts = pa.array([*wiki, *novels])
    assert np.array_equal(read.score(texts), made.score(texts))
    assert read.facts == json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    assert read.score(pa.array(["", None, " \n"])).tolist() == [0, 0, 0]
    assert path.stat().st_size < 5_000_000
    found = assess(read, {"wiki": wiki}, {"novels": novels})
    assert found["report"]["auc"] > 0.9
    assert [row["kind"] for row in found["sources"]] == ["positive", "negative"]


@pytest.mark.slow
def test_training_twice_gives_the_same_bytes(genres: dict[str, list[str]], tmp_path: Path) -> None:
    files = []
    for name in ("a.ftz", "b.ftz"):
        wiki, novels = ({k: genres[k][:12]} for k in ("encyclopedia", "literature"))
        train(wiki, novels, tmp_path / name, folds=2)
        files.append([(tmp_path / name).read_bytes(), (tmp_path / f"{name}.json").read_bytes()])
    assert files[0] == files[1]


def test_figures_of_a_report_by_hand() -> None:
    report = evaluate(np.array([0.9, 0.6, 0.4, 0.2]), np.array([True, False, True, False]))
    assert report.confusion == (1, 1, 1, 1)
    assert (report.accuracy, report.precision, report.recall, report.f1) == (0.5, 0.5, 0.5, 0.5)
    assert report.auc == 0.75
    assert report.calibration == ((0.2, 0, 1), (0.4, 1, 1), (0.6, 0, 1), (0.9, 1, 1))
    assert report.calibration_error == pytest.approx((0.2 + 0.6 + 0.6 + 0.1) / 4)


def test_tokens_are_folded_characters_or_words() -> None:
    assert prepare("東京 は\n１2時（Ａ）", "characters") == "東 京 は 0 0 時 ( a )"
    assert prepare("東京は晴れ", "words") == "東京 は 晴れ"


@given(st.text(st.characters(), max_size=200))
def test_any_text_is_one_line_that_fasttext_takes(text: str) -> None:
    for tokens in ("characters", "words"):
        line = prepare(text, tokens)
        assert "\n" not in line and isinstance(line.encode("utf-8"), bytes)
    score = shipped()[0].score_lines([prepare(text, "characters")])[0]
    assert 0 <= score <= 1 and np.isfinite(score)


def test_the_shipped_classifiers_are_small_and_a_lazy_group(shared_data: Path) -> None:
    texts: dict[str, list[str]] = {}
    for genre, text in documents(shared_data):
        texts.setdefault(genre, []).append(text)
    rows = {
        genre: measure(pa.array(texts[genre][:40]), frozenset({"classifiers"}))
        for genre in ("encyclopedia", "literature", "technical")
    }

    def median(genre: str, signal: str) -> float:
        return float(np.median(rows[genre].field(signal).to_numpy(zero_copy_only=False)))

    assert median("encyclopedia", "wiki_like") > 0.8 > 0.2 > median("literature", "wiki_like")
    assert median("technical", "educational") > 0.8 > 0.2 > median("literature", "educational")
    expected = shipped()[0].score(pa.array(texts["technical"][:40]))
    assert np.array_equal(rows["technical"].field("wiki_like").to_numpy(), expected)
    assert measure(pa.array(["あ"])).type.get_field_index("wiki_like") < 0
    for name in SHIPPED:
        assert (FOLDER / f"{name}.ftz").stat().st_size < 2_000_000


def test_what_cannot_be_trained_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="too few"):
        train({"a": ["あ"]}, {"b": ["い"]}, tmp_path / "m.ftz")
    with pytest.raises(ClassifierError, match="unknown tokens"):
        train({"a": ["あ"] * 9}, {"b": ["い"] * 9}, tmp_path / "m.ftz", tokens="bytes")
    with pytest.raises(ClassifierError, match="no such folder"):
        train({"a": ["あ"] * 9}, {"b": ["い"] * 9}, tmp_path / "no/m.ftz")
    with pytest.raises(ClassifierError, match="both kinds"):
        assess(load("wiki-like"), {"a": ["あ"]}, {})


def test_a_missing_damaged_or_foreign_model_is_one_line(tmp_path: Path) -> None:
    def fails(words: str) -> None:
        with pytest.raises(ClassifierError, match=words) as error:
            load(tmp_path / "m.ftz")
        assert "\n" not in str(error.value) and "m.ftz" in str(error.value)

    fails("No such file")
    model, facts = tmp_path / "m.ftz", tmp_path / "m.ftz.json"
    model.write_bytes(b"x")
    for text, words in (
        ("{", "not JSON"),
        ("[]", "not of the format"),
        ('{"format": "other"}', "not of the format"),
        ('{"format": "inaho-classifier-2", "sha256": "0"}', "not the model"),
    ):
        facts.write_text(text)
        fails(words)
    shutil.copy(FOLDER / "wiki-like.ftz", model)
    about = json.loads((FOLDER / "wiki-like.ftz.json").read_text(encoding="utf-8"))
    facts.write_text(json.dumps(about | {"slope": "steep"}))
    fails("tokens, slope or offset")
    facts.write_text(json.dumps(about))
    damaged = bytearray(model.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    model.write_bytes(damaged)
    fails("not the model")
