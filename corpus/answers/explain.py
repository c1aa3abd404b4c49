"""`corpus explain`: why a page is in the corpus or out of it, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config
from corpus.folder import scores
from corpus.folder.layout import Layout
from corpus.folder.schema import document_id
from corpus.sources import ccindex
from corpus.sources.item import Item
from corpus.sources.kinds import items_of
from corpus.sources.plan import units
from corpus.stages.document import Reject, document
from filters import additive
from filters.profile import load
from filters.signals import MODEL

ORIGIN = [
    *("id", "url", "source", "title", "n_chars", "language", "language_score", "charset"),
    *("charset_from", "repairs", "source_file", "source_offset", "source_length"),
]


def explain(layout: Layout, name: str) -> list[dict[str, Any]]:
    """Everything known about a URL or document id: one entry per record, with `sentences`."""
    # What the folder holds of that name: published, read, dropped or altered.
    shards = _find(layout.shards(), name, [*ORIGIN, "cluster", "cluster_size"])
    documents = _find(layout.documents_files(), name, ORIGIN)
    ledger = _find(layout.ledgers(), name, None)
    in_corpus = {row["id"]: row for row in shards}
    altered = [row for row in ledger if row["action"] in ("alter", "mark")]
    ledger = [row for row in ledger if row["action"] not in ("alter", "mark")]
    dropped = {row["id"]: row for row in ledger}
    # Documents: where each came from, what was changed, then its fate.
    answers = []
    for row in documents:
        changes = [change for change in altered if change["id"] == row["id"]]
        sentences = [
            _origin_sentence(row),
            *map(_change_sentence, changes),
            *scores.sentences(layout, row["id"]),
        ]
        outcome = "undecided"
        if row["id"] in dropped:
            outcome = "dropped"
            sentences += _why_dropped(layout, dropped[row["id"]])
            if dropped[row["id"]]["stage"] == "select":
                sentences += _model_sentences(layout, row)
        elif row["id"] in in_corpus:
            outcome = "kept"
            sentences += _why_kept(layout, in_corpus[row["id"]])
            sentences += _model_sentences(layout, row)
        answers.append(
            {
                "outcome": outcome,
                **row,
                "sentences": sentences,
                "ledger": dropped.get(row["id"]),
                "altered": changes,
            }
        )
    # Records that never became a document stand in the ledger alone.
    known = {row["id"] for row in documents}
    for row in ledger:
        if row["id"] not in known:
            place = f"{row['source_file']} at offset {row['source_offset']}"
            answers.append(
                {
                    "outcome": "dropped",
                    "id": row["id"],
                    "url": row["url"],
                    "ledger": row,
                    "sentences": [f"The record stands in {place}.", *_why_dropped(layout, row)],
                }
            )
    # Only counted, as most records of a crawl are: then the input itself is asked.
    return answers or _search_input(layout, name)


def _find(files: Iterable[Path], name: str, columns: list[str] | None) -> list[dict[str, Any]]:
    """Rows of Parquet files whose url or id is `name`."""
    wanted = (pc.field("url") == name) | (pc.field("id") == name)
    rows: list[dict[str, Any]] = []
    for path in files:
        table = pq.read_table(path, columns=columns, filters=wanted)
        rows += table.to_pylist()
    return rows


def _origin_sentence(row: dict[str, Any]) -> str:
    """Where a document stands in the input, how it was decoded, and what came of it."""
    how = {
        "bom": "by its byte order mark",
        "header": "as its HTTP header says",
        "meta": "as its <meta> says",
        "bytes": "found from its bytes",
        "given": "as given",
        "mojibake": "mojibake undone",
    }.get(row["charset_from"], row["charset_from"])
    repairs = f", {row['repairs']} spots repaired" if row["repairs"] else ""
    return (
        f"{row['url'] or row['id']} stands in {row['source_file']} at offset "
        f"{row['source_offset']}; it was decoded from {row['charset']} ({how}{repairs}) and has "
        f"{row['n_chars']:,} characters of main text in {row['language']} "
        f"({row['language_score']:.2f})."
    )


def _change_sentence(row: dict[str, Any]) -> str:
    """What a step changed in a text that stays: a ledger row with the action alter."""
    return f"In {row['stage']} the rule {row['rule']} changed it: {row['detail']}."


def _why_kept(layout: Layout, row: dict[str, Any]) -> list[str]:
    """Sentences on a published row: the profile it passed, and the copies it stands for."""
    select = config.of_folder(layout)[0].select
    profile = select.profile_of(row["source"])
    own = f", which decides on the source {row['source']}," if select.profiles else ""
    sentences = [f"It passed every rule of profile {profile}{own} and is in the corpus."]
    if row["cluster_size"] > 1:
        others = row["cluster_size"] - 1
        sentences.append(
            f"It is the kept copy of a cluster of {row['cluster_size']} duplicates: "
            f"{others} other {'copy was' if others == 1 else 'copies were'} removed."
        )
    return sentences


def _model_sentences(layout: Layout, row: dict[str, Any]) -> list[str]:
    """What each model of the document's profile says of it, and the three signals that decided."""
    profile = load(config.of_folder(layout)[0].select.profile_of(row["source"]))
    out = []
    for rule in profile.rules:
        if not rule.signal.startswith(MODEL):
            continue
        model = additive.load(rule.signal.removeprefix(MODEL))
        quality = _find(layout.documents_files(), row["id"], ["quality"])[0]["quality"]
        values = {name: float(quality[name]) for name in model.signals}
        probability = model.probability({n: np.array([v]) for n, v in values.items()})[0]
        why = additive.sentence(model.contributions(values))
        out.append(
            f"The model {model.name} gives it {probability:.2f} ({rule.bounds()} is kept): {why}."
        )
    return out


def _why_dropped(layout: Layout, row: dict[str, Any]) -> list[str]:
    """A sentence on a ledger row: skipped, a duplicate of a kept copy, or the rule that took it."""
    stage, rule = row["stage"], row["rule"]
    if row["action"] == "skip":
        detail = f" ({row['detail']})" if row["detail"] else ""
        return [f"It was no candidate for the corpus: {rule}{detail}."]
    if row["kept_id"]:
        kept = _find(layout.documents_files(), row["kept_id"], ["id", "url"])
        where = f"{kept[0]['url']} ({row['kept_id']})" if kept else row["kept_id"]
        if not kept and "of the index: " in row["detail"]:
            where += f", {row['detail'].rpartition('; kept ')[2]}"
        alike = "" if row["value"] is None else f": similarity {row['value']:.2f}"
        return [
            f"It was removed in {stage} as a duplicate ({rule}){alike} to the kept copy {where}."
        ]
    value = ""
    if row["value"] is not None:
        value = f": measured {row['value']:.6g}"
        if row["threshold"] is not None:
            value += f", bound {row['threshold']:.6g}"
    detail = f" ({row['detail']})" if row["detail"] else ""
    return [f"It was dropped in {stage} by the rule {rule}{value}{detail}."]


def _search_input(layout: Layout, name: str) -> list[dict[str, Any]]:
    """A record that was only counted leaves no row: read the input again and say why."""
    answers = []
    for item, result in _reread(layout, name):
        if isinstance(result, Reject):
            answers.append(
                {
                    "outcome": "skipped" if result.skip else "dropped",
                    "id": document_id(item.file, item.offset, item.part),
                    "url": item.url,
                    "sentences": [
                        f"{item.url} stands in {item.file} at offset {item.offset}.",
                        f"It was no candidate for the corpus: {result.rule}"
                        + (f" ({result.detail})." if result.detail else "."),
                    ],
                }
            )
    return answers


def _reread(layout: Layout, name: str) -> list[tuple[Item, dict[str, Any] | Reject]]:
    """The records of that URL or id with what harvest makes of them, under the build's settings."""
    settings, inputs = config.of_folder(layout)
    if settings.input.kind == "ccindex":  # fetch its records again, not the whole selection
        again = ccindex.find(layout, name)
    else:
        uncut = config.set_key(settings, "input", "unit_mib", 1 << 30, "explain")
        again = units(list(inputs), uncut)
    return [
        (item, document(item, settings))
        for unit in again
        for item in items_of(unit, settings)
        if name in (item.url, document_id(item.file, item.offset, item.part))
    ]
