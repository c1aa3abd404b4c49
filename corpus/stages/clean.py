"""Clean: footers trimmed and personal data masked, after normalisation and before the signals.

`clean` changes the rows of harvest in place and writes what it did to the ledger, as rows with the
action `alter`: the rule, how much, and the spans. Spans are characters `begin:end` of the text as
it was before that step. The personal data itself is nowhere kept.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from corpus.folder.ledger import Ledger
from corpus.settings import CleanSettings
from corpus.text.blocks import NONE, Blocks
from filters import footer
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
    # Footers first: a company's own address at the end of a page is no personal data to mask.
    if settings.footer:
        rows = [row for row in rows if _trim(row, ledger, outcome)]
    policy = policies(settings.personal, settings.personal_classes)
    in_texts, in_titles = _find(rows, "text", policy), _find(rows, "title", policy)
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
    """Another text for a row, with its blocks and the columns that count it; valid UTF-8 in any
    case."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        text = utf8(text)
        data = text.encode("utf-8")
    row["text"], row["n_chars"], row["n_bytes"] = text, len(text), len(data)
    row["blocks"] = blocks


def utf8(text: str) -> str:
    """The text with "?" for every lone surrogate, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace").decode("utf-8")


def ledger_key(row: Row) -> tuple[str, str, str, int]:
    """What a ledger row says of the document it is about."""
    return row["id"], row["url"], row["source_file"], row["source_offset"]


def error_text(error: Exception) -> str:
    """An exception in one line, for the ledger."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _trim(row: Row, ledger: Ledger, outcome: Outcome) -> bool:
    text = row["text"]
    try:
        cut = footer.trim(text)
    except Exception as error:
        _drop_broken(row, error, ledger, outcome)
        return False
    gone = len(text) - (cut.end - cut.begin)
    if gone:
        outcome.altered["footer"] += 1
        parts = [
            f"{place}, characters {begin}:{end}, BLAKE2b {_digest(text[begin:end])}"
            for place, begin, end in (("head", 0, cut.begin), ("end", cut.end, len(text)))
            if begin < end
        ]
        ledger.add("footer", *ledger_key(row), action="alter", value=gone, detail="; ".join(parts))
        set_text(row, text[cut.begin : cut.end])
    return True


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _find(
    rows: Sequence[Row], column: str, policy: dict[str, str]
) -> dict[int, list[Finding] | Exception]:
    """Row → its findings, or what searching it raised."""
    try:
        return dict(find_all(pa.array([row[column] for row in rows], pa.large_string()), policy))
    except Exception:  # one of them: search each alone
        found: dict[int, list[Finding] | Exception] = {}
        for i, row in enumerate(rows):
            try:
                alone = find_all(pa.array([row[column]], pa.large_string()), policy)
                if alone:
                    found[i] = alone[0]
            except Exception as error:
                found[i] = error
        return found


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
    hidden = [f for f in text if policy[f.kind] == "mask"]
    if hidden:
        set_text(row, mask(row["text"], hidden))
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
