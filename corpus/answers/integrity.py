"""`corpus verify`: whether a build folder is, byte for byte, what was written.

    receipts ─▶ size and SHA-256 of every output      seals ─▶ receipts, plan, register, settings
    manifest ─▶ what is published, and all other files ─▶ books, ids and links between the files

Every file is hashed once. Where a Parquet file is damaged, the checksums of its pages say in which
column and row group. Counts and links are looked at where all bytes are right: then what they find
is no damage but a mistake of the build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import config
from corpus.errors import RunError, one_line
from corpus.folder.commit import is_sealed, is_sealed_text, sha256
from corpus.folder.layout import (
    CARD,
    CARD_JA,
    CROISSANT,
    EXCHANGE,
    FUNNEL,
    INDEX,
    NEXT,
    PLOTS,
    REPORT,
    REPRODUCIBILITY,
    SHARDS,
    Layout,
    index_of,
)
from corpus.folder.schema import REMOVED_FORMAT
from corpus.folder.scores import stage_of
from corpus.folder.sql import quoted
from corpus.stages import books
from corpus.stages.table import STAGES

SHOWN = 20  # rows that the text for a terminal lists
PUBLISHED = (CARD, CARD_JA, CROISSANT, REPORT, FUNNEL, REPRODUCIBILITY)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: a file with what is wrong of it, or a link between files."""

    file: str  # relative to the folder; "" for what no single file is to blame for
    problem: str
    stage: str = ""  # the stage and the unit whose work it is
    unit: int = -1


@dataclass(frozen=True)
class Record:
    """What a file must be, and whose it is."""

    facts: dict[str, Any]  # bytes, sha256, perhaps before
    stage: str = ""
    unit: int = -1


def verify(layout: Layout) -> dict[str, Any]:
    """Check a build folder.

    Returns {folder, files, bytes, unrecorded: files that nothing speaks of, findings: [{file,
    problem, stage, unit}], whole}. UsageError when the folder is no build.
    """
    config.require_build(layout)
    findings, records = _receipts(layout)
    findings += _seals(layout)
    manifest = _json(layout.manifest)
    if manifest is not None and is_sealed(manifest):
        _add_manifest(layout, manifest, records)
    # Bytes: each recorded file once, as many at a time as there are cores.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        answers = threads.map(lambda item: _file(layout, *item), sorted(records.items()))
        findings += [finding for finding in answers if finding]
    own = _own(layout)
    unrecorded = [name for name in _files(layout) if name not in records and name not in own]
    for name in unrecorded:
        if name.endswith(".parquet") and (where := damaged_pages(layout.root / name)):
            findings.append(Finding(name, where))
    # Then what the files say about each other.
    if not findings:
        findings += [*_counts(layout), *_links(layout)]
    return {
        "folder": str(layout),
        "files": len(records),
        "bytes": sum(record.facts["bytes"] for record in records.values()),
        "unrecorded": unrecorded,
        "findings": [asdict(finding) for finding in findings],
        "whole": not findings,
    }


# what is recorded ---------------------------------------------------------------------------------


def _stages(layout: Layout) -> list[str]:
    """The stages with receipts, and `scores/NAME`, which has them, too."""
    return [*(stage.name for stage in STAGES), *map(stage_of, layout.scores_names())]


def _own(layout: Layout) -> set[str]:
    """The files that hold a hash of themselves."""
    stages = _stages(layout)
    paths = [layout.settings, layout.plan, layout.removals, layout.manifest]
    paths += [path for stage in stages for path in layout.receipts(stage)]
    paths += map(layout.fingerprint, stages)
    paths += layout.index_parts()
    return {_name(layout, path) for path in paths}


def _receipts(layout: Layout) -> tuple[list[Finding], dict[str, Record]]:
    findings, records = [], dict[str, Record]()
    for stage in _stages(layout):
        for path in layout.receipts(stage):
            unit, receipt = index_of(path), _json(path)
            if receipt is None or not is_sealed(receipt):
                findings.append(Finding(_name(layout, path), "no whole receipt", stage, unit))
                continue
            for name, facts in receipt["outputs"].items():
                records[name] = Record(facts, stage, unit)
    for path in layout.index_parts():
        receipt = _json(path)
        if is_sealed(receipt):
            records |= {name: Record(facts, INDEX) for name, facts in receipt["outputs"].items()}
        else:
            findings.append(Finding(_name(layout, path), "no whole receipt", INDEX))
    return findings, records


def _seals(layout: Layout) -> Iterator[Finding]:
    """JSON files that hold a hash of themselves, and the settings, whose last line is one."""
    stages = {layout.fingerprint(stage): stage for stage in _stages(layout)}
    for path in (layout.plan, layout.removals, layout.manifest, *stages):
        value = _json(path)
        is_list = path == layout.removals and isinstance(value, list)  # of an earlier version
        if path.exists() and not is_list and not is_sealed(value):
            stage = stages.get(path, "")
            yield Finding(_name(layout, path), "other bytes than were written", stage)
    text = layout.settings.read_bytes()
    if not is_sealed_text(text):
        yield Finding(_name(layout, layout.settings), "other bytes than were written")


def _add_manifest(layout: Layout, manifest: dict[str, Any], records: dict[str, Record]) -> None:
    """What receipts do not say. Once another selection is begun, only of what is published."""
    own = _own(layout)
    is_current = bool(layout.receipts(STAGES[-1].name))
    for name, facts in (manifest["files"] | manifest["state"]).items():
        published = name in PUBLISHED or name.startswith(f"{SHARDS}/")
        if name not in records and (is_current or published) and name not in own:
            records[name] = Record(facts, STAGES[-1].name if published else "")


def _files(layout: Layout) -> Iterator[str]:
    """Files of the folder but hidden ones, and what is on its way."""
    for path in sorted(layout.root.rglob("*")):
        name = _name(layout, path)
        hidden = any(part.startswith(".") for part in name.split("/"))
        if (
            path.is_file()
            and not hidden
            and not name.startswith((f"{NEXT}/", f"{EXCHANGE}/", f"{PLOTS}/"))
        ):
            yield name


# bytes --------------------------------------------------------------------------------------------


def _file(layout: Layout, name: str, record: Record) -> Finding | None:
    path, facts = layout.root / name, record.facts
    try:
        size = path.stat().st_size
        digest = sha256(path)
    except OSError as error:
        problem = "missing" if isinstance(error, FileNotFoundError) else one_line(error)
        return Finding(name, problem, record.stage, record.unit)
    if digest in (facts["sha256"], facts.get("before", facts)["sha256"]):
        return None
    problem = "other bytes than were written"
    if size != facts["bytes"]:
        problem = f"{size:,} bytes in place of {facts['bytes']:,}"
    elif name.endswith(".parquet") and (where := damaged_pages(path)):
        problem += f" ({where})"
    return Finding(name, problem, record.stage, record.unit)


def damaged_pages(path: Path) -> str:
    """Where a Parquet file is damaged, by the checksums of its pages; "" where they are right."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                for name in file.schema_arrow.names:
                    try:
                        file.read_row_group(group, columns=[name])
                    except (pa.ArrowException, OSError):
                        return f"row group {group}, column {name}"
    except (pa.ArrowException, OSError):
        return "footer"
    return ""


# what files say of each other ---------------------------------------------------------------------


def _counts(layout: Layout) -> Iterator[Finding]:
    for stage in STAGES:
        if layout.receipts(stage.name):
            try:
                books.check(layout, stage)
            except RunError as error:
                yield Finding("", str(error), stage.name)


def _links(layout: Layout) -> Iterator[Finding]:
    """Ids that are not what, or not where, another file says."""
    if not layout.documents_files():
        return
    db = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    tables = {
        "documents": layout.documents_files(),
        "duplicates": layout.duplicates_files(),
        "ledger": layout.ledgers(),
        "shards": layout.shards() if layout.receipts(STAGES[-1].name) else [],
    }
    for name, files in tables.items():
        if files:
            db.execute(
                f"create view {name} as select *, file_row_number as at, filename as path from "
                f"read_parquet({quoted(files)}, file_row_number=true, filename=true)"
            )
    for needs, problem, query in _QUERIES:
        if all(tables[name] for name in needs):
            rows = db.execute(query).fetchall()
            if rows:
                yield Finding("", f"{len(rows):,} {problem}, the first is {rows[0][0]}")


_GONE = "select id from ledger where action = 'drop' and stage <> 'harvest'"
_QUERIES = (
    (("documents",), "ids of two documents",
     "select id from documents group by id having count(*) > 1"),
    (("documents", "duplicates"), "rows of duplicates that are of other documents",
     "select x.id from duplicates x left join documents d on d.at = x.row "
     "and regexp_extract(d.path, '([0-9]+)[.]parquet$', 1)::int = x.file "
     "where d.id is distinct from x.id"),
    (("duplicates",), "kept copies that are none",
     "select x.kept_id from duplicates x left join duplicates k "
     "on k.id = x.kept_id and k.kind = 'kept' where k.id is null and x.generation is null"),
    (("documents", "shards"), "published documents that are no documents of this build",
     "select s.id from shards s left join documents d using (id) where d.id is null "
     f"or d.format = '{REMOVED_FORMAT}'"),
    (("shards",), "documents that are published twice",
     "select id from shards group by id having count(*) > 1"),
    (("documents", "ledger"), "documents that the ledger dropped twice",
     f"select id from ({_GONE}) group by id having count(*) > 1"),
    (("documents", "ledger", "shards"), "documents that are both published and dropped",
     f"select id from shards where id in ({_GONE})"),
    (("documents", "ledger", "shards"), "documents that are neither published nor dropped",
     f"select id from documents where id not in ({_GONE}) and id not in (select id from shards)"),
)  # fmt: skip


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _name(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()


def as_text(facts: dict[str, Any]) -> str:
    """What a terminal is told."""
    lines = [
        f"  {row['file'] or row['stage']}: {row['problem']}" for row in facts["findings"][:SHOWN]
    ]
    if len(facts["findings"]) > SHOWN:
        lines.append(f"  and {len(facts['findings']) - SHOWN:,} more")
    number = len(facts["findings"])
    state = "whole" if facts["whole"] else f"{number:,} finding{'s' if number > 1 else ''}"
    lines.append(
        f"{facts['folder']}: {facts['files']:,} files, {facts['bytes']:,} bytes hashed: {state}"
    )
    if facts["unrecorded"]:
        lines.append(f"Not recorded, so not compared: {', '.join(facts['unrecorded'][:SHOWN])}")
    return "\n".join(lines) + "\n"
