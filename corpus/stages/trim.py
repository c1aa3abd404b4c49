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
from corpus.text.blocks import BLOCKS_TYPE
from corpus.text.views import plain_of

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
        texts = plain_of(_after_paragraphs(unit)[0])
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


def _after_paragraphs(unit: Selected) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """(documents, paragraphs cut int64[n], weight float32[n]) of a file; text is large_string."""
    batches = list(unit.texts())
    if not batches:
        empty = pa.schema([*((n, pa.string()) for n in selection.ABOUT if n != "blocks"),
                           ("blocks", BLOCKS_TYPE)]).empty_table()  # fmt: skip
        return _with_large_texts(empty), np.zeros(0, int), np.zeros(0, np.float32)
    table = _with_large_texts(pa.Table.from_batches(batches))
    cut, weight = np.zeros(len(table), int), np.ones(len(table), np.float32)
    rule, least = unit.settings.dedup.paragraph_rule, unit.settings.dedup.paragraph_least
    if unit.settings.dedup.paragraph != "none" and rule != "count":
        name = f"{unit.settings.dedup.paragraph_match}_{unit.settings.dedup.paragraph}"
        annotated = pq.read_table(unit.layout.paragraphs(unit.index), columns=[name])
        counts = annotated[name].combine_chunks()
        if rule == "remove":
            table, cut = paragraphs.drop(table, counts, least)
        else:
            weight = paragraphs.document_weights(table, counts, least)
    return table, cut, weight


def _with_large_texts(table: pa.Table) -> pa.Table:
    """The table with texts that may exceed 2 GiB together."""
    at = table.schema.get_field_index("text")
    return table.set_column(at, "text", table["text"].cast(pa.large_string()))


def _finish(unit: Selected) -> None:
    """Write what is left of a file, its ledger rows and its receipt."""
    folder, layout = unit.folder, unit.layout
    before = unit.read()
    documents, cut, weight = _after_paragraphs(unit)
    letters, seen = np.zeros(len(documents), int), plain_of(documents)
    if unit.settings.dedup.substring and len(documents):
        shorter = drop_spans(documents, pq.read_table(layout.passages(unit.index)))
        lengths = pc.utf8_length(seen)
        documents, seen = shorter, plain_of(shorter)
        letters = pc.subtract(lengths, pc.utf8_length(seen)).to_numpy().astype(int)
    # The rows that are handed on: what changed carries its text, what is empty goes.
    altered = (cut > 0) | (letters > 0)
    empty = altered & (pc.binary_length(normalise(seen)).to_numpy() == 0)
    table = _handed_on(before, documents, altered, weight)
    table = table.take(pa.array(np.flatnonzero(~empty))).combine_chunks()
    out, ledger = layout.rows("trim", unit.index), layout.ledger("trim", unit.index)
    rows = _ledger(documents.drop_columns(["text"]), unit.settings.dedup, cut, letters, empty)
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


def _handed_on(
    before: pa.Table, documents: pa.Table, altered: np.ndarray, weight: np.ndarray
) -> pa.Table:
    """The rows with text, blocks and size of the altered documents, and their weights."""
    mask = pa.array(altered)
    texts = documents["text"]
    columns = {
        selection.TEXT: pc.if_else(mask, texts, pa.scalar(None, texts.type)),
        before.schema.field("n_bytes"): pc.if_else(
            mask, pc.binary_length(texts), before["n_bytes"]
        ),
        selection.WEIGHT: pc.multiply(before["weight"], pa.array(weight)),
    }
    if "blocks" in documents.column_names:
        none = pa.scalar(None, BLOCKS_TYPE)
        columns[selection.BLOCKS] = pc.if_else(mask, documents["blocks"], none)
    for field, column in columns.items():
        at = before.schema.get_field_index(field.name)
        before = before.set_column(at, field, column.cast(field.type))
    return before


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
