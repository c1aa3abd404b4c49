"""Captions of programmes: WebVTT, SRT, and TTML as IMSC, EBU-TT-D and ARIB (STD-B62) write it.

    file ─▶ cues (time, lines) ─▶ lines that roll up once ─▶ turns of speakers ─▶ paragraphs

A cue that goes on (➡, no end of a sentence) is joined to the next; in programmes written without 。
cues stay lines, and lines of one cue are parted by a blank. Notes of sound （拍手）, music
♪～ and the brackets of off-screen voices ≪ ＜ (( go; （名前） before words is who speaks. Captions
are lent under contract: the licence class is `contract` unless `input.licence` says another.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from corpus.settings import Settings
from corpus.sources.item import Item, Unit
from corpus.sources.source import Source
from corpus.sources.whole_files import filled
from corpus.sources.xml import XmlError, parse, squeezed, tag, text
from corpus.text.builder import Builder
from corpus.text.ruby import with_ruby
from corpus.web.charset import decode, gate

LICENCE = "contract"
PAUSE, LONG_PAUSE = 2.0, 10.0  # seconds without a cue that end a paragraph behind 。, and anywhere
MAX_TURN = 800  # characters of a paragraph, at the next end of a sentence
_TIME = re.compile(r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[.,:](\d{1,3}))?")
_ARROW = re.compile(r"^\s*([\d:.,]+)\s*-->\s*([\d:.,]+).*$")
_BLOCKS = ("NOTE", "STYLE", "REGION", "WEBVTT")
_VOICE = re.compile(r"^<v(?:\.[\w.]+)?\s+([^>]{1,80})>")
_RUBY = re.compile(r"<ruby>(.{0,200}?)<rt>(.{0,200}?)</rt>\s{0,20}(?:</ruby>)?", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z0-9][^<>]{0,200}>|\{\\[^{}]{0,60}\}")
_MUSIC = re.compile(r"[♪♬♫♩][～〜~・…\s　]*")
_SOUND_WORD = (
    "拍手|笑い?|笑い声|歓声|音楽|.{0,12}[音声歌曲鳴]|.{0,8}メロディー?|BGM|チャイム|ため息"
    "|.{0,8}いびき|泣き?声?"
)
# Who speaks though no name is said, also alone on a line: any other word there is of a sound.
_ROLE = re.compile(
    r"[（(]((?:ナレーション|ナレーター|語り手?|実況|解説|アナウンサー|司会者?|記者|リポーター|レポーター|通訳"
    r"|男性|女性|男の子|女の子|少年|少女|男|女|子ども|子供|全員|一同)[0-9０-９A-ZＡ-Ｚ]?)[）)]"
)
# At the head of a line: another voice; not the dash of prose (―), nor a number below zero.
_DASH = re.compile(r"[-‐–－][\s　]*(?=[^\s　\d０-９\-‐–－])")
_NOTE_ALONE = re.compile(r"^[\s　]*(?:[（(][^（）()]{1,30}[）)][\s　]*)+$")
_SOUND = re.compile(rf"[（(](?:{_SOUND_WORD})[）)]")
_WORD = r"[^（）()\s　]"
_SPEAKER = re.compile(rf"^[（(]({_WORD}{{1,16}}(?:[\s　・]{_WORD}{{1,12}})?)[）)](?=.)")
_BRACKETS = re.compile(r"[≪≫《》〈〉＜＞<>]|[（(]{2}|[）)]{2}|⸨|⸩|｟|｠")
_BLANKS = " 　\t"
_ARROWS = "➡→⇒"  # behind a line that goes on
_OPEN = frozenset("➡→⇒、，,（(「『―─～〜はがをにへ")  # it ends so
FEW = 0.2  # of the cues have a 。: in such a programme the end of a cue is that of a sentence
_END = tuple("。．！？!?…‥」』）)♪")
_KANA = re.compile(r"^[ぁ-ゖァ-ヺー・\s　]+$")
_LATIN = re.compile("[A-Za-z0-9]")
_RUBY_VALUES = frozenset(
    ["none", "container", "base", "baseContainer", "text", "textContainer", "delimiter"]
)


@dataclass
class Cue:
    """Lines shown together. begin, end: seconds; name: of the element; speaker: if said."""

    begin: float
    end: float
    lines: list[str]
    name: str = ""
    speaker: str = ""


def read(unit: Unit, settings: Settings) -> Iterator[Item]:
    """A programme per file."""
    return filled(unit, settings, "captions", _fill)


def _fill(item: Item, body: bytes, settings: Settings) -> list[Item]:
    cues, facts = _cues(body, settings.harvest.ruby)
    item.source, item.licence = "captions", LICENCE
    item.title = facts.pop("title", "")
    item.metadata = facts | {"cues": str(len(cues))}
    if cues:
        item.metadata["seconds"] = str(round(max(cue.end for cue in cues)))
    builder = Builder(settings.normalize.steps)
    for speaker, words in turns(cues):
        builder.definition(speaker, words) if speaker else builder.paragraph(words)
    item.text, item.blocks = builder.done()
    return [item]


def is_captions(head: bytes) -> bool:
    """Whether the beginning of a file is that of captions."""
    start = head.lstrip(b"\xef\xbb\xbf \r\n\t")[:4000]
    return (
        start.startswith(b"WEBVTT")
        or bool(re.match(rb"\d+\s*\r?\n\d\d:\d\d:\d\d,\d{3} --> ", start))
        or bool(re.search(rb"<(?:\w+:)?tt\s[^>]*http://www\.w3\.org/(?:\d{4}/\d\d|ns)/ttml", start))
    )


def _cues(body: bytes, ruby: str) -> tuple[list[Cue], dict[str, str]]:
    if body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return _of_ttml(parse(body), ruby)
    evidence = gate.evidence(body)
    return list(_of_lines(decode.decode(body, "", evidence).text, ruby)), {}


def _of_lines(words: str, ruby: str) -> Iterator[Cue]:
    """The cues of WebVTT and SRT: blocks of lines parted by blank ones."""
    for block in re.split(r"\n[ \t]*\n+", words.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip("\n").split("\n")
        if lines[0].lstrip("\ufeff").startswith(_BLOCKS):
            continue
        for k, line in enumerate(lines[:2]):
            if found := _ARROW.match(line):
                own = lines[k + 1 :]
                voice = _VOICE.match(own[0]) if own else None
                shown = [_plain(line, ruby) for line in own]
                begin, end = seconds(found[1]), seconds(found[2])
                yield Cue(begin, end, shown, speaker=html.unescape(voice[1]) if voice else "")
                break


def _plain(line: str, ruby: str) -> str:
    if "<ruby>" in line:
        line = _RUBY.sub(lambda m: with_ruby(m[1], m[2], ruby), line)
    if "<" in line or "{" in line:
        line = _TAG.sub("", line)
    return html.unescape(line)


def seconds(time: str | None) -> float:
    """A clock time, or an offset such as 12.5s; 0 for anything else."""
    if not time:
        return 0.0
    if found := _TIME.fullmatch(time.strip()):
        hours, minutes, whole, part = found.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + int(whole) + float(f"0.{part or 0}")
    if found := re.fullmatch(r"([\d.]{1,12})(h|m|s|ms)", time.strip()):
        try:
            return float(found[1]) * {"h": 3600, "m": 60, "s": 1, "ms": 0.001}[found[2]]
        except ValueError:
            return 0.0
    return 0.0


def _of_ttml(root: etree._Element, ruby: str) -> tuple[list[Cue], dict[str, str]]:
    """The cues of TTML. A cue that is shown indefinitely is replaced by the next of its name."""
    if tag(root) != "tt":
        raise XmlError(f"the root is {tag(root) or 'no element'}, not tt")
    facts = {}
    for name in ("title", "desc", "copyright"):
        found = next(root.iter(f"{{http://www.w3.org/ns/ttml#metadata}}{name}"), None)
        if words := " ".join(text(found).split()):
            facts[name] = words
    agents = {_named(agent): " ".join(text(agent).split()) for agent in root.iter("{*}agent")}
    cues: list[Cue] = []
    for p in root.iter("{*}p"):
        begin, end = p.get("begin"), p.get("end")
        if begin is None and (parent := p.getparent()) is not None:
            begin, end = parent.get("begin"), parent.get("end")
        speaker = agents.get(p.get("{http://www.w3.org/ns/ttml#metadata}agent", ""), "")
        cue = Cue(seconds(begin), seconds(end), _lines_of(p, ruby), _named(p), speaker)
        last = cues[-1] if cues else None
        if last and cue.name and cue.name == last.name and _starts(cue.lines, last.lines):
            cues.pop()
        cues.append(cue)
    return cues, facts


def _named(element: etree._Element) -> str:
    return element.get("{http://www.w3.org/XML/1998/namespace}id", "")


def _starts(new: list[str], old: list[str]) -> bool:
    return "".join(new).startswith("".join(old))


def _lines_of(p: etree._Element, ruby: str) -> list[str]:
    """The lines of a paragraph, readings by policy."""
    if not len(p):
        return [_words(p.text).strip()]
    readings, bases = _arib_ruby(p)
    parts: list[str] = []

    def walk(element: etree._Element) -> None:
        own = _ruby_role(element)
        if tag(element) == "br":
            parts.append("\n")
        elif own == "container":
            base, reading = _of_container(element)
            parts.append(with_ruby(base, reading, ruby))
        elif element in readings:
            pass
        elif element in bases:
            parts.append(with_ruby(text(element).strip(), bases[element], ruby))
        elif own not in ("text", "textContainer", "delimiter") and tag(element) != "metadata":
            parts.append(_words(element.text))
            for child in element:
                walk(child)
                parts.append(_words(child.tail))

    walk(p)
    return [line.strip() for line in "".join(parts).split("\n")]


def _words(between: str | None) -> str:
    """Text between tags; "" for blanks alone."""
    return squeezed(between) if between and not between.isspace() else ""


def _ruby_role(element: etree._Element) -> str:
    """The value of tts:ruby."""
    for name in element.keys():  # noqa: SIM118  (an element is no dictionary: it holds children)
        if str(name).endswith("}ruby") and (value := element.get(name)) in _RUBY_VALUES:
            return str(value)
    return ""


def _of_container(element: etree._Element) -> tuple[str, str]:
    """(base, reading) of a ruby container."""
    base, reading = [], []
    for child in element.iter():
        role = _ruby_role(child)
        if role == "base":
            base.append(text(child).strip())
        elif role == "text":
            reading.append(text(child).strip())
    return "".join(base), "".join(reading)


def _arib_ruby(
    p: etree._Element,
) -> tuple[set[etree._Element], dict[etree._Element, str]]:
    """(spans that are readings, spans with their reading): ARIB names the other span by its id."""
    spans = list(p.iter("{*}span"))
    if not any(str(name).endswith("}ruby") for span in spans for name in span.keys()):  # noqa: SIM118
        return set(), {}
    named = {_named(span): span for span in spans if _named(span)}
    readings: set[etree._Element] = set()
    bases: dict[etree._Element, str] = {}
    for span in spans:
        for name, value in span.attrib.items():
            other = named.get(str(value).lstrip("#"))
            if not str(name).endswith("}ruby") or value in _RUBY_VALUES or other is None:
                continue
            base, reading = span, other
            if _KANA.match(text(span)) and not _KANA.match(text(other)):
                base, reading = other, span
            readings.add(reading)
            bases[base] = text(reading).strip()
    return readings, bases


def turns(cues: Iterable[Cue]) -> Iterator[tuple[str, str]]:
    """(speaker or "", words) of each paragraph."""
    cues = list(cues)
    bare = sum("。" in "".join(cue.lines) for cue in cues) < FEW * len(cues)
    speaker, words, goes_on = "", "", False
    shown: list[str] = []  # lines of the cue before: those that roll up are shown again
    ended = 0.0
    dashed = False  # whether voices of the cue before were parted by dashes: the last is not known
    for cue in cues:
        lines = _new_lines(cue.lines, shown)
        shown = cue.lines
        for k, line in enumerate(lines):
            open_end = line.rstrip()[-1:] in _OPEN
            dash = bool(_DASH.match(line.strip(_BLANKS)))
            who, line = _clean(line)
            turn = dash or (k == 0 and dashed and not goes_on)
            dashed = dash or (k > 0 and dashed)
            who = who or (cue.speaker if k == 0 and cue.speaker != speaker else "")
            pause = cue.begin - ended if k == 0 else 0.0
            done = words.endswith(_END) or (bare and k == 0 and not goes_on)
            if words and (
                turn
                or (who and who != speaker)
                or pause > LONG_PAUSE
                or (done and (pause > PAUSE or len(words) > MAX_TURN))
            ):
                yield speaker, words
                words = ""
                speaker = who or ("" if turn or pause > LONG_PAUSE else speaker)
            speaker = who or speaker
            if line:
                parted = bare and not goes_on
                words += _gap(words, line, ("\n" if k == 0 else " ") if parted else "") + line
                goes_on = open_end
        ended = max(ended, cue.end, cue.begin)
    if words:
        yield speaker, words


def _gap(words: str, line: str, between: str) -> str:
    """What stands between words and the next line."""
    return (
        ""
        if not words
        else (between or " " * bool(_LATIN.match(words[-1]) and re.match("[A-Za-z]", line)))
    )


def _new_lines(lines: list[str], shown: list[str]) -> list[str]:
    """The lines that the cue before did not show as its last ones."""
    for k in range(min(len(lines), len(shown)), 0, -1):
        if any(lines[:k]) and lines[:k] == shown[-k:]:
            return lines[k:]
    return lines


def _clean(line: str) -> tuple[str, str]:
    """(speaker, words) of a line as it was shown."""
    line = _MUSIC.sub("", line).strip(_BLANKS)
    line = line[found.end() :] if (found := _DASH.match(line)) else line
    who = ""
    if "（" in line or "(" in line:
        if found := _ROLE.fullmatch(line):
            return found[1], ""
        if _NOTE_ALONE.match(line):
            return "", ""
        line = _SOUND.sub("", line)
    line = _BRACKETS.sub("", line).strip(_BLANKS)
    if found := _SPEAKER.match(line):
        who, line = found[1], line[found.end() :]
    return who, line.rstrip(_BLANKS + _ARROWS).strip(_BLANKS)


SOURCE = Source(
    "captions", (".vtt", ".srt", ".ttml", ".dfxp", ".imsc"), read, bundled=True, knows=is_captions
)
