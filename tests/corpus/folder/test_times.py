"""What stages took is noted beside a build and never in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from build_folders import tree

from corpus.engine.local import LocalEngine
from corpus.folder import times
from corpus.folder.layout import Layout
from corpus.stages.books import funnel


def work(unit: int) -> int:
    """Takes processor time, on whatever machine."""
    return sum(range(200_000 * unit))


@pytest.mark.parametrize("workers", [1, 2])
def test_units_and_their_stage_are_noted_wherever_they_run(tmp_path: Path, workers: int) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    with times.watched(layout, "select", LocalEngine(workers, quiet=True)) as engine:
        assert dict(engine.map(work, [1, 30, 2], "decide")) == {n: work(n) for n in (1, 30, 2)}
    took = times.read(layout)["select"]
    assert took.units == 3 and took.seconds >= took.slowest > 0
    notes = [json.loads(line) for line in layout.times.read_text().splitlines()]
    assert [note.get("step") for note in notes] == ["decide"] * 3 + [None]
    # Work in this process is the units' and not the stage's once more.
    assert took.cpu == pytest.approx(sum(note["cpu"] for note in notes))
    assert notes[-1]["cpu"] <= max(0.2, took.cpu / 2)


def test_a_run_with_nothing_to_do_is_not_noted(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    with times.watched(layout, "select", LocalEngine(1, quiet=True)) as engine:
        assert not list(engine.map(work, [], "decide"))
    assert times.read(layout) == {} and not layout.times.exists()


def test_a_line_that_a_kill_cut_costs_that_line(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    whole = '{"stage": "dedup", "seconds": 2.0, "cpu": 1.0}\n'
    layout.times.write_text(whole + '{"stage": "dedup", "seco\n[1]\n{"stage": 3}\n' + whole)
    assert times.read(layout) == {"dedup": times.Took(4.0, 2.0, 0, 0.0)}
    times.forget(layout, ["select"])
    assert times.read(layout)["dedup"].seconds == 4.0
    times.forget(layout, ["dedup"])
    assert times.read(layout) == {}


def test_every_stage_of_a_build_is_timed_and_no_byte_of_it_says_so(
    run_corpus, tmp_path: Path
) -> None:
    out, again = tmp_path / "o", tmp_path / "again"
    for folder in (out, again):
        run_corpus("build", "tests/data/documents.csv", "--out", folder, "-q", "-j", 1)
    layout = Layout(out)
    took = times.read(layout)
    assert list(took) == list(funnel(layout)) and all(each.seconds > 0 for each in took.values())
    assert took["harvest"].units == 1
    assert tree(out) == tree(again)
    assert layout.times.name not in layout.manifest.read_text()
    # The same command again does nothing; another profile decides, and is timed, anew.
    run_corpus("build", "tests/data/documents.csv", "--out", out, "-q", "-j", 1)
    assert times.read(layout) == took
    run_corpus("select", out, "--profile", "none", "-q", "-j", 1)
    later = times.read(layout)
    assert later["harvest"] == took["harvest"] and later["select"].units == 1
    assert "publish" not in later
    run_corpus("verify", out)
