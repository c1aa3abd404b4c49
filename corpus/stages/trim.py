"""Trim: paragraphs and passages that recur are cut out of the selected documents, or weighed down.

Only with `[dedup] paragraph` or `substring`. Paragraphs are counted over the documents that select
left, by host and over the corpus, exactly and nearly; the counts stay in DIR/paragraphs, a row per
document. Then `paragraph_rule` cuts frequent ones, or gives the document the mean of 1 / count of
its paragraphs (by length) as its weight. A document of which nothing is left is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.passages import paragraphs
from corpus.dedup.passages.substrings import drop_spans, repeated_spans
from corpus.dedup.settings import DedupSettings
from corpus.dedup.signatures.normal import normalise
from corpus.errors import RunError
from corpus.folder import commit, selection
from corpus.folder.schema import LEDGER

BYTES_PER_LETTER = 40  # of corpus.dedup.passages.substrings
Each = Callable[[Callable[[Any], Any], Sequence[Any], str], None]


@dataclass(frozen=True)
class _Unit:
    """One documents file; picklable."""

    root: Path
    index: int
    settings: DedupSettings
    made_from: str = ""

    @property
    def counts(self) -> Path:
        return self.root / "state" / "trim" / f"counts-{self.index:07d}.parquet"

    @property
    def frequent(self) -> Path:
        return self.root / "state" / "trim" / "frequent.parquet"

    @property
    def annotated(self) -> Path:
        return self.root / "paragraphs" / f"{self.index:07d}.parquet"

    @property
    def spans(self) -> Path:
        return self.root / "state" / "trim" / f"spans-{self.index:07d}.parquet"

    @property
    def out(self) -> Path:
        return self.root / "state" / "trim" / f"{self.index:07d}.parquet"


def wanted(settings: DedupSettings) -> bool:
    """Whether there is anything to do."""
    return settings.paragraph != "none" or settings.substring > 0


def run(root: Path, files: int, settings: DedupSettings, each: Each) -> None:
    """Trim all documents files; receipts name the selection they were made from."""
    made_from = selection.digest(root, files, "trim")
    todo = [_Unit(root, index, settings, made_from) for index in range(files)]
    if all(_done(unit) for unit in todo):
        return
    if settings.paragraph != "none":
        each(_count, todo, "count paragraphs")
        memory = f"{settings.memory_mib}MB"
        paragraphs.merge([unit.counts for unit in todo], todo[0].frequent, 2, memory)
        each(_annotate, todo, "annotate paragraphs")
    if settings.substring:
        _find_spans(todo, settings)
    each(_finish, todo, "trim")
    for unit in todo:
        for path in (unit.counts, unit.spans):
            path.unlink(missing_ok=True)
    todo[0].frequent.unlink(missing_ok=True)


def _done(unit: _Unit) -> bool:
    receipt = commit.read_receipt(unit.out.with_suffix(".json"), unit.root)
    return receipt is not None and receipt["counts"]["made_from"] == unit.made_from


def _count(unit: _Unit) -> None:
    paragraphs.count(selection.texts(unit.root, unit.index, "trim"), unit.counts)


def _annotate(unit: _Unit) -> None:
    texts = selection.texts(unit.root, unit.index, "trim")
    paragraphs.annotate(texts, unit.frequent, unit.annotated)


def _find_spans(units: list[_Unit], settings: DedupSettings) -> None:
    """Write the passages that an earlier document has, a file per documents file."""
    parts, starts, letters = [], [0], 0
    for unit in units:
        found = _after_paragraphs(unit)[1]
        letters += pc.sum(pc.utf8_length(found)).as_py() or 0
        need = BYTES_PER_LETTER * letters >> 20
        if need > settings.memory_mib:
            raise RunError(
                f"dedup.substring needs {need:,} MiB and more for these documents: raise "
                f"dedup.memory_mib (it is {settings.memory_mib:,}) or leave substring off"
            )
        parts.append(found)
        starts.append(starts[-1] + len(found))
    spans = repeated_spans(pa.concat_arrays(parts), settings.substring)
    document = spans["document"].to_numpy()
    for unit, start, end in zip(units, starts, starts[1:], strict=False):
        low, high = np.searchsorted(document, [start, end])
        part = spans.slice(low, high - low)
        own = pa.array(document[low:high] - start)
        commit.commit_parquet(unit.spans, part.schema, part.set_column(0, "document", own))


def _after_paragraphs(unit: _Unit) -> tuple[pa.Table, pa.Array, np.ndarray, np.ndarray]:
    """(about, texts large_string[n], paragraphs cut int64[n], weight float32[n]) of a file."""
    batches = list(selection.texts(unit.root, unit.index, "trim"))
    if not batches:
        empty = pa.schema([*((n, pa.string()) for n in selection.ABOUT)]).empty_table()
        return empty, pa.array([], pa.large_string()), np.zeros(0, int), np.zeros(0, np.float32)
    table = pa.Table.from_batches(batches)
    texts = table["text"].cast(pa.large_string()).combine_chunks()
    cut, weight = np.zeros(len(table), int), np.ones(len(table), np.float32)
    chosen_rule = unit.settings.paragraph_rule
    if unit.settings.paragraph != "none" and chosen_rule != "count":
        name = f"{unit.settings.paragraph_match}_{unit.settings.paragraph}"
        counts = pq.read_table(unit.annotated, columns=[name])[name].combine_chunks()
        if chosen_rule == "remove":
            texts, cut = paragraphs.drop(texts, counts, unit.settings.paragraph_least)
        else:
            weight = paragraphs.document_weights(texts, counts, unit.settings.paragraph_least)
    return table.drop_columns(["text"]), texts, cut, weight


def _finish(unit: _Unit) -> None:
    """Write what is left of a file, its ledger rows and its receipt."""
    root, before = unit.root, selection.read(unit.root, unit.index, "trim")
    about, texts, cut, weight = _after_paragraphs(unit)
    letters = np.zeros(len(texts), int)
    if unit.settings.substring and len(texts):
        shorter = drop_spans(texts, pq.read_table(unit.spans))
        letters = pc.subtract(pc.utf8_length(texts), pc.utf8_length(shorter)).to_numpy()
        texts = shorter
    altered = (cut > 0) | (letters > 0)
    empty = altered & (pc.binary_length(normalise(texts)).to_numpy() == 0)
    kept = pa.array(np.flatnonzero(~empty))
    new = pc.if_else(pa.array(altered), texts, pa.scalar(None, pa.large_string()))
    table = before.set_column(before.schema.get_field_index("text"), selection.TEXT,
                              new.cast(pa.string()))  # fmt: skip
    sizes = pc.if_else(pa.array(altered), pc.binary_length(texts), before["n_bytes"])
    at = table.schema.get_field_index("n_bytes")
    table = table.set_column(at, before.schema.field("n_bytes"), sizes.cast(pa.int32()))
    at = table.schema.get_field_index("weight")
    weights = pc.multiply(before["weight"], pa.array(weight))
    table = table.set_column(at, selection.WEIGHT, weights).take(kept).combine_chunks()
    ledger = root / "ledger" / f"trim-{unit.index:07d}.parquet"
    rows = _ledger(about, unit.settings, cut, letters, empty)
    outputs = {unit.out: commit.commit_parquet(unit.out, table.schema, table)[0]}
    outputs[ledger] = commit.commit_parquet(ledger, LEDGER, rows)[0]
    if unit.annotated.exists():
        outputs[unit.annotated] = commit.sha256(unit.annotated)
    rule = np.where(letters > 0, "substring", "paragraph")[empty]
    names, numbers = np.unique(rule, return_counts=True)
    counts = {
        "input": len(before),
        "kept": len(table),
        "dropped": dict(zip(names.tolist(), numbers.tolist(), strict=True)),
        "altered": {"cut": int((altered & ~empty).sum())},
        "paragraphs": int(cut.sum()),
        "letters": int(letters.sum()),
        "made_from": unit.made_from,
    }
    commit.write_receipt(unit.out.with_suffix(".json"), root, outputs, counts)


def _ledger(
    about: pa.Table, settings: DedupSettings, cut: np.ndarray, letters: np.ndarray,
    empty: np.ndarray,
) -> pa.Table:  # fmt: skip
    """A row for every document that was altered or emptied."""
    rows = np.flatnonzero((cut > 0) | (letters > 0))
    place = "its host" if settings.paragraph == "host" else "the corpus"
    details = []
    for row in rows.tolist():
        words = []
        if cut[row]:
            words.append(
                f"{cut[row]} paragraphs that {settings.paragraph_least} or more documents of "
                f"{place} have ({settings.paragraph_match}) were cut"
            )
        if letters[row]:
            words.append(f"{letters[row]} characters that an earlier document has were cut")
        details.append("; ".join(words) + ("; nothing is left" if empty[row] else ""))
    return selection.ledger_rows(
        about.take(pa.array(rows)),
        "trim",
        rule=np.where(letters > 0, "substring", "paragraph")[rows].tolist(),
        action=np.where(empty, "drop", "alter")[rows].tolist(),
        value=np.where(letters > 0, letters, cut)[rows].astype(float),
        threshold=[float(settings.substring if letters[r] else settings.paragraph_least)
                   for r in rows.tolist()],
        detail=details,
    ).cast(LEDGER)  # fmt: skip
