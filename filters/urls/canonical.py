"""One address for one page: without what says where a reader came from, or how.

`forms` writes a URL in the one spelling that lists and robots.txt are compared in; this goes
further, and two addresses that differ in meaning to a server may become one.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes, urlsplit

# Query parameters that say where a reader came from, never what the page is.
TRACKING = re.compile(
    r"(?:utm_\w+|gclid|fbclid|dclid|msclkid|yclid|twclid|igshid|mc_[ce]id|_ga|_gl|ref_src)$", re.I
)
SESSION = re.compile(r";jsessionid=[^/?#]*|(?<=&)(?:phpsessid|jsessionid|sid)=[0-9a-f]{16,}", re.I)
DEFAULT_FILES = re.compile(r"/(?:index\.(?:html?|php|cgi|aspx?|jsp)|default\.aspx?)$", re.I)
PORTS = {"http": 80, "https": 443}
# An address in which only `www.`, a name of a default file and slashes at the end can go.
PLAIN = re.compile(r"https?://([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)((?:/[A-Za-z0-9._~/-]*)?)")
UNRESERVED = "-._~!$&'()*+,;=:@/"


def canonical_url(url: str) -> str:
    """The address without what does not change the page; empty when `url` is no web address.

    Scheme (http = https), leading `www.`, default port, user, fragment, session ids, tracking
    parameters, `index.html` and a trailing slash go; host in lower case and IDNA, query parameters
    sorted, percent-encoding in one form.
    """
    if plain := PLAIN.fullmatch(url):
        return plain[1].removeprefix("www.") + DEFAULT_FILES.sub("", plain[2]).rstrip("/")
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in PORTS or not host:
        return ""
    host = host.rstrip(".").removeprefix("www.")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            host = _recode(host)
    if port and port != PORTS[parts.scheme.lower()]:
        host += f":{port}"
    path = DEFAULT_FILES.sub("", SESSION.sub("", _recode(parts.path))).rstrip("/")
    pieces = SESSION.sub("", "&" + parts.query).split("&")
    query = sorted(_recode(p) for p in pieces if p and not TRACKING.match(p.partition("=")[0]))
    return host + path + ("?" + "&".join(query) if query else "")


def _recode(text: str) -> str:
    """One form of percent-encoding; lone surrogates and other oddities are kept as bytes."""
    raw = unquote_to_bytes(text.encode("utf-8", "surrogatepass"))
    return quote(raw, safe=UNRESERVED + "?" if "?" in text else UNRESERVED)
