"""One pass over a build: which of its documents and records the items of a request mean.

Addresses, hosts and titles by their columns, here; what stands in texts: corpus.enquiry.passages.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.dedup.signatures.normal import normalise
from corpus.enquiry import passages
from corpus.enquiry.found import Found
from corpus.enquiry.request import Item
from corpus.folder.layout import Layout
from corpus.folder.removals import HASHED, hashed_url
from corpus.settings import DedupSettings
from filters.urls.canonical import canonical_url


def search(
    layout: Layout, items: tuple[Item, ...], steps: tuple[str, ...], near: DedupSettings | None
) -> Found:
    """What the items mean in a build.

    steps: how it writes its texts ([normalize]). near: settings of its signatures, or None.
    """
    found = Found()
    asked = [item for item in items if item.key]
    names = _Names([item for item in asked if item.kind in ("url", "host", "title")])
    for path in layout.documents_files():
        _documents(path, names, found)
    for path in layout.ledgers("harvest") if names else ():  # records that became no document
        table = pq.read_table(path, columns=["id", "url", "action"])
        table = table.filter(pc.is_in(table["action"], pa.array(["drop", "skip"])))
        hosts = pa.array([_host(url) for url in table["url"].to_pylist()], pa.string())
        names.look(table.append_column("host", hosts.dictionary_encode()), found)
    passages.in_texts(layout, asked, steps, found)
    passages.near(layout, asked, near, found)
    return found


def _documents(path: Path, names: _Names, found: Found) -> None:
    """The documents of a file by name, and how many there are of each input and day."""
    coded = ["host", "source_file", "captured"]
    columns = [*coded, *(["id", "url"] if names else []), *(["title"] if names.titles else [])]
    with pq.ParquetFile(path, read_dictionary=coded) as file:
        table = file.read(columns=columns)
    counts = table.group_by(coded[1:]).aggregate([([], "count_all")]).to_pydict()
    for source, captured, count in zip(*counts.values(), strict=True):
        found.inputs[source, (captured or "")[:10]] += count
    if names:
        names.look(table.unify_dictionaries().combine_chunks(), found, path)


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
        self.known: dict[str | None, tuple[str, int] | None] = {}  # of `_host`

    def __bool__(self) -> bool:
        return bool(self.urls or self.hosts or self.titles)

    def look(self, table: pa.Table, found: Found, path: Path | None = None) -> None:
        """table: columns id, url, host (dictionary), and title where there is one; of a documents
        file, its rows in their order."""
        hosts = table["host"].combine_chunks()
        names = hosts.dictionary.to_pylist()
        for host in set(names) - self.known.keys():
            self.known[host] = self._host(host)
        known = [*map(self.known.__getitem__, names), None]
        # Only rows of the hosts that are asked about, and those of which no host is left.
        meant = np.array([bool(host) for host in known])
        codes = pc.fill_null(hosts.indices, len(names)).to_numpy()
        gone = pc.fill_null(pc.starts_with(table["url"], HASHED), False)
        rows = np.flatnonzero(meant[codes] | gone.to_numpy())
        few = table.select(["id", "url"]).take(pa.array(rows)).to_pydict()
        for row, name, url in zip(rows.tolist(), few["id"], few["url"], strict=True):
            site, above = known[codes[row]] or ("", 0)
            if above:
                found.add(above, name, "host")
            if asked := self._address(url or "", site):
                found.add(asked, name, "address")
            if path is not None and (above or asked):
                found.places[name] = path, row
        if self.titles and "title" in table.column_names:
            self._titles(table, found, path)

    def _titles(self, table: pa.Table, found: Found, path: Path | None) -> None:
        ids = table["id"]
        for row, title in enumerate(normalise(table["title"].combine_chunks()).to_pylist()):
            if title and (number := self.titles.get(title)):
                name = ids[row].as_py()
                found.add(number, name, "title")
                if path is not None:
                    found.places[name] = path, row

    def _host(self, host: str | None) -> tuple[str, int] | None:
        """The one form of a host and the item that names it or one above it; None where neither it
        nor an address of it is asked about."""
        name = _host(f"http://{host}/") if host else ""
        above = self._above(name)
        return (name, above) if above or name in self.sites else None

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
