"""robots.txt and ai.txt found in an archive: which agents may not fetch a page, and for what use.

Inaho fetches nothing itself; what a site asked of AI crawlers when it was archived is recorded
beside its pages. Access follows RFC 9309. Usage follows the lines `Content-Usage` (IETF
draft-ietf-aipref-attach, -vocab) and `Content-Signal` (Cloudflare, contentsignals.org). ai.txt
(Spawning) has the grammar of robots.txt and names media types by file extensions.

Beyond the RFC, as Google's parser does: misspelt names, a missing colon, `Agent/1.0`, a BOM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from corpus.settings import AI_CRAWLERS
from filters.urls.forms import Pattern, percent, split

MAX_BYTES = 500 * 1024  # RFC 9309 section 2.5: at least this much is parsed
MAX_PATH = 16 * 1024  # octets of a URL that are compared
# aipref's label today (train-ai), Cloudflare's (ai-train), and those of the drafts of 2025.
TRAINING = frozenset(("train-ai", "ai-train", "train-genai", "genai", "ai", "tdm", "bots"))
# One extension stands for each media type of Spawning's generator: it lists whole types.
MEDIA = {
    "text": ("html", "txt", "pdf"),
    "image": ("jpg", "png"),
    "audio": ("mp3", "wav"),
    "video": ("mp4", "webm"),
    "code": ("py", "js"),
}
_AGENT = ("user-agent", "useragent", "user agent")
_DISALLOW = ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw")
_USAGE = ("content-usage", "content-signal")
_KNOWN = (*_AGENT, *_DISALLOW, "allow", *_USAGE)
# White space at the ends of a line, also the no-break and wide spaces that word processors and
# Japanese input methods leave (U+00A0, U+2000–200F, U+3000, U+FEFF), as UTF-8.
_SPACE = rb"(?:[\x00-\x20]|\xc2\xa0|\xe2\x80[\x80-\x8f]|\xe3\x80\x80|\xef\xbb\xbf)"
_BEFORE = re.compile(_SPACE + rb"+")
_AFTER = re.compile(_SPACE + rb"+\Z")
_TOKEN = re.compile(r"[a-z0-9_-]+")
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}
_LABEL = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")


@dataclass(frozen=True, eq=False)
class Group:
    """The merged rules for one agent: (allowed, pattern), most specific first; usage lines."""

    access: tuple[tuple[bool, Pattern], ...]
    usage: tuple[tuple[Pattern, dict[str, bool]], ...]

    def allows(self, path: bytes) -> bool:
        """Whether the path may be fetched: the longest matching rule decides, none allows."""
        return next((allowed for allowed, rule in self.access if rule.matches(path)), True)

    def preferences(self, path: bytes) -> dict[str, bool]:
        """Labels of the longest matching lines; of equal lines a refusal wins (vocab 5.1)."""
        preferences: dict[str, bool] = {}
        size = -1
        for rule, labels in self.usage:
            if rule.size < size:
                break
            if rule.matches(path):
                size = rule.size
                for label, allowed in labels.items():
                    preferences[label] = preferences.get(label, True) and allowed
        return dict(sorted(preferences.items()))


@dataclass(frozen=True, eq=False)
class Policy:
    """One parsed file. `groups` maps a lower-case agent of `agents`, or "*", to its rules."""

    agents: tuple[str, ...]
    groups: Mapping[str, Group]

    @property
    def named(self) -> list[str]:
        """Agents of the list for which the file has rules of their own."""
        return [agent for agent in self.agents if _token(agent) in self.groups]

    def disallowed(self, url: str) -> list[str]:
        """Agents of the list that may not fetch this URL, in the list's order; the URL must be of
        the file's origin."""
        path = _path(url)
        if path == b"/robots.txt":  # RFC 9309 section 2.2.2: implicitly allowed
            return []
        answers: dict[int, bool] = {}
        refused = []
        for agent in self.agents:
            group = self._group(agent)
            if group is None:
                continue
            if id(group) not in answers:
                answers[id(group)] = group.allows(path)
            if not answers[id(group)]:
                refused.append(agent)
        return refused

    def usage(self, url: str) -> dict[str, bool]:
        """Preferences by label (`train-ai`, `search`, …) for this URL over all agents of the list
        and "*": False where any of them is refused, absent where nothing is said."""
        path = _path(url)
        preferences: dict[str, bool] = {}
        groups = [self.groups.get("*"), *map(self._group, self.agents)]
        for group in dict.fromkeys(g for g in groups if g is not None):
            for label, allowed in group.preferences(path).items():
                preferences[label] = preferences.get(label, True) and allowed
        return dict(sorted(preferences.items()))

    def media(self) -> list[str]:
        """Media types of ai.txt (keys of MEDIA) that are refused to any agent or to all."""
        groups = list(self.groups.values())
        return [
            medium
            for medium, extensions in MEDIA.items()
            if any(
                not group.allows(b"/x." + extension.encode())
                for group in groups
                for extension in extensions
            )
        ]

    def _group(self, agent: str) -> Group | None:
        return self.groups.get(_token(agent), self.groups.get("*"))


def parse(body: bytes, agents: tuple[str, ...] = AI_CRAWLERS) -> Policy:
    """The rules of a robots.txt or ai.txt for these agents. Any bytes are accepted."""
    # Lines in order: agents open a group, rules fill it; groups of one agent are merged (RFC 9309).
    wanted = {_token(agent) for agent in agents} | {"*"}
    access: dict[str, dict[tuple[bytes, bool], None]] = {}
    usage: dict[str, list[tuple[bytes, dict[str, bool]]]] = {}
    current: list[str] = []
    open_group = False  # the last relevant line was a user-agent line
    started = False
    for key, value in _lines(body):
        if key in _AGENT:
            if not open_group:
                current = []
            open_group = started = True
            token = _token(value.decode("latin-1"))
            if token in wanted:
                current.append(token)
                access.setdefault(token, {})
            continue
        if key in _USAGE:  # before any group: for everybody
            pattern, labels = _preferences(value)
            for token in current if started else ("*",):
                usage.setdefault(token, []).append((pattern, labels))
            open_group = open_group and key == "content-signal"
            continue
        open_group = False
        for token in current if value else ():
            access[token][(_pattern(value), key == "allow")] = None
    # Agents with equal rules share one group: a list of 30 crawlers is answered once.
    patterns: dict[bytes, Pattern] = {}
    merged: dict[Any, Group] = {}
    groups = {}
    for token in sorted(access.keys() | usage.keys()):
        rules = tuple(sorted(access.get(token, ()), key=lambda r: (-len(r[0]), not r[1], r[0])))
        lines = usage.get(token, [])
        identity = (rules, tuple((p, tuple(labels.items())) for p, labels in lines))
        if identity not in merged:
            merged[identity] = Group(
                tuple((allow, patterns.setdefault(p, Pattern(p))) for p, allow in rules),
                tuple(
                    (Pattern(p), labels)
                    for p, labels in sorted(lines, key=lambda line: -len(line[0]))
                ),
            )
        groups[token] = merged[identity]
    return Policy(agents, groups)


def _lines(body: bytes) -> Iterable[tuple[str, bytes]]:
    """(lower-case key, value) of the lines understood; comments and unknown lines are dropped."""
    for raw in re.split(rb"[\r\n]+", body[:MAX_BYTES]):
        line = _strip(raw.partition(b"#")[0])
        key, colon, value = line.partition(b":")
        if not colon:
            words = line.split()
            if len(words) != 2:
                continue
            key, value = words
        name = _strip(key).lower().decode("latin-1")
        if name in _KNOWN:
            yield name, _strip(value)


def _strip(line: bytes) -> bytes:
    """Without white space at the ends. Linear: a run in the middle is looked at from behind."""
    first = _BEFORE.match(line)
    line = line[first.end() :] if first else line
    last = _AFTER.search(line, max(0, len(line) - 256))
    return line[: last.start()] if last else line


def _token(agent: str) -> str:
    """Product token: `CCBot/2.0 (x)` is ccbot, `*` and `* x` are *. Digits, unlike in the RFC:
    AI2Bot exists."""
    agent = agent.strip().lower()
    if agent.startswith("*") and (len(agent) == 1 or agent[1].isspace()):
        return "*"
    token = _TOKEN.match(agent)
    return token[0] if token else ""


def _preferences(value: bytes) -> tuple[bytes, dict[str, bool]]:
    """`[path] label=answer, …`: the last of equal labels counts, other answers say nothing."""
    pattern = b""
    if value.startswith(b"/"):
        head, *rest = value.split(None, 1)
        pattern, value = _pattern(head), rest[0] if rest else b""
    labels: dict[str, bool] = {}
    for item in value.decode("latin-1").split(","):
        label, _, answer = item.partition(";")[0].partition("=")
        label, answer = label.strip().lower(), answer.strip().lower()
        if _LABEL.fullmatch(label) and answer in _ANSWERS:
            labels[label] = _ANSWERS[answer]
        else:
            labels.pop(label, None)
    return pattern, labels


def _pattern(value: bytes) -> bytes:
    """Normal form of a rule's path; a `$` that is not final is an ordinary byte."""
    body = value.removesuffix(b"$")
    return _query(percent(body)).replace(b"$", b"%24") + value[len(body) :]


def _path(url: str) -> bytes:
    """Normal form of a URL's path and query, with the special characters of rules encoded."""
    parts = split(url)
    path = parts.path[:MAX_PATH] if parts else b""
    if not path.startswith(b"/"):
        path = b"/" + path
    return _query(path).replace(b"*", b"%2A").replace(b"$", b"%24")


def _query(path: bytes) -> bytes:
    """`?u=http%3A%2F%2Fa` and `?u=http://a` are one (RFC 9309 section 2.2.2, second example)."""
    head, mark, query = path.partition(b"?")
    return head + mark + query.replace(b"%3A", b":").replace(b"%2F", b"/") if mark else path
