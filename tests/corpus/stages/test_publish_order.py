"""publish.order: the same documents in another order, whatever the workers, units and shards."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from corpus.folder.commit import STATISTICS
from corpus.settings import PublishSettings
from corpus.stages import order, publish


def published(run_corpus, small_built: Path, out: Path, *settings: str, jobs: int = 1) -> Path:
    shutil.copytree(small_built, out)
    options = [word for setting in settings for word in ("--set", setting)]
    run_corpus("publish", out, "-j", jobs, "-q", *options)
    return out


def ids(build: Path) -> list[str]:
    shards = sorted((build / "corpus").glob("*.parquet"))
    return [name for shard in shards for name in pq.read_table(shard)["id"].to_pylist()]


def test_documents_are_published_by_id_or_shuffled_by_a_seed(
    run_corpus, small_built: Path, tmp_path: Path
) -> None:
    before = ids(small_built)
    by_id = published(run_corpus, small_built, tmp_path / "id", "publish.order=id")
    assert ids(by_id) == sorted(before) != before
    shuffled = published(run_corpus, small_built, tmp_path / "a", "publish.order=shuffled")
    assert sorted(ids(shuffled)) == sorted(before)
    assert len({tuple(ids(shuffled)), tuple(before), tuple(sorted(before))}) == 3
    # Another number of workers gives the same bytes; another seed another order.
    again = published(run_corpus, small_built, tmp_path / "b", "publish.order=shuffled", jobs=2)
    for shard in (shuffled / "corpus").iterdir():
        assert shard.read_bytes() == (again / "corpus" / shard.name).read_bytes()
    run_corpus("publish", again, "-q", "-j", 1, "--set", "publish.seed=2")
    assert sorted(ids(again)) == sorted(before) and ids(again) != ids(shuffled)
    # Only the order differs, and nothing of the texts stays behind on the way.
    rows = [pq.read_table(b / "corpus").sort_by("id") for b in (small_built, shuffled)]
    assert rows[0].equals(rows[1])
    assert not (shuffled / "state" / "dedup" / "exchange" / "publish").exists()


@pytest.mark.parametrize("kind", ["id", "shuffled"])
def test_the_cut_and_its_parts_give_every_row_once_and_in_order(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PublishSettings(order=kind, seed=7, shard_mib=1)
    rng = np.random.default_rng(1)
    names = [rng.bytes(12).hex() for _ in range(500)]
    sizes = rng.integers(1, 60_000, 500)
    monkeypatch.setattr(order, "GROUP_BYTES", 200_000)

    class Layout:  # two files' rows, as select leaves them
        def documents(self, index: int) -> Path:
            return tmp_path / f"d{index}.parquet"

        def rows(self, stage: str, index: int) -> Path:
            return tmp_path / f"s{index}.parquet"

    layout = Layout()
    for index, part in enumerate((slice(0, 200), slice(200, 500))):
        pq.write_table(pa.table({"id": names[part]}), layout.documents(index))
        rows = pa.array(range(len(names[part])), pa.int32())
        pq.write_table(pa.table({"row": rows, "n_bytes": sizes[part]}), layout.rows("", index))
    pieces = order.cut(layout, range(2), ("select",), settings)  # type: ignore[arg-type]
    key = order.keys(pa.array(names), settings)
    owner = pieces.of(key)
    assert len(pieces.shards) > 10 and len(pieces.bounds) > 2 * len(pieces.shards)
    assert [s[0] for s in pieces.shards] == [0, *(s[1] for s in pieces.shards[:-1])]
    for first, end in pieces.shards:
        assert 0 < sizes[(owner >= first) & (owner < end)].sum() < (1 << 20) + 60_000
    for piece in range(len(pieces.bounds) - 1):
        assert key[owner == piece].max() < key[owner == piece + 1].min()
    if kind == "id":
        assert [names[i] for i in np.argsort(key)] == sorted(names)


def test_row_groups_are_of_bytes_and_footers_have_statistics_where_they_help(
    small_built: Path,
) -> None:
    for shard in (small_built / "corpus").iterdir():
        metadata = pq.read_metadata(shard)
        assert metadata.num_row_groups == 1  # 50 documents are one
        group = metadata.row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        with_statistics = {c.path_in_schema for c in columns if c.is_stats_set}
        assert {"id", "host", "date", "n_chars"} <= with_statistics <= set(STATISTICS)
        assert pc.min(pq.read_table(shard)["n_chars"]).as_py() >= 1


def test_of_a_hundred_takedowns_few_move_where_the_next_shards_begin() -> None:
    dice = np.random.default_rng(5)
    sizes = dice.lognormal(8, 1, 20_000).astype(np.int64)
    rows = np.sort(dice.choice(40_000, 20_000, replace=False))
    limit = 8 << 20

    def begins(kept: np.ndarray) -> list[int]:
        ends, held = publish.ends_of_shards(rows[kept], sizes[kept], limit, 0, block=512)
        edges = [0, *ends, int(kept.sum())]
        shards = [int(sizes[kept][a:b].sum()) for a, b in pairwise(edges)]
        assert all(limit <= size <= limit * 1.125 + sizes.max() for size in shards[:-1])
        assert held == shards[-1]
        return rows[kept][ends].tolist()

    whole = begins(np.ones(len(rows), bool))
    assert len(whole) > 8
    moved = 0
    for taken in range(0, len(rows), len(rows) // 100):
        moved += begins(np.arange(len(rows)) != taken) != whole
    assert moved <= 10


def test_a_shard_that_is_full_goes_over_the_ends_of_files() -> None:
    sizes = np.full(10, 3)
    first, held = publish.ends_of_shards(np.arange(10), sizes, 20, 0, block=4)
    assert (first, held) == ([8], 6)
    assert publish.ends_of_shards(np.arange(2), sizes[:2], 20, held, block=4) == ([], 12)
    assert publish.ends_of_shards(np.arange(0), sizes[:0], 20, 12, block=4) == ([], 12)
    assert publish.ends_of_shards(np.arange(2), sizes[:2], 20, 21, block=4) == ([0], 6)
