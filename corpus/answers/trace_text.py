"""`corpus trace --text`: what of a text stands in the corpus word for word, or nearly.

The text is written as the corpus writes texts: its width and blanks ([normalize] of the build), and
between two lines what Markdown has between them in the corpus (a blank line, the sign of an item or
a heading). Every span of so many characters that stands in a document is listed where it stands in
what was given, the longest first; a span inside a longer one is not. What this cannot find: words
that were changed, order that was changed.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import config
from corpus.answers import runs
from corpus.answers.find import about, one_line
from corpus.dedup.signatures import files as signatures
from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.minhash import sign_texts
from corpus.errors import RunError, UsageError, counted
from corpus.folder.layout import DOCUMENTS, SHARDS, Layout
from corpus.index import Index, Span
from corpus.text.places import with_places

MOST = 1 << 20  # characters of a text
SPANS = 1000  # spans that are listed, the longest ones
PLACES = 20  # places of a span that are looked at for its documents
LIMITS = (
    "Breaks and signs between lines count as the corpus has them. Words that were changed, or put",
    "in another order, are not found in this way.",
)
SHOWN = 5  # documents of a span; the count says of how many places
NEAR = 0.5  # Jaccard similarity of what is listed as nearly like it
NEAREST = 10
# What stands between two lines of a text: those of docs/text.md, the frequent ones first.
JOINTS = [
    blank + sign for blank in ("\n\n", "\n") for sign in ("", "- ", "## ", "### ", "> ", "# ")
]
BESIDE = 12  # characters on both sides by which the joint is known
FAR = 0.4  # a text so much shorter or longer than another is not compared


def read(path: Path) -> str:
    """The text of a file, UTF-8; UsageError when it is none."""
    if not os.path.exists(path):  # also of a name that is too long for one, as a sentence is
        raise UsageError(
            f"there is no file {one_line(str(path)[:60])}: --text names a file that holds the "
            "text, or - for standard input; `corpus find` takes a string"
        )
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the text {path}: {reason}") from error


def trace_text(
    layout: Layout, text: str, min_chars: int = 20, documents: bool = False, near: bool = True
) -> dict[str, Any]:
    """What of a text stands in a build.

    Returns {folder, side, characters, min_chars, covered, count, spans, near, near_note}: `covered`
    the characters of the text that lie in a span, `count` the spans, of which the longest SPANS are
    listed: [{start, end, text, written, count, documents: [corpus.index.Hit]}], start and end in
    code points of the text as given, `written` as the corpus has it, `count` its places there.
    near: [{id, url, similarity}] of all harvested documents, null where they are not compared.
    """
    if not text.strip():
        raise UsageError("the text is empty: there is nothing to trace")
    if len(text) > MOST:
        raise UsageError(f"the text has {len(text):,} characters: at most {MOST:,} are traced")
    settings, _ = config.of_folder(layout)
    index = Index(layout, documents)
    found = _spans(index, text, tuple(settings.normalize.steps), min_chars)
    covered = np.zeros(len(text), np.bool_)
    for start, end, _ in found:
        covered[start:end] = True
    spans = [
        {
            "start": start,
            "end": end,
            "text": text[start:end],
            "written": span.text,
            "count": span.count,
            "documents": _documents(index, span),
        }
        for start, end, span in found[:SPANS]
    ]
    copies, note = near_copies(layout, text) if near else (None, "not asked for")
    return {
        "folder": str(layout),
        "side": DOCUMENTS if documents else SHARDS,
        "characters": len(text),
        "min_chars": min_chars,
        "covered": int(covered.sum()),
        "count": len(found),
        "spans": spans,
        "near": copies,
        "near_note": note,
    }


def _spans(
    index: Index, text: str, steps: tuple[str, ...], min_chars: int
) -> list[tuple[int, int, Span]]:
    """(start, end) in the given text and the span as the corpus has it, the longest first."""
    normal, begins, ends = with_places(text, steps)
    written, place = _joined(index, normal)
    found: dict[tuple[int, int], Span] = {}
    for span in index.spans(written, min_chars):
        # Blanks around a span are no finding.
        text = span.text.strip()
        first = span.start + len(span.text) - len(span.text.lstrip())
        if len(text) >= min_chars:
            own = place[first : first + len(text)]
            key = (int(begins[own[0]]), int(ends[own[-1]]))
            found[key] = replace(span, text=text)
    maximal, reached = [], -1
    for (start, end), span in sorted(found.items(), key=lambda entry: (entry[0][0], -entry[0][1])):
        if end > reached:
            maximal.append((start, end, replace(span, count=index.count(span.text))))
            reached = end
    return sorted(maximal, key=lambda entry: (entry[0] - entry[1], entry[0]))


def _joined(index: Index, normal: str) -> tuple[str, np.ndarray]:
    """A text with the joint between lines that the corpus has there; and the character of `normal`
    that each of its characters is of (int64[n])."""
    lines = normal.split("\n")
    written, place, at = [lines[0]], [np.arange(len(lines[0]))], len(lines[0])
    for before, line in pairwise(lines):
        joint = "\n"
        left, right = before[-BESIDE:], line[:BESIDE]
        if left and right and index.count(left + "\n"):
            joint = next((j for j in JOINTS if index.count(left + j + right)), joint)
        written += [joint, line]
        place += [np.full(len(joint), at), np.arange(at + 1, at + 1 + len(line))]
        at += 1 + len(line)
    return "".join(written), np.concatenate(place)


def _documents(index: Index, span: Span) -> list[dict[str, Any]]:
    """The first documents that hold a span, each once."""
    seen: dict[str, dict[str, Any]] = {}
    for hit in index.find(span.text, min(PLACES, span.count), 0):
        seen.setdefault(hit.id, asdict(hit))
    return list(seen.values())[:SHOWN]


# near copies -------------------------------------------------------------------------------------


def near_copies(layout: Layout, text: str) -> tuple[list[dict[str, Any]] | None, str]:
    """(documents whose signatures are like the text's, a note): the nearest first, from NEAR on.

    Similarity is estimated from MinHash signatures, as in dedup. None where the build has none.
    """
    settings = config.of_folder(layout)[0].dedup
    paths = [layout.signatures(int(path.stem)) for path in layout.documents_files()]
    if settings.mode != "near" or not all(path.exists() for path in paths):
        return None, "the build has no signatures: it was not deduplicated by near"
    own, _, lengths = sign_texts(pa.array([text]), settings)
    if not lengths[0]:
        return [], "the text has no letters"
    rows: list[dict[str, Any]] = []
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                signatures.check(file.schema_arrow, settings, path)
                rows += _near_in(file, own[0], int(lengths[0]))
        except (OSError, pa.ArrowException) as error:
            raise RunError(f"{layout.shown(path)} cannot be read: {error}") from error
    rows.sort(key=lambda row: (-row["similarity"], row["id"]))
    return rows[:NEAREST], ""


def _near_in(file: pq.ParquetFile, own: np.ndarray, length: int) -> list[dict[str, Any]]:
    """Documents of a signatures file that are like a text; those of about its length are read."""
    found = []
    for group in range(file.num_row_groups):
        lengths = file.read_row_group(group, columns=["n_normal"])["n_normal"].to_numpy()
        alike = (lengths >= FAR * length) & (lengths * FAR <= length)
        if not alike.any():
            continue
        table = file.read_row_group(group, columns=["id", "url", "signature"])
        table = table.filter(pa.array(alike))
        shares = (fixed_rows(table["signature"], np.uint32) == own).mean(axis=1)
        places = np.flatnonzero(shares >= NEAR)
        rows = table.select(["id", "url"]).take(pa.array(places)).to_pylist()
        found += [
            row | {"similarity": round(float(share), 3)}
            for row, share in zip(rows, shares[places], strict=True)
        ]
    return found


# runs, and the terminal --------------------------------------------------------------------------


def add_runs(facts: dict[str, Any], folders: list[Path], model: Path | None) -> None:
    """Add what runs did with the documents of the spans: `runs`, and `model` for the first run."""
    ids = {row["id"] for span in facts["spans"] for row in span["documents"]}
    ids |= {row["id"] for row in facts["near"] or ()}
    facts["runs"] = [runs.of_documents(folder, ids) for folder in folders]
    facts["model"] = runs.exported(folders[0], model) if model is not None else None


def as_text(facts: dict[str, Any]) -> str:
    """What a terminal is told."""
    where = "published shards" if facts["side"] == SHARDS else "harvested documents"
    share = facts["covered"] / max(1, facts["characters"])
    lines = [
        f"{facts['covered']:,} of {counted(facts['characters'], 'character')} ({share:.0%}) stand "
        f"word for word in the {where} of {facts['folder']}, in "
        f"{counted(facts['count'], 'span')} of {facts['min_chars']:,} characters or more."
    ]
    for span in facts["spans"]:
        size = counted(span["end"] - span["start"], "character")
        lines += ["", f"{size} ({span['start']:,} to {span['end']:,}): 「{_short(span['text'])}」"]
        many = span["count"] > len(span["documents"])
        lines.append(
            f"  stands there {counted(span['count'], 'time')}{', first' if many else ''} in:"
        )
        for row in span["documents"]:
            lines += [f"  {line}" for line in about(row)]
    lines += _near_lines(facts)
    named = {row["id"] for span in facts["spans"] for row in span["documents"]}
    for run in facts.get("runs", ()):
        lines.append("")
        for name in sorted(named):
            lines += [f"{name}  {line}" for line in runs.lines(run, name, facts["model"])]
    lines += ["", *LIMITS]
    return "\n".join(lines) + "\n"


def _near_lines(facts: dict[str, Any]) -> list[str]:
    if facts["near"] is None:
        return ["", f"Near copies were not looked for: {facts['near_note']}."]
    if not facts["near"]:
        return ["", f"No harvested document as a whole is like it (similarity {NEAR} or more)."]
    return [
        "",
        "Harvested documents that are like it as a whole (`corpus trace DIR ID` tells their fate):",
        *(
            f"  {row['similarity']:.2f}  {one_line(row['url'])}  {row['id']}"
            for row in facts["near"]
        ),
    ]


def _short(text: str) -> str:
    """The ends of a text, in one line."""
    return one_line(text if len(text) <= 120 else f"{text[:70]} …… {text[-40:]}")
