"""Trim: paragraphs and passages that recur are cut out of the selected documents, or weighed down.

Only with `[dedup] paragraph` or `substring`. Paragraphs are counted over the documents that select
left, by host and over the corpus, exactly and nearly; the counts stay in DIR/paragraphs, a row per
document. Then `paragraph_rule` cuts frequent ones, or gives the document the mean of 1 / count of
its paragraphs (by length) as its weight. A document of which nothing is left is dropped.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.passages import paragraphs
from corpus.dedup.passages.substrings import drop_spans, repeated_spans
from corpus.dedup.signatures.normal import normalise
from corpus.errors import RunError
from corpus.folder import selection
from corpus.folder.commit import commit_parquet, sha256
from corpus.folder.schema import LEDGER
from corpus.folder.selection import Selected
from corpus.settings import DedupSettings
from corpus.stages.stage import Job

BYTES_PER_LETTER = 40  # of corpus.dedup.passages.substrings


def run(job: Job) -> None:
    """Trim all documents files; receipts name the selection they were made from."""
    settings, layout = job.settings.dedup, job.folder.layout
    made_from = selection.digest(layout, job.files, job.chain)
    if all(job.folder.is_made_from("trim", index, made_from) for index in job.files):
        return
    units = [Selected(job.folder, i, job.chain, job.settings, made_from) for i in job.files]
    counts = [layout.paragraph_counts(index) for index in job.files]
    # Paragraphs are counted over all files before one of them is cut.
    if settings.paragraph != "none":
        job.each(_count, units, "count paragraphs")
        memory = f"{settings.memory_mib}MB"
        paragraphs.merge(counts, layout.frequent_paragraphs, 2, memory)
        job.each(_annotate, units, "annotate paragraphs")
    # Passages are looked for in what is left of the texts then, all of them at once.
    if settings.substring:
        _find_spans(units, settings)
    job.each(_finish, units, "trim")
    for path in (*counts, layout.frequent_paragraphs, *map(layout.passages, job.files)):
        path.unlink(missing_ok=True)


def _count(unit: Selected) -> None:
    paragraphs.count(unit.texts(), unit.layout.paragraph_counts(unit.index))


def _annotate(unit: Selected) -> None:
    layout = unit.layout
    paragraphs.annotate(
        unit.texts(), layout.frequent_paragraphs, layout.paragraphs(unit.index),
        unit.folder.commit_parquet,
    )  # fmt: skip


def _find_spans(units: list[Selected], settings: DedupSettings) -> None:
    """Write the passages that an earlier document has, a file per documents file."""
    parts, starts, letters = [], [0], 0
    for unit in units:
        texts = _after_paragraphs(unit)[1]
        letters += pc.sum(pc.utf8_length(texts)).as_py() or 0
        need = BYTES_PER_LETTER * letters >> 20
        if need > settings.memory_mib:
            raise RunError(
                f"dedup.substring needs {need:,} MiB and more for these documents: raise "
                f"dedup.memory_mib (it is {settings.memory_mib:,}) or leave substring off"
            )
        parts.append(texts)
        starts.append(starts[-1] + len(texts))
    spans = repeated_spans(pa.concat_arrays(parts), settings.substring)
    document = spans["document"].to_numpy()
    for unit, start, end in zip(units, starts, starts[1:], strict=False):
        low, high = np.searchsorted(document, [start, end])
        part = spans.slice(low, high - low)
        own = pa.array(document[low:high] - start)
        path = unit.layout.passages(unit.index)
        commit_parquet(path, part.schema, part.set_column(0, "document", own))


def _after_paragraphs(unit: Selected) -> tuple[pa.Table, pa.Array, np.ndarray, np.ndarray]:
    """(documents, texts large_string[n], paragraphs cut int64[n], weight float32[n]) of a file."""
    batches = list(unit.texts())
    if not batches:
        empty = pa.schema([*((n, pa.string()) for n in selection.ABOUT)]).empty_table()
        return empty, pa.array([], pa.large_string()), np.zeros(0, int), np.zeros(0, np.float32)
    table = pa.Table.from_batches(batches)
    texts = table["text"].cast(pa.large_string()).combine_chunks()
    cut, weight = np.zeros(len(table), int), np.ones(len(table), np.float32)
    rule = unit.settings.dedup.paragraph_rule
    if unit.settings.dedup.paragraph != "none" and rule != "count":
        name = f"{unit.settings.dedup.paragraph_match}_{unit.settings.dedup.paragraph}"
        annotated = pq.read_table(unit.layout.paragraphs(unit.index), columns=[name])
        counts = annotated[name].combine_chunks()
        if rule == "remove":
            texts, cut = paragraphs.drop(texts, counts, unit.settings.dedup.paragraph_least)
        else:
            weight = paragraphs.document_weights(texts, counts, unit.settings.dedup.paragraph_least)
    return table.drop_columns(["text"]), texts, cut, weight


def _finish(unit: Selected) -> None:
    """Write what is left of a file, its ledger rows and its receipt."""
    folder, layout = unit.folder, unit.layout
    before = unit.read()
    documents, texts, cut, weight = _after_paragraphs(unit)
    letters = np.zeros(len(texts), int)
    if unit.settings.dedup.substring and len(texts):
        shorter = drop_spans(texts, pq.read_table(layout.passages(unit.index)))
        letters = pc.subtract(pc.utf8_length(texts), pc.utf8_length(shorter)).to_numpy()
        texts = shorter
    # The rows that are handed on: what changed carries its text, what is empty goes.
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
    out, ledger = layout.rows("trim", unit.index), layout.ledger("trim", unit.index)
    rows = _ledger(documents, unit.settings.dedup, cut, letters, empty)
    outputs = {out: folder.commit_parquet(out, table.schema, table)[0]}
    outputs[ledger] = folder.commit_parquet(ledger, LEDGER, rows)[0]
    if (annotated := layout.paragraphs(unit.index)).exists():
        outputs[annotated] = sha256(annotated)
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
    folder.write_receipt("trim", unit.index, outputs, counts)


def _ledger(
    documents: pa.Table, settings: DedupSettings, cut: np.ndarray, letters: np.ndarray,
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
        documents.take(pa.array(rows)),
        "trim",
        rule=np.where(letters > 0, "substring", "paragraph")[rows].tolist(),
        action=np.where(empty, "drop", "alter")[rows].tolist(),
        value=np.where(letters > 0, letters, cut)[rows].astype(float),
        threshold=[float(settings.substring if letters[r] else settings.paragraph_least)
                   for r in rows.tolist()],
        detail=details,
    ).cast(LEDGER)  # fmt: skip
