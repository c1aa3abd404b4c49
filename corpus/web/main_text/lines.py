"""Lines that are never text: share buttons, page-top links, bread crumbs, copyright footers.

A short line is dropped only when it is such a phrase as a whole; a sentence with one in it stays.
Two kinds take several lines to know: names of languages in a row (a switcher), and a table of
contents, whose lines stand again further on as headings with text between them.
"""

from __future__ import annotations

import re

import numpy as np

from corpus.text.blocks import kind
from corpus.web.main_text.outline import O_CELL, O_PROSE, O_RULE, O_TERM, P_KIND, P_OP

HOLE, PARTED = "\x1f", "\n\x1e\n"  # code or a formula; between pieces of prose
MAX_PHRASE = 40  # characters; longer lines are looked at only for copyright
MAX_CRUMBS = 80
MAX_CODES = 120
MAX_COPYRIGHT = 160

# What \s is, without line feeds (patterns are looked for in many lines at once), HOLE and PARTED.
_BLANKS = r" \t\r\x0b\x0c\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_MARKS = r"▲△▼▽↑↓→←⇒»«›‹>＞<＜|｜・●■□◆◇※\[\]【】（）()…\-–—＋+#＃.。!！:："
_DECORATION = f"[{_BLANKS}{_MARKS}]*"
_PHRASES = (
    # page top
    r"(この)?ページ(の)?(トップ|先頭|上部?|最初|TOP|Top|top)(へ|に)?(戻る|もどる|移動)?(する)?",
    r"(トップ|TOP|Top|先頭|上)(へ|に)(戻る|もどる)?",
    r"(?i:page ?top|back to top|go to top|to top|top of page)",
    # read on
    r"(この記事の)?続き(を|は)(読む|見る|表示|こちら)(する)?",
    r"(もっと|さらに)(見る|読む|表示)(する)?",
    r"(記事)?全文(を)?(読む|表示|見る)(する)?",
    r"(?i:read more|continue reading|view more)",
    r"(この|元の)?記事を読む",
    r"(次|前)の(ページ|記事|投稿)(へ)?",
    r"(次|前)へ",
    r"(記事)?一覧(へ|に)?(戻る)?",
    # share
    # (single words that head sections of manuals, such as 印刷, 保存, 共有 or print, stay)
    r"この(記事|ページ)を(シェア|ツイート|ポスト|共有|印刷|保存|クリップ)(する)?",
    r"(シェア|ツイート|ポスト)(する)?",
    r"(?i:tweet|share|pocket|facebook|twitter|hatena|feedly|instagram|pinterest|linkedin)",
    r"(?i:facebook|twitter|x|line|hatena|pocket|instagram|linkedin|note|feedly|threads|bluesky)"
    r"(で|に)(シェア|共有|ツイート|ポスト|送る|保存|登録|フォロー|投稿)(する)?",
    r"はてな?ブ(ックマーク)?(に)?(追加|登録|保存)?(する)?",
    r"いいね[!！]?(する)?[\d,]*",
    r"(リンク|URL|ＵＲＬ)(を)?コピー(する|しました)?",
    r"フォロー(する)?",
    r"メールで(送る|送信)(する)?",
    r"SNSで(シェア|共有|フォロー)(する)?",
    r"(シェア|ツイート|共有)ボタン",
    # rails and advertisements
    r"(?i:スポンサー(ド)?リンク|PR|AD|ADS|advertisement|sponsored( links?)?|sponsor)",
    r"(あわせて|合わせて|こちらも)(読みたい|おすすめ|どうぞ)(記事)?",
    r"(人気|おすすめ|最新|新着|関連|注目)の?(記事|ニュース|エントリー?|ページ|コンテンツ|投稿)"
    r"(一覧|ランキング)?",
    r"(アクセス|人気|記事)ランキング",
    r"メニューを(開く|閉じる)",
    r"本文へ(スキップ|移動|ジャンプ)?(する|します)?",
    r"コンテンツへ(スキップ|移動)(する)?",
    r"現在(の)?位置",
    r"パンくず(リスト)?",
)
# Every phrase starts with one of these: looking for them first spares most lines the alternatives.
_FIRST = (
    "このペト先T上PｐpBbGg続もさ記全RrCcVvMm元次前一シツポSsſIiıİLlFfHhXxNnTtはい"
    "リUＵフメAaあ合人お最新関注アコ現パス本共"
)
_PHRASE = re.compile(f"{_DECORATION}+(?=[{_FIRST}])(?:{'|'.join(_PHRASES)}){_DECORATION}")
_FIRST_CRUMB = "ホhHトtT現yY"
_CRUMBS = re.compile(
    f"(?=[{_FIRST_CRUMB}])"
    "(?i:ホーム|home|トップ(?:ページ)?|top|現在の?(?:位置|地)|you are here)"
    f"[{_BLANKS}]*[:：]?[{_BLANKS}]*[>＞»›≫/→].*"
)
_COPYRIGHT = re.compile(
    f"[{_BLANKS}]*(?i:©|Ⓒ|copyrights?[{_BLANKS}]*(?:©|\\(c\\)|（c）|\\d{{4}}|by\\b)"
    f"|[(（]c[)）][{_BLANKS}]*(?:copyright|\\d{{4}})).*"
)
_RESERVED = re.compile(r"(?i).*\ball rights reserved\b.{0,40}")
_FORBIDDEN = re.compile(
    r".{0,30}無断(?:転載|複製|引用|使用)(?:[・、及びと]*(?:転載|複製|引用|使用))*(?:を|は)?.{0,6}禁.{0,12}"
)


# Links to the pages before and after, at least two of them: "[<< >>]", "Prev | Next", 前へ 次へ.
_STEP = (
    "(?i:prev(?:ious)?|next|up|home|contents|top|目次|ホーム|戻る|進む"
    "|[前次上](?:へ|の?(?:ページ|記事|章|節))?)"
)
_STEP_FIRST = "pPnNuUhHcCtT目ホ戻進前次上"
_BAR = f"[{_BLANKS}\\[\\]|]*"
_STEPS = re.compile(
    f"{_BAR}(?:<<|«|≪){_BAR}(?:>>|»|≫){_BAR}"
    f"|{_DECORATION}+(?=[{_STEP_FIRST}]){_STEP}"
    f"(?:{_DECORATION[:-1]}++{_STEP}){{1,5}}{_DECORATION}"
)
# Language switchers write each language in itself; httpd writes codes behind a label.
_LANGUAGE = (
    "English|日本語|中文|简体中文|繁體中文|繁体中文|正體中文|한국어|"
    "Deutsch|Fran[cç]ais|Espa[nñ]ol|Italiano|"
    "Portugu[eê]s|Русский|Nederlands|Polski|Svenska|Dansk|"
    "Suomi|Norsk|Čeština|Magyar|Türkçe|Ελληνικά|"
    "Українська|Български|Română|Slovenčina|Català|Tiếng Việt|Bahasa Indonesia|"
    "Indonesia|ไทย|العربية|"
    "עברית|فارسی|हिन्दी|Lietuvių|Esperanto"
)
_AROUND = rf"[\s{_MARKS}]*"  # a switcher may take many lines
_LANGUAGE_FIRST = "".join(sorted({name[0] for name in _LANGUAGE.split("|")}))
_LANGUAGES = re.compile(
    f"(?:{_AROUND}+(?=[{_LANGUAGE_FIRST}])(?:{_LANGUAGE})"
    f"(?: ?[(（][^)）]{{1,12}}[)）])?[,、/]?)+{_AROUND}"
)
_LANGUAGE_NAME = re.compile(_LANGUAGE)
_CODES = re.compile(
    r"(?:翻訳済み言語|他の言語|Available Languages?|Langues Disponibles|Verfügbare Sprachen"
    rf"|Idiomas disponibles|Mevcut Diller|가능한 언어)[{_BLANKS}]*[:：].{{0,80}}"
)
_CONTENTS = re.compile(
    f"{_AROUND}(?i:目次|もくじ|内容|コンテンツ|(table of )?contents|index"
    f"|この(記事|ページ)の(目次|内容)){_AROUND}"
)
# What a mark or a number puts before the words of a heading.
_BEFORE = " \t#>*+-・•0123456789.)．、:："
SWITCHER = 3  # names of languages in a row
# One of these stands in every switcher.
SWITCHER_NAMES = ("日本語", "English", "Français", "Deutsch", "中文", "한국", "简体", "繁體")
_NAMED = re.compile(f"{_DECORATION}+(?=[{_LANGUAGE_FIRST}])(?:{_LANGUAGE}).*")
CONTENTS = 3  # lines of a table of contents
MAX_HEADING = 60  # characters …
MAX_MARKED = 120  # … and with its marks and number


# Links to neighbours go only from pages that have one of these.
_STEP_SIGNS = ("<<", "«", "≪", "prev", "next", "目次", "戻る", "前へ", "次へ", "前の", "上へ")
# Words inside a line of copyright; what begins one is in `_COPYRIGHT`.
_RIGHTS = ("無断", "eserved", "ESERVED")
# All lines that may be one of these, in one search from line feed to line feed: what a line begins
# with spares most of them the patterns.
_WHOLE = (_PHRASE, _CRUMBS, _STEPS, _CODES, _COPYRIGHT, _NAMED)
_BEGINS = f"{_BLANKS}{_MARKS}{_FIRST}{_FIRST_CRUMB}{_STEP_FIRST}{_LANGUAGE_FIRST}≪翻他ALVIM가©ⒸⓒcC"
_CANDIDATE = re.compile(
    f"\n(?=[{_BEGINS}])(?:{'|'.join(pattern.pattern for pattern in _WHOLE)})(?=\n)"
)

_HAS_PIECE = np.zeros(O_RULE + 1, np.bool_)  # by operation
_HAS_PIECE[[O_PROSE, O_TERM, O_CELL]] = True


def _is_boilerplate(line: str, text: str) -> bool:
    """Whether a line is a boilerplate phrase as a whole. text: that it stands in."""
    size = len(line)
    if HOLE in line or size > MAX_COPYRIGHT:
        return False
    return bool(
        (size <= MAX_PHRASE and _PHRASE.fullmatch(line))
        or (size <= MAX_CRUMBS and _CRUMBS.fullmatch(line))
        or (size <= MAX_CODES and _CODES.fullmatch(line))
        or _COPYRIGHT.fullmatch(line)
        or ("無断" in line and _FORBIDDEN.fullmatch(line))
        or ("reserved" in line.lower() and _RESERVED.fullmatch(line))
        or (size <= MAX_PHRASE and _STEPS.fullmatch(line) and _has_steps(text))
    )


def _has_steps(text: str) -> bool:
    low = text.lower()
    return any(sign in low for sign in _STEP_SIGNS)


def candidates(text: str) -> set[str]:
    """The lines of a text that may be boilerplate or a switcher of languages."""
    found = {match[0][1:] for match in _CANDIDATE.finditer(f"\n{text}\n")}
    if any(word in text for word in _RIGHTS):
        found |= {line for line in text.split("\n") if any(word in line for word in _RIGHTS)}
    return found


def boilerplate(text: str) -> set[str]:
    """Those of the lines of a text that are a boilerplate phrase as a whole."""
    return {line for line in candidates(text) if _is_boilerplate(line, text)}


def _switchers(lines: list[str]) -> set[int]:
    """Numbers of the lines that name languages and nothing else, SWITCHER or more in a row."""
    out: set[int] = set()
    run: list[int] = []
    names: set[str] = set()
    for i, line in enumerate([*lines, "."]):
        if not line:
            continue
        if len(line) <= 400 and _LANGUAGES.fullmatch(line):
            run.append(i)
            names.update(_LANGUAGE_NAME.findall(line))
        elif run:
            out.update(run if len(names) >= SWITCHER else ())
            run, names = [], set()
    return out


def _contents(lines: list[str]) -> set[int]:
    """Numbers of the lines of a table of contents and of its title.

    Lines in a row that each stand again behind the last of them, in the same order and never one
    right after another (that would be a refrain).
    """
    keys = [x.lstrip(_BEFORE).rstrip("¶ ") if len(x) <= MAX_MARKED else x for x in lines]
    short = [key for key in keys if len(key) <= MAX_HEADING]
    if len(short) - len(set(short)) < CONTENTS:  # of most pages
        return set()
    places: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        if 2 <= len(key) <= MAX_HEADING:
            places.setdefault(key, []).append(i)
    out: set[int] = set()
    i = 0
    while i < len(lines):
        run: list[int] = []
        again: list[int] = []
        j = i
        while j < len(lines) and (not keys[j] or len(places.get(keys[j], ())) == 2):
            if keys[j]:
                second = places[keys[j]][1]
                if second <= j or (again and second < again[-1] + 2):
                    break
                run.append(j)
                again.append(second)
            j += 1
        if len(run) >= CONTENTS and again[0] > run[-1]:
            out.update(run)
            before = next((k for k in range(i - 1, -1, -1) if keys[k]), -1)
            if before >= 0 and _CONTENTS.fullmatch(keys[before]):
                out.add(before)
        i = max(j, i + 1)
    return out


def boilerplate_pieces(prose: str, plan: np.ndarray) -> str:
    """Prose of `write.pieces` without boilerplate lines: their pieces become empty.

    A heading with text under it stays, so do the cells of tables, and what has a hole.
    """
    # An anchor ¶ at the end of a line is no part of it.
    anchors = "¶" in prose
    whole = {line.strip("　 ¶"): line for line in prose.split("\n")} if anchors else {}
    text = "\n".join(whole) if anchors else prose
    found = candidates(text)
    gone = {line for line in found if line and _is_boilerplate(line, text)}
    if anchors:
        gone = {whole[line] for line in gone}
    # Several lines that are one only together.
    named = anchors or any(_NAMED.match(line) for line in found)
    switchers = named and any(name in prose for name in SWITCHER_NAMES)
    contents = np.count_nonzero(plan[:, P_KIND] == kind.heading) >= CONTENTS
    if not (gone or switchers or contents or anchors):
        return prose
    pieces = prose.split(PARTED)
    some = _switchers(pieces) if switchers else set()
    if contents:
        some |= _contents(pieces)
    return _without(pieces, plan, gone, some) if gone or some or anchors else prose


def _without(pieces: list[str], plan: np.ndarray, gone: set[str], some: set[int]) -> str:
    """Prose of the pieces without the lines `gone`, and without those of the numbers `some`."""
    with_piece = plan[_HAS_PIECE[plan[:, P_OP]]]
    headings = (with_piece[:, P_KIND] == kind.heading).tolist()
    free = (with_piece[:, P_OP] == O_PROSE).tolist()
    for k, piece in enumerate(pieces[: len(free)]):
        if k in some and free[k] and HOLE not in piece:
            if not headings[k] or _CONTENTS.fullmatch(piece):
                pieces[k] = ""
                continue
        if headings[k]:
            below = k + 1 < len(headings) and not headings[k + 1]
            pieces[k] = "" if piece in gone and not below else piece.rstrip(" ¶")
        elif free[k]:
            left = [line for line in piece.split("\n") if line not in gone]
            pieces[k] = "\n".join([line.removesuffix("¶").rstrip(" ") for line in left])
    return PARTED.join(pieces)
