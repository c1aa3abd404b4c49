"""The stage dedup of a build: signatures of every documents file, then the clusters of all.

The receipt names what the clusters were made from: the rows taken down before, the index compared
with and its takedowns. So `corpus remove` clusters anew but signs nothing again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from corpus.dedup import index as indexes
from corpus.dedup.distributed import spread
from corpus.dedup.local import cluster
from corpus.dedup.signatures.files import fingerprint, has_url
from corpus.errors import UsageError
from corpus.folder import removals
from corpus.folder.commit import sha256
from corpus.folder.folder import Folder, open_folder
from corpus.folder.layout import Layout
from corpus.settings import DedupSettings
from corpus.stages import books, moves
from corpus.stages.stage import Job


def run(job: Job) -> None:
    """Find the duplicates; with `job.update`, append the crawl to the index it is compared with."""
    folder, layout, settings = job.folder, job.folder.layout, job.settings.dedup
    receipt = folder.receipt("dedup")
    taken = removals.taken(layout)
    if settings.mode == "none":
        rows = books.rows(map(layout.documents, job.files))
        rows -= sum(len(gone) for gone in taken.values())
        if receipt is None or receipt["counts"]["documents"] != rows:
            folder.write_receipt("dedup", 0, {}, {"documents": rows, "removed": 0})
        return
    # Signatures first, a unit a documents file; they outlive a change of what is clustered.
    _forget_other_signatures(folder, settings)
    if receipt is None or any(not layout.signatures(index).exists() for index in job.files):
        moves.settle(folder, job.files)
        receipt = folder.receipt("dedup")
    unsigned = [index for index in job.files if not layout.signatures(index).exists()]
    if receipt is None or job.update or settings.against or unsigned:
        unit = functools.partial(sign_unit, folder=folder, settings=settings)
        job.each(unit, unsigned, "sign")
    # Then the clusters of all, unless they were made from the same.
    signatures = [layout.signatures(index) for index in job.files]
    made_from = _made_from(layout, settings, job.update)
    pending = job.update and not _appended(signatures, settings)
    if folder.is_made_from("dedup", 0, made_from) and not pending:
        return
    counts = _cluster(job, signatures, taken)
    moved = [layout.moved] if layout.moved.exists() else []
    written = (layout.duplicates, layout.dedup_ledger, *moved, *signatures)
    outputs = {path: sha256(path) for path in written}
    folder.write_receipt("dedup", 0, outputs, counts | {"made_from": made_from})


def sign_unit(index: int, folder: Folder, settings: DedupSettings) -> dict[str, int]:
    """Sign documents file `index`."""
    layout = folder.layout
    documents, out = layout.documents(index), layout.signatures(index)
    moved = moves.of_file(layout, index)
    return cluster.sign(documents, out, settings, folder.commit_parquet, moved)


def _cluster(job: Job, signatures: list[Path], taken: dict[int, Any]) -> dict[str, int]:
    """Cluster on the machines of the engine, or here; a crawl with an index always here."""
    folder, layout, settings = job.folder, job.folder.layout, job.settings.dedup
    if job.engine.distributed and not settings.against:
        return spread.find_duplicates(
            signatures, layout, settings, layout.exchange, job.engine.map, taken,
            write=folder.commit_parquet,
        )  # fmt: skip
    shutil.rmtree(layout.exchange, ignore_errors=True)  # of a build begun on a cluster
    index = open_folder(settings.against) if settings.against else None
    with index.lock() if index and job.update else contextlib.nullcontext():
        return cluster.find_duplicates(
            signatures, layout, settings, settings.memory_mib << 20,
            index.path if index else None, job.update, taken, folder.commit_parquet,
        )  # fmt: skip


def _forget_other_signatures(folder: Folder, settings: DedupSettings) -> None:
    """Clear signatures of another harvest or of settings that give other ones."""
    layout = folder.layout
    harvest = layout.fingerprint("harvest").read_text()
    shape = [harvest, fingerprint(settings), settings.quality, has_url(settings)]
    wanted = hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()
    made_from = layout.signatures_made_from
    try:
        there = json.loads(made_from.read_bytes())
    except (OSError, ValueError):
        there = None
    if there != wanted:
        folder.remove(path for path in layout.signatures_folder.glob("*") if path.is_file())
        folder.commit_json(made_from, wanted)


def _made_from(layout: Layout, settings: DedupSettings, update: bool) -> str:
    """Names the removals and the index that the clusters depend on."""
    taken = sha256(layout.taken) if layout.taken.exists() else ""
    if not settings.against:
        return taken
    path = Path(settings.against)
    if not update and not indexes.is_index(path):
        raise UsageError(f"no index at {path}: --update begins one with this crawl")
    index = indexes.open_index(path, settings, settings.generation)
    takedowns = [takedown.parent.name for takedown in index.takedowns()]
    return hashlib.sha256(json.dumps([taken, takedowns]).encode()).hexdigest()


def _appended(signatures: list[Path], settings: DedupSettings) -> bool:
    index = indexes.open_index(Path(settings.against), settings)
    return indexes.holds_crawl(index, indexes.crawl_digest(signatures))
