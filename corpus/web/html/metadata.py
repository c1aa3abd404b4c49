"""Title, date, author and site of a page, from its head, JSON-LD, `<time>`, text marks and URL."""

from __future__ import annotations

import json
import re
from datetime import date as calendar_date
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from corpus.web.html import blocks as b
from corpus.web.html.document import Document

MAX_TITLE = 300  # characters
MAX_AUTHOR = 60
MAX_JSONLD = 200_000  # bytes of JSON-LD read per script
FIRST_YEAR = 1990  # the web's first; earlier dates are about the subject, not the page

_PUBLISHED = (
    "article:published_time",
    "og:published_time",
    "datepublished",
    "date",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "dcterms.date",
    "dcterms.created",
    "dc.date.created",
    "pubdate",
    "publishdate",
    "publication_date",
    "article:published",
    "parsely-pub-date",
    "sailthru.date",
    "cxenseparse:recs:publishtime",
    "citation_publication_date",
    "creation_date",
    "created",
    "article_date_original",
)
_MODIFIED = (
    "article:modified_time",
    "og:updated_time",
    "datemodified",
    "last-modified",
    "dcterms.modified",
    "dc.date.modified",
    "revised",
    "lastmod",
)
_AUTHORS = (
    "author",
    "article:author",
    "dc.creator",
    "dcterms.creator",
    "parsely-author",
    "sailthru.author",
    "citation_author",
    "creator",
    "twitter:data1",
)
_SITES = (
    "og:site_name",
    "application-name",
    "dc.publisher",
    "dcterms.publisher",
    "publisher",
    "twitter:site",
)
_SEPARATOR = re.compile(r"\s*[|｜»«:：/／·•―—–‐＜＞<>【】\[\]]\s*|\s+[-‐−ー-]\s+")
_ISO = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.年]\s?(\d{1,2})[-/.月]\s?(\d{1,2})(?!\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?!\d)")
_ERA = re.compile(r"(令和|平成)\s?(元|\d{1,2})年\s?(\d{1,2})月\s?(\d{1,2})日")
_ERA_START = {"令和": 2018, "平成": 1988}
_ENGLISH = re.compile(
    r"(?i)(?:(\d{1,2})\s+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s+"
    r"(?:(\d{1,2})(?:st|nd|rd|th)?,?\s+)?((?:19|20)\d\d)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_URL_DATE = re.compile(r"/((?:19|20)\d\d)[/_-]?(\d\d)[/_-]?(\d\d)(?=[/_.-]|\D|$)")
_BYLINE = re.compile(
    r"(?i)^(?:by|written by|author|posted by|著者?|文|筆者|執筆者?|記者|ライター|投稿者|作成者"
    r"|取材・文|文責)"
    r"\s*[:：/／・]?\s*|\s*(?:著|記者|さん|氏)$"
)


class Metadata(NamedTuple):
    """Columns of a page; "" where unknown. `date` is YYYY-MM-DD: published, else modified."""

    title: str
    date: str
    author: str
    site: str


def read_date(text: str) -> str:
    """First date of a text as YYYY-MM-DD ("" if none): ISO, Japanese, era years, English."""
    text = text[:200]
    era = _ERA.search(text)
    if era:
        year = _ERA_START[era[1]] + (1 if era[2] == "元" else int(era[2]))
        return _valid(year, int(era[3]), int(era[4]))
    for pattern in (_ISO, _COMPACT):
        match = pattern.search(text)
        if match:
            return _valid(int(match[1]), int(match[2]), int(match[3]))
    match = _ENGLISH.search(text)
    if match and (match[1] or match[3]):
        month = _MONTHS.index(match[2].lower()) + 1
        return _valid(int(match[4]), month, int(match[1] or match[3]))
    return ""


def _valid(year: int, month: int, day: int) -> str:
    if year < FIRST_YEAR:
        return ""
    try:
        return calendar_date(year, month, day).isoformat()
    except ValueError:
        return ""


def _jsonld_objects(scripts: list[str]) -> list[dict[str, Any]]:
    """Objects of the page's JSON-LD: top level, lists, @graph; broken scripts are left out."""
    out: list[dict[str, Any]] = []
    for script in scripts:
        text = script.strip().removeprefix("<!--").removesuffix("-->").strip()
        if len(text) > MAX_JSONLD:
            continue
        try:
            waiting: list[Any] = [json.loads(text, strict=False)]
        except (ValueError, RecursionError):
            continue
        while waiting:
            item = waiting.pop(0)
            if isinstance(item, list):
                waiting.extend(item[:50])
            elif isinstance(item, dict):
                out.append(item)
                waiting.append(item.get("@graph"))
    return out


def _is_work(item: dict[str, Any]) -> bool:
    kind = item.get("@type")
    names = kind if isinstance(kind, list) else [kind]
    return any(
        isinstance(n, str)
        and n.endswith(
            (
                "Article",
                "Posting",
                "WebPage",
                "Report",
                "Product",
                "Recipe",
                "Event",
                "Course",
                "Book",
            )
        )
        for n in names
    )


def _name(value: Any) -> str:
    """Name of a JSON-LD person, organisation or list of them."""
    if isinstance(value, list):
        return ", ".join(name for name in (_name(v) for v in value[:5]) if name)
    if isinstance(value, dict):
        return _name(value.get("name"))
    return " ".join(value.split()) if isinstance(value, str) else ""


def _first(meta: dict[str, list[str]], names: tuple[str, ...]) -> str:
    return next((v for name in names for v in meta.get(name, ()) if v), "")


def _title(document: Document, works: list[dict[str, Any]], site: str) -> str:
    """Headline: what og:title, JSON-LD or `<h1>` confirm in `<title>`, without the site."""
    whole = document.title
    headings = document.marked_text(b.M_H1)
    confirmed = [
        " ".join(document.meta.get("og:title", [""])[0].split()),
        *(_name(w.get("headline")) for w in works),
        *headings,
    ]
    for candidate in confirmed:
        if candidate and whole and len(candidate) >= 2 and whole.startswith(candidate):
            return _without_site(candidate, site)
    if whole:
        return _without_site(whole, site)
    return _without_site(next((c for c in confirmed if c), ""), site)


def _without_site(title: str, site: str) -> str:
    """A title without the site's name at either end."""
    if site and title != site:
        for part in (title.removesuffix(site), title.removeprefix(site)):
            tail = _SEPARATOR.search(part[::-1] if part != title else "")
            if part != title and tail and tail.start() == 0:
                title = part[: len(part) - tail.end()]
                break
            head = _SEPARATOR.match(part) if part != title else None
            if head:
                title = part[head.end() :]
                break
    return title[:MAX_TITLE].strip()


def _author(document: Document, works: list[dict[str, Any]]) -> str:
    candidates = [_first(document.meta, _AUTHORS)]
    candidates += [_name(w.get("author")) or _name(w.get("creator")) for w in works]
    candidates += document.marked_text(b.M_AUTHOR)
    for candidate in candidates:
        name = _BYLINE.sub("", " ".join(candidate.split())).strip()
        if name and len(name) <= MAX_AUTHOR and "://" not in name and not read_date(name):
            return name
    return ""


def metadata(document: Document, url: str = "") -> Metadata:
    """Title, date, author and site of a page."""
    meta = document.meta
    objects = _jsonld_objects(document.jsonld)
    works = [item for item in objects if _is_work(item)]
    site = _first(meta, _SITES) or next(
        (
            _name(w.get("publisher")) or _name(w.get("isPartOf"))
            for w in works
            if w.get("publisher") or w.get("isPartOf")
        ),
        next((_name(o) for o in objects if o.get("@type") == "WebSite"), ""),
    )
    site = " ".join(site.removeprefix("@").split())
    dates = [
        *(v for k in _PUBLISHED for v in meta.get(k, ())),
        *(_name(w.get("datePublished")) for w in works),
        *document.times[:3],
        *(v for k in _MODIFIED for v in meta.get(k, ())),
        *(_name(w.get("dateModified")) for w in works),
    ]
    day = next((d for d in map(read_date, dates) if d), "")
    if not day:
        in_url = _URL_DATE.search(urlsplit(unquote(url)).path if _is_url(url) else "")
        day = _valid(int(in_url[1]), int(in_url[2]), int(in_url[3])) if in_url else ""
    return Metadata(_title(document, works, site), day, _author(document, works), site)


def _is_url(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:
        return False
    return bool(url)
