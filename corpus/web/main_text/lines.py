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

_DECORATION = r"[\s　▲△▼▽↑↓→←⇒»«›‹>＞<＜|｜・●■□◆◇※\[\]【】（）()…\-–—＋+#＃.。!！:：]*"
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
_CRUMBS = re.compile(
    r"(?i:ホーム|home|トップ(ページ)?|top|現在(の)?(位置|地)|you are here)\s*[:：]?\s*[>＞»›≫/→].*"
)
_FIRST_CRUMB = "ホhHトtT現yY"
_COPYRIGHT = re.compile(
    r"(?i)\s*(?:©|Ⓒ|copyrights?\s*(?:©|\(c\)|（c）|\d{4}|by\b)"
    r"|[(（]c[)）]\s*(?:copyright|\d{4})).*"
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
_STEPS = re.compile(
    r"[\s\[\]|]*(?:<<|«|≪)[\s\[\]|]*(?:>>|»|≫)[\s\[\]|]*"
    f"|{_DECORATION}{_STEP}(?:{_DECORATION[:-1]}++{_STEP}){{1,5}}{_DECORATION}"
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
_LANGUAGES = re.compile(
    f"(?:{_DECORATION}(?:{_LANGUAGE})(?: ?[(（][^)）]{{1,12}}[)）])?[,、/]?)+{_DECORATION}"
)
_LANGUAGE_NAME = re.compile(_LANGUAGE)
_CODES = re.compile(
    r"(?:翻訳済み言語|他の言語|Available Languages?|Langues Disponibles|Verfügbare Sprachen"
    r"|Idiomas disponibles|Mevcut Diller|가능한 언어)\s*[:：].{0,80}"
)
_CONTENTS = re.compile(
    f"{_DECORATION}(?i:目次|もくじ|内容|コンテンツ|(table of )?contents|index"
    f"|この(記事|ページ)の(目次|内容)){_DECORATION}"
)
# What a mark or a number puts before the words of a heading.
_BEFORE = " \t#>*+-・•0123456789.)．、:："
SWITCHER = 3  # names of languages in a row
# One of these stands in every switcher; looking for them first spares most pages the patterns.
SWITCHER_NAMES = ("日本語", "English", "Français", "Deutsch", "中文", "한국", "简体", "繁體")
CONTENTS = 3  # lines of a table of contents
MAX_HEADING = 60  # characters


# No line of a text without any of these marks is one of copyright.
_MARKS = ("©", "ⓒ", "copyright", "(c)", "（c）", "(c）", "（c)", "rights reserved", "無断")


# The same of links to neighbours, and of codes of languages.
_STEP_SIGNS = ("<<", "«", "≪", "prev", "next", "目次", "戻る", "前へ", "次へ", "前の", "上へ")
_CODE_SIGNS = (
    "翻訳済み言語", "他の言語", "available lang", "langues disp", "verfügbare spr", "idiomas disp",
    "mevcut diller", "가능한 언어",
)  # fmt: skip

_HAS_PIECE = np.zeros(O_RULE + 1, np.bool_)  # by operation
_HAS_PIECE[[O_PROSE, O_TERM, O_CELL]] = True


def _is_rights(line: str) -> bool:
    """Whether a line is one of copyright as a whole."""
    return len(line) <= MAX_COPYRIGHT and (
        _COPYRIGHT.fullmatch(line) is not None
        or ("無断" in line and _FORBIDDEN.fullmatch(line) is not None)
        or ("reserved" in line.lower() and _RESERVED.fullmatch(line) is not None)
    )


def boilerplate(lines: set[str], page: str) -> set[str]:
    """Those of the lines that are a boilerplate phrase as a whole.

    page: all text around them in lower case, whose signs say which patterns are worth a search.
    """
    whole = {line.strip("　 ¶"): line for line in lines} if "¶" in page else {x: x for x in lines}
    gone = {x for x in whole if len(x) <= MAX_PHRASE and _PHRASE.fullmatch(x)}
    gone |= {
        x for x in whole if x[:1] in _FIRST_CRUMB and len(x) <= MAX_CRUMBS and _CRUMBS.fullmatch(x)
    }
    if any(sign in page for sign in _STEP_SIGNS):
        gone |= {x for x in whole if len(x) <= MAX_PHRASE and _STEPS.fullmatch(x)}
    if any(sign in page for sign in _CODE_SIGNS):
        gone |= {x for x in whole if len(x) <= MAX_CODES and _CODES.fullmatch(x)}
    if any(sign in page for sign in _MARKS):
        gone |= {x for x in whole if _is_rights(x)}
    return {whole[x] for x in gone if x and HOLE not in x}


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
    keys = [line.lstrip(_BEFORE).rstrip("¶ ") for line in lines]
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
    low = prose.lower()
    pieces = prose.split(PARTED)
    gone = boilerplate({line for piece in set(pieces) for line in piece.split("\n")}, low)
    with_piece = plan[_HAS_PIECE[plan[:, P_OP]]]
    headings = with_piece[:, P_KIND] == kind.heading
    free = with_piece[:, P_OP] == O_PROSE
    some = _switchers(pieces) if any(name in prose for name in SWITCHER_NAMES) else set()
    if headings.sum() >= CONTENTS:
        some |= _contents(pieces)
    if not gone and not some and "¶" not in prose:
        return prose
    for k, piece in enumerate(pieces[: len(with_piece)]):
        title = headings[k] and _CONTENTS.fullmatch(piece)
        if k in some and free[k] and HOLE not in piece and (not headings[k] or title):
            pieces[k] = ""
            continue
        if headings[k]:
            below = k + 1 < len(headings) and not headings[k + 1]
            pieces[k] = "" if piece in gone and not below else piece.rstrip(" ¶")
        elif free[k]:
            left = (line for line in piece.split("\n") if line not in gone)
            pieces[k] = "\n".join(line.removesuffix("¶").rstrip(" ") for line in left)
    return PARTED.join(pieces)
