"""A small corpus of real pages, its tokenizer and token shards, made once a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.config import Config, load
from trainer.prepare import prepare
from trainer.tokenizer import Tokenizer, save, train

DOCUMENTS = Path(__file__).resolve().parent.parent / "data" / "documents.parquet"


def texts() -> list[str]:
    return [t for t in pq.read_table(DOCUMENTS).column("text").to_pylist() if t]


def write_corpus(folder: Path) -> Path:
    """A build folder with two shards of 25 documents in two sources and full lineage."""
    table = pq.read_table(DOCUMENTS)
    n = table.num_rows
    names = ["even" if i % 2 == 0 else "odd" for i in range(n)]
    columns: dict[str, Any] = {
        "id": [f"doc-{i:03d}" for i in range(n)],
        "url": table.column("url"),
        "text": table.column("text"),
        "source": pa.array(names),
        "source_file": [f"crawl-{i // 10}.warc.gz" for i in range(n)],
        "source_offset": pa.array([1000 * i for i in range(n)], pa.int64()),
        "source_length": pa.array([100 + i for i in range(n)], pa.int64()),
    }
    (folder / "corpus").mkdir(parents=True)
    whole = pa.table(columns)
    for i in range(2):
        name = f"train-{i:05d}-of-00002.parquet"
        pq.write_table(whole.slice(25 * i, 25), folder / "corpus" / name, row_group_size=10)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session", params=["unigram", "bpe"])
def any_tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train(texts(), 1600, request.param)


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokenizer")
    save(train(texts(), 1600), out, {"made": "in a test"})
    return out


@pytest.fixture(scope="session")
def tokens(corpus: Path, tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokens")
    prepare(corpus, tokenizer_dir, out, held_out=0.15)
    return out


@pytest.fixture
def config(tokens: Path, tmp_path: Path) -> Config:
    """A run of 12 steps of the smallest model."""
    tiny = load("tiny-cpu")
    return replace(
        tiny,
        out=str(tmp_path / "run"),
        model=replace(tiny.model, hidden_size=32, intermediate_size=64, num_attention_heads=2),
        data=replace(tiny.data, tokens=str(tokens), seq_len=64, block_tokens=4096),
        train=replace(tiny.train, steps=12, batch_rows=6, micro_rows=2, warmup_steps=2),
        checkpoint=replace(tiny.checkpoint, every=4, keep_last=9),
        eval=replace(tiny.eval, every=6, rows=6, micro_rows=2),
        log=replace(tiny.log, every=1, progress=False),
        parallel=replace(tiny.parallel, threads=1),
    )
