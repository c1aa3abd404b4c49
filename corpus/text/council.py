"""Minutes: the lines of speeches as blocks, and minutes of councils as plain text.

    令和５年第３回稲穂市議会定例会会議録       title; house, date
    議事日程 出席議員 …                       headings, lists of names as lines
    ○議長（山田太郎君）　これより …           a speech: who, with role, and its paragraphs

`is_council` tells such a text by its own words, wherever it comes from.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from corpus.text.builder import Builder
from corpus.text.work import Work

_RULE = re.compile(r"[\s　]*[-—─━－=＝・◇*＊]{5,}[\s　]*")
_NOTE = re.compile(r"[\s　]*〔.*〕[\s　]*")
_AGENDA = re.compile(r"[　 ]+(?:第[一二三四五六七八九十百]+　|[一二三四五六七八九十]+、)")
# The normaliser makes one ASCII blank of a run; a single full-width one stays: names are alike.
_NAME_GAP = re.compile(
    r"(?<=[^\s　君])　{2,8}(?=[^\s　]{1,8}(?:君|くん|さん|議員|委員|氏)(?:[\s　]|$))", re.M
)
_INDENTED = "　　　"
FULL_LINE = 18  # characters: a shorter line of the agenda does not go on in the next one

_SPEECH = re.compile(
    r"^[ 　]{0,4}[○◯〇◎◆●◇△▲☆]\s*([^（(\n。、]{0,24})[（(]([^（）()\n]{2,24}?)"
    r"\s*(君|くん|さん|議員|委員|氏)?[）)][ 　\t]*",
    re.MULTILINE,
)
# The same without a mark, as many towns print it: role, name and title of courtesy, then words.
_UNMARKED = re.compile(
    r"^[ 　]{0,4}([^（(\n。、\s　]{1,24})[（(]([^（）()\n]{2,24}?)"
    r"\s*(君|くん|さん|議員|委員|氏)[）)][ 　\t]+(?=[^\s　])",
    re.MULTILINE,
)
_ROLE = re.compile(r"(?:長|議員|委員|番|知事|監|官|役|員|者|主幹|参事|主査|技監)$")
_ABOUT = re.compile(
    r"会[ 　]*議[ 　]*録|出[ 　]*席[ 　]*[議委][ 　]*員|議[ 　]*事[ 　]*日[ 　]*程|日程第|分開議"
)
_HOUSE = re.compile(
    r"([^\s　（）()第0-9０-９回年]{1,16}?(?:都|道|府|県|市|区|町|村|組合|連合)議会)"
)
_TITLE = re.compile(r"会[ 　]*議[ 　]*録|会議（|定例会|臨時会|委員会")
_DATE = re.compile(
    r"(明治|大正|昭和|平成|令和)\s*(元|[0-9]{1,2})年\s*([0-9]{1,2})月\s*([0-9]{1,2})日"
)
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_HEADINGS = re.compile(
    r"[ 　○◯〇◎●◆■□◇]*((?:議事日程|(?:本日の)?会議に付した(?:事件|案件)|出席説明員|[出欠]席[議委]員"
    r"|(?:地方自治法第.{1,12}条により)?説明のため.{0,12}出席した者|職務のため.{0,12}出席した.{0,8}"
    r"|事務局職員出席者)(?:[（(][^（）()]{1,16}[）)])?)[ 　]*"
)
HEAD, SAMPLE = 6000, 60_000  # characters: of the front matter, and of what decides
SPEECHES = 3  # so many at least
BROKEN = 3  # lines: so many show that lines are broken by hand
SLACK = 3  # characters: full lines differ by so much
_STOPS = "。」）)〕』\u3000 ─―-"
_PARTICLE = re.compile("[をがにへの]|は(?!い)")
_STARTS = " 　〔（(○◯〇◎◆●◇△▲☆―─━-－・1234567890１２３４５６７８９０"


def is_council(text: str) -> bool:
    """Whether a text is minutes of a sitting, by its front matter and the marks of its speeches."""
    if not _ABOUT.search(text[:HEAD]):
        return False
    speeches = _speeches(text[:SAMPLE])
    return len(speeches) >= SPEECHES and len({found[2] for found in speeches}) >= 2


def _speeches(text: str) -> list[re.Match[str]]:
    """The heads of speeches: a role, or a title of courtesy, tells them from other lines; without
    marks both."""
    marked = [m for m in _SPEECH.finditer(text) if m[3] or _ROLE.search(m[1].strip(" 　"))]
    if len(marked) >= SPEECHES:
        return marked
    return [m for m in _UNMARKED.finditer(text) if _ROLE.search(m[1])] or marked


def read(text: str, steps: tuple[str, ...]) -> Work:
    """The minutes in a plain text. steps: of `corpus.text.normalize`."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    found = _speeches(text)
    front = text[: found[0].start()] if found else text[:HEAD]
    title, facts = _title(front), _facts(front)
    builder = Builder(steps)
    builder.heading(1, title)
    front = front.replace(title, "", 1) if title else front
    limit = _width(text)
    write_front(builder, front)
    speakers: dict[str, None] = {}
    for k, mark in enumerate(found):
        end = found[k + 1].start() if k + 1 < len(found) else len(text)
        write(builder, unwrapped(text[mark.start() : end].lstrip(" 　"), limit))
        role, name = mark[1].strip(" 　"), re.sub(r"[ 　]", "", mark[2])
        speakers[f"{name}（{role}）" if role else name] = None
    facts["speakers"] = "; ".join(speakers)
    written, blocks = builder.done()
    date = facts.pop("date", "")
    return Work(written, blocks, title, date=date, metadata={k: v for k, v in facts.items() if v})


def _title(front: str) -> str:
    """The first line that names minutes, else the first line."""
    lines = [line.strip(" 　") for line in front.split("\n") if line.strip(" 　")][:12]
    return next((line for line in lines if _TITLE.search(line)), lines[0] if lines else "")[:200]


def _facts(front: str) -> dict[str, str]:
    plain = unicodedata.normalize("NFKC", front)
    facts = {}
    if house := _HOUSE.search(plain):
        facts["house"] = house[1]
    if day := _DATE.search(plain):
        year = _ERAS[day[1]] + (1 if day[2] == "元" else int(day[2]))
        month, date = int(day[3]), int(day[4])
        if 1 <= month <= 12 and 1 <= date <= 31:
            facts["date"] = f"{year:04}-{month:02}-{date:02}"
    return facts


def _width(text: str) -> int:
    """The length of a full line where lines are broken by hand; 0 where they are not.

    Lines that end no sentence, with words at once in the next one, are then all about as long.
    """
    lines = text[:SAMPLE].split("\n")
    broken = sorted(
        len(line)
        for line, below in itertools.pairwise(lines)
        if line and below and line[-1] not in _STOPS and below[0] not in _STARTS
    )
    if len(broken) < BROKEN:
        return 0
    full = broken[len(broken) * 9 // 10]
    return full if sum(full - SLACK <= n for n in broken) > 0.7 * len(broken) else 0


def unwrapped(words: str, width: int) -> str:
    """The lines of a speech, those joined that were broken at `width` (0: none was)."""
    if not width:
        return words
    out: list[str] = []
    last = 0
    for line in words.split("\n"):
        goes_on = out and last >= width - SLACK and line and line[0] not in _STARTS
        if goes_on:
            out[-1] += line
        else:
            out.append(line)
        last = len(line)
    return "\n".join(out)


def write_front(builder: Builder, front: str) -> None:
    """The front matter: headings by their words, lists as lines of one paragraph."""
    held: list[str] = []
    front = _NAME_GAP.sub("　", front)
    for line in [*front.split("\n"), ""]:
        bare = line.strip(" 　\t")
        heading = _HEADINGS.fullmatch(bare)
        if bare and not heading and not _RULE.fullmatch(bare):
            held.append(bare)
            continue
        if held:
            builder.paragraph("\n".join(held))
            held = []
        if heading:
            builder.heading(2, heading[1])


def _mended(lines: list[str]) -> list[str]:
    """A line that begins with a particle goes on what the line before does not end."""
    out: list[str] = []
    for line in lines:
        if (
            _PARTICLE.match(line)
            and out
            and len(out[-1]) > FULL_LINE / 2
            and out[-1][-1] not in _STOPS
        ):
            out[-1] += line
        else:
            out.append(line)
    return out


def write(builder: Builder, speech: str) -> None:
    """The blocks of a speech, or of a header."""
    speech = _NAME_GAP.sub("　", speech)
    lines = _mended(speech.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    held: list[str] = []  # indented lines that stay together

    def close() -> None:
        if held:
            builder.paragraph("\n".join(held))
            held.clear()

    room = 0  # characters of the line before, inside a point of the agenda: a full one goes on
    for line in lines:
        if not line.strip("　 \t"):
            close()
        elif _RULE.fullmatch(line):
            close()
            builder.rule()
        elif _NOTE.fullmatch(line):
            close()
            builder.caption(line)
        elif _AGENDA.match(line):
            close()
            held.append(line.strip("　"))
            room = len(line)
            continue
        elif held and room >= FULL_LINE and line.startswith("　　"):
            held[-1] += line.strip("　")
            room = len(line)
            continue
        elif line.startswith(_INDENTED) or (held and line.startswith("　　")):
            held.append(line)
        else:
            close()
            builder.paragraph(line)
        room = 0
    close()
