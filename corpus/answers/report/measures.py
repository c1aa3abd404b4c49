"""What the report draws beyond the card's facts: signals, pass rates, and pages as samples.

Measured on all documents before dedup. Signals are taken of about SAMPLED documents, the k-th row
groups of the build, so that the same build gives the same report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.folder.commit import as_array
from corpus.folder.layout import PARQUET, Layout
from corpus.folder.lookup import rows_of
from corpus.folder.schema import REMOVED_FORMAT
from corpus.folder.sql import quoted
from corpus.stages.rights import REFUSALS
from filters.signals import MODEL, SIGNALS, as_numbers, inputs_of, of_model

SAMPLED = 100_000  # documents whose signals are drawn; of more, some row groups are read
MEMORY = "256MB"  # of the joins
BINS = 24
LENGTHS = (0, 200, 400, 1_000, 2_000, 4_000, 10_000, 30_000)  # code points: classes begin here
LARGEST = 10  # clusters that are named
EXAMPLES = 3  # pages shown of each rule
START = 160  # characters of a page that are shown
SEVERE = 2  # of harmful_severity: such a page is folded away
# What says no to use is not shown either.
UNSHOWN = (*REFUSALS, "url_list", "url", "host", "id")


def measures(layout: Layout, facts: dict[str, Any], published: Layout) -> dict[str, Any]:
    """{histograms: signal → {edges, counts}, lengths and sources: [class, documents, kept],
    clusters: [documents, hosts, title, address] of the LARGEST in the corpus by their kept copy,
    samples: rule or "" for what is kept → [{title, url, start, harmful}]}; empty without documents.
    """
    files = [path for path in layout.documents_files() if pq.read_metadata(path).num_rows]
    if not files:
        return {"histograms": {}, "lengths": [], "sources": [], "clusters": [], "samples": {}}
    db = duckdb.connect(config={"threads": 2, "memory_limit": MEMORY})
    db.execute(
        "create view documents as select * from "
        f"read_parquet({quoted(files)}, union_by_name=true) where format <> '{REMOVED_FORMAT}'"
    )
    shards = quoted(published.shard(PARQUET))
    db.execute(
        "create table kept as "
        + (f"select id from read_parquet({shards})" if facts["documents"] else "select '' as id")
    )
    models = {
        rule["signal"] for profile in facts["rules"] for rule in profile["rules"]
        if rule["signal"].startswith(MODEL)
    }  # fmt: skip
    return {
        "histograms": _histograms(files, sorted(models)),
        "lengths": _by_length(db),
        "sources": [
            list(row)
            for row in db.execute(
                "select source, count(*), count(k.id) from documents d left join kept k using (id) "
                "group by 1 order by 2 desc, 1"
            ).fetchall()
        ],
        "clusters": _clusters(db, layout, files) if facts["documents"] else [],
        "samples": _samples(db, layout, files),
    }


def _by_length(db: duckdb.DuckDBPyConnection) -> list[list[Any]]:
    """[class of length, documents, kept] of every class that has documents."""
    cases = " ".join(
        f"when n_chars >= {low} then {i}" for i, low in reversed([*enumerate(LENGTHS)])
    )
    found = db.execute(
        f"select case {cases} end as class, count(*), count(k.id) from documents d "
        "left join kept k using (id) group by 1 order by 1"
    ).fetchall()
    ends = [*(f"–{high - 1:,}" for high in LENGTHS[1:]), "–"]
    return [[f"{LENGTHS[i]:,}{ends[i]}", documents, kept] for i, documents, kept in found]


def _histograms(files: list[Any], models: list[str]) -> dict[str, Any]:
    """signal → {edges, counts} between the 0.5 % and the 99.5 % quantile; what is beyond lies at
    the ends."""
    step = max(1, -(-sum(pq.read_metadata(path).num_rows for path in files) // SAMPLED))
    parts, seen = [], 0
    for path in files:
        with pq.ParquetFile(path) as file:
            groups = [g for g in range(file.num_row_groups) if (seen + g) % step == 0]
            seen += file.num_row_groups
            parts += file.read_row_groups(groups, columns=["quality"])["quality"].chunks
    quality = as_array(pa.chunked_array(parts))
    columns = {field.name: quality.field(field.name) for field in quality.type}
    for name in models:
        if all(signal in columns for signal in inputs_of(name)):
            columns[name] = of_model(name, columns)
    return {
        name: found
        for name in (*models, *SIGNALS)
        if name in columns and (found := _histogram(as_numbers(columns[name])))
    }


def _histogram(values: np.ndarray) -> dict[str, Any] | None:
    values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        return None
    low, high = np.quantile(values, (0.005, 0.995)).tolist()
    if low == high:
        low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(
        values.clip(low, high), BINS, (low, high if high > low else low + 1)
    )
    return {"edges": [float(edges[0]), float(edges[-1])], "counts": counts.tolist()}


def _clusters(db: duckdb.DuckDBPyConnection, layout: Layout, files: list[Path]) -> list[list[Any]]:
    """[documents, hosts, title, address] of the largest clusters that the corpus has a copy of."""
    if not layout.duplicates_files():
        return []
    # Twice as many as are named: what is not to be shown goes afterwards.
    found = db.execute(
        f"with members as (select * from read_parquet({quoted(layout.duplicates_files())})), "
        "largest as (select cluster, any_value(k.id) as id, any_value(cluster_size) as n "
        "from members m join kept k on k.id = m.id where kind = 'kept' group by 1 "
        f"order by n desc, id limit {2 * LARGEST}) "
        "select largest.id, count(*), count(distinct nullif(host, '')) from largest "
        "join members using (cluster) join documents d on d.id = members.id group by 1"
    ).fetchall()
    shown = {row["id"]: row for row in _shown(files, [name for name, *_ in found])}
    rows = [
        [size, hosts, shown[name]["title"], shown[name]["url"]]
        for name, size, hosts in sorted(found, key=lambda row: (-row[1], row[0]))
        if name in shown and not shown[name]["harmful"]
    ]
    return rows[:LARGEST]


def _samples(
    db: duckdb.DuckDBPyConnection, layout: Layout, files: list[Path]
) -> dict[str, list[dict[str, Any]]]:
    """Rule → the first EXAMPLES documents by id that it dropped; "": that are kept."""
    ledgers = [path for stage in ("dedup", "select") for path in layout.ledgers(stage)]
    fate = "select id, '' as rule from kept"
    if ledgers:
        unshown = ", ".join(quoted(rule) for rule in UNSHOWN)
        fate += (
            f" union all select id, rule from read_parquet({quoted(ledgers)}, union_by_name=true) "
            f"where action = 'drop' and rule not in ({unshown})"
        )
    firsts = db.execute(
        f"select rule, min(id, {EXAMPLES}) from ({fate}) group by 1 order by 1"
    ).fetchall()
    shown = {row["id"]: row for row in _shown(files, [name for _, ids in firsts for name in ids])}
    keys = ("title", "url", "start", "harmful")
    return {
        rule: [{key: shown[name][key] for key in keys} for name in ids if name in shown]
        for rule, ids in firsts
        if any(name in shown for name in ids)
    }


def _shown(files: list[Path], names: list[str]) -> list[dict[str, Any]]:
    """{id, title, url, start, harmful} of documents by id, but of those that were taken out."""
    columns = ["id", "title", "url", "text", "format", "quality"]
    return [
        {
            **{key: row[key] for key in ("id", "title", "url")},
            "start": row["text"][:START],
            "harmful": (row["quality"].get("harmful_severity") or 0) >= SEVERE,
        }
        for row in rows_of(files, columns, pa.array(names, pa.string()))
        if row["format"] != REMOVED_FORMAT
    ]
