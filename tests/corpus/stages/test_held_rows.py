"""Rows that wait for the other pages of their unit, and a ledger of a unit worked off in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from corpus.folder.folder import Folder
from corpus.folder.ledger import Ledger
from corpus.stages.held import ROWS_PER_PACK, HeldRows
from corpus.text.blocks import Blocks


def test_rows_come_back_equal_in_their_order_as_often_as_asked() -> None:
    held = HeldRows()
    rows = [
        {
            "host": f"h{n % 3}.example",
            "text": "吾輩は猫である。" * (n % 5),
            "metadata": {"n": n},
            "blocks": Blocks(np.full((n % 4, 6), n, np.int32), ("ja",)),
        }
        for n in range(2 * ROWS_PER_PACK + 7)
    ]
    for row in rows:
        held.add(row)
    for _ in range(2):
        packs = list(held.packs())
        assert [len(pack) for pack in packs] == [ROWS_PER_PACK, ROWS_PER_PACK, 7]
        for row, back in zip(rows, (row for pack in packs for row in pack), strict=True):
            spans, languages = back["blocks"]
            assert spans.tolist() == row["blocks"].spans.tolist() and languages == ("ja",)
            assert spans.dtype == np.int32 and spans.shape == row["blocks"].spans.shape
            assert {**back, "blocks": None} == {**row, "blocks": None}
    assert held.hosts == {"h0.example": 173, "h1.example": 173, "h2.example": 173}


def test_no_rows_are_one_empty_pack() -> None:
    assert list(HeldRows().packs()) == [[]]


def test_a_ledger_of_parts_has_the_order_of_one_made_in_a_whole(tmp_path: Path) -> None:
    parts, whole = Ledger("harvest"), Ledger("harvest")
    rows = [(step, n) for n in range(6) for step in ("", "site", "footer")]
    for step, n in rows:
        parts.begin(step)
        parts.add(step or "empty", f"{n}", "", "", n)
    for step, n in sorted(rows, key=lambda row: ("", "site", "footer").index(row[0])):
        whole.add(step or "empty", f"{n}", "", "", n)
    assert len(parts) == len(whole) == 18
    tables = []
    for number, ledger in enumerate((parts, whole)):
        (path,) = ledger.commit(Folder(tmp_path / f"{number}"), 0)
        tables.append(pq.read_table(path))
    assert tables[0].equals(tables[1])
