"""Permissions: chosen documents that robots.txt, the page itself or a list of URLs keep out.

`[rights]` and `[urls]` say what is asked; nothing is asked about a document that a profile drops.
"""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.config import Settings, UrlSettings
from corpus.errors import UsageError
from corpus.folder.ledger import Ledger
from corpus.web.rights.page import directives_for_all
from corpus.web.rights.sites import Site, Verdict
from filters.urls import rules as urls

ABOUT = ("id", "url", "source_file", "source_offset")


Verdicts = list[Verdict | None]


def refuse(
    ledger: Ledger, table: pa.Table, kept: np.ndarray, verdicts: Verdicts | None,
    settings: Settings, root: Path, documents: Path,
) -> tuple[np.ndarray, Counter[str]]:  # fmt: skip
    """(bool[n], rule → documents): those of `kept` that are refused, with their ledger rows.

    table: the columns ABOUT of the documents file.
    """
    dropped: Counter[str] = Counter()
    refused = _refuse(ledger, table, kept, verdicts, documents, settings, dropped)
    refused |= _blocked(ledger, table, kept & ~refused, settings, root, dropped)
    return refused, dropped


def site_verdicts(root: Path, urls: pa.ChunkedArray, settings: Settings) -> Verdicts | None:
    """What robots.txt and ai.txt of the archive say about each URL, None where there is no file.

    None for all where the harvest found no such file.
    """
    site = _site(root, settings.rights.agents)
    return [site.lookup(url) for url in urls.to_pylist()] if site else None


@functools.lru_cache(maxsize=1)
def _site(root: Path, agents: tuple[str, ...]) -> Site | None:
    """The robots.txt and ai.txt files of the whole harvest, read once a process."""
    found = sorted((root / "state" / "harvest").glob("sites-*.parquet"))
    rows = [row for path in found for row in pq.read_table(path).to_pylist()]
    return Site.load(rows, agents) if rows else None


def robots_columns(verdicts: Verdicts | None, rows: np.ndarray) -> list[pa.Array]:
    """Columns robots_txt and robots_usage of the given rows."""
    if verdicts is None:
        nothing = pa.ListArray.from_arrays(
            pa.array(np.zeros(len(rows) + 1, np.int32)), pa.array([], pa.string())
        )
        return [nothing, nothing]
    chosen = [verdicts[row] for row in rows.tolist()]
    usage = [
        [f"{label}={'yes' if yes else 'no'}" for label, yes in v.usage.items()] if v else []
        for v in chosen
    ]
    kind = pa.list_(pa.string())
    return [pa.array([v.disallowed if v else [] for v in chosen], kind), pa.array(usage, kind)]


def _refuse(
    ledger: Ledger, table: pa.Table, kept: np.ndarray, verdicts: Verdicts | None,
    documents: Path, settings: Settings, dropped: Counter[str],
) -> np.ndarray:  # fmt: skip
    """Rows that the rights policy drops, with their ledger rows."""
    refused = np.zeros(len(kept), bool)
    said = _page_rights(documents, settings)
    if verdicts is None and said is None:
        return refused
    for row in np.flatnonzero(kept).tolist():
        verdict = verdicts[row] if verdicts else None
        why = _site_refusal(verdict, settings) or _page_refusal(said, row, settings)
        if why is None:
            continue
        refused[row] = True
        dropped[why[0]] += 1
        about = {name: table[name][row].as_py() for name in ABOUT}
        ledger.add(why[0], *about.values(), detail=why[1])
    return refused


def _site_refusal(verdict: Verdict | None, settings: Settings) -> tuple[str, str] | None:
    """(rule, reason) where a file of the site drops the page."""
    if verdict is None:
        return None
    copy = f"({verdict.robots_captured or verdict.ai_captured})"
    if settings.harvest.drop_tdm_reservation and verdict.tdm_reserved:
        policy = f" {verdict.tdm_policy}" if verdict.tdm_policy else ""
        return "tdm_reservation", f"tdmrep.json reserves it{policy} ({verdict.tdm_captured})"
    if settings.rights.obey_robots_txt and verdict.disallowed:
        return "robots_txt", f"disallowed for {', '.join(verdict.disallowed[:5])} {copy}"
    if settings.rights.obey_usage and verdict.trains is False:
        return "robots_usage", f"robots.txt refuses training {copy}"
    return None


def _page_rights(documents: Path, settings: Settings) -> list[dict[str, Any]] | None:
    """Column `rights` of a documents file, where the policy asks for it."""
    if not settings.rights.drop_directives and not settings.rights.drop_reserved:
        return None
    rows: list[dict[str, Any]] = pq.read_table(documents, columns=["rights"])["rights"].to_pylist()
    return rows


def _page_refusal(
    said: list[dict[str, Any]] | None, row: int, settings: Settings
) -> tuple[str, str] | None:
    """(rule, reason) where the page itself, or its headers, drop it."""
    if said is None:
        return None
    stated = directives_for_all(said[row]["robots"])
    named = [name for name in settings.rights.drop_directives if name in stated]
    if named:
        return "robots_directive", f"robots directive {named[0]}: {', '.join(said[row]['robots'])}"
    if settings.rights.drop_reserved and said[row]["reserved"]:
        return "reserved", "a phrase on the page reserves all rights"
    return None


def _blocked(
    ledger: Ledger, table: pa.Table, kept: np.ndarray, settings: Settings, root: Path,
    dropped: Counter[str],
) -> np.ndarray:  # fmt: skip
    """Rows whose URL stands on a block list, with their ledger rows."""
    blocked = np.zeros(len(kept), bool)
    rules = url_rules(settings.urls, root / "state" / "urls")
    if rules is None or not len(kept):
        return blocked
    found = rules.classify(table["url"].combine_chunks()).is_valid().to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(found & kept).tolist():
        about = {name: table[name][row].as_py() for name in ABOUT}
        match = rules.category(about["url"])
        entry = f"{match.category}: {match.entry} ({match.source})" if match else ""
        ledger.add("url_list", *about.values(), detail=entry)
        dropped["url_list"] += 1
        blocked[row] = True
    return blocked


@functools.lru_cache(maxsize=2)
def url_rules(settings: UrlSettings, cache: Path) -> urls.Rules | None:
    """The URL lists of the settings, loaded once a process; UsageError names a bad list."""
    if not settings.block:
        return None
    try:
        return urls.load(_url_sources(settings), cache)
    except urls.UrlListError as error:
        raise UsageError(str(error)) from error


def check_url_lists(settings: UrlSettings) -> None:
    """UsageError for a missing list or an unknown category, before hours of harvest."""
    try:
        urls.check(_url_sources(settings))
    except urls.UrlListError as error:
        raise UsageError(str(error)) from error


def _url_sources(settings: UrlSettings) -> list[urls.Source]:
    """The lists of the settings; their categories choose among those of UT1 forms only."""
    categories = settings.categories or None
    if settings.categories == ("swallow",):
        categories = tuple(urls.SWALLOW_CATEGORIES)
    return [
        urls.Source(path, categories if urls.has_categories(path) else None)
        for path in map(Path, settings.block)
    ] + [urls.Source(Path(path), None, allow=True) for path in settings.allow]
