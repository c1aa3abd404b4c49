"""XML of strangers: no entities, no network, no deep or huge trees."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from corpus.web.charset.decode import decode_as

MAX_DEPTH = 200
# Charsets of Japan that libxml2 reads by the letter of the standard: NEC's and IBM's characters,
# which every vendor writes, would end the document.
_DECLARED = re.compile(
    rb"""^\s*<\?xml[^>]*?(\sencoding\s*=\s*["'](shift[_-]jis|x-sjis|sjis|windows-31j|cp932|ms932"""
    rb"""|euc-jp|x-euc-jp|eucjp)["'])[^>]*\?>""",
    re.IGNORECASE,
)
# Behind no blank: else a long run of them is read once for each blank in it.
_FEEDS = re.compile(r"(?<![ \t\r])[ \t\r]*\n[ \t\r\n]*")


class XmlError(ValueError):
    """A text that is no XML, in one line."""


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False,
        remove_comments=True, remove_pis=True, collect_ids=False,
    )  # fmt: skip


def parse(data: bytes) -> etree._Element:
    """The root of an XML document. XmlError says what is wrong with it."""
    if found := _DECLARED.match(data[:200]):
        charset = "euc-jp" if b"euc" in found[2].lower() else "shift_jis"
        words = decode_as(data[: found.start(1)] + data[found.end(1) :], charset)[0]
        data = words.encode("utf-8", "replace")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        if getattr(error, "code", None) == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise XmlError(" ".join(str(error).split())[:200]) from None
    if root is None:
        raise XmlError("no element")
    return root


def tag(element: etree._Element) -> str:
    """The name of an element without its namespace; "" for an entity that was not resolved."""
    name = element.tag
    return name.rpartition("}")[2] if isinstance(name, str) else ""


def text(element: etree._Element | None, default: str = "") -> str:
    """All text below an element."""
    return default if element is None else "".join(map(str, element.itertext(etree.Element)))


def children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The children of a name, in any namespace."""
    return (child for child in element if tag(child) == name)


def child_text(element: etree._Element, name: str) -> str:
    """The stripped text of the first child of a name, "" where there is none."""
    return text(next(children(element, name), None)).strip()


def squeezed(words: str | None) -> str:
    """Words between tags, without line feeds and the blanks around them, which are layout."""
    return _FEEDS.sub("", words) if words and "\n" in words else words or ""
