"""The robots.txt, ai.txt and tdmrep.json rows of a harvest, and what they say about each page.

A unit of work sees the files of some hosts and the pages of others. So each unit stores its files
as rows, and `Site` joins the rows of all units: the latest copy of an origin decides.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pyarrow as pa

from corpus.settings import AI_CRAWLERS
from corpus.web.rights.robots import MAX_BYTES, TRAINING, Policy, parse
from filters.urls.forms import Pattern, percent, split

ROW = pa.schema(
    [
        pa.field("origin", pa.string(), metadata={"unit": "scheme://host[:port], RFC 6454"}),
        pa.field("kind", pa.string(), metadata={"unit": "robots, ai or tdm"}),
        pa.field("captured", pa.string(), metadata={"unit": "UTC, ISO 8601 with microseconds"}),
        pa.field("body", pa.binary(), metadata={"unit": f"at most {MAX_BYTES} bytes"}),
    ]
)
_NAMES = {
    "/robots.txt": "robots",
    "/ai.txt": "ai",
    "/.well-known/ai.txt": "ai",
    "/.well-known/tdmrep.json": "tdm",
}
FILES = ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")  # how their addresses end
MAX_RULES = 10_000  # of a tdmrep.json
PARSED_KEPT = 1000  # files
T = TypeVar("T")


def row(url: str, captured: str, body: bytes, status: int = 200) -> dict[str, Any] | None:
    """A row of schema ROW for a file at this URL, None when it decides nothing.

    `url` is that first asked for, before redirects (section 2.3.1.2). `captured` is a WARC-Date or
    14 digits. Status 4xx: no rules from then on, an empty body (section 2.3.1.3); 5xx: unreachable,
    an earlier copy stays valid, None (2.3.1.4).
    """
    parts = split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return None
    kind = _NAMES.get(parts.path.decode("ascii").partition("?")[0])
    if kind is None or not (200 <= status < 300 or 400 <= status < 500):
        return None
    kept = body[:MAX_BYTES] if status < 300 else b""
    return {"origin": parts.origin, "kind": kind, "captured": _instant(captured), "body": kept}


def _instant(text: str) -> str:
    """UTC, ISO 8601 with microseconds, so that instants compare as texts; "" when it is none."""
    try:
        if re.fullmatch(r"[0-9]{14}", text):
            moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@dataclass(frozen=True)
class Verdict:
    """What the files of a page's origin say about it; ISO 8601 instants of the copies used."""

    disallowed: list[str]
    usage: dict[str, bool]
    media: list[str]
    robots_captured: str
    ai_captured: str
    tdm_reserved: bool | None = None  # by tdmrep.json; None: it says nothing of this page
    tdm_policy: str = ""
    tdm_captured: str = ""

    @property
    def trains(self) -> bool | None:
        """False where a usage line refuses training, True where one allows it, None unsaid."""
        said = [yes for label, yes in self.usage.items() if label in TRAINING]
        return all(said) if said else None


class Site:
    """The latest copies of many origins, from the rows of all units of a harvest."""

    def __init__(self, files: dict[tuple[str, str], tuple[str, bytes]], agents: tuple[str, ...]):
        self._files = files
        self._agents = agents
        self._parsed: OrderedDict[bytes, Policy] = OrderedDict()
        self._reservations: OrderedDict[bytes, list[Reservation]] = OrderedDict()

    @classmethod
    def load(cls, rows: Iterable[Mapping[str, Any]], agents: tuple[str, ...] = AI_CRAWLERS) -> Site:
        """The latest captured row of an origin and kind wins; of equal dates the greater body, so
        that the order of rows does not matter."""
        files: dict[tuple[str, str], tuple[str, bytes]] = {}
        for entry in rows:
            key = (entry["origin"], entry["kind"])
            value = (entry["captured"], entry["body"])
            if key not in files or files[key] < value:
                files[key] = value
        return cls(files, agents)

    def lookup(self, url: str) -> Verdict | None:
        """The verdict on a page; None when no file of its origin (scheme, host, port) is known."""
        parts = split(url)
        if parts is None:
            return None
        robots = self._files.get((parts.origin, "robots"))
        ai = self._files.get((parts.origin, "ai"))
        tdm = self._files.get((parts.origin, "tdm"))
        if robots is None and ai is None and tdm is None:
            return None
        # Any file that refuses decides: robots.txt and ai.txt are two ways to say one thing.
        policies = [self._policy(copy[1]) for copy in (robots, ai) if copy]
        refused = {agent for policy in policies for agent in policy.disallowed(url)}
        usage: dict[str, bool] = {}
        for policy in policies:
            for label, allowed in policy.usage(url).items():
                usage[label] = usage.get(label, True) and allowed
        reserved, policy_url = self._reservation(tdm[1], parts.path) if tdm else (None, "")
        if reserved is not None:
            usage["tdm"] = usage.get("tdm", True) and not reserved
        return Verdict(
            [agent for agent in self._agents if agent in refused],
            dict(sorted(usage.items())),
            policies[-1].media() if ai else [],
            robots[0] if robots else "",
            ai[0] if ai else "",
            reserved,
            policy_url,
            tdm[0] if tdm else "",
        )

    def _policy(self, body: bytes) -> Policy:
        """Parsed when needed: many hosts share one file, and few are in use at a time."""
        return _cached(self._parsed, body, lambda: parse(body, self._agents))

    def _reservation(self, body: bytes, path: bytes) -> tuple[bool | None, str]:
        """(reserved, policy) of the first rule of a tdmrep.json that matches the path."""
        rules = _cached(self._reservations, body, lambda: tdm_rules(body))
        return next(
            ((reserved, policy) for rule, reserved, policy in rules if rule.matches(path or b"/")),
            (None, ""),
        )


def _cached(cache: OrderedDict[bytes, T], body: bytes, read: Callable[[], T]) -> T:
    """`read()` of a file's bytes; the last PARSED_KEPT are kept, the one used now as the newest."""
    if body not in cache:
        cache[body] = read()
        if len(cache) > PARSED_KEPT:
            cache.popitem(last=False)
    cache.move_to_end(body)
    return cache[body]


Reservation = tuple[Pattern, bool, str]


def tdm_rules(body: bytes) -> list[Reservation]:
    """(path pattern, reserved, policy) of the rules of a tdmrep.json, in their order; what is no
    rule is left out. W3C TDMRep community report 2024, section 6.1; any bytes are accepted."""
    try:
        listed = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return []
    rules: list[Reservation] = []
    for entry in listed[:MAX_RULES] if isinstance(listed, list) else [listed]:
        if not isinstance(entry, dict) or not isinstance(entry.get("location"), str):
            continue
        claim, policy = entry.get("tdm-reservation"), entry.get("tdm-policy")
        if str(claim) not in ("0", "1"):
            continue
        location = percent(entry["location"].encode("utf-8", "replace"))
        rules.append(
            (Pattern(location), str(claim) == "1", policy if isinstance(policy, str) else "")
        )
    return rules
