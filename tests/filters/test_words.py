"""Word lists: hits at word boundaries, measured on 374 real sentences; broken lists."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from filter_texts import documents
from hypothesis import given
from hypothesis import strategies as st

from filters.buffers import text_buffers
from filters.published_words import ldnoobw_counts
from filters.signals import measure
from filters.words import Word, WordError, WordList, load

LABELS = Path(__file__).parent / "word_labels.tsv"


def hits(words: WordList, *texts: str) -> list[tuple[int, str]]:
    data, offsets = text_buffers(pa.array(texts))
    return [(h.document, h.word.text) for h in words.find(data, offsets)]


def of(*words: str) -> WordList:
    return WordList.of(Word(w, "adult", 2) for w in words)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("アス", "アスパラガスを茹でる。"),
        ("サック", "リュックサックを買う。"),
        ("セックス", "セックスレスの相談が増えた。"),
        ("チョン", "クエスチョンマーク"),
        ("格安", "砂糖の価格安定等に関する法律"),
        ("SM", "SMTPサーバを設定する。"),
        ("かたわ", "そのかたわらで聞いていた。"),
    ],
)
def test_a_word_inside_another_word_is_no_hit(word: str, text: str) -> None:
    assert hits(of(word), text) == []


def test_own_list_leaves_plain_texts_alone() -> None:
    plain = [
        "女の子が公園で遊ぶ。",
        "アスパラガスとリュックサック",
        "セックスレスの相談",
        "死刑制度の歴史",
    ]
    assert hits(load(), *plain) == []


def test_hits_carry_topic_severity_and_byte_span() -> None:
    text = "彼は覚醒剤の所持で起訴された。送料無料！"
    data, offsets = text_buffers(pa.array(["", text]))
    found = load().find(data, offsets)
    assert [(h.document, h.word.text, h.word.topic) for h in found] == [
        (1, "覚醒剤", "drugs"),
        (1, "送料無料", "ads"),
    ]
    assert text.encode()[found[0].begin : found[0].end].decode() == "覚醒剤"
    row = measure(pa.array([text]), frozenset({"harm"})).to_pylist()[0]
    assert (row["harmful_words"], row["harmful_severity"], row["ad_words"]) == (1, 2, 1)


def test_precision_and_recall_on_the_labelled_sentences(shared_data: Path) -> None:
    rows = [line.split("\t") for line in LABELS.read_text("utf-8").splitlines() if line[0] != "#"]
    wanted = {row[0] for row in rows}
    assert len(wanted) >= 300
    sentences: dict[str, str] = {}
    for genre, text in documents(shared_data):
        if genre != "foreign":
            for match in re.finditer("[^。\n！？]+[。！？]?", text):
                sentence = match.group().strip()
                key = hashlib.sha1(sentence.encode()).hexdigest()[:12]
                if key in wanted:
                    sentences[key] = sentence
    assert sentences.keys() == wanted
    words = WordList.of(Word(w, "adult", 2) for w in sorted({row[2] for row in rows}))
    keys = sorted(sentences)
    data, offsets = text_buffers(pa.array([sentences[k] for k in keys]))
    found = set()
    for hit in words.find(data, offsets):
        head = data[offsets[hit.document] : offsets[hit.document] + hit.begin].tobytes().decode()
        found.add((keys[hit.document], str(len(head)), hit.word.text))
    labels = {(k, at, word): label == "1" for k, at, word, label in rows}
    tp = sum(labels[spot] for spot in found if spot in labels)
    fp = sum(not labels[spot] for spot in found if spot in labels)
    fn = sum(value for spot, value in labels.items() if spot not in found)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    bare = sum(labels.values()) / len(labels)
    print(f"precision {precision:.3f}, recall {recall:.3f}, bare substring precision {bare:.3f}")
    assert precision >= 0.98
    assert recall >= 0.90


@given(st.lists(st.text(alphabet="あア亜セックス死ね送料無料。\n", max_size=40), max_size=6))
def test_a_document_is_searched_alone(texts: list[str]) -> None:
    expected = [(i, w) for i, t in enumerate(texts) for _, w in hits(load(), t)]
    assert hits(load(), *texts) == expected if texts else True


def test_public_lists_are_read_where_they_are(shared_data: Path) -> None:
    path = shared_data / "wordlists/LDNOOBW/ja"
    counts = ldnoobw_counts(pa.array(["女の子とグロスター", "ポルノ", None]), path)
    assert counts["ldnoobw_ja"].to_pylist() == [0, 1, 0]


def test_a_broken_list_names_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.tsv"
    path.write_text("# words\nadult\t4\tx\n", encoding="utf-8")
    with pytest.raises(WordError, match=r"mine\.tsv, line 2: expected topic"):
        load(path)
    with pytest.raises(WordError, match="absent"):
        load(tmp_path / "absent.tsv")


def test_own_list_is_sorted_without_repeats_and_every_topic_has_words() -> None:
    words = load().words
    assert len({w.text for w in words}) == len(words)
    assert {w.topic for w in words} == {
        *("adult", "discrimination", "violence", "drugs"),
        *("gambling", "crime", "self-harm", "ads"),
    }
    assert np.all(np.isin([w.severity for w in words], [1, 2, 3]))
