"""A small corpus of real pages, its tokenizer and token shards, made once a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from trainer_helpers import texts, write_corpus

from trainer.config.load import load
from trainer.config.settings import Config
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import Tokenizer
from trainer.tokens.tokenizer_train import save, train


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
