"""What became of documents and records: in the shards, a copy, taken out, kept out and why.

Of a build whose files lie in this order: documents, ledgers, duplicates, shards. Each is read once,
of the documents only the row groups in which something stands that was found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import register
from corpus.folder import removals
from corpus.folder.layout import Layout
from corpus.folder.lookup import rows_at, rows_of
from corpus.folder.schema import REMOVED_FORMAT
from corpus.settings import Settings
from corpus.stages.rights import REFUSALS

LISTED = 20  # documents of an item, duplicates of a document that are told; the rest are counted
PLACE = [
    "id", "url", "title", "source", "captured", "n_chars", "format", "source_file",
    "source_offset", "rights", "licence",
]  # fmt: skip


def fates_of(
    layout: Layout, settings: Settings, ids: pa.Array, places: dict[str, tuple[Path, int]]
) -> dict[str, dict[str, Any]]:
    """id → {id, url, fate, …}: what became of each document or record.

    places: where the documents among them stand.
    """
    copies = _copies(layout, ids)
    files = layout.documents_files()
    beside = [(files[row["file"]], row["row"]) for own in copies.values() for row in own]
    documents = {row["id"]: row for row in rows_at([*places.values(), *beside], PLACE)}
    ledger = rows_of(layout.ledgers(), None, ids)
    dropped = {row["id"]: row for row in ledger if row["action"] in ("drop", "skip")}
    shards = _published(layout, ids, dropped)
    taken = {row["id"]: row for row in removals.taken_rows(layout).to_pylist()}
    entries = _entries(settings)
    fates = {}
    for name in ids.to_pylist():
        row = documents.get(name) or dropped.get(name)
        if row is None:
            continue
        fate = {"id": name, "url": row["url"] or "", "record": _record(row)}
        if name in documents and row["format"] != REMOVED_FORMAT:
            keys = ("title", "source", "captured", "n_chars", "licence")
            fate |= {key: row[key] for key in keys}
            fate["rights"] = _rights(shards.get(name, row)["rights"])
        if name in taken or row.get("format") == REMOVED_FORMAT:
            fate |= {"fate": "taken_out", **_taken(taken.get(name), entries)}
        elif name in shards:
            place = {key: shards[name][key] for key in ("shard", "row", "cluster_size")}
            own = [_copy(row, documents) for row in copies.get(name, ())]
            fate |= {"fate": "present", **place, "copies": own}
        elif name in dropped:
            fate |= _dropped(dropped[name], shards)
        else:
            fate["fate"] = "undecided"
        fates[name] = fate
    return fates


def _published(
    layout: Layout, ids: pa.Array, dropped: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """id → {url, shard, row, cluster_size, rights} of what stands in the shards: of these
    documents, and of the kept copies of those that were dropped."""
    kept = pa.array([row["kept_id"] for row in dropped.values() if row["kept_id"]], pa.string())
    wanted = pc.unique(pa.concat_arrays([ids, kept]))
    found = {}
    columns = ["id", "url", "cluster_size", "rights"]
    for values in rows_of(layout.shards(), columns, wanted, numbered="place"):
        path, number = values.pop("place")
        found[values["id"]] = values | {"shard": path.name, "row": number}
    return found


def _record(row: dict[str, Any]) -> str:
    return f"{row['source_file']}:{row['source_offset']}"


def _dropped(row: dict[str, Any], shards: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Stage, rule and value; of a duplicate whether the kept copy is published."""
    why = {key: row[key] for key in ("stage", "rule", "value", "threshold", "detail", "kept_id")}
    kept = shards.get(row["kept_id"])
    fate = "reserved" if row["rule"] in REFUSALS else "dropped"
    fate = "present_as_copy" if kept else fate
    return {"fate": fate, **why, "kept_url": (kept or {}).get("url") or ""}


def _copies(layout: Layout, ids: pa.Array) -> dict[str, list[dict[str, Any]]]:
    """Kept id → rows of the duplicates that were removed in its favour, LISTED of each."""
    columns = ["id", "kept_id", "kind", "similarity", "file", "row"]
    rows = rows_of(layout.duplicates_files(), columns, ids, by="kept_id")
    out: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (-row["similarity"], row["id"])):
        own = out.setdefault(row["kept_id"], [])
        if row["kind"] != "kept" and len(own) < LISTED:
            own.append(row)
    return out


def _copy(row: dict[str, Any], documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    url = documents.get(row["id"], {}).get("url") or ""
    about = {"id": row["id"], "url": url, "kind": row["kind"]}
    return about | {"similarity": round(row["similarity"], 3)}


def _entries(settings: Settings) -> list[tuple[str, dict[str, Any]]]:
    """(register, entry) of all registers that the build obeys."""
    return [
        (Path(name).name, entry)
        for name in settings.remove.registers
        for entry in register.read(Path(name))
    ]


def _taken(row: dict[str, Any] | None, entries: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """By which kind of entry, and the register's entries that name its address or id."""
    if row is None:
        return {"by": "earlier", "reason": "", "entries": []}
    hashes = {row["url"].removeprefix(removals.HASHED), removals.hashed("id", row["id"])}
    named = [
        {"register": name, "number": entry["number"], "time": entry["time"]}
        for name, entry in entries
        if entry["sha256"] in hashes
    ]
    return {"by": row["kind"], "reason": row["reason"], "entries": named}


def _rights(claims: dict[str, Any] | None) -> dict[str, Any]:
    """What page, headers and robots.txt said, where they said anything."""
    return {name: value for name, value in (claims or {}).items() if value}
