"""From a training step to the documents behind it, and back; and the proof of what was read.

Nothing of this is logged during training: order is a pure function of (seed, step), so any step
can be made again from the run's settings and the token shards. Steps count from 1, as in
metrics.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trainer.config.settings import Config, ConfigError
from trainer.data.loader import IGNORE, Documents, Loader, chain
from trainer.data.parquet import LINEAGE
from trainer.data.remove import BEFORE
from trainer.data.steps import batch_rows, first_row, step_of_row, total_steps
from trainer.run.folder import load_run, skipped
from trainer.run.folder import metrics as metrics


def open_run(folder: str | Path) -> tuple[Config, Loader]:
    """Settings and loader of a run. Raises ConfigError when its token shards changed."""
    config, _ = load_run(folder)
    if not config.data.tokens:
        raise ConfigError(
            f"{folder} was tuned on conversations: replay and trace know runs of `trainer train`"
        )
    loader = Loader(config.data.tokens, config.data, config.train)
    card = Path(folder) / "data-card.json"
    fingerprint = loader.documents.manifest["fingerprint"]
    said = card.read_text(encoding="utf-8")
    if any(before in said for before in loader.documents.manifest.get(BEFORE, ())):
        raise ConfigError(
            f"documents were removed from {config.data.tokens} after {folder} was trained on it: "
            "what its steps read cannot be made again"
        )
    if fingerprint not in said:
        raise ConfigError(f"{config.data.tokens} is not what {folder} was trained on")
    return config, loader


def replay(folder: str | Path, first: int, last: int) -> Iterator[dict[str, Any]]:
    """The digest of the global batch of each step, and the rolling hash where it is known.

    `agrees` says whether the rolling hash equals the one metrics.jsonl has for that step.
    """
    config, loader = open_run(folder)
    logged = {r["step"]: r["chain"] for r in metrics(Path(folder)) if "chain" in r}
    _check_step(config, first)
    _check_step(config, last)
    rolling = "" if first == 1 else logged.get(first - 1)
    for step in range(first, last + 1):
        digest = loader.batch(step - 1).digest
        rolling = chain(rolling, digest) if rolling is not None else logged.get(step)
        row = {"step": step, "digest": digest, "chain": rolling}
        row["agrees"] = rolling == logged[step] if step in logged and rolling else None
        yield row


def of_step(folder: str | Path, step: int) -> list[dict[str, Any]]:
    """The documents of a step with lineage, in row order.

    `row` is the row in the batch, `first_token` where its part of the document begins there,
    `document_token` which token of the document that is, `tokens` how many were trained on.
    Empty for a step that was skipped after a spike.
    """
    config, loader = open_run(folder)
    _check_step(config, step)
    if step - 1 in skipped(folder):
        return []
    start = first_row(config.train, step - 1)
    numbers = np.arange(batch_rows(config.train, step - 1), dtype=np.int64) + start
    blocks, inner = loader.order.block_of(numbers)
    parts: list[dict[str, Any]] = []
    trained: list[int] = []
    for row, (block, inner_row) in enumerate(zip(blocks.tolist(), inner.tolist(), strict=True)):
        packed = loader.packed(block)
        low = inner_row * loader.seq_len
        high = min(low + loader.seq_len + 1, int(packed.starts[-1]))
        at = int(np.searchsorted(packed.starts, low, side="right")) - 1
        while at < len(packed.documents) and packed.starts[at] < high:
            begin, end = int(packed.starts[at]), int(packed.starts[at + 1])
            # A token is trained on as a target: not the row's first, not a begin mark.
            targets = min(end, high) - max(begin + 1, low + 1)
            if targets > 0:
                trained.append(int(packed.documents[at]))
                place = {"row": row, "first_token": max(begin - low, 0)}
                parts.append(place | {"document_token": max(low - begin, 0), "tokens": targets})
            at += 1
    lines = lineage(loader.documents, np.array(trained, dtype=np.int64))
    return [p | line for p, line in zip(parts, lines, strict=True)]


def of_document(folder: str | Path, value: str, column: str = "url") -> list[dict[str, Any]]:
    """The steps of the whole run that train on the documents whose url (or id) is `value`.

    A step that was skipped after a spike trained on nothing and is not among them.
    """
    config, loader = open_run(folder)
    result = [
        row
        for document in find(loader.documents, value, column)
        for row in steps_of(config, loader, document, skipped(folder))
    ]
    return sorted(result, key=lambda r: (r["step"], r["document"]))


def steps_of(
    config: Config, loader: Loader, document: int, left_out: set[int]
) -> list[dict[str, Any]]:
    """The steps, but those left out (0-based), that train on a document: [{step, document, epoch}].

    A step is named once for each of its rows that hold a part of the document.
    """
    end = first_row(config.train, total_steps(config))
    loader.order.extend(end)
    chunks = _chunks_with(loader, document)
    result: list[dict[str, Any]] = []
    for index, block in enumerate(loader.order.blocks):
        if (block.group, block.chunk) not in chunks:
            continue
        members = loader.order.documents_of(block)
        for at in np.flatnonzero(members == document).tolist():  # a weighted one has copies
            first = int(loader.documents.lengths[members[:at]].sum())
            last = first + int(loader.documents.lengths[document]) - 2  # last target's input
            inner = np.arange(first // loader.seq_len, last // loader.seq_len + 1)
            for row in loader.order.row_of(index, inner.astype(np.int64)).tolist():
                step = step_of_row(config.train, row) + 1
                if row < end and step - 1 not in left_out:
                    result.append({"step": step, "document": document, "epoch": block.epoch})
    return result


def _chunks_with(loader: Loader, document: int) -> set[tuple[int, int]]:
    """(group, chunk) of the blocks that hold a document: one for each of its copies at most."""
    chunks_with: set[tuple[int, int]] = set()
    for g, group in enumerate(loader.order.groups):
        at = np.flatnonzero(group.documents == document)
        chunks = np.searchsorted(group.cuts, at, side="right") - 1
        chunks_with |= {(g, chunk) for chunk in chunks.tolist()}
    return chunks_with


def find(documents: Documents, value: str, column: str) -> list[int]:
    """Numbers of the documents whose `column` equals `value`. Raises ConfigError if none."""
    numbers: list[int] = []
    for shard, file in enumerate(documents.files):
        equal = pc.equal(pq.read_table(file, columns=[column]).column(0), value)
        hits = np.flatnonzero(pc.fill_null(equal, False).to_numpy())
        numbers += (hits + documents.shard_start[shard]).tolist()
    if not numbers:
        raise ConfigError(f"no training document has {column} {value!r}")
    return numbers


def lineage(documents: Documents, numbers: np.ndarray) -> list[dict[str, Any]]:
    """The lineage columns of documents, in the given order."""
    tables: dict[int, list[dict[str, Any]]] = {}
    result = []
    for number in numbers.tolist():
        shard, row = documents.place(number)
        if shard not in tables:
            file = documents.files[shard]
            tables[shard] = pq.read_table(file, columns=LINEAGE.names).to_pylist()
        result.append(tables[shard][row])
    return result


def loss_tokens(loader: Loader, step: int) -> int:
    """How many targets a step trains on (for checks)."""
    return int((loader.batch(step - 1).targets != IGNORE).sum())


def _check_step(config: Config, step: int) -> None:
    if not 1 <= step <= total_steps(config):
        raise ConfigError(f"step {step} is not in 1 to {total_steps(config)}, the steps of the run")
