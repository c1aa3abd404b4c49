"""The books of a build: how many documents went where, per stage, and the proof of it.

    harvest   records            = documents + dropping ledger rows + counted non-candidates
    remove    documents          = left + ledger rows (only with a removal list)
    dedup     documents          = kept + ledger rows
    select    kept by dedup      = selected + ledger rows
    trim      selected           = left + ledger rows of emptied ones, and rows of altered ones
    decontaminate  selected      = left + ledger rows (or marked, with a ledger row)
    publish   what is left       = rows in the shards + ledger rows of emptied ones

Counts come from the receipts; the check also counts the rows that really stand in the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpus.errors import RunError
from corpus.folder.layout import LEDGER, Layout, damaged
from corpus.stages.stage import Counts, Stage
from corpus.stages.table import STAGES


def counts(layout: Layout, stage: str) -> list[Counts]:
    """The counts of every unit of a stage."""
    return [_read(layout, path)["counts"] for path in receipts(layout, stage)]


def receipts(layout: Layout, stage: str) -> list[Path]:
    """The receipts of a stage; of a unit that is staged for the next publication, that one."""
    places = (*layout.receipts(stage), *layout.staged.receipts(stage))
    return [path for _, path in sorted({path.name: path for path in places}.items())]


def outputs(layout: Layout, stage: str) -> dict[Path, dict[str, Any]]:
    """The files that a stage wrote → their size and SHA-256, by its receipts."""
    return {
        layout.folder_of(path) / name: facts
        for path in receipts(layout, stage)
        for name, facts in _read(layout, path)["outputs"].items()
    }


def _read(layout: Layout, path: Path) -> dict[str, Any]:
    """A receipt; RunError when it cannot be read."""
    try:
        receipt: dict[str, Any] = json.loads(path.read_bytes())
    except ValueError as error:
        raise RunError(damaged(layout, path)) from error
    return receipt


def rows(paths: Iterable[Path]) -> int:
    """Rows that stand in Parquet files, read from their footers."""
    import pyarrow.parquet as pq  # here: the funnel alone is read without it

    return sum(pq.read_metadata(path).num_rows for path in paths)


def funnel(layout: Layout, stages: tuple[Stage, ...] = STAGES) -> dict[str, dict[str, Any]]:
    """Of every stage done so far: in, out, and where the rest went (`Stage.summary`)."""
    done = ((stage, counts(layout, stage.name)) for stage in stages)
    return {stage.name: stage.summary(units) for stage, units in done if units}


def check(layout: Layout, stage: Stage, stages: tuple[Stage, ...] = STAGES) -> None:
    """RunError when the books of `stage` do not balance, against counts and against the files."""
    books = funnel(layout, stages)
    if stage.name not in books:
        return
    facts = books[stage.name]
    dropped = sum(facts.get("dropped", {}).values())
    skipped = sum(facts.get("skipped", {}).values())
    entered, left = facts["in"], facts["out"]
    _equal(stage, "in", entered, "out + dropped + skipped", left + dropped + skipped)
    # What comes in is what the stage before let out.
    before = list(books)[: list(books).index(stage.name)]
    if before:
        _equal(stage, "in", entered, f"out of {before[-1]}", books[before[-1]]["out"])
    # What went has a row each in the ledger, and so has what stays altered, one a rule.
    files = outputs(layout, stage.name)
    ledgers = (path for path in files if path.parent.name == LEDGER)
    noted = rows(ledgers) - sum(facts.get("altered", {}).values())
    if noted != dropped + skipped:  # --ledger full writes the skipped ones too
        _equal(stage, "dropped", dropped, "ledger rows", noted)
    # What comes out stands in the files.
    if stage.rows:
        written = (path for path in files if path.parent.name == stage.rows)
        _equal(stage, "out", left, "rows", rows(written))


def _equal(stage: Stage, name: str, value: int, other: str, other_value: int) -> None:
    if value != other_value:
        raise RunError(
            f"the ledger of {stage.name} does not add up: {name} is {value}, {other} is "
            f"{other_value}; please report this with the build folder's manifest"
        )
