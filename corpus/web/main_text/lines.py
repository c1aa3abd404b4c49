"""Lines that are never text: share buttons, page-top links, bread crumbs, copyright footers.

A short line is dropped only when it is such a phrase as a whole; a sentence with one in it stays.
"""

from __future__ import annotations

import re

import numpy as np

from corpus.text.blocks import kind
from corpus.web.main_text.outline import O_CELL, O_PROSE, O_RULE, O_TERM, P_KIND, P_OP

HOLE, PARTED = "\x1f", "\n\x1e\n"  # code or a formula; between pieces of prose
MAX_PHRASE = 40  # characters; longer lines are looked at only for copyright
MAX_LINE = 200  # with blanks at its ends
MAX_CRUMBS = 80
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


# No line of a text without any of these marks is one of copyright.
_MARKS = ("©", "ⓒ", "copyright", "(c)", "（c）", "(c）", "（c)", "rights reserved", "無断")


_HAS_PIECE = np.zeros(O_RULE + 1, np.bool_)  # by operation
_HAS_PIECE[[O_PROSE, O_TERM, O_CELL]] = True


def is_boilerplate(line: str, may_be_copyright: bool = True) -> bool:
    """Whether a line of text is a boilerplate phrase as a whole."""
    n = len(line)
    if n <= MAX_PHRASE and _PHRASE.fullmatch(line):
        return True
    if n <= MAX_CRUMBS and line[:1] in _FIRST_CRUMB and _CRUMBS.fullmatch(line):
        return True
    return (
        may_be_copyright
        and n <= MAX_COPYRIGHT
        and (
            _COPYRIGHT.fullmatch(line) is not None
            or ("無断" in line and _FORBIDDEN.fullmatch(line) is not None)
            or ("reserved" in line.lower() and _RESERVED.fullmatch(line) is not None)
        )
    )


def boilerplate_pieces(prose: str, plan: np.ndarray) -> str:
    """Prose of `write.pieces` without boilerplate lines: their pieces become empty.

    A heading with text under it stays, so do the cells of tables, and what has a hole.
    """
    low = prose.lower()
    marked = any(mark in low for mark in _MARKS)
    pieces = prose.split(PARTED)
    lines = set(prose.replace(PARTED, "\n").split("\n"))
    gone = {
        line
        for line in lines
        if 0 < len(line) <= MAX_LINE
        and is_boilerplate(line.strip("　 ¶"), marked)
        and HOLE not in line
    }
    if not gone and "¶" not in prose:
        return prose
    with_piece = plan[_HAS_PIECE[plan[:, P_OP]]]
    headings = with_piece[:, P_KIND] == kind.heading
    free = with_piece[:, P_OP] == O_PROSE
    for k, piece in enumerate(pieces[: len(with_piece)]):
        if headings[k]:
            below = k + 1 < len(headings) and not headings[k + 1]
            pieces[k] = "" if piece in gone and not below else piece.rstrip(" ¶")
        elif free[k]:
            pieces[k] = "\n".join(line for line in piece.split("\n") if line not in gone)
    return PARTED.join(pieces)
