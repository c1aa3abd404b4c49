"""The character model: probabilities that add up, a kernel that is right, damage that is named."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filter_texts import documents
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.training.train_perplexity import model_of, perplexities, train
from filters.kernels.perplexity import LONG_LINE, ORDER, SIGNALS, UNKNOWN, find
from filters.perplexity import (
    BAD_LINE,
    MODEL,
    UNKNOWN_KINDS,
    Model,
    ModelError,
    fold,
    load,
    shipped,
)
from filters.signals import measure

ROWS = st.text(alphabet="吾輩は猫である。、\n\u3000 Ａａ１国們𠮷\0ﾈ\r", max_size=120)
ANY = st.one_of(ROWS, st.text(st.characters(exclude_categories=["Cs"]), max_size=60))


def plain(model: Model, text: str) -> list[float]:
    """The four signals in plain Python: n-grams in a dict, one line at a time."""
    grams, weights = trie(model)
    rows: list[tuple[float, int]] = []
    total = 0.0
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        ids = [int(model.ids[ord(c)]) if ord(c) < 0x10000 else UNKNOWN for c in line]
        while ids[:1] == [2]:
            ids.pop(0)
        if not ids:
            continue
        history, score = (1,), 0.0
        for char in ids if number == len(lines) else [*ids, 1]:
            one, context = 0.0, history[1 - ORDER :]
            while context not in weights:  # the longest context that is known
                context = context[1:]
            passed = []
            while (*context, char) not in grams:
                passed.append(weights[context])
                context = context[1:]
            for weight in reversed(passed):  # the kernel adds the shortest first
                one += weight
            one += grams[(*context, char)]
            score += one - (math.log(UNKNOWN_KINDS) if char == UNKNOWN else 0.0)
            history += (char,)
        length = len(history) - 1
        rows.append((math.exp(-score / length), length))
        total += score
    if not rows:
        return [0.0] * 4
    characters = sum(n for _, n in rows)
    whole = math.exp(-total / characters)
    below, median = 0, 0.0
    for value, length in sorted(rows, key=lambda row: row[0]):
        below += length
        if 2 * below >= characters:
            median = value
            break
    worst = max((value for value, n in rows if n >= LONG_LINE), default=whole)
    return [whole, worst, median, sum(n for v, n in rows if v > BAD_LINE) / characters]


Grams = dict[tuple[int, ...], float]
TRIES: dict[int, tuple[Grams, Grams]] = {}


def trie(model: Model) -> tuple[Grams, Grams]:
    """(log probability of each n-gram, log back-off weight of each context)."""
    if id(model) not in TRIES:
        names: list[tuple[int, ...]] = [(int(c),) for c in model.chars[: int(model.first[0])]]
        for parent in range(len(model.first) - 1):
            for node in range(int(model.first[parent]), int(model.first[parent + 1])):
                names.append((*names[parent], int(model.chars[node])))
        grams = dict(zip(names, model.nodes.tolist(), strict=True))
        TRIES[id(model)] = grams, dict(zip(names, model.weights.tolist(), strict=False))
    return TRIES[id(model)]


@pytest.fixture(scope="module")
def small(shared_data: Path) -> Model:
    return model_of(train([t for g, t in documents(shared_data) if g == "literature"][:12], 20_000))


@given(ANY)
def test_the_kernel_scores_as_plain_python_does(text: str) -> None:
    model = tiny()
    assert perplexities(model, [text])[0].tolist() == pytest.approx(plain(model, text), rel=1e-9)


def tiny() -> Model:
    if not TINY:
        TINY.append(
            model_of(train(["吾輩は猫である。名前はまだ無い。\n" * 9, "猫は１匹である\n" * 5], 90))
        )
    return TINY[0]


TINY: list[Model] = []


def test_real_documents_score_as_in_plain_python(small: Model, shared_data: Path) -> None:
    texts = [t[:800] for _, t in documents(shared_data)][::60]
    for text, row in zip(texts, perplexities(small, texts).tolist(), strict=True):
        assert row == pytest.approx(plain(small, text), rel=1e-9)


@given(st.text(alphabet="吾輩は猫である。國\nA", max_size=6))
def test_probabilities_of_a_tiny_model_add_up_to_one_after_anything(context: str) -> None:
    assert tiny().probabilities(context).sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "context", ["", "\n", "日本", "しなければ", "でありま", "𠮷", "丂丂丂丂", "㍿1月"]
)
def test_probabilities_of_the_shipped_model_add_up_to_one_with_the_unknown(context: str) -> None:
    p = shipped().probabilities(context)
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert p.min() > 0


def test_probabilities_are_those_that_the_kernel_adds_up() -> None:
    model = shipped()
    text = "日本国憲法は、國會で可決された。"
    ids = [int(model.ids[ord(c)]) for c in text]
    score = sum(
        math.log(model.probabilities("\n" + text[:i])[char])
        - (char == UNKNOWN) * math.log(UNKNOWN_KINDS)
        for i, char in enumerate(ids)
    )
    expected = perplexities(model, [text])[0, 0]
    assert math.exp(-score / len(text)) == pytest.approx(expected, rel=1e-5)


def test_clean_text_stands_apart_from_mojibake_shuffled_text_and_chinese(shared_data: Path) -> None:
    kinds: dict[str, list[str]] = {"encyclopedia": [], "sentences": [], "foreign": []}
    for genre, text in documents(shared_data):
        if genre in kinds and len(text) > 400:
            kinds[genre].append(text[:800])
    clean = kinds["encyclopedia"] + kinds["sentences"]
    random = np.random.default_rng(1)
    bad = [t.encode("utf-8").decode("cp932", "replace") for t in clean]
    bad += [t.encode("cp932", "replace").decode("utf-8", "replace") for t in clean]
    bad += ["".join(random.permutation(list(t))) for t in clean]
    bad += [t for t in kinds["foreign"] if sum("\u4e00" <= c <= "\u9fff" for c in t) > len(t) / 2]
    good, worse = perplexities(shipped(), clean)[:, 0], perplexities(shipped(), bad)[:, 0]
    assert np.quantile(good, 0.95) < 70 < 200 < np.quantile(worse, 0.05)


def test_signals_are_a_lazy_group_with_zeros_for_an_empty_text() -> None:
    texts = pa.array(["", None, "\n \n", "今日は天気がよいので、散歩に出かけることにした。"])
    row = measure(texts, frozenset({"perplexity"})).to_pylist()
    names = [s.name for s in SIGNALS]
    assert [row[i][n] for i in range(3) for n in names] == [0] * 12
    assert 5 < row[3]["perplexity"] == row[3]["worst_line_perplexity"] < 60
    assert row[3]["high_perplexity_share"] == 0
    assert measure(texts).type.get_field_index("perplexity") < 0  # not measured: no column


def test_leading_blanks_blank_lines_and_width_change_nothing() -> None:
    texts = [
        "今日はABC、１２個を買った。\nそれから帰った。",
        "　今日はＡＢＣ，98個を買った．\n\n\u3000それから帰った。",
    ]
    one, two = perplexities(shipped(), texts).tolist()
    assert one == two
    assert fold()[ord("Ｚ")] == ord("z") and fold()[ord("\t")] == ord(" ")


def test_a_document_of_one_long_line_and_one_of_line_breaks() -> None:
    rows = perplexities(shipped(), ["あ" * 300_000, "\n" * 300_000, "𠮷" * 30])
    assert np.isfinite(rows).all() and rows[1].tolist() == [0] * 4
    assert rows[2, 0] > 1e5 and rows[2, 3] == 1


def test_training_twice_gives_the_same_bytes_within_the_entries(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.mkdir()
    for i in range(41):
        (text / f"{i:02}.txt").write_text("吾輩は猫である。名前はまだ無い。\n" * (i + 1), "utf-8")
    said = []
    for name in ("a.npz", "b.npz"):
        args = [
            sys.executable,
            "-m",
            "benchmarks.training.train_perplexity",
            text,
            "--out",
            tmp_path / name,
        ]
        run = subprocess.run([*map(str, args), "--entries", "40"], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        said.append(run.stdout.replace(name, ""))
    assert said[0] == said[1] and "held out, 1 texts" in said[0]
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(load(tmp_path / "a.npz").nodes) <= 40


def test_a_closed_trie_finds_every_ngram_and_its_end(small: Model) -> None:
    grams, _ = trie(small)
    assert len(grams) <= 20_000 and max(map(len, grams)) == ORDER
    assert all(g[1:] in grams and g[:-1] in grams for g in grams if len(g) > 1)
    assert find(small.slots, int(small.ids[ord("は")]), 8191) == -1


def test_the_shipped_model_is_small() -> None:
    assert MODEL.stat().st_size < 5_000_000


def test_a_missing_damaged_or_foreign_model_is_one_line(tmp_path: Path) -> None:
    def fails(path: Path, words: str) -> None:
        with pytest.raises(ModelError, match=words) as error:
            load(path)
        assert "\n" not in str(error.value) and str(path) in str(error.value)

    whole = MODEL.read_bytes()
    fails(tmp_path / "absent.npz", "No such file")
    path = tmp_path / "m.npz"
    for data in (b"", b"text", whole[: len(whole) // 2], whole[:-9], b"\x80\x04K\x01."):
        path.write_bytes(data)
        fails(path, "m.npz: .")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    path.write_bytes(damaged)
    fails(path, "m.npz: .")
    np.savez(path, other=np.arange(3))
    fails(path, "format")
    np.savez(path, format=np.array("other"))
    fails(path, "not of the format inaho-char-ngram-1")
    np.savez(path, format=np.array([{}], dtype=object))
    fails(path, "pickle")


def test_a_trie_that_lacks_an_end_is_refused(tmp_path: Path) -> None:
    arrays = train(["吾輩は猫である。\n" * 9], 60)
    for name, at, value in (
        ("chars_low", -1, 99),
        ("codes", -1, 0),
        ("children", 0, 900),
        ("vocabulary", 1, 65),
    ):
        broken = {k: v.copy() for k, v in arrays.items()}
        broken[name][at] = value
        np.savez(tmp_path / "m.npz", **broken)
        with pytest.raises(ModelError):
            load(tmp_path / "m.npz")


def test_no_text_is_one_line_on_the_command_line(tmp_path: Path) -> None:
    for args in ([tmp_path], [tmp_path / "absent.txt"]):
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "benchmarks.training.train_perplexity",
                *map(str, args),
                "--out",
                str(tmp_path / "m.npz"),
            ],
            capture_output=True,
            text=True,
        )
        assert run.returncode == 2 and run.stderr.startswith("error: ")
        assert run.stderr.count("\n") == 1
