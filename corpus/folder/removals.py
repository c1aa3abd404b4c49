"""The removal list of a build or an index, and which documents it names.

    DIR/removals.json   [{"kind": "url", "value": "https://…", "reason": "…"}, …] in order of entry

`url` names a page, whatever its scheme, port or tracking parameters (filters.urls.canonical), in
every capture; `host` a host and everything below it; `id` one document. What the list names takes
no part in dedup, as if it had never been harvested: so the next copy of a kept one is kept. The
list stays in the folder, and every later build of that folder obeys it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import RunError, UsageError
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.schema import LEDGER
from filters.urls.canonical import canonical_url

KINDS = ("id", "url", "host")
ABOUT = ["id", "url", "host", "source_file", "source_offset"]
TAKEN = pa.schema([pa.field("file", pa.int32()), pa.field("row", pa.int32())])


@dataclass(frozen=True)
class Removal:
    """One entry of a removal list."""

    kind: str
    value: str
    reason: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not self.value.strip():
            raise UsageError(f"cannot remove {self.kind} {self.value!r}: name a URL, a host or id")
        if self.kind == "url" and not canonical_url(self.value):
            raise UsageError(f"cannot remove {self.value!r}: it is no http or https URL")

    @property
    def key(self) -> str:
        """What a document is compared with."""
        if self.kind == "url":
            return canonical_url(self.value)
        return self.value.strip().lower().rstrip(".") if self.kind == "host" else self.value


def load(layout: Layout) -> list[Removal]:
    """The entries of the list of a build or an index; none when it has no list."""
    path = layout.removals
    if not path.exists():
        return []
    try:
        return [Removal(**entry) for entry in json.loads(path.read_bytes())]
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            f"{layout.shown(path)} is damaged ({error}): what it names must stay out"
        ) from error


def add(folder: Folder, new: Iterable[Removal]) -> list[Removal]:
    """Append entries that are not on the list yet; the list as it is now."""
    entries = load(folder.layout)
    known = {(each.kind, each.key) for each in entries}
    for entry in new:
        if (entry.kind, entry.key) not in known:
            entries.append(entry)
            known.add((entry.kind, entry.key))
    folder.commit_json(folder.layout.removals, [asdict(entry) for entry in entries])
    return entries


def obeyed(layout: Layout, index: str) -> list[Removal]:
    """The lists that a build obeys: its own, and that of the index it is compared with."""
    return load(layout) + (load(Layout(Path(index))) if index else [])


def digest(removals: list[Removal]) -> str:
    """Names a list; empty for an empty one."""
    if not removals:
        return ""
    text = json.dumps([asdict(each) for each in removals], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Matcher:
    """Finds the entries that name documents."""

    def __init__(self, removals: list[Removal]) -> None:
        self.removals = removals
        self.keys: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        for place, entry in enumerate(removals):
            self.keys[entry.kind].setdefault(entry.key, place)
        self.hosts = {_bare(key.partition("/")[0]) for key in self.keys["url"]}

    def match(self, table: pa.Table) -> np.ndarray:
        """Place of the first kind of entry (id, url, host) that names each row, or -1: int64[n].

        table: columns id, url and host.
        """
        found = np.full(table.num_rows, -1, np.int64)
        for kind, column, of in (
            ("host", "host", self._host), ("url", "url", self._url), ("id", "id", self._id)
        ):  # fmt: skip
            if not self.keys[kind]:
                continue
            values = pc.dictionary_encode(table[column]).combine_chunks()
            if isinstance(values, pa.ChunkedArray):
                values = values.chunk(0) if values.num_chunks else pa.array([]).dictionary_encode()
            places = [of(value or "") for value in values.dictionary.to_pylist()]
            codes = values.indices.fill_null(len(places)).to_numpy()
            hit = np.array([*places, -1], np.int64)[codes]
            found[hit >= 0] = hit[hit >= 0]
        return found

    def _id(self, value: str) -> int:
        return self.keys["id"].get(value, -1)

    def _url(self, value: str) -> int:
        if not any(host in value.lower() for host in self.hosts):  # canonical_url is slow
            return -1
        return self.keys["url"].get(canonical_url(value), -1)

    def _host(self, value: str) -> int:
        parts = value.lower().rstrip(".").split(".")
        for start in range(len(parts)):
            place = self.keys["host"].get(".".join(parts[start:]), -1)
            if place >= 0:
                return place
        return -1


def _bare(host: str) -> str:
    """What a URL of that host holds in any spelling: its ASCII part, without the port."""
    host = host.partition(":")[0]
    return "" if "xn--" in host or "%" in host else host


def find(documents: list[Path], removals: list[Removal]) -> tuple[pa.Table, np.ndarray]:
    """(file, row, id, url, host, source_file, source_offset; entry int64[n]) of what is named."""
    matcher = Matcher(removals)
    schema = pa.schema([*TAKEN, *((name, pq_type) for name, pq_type in _about())])
    parts, entries = [schema.empty_table()], [np.empty(0, np.int64)]
    for index, path in enumerate(documents):
        table = pq.read_table(path, columns=ABOUT)
        found = matcher.match(table)
        rows = np.flatnonzero(found >= 0)
        part = table.take(pa.array(rows))
        part = part.add_column(0, TAKEN.field("row"), pa.array(rows.astype(np.int32)))
        files = pa.array(np.full(len(rows), index, np.int32))
        parts.append(part.add_column(0, TAKEN.field("file"), files))
        entries.append(found[rows])
    return pa.concat_tables(parts), np.concatenate(entries)


def _about() -> list[tuple[str, pa.DataType]]:
    return [(name, LEDGER.field(name).type if name != "host" else pa.string()) for name in ABOUT]


def taken(layout: Layout) -> dict[int, np.ndarray]:
    """Rows (int32[k], ascending) taken down of each documents file that has any."""
    if not layout.taken.exists():
        return {}
    table = pq.read_table(layout.taken)
    file, row = table["file"].to_numpy(), table["row"].to_numpy()
    return {int(index): np.sort(row[file == index]) for index in np.unique(file)}
