"""What a page, its headers and its links say about use: recorded, then decided by settings.

Sources: robots meta and X-Robots-Tag (Google's list plus noai/noimageai of DeviantArt), TDMRep (W3C
community report 2024: header and meta `tdm-reservation`, `tdm-policy`), rel=license links, JSON-LD
`license`, and the phrases Japanese sites use. Directives for one bot (`googlebot: noindex`) count
only when they name every robot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

DIRECTIVES = (
    "noindex", "nofollow", "none", "noarchive", "nosnippet", "noimageindex", "notranslate",
    "noai", "noimageai", "nocache", "indexifembedded", "unavailable_after",
)  # fmt: skip
_TOKENS = re.compile(r"[a-z_]+")
_RESERVED = re.compile(
    r"無断(?:転載|複製|使用|引用|転用|掲載|複写)[^\n。]{0,20}(?:禁|お断り|ご遠慮|できません|いたしません)"
    r"|(?:転載|複製|複写)(?:を|は|等を)?(?:固く)?(?:禁|お断り)|all rights reserved",
    re.IGNORECASE,
)
_JSON_LICENCE = re.compile(
    r'"license"\s*:\s*(?:\{[^{}]*?"(?:url|@id)"\s*:\s*)?"(https?:[^"\s]{5,300})"'
)
_CC = re.compile(
    r"https?://creativecommons\.org/(?:licenses/([a-z-]+)/(\d\.\d)|publicdomain/(zero|mark)/(\d\.\d))"
)
PHRASE_WINDOW = 4000  # the phrases stand in footers: characters searched at either end


def read(
    headers: Mapping[str, str],
    meta: Mapping[str, Sequence[str]],
    links: Sequence[tuple[str, str]],
    jsonld: Sequence[str],
    visible: str,
) -> dict[str, Any]:
    """A value of schema.RIGHTS_TYPE. `headers` lower-case; `visible` any text with the footer."""
    robots = _directives([headers.get("x-robots-tag", ""), *meta.get("robots", ())])
    reservation = headers.get("tdm-reservation", "") or first(meta, "tdm-reservation")
    ends = (
        visible
        if len(visible) < 2 * PHRASE_WINDOW
        else (visible[:PHRASE_WINDOW] + "\n" + visible[-PHRASE_WINDOW:])
    )
    return {
        "robots": robots,
        "noai": "noai" in robots,
        "tdm_reservation": reservation.strip() == "1",
        "tdm_policy": headers.get("tdm-policy", "") or first(meta, "tdm-policy"),
        "licence_url": _licence_url(links, jsonld),
        "reserved": _RESERVED.search(ends) is not None,
        "robots_txt": [],
        "robots_usage": [],
    }


def licence_class(url: str) -> str:
    """Licence class of a licence URL (CC-BY-SA-4.0, CC0-1.0, PDM-1.0), "" when unknown."""
    match = _CC.match(url)
    if match is None:
        return ""
    kind, version, public, public_version = match.groups()
    if public:
        return f"{'CC0' if public == 'zero' else 'PDM'}-{public_version}"
    return f"CC-{kind.upper()}-{version}"


def first(meta: Mapping[str, Sequence[str]], name: str) -> str:
    """First content of a meta name, or ""."""
    values = meta.get(name, ())
    return values[0] if values else ""


def _directives(values: Sequence[str]) -> list[str]:
    found: set[str] = set()
    for value in values:
        for part in value.lower().split(","):
            agent, colon, rest = part.partition(":")
            if colon and agent.strip() not in DIRECTIVES:
                if agent.strip() not in ("*", "robots"):
                    continue
                part = rest
            found.update(word for word in _TOKENS.findall(part) if word in DIRECTIVES)
    return sorted(found)


def _licence_url(links: Sequence[tuple[str, str]], jsonld: Sequence[str]) -> str:
    for rel, href in links:
        if "license" in rel.lower().split() and href:
            return href[:300]
    for block in jsonld:
        match = _JSON_LICENCE.search(block)
        if match:
            return match.group(1)
    for _, href in links:
        if _CC.match(href):
            return href[:300]
    return ""
