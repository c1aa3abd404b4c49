"""Which documents a register of takedowns names: by name (corpus.folder.removals), and by content.

A text is named by the SHA-256 of its letters (comparison's normal form: width, case, blanks and
punctuation do not count), or by its MinHash signature, which finds texts that are like it. Both are
compared with the plain view of a document, so an article finds its page also where that has
Markdown signs, and with the text as it is stored.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.dedup.signatures.minhash import signatures
from corpus.dedup.signatures.normal import normalise
from corpus.errors import UsageError
from corpus.folder import removals
from corpus.folder.removals import Removal, hashed
from corpus.settings import DedupSettings
from corpus.text import views
from filters.buffers import Texts

ROWS = 1024  # documents whose texts are held at a time
LEAST = 20  # letters of a text that may be named by content: shorter ones are not one's own
SIGNED = DedupSettings()  # the n-grams and permutations of signatures in a register
_FORM = f"minhash:{SIGNED.ngram}:{SIGNED.num_perm}:{SIGNED.seed}"


def of_text(kind: str, text: str, reason: str = "", least: float = 0.8) -> Removal:
    """The entry for a text: itself (`text`), or what is at least so like it (`near`).

    UsageError for fewer than LEAST letters, which many texts may share.
    """
    letters = normalise(pa.array([text]))[0].as_py()
    if len(letters) < LEAST:
        raise UsageError(f"a text of {len(letters)} letters names no document: give {LEAST}")
    if kind == "text":
        return Removal(kind, hashed(kind, letters), reason)
    if not 0.5 <= least <= 1:
        raise UsageError(f"likeness {least}: choose 0.5 to 1")
    signed = base64.b64encode(signatures(pa.array([text]), SIGNED).tobytes()).decode()
    data = f"{_FORM}:{least:g}:{signed}"
    return Removal(kind, hashed(kind, data), reason, data=data)


def find(documents: list[Path], entries: list[Removal]) -> tuple[pa.Table, np.ndarray]:
    """`removals.find`, texts included."""
    wanted = ByContent(entries)
    return removals.find(documents, entries, wanted.match if wanted else None)


class ByContent:
    """The entries of a register that name texts; false where there is none."""

    def __init__(self, entries: list[Removal]) -> None:
        self.texts = {e.sha256: place for place, e in enumerate(entries) if e.kind == "text"}
        near = [(place, _signed(e)) for place, e in enumerate(entries) if e.kind == "near"]
        self.near = [(place, least, signature) for place, (least, signature) in near]

    def __bool__(self) -> bool:
        return bool(self.texts or self.near)

    def match(self, documents: Path) -> np.ndarray:
        """Place of the first entry that names the text of each row, or -1: int64[n]."""
        with pq.ParquetFile(documents) as file:
            there = [name for name in views.COLUMNS if name in file.schema_arrow.names]
            if "text" not in there:  # signatures of an index keep none
                return np.full(file.metadata.num_rows, -1, np.int64)
            batches = file.iter_batches(ROWS, columns=there)
            parts = [self._of_texts(views.plain_of(batch), batch["text"]) for batch in batches]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _of_texts(self, texts: Texts, stored: Texts) -> np.ndarray:
        """The same of plain views and the texts as they are stored: either may be what is named."""
        none = np.iinfo(np.int64).max
        first = np.full(len(texts), none, np.int64)
        for view in (texts, stored):
            letters = normalise(view).to_pylist()
            if self.texts:
                places = (self.texts.get(hashed("text", text), none) for text in letters)
                first = np.minimum(first, np.fromiter(places, np.int64, len(texts)))
            signed = signatures(view, SIGNED) if self.near else None
            for place, least, signature in self.near:
                alike = np.mean(signed == signature, axis=1) >= least
                alike &= np.array([bool(text) for text in letters], bool)
                first = np.where(alike, np.minimum(first, place), first)
        return np.where(first == none, -1, first)


def likeness(text: str, texts: Texts) -> np.ndarray:
    """Estimated Jaccard similarity of each of the texts to one: float64[n]."""
    one = signatures(pa.array([text]), SIGNED)
    return np.asarray((signatures(texts, SIGNED) == one).mean(axis=1))


def _signed(entry: Removal) -> tuple[float, np.ndarray]:
    """(least likeness, signature uint32[num_perm]) of an entry; UsageError when it is none."""
    form, _, rest = entry.data.rpartition(":")
    form, _, least = form.rpartition(":")
    try:
        signature = np.frombuffer(base64.b64decode(rest, validate=True), np.uint32)
        number = float(least)
    except ValueError as error:
        raise UsageError(f"no signature in a register: {entry.data[:40]!r}") from error
    if form != _FORM or len(signature) != SIGNED.num_perm or not 0.5 <= number <= 1:
        raise UsageError(f"a signature of another kind in a register: {form[:40]!r}")
    return number, signature
