"""`corpus trace`: from a document or a shard row to its record in the input, and back.

A name is a URL, a document id, `SHARD:ROW` (train-00000-of-00001.parquet:17) or
`SOURCE-FILE:OFFSET` (crawl.warc.gz:123456). Each answer holds both ends: the record with file,
offset, length and digest, and the shard and row, if the document was published.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus import config
from corpus.answers.explain import explain
from corpus.errors import RunError, UsageError, counted
from corpus.folder.layout import Layout
from corpus.folder.removals import hashed_url
from corpus.folder.schema import REMOVED_FORMAT
from corpus.sources.inputs import open_input

PLACE = [
    *("id", "url", "source_file", "source_offset", "source_length", "source_digest", "format"),
]


def trace(layout: Layout, name: str, verify: bool = False) -> list[dict[str, Any]]:
    """The lineage of a document: [{outcome, id, url, source_file, source_offset, source_length,
    source_digest, documents, shard, row, sentences}].

    `shard` and `row` are null for what was not published. verify: read the record again; `record`
    then has its size, SHA-256 and first line. UsageError for a name that the build does not know.
    """
    config.require_build(layout)
    answers = _rows(layout, name)
    if not answers:
        raise UsageError(
            f"{name} is no document of this build: name a URL, an id, SHARD:ROW or FILE:OFFSET; "
            "`corpus explain` also looks among the records that are none"
        )
    for row in answers:
        row |= _shard(layout, row["id"])
        explained = [answer for answer in explain(layout, row["id"]) if answer["id"] == row["id"]]
        row["outcome"] = explained[0]["outcome"]
        row["sentences"] = explained[0]["sentences"]
        if row.pop("format") == REMOVED_FORMAT:  # its record is not served either
            continue
        if verify:
            row["record"] = _record(row)
    return answers


def _rows(layout: Layout, name: str) -> list[dict[str, Any]]:
    """The documents that a name means."""
    left, _, number = name.rpartition(":")
    wanted = (pc.field("id") == name) | pc.field("url").isin([name, hashed_url(name)])
    if number.isdigit() and left.endswith(".parquet"):
        path = layout.shard(Path(left).name)
        if path.is_file():
            rows = pq.read_metadata(path).num_rows
            if int(number) >= rows:
                raise UsageError(
                    f"{layout.shown(path)} has {counted(rows, 'row')}: there is no row {number}"
                )
            ids = pq.read_table(path, columns=["id"])["id"]
            wanted = pc.field("id") == ids[int(number)].as_py()
    elif number.isdigit() and left:
        at = pc.field("source_offset") == int(number)
        wanted |= at & (
            (pc.field("source_file") == left) | pc.ends_with(pc.field("source_file"), f"/{left}")
        )
    return [
        {**row, "documents": str(path.relative_to(layout.root))}
        for path in layout.documents_files()
        for row in pq.read_table(path, columns=PLACE, filters=wanted).to_pylist()
    ]


def _shard(layout: Layout, name: str) -> dict[str, Any]:
    """The published shard and row of a document id."""
    for path in layout.shards():
        ids = pq.read_table(path, columns=["id"])["id"]
        row = pc.index(ids, name).as_py()
        if row >= 0:
            return {"shard": str(path.relative_to(layout.root)), "row": row}
    return {"shard": None, "row": None}


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
        lines += [
            f"{row['outcome'].upper()}  {row['url'] or row['source_file']}  ({row['id']})",
            f"  record    {row['source_file']}:{row['source_offset']}  "
            f"{row['source_length']:,} bytes  {row['source_digest'] or 'no digest'}",
            f"  document  {row['documents']}",
            f"  shard     {place}",
        ]
        if "record" in row:
            record = row["record"]
            lines.append(
                f"  bytes     {record['bytes']:,}, sha256 {record['sha256']}, "
                f"begins {record['first_line']}"
            )
        lines += [f"  {sentence}" for sentence in row["sentences"]]
    return "\n".join(lines) + "\n"
