"""From a training step to the documents behind it, and back; and the proof of what was read.

Nothing of this is logged during training: order is a pure function of (seed, step), so any step
can be made again from the run's settings and the token shards. Steps count from 1, as in
metrics.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trainer.analysis.remove import BEFORE
from trainer.config.settings import Config, ConfigError
from trainer.data.loader import Loader, Section, chain, proof
from trainer.data.steps import Timeline, total_steps
from trainer.folder.run import load_run, skipped
from trainer.folder.run import metrics as metrics
from trainer.tokens.documents import Documents
from trainer.tokens.parquet import LINEAGE


def open_run(folder: str | Path) -> tuple[Config, Loader]:
    """Settings and loader of a run. Raises ConfigError when its token shards changed."""
    config, _ = load_run(folder)
    if not Timeline(config).folders[0]:
        raise ConfigError(
            f"{folder} was tuned on conversations: replay and trace know runs of `trainer train`"
        )
    loader = Loader(config)
    said = (Path(folder) / "data-card.json").read_text(encoding="utf-8")
    for tokens, manifest in loader.documents.manifests.items():
        if any(before in said for before in manifest.get(BEFORE, ())):
            raise ConfigError(
                f"documents were removed from {tokens} after {folder} was trained on it: "
                "what its steps read cannot be made again"
            )
        if manifest["fingerprint"] not in said:
            raise ConfigError(f"{tokens} is not what {folder} was trained on")
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
        digest = proof(loader.batch(step - 1).digest)
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
    phase = loader.timeline.at(step - 1)
    numbers = np.arange(phase.batch_rows, dtype=np.int64) + phase.row(step - 1)
    section = loader.section(int(numbers[0]))
    blocks, inner = section.rows(numbers)
    seq_len = section.order.seq_len
    parts: list[dict[str, Any]] = []
    trained: list[int] = []
    for row, (block, inner_row) in enumerate(zip(blocks.tolist(), inner.tolist(), strict=True)):
        packed = loader.packed(section.order, block)
        low = inner_row * seq_len
        high = min(low + seq_len + 1, int(packed.starts[-1]))
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
    _, loader, end, left_out = whole_run(folder)
    result: list[dict[str, Any]] = []
    for document in find(loader.documents, value, column):
        result += steps_of(loader, document, end, left_out)
    return sorted(result, key=lambda r: (r["step"], r["document"]))


def of_documents(folder: str | Path, ids: list[str]) -> dict[str, list[int]]:
    """id -> the steps of the whole run that train on it, for every id among its documents."""
    _, loader, end, left_out = whole_run(folder)
    found: dict[str, list[int]] = {}
    for name, document, *_ in with_ids(loader.documents, ids):
        steps = {r["step"] for r in steps_of(loader, document, end, left_out)}
        found[name] = sorted(steps.union(found.get(name, [])))
    return found


def whole_run(folder: str | Path) -> tuple[Config, Loader, int, set[int]]:
    """(settings, loader with the order of all rows, their number, steps left out from 0)."""
    config, loader = open_run(folder)
    end = loader.timeline.row(total_steps(config))
    loader.extend(end)
    return config, loader, end, skipped(folder)


def with_ids(documents: Documents, ids: Iterable[str]) -> Iterator[tuple[str, int, Path, int]]:
    """(id, number of the document, its file, its row there) of the documents with these ids."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    for shard, file in enumerate(documents.files):
        column = pq.read_table(file, columns=["id"])["id"].cast(pa.string())
        for row in np.flatnonzero(pc.is_in(column, wanted).to_numpy()).tolist():
            yield str(column[row].as_py()), int(documents.shard_start[shard]) + row, file, row


def steps_of(loader: Loader, document: int, end: int, left_out: set[int]) -> list[dict[str, Any]]:
    """A row for each step and copy by which a run of `end` rows trains on a document."""
    result: list[dict[str, Any]] = []
    starts = [*(s.part.first_row for s in loader.sections), end]
    for section, stop in zip(loader.sections, starts[1:], strict=True):
        for row, epoch in _rows_with(section, document):
            step = loader.timeline.step_of_row(row) + 1 if row < stop else 0
            if section.part.first_row <= row < stop and step - 1 not in left_out:
                result.append({"step": step, "document": document, "epoch": epoch})
    return result


def _rows_with(section: Section, document: int) -> Iterator[tuple[int, int]]:
    """(row of the run, epoch) of every row that a phase's order has of a document."""
    order = section.order
    chunks: set[tuple[int, bool, int]] = set()  # of the blocks that hold it, one for each copy
    for g, group in enumerate(order.groups):
        for epoch in (0, 1):
            holding = group.blocks(epoch).holding(document)
            chunks |= {(g, epoch > 0, chunk) for chunk in holding}
    for index, block in enumerate(order.blocks):
        if (block.group, block.epoch > 0, block.chunk) not in chunks:
            continue
        members = order.documents_of(block)
        for before in np.flatnonzero(members == document).tolist():
            first = int(order.starts_of(members[:before])[-1])
            last = first + int(order.lengths[document]) - 2  # last target's input
            inner = np.arange(first // order.seq_len, last // order.seq_len + 1, dtype=np.int64)
            rows = order.row_of(index, inner) - section.start + section.part.first_row
            yield from ((row, block.epoch) for row in rows.tolist())


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


def _check_step(config: Config, step: int) -> None:
    if not 1 <= step <= total_steps(config):
        raise ConfigError(f"step {step} is not in 1 to {total_steps(config)}, the steps of the run")
