"""`corpus trace`: from a document or a shard row to its record in the input, and back.

    record in the input ↔ document ↔ shard row ↔ token row ↔ step ↔ checkpoint ↔ exported model

A name is a URL, a document id, `SHARD:ROW` (train-00000-of-00001.parquet:17; also of token shards,
tokens/train/tokens-00000.parquet:17) or `SOURCE-FILE:OFFSET` (crawl.warc.gz:123456); or a step of a
run, whose documents are named. Each answer holds both ends: the record with file, offset, length
and digest, and the shard and row, if the document was published; of runs that are named, token
rows, steps and checkpoints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config
from corpus.answers import runs
from corpus.answers.explain import explain
from corpus.answers.naming import named
from corpus.errors import RunError, UsageError, counted, one_line
from corpus.folder.layout import Layout, index_of
from corpus.folder.lookup import rows_of, rows_where
from corpus.folder.schema import REMOVED_FORMAT
from corpus.settings import Settings
from corpus.sources.inputs import open_input
from corpus.sources.item import Unit
from corpus.sources.plan import as_planned
from corpus.stages.harvest import documents_of

PLACE = [
    *("id", "url", "source_file", "source_offset", "source_length", "source_digest", "format"),
]


def trace(layout: Layout, name: str, verify: bool = False) -> list[dict[str, Any]]:
    """The lineage of a document: [{outcome, id, url, source_file, source_offset, source_length,
    source_digest, documents, shard, row, sentences}].

    `shard` and `row` are null for what was not published. verify: read the record again; `text`
    then tells whether harvest makes the same text of it, and `record` its size, SHA-256 and first
    line, where its place in the file is one of bytes (source_length above 0).
    UsageError for a name that the build does not know.
    """
    config.require_build(layout)
    answers = _rows(layout, name)
    if not answers:
        raise UsageError(
            f"{name} is no document of this build: name a URL, an id, SHARD:ROW or FILE:OFFSET; "
            "`corpus explain` also looks among the records that are none"
        )
    there = places(layout, (row["id"] for row in answers))
    for row in answers:
        row |= there[row["id"]]
        explained = [answer for answer in explain(layout, row["id"]) if answer["id"] == row["id"]]
        row["outcome"] = explained[0]["outcome"]
        row["sentences"] = explained[0]["sentences"]
        if row.pop("format") == REMOVED_FORMAT:  # its record is not served either
            continue
        if verify:
            if row["source_length"]:  # rows and items of a file have numbers, and no bytes
                row["record"] = _record(row)
            row["text"] = _text_again(layout, row)
    return answers


def in_runs(answers: list[dict[str, Any]], folders: list[Path], model: Path | None) -> None:
    """Add to each answer `runs`: what each run did with the document (corpus.answers.runs).

    model: exported from the first run; `model` then says which checkpoint it is.
    """
    asked = [runs.of_documents(folder, (row["id"] for row in answers)) for folder in folders]
    which = runs.exported(folders[0], model) if model is not None else None
    for row in answers:
        own = [d for facts in asked for d in facts["documents"] if d["id"] == row["id"]]
        row["runs"] = [
            facts | {"documents": [d for d in facts["documents"] if d in own]} for facts in asked
        ]
        row["model"] = which


def of_step(layout: Layout, run: Path, step: int) -> list[dict[str, Any]]:
    """The documents that a step of a run trained on, each with its record and its shard row.

    [{id, url, tokens, source_file, source_offset, source_length, documents, shard, row}] in the
    order of the step's rows; `documents` is null for one that this build does not hold.
    """
    config.require_build(layout)
    parts = runs.of_step(run, step)
    tokens: dict[str, int] = {}
    for part in parts:
        tokens[part["id"]] = tokens.get(part["id"], 0) + part["tokens"]
    first = {part["id"]: part for part in reversed(parts)}
    there = places(layout, tokens)
    keys = ("id", "url", "source_file", "source_offset", "source_length")
    absent = {"documents": None, "shard": None, "row": None}
    return [
        {key: first[name][key] for key in keys} | {"tokens": count} | there.get(name, absent)
        for name, count in tokens.items()
    ]


def places(layout: Layout, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """id → {documents, shard, row} of the documents of a build among these."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, dict[str, Any]] = {}
    for row in rows_of(layout.documents_files(), ["id"], wanted, numbered="at"):
        file = str(row["at"][0].relative_to(layout.root))
        found[row["id"]] = {"documents": file, "shard": None, "row": None}
    for row in rows_of(layout.shards(), ["id"], wanted, numbered="at"):
        path, number = row["at"]
        place = {"shard": str(path.relative_to(layout.root)), "row": number}
        found.setdefault(row["id"], {"documents": None}).update(place)
    return found


def _rows(layout: Layout, name: str) -> list[dict[str, Any]]:
    """The documents that a name means."""
    left, _, number = name.rpartition(":")
    looked_at, wanted = ["id", "url"], partial(named, name)
    if number.isdigit() and left.endswith(".parquet"):
        path = layout.shard(Path(left).name)
        if path.is_file():
            count = pq.read_metadata(path).num_rows
            if int(number) >= count:
                raise UsageError(
                    f"{layout.shown(path)} has {counted(count, 'row')}: there is no row {number}"
                )
            ids = pq.read_table(path, columns=["id"])["id"]
            wanted = partial(named, ids[int(number)].as_py())
        elif Path(left).is_file():  # of token shards
            wanted = partial(named, _token_id(Path(left), int(number)))
    elif number.isdigit() and left:
        looked_at = [*looked_at, "source_file", "source_offset"]
        wanted = partial(_named_or_at, name, left, int(number))
    rows = rows_where(layout.documents_files(), PLACE, looked_at, wanted, numbered="documents")
    return [{**row, "documents": str(row["documents"][0].relative_to(layout.root))} for row in rows]


def _named_or_at(name: str, file: str, offset: int, table: pa.Table) -> Any:
    """Whether each row is named so, or stands there in a file of this name."""
    files = table["source_file"]
    of_file = pc.or_(pc.equal(files, file), pc.ends_with(files, f"/{file}"))
    at = pc.and_(of_file, pc.equal(table["source_offset"], offset))
    return pc.or_(named(name, table), at)


def _token_id(path: Path, row: int) -> str:
    """The document of a row of token shards; UsageError when there is no such row."""
    try:
        ids = pq.read_table(path, columns=["id"])["id"]
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UsageError(f"{path} is no shard with ids: {one_line(error)}") from error
    if row >= len(ids):
        raise UsageError(f"{path} has {counted(len(ids), 'row')}: there is no row {row}")
    name: str = ids[row].as_py()
    return name


def _record(row: dict[str, Any]) -> dict[str, Any]:
    """The record's bytes as they stand in the input: their number, hash and first line."""
    path, length = row["source_file"], row["source_length"]
    try:
        with open_input(path) as file:
            file.seek(row["source_offset"])
            data = file.read(length)
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path} ({error}): run where the input is") from error
    head = data
    if data[:2] == b"\x1f\x8b":
        head = _unpacked(data)
    line = head.split(b"\n", 1)[0].strip().decode("utf-8", "replace")[:200]
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "first_line": line}


def _text_again(layout: Layout, row: dict[str, Any]) -> dict[str, Any]:
    """Whether harvest makes the stored text again, byte for byte, of what the input holds now.

    {sha256, bytes, same, of}: of the record or file alone, or of its whole unit, where what a site
    repeats was cut (harvest.site_boilerplate) and other pages count. `published` says the same of
    the shard's text, null for what was not published: trim, decontaminate or publish may have cut
    it.
    """
    stored = _text_of(layout.root / row["documents"], row["id"])
    unit = as_planned(layout)[index_of(Path(row["documents"]))]
    settings, _ = config.of_folder(layout)
    first = row["source_offset"]
    alone = replace(unit, start=first, end=first + row["source_length"])
    tries = {"unit": unit}
    if unit.kind == "warc" and len(unit.files) == 1:  # a record is soon read
        tries = {"record": alone, **tries}
    elif len(unit.files) > 1:
        at = unit.files.index(row["source_file"])
        own = replace(unit, files=unit.files[at : at + 1], identities=unit.identities[at : at + 1])
        tries = {"file": own, **tries}
    of = next(
        (of for of, part in tries.items() if _made_of(part, settings, row["id"]) == stored), ""
    )
    published = None
    if row["shard"]:
        published = _text_of(layout.root / row["shard"], row["id"]) == stored
    data = stored.encode("utf-8", "surrogatepass")
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "same": bool(of),
        "of": of,
        "published": published,
    }


def _made_of(unit: Unit, settings: Settings, name: str) -> str | None:
    """The text that harvest makes of a document; None where it makes none of that id."""
    for batch in documents_of(unit, settings):
        ids = batch["id"].to_pylist()
        if name in ids:
            text: str = batch["text"][ids.index(name)].as_py()
            return text
    return None


def _text_of(path: Path, name: str) -> str:
    """The text of a document in a Parquet file."""
    table = pq.read_table(path, columns=["text"], filters=pc.field("id") == name)
    text: str = table["text"][0].as_py()
    return text


def _unpacked(data: bytes) -> bytes:
    """The first bytes of a gzip member."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(data, 4096)
    except zlib.error:
        return b""


def as_text(answers: list[dict[str, Any]]) -> str:
    """The answers for a terminal."""
    lines = []
    for row in answers:
        place = f"{row['shard']}:{row['row']}" if row["shard"] else "not published"
        length = row["source_length"]
        size = f"{length:,} bytes" if length else "by its number in the file"
        lines += [
            f"{row['outcome'].upper()}  {row['url'] or row['source_file']}  ({row['id']})",
            f"  record    {row['source_file']}:{row['source_offset']}  "
            f"{size}  {row['source_digest'] or 'no digest'}",
            f"  document  {row['documents']}",
            f"  shard     {place}",
        ]
        if "record" in row:
            record = row["record"]
            lines.append(
                f"  bytes     {record['bytes']:,}, sha256 {record['sha256']}, "
                f"begins {record['first_line']}"
            )
        if "text" in row:
            lines.append(f"  text      {_text_sentence(row['text'])}")
        for facts in row.get("runs", ()):
            lines += [f"  {line}" for line in runs.lines(facts, row["id"], row["model"])]
        lines += [f"  {sentence}" for sentence in row["sentences"]]
    return "\n".join(lines) + "\n"


def _text_sentence(text: dict[str, Any]) -> str:
    """What reading the record again came to."""
    what = f"{text['bytes']:,} bytes, sha256 {text['sha256']}"
    if not text["same"]:
        return f"{what}: NOT what harvest makes of the input now"
    again = f"{what}: harvest makes the same of the {text['of']}, byte for byte"
    if text["published"] is None:
        return again
    return f"{again}; the shard has {'the same' if text['published'] else 'a shorter form of it'}"


def step_text(run: Path, step: int, rows: list[dict[str, Any]]) -> str:
    """The documents of a step for a terminal."""
    if not rows:
        return f"step {step:,} of {run} was skipped after a spike: it trained on nothing\n"
    lines = [f"step {step:,} of {run} trained on {counted(len(rows), 'document')}:"]
    for row in rows:
        place = f"{row['shard']}:{row['row']}" if row["shard"] else "not published by this build"
        lines += [
            f"{row['url'] or row['source_file']}  ({row['id']})  {counted(row['tokens'], 'token')}",
            f"  shard {place}  document {row['documents'] or 'none of this build'}  "
            f"record {row['source_file']}:{row['source_offset']}",
        ]
    return "\n".join(lines) + "\n"
