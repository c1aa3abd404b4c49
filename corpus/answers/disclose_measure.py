"""What the sheets of `corpus disclose` draw on: counted in the build, once."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import duckdb

from corpus import config
from corpus.answers import facts as stated
from corpus.errors import UsageError
from corpus.folder.layout import Layout
from corpus.folder.sql import quoted
from corpus.settings import Settings
from corpus.sources.source import WEB_ARCHIVES
from corpus.stages.books import funnel

Answer = tuple[str, str] | None  # English, Japanese; None where the build knows nothing
# Data sets that are public, by how their publishers name files: (name, what its part is called).
PUBLIC = (
    ("Common Crawl", re.compile(r"crawl-data/(CC-MAIN-\d{4}-\d\d)/")),
    ("Common Crawl", re.compile(r"(?:^|/)(CC-MAIN-\d{8})\d{6}-\d{14}-\d{5}\.warc(?:\.we[at])?\.")),
    ("Common Crawl", re.compile(r"crawl-data/(CC-NEWS/\d{4}/\d\d)/")),
    ("Wikimedia dump", re.compile(r"(?:^|/)([a-z_]+wiki-\d{8})-pages-")),
)


@dataclass(frozen=True)
class Measured:
    """What the sheets draw on: everything is counted in the build.

    `crawled` and `domains` are of documents that stand in web archives (WARC, WET, ARC): an address
    alone makes no crawl, files of an interface have one too.
    """

    layout: Layout
    settings: Settings
    facts: dict[str, Any]  # of corpus.answers.facts
    domains: list[tuple[str, int, int]]  # (domain, documents, bytes), largest first
    contract: tuple[int, int]  # documents and characters of the licence class `contract`
    inputs: int  # files that were read
    public: dict[str, tuple[int, int]]  # part of a public data set → its files and documents
    crawled: tuple[int, int]  # documents of web archives, and their bytes
    captured: tuple[str, ...]  # their first and last day, none where no record has one
    small: bool  # a small provider names fewer domains

    @property
    def dropped(self) -> dict[str, int]:
        """`rule` → records, over all stages."""
        total: Counter[str] = Counter()
        for entry in self.facts["funnel"].values():
            total.update(entry.get("dropped", {}))
        return dict(total)


def measure(layout: Layout, small: bool = False) -> Measured:
    """The figures of a published build; UsageError for one that is not."""
    settings, _ = config.of_folder(layout)
    books = funnel(layout)
    if "publish" not in books:
        raise UsageError(f"{layout} is not published yet: run `corpus publish {layout}`")
    facts = stated.facts(layout, settings, books)
    units = [unit for unit in json.loads(layout.plan.read_bytes())["units"] if not unit["unread"]]
    files = {file for unit in units for file in unit["files"]}
    read = facts["inputs"]["read"]
    if not layout.shards():
        return Measured(
            layout, settings, facts, [], (0, 0), read, _public(files, {}), (0, 0), (), small
        )
    db = duckdb.connect(":memory:", config={"threads": 2})
    db.execute(f"create view corpus as select * from read_parquet({quoted(layout.shards())})")
    contract = _two(db, "count(*), coalesce(sum(n_chars), 0)::bigint", "licence = 'contract'")
    crawled = _crawled(db, units)
    of_file = dict(db.execute("select source_file, count(*) from corpus group by 1").fetchall())
    hosts = db.execute(
        f"select host, count(*), sum(n_bytes)::bigint from corpus where {crawled} and host <> '' "
        "group by 1"
    ).fetchall()
    days = _two(
        db, "left(min(captured), 10), left(max(captured), 10)", f"{crawled} and {stated.DATED}"
    )
    return Measured(
        layout, settings, facts, _domains(hosts), contract, read,
        _public(files | set(of_file), of_file),
        _two(db, "count(*), coalesce(sum(n_bytes), 0)::bigint", crawled),
        tuple(day for day in days if day), small,
    )  # fmt: skip


def _two(db: duckdb.DuckDBPyConnection, columns: str, where: str) -> tuple[Any, Any]:
    first, second = db.execute(f"select {columns} from corpus where {where}").fetchall()[0]
    return first, second


def _crawled(db: duckdb.DuckDBPyConnection, units: list[dict[str, Any]]) -> str:
    """The condition that a document stands in a web archive.

    Of a crawl's index the plan names the selection, the documents name the archives behind it.
    """
    index = any(unit["kind"] == "ccindex" for unit in units)
    rows = {(file, unit["kind"] in WEB_ARCHIVES) for unit in units for file in unit["files"]}
    db.execute("create table read (file varchar, archive boolean)")
    if rows:
        db.executemany("insert into read values (?, ?)", sorted(rows))
    named = "source_file in (select file from read where archive)"
    other = "source_file not in (select file from read)"
    return f"({named} or {other})" if index else named


def _public(files: set[str], documents: dict[str, int]) -> dict[str, tuple[int, int]]:
    """Part of a public data set → (files, documents), of files with the names their publishers
    give: nothing else in a build tells of a data set that others can get it, too."""
    found: dict[str, tuple[int, int]] = {}
    for file in sorted(files):
        parts = (f"{name} {m[1]}" for name, pattern in PUBLIC if (m := pattern.search(file)))
        if part := next(parts, ""):
            number, before = found.get(part, (0, 0))
            found[part] = number + 1, before + documents.get(file, 0)
    return found


def _domains(hosts: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Hosts by what was registered (Public Suffix List, as the package ships it)."""
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()
    total: dict[str, tuple[int, int]] = {}
    for host, documents, size in hosts:
        name = host if re.fullmatch(r"[0-9.]+", host) else suffixes.privatesuffix(host) or host
        before = total.get(name, (0, 0))
        total[name] = (before[0] + documents, before[1] + size)
    rows = [(name, documents, size) for name, (documents, size) in total.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))
