"""Phases: a run whose folders, mix, length of rows and learning rate change on the way."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_recovery import Killed, stop_at
from test_two_processes import run_two
from trainer_helpers import chains, losses, with_

from trainer.analysis import trace
from trainer.config.load import from_dict, load
from trainer.config.settings import Config, ConfigError, DataConfig, Phase
from trainer.data import blocks
from trainer.data.loader import IGNORE, Loader
from trainer.data.order import Order
from trainer.data.steps import Timeline, total_steps
from trainer.folder.load import load_model
from trainer.run.schedule import lr_at
from trainer.run.train import train
from trainer.tokens.prepare import prepare


def orders(lengths: list[int], source: list[int], read: Any = None, **data: Any) -> Order:
    names = [f"s{i}" for i in range(max(source) + 1)]
    given = DataConfig(**{"seq_len": 16, "block_tokens": 200, "window_blocks": 3} | data)
    kinds = np.array(source, dtype=np.int32)
    return Order(np.array(lengths), kinds, names, given, seed=7, read=read)


@pytest.fixture(scope="module")
def folders(
    corpus: Path, tokenizer_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Token shards of three disjoint parts of the pages."""
    base = tmp_path_factory.mktemp("folders")
    parts = pq.read_table(corpus / "corpus")
    for i, name in enumerate(("web", "books", "best")):
        pq.write_table(parts.slice(17 * i, 17), base / f"{name}.parquet")
        prepare(base / f"{name}.parquet", tokenizer_dir, base / name, held_out=0.1)
    return {name: base / name for name in ("web", "books", "best")}


@pytest.fixture
def phased(config: Config, folders: dict[str, Path]) -> Config:
    """configs/phases.toml as it stands, on the smallest model, with its lengths over 64."""
    large = load("phases")

    def here(name: str) -> str:
        return str(folders[name.removeprefix("tokens/")])

    phases = [
        replace(
            p,
            tokens=4 * 4 * 64 - 7,
            folders=[here(f) for f in p.folders],
            weights={here(f): w for f, w in p.weights.items()},
            seq_len=p.seq_len // 64,
            batch_rows=p.batch_rows and 2,
        )
        for p in large.phases
    ]
    config = with_(
        config,
        model={"max_position_embeddings": large.model.max_position_embeddings // 64},
        data={"tokens": here(large.data.tokens), "seq_len": large.data.seq_len // 64},
        train={"steps": 0, "batch_rows": 4, "schedule": "constant"},
        eval={"every": 0},
        checkpoint={"every": 3},
    )
    return replace(config, phases=phases)


@pytest.mark.parametrize("chunk", [7, 100, blocks.CHUNK])
def test_a_run_without_phases_reads_what_it_always_read(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of the version before phases, by hash, in whatever parts documents are read."""
    monkeypatch.setattr(blocks, "CHUNK", chunk)
    rng = np.random.default_rng(11)
    lengths = rng.integers(2, 90, 400).astype(np.int64)
    source = rng.integers(0, 3, 400).astype(np.int32)
    weights = rng.integers(0, 5, 400) / 2
    hashes = {}
    for mix in ("", "ac"):
        data = DataConfig(
            seq_len=16,
            block_tokens=300,
            window_blocks=3,
            weights={"a": 1.0, "c": 3.0} if mix else {},
        )
        order = Order(lengths, source, ["a", "b", "c"], data, 7, weights)
        places = order.block_of(np.arange(3000, dtype=np.int64))
        documents = [order.documents_of(b) for b in order.blocks]
        all_of_it = np.concatenate([*places, *documents]).tobytes()
        hashes[mix] = hashlib.blake2b(all_of_it, digest_size=8).hexdigest()
    assert hashes == {"": "6ab4d28d9f9f8f4a", "ac": "31e5e55cc49ae01f"}


def test_a_run_cut_into_phases_reads_the_rows_of_the_uncut_one(config: Config) -> None:
    whole = Loader(with_(config, train={"steps": 12}))
    cut = with_(config, train={"steps": 0, "batch_rows": 3})
    phases = [Phase(tokens=6 * 64 * n, batch_rows=6) for n in (2, 5)] + [Phase(tokens=3 * 64 * 10)]
    loader = Loader(replace(cut, phases=phases))
    assert total_steps(replace(cut, phases=phases)) == 17
    for step in range(7):
        assert loader.batch(step).digest == whole.batch(step).digest
    small = np.concatenate([loader.batch(s).tokens for s in range(7, 17)])
    assert np.array_equal(small, np.concatenate([whole.batch(s).tokens for s in range(7, 12)]))


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(3, 120), min_size=6, max_size=60),
    phases=st.lists(
        st.tuples(st.integers(1, 90), st.sampled_from([5, 16, 40]), st.booleans()),
        min_size=2,
        max_size=4,
    ),
)
def test_a_phase_reads_first_what_the_others_left(
    lengths: list[int], phases: list[tuple[int, int, bool]]
) -> None:
    """Whatever the rows, blocks and mix: the documents missing of the reading that is under way,
    in windows of their own. What counts as read is counted here token by token."""
    source = [i % 2 for i in range(len(lengths))]
    read = np.zeros(len(lengths), np.int64)
    for rows, seq_len, mix in phases:
        weights = {"s0": 1.0, "s1": 3.0} if mix else {}
        data = {"seq_len": seq_len, "block_tokens": 12 * seq_len, "weights": weights}
        order = orders(lengths, source, read, **data)
        made = order.readings(rows)
        assert np.array_equal(made, trained(order, rows))
        order.extend(3 * rows)
        for g, group in enumerate(order.groups):
            chunks = range(len(group.whole.tokens))
            documents = np.concatenate([group.whole.members(c) for c in chunks])
            lowest = read[documents].min()
            left = [d for d in documents.tolist() if read[d] == lowest]
            mine = [b for b in order.blocks if b.group == g]
            if group.rest is None:
                assert len(left) == len(documents)
                continue
            first = mine[: len(group.rest.tokens)]
            members = [d for b in first for d in order.documents_of(b).tolist()]
            assert set(members) <= set(left) and len(set(members)) == len(members)
            if later := mine[len(group.rest.tokens) :]:
                assert sorted(members) == sorted(left)
                assert max(b.window for b in first) < min(b.window for b in later)
        read = read + made


def trained(order: Order, rows: int) -> np.ndarray:
    """How often each document has a target in the first rows: int64[documents]."""
    counted = np.zeros(len(order.lengths), np.int64)
    blocks, inner = order.block_of(np.arange(rows, dtype=np.int64))
    for index in np.unique(blocks).tolist():
        members = order.documents_of(order.blocks[index])
        owner = np.repeat(np.arange(len(members)), order.lengths[members])
        begin = np.r_[True, owner[1:] != owner[:-1]]
        at = inner[blocks == index][:, None] * order.seq_len + 1 + np.arange(order.seq_len)
        at = at[at < len(owner)]
        np.add.at(counted, members[np.unique(owner[at][~begin[at]])], 1)
    return counted


def test_the_learning_rate_of_a_phase_goes_between_its_ends(config: Config) -> None:
    config = with_(config, train={"steps": 0, "warmup_steps": 2, "schedule": "constant"})
    tokens = 4 * 6 * 64
    phases = [
        Phase(tokens=tokens),
        Phase(tokens=tokens, lr_end=0.5),
        Phase(tokens=tokens, lr_start=0.2),
        Phase(tokens=tokens, lr_end=0.0, lr_shape="sqrt"),
    ]
    line = Timeline(replace(config, phases=phases))
    made = [round(lr_at(line, s), 6) for s in range(16)]
    root = [round(0.2 * (1 - (i / 4) ** 0.5), 6) for i in (1, 2, 3, 4)]
    assert made == [0.5, 1, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.2, 0.2, 0.2, 0.2, *root]


def test_the_example_runs_is_killed_in_every_phase_and_goes_on_with_two_processes(
    phased: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, optimiser and order as of an uninterrupted run; position in tokens."""
    whole = replace(phased, out=str(tmp_path / "whole"))
    result = train(whole)
    line = Timeline(phased)
    assert [p.first_step for p in line.parts] == [0, 4, 6] and line.steps == result["step"] == 8
    assert [p.first_token for p in line.parts] == [0, 1024, 2048]
    for step in (2, 5):
        with monkeypatch.context() as patch:
            stop_at(patch, step)
            with pytest.raises(Killed):
                train(phased)
    assert run_two(with_(phased, train={"micro_rows": 1}), "", tmp_path) == [[8, True]] * 2
    assert chains(Path(phased.out)) == chains(Path(whole.out))
    one, two = losses(Path(whole.out)), losses(Path(phased.out))
    assert sorted(one) == sorted(two) == list(range(1, 9))
    assert max(abs(one[s] - two[s]) for s in one) < 1e-4
    # The angles of the phase come with its weights.
    assert load_model(phased.out)[1].model.rope_theta == 500_000
    assert load_model(phased.out, 3)[1].model.rope_theta == 10_000


def test_trace_and_replay_over_phases(phased: Config, folders: dict[str, Path]) -> None:
    train(phased)
    assert all(r["agrees"] for r in trace.replay(phased.out, 1, 8))
    _, loader = trace.open_run(phased.out)
    read: Counter[tuple[int, str]] = Counter()
    for step in range(1, 9):
        parts = trace.of_step(phased.out, step)
        targets = loader.batch(step - 1).targets
        assert sum(p["tokens"] for p in parts) == int((targets != IGNORE).sum())
        read |= Counter({(step, p["id"]): 1 for p in parts})
    for document in {name for _, name in read}:
        steps = {r["step"] for r in trace.of_document(phased.out, document, "id")}
        assert steps == {s for s, name in read if name == document}
    best = set(pq.read_table(folders["best"] / "train").column("id").to_pylist())
    assert not any(name in best for step, name in read if step <= 6)
    assert any(name in best for step, name in read if step > 6)


def test_a_branch_goes_on_with_other_rows_as_a_phase_and_its_past_must_be_the_same(
    config: Config, tmp_path: Path
) -> None:
    """What reads 61 % again without phases reads nothing again with them."""
    quick = {"steps": 4, "schedule": "constant"}
    parent = with_(config, train=quick, eval={"every": 0})
    train(parent)
    branch = replace(with_(parent, train={"steps": 0}), out=str(tmp_path / "branch"))
    branch = with_(branch, checkpoint={"load": parent.out, "load_step": 4})
    past = Phase(tokens=4 * 6 * 64)
    longer = Phase(tokens=2 * 3 * 128, seq_len=128, batch_rows=3, block_tokens=2048)
    good = replace(branch, phases=[past, longer])
    assert train(good)["step"] == 6
    ids = [{p["id"] for p in trace.of_step(good.out, s)} for s in range(1, 7)]
    assert not set.union(*ids[:4]) & set.union(*ids[4:])
    with pytest.raises(ConfigError, match=r"but the data\.seq_len differs.*\[\[phases\]\]"):
        other = replace(branch, out=str(tmp_path / "other"))
        train(with_(other, data={"seq_len": 128}, train={"steps": 6}))
    for wrong, named in (
        (replace(past, batch_rows=3), "number of rows"),
        (replace(past, tokens=3 * 6 * 64), "number of rows"),
        (replace(past, block_tokens=512), r"data\.block_tokens"),
    ):
        with pytest.raises(ConfigError, match=f"but the {named} differs"):
            train(replace(branch, phases=[wrong, longer], out=str(tmp_path / "wrong")))
    # The folder of a run takes phases as well, when they begin with what it did.
    more = replace(parent, train=replace(parent.train, steps=0), phases=[past, longer])
    with pytest.raises(ConfigError, match=r"stands at step 4, beyond the 3 asked for"):
        train(replace(more, phases=[replace(past, tokens=100), longer]))
    assert train(more)["step"] == 6
    assert chains(Path(parent.out))[-1] == chains(Path(good.out))[-1]


def test_mistakes_in_phases_are_one_line(config: Config, folders: dict[str, Path]) -> None:
    for table, named in (
        ({"phases": [{"tokens": 9}], "train": {"steps": 3}}, "with phases train.steps"),
        ({"phases": {"tokens": 9}}, r"written as \[\[phases\]\]"),
        ({"phases": [{"tokens": 9, "seq": 4}]}, r"unknown key phases\[0\].seq; did you mean"),
        ({"phases": [{"tokens": 9}, {}]}, r"phases\[1\].tokens is 0"),
        ({"phases": [{"tokens": 9, "seq_len": 4096}]}, r"phases\[0\].seq_len \(4096\) exceeds"),
        ({"phases": [{"tokens": 9, "folders": ["a", "a"]}]}, "names a folder twice"),
        ({"phases": [{"tokens": 9, "weights": {"a": -1.0}}]}, r"phases\[0\].weights: 'a' has"),
    ):
        with pytest.raises(ConfigError, match=named) as caught:
            from_dict(table)
        assert "\n" not in str(caught.value)
    missing = Phase(tokens=64, folders=[str(folders["web"]), str(folders["web"]) + "-none"])
    with pytest.raises(ConfigError, match=r"no finished token shards in .*web-none"):
        Loader(replace(with_(config, train={"steps": 0}), phases=[missing]))
