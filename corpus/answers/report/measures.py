"""What the report draws beyond the card's facts: signals, pass rates, and pages as samples.

Measured on all documents before dedup. Signals are taken of at most SAMPLED documents, every k-th
of the build, so that the same build gives the same report.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.folder.commit import as_array
from corpus.folder.layout import PARQUET, Layout
from corpus.folder.schema import REMOVED_FORMAT
from corpus.folder.sql import quoted
from filters.signals import MODEL, SIGNALS, as_numbers, inputs_of, of_model

SAMPLED = 100_000  # documents whose signals are drawn
BINS = 24
LENGTHS = (0, 200, 400, 1_000, 2_000, 4_000, 10_000, 30_000)  # code points: classes begin here
LARGEST = 10  # clusters that are named
EXAMPLES = 3  # pages shown of each rule
START = 160  # characters of a page that are shown
SEVERE = 2  # of harmful_severity: such a page is folded away
# What says no to use is not shown either.
UNSHOWN = ("robots_txt", "robots_usage", "robots_directive", "reserved", "url_list", "noai",
           "tdm_reservation", "url", "host", "id")  # fmt: skip


def measures(layout: Layout, facts: dict[str, Any], published: Layout) -> dict[str, Any]:
    """{histograms: signal → {edges, counts}, lengths and sources: [class, documents, kept],
    clusters: [documents, hosts, title, address] of the LARGEST in the corpus by their kept copy,
    samples: rule or "" for what is kept → [{title, url, start, harmful}]}; empty without documents.
    """
    files = [path for path in layout.documents_files() if pq.read_metadata(path).num_rows]
    if not files:
        return {"histograms": {}, "lengths": [], "sources": [], "clusters": [], "samples": {}}
    db = duckdb.connect(":memory:", config={"threads": 2})
    db.execute(
        "create view documents as select * from "
        f"read_parquet({quoted(files)}, union_by_name=true) where format <> '{REMOVED_FORMAT}'"
    )
    shards = quoted(published.shard(PARQUET))
    db.execute(
        "create view kept as "
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
        "clusters": _clusters(db, layout) if facts["documents"] else [],
        "samples": _samples(db, layout),
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
    parts, skip = [], 0
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["quality"]):
                rows = np.arange(skip, batch.num_rows, step)
                skip = int(rows[-1] + step - batch.num_rows) if len(rows) else skip - batch.num_rows
                parts.append(batch.column(0).take(pa.array(rows)))
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


def _clusters(db: duckdb.DuckDBPyConnection, layout: Layout) -> list[list[Any]]:
    """[documents, hosts, title, address] of the largest clusters that the corpus has a copy of."""
    if not layout.duplicates_files():
        return []
    found = db.execute(
        "with kept_copies as (select cluster, u.id from "
        f"read_parquet({quoted(layout.duplicates_files())}) u join kept k on k.id = u.id "
        "where kind = 'kept'), sizes as (select c.id, count(*) as n, count(distinct host) as hosts "
        f"from kept_copies c join read_parquet({quoted(layout.duplicates_files())}) u "
        "using (cluster) join documents d on d.id = u.id group by 1) "
        "select n, hosts, title, url from sizes join documents using (id) "
        f"where coalesce(quality.harmful_severity < {SEVERE}, true) "
        f"order by n desc, id limit {LARGEST}"
    ).fetchall()
    return [list(row) for row in found]


def _samples(db: duckdb.DuckDBPyConnection, layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """Rule → the first EXAMPLES documents by id that it dropped; "": that are kept."""
    ledgers = [path for stage in ("dedup", "select") for path in layout.ledgers(stage)]
    fate = "select id, '' as rule from kept"
    if ledgers:
        unshown = ", ".join(quoted(rule) for rule in UNSHOWN)
        fate += (
            f" union all select id, rule from read_parquet({quoted(ledgers)}, union_by_name=true) "
            f"where action = 'drop' and rule not in ({unshown})"
        )
    rows = db.execute(
        "with fate as (" + fate + "), first as (select id, rule, row_number() over "
        f"(partition by rule order by id) as n from fate qualify n <= {EXAMPLES}) "
        f"select rule, title, url, substr(text, 1, {START}), "
        f"coalesce(quality.harmful_severity >= {SEVERE}, false) "
        "from first join documents using (id) order by rule, id"
    ).fetchall()
    out: dict[str, list[dict[str, Any]]] = {}
    for rule, *values in rows:
        keys = ("title", "url", "start", "harmful")
        out.setdefault(rule, []).append(dict(zip(keys, values, strict=True)))
    return out
