"""Wikitext as a tree: a list of words and nodes, inside nodes again such lists.

The syntax is read by mwparserfromhell's tokenizer (C). Its own nodes, which can be edited and
written back, take ten times as long to build as the tokens take to find; ours can only be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.entities import name2codepoint
from typing import TypeAlias

from mwparserfromhell.parser import CTokenizer, tokens
from mwparserfromhell.parser.tokenizer import Tokenizer

# The tokenizer reads on to the end for each mark that opens what nothing closes, and then goes back
# to it: 32 KB of "{{a|" took 17 s, inside native code, where no limit of time reaches it.
MAX_COST = 5_000_000  # open marks times characters: about half a second
MAX_OPEN = 3  # open marks of a line, on such a page
_MARK = re.compile(
    r"\{\{|\}\}|\[\[|\]\]|\[|\]|\n\{\||\n\|\}|<!--|-->|</|/>"
    r"|<(?=[a-zA-Z])(?!(?:br|hr|li|wbr)\s*/?>)"
)
_CLOSES = {
    "}}": "{{", "]]": "[[", "]": "[", "\n|}": "\n{|", "-->": "<!--", "</": "<", "/>": "<",
}  # fmt: skip

Nodes: TypeAlias = "list[str | Node]"
# What stands in a node, each part with the token that begins it.
_Parts: TypeAlias = "list[tuple[tokens.Token, Nodes]]"


class Entity(str):
    """The character that an entity stands for; written: the entity in the source."""

    written: str


@dataclass(slots=True)
class Heading:
    """== title ==, of level 1 to 6."""

    level: int
    title: Nodes


@dataclass(slots=True)
class Link:
    """[[target|words]]; words is None in [[target]]."""

    target: str
    words: Nodes | None


@dataclass(slots=True)
class External:
    """[https://… words], or a bare address, which has no words."""

    words: Nodes


@dataclass(slots=True)
class Template:
    """{{name|value|key=value}}: name in lower case, blanks for underscores.

    parameters: (key, value) in their order, unnamed ones with "1", "2" …
    """

    name: str
    parameters: list[tuple[str, Nodes]]

    def get(self, key: str) -> Nodes:
        """The value of a parameter, the last one of that key; empty where there is none."""
        return next((value for name, value in reversed(self.parameters) if name == key), [])

    def numbered(self) -> list[Nodes]:
        """The values without names of their own."""
        return [value for name, value in self.parameters if name.isdigit()]


@dataclass(slots=True)
class Tag:
    """<name key="value">nodes</name>, and lists and tables of wikitext, whose sign is `markup`."""

    name: str  # in lower case
    markup: str
    attributes: dict[str, str] = field(default_factory=dict)
    nodes: Nodes = field(default_factory=list)


Node: TypeAlias = Heading | Link | External | Template | Tag


def parse(text: str) -> Nodes:
    """The nodes of wikitext. Comments and arguments of templates ({{{1}}}) are none.

    A page with more than MAX_COST of what nothing closes is read line by line, and lines of it
    with more than MAX_OPEN are words as they stand.
    """
    if unclosed(text) * len(text) <= MAX_COST:
        return _parsed(text)
    nodes: Nodes = []
    for line in text.splitlines(keepends=True):
        nodes += _parsed(line) if unclosed(line) <= MAX_OPEN else [line]
    return nodes


def unclosed(text: str) -> int:
    """How many marks open something that nothing closes."""
    count = dict.fromkeys(_CLOSES.values(), 0)
    for mark in _MARK.findall(text):
        opener = _CLOSES.get(mark)
        if opener is None:
            count[mark] += 1
        elif count[opener]:
            count[opener] -= 1
    return sum(count.values())


def _parsed(text: str) -> Nodes:
    nodes: Nodes = []
    parts: _Parts = []
    open_: list[tuple[Nodes, _Parts, tokens.Token]] = []  # of each open node: what is around it
    begin = tokens.Text()
    for token in (CTokenizer or Tokenizer)().tokenize(text, 0, True):
        kind = type(token)
        if kind is tokens.Text:
            nodes.append(token["text"])
        elif kind in _OPENING:
            open_.append((nodes, parts, begin))
            nodes, parts, begin = [], [], token
        else:
            parts.append((begin, nodes))
            if make := _CLOSING.get(kind):
                node = make(parts)
                nodes, parts, begin = open_.pop()
                if node is not None:
                    nodes.append(node)
            else:
                nodes, begin = [], token
    return nodes


def words_of(nodes: Nodes) -> str:
    """The words among nodes, without those inside of others: a name, the content of a formula."""
    return "".join([node for node in nodes if isinstance(node, str)])


def source_of(nodes: Nodes) -> str:
    """The same with entities as they are written: the lines of code, which mean what they say."""
    return "".join([n.written if isinstance(n, Entity) else n for n in nodes if isinstance(n, str)])


def split(nodes: Nodes, sign: str) -> list[Nodes]:
    """The nodes cut at a sign in their own words, not inside of others."""
    out: list[Nodes] = [[]]
    for node in nodes:
        if not isinstance(node, str):
            out[-1].append(node)
            continue
        first, *others = node.split(sign)
        out[-1].append(first)
        out += [[part] for part in others]
    return out


# one node from its parts --------------------------------------------------------------------------


def _heading(parts: _Parts) -> Heading:
    begin, title = parts[0]
    return Heading(begin["level"], title)


def _link(parts: _Parts) -> Link:
    return Link(words_of(parts[0][1]).strip(), parts[1][1] if len(parts) > 1 else None)


def _external(parts: _Parts) -> External:
    return External(parts[1][1] if len(parts) > 1 else [])


def _template(parts: _Parts) -> Template:
    parameters: list[tuple[str, Nodes]] = []
    number = 0
    for begin, value in parts[1:]:
        if type(begin) is tokens.TemplateParamEquals:
            parameters[-1] = (words_of(parameters[-1][1]).strip(), value)
            number -= 1
        else:
            number += 1
            parameters.append((str(number), value))
    return Template(words_of(parts[0][1]).strip().replace("_", " ").lower(), parameters)


def _tag(parts: _Parts) -> Tag:
    tag = Tag(words_of(parts[0][1]).strip().lower(), parts[0][0].get("wiki_markup") or "")
    for key, value in _attributes(parts):
        tag.attributes[key] = value
    for begin, nodes in parts:
        if type(begin) is tokens.TagCloseOpen:
            tag.nodes = nodes
    return tag


def _attributes(parts: _Parts) -> Iterator[tuple[str, str]]:
    key, value = "", ""
    for begin, nodes in parts:
        match type(begin):
            case tokens.TagAttrStart:
                if key:
                    yield key, value
                key, value = words_of(nodes).strip().lower(), ""
            case tokens.TagAttrEquals | tokens.TagAttrQuote:
                value += words_of(nodes).strip().strip("\"'")
    if key:
        yield key, value


def _entity(parts: _Parts) -> Entity:
    """&name;, &#number; or &#xnumber; nothing where it stands for no character."""
    value = words_of(parts[-1][1])
    sign = ("", "#", "#x")[len(parts) - 1]
    try:
        code = int(value, 16 if sign == "#x" else 10) if sign else name2codepoint[value]
        entity = Entity(chr(code))
    except (KeyError, ValueError, OverflowError):
        entity = Entity()
    entity.written = f"&{sign}{value};"
    return entity


_OPENING = frozenset((
    tokens.TemplateOpen, tokens.ArgumentOpen, tokens.WikilinkOpen, tokens.ExternalLinkOpen,
    tokens.HTMLEntityStart, tokens.HeadingStart, tokens.CommentStart, tokens.TagOpenOpen,
))  # fmt: skip
_CLOSING: dict[type, Callable[[_Parts], str | Node | None]] = {
    tokens.TemplateClose: _template,
    tokens.ArgumentClose: lambda parts: None,
    tokens.WikilinkClose: _link,
    tokens.ExternalLinkClose: _external,
    tokens.HTMLEntityEnd: _entity,
    tokens.HeadingEnd: _heading,
    tokens.CommentEnd: lambda parts: None,
    tokens.TagCloseClose: _tag,
    tokens.TagCloseSelfclose: _tag,
}
