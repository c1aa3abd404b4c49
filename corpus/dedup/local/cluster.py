"""The dedup stage as a build calls it: sign every documents file, then cluster all signatures.

`sign` is a unit of work for a worker process. `find_duplicates` reads the signatures of all files,
links exact, URL and near duplicates (in this order, so each link has one kind), keeps the best
copies of every cluster and writes duplicates and ledger. Peak memory is about 250 bytes a document,
and 512 for each that may be a copy, or 4 for each letter of those whose texts are compared; arrays
beyond `memory` bytes are mapped from files.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.dedup.index import (
    NOTHING_BEFORE,
    append,
    before,
    crawl_digest,
    open_index,
    without_crawl,
)
from corpus.dedup.local.load import Scratch, load
from corpus.dedup.local.outcome import decide, duplicates_table, ledger_table, link, tally
from corpus.dedup.signatures.files import sign_documents, signatures_schema
from corpus.folder.commit import ROWS_PER_GROUP, CommitParquet, commit_parquet
from corpus.folder.layout import Layout
from corpus.folder.schema import DUPLICATES, LEDGER
from corpus.settings import DedupSettings

DEFAULT_MEMORY = 4 << 30  # bytes of an array held in memory; a larger one is mapped from disk


def sign(
    documents: Path,
    out: Path,
    settings: DedupSettings,
    write: CommitParquet = commit_parquet,
    moved: Mapping[int, str] = MappingProxyType({}),
) -> dict[str, int]:
    """Write the signatures file of one documents file; return {documents, empty}.

    `empty` counts documents without a letter or digit: they are never duplicates. Raises RunError
    for a file without id and text or without the signal that `settings.quality` names.
    moved: row → the address at which its page is now.
    """
    counts = {"documents": 0, "empty": 0}
    schema = signatures_schema(settings, os.path.relpath(documents, out.parent))

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in sign_documents(documents, settings, schema, moved):
            counts["documents"] += batch.num_rows
            counts["empty"] += int(np.count_nonzero(batch["n_normal"].to_numpy() == 0))
            yield batch

    write(out, schema, counted())
    return counts


def find_duplicates(
    signatures: list[Path],
    out: Layout,
    settings: DedupSettings,
    memory: int = DEFAULT_MEMORY,
    against: Path | None = None,
    add: bool = False,
    taken: dict[int, np.ndarray] | None = None,
    write: CommitParquet = commit_parquet,
) -> dict[str, int]:
    """Cluster the documents of all signature files; write duplicates and ledger.

    Writes `out.duplicates` (DUPLICATES: a row for every document of a cluster of two or more, by
    file and row) and `out.dedup_ledger` (LEDGER: a row for every removed document). Returns
    {documents, removed, clusters, exact, near, url, empty}. The bytes depend on the signatures,
    their order and the settings alone. Raises RunError if a file was signed under other settings.

    against: the folder of an index of earlier crawls (corpus.dedup.index); what it keeps goes
    before all documents of this crawl, which name it as their kept copy. `indexed` then counts the
    documents removed in favour of the index, and `generation` is its newest segment. add: append
    this crawl to it, after the outputs. taken: rows of each file that take no part.
    """
    # The index as it was before this crawl: a run that is repeated must not meet itself.
    index, digest = None, ""
    if against is not None:
        digest = crawl_digest(signatures)
        index = without_crawl(open_index(against, settings, settings.generation), digest)
    earlier = index.files("signatures-*.parquet") if index else []
    data = load([*earlier, *signatures], settings, len(earlier), taken)
    known = before(index) if index else NOTHING_BEFORE
    scratch = Scratch(out.duplicates.parent, memory)
    links = link(data, settings, scratch, known)
    outcome = decide(data, links, settings, scratch, known)
    gone = sum(len(rows) for rows in (taken or {}).values())
    empty = int(np.count_nonzero(~data.usable[data.indexed :])) - gone
    # Documents of the index have negative file numbers from here on: they are in no output, but a
    # copy that they replace names their generation.
    places = pc.subtract(outcome["file"], pa.scalar(len(earlier), pa.int32()))
    outcome = outcome.set_column(outcome.schema.get_field_index("file"), "file", places)
    generations = [int(path.parent.name) for path in earlier] + [None] * len(signatures)
    generation = pa.array(generations, pa.int32()).take(outcome["kept_file"].combine_chunks())
    outcome = outcome.append_column("generation", generation)
    ours = outcome.filter(pc.greater_equal(places, 0))
    write(out.duplicates, DUPLICATES, _sliced(ours, DUPLICATES, duplicates_table))
    removed = ours.filter(pc.not_equal(ours["kind"], "kept"))
    ledger_rows = functools.partial(ledger_table, settings=settings)
    write(out.dedup_ledger, LEDGER, _sliced(removed, LEDGER, ledger_rows))
    if index and add:
        append(index, signatures, outcome, digest, settings)
    documents = {"documents": data.n - data.indexed - gone}
    counts = documents | tally(ours) | {"empty": empty}
    if index:
        counts["indexed"] = len(ours) - ours["generation"].null_count
        counts["generation"] = index.generation
    return counts


def merge(path: Path, other: Path, scratch: Path, settings: DedupSettings) -> dict[str, int]:
    """Append every crawl of the index `other` to the index at `path`; return the counts summed.

    Duplicates and ledger of each are written to `scratch`/<segment>: what `other` kept and `path`
    holds already. Takedowns of `other` are not carried over: name those ids to `take_down`.
    """
    total: dict[str, int] = {}
    source = open_index(other, settings)
    for segment in source.segments:
        files = sorted((source.path / "segments" / segment).glob("signatures-*.parquet"))
        if files:
            counts = find_duplicates(
                files, Layout(scratch / segment), settings, against=path, add=True
            )
            total = {key: total.get(key, 0) + value for key, value in counts.items()}
    return total


def _sliced(
    table: pa.Table, schema: pa.Schema, rows: Callable[[pa.Table], pa.Table]
) -> Iterator[pa.RecordBatch]:
    """`rows` of the table, slice by slice: a column may exceed 2 GiB as a whole."""
    for at in range(0, len(table), ROWS_PER_GROUP):
        part = rows(table.slice(at, ROWS_PER_GROUP))
        yield part.combine_chunks().cast(schema).to_batches()[0]
