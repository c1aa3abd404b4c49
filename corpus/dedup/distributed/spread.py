"""The stage dedup on the workers of an engine: the bytes of `find_duplicates` on one machine.

    exchange    keys, candidates, texts, verified edges       (corpus.dedup.distributed.exchange)
    components  labels by sure links and by all links         (corpus.dedup.distributed.components)
    place       labels → the blocks of documents they are of
    members     a block's members of clusters and their columns → the block of their cluster
    judge       whole clusters: the kept copy, kind and similarity of the others
    sort        outcomes → rows of duplicates and ledger, by document

Blocks are runs of documents; the block of a cluster is that of its first document. Every arrow is
a Parquet file with a row group per receiving block, committed atomically, so a unit may run twice
and a step that was interrupted goes on with the units that have no file. The driver holds nothing
but the list of files and writes the sorted rows of all blocks one after the other.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.distributed import exchange as exchanges
from corpus.dedup.distributed.components import EDGES, connected_components, read_edges
from corpus.dedup.distributed.exchange import MEASURED, Exchange
from corpus.dedup.distributed.groups import read_group, write_groups
from corpus.dedup.local.load import Sample, Signatures, by_file, take_rows
from corpus.dedup.local.outcome import (
    MEMBER_COLUMNS,
    Links,
    duplicates_table,
    judge,
    ledger_table,
    tally,
)
from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.files import COPIED, DERIVED, has_near, has_url
from corpus.folder.commit import ROWS_PER_GROUP, CommitParquet, commit_json, commit_parquet
from corpus.folder.layout import Layout
from corpus.folder.schema import DUPLICATES, LEDGER
from corpus.settings import DedupSettings

# A block of so many documents takes about 300 MB: keys of 17 bands, or signatures and texts.
DOCUMENTS_PER_BLOCK = 150_000
LEAST_BLOCKS = 4

COLUMN_TYPES = {name: (COPIED | DERIVED)[name] for name in MEMBER_COLUMNS}
LABELS = {name: pa.int64() for name in ("label", "sure", "address")}
OUTCOME = pa.schema(
    [
        *((name, pa.large_string()) for name in ("id", "cluster", "kept_id", "kept_url")),
        ("kind", pa.string()),
        ("similarity", pa.float32()),
        *((name, pa.int32()) for name in ("cluster_size", "file", "row", "kept_file")),
        ("measured", pa.bool_()),
        ("generation", pa.int32()),
        ("document", pa.int64()),
        *(item for item in COLUMN_TYPES.items() if item[0] != "id"),
    ]
)

# map(function, units, label) runs the units anywhere and yields (unit, result) in any order.
Map = Callable[[Callable[[Any], Any], Sequence[Any], str], Iterable[tuple[Any, Any]]]


def find_duplicates(
    signatures: list[Path],
    out: Layout,
    settings: DedupSettings,
    scratch: Path,
    run: Map,
    taken: dict[int, np.ndarray] | None = None,
    per_block: int = DOCUMENTS_PER_BLOCK,
    write: CommitParquet = commit_parquet,
) -> dict[str, int]:
    """What corpus.dedup.local.cluster.find_duplicates does without an index, by units of work.

    `scratch` holds the steps: a call that was killed goes on there, and one that ends removes it.
    """
    # As many key ranges and blocks as keep a unit at DOCUMENTS_PER_BLOCK; a power of two, since a
    # range is the top bits of a key.
    rows = sum(pq.read_metadata(path).num_rows for path in signatures)
    ranges = max(LEAST_BLOCKS, 1 << max(0, -(-rows // per_block) - 1).bit_length())
    _begin(scratch, signatures, settings, ranges, taken or {})
    exchange = exchanges.prepare(signatures, scratch, ranges, settings, taken)
    # From signatures to edges: each step waits for all files of the one before it.
    steps = _Steps(exchange, run)
    blocks = range(ranges)
    empty = steps.run(exchanges.scatter, range(len(signatures)), "keys")
    for step, name in (
        (exchanges.candidates, "candidates"),
        (exchanges.ship, "texts"),
        (exchanges.verify, "verify"),
    ):
        steps.run(step, blocks, name)
    # From edges to clusters, and every cluster to one block, where it is judged whole.
    for label, edges in _labels(settings).items():
        steps.label(label, edges)
    steps.run(_members, blocks, "members")
    tallies = steps.run(_judge, blocks, "judge")
    steps.run(_sort, blocks, "sort")
    # The driver writes the two outputs alone: blocks are runs of documents, so they only follow
    # each other, in the row groups that one machine would have made.
    for name, schema, path in (
        ("duplicates", DUPLICATES, out.duplicates),
        ("ledger", LEDGER, out.dedup_ledger),
    ):
        parts = [_file(exchange, name, number) for number in blocks]
        write(path, schema, _even_batches(parts, schema))
    counts = {"documents": rows - sum(len(gone) for gone in (taken or {}).values())}
    for key in ("removed", "clusters", "exact", "near", "url"):
        counts[key] = sum(of_block[key] for of_block in tallies)
    shutil.rmtree(scratch)
    return counts | {"empty": sum(empty)}


def _labels(settings: DedupSettings) -> dict[str, str]:
    """Which labels are needed, and the edges that each adds to those of the label before it."""
    labels = {"address": "copies"} if has_url(settings) else {}
    return labels | ({"sure": "sure"} if has_near(settings) else {}) | {"label": "edges"}


def _begin(
    scratch: Path,
    signatures: list[Path],
    settings: DedupSettings,
    ranges: int,
    taken: dict[int, np.ndarray],
) -> None:
    """Clear the scratch folder unless it is of the same signatures and settings."""
    files = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in signatures]
    gone = {str(file): rows.tolist() for file, rows in sorted(taken.items())}
    made_from = [files, dataclasses.asdict(settings), ranges, gone]
    wanted = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    path = scratch / "made_from.json"
    if not path.exists() or json.loads(path.read_bytes()) != wanted:
        shutil.rmtree(scratch, ignore_errors=True)
        commit_json(path, wanted)


class _Steps:
    """Runs the steps of an exchange; a note of what each unit returned says that it is done."""

    def __init__(self, exchange: Exchange, run: Map) -> None:
        self.exchange, self.map = exchange, run

    def run(
        self, step: Callable[[tuple[Exchange, int]], Any], numbers: Sequence[int], name: str
    ) -> list[Any]:
        """Run the units that are not done; returns the results of all, in order."""
        notes = [_note(self.exchange, name, number) for number in numbers]
        todo = [n for n, path in zip(numbers, notes, strict=True) if not path.exists()]
        function = functools.partial(_step, step=step, exchange=self.exchange, name=name)
        for _ in self.map(function, todo, f"dedup: {name}"):
            pass
        return [json.loads(path.read_bytes()) for path in notes]

    def label(self, label: str, edges: str) -> None:
        """Connected components of the edges, placed by block."""
        exchange, numbers = self.exchange, range(self.exchange.ranges)
        name = f"{label} components"
        done, folder = _note(exchange, name, 0), exchange.folder / name

        def run(function: Callable[[Any], Any], units: Sequence[Any]) -> Iterator[Any]:
            return (result for _, result in self.map(function, units, f"dedup: {name}"))

        if not done.exists():
            files = [exchange.edges(number, edges) for number in numbers]
            placed = connected_components(files, folder, exchange.ranges, run)
            commit_json(done, [str(path.relative_to(folder)) for path in placed])
        sources = [folder / path for path in json.loads(done.read_bytes())]
        step = functools.partial(_place, sources=sources, label=label)
        self.run(step, numbers, f"{label} labels")


def _step(
    number: int, step: Callable[[tuple[Exchange, int]], Any], exchange: Exchange, name: str
) -> None:
    """A unit, and after its files the note of its result."""
    commit_json(_note(exchange, name, number), step((exchange, number)))


def _note(exchange: Exchange, name: str, number: int) -> Path:
    return exchange.folder / "done" / name / f"{number:06d}.json"


def _file(exchange: Exchange, step: str, number: int) -> Path:
    return exchange.folder / step / f"{number:06d}.parquet"


# units --------------------------------------------------------------------------------------------


def _place(unit: tuple[Exchange, int], sources: list[Path], label: str) -> None:
    """Send (label, node) rows of a file to the block of the node, the label's own among them."""
    exchange, number = unit
    rows = read_edges([sources[number]])
    own = np.unique(rows[:, 0])
    rows = np.concatenate([rows, np.stack([own, own], axis=1)])
    rows = rows[np.lexsort((rows[:, 0], rows[:, 1]))]
    ends = _ends(exchange, rows[:, 1])
    path = _file(exchange, f"{label}-placed", number)
    columns = [pa.array(rows[:, side].copy()) for side in (0, 1)]
    write_groups(path, pa.table(columns, schema=EDGES), ends)


def _ends(exchange: Exchange, documents: np.ndarray) -> np.ndarray:
    """Where the block of each of the ascending documents ends: int64[ranges + 1]."""
    return np.searchsorted(exchange.block(documents), np.arange(exchange.ranges + 1))


def _labelled(exchange: Exchange, label: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes int64[m] ascending, their labels) of a block, for what has a label not its own."""
    files = [_file(exchange, f"{label}-placed", n) for n in range(exchange.ranges)]
    rows = read_group(files, EDGES, number)
    nodes, first = np.unique(rows["b"].to_numpy(), return_index=True)
    return nodes, rows["a"].to_numpy()[first]


def _members(unit: tuple[Exchange, int]) -> None:
    """Send a block's members of clusters, and its measured pairs, to the blocks of the clusters."""
    exchange, number = unit
    # Members: every document with a label. By stricter links it may have none: then its own number.
    documents, label = _labelled(exchange, "label", number)
    table = _rows(exchange, documents)
    for name, labels in (("label", label), ("sure", None), ("address", None)):
        if labels is None:
            labels = documents.copy()
            if name in _labels(exchange.settings):
                nodes, values = _labelled(exchange, name, number)
                labels[np.searchsorted(documents, nodes)] = values
        table = table.append_column(name, pa.array(labels))
    order = np.argsort(label, kind="stable")
    ends = _ends(exchange, label[order])
    write_groups(_file(exchange, "members", number), table.take(pa.array(order)), ends)
    # Measured pairs go where their first document went; a pair outside any cluster tells nothing.
    pairs = pq.read_table(exchange.edges(number, "measured"))
    left = pairs["a"].to_numpy()
    place = np.minimum(np.searchsorted(documents, left), max(0, len(documents) - 1))
    inside = documents[place] == left if len(documents) else np.zeros(len(left), np.bool_)
    pairs = pairs.filter(pa.array(inside))
    goal = label[place[inside]] if len(documents) else left[inside]
    order = np.argsort(goal, kind="stable")
    path = _file(exchange, "pairs-placed", number)
    write_groups(path, pairs.take(pa.array(order)), _ends(exchange, goal[order]))


def _rows(exchange: Exchange, documents: np.ndarray) -> pa.Table:
    """The columns of documents (int64[m], ascending) that judging needs."""
    types = COLUMN_TYPES | {name: DERIVED[name] for name in ("exact", "n_normal")}
    if has_near(exchange.settings):
        types["signature"] = pa.binary(4 * exchange.settings.num_perm)
    places = {"document": pa.int64(), "file": pa.int32(), "row": pa.int32()}
    schema = pa.schema([*places.items(), *types.items()])
    parts = [schema.empty_table()]
    for file, inside, rows in by_file(exchange.starts, documents):
        table = take_rows(exchange.signatures[file], rows, list(types))
        at = [inside, np.full(len(rows), file, np.int32), rows.astype(np.int32)]
        columns = [*map(pa.array, at), *(table[name] for name in types)]
        parts.append(pa.table(columns, schema=schema))
    return pa.concat_tables(parts)


def _gathered(exchange: Exchange, step: str, number: int) -> pa.Table:
    """Row group `number` of the files of a step, by document."""
    files = [_file(exchange, step, n) for n in range(exchange.ranges)]
    table = read_group(files, pq.read_schema(files[0]).remove_metadata(), number)
    return table.take(pc.sort_indices(table["document"]))


def _judge(unit: tuple[Exchange, int]) -> dict[str, int]:
    """Decide on the clusters of a block; send every outcome to the block of its document."""
    exchange, number = unit
    settings = exchange.settings
    members = _gathered(exchange, "members", number)
    document = members["document"].to_numpy()
    n = len(members)
    # Labels are documents anywhere in the input; within the block they become row numbers, which
    # is what `judge` takes, as if these clusters were the whole input.
    first = {name: np.searchsorted(document, members[name].to_numpy()) for name in LABELS}
    exact = fixed_rows(members["exact"], np.uint64)
    files = [_file(exchange, "pairs-placed", block) for block in range(exchange.ranges)]
    pairs, jaccard = _open_pairs(read_group(files, MEASURED, number), document, first["sure"])
    no_keys, no_lengths = np.empty(0, np.uint64), np.empty(0, np.int32)  # not asked for again
    data = Signatures([], [], np.array([0, n], np.int64), exact, no_keys, no_lengths)
    texts = members["n_normal"].to_numpy() > 0 if settings.mode != "url" else np.zeros(n, np.bool_)
    links = Links(_by_text(exact, texts), first["address"], first["label"], pairs, jaccard)
    places = np.arange(n, dtype=np.int64)

    def signed(rows: np.ndarray) -> Sample:
        return Sample(rows, fixed_rows(members["signature"].take(pa.array(rows)), np.uint32))

    columns = members.select(["document", "file", "row", *MEMBER_COLUMNS])
    outcome = judge(columns, places, data, links, signed, settings)
    outcome = outcome.append_column("generation", pa.nulls(n, pa.int32()))
    # A row group per block of documents: `_sort` gathers those of its block from all files.
    outcome = outcome.select(OUTCOME.names).cast(OUTCOME)
    write_groups(_file(exchange, "judged", number), outcome, _ends(exchange, document))
    return tally(outcome)


def _by_text(exact: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """The first row of equal text, for every row (int64[n]); its own where texts do not count."""
    out, rows = np.arange(len(exact)), np.flatnonzero(usable)
    if len(rows):
        both = exact[rows]
        _, first, group = np.unique(both, axis=0, return_index=True, return_inverse=True)
        out[rows] = rows[first[group.reshape(-1)]]
    return out


def _open_pairs(
    table: pa.Table, document: np.ndarray, sure: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measured pairs, as ascending rows of `document`, that no sure link joins; their Jaccard."""
    table = table.filter(pc.is_in(table["b"], pa.array(document)))
    sides = [np.searchsorted(document, table[name].to_numpy()) for name in ("a", "b")]
    pairs, jaccard = np.stack(sides, axis=1), table["jaccard"].to_numpy()
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    order = order[sure[pairs[order, 0]] != sure[pairs[order, 1]]]
    return pairs[order], jaccard[order]


def _sort(unit: tuple[Exchange, int]) -> None:
    """Write a block's rows of duplicates and ledger, in the order of documents."""
    exchange, number = unit
    table = _gathered(exchange, "judged", number)
    slices = [table.slice(at, ROWS_PER_GROUP) for at in range(0, len(table), ROWS_PER_GROUP)]
    rows = (duplicates_table(part).cast(DUPLICATES).to_batches() for part in slices)
    path = _file(exchange, "duplicates", number)
    commit_parquet(path, DUPLICATES, (batch for part in rows for batch in part))
    removed = (part.filter(pc.not_equal(part["kind"], "kept")) for part in slices)
    lost = (ledger_table(part, exchange.settings).cast(LEDGER).to_batches() for part in removed)
    path = _file(exchange, "ledger", number)
    commit_parquet(path, LEDGER, (batch for part in lost for batch in part))


def _even_batches(paths: list[Path], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """All rows of the files in batches of ROWS_PER_GROUP, a file's row groups at a time."""
    held = schema.empty_table()
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                held = pa.concat_tables([held, file.read_row_group(group).cast(schema)])
                while len(held) >= ROWS_PER_GROUP:
                    yield held.slice(0, ROWS_PER_GROUP).combine_chunks().to_batches()[0]
                    held = held.slice(ROWS_PER_GROUP)
    if len(held):
        yield held.combine_chunks().to_batches()[0]
