"""`corpus explain`: why a page is in the corpus or out of it, in plain sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import config
from corpus.answers.naming import Find, alike, find, of_file, url_key
from corpus.errors import counted
from corpus.folder import scores
from corpus.folder.layout import Layout
from corpus.folder.lookup import rows_of
from corpus.folder.schema import REMOVED_FORMAT, TRUNCATED, document_id
from corpus.sources import ccindex
from corpus.sources.item import Item
from corpus.sources.kinds import items_of
from corpus.sources.plan import as_planned
from corpus.stages.document import Reject, document
from filters import additive
from filters.profile import load
from filters.signals import MODEL

OF_FILE = 20  # records of an input file that are told when it is asked for
ORIGIN = [
    *("id", "url", "source", "title", "n_chars", "language", "language_score", "charset"),
    *("charset_from", "repairs", "truncated", "source_file", "source_offset", "source_length"),
    "format",
]
NAMED = ["id", "url", "title", "source_file", "source_offset"]


def explain(layout: Layout, name: str, find: Find = find) -> list[dict[str, Any]]:
    """Everything known about a URL or document id: one entry per record, with `sentences`.

    A URL that no record has is also looked for without scheme, case, fragment and last slash. The
    name of an input file means its records: the first OF_FILE are told, and each entry has their
    number as `of_file`. find: looks up an id, and for `name` a URL.
    """
    answers = _in_folder(layout, partial(find, name), find)
    answers = answers or _in_folder(layout, partial(alike, name), find)
    answers = answers or _of_file(layout, name, find)
    # Only counted, as most records of a crawl are: then the input itself is asked.
    return answers or _search_input(layout, name)


def _of_file(layout: Layout, name: str, find: Find) -> list[dict[str, Any]]:
    """The first records of an input file."""
    ids = of_file(layout, name)
    if not ids:
        return []
    first = pa.array(ids[:OF_FILE], pa.string())
    answers = _in_folder(layout, lambda files, columns: rows_of(files, columns, first), find)
    return [answer | {"of_file": len(ids)} for answer in answers]


def _in_folder(
    layout: Layout,
    named: Callable[[Iterable[Path], list[str] | None], list[dict[str, Any]]],
    find: Find,
) -> list[dict[str, Any]]:
    """What the folder holds of a name: published, read, dropped or altered."""
    shards = named(layout.shards(), [*ORIGIN, "cluster", "cluster_size"])
    documents = named(layout.documents_files(), ORIGIN)
    ledger = named(layout.ledgers(), None)
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
            sentences += _why_dropped(layout, dropped[row["id"]], find)
            if dropped[row["id"]]["stage"] == "select":
                sentences += _model_sentences(layout, row, find)
        elif row["id"] in in_corpus:
            outcome = "kept"
            sentences += _why_kept(layout, in_corpus[row["id"]])
            sentences += _model_sentences(layout, row, find)
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
                    "sentences": [
                        f"The record stands in {place}.",
                        *_why_dropped(layout, row, find),
                    ],
                }
            )
    return answers


def _origin_sentence(row: dict[str, Any]) -> str:
    """Where a document stands in the input, how it was decoded, and what came of it."""
    if row["format"] == REMOVED_FORMAT:
        return (
            f"A document was read from {row['source_file']} at offset {row['source_offset']}; "
            "its text was taken out of this folder."
        )
    how = {
        "bom": "by its byte order mark",
        "header": "as its HTTP header says",
        "meta": "as its <meta> says",
        "bytes": "found from its bytes",
        "given": "as given",
        "mojibake": "mojibake undone",
    }.get(row["charset_from"], row["charset_from"])
    repairs = f", {counted(row['repairs'], 'spot')} repaired" if row["repairs"] else ""
    why = TRUNCATED.get(row["truncated"], row["truncated"])
    ends_early = f" Its text may end early: {why}." if why else ""
    # XML, EPUB and PDF have their text from a parser, which decodes.
    decoded = f"was decoded from {row['charset']} ({how}{repairs}) and " if row["charset"] else ""
    return (
        f"{row['url'] or row['id']} stands in {row['source_file']} at offset "
        f"{row['source_offset']}; it {decoded}has {counted(row['n_chars'], 'character')} of main "
        f"text in {row['language']} ({row['language_score']:.2f}).{ends_early}"
    )


def _change_sentence(row: dict[str, Any]) -> str:
    """What a step changed in a text that stays: a ledger row with the action alter."""
    detail = f": {row['detail']}" if row["detail"] else ""
    return f"In {row['stage']} the rule {row['rule']} changed it{detail}."


def _why_kept(layout: Layout, row: dict[str, Any]) -> list[str]:
    """Sentences on a published row: the profile it passed, and the copies it stands for."""
    select = config.of_folder(layout)[0].select
    profile = select.profile_of(row["source"])
    own = f", which decides on the source {row['source']}," if select.by_source()[1] else ""
    sentences = [f"It passed every rule of profile {profile}{own} and is in the corpus."]
    if row["cluster_size"] > 1:
        others = row["cluster_size"] - 1
        sentences.append(
            f"It is the kept copy of a cluster of {row['cluster_size']} duplicates: "
            f"{counted(others, 'other copy was', 'other copies were')} removed."
        )
    return sentences


def _model_sentences(layout: Layout, row: dict[str, Any], find: Find) -> list[str]:
    """What each model of the document's profile says of it, and the three signals that decided."""
    profile = load(config.of_folder(layout)[0].select.profile_of(row["source"]))
    out = []
    for rule in profile.rules:
        if not rule.signal.startswith(MODEL):
            continue
        model = additive.load(rule.signal.removeprefix(MODEL))
        quality = find(row["id"], layout.documents_files(), ["quality"])[0]["quality"]
        values = {name: float(quality[name]) for name in model.signals}
        probability = model.probability({n: np.array([v]) for n, v in values.items()})[0]
        why = additive.sentence(model.contributions(values))
        out.append(
            f"The model {model.name} gives it {probability:.2f} ({rule.bounds()} is kept): {why}."
        )
    return out


def _why_dropped(layout: Layout, row: dict[str, Any], find: Find) -> list[str]:
    """A sentence on a ledger row: skipped, a duplicate of a kept copy, or the rule that took it."""
    stage, rule = row["stage"], row["rule"]
    if row["action"] == "skip":
        detail = f" ({row['detail']})" if row["detail"] else ""
        return [f"It was no candidate for the corpus: {rule}{detail}."]
    if row["kept_id"]:
        kept = find(row["kept_id"], layout.documents_files(), NAMED)
        where = f"{_called(kept[0])} ({row['kept_id']})" if kept else row["kept_id"]
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


def _called(row: dict[str, Any]) -> str:
    """What a document is called: its URL, else its title, else its place in the input."""
    place = f"{row['source_file']}:{row['source_offset']}"
    return str(row["url"] or (f"「{row['title']}」" if row["title"] else place))


def _search_input(layout: Layout, name: str) -> list[dict[str, Any]]:
    """A record that was only counted leaves no row: read the input again and say why."""
    answers = []
    for item, result in _reread(layout, name):
        if isinstance(result, Reject):
            answers.append(
                {
                    "outcome": "skipped" if result.skip else "dropped",
                    "id": document_id(item.identity, item.offset, item.part),
                    "url": item.url,
                    "sentences": [
                        f"{item.url} stands in {item.file} at offset {item.place[0]}.",
                        f"It was no candidate for the corpus: {result.rule}"
                        + (f" ({result.detail})." if result.detail else "."),
                    ],
                }
            )
    return answers


def _reread(layout: Layout, name: str) -> list[tuple[Item, dict[str, Any] | Reject]]:
    """The records of that URL or id with what harvest makes of them, under the build's settings."""
    settings, _ = config.of_folder(layout)
    # Of a crawl's index only its records are fetched again, not the whole selection.
    of_index = settings.input.kind == "ccindex"
    again = ccindex.find(layout, name) if of_index else as_planned(layout)
    wanted = url_key(name)
    return [
        (item, document(item, settings))
        for unit in again
        for item in items_of(unit, settings)
        if url_key(item.url) == wanted or name == document_id(item.identity, item.offset, item.part)
    ]
