"""Classifiers: trained, calibrated, stored, read back, and what a broken file gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filter_texts import documents

from filters.quality import ClassifierError, evaluate, load, prepare, read_folder, train


@pytest.fixture(scope="module")
def genres(request: pytest.FixtureRequest) -> dict[str, list[str]]:
    shared = Path(__file__).resolve().parents[2].parent / "shared/data"
    if not shared.is_dir():
        pytest.skip("the shared data is not here")
    out: dict[str, list[str]] = {"encyclopedia": [], "literature": []}
    for genre, text in documents(shared):
        if genre in out and len(text) > 300:
            out[genre].append(text)
    return out


def test_encyclopedia_and_literature_are_told_apart(
    genres: dict[str, list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "wiki.ftz"
    report, classifier = train(genres["encyclopedia"], genres["literature"], path, folds=4)
    assert report.auc > 0.9 and report.f1 > 0.8
    assert report.calibration_error < 0.15
    read = load(path)
    positive, negative = (pa.array(genres[g]) for g in ("encyclopedia", "literature"))
    assert np.array_equal(read.score(positive), classifier.score(positive))
    # The model is quantised after cross-validation; its scores must still tell the two apart.
    assert np.median(read.score(positive)) > 0.5 > np.median(read.score(negative))
    assert read.score(pa.array(["", None, " "])).tolist() == [0, 0, 0]
    assert path.stat().st_size < 5_000_000


def test_training_twice_gives_the_same_bytes(genres: dict[str, list[str]], tmp_path: Path) -> None:
    files = []
    for name in ("a.ftz", "b.ftz"):
        train(genres["encyclopedia"][:12], genres["literature"][:12], tmp_path / name, folds=2)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_figures_of_a_report_by_hand() -> None:
    report = evaluate(np.array([0.9, 0.6, 0.4, 0.2]), np.array([True, False, True, False]))
    assert report.confusion == (1, 1, 1, 1)
    assert (report.accuracy, report.precision, report.recall, report.f1) == (0.5, 0.5, 0.5, 0.5)
    assert report.auc == 0.75


def test_tokens_are_characters_or_words_and_digits_lose_their_value() -> None:
    assert prepare("東京 は\n１2時", "characters") == "東 京 は 0 0 時"
    assert prepare("東京は晴れ", "words") == "東京 は 晴れ"


def test_what_cannot_be_trained_or_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ClassifierError, match="too few"):
        train(["あ"], ["い"], tmp_path / "m.ftz")
    with pytest.raises(ClassifierError, match="unknown tokens"):
        train(["あ"] * 9, ["い"] * 9, tmp_path / "m.ftz", tokens="bytes")
    with pytest.raises(ClassifierError, match="no such folder"):
        train(["あ"] * 9, ["い"] * 9, tmp_path / "no/m.ftz")
    with pytest.raises(ClassifierError, match="No such file"):
        load(tmp_path / "absent.ftz")
    with pytest.raises(ClassifierError, match=r"no \*.txt files"):
        read_folder(tmp_path)
    model, facts = tmp_path / "m.ftz", tmp_path / "m.ftz.json"
    model.write_bytes(b"x")
    facts.write_text("{")
    with pytest.raises(ClassifierError, match="not JSON"):
        load(model)
    facts.write_text('{"format": "other"}')
    with pytest.raises(ClassifierError, match="not of the format"):
        load(model)
    facts.write_text('{"format": "inaho-classifier-1", "sha256": "0"}')
    with pytest.raises(ClassifierError, match="not the model"):
        load(model)
