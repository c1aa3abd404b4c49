"""`corpus merge A B … --out C`: one corpus of several builds, without reading a page again.

What the harvests stored is taken over, file by file, under new numbers: by hard links on a disk,
copied and uploaded where C is in an object store. Then C is a build folder like any other: it obeys
the takedowns of all parts, clusters their documents together, selects and publishes. Settings of
what comes after the harvest are those of the first part.

    units of A, B, …  ─▶ documents, ledger, robots.txt, scores ─▶ remove ─▶ dedup ─▶ … ─▶ publish
"""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config
from corpus.build import Build
from corpus.engine.units import Engine
from corpus.errors import UsageError
from corpus.folder import removals, scores, swap
from corpus.folder.commit import sealed, sha256
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.removals import TAKEN
from corpus.folder.schema import DOCUMENT, LEDGER
from corpus.folder.selection import ledger_rows
from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.plan import as_planned
from corpus.stages.table import STAGES

HARVEST, REMOVE = STAGES[0], STAGES[1]
TWICE = "merged_twice"  # the rule of a record that an earlier part holds already
# Keys that all parts must share: else texts, signals or refusals of one are not those of another.
ALIKE = ("harvest.", "normalize.", "clean.", "rights.drop_noai", "rights.drop_tdm_reservation")


@dataclass
class _Taken:
    """A unit of a part, and its number in the merged build."""

    part: Layout
    unit: Unit
    number: int


@dataclass
class _Seen:
    """Identity of a file → ids of the documents of it that were taken over so far."""

    ids: dict[str, list[pa.Array]] = field(default_factory=dict)


def merge(
    parts: list[Layout], folder: Folder, engine: Engine, overrides: list[str]
) -> dict[str, Any]:
    """Merge the builds `parts` into `folder`; run again after a crash it goes on.

    Returns {parts: [{name, documents, shared}], funnel}. shared: units that an earlier part has,
    taken once. UsageError where parts were harvested under settings that give other texts.
    """
    if len(parts) < 2:
        raise UsageError("name two builds or more")
    settings, inputs = _settings(parts, overrides)
    units, shared = _units(parts)
    names = [{"name": str(part), "files": len(part.documents_files())} for part in parts]
    build = Build(folder, settings, inputs, engine)
    _begin(build, units, names)
    seen = _Seen()
    common = set.intersection(*(set(part.scores_names()) for part in parts))
    with folder.lock():
        for taken in units:
            _take_over(folder, taken, common, seen)
        _take_over_removals(folder, parts, units)
    funnel = build.run(change=True)
    rows = [
        {"name": str(part), "shared": shared[place], "documents": _rows(folder, units, part)}
        for place, part in enumerate(parts)
    ]
    return {"parts": rows, "funnel": funnel}


def _settings(parts: list[Layout], overrides: list[str]) -> tuple[Settings, tuple[str, ...]]:
    """Settings of the first, with the registers of all; the inputs of all."""
    read = [config.of_folder(part) for part in parts]
    first = config.flat(read[0][0])
    inputs: dict[str, None] = {}
    registers: list[str] = []
    for part, (settings, own) in zip(parts, read, strict=True):
        inputs |= dict.fromkeys(own)
        registers += settings.remove.registers
        for key, value in config.flat(settings).items():
            if key.startswith(ALIKE) and value != first[key]:
                raise UsageError(
                    f"{part} was harvested with {key} = {value!r}, {parts[0]} with "
                    f"{first[key]!r}: harvest one of them anew"
                )
    settings = config.override_keys(config.obeying(read[0][0], *registers), overrides)
    if any(key.startswith(ALIKE) and v != first[key] for key, v in config.flat(settings).items()):
        raise UsageError("--set of a merge: nothing of the harvest, which is not done again")
    return settings, tuple(inputs)


def _units(parts: list[Layout]) -> tuple[list[_Taken], list[int]]:
    """The units of all parts, each once, under new numbers; how many each part shares."""
    known: set[tuple[Any, ...]] = set()
    units: list[_Taken] = []
    shared = [0] * len(parts)
    for place, part in enumerate(parts):
        planned = as_planned(part)
        if len(part.receipts(HARVEST.name)) < len(planned):
            raise UsageError(f"{part} is not harvested to its end: run `corpus harvest` there")
        for unit in planned:
            key = (unit.kind, unit.identities or unit.files, unit.start, unit.end)
            if key in known:
                shared[place] += 1
                continue
            known.add(key)
            units.append(_Taken(part, unit, len(units)))
    return units, shared


def _begin(build: Build, units: list[_Taken], parts: list[dict[str, Any]]) -> None:
    """Plan and fingerprints of the merged build, so that it counts as harvested.

    UsageError when the folder holds another build.
    """
    folder, layout = build.folder, build.folder.layout
    files: dict[str, Any] = {}
    for part in {taken.part.root: taken.part for taken in units}.values():
        files |= json.loads(part.plan.read_bytes())["files"]
    plan = {"fingerprint": build.fingerprint(HARVEST), "files": files, "merged": parts}
    renumbered = [dataclasses.replace(t.unit, index=t.number, state="") for t in units]
    plan |= {"units": [asdict(unit) for unit in renumbered]}
    whole = json.loads(json.dumps(sealed(plan)))
    if layout.plan.exists() and json.loads(layout.plan.read_bytes()) != whole:
        raise UsageError(f"{folder} holds another build: choose another --out")
    for stage in (HARVEST, REMOVE):
        layout.make_folders(stage.name, stage.owns)
        fingerprint = sealed({"fingerprint": build.fingerprint(stage)})
        folder.commit_json(layout.fingerprint(stage.name), fingerprint)
    folder.commit_json(layout.plan, whole)


def _take_over(folder: Folder, taken: _Taken, names: set[str], seen: _Seen) -> None:
    """The files of a unit under their new number, the receipt last."""
    part, old, new = taken.part, taken.unit.index, taken.number
    receipt = json.loads(part.receipt(HARVEST.name, old).read_bytes())
    twice = _twice(part, taken.unit, seen)
    if folder.receipt(HARVEST.name, new) is None:
        counts, layout = receipt["counts"], folder.layout
        outputs: dict[Path, str] = {}
        if len(twice):
            outputs, counts = _without(folder, taken, twice, counts)
        else:
            for source, target in (
                (part.documents(old), layout.documents(new)),
                (part.ledger(HARVEST.name, old), layout.ledger(HARVEST.name, new)),
            ):
                outputs[target] = _taken_as_is(folder, source, target)
        if part.sites(old).exists():
            sites = layout.sites(new)
            outputs[sites] = _taken_as_is(folder, part.sites(old), sites)
        for name in sorted(names) if not len(twice) else ():
            _take_over_scores(folder, taken, name)
        folder.write_receipt(HARVEST.name, new, outputs, counts)
    ids = pq.read_table(folder.layout.documents(new), columns=["id"])["id"].combine_chunks()
    for identity in taken.unit.identities:
        seen.ids.setdefault(identity, []).append(ids)


def _twice(part: Layout, unit: Unit, seen: _Seen) -> pa.Array:
    """Ids of a unit's documents that an earlier part has: its file was cut otherwise there."""
    known = [ids for identity in unit.identities for ids in seen.ids.get(identity, ())]
    ids = pq.read_table(part.documents(unit.index), columns=["id"])["id"].combine_chunks()
    if not known:
        return ids.slice(0, 0)
    return ids.filter(pc.is_in(ids, pa.concat_arrays(known)))


def _without(
    folder: Folder, taken: _Taken, twice: pa.Array, counts: dict[str, Any]
) -> tuple[dict[Path, str], dict[str, Any]]:
    """The documents of a unit but those; a ledger row for each of them."""
    part, old, new = taken.part, taken.unit.index, taken.number
    table = pq.read_table(part.documents(old))
    gone = pc.is_in(table["id"], twice)
    left, out = table.filter(pc.invert(gone)).cast(DOCUMENT), table.filter(gone)
    details = ["an earlier part of the merged corpus holds this record"] * len(out)
    noted = ledger_rows(out, HARVEST.name, rule=TWICE, action="drop", detail=details)
    before = pq.read_table(part.ledger(HARVEST.name, old))
    ledger = pa.concat_tables([before.cast(LEDGER), noted.select(LEDGER.names).cast(LEDGER)])
    layout = folder.layout
    outputs = {}
    for path, schema, rows in (
        (layout.documents(new), DOCUMENT, left),
        (layout.ledger(HARVEST.name, new), LEDGER, ledger),
    ):
        outputs[path] = folder.commit_parquet(path, schema, rows.combine_chunks())[0]
    dropped = {**counts["dropped"], TWICE: len(out)}
    characters = pc.sum(left["n_chars"]).as_py() or 0
    changed = {"documents": len(left), "characters": characters, "ledger": len(ledger)}
    return outputs, counts | changed | {"dropped": dict(sorted(dropped.items()))}


def _take_over_scores(folder: Folder, taken: _Taken, name: str) -> None:
    source, stage = taken.part.scores(name, taken.unit.index), scores.stage_of(name)
    receipt = taken.part.receipt(stage, taken.unit.index)
    if source.exists() and receipt.exists():
        target = folder.layout.scores(name, taken.number)
        counts = json.loads(receipt.read_bytes())["counts"]
        digest = _taken_as_is(folder, source, target)
        folder.write_receipt(stage, taken.number, {target: digest}, counts)


def _take_over_removals(folder: Folder, parts: list[Layout], units: list[_Taken]) -> None:
    """The takedowns of all parts, and how the absence of what went can be shown."""
    entries = [entry for part in parts for entry in removals.load(part)]
    if entries:
        removals.add(folder, entries)
    numbers = {(taken.part.root, taken.unit.index): taken.number for taken in units}
    rows = []
    for part in parts:
        for row in removals.taken_rows(part).to_pylist():
            if (part.root, row["file"]) in numbers:
                rows.append(row | {"file": numbers[part.root, row["file"]]})
    if rows and not folder.layout.taken.exists():
        table = pa.Table.from_pylist(rows, schema=TAKEN)
        folder.commit_parquet(folder.layout.taken, TAKEN, table)


def _taken_as_is(folder: Folder, source: Path, target: Path) -> str:
    """The SHA-256 of a file of a part that `folder` now has, too, under a name of its own.

    On a disk it is a second name: builds replace files whole, so neither folder changes what the
    other has. What is to be in a store is uploaded from a copy.
    """
    if folder.mirror is not None:
        return folder.commit(target, functools.partial(_copy, source))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    swap.link(source, target)
    return sha256(target)


def _copy(source: Path, file: IO[bytes]) -> None:
    with open(source, "rb") as data:
        shutil.copyfileobj(data, file, 1 << 20)


def _rows(folder: Folder, units: list[_Taken], part: Layout) -> int:
    own = (t.number for t in units if t.part.root == part.root)
    return sum(pq.read_metadata(folder.layout.documents(n)).num_rows for n in own)
