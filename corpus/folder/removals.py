"""The removal register of a build or an index, and which documents it names.

    DIR/removals.json   {"removals": [{"kind": "url", "sha256": "…", "host": "…", "reason": "…"}]}

`url` names a page, whatever its scheme, port or tracking parameters (filters.urls.canonical), in
every capture; `host` a host and everything below it; `id` one document; `pattern` addresses
(`example.jp/news/*`); `text` a text by the hash of its letters; `near` texts that are like one, by
its signature (both: corpus.dedup.named). The register keeps hashes, but for patterns: who is named
in it cannot be read from it, and a name that is asked for can be looked up. What it names takes no
part in dedup, as if it had never been harvested: so the next copy of a kept one is kept. It stays
in the folder, and every later build of that folder obeys it. One file for many builds, with a chain
that shows what was changed in it: corpus.register.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpus.errors import RunError, UsageError
from corpus.folder.commit import is_sealed, sealed
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.schema import LEDGER, REMOVED_FORMAT
from filters.urls.canonical import canonical_url
from filters.urls.forms import Pattern, percent

ENTRIES = "removals"  # key of the register
KINDS = ("id", "url", "host", "pattern", "text", "near")
BY_CONTENT = ("text", "near")  # kinds that only a reader of texts can find
UNKNOWN = "earlier"  # the rule of a document that was taken out, where nothing says by which entry
ABOUT = ["id", "url", "host", "format", "source_file", "source_offset"]
HASHED = "sha256:"  # what stands in place of the address of a document that was taken out
# A row of what was taken out: place, hashed address, entry, and hashes by which its absence shows.
TAKEN = pa.schema(
    [
        pa.field("file", pa.int32()),
        pa.field("row", pa.int32()),
        pa.field("id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("source_file", pa.string()),
        pa.field("source_offset", pa.int64()),
        pa.field("kind", pa.string()),  # of the entry that names it, or UNKNOWN
        pa.field("reason", pa.string()),
        pa.field("strings", pa.list_(pa.string())),  # `bytes:SHA-256` of title and text
        pa.field("windows", pa.list_(pa.uint64())),  # of title and text: corpus.folder.windows
    ]
)


@dataclass(frozen=True)
class Removal:
    """One entry of a register: `sha256` is of `kind` and what a document is compared with.

    host: of a URL, the hash of its host, so that other hosts' addresses are not looked at.
    data: what a hash cannot say: the pattern itself, or the signature of a text.
    """

    kind: str
    sha256: str
    reason: str = ""
    host: str = ""
    data: str = ""

    @staticmethod
    def of(kind: str, value: str, reason: str = "") -> Removal:
        """The entry that a user names; UsageError for what can name nothing."""
        if kind not in KINDS or kind in BY_CONTENT or not value.strip():
            raise UsageError(f"cannot remove {kind} {value!r}: name a URL, host, pattern or id")
        if kind == "pattern":
            pattern = AddressPattern.of(value).text
            return Removal(kind, hashed(kind, pattern), reason, data=pattern)
        key = value.strip().lower().rstrip(".") if kind == "host" else value
        if kind == "url":
            key = canonical_url(value)
            if not key:
                raise UsageError(f"cannot remove {value!r}: it is no http or https URL")
        host = hashed("site", _site(key)) if kind == "url" else ""
        return Removal(kind, hashed(kind, key), reason, host)

    @staticmethod
    def read(entry: dict[str, Any]) -> Removal:
        """An entry of a file; `value` in place of `sha256` is a name that a user wrote.

        ValueError or TypeError when it is neither.
        """
        if "value" in entry:
            return Removal.of(**entry)
        removal = Removal(**entry)
        if removal.kind not in KINDS or len(removal.sha256) != 64:
            raise ValueError(f"no entry of a register: {entry}")
        if removal.kind == "pattern":
            AddressPattern.of(removal.data)
        return removal

    def as_entry(self) -> dict[str, str]:
        """The entry as a file has it."""
        entry = asdict(self)
        return entry if self.data else {k: v for k, v in entry.items() if k != "data"}


@dataclass(frozen=True)
class AddressPattern:
    """`host/path`: a host, or `*.host` with all below it, and a path pattern of robots.txt.

    `example.jp/news/` names what begins so; `*` stands for anything, a last `$` for the end. No
    pattern is slow (filters.urls.forms.Pattern).
    """

    text: str
    host: str
    below: bool
    path: Pattern

    @staticmethod
    def of(value: str) -> AddressPattern:
        """UsageError for what is none, or would name every host."""
        text = value.strip().removeprefix("https://").removeprefix("http://")
        name, _, path = text.partition("/")
        below = name.startswith("*.")
        host = _site(canonical_url(f"http://{name.removeprefix('*.')}/"))
        if not host or "*" in host or "%" in host or not value.isprintable():
            raise UsageError(f"cannot remove pattern {value!r}: write HOST/PATH or *.HOST/PATH")
        rule = percent(f"/{path}".encode("utf-8", "replace"))
        return AddressPattern(
            ("*." if below else "") + f"{host}/{path}", host, below, Pattern(rule)
        )

    def matches(self, host: str, path: bytes) -> bool:
        """host and path: of a canonical address; path with its leading slash, and the query."""
        same = host == self.host or (self.below and host.endswith(f".{self.host}"))
        return same and self.path.matches(path)


def hashed(kind: str, key: str) -> str:
    """SHA-256 (hex) of a name of that kind."""
    return hashlib.sha256(f"{kind}\n{key}".encode("utf-8", "surrogatepass")).hexdigest()


def hashed_url(url: str) -> str:
    """What stands in place of an address: the hash a register has of it; empty for none."""
    if url.startswith(HASHED):
        return url
    return HASHED + hashed("url", canonical_url(url) or url) if url else ""


def load(layout: Layout) -> list[Removal]:
    """The entries of the register of a build or an index; none when it has no register."""
    path = layout.removals
    if not path.exists():
        return []
    try:
        return [Removal.read(entry) for entry in listed(json.loads(path.read_bytes()))]
    except (OSError, ValueError, TypeError, UsageError) as error:
        raise RunError(
            f"{layout.shown(path)} is damaged ({error}): what it names must stay out"
        ) from error


def add(folder: Folder, new: Iterable[Removal]) -> list[Removal]:
    """Append entries that are not in the register yet; the register as it is now."""
    entries = load(folder.layout)
    known = {each.sha256 for each in entries}
    for entry in new:
        if entry.sha256 not in known:
            entries.append(entry)
            known.add(entry.sha256)
    entries_there = [entry.as_entry() for entry in entries]
    folder.commit_json(folder.layout.removals, sealed({ENTRIES: entries_there}))
    return entries


def listed(register: Any) -> list[dict[str, Any]]:
    """The entries in the JSON of a register, also of one that an earlier version wrote."""
    if isinstance(register, dict):
        if not is_sealed(register):
            raise ValueError("its seal is of other entries")
        return list(register[ENTRIES])
    return list(register)


def digest(removals: list[Removal], *more: str) -> str:
    """Names a register, and more that its outcome depends on."""
    text = json.dumps([*(each.as_entry() for each in removals), *more], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Matcher:
    """Finds the entries that name documents."""

    def __init__(self, removals: list[Removal]) -> None:
        self.removals = removals
        self.places: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
        for place, entry in enumerate(removals):
            self.places[entry.kind].setdefault(entry.sha256, place)
        urls = [entry for entry in removals if entry.kind == "url"]
        self.sites = None if any(not e.host for e in urls) else {entry.host for entry in urls}
        self.patterns = [
            (AddressPattern.of(entry.data), place)
            for place, entry in enumerate(removals)
            if entry.kind == "pattern"
        ]

    def match(self, table: pa.Table) -> np.ndarray:
        """Place of the first entry that names each row, or -1: int64[n].

        table: columns id, url and host.
        """
        n, none = table.num_rows, len(self.removals)
        first = np.full(n, none, np.int64)
        if self.places["host"]:
            first = np.minimum(first, _each(table["host"], self._host))
        if self.places["id"]:
            places = (self.places["id"].get(hashed("id", v), none) for v in _values(table["id"]))
            first = np.minimum(first, np.fromiter(places, np.int64, n))
        # Canonical addresses are slow to make: only of hosts that an entry is about.
        if self.places["url"]:
            asked = _each(table["host"], self._is_asked).astype(bool)
            rows = np.flatnonzero(asked)
            urls = table["url"].take(pa.array(rows))
            places = (self.places["url"].get(hashed("url", u), none) for u in _canonical(urls))
            first[rows] = np.minimum(first[rows], np.fromiter(places, np.int64, len(rows)))
        if self.patterns:
            rows = np.flatnonzero(_each(table["host"], self._is_in_pattern))
            urls = table["url"].take(pa.array(rows))
            places = (self._pattern(address) for address in _canonical(urls))
            first[rows] = np.minimum(first[rows], np.fromiter(places, np.int64, len(rows)))
        return np.where(first == none, -1, first)

    def _is_asked(self, host: str) -> int:
        if not host or self.sites is None:
            return 1
        return hashed("site", _site(canonical_url(f"http://{host}/"))) in self.sites

    def _is_in_pattern(self, host: str) -> int:
        name = _site(canonical_url(f"http://{host}/")) if host else ""
        return int(not host or any(name.endswith(rule.host) for rule, _ in self.patterns))

    def _pattern(self, address: str) -> int:
        """The first pattern that a canonical address fits; len(removals) for none."""
        host = _site(address)
        path = percent(address.removeprefix(host).encode("utf-8", "replace"))
        if not path.startswith(b"/"):  # a port, or a query right behind the host
            path = b"/" + path.partition(b"/")[2] if b"/" in path else b"/" + path
        fits = (place for rule, place in self.patterns if rule.matches(host, path))
        return next(fits, len(self.removals))

    def _host(self, value: str) -> int:
        parts = value.lower().rstrip(".").split(".")
        above = [hashed("host", ".".join(parts[start:])) for start in range(len(parts))]
        return min(self.places["host"].get(name, len(self.removals)) for name in above)


def _site(canonical: str) -> str:
    """The host of a canonical address, without the port."""
    return canonical.partition("/")[0].partition("?")[0].partition(":")[0]


def _each(column: pa.ChunkedArray, of: Any) -> np.ndarray:
    """`of` each value, asked once for equal ones: int64[n]."""
    values = _values(column)
    answers = {value: of(value) for value in set(values)}
    return np.fromiter((answers[value] for value in values), np.int64, len(values))


def _values(column: pa.ChunkedArray) -> list[str]:
    return [value or "" for value in column.to_pylist()]


def _canonical(urls: pa.ChunkedArray) -> Iterable[str]:
    return map(canonical_url, _values(urls))


def find(
    documents: list[Path], removals: list[Removal],
    by_content: Callable[[Path], np.ndarray] | None = None,
) -> tuple[pa.Table, np.ndarray]:  # fmt: skip
    """(file, row and ABOUT; entry int64[n], -1 without one) of what is named or is out already.

    by_content: documents file → the entry that names each row's text, int64[n], -1 for none.
    """
    matcher = Matcher(removals)
    parts, entries = [_FOUND.empty_table()], [np.empty(0, np.int64)]
    for index, path in enumerate(documents):
        there = pq.read_schema(path).names
        table = pq.read_table(path, columns=[name for name in ABOUT if name in there])
        if "format" not in there:  # signatures of an index
            table = table.append_column("format", pa.nulls(len(table), pa.string()))
        table = table.select(ABOUT)
        named = matcher.match(table)
        if by_content is not None:
            named = np.where(named < 0, by_content(path), named)
        out = pc.fill_null(pc.equal(table["format"], REMOVED_FORMAT), False).to_numpy()
        rows = np.flatnonzero((named >= 0) | out)
        part = table.take(pa.array(rows))
        part = part.add_column(0, _FOUND.field("row"), pa.array(rows.astype(np.int32)))
        files = pa.array(np.full(len(rows), index, np.int32))
        parts.append(part.add_column(0, _FOUND.field("file"), files).cast(_FOUND))
        entries.append(named[rows])
    return pa.concat_tables(parts), np.concatenate(entries)


_FOUND = pa.schema(
    [("file", pa.int32()), ("row", pa.int32())]
    + [(n, LEDGER.field(n).type if n in LEDGER.names else pa.string()) for n in ABOUT]
)


def taken_rows(layout: Layout) -> pa.Table:
    """The rows of TAKEN of a build; none where nothing was taken out."""
    return pq.read_table(layout.taken) if layout.taken.exists() else TAKEN.empty_table()


def taken(layout: Layout) -> dict[int, np.ndarray]:
    """Rows (int32[k], ascending) taken out of each documents file that has any."""
    if not layout.taken.exists():
        return {}
    return _taken(layout, layout.taken.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _taken(layout: Layout, changed: int) -> dict[int, np.ndarray]:
    table = pq.read_table(layout.taken, columns=["file", "row"])
    file, row = table["file"].to_numpy(), table["row"].to_numpy()
    return {int(index): np.sort(row[file == index]) for index in np.unique(file)}


def left(layout: Layout, index: int) -> np.ndarray | None:
    """Rows (int64, ascending) of a documents file that were not taken out; None: all of them."""
    gone = taken(layout).get(index)
    if gone is None:
        return None
    rows = np.arange(pq.read_metadata(layout.documents(index)).num_rows)
    return np.delete(rows, gone)
