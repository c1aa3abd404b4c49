"""Takedowns from an index of crawls, which builds are compared with (`corpus dedup --against`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup import index as indexes
from corpus.dedup.local import cluster
from corpus.dedup.named import find
from corpus.errors import UsageError
from corpus.folder import removals
from corpus.folder.folder import Folder, open_folder
from corpus.folder.layout import Layout
from corpus.folder.removals import Removal
from corpus.takedown.named import refuse_unknown_ids


def from_index(folder: Folder, new: list[Removal], dry_run: bool) -> dict[str, Any]:
    """Take documents of an index down, and put them on its list, which every build compared with
    it obeys; the same facts as `from_build`."""
    path, settings = folder.path, indexes.settings_of(folder.path)
    index = indexes.open_index(path, settings)
    files = index.files("signatures-*.parquet")
    table, which = find(files, new)
    refuse_unknown_ids(folder, new, table["id"])
    # What each of them was to the index: kept, or a copy of something kept.
    members = indexes.membership(index)
    copies = set(members.filter(pc.invert(members["kept"]))["id"].to_pylist())
    ids = list(dict.fromkeys(table["id"].to_pylist()))
    by = dict(zip(table["id"].to_pylist(), (new[i].kind for i in which.tolist()), strict=True))
    urls = dict(zip(table["id"].to_pylist(), table["url"].to_pylist(), strict=True))
    removed = []
    for name in ids:
        was = "a copy of a kept one" if name in copies else "kept"
        removed.append({"id": name, "url": urls[name], "by": by[name], "was": was})
    # The list first: a build that starts meanwhile obeys it, whatever the index still holds.
    promoted: list[str] = []
    number = len(removals.load(folder.layout))
    if dry_run:
        promoted = _promoted(indexes.preview_takedown(index, ids, settings))
    else:
        with folder.lock():
            number = len(removals.add(folder, new))
            promoted = _promoted(indexes.take_down(path, ids, settings))
    return {
        "folder": str(folder),
        "dry_run": dry_run,
        "removed": removed,
        "promoted": [{"id": name, "url": None} for name in promoted],
        "list": number,
    }


def _promoted(table: pa.Table) -> list[str]:
    """Ids of the copies that are kept instead, from rows of REMOVED."""
    return list(dict.fromkeys(filter(None, table["promoted_id"].to_pylist())))


def merge_indexes(path: Path, others: Iterable[Path]) -> dict[str, int]:
    """Append the crawls, takedowns and removal lists of other indexes; the counts summed."""
    total: dict[str, int] = {}
    settings = indexes.settings_of(path)
    for other in others:
        if other.resolve() == path.resolve():
            raise UsageError(f"cannot merge {path} into itself")
        with tempfile.TemporaryDirectory() as scratch:
            counts = cluster.merge(path, other, Path(scratch), settings)
        total = {key: total.get(key, 0) + value for key, value in counts.items()}
        gone = indexes.removed_ids(indexes.open_index(other, settings))
        indexes.take_down(path, gone, settings)
        if others_list := removals.load(Layout(other)):
            removals.add(open_folder(path), others_list)
    return total
