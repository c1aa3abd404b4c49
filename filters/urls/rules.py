"""Block and allow lists of hosts and URLs, with categories: UT1 folders and plain text lists.

    rules = load([Source(Path("blacklists"), SWALLOW_CATEGORIES), Source(Path("mine.txt"))])
    rules.category("https://www.example.jp/x")    Match(source="mine.txt", entry="example.jp", …)
    rules.classify(urls)                          Arrow strings, null where nothing is blocked

Entries (UT1 files `domains` and `urls`, or any line of a plain list; `#` begins a comment):

    example.jp            the host and every host below it; `*.example.jp`, `.example.jp` likewise
    =example.jp           this host alone
    example.jp/a/b        addresses that begin so, at the end of a part of the path
    example.jp/*/print$   a path pattern as in robots.txt: * anything, a final $ the end
    0.0.0.0 example.jp    a line of a hosts file

The entry for the longest host decides, then the longest path (without * and $); at equal length an
allow list wins.
Built once, then cached by the content of the lists and mapped: workers share one copy.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from filters.buffers import text_buffers
from filters.kernels.characters import FULL_STOP
from filters.urls import table
from filters.urls.forms import Pattern, host, percent, split
from filters.urls.sources import (
    Member,
    Source,
    UrlListError,
    check,
    contents,
    has_categories,
    members,
)

__all__ = [
    "SWALLOW_CATEGORIES",
    "SWALLOW_HOSTS",
    "Match",
    "Source",
    "UrlListError",
    "check",
    "has_categories",
    "load",
]

# Swallow Corpus v1, ngurl.py, set NG: these categories of UT1 are blocked (audio-video, blog and
# radio are not). The set also holds "mixed adult" with a space, which UT1 calls mixed_adult, so
# that Swallow never blocked it, and "custom", a list of its own that is published empty.
_SWALLOW = (
    "adult agressif bitcoin celebrity chat cryptojacking dating ddos doh filehosting financial "
    "gambling games malware manga phishing publicite redirector remote-control shopping "
    "social_networks strict_redirector strong_redirector vpn warez webmail"
)
SWALLOW_CATEGORIES = tuple(_SWALLOW.split())
SWALLOW_HOSTS = ("5ch.net", "wikipedia.org")  # ngurl.py drops these besides the lists
NONE = (0, 0, 0)  # ranks below every entry
VERSION = "1"  # of the cache's form
_SINKS = ("0.0.0.0", "127.0.0.1", "::1", "::")


@dataclass(frozen=True)
class Match:
    """Which entry spoke, in normal form, and from which list and category."""

    source: str
    entry: str
    category: str


@dataclass(frozen=True)
class Category:
    source: str
    name: str
    allow: bool


@dataclass(frozen=True, eq=False)
class Rules:
    """Loaded lists. `categories[code]`; `patterns` by host: (path pattern, code); `skipped` lines
    that are no entry."""

    table: table.Table
    categories: tuple[Category, ...]
    patterns: dict[str, list[tuple[str, int]]]
    skipped: int
    _compiled: dict[str, list[tuple[Pattern, int]]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of distinct hosts and addresses listed, and patterns."""
        return len(self.table) + sum(map(len, self.patterns.values()))

    def category(self, url: str) -> Match | None:
        """The entry that blocks this URL, None when none does, an allow list wins or there is no
        host."""
        code, entry = self._decide(url)
        if code < 0 or self.categories[code].allow:
            return None
        return Match(self.categories[code].source, entry, self.categories[code].name)

    def classify(self, urls: pa.Array) -> pa.Array:
        """Category that blocks each URL: pa.string of the same length, null where none does.

        `urls` is a string or large_string array; a null URL has no category.
        """
        data, offsets = text_buffers(urls)
        codes = np.empty(len(urls), dtype=np.int32)
        table.classify(data, offsets, *self.table.columns(), codes)
        for i in np.flatnonzero(codes == table.SLOW):
            raw = data[offsets[i] : offsets[i + 1]].tobytes()
            codes[i] = self._decide(raw.decode("utf-8", "replace"))[0]
        blocked = np.array([not c.allow for c in self.categories] + [False])  # [-1] is none
        indices = pa.array(codes, mask=~blocked[codes])
        names = pa.array([c.name for c in self.categories], pa.string())
        return names.take(indices)

    def _decide(self, url: str) -> tuple[int, str]:
        """(code, entry) of the most specific entry, allowing ones too; (-1, "") without any."""
        parts = split(url)
        if parts is None:
            return -1, ""
        name, path = parts.host.encode(), _rooted(parts.path)
        data = np.frombuffer(name + path, dtype=np.uint8)
        code, begin, end, exact = table.find(
            data, 0, len(name), len(data), True, *self.table.columns(), True
        )
        entry = ("=" if exact else "") + data[begin:end].tobytes().decode("ascii")
        best = (len(name) - begin, max(end - len(name), int(exact)), -code) if code >= 0 else NONE
        if self.patterns:
            for at in (0, *(i + 1 for i, c in enumerate(name) if c == FULL_STOP)):
                suffix = name[at:].decode()
                for pattern, pattern_code in self._patterns(suffix):
                    rank = (len(suffix), pattern.literal, -pattern_code)
                    if rank > best and pattern.matches(path or b"/"):
                        best, code = rank, pattern_code
                        entry = suffix + pattern.text.decode("ascii")
        return int(code), entry

    def _patterns(self, suffix: str) -> list[tuple[Pattern, int]]:
        if suffix not in self.patterns:
            return []
        if suffix not in self._compiled:
            pairs = self.patterns[suffix]
            self._compiled[suffix] = [(Pattern(p.encode()), code) for p, code in pairs]
        return self._compiled[suffix]


def load(sources: Sequence[Source], cache: Path | None = None) -> Rules:
    """Read lists, or map what an earlier call left in `cache` for the same contents.

    Of several categories that list one entry, the first in the order of `sources` is named. Raises
    UrlListError (a ValueError, one line) for a missing file or folder and an unknown category.
    """
    files = list(members(sources))
    categories = tuple(
        dict.fromkeys(Category(m.source, m.category, m.allow) for m in sorted(files, key=_rank))
    )
    if len(categories) >= table.NO_CODE:
        raise UrlListError(f"URL lists: {len(categories)} categories, at most 65534 are possible")
    if cache is None:
        return _build(files, categories)
    key = xxhash.xxh3_128(VERSION.encode())
    for member in files:
        key.update(repr((member.source, member.category, member.allow, member.urls)).encode())
        key.update(member.inner.encode("utf-8", "surrogateescape"))
    for content in contents(files):
        key.update(content)
    folder = cache / f"urls-{key.hexdigest()}"
    rules = _mapped(folder, categories)
    if rules is None:
        rules = _build(files, categories)
        _store(rules, folder)
    return rules


def _rank(member: Member) -> bool:
    return not member.allow  # a stable sort: allowing categories get the lower codes


def _build(files: Sequence[Member], categories: tuple[Category, ...]) -> Rules:
    codes = {category: code for code, category in enumerate(categories)}
    hashes, kinds, numbers = [], [], []
    patterns: dict[str, dict[tuple[str, int], None]] = {}
    skipped = 0
    for member in files:
        code = codes[Category(member.source, member.category, member.allow)]
        for block in _blocks(member.pieces()):
            keys, kind, others, lost = _entries(block)
            skipped += lost
            for name, pattern in others:
                patterns.setdefault(name, {})[(pattern, code)] = None
            hashes.append(keys)
            kinds.append(kind)
            numbers.append(np.full(len(kind), code, dtype=np.uint16))
    built = table.build(
        np.concatenate([np.empty((0, 2), np.uint64), *hashes]),
        np.concatenate([np.empty(0, np.uint8), *kinds]),
        np.concatenate([np.empty(0, np.uint16), *numbers]),
    )
    return Rules(built, categories, {h: sorted(p) for h, p in sorted(patterns.items())}, skipped)


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces of a file, cut after line feeds; a line of over 64 KiB is no entry and is cut too."""
    rest = b""
    for piece in pieces:
        whole, feed, rest = (rest + piece).rpartition(b"\n")
        if feed:
            yield whole + feed
        if len(rest) > 1 << 16:
            rest = b"\0"  # a line that cannot be read as an entry
    if rest:
        yield rest


def _entries(
    block: bytes,
) -> tuple[table.Hashes, table.Bytes, list[tuple[str, str]], int]:
    """Hashes uint64[n, 2] and kinds of the entries in some lines; (host, path pattern) of the
    patterns; and how many lines are no entry."""
    data = np.frombuffer(block, dtype=np.uint8)
    size = block.count(b"\n") + 1
    hashes = np.empty((size, 2), dtype=np.uint64)
    plain = np.empty(size, dtype=np.uint8)
    bounds = np.empty((size, 2), dtype=np.int64)
    count = table.hash_lines(data, hashes, plain, bounds)
    hosts = hashes[:count][plain[:count] == 1]
    keys: list[tuple[bytes, int]] = []
    patterns = []
    skipped = 0
    for i in np.flatnonzero(plain[:count] == 0):
        line = block[bounds[i, 0] : bounds[i, 1]].decode("utf-8", "replace")
        entry = _entry(line)
        if entry is None:
            skipped += bool(line.partition("#")[0].strip())
            continue
        name, path, exact = entry
        if not path:
            keys.append((name.encode(), table.EXACT if exact else table.SUFFIX))
        elif b"*" in path or path.endswith(b"$") or len(path) > table.MAX_KEY_PATH:
            patterns.append((name, path.decode("ascii")))
            keys.append((name.encode(), table.MARK_PATTERNS))
        else:
            keys += ((name.encode(), table.MARK_PATHS), (name.encode() + path, table.PATH))
    slow = np.empty((len(keys), 2), dtype=np.uint64)
    for k, (key, _) in enumerate(keys):
        slow[k] = table.murmur128(np.frombuffer(key, dtype=np.uint8), 0, len(key))
    kinds = np.array([table.SUFFIX] * len(hosts) + [kind for _, kind in keys], dtype=np.uint8)
    return np.concatenate([hosts, slow]), kinds, patterns, skipped


def _entry(line: str) -> tuple[str, bytes, bool] | None:
    """(host, path or pattern, exact) of a line in normal form; None when it is no entry."""
    words = line.partition(" #")[0].split()
    if len(words) == 2 and words[0] in _SINKS:
        words = words[1:]
    if len(words) != 1 or words[0].startswith("#"):
        return None
    text = words[0]
    exact = text.startswith("=")
    text = text[1:] if exact else text.removeprefix("*.").removeprefix(".")
    if not exact and "/" not in text:
        name = host(text.rpartition(":")[0] if text.rpartition(":")[2].isdigit() else text)
        return (name, b"", False) if name and "*" not in name else None
    parts = split(text)
    if parts is None or "*" in parts.host:
        return None
    path = _rooted(parts.path)
    if b"*" not in path and not path.endswith(b"$"):
        path = path.rstrip(b"/?&;")
    return parts.host, path, exact and not path


def _rooted(path: bytes) -> bytes:
    return path if not path or path.startswith(b"/") else b"/" + percent(path)


def _store(rules: Rules, folder: Path) -> None:
    """Write the cache under a temporary name and rename it; another process may be first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=folder.name, dir=folder.parent))
    try:
        for name in table.Table.NAMES:
            np.save(part / f"{name}.npy", getattr(rules.table, name))
        more = {"patterns": rules.patterns, "skipped": rules.skipped, "rows": len(rules.table)}
        (part / "rules.json").write_text(json.dumps(more, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one
        os.rename(part, folder)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        if not (folder / "rules.json").is_file():
            raise


def _mapped(folder: Path, categories: tuple[Category, ...]) -> Rules | None:
    """The cached rules, columns mapped read-only; None when there are none or they are damaged."""
    try:
        more = json.loads((folder / "rules.json").read_text(encoding="utf-8"))
        columns = [
            np.asarray(np.load(folder / f"{n}.npy", mmap_mode="r")) for n in table.Table.NAMES
        ]
        sizes = {len(column) for column in columns[:5]}
        patterns = {h: [(p, c) for p, c in pairs] for h, pairs in more["patterns"].items()}
        if sizes != {more["rows"]} or int(columns[5][-1]) != more["rows"]:
            return None
        return Rules(table.Table(*columns), categories, patterns, more["skipped"])
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError):
        return None
