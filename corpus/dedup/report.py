"""What deduplication did, as data: cluster sizes, the largest clusters with texts, host pairs.

Counted by DuckDB over the duplicates files, so that a report of a large corpus fits into memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from corpus.dedup.local.load import take_rows
from corpus.errors import counted
from corpus.folder.sql import quoted
from corpus.text import views

SHOWN_CHARS = 120  # of a document's first line
BINS = 20  # of the similarity histogram

# d: all duplicates files, s: all signatures files
_KINDS = "SELECT kind, count(*) FROM d GROUP BY kind ORDER BY kind"
_SIZES = "SELECT cluster_size, count(DISTINCT cluster) FROM d GROUP BY 1 ORDER BY 1"
_SIMILARITY = (
    f"SELECT floor(similarity * {BINS} + 1e-6) / {BINS} AS low, count(*) FROM d "
    "WHERE kind <> 'kept' AND similarity IS NOT NULL GROUP BY 1 ORDER BY 1"
)
_HOSTS = (
    "SELECT coalesce(r.host, ''), coalesce(k.host, ''), count(*) FROM d "
    "JOIN s AS r ON r.id = d.id LEFT JOIN s AS k ON k.id = d.kept_id "
    "WHERE d.kind <> 'kept' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?"
)
_LARGEST = "SELECT cluster, max(cluster_size) FROM d GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ?"
_MEMBERS = (
    "SELECT cluster, id, kind, similarity, file, row FROM d WHERE cluster IN "
    "(SELECT unnest(?::VARCHAR[])) QUALIFY row_number() OVER "
    "(PARTITION BY cluster ORDER BY (kind = 'kept') DESC, similarity DESC, id) <= ? "
    "ORDER BY cluster, (kind = 'kept') DESC, similarity DESC, id"
)


def report(
    duplicates: list[Path], signatures: list[Path], documents: list[Path], top: int = 10
) -> dict[str, Any]:
    """JSON-ready facts about the duplicates of a build.

    duplicates: the duplicates files; signatures and documents: the files in the order that their
    column `file` counts. Returns {documents, clusters, removed, kinds, sizes, similarity, largest,
    hosts}: `sizes` [cluster size, clusters]; `similarity` [lower bound, removed documents] in bins
    of 0.05; `largest` the `top` clusters with most documents, up to `top` members each; `hosts`
    [host of the removed, host of the kept copy, documents], the most frequent first.
    """
    database: Any = duckdb.connect(config={"threads": 1})
    with database:
        database.execute(f"CREATE VIEW d AS SELECT * FROM read_parquet({quoted(duplicates)})")
        kinds = dict(database.execute(_KINDS).fetchall())
        sizes = database.execute(_SIZES).fetchall()
        similarity = database.execute(_SIMILARITY).fetchall()
        # Hosts stand in the signatures, which a build without dedup does not have.
        hosts = []
        if signatures:
            database.execute(f"CREATE VIEW s AS SELECT * FROM read_parquet({quoted(signatures)})")
            hosts = database.execute(_HOSTS, [top * top]).fetchall()
        largest = database.execute(_LARGEST, [top]).fetchall()
        members = database.execute(_MEMBERS, [[name for name, _ in largest], top]).fetchall()
    # Texts only of the members shown: `top` squared at most.
    lines = _first_lines(documents, [(file, row) for *_, file, row in members])
    shown: dict[str, list[dict[str, Any]]] = {name: [] for name, _ in largest}
    for (cluster, name, kind, value, _, _), (url, line) in zip(members, lines, strict=True):
        member = {"id": name, "kind": kind, "similarity": value, "url": url, "line": line}
        shown[cluster].append(member)
    return {
        "documents": sum(kinds.values()),
        "clusters": sum(number for _, number in sizes),
        "removed": sum(number for kind, number in kinds.items() if kind != "kept"),
        "kinds": kinds,
        "sizes": [list(row) for row in sizes],
        "similarity": [list(row) for row in similarity],
        "largest": [{"cluster": n, "size": size, "members": shown[n]} for n, size in largest],
        "hosts": [list(row) for row in hosts],
    }


def _first_lines(
    documents: list[Path], places: list[tuple[int, int]]
) -> list[tuple[str | None, str]]:
    """(url, first plain line that is not blank, cut) of documents given as (file, row)."""
    first_lines: dict[tuple[int, int], tuple[str | None, str]] = {}
    for index in sorted({file for file, _ in places}):
        wanted = np.unique([row for file, row in places if file == index])
        table = take_rows(documents[index], wanted, ["url", *views.COLUMNS])
        texts = views.plain_of(table).to_pylist()
        urls = table["url"].to_pylist() if "url" in table.column_names else [None] * len(texts)
        for row, url, text in zip(wanted.tolist(), urls, texts, strict=True):
            lines = (text or "").split("\n")
            line = next((line.strip() for line in lines if line.strip()), "")
            first_lines[index, row] = (url, line[:SHOWN_CHARS])
    return [first_lines[place] for place in places]


def as_text(facts: dict[str, Any]) -> str:
    """The report as plain text for a terminal."""
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in facts["kinds"].items())
    out = [f"{facts['removed']:,} removed in {counted(facts['clusters'], 'cluster')} ({kinds})", ""]
    out.append("cluster size   clusters")
    out += [f"{low:>12}   {number:,}" for low, number in _size_classes(facts["sizes"])]
    out += ["", "similarity to the kept copy   removed"]
    out += [f"{low:>27.2f}   {number:,}" for low, number in facts["similarity"]]
    out += ["", "largest clusters"]
    for cluster in facts["largest"]:
        out.append(f"  {cluster['cluster']}: {cluster['size']:,} documents")
        for member in cluster["members"]:
            value = member["similarity"]
            number = "    –" if value is None else f"{value:5.3f}"
            out.append(f"    {member['kind']:<5} {number}  {member['url'] or member['id']}")
            out.append(f"                 {member['line']}")
    out += ["", "removed from → kept at"]
    out += [
        f"  {number:>8,}  {source or '–'} → {target or '–'}"
        for source, target, number in facts["hosts"]
    ]
    return "\n".join(out) + "\n"


def _size_classes(sizes: list[list[int]]) -> list[tuple[str, int]]:
    """Cluster sizes up to 9 one by one, then by decades' halves: 10–19, 20–49, 50–99, …"""
    edges = [*range(2, 10)]
    scale = 10
    while sizes and scale <= sizes[-1][0]:
        edges += [scale, 2 * scale, 5 * scale]
        scale *= 10
    edges += [max(edges[-1] + 1, scale)]
    out = []
    for low, high in zip(edges, edges[1:], strict=False):
        number = sum(count for size, count in sizes if low <= size < high)
        if number:
            out.append((f"{low:,}" if high == low + 1 else f"{low:,}–{high - 1:,}", number))
    return out
