"""The stage remove: what the removal lists name takes no part in the stages after it.

One unit for all documents files: it writes the rows that are out (`folder.removals.TAKEN`) and a
ledger row for each.
"""

from __future__ import annotations

from corpus.folder.removals import KINDS, TAKEN, Removal, digest, find, obeyed
from corpus.folder.schema import LEDGER
from corpus.folder.selection import ledger_rows
from corpus.stages import books
from corpus.stages.stage import Job


def run(job: Job) -> None:
    """Take down what the lists of the build, and of its index, name; nothing if that is done."""
    folder, layout = job.folder, job.folder.layout
    removals = obeyed(layout, job.settings.dedup.against)
    if folder.is_made_from("remove", 0, digest(removals)):
        return
    documents = [layout.documents(index) for index in job.files]
    table, entries = find(documents, removals)
    named = [removals[entry] for entry in entries.tolist()]
    rows = ledger_rows(
        table,
        "remove",
        rule=[entry.kind for entry in named],
        action="drop",
        detail=[_detail(entry) for entry in named],
    )
    outputs = {
        path: folder.commit_parquet(path, schema, part.select(schema.names).cast(schema))[0]
        for path, schema, part in (
            (layout.taken, TAKEN, table),
            (layout.ledger("remove"), LEDGER, rows),
        )
    }
    kinds = {kind: sum(entry.kind == kind for entry in named) for kind in KINDS}
    counts = {
        "documents": books.rows(documents),
        "removed": len(table),
        "dropped": {kind: number for kind, number in kinds.items() if number},
        "made_from": digest(removals),
    }
    folder.write_receipt("remove", 0, outputs, counts)


def _detail(entry: Removal) -> str:
    reason = f": {entry.reason}" if entry.reason else ""
    return f"taken down by {entry.kind} {entry.value}{reason}"
