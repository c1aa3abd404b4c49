"""Clean: footers trimmed and personal data masked, after normalisation and before the signals.

`clean` changes the rows of harvest in place and writes what it did to the ledger, as rows with the
action `alter`: the rule, how much, and the spans. Both steps read the plain view (docs/text.md) and
alter the text and its blocks; spans are characters `begin:end` of the plain view as it was before
that step. The personal data itself is nowhere kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from corpus.folder.ledger import Ledger
from corpus.settings import CleanSettings
from corpus.text import cut, views
from corpus.text.blocks import END, KIND, NONE, START, Blocks
from corpus.text.blocks import kind as block_kind
from corpus.text.mask import masked
from filters import footer
from filters.owners import is_owned_in_code
from filters.personal import KINDS, PLACEHOLDERS, Finding, find_all, mask, policies

PREFIX = "personal_"  # of ledger rules and signals: personal_phone …
SHOWN = 100  # spans of a class that a ledger row lists; `value` counts all

Row = dict[str, Any]


class Outcome(NamedTuple):
    """rows: those that stay; dropped: rule → documents; altered: rule → documents."""

    rows: list[Row]
    dropped: Counter[str]
    altered: Counter[str]


def clean(rows: list[Row], settings: CleanSettings, ledger: Ledger) -> Outcome:
    """Trim and mask `title` and `text` of harvest's rows; fill their `personal`.

    A row that breaks a step is dropped alone, with the rule `error`.
    """
    outcome = Outcome([], Counter(), Counter())
    ledger.begin("view")
    rows, seen = _seen(rows, ledger, outcome)
    ledger.begin("footer")
    # Footers first: a company's own address at the end of a page is no personal data to mask.
    if settings.footer:
        trimmed = [_trim(row, view, ledger, outcome) for row, view in zip(rows, seen, strict=True)]
        rows = [row for row, view in zip(rows, trimmed, strict=True) if view is not None]
        seen = [view for view in trimmed if view is not None]
    ledger.begin("personal")
    policy = policies(settings.personal, settings.personal_classes)
    in_texts, in_titles = _find(seen, policy), _find([row["title"] for row in rows], policy)
    in_texts = {i: _ours(rows[i], seen[i], found, settings) for i, found in in_texts.items()}
    in_titles = {i: _ours(None, "", found, settings) for i, found in in_titles.items()}
    nothing = {kind: None if policy[kind] == "off" else 0 for kind in KINDS}
    for i, row in enumerate(rows):
        row["personal"] = nothing
        text, title = in_texts.get(i, ()), in_titles.get(i, ())
        if isinstance(text, Exception):
            _drop_broken(row, text, ledger, outcome)
        elif isinstance(title, Exception):
            _drop_broken(row, title, ledger, outcome)
        elif not (text or title) or _apply(row, text, title, policy, ledger, outcome):
            outcome.rows.append(row)
    return outcome


def set_text(row: Row, text: str, blocks: Blocks = NONE) -> None:
    """Another text and blocks for a row, and the columns that count it; valid UTF-8 anyway."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        text = utf8(text)
        data = text.encode("utf-8")
    row["text"], row["blocks"] = text, blocks
    row.pop("plain", None)
    row["n_chars"], row["n_bytes"] = len(text), len(data)


def is_signed(row: Row) -> bool:
    """Whether the text of a row has signs, and so another plain view."""
    return row["format"] != "plain" and len(row["blocks"].spans) > 0


def plain_view(row: Row) -> str:
    """The plain view of a row's text, kept in the row (as `plain`) until the text changes."""
    if "plain" not in row:
        row["plain"] = (
            views.plain_text(row["text"], row["blocks"]) if is_signed(row) else row["text"]
        )
    return str(row["plain"])


def utf8(text: str) -> str:
    """The text with "?" for every lone surrogate, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace").decode("utf-8")


def ledger_key(row: Row) -> tuple[str, str, str, int]:
    """What a ledger row says of the document it is about."""
    return row["id"], row["url"], row["source_file"], row["source_offset"]


def error_text(error: Exception) -> str:
    """An exception in one line, for the ledger."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _seen(rows: list[Row], ledger: Ledger, outcome: Outcome) -> tuple[list[Row], list[str]]:
    """The rows that have a plain view, and their views."""
    whole, seen = [], []
    for row in rows:
        try:
            seen.append(plain_view(row))
            whole.append(row)
        except Exception as error:
            _drop_broken(row, error, ledger, outcome)
    return whole, seen


def _trim(row: Row, view: str, ledger: Ledger, outcome: Outcome) -> str | None:
    """Cut the footer of a row; returns its new plain view, None where that broke."""
    try:
        kept = footer.trim(view)
        text, blocks = row["text"], row["blocks"]
        if kept.begin or kept.end < len(view):
            kept, text, blocks = _trimmed(row, view, kept)
    except Exception as error:
        _drop_broken(row, error, ledger, outcome)
        return None
    gone = len(view) - (kept.end - kept.begin)
    if gone:
        outcome.altered["footer"] += 1
        parts = [
            f"{place}, characters {begin}:{end}, BLAKE2b {_digest(view[begin:end])}"
            for place, begin, end in (("head", 0, kept.begin), ("end", kept.end, len(view)))
            if begin < end
        ]
        ledger.add("footer", *ledger_key(row), action="alter", value=gone, detail="; ".join(parts))
        set_text(row, text, blocks)
    return view[kept.begin : kept.end]


def _trimmed(row: Row, view: str, kept: footer.Trim) -> tuple[footer.Trim, str, Blocks]:
    """(what stays of the view, text, blocks): what is trimmed ends at code, tables and formulas."""
    text, blocks = row["text"], row["blocks"]
    if not len(blocks.spans):
        return kept, text[kept.begin : kept.end], blocks
    places = np.arange(len(text) + 1)
    if is_signed(row):
        places = views.plain_with_places(text, blocks)[1]
    lines = cut.lines_of(text, blocks)
    solid = np.isin(blocks.spans[lines[:, cut.LINE_BLOCK], KIND], cut.SOLID)
    head = lines[:, cut.LINE_END] <= places[kept.begin]
    tail = lines[:, cut.LINE_START] > places[kept.end - 1]
    head &= ~np.logical_or.accumulate(solid & head)
    tail &= ~np.logical_or.accumulate((solid & tail)[::-1])[::-1]
    # What that leaves of the view: from the first line that stays to the end of the last one.
    left = lines[~(head | tail) & (lines[:, cut.LINE_SIGN] == 0)]
    begin, end = np.searchsorted(places, [left[0, cut.LINE_START], left[-1, cut.LINE_END]])
    begin += view[begin : begin + 1] == "\n"  # between this block and the one before
    begin, end = (int(begin) if head.any() else 0), (int(end) if tail.any() else len(view))
    gone = head | tail
    return footer.Trim(begin, end), *cut.without_lines(text, blocks, lines, gone, is_signed(row))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _find(texts: Sequence[str], policy: dict[str, str]) -> dict[int, list[Finding] | Exception]:
    """Row → its findings, or what searching it raised."""
    try:
        return dict(find_all(pa.array(texts, pa.large_string()), policy))
    except Exception:  # one of them: search each alone
        found: dict[int, list[Finding] | Exception] = {}
        for i, text in enumerate(texts):
            try:
                alone = find_all(pa.array([text], pa.large_string()), policy)
                if alone:
                    found[i] = alone[0]
            except Exception as error:
                found[i] = error
        return found


Found = list[Finding] | Exception


def _ours(row: Row | None, view: str, found: Found, settings: CleanSettings) -> Found:
    """The findings that the settings for organisations and for code leave; row None: of a title."""
    if isinstance(found, Exception):
        return found
    if settings.organisations == "keep":
        found = [f for f in found if not f.organisation]
    if row is None or settings.code == "mask" or not found:
        return found
    try:
        code = _code_spans(row)
    except Exception as error:
        return error
    owned = settings.code == "owned"
    return [
        f
        for f in found
        if not any(begin <= f.begin < end for begin, end in code)
        or (owned and is_owned_in_code(view, f.begin, f.end))
    ]


def _code_spans(row: Row) -> list[tuple[int, int]]:
    """[begin, end) of the code blocks in the plain view of a row."""
    text, blocks = row["text"], row["blocks"]
    spans = blocks.spans[blocks.spans[:, KIND] == block_kind.code]
    if not len(spans):
        return []
    if not is_signed(row):
        return [(int(span[START]), int(span[END])) for span in spans]
    places = views.plain_with_places(text, blocks)[1]
    begins, ends = (np.searchsorted(places, spans[:, column]) for column in (START, END))
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _apply(
    row: Row, text: Sequence[Finding], title: Sequence[Finding], policy: dict[str, str],
    ledger: Ledger, outcome: Outcome,
) -> bool:  # fmt: skip
    """Count, mask and note the findings of a row. False if a class under `drop` drops it."""
    counts = Counter(f.kind for f in (*text, *title))
    row["personal"] = row["personal"] | counts
    for kind in KINDS:
        if counts[kind] and policy[kind] == "drop":
            rule = PREFIX + kind
            outcome.dropped[rule] += 1
            spans = _spans(kind, text, title)
            ledger.add(rule, *ledger_key(row), value=counts[kind], threshold=0, detail=spans)
            return False
    for kind in KINDS:
        if counts[kind] and policy[kind] == "mask":
            outcome.altered[PREFIX + kind] += 1
            spans = f"{_spans(kind, text, title)} became {PLACEHOLDERS[kind]}"
            ledger.add(
                PREFIX + kind, *ledger_key(row), action="alter", value=counts[kind], detail=spans
            )
    row["title"] = mask(row["title"], [f for f in title if policy[f.kind] == "mask"])
    hidden = [(f.begin, f.end, PLACEHOLDERS[f.kind]) for f in text if policy[f.kind] == "mask"]
    if hidden:
        set_text(row, *masked(row["text"], row["blocks"], is_signed(row), hidden))
    return True


def _spans(kind: str, text: Sequence[Finding], title: Sequence[Finding]) -> str:
    parts = []
    for name, findings in (("", text), ("title ", title)):
        spans = [f"{f.begin}:{f.end}" for f in findings if f.kind == kind]
        if spans:
            more = f" and {len(spans) - SHOWN} more" if len(spans) > SHOWN else ""
            parts.append(f"{name}characters {', '.join(spans[:SHOWN])}{more}")
    return "; ".join(parts)


def _drop_broken(row: Row, error: Exception, ledger: Ledger, outcome: Outcome) -> None:
    outcome.dropped["error"] += 1
    ledger.add("error", *ledger_key(row), detail=error_text(error))
