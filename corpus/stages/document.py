"""One record of the input becomes a document, or there is a reason why not.

    item ─▶ gate ─▶ decode ─▶ extract ─▶ normalise ─▶ language ─▶ rights (early)

The order is the order of cost: the gate looks at raw bytes, so nine pages in ten are never parsed.
Harvest and explain ask here; nothing is read from or written to a build folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from corpus.folder.schema import document_id
from corpus.settings import Settings
from corpus.sources import limits
from corpus.sources.item import Item
from corpus.stages import rights
from corpus.stages.clean import error_text, plain_view, set_text, utf8
from corpus.text import aozora_page, language, works
from corpus.text.blocks import NONE, UNREAD, Blocks
from corpus.text.normalize import normalize
from corpus.text.normalize_blocks import of_markdown
from corpus.text.orthography import modern
from corpus.text.views import plain_blocks
from corpus.web.charset import decode, gate
from corpus.web.html.address import stated_address
from corpus.web.html.document import parse
from corpus.web.main_text.extract import extract
from corpus.web.rights import page as page_rights

TITLE_CHARS = 500  # a longer title is cut there


class Reject(NamedTuple):
    """Why an item becomes no document: a ledger row, or (skip) a count."""

    rule: str
    detail: str = ""
    value: float | None = None
    threshold: float | None = None
    skip: bool = False


def document(item: Item, settings: Settings) -> dict[str, Any] | Reject:
    """The row of schema.DOCUMENT in `item` (without signals), or why there is none. Never raises.

    Strings of the item are made UTF-8 in place: Arrow has no lone surrogates.
    """
    _make_utf8(item)
    try:
        return _document(item, settings)
    except (MemoryError, limits.LimitError) as error:
        return Reject(limits.RULE, limits.words_of(error))
    except Exception as error:  # hostile input: one page must not cost its neighbours
        return Reject("error", error_text(error))


def _document(item: Item, settings: Settings) -> dict[str, Any] | Reject:
    if item.skip:
        return Reject(item.skip, item.detail, skip=True)
    if item.problem:
        return Reject(item.problem, item.detail, item.value)
    # The gate: bytes without Japanese are never decoded.
    body = item.html if item.html is not None else item.plain
    evidence = gate.evidence(body) if body is not None else None
    if evidence is not None and settings.harvest.gate and not gate.is_candidate(evidence):
        return Reject("not Japanese (gate)", skip=True)
    if item.blocks is not None or item.html is not None:
        # Its source has read it, within bounds; a page costs what its size says, and bounds for
        # each of a crawl's would be 4 % of the time.
        return _read(item, evidence, settings)
    with limits.Bounds():
        return _read(item, evidence, settings)


def _read(
    item: Item, evidence: gate.Evidence | None, settings: Settings
) -> dict[str, Any] | Reject:
    """What is in an item that may be Japanese."""
    body = item.html if item.html is not None else item.plain
    row = _empty_row(item, settings)
    text, blocks = item.text or "", NONE
    # Bytes to text: the charset the source vouches for, or the one that bytes and labels tell.
    if body is not None and evidence is not None:
        row["source_digest"] = item.digest or _sha1(body)
        if item.charset:
            text, repairs = decode.decode_as(body, item.charset)
            row.update(charset=item.charset, charset_from="given", repairs=repairs)
        else:
            decoded = decode.decode(body, item.headers.get("content-type", ""), evidence)
            text = decoded.text
            row.update(charset=decoded.charset, charset_from=decoded.how, repairs=decoded.repairs)
    # Markup to main text and metadata; what page and headers say of rights is recorded.
    if item.html is not None:
        tree = parse(text)
        if aozora_page.is_page(text):
            work = aozora_page.notation(text)
            text, blocks, row["format"] = _text_of(work, item, row, settings)
        else:
            page = extract(tree, item.url, settings.harvest.ruby, settings.normalize.steps)
            text, blocks = page.text, page.blocks
            row.update(title=page.title, date=page.date, author=page.author, site=page.site)
            row.update(unread_formulas=page.unread_formulas, listing=page.listing)
        row["canonical_url"] = stated_address(tree.links, tree.meta, item.url)
        seen = tree.visible
        claims = page_rights.read(item.headers, tree.meta, tree.links, tree.jsonld, seen)
    else:
        seen = text
        claims = page_rights.read(item.headers, {}, (), (), seen)
        text, blocks, row["format"] = _text_of(text, item, row, settings)
        row["unread_formulas"] = text.count(UNREAD)
    row["rights"] = claims
    row["licence"] = (
        settings.input.licence
        or row["licence"]
        or page_rights.licence_class(claims["licence_url"])
        or page_rights.stated_licence(seen)
    )
    if settings.harvest.orthography == "modern" and row["orthography"].startswith("旧字"):
        row["metadata"] = {"printed_orthography": row["orthography"]} | row["metadata"]
        row["orthography"] = row["orthography"].replace("旧字", "新字")
        text = modern(text)
    set_text(row, *_formatted(row, text, blocks, settings))
    row["metadata"] = json.dumps(row["metadata"], ensure_ascii=False, sort_keys=True)
    row["title"] = " ".join(normalize(row["title"], settings.normalize.steps).split())[:TITLE_CHARS]
    _make_row_utf8(row)
    return _refusal(row, settings) or row


def _text_of(
    text: str, item: Item, row: dict[str, Any], settings: Settings
) -> tuple[str, Blocks, str]:
    """(normalised text, its blocks, format) of what is no HTML; a work tells its own facts."""
    if item.blocks is not None:
        return text, item.blocks, "markdown"
    if found := works.recognised(text, settings.normalize.steps, settings.harvest.ruby):
        source, work = found
        row.update(title=work.title, author=work.author, licence=work.licence)
        row["date"] = row["date"] or work.date
        row.update(metadata=work.metadata, source=settings.input.source_of(item.file) or source)
        row["orthography"] = work.orthography
        return work.text, work.blocks, "markdown"
    if settings.input.text == "plain":
        return normalize(text, settings.normalize.steps), NONE, "plain"
    return *of_markdown(text, settings.normalize.steps), "markdown"


def _formatted(
    row: dict[str, Any], text: str, blocks: Blocks, settings: Settings
) -> tuple[str, Blocks]:
    """The text under `harvest.format`; sets the row's `format`."""
    if settings.harvest.format == "plain" and row["format"] != "plain":
        row["format"] = "plain"
        return plain_blocks(text, blocks)
    return text, blocks


def _refusal(row: dict[str, Any], settings: Settings) -> Reject | None:
    """The decisions of harvest itself: empty text, another language, reserved rights."""
    policy = settings.harvest
    text = plain_view(row)
    if len(text) < policy.min_chars:
        return Reject("empty", "no main text was found", len(text), policy.min_chars)
    code, score, shares = language.identify(text)
    row["language"], row["language_score"] = code, score
    row["languages"] = [{"language": name, "share": share} for name, share in shares.items()]
    if code != policy.language:
        return Reject("language", f"the text is {code}, not {policy.language}", score)
    if score < policy.min_language_score:
        return Reject("language_score", f"{code} is unsure", score, policy.min_language_score)
    refused = rights.early_refusal(row["rights"], settings.rights)
    return Reject(*refused) if refused else None


def _empty_row(item: Item, settings: Settings) -> dict[str, Any]:
    source = item.source or ("web" if item.url.startswith("http") else "files")
    return {
        "id": document_id(item.identity, item.offset, item.part),
        "url": item.url,
        "host": host_of(item.url),
        "canonical_url": "",
        "title": item.title,
        "author": item.author,
        "site": "",
        "date": item.date,
        "captured": item.captured,
        "licence": item.licence,
        "metadata": item.metadata,
        "orthography": item.orthography,
        "source": settings.input.source_of(item.file) or source,
        "format": "markdown",
        "unread_formulas": 0,
        "listing": 0.0,
        "charset": item.charset,
        "charset_from": "given",
        "repairs": 0,
        "truncated": item.truncated,
        "source_file": item.file,
        "source_offset": item.place[0],
        "source_length": item.place[1],
        "source_digest": item.digest,
    }


def host_of(url: str) -> str:
    """Host of a URL in lower case, "" when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _sha1(data: bytes) -> str:
    """As WARC-Payload-Digest has it (WARC 1.1, 5.9)."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()


def _make_utf8(item: Item) -> None:
    """Arrow strings are UTF-8: a lone surrogate (JSON has them, file names too) becomes "?"."""
    for name in ("file", "identity", "url", "title", "date", "captured", "detail", "text"):
        value = getattr(item, name)
        if value and not value.isascii():
            setattr(item, name, utf8(value))


def _make_row_utf8(row: dict[str, Any]) -> None:
    """The same for what a page says of itself: JSON-LD is JSON."""
    for part, names in (
        (row, ("title", "author", "site", "date", "canonical_url")),
        (row["rights"], ("licence_url", "tdm_policy")),
    ):
        for name in names:
            if part[name] and not part[name].isascii():
                part[name] = utf8(part[name])
