"""Rights: what is done with what a page, its headers and its site say about use.

`[rights]` alone decides, at two moments:

    early   in harvest: what is reserved never reaches the disk (`early_refusal`)
    late    in select: what only the whole harvest knows, as robots.txt of the page's host, and
            what a user asks for beyond that, as a licence (`late_refusals`); asked of documents
            that a profile keeps

What was said is recorded in the column `rights` whatever is decided. Reading it is the business of
corpus/web/rights.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.folder.layout import Layout
from corpus.folder.schema import LENT
from corpus.settings import RightsSettings
from corpus.web.rights.page import directives_for_all
from corpus.web.rights.sites import Site, Verdict

Refusal = tuple[str, str]  # rule, reason in words
Verdicts = list[Verdict | None]
# Rules by which a wish of page or site keeps a document out.
REFUSALS = (
    "noai", "tdm_reservation", "robots_txt", "robots_usage", "robots_directive", "reserved",
)  # fmt: skip


def obeyed(settings: RightsSettings) -> dict[str, bool]:
    """Rule of REFUSALS → whether these settings obey it; what is not obeyed is only recorded."""
    return {
        "noai": settings.drop_noai,
        "tdm_reservation": settings.drop_tdm_reservation,
        "robots_txt": settings.obey_robots_txt,
        "robots_usage": settings.obey_usage,
        "robots_directive": bool(settings.drop_directives),
        "reserved": settings.drop_reserved,
    }


def early_refusal(claims: dict[str, Any], settings: RightsSettings) -> Refusal | None:
    """(rule, reason) where a page's own claims (schema.RIGHTS_TYPE) keep it from being stored."""
    if settings.drop_noai and claims["noai"]:
        return "noai", "robots directive noai: the page must not be used to train AI"
    if settings.drop_tdm_reservation and claims["tdm_reservation"]:
        return "tdm_reservation", f"TDMRep reservation {claims['tdm_policy']}".strip()
    return None


def late_refusals(
    layout: Layout, index: int, rows: np.ndarray, verdicts: Verdicts | None,
    settings: RightsSettings,
) -> dict[int, Refusal]:  # fmt: skip
    """Row → (rule, reason), of those `rows` (int64[k]) of a documents file that are refused."""
    claims = _stored_claims(layout, index, settings)
    licences = _refused_licences(layout, index, settings)
    if verdicts is None and claims is None and licences is None:
        return {}
    refused = {}
    for row in rows.tolist():
        why = _site_refusal(verdicts[row], settings) if verdicts else None
        why = why or (_page_refusal(claims[row], settings) if claims else None)
        why = why or (licences.get(row) if licences else None)
        if why is not None:
            refused[row] = why
    return refused


def site_verdicts(
    layout: Layout, urls: pa.ChunkedArray, settings: RightsSettings
) -> Verdicts | None:
    """What robots.txt and ai.txt of the archive say about each URL, None where there is no file.

    None for all where the harvest found no such file.
    """
    site = _site(layout, settings.agents)
    return [site.lookup(url) for url in urls.to_pylist()] if site else None


@functools.lru_cache(maxsize=1)
def _site(layout: Layout, agents: tuple[str, ...]) -> Site | None:
    """The robots.txt and ai.txt files of the whole harvest, read once a process."""
    rows = [row for path in layout.sites_files() for row in pq.read_table(path).to_pylist()]
    return Site.load(rows, agents) if rows else None


def robots_columns(verdicts: Verdicts | None, rows: np.ndarray) -> list[pa.Array]:
    """Columns robots_txt and robots_usage of the given rows."""
    kind = pa.list_(pa.string())
    if verdicts is None:
        nothing = pa.ListArray.from_arrays(
            pa.array(np.zeros(len(rows) + 1, np.int32)), pa.array([], pa.string())
        )
        return [nothing, nothing]
    told: Sequence[Verdict | None] = [verdicts[row] for row in rows.tolist()]
    usage = [
        [f"{label}={'yes' if yes else 'no'}" for label, yes in verdict.usage.items()]
        if verdict
        else []
        for verdict in told
    ]
    disallowed = [verdict.disallowed if verdict else [] for verdict in told]
    return [pa.array(disallowed, kind), pa.array(usage, kind)]


def _site_refusal(verdict: Verdict | None, settings: RightsSettings) -> Refusal | None:
    """Where a file of the site drops the page."""
    if verdict is None:
        return None
    copy = f"({verdict.robots_captured or verdict.ai_captured})"
    if settings.drop_tdm_reservation and verdict.tdm_reserved:
        policy = f" {verdict.tdm_policy}" if verdict.tdm_policy else ""
        return "tdm_reservation", f"tdmrep.json reserves it{policy} ({verdict.tdm_captured})"
    if settings.obey_robots_txt and verdict.disallowed:
        return "robots_txt", f"disallowed for {', '.join(verdict.disallowed[:5])} {copy}"
    if settings.obey_usage and verdict.trains is False:
        return "robots_usage", f"robots.txt refuses training {copy}"
    return None


def _page_refusal(claims: dict[str, Any], settings: RightsSettings) -> Refusal | None:
    """Where the page itself, or its headers, drop it."""
    stated = directives_for_all(claims["robots"])
    named = [name for name in settings.drop_directives if name in stated]
    if named:
        return "robots_directive", f"robots directive {named[0]}: {', '.join(claims['robots'])}"
    if settings.drop_reserved and claims["reserved"]:
        return "reserved", "a phrase on the page reserves all rights"
    return None


# What rights.licence means by `open`: all may use it and pass it on, changed too.
OPEN = (
    "CC0-*", "PDM*", "CC-PDDC", "CC-BY-[0-9]*", "CC-BY-SA-*", "PDL-*", "GSTU-*", "Art-13",
)  # fmt: skip


def allows(licence: str, wanted: Sequence[str]) -> bool:
    """Whether `rights.licence` keeps a document of this licence class ("": unknown)."""
    for name in wanted:
        patterns = OPEN if name == "open" else (name,)
        if licence != LENT if name == "public" else any(fnmatchcase(licence, p) for p in patterns):
            return True
    return not wanted


def _refused_licences(
    layout: Layout, index: int, settings: RightsSettings
) -> dict[int, Refusal] | None:
    """Row → (rule, reason) of the documents whose licence is not asked for."""
    if not settings.licence:
        return None
    licences = pq.read_table(layout.documents(index), columns=["licence"])["licence"].to_pylist()
    said = ", ".join(settings.licence)
    return {
        row: ("licence", f"{licence or 'unknown'}; wanted: {said}")
        for row, licence in enumerate(licences)
        if not allows(licence or "", settings.licence)
    }


def _stored_claims(
    layout: Layout, index: int, settings: RightsSettings
) -> list[dict[str, Any]] | None:
    """Column `rights` of a documents file, where the policy asks for it."""
    if not settings.drop_directives and not settings.drop_reserved:
        return None
    column = pq.read_table(layout.documents(index), columns=["rights"])["rights"]
    claims: list[dict[str, Any]] = column.to_pylist()
    return claims
