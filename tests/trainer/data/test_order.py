"""The schedule against a plain one, the cap on epochs, and held-out text read once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trainer_helpers import texts, with_

from trainer.config.settings import Config, ConfigError, DataConfig
from trainer.data.loader import IGNORE, Loader
from trainer.data.order import Order
from trainer.run import evaluate
from trainer.run.train import train
from trainer.tokens.prepare import prepare


def plan(lengths: np.ndarray, source: np.ndarray, **data: object) -> Order:
    names = [f"s{i:03d}" for i in range(int(source.max()) + 1)]
    given = {"seq_len": 16, "block_tokens": 200, "window_blocks": 3} | data
    return Order(lengths, source.astype(np.int32), names, DataConfig(**given), seed=7)  # type: ignore[arg-type]


def test_a_long_schedule_of_many_sources_is_the_plain_one() -> None:
    """10^5 blocks of 200 sources: each time the source furthest below its share, the first of
    equals, with tokens counted in whole numbers."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(2, 90, 6000).astype(np.int64)
    source = np.r_[np.arange(200), rng.integers(0, 200, 5800)]
    weights = {f"s{i:03d}": float(w) for i, w in enumerate(rng.integers(1, 40, 200))}
    made = plan(lengths, source, weights=weights)
    while len(made.blocks) < 100_000:
        made.extend(made.starts[-1] + 10_000)
    shares = np.array([weights[g.name] / sum(weights.values()) for g in made.groups])
    used, count, total = np.zeros(200, np.int64), [0] * 200, 0
    for block in made.blocks[:100_000]:
        best = int((shares * (total + 1) - used).argmax())
        group = made.groups[best]
        assert (block.group, block.epoch) == (best, count[best] // len(group.whole.tokens))
        tokens = int(group.whole.tokens[block.chunk])
        assert block.rows == -(-(tokens - 1) // 16)
        used[best] += tokens
        count[best], total = count[best] + 1, total + tokens
    anew = 0
    for g, group in enumerate(made.groups):  # and an epoch has each block of a source once
        chunks = [b.chunk for b in made.blocks if b.group == g]
        n = len(group.whole.tokens)
        for start in range(0, len(chunks) - n + 1, n):
            assert sorted(chunks[start : start + n]) == list(range(n))
        anew += chunks[:n] != chunks[n : 2 * n]
    assert anew > 180, "in another order each time"


@settings(max_examples=50, deadline=None)
@given(
    documents=st.lists(st.integers(5, 60), min_size=3, max_size=3),
    share=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    epochs=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
)
def test_a_mix_with_a_cap_goes_up_to_the_cap_of_the_source_whose_turn_it_is(
    documents: list[int], share: list[int], epochs: float
) -> None:
    source = np.repeat(np.arange(3), documents)
    lengths = np.full(len(source), 40, dtype=np.int64)
    weights = {f"s{i:03d}": float(s) for i, s in enumerate(share)}
    made = plan(lengths, source, weights=weights, max_epochs=epochs)
    with pytest.raises(ConfigError, match=r"within data\.max_epochs"):
        made.extend(10**9)
    count = [sum(b.group == g for b in made.blocks) for g in range(3)]
    caps = [epochs * len(g.whole.tokens) for g in made.groups]
    used = [
        sum(int(made.groups[g].whole.tokens[b.chunk]) for b in made.blocks if b.group == g)
        for g in range(3)
    ]
    shares = [s / sum(share) for s in share]
    want = [s * (sum(used) + 1) - u for s, u in zip(shares, used, strict=True)]
    turn = want.index(max(want))
    assert count[turn] >= caps[turn] > count[turn] - 1, "stopped before the cap was reached"
    assert all(c < cap + 1 for c, cap in zip(count, caps, strict=True))
    same = plan(lengths, source, weights=weights, max_epochs=epochs)
    same.extend(made.starts[-1])  # all of it may be asked for
    assert same.blocks == made.blocks


def test_a_run_may_be_as_long_as_the_capped_data_and_a_step_more_is_refused(
    config: Config, tokens: Path
) -> None:
    capped = with_(config, data={"max_epochs": 1.0}, train={"batch_rows": 1, "micro_rows": 1})
    lengths = np.concatenate(
        [
            pq.read_table(f, columns=["n_tokens"]).column(0).to_numpy()
            for f in sorted((tokens / "train").glob("*.parquet"))
        ]
    )
    whole = plan(lengths, np.zeros(len(lengths), np.int64), seq_len=64, block_tokens=4096)
    rows = sum(-(-(int(t) - 1) // 64) for t in whole.groups[0].whole.tokens)
    quick = {"eval": {"every": 0, "rows": 1}, "checkpoint": {"every": 10**6}}
    with pytest.raises(ConfigError, match=r"lower train\.steps"):
        train(with_(capped, train={"steps": rows + 1}, **quick))
    loader = Loader(with_(capped, data={"tokens": str(tokens)}))
    loader.order.extend(rows)
    assert loader.order.starts[-1] == rows


def test_held_out_text_is_read_whole_and_each_token_once(
    config: Config, tokenizer_dir: Path, tmp_path: Path
) -> None:
    """eval.rows = 0 with more blocks than a window holds: no row twice, none missing."""
    pieces = [t[i : i + 300] for t in texts()[:12] for i in range(0, 1500, 300)]
    table = pa.table({"text": pieces, "source": [f"s{i % 3}" for i in range(len(pieces))]})
    pq.write_table(table, tmp_path / "x.parquet")
    prepare(tmp_path / "x.parquet", tokenizer_dir, tmp_path / "tokens", held_out=0.9)
    small = {"tokens": str(tmp_path / "tokens"), "block_tokens": 300, "window_blocks": 3}
    config = with_(config, data=small | {"weights": {"s0": 1.0, "s1": 1.0}}, eval={"rows": 0})
    loader = evaluate.held_out_loader(config)
    assert loader is not None
    blocks = loader.order.groups[0].whole.tokens
    assert len(blocks) > 3 * 3, "more than the window has"
    available = sum(-(-(int(t) - 1) // 64) for t in blocks)
    batch = loader.rows(np.arange(available, dtype=np.int64))
    seen = np.sort(batch.targets[batch.targets != IGNORE])
    documents = loader.documents.tokens(np.arange(len(loader.documents)))
    assert seen.tolist() == sorted(t for d in documents for t in d[1:].tolist())
    config = with_(config, data={"weights": {}})
    result = train(with_(config, train={"steps": 1}))
    assert result["last"]["tokens"] == sum(len(d) - 1 for d in documents)
