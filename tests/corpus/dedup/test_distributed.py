"""Clustering by units of work gives the labels of one machine."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpus.dedup.distributed import components, exchange, spread
from corpus.dedup.local import cluster
from corpus.dedup.local.load import Scratch, load
from corpus.dedup.local.outcome import link
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings


def in_any_order(function: Callable[[Any], Any], units: Sequence[Any]) -> Iterator[Any]:
    """Runs units in a shuffled order and one of them twice, as a cluster with a lost node does."""
    order = list(units)
    random.Random(len(order)).shuffle(order)
    for unit in order[:1]:
        function(unit)
    for unit in order:
        yield function(unit)


def labels_of(files: list[Path], n: int) -> np.ndarray:
    """Label of every node (int64[n]) from the files of `connected_components`."""
    labels = np.arange(n, dtype=np.int64)
    for path in files:
        edges = components.read_edges([path])
        labels[edges[:, 1]] = edges[:, 0]
    return labels


def components_of(folder: Path, edges: list[tuple[int, int]], files: int, parts: int) -> list[int]:
    paths = []
    for k in range(files):
        paths.append(folder / f"in-{k}" / "edges.parquet")
        pairs = np.array(edges[k::files], np.int64).reshape(-1, 2)
        components.write_edges(paths[-1], pairs)
    found = components.connected_components(paths, folder / "rounds", parts, in_any_order)
    return labels_of(found, 60).tolist()


@settings(max_examples=10)
@given(
    st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=70),
    st.integers(1, 3),
    st.sampled_from([1, 2, 5]),
)
@example([(i, i + 1) for i in range(59)], 2, 3)
@example([(0, i) for i in range(60)], 1, 2)
def test_large_and_small_star_give_the_labels_of_union_find(
    tmp_path_factory: pytest.TempPathFactory, edges: list[tuple[int, int]], files: int, parts: int
) -> None:
    edges = [edge for edge in edges if edge[0] != edge[1]]
    got = components_of(tmp_path_factory.mktemp("stars"), edges, files, parts)
    assert got == reference.components(60, edges)


def test_a_long_path_takes_few_rounds(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(1000)
    pairs = np.stack([order[:-1], order[1:]], axis=1)
    components.write_edges(tmp_path / "edges.parquet", pairs)
    files = components.connected_components(
        [tmp_path / "edges.parquet"], tmp_path / "rounds", 4, in_any_order
    )
    assert not labels_of(files, 1000).any()
    assert len(list((tmp_path / "rounds").glob("*-large"))) <= 16


def texts(rng: np.random.Generator) -> list[str]:
    out = [""]
    for _ in range(60):
        base = rng.integers(0x4E00, 0x9000, int(rng.integers(3, 500)))
        for _ in range(int(rng.integers(1, 5))):
            copy = base.copy()
            places = rng.integers(0, len(copy), int(rng.integers(0, 9)))
            copy[places] = rng.integers(0x4E00, 0x9000, len(places))
            out.append("".join(map(chr, copy)))
    return [out[i] for i in rng.permutation(len(out))]


@pytest.mark.parametrize("verify", ["exact", "estimate", "none"])
@pytest.mark.parametrize(("files", "ranges"), [(1, 1), (4, 8)])
def test_an_exchange_gives_the_labels_of_one_machine(
    tmp_path: Path, verify: str, files: int, ranges: int
) -> None:
    options = DedupSettings(verify=verify)
    every = texts(np.random.default_rng(7))
    signed = []
    for k in range(files):
        part = every[k::files]
        table = pa.table({"id": [f"{k}-{i}" for i in range(len(part))], "text": part})
        pq.write_table(table, tmp_path / f"d{k}.parquet", row_group_size=16)
        signed.append(tmp_path / f"s{k}.parquet")
        cluster.sign(tmp_path / f"d{k}.parquet", signed[-1], options)
    plan = exchange.prepare(signed, tmp_path / "exchange", ranges, options)
    list(in_any_order(exchange.scatter, [(plan, k) for k in range(files)]))
    list(in_any_order(exchange.candidates, [(plan, r) for r in range(ranges)]))
    list(in_any_order(exchange.ship, [(plan, r) for r in range(ranges)]))
    list(in_any_order(exchange.verify, [(plan, r) for r in range(ranges)]))
    edges = [plan.edges(r) for r in range(ranges)]
    found = components.connected_components(edges, tmp_path / "cc", 3, in_any_order)
    labels = labels_of(found, len(every))
    local = link(load(signed, options), options, Scratch(tmp_path / "scratch", 1 << 30))
    assert labels.tolist() == local.near.tolist()
    assert 20 < len(set(labels.tolist())) < len(every) - 20


def signed_crawl(folder: Path, options: DedupSettings) -> list[Path]:
    """Signatures of three files with copies, near copies, equal addresses and empty texts."""
    rng = np.random.default_rng(11)
    every = (
        texts(rng) + ["。", "！", ""] + ["".join(map(chr, rng.integers(0x3041, 0x3090, 90)))] * 3
    )
    numbers = rng.integers(0, 150, len(every))
    rows = {
        "id": [f"id-{i}" for i in rng.permutation(len(every))],
        "text": every,
        "url": [f"https://example.jp/{n}" if n else None for n in numbers],
        "source": [("web", "law")[n % 2] for n in numbers],
        "date": [f"20{n % 30:02d}-01-01" if n % 3 else None for n in numbers],
        "source_file": ["x.warc.gz"] * len(every),
        "source_offset": list(range(len(every))),
    }
    signed = []
    for number in range(3):
        part = pa.table(rows).take(pa.array(range(number, len(every), 3)))
        pq.write_table(part, folder / f"d{number}.parquet", row_group_size=16)
        signed.append(folder / f"s{number}.parquet")
        cluster.sign(folder / f"d{number}.parquet", signed[-1], options)
    return signed


def mapped(
    function: Callable[[Any], Any], units: Sequence[Any], label: str
) -> Iterator[tuple[Any, Any]]:
    copy = pickle.loads(pickle.dumps(function))
    yield from ((None, result) for result in in_any_order(copy, units))


@pytest.mark.parametrize(
    ("options", "per_block"),
    [
        (DedupSettings(), 20),
        (DedupSettings(url=True, keep="newest", keep_n=2), 40),
        (DedupSettings(verify="estimate", num_perm=64), 150_000),
        (DedupSettings(verify="none", keep="first"), 150_000),
        (DedupSettings(mode="exact"), 150_000),
        (DedupSettings(mode="exact", url=True), 150_000),
        (DedupSettings(mode="url"), 150_000),
    ],
    ids=lambda each: f"{each.mode}-{each.url}-{each.verify}" if not isinstance(each, int) else "",
)
def test_the_whole_stage_by_units_writes_the_bytes_of_one_machine(
    tmp_path: Path, options: DedupSettings, per_block: int
) -> None:
    signed = signed_crawl(tmp_path, options)
    gone = {1: np.array([0, 5, 30])}
    one, many = tmp_path / "one", tmp_path / "many"
    counts = cluster.find_duplicates(signed, Layout(one), options, taken=gone)
    got = spread.find_duplicates(
        signed, Layout(many), options, tmp_path / "scratch", mapped, gone, per_block
    )
    assert got == counts and counts["removed"] >= 4
    for name in ("duplicates", "dedup_ledger"):
        ours, theirs = getattr(Layout(many), name), getattr(Layout(one), name)
        assert pq.read_table(ours).equals(pq.read_table(theirs))
        assert ours.read_bytes() == theirs.read_bytes()
    assert not (tmp_path / "scratch").exists()


def test_the_stage_goes_on_after_a_kill_at_any_step(tmp_path: Path) -> None:
    options = DedupSettings(url=True)
    signed = signed_crawl(tmp_path, options)
    cluster.find_duplicates(signed, Layout(tmp_path / "one"), options)
    steps: list[str] = []
    fatal = 0

    def killed(
        function: Callable[[Any], Any], units: Sequence[Any], label: str
    ) -> Iterator[tuple[Any, Any]]:
        """Dies in the middle of a step, a later one each time."""
        if label not in steps:
            steps.append(label)
        for place, pair in enumerate(mapped(function, units, label)):
            yield pair
            if place and len(steps) > fatal:
                raise KeyboardInterrupt

    target = tmp_path / "many"
    while True:
        try:
            spread.find_duplicates(signed, Layout(target), options, tmp_path / "scratch", killed)
            break
        except KeyboardInterrupt:
            fatal = len(steps)
    assert fatal >= 10
    for name in ("duplicates", "dedup_ledger"):
        ours, theirs = getattr(Layout(target), name), getattr(Layout(tmp_path / "one"), name)
        assert ours.read_bytes() == theirs.read_bytes()


def test_empty_key_ranges_and_files_are_no_error(tmp_path: Path) -> None:
    options = DedupSettings(num_perm=16, bands=2, rows=8)
    signed = []
    for name, part in (("0", ["一つだけの文書です"]), ("1", []), ("2", ["。"])):
        columns = {"id": pa.array([name] * len(part)), "text": pa.array(part, pa.string())}
        pq.write_table(pa.table(columns), tmp_path / f"d{name}.parquet")
        signed.append(tmp_path / f"s{name}.parquet")
        cluster.sign(tmp_path / f"d{name}.parquet", signed[-1], options)
    plan = exchange.prepare(signed, tmp_path / "exchange", 16, options)
    list(in_any_order(exchange.scatter, [(plan, k) for k in range(3)]))
    for step in (exchange.candidates, exchange.ship, exchange.verify):
        list(in_any_order(step, [(plan, k) for k in range(16)]))
    edges = components.read_edges([plan.edges(r) for r in range(16)])
    assert edges.tolist() == []
