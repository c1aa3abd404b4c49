"""From real files to shards: blocks say what stands where, and what is published follows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from corpus.folder.schema import SHARD
from corpus.text import views
from corpus.text.blocks import KINDS

INPUTS = ("tests/data/text", "tests/data/documents.jsonl.gz", "tests/data/html")
CODE = """# 設定の手順

設定ファイルは次のように書きます。値は整数で、既定値は三です。

```toml
[server]
    port = 3  # 待ち受ける番号
}
```

| 名前 | 値 |
| --- | --- |
| 番号 | 3 |

- 一つ目の項目を説明します。
- 二つ目の項目も説明します。
"""
ONLY_CODE = "```python\nprint('こんにちは、世界。これは日本語の文字列です。')\n```\n"


@pytest.fixture(scope="module")
def markdown(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of real files and of two texts with code, as Markdown."""
    folder = tmp_path_factory.mktemp("texts")
    source = folder / "code.jsonl"
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in (CODE, ONLY_CODE)]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_corpus("build", *INPUTS, source, "--out", folder / "out", "--profile", "none", "-q")
    return folder / "out"


def shards(folder: Path) -> pa.Table:
    return pq.read_table(folder / "corpus").combine_chunks()


def columns(table: pa.Table) -> list[pa.Array]:
    return [table[name].combine_chunks() for name in ("text", "blocks", "format")]


def kinds(row: dict[str, Any]) -> list[str]:
    return [block["kind"] for block in row["blocks"]]


def test_spans_cover_the_text_and_between_them_stand_line_feeds(markdown: Path) -> None:
    table = shards(markdown)
    assert table.schema.remove_metadata() == SHARD.remove_metadata()
    found = set()
    for row in table.to_pylist():
        at = 0
        for block in row["blocks"]:
            assert at <= block["start"] < block["end"], row["source_file"]
            assert not row["text"][at : block["start"]].strip("\n")
            at = block["end"]
        assert not row["blocks"] or not row["text"][at:].strip("\n")
        assert (row["n_chars"], row["n_bytes"]) == (len(row["text"]), len(row["text"].encode()))
        found.update(kinds(row))
    assert {"heading", "paragraph", "item", "code", "table"} <= found <= set(KINDS)


def test_code_is_the_same_byte_for_byte_and_names_its_language(markdown: Path) -> None:
    (row,) = [row for row in shards(markdown).to_pylist() if "待ち受ける" in row["text"]]
    (code,) = [block for block in row["blocks"] if block["kind"] == "code"]
    assert code["language"] == "toml"
    assert row["text"][code["start"] : code["end"]] == CODE[CODE.index("```") : CODE.index("\n\n|")]


def test_signals_are_of_the_plain_view_and_of_its_prose(markdown: Path) -> None:
    from filters import signals

    table = shards(markdown)
    plain = views.plain(*columns(table))
    prose = views.prose_beside(plain, *columns(table))
    assert prose.equals(views.prose(*columns(table)))
    quality = table["quality"].combine_chunks()
    assert quality.field("n_chars").equals(pc.utf8_length(plain))
    assert quality.field("prose_n_chars").equals(pc.utf8_length(prose))
    assert quality.equals(signals.measure(plain, prose=prose))


def test_plain_shards_are_the_plain_views_of_the_markdown_build(
    markdown: Path, run_corpus, tmp_path: Path
) -> None:
    """Publishing otherwise publishes anew and does nothing else; and back gives the same bytes."""
    before = shards(markdown)
    bytes_before = [path.read_bytes() for path in sorted((markdown / "corpus").iterdir())]
    receipts = {p: p.stat().st_mtime_ns for p in (markdown / "state").rglob("[0-9]*.json")}
    run_corpus("publish", markdown, "--set", "publish.format=plain", "-q")
    after = shards(markdown)
    text, blocks = views.with_blocks(*columns(before))
    assert after["text"].combine_chunks().equals(text)
    assert text.equals(views.plain(*columns(before)))
    assert after["blocks"].combine_chunks().equals(blocks)
    assert set(after["format"].to_pylist()) == {"plain"}
    assert after["n_chars"].combine_chunks().equals(pc.utf8_length(text))
    assert after["quality"].equals(before["quality"]) and after["id"].equals(before["id"])
    for row in after.to_pylist():
        parts = [row["text"][b["start"] : b["end"]] for b in row["blocks"]]
        assert not parts or "\n".join(parts) == row["text"]
    for path, time in receipts.items():
        assert path.parent.name == "publish" or path.stat().st_mtime_ns == time
    run_corpus("publish", markdown, "--set", "publish.format=markdown", "-q")
    assert [path.read_bytes() for path in sorted((markdown / "corpus").iterdir())] == bytes_before


def test_kinds_that_are_dropped_are_in_no_text_and_emptied_documents_in_the_ledger(
    markdown: Path, run_corpus
) -> None:
    before = {row["id"]: row for row in shards(markdown).to_pylist()}
    run_corpus("publish", markdown, "--set", "publish.drop_blocks=code,table", "-q")
    after = {row["id"]: row for row in shards(markdown).to_pylist()}
    (gone,) = before.keys() - after.keys()
    assert kinds(before[gone]) == ["code"]
    for key, row in after.items():
        left = [k for k in kinds(before[key]) if k not in ("code", "table")]
        assert kinds(row) == left
        assert len(left) < len(before[key]["blocks"]) or row["text"] == before[key]["text"]
        assert row["n_chars"] == len(row["text"])
    (row,) = [row for row in after.values() if "既定値は三です" in row["text"]]
    assert row["text"] == (
        "# 設定の手順\n\n設定ファイルは次のように書きます。値は整数で、既定値は三です。\n\n"
        "- 一つ目の項目を説明します。\n- 二つ目の項目も説明します。"
    )
    ledger = pq.read_table(markdown / "ledger/publish-0000000.parquet").to_pylist()
    assert [(r["id"], r["stage"], r["rule"], r["action"]) for r in ledger] == [
        (gone, "publish", "drop_blocks", "drop")
    ]
    funnel = json.loads((markdown / "funnel.json").read_text())
    assert funnel["publish"]["dropped"] == {"drop_blocks": 1}
    assert funnel["publish"]["in"] == funnel["publish"]["out"] + 1
    said = run_corpus("explain", markdown, gone).stdout
    assert "dropped in publish by the rule drop_blocks" in said and "without code, table" in said
    # Nothing left out again: the ledger of the stage is gone with it.
    run_corpus("publish", markdown, "--set", "publish.drop_blocks=", "-q")
    assert not (markdown / "ledger/publish-0000000.parquet").exists()
    assert {row["id"] for row in shards(markdown).to_pylist()} == before.keys()


def test_a_kind_that_is_none_is_refused_in_one_line(markdown: Path, run_corpus) -> None:
    for override, says in (
        ("publish.drop_blocks=codes", "drop_blocks = 'codes': choose one of paragraph"),
        ("publish.format=html", "format = 'html': choose one of markdown, plain"),
    ):
        result = run_corpus("publish", markdown, "--set", override, check=False)
        assert result.returncode != 0 and says in result.stderr
