"""`corpus remove --verify`: proof that what was taken out of a build is in none of its files.

Every file of the folder is read to its last byte: Parquet files as their columns, unpacked, and as
they are on disk, all others as they are and with their entities undone, texts of the index as
UTF-8. In these bytes the windows (corpus.folder.windows) of every removed title and text are looked
for, and short ones whole, by their hash, among the values of columns. A passage that a document of
the folder still has, because it is a copy or quotes it, is no remnant: such documents are listed.
Any other trace is one.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config, register
from corpus.dedup import named
from corpus.errors import counted
from corpus.folder import removals
from corpus.folder.layout import Layout
from corpus.folder.schema import REMOVED_FORMAT
from corpus.folder.windows import LEAST, Windows
from corpus.index.suffixes import parted
from corpus.stages.remove import string_hash

COPY = 0.2  # of the windows of what was taken out: a document with so many is listed as a copy
SHOWN = 20  # rows that the text for a terminal lists


@dataclass
class _Search:
    """What is looked for, by TAKEN, and what was found."""

    taken: pa.Table
    traces: list[tuple[str, str, set[int]]] = field(default_factory=list)  # file, id, windows
    living: set[int] = field(default_factory=set)  # windows that a document that stays has
    shared: Counter[tuple[str, str]] = field(default_factory=Counter)  # (its id, removed id)
    urls: dict[str, str] = field(default_factory=dict)
    size: int = 0  # bytes that were read

    def __post_init__(self) -> None:
        rows = self.taken.select(["id", "strings", "windows"]).to_pylist()
        self.ids = {row["id"] for row in rows}
        self.windows = Windows(np.array([w for row in rows for w in row["windows"]], np.uint64))
        self.number = {row["id"]: len(set(row["windows"])) for row in rows}
        self.owners: dict[int, set[str]] = {}
        for row in rows:
            own = np.array(row["windows"], np.uint64)
            for place in np.searchsorted(self.windows.hashes, own).tolist():
                self.owners.setdefault(place, set()).add(row["id"])
        # Short titles and texts have no window for certain: they are looked for as whole values,
        # under numbers below 0.
        short = {s for row in rows for s in row["strings"] if int(s.partition(":")[0]) < LEAST}
        self.short = {string: -1 - number for number, string in enumerate(sorted(short))}
        self.lengths = pa.array(sorted({int(s.partition(":")[0]) for s in short}), pa.int32())

    def in_bytes(self, data: Any) -> set[int]:
        return set(self.windows.search(data)[1].tolist())


def verify(layout: Layout, tokens: list[Path]) -> dict[str, Any]:
    """Look for what was taken out in every file of a build, and of token shards beside it.

    Returns {folder, removed, unfinished, files, bytes, least, remnants: [{file, id, passages}],
    copies: [{id, url, of, share}], absent}. unfinished: documents that still have the content that
    the register says goes, as a removal was interrupted. `absent`: neither those nor remnants.
    """
    settings, _ = config.of_folder(layout)
    search = _Search(removals.taken_rows(layout))
    texts = set(layout.index_texts())
    files = [
        (root, path)
        for root in (layout.root, *tokens)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path != layout.lock
    ]
    for root, path in files:
        name = layout.shown(path) if root == layout.root else str(path)
        if path.suffix == ".parquet":
            _parquet(search, path, name, path.parent == layout.documents_folder)
        data: Any = np.memmap(path, np.uint8, "r") if path.stat().st_size else b""
        search.size += len(data)
        search.traces.append((name, "", search.in_bytes(data)))
        if path in texts:
            search.traces.append((name, "", _in_index(search, data)))
        if path.suffix in (".html", ".md", ".svg"):
            whole = html.unescape(bytes(data).decode("utf-8", "replace"))
            search.traces.append((name, "", search.in_bytes(whole.encode("utf-8", "replace"))))
    # What stands beside the documents is no remnant where a document that stays says it as well.
    remnants: Counter[tuple[str, str]] = Counter()
    for name, document, passages in search.traces:
        remnants[name, document] += len(passages if document else passages - search.living)
    found, _ = named.find(layout.documents_files(), register.obeyed(layout, settings))
    unfinished = found.filter(pc.not_equal(found["format"], REMOVED_FORMAT)).num_rows
    rows = [{"file": f, "id": i, "passages": n} for (f, i), n in remnants.items() if n]
    return {
        "folder": str(layout),
        "removed": len(search.taken),
        "unfinished": unfinished,
        "files": len(files),
        "bytes": search.size,
        "least": LEAST,
        "remnants": rows,
        "copies": _copies(search),
        "absent": not rows and not unfinished,
    }


def _parquet(search: _Search, path: Path, name: str, is_documents: bool) -> None:
    """Look through the columns of a Parquet file, a row group at a time."""
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            hits: dict[int, set[int]] = {}  # row → windows, and short values
            for column in table.columns:
                for leaf, parents in _leaves(column.combine_chunks(), np.arange(len(table))):
                    for row, place in _in_leaf(search, leaf, parents):
                        hits.setdefault(row, set()).add(place)
            # Whose row it is decides what a hit means.
            ids = table["id"].to_pylist() if "id" in table.column_names else [""] * len(table)
            for row, places in hits.items():
                if not ids[row] or ids[row] in search.ids:
                    search.traces.append((name, ids[row], places))
                    continue
                search.living |= places
                if is_documents:
                    search.urls[ids[row]] = table["url"][row].as_py()
                    for place in places:
                        for gone in search.owners.get(place, ()):
                            search.shared[ids[row], gone] += 1


def _in_index(search: _Search, data: Any) -> set[int]:
    """What the texts of a part of the index (corpus.index.suffixes) hold, looked for as UTF-8."""
    units = data[: len(data) & ~1].view(np.uint16) if len(data) else np.empty(0, np.uint16)
    texts = pa.array([text.encode("utf-8") for text in parted(units)], pa.large_binary())
    return {place for _, place in _in_leaf(search, texts, np.arange(len(texts)))}


def _leaves(column: pa.Array, rows: np.ndarray) -> Iterator[tuple[pa.Array, np.ndarray]]:
    """The arrays of bytes in a column, and the row that each of their values is of."""
    if pa.types.is_struct(column.type):
        for number in range(column.type.num_fields):
            yield from _leaves(column.field(number), rows)
    elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        parents = rows[pc.list_parent_indices(column).to_numpy()]
        yield from _leaves(pc.list_flatten(column), parents)
    elif pa.types.is_dictionary(column.type):
        yield from _leaves(column.dictionary_decode(), rows)
    elif any(is_kind(column.type) for is_kind in _BYTES):
        yield column.cast(pa.large_binary()), rows


_BYTES = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
)


def _in_leaf(search: _Search, leaf: pa.Array, rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """(row, window or short value) of what an array of bytes has of what was taken out."""
    _, offsets, data = leaf.buffers()
    if data is None or not len(leaf):
        return
    ends = np.frombuffer(offsets, np.int64)[leaf.offset : leaf.offset + len(leaf) + 1]
    at, places = search.windows.search(data)
    values = np.searchsorted(ends, at, side="right") - 1
    inside = (values >= 0) & (values < len(leaf))
    yield from zip(rows[values[inside]].tolist(), places[inside].tolist(), strict=True)
    if search.short:
        lengths = pa.array(np.diff(ends).astype(np.int32))
        for value in np.flatnonzero(pc.is_in(lengths, search.lengths).to_numpy(False)).tolist():
            place = search.short.get(string_hash(bytes(data[ends[value] : ends[value + 1]])))
            if place is not None:
                yield int(rows[value]), place


def _copies(search: _Search) -> list[dict[str, Any]]:
    """Documents that stay and have a large part of what was taken out, the largest first."""
    return [
        {"id": here, "url": search.urls[here], "of": gone, "share": round(n / total, 3)}
        for (here, gone), n in search.shared.most_common()
        if (total := search.number[gone]) and n >= COPY * total
    ]


def as_text(facts: dict[str, Any]) -> str:
    """What a terminal is told."""
    lines = [
        f"{counted(facts['removed'], 'document')} taken out of {facts['folder']}; "
        f"{facts['files']:,} files ({facts['bytes']:,} bytes) were read for them."
    ]
    if facts["unfinished"]:
        lines.append(
            f"{facts['unfinished']:,} more are to go and are still there: run `corpus remove "
            f"{facts['folder']}` again"
        )
    for row in facts["remnants"][:SHOWN]:
        whose = f" of {row['id']}" if row["id"] else ""
        lines.append(f"  REMNANT  {row['file']}: {row['passages']:,} passages{whose}")
    if facts["absent"]:
        lines.append(f"No string of {facts['least']} bytes or more of them is left, but in copies.")
    if facts["copies"]:
        lines.append(
            f"large parts of them in {counted(len(facts['copies']), 'document')} that stay:"
        )
    lines += [
        f"  {row['id']}  {row['url']}  {row['share']:.0%} of {row['of']}"
        for row in facts["copies"][:SHOWN]
    ]
    return "\n".join(lines) + "\n"
