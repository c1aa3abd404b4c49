"""The dedup stage as a build calls it: sign every documents file, then cluster all signatures.

`sign` is a unit of work for a worker process. `cluster` reads the signatures of all files, links
exact, URL and near duplicates (in this order, so each link has one kind), keeps the best copies of
every cluster and writes duplicates and ledger. Peak memory beside the signatures is about 100 bytes
a document; signatures beyond `memory` bytes are mapped from a scratch file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus.dedup.load import load
from corpus.dedup.outcome import decide, duplicates_table, ledger_table, link
from corpus.dedup.settings import DedupSettings
from corpus.dedup.signatures import sign_documents, signatures_schema
from corpus.schema import DUPLICATES, LEDGER
from corpus.storage import ROWS_PER_GROUP, commit_parquet

DEFAULT_MEMORY = 4 << 30  # bytes of signatures held in memory; more are mapped from disk


def sign(documents: Path, out: Path, settings: DedupSettings) -> dict[str, int]:
    """Write the signatures file of one documents file; return {documents, empty}.

    `empty` counts documents without a letter or digit: they are never duplicates. Raises RunError
    for a file without id and text or without the signal that `settings.quality` names.
    """
    counts = {"documents": 0, "empty": 0}
    schema = signatures_schema(settings, os.path.relpath(documents, out.parent))

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in sign_documents(documents, settings, schema):
            counts["documents"] += batch.num_rows
            counts["empty"] += int(np.count_nonzero(batch["n_normal"].to_numpy() == 0))
            yield batch

    commit_parquet(out, schema, counted())
    return counts


def cluster(
    signatures: list[Path],
    out_dir: Path,
    ledger_dir: Path,
    settings: DedupSettings,
    memory: int = DEFAULT_MEMORY,
) -> dict[str, int]:
    """Cluster the documents of all signature files; write duplicates and ledger.

    Writes `out_dir/part-00000.parquet` (DUPLICATES: a row for every document of a cluster of two or
    more, by file and row) and `ledger_dir/dedup-00000.parquet` (LEDGER: a row for every removed
    document). Returns {documents, removed, clusters, exact, near, url, empty}. The bytes depend on
    the signatures, their order and the settings alone. Raises RunError if a file was signed under
    other settings.
    """
    scratch = out_dir / ".scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        data = load(signatures, settings, memory, scratch)
        outcome = decide(data, link(data, settings, memory), settings)
        empty = int(np.count_nonzero(~data.usable))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _write(out_dir / "part-00000.parquet", duplicates_table(outcome), DUPLICATES)
    _write(ledger_dir / "dedup-00000.parquet", ledger_table(outcome, settings), LEDGER)
    kinds = outcome["kind"].to_pylist()
    return {
        "documents": data.n,
        "removed": len(kinds) - kinds.count("kept"),
        "clusters": len(outcome["cluster"].unique()),
        "exact": kinds.count("exact"),
        "near": kinds.count("near"),
        "url": kinds.count("url"),
        "empty": empty,
    }


def _write(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    batches = table.combine_chunks().to_batches(max_chunksize=ROWS_PER_GROUP)
    commit_parquet(path, schema, iter(batches))
