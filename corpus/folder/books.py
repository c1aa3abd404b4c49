"""The funnel: how many records went where, per stage, and the proof that nothing disappeared.

    harvest   records            = documents + dropping ledger rows + counted non-candidates
    remove    documents          = left + ledger rows (only with a removal list)
    dedup     documents          = kept + ledger rows
    select    kept by dedup      = selected + ledger rows
    trim      selected           = left + ledger rows of emptied ones, and rows of altered ones
    decontaminate  selected      = left + ledger rows (or marked, with a ledger row)
    publish   what is left       = rows in the shards

Counts come from the receipts; the check also counts the rows that really stand in the files.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpus.errors import RunError

STAGES = ("harvest", "remove", "dedup", "select", "trim", "decontaminate", "publish")
OPTIONAL = ("remove", "trim", "decontaminate")  # run only where a build asks for them


def receipts(root: Path, stage: str) -> list[Path]:
    """The receipts of a stage in the order of its units."""
    return sorted((root / "state" / stage).glob("[0-9]*.json"))


def counts(root: Path, stage: str) -> list[dict[str, Any]]:
    """The counts of every unit of a stage."""
    return [json.loads(path.read_bytes())["counts"] for path in receipts(root, stage)]


def rows(paths: Iterable[Path]) -> int:
    """Rows that stand in Parquet files, read from their footers."""
    return sum(pq.read_metadata(path).num_rows for path in paths)


def _sum(units: list[dict[str, Any]], key: str) -> int:
    return sum(int(unit.get(key, 0)) for unit in units)


def _merged(units: list[dict[str, Any]], key: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for unit in units:
        total.update(unit.get(key, {}))
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))


def _sources(units: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """source → {profile that decided, in, out} of the select stage."""
    total: dict[str, dict[str, Any]] = {}
    for unit in units:
        for source, facts in unit.get("sources", {}).items():
            entry = total.setdefault(source, {"profile": facts["profile"], "in": 0, "out": 0})
            entry["in"] += facts["input"]
            entry["out"] += facts["kept"]
    return dict(sorted(total.items()))


def read(root: Path) -> dict[str, Any]:
    """Of every stage done so far: in, out, characters, and where the rest went."""
    found: dict[str, Any] = {}
    harvest = counts(root, "harvest")
    if harvest:
        found["harvest"] = {
            "in": _sum(harvest, "records"),
            "out": _sum(harvest, "documents"),
            "characters": _sum(harvest, "characters"),
            "skipped": _merged(harvest, "skipped"),
            "dropped": _merged(harvest, "dropped"),
            "altered": _merged(harvest, "altered"),  # rule → documents that stay, changed by it
        }
    remove = counts(root, "remove")
    if remove:
        found["remove"] = {
            "in": remove[0]["documents"],
            "out": remove[0]["documents"] - remove[0]["removed"],
            "dropped": remove[0]["dropped"],
        }
    dedup = counts(root, "dedup")
    if dedup:
        facts = dedup[0]
        found["dedup"] = {
            "in": facts["documents"],
            "out": facts["documents"] - facts["removed"],
            "dropped": {kind: facts[kind] for kind in ("exact", "near", "url") if facts.get(kind)},
            "clusters": facts.get("clusters", 0),
        }
        found["dedup"] |= {key: facts[key] for key in ("indexed", "generation") if key in facts}
    select = counts(root, "select")
    if select:
        found["select"] = {
            "in": _sum(select, "input"),
            "out": _sum(select, "kept"),
            "dropped": _merged(select, "dropped"),
            "sources": _sources(select),
        }
    for name in ("trim", "decontaminate"):
        done = counts(root, name)
        if done:
            found[name] = {
                "in": _sum(done, "input"),
                "out": _sum(done, "kept"),
                "dropped": _merged(done, "dropped"),
                "altered": _merged(done, "altered"),
            }
    publish = counts(root, "publish")
    if publish:
        found["publish"] = {
            "in": _sum(publish, "documents"),
            "out": _sum(publish, "documents"),
            "characters": _sum(publish, "characters"),
            "bytes": _sum(publish, "bytes"),
            "shards": len(publish),
        }
    return found


def check(root: Path, stage: str) -> None:
    """RunError when the books of `stage` do not balance, against counts and against the files."""
    about = read(root)
    if stage not in about:
        return
    facts = about[stage]
    dropped = sum(facts.get("dropped", {}).values())
    skipped = sum(facts.get("skipped", {}).values())
    _equal(stage, "in", facts["in"], "out + dropped + skipped", facts["out"] + dropped + skipped)
    earlier = [name for name in STAGES[: STAGES.index(stage)] if name in about]
    before = earlier[-1] if earlier else None
    if before:
        _equal(stage, "in", facts["in"], f"out of {before}", about[before]["out"])
    ledger = sorted((root / "ledger").glob(f"{stage}-*.parquet"))
    noted = rows(ledger) - sum(facts.get("altered", {}).values())  # an altered one has a row a rule
    if stage == "harvest":
        _equal(
            stage, "documents", facts["out"], "rows", rows((root / "documents").glob("*.parquet"))
        )
        if noted != dropped + skipped:  # --ledger full writes the skipped ones too
            _equal(stage, "dropped", dropped, "ledger rows", noted)
    elif stage == "publish":
        _equal(stage, "selected", facts["out"], "rows", rows((root / "corpus").glob("*.parquet")))
    else:
        _equal(stage, "dropped", dropped, "ledger rows", noted)


def _equal(stage: str, name: str, value: int, other: str, other_value: int) -> None:
    if value != other_value:
        raise RunError(
            f"the ledger of {stage} does not add up: {name} is {value}, {other} is {other_value}; "
            "please report this with the build folder's manifest"
        )
