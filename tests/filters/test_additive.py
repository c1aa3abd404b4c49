"""Additive models and hashed n-grams, against plain Python; what the shipped model says."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import additive
from filters.additive import Additive, Curve, ModelError
from filters.kernels import hashed
from filters.profile import ProfileError, load, parse
from filters.signals import MODEL, measure, slices

PROSE = (
    "稲の穂が出そろう八月の終わりになると、この村では毎年、水路の番をする人を決める。\n"
    "番をする家は十日ごとに代わり、夜のうちに二度、上の堰まで歩いて水の高さを見る。"
    "高すぎれば板を一枚外し、低ければ落ち葉を取りのぞく。それだけの仕事だが、忘れると下の田が干上がる。\n"
    "私が初めて番に出たのは十五の夏で、祖父が提灯を持って先を歩いた。"
)
MENU = "ホーム\nお知らせ\n会社概要\nお問い合わせ\nサイトマップ\n採用情報\nアクセス\nログイン\n" * 4


def letter(character: str) -> int:
    point = ord(character)
    return int(additive.letters()[point]) if point < 0x10000 else point


def passages(text: str) -> list[str]:
    """Pieces of PASSAGE characters, each to the end of its line if that is near."""
    out, begin = [], 0
    while begin < len(text):
        end = min(begin + hashed.PASSAGE, len(text))
        while end < min(len(text), begin + hashed.LONGEST) and text[end - 1] != "\n":
            end += 1
        end = len(text) if len(text) - end < hashed.PASSAGE // 2 else end
        out.append(text[begin:end])
        begin = end
    return out


def slot(gram: tuple[int, ...]) -> int:
    """The slot of an n-gram of letters, in whole numbers of any size."""
    mask = (1 << 64) - 1
    key = 0
    for value in gram:
        key = key << 21 | value
    key = ((key ^ len(gram) << 62) * int(hashed.MULTIPLIER)) & mask
    key ^= key >> 29
    return (key * int(hashed.MULTIPLIER) & mask) >> (64 - hashed.BITS)


def plain(text: str, table: np.ndarray, bias: float) -> tuple[float, float, float]:
    """The three signals of `hashed`, by its docstring."""
    scores, sizes = [], []
    for passage in passages(text):
        letters = [letter(c) for c in passage]
        counts = Counter(
            slot(tuple(letters[i - n : i]))
            for i in range(1, len(letters) + 1)
            for n in (1, 2, 3)
            if n <= i
        )
        values = {k: math.log1p(count) for k, count in counts.items()}
        norm = math.sqrt(sum(v * v for v in values.values()))
        scores.append(bias + sum(table[k] * v for k, v in values.items()) / norm)
        sizes.append(len(passage))
    if not scores:
        return bias, bias, 0.0
    kept = sum(size for score, size in zip(scores, sizes, strict=True) if score > 0)
    return float(np.average(scores, weights=sizes)), min(scores), kept / sum(sizes)


TABLE = np.random.default_rng(3).normal(size=hashed.SLOTS)


def measured(texts: list[str]) -> np.ndarray:
    model = Additive("t", 0.0, (Curve("n_chars", np.array([0.0, 1]), np.zeros(2)),), TABLE, -0.25)
    out = np.empty((len(texts), len(hashed.SIGNALS)))
    row = 0
    for part in slices(pa.array(texts)):
        n = len(part.starts) - 1
        additive.measure_passages(part.points, part.starts, out[row : row + n], model)
        row += n
    return out


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=4))
def test_passage_scores_are_those_of_plain_python_on_any_text(texts: list[str]) -> None:
    expected = [plain(text, TABLE, -0.25) for text in texts]
    assert measured(texts) == pytest.approx(np.array(expected), abs=1e-9)


def test_long_texts_are_cut_at_line_ends_and_scored_by_passage() -> None:
    texts = [PROSE * 9, "あ" * 2500, ("ＡＢＣ１２３ abc456\n" * 80), (PROSE + MENU) * 3]
    assert measured(texts) == pytest.approx(np.array([plain(t, TABLE, -0.25) for t in texts]))
    # A text said twenty times over has the score of the text: length alone changes nothing.
    once, often = measured([PROSE * 6, PROSE * 120])
    assert often[0] == pytest.approx(once[0], abs=0.15 * np.abs(TABLE).max())


@given(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=20))
def test_a_curve_is_linear_between_knots_and_level_beyond(values: list[float]) -> None:
    curve = Curve("x", np.array([-3.0, 0.0, 0.5, 20.0]), np.array([1.0, -1.0, 2.0, 4.0]))
    expected = np.interp(values, curve.knots, curve.heights)
    assert curve.at(np.array(values)) == pytest.approx(expected)
    assert curve.at(np.array(values, np.float32)) == pytest.approx(expected)


def test_a_missing_value_has_no_height_and_a_count_is_a_number() -> None:
    curve = Curve("x", np.array([0.0, 10.0]), np.array([0.0, 1.0]))
    assert np.isnan(curve.at(np.array([np.nan, 5.0]))).tolist() == [True, False]
    assert curve.at(np.array([5, 20], np.int32)).tolist() == [0.5, 1.0]


def test_the_shipped_model_is_small_and_its_contributions_add_up() -> None:
    path = additive.FOLDER / "web-2.npz"
    assert path.stat().st_size <= 300_000
    model = additive.load("web-2")
    assert 10 <= len(model.signals) <= 30
    quality = measure(pa.array([PROSE, MENU]))
    columns = {name: np.asarray(quality.field(name), np.float64) for name in model.signals}
    odds = model.log_odds(columns)
    assert odds[0] > 1 and odds[1] < -1
    for row in (0, 1):
        parts = model.contributions({name: float(v[row]) for name, v in columns.items()})
        assert model.intercept + sum(c for _, _, c in parts) == pytest.approx(odds[row])
        assert [abs(c) for _, _, c in parts] == sorted((abs(c) for _, _, c in parts), reverse=True)
    assert load("web").decide(quality).keep.tolist() == [True, False]


def test_a_longer_cut_of_the_same_prose_is_never_worse_off() -> None:
    texts = [(PROSE + "\n") * times for times in (1, 4, 40)]
    quality = measure(pa.array(texts))
    assert load("web").decide(quality).keep.all()
    assert (
        additive.load("web-2").curves[additive.load("web-2").signals.index("n_chars")].knots[-1]
        <= 2000
    )


def test_the_sentence_names_three_signals_and_which_way() -> None:
    rows = [("a", 0.5, 2.0), ("b", 10.0, -1.0), ("c", 3.0, 0.5), ("d", 1.0, 0.1)]
    said = additive.sentence(rows)
    assert said == "for it speak a 0.5 (+2.00), c 3 (+0.50); against it speaks b 10 (-1.00)"


def test_a_rule_on_a_model_decides_as_the_model_and_needs_its_signals() -> None:
    rule = f'[[rule]]\nname = "j"\nsignal = "{MODEL}web-2"\nmin = 0.5\n'
    profile = parse(rule, "mine", "mine")
    quality = measure(pa.array([PROSE, MENU]))
    decided = profile.decide(quality)
    assert decided.keep.tolist() == [True, False] and decided.threshold[1] == 0.5
    assert 0 <= decided.value[1] < 0.5
    given_odds = {f"{MODEL}web-2": pa.array([0.1, 0.9])}
    assert profile.decide(quality, given_odds).keep.tolist() == [False, True]
    with pytest.raises(ProfileError, match="measure the group"):
        profile.decide(measure(pa.array([PROSE]), frozenset({"scripts"})))
    with pytest.raises(ProfileError, match=r"did you mean 'model\.web-2'"):
        parse(rule.replace("web-2", "web-3"), "mine", "mine")


def test_strict_and_wide_ask_the_same_model_for_more_and_less() -> None:
    bounds = [load(n).rules[-1].low for n in ("web-wide", "web", "web-strict")]
    assert bounds == sorted(set(bounds))
    assert {load(n).rules[-1].signal for n in ("web-wide", "web", "web-strict")} == {"model.web-2"}


def test_a_damaged_model_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(additive, "FOLDER", tmp_path)
    curve = Curve("n_chars", np.array([0.0, 1.0]), np.zeros(2))
    codes = np.zeros(hashed.SLOTS, np.int8)
    additive.save(tmp_path / "good.npz", 0.5, [curve], codes, 0.01, 0.0)
    again = (tmp_path / "good.npz").read_bytes()
    additive.save(tmp_path / "good.npz", 0.5, [curve], codes, 0.01, 0.0)
    assert (tmp_path / "good.npz").read_bytes() == again
    assert additive.load("good").intercept == 0.5
    (tmp_path / "cut.npz").write_bytes(again[: len(again) // 2])
    (tmp_path / "text.npz").write_text("no model")
    turned = Curve("n_chars", np.array([1.0, 0.0]), np.zeros(2))
    additive.save(tmp_path / "turned.npz", 0.5, [turned], codes, 0.01, 0.0)
    additive.save(tmp_path / "short.npz", 0.5, [curve], codes[:5], 0.01, 0.0)
    for name, message in (
        ("absent", "No such file"), ("cut", "cut.npz"), ("text", "text.npz"),
        ("turned", "do not ascend"), ("short", "no table of"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=message) as caught:
            additive.load(name)
        assert "\n" not in str(caught.value)
