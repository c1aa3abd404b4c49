"""The stage decontaminate: selected documents that hold items of evaluation sets go, or are marked.

Only with `[decontaminate] sets`. The method is that of corpus.dedup.passages.contamination: weights
of n-grams come from the selected documents, so all of them are read twice. Items are read by every
unit, a second for JGLUE and JMMLU.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.passages import contamination as method
from corpus.dedup.passages import evalsets
from corpus.folder import selection
from corpus.folder.commit import commit, sha256
from corpus.folder.selection import Selected
from corpus.settings import DecontaminateSettings
from corpus.stages.stage import Job


def run(job: Job) -> None:
    """Decontaminate all documents files; receipts name the rows and the sets they are made from."""
    settings, layout = job.settings.decontaminate, job.folder.layout
    parts = [selection.digest(layout, job.files, job.chain), state_of_sets(settings)]
    made_from = hashlib.sha256("".join(parts).encode()).hexdigest()
    if all(job.folder.is_made_from("decontaminate", index, made_from) for index in job.files):
        return
    units = [Selected(job.folder, i, job.chain, job.settings, made_from) for i in job.files]
    # An n-gram weighs what the whole corpus says: count everywhere, then mark.
    _items(settings)  # wrong sets fail here, in one line
    job.each(_count, units, "count n-grams")
    weights = method.weigh(_items(settings), [_read_counts(unit) for unit in units])
    job.each(functools.partial(_mark, weights=weights), units, "decontaminate")
    for index in job.files:
        layout.ngram_counts(index).unlink(missing_ok=True)


def state_of_sets(settings: DecontaminateSettings) -> str:
    """Names the evaluation sets by their files' bytes: changed sets are searched for anew."""
    total = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    for file, label in evalsets.files(list(map(Path, settings.sets))):
        total.update(label.encode() + sha256(file).encode())
    return total.hexdigest()


@functools.lru_cache(1)
def _items(settings: DecontaminateSettings) -> method.Items:
    return method.load_items(list(map(Path, settings.sets)), settings.ngram)


def _count(unit: Selected) -> None:
    number, df = method.count(unit.texts(), _items(unit.settings.decontaminate))
    path = unit.layout.ngram_counts(unit.index)
    commit(path, lambda file: np.save(file, np.append(df, number)))


def _read_counts(unit: Selected) -> tuple[int, np.ndarray]:
    counts = np.load(unit.layout.ngram_counts(unit.index))
    return int(counts[-1]), counts[:-1]


def _mark(unit: Selected, weights: np.ndarray) -> None:
    """Write what is left of a file, the ledger rows and the receipt."""
    folder, layout, settings = unit.folder, unit.layout, unit.settings.decontaminate
    before = pq.read_table(selection.path_of(layout, unit.index, unit.chain))
    ledger = layout.ledger("decontaminate", unit.index)
    remove = settings.action == "remove"
    rows: list[int] = []
    method.mark(unit.texts(), ledger, _items(settings), weights, settings.threshold,
                "drop" if remove else "mark", rows, folder.commit_parquet)  # fmt: skip
    hit = pc.is_in(before["row"], pa.array(rows, pa.int32()))
    kept = before.filter(pc.invert(hit)).combine_chunks() if remove else before
    out = layout.rows("decontaminate", unit.index)
    outputs = {out: folder.commit_parquet(out, kept.schema, kept)[0]}
    outputs[ledger] = sha256(ledger)
    counts = {
        "input": len(before),
        "kept": len(kept),
        "dropped": {"contaminated": len(rows)} if rows and remove else {},
        "altered": {} if remove or not rows else {"marked as contaminated": len(rows)},
        "made_from": unit.made_from,
    }
    folder.write_receipt("decontaminate", unit.index, outputs, counts)
