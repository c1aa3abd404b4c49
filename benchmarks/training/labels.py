"""Pages that people labelled, as our own harvest reads them, and texts of kinds that are known.

LABELS is a folder of `*.jsonl.gz`, one page a line: `raw_b64` (bytes as published), `url`, `host`,
`genre`, `label` (keep, borderline, drop), `sure`, `made` (put together from templates: for training
only). The pages are wrapped into one WARC and harvested by `corpus harvest`, so that texts, blocks
and signals are those of a build of today.
"""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.folder.commit import as_array
from corpus.folder.layout import Layout, index_of
from corpus.text import views

ROOT = Path(__file__).resolve().parent.parent.parent
KEEP, BORDERLINE, DROP = "keep", "borderline", "drop"


@dataclass(frozen=True)
class Harvested:
    """n documents as a build holds them.

    rows: of each document, its place among the pages that went in; text: plain views; prose: what
    of them is prose; quality: the stored signals; n_chars int64[n].
    """

    rows: np.ndarray
    text: pa.Array
    prose: pa.Array
    quality: pa.StructArray

    @property
    def n_chars(self) -> np.ndarray:
        return self.quality.field("n_chars").to_numpy().astype(np.int64)


def read(folder: Path) -> list[dict[str, Any]]:
    """The labelled pages of a folder, in the order of its files; ValueError where there is none."""
    pages: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            pages += map(json.loads, lines)
    if not pages:
        raise ValueError(f"{folder}: no *.jsonl.gz with labelled pages")
    return pages


def harvest_labels(pages: list[dict[str, Any]], work: Path) -> tuple[Harvested, dict[int, str]]:
    """(documents, page → reason why it became none) of labelled pages; `work` holds the build."""
    work.mkdir(parents=True, exist_ok=True)
    warc = work / "pages.warc"
    offsets = _write_warc(
        warc, ((page["url"], base64.b64decode(page["raw_b64"])) for page in pages)
    )
    build = work / "build"
    _harvest(warc, build)
    layout = Layout(build)
    harvested = documents(layout, offsets)
    lost = {}
    for path in layout.ledgers():
        for row in pq.read_table(path).to_pylist():
            place = offsets.get(row["source_offset"])
            if place is not None and row["action"] in ("drop", "skip"):
                lost[place] = row["rule"]
    here = set(harvested.rows.tolist())
    return harvested, {i: lost.get(i, "unknown") for i in range(len(pages)) if i not in here}


def harvest_file(warc: Path, work: Path) -> Harvested:
    """The documents of a WARC; rows are the offsets of their records."""
    _harvest(warc, work / "build")
    return documents(Layout(work / "build"), None)


def _harvest(warc: Path, build: Path) -> None:
    """`corpus harvest` of one file, with a ledger row for every record; nothing of rights."""
    settings = ("rights.drop_noai=false", "rights.drop_tdm_reservation=false")
    chosen = [part for each in settings for part in ("--set", each)]
    command = [sys.executable, "-m", "corpus", "harvest", str(warc), "--out", str(build)]
    command += ["--ledger", "full", "--quiet", *chosen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"corpus harvest: {done.stderr.strip()}")


def documents(layout: Layout, offsets: dict[int, int] | None) -> Harvested:
    """All documents of a build, in the order of their records."""
    rows, texts, prose, quality = [], [], [], []
    for path in sorted(layout.documents_files(), key=index_of):
        columns = ["source_offset", "text", "blocks", "format", "quality"]
        table = pq.read_table(path, columns=columns)
        if not table.num_rows:
            continue
        text, blocks, kind = (as_array(table[name]) for name in columns[1:4])
        seen = views.plain(text, blocks, kind)
        texts.append(seen)
        prose.append(views.prose_beside(seen, text, blocks, kind))
        quality.append(as_array(table["quality"]))
        at = table["source_offset"].to_pylist()
        rows += at if offsets is None else [offsets[offset] for offset in at]
    order = pa.array(np.argsort(np.array(rows), kind="stable"))
    parts = [pa.concat_arrays([_large(a) for a in column]) for column in (texts, prose)]
    whole = pa.concat_arrays(quality)
    return Harvested(np.sort(rows), parts[0].take(order), parts[1].take(order), whole.take(order))


def _large(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.large_string())


def _write_warc(path: Path, pages: Iterable[tuple[str, bytes]]) -> dict[int, int]:
    """Response records without a charset in their headers; offset → place of the page."""
    offsets: dict[int, int] = {}
    with path.open("wb") as file:
        for place, (url, body) in enumerate(pages):
            offsets[file.tell()] = place
            http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
            http += b"Content-Length: %d\r\n\r\n" % len(body)
            head = (
                "WARC/1.0\r\nWARC-Type: response\r\n"
                f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{place:012}>\r\n"
                f"WARC-Target-URI: {url}\r\nWARC-Date: 2026-01-01T00:00:00Z\r\n"
                "Content-Type: application/http; msgtype=response\r\n"
                f"Content-Length: {len(http) + len(body)}\r\n\r\n"
            )
            file.write(head.encode() + http + body + b"\r\n\r\n")
    return offsets
