"""Harvest: from the records of one unit to documents with text, columns and signals.

    record ─▶ gate ─▶ decode ─▶ extract ─▶ normalise ─▶ language ─▶ rights ─▶ clean ─▶ signals
       │        │                             │            │          │         │
       └ counted as no candidate              └────────────┴──────────┴─────────┴ rows in the ledger

The order is the order of cost: the gate looks at raw bytes, so nine pages in ten are never parsed.
A document that breaks a step costs one ledger row, never its neighbours.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa

from corpus.config import Settings
from corpus.folder import commit
from corpus.folder.ledger import Ledger
from corpus.folder.schema import DOCUMENT, document_id
from corpus.sources.item import Item, Unit
from corpus.sources.plan import READERS
from corpus.stages.clean import about, clean, in_words, set_text, utf8
from corpus.text import language
from corpus.text.normalize import normalize
from corpus.web.charset import decode, gate
from corpus.web.html.document import parse
from corpus.web.main_text.extract import extract
from corpus.web.main_text.repeated import site_boilerplate
from corpus.web.rights import page as rights
from corpus.web.rights import sites
from filters import signals

BATCH_ROWS = 512
BATCH_BYTES = 256 << 20  # of text in a batch: Arrow strings end at 2 GiB


class Reject(NamedTuple):
    """Why an item becomes no document: a ledger row, or (skip) a count."""

    rule: str
    detail: str = ""
    value: float | None = None
    threshold: float | None = None
    skip: bool = False


def harvest_unit(unit: Unit, settings: Settings, root: Path) -> dict[str, Any]:
    """Harvest one unit into documents/NNNNN.parquet and ledger/harvest-NNNNN.parquet.

    Returns the counts of its receipt: records, documents, ledger, skipped (reason → records),
    dropped (rule → records), altered (rule → documents), characters.
    """
    ledger = Ledger("harvest")
    counts: dict[str, Any] = {"records": 0, "documents": 0, "characters": 0}
    skipped: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    altered: Counter[str] = Counter()
    full = settings.harvest.ledger == "full"
    site_files: list[dict[str, Any]] = []

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        for item in READERS[unit.kind][0](unit, settings):
            counts["records"] += 1
            _make_utf8(item)
            if item.site:
                site_files.append(item.site)
            result = document(item, settings)
            if isinstance(result, dict):
                rows.append(result)
                continue
            if result.skip:
                skipped[result.rule] += 1
            else:
                dropped[result.rule] += 1
            if full or not result.skip:
                ledger.add(
                    result.rule,
                    document_id(item.file, item.offset, item.part),
                    item.url,
                    item.file,
                    item.offset,
                    action="skip" if result.skip else "drop",
                    value=result.value,
                    threshold=result.threshold,
                    detail=result.detail,
                )
        if settings.harvest.site_boilerplate:
            altered["site_boilerplate"] = _remove_site_boilerplate(rows, ledger)
        cleaned = clean(rows, settings.clean, ledger)
        dropped.update(cleaned.dropped)
        altered.update(cleaned.altered)
        for part in _parts(cleaned.rows):
            batch, broken = _measured(part, ledger)
            dropped["error"] += broken
            counts["documents"] += batch.num_rows
            counts["characters"] += sum(batch["n_chars"].to_pylist())
            yield batch

    documents = root / "documents" / f"{unit.index:07d}.parquet"
    rows_file = root / "ledger" / f"harvest-{unit.index:07d}.parquet"
    outputs = {documents: commit.commit_parquet(documents, DOCUMENT, batches())[0]}
    outputs[rows_file] = ledger.commit(rows_file)
    if site_files:
        path = root / "state" / "harvest" / f"sites-{unit.index:07d}.parquet"
        table = pa.Table.from_pylist(site_files, schema=sites.ROW)
        outputs[path] = commit.commit_parquet(path, sites.ROW, table)[0]
    counts |= {
        "ledger": len(ledger),
        "skipped": dict(sorted(skipped.items())),
        "dropped": dict(sorted((+dropped).items())),
        "altered": dict(sorted((+altered).items())),
    }
    receipt = root / "state" / "harvest" / f"{unit.index:07d}.json"
    commit.write_receipt(receipt, root, outputs, counts)
    return counts


def _remove_site_boilerplate(rows: list[dict[str, Any]], ledger: Ledger) -> int:
    """Cut what most pages of a host in this unit repeat (rule: corpus/web/main_text/repeated.py).

    Returns the number of documents it changed; each has a row in the ledger.
    """
    changed = 0
    pages = [row for row in rows if row["host"]]
    cleaned = site_boilerplate([row["host"] for row in pages], [row["text"] for row in pages])
    for row, text in zip(pages, cleaned, strict=True):
        if text != row["text"]:
            changed += 1
            gone = row["n_chars"] - len(text)
            detail = f"{gone} characters in lines that most pages of {row['host']} repeat"
            ledger.add("site_boilerplate", *about(row), action="alter", value=gone, detail=detail)
            set_text(row, text)
    return changed


def _make_utf8(item: Item) -> None:
    """Arrow strings are UTF-8: a lone surrogate (JSON has them, file names too) becomes "?"."""
    for name in ("file", "url", "title", "date", "captured", "detail", "text"):
        value = getattr(item, name)
        if value and not value.isascii():
            setattr(item, name, utf8(value))


def _make_row_utf8(row: dict[str, Any]) -> None:
    """The same for what a page says of itself: JSON-LD is JSON."""
    for part, names in (
        (row, ("title", "author", "site", "date")),
        (row["rights"], ("licence_url", "tdm_policy")),
    ):
        for name in names:
            if part[name] and not part[name].isascii():
                part[name] = utf8(part[name])


def document(item: Item, settings: Settings) -> dict[str, Any] | Reject:
    """The document in `item`, or why there is none. Never raises."""
    try:
        return _document(item, settings)
    except Exception as error:  # hostile input: one page must not cost its neighbours
        return Reject("error", in_words(error))


def _document(item: Item, settings: Settings) -> dict[str, Any] | Reject:
    if item.skip:
        return Reject(item.skip, item.detail, skip=True)
    if item.problem:
        return Reject(item.problem, item.detail, item.value)
    policy = settings.harvest
    body = item.html if item.html is not None else item.plain
    evidence = gate.evidence(body) if body is not None else None
    if evidence is not None and policy.gate and not gate.is_candidate(evidence):
        return Reject("not Japanese (gate)", skip=True)
    row = _empty_row(item, settings)
    text = item.text or ""
    if body is not None and evidence is not None:
        row["source_digest"] = item.digest or _sha1(body)
        if item.charset:
            text, repairs = decode.decode_as(body, item.charset)
            row.update(charset=item.charset, charset_from="given", repairs=repairs)
        else:
            found = decode.decode(body, item.headers.get("content-type", ""), evidence)
            text = found.text
            row.update(charset=found.charset, charset_from=found.how, repairs=found.repairs)
    if item.html is not None:
        tree = parse(text)
        page = extract(tree, item.url, policy.ruby)
        text = page.text
        row.update(title=page.title, date=page.date, author=page.author, site=page.site)
        visible = tree.text.tobytes().decode("utf-8", "replace")
        row["rights"] = rights.read(item.headers, tree.meta, tree.links, tree.jsonld, visible)
    else:
        row["rights"] = rights.read(item.headers, {}, (), (), text)
    row["licence"] = settings.input.licence or rights.licence_class(row["rights"]["licence_url"])
    set_text(row, normalize(text, settings.normalize.steps))
    row["title"] = " ".join(normalize(row["title"], settings.normalize.steps).split())[:500]
    _make_row_utf8(row)
    return _policy(row, settings) or row


def _policy(row: dict[str, Any], settings: Settings) -> Reject | None:
    """The decisions of harvest itself: empty text, another language, reserved rights."""
    policy = settings.harvest
    if row["n_chars"] < policy.min_chars:
        return Reject("empty", "no main text was found", row["n_chars"], policy.min_chars)
    code, score, shares = language.identify(row["text"])
    row["language"], row["language_score"] = code, score
    row["languages"] = [{"language": name, "share": share} for name, share in shares.items()]
    if code != policy.language:
        return Reject("language", f"the text is {code}, not {policy.language}", score)
    if score < policy.min_language_score:
        return Reject("language_score", f"{code} is unsure", score, policy.min_language_score)
    claims = row["rights"]
    if policy.drop_noai and claims["noai"]:
        return Reject("noai", "robots directive noai: the page must not be used to train AI")
    if policy.drop_tdm_reservation and claims["tdm_reservation"]:
        return Reject("tdm_reservation", f"TDMRep reservation {claims['tdm_policy']}".strip())
    return None


def _empty_row(item: Item, settings: Settings) -> dict[str, Any]:
    return {
        "id": document_id(item.file, item.offset, item.part),
        "url": item.url,
        "host": host_of(item.url),
        "title": item.title,
        "author": "",
        "site": "",
        "date": item.date,
        "captured": item.captured,
        "source": settings.input.source_of(item.file) or _source_name(item),
        "charset": item.charset,
        "charset_from": "given",
        "repairs": 0,
        "source_file": item.file,
        "source_offset": item.offset,
        "source_length": item.length,
        "source_digest": item.digest,
    }


def _sha1(data: bytes) -> str:
    """As WARC-Payload-Digest has it (WARC 1.1, 5.9)."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _source_name(item: Item) -> str:
    return "web" if item.url.startswith("http") else "files"


def host_of(url: str) -> str:
    """Host of a URL in lower case, "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows in order, at most BATCH_ROWS and about BATCH_BYTES at a time."""
    part: list[dict[str, Any]] = []
    held = 0
    for row in rows:
        if part and (len(part) == BATCH_ROWS or held + row["n_bytes"] > BATCH_BYTES):
            yield part
            part, held = [], 0
        part.append(row)
        held += row["n_bytes"]
    if part:
        yield part


def _measured(rows: list[dict[str, Any]], ledger: Ledger) -> tuple[pa.RecordBatch, int]:
    """The rows with their signals, and how many broke a filter; those have a ledger row each."""
    try:
        return _batch(rows), 0
    except Exception:  # one of them: measure each alone
        good: list[dict[str, Any]] = []
        for row in rows:
            try:
                _batch([row])
                good.append(row)
            except Exception as error:
                ledger.add("error", *about(row), detail=in_words(error))
        return _batch(good), len(rows) - len(good)


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    texts = pa.array([row["text"] for row in rows], pa.string())
    columns = [
        pa.array([row[field.name] for row in rows], field.type)
        for field in DOCUMENT
        if field.name != "quality"
    ]
    return pa.RecordBatch.from_arrays([*columns, signals.measure(texts)], schema=DOCUMENT)
