"""One pass over a build: which of its documents and records the items of a request mean.

Addresses, hosts and titles by their columns. Excerpts, whole texts, ISBN and DOI by the letters of
every harvested text (comparison's normal form, so that width, blanks, line ends and punctuation do
not matter), as a reader sees it and as it is stored, with the signs of Markdown; all of them at
once (Aho and Corasick 1975). Whole texts also piece by piece, and by the signatures of dedup.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

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
from corpus.folder.layout import Layout, index_of
from corpus.folder.removals import HASHED, hashed_url
from corpus.settings import DedupSettings
from corpus.text import views
from filters.urls.canonical import canonical_url

PIECE, PIECES = 24, 40  # letters of a piece of a whole text, and how many of it are looked for
PART = 0.2  # of the pieces: a document with so many holds a part of the text
NEAR = 0.5  # Jaccard similarity from which a document is a near copy of a whole text
ROWS = 512  # documents whose texts are held at a time
COLUMNS = ["id", "url", "host", "title"]


@dataclass
class Hit:
    """A document or record that an item means: how, and for a part of a text how much of it."""

    how: str  # address, host, title, passage, number, text, part or near
    share: float = 1.0


@dataclass
class Found:
    """Item number → id → how it was found."""

    hits: dict[int, dict[str, Hit]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, item: int, name: str, how: str, share: float = 1.0) -> None:
        before = self.hits[item].get(name)
        if before is None or before.share < share:
            self.hits[item][name] = Hit(how, share)


def search(layout: Layout, items: tuple[Item, ...], near: DedupSettings | None) -> Found:
    """What the items mean in a build. near: settings of its signatures, None where it has none."""
    found = Found()
    asked = [item for item in items if item.key]
    names = _Names([item for item in asked if item.kind in ("url", "host", "title")])
    texts = _Texts([item for item in asked if item.kind in ("excerpt", "isbn", "doi", "text")])
    for path in layout.documents_files():
        table = pq.read_table(path, columns=COLUMNS)
        names.look(table, found)
        if texts:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(ROWS, columns=["id", *views.COLUMNS]):
                    ids = batch["id"].to_pylist()
                    for view in (views.plain_of(batch), batch["text"]):
                        texts.look(ids, view, found)
    for path in layout.ledgers("harvest"):  # records that became no document
        table = pq.read_table(path, columns=["id", "url", "action"])
        table = table.filter(pc.is_in(table["action"], pa.array(["drop", "skip"])))
        hosts = pa.array([_host(url) for url in table["url"].to_pylist()], pa.string())
        names.look(table.append_column("host", hosts), found)
    _near(layout, [item for item in asked if item.kind == "text"], near, found)
    return found


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

    def look(self, table: pa.Table, found: Found) -> None:
        """table: columns id, url, host, and title where there is one."""
        ids, urls = table["id"].to_pylist(), table["url"].to_pylist()
        hosts = table["host"].to_pylist()
        site = {host: _host(f"http://{host}/") if host else "" for host in set(hosts)}
        above = {host: self._above(name) for host, name in site.items()}
        for name, url, host in zip(ids, urls, hosts, strict=True):
            if above[host]:
                found.add(above[host], name, "host")
            if asked := self._address(url or "", site[host]):
                found.add(asked, name, "address")
        if self.titles and "title" in table.column_names:
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
        assert self.automaton is not None
        for name, text in zip(ids, normalise(texts).to_pylist(), strict=True):
            seen = {
                hit[0] for hit in self.automaton.find_matches_as_indexes(text, overlapping=True)
            }
            parts: dict[int, int] = {}
            for place in seen:
                for number, how in self.owners[place]:
                    if how == "part":
                        parts[number] = parts.get(number, 0) + 1
                    else:
                        found.add(number, name, how)
            for number, count in parts.items():
                share = count / self.pieces[number]
                if share == 1 and self.whole[number] in text:
                    found.add(number, name, "text", 1.0)
                elif share >= PART:
                    found.add(number, name, "part", min(share, 0.999))


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
