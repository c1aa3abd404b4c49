"""News: NewsML-G2, NITF, NewsML 1 as Japan's agencies use it (NSK), and feeds with full text.

    file ─▶ stories (headline, body, identity, version, state) ─▶ documents, and a notice a story

Of an item the newest version stays, and nothing of one that was withdrawn: a unit sees only some
of the versions, so each story leaves a notice, and select decides by those of the whole harvest
(corpus.stages.notices). A story under embargo is not read. News is lent under contract: that is
its licence class, unless it names a licence by its address.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from html import escape

from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.pages import written
from corpus.sources.source import Source
from corpus.sources.whole_files import filled, several
from corpus.sources.xml import MAX_DEPTH, XmlError, child_text, children, parse, tag, text
from corpus.text.blocks import Blocks
from corpus.text.builder import Builder, joined
from corpus.web.html.document import parse as parse_page
from corpus.web.rights.page import licence_class

LICENCE = "contract"
USABLE, WITHHELD, CANCELED = "usable", "withheld", "canceled"
# What agencies call the state of an item: the last word of a QCode, address or FormalName.
_STATES = {
    "withheld": WITHHELD, "hold": WITHHELD, "withholding": WITHHELD,
    "canceled": CANCELED, "cancelled": CANCELED, "cancel": CANCELED, "kill": CANCELED,
    "killed": CANCELED, "delete": CANCELED, "deleted": CANCELED, "withdrawn": CANCELED,
    "retracted": CANCELED,
}  # fmt: skip
_LIFTS = ("usable", "embargoed")  # states in which a time of release says until when
JST = timezone(timedelta(hours=9))  # of times that name no zone
NEVER = datetime.max.replace(tzinfo=UTC)  # an embargo without an end
MAX_VERSION = (1 << 62) - 1
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(?:\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?")
_DROPPED = frozenset((
    "media-reference", "media-metadata", "media-producer", "media-object", "byline", "dateline",
    "distributor", "head", "docdata", "hedline", "script", "style",
))  # fmt: skip
# NITF → HTML; what HTML has too keeps its name, all else is words inside their paragraph.
_AS_HTML = {
    "hl1": "h2", "hl2": "h3", "bq": "blockquote", "media": "figure", "media-caption": "figcaption",
    "block": "div", "body": "div", "body.content": "div", "nitf-table": "div", "note": "div",
    "body.end": "div", "tagline": "p", "abstract": "div", "html": "div", "section": "div",
    "article": "div",
}  # fmt: skip
_HTML = frozenset((
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption",
    "thead", "tbody", "tfoot", "tr", "th", "td", "pre", "br", "hr", "em", "strong", "b", "i", "sub",
    "sup", "ruby", "rb", "rt", "rp", "blockquote", "figure", "figcaption", "div", "code", "span",
))  # fmt: skip


@dataclass
class Story:
    """One version of an item. body: elements of NITF or XHTML, HTML as bytes, or plain words."""

    item: str = ""  # its name over all versions
    version: int = 0
    state: str = USABLE
    embargo: datetime | None = None  # until when; NEVER: no end is named
    headlines: list[str] = field(default_factory=list)
    body: list[etree._Element | bytes | str] = field(default_factory=list)
    url: str = ""
    created: datetime | None = None  # this version
    author: str = ""
    licence: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    skip: str = ""


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A document per story of each file."""
    return filled(unit, settings, "news", _fill)


def is_news(head: bytes) -> bool:
    """Whether the beginning of a file is that of news or of a feed."""
    start = re.sub(rb"(?s)<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", b"", head[:8000])
    return bool(
        re.match(
            rb"[\xef\xbb\xbf\s]*<(?:\w+:)?(?:newsItem|newsMessage|NewsML|nitf|rss)[\s>]", start
        )
        or re.match(rb"\s*<(?:\w+:)?feed[\s>][^>]*http://www\.w3\.org/2005/Atom", start)
        or re.match(rb"\s*<rdf:RDF\s[^>]*http://purl\.org/rss/1\.0/", start)
    )


def _fill(item: Item, body: bytes, settings: Settings) -> Iterator[Item]:
    root = parse(body)
    stories = READERS.get(tag(root))
    if stories is None:
        raise XmlError(f"the root is {tag(root) or 'no element'}")
    now = moment(settings.input.as_of) or datetime.now(UTC)
    yield from several(
        _item(item, part, story, now, settings) for part, story in enumerate(stories(root))
    )


def _item(file: Item, part: int, story: Story, now: datetime, settings: Settings) -> Item:
    """The document of a story, or why it is none."""
    item = Item(file.file, 0, file.length, part, truncated=file.truncated, source="news")
    item.url, item.author, item.licence = story.url, story.author, story.licence or LICENCE
    item.date = story.created.isoformat() if story.created else ""
    item.metadata = {"item": story.item, "version": str(story.version)} | story.facts
    item.metadata = {name: value for name, value in item.metadata.items() if value}
    if story.skip:
        item.skip = story.skip
        return item
    if story.state == USABLE and story.embargo and story.embargo > now:
        until = "further notice" if story.embargo == NEVER else story.embargo.isoformat()
        item.problem, item.detail = "embargo", f"under embargo until {until}"
        return item
    item.notice = (story.item, story.version, item.date, story.state)
    if story.state != USABLE:
        item.skip, item.detail = "withdrawal notice", f"{story.item}: {story.state}"
        return item
    item.title = story.headlines[0] if story.headlines else ""
    item.text, item.blocks = _text(story, settings)
    if not item.text:
        item.skip = "empty body"
    return item


def _text(story: Story, settings: Settings) -> tuple[str, Blocks]:
    """Headlines and body as blocks; nothing where there is no body."""
    parts = [_of_body(body, settings) for body in story.body]
    if not any(words for words, _ in parts):
        return joined([])
    heads = Builder(settings.normalize.steps)
    for k, line in enumerate(dict.fromkeys(story.headlines)):
        heads.heading(1 if k == 0 else 2, line)
    return joined([heads.done(), *parts])


def _of_body(body: etree._Element | bytes | str, settings: Settings) -> tuple[str, Blocks]:
    if isinstance(body, str):
        builder = Builder(settings.normalize.steps)
        for words in paragraphs(body):
            builder.paragraph(words)
        return builder.done()
    html = body if isinstance(body, bytes) else "".join(_html(body, 0)).encode("utf-8", "replace")
    return written(parse_page(html, settings.harvest.ruby), settings)


def paragraphs(words: str) -> Iterator[str]:
    """The paragraphs of a report in plain text.

    Where lines begin with a full-width blank, those that do not go on in the line before; where
    none does, a line is a paragraph.
    """
    lines = [line.rstrip() for line in words.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    indented = sum(line.startswith("　") for line in lines) > 1
    held = ""
    for line in lines:
        bare = line.strip(" \t　")
        goes_on = indented and held and bare and line[0] not in "　▽▼◇◆■□●○・※【"
        if held and not goes_on:
            yield held
            held = ""
        held += bare
    if held:
        yield held


def _html(element: etree._Element, depth: int) -> Iterator[str]:
    """The HTML of an element of NITF or XHTML, without what is no text of the report."""
    if depth > MAX_DEPTH:
        raise XmlError("nested too deeply")
    name = tag(element)
    if name in _DROPPED:
        return
    name = _AS_HTML.get(name, name if name in _HTML else "span")
    spans = "".join(
        f' {key}="{escape(value)}"'
        for key in ("colspan", "rowspan")
        if (value := element.get(key, "")).isdigit()
    )
    yield f"<{name}{spans}>"
    yield escape(element.text or "", quote=False)
    for child in element:
        yield from _html(child, depth + 1)
        yield escape(child.tail or "", quote=False)
    if name not in ("br", "hr"):
        yield f"</{name}>"


# what all formats share ---------------------------------------------------------------------------


def moment(words: str | None) -> datetime | None:
    """A time as news write it: ISO 8601, also without signs between, or RFC 822; JST is meant where
    no zone is named. None for anything else."""
    words = (words or "").strip()
    try:
        made: datetime | None
        if found := _BASIC.fullmatch(words):
            year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
            zone = "" if found[7] is None else found[7].replace("Z", "+00:00")
            made = datetime.fromisoformat(
                f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}"
            )
        elif words[:4].isdigit():
            made = datetime.fromisoformat(words)
        else:
            made = parsedate_to_datetime(words) if words else None
        return made if made is None or made.tzinfo else made.replace(tzinfo=JST)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _iso(words: str) -> str:
    """A time in ISO 8601; words that are none as they stand."""
    made = moment(words)
    if made is None:
        return words
    return made.isoformat() if "T" in words or ":" in words else made.date().isoformat()


def _number(words: str | None) -> int:
    """A version; 0 for what is no number."""
    words = (words or "").strip()
    return (
        min(int(words), MAX_VERSION)
        if words.isascii() and words.isdigit() and len(words) < 40
        else 0
    )


def _state(words: str) -> str:
    """The state that a QCode, an address or a name stands for."""
    return _STATES.get(re.split(r"[:/#]", words.strip().lower())[-1], USABLE)


def _line(element: etree._Element | None) -> str:
    return " ".join(text(element).split())


def _lines(elements: Iterable[etree._Element]) -> list[str]:
    return [line for element in elements if (line := _line(element))]


def _datelines(elements: Iterable[etree._Element]) -> str:
    """Datelines, place and day parted also where only their elements part them."""
    for element in (elements := list(elements)):
        for part in element:
            if not part.tail and part.getnext() is not None:
                part.tail = " "
    return "; ".join(dict.fromkeys(_lines(elements)))


def _stated_licence(elements: Iterable[etree._Element]) -> str:
    """The class of a licence that the elements name by its address, "" for none."""
    found = (value for e in elements for value in (*map(str, e.attrib.values()), e.text or ""))
    return next(filter(None, map(licence_class, map(str.strip, found))), "")


# NewsML-G2 ----------------------------------------------------------------------------------------


def _of_g2(root: etree._Element) -> Iterator[Story]:
    """The items of a message, or the one that the file is."""
    for element in root.iter("{*}newsItem", "{*}packageItem", "{*}conceptItem", "{*}knowledgeItem"):
        yield _g2_story(element) if tag(element) == "newsItem" else Story(skip="no article")


def _g2_story(item: etree._Element) -> Story:
    story = Story(item.get("guid", ""), _number(item.get("version")))
    meta = next(children(item, "itemMeta"), item)
    content = next(children(item, "contentMeta"), meta)
    story.created = moment(child_text(meta, "versionCreated"))
    status = next(children(meta, "pubStatus"), None)
    if status is not None:
        story.state = _state(status.get("qcode", "") or status.get("uri", ""))
    for embargo in children(meta, "embargoed"):
        story.embargo = moment(text(embargo)) or NEVER
    rights = [e for info in children(item, "rightsInfo") for e in info.iter(etree.Element)]
    story.licence = _stated_licence(e for e in rights if tag(e) in ("link", "usageTerms"))
    story.headlines = _lines(children(content, "headline")) or _lines(children(meta, "title"))
    story.author = "; ".join(dict.fromkeys(_lines(content.iter("{*}by"))))
    provider = next(children(meta, "provider"), None)
    signals = [e.get("qcode", "") or e.get("uri", "") for e in children(meta, "signal")]
    story.facts = {
        "provider": "" if provider is None else _line(provider) or provider.get("qcode", ""),
        "dateline": child_text(content, "dateline"),
        "first_created": _iso(child_text(meta, "firstCreated")),
        "subjects": "; ".join(_lines(e for s in children(content, "subject") for e in s)),
        "signals": "; ".join(filter(None, signals)),
        "copyright": next(iter(_lines(e for e in rights if tag(e) == "copyrightNotice")), ""),
        "usage": "; ".join(_lines(e for e in rights if tag(e) == "usageTerms")),
    }
    for part in item.iter("{*}inlineXML", "{*}inlineData"):
        story.body += _inline(part, part.get("contenttype", ""))
    return story


def _inline(part: etree._Element, kind: str) -> list[etree._Element | bytes | str]:
    """The body inside an element: markup as it stands, or text by what kind of text it is."""
    for nitf in part.iter("{*}nitf"):
        return _nitf_body(nitf)
    if len(part):
        body = next(part.iter("{*}body"), None)
        return [part if body is None else body]
    words = part.text or ""
    if (part.get("encoding") or "").lower().endswith("base64"):
        words = _unpacked(words)
    if "html" in kind.lower() or re.search(r"</(?:p|div|br|h\d)>|<br\s*/?>", words):
        return [words.encode("utf-8", "replace")]
    return [words]


def _unpacked(words: str) -> str:
    try:
        return base64.b64decode("".join(words.split()), validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""


# NITF ---------------------------------------------------------------------------------------------


def _of_nitf(root: etree._Element) -> Iterator[Story]:
    yield _nitf_story(root)


def _nitf_story(root: etree._Element) -> Story:
    docdata = next(root.iter("{*}docdata"), root)
    story = Story()
    status = docdata.get("management-status", USABLE)
    for element in docdata:
        name, norm = tag(element), element.get("norm", "")
        if name == "doc-id":
            story.item = element.get("id-string", "")
        elif name == "du-key":
            story.item = element.get("key", "") or story.item
            generation = min(_number(element.get("generation")), 1 << 20)
            story.version = min(
                generation * (1 << 40) + _number(element.get("version")), MAX_VERSION
            )
        elif name == "date.issue":
            story.created = moment(norm)
        elif name == "date.release" and _state(status) == USABLE:
            story.embargo = moment(norm)
        elif name == "doc.copyright":
            story.facts["copyright"] = " ".join(
                filter(None, (element.get("holder", ""), element.get("year", "")))
            )
    story.item = docdata.get("management-doc-idref", "") or story.item
    if status.lower() == "embargoed" and story.embargo is None:
        story.embargo = NEVER
    story.state = _state(status)
    story.headlines = _nitf_headlines(root)
    story.author = "; ".join(_lines(root.iter("{*}byline")))
    story.facts["dateline"] = _datelines(root.iter("{*}dateline"))
    story.licence = _stated_licence(root.iter("{*}rights", "{*}rights.agreement"))
    story.body = _nitf_body(root)
    return story


def _nitf_headlines(root: etree._Element) -> list[str]:
    found = _lines(e for head in root.iter("{*}hedline") for e in head)
    return found or _lines(root.iter("{*}title"))[:1]


def _nitf_body(root: etree._Element) -> list[etree._Element | bytes | str]:
    body = next(root.iter("{*}body"), None)
    return list(root.iter("{*}body.content")) or ([] if body is None else [body])


# NewsML 1 -----------------------------------------------------------------------------------------


def _of_newsml(root: etree._Element) -> Iterator[Story]:
    for element in children(root, "NewsItem"):
        yield _newsml_story(element)


def _newsml_story(item: etree._Element) -> Story:
    named = next(item.iter("{*}NewsIdentifier"), item)
    revision = next(children(named, "RevisionId"), None)
    parts = [child_text(named, name) for name in ("ProviderId", "DateId", "NewsItemId")]
    story = Story(":".join(("urn:newsml", *parts)) if all(parts) else "")
    story.version = _number(text(revision))
    management = next(children(item, "NewsManagement"), item)
    story.created = moment(child_text(management, "ThisRevisionCreated"))
    status = _formal(management, "Status")
    story.state = _state(status)
    if status.lower() == "embargoed":
        story.embargo = NEVER
        for change in children(management, "StatusWillChange"):
            if _formal(change, "FutureStatus").lower() in _LIFTS:
                story.embargo = moment(child_text(change, "DateAndTime")) or NEVER
    instructions = [e.get("FormalName", "") for e in children(management, "Instruction")]
    if CANCELED in map(_state, instructions):
        story.state = CANCELED
    story.headlines = _lines(item.iter("{*}HeadLine")) + _lines(item.iter("{*}SubHeadLine"))
    story.author = "; ".join(dict.fromkeys(_lines(item.iter("{*}ByLine"))))
    story.licence = _stated_licence(
        item.iter("{*}UsageRights", "{*}UsageType", "{*}RightsMetadata")
    )
    story.facts = {
        "provider": parts[0],
        "dateline": _datelines(item.iter("{*}DateLine")),
        "first_created": _iso(child_text(management, "FirstCreated")),
        "copyright": "; ".join(dict.fromkeys(_lines(item.iter("{*}CopyrightLine")))),
        "signals": "; ".join(filter(None, instructions)),
    }
    for content in item.iter("{*}ContentItem"):
        kind = _formal(content, "MediaType").lower() or "text"
        if kind == "text":
            for data in children(content, "DataContent"):
                story.body += _newsml_body(content, data)
    return story


def _newsml_body(
    content: etree._Element, data: etree._Element
) -> list[etree._Element | bytes | str]:
    for encoding in children(content, "Encoding"):
        if (encoding.get("Notation") or "").lower().endswith("base64"):
            data.set("encoding", "base64")
    kind = _formal(content, "MimeType") or _formal(content, "Format")
    return _inline(data, kind)


def _formal(element: etree._Element, name: str) -> str:
    """The FormalName of the first child of a name."""
    found = next(children(element, name), None)
    return "" if found is None else found.get("FormalName", "")


# feeds --------------------------------------------------------------------------------------------

_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"


def _of_feed(root: etree._Element) -> Iterator[Story]:
    """The entries of RSS 0.9 to 2.0 and Atom; deleted ones (RFC 6721) are notices."""
    channel = next(root.iter("{*}channel"), root)
    provider = child_text(channel, "title")
    licence = _stated_licence(e for e in channel if _names_licence(e))
    for element in root.iter("{*}item", "{*}entry", "{*}deleted-entry"):
        story = _entry(element)
        story.facts["provider"] = provider
        story.licence = _stated_licence(e for e in element if _names_licence(e)) or licence
        yield story


def _names_licence(element: etree._Element) -> bool:
    return "licen" in tag(element).lower() or element.get("rel") == "license"


def _entry(element: etree._Element) -> Story:
    links = [
        e.get("href", "") or text(e).strip()
        for e in children(element, "link")
        if e.get("rel", "alternate") == "alternate"
    ]
    url = next(filter(None, links), "")
    story = Story(child_text(element, "guid") or child_text(element, "id") or url, url=url)
    times = [
        child_text(element, n) for n in ("updated", "date", "pubDate", "modified", "published")
    ]
    if tag(element) == "deleted-entry":
        story.item, story.state = element.get("ref", ""), CANCELED
        times = [element.get("when", "")]
    story.created = next(filter(None, map(moment, times)), None)
    story.headlines = _lines(children(element, "title"))
    people = [e for e in element if tag(e) in ("author", "creator")]
    story.author = "; ".join(child_text(e, "name") or _line(e) for e in people)
    if child_text(element, "draft").lower() == "yes":
        story.skip = "no article"
    bodies = [_entry_body(e) for e in element if _is_body(e)]
    if bodies:  # the longest: content, where there is a description beside it
        story.body = [max(bodies, key=len)]
    return story


def _is_body(element: etree._Element) -> bool:
    return element.tag == _CONTENT or tag(element) in ("content", "description", "summary")


def _entry_body(element: etree._Element) -> bytes:
    if len(element):
        return "".join(_html(element, 0)).encode("utf-8", "replace")
    words = element.text or ""
    is_text = element.get("type") == "text"
    return (escape(words) if is_text else words).encode("utf-8", "replace")


READERS: dict[str, Callable[[etree._Element], Iterator[Story]]] = {
    "newsItem": _of_g2, "newsMessage": _of_g2, "nitf": _of_nitf, "NewsML": _of_newsml,
    "rss": _of_feed, "feed": _of_feed, "RDF": _of_feed,
}  # fmt: skip

SOURCE = Source("news", (".rss", ".atom", ".nitf"), read, bundled=True, knows=is_news)
