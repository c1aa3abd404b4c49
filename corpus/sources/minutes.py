"""Minutes: answers of the Kokkai API (meeting and speech, XML or JSON), and councils' plain text.

A meeting is a document. Its header (会議録情報: who was present, the agenda) and each speech are
blocks of their own; who spoke, for whom and as what is in `metadata`. A speech's lines that are
indented three places and more (names, votes, notes) stay lines of one paragraph, 〔…〕 are
captions, ruled lines are rules. Volumes of contents and indexes are no meetings and are skipped.
Minutes of councils in plain text are read by corpus.text.council, wherever they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled, several
from corpus.sources.xml import XmlError, child_text, children, parse, tag
from corpus.text import council
from corpus.text.builder import Builder
from corpus.web.charset import decode, gate

HEADER = "会議録情報"
NO_MEETING = ("目次", "索引", "附録", "追録")
_FACTS = {
    "issue_id": "issueID", "session": "session", "house": "nameOfHouse",
    "meeting": "nameOfMeeting", "issue": "issue",
}  # fmt: skip
_SPEAKER = ("speaker", "speakerGroup", "speakerPosition", "speakerRole")


class Meeting(NamedTuple):
    """A record of the API with its speeches, in order; values are text."""

    facts: dict[str, str]
    speeches: list[dict[str, str]]


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A meeting per record of each file."""
    return filled(unit, settings, "minutes", _fill)


def _fill(item: Item, body: bytes, settings: Settings) -> Iterator[Item]:
    if not body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith((b"{", b"<")):
        yield _of_council(item, decode.decode(body, "", gate.evidence(body)).text, settings)
        return
    meetings = enumerate(_meetings(body))
    yield from several(_item(item, part, meeting, settings) for part, meeting in meetings)


def _of_council(item: Item, words: str, settings: Settings) -> Item:
    """The minutes of a council, as plain text has them."""
    if not council.is_council(words):
        raise XmlError("neither an answer of the API nor a text with marks of speeches")
    found = council.read(words, settings.normalize.steps)
    item.source, item.title, item.date = "minutes", found.title, found.date
    item.text, item.blocks, item.metadata = found.text, found.blocks, found.metadata
    return item


def is_minutes(head: bytes) -> bool:
    """Whether the beginning of a file is an answer of the API."""
    named = re.search(rb"<(?:meetingRecord|speechRecord)>|\"(?:meetingRecord|speechRecord)\"", head)
    return bool(named) and b"issueID" in head


def _meetings(body: bytes) -> Iterator[Meeting]:
    """The meetings of an answer; speeches of one meeting that follow each other are one."""
    records = _of_json(body) if body.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _of_xml(body)
    last: Meeting | None = None
    for facts, speeches in records:
        if last is not None and last.facts.get("issueID") == facts.get("issueID"):
            last.speeches.extend(speeches)
            continue
        if last is not None:
            yield last
        last = Meeting(facts, speeches)
    if last is not None:
        yield last


def _of_xml(body: bytes) -> Iterator[tuple[dict[str, str], list[dict[str, str]]]]:
    root = parse(body)
    if tag(root) != "data" and next(root.iter("meetingRecord", "speechRecord"), None) is None:
        raise XmlError("no meetingRecord and no speechRecord")
    for record in root.iter("recordData"):
        for meeting in (*children(record, "meetingRecord"), *children(record, "speechRecord")):
            facts = {tag(c): child_text(meeting, tag(c)) for c in meeting if not len(c)}
            inner = list(children(meeting, "speechRecord"))
            yield facts, [_fields_of(s) for s in inner] if inner else [_fields_of(meeting)]


def _fields_of(speech: Any) -> dict[str, str]:
    return {tag(c): c.text or "" for c in speech}


def _of_json(body: bytes) -> Iterator[tuple[dict[str, str], list[dict[str, str]]]]:
    answer = json.loads(body)
    for meeting in answer.get("meetingRecord") or ():
        yield _texts(meeting), [_texts(s) for s in meeting.get("speechRecord") or ()]
    for speech in answer.get("speechRecord") or ():
        yield _texts(speech), [_texts(speech)]


def _texts(record: dict[str, Any]) -> dict[str, str]:
    return {k: "" if v is None else str(v) for k, v in record.items() if not isinstance(v, list)}


def _item(file: Item, part: int, meeting: Meeting, settings: Settings) -> Item:
    """The document of a meeting."""
    facts = meeting.facts
    item = Item(file.file, 0, file.length, part, source="minutes")
    item.url = (meeting.speeches[0] if meeting.speeches else {}).get("speechURL") or facts.get(
        "meetingURL", ""
    )
    item.date = facts.get("date", "")
    kind = facts.get("imageKind", "")
    if any(word in kind for word in NO_MEETING):
        item.skip, item.detail = "no meeting", kind
        return item
    names = (facts.get(k, "") for k in ("nameOfHouse", "nameOfMeeting", "issue"))
    session = facts.get("session", "")
    item.title = " ".join(filter(None, (session and f"第{session}回国会", *names)))
    item.metadata = {name: facts[key] for name, key in _FACTS.items() if facts.get(key)}
    builder = Builder(settings.normalize.steps)
    builder.heading(1, item.title)
    speakers: dict[tuple[str, ...], None] = {}
    for speech in meeting.speeches:
        words = speech.get("speech", "")
        if speech.get("speaker") == HEADER:
            builder.heading(2, HEADER)
        else:
            speakers[tuple(speech.get(name, "").strip() for name in _SPEAKER)] = None
        council.write(builder, words)
    item.metadata["speakers"] = "; ".join(
        f"{name}（{'・'.join(more)}）" if (more := [m for m in rest if m]) else name
        for name, *rest in speakers
        if name
    )
    item.text, item.blocks = builder.done()
    return item


SOURCE = Source("minutes", (), read, bundled=True, knows=is_minutes)
