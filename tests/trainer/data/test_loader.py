"""The order of data: complete, exact, the same for every world size and every stop."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer_helpers import with_

from trainer.analysis import trace
from trainer.config.settings import Config, ConfigError, DataConfig
from trainer.data.blocks import copies
from trainer.data.loader import IGNORE, Loader, prefetch, proof
from trainer.data.order import Order, permute
from trainer.run.train import train
from trainer.tokens.documents import Documents, write_index
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import Tokenizer


def loader(config: Config, **data: Any) -> Loader:
    return Loader(with_(config, data=data))


def plan(lengths: list[int], source: list[int], **data: Any) -> Order:
    names = [f"s{i}" for i in range(max(source) + 1)]
    settings = DataConfig(**{"seq_len": 16, "block_tokens": 200, "window_blocks": 3} | data)
    return Order(np.array(lengths), np.array(source, dtype=np.int32), names, settings, seed=7)


@given(n=st.integers(1, 5000), key=st.integers(0, 2**64 - 1))
def test_permutation_is_one_to_one_and_invertible(n: int, key: int) -> None:
    values = np.arange(n, dtype=np.int64)
    shuffled = permute(values, n, key)
    assert sorted(shuffled.tolist()) == list(range(n))
    assert permute(shuffled, n, key, inverse=True).tolist() == list(range(n))


def test_permutation_mixes_well() -> None:
    """Rank correlation of 10,000 shuffled numbers with their order is that of chance (±4σ)."""
    values = np.arange(10000, dtype=np.int64)
    for key in range(20):
        assert abs(np.corrcoef(values, permute(values, 10000, key))[0, 1]) < 0.04


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(3, 120), min_size=1, max_size=80),
    seq_len=st.integers(2, 40),
    window=st.integers(1, 5),
)
def test_an_epoch_has_every_token_of_every_document_once(
    lengths: list[int], seq_len: int, window: int
) -> None:
    p = plan(lengths, [0] * len(lengths), seq_len=seq_len, window_blocks=window)
    blocks = len(p.groups[0].whole.tokens)
    p.extend(1)
    while len(p.blocks) < blocks:
        p.extend(p.starts[-1] + 1)
    seen = [d for b in p.blocks[:blocks] for d in p.documents_of(b).tolist()]
    assert sorted(seen) == list(range(len(lengths)))
    for b in p.blocks[:blocks]:
        tokens = int(np.array(lengths)[p.documents_of(b)].sum())
        assert (b.rows - 1) * seq_len < tokens - 1 <= b.rows * seq_len  # padding: under one row


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.integers(0, 600), min_size=1, max_size=40), window=st.integers(1, 4))
def test_rows_map_to_block_rows_one_to_one_whatever_was_asked_before(
    rows: list[int], window: int
) -> None:
    lengths = [3 + (i * 37) % 90 for i in range(60)]
    fresh = plan(lengths, [0] * 60, window_blocks=window)
    asked = np.array(rows, dtype=np.int64)
    block, inner = fresh.block_of(asked)
    one_by_one = plan(lengths, [0] * 60, window_blocks=window)
    for i, row in enumerate(rows):
        b, j = one_by_one.block_of(np.array([row], dtype=np.int64))
        assert (b[0], j[0]) == (block[i], inner[i])
        assert fresh.row_of(int(b[0]), j)[0] == row
    whole, _ = fresh.block_of(np.arange(fresh.starts[-1], dtype=np.int64))
    assert Counter(whole.tolist()) == {i: b.rows for i, b in enumerate(fresh.blocks)}


def test_the_mix_is_exact_within_one_block_at_every_prefix() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 60, 900).tolist()
    source = [0] * 600 + [1] * 250 + [2] * 50
    share = {"s0": 0.5, "s1": 0.2, "s2": 0.3}
    p = plan(lengths, source, weights=share)
    p.extend(4000)
    used = {"s0": 0, "s1": 0, "s2": 0}
    largest = max(int(g.whole.tokens.max()) for g in p.groups)
    for block in p.blocks:
        group = p.groups[block.group]
        used[group.name] += int(group.whole.tokens[block.chunk])
        total = sum(used.values())
        assert all(abs(used[n] - share[n] * total) <= 2 * largest for n in used)
    assert max(b.epoch for b in p.blocks if p.groups[b.group].name == "s2") > 3


def test_a_mix_that_repeats_a_source_too_often_is_refused() -> None:
    p = plan([50] * 100, [0] * 90 + [1] * 10, weights={"s0": 0.5, "s1": 0.5}, max_epochs=2)
    with pytest.raises(ConfigError, match=r"within data.max_epochs = 2"):
        p.extend(300)


def test_an_unknown_source_in_the_weights_is_named() -> None:
    with pytest.raises(ConfigError, match=r"names 'web', but the sources are s0"):
        plan([50], [0], weights={"web": 1.0})


def test_no_window_holds_a_block_twice() -> None:
    p = plan([40] * 40, [0] * 40, window_blocks=50)
    p.extend(2000)
    for w in range(max(b.window for b in p.blocks)):
        inside = [(b.group, b.chunk) for b in p.blocks if b.window == w]
        assert len(inside) == len(set(inside))


@pytest.mark.parametrize("world", [1, 2, 3, 4, 8])
def test_every_world_size_reads_the_same_global_batches(config: Config, world: int) -> None:
    train_config = replace(config.train, batch_rows=8)
    config = replace(config, train=train_config)
    whole = Loader(config)
    ranks = [Loader(config) for _ in range(world)]
    for step in (0, 5, 3):
        batch = whole.batch(step)
        parts = [r.batch(step, i, world) for i, r in enumerate(ranks)]
        assert max(len(p.tokens) for p in parts) == -(-8 // world)
        for name in ("tokens", "targets", "documents", "sources"):
            got = np.concatenate([getattr(p, name) for p in parts])
            assert sorted(got.tolist()) == sorted(getattr(batch, name).tolist())
        assert proof(np.sum([p.digest for p in parts], axis=0)) == proof(batch.digest)
        assert {p.loss_tokens for p in parts} == {int((batch.targets != IGNORE).sum())}


def test_a_process_reads_the_blocks_of_its_own_rows_alone(config: Config) -> None:
    """16 of 64 rows of 8 blocks: those that lie together, whichever rows of the blocks they are."""
    config = with_(config, data={"block_tokens": 2048}, train={"batch_rows": 64})
    whole, part = Loader(config), Loader(config)
    blocks = {k[1] for step in range(2) for k in _read(whole, step)}
    mine = {k[1] for step in range(2) for k in _read(part, step, 1, 4)}
    assert mine < blocks and len(mine) <= len(blocks) // 2


def _read(loader: Loader, step: int, *place: int) -> list[tuple[int, int]]:
    loader.batch(step, *place)
    return list(loader._cache)


def test_a_loader_that_starts_at_any_step_gives_the_same_batches(config: Config) -> None:
    expected = [b.digest for _, b in prefetch(loader(config), 0, 30)]
    for start in (1, 7, 29):
        assert [b.digest for _, b in prefetch(loader(config), start, 30)] == expected[start:]
    assert len(set(expected)) == 30


def test_an_epoch_of_batches_trains_on_every_token_but_begin_marks(config: Config) -> None:
    whole = loader(config, window_blocks=1000)
    documents = whole.documents
    blocks = len(whole.order.groups[0].whole.tokens)
    whole.order.extend(1)
    rows = np.arange(whole.order.starts[blocks], dtype=np.int64)
    batch = whole.rows(rows)
    bos = Tokenizer.load(Path(config.data.tokens) / "tokenizer").bos
    expected: Counter[int] = Counter()
    for tokens in documents.tokens(np.arange(len(documents), dtype=np.int64)):
        expected.update(tokens[1:].tolist())
    assert Counter(batch.targets[batch.targets != IGNORE].tolist()) == expected
    assert bos not in expected
    assert batch.loss_tokens == sum(expected.values())


def test_documents_of_a_row_are_numbered_apart_and_sources_follow_them(config: Config) -> None:
    whole = loader(config)
    batch = whole.rows(np.arange(300, dtype=np.int64))
    bos = 1
    boundary = np.diff(batch.documents, axis=1)
    assert boundary.sum() > 5
    assert np.array_equal(boundary == 1, batch.tokens[:, 1:] == bos)
    assert set(np.unique(batch.sources)) == {0, 1}
    # The source changes, if at all, with the target that begins a document.
    change = np.diff(batch.sources, axis=1) != 0
    starts = batch.targets[:, 1:] == IGNORE
    assert change.any() and not (change & ~starts).any()


def test_an_error_in_the_loader_reaches_the_caller(config: Config, tmp_path: Path) -> None:
    broken = loader(config)
    broken.documents.files[0] = tmp_path / "gone.parquet"
    with pytest.raises(Exception, match=r"gone\.parquet"):
        list(prefetch(broken, 0, 3))


def test_replay_proves_the_data_and_trace_names_every_token(config: Config) -> None:
    train(replace(config, train=replace(config.train, steps=8)))
    rows = list(trace.replay(config.out, 1, 8))
    assert all(r["agrees"] for r in rows)
    assert [r["agrees"] for r in trace.replay(config.out, 4, 8)] == [True] * 5
    again = loader(config)
    for step in (1, 5):
        parts = trace.of_step(config.out, step)
        batch = again.batch(step - 1)
        assert sum(p["tokens"] for p in parts) == batch.loss_tokens
        documents = again.documents
        for part in parts[:10]:
            number = trace.find(documents, part["id"], "id")[0]
            text = documents.tokens(np.array([number]))[0]
            row = batch.tokens[part["row"]]
            length = min(part["tokens"], len(row) - part["first_token"])
            a, b = part["first_token"], part["document_token"]
            assert row[a : a + length].tolist() == text[b : b + length].tolist()
            assert part["source_file"].startswith("crawl-") and part["url"]
            steps = {r["step"] for r in trace.of_document(config.out, part["id"], "id")}
            assert step in steps


def test_trace_of_a_document_is_every_step_that_saw_it_and_no_other(config: Config) -> None:
    train(replace(config, train=replace(config.train, steps=8)))
    per_step = [{p["id"] for p in trace.of_step(config.out, s)} for s in range(1, 9)]
    for name in sorted(set.union(*per_step))[:6]:
        expected = {s for s, ids in enumerate(per_step, 1) if name in ids}
        assert {r["step"] for r in trace.of_document(config.out, name, "id")} == expected


@given(
    weights=st.lists(st.floats(0, 5, width=32), min_size=1, max_size=60),
    key=st.integers(0, 2**64 - 1),
)
def test_copies_are_the_weight_rounded_and_exact_at_every_prefix(
    weights: list[float], key: int
) -> None:
    values = np.array(weights, dtype=np.float64)
    got = copies(values, key)
    assert ((got >= np.floor(values)) & (got <= np.ceil(values))).all()
    assert (np.abs(np.cumsum(got) - np.cumsum(values)) <= 1 + 1e-6).all()


@pytest.mark.parametrize("bad", [-1.0, 1e9, float("nan"), float("inf")])
def test_a_weight_that_cannot_be_is_refused(bad: float) -> None:
    with pytest.raises(ConfigError, match="weight"):
        copies(np.array([1.0, bad]), 3)


def test_the_weight_of_the_corpus_says_how_often_an_epoch_has_a_document(
    corpus: Path, tokenizer_dir: Path, config: Config, tmp_path: Path
) -> None:
    """Corpus shards with `weight` -> prepare -> batches: tokens counted, mix kept, trace agrees."""
    for file in sorted((corpus / "corpus").glob("*.parquet")):
        table = pq.read_table(file)
        cycle = [0.0, 1.0, None, 2.5, 3.0]
        weight = pa.array([cycle[i % 5] for i in range(table.num_rows)], pa.float32())
        (tmp_path / "in").mkdir(exist_ok=True)
        pq.write_table(table.append_column("weight", weight), tmp_path / "in" / file.name)
    out = tmp_path / "tokens"
    prepare(tmp_path / "in", tokenizer_dir, out, held_out=0.0)
    whole = Loader(with_(config, data={"tokens": str(out), "window_blocks": 1000}))
    weights = whole.documents.weights
    assert sorted(weights.tolist()) == sorted([0.0, 1.0, 1.0, 2.5, 3.0] * 10)
    times = copies(weights, whole.order._key(4))
    halves = times[weights == 2.5]
    assert halves.sum() == 25 and set(halves.tolist()) == {2, 3}
    whole.order.extend(1)
    blocks = len(whole.order.groups[0].whole.tokens)
    batch = whole.rows(np.arange(whole.order.starts[blocks], dtype=np.int64))
    expected: Counter[int] = Counter()
    for n, tokens in zip(times, whole.documents.tokens(np.arange(len(times))), strict=True):
        for _ in range(n):
            expected.update(tokens[1:].tolist())
    assert Counter(batch.targets[batch.targets != IGNORE].tolist()) == expected
    plain = Loader(with_(config, data={"tokens": str(out), "document_weights": False}))
    blocks = plain.order.groups[0].whole
    members = [d for c in range(len(blocks.tokens)) for d in blocks.members(c).tolist()]
    assert members == list(range(len(times)))
    run = replace(config, data=replace(config.data, tokens=str(out)))
    run = replace(run, train=replace(run.train, steps=8), eval=replace(run.eval, every=0))
    train(run)
    per_step = [[p["id"] for p in trace.of_step(run.out, s)] for s in range(1, 9)]
    for name in sorted({i for ids in per_step for i in ids})[:8]:
        seen = {s for s, ids in enumerate(per_step, 1) if name in ids}
        assert {r["step"] for r in trace.of_document(run.out, name, "id")} == seen
    assert trace.of_document(run.out, "doc-000", "id") == []


def test_processes_map_lengths_sources_and_weights_from_the_run_folder(
    config: Config, tmp_path: Path
) -> None:
    """What the main process wrote gives the batches of arrays in memory; of other shards, none."""
    train(with_(config, train={"steps": 2}))
    index = Path(config.out) / "index"
    mapped, plain = Loader(config, index=index), Loader(config)
    for name in ("lengths", "source"):
        array = getattr(mapped.documents, name)
        assert isinstance(array, np.memmap) and not array.flags.writeable
        assert np.array_equal(array, getattr(plain.documents, name))
    assert not isinstance(plain.documents.lengths, np.memmap)
    assert mapped.documents.names == plain.documents.names
    assert mapped.batch(3).digest == plain.batch(3).digest
    said = json.loads((index / "index.json").read_text())
    (index / "index.json").write_text(json.dumps({**said, "fingerprint": "of others"}))
    assert not isinstance(Documents(config.data.tokens, index=index).lengths, np.memmap)
    write_index([config.data.tokens], index)
    assert isinstance(Documents(config.data.tokens, index=index).lengths, np.memmap)
