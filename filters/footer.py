"""Footers and headers of pages that extraction left in: copyright, navigation, counters.

Two signs. A line of *rights* names a copyright, a reserved right or a legal notice and holds
little else; it and what follows goes, unless a sentence follows. A line of *navigation* consists
of words of menus; only a run of such lines at the very end, or the very head, goes. Swallow's
`footer.py` cuts at the first line of the last ten of which such words make up 0.3, which takes
articles along: a heading 検索 in a manual, a last line 「Twitter」は商標です.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick, MatchKind

LINES = 10  # at each end of a text, where footers are looked for
SHARE = 0.3  # of a line of rights: names of owners and years stand beside the words
MENU_SHARE = 0.6  # of a line of navigation: a headline may well contain one of the words
HEAD_WORDS = 3
SHORT = 60  # characters of a line behind a line of rights that may go with it
LONG = 200  # characters: a longer line is text
PROSE = re.compile("[。！？]")
SENTENCE = re.compile("(?:です|ます|した|ください|下さい|する|いる|ある|ない)[。．]?$")
RIGHTS = re.compile(
    "copyright|all rights? reserved|©|[(（]c[)）] ?(?:19|20)[0-9]{2}|特定商取引法に", re.IGNORECASE
)
NOTICE = re.compile(
    "無断(?:転載|複写|複製|転用|引用)[^。]{0,20}(?:禁|断|遠慮)|転載禁止|禁無断転載"
    "|(?:ライセンス|License)[^。]{0,40}(?:で|に基づき|の下)(?:提供|公開|利用|ライセンス)"
)

NOTICE_WORDS = ("無断", "転載禁止", "ライセンス", "License")  # one stands in every NOTICE

# Words and phrases of footers, our own choice; Swallow's list of seventy served as a check.
WORDS = (
    "この記事へのトラックバック一覧",
    "特定商取引法に基づく表記",
    "特定商取引法に関する表示",
    "プライバシーポリシー",
    "個人情報保護方針",
    "個人情報の取り扱い",
    "サイトのご利用について",
    "このサイトについて",
    "当サイトについて",
    "無断転載を禁じます",
    "無断転載を禁じ",
    "無断転載を禁ず",
    "無断転載禁止",
    "無断複写",
    "無断複製",
    "著作権について",
    "All Rights Reserved",
    "All rights reserved",
    "All Right Reserved",
    "all rights reserved",
    "Copyright",
    "copyright",
    "COPYRIGHT",
    "©",
    "(C)",
    "(c)",
    "（C）",
    "（c）",
    "無断転用",
    "転載禁止",
    "禁無断転載",
    "Powered by",
    "Sponsored Link",
    "スポンサーリンク",
    "サイトマップ",
    "サイトポリシー",
    "サイト内検索",
    "ご利用規約",
    "利用規約",
    "会社概要",
    "会社案内",
    "企業情報",
    "運営会社",
    "お問い合わせ",
    "お問合せ",
    "問い合わせ",
    "資料請求",
    "採用情報",
    "広告掲載",
    "ヘルプ",
    "よくある質問",
    "ログイン",
    "ログアウト",
    "マイページ",
    "新規会員登録",
    "新規登録",
    "会員登録",
    "トップページ",
    "トップへ戻る",
    "ページの先頭へ",
    "ページトップへ",
    "このページのトップへ",
    "ホームへ戻る",
    "前の記事",
    "次の記事",
    "一覧へ戻る",
    "一覧へ",
    "一覧を見る",
    "関連記事",
    "最近の記事",
    "最近の投稿",
    "人気記事",
    "カテゴリー",
    "カテゴリ",
    "アーカイブ",
    "タグ",
    "トラックバック",
    "コメント",
    "コメントを残す",
    "固定リンク",
    "パーマリンク",
    "ツイート",
    "シェア",
    "いいね",
    "フォロー",
    "Twitter",
    "Facebook",
    "はてなブックマーク",
    "ブックマーク",
    "クリックお願い",
    "ランキング",
    "アクセスカウンター",
    "訪問者数",
    "RSS",
    "メルマガ",
    "続きを読む",
    "もっと見る",
    "印刷する",
    "文字サイズ",
    "検索",
    "ホーム",
    "HOME",
    "メニュー",
    "MENU",
    "リンク集",
    "リンク",
    "更新履歴",
    "お知らせ一覧",
)
_AUTOMATON = AhoCorasick(list(WORDS), matchkind=MatchKind.LeftmostLongest)


@dataclass(frozen=True)
class Trim:
    """text[begin:end] is kept; what stood outside goes to the ledger as two spans."""

    begin: int
    end: int


def boilerplate_share(line: str) -> float:
    """Share of the line's characters, white space aside, that are words of the list; 0 if empty."""
    words = _AUTOMATON.find_matches_as_strings(line)
    return _size("".join(words)) / max(1, _size(line)) if words else 0.0


def _size(text: str) -> int:
    return len(text) - sum(map(text.count, " \u3000\t|｜/／>・"))


def trim(text: str) -> Trim:
    """Where the text proper begins and ends; a text of nothing but boiler-plate is left whole."""
    begin, end = _head_end(text), _tail_begin(text)
    if begin >= end:
        # Nothing but boiler-plate: that is for a profile to judge, not for a trimmer to empty.
        return Trim(0, len(text))
    return Trim(begin, end)


def _tail_begin(text: str) -> int:
    """Where the footer begins, len(text) without one."""
    first = _line_back(text, LINES)
    end = text[first:]
    if not _AUTOMATON.find_matches_as_indexes(end) and not any(w in end for w in NOTICE_WORDS):
        return len(text)
    lines = end.split("\n")
    cut = len(lines)
    strange = 0  # lines since the last cut that are neither, a name of the owner perhaps
    for i in range(len(lines) - 1, -1, -1):
        line = lines[i].strip()
        if len(line) > LONG:
            break
        if _is_rights(line):
            cut, strange = i, -1
        elif strange <= 0 and _is_menu(line):
            cut = i
        elif line and (PROSE.search(line) or len(line) > SHORT or SENTENCE.search(line)):
            break
        else:
            strange += bool(line)
    if cut == len(lines):
        return len(text)
    return max(0, first + sum(len(line) + 1 for line in lines[:cut]) - 1)


def _is_rights(line: str) -> bool:
    """A notice, or a line that begins with a copyright or holds little but one."""
    if NOTICE.search(line):
        return len(line) <= 2 * SHORT
    match = RIGHTS.search(line)
    if match is None or PROSE.search(line) or SENTENCE.search(line):
        return False
    return match.start() < 3 or boilerplate_share(line) > SHARE


def _is_menu(line: str) -> bool:
    """Words of menus and little else, or a row of short items with such a word among them."""
    share = boilerplate_share(line)
    if not share or PROSE.search(line):
        return False
    items = line.count("|") + line.count("｜") + 1
    return share > MENU_SHARE or (items >= 4 and len(line) < 16 * items)


def _line_back(text: str, lines: int) -> int:
    """Where the last `lines` lines of the text begin."""
    at = len(text)
    for _ in range(lines):
        at = text.rfind("\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _head_end(text: str) -> int:
    """Behind the run of navigation lines at the head; less than HEAD_WORDS may be the title."""
    at = words = 0
    for _ in range(LINES):
        stop = text.find("\n", at, at + LONG)
        if stop < 0:
            break
        line = text[at:stop]
        if line.strip() and not _is_menu(line):
            break
        words += len(_AUTOMATON.find_matches_as_indexes(line))
        at = stop + 1
    return at if words >= HEAD_WORDS else 0
