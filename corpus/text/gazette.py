"""Gazettes of patents as plain text: exports with 【】 marks, and the SGML of NTCIR's collections.

    【発明の名称】… 【要約】【課題】… 【特許請求の範囲】【請求項1】… 【０００１】【技術分野】…

A mark that opens a section is a heading, one that numbers a claim or paragraph stands before it;
what stands before the abstract or the claims are facts.
"""

from __future__ import annotations

import re
import unicodedata

from corpus.text.blocks import UNREAD
from corpus.text.builder import Builder
from corpus.text.work import Work

_MARK = re.compile(
    r"(?:^|(?<=[\n　 ]))[ \t　]{0,8}(?:[（(]\d\d[)）])?【([^【】\n]{1,30})】", re.MULTILINE
)
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,200}>")
_IMAGE = re.compile(r"<(?:RTI|IMG|CHEM?|FIG|EMI|TBL)\b[^<>\n]{0,200}>", re.I)
_PARAGRAPH = re.compile(r"[0-9０-９]{4,5}")
_CLAIM = re.compile(r"請求項[ 　]?[0-9０-９]{1,4}")
_THING = re.compile(r"(?:表|数|化|図|特許文献|非特許文献|式)[ 　]?[0-9０-９]{1,4}")
_FORMULA = re.compile(r"[数式][ 　]?[0-9０-９]{1,4}")
_SYMBOL = re.compile(r"([A-H]\d\d[A-Z])\s*(\d{1,4}/\d{2,6})")
_PARTS = ("要約", "特許請求の範囲", "実用新案登録請求の範囲", "請求の範囲", "発明の詳細な説明",
          "考案の詳細な説明", "図面の簡単な説明", "書類名")  # fmt: skip
_BODY = ("要約", "特許請求の範囲", "実用新案登録請求の範囲", "請求の範囲", "発明の詳細な説明",
         "考案の詳細な説明", "技術分野", "産業上の利用分野")  # fmt: skip
_END = ("手続補正書", "手続補正", "配列表", "図面")
_FACTS = {
    "公開番号": "publication_number", "特許番号": "publication_number",
    "公告番号": "publication_number", "登録番号": "publication_number",
    "公表番号": "publication_number", "出願番号": "application_number",
    "出願人": "applicants", "特許権者": "applicants", "氏名又は名称": "applicants",
    "公報種別": "kind", "国際特許分類": "ipc",
}  # fmt: skip
_DATES = ("公開日", "発行日", "公告日", "公表日")
_TITLES = ("発明の名称", "考案の名称")
HEAD = 200_000  # characters in which claims begin


def is_gazette(text: str) -> bool:
    """Whether a text is a gazette with marks."""
    head = text[:HEAD]
    return (
        any(f"【{name}】" in head for name in _TITLES)
        and re.search(r"【(?:特許|実用新案登録)?請求の範囲】", head) is not None
        and re.search(r"【(?:[0-9０-９]{4}|請求項[ 　]?[0-9０-９]{1,4})】", head) is not None
    )


def read(text: str, steps: tuple[str, ...]) -> Work:
    """The gazette in a text."""
    text = _IMAGE.sub("〔図〕", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"<SUP>([^<>\n]{1,80})</SUP>", r"^{\1}", text, flags=re.I)
    text = re.sub(r"<SUB>([^<>\n]{1,80})</SUB>", r"_{\1}", text, flags=re.I)
    text = _TAG.sub("", text)
    builder = Builder(steps)
    found = list(_MARK.finditer(text))
    facts: dict[str, str] = {}
    title = date = author = ""
    inside = False
    lead = ""
    for k, mark in enumerate(found):
        name = mark[1].strip(" 　")
        words = text[mark.end() : found[k + 1].start() if k + 1 < len(found) else len(text)]
        inside = inside or name in _BODY
        if name in _END and inside:
            break
        line = " ".join(words.split())
        if name in _TITLES and not title:
            title = line[:300]
            builder.heading(1, title)
        elif not inside:
            if (fact := _FACTS.get(re.sub("第.{1,2}版$", "", name))) and line:
                facts.setdefault(fact, _value(fact, line[:300]))
            elif name in _DATES:
                date = date or _date(line)
            elif name == "発明者":
                author = author or re.sub(r"^【?氏名】?", "", line)[:200]
        else:
            lead = _write(builder, name, lead, words)
    written, blocks = builder.done()
    return Work(written, blocks, title, author, date, metadata=facts)


def number(words: str) -> str:
    """The number of a document with the digits and signs of ASCII: 特開平10-999999."""
    return unicodedata.normalize("NFKC", words).replace("\u2212", "-")


def symbols(words: str) -> list[str]:
    """The symbols of the International Patent Classification in words, without their versions."""
    return list(dict.fromkeys(" ".join(found) for found in _SYMBOL.findall(number(words))))


def _value(fact: str, line: str) -> str:
    if fact == "ipc":
        return "; ".join(symbols(line)) or line
    return number(line) if fact.endswith("_number") else line


def _write(builder: Builder, name: str, lead: str, words: str) -> str:
    """The blocks of a mark and the words behind it; what leads the words of the next mark."""
    if _PARAGRAPH.fullmatch(name) or _CLAIM.fullmatch(name) or _THING.fullmatch(name):
        lead += f"【{name}】"
        if _FORMULA.fullmatch(name):  # its image stands for it
            words = words.replace("〔図〕", UNREAD)
    else:
        # 【０００１】【技術分野】: the number leads the paragraph, not the heading.
        builder.heading(2 if name in _PARTS else 3, name)
    parts = paragraphs(words)
    for k, part in enumerate(parts):
        builder.paragraph((lead if k == 0 else "") + part)
    return "" if parts else lead


def paragraphs(words: str) -> list[str]:
    """Paragraphs of words whose lines may be broken: one begins behind a blank line, or indented;
    where no line is indented, each line is one."""
    lines = words.split("\n")
    indented = sum(line.startswith("　") for line in lines[1:])
    out: list[str] = []
    fresh = True
    for line in lines:
        bare = line.strip(" \t　")
        if not bare:
            fresh = True
            continue
        if fresh or not out or not indented or line.startswith("　"):
            out.append(bare)
        else:
            out[-1] += bare
        fresh = False
    return out


def _date(line: str) -> str:
    """ISO date of 平成16年4月2日(2004.4.2) and the like."""
    found = re.search(r"(\d{4})[.年）)]{1,3}(\d{1,2})[.月](\d{1,2})", line.translate(_ASCII))
    if not found:
        return ""
    year, month, day = map(int, found.groups())
    return f"{year:04}-{month:02}-{day:02}" if 1 <= month <= 12 and 1 <= day <= 31 else ""


_ASCII = str.maketrans("０１２３４５６７８９．", "0123456789.")
