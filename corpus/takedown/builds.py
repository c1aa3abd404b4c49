"""`corpus remove` of a build folder, and of token shards that were made from it.

A build keeps its register (corpus.folder.removals) and is then brought up to date: the content of
what it names leaves every file (corpus.stages.remove); dedup clusters without it, so the next copy
of a kept document is kept; select decides anew on the files that changed, and shards whose rows are
the same stay. The folder equals byte for byte one built with that register from the start.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config
from corpus.build import Build
from corpus.dedup.local import cluster
from corpus.dedup.named import find
from corpus.errors import RunError
from corpus.folder import removals
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout, index_of
from corpus.folder.removals import Removal
from corpus.folder.schema import REMOVED_FORMAT
from corpus.index.build import indexed_sides, update
from corpus.register import obeyed
from corpus.settings import Settings
from corpus.stages.table import STAGES
from corpus.takedown.named import refuse_unknown_ids


def from_build(
    folder: Folder, new: list[Removal], engine: Any, dry_run: bool, register: str = ""
) -> dict[str, Any]:
    """Add to the list of a build and bring it up to date, as far as it had got.

    register: a file that holds `new` already, and that this and later builds of the folder obey.

    Returns {folder, dry_run, removed: [{id, url, by, was, cluster_size}], promoted: [{id, url}],
    copies: [{id, url, of, kind, similarity}], named, list, out, index}. `was`: in the corpus,
    dropped (stage and rule) or undecided. copies: what dedup held for copies of what goes, and that
    stays.
    named: entries asked for; list: entries of the register; out: documents that are out by now;
    index: what was sorted again (corpus.index.build.update).
    """
    layout = folder.layout
    settings, inputs = config.of_folder(layout)
    settings = config.obeying(settings, *filter(None, [register]))
    documents = layout.documents_files()
    # What the register names and is not out yet.
    table, which = find(documents, new)
    refuse_unknown_ids(folder, new, table["id"])
    fresh = pc.not_equal(table["format"], REMOVED_FORMAT)
    table, which = table.filter(fresh), which[fresh.to_numpy()]
    removed = _before_removal(layout, table, [new[i] for i in which.tolist()])
    copies = copies_that_stay(layout, set(table["id"].to_pylist()))
    before = _dropped(layout)
    if dry_run:
        left = _dropped_without(layout, settings, table)
        number = len(new if register else obeyed(layout, settings))
        sorted_again: list[dict[str, Any]] = []
    else:
        if new and not register:
            with folder.lock():  # of two removals at once none loses its entries
                removals.add(folder, new)
        number = len(obeyed(layout, settings))
        sorted_again = _brought_up_to_date(Build(folder, settings, inputs, engine))
        left = _dropped(layout)
    # Promoted: what dedup dropped before and does not drop now, and that does not go itself.
    promoted = before.filter(pc.invert(pc.is_in(before["id"], left["id"])))
    promoted = promoted.filter(pc.invert(pc.is_in(promoted["id"], table["id"].combine_chunks())))
    return {
        "folder": str(folder),
        "dry_run": dry_run,
        "removed": removed,
        "promoted": _with_urls(documents, promoted),
        "copies": copies,
        "named": len(new),
        "list": number,
        "out": len(removals.taken_rows(layout)),
        "index": sorted_again,
    }


def _brought_up_to_date(build: Build) -> list[dict[str, Any]]:
    """Run a build as far as it had got, so that it obeys what it obeys now; what was sorted again
    of its index (corpus.index.build.update)."""
    folder, layout = build.folder, build.folder.layout
    indexed = indexed_sides(layout)
    done = [stage.name for stage in STAGES if layout.receipts(stage.name)]
    last = done[-1] if done else STAGES[0].name
    # Up to remove at least: of a folder that was only harvested, the content goes as well.
    last = max(last, "remove", key=[stage.name for stage in STAGES].index)
    build.run(last, change=True)
    # What is published may be of an earlier selection: it must not hold it either.
    if last != STAGES[-1].name and _is_published(layout):
        build.run(STAGES[-1].name, change=True)
    with folder.lock():
        return [update(folder, side, build.engine) for side in indexed]


def _dropped_without(layout: Layout, settings: Settings, table: pa.Table) -> pa.Table:
    """What dedup will drop when these documents are gone (for --dry-run): as `_dropped`.

    Copies that were dropped and will not be any more are kept instead.
    """
    clustered = layout.receipts("dedup") and settings.dedup.mode != "none"
    if not clustered or not len(table):
        return _dropped(layout)
    with tempfile.TemporaryDirectory() as scratch:
        after = Layout(Path(scratch))
        _cluster(layout, settings, table, after)
        return _dropped(after)


def obeys(layout: Layout) -> bool:
    """Whether a build or an index has anything to keep out."""
    if not layout.settings.is_file():
        return bool(removals.load(layout))
    return bool(obeyed(layout, config.of_folder(layout)[0]))


def _is_published(layout: Layout) -> bool:
    """Whether a published shard holds a document that was taken out."""
    gone = removals.taken_rows(layout)["id"].combine_chunks()
    wanted = pc.field("id").isin(gone)
    return any(len(pq.read_table(p, columns=["id"], filters=wanted)) for p in layout.shards())


def copies_that_stay(layout: Layout, ids: set[str]) -> list[dict[str, Any]]:
    """The other members of the clusters of what goes: [{id, url, of, kind, similarity}]; copies
    that somebody else published, or that stand under another name in the input."""
    columns = ["id", "cluster", "kind", "similarity", "file", "row"]
    members = [
        row
        for path in layout.duplicates_files()
        for row in pq.read_table(path, columns=columns).to_pylist()
    ]
    of = {row["cluster"]: row["id"] for row in members if row["id"] in ids}
    rows = [row for row in members if row["cluster"] in of and row["id"] not in ids]
    places = pa.Table.from_pylist(rows, schema=_PLACES)
    urls = {row["id"]: row["url"] for row in _with_urls(layout.documents_files(), places)}
    return [
        {
            "id": row["id"],
            "url": urls[row["id"]],
            "of": of[row["cluster"]],
            "kind": row["kind"],
            "similarity": round(row["similarity"], 3),
        }
        for row in rows
    ]


_PLACES = pa.schema([("id", pa.string()), ("file", pa.int32()), ("row", pa.int32())])


def _cluster(layout: Layout, settings: Settings, table: pa.Table, out: Layout) -> None:
    """The clusters as they will be, for --dry-run."""
    taken = {index: rows.tolist() for index, rows in removals.taken(layout).items()}
    for row in table.select(["file", "row"]).to_pylist():
        taken.setdefault(row["file"], []).append(row["row"])
    signatures = [layout.signatures(index_of(path)) for path in layout.documents_files()]
    against = Path(settings.dedup.against) if settings.dedup.against else None
    gone = {index: np.unique(rows) for index, rows in taken.items()}
    memory = settings.dedup.memory_mib << 20
    cluster.find_duplicates(signatures, out, settings.dedup, memory, against, taken=gone)


def _dropped(layout: Layout) -> pa.Table:
    """id, file and row of the documents that dedup dropped."""
    parts = [
        pq.read_table(path, columns=_PLACES.names, filters=pc.field("kind") != "kept")
        for path in layout.duplicates_files()
    ]
    return pa.concat_tables([_PLACES.empty_table(), *parts])


def _before_removal(layout: Layout, table: pa.Table, by: list[Removal]) -> list[dict[str, Any]]:
    """Of each document that goes: by which entry, and where it was."""
    ids = table["id"].combine_chunks()
    wanted = pc.field("id").isin(ids)
    kept = _rows(layout.shards(), ["id", "cluster_size"], wanted)
    wanted &= pc.field("action") == "drop"
    dropped = _rows(layout.ledgers(), ["id", "stage", "rule"], wanted)
    gone = []
    for row, entry in zip(table.select(["id", "url"]).to_pylist(), by, strict=True):
        was = "undecided"
        if row["id"] in kept:
            was = "in the corpus"
        elif row["id"] in dropped:
            was = f"dropped ({dropped[row['id']]['stage']}, {dropped[row['id']]['rule']})"
        size = kept.get(row["id"], {}).get("cluster_size", 1)
        gone.append({**row, "by": entry.kind, "was": was, "cluster_size": size})
    return gone


def _rows(
    files: list[Path], columns: list[str], wanted: pc.Expression
) -> dict[str, dict[str, Any]]:
    """id → the named columns, of all rows of the files that are wanted."""
    rows = []
    for path in files:
        rows += pq.read_table(path, columns=columns, filters=wanted).to_pylist()
    return {row["id"]: row for row in rows}


def _with_urls(documents: list[Path], table: pa.Table) -> list[dict[str, Any]]:
    """[{id, url}] of documents given by `file` and `row`, in the order of the input."""
    named = []
    for index in pc.unique(table["file"]).to_pylist():
        rows = table.filter(pc.equal(table["file"], index))["row"].to_numpy()
        columns = pq.read_table(documents[index], columns=["id", "url"])
        named += columns.take(pa.array(np.sort(rows))).to_pylist()
    return named


def from_tokens(layout: Layout, tokens: Path) -> dict[str, Any]:
    """Take everything that is out of a build out of token shards made from it, too.

    The shards are the trainer's: `trainer remove` writes them anew. Returns {tokens, documents,
    removed}; RunError with its words when that fails.
    """
    ids = removals.taken_rows(layout)["id"].to_pylist()
    command = [sys.executable, "-m", "trainer", "remove", str(tokens), "--ids", "-", "--json"]
    done = subprocess.run(command, input="\n".join(ids), capture_output=True, text=True)
    if done.returncode:
        raise RunError(done.stderr.strip().removeprefix("error: ") or f"{tokens}: cannot be read")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts
