"""Aozora Bunko's notation: ruby, characters outside the charset, notes of the typist, colophon.

`is_work` tells such a text by its own words, wherever it comes from (a zip, a folder, a record of
an archive); `read` gives its blocks. Source: 注記一覧 and 外字 of aozora.gr.jp.

    ｜青梅《おうめ》                          ruby, under the policy drop, inline or keep
    ※［＃「木＋吶のつくり」、第3水準1-85-54］   枘: by men-ku-ten, by code point, or 〓
    〔Crevez, si vous n'e^tes pas contents〕  accents that were taken apart
    ［＃「第一章」は大見出し］                 a heading, of level 2 to 4
    ［＃「瀬踏み」に傍点］, 返り点, 字下げ …    go: they are of the print
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from corpus.text.builder import Builder
from corpus.text.orthography import orthography
from corpus.text.work import Work

GETA = "〓"  # stands for a character that cannot be told
HEAD_LINES = 12  # title, authors, translators: at most
EXPLANATION = "【テキスト中に現れる記号について】"
_EXPLAINED = re.compile(r"^-{20,}[ \t]*\n.*?^-{20,}[ \t]*\n", re.MULTILINE | re.DOTALL)
_COLOPHON = re.compile(r"^[ \t　]*底本：", re.MULTILINE)
_FROM = re.compile("(?:青空文庫|入力：|校正：|aozora\\.gr\\.jp)")
_GAIJI = re.compile(
    r"※［＃([^［］]*)］|［＃([^［］]*、(?:第[34]水準[0-9]|U\+[0-9A-Fa-f])[^［］]*)］"
)
_PLACE = re.compile(r"([12])-(\d{1,2})-(\d{1,2})(?!\d)")
_CODE = re.compile(r"U\+([0-9A-Fa-f]{4,6})")
_ROMAN = re.compile(r"ローマ数字(\d{1,4})")
_ACCENT = re.compile(
    "(グレーブアクセント|アキュートアクセント|サーカムフレックスアクセント|チルド|ダイエレシス|上リング|セディラ"
    "|マクロン|ブリーブ|キャロン)付き([A-Z])(小文字)?"
)
_NAMED = {"二重かっこ開く": "｟", "二重かっこ閉じる": "｠", "二重かっこ閉じ": "｠"}
_KANJI = "々〆〇ヶ※〓仝\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_BASE = (
    rf"｜[^｜《》\n]{{1,80}}|[{_KANJI}]+|[ぁ-ゖ]+|[ァ-ヺー]+"
    r"|[A-Za-zＡ-Ｚａ-ｚ0-9０-９À-ɏ\-'’.．・]+"
)
_READING = r"《((?:[^《》\n]|《[^《》\n]*》){1,200})》"
_RUBY = re.compile(f"({_BASE}){_READING}")
# Sign first, so that the search runs from sign to sign.
_READING_ALONE = re.compile(
    f"《(?<=[{_KANJI}ぁ-ゖァ-ヺーA-Za-zＡ-Ｚａ-ｚ0-9０-９À-ɏ]《){_READING.removeprefix('《')}"
)
_BASE_MARKED = re.compile(rf"｜([^｜《》\n]{{1,80}}){_READING}")
_ACCENTED = re.compile(r"〔([^〔〕\n]{1,2000})〕")
_PAIR = re.compile(
    "ae&|AE&|oe&|OE&|s&|[!?]@|[AEIOUaeiou][`^:_]|(?:[AEIOYaeioy]|(?<![Qq])[Uu])'|y:|[ANOano]~"
    "|[Aa]&|[Cc],|[Oo]/"
)  # the pairs of アクセント分解, and no others: n' and s, are words and punctuation, and so is qu'
_LIGATURES = {
    "ae&": "æ", "AE&": "Æ", "oe&": "œ", "OE&": "Œ", "s&": "ß", "!@": "¡", "?@": "¿",
    "o/": "ø", "O/": "Ø",
}  # fmt: skip
_COMBINING = dict(zip("`'^~:&,_", "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0304", strict=True))
_ACCENTS = {
    "グレーブアクセント": "\u0300", "アキュートアクセント": "\u0301",
    "サーカムフレックスアクセント": "\u0302", "チルド": "\u0303", "ダイエレシス": "\u0308",
    "上リング": "\u030a", "セディラ": "\u0327", "マクロン": "\u0304", "ブリーブ": "\u0306",
    "キャロン": "\u030c",
}  # fmt: skip
_DOTTED = re.compile(
    r"([A-Za-z\u00c0-\u02af\u1e00-\u1eff]+)(〕?)［＃([^［］]*ドット付き[^［］]*)］"
)
_DOT = re.compile(
    r"(?:([０-９\d]+)つめの|(前|後|最初|最後)の)?([A-Za-z]+)は(?:ともに)?([上下])ドット付き"
)
_POWER = re.compile(r"([^\s［］]{1,12})［＃「\1」は(上|下)付き小文字］")
_HEADING = re.compile(r"［＃「([^［］]*)」は(同行|窓)?([大中小])見出し］")
_HEADING_RUN = re.compile(
    r"［＃(?:ここから)?(窓|)([大中小])見出し］\n?(.{1,200}?)\n?［＃(?:ここで)?\1\2見出し終わり］",
    re.DOTALL,
)
_FIGURE = re.compile(
    r"［＃[^［］]*?（[^［］（）]*\.(?:png|jpe?g|gif)[^［］]*）(?:「([^「」［］]*)」)?入る］"
)
_SPLIT_NOTE = re.compile(r"（?［＃割り注］(.{0,500}?)［＃割り注終わり］）?", re.DOTALL)
_TYPIST = re.compile(r"［＃入力者注[(（]([0-9０-９]+)[)）]］")
_NOTE = re.compile(r"［＃[^［］]*］")
_MARKED = re.compile("^\x01([234])(.*)$")  # a heading, once found
_LEVELS = {"大": 2, "中": 3, "小": 4}
_CREDITS = {
    "base": "底本",
    "base_of_base": "底本の親本",
    "first": "初出",
    "typed": "入力",
    "proofread": "校正",
}
_EDITIONS = ("base", "base_of_base", "first")
_YEAR = re.compile(r"(?<![0-9０-９])([12１２][0-9０-９]{3})(?:[（(][^（）()]{1,8}[）)])?年")
_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_MADE = re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日(公開|作成|修正|ファイル作成)", re.MULTILINE)
_CC = re.compile(
    r"クリエイティブ・コモンズ|creativecommons\.org/licenses/([a-z\-]+)/([\d.]+)(?:/([a-z]{2}))?"
)
_KEPT_RIGHTS = re.compile(r"著作権(?:が|は)?[^。\n]{0,12}(?:存続|保護期間中|あります)")


def is_work(text: str) -> bool:
    """Whether a text is a file of Aozora Bunko, by its own words."""
    if EXPLANATION in text[:4000]:
        return True
    colophon = text[-4000:]
    return "底本：" in colophon and bool(_COLOPHON.search(colophon) and _FROM.search(colophon))


def knows(head: bytes) -> bool:
    """The same by the first bytes of a file, in Shift_JIS or UTF-8."""
    return any(EXPLANATION.encode(charset) in head for charset in ("cp932", "utf-8"))


def read(text: str, steps: tuple[str, ...], ruby: str = "drop") -> Work:
    """The work in a file of Aozora Bunko. steps: of `corpus.text.normalize`; ruby: as of pages."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n")
    head, body, colophon = _parts(text)
    names = [inline(line, "drop") for line in head]
    body = inline(body, ruby)
    unread = body.count(GETA)
    builder = Builder(steps)
    if names:
        builder.heading(1, names[0])
    write(builder, body)
    metadata = _credits(colophon)
    if unread:
        metadata["unread_characters"] = str(unread)
    if len(names) > 2:
        metadata["contributors"] = "; ".join(names[2:])
    written, blocks = builder.done()
    title, author = (*names, "", "")[:2]
    facts = {"licence": _licence(text, colophon), "orthography": orthography(body)}
    return Work(written, blocks, title, author, metadata=metadata, **facts)


def _parts(text: str) -> tuple[list[str], str, str]:
    """(lines of the header, body, colophon)."""
    found = None
    for found in _COLOPHON.finditer(text):  # noqa: B007  the last one
        pass
    colophon = text[found.start() :] if found else ""
    text = text[: found.start()] if found else text
    explained = _EXPLAINED.search(text[:20_000])
    if explained and EXPLANATION in explained.group():
        head, body = text[: explained.start()], text[explained.end() :]
    else:
        head, _, body = text.partition("\n\n")
        if head.count("\n") >= HEAD_LINES or max(map(len, head.split("\n"))) > 100:
            head, body = "", text
    return [line.strip(" 　") for line in head.split("\n") if line.strip(" 　")], body, colophon


def inline(text: str, ruby: str) -> str:
    """Everything inside lines read; headings are marked, other notes are gone."""
    if "［＃" in text:
        text = _GAIJI.sub(lambda found: _character(found[1] or found[2] or ""), text)
    if "〔" in text:
        text = _ACCENTED.sub(_accented, text)
    if "《" in text:
        if ruby == "drop":
            text = _READING_ALONE.sub("", _BASE_MARKED.sub(r"\1", text))
        else:
            form = "{}（{}）" if ruby == "inline" else "｜{}《{}》"
            text = _RUBY.sub(lambda m: form.format(m[1].removeprefix("｜"), m[2]), text)
    if "≪" in text:
        text = text.replace("≪", "《").replace("≫", "》")
    if "［＃" not in text:
        return text
    for sign, pattern, put in _NOTES:
        if sign in text:
            text = pattern.sub(put, text)
    if "見出し］" in text:
        text = _headings(_HEADING_RUN.sub(_heading_run, text))
    return _NOTE.sub("", text.replace("［＃改行］", "\n"))


def _character(description: str) -> str:
    """The character that a note describes, GETA where that cannot be told."""
    if found := _CODE.search(description):
        code = int(found[1], 16)
        return chr(code) if 0x20 <= code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else GETA
    if found := _PLACE.search(description):
        return _by_place(*map(int, found.groups()))
    if found := _ROMAN.match(description):
        return _roman(int(found[1]))
    if found := _ACCENT.fullmatch(description):
        letter = found[2].lower() if found[3] else found[2]
        return unicodedata.normalize("NFC", letter + _ACCENTS[found[1]])
    return _NAMED.get(description, GETA)


def _by_place(plane: int, row: int, cell: int) -> str:
    """The character at men-ku-ten of JIS X 0213."""
    if not (1 <= row <= 94 and 1 <= cell <= 94):
        return GETA
    data = bytes([0x8F] * (plane == 2) + [0xA0 + row, 0xA0 + cell])
    try:
        return data.decode("euc_jis_2004")
    except UnicodeDecodeError:
        return GETA


def _split_note(found: re.Match[str]) -> str:
    """A note of two small columns, in brackets."""
    return f"（{_NOTE.sub('', found[1]).strip('（）')}）"


def _roman(number: int) -> str:
    if not 0 < number < 4000:
        return GETA
    if number <= 12:
        return chr(0x215F + number)
    out = ""
    for value, sign in (
        (1000, "Ⅿ"), (900, "ⅭⅯ"), (500, "Ⅾ"), (400, "ⅭⅮ"), (100, "Ⅽ"), (90, "ⅩⅭ"), (50, "Ⅼ"),
        (40, "ⅩⅬ"), (10, "Ⅹ"), (9, "ⅠⅩ"), (5, "Ⅴ"), (4, "ⅠⅤ"), (1, "Ⅰ"),
    ):  # fmt: skip
        out += sign * (number // value)
        number %= value
    return out


def _accented(found: re.Match[str]) -> str:
    """Accents put back; brackets around anything else stay."""
    inside = _PAIR.sub(lambda pair: _letter(pair.group()), found[1])
    return inside if inside != found[1] else found.group()


def _letter(pair: str) -> str:
    if pair in _LIGATURES:
        return _LIGATURES[pair]
    return unicodedata.normalize("NFC", pair[0] + _COMBINING[pair[1]])


def _dotted(found: re.Match[str]) -> str:
    """［＃mは上ドット付き］: dots on letters of the word before."""
    word = list(found[1])
    if _DOT.sub("", found[3]).strip("、。，． "):
        return found[1] + found[2]
    for ordinal, side, letters, where in _DOT.findall(found[3]):
        last = 0
        for letter in letters:
            places = [i for i, c in enumerate(word) if c == letter]
            if not places:
                continue
            number = int(unicodedata.normalize("NFKC", ordinal)) if ordinal else 1
            k = -1 if side in ("後", "最後") else min(number, len(places)) - 1
            after = [i for i in places if i >= last] if len(letters) > 1 else places
            i = after[0] if len(letters) > 1 and after else places[k]
            last = i + 1
            word[i] = unicodedata.normalize(
                "NFC", letter + ("\u0307" if where == "上" else "\u0323")
            )
    return "".join(word) + found[2]


# A sign that the note is there at all, the note, and what takes its place.
_NOTES: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    ("ドット付き］", _DOTTED, _dotted),
    ("付き小文字］", _POWER, lambda m: f"{'^' if m[2] == '上' else '_'}{{{m[1]}}}"),
    ("割り注］", _SPLIT_NOTE, _split_note),
    ("［＃入力者注", _TYPIST, lambda m: f"注{m[1]}"),
    ("入る］", _FIGURE, lambda m: f"\n\x02{m[1]}\n" if m[1] else "\n"),
)


def _heading_run(found: re.Match[str]) -> str:
    words = _NOTE.sub("", found[3]).replace("\n", " ")
    return f"\n\x01{_LEVELS[found[2]]}{words}\n"


def _headings(text: str) -> str:
    """Lines that a note calls a heading, marked; a note alone speaks of the line before."""
    lines = text.split("\n")
    for k, line in enumerate(lines):
        found = _HEADING.search(line) if "見出し］" in line else None
        if found is None:
            continue
        own = _NOTE.sub("", line).strip(" 　")
        if not own and k and _NOTE.sub("", lines[k - 1]).strip(" 　") == found[1]:
            lines[k - 1], lines[k] = f"\x01{_LEVELS[found[3]]}{found[1]}", ""
        elif found[2] is None and own and len(own) <= 2 * len(found[1]) + 8:
            lines[k] = f"\x01{_LEVELS[found[3]]}{own}"
    return "\n".join(lines)


def write(builder: Builder, body: str) -> None:
    """A block a line."""
    for line in body.split("\n"):
        line = line.strip(" 　\t")
        if not line:
            continue
        if line[0] == "\x01" and (found := _MARKED.match(line)):
            builder.heading(int(found[1]), found[2])
        elif line[0] == "\x02":
            builder.caption(line[1:])
        else:
            builder.paragraph(line)


def _credits(colophon: str) -> dict[str, str]:
    """What the colophon says: editions, who typed and proofread, when it was made and changed.

    Years of editions (`first_year` …) are the first of those that stand below their names.
    """
    facts = {}
    for name, label in _CREDITS.items():
        found = re.search(
            rf"^[ \t　]*{label}：(.{{1,300}})((?:\n[ \t　]+.*)*)", colophon, re.MULTILINE
        )
        if found is None:
            continue
        facts[name] = found[1].strip()
        if name in _EDITIONS and (year := _YEAR.search(found[1] + found[2])):
            facts[f"{name}_year"] = year[1].translate(_DIGITS)
    dates = [
        (f"{int(y):04}-{int(m):02}-{int(d):02}", what) for y, m, d, what in _MADE.findall(colophon)
    ]
    for day, what in dates:
        facts["changed" if what == "修正" else "made"] = day
    return facts


def _licence(text: str, colophon: str) -> str:
    """The licence that the file itself states; public domain where it reserves nothing."""
    if found := _CC.search(colophon) or _CC.search(text[-8000:]):
        kind, version, land = found.groups()
        return (
            "-".join(filter(None, ("CC", kind and kind.upper(), version, land and land.upper())))
            if kind
            else ""
        )
    return "" if _KEPT_RIGHTS.search(colophon) or not colophon else "PDM"
