"""Pages whose address moved, when the redirect stands in another unit than the page.

    unit ─▶ state/harvest/moves-NNNNNNN.parquet ─▶ state/dedup/moved.parquet ─▶ signatures
            address and goal of each redirect,     documents whose page is at
            by hash alone                          another address of the build

A unit knows its own redirects (corpus.stages.harvest). The rest is joined before the documents are
signed: a document that names no address of its own, and whose address a redirect of any unit leads
to that of another document, counts in dedup as if it named that one. Of several redirects of one
address the last of the input counts. The column `canonical_url` of documents and shards has the
redirects of their unit alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.sources.item import Item

DIGEST = 12  # bytes
MOVE = pa.schema([pa.field("url", pa.binary(DIGEST)), pa.field("to", pa.binary(DIGEST))])
MOVED = pa.schema(
    [pa.field("file", pa.int32()), pa.field("row", pa.int32()), pa.field("to", pa.string())]
)


def of_item(item: Item) -> dict[str, Any] | None:
    """The row of MOVE that a redirect leaves: hashes, since who is taken out of a build leaves no
    address here."""
    if not item.moved_to or item.moved_to == item.url:
        return None
    return {"url": _digest(item.url), "to": _digest(item.moved_to)}


def settle(folder: Folder, files: Sequence[int]) -> None:
    """Write which documents have moved, and forget signatures of files for which that changed."""
    layout = folder.layout
    path = layout.moved
    before = pq.read_table(path) if path.exists() else MOVED.empty_table()
    after = find(layout, files)
    if after.equals(before):
        return
    both = [{tuple(row.values()) for row in table.to_pylist()} for table in (before, after)]
    changed = sorted({file for file, _, _ in both[0] ^ both[1]})
    folder.remove([layout.receipt("dedup")])  # before the signatures that it speaks of
    folder.remove([layout.signatures(index) for index in changed])
    folder.commit_parquet(path, MOVED, after)


def of_file(layout: Layout, index: int) -> dict[int, str]:
    """Row → where its page is, of the documents of a file that moved."""
    if not layout.moved.exists():
        return {}
    table = pq.read_table(layout.moved, filters=[("file", "==", index)])
    return dict(zip(table["row"].to_pylist(), table["to"].to_pylist(), strict=True))


def find(layout: Layout, files: Sequence[int]) -> pa.Table:
    """Rows of MOVED, by file and row. Holds the redirects, 24 bytes each as stored, and about 200
    as Python objects."""
    moves: dict[bytes, bytes] = {}
    for path in layout.moves_files():
        table = pq.read_table(path)
        moves |= zip(table["url"].to_pylist(), table["to"].to_pylist(), strict=True)
    rows: list[tuple[int, int, bytes, str]] = []
    goals: dict[bytes, str] = dict.fromkeys(moves.values(), "")
    for index in files if moves else ():
        table = pq.read_table(layout.documents(index), columns=["url", "canonical_url"])
        silent = pc.equal(table["canonical_url"], "").to_pylist()
        for row, url in enumerate(table["url"].to_pylist()):
            name = _digest(url or "")
            if url and name in goals:
                goals[name] = url
            if silent[row] and name in moves:
                rows.append((index, row, moves[name], url))
    moved = [(file, row, goals[to]) for file, row, to, url in rows if goals[to] not in ("", url)]
    return pa.Table.from_pylist([dict(zip(MOVED.names, row, strict=True)) for row in moved], MOVED)


def _digest(url: str) -> bytes:
    return hashlib.blake2b(url.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
