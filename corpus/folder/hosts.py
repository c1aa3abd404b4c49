"""What the pages of a host say about each other: the share with strong harmful words.

One word decides little; a host of which every third page has such words is another matter. The
shares come from the stored signals of all documents before dedup and selection, so they do not
depend on how the input was cut into units. A profile names them as `host_harm_share`.
"""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.folder.layout import Layout

SEVERE = 2  # of harmful_severity: from here on a page is flagged
MIN_PAGES = 5  # a host with fewer pages has the share 0: too few to speak for each other


def harm_shares(layout: Layout, hosts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """float32[n]: of each document's host, the share of its documents that are flagged.

    0 for a document without host and for hosts of fewer than MIN_PAGES documents.
    """
    names, shares = _shares(layout, layout.documents_folder.stat().st_mtime_ns)
    places = pc.index_in(hosts, value_set=names)
    if isinstance(places, pa.ChunkedArray):
        places = places.combine_chunks()
    return pc.fill_null(shares.take(places), pa.scalar(0, pa.float32()))


def host_table(layout: Layout) -> pa.Table:
    """A row for every host with documents in a build folder: host, pages, flagged, share.

    Ordered by falling share, then by host; `share` counts every host, however small.
    """
    # Added up file by file and then once more: a host has one row a file in memory, not one a page.
    parts = []
    for path in layout.documents_files():
        with pq.ParquetFile(path) as file:
            columns = file.read(columns=["host", "quality.harmful_severity"])
        severity = pc.struct_field(columns["quality"], "harmful_severity")
        strong = pc.fill_null(pc.greater_equal(severity, SEVERE), False).cast(pa.int64())
        ones = pa.chunked_array([np.ones(len(columns), np.int64)])
        part = pa.table({"host": columns["host"], "pages": ones, "flagged": strong})
        parts.append(_added(part))
    whole = pa.concat_tables(parts) if parts else _EMPTY
    whole = _added(whole.filter(pc.not_equal(whole["host"], "")))
    share = pc.divide(whole["flagged"].cast(pa.float32()), whole["pages"].cast(pa.float32()))
    return whole.append_column("share", share).sort_by(
        [("share", "descending"), ("host", "ascending")]
    )


_EMPTY = pa.schema(
    [("host", pa.string()), ("pages", pa.int64()), ("flagged", pa.int64())]
).empty_table()


def _added(table: pa.Table) -> pa.Table:
    """One row a host."""
    sums = table.group_by("host", use_threads=False).aggregate(
        [("pages", "sum"), ("flagged", "sum")]
    )
    return sums.select(["host", "pages_sum", "flagged_sum"]).rename_columns(
        ["host", "pages", "flagged"]
    )


@functools.lru_cache(maxsize=1)
def _shares(layout: Layout, changed: int) -> tuple[pa.Array, pa.Array]:
    """Hosts with any flagged document, and their shares; read once a process and harvest."""
    table = host_table(layout)
    enough = pc.and_(pc.greater_equal(table["pages"], MIN_PAGES), pc.greater(table["flagged"], 0))
    table = table.filter(enough).combine_chunks()
    empty = pa.array([], pa.string()), pa.array([], pa.float32())
    if not table.num_rows:
        return empty
    return table["host"].combine_chunks(), table["share"].combine_chunks()
