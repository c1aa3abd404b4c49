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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from corpus.config import Settings
from corpus.dedup import index as indexes
from corpus.dedup.distributed import spread as distributed
from corpus.dedup.local import cluster
from corpus.dedup.settings import DedupSettings
from corpus.dedup.signatures.files import fingerprint, has_url
from corpus.errors import UsageError
from corpus.folder import books, commit, removals

Each = Callable[[Callable[[Any], Any], Sequence[Any], str], None]


def run(
    root: Path, files: int, settings: Settings, each: Each, update: bool = False,
    spread: distributed.Map | None = None,
) -> None:  # fmt: skip
    """Find the duplicates; with `update`, append the crawl to the index it was compared with.

    spread: the map of an engine on several machines, which then clusters as well; a crawl that is
    compared with an index is clustered here all the same.
    """
    dedup = settings.dedup
    receipt_path = root / "state" / "dedup" / "0000000.json"
    receipt = commit.read_receipt(receipt_path, root)
    documents = [root / "documents" / f"{index:07d}.parquet" for index in range(files)]
    gone = removals.taken(root)
    if dedup.mode == "none":
        rows = books.rows(documents) - sum(len(each) for each in gone.values())
        if receipt is None or receipt["counts"]["documents"] != rows:
            counts: dict[str, Any] = {"documents": rows, "removed": 0}
            commit.write_receipt(receipt_path, root, {}, counts)
        return
    signatures = [_folder(root) / path.name for path in documents]
    _forget_other_signatures(root, dedup)
    todo = [(d, s) for d, s in zip(documents, signatures, strict=True) if not s.exists()]
    if receipt is None or update or dedup.against or todo:
        each(functools.partial(_sign, settings=dedup), todo, "sign")
    made_from = _made_from(root, dedup, update)
    pending = update and not _appended(signatures, dedup)
    if receipt is not None and receipt["counts"]["made_from"] == made_from and not pending:
        return
    against = Path(dedup.against) if dedup.against else None
    exchange = root / "state" / "dedup" / "exchange"
    if spread is not None and not against:
        counts = distributed.cluster(
            signatures, root / "duplicates", root / "ledger", dedup, exchange, spread, gone
        )
    else:
        shutil.rmtree(exchange, ignore_errors=True)  # of a build begun on a cluster
        with commit.lock(against) if against and update else contextlib.nullcontext():
            counts = cluster.cluster(
                signatures, root / "duplicates", root / "ledger", dedup, dedup.memory_mib << 20,
                against, update, gone,
            )  # fmt: skip
    made = [*(root / "duplicates").glob("*.parquet"), *(root / "ledger").glob("dedup-*.parquet")]
    outputs = {path: commit.sha256(path) for path in sorted(made)}
    commit.write_receipt(receipt_path, root, outputs, counts | {"made_from": made_from})


def _folder(root: Path) -> Path:
    return root / "state" / "dedup" / "signatures"


def _sign(pair: tuple[Path, Path], settings: DedupSettings) -> dict[str, int]:
    return cluster.sign(pair[0], pair[1], settings)


def _forget_other_signatures(root: Path, settings: DedupSettings) -> None:
    """Clear signatures of another harvest or of settings that give other ones."""
    harvest = (root / "state" / "harvest" / "settings.json").read_text()
    about = [harvest, fingerprint(settings), settings.quality, has_url(settings)]
    wanted = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    path = _folder(root) / "made_from.json"
    if not path.exists() or json.loads(path.read_bytes()) != wanted:
        commit.clear(_folder(root))
        commit.commit_json(path, wanted)


def _made_from(root: Path, settings: DedupSettings, update: bool) -> str:
    """Names the removals and the index that the clusters depend on."""
    path = root / "state" / "remove" / "0000000.parquet"
    taken = commit.sha256(path) if path.exists() else ""
    if not settings.against:
        return taken
    folder = Path(settings.against)
    if not update and not (folder / "index.json").is_file():
        raise UsageError(f"no index at {folder}: --update begins one with this crawl")
    index = indexes.open_index(folder, settings, settings.generation)
    takedowns = [p.parent.name for p in index.takedowns()]
    return hashlib.sha256(json.dumps([taken, takedowns]).encode()).hexdigest()


def _appended(signatures: list[Path], settings: DedupSettings) -> bool:
    index = indexes.open_index(Path(settings.against), settings)
    return indexes.holds_crawl(index, indexes.crawl_digest(signatures))
