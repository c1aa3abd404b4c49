"""Shares of flagged pages a host: from all units together, named by a profile."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.folder.hosts import harm_shares, host_table
from corpus.folder.layout import Layout
from corpus.folder.signals import signals_of
from filters.signals import measure

BAD, GOOD = "この店ではコカインを売っている。", "静かな庭で稲穂が揺れていた。"
PAGES = [("bad.example", BAD)] * 4 + [("bad.example", GOOD)] * 2
PAGES += [("good.example", GOOD)] * 6 + [("small.example", BAD)] * 2 + [("", BAD)] * 6


def folder(root: Path, cut: int) -> Path:
    """A build folder with the pages in two documents files, cut at `cut`."""
    (root / "documents").mkdir(parents=True)
    for index, pages in enumerate((PAGES[:cut], PAGES[cut:])):
        texts = pa.array([text for _, text in pages], pa.string())
        table = pa.table(
            {"host": pa.array([host for host, _ in pages], pa.string()), "quality": measure(texts)}
        )
        pq.write_table(table, root / f"documents/{index:07d}.parquet")
    return root


@pytest.mark.parametrize("cut", [0, 3, 5, 11, len(PAGES)])
def test_shares_are_the_same_for_any_split_of_the_input(tmp_path: Path, cut: int) -> None:
    root = folder(tmp_path, cut)
    assert host_table(Layout(root)).to_pylist() == [
        {"host": "small.example", "pages": 2, "flagged": 2, "share": 1.0},
        {"host": "bad.example", "pages": 6, "flagged": 4, "share": pytest.approx(4 / 6)},
        {"host": "good.example", "pages": 6, "flagged": 0, "share": 0.0},
    ]
    hosts = pa.array(["bad.example", "good.example", "small.example", "", "unknown.example"])
    assert harm_shares(Layout(root), hosts).to_pylist() == [pytest.approx(4 / 6), 0, 0, 0, 0]


def test_a_profile_gets_the_share_of_every_row(tmp_path: Path) -> None:
    root = folder(tmp_path, 7)
    column = signals_of(Layout(root), 0, ["host_harm_share"])["host_harm_share"]
    assert column.to_pylist() == [pytest.approx(4 / 6)] * 6 + [0]
