"""Dedup of documents with blocks: what stands in code, tables and headings is no paragraph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpus.stages import harvest
from corpus.stages.clean import set_text
from corpus.text import cut, views
from corpus.text.blocks import END, KINDS, START, Blocks, rows_of

NOTICE = "編集部が選んだ今週の三本は、どれも長く読まれている記事です。"
PASSAGE = "この部分は引用された一節であり、どの記事でも 1 * 2 と同じである。" * 4
BODIES = ["春の朝は早い。", "夏の夜は短く暑い。", "秋の日はつるべ落とし。", "冬の星はよく光る。"]


def markdown(*blocks: tuple[str, int, str]) -> tuple[str, Blocks]:
    text, spans = "", []
    for name, level, body in blocks:
        text += "\n\n" if text else ""
        spans.append([len(text), len(text) + len(body), KINDS.index(name), level, 0])
        text += body
    return text, Blocks(np.array(spans, np.int32))


def pages() -> dict[str, tuple[str, Blocks]]:
    """Four pages of a host: the same notice under a heading, code and table; and one passage."""
    out = {}
    for n, body in enumerate(BODIES):
        passage = [("item", 1, f"3. {PASSAGE}`{n}  x`")] if n < 2 else []
        out[f"https://a.jp/{n}"] = markdown(
            ("heading", 1, "# 記事"), ("paragraph", 0, rf"{body}{body} \*{n}"), *passage,
            ("code", 0, "```c\nif (a) {\n  f();\n}\n```"),
            ("table", 0, f"| 名前 | 値 |\n| --- | --- |\n| 甲 |  |\n| 乙{n} | 2 |"),
            ("heading", 2, "## お知らせ"), ("quote", 0, f"> {NOTICE}"),
        )  # fmt: skip
    return out


@pytest.fixture
def build(run_corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Build the pages as if harvest had read them so; returns the folder."""
    plain = harvest._batch

    def batch(rows: list[dict]) -> object:
        for row in rows:
            set_text(row, *pages()[row["url"]])
        return plain(rows)

    monkeypatch.setattr(harvest, "_batch", batch)

    def run(*sets: str) -> Path:
        lines = [
            json.dumps({"url": url, "text": b * 20 + url})
            for url, b in zip(pages(), BODIES, strict=True)
        ]
        (tmp_path / "in.jsonl").write_text("\n".join(lines))
        flags = [flag for each in sets for flag in ("--set", each)]
        run_corpus("build", tmp_path / "in.jsonl", "-o", tmp_path / "o", "--profile", "none", "-q",
                   "--set", "harvest.site_boilerplate=false", "--set", "dedup.mode=none",
                   *flags)  # fmt: skip
        return tmp_path / "o"

    return run


def test_frequent_paragraphs_go_with_their_heading_and_code_stays(build) -> None:
    out = build("dedup.paragraph=host", "dedup.paragraph_least=4")
    shards = pq.read_table(out / "corpus").sort_by("url")
    for row, before, own in zip(
        shards.to_pylist(), pages().values(), rows_of(shards["blocks"]), strict=True
    ):
        text = before[0].split("\n\n## お知らせ")[0]
        assert row["text"] == text and row["n_chars"] == len(text)
        assert own.spans.tolist() == before[1].spans[:-2].tolist()
    counts = pq.read_table(out / "paragraphs").to_pylist()
    for row, (text, own) in zip(counts, pages().values(), strict=True):
        assert len(row["near_host"]) == len(cut.lines_of(text, own))
        assert row["near_host"][-3:] == [0, 0, 4] and row["near_host"][0] == 0
    ledger = [r for r in pq.read_table(out / "ledger").to_pylist() if r["stage"] == "trim"]
    assert [row["value"] for row in ledger] == [1.0] * 4


def test_passages_leave_valid_markdown(build) -> None:
    out = build("dedup.substring=60")
    shards = pq.read_table(out / "corpus").sort_by("url")
    row, own = shards.to_pylist()[1], rows_of(shards["blocks"])[1]
    assert PASSAGE[2:] not in row["text"] and "3. 。`1  x`" in row["text"]
    kinds = [KINDS[k] for k in own.spans[:, 2]]
    assert kinds == ["heading", "paragraph", "item", "code", "table", "heading", "quote"]
    assert row["text"][slice(*own.spans[3, [START, END]])].startswith("```c\nif (a) {")
    assert "3. " not in views.plain_text(row["text"], own)
    assert shards.to_pylist()[0]["text"] == pages()["https://a.jp/0"][0]
