"""Comparison of profiles on a small table whose answers can be counted by hand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from filters.compare import at_bounds, keep_matrix, pass_rates, rule_table, sweep
from filters.profile import Profile, ProfileError, parse
from filters.signals import QUALITY_TYPE

LENGTHS = [10, 20, 30, 40, 50]
SHARES = [0.1, 0.9, 0.2, 0.8, 0.3]


@pytest.fixture
def quality() -> pa.StructArray:
    fields = [QUALITY_TYPE.field(name) for name in ("n_chars", "hiragana_share")]
    arrays = [pa.array(LENGTHS, pa.int32()), pa.array(SHARES, pa.float32())]
    return pa.StructArray.from_arrays(arrays, fields=fields)


def profile(name: str, least: int, most: float) -> Profile:
    rules = (
        f'[[rule]]\nname = "long"\nsignal = "n_chars"\nmin = {least}\n'
        f'[[rule]]\nname = "few"\nsignal = "hiragana_share"\nmax = {most}\n'
    )
    return parse(rules, name, name)


def test_keep_matrix_counts_documents_and_characters(quality: pa.StructArray) -> None:
    a, b = profile("a", 20, 0.5), profile("b", 30, 1.0)  # a keeps 30, 50; b keeps 30, 40, 50
    keeps = {p.name: p.decide(quality).keep for p in (a, b)}
    table = keep_matrix(keeps, np.array(LENGTHS))
    row = table.to_pylist()[1]
    assert (row["a"], row["b"]) == ("a", "b")
    assert (row["both"], row["only_a"], row["only_b"], row["neither"]) == (2, 0, 1, 2)
    assert row["both_chars"] == 80 and row["agreement"] == 0.8
    assert table.to_pylist()[0]["kappa"] == pytest.approx(1.0)
    chance = 0.4 * 0.6 + 0.6 * 0.4  # a keeps 2 of 5, b keeps 3 of 5
    assert row["kappa"] == pytest.approx((0.8 - chance) / (1 - chance))


def test_rule_table_tells_what_a_rule_takes_alone_first_and_last(quality: pa.StructArray) -> None:
    p = profile("p", 25, 0.5)
    rows = rule_table(p, p.decide(quality), np.array(LENGTHS)).to_pylist()
    assert [(r["alone"], r["first"], r["last"], r["last_chars"]) for r in rows] == [
        (2, 2, 1, 10),
        (2, 1, 1, 40),
    ]


def test_pass_rates_by_genre(quality: pa.StructArray) -> None:
    rates = pass_rates({"p": profile("p", 25, 0.5).decide(quality)}, ["x", "x", "y", "y", "y"])
    assert rates.to_pylist() == [
        {"genre": "x", "documents": 2, "p": 0.0},
        {"genre": "y", "documents": 3, "p": pytest.approx(2 / 3)},
    ]


def test_documents_at_a_bound_come_nearest_first_and_only_where_it_alone_decides(
    quality: pa.StructArray,
) -> None:
    p = profile("p", 0, 0.5)
    found = at_bounds(p, p.decide(quality), 1, np.array(SHARES), 2)
    assert found == [
        ("max", 0.5, "kept", 4, 0.3),
        ("max", 0.5, "kept", 2, 0.2),
        ("max", 0.5, "dropped", 3, 0.8),
        ("max", 0.5, "dropped", 1, 0.9),
    ]
    p = profile("p", 35, 0.5)  # the first three are too short: the second rule decides on none
    rows = {row for _, _, _, row, _ in at_bounds(p, p.decide(quality), 1, np.array(SHARES), 9)}
    assert rows == {3, 4}


def test_sweep_counts_both_sides_of_every_threshold() -> None:
    table = sweep(np.array(SHARES), np.array(LENGTHS), 0.0, 1.0, 11)
    row = table.to_pylist()[3]
    assert row["threshold"] == pytest.approx(0.3)
    assert (row["at_least"], row["at_most"]) in ((3, 3), (2, 3), (3, 2))
    assert table["at_least"].to_pylist()[0] == 5 and table["at_most"].to_pylist()[-1] == 5
    assert table["at_most_chars"].to_pylist()[-1] == sum(LENGTHS)
    with pytest.raises(ProfileError, match="empty range"):
        sweep(np.array(SHARES), np.array(LENGTHS), 1.0, 0.0)
