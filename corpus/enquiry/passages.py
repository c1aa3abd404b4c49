"""Excerpts, whole texts, ISBN and DOI: by the letters of harvested texts.

Comparison's normal form, so that width, blanks, line ends and punctuation do not matter; of texts
as they are stored, and as a reader sees them where those letters are others; all items at once (Aho
and Corasick 1975). Whole texts also piece by piece, and by the signatures of dedup.

Which texts are read: of a build whose harvested documents are indexed (`corpus index --documents`),
those that hold an unbroken run of letters of the excerpt or text as the corpus writes it, from the
index itself; without an index, with one of other files, and for what has no such run (ISBN, DOI),
all of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import ahocorasick_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.signatures import files as signatures
from corpus.dedup.signatures.arrow import fixed_rows
from corpus.dedup.signatures.minhash import sign_texts
from corpus.dedup.signatures.normal import normalise
from corpus.enquiry.found import Found
from corpus.enquiry.request import Item, ten_of
from corpus.errors import UsageError
from corpus.folder.commit import picked_rows
from corpus.folder.layout import Layout, index_of
from corpus.index import Index
from corpus.settings import DedupSettings
from corpus.text import views
from corpus.text.normalize import normalize

PIECE, PIECES = 24, 40  # letters of a piece of a whole text, and how many of it are looked for
PART = 0.2  # of the pieces: a document with so many holds a part of the text
NEAR = 0.5  # Jaccard similarity from which a document is a near copy of a whole text
ROWS = 512  # documents whose texts are held at a time
RUN, RUNS, LONGEST = 6, 3, 16  # letters of a run that the index is asked for, at least and at most
RARE = 20  # places of a run at most, but of the rarest
READ = 50_000  # documents that are read one by one; where more may hold a passage, all are read
INDEX, SCAN = "index", "scan"
# Where the letters that a reader sees may be others than those that are stored: numbers of items,
# languages of fences and names of TeX's environments are signs (corpus.text.views).
SIGNED = r"(?m)```|~~~|\\begin|^[ \t]*[0-9]+[.)]"
TEXTUAL = ("excerpt", "isbn", "doi", "text")


def in_texts(layout: Layout, items: list[Item], steps: tuple[str, ...], found: Found) -> None:
    """The items that are looked for in texts: in those that the index names, or in all."""
    items = [item for item in items if item.kind in TEXTUAL]
    if not items:
        return
    texts = _Texts(items)
    index = _index(layout, items)
    rows = _candidates(index, items, steps) if index is not None else None
    if index is None or rows is None:
        found.texts_by = SCAN
        for path in layout.documents_files():
            with pq.ParquetFile(path) as file:
                first = 0
                for batch in file.iter_batches(ROWS, columns=["id", *views.COLUMNS]):
                    rows = np.arange(first, first + len(batch))
                    texts.look(path, rows, batch["id"].to_pylist(), batch["text"], found)
                    _look_as_seen(texts, path, rows, batch, found)
                    first += len(batch)
        return
    found.texts_by = INDEX
    for path, own in rows.items():
        with pq.ParquetFile(path) as file:
            for low in range(0, len(own), ROWS):
                _look_by_index(texts, index, file, path, own[low : low + ROWS], found)


def _look_as_seen(
    texts: _Texts, path: Path, rows: np.ndarray, batch: pa.RecordBatch, found: Found
) -> None:
    """The plain view, of those whose letters are not those of the stored text."""
    other = pc.match_substring_regex(batch["text"], SIGNED)
    batch, rows = batch.filter(other), rows[other.to_numpy(zero_copy_only=False)]
    if len(batch):
        texts.look(path, rows, batch["id"].to_pylist(), views.plain_of(batch), found)


def _look_by_index(
    texts: _Texts, index: Index, file: pq.ParquetFile, path: Path, rows: np.ndarray, found: Found
) -> None:
    """Rows (int64[n], ascending) of a documents file by the texts that its index has; only what is
    found, and what looks otherwise to a reader, is read from the file itself."""
    stored = pa.array(index.texts(path, rows), pa.large_string())
    hits = list(texts.matches(stored))
    held = np.unique([row for row, *_ in hits]).astype(np.int64)
    names: dict[int, str] = {}
    for table, low, high in picked_rows(file, rows[held], ["id"]):
        names |= zip(held[low:high].tolist(), table["id"].to_pylist(), strict=True)
    for row, item, how, share in hits:
        found.add(item, names[row], how, share)
        found.places[names[row]] = path, int(rows[row])
    signed = rows[pc.match_substring_regex(stored, SIGNED).to_numpy(zero_copy_only=False)]
    for table, low, high in picked_rows(file, signed, ["id", *views.COLUMNS]):
        batch = table.combine_chunks().to_batches()[0]
        _look_as_seen(texts, path, signed[low:high], batch, found)


def _index(layout: Layout, items: list[Item]) -> Index | None:
    """The index of harvested texts, if there is one of these files, and it can find the items."""
    if any(item.kind not in ("excerpt", "text") for item in items):
        return None
    try:
        return Index(layout, documents=True)
    except UsageError:  # there is none, or it is of other files
        return None


def _candidates(
    index: Index, items: list[Item], steps: tuple[str, ...]
) -> dict[Path, np.ndarray] | None:
    """The rows of documents files in which the items may stand; None where all must be read."""
    found: dict[Path, list[np.ndarray]] = defaultdict(list)
    left = READ
    for item in items:
        counts = {run: index.count(run) for run in _runs(item, steps)}
        if not counts:
            return None
        # The rarest, and more than one: another edition has other signs in other places.
        known = sorted((run for run in counts if counts[run]), key=lambda run: (counts[run], run))
        most = RUNS if item.kind == "excerpt" else PIECES
        for run in known[:1] + [run for run in known[1:most] if counts[run] <= RARE]:
            left -= counts[run]
            if left < 0:
                return None
            for path, rows in index.rows(run).items():
                found[path].append(rows)
    return {path: np.unique(np.concatenate(rows)) for path, rows in sorted(found.items())}


def _runs(item: Item, steps: tuple[str, ...]) -> list[str]:
    """Runs of letters of an excerpt or text, as the corpus writes them, spread over it."""
    written = normalize(item.value.encode("utf-8", "replace").decode(), steps)
    runs = re.findall(rf"[^\W_]{{{RUN},{LONGEST}}}", written)
    places = np.linspace(0, len(runs) - 1, min(len(runs), PIECES)).astype(np.int64)
    return list(dict.fromkeys(runs[at] for at in places.tolist()))


class _Texts:
    """All passages of a request as one automaton over the letters of texts."""

    def __init__(self, items: list[Item]) -> None:
        owners: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self.pieces: dict[int, int] = {}
        for item in items:
            if item.kind == "text":
                parts = pieces(item.key)
                self.pieces[item.number] = len(parts)
                for part in parts:
                    owners[part].append((item.number, "part"))
            elif item.kind == "isbn":
                for digits in filter(None, (item.key, ten_of(item.key))):
                    owners[digits].append((item.number, "number"))
            else:
                how = "passage" if item.kind == "excerpt" else "number"
                owners[item.key].append((item.number, how))
        self.owners = list(owners.values())
        self.whole = {item.number: item.key for item in items if item.kind == "text"}
        self.automaton = ahocorasick_rs.AhoCorasick(list(owners)) if owners else None

    def __bool__(self) -> bool:
        return self.automaton is not None

    def look(
        self, path: Path, rows: np.ndarray, ids: list[str], texts: pa.Array, found: Found
    ) -> None:
        """What texts hold, of these rows of a documents file."""
        for k, item, how, share in self.matches(texts):
            found.add(item, ids[k], how, share)
            found.places[ids[k]] = path, int(rows[k])

    def matches(self, texts: pa.Array) -> Iterator[tuple[int, int, str, float]]:
        """(row, item, how, share) of what each text holds."""
        assert self.automaton is not None
        for row, text in enumerate(normalise(texts).to_pylist()):
            seen = {
                hit[0] for hit in self.automaton.find_matches_as_indexes(text, overlapping=True)
            }
            parts: dict[int, int] = {}
            for place in seen:
                for number, how in self.owners[place]:
                    if how == "part":
                        parts[number] = parts.get(number, 0) + 1
                    else:
                        yield row, number, how, 1.0
            for number, count in parts.items():
                share = count / self.pieces[number]
                if share == 1 and self.whole[number] in text:
                    yield row, number, "text", 1.0
                elif share >= PART:
                    yield row, number, "part", min(share, 0.999)


def pieces(text: str) -> list[str]:
    """Up to PIECES pieces of PIECE letters, spread over a text; each once."""
    last = max(0, len(text) - PIECE)
    starts = np.unique(np.linspace(0, last, min(PIECES, last + 1)).astype(np.int64))
    return list(dict.fromkeys(text[at : at + PIECE] for at in starts.tolist()))


def near(layout: Layout, items: list[Item], settings: DedupSettings | None, found: Found) -> None:
    """Documents whose signature is like that of a whole text.

    settings: of the build's signatures, None where it has none.
    """
    items = [item for item in items if item.kind == "text"]
    if not items or settings is None or not signatures.has_near(settings):
        return
    signed, _, _ = sign_texts(pa.array([item.value for item in items]), settings)
    for path in layout.documents_files():
        file = layout.signatures(index_of(path))
        if not file.exists():
            continue
        table = pq.read_table(file, columns=["id", "n_normal", "signature"])
        rows = fixed_rows(table["signature"].combine_chunks(), np.uint32)
        usable = table["n_normal"].to_numpy() > 0
        for item, signature in zip(items, signed, strict=True):
            alike = np.where(usable, (rows == signature).mean(axis=1), 0)
            for row in np.flatnonzero(alike >= NEAR).tolist():
                name = table["id"][row].as_py()
                found.add(item.number, name, "near", min(float(alike[row]), 0.999))
                found.places[name] = path, row
