"""`corpus optout`: robots.txt, ai.txt and tdmrep.json of today, applied to pages of yesterday.

A crawl is of its day; what a site says now may be another thing. As Apertus did (arXiv 2509.14233,
section 3.1.1), a host's present files are applied to all of its pages, whenever they were captured.
The files are brought by the user (nothing is fetched): a folder as `wget -x` leaves it,
HOST/robots.txt, HOST/ai.txt, HOST/.well-known/tdmrep.json, or WARC files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpus import config
from corpus.errors import UsageError, counted
from corpus.folder.layout import Layout
from corpus.folder.removals import Removal
from corpus.folder.schema import REMOVED_FORMAT
from corpus.register import Request
from corpus.settings import Settings
from corpus.sources.item import Unit
from corpus.sources.kinds import items_of
from corpus.takedown import copies_lines, copies_that_stay
from corpus.web.rights.robots import MAX_BYTES
from corpus.web.rights.sites import FILES, Site, Verdict, row

SHOWN = 30  # hosts that the text for a terminal lists
COLUMNS = ["id", "url", "host", "n_chars", "format"]


@dataclass
class Loss:
    """Of a host: what was read, and what of that is refused today; and the published part."""

    documents: int = 0
    characters: int = 0
    refused: int = 0
    refused_characters: int = 0
    published: int = 0
    published_characters: int = 0
    by: Counter[str] = field(default_factory=Counter)
    captured: str = ""


def refused(layout: Layout, robots: Path) -> dict[str, Any]:
    """What the files of today refuse of a build.

    Returns {folder, files, hosts_asked, hosts_silent, documents, characters, refused: {documents,
    characters, published, published_characters}, hosts: [{host, …, share, by, captured}], pages:
    [{id, url, rule, captured}], copies}. copies: what dedup held for copies of these pages, under
    names that are not refused (of corpus.takedown.copies_that_stay). hosts_silent: hosts with pages
    and no file of today, of which nothing is known. A page is refused where a crawler of
    rights.agents may not fetch it, a line refuses training, or TDMRep reserves it.
    """
    settings, _ = config.of_folder(layout)
    rows = list(_files(robots, settings))
    if not rows:
        raise UsageError(f"{robots} holds no robots.txt, ai.txt or tdmrep.json: HOST/robots.txt")
    site = Site.load(rows, settings.rights.agents)
    published = _published(layout)
    hosts: dict[str, Loss] = {}
    pages, silent = [], set()
    for path in layout.documents_files():
        for page in pq.read_table(path, columns=COLUMNS).to_pylist():
            if not page["url"] or page["format"] == REMOVED_FORMAT:
                continue
            verdict = site.lookup(page["url"])
            if verdict is None:
                silent.add(page["host"])
                continue
            loss = hosts.setdefault(page["host"], Loss())
            rule = _rule(verdict)
            _add(loss, page, rule, published.get(page["id"]), verdict)
            if rule:
                named = {"id": page["id"], "url": page["url"], "rule": rule}
                pages.append(named | {"captured": _captured(verdict)})
    return {
        "folder": str(layout),
        "files": len(rows),
        "hosts_asked": len(hosts),
        "hosts_silent": len(silent - hosts.keys()),
        "refused": _totals(hosts),
        "hosts": [_host(name, loss) for name, loss in sorted(hosts.items(), key=_largest)],
        "pages": pages,
        "copies": copies_that_stay(layout, {page["id"] for page in pages}),
    }


def requests(facts: dict[str, Any]) -> list[Request]:
    """The takedowns: each refused page by its address, in every capture."""
    out = []
    for page in facts["pages"]:
        reason = f"{page['rule']} of {page['captured'][:10] or 'an unknown day'}"
        out.append(Request(Removal.of("url", page["url"], reason), page["url"], "opt-out"))
    return out


def _rule(verdict: Verdict) -> str:
    if verdict.tdm_reserved:
        return "tdm_reservation"
    if verdict.trains is False:
        return "robots_usage"
    return "robots_txt" if verdict.disallowed else ""


def _captured(verdict: Verdict) -> str:
    return max(verdict.robots_captured, verdict.ai_captured, verdict.tdm_captured)


def _add(
    loss: Loss, page: dict[str, Any], rule: str, published: int | None, verdict: Verdict
) -> None:
    loss.documents += 1
    loss.characters += page["n_chars"]
    loss.captured = max(loss.captured, _captured(verdict))
    if rule:
        loss.refused += 1
        loss.refused_characters += page["n_chars"]
        loss.by[rule] += 1
        if published is not None:
            loss.published += 1
            loss.published_characters += published


def _totals(hosts: dict[str, Loss]) -> dict[str, int]:
    names = ("refused", "refused_characters", "published", "published_characters")
    return {name: sum(getattr(loss, name) for loss in hosts.values()) for name in names}


def _largest(pair: tuple[str, Loss]) -> tuple[int, int, str]:
    return -pair[1].published_characters, -pair[1].refused_characters, pair[0]


def _host(name: str, loss: Loss) -> dict[str, Any]:
    return {"host": name, **vars(loss), "by": dict(sorted(loss.by.items()))}


def _published(layout: Layout) -> dict[str, int]:
    """id → characters of what is published."""
    out: dict[str, int] = {}
    for path in layout.shards():
        table = pq.read_table(path, columns=["id", "n_chars"])
        out |= dict(zip(table["id"].to_pylist(), table["n_chars"].to_pylist(), strict=True))
    return out


# the files of today -------------------------------------------------------------------------------


def _files(place: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    """Rows of web.rights.sites.ROW in a folder or an archive."""
    if not place.exists():
        raise UsageError(f"no such folder or archive: {place}")
    paths = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    for path in paths:
        if ".warc" in path.name:
            unit = Unit(0, "warc", (str(path),))
            yield from (item.site for item in items_of(unit, settings) if item.site)
            continue
        name = path.relative_to(place).as_posix() if place.is_dir() else path.name
        host, _, rest = name.partition("/")
        if f"/{rest}" not in (*FILES, "/.well-known/ai.txt"):
            continue
        with open(path, "rb") as file:
            body = file.read(MAX_BYTES)
        day = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
        for scheme in ("http", "https"):
            if found := row(f"{scheme}://{host}/{rest}", day, body):
                yield found


def as_text(facts: dict[str, Any], applied: bool) -> str:
    """The loss for a terminal, largest first."""
    total = facts["refused"]
    verb = "goes" if applied else "would go"
    lines = [
        f"{counted(facts['hosts_asked'], 'host')} with files of today, "
        f"{facts['hosts_silent']:,} without: nothing is known of those",
        f"{counted(total['refused'], 'document')} ({total['refused_characters']:,} characters) "
        f"{verb}, {total['published']:,} of them published "
        f"({total['published_characters']:,} characters)",
    ]
    lost = [row for row in facts["hosts"] if row["refused"]]
    for loss in lost[:SHOWN]:
        rules = ", ".join(f"{rule} {count:,}" for rule, count in loss["by"].items())
        lines.append(
            f"  {loss['host']}  {loss['refused']:,} of {counted(loss['documents'], 'document')}, "
            f"{loss['refused_characters']:,} of {loss['characters']:,} characters  {rules}"
        )
    if len(lost) > SHOWN:
        lines.append(f"  and {counted(len(lost) - SHOWN, 'more host')} (--json lists all)")
    lines += copies_lines(facts["copies"])
    if not applied:
        lines.append("Nothing was changed: --apply takes them out.")
    return "\n".join(lines) + "\n"
