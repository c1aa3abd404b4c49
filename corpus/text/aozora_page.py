"""Aozora Bunko's XHTML form, turned back into its notation for `corpus.text.aozora` to read.

`is_page` tells such a page by its main text and colophon; `notation` gives what `is_work` knows.

    <img class="gaiji" alt="※(「木＋吶のつくり」、…)">    ※［＃「木＋吶のつくり」、…］
    <ruby><rb>青梅</rb><rp>（</rp><rt>おうめ</rt>…     ｜青梅《おうめ》
    <h3 class="o-midashi">                           ［＃大見出し］ … ［＃大見出し終わり］
    <span class="notes">［＃改ページ］</span>          ［＃改ページ］
"""

from __future__ import annotations

import html
import re

from corpus.text.aozora import EXPLANATION

_MAIN = '<div class="main_text">'
_COLOPHON = '<div class="bibliographical_information">'
_NOTES = '<div class="notation_notes">'
_PUBLISHER = re.compile(r'<meta name="DC\.Publisher" content="青空文庫"')
_LINE = "-" * 55
_ENDS = ('<div class="after_text">', _NOTES, '<div id="card">', "</body>")
_HEAD = re.compile(
    r'<h[12] class="(?:title|subtitle|original_title|author|translator|editor|henyaku)">'
    r"([^\n]{1,500}?)</h[12]>"
)
_FEEDS = re.compile(r"[\r\n]")
_ENDED = frozenset(("span", "sub", "sup", "h1", "h2", "h3", "h4", "h5", "h6"))
_TAG = re.compile(r"(<[^<>]*>)")
_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_ATTRIBUTE = re.compile(r'\s(class|alt|src)="([^"]*)"')
_PLACE = re.compile(r"([12])-(\d\d)-(\d\d)\.png$")
_SIZES = {"o": "大", "naka": "中", "ko": "小"}
_PUT = {"br": "\n", "div": "\n", "/div": "\n", "ruby": "｜", "rt": "《", "/rt": "》"}
_RETURNS = frozenset(("kaeriten", "okurigana"))
_UNSHOWN = frozenset(("rp", "script", "style"))


def is_page(page: str) -> bool:
    """Whether a page is a work in Aozora Bunko's XHTML."""
    main = page.find(_MAIN)
    if main < 0:
        return False
    start = page.find(_COLOPHON, main)
    if start > 0 and "底本：" in page[start : start + 2000]:
        return True
    # collections and samples name no edition: the page then says who made it
    return bool(_PUBLISHER.search(page[:main])) and page.find(_NOTES, main) > 0


def notation(page: str) -> str:
    """The work in a page, as the text that Aozora Bunko gives it as: header, body, colophon."""
    start = page.find(_MAIN)
    colophon = page.find(_COLOPHON, start)
    after = max(start, colophon)
    end = min((k for mark in _ENDS if (k := page.find(mark, after)) > 0), default=len(page))
    colophon = colophon if colophon > 0 else end
    names = [_plain(found[1]) for found in _HEAD.finditer(page[:start])]
    head = "\n".join(names)
    if colophon == end:  # nothing else would say what the text is
        head += f"\n{_LINE}\n{EXPLANATION}\n{_LINE}"
    parts = (head, _plain(page[start:colophon]), _plain(page[colophon:end]))
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _plain(markup: str) -> str:
    """Words and notes without tags; line feeds are the page's <br> and blocks."""
    out: list[str] = []
    ends: list[tuple[str, str]] = []  # (name, what its end puts) of the open elements of _ENDED
    hidden = ""  # the element whose words are not shown
    for k, piece in enumerate(_TAG.split(markup)):
        found = _NAME.match(piece) if k % 2 else None
        if k % 2 == 0:
            out.append("" if hidden else html.unescape(_FEEDS.sub("", piece)))
        elif found is None:
            continue
        elif hidden:
            hidden = "" if found[1] and found[2].lower() == hidden else hidden
        elif found[1]:
            name = found[2].lower()
            own = ends.pop()[1] if ends and ends[-1][0] == name else ""
            out.append(_PUT.get("/" + name, "") + own)
        else:
            name, said = found[2].lower(), dict(_ATTRIBUTE.findall(piece))
            if name in _UNSHOWN or said.get("class") in _RETURNS:
                hidden = name
                continue
            before, after = _marks(name, said)
            out.append(_PUT.get(name, "") + before)
            if name in _ENDED:
                ends.append((name, after))
    return "".join(out)


def _marks(name: str, said: dict[str, str]) -> tuple[str, str]:
    """What an element puts before and after its words."""
    kind = said.get("class", "")
    if name == "img":
        return (_character(said), "") if kind == "gaiji" else ("", "")
    if kind.endswith("-midashi") and (size := _SIZES.get(kind.split("-")[-2])):
        own = "窓" if kind.startswith("mado") else ""
        if kind.startswith("dogyo"):
            return "", ""
        return f"\n［＃{own}{size}見出し］", f"［＃{own}{size}見出し終わり］\n"
    if kind == "warichu":
        return "［＃割り注］", "［＃割り注終わり］"
    if kind in ("superscript", "subscript"):
        return ("^" if kind == "superscript" else "_") + "{", "}"
    return "", ""


def _character(said: dict[str, str]) -> str:
    """The note of a character that the page shows as a picture, named by its men-ku-ten."""
    words = html.unescape(said.get("alt", "")).removeprefix("※").strip("()（）")
    place = _PLACE.search(said.get("src", ""))
    where = "、{}-{}-{}".format(*map(int, place.groups())) if place else ""
    return f"※［＃{words}{where}］"
