"""Ablation: equal tokens and seeds, intervals by the book, a real difference is found."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.ablate import ablate, interval
from trainer.config import Config, ConfigError
from trainer.prepare import prepare


def test_the_interval_is_students() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.303 * 1.0 / math.sqrt(3))
    assert interval([1.0]) == math.inf


def test_garbled_text_is_worse_and_the_table_says_so(
    config: Config, tokens: Path, corpus: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    table = pa.concat_tables([pq.read_table(f) for f in sorted((corpus / "corpus").glob("*"))])
    garbled = pa.array([t[::-1] for t in table.column("text").to_pylist()])
    at = table.schema.get_field_index("text")
    (tmp_path / "in").mkdir()
    pq.write_table(table.set_column(at, "text", garbled), tmp_path / "in" / "x.parquet")
    prepare(tmp_path / "in", tokenizer_dir, tmp_path / "reversed", 0.15)
    small = replace(config, train=replace(config.train, steps=25, lr=1e-2))
    corpora = [str(tokens), str(tmp_path / "reversed")]
    rows = ablate(corpora, small, tmp_path / "out", seeds=2)
    assert rows[0]["differs"] == "-"
    assert rows[1]["difference"] > 0
    stored = json.loads((tmp_path / "out" / "ablation.json").read_text())
    assert [len(v) for v in stored["scores"].values()] == [2, 2]
    before = (tmp_path / "out" / "ablation.json").read_bytes()
    ablate(corpora, small, tmp_path / "out", seeds=2)  # nothing is trained again
    assert (tmp_path / "out" / "ablation.json").read_bytes() == before


def test_corpora_of_different_tokenizers_are_refused(
    config: Config, tokens: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    manifest = json.loads((tokens / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps({**manifest, "tokenizer": "x"}))
    with pytest.raises(ConfigError, match="one tokenizer"):
        ablate([str(tokens), str(other)], config, tmp_path / "out")
