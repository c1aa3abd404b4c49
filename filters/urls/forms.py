"""One normal form of hosts, paths and path patterns, for URL lists and for robots.txt.

Two spellings of an address must compare equal: 日本語.jp and xn--wgv71a119e.jp, /検索 and
/%e6%a4%9c%e7%b4%a2. The normal form is ASCII: punycode labels, RFC 3986 percent-encoding with
upper-case digits and nothing encoded that need not be. Input is hostile: nothing here raises.
"""

from __future__ import annotations

import re
import unicodedata
from encodings import idna
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

MAX_HOST = 255  # octets, RFC 1035 section 2.3.4
_DOTS = re.compile(r"[.。．｡]")  # IDNA: label separators, RFC 3490 section 3.1
_AUTHORITY_END = re.compile(r"[/?#\\]")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,31}):(?://|\\\\|/\\|\\/)", re.IGNORECASE)
_PORT = re.compile(r":(\d{0,10})$")
_TO_CHANGE = re.compile(rb"%[0-9A-Fa-f]{2}|[^\x21-\x7e]")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21"}


class Parts(NamedTuple):
    """Normal forms: scheme in lower case or "", ASCII host, port or "" if the default, path with
    query and without fragment ("" when the URL has none)."""

    scheme: str
    host: str
    port: str
    path: bytes

    @property
    def origin(self) -> str:
        """RFC 6454: scheme, host and port, `https://example.jp:8443`."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")


def split(url: str) -> Parts | None:
    """The parts of an absolute URL, or of one written without its scheme; None without a host."""
    url = url.strip("".join(map(chr, range(33))))
    prefix = _SCHEME.match(url)
    scheme = prefix[1].lower() if prefix else ""
    rest = url[prefix.end() :] if prefix else url.removeprefix("//")
    end = _AUTHORITY_END.search(rest)
    authority, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    authority = authority.rpartition("@")[2]
    port = _PORT.search(authority)
    name = host(authority[: port.start()] if port else authority)
    if not name:
        return None
    number = port[1].lstrip("0") if port else ""
    if number == _DEFAULT_PORTS.get(scheme):
        number = ""
    return Parts(scheme, name, number, percent(path.partition("#")[0].encode("utf-8", "replace")))


def host(name: str) -> str:
    """ASCII form of a host name: punycode, lower case, no final dot; "" when it is none."""
    if len(name) > 3 * MAX_HOST:  # percent-encoding triples a byte
        return ""
    if "%" in name:
        name = unquote_to_bytes(name.encode("utf-8", "replace")).decode("utf-8", "replace")
    name = name.encode("utf-8", "replace").decode()
    labels = [label if label.isascii() else _label(label) for label in _DOTS.split(name)]
    name = ".".join(labels).lower().removesuffix(".")
    if len(name) > MAX_HOST or ".." in name or name.startswith(".") or not name.isascii():
        return ""
    if ":" in name and not (name.startswith("[") and name.endswith("]")):
        return ""
    return "" if re.search(r"[\x00-\x20\x7f/?#@\\%]", name) else name


def _label(label: str) -> str:
    """RFC 3490 ToASCII; a label it refuses (too long, unassigned) gets plain punycode."""
    try:
        return idna.ToASCII(label).decode("ascii")
    except UnicodeError:
        folded = unicodedata.normalize("NFKC", label.lower())
        return folded if folded.isascii() else "xn--" + folded.encode("punycode").decode("ascii")


def percent(path: bytes) -> bytes:
    """RFC 3986 section 6.2.2: %7e is ~, %e3 is %E3; a byte outside printable ASCII is encoded."""
    return _TO_CHANGE.sub(_changed, path)


def _changed(match: re.Match[bytes]) -> bytes:
    piece = match[0]
    if len(piece) == 1:
        return b"%%%02X" % piece[0]
    value = int(piece[1:], 16)
    return bytes((value,)) if value in _UNRESERVED else piece.upper()


class Pattern:
    """A path pattern of RFC 9309 section 2.2.3: anchored at the start, `*` any run of bytes, a
    final `$` the end. Matching is linear in the path: no pattern can make it slow."""

    __slots__ = ("anchored", "head", "parts", "size", "text")

    def __init__(self, pattern: bytes) -> None:
        self.text = pattern
        self.size = len(pattern)
        self.anchored = pattern.endswith(b"$")
        first, *rest = (pattern[:-1] if self.anchored else pattern).split(b"*")
        self.head = first
        self.parts = tuple(rest)

    @property
    def literal(self) -> int:
        """Bytes of the pattern that stand for themselves."""
        return self.size - self.text.count(b"*") - self.anchored

    def matches(self, path: bytes) -> bool:
        """Whether the pattern is a prefix of the path, or with `$` the whole of it."""
        if not path.startswith(self.head):
            return False
        if not self.parts:
            return not self.anchored or len(path) == len(self.head)
        position = len(self.head)
        for part in self.parts[:-1]:
            position = path.find(part, position)
            if position < 0:
                return False
            position += len(part)
        last = self.parts[-1]
        if self.anchored:
            return len(path) - len(last) >= position and path.endswith(last)
        return path.find(last, position) >= 0
