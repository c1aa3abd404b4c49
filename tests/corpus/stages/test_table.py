"""The table of stages: every row is sound, and a new stage is one file and one row."""

from __future__ import annotations

import importlib
import inspect
import json
from dataclasses import fields
from pathlib import Path

import pytest

from corpus import config
from corpus.build import Build
from corpus.engine.local import LocalEngine
from corpus.folder.folder import Folder
from corpus.settings import Settings
from corpus.stages import books
from corpus.stages.stage import Counts, Job, Stage, summed
from corpus.stages.table import STAGES, up_to

TOY = '''
"""A toy stage: the longest documents alone go on."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder import selection
from corpus.folder.ledger import Ledger
from corpus.folder.signals import made_from


def depends(settings):
    return [LEAST]


LEAST = 3000  # bytes


def run(job):
    for index in job.files:
        name = selection.digest(job.folder.layout, range(index, index + 1), job.chain)
        if job.folder.is_made_from("longest", index, name):
            continue
        rows = selection.read(job.folder.layout, index, job.chain)
        long = pc.greater_equal(rows["n_bytes"], LEAST)
        ledger = Ledger("longest")
        lost = rows.filter(pc.invert(long))["row"]
        documents = pq.read_table(job.folder.layout.documents(index)).take(lost)
        for row in documents.select(["id", "url", "source_file", "source_offset"]).to_pylist():
            ledger.add("short", *row.values(), threshold=LEAST)
        path = job.folder.layout.rows("longest", index)
        kept = rows.filter(long).combine_chunks()
        outputs = {path: job.folder.commit_parquet(path, kept.schema, kept)[0]}
        outputs |= ledger.commit(job.folder, index)
        counts = {"input": len(rows), "kept": len(kept), "made_from": name}
        counts["dropped"] = {"short": len(rows) - len(kept)}
        job.folder.write_receipt("longest", index, outputs, counts)
'''


def longest(units: list[Counts]) -> dict[str, object]:
    left, kept = summed(units, "input"), summed(units, "kept")
    return {"in": left, "out": kept, "dropped": {"short": left - kept}}


def test_a_stage_is_one_file_and_one_row(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_stage.py").write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    row = Stage("longest", "長文", "toy_stage", longest, hands_on=True)
    stages = (*up_to("select"), row, *STAGES[len(up_to("select")) :])
    folder = Folder(tmp_path / "out")
    settings = config.load(None, ["select.profile=none"])
    engine, inputs = LocalEngine(1, quiet=True), (str(data / "documents.parquet"),)
    funnel = Build(folder, settings, inputs, engine, stages=stages).run()
    # The build runs it, checks its books, hands its rows on and writes it into funnel and card.
    assert list(funnel) == ["harvest", "dedup", "select", "longest", "publish"]
    assert 0 < funnel["longest"]["out"] < funnel["longest"]["in"] == funnel["select"]["out"]
    assert funnel["publish"]["out"] == funnel["longest"]["out"]
    assert "| longest" in folder.layout.card.read_text("utf-8")
    assert "longest" in json.loads(folder.layout.manifest.read_bytes())["stages"]
    shards = [path.read_bytes() for path in folder.layout.shards()]
    # Done again it does nothing; without it the corpus is whole again.
    receipt = folder.layout.receipt("longest").stat().st_mtime_ns
    Build(folder, settings, inputs, engine, stages=stages).run()
    assert folder.layout.receipt("longest").stat().st_mtime_ns == receipt
    assert [path.read_bytes() for path in folder.layout.shards()] == shards
    without = Build(Folder(tmp_path / "without"), settings, inputs, engine).run()
    assert without["publish"]["out"] == funnel["select"]["out"]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_row_names_a_file_that_runs_and_settings_that_exist(stage: Stage) -> None:
    module = importlib.import_module(stage.module)
    assert module.__name__.rpartition(".")[2] == stage.name
    assert [*inspect.signature(module.run).parameters] == ["job"] and module.__doc__
    known = config.flat(Settings())
    sections = {field.name for field in fields(Settings)}
    assert all(name in known or name in sections for name in stage.sections)


def test_every_setting_belongs_to_a_stage_or_changes_no_byte() -> None:
    owned = {name for stage in STAGES for name in stage.sections}
    for key in config.flat(Settings()):
        section = key.partition(".")[0]
        # What registers say, not where they lie, is what a removal was made from.
        read_anew = section == "fetch" or key == "remove.registers"
        assert key in owned or section in owned or read_anew, key


def test_books_that_do_not_balance_are_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    stage = Stage("toy", "玩具", "toy", lambda units: {"in": 3, "out": 1, "dropped": {"x": 1}})
    folder.write_receipt("toy", 0, {}, {})
    with pytest.raises(Exception, match="the ledger of toy does not add up: in is 3"):
        books.check(folder.layout, stage, (stage,))
    assert Job.__doc__


def test_a_new_version_of_texts_does_everything_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids name the text version, so a resumed build may not keep units of an older one."""
    from corpus.folder import schema

    folder, settings = Folder(tmp_path / "out"), config.load(None, ["select.profile=none"])
    inputs = (str(data / "documents.csv"),)
    run = Build(folder, settings, inputs, LocalEngine(1, quiet=True)).run
    first = run("harvest")
    before = folder.layout.documents(0).read_bytes()
    monkeypatch.setattr("corpus.build.TEXT_VERSION", schema.TEXT_VERSION + 1)
    monkeypatch.setattr(schema, "TEXT_VERSION", schema.TEXT_VERSION + 1)
    assert run("harvest", change=True) == first
    assert folder.layout.documents(0).read_bytes() != before
