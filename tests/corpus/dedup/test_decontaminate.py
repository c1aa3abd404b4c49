"""Decontamination: planted test items are found, common phrases are not."""

from __future__ import annotations

import csv
import gzip
import json
import math
from pathlib import Path

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.dedup.passages import contamination
from corpus.dedup.passages.evalsets import read_items
from corpus.errors import UsageError
from corpus.folder.schema import LEDGER

QUESTION = "電子機器で使用される最も主要な電子回路基板の事をなんと言う？"
COMMON = "次のうち、正しいものとして最も適切なものはどれか。"
WIDE = str.maketrans({chr(0x21 + i): chr(0xFF01 + i) for i in range(94)})


def page(seed: int, planted: str = "") -> str:
    """A page of invented text with something planted in the middle."""
    points = np.random.default_rng(seed).integers(0x4E00, 0x9000, 600)
    text = "".join(map(chr, points))
    return text[:300] + planted + text[300:]


def items_of(folder: Path, rows: list[dict]) -> contamination.Items:
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "set.jsonl").write_text(lines, "utf-8")
    return contamination.load_items([folder / "set.jsonl"])


def documents(path: Path, texts: list[str]) -> Path:
    n = len(texts)
    columns = {"id": [f"d{i}" for i in range(n)], "url": [f"https://x.jp/{i}" for i in range(n)]}
    origin = {"source_file": ["a.warc"] * n, "source_offset": list(range(n))}
    pq.write_table(pa.table({**columns, **origin, "text": texts}), path)
    return path


def marked(folder: Path, items: contamination.Items, texts: list[str]) -> dict[str, dict]:
    path = documents(folder / "documents.parquet", texts)
    weights = contamination.weigh(items, [contamination.count(path, items)])
    counts = contamination.mark(path, folder / "ledger.parquet", items, weights)
    table = pq.read_table(folder / "ledger.parquet")
    assert table.schema.equals(LEDGER)
    assert counts == {"documents": len(texts), "contaminated": len(table)}
    return {row["id"]: row for row in table.to_pylist()}


def test_a_planted_question_is_found_whatever_its_spacing_and_width(tmp_path: Path) -> None:
    items = items_of(tmp_path, [{"question": QUESTION, "choice": "絵本"}, {"question": COMMON}])
    spaced = "　".join(QUESTION.replace("？", "?\n"))
    texts = [page(0), page(1, QUESTION), page(2, spaced), page(3, QUESTION[:-4]), page(4, "絵本")]
    found = marked(tmp_path, items, texts)
    assert set(found) == {"d1", "d2", "d3"}
    assert found["d1"]["rule"] == "contaminated" and found["d1"]["stage"] == "decontaminate"
    assert "set.jsonl#0.question: 電子機器で使用される" in found["d1"]["detail"]
    assert found["d1"]["url"] == "https://x.jp/1" and found["d1"]["source_offset"] == 1
    assert found["d1"]["value"] > found["d3"]["value"] >= found["d1"]["threshold"] == 0.6


def test_one_changed_character_does_not_hide_a_question(tmp_path: Path) -> None:
    items = items_of(tmp_path, [{"question": QUESTION}, {"question": page(9)[:40]}])
    changed = QUESTION[:14] + "の" + QUESTION[15:]
    texts = [page(k) for k in range(9)] + [page(10, changed)]
    assert set(marked(tmp_path, items, texts)) == {"d9"}


def test_a_common_phrase_is_no_contamination(tmp_path: Path) -> None:
    items = items_of(tmp_path, [{"question": COMMON}, {"question": QUESTION}])
    texts = [page(k, COMMON if k % 2 else "") for k in range(40)] + [page(99, QUESTION)]
    assert set(marked(tmp_path, items, texts)) == {"d40"}


def test_phrases_that_many_items_share_do_not_count(tmp_path: Path) -> None:
    rows = [{"question": COMMON + page(k)[:12]} for k in range(50)]
    items = items_of(tmp_path, rows)
    found = marked(tmp_path, items, [page(100), page(101, COMMON), page(102, rows[7]["question"])])
    assert "d1" not in found


def test_weights_are_the_documented_formula(tmp_path: Path) -> None:
    items = items_of(tmp_path, [{"q": QUESTION}, {"q": QUESTION + "それは何か"}, {"q": COMMON}])
    counts = [(6, np.full(len(items.first) - 1, 2)), (4, np.zeros(len(items.first) - 1, np.int64))]
    weights = contamination.weigh(items, counts)
    folded = reference.normalise(QUESTION)
    grams = {folded[i : i + 8] for i in range(len(folded) - 7)}
    shared = [w for w, m in zip(weights, np.diff(items.first), strict=True) if m == 2]
    assert len(shared) == len(grams)
    expected = math.log(1000 / 2) / math.log(1000) * math.log(3 / 2) / math.log(3)
    assert shared == pytest.approx([expected] * len(grams))


def test_df_is_the_number_of_documents_and_adds_up_over_files(tmp_path: Path) -> None:
    items = items_of(tmp_path, [{"q": QUESTION}])
    texts = [page(0, QUESTION + QUESTION), page(1, QUESTION), page(2), "", "短い"]
    total, df = contamination.count(documents(tmp_path / "1.parquet", texts), items)
    assert total == 5 and (df == 2).all()


def test_items_come_from_json_csv_parquet_and_nested_sets(tmp_path: Path) -> None:
    long = [page(k)[:40] + "です" for k in range(6)]
    nested = {"data": [{"paragraphs": [{"context": long[0], "qas": [{"question": long[1]}]}]}]}
    (tmp_path / "squad.json").write_text(json.dumps(nested))
    with open(tmp_path / "mmlu.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerow([long[2], "短い", "選択肢", "B"])
    pq.write_table(pa.table({"q": [long[3]]}), tmp_path / "set.parquet")
    with gzip.open(tmp_path / "lines.jsonl.gz", "wt") as file:
        file.write(json.dumps({"id": "x" * 50, "sentence1": long[4], "sentence2": long[5]}) + "\n")
    (tmp_path / "notes.txt").write_text("no evaluation set")
    names, texts, _ = read_items([tmp_path])
    assert dict(zip(names, texts, strict=True)) == {
        "lines.jsonl.gz#0.sentence1": long[4],
        "lines.jsonl.gz#0.sentence2": long[5],
        "mmlu.csv#0[0]": long[2],
        "set.parquet#0.q": long[3],
        "squad.json#data[0].paragraphs[0].context": long[0],
        "squad.json#data[0].paragraphs[0].qas[0].question": long[1],
    }


@pytest.mark.parametrize(("name", "content"), [("a.json", "{"), ("b.parquet", "x"), ("c.txt", "x")])
def test_unreadable_sets_are_named_in_one_line(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as error:
        read_items([tmp_path])
    assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="no such evaluation set"):
        read_items([tmp_path / "absent"])


def test_real_sets_planted_in_real_pages(shared_data: Path, tmp_path: Path) -> None:
    with gzip.open(shared_data / "warc" / "dev-sample.gold.jsonl.gz", "rt") as file:
        pages = [row["gold"] for row in map(json.loads, file) if row["true_lang"] == "ja"]
    items = contamination.load_items([shared_data / "evaluation"])
    assert len(items.names) > 20_000
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(items.names), 200, replace=False)
    planted = {}
    for k, item in enumerate(chosen):
        text = items.texts[item]
        text = text.translate(WIDE) if k % 3 == 0 else text
        text = text.replace("、", "，\n") if k % 3 == 1 else text
        middle = len(pages[k]) // 2
        planted[k] = pages[k][:middle] + text + pages[k][middle:]
    texts = [planted.get(k, text) for k, text in enumerate(pages)]
    found = marked(tmp_path, items, texts)
    hits = {int(name[1:]) for name in found}
    assert len(hits & set(planted)) >= 196  # what is missed consists of phrases of many items
    false = [found[f"d{k}"]["detail"] for k in hits - set(planted)]
    assert len(false) <= 4  # names of laws that are most of a question
