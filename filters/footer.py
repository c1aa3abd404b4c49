"""Footers and headers of web pages that extraction left in: copyright, navigation, counters.

A line is boiler-plate when the words below make up more than SHARE of its characters. At the end,
the first such line among the last LINES and everything behind it goes, as in Swallow's `footer.py`;
at the head only the unbroken run of such lines goes, because what follows is the article.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

LINES = 10
SHARE = 0.3
HEAD_SHARE = 0.6  # a headline may well contain one of the words
PROSE = re.compile("[。！？]")

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
PATTERN = re.compile("|".join(map(re.escape, sorted(WORDS, key=lambda w: (-len(w), w)))))


@dataclass(frozen=True)
class Trim:
    """text[begin:end] is kept; what stood outside goes to the ledger as two spans."""

    begin: int
    end: int


def boilerplate_share(line: str) -> float:
    """Share of the line's characters, white space aside, that are words of the list; 0 if empty."""
    total = sum(not c.isspace() for c in line)
    matched = sum(sum(not c.isspace() for c in m.group()) for m in PATTERN.finditer(line))
    return matched / total if total else 0.0


def trim(text: str) -> Trim:
    """Where the text proper begins and ends. A line with a sentence is never taken for a header."""
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    first, last = 0, len(lines)
    for i, line in enumerate(lines[:LINES]):
        if line.strip() and (PROSE.search(line) or boilerplate_share(line) <= HEAD_SHARE):
            break
        if line.strip() or first:
            first = i + 1
    for i in range(max(first, len(lines) - LINES), len(lines)):
        if boilerplate_share(lines[i]) > SHARE:
            last = i
            break
    if first >= last:
        # Nothing but boiler-plate: that is for a profile to judge, not for a trimmer to empty.
        return Trim(0, len(text))
    return Trim(starts[first], starts[last] - 1)


def trim_all(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """The trimmed texts, and int64[n, 2] with begin and end of what was kept, in characters."""
    documents = texts.to_pylist()
    spans = np.zeros((len(documents), 2), np.int64)
    for row, text in enumerate(documents):
        if text:
            cut = trim(text)
            spans[row] = cut.begin, cut.end
            documents[row] = text[cut.begin : cut.end]
    return pa.array(documents, texts.type), spans
