"""An index of tests/data/sample.warc.gz in the forms that Common Crawl and others publish."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from corpus.config import load
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.settings import Settings
from corpus.sources import ccindex, warc
from corpus.sources.item import Item, Unit

WARC = "sample.warc.gz"
CODES = {"ja": "jpn", "ko": "kor", "zh": "zho", "en": "eng", "ru": "rus", "fr": "fra",
         "vi": "vie", "de": "deu"}  # fmt: skip
EVERYTHING = ["ccindex.languages=", "ccindex.status=", "ccindex.mimes="]
IMPATIENT = ["fetch.backoff_s=0.01", "fetch.timeout_s=2"]


def truth(data: Path) -> list[dict]:
    """The responses of the sample, with offset, length, url, status and true language."""
    with gzip.open(data / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [row for row in map(json.loads, lines) if row["file"] == WARC]


def columns(rows: list[dict]) -> dict[str, list | pa.Array]:
    """The columns of the columnar index, in its types."""
    return {
        "url": [row["url"] for row in rows],
        "url_host_name": [urlsplit(row["url"]).hostname for row in rows],
        "fetch_time": pa.array(
            [datetime(2024, 1 + n % 12, 1) for n in range(len(rows))], pa.timestamp("ms")
        ),
        "fetch_status": pa.array([row["status"] for row in rows], pa.int16()),
        "content_mime_detected": ["text/html"] * len(rows),
        "content_languages": [CODES.get(row["true_lang"]) for row in rows],
        "warc_filename": [WARC] * len(rows),
        "warc_record_offset": pa.array([row["offset"] for row in rows], pa.int32()),
        "warc_record_length": pa.array([row["length"] for row in rows], pa.int32()),
    }


def write_parquet(path: Path, rows: list[dict], **other: list) -> Path:
    """A Parquet index of `rows` in reverse order: nothing may rely on the order of an index."""
    pq.write_table(pa.table(columns(rows) | other).take(list(range(len(rows)))[::-1]), path)
    return path


def cdxj(rows: list[dict]) -> bytes:
    """Lines as in cdx-00000.gz of Common Crawl."""
    lines = []
    for row in rows:
        about = {
            "url": row["url"], "mime": "text/html", "mime-detected": "text/html",
            "status": str(row["status"]), "digest": "X", "length": str(row["length"]),
            "offset": str(row["offset"]), "filename": WARC, "charset": "UTF-8",
        }  # fmt: skip
        if row["true_lang"] in CODES:
            about["languages"] = CODES[row["true_lang"]]
        lines.append(f"jp,example)/ 20240102030405 {json.dumps(about)}\n".encode())
    return b"".join(lines)


def cdx(rows: list[dict]) -> bytes:
    """The eleven columns of NutchWAX."""
    lines = [b" CDX N b a m s k r M S V g\n"]
    for row in rows:
        lines.append(
            f"jp,example)/ 20240102030405 {row['url'].replace(' ', '%20')} text/html "
            f"{row['status']} X - - {row['length']} {row['offset']} {WARC}\n".encode()
        )
    return b"".join(lines)


def settings(*sets: str) -> Settings:
    return load(None, ["input.kind=ccindex", *IMPATIENT, *sets])


def planned(index: Path | str, state: Path, wanted: Settings) -> list[Unit]:
    """The units as `corpus build` hands them to its workers."""
    return [
        Unit(u.index, u.kind, u.files, u.start, u.end, str(Layout(state).selection))
        for u in ccindex.plan([str(index)], wanted, Folder(state))
    ]


def fetched(index: Path | str, state: Path, wanted: Settings) -> list[Item]:
    units = planned(index, state, wanted)
    return [item for unit in units for item in ccindex.read(unit, wanted)]


def local_items(data: Path, offsets: set[int], wanted: Settings, base: str) -> list[Item]:
    """What reading the file itself gives for these records, under the name `base` gives it."""
    found = []
    for item in warc.read(Unit(0, "warc", (str(data / WARC),)), wanted):
        if item.offset in offsets:
            item.file, item.identity = f"{base}/{WARC}", WARC
            found.append(item)
    return found
