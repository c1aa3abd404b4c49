"""One pass over a build: which of its documents and records the items of a request mean.

Addresses, hosts and titles by their columns. Excerpts, whole texts, ISBN and DOI by the letters of
harvested texts (comparison's normal form, so that width, blanks, line ends and punctuation do not
matter), as a reader sees them and as they are stored, with the signs of Markdown; all of them at
once (Aho and Corasick 1975). Whole texts also piece by piece, and by the signatures of dedup.

Which texts are read: of a build whose harvested documents are indexed (`corpus index --documents`),
those that hold an unbroken run of letters of the excerpt or text as the corpus writes it; without
an index, with one of other files, and for what has no such run (ISBN, DOI), all of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from corpus.enquiry.request import Item, ten_of
from corpus.errors import UsageError
from corpus.folder.commit import picked_rows
from corpus.folder.layout import Layout, index_of
from corpus.folder.removals import HASHED, hashed_url
from corpus.index import Index
from corpus.settings import DedupSettings
from corpus.text import views
from corpus.text.normalize import normalize
from filters.urls.canonical import canonical_url

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


@dataclass
class Hit:
    """A document or record that an item means: how, and for a part of a text how much of it."""

    how: str  # address, host, title, passage, number, text, part or near
    share: float = 1.0


@dataclass
class Found:
    """Item number → id → how it was found."""

    hits: dict[int, dict[str, Hit]] = field(default_factory=lambda: defaultdict(dict))
    texts_by: str = ""  # INDEX or SCAN; "" where no text was looked for

    def add(self, item: int, name: str, how: str, share: float = 1.0) -> None:
        before = self.hits[item].get(name)
        if before is None or before.share < share:
            self.hits[item][name] = Hit(how, share)


def search(
    layout: Layout, items: tuple[Item, ...], steps: tuple[str, ...], near: DedupSettings | None
) -> Found:
    """What the items mean in a build.

    steps: how it writes its texts ([normalize]). near: settings of its signatures, or None.
    """
    found = Found()
    asked = [item for item in items if item.key]
    names = _Names([item for item in asked if item.kind in ("url", "host", "title")])
    if names:
        columns = ["id", "url", "host", *(["title"] if names.titles else [])]
        for path in layout.documents_files():
            names.look(pq.read_table(path, columns=columns), found)
        for path in layout.ledgers("harvest"):  # records that became no document
            table = pq.read_table(path, columns=["id", "url", "action"])
            table = table.filter(pc.is_in(table["action"], pa.array(["drop", "skip"])))
            hosts = pa.array([_host(url) for url in table["url"].to_pylist()], pa.string())
            names.look(table.append_column("host", hosts), found)
    _in_texts(layout, [item for item in asked if item.kind in TEXTUAL], steps, found)
    _near(layout, [item for item in asked if item.kind == "text"], near, found)
    return found


TEXTUAL = ("excerpt", "isbn", "doi", "text")


def _in_texts(layout: Layout, items: list[Item], steps: tuple[str, ...], found: Found) -> None:
    """Items that are looked for in texts: in those that the index names, or in all."""
    if not items:
        return
    texts = _Texts(items)
    index = _index(layout, items)
    rows = _candidates(index, items, steps) if index is not None else None
    if index is None or rows is None:
        found.texts_by = SCAN
        for path in layout.documents_files():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS, columns=["id", *views.COLUMNS]):
                    _look_as_stored(texts, batch, found)
                    _look_as_seen(texts, batch, found)
        return
    found.texts_by = INDEX
    for path, own in rows.items():
        with pq.ParquetFile(path) as file:
            for low in range(0, len(own), ROWS):
                _look_by_index(texts, index, file, path, own[low : low + ROWS], found)


def _look_as_stored(texts: _Texts, batch: pa.RecordBatch | pa.Table, found: Found) -> None:
    texts.look(batch["id"].to_pylist(), batch["text"], found)


def _look_as_seen(texts: _Texts, batch: pa.RecordBatch | pa.Table, found: Found) -> None:
    """The plain view, of those whose letters are not those of the stored text."""
    other = batch.filter(pc.match_substring_regex(batch["text"], SIGNED))
    if len(other):
        texts.look(other["id"].to_pylist(), views.plain_of(other), found)


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
    signed = pc.match_substring_regex(stored, SIGNED).to_numpy(zero_copy_only=False)
    for table, *_ in picked_rows(file, rows[signed], ["id", *views.COLUMNS]):
        _look_as_seen(texts, table.combine_chunks().to_batches()[0], found)


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


# by name ------------------------------------------------------------------------------------------


def _host(url: str | None) -> str:
    return canonical_url(url or "").partition("/")[0].partition("?")[0].partition(":")[0]


class _Names:
    """Addresses, hosts and titles, by what they are compared with."""

    def __init__(self, items: list[Item]) -> None:
        self.urls = {item.key: item.number for item in items if item.kind == "url"}
        self.hashed = {hashed_url(f"http://{key}"): number for key, number in self.urls.items()}
        self.hosts = {item.key: item.number for item in items if item.kind == "host"}
        self.titles: dict[str, int] = {i.key: i.number for i in items if i.kind == "title"}
        self.sites = {
            key.partition("/")[0].partition("?")[0].partition(":")[0] for key in self.urls
        }
        self.known: dict[str | None, tuple[str, int]] = {}  # host → its one form, the item above it

    def __bool__(self) -> bool:
        return bool(self.urls or self.hosts or self.titles)

    def look(self, table: pa.Table, found: Found) -> None:
        """table: columns id, url, host, and title where there is one."""
        site, above = dict[str | None, str](), dict[str | None, int]()
        for host in pc.unique(table["host"]).to_pylist():
            if host not in self.known:
                name = _host(f"http://{host}/") if host else ""
                self.known[host] = name, self._above(name)
            site[host], above[host] = self.known[host]
        # Only rows of the hosts that are asked about, and those of which no host is left.
        meant = [host for host in site if above[host] or site[host] in self.sites]
        rows = pc.or_kleene(
            pc.is_in(table["host"], pa.array(meant, pa.string())),
            pc.starts_with(table["url"], HASHED),
        )
        few = table.select(["id", "url", "host"]).filter(rows).to_pydict()
        for name, url, host in zip(few["id"], few["url"], few["host"], strict=True):
            if above[host]:
                found.add(above[host], name, "host")
            if asked := self._address(url or "", site[host]):
                found.add(asked, name, "address")
        if self.titles and "title" in table.column_names:
            ids = table["id"].to_pylist()
            for name, title in zip(ids, normalise(table["title"]).to_pylist(), strict=True):
                if title and (number := self.titles.get(title)):
                    found.add(number, name, "title")

    def _address(self, url: str, site: str) -> int:
        """The item that names an address, also of what was taken out; 0 for none."""
        if url.startswith(HASHED):
            return self.hashed.get(url, 0)
        return self.urls.get(canonical_url(url), 0) if site in self.sites else 0

    def _above(self, host: str) -> int:
        """The item that names a host, or one above it; 0 for none."""
        parts = host.split(".")
        names = (".".join(parts[start:]) for start in range(len(parts)))
        return next((self.hosts[name] for name in names if name in self.hosts), 0)


# by content ---------------------------------------------------------------------------------------


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

    def look(self, ids: list[str], texts: pa.Array, found: Found) -> None:
        for row, item, how, share in self.matches(texts):
            found.add(item, ids[row], how, share)

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


def _near(layout: Layout, items: list[Item], settings: DedupSettings | None, found: Found) -> None:
    """Documents whose signature is like that of a whole text."""
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
        ids = table["id"].to_pylist()
        for item, signature in zip(items, signed, strict=True):
            alike = np.where(usable, (rows == signature).mean(axis=1), 0)
            for row in np.flatnonzero(alike >= NEAR).tolist():
                found.add(item.number, ids[row], "near", min(float(alike[row]), 0.999))
