"""The stage decontaminate: selected documents that hold items of evaluation sets go, or are marked.

Only with `[decontaminate] sets`. The method is that of corpus.dedup.passages.contamination: weights
of n-grams come from the selected documents, so all of them are read twice. Items are read by every
unit, a second for JGLUE and JMMLU.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.passages import contamination as method
from corpus.dedup.passages import evalsets
from corpus.dedup.settings import DecontaminateSettings
from corpus.folder import commit, selection

Each = Callable[[Callable[[Any], Any], list[Any], str], None]


@dataclass(frozen=True)
class _Unit:
    """One documents file; picklable."""

    root: Path
    index: int
    settings: DecontaminateSettings
    made_from: str

    @property
    def df(self) -> Path:
        return self.root / "state" / "decontaminate" / f"df-{self.index:07d}.npy"

    @property
    def out(self) -> Path:
        return self.root / "state" / "decontaminate" / f"{self.index:07d}.parquet"


def run(root: Path, files: int, settings: DecontaminateSettings, each: Each) -> None:
    """Decontaminate all documents files; receipts name the rows and the sets they are made from."""
    parts = [selection.digest(root, files, "decontaminate"), state_of_sets(settings)]
    made_from = hashlib.sha256("".join(parts).encode()).hexdigest()
    todo = [_Unit(root, index, settings, made_from) for index in range(files)]
    if all(_done(unit) for unit in todo):
        return
    _items(settings)  # wrong sets fail here, in one line
    each(_count, todo, "count n-grams")
    counts = [_read_df(unit) for unit in todo]
    weights = method.weigh(_items(settings), counts)
    each(functools.partial(_mark, weights=weights), todo, "decontaminate")
    for unit in todo:
        unit.df.unlink(missing_ok=True)


def state_of_sets(settings: DecontaminateSettings) -> str:
    """Names the evaluation sets by their files' bytes: changed sets are searched for anew."""
    total = hashlib.sha256(json.dumps(asdict(settings), sort_keys=True).encode())
    for file, label in evalsets.files(list(map(Path, settings.sets))):
        total.update(label.encode() + commit.sha256(file).encode())
    return total.hexdigest()


@functools.lru_cache(1)
def _items(settings: DecontaminateSettings) -> method.Items:
    return method.load_items(list(map(Path, settings.sets)), settings.ngram)


def _done(unit: _Unit) -> bool:
    receipt = commit.read_receipt(unit.out.with_suffix(".json"), unit.root)
    return receipt is not None and receipt["counts"]["made_from"] == unit.made_from


def _count(unit: _Unit) -> None:
    texts = selection.texts(unit.root, unit.index, "decontaminate")
    number, df = method.count(texts, _items(unit.settings))
    commit.commit(unit.df, lambda file: np.save(file, np.append(df, number)))


def _read_df(unit: _Unit) -> tuple[int, np.ndarray]:
    df = np.load(unit.df)
    return int(df[-1]), df[:-1]


def _mark(unit: _Unit, weights: np.ndarray) -> None:
    """Write what is left of a file, the ledger rows and the receipt."""
    root, settings = unit.root, unit.settings
    before = pq.read_table(selection.path_of(root, unit.index, "decontaminate"))
    ledger = root / "ledger" / f"decontaminate-{unit.index:07d}.parquet"
    remove = settings.action == "remove"
    texts: Iterable[pa.RecordBatch] = selection.texts(root, unit.index, "decontaminate")
    rows: list[int] = []
    method.mark(texts, ledger, _items(settings), weights, settings.threshold,
                "drop" if remove else "mark", rows)  # fmt: skip
    hit = pc.is_in(before["row"], pa.array(rows, pa.int32()))
    kept = before.filter(pc.invert(hit)).combine_chunks() if remove else before
    outputs = {unit.out: commit.commit_parquet(unit.out, kept.schema, kept)[0]}
    outputs[ledger] = commit.sha256(ledger)
    counts = {
        "input": len(before),
        "kept": len(kept),
        "dropped": {"contaminated": len(rows)} if rows and remove else {},
        "altered": {} if remove or not rows else {"marked as contaminated": len(rows)},
        "made_from": unit.made_from,
    }
    commit.write_receipt(unit.out.with_suffix(".json"), root, outputs, counts)
