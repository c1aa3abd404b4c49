"""What a page, its headers and its links say about use: recorded, then decided by settings.

Sources: robots meta and X-Robots-Tag (Google's list plus noai/noimageai of DeviantArt), TDMRep (W3C
community report 2024: header and meta `tdm-reservation`, `tdm-policy`), rel=license links (also
RDFa's cc:license, dct:license), JSON-LD and Dublin Core licences, links to Creative Commons, and
the phrases Japanese sites use, among them the names of the government's licences. A directive for
one robot is recorded with its name (`googlebot: noindex`), one with a date with the date
(`unavailable_after: 2024-06-25`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate
from typing import Any

from corpus.settings import AI_CRAWLERS, ROBOTS_DIRECTIVES

DIRECTIVES = frozenset(ROBOTS_DIRECTIVES) - {"unavailable_after"}  # those without a date
AI_DIRECTIVES = frozenset(("noai", "noimageai"))
_VALUED = ("max-snippet", "max-image-preview", "max-video-preview")  # limits of previews
_EVERYBODY = ("*", "robots", "all")
_AI_AGENTS = frozenset(agent.lower() for agent in AI_CRAWLERS)
# Names of <meta> that address one robot.
_BOTS = _AI_AGENTS | {
    "googlebot", "googlebot-news", "google", "bingbot", "msnbot", "slurp", "yahoo", "baiduspider",
    "yandex", "duckduckbot", "applebot", "otherbot",
}  # fmt: skip
_WORDS = re.compile(r"[a-z]+")
_UNTIL = re.compile(
    r"(?:([\w.*/ -]{1,60}):\s*)?unavailable_after\s*:?\s*"
    r"((?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},\s*)?[^,]{0,60})"
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
_PHRASE_MARKS = ("無断", "転載", "複製", "複写", "eserved", "ESERVED")
_USES = "(?:転載|複製|使用|利用|引用|転用|掲載|複写|配布|改変)"
_NO = "(?:禁|お断り|おことわり|ご遠慮|できません|いたしません|不可)"
_RESERVED = re.compile(
    rf"無断(?:での?|に)?{_USES}[^\n。]{{0,20}}{_NO}|禁無断{_USES}"
    rf"|(?:許可|許諾|承諾|断り)(?:無く|なく|なし)[^\n。]{{0,20}}{_USES}[^\n。]{{0,20}}{_NO}"
    rf"|(?:転載|複製|複写)(?:[・、や及びと]{{1,2}}{_USES})*(?:など|等)?(?:を|は)?(?:固く|一切|厳に)?"
    r"(?:禁|お断り|不可)|all rights reserved",
    re.IGNORECASE,
)
_JSON_LICENCE = re.compile(
    r'"license"\s*:\s*\[?\s*(?:\{[^{}]{0,300}?"(?:url|@id)"\s*:\s*)?"(https?:[^"\s]{5,300})"'
)
_NO_WORK = frozenset(("ImageObject", "VideoObject", "AudioObject", "Organization", "Person"))
_DUBLIN_CORE = ("dcterms.license", "dc.license", "dc.rights.license", "license", "dcterms.rights",
                "dc.rights", "rights")  # fmt: skip
_CC = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licenses/([a-z+-]{2,20})/(\d\.\d)"
    r"(?:/([a-z]{2})(?=[/?#]|$))?|publicdomain/(zero|mark)/(\d\.\d)|licenses/(publicdomain))",
    re.IGNORECASE,
)
# Public Data License of Japan's government, digital.go.jp/resources/open_data/…
_PDL = re.compile(
    r"https?://www\.digital\.go\.jp/[^?#]{0,100}public_data_license(?:_v?(\d\.\d))?", re.IGNORECASE
)
# Standard terms of use of Japan's government, the text before PDL 1.0; the address of version 2.0.
_GSTU = re.compile(
    r"https?://www\.kantei\.go\.jp/jp/singi/it2/densi/kettei/gl2_betten_1\.pdf", re.IGNORECASE
)
# The same by their names, as the foot of a page states them: of the page's own content ("this
# site", "these rules") and with a word of application in the same sentence; or alone on a line.
# An article about them, or a source cited under them, says neither.
_NAMES = (
    ("PDL-1.0", r"(?:公共データ利用規約\s*[(（]?\s*第\s*1[.．]0\s*版\s*[)）]?|PDL\s?1[.．]0)"),
    ("GSTU-2.0", r"政府標準利用規約\s*[(（]?\s*第\s*2[.．]0\s*版\s*[)）]?"),
)
_OWN = (
    r"(?:当|本|この)[^\s。、]{0,6}?"
    r"(?:サイト|ホームページ|ページ|コンテンツ|データ|利用ルール|利用規約|規約)"
)
_APPLIES = r"(?:に準拠|に準じ|に従|に基づ|を適用|が適用|のもと|の下|により|で提供|で公開)"
_STATED = [
    (
        licence,
        re.compile(
            rf"{_OWN}[^。\n]{{0,80}}{name}[^。\n]{{0,20}}{_APPLIES}"
            rf"|^\s*(?:(?:ライセンス|利用規約|利用条件|License)\s*[:：]?\s*)?{name}"
            r"(?:\s*[(（]?\s*PDL\s?1[.．]0\s*[)）]?)?(?:に準拠)?\s*$",
            re.MULTILINE | re.IGNORECASE,
        ),
    )
    for licence, name in _NAMES
]
MAX_JSON = 200_000  # characters of a JSON-LD script that are read
HEAD_WINDOW, FOOT_WINDOW = 2000, 4000  # characters of visible text searched for phrases


def read(
    headers: Mapping[str, str],
    meta: Mapping[str, Sequence[str]],
    links: Sequence[tuple[str, str]],
    jsonld: Sequence[str],
    visible: str,
) -> dict[str, Any]:
    """A value of schema.RIGHTS_TYPE. `headers` lower-case; `visible` any text with the footer."""
    robots = _robots(headers, meta)
    claims = [headers.get("tdm-reservation", ""), *meta.get("tdm-reservation", ())]
    return {
        "robots": robots,
        "noai": "noai" in directives_for_all(robots),
        "tdm_reservation": any(claim.strip() == "1" for claim in claims),
        "tdm_policy": headers.get("tdm-policy", "") or first(meta, "tdm-policy"),
        "licence_url": _licence_url(meta, links, jsonld)[:300],
        "reserved": is_reserved(visible),
        "robots_txt": [],
        "robots_usage": [],
    }


def licence_class(url: str) -> str:
    """Licence class of a licence URL, as SPDX names it: CC-BY-SA-4.0, CC-BY-2.1-JP, CC0-1.0,
    PDM-1.0, PDL-1.0, GSTU-2.0; "" when unknown."""
    match = _CC.match(url)
    if match is None:
        pdl = _PDL.match(url)
        return f"PDL-{pdl[1] or '1.0'}" if pdl else "GSTU-2.0" if _GSTU.match(url) else ""
    terms, version, port, public, public_version, _ = match.groups()
    if terms:
        return f"CC-{terms}-{version}".upper() + (f"-{port.upper()}" if port else "")
    if public:
        return f"{'CC0' if public.lower() == 'zero' else 'PDM'}-{public_version}"
    return "CC-PDDC"


def stated_licence(visible: str) -> str:
    """Licence of Japan's government that the foot of a text states for its site: PDL-1.0 or
    GSTU-2.0; "" where none or both."""
    foot = visible[-FOOT_WINDOW:]
    if "利用規約" not in foot and "PDL" not in foot:
        return ""
    found = [licence for licence, pattern in _STATED if pattern.search(foot)]
    return found[0] if len(found) == 1 else ""


def directives_for_all(robots: Sequence[str]) -> set[str]:
    """Names of the recorded directives that hold for every robot or for an AI crawler."""
    names = set()
    for said in robots:
        agent, colon, directive = said.partition(": ")
        if not colon or agent in ROBOTS_DIRECTIVES:  # `unavailable_after: 2024-06-25`
            names.add(agent)
        elif agent in _AI_AGENTS:
            names.add(directive.partition(": ")[0])
    return names


def is_reserved(visible: str) -> bool:
    """Whether a phrase that reserves all rights stands at the head or the foot of a text."""
    if len(visible) > HEAD_WINDOW + FOOT_WINDOW:
        visible = visible[:HEAD_WINDOW] + "\n" + visible[-FOOT_WINDOW:]
    # The marks are searched for first: that is fifty times faster than the pattern.
    marked = any(mark in visible for mark in _PHRASE_MARKS)
    return marked and _RESERVED.search(visible) is not None


def first(meta: Mapping[str, Sequence[str]], name: str) -> str:
    """First content of a meta name, or ""."""
    values = meta.get(name, ())
    return values[0] if values else ""


# robots directives --------------------------------------------------------------------------------


def _robots(headers: Mapping[str, str], meta: Mapping[str, Sequence[str]]) -> list[str]:
    """All directives, sorted; those for one robot as "robot: directive"."""
    values = [("", headers.get("x-robots-tag", ""))]
    values += [("", value) for name in ("robots", "x-robots-tag") for value in meta.get(name, ())]
    values += [(name, value) for name in meta if name in _BOTS for value in meta[name]]
    return sorted({said for agent, value in values if value for said in _directives(agent, value)})


def _directives(agent: str, value: str) -> Iterator[str]:
    """Directives of one header or <meta>. An agent holds until the next one is named (Google's
    rule), but noai and noimageai are only its own when they stand right behind it: two headers
    arrive here as one line, and an opt-out must not be lost to the robot of another line."""
    # Dates first: they hold commas and colons, which separate everything else.
    value, whose = value.lower()[:2000], agent
    if "unavailable_after" in value:
        for until in _UNTIL.finditer(value):
            robot = _agent(until[1] or "") or agent
            yield _said(robot, f"unavailable_after{_date(until[2])}")
        value = _UNTIL.sub("", value)
    for part in value.split(","):
        head, colon, rest = part.partition(":")
        named = bool(colon) or agent == whose != ""
        if colon:
            if head.strip() in _VALUED:
                continue
            agent, part = _agent(head), rest
        for word in _WORDS.findall(part):
            if word in DIRECTIVES:
                mine = named or word not in AI_DIRECTIVES
                yield _said(agent if mine else "", word)


def _agent(name: str) -> str:
    name = name.strip()[:60]
    return "" if name in _EVERYBODY else name


def _said(agent: str, directive: str) -> str:
    return f"{agent}: {directive}" if agent else directive


def _date(text: str) -> str:
    """`: YYYY-MM-DD` of a date by ISO 8601, RFC 822 or RFC 850; "" when it is none."""
    text = text.strip()
    iso = _ISO.match(text)
    if iso:
        return f": {iso[0]}"
    try:
        day = parsedate(text) or parsedate(text + " 00:00:00")
    except (ValueError, IndexError, TypeError):
        return ""
    return f": {day[0]:04}-{day[1]:02}-{day[2]:02}" if day else ""


# licences -----------------------------------------------------------------------------------------


def _licence_url(
    meta: Mapping[str, Sequence[str]], links: Sequence[tuple[str, str]], jsonld: Sequence[str]
) -> str:
    """The licence a page states: rel=license, JSON-LD, Dublin Core; else the Creative Commons
    licence it links to, when that is one (a page about licences links to several)."""
    for rel, href in links:
        if href and "licen" in rel and any(_is_licence(word) for word in rel.lower().split()):
            return href
    for block in jsonld:
        if '"license"' in block:
            url = _jsonld_licence(block[:MAX_JSON])
            if url:
                return url
    for name in _DUBLIN_CORE:
        if first(meta, name).startswith(("http:", "https:")):
            return first(meta, name)
    linked = {licence_class(href): href for _, href in reversed(links) if licence_class(href)}
    return next(iter(linked.values())) if len(linked) == 1 else ""


def _is_licence(rel: str) -> bool:
    return rel.rpartition(":")[2].rpartition(".")[2] in ("license", "licence")


def _jsonld_licence(block: str) -> str:
    """`license` of the works in a JSON-LD script (not of their images); by pattern if broken."""
    text = block.strip().removeprefix("<!--").removesuffix("-->")
    try:
        waiting: list[Any] = [json.loads(text, strict=False)]
    except (ValueError, RecursionError):
        match = _JSON_LICENCE.search(text.replace("\\/", "/"))
        return match[1] if match else ""
    # Breadth first through lists and graphs, 1,000 nodes at most: a page may be made to exhaust us.
    for item in waiting:
        if isinstance(item, list):
            waiting += item[:50]
        elif isinstance(item, dict):
            kinds = item.get("@type")
            if _NO_WORK.isdisjoint(k for k in _listed(kinds) if isinstance(k, str)):
                url = next(filter(None, map(_url, _listed(item.get("license")))), "")
                if url:
                    return url
                inner = ("@graph", "mainEntity", "mainEntityOfPage")
                waiting += [item[key] for key in inner if key in item]
        if len(waiting) > 1000:
            break
    return ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _url(value: Any) -> str:
    """The URL in a `license`: itself, or that of a CreativeWork object."""
    if isinstance(value, dict):
        value = value.get("url") or value.get("@id") or value.get("sameAs")
    return value.strip() if isinstance(value, str) and value.strip().startswith("http") else ""
