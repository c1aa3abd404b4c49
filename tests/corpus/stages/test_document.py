"""A text that is no HTML becomes a document: read as Markdown or plain, kept byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpus.settings import HarvestSettings, InputSettings, Settings
from corpus.sources.item import Item
from corpus.stages.document import Reject, document
from corpus.text.blocks import KIND, KINDS
from corpus.text.markdown import read
from corpus.text.normalize import normalize
from corpus.text.normalize_blocks import of_markdown
from corpus.text.views import plain_blocks, plain_text

TEXT = """## 設定の　手順  ２

本文です。 Apache を使います。

```py
if Ａ:
    x  =  1
```

| 名前 | 値 |
| --- | --- |
|  | 甲 |
"""
PLAIN = "設定の　手順 2\n本文です。Apache を使います。\nif Ａ:\n    x  =  1\n名前\t値\n\t甲"


def row_of(text: str, settings: Settings) -> dict[str, Any]:
    row = document(Item(file="a.jsonl", offset=0, length=1, text=text), settings)
    assert not isinstance(row, Reject), row
    return row


def test_a_text_is_read_as_markdown() -> None:
    row = row_of(TEXT, Settings())
    assert (row["text"], row["format"]) == (of_markdown(TEXT)[0], "markdown")
    assert [KINDS[kind] for kind in row["blocks"].spans[:, KIND]] == [
        "heading", "paragraph", "code", "table",
    ]  # fmt: skip
    assert plain_text(row["text"], row["blocks"]) == PLAIN
    assert row["n_chars"] == len(row["text"])


def test_a_plain_text_has_no_blocks() -> None:
    row = row_of(TEXT, replace(Settings(), input=InputSettings(text="plain")))
    assert (row["text"], row["format"]) == (normalize(TEXT), "plain")
    assert len(row["blocks"].spans) == 0


def test_harvest_in_the_plain_format_gives_plain_views() -> None:
    row = row_of(TEXT, replace(Settings(), harvest=HarvestSettings(format="plain")))
    assert (row["text"], row["format"]) == (PLAIN, "plain")
    blocks = plain_blocks(*of_markdown(TEXT))[1]
    assert (row["blocks"].spans == blocks.spans).all()


def test_signs_are_no_text() -> None:
    rejected = document(Item(file="a.jsonl", offset=0, length=1, text="---\n\n#\n\n>"), Settings())
    assert isinstance(rejected, Reject) and rejected.rule == "empty"


def test_code_of_json_lines_comes_through_a_build_byte_for_byte(
    repo: Path, run_corpus: Callable[..., Any], tmp_path: Path
) -> None:
    texts = [
        path.read_text("utf-8") for path in sorted([*repo.glob("docs/*.md"), repo / "README.md"])
    ]
    texts = [text for text in texts if "```" in text or "\n\n    " in text]
    texts = [text for text in texts if sum(map(str.isascii, text)) > 0.9 * len(text)]  # English
    with open(tmp_path / "in.jsonl", "w", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    language = ("--set", "harvest.language=en", "--profile", "none", "--dedup", "none", "-q")
    run_corpus("build", tmp_path / "in.jsonl", "--out", tmp_path / "out", *language)
    published = pq.read_table(tmp_path / "out" / "corpus")["text"].to_pylist()
    assert len(published) == len(texts) > 3
    whole = "\n\n".join(published)
    code = [
        text[span[0] : span[1]]
        for text in texts
        for span in read(text).spans.tolist()
        if KINDS[span[KIND]] == "code"
    ]
    assert len(code) > 20 and [block for block in code if block not in whole] == []
