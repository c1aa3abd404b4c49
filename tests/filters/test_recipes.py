"""The -compat profiles decide as the originals, on every real document."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cramjam
import numpy as np
import pyarrow as pa
import pytest
from filter_texts import documents
from plain_recipes import (
    Datatrove,
    HojiChar,
    LlmJp,
    any_word,
    sudachi,
    word_lines,
    word_types,
    words,
)
from plain_signals import lines, ratio

from filters.profile import load, names
from filters.published_words import (
    check as check_lists,
)
from filters.published_words import (
    hojichar_counts,
    ldnoobw_counts,
    llmjp_counts,
    measure_extra,
    uzushio_counts,
)
from filters.signals import GROUPS, measure
from filters.sudachi_words import cut, pieces
from filters.words import WordError

# What recipes read: every group that is not lazy, and the two lazy ones that need no model.
MEASURED = frozenset(g for g, group in GROUPS.items() if not group.lazy) | {"zlib", "words"}


@cache
def everything(shared_data: Path, step: int = 6) -> tuple[list[str], pa.StructArray]:
    """Every step-th document and its signals."""
    texts = [text for _, text in documents(shared_data)][::step]
    return texts, measure(pa.array(texts), MEASURED)


# The plain originals need minutes for all documents: a sixth here, all with `make test-slow`.
EVERY = pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)])


def check(keep: np.ndarray, expected: list[bool]) -> None:
    """All decisions agree, and both decisions occur, so that agreement says something."""
    assert 3 < sum(expected) < len(expected) - 3
    assert [i for i, (a, b) in enumerate(zip(keep, expected, strict=True)) if a != b] == []


@EVERY
def test_hojichar_compat_decides_as_the_original(shared_data: Path, step: int) -> None:
    texts, quality = everything(shared_data, step)
    folder = shared_data / "wordlists/HojiChar"
    extra = hojichar_counts(pa.array(texts), folder)
    original = HojiChar(folder)
    keep = load("hojichar-compat").decide(quality, extra).keep
    check(keep, [original.keeps(text) for text in texts])


@EVERY
@pytest.mark.parametrize("strict", [False, True])
def test_llm_jp_compat_decides_as_the_original(shared_data: Path, strict: bool, step: int) -> None:
    texts, quality = everything(shared_data, step)
    folders = shared_data / "wordlists/llm-jp-corpus", shared_data / "wordlists/HojiChar"
    name = "llm-jp-v1-strict-compat" if strict else "llm-jp-v1-compat"
    keep = load(name).decide(quality, llmjp_counts(pa.array(texts), *folders)).keep
    original = LlmJp(*folders, strict)
    check(keep, [original.keeps(text) for text in texts])


@EVERY
def test_uzushio_compat_decides_as_the_original(shared_data: Path, step: int) -> None:
    texts, quality = everything(shared_data, step)
    folder = shared_data / "wordlists/HojiChar"
    adult, discrimination = (
        word_lines(folder / f"hojichar__dict__{t}_keywords_ja.txt")
        for t in ("adult", "discrimination")
    )

    def keeps(text: str) -> bool:
        shape = lines(text)
        data = text.replace("\n", "").encode()[: 1 << 20]
        packed = len(cramjam.lz4.compress_block(data, store_size=False)) if data else 0
        return (
            shape["utf16_length"] >= 200
            and shape["hiragana_block_share"] >= 0.15
            and 0.5 <= np.float32(ratio(packed, len(data))) <= 0.75
            and word_types(adult, text) < 6
            and word_types(discrimination, text) < 9
        )

    keep = load("uzushio-compat").decide(quality, uzushio_counts(pa.array(texts), folder)).keep
    check(keep, [keeps(text) for text in texts])


@EVERY
def test_c4_compat_decides_as_the_original(shared_data: Path, step: int) -> None:
    texts, quality = everything(shared_data, step)
    path = shared_data / "wordlists/LDNOOBW/ja"
    bad = any_word([w for w in word_lines(path) if w not in ("sm", "グロ", "女の子")])
    expected = [
        len([line for line in text.split("\n") if len(line) >= 200]) >= 3
        and not bad.search(text.lower())
        for text in texts
    ]
    check(
        load("c4-ja-compat").decide(quality, ldnoobw_counts(pa.array(texts), path)).keep, expected
    )


@EVERY
@pytest.mark.parametrize("name", ["fineweb2-ja-compat", "gopher-compat"])
def test_datatrove_compat_decides_as_the_original(shared_data: Path, name: str, step: int) -> None:
    pytest.importorskip("sudachipy", reason="SUDACHIPY IS ABSENT: datatrove's words not compared")
    texts, quality = everything(shared_data, step)
    short = [i for i, text in enumerate(texts) if len(text.encode()) < 40_000]
    texts = [texts[i] for i in short]
    original = Datatrove(japanese=name == "fineweb2-ja-compat")
    expected = [original.keeps(text, sudachi(text)) for text in texts]
    extra = measure_extra(load(name).extra_signals(), pa.array(texts))
    check(load(name).decide(quality.take(pa.array(short)), extra).keep, expected)


def test_long_texts_are_cut_into_words_as_datatrove_cuts_them(shared_data: Path) -> None:
    tokens = pytest.importorskip(
        "datatrove.utils.word_tokenizers", reason="DATATROVE IS ABSENT: its pieces not compared"
    )
    texts = [text for _, text in documents(shared_data) if len(text.encode()) > 39_000][::3]
    mixed = "".join(texts)[:30_000] + "abc\n" * 9_000 + "𠮷野家" * 5_000
    for text in [*texts[:10], mixed, "あ", "あ" * 13_333, "あ" * 13_334, "a" * 80_001]:
        assert pieces(text) == tokens.chunk_text_on_bytes(text, 40_000)
    split = pytest.importorskip("datatrove.utils.text").split_into_words
    pytest.importorskip("spacy", reason="SPACY IS ABSENT: datatrove's words not compared")
    for text in [*texts[:2], mixed, " 　\n", "全角　空白と\tタブ\n…！？"]:
        assert cut(text) == split(text, "ja")


def test_word_signals_equal_plain_python_on_real_documents(shared_data: Path) -> None:
    texts, quality = everything(shared_data)
    sample = list(range(0, len(texts), 3))  # plain word n-grams take a tenth of a second each
    expected = [words(texts[i]) for i in sample]
    for name in expected[0]:
        values = np.array([row[name] for row in expected])
        assert np.allclose(quality.field(name).take(sample), values, rtol=3e-7, atol=1e-7), name


@pytest.mark.parametrize(
    "name", ["fineweb2-ja", "gopher", "hojichar", "llm-jp-v1", "uzushio", "c4-ja"]
)
def test_mended_profiles_need_no_list_of_others(shared_data: Path, name: str) -> None:
    _, quality = everything(shared_data)
    profile = load(name)
    assert profile.extra_signals() == []
    assert 0 < profile.decide(quality).keep.sum() < len(quality)


def test_hojichar_package_rejects_what_the_compat_profile_rejects(shared_data: Path) -> None:
    filters = pytest.importorskip("hojichar.filters.document_filters", reason="the original itself")
    from hojichar import Document

    texts, quality = everything(shared_data)
    originals = [
        filters.AcceptJapanese(),
        filters.DiscardRareKuten(),
        filters.DiscardBBSComments(),
        filters.DiscardAds(),
        filters.DiscardAdultContentJa(),
        filters.DiscardAdultContentEn(),
        filters.DiscardDiscriminationContentJa(),
        filters.DiscardViolenceContentJa(),
        filters.DiscardTooManyNouns(),
        filters.CharRepetitionRatioFilter(),
        filters.WordRepetitionRatioFilter(),
        filters.DiscardTooManySpecialToken(),
        filters.SingleCharacterRepetitionFilter(),
        filters.DiscardTooManyEndingEllipsis(),
        filters.DiscardTooShortLines(),
    ]
    sample = range(len(texts))
    expected = [not any(f.apply(Document(texts[i])).is_rejected for f in originals) for i in sample]
    extra = hojichar_counts(pa.array(texts))
    keep = load("hojichar-compat").decide(quality, extra).keep
    check(keep[list(sample)], expected)


def test_lists_that_a_profile_needs_are_asked_for_in_one_line(
    shared_data: Path, tmp_path: Path
) -> None:
    for name in names():
        check_lists(load(name).extra_signals(), shared_data / "wordlists")
    for name, lists, message in (
        ("c4-ja-compat", None, "LDNOOBW"),
        ("llm-jp-v1-compat", tmp_path, "ja_adult_keywords.txt is not below it"),
        ("web", tmp_path / "absent", "no such folder"),
    ):
        with pytest.raises(WordError, match=message) as caught:
            check_lists(load(name).extra_signals(), lists)
        assert "\n" not in str(caught.value)


def test_extra_columns_are_those_asked_for_and_equal_the_single_counts(shared_data: Path) -> None:
    texts = pa.array(["アスパラガスとリュックサック", None, "of the 死ね"])
    lists = shared_data / "wordlists"
    wanted = ["hojichar_violence", "ldnoobw_ja", "cluster_size"]
    found = measure_extra(wanted, texts, lists)
    assert list(found) == ["hojichar_violence", "ldnoobw_ja"]
    assert found["hojichar_violence"] == hojichar_counts(texts, lists)["hojichar_violence"]
    assert found["ldnoobw_ja"] == ldnoobw_counts(texts, lists / "LDNOOBW/ja")["ldnoobw_ja"]
