"""The address a page gives as its own: `<link rel=canonical>` (RFC 6596), else `og:url`.

A page may claim anything. What is taken is a plain web address; a claim that cannot be right is
none: two different ones on one page, or the home page of a host as the address of another page
(whole sites are misconfigured so).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urldefrag, urljoin, urlsplit

from filters.urls.canonical import canonical_url

MAX_CHARS = 2000
_STRANGE = re.compile(r"[\s\x00-\x20\x7f-\x9f\\<>\"'`{}|^]")
_LAST_LABEL = re.compile(r"\.(?!\d+$)[\w-]+$")  # a domain: no bare name, no number of an address


def stated_address(
    links: Sequence[tuple[str, str]], meta: Mapping[str, Sequence[str]], url: str
) -> str:
    """The address that the page at `url` names as its own, "" where none can be believed.

    links, meta: of corpus.web.html.document.Document. A canonical link goes before og:url, also one
    that contradicts another.
    """
    named = [href for rel, href in links if "canonical" in rel.split()]
    found = [address for href in named if (address := web_address(href, url))]
    if not found:
        found = [a for href in meta.get("og:url", ()) if (a := web_address(href, url))]
    return found[0] if len({canonical_url(address) for address in found}) == 1 else ""


def web_address(value: str, base: str) -> str:
    """`value` resolved against `base`, without fragment; "" unless it is a plain http(s) address.

    Refused: other schemes, users and passwords, white space, control and markup characters, bare
    host names and IP addresses, more than MAX_CHARS; and a home page in the place of another page.
    """
    value = value.strip()
    if not value or len(value) > MAX_CHARS or _STRANGE.search(value):
        return ""
    try:
        address = urldefrag(urljoin(base, value)).url
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and "@" not in parts.netloc
    is_domain = _LAST_LABEL.search(host.rstrip(".")) is not None
    if not is_plain or not is_domain or len(address) > MAX_CHARS:
        return ""
    return "" if _is_home(address) and not _is_home(base) else address


def _is_home(url: str) -> bool:
    """Whether a URL is the first page of its host."""
    name = canonical_url(url)
    return bool(name) and "/" not in name and "?" not in name
