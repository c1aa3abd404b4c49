"""The card on what a corpus is made of: lists, years, scripts, blocks."""

from __future__ import annotations

from corpus.answers.card.parts import Card, Lines, Share
from corpus.answers.markdown import escaped
from corpus.answers.vocabulary import BLOCKS, SCRIPTS, TITLES
from corpus.words import card as words


def lists(card: Card) -> Lines:
    lines: Lines = []
    counts = (("documents", "文書数"), ("characters", "文字数"))
    for name, title in TITLES.items():
        rows = card.facts["lists"].get(name, [])
        told = [escaped(card.t(*words.meaning(name, row[0]))) for row in rows]
        heads: list[tuple[str, str]] = [("value", "値"), *counts]
        body = [[card.value(row[0]), *row[1:]] for row in rows]
        if any(told):
            heads.insert(1, ("meaning", "意味"))
            body = [[row[0], meaning, *row[1:]] for row, meaning in zip(body, told, strict=True)]
        if rows:
            lines += [*card.h(*title), *card.table(heads, body)]
    return lines


def years(card: Card) -> Lines:
    published, captured = card.facts["dates"], card.facts.get("captures", {})
    years = sorted({*published, *captured})
    if not years:
        return []
    heads = (("year", "年"), ("published", "公開年"), ("captured", "取得年"))
    rows = [(card.value(year), published.get(year, 0), captured.get(year, 0)) for year in years]
    return [
        *card.h("Years", "年"),
        card.t(
            "Documents by the year of publication that they state, and by that of capture.",
            "文書が示す公開年と、取得された年ごとの文書数。",
        ),
        "",
        *card.table(heads, rows),
    ]


def scripts(card: Card) -> Lines:
    shares = card.facts.get("scripts", {})
    rows = [(card.t(*SCRIPTS[name]), Share(share, 1)) for name, share in shares.items()]
    heads = (("script", "文字種"), ("share of characters", "文字の割合"))
    return [*card.h("Scripts", "文字種"), *card.table(heads, rows)] if rows else []


def blocks(card: Card) -> Lines:
    heads = (("kind", "種類"), ("documents with it", "含む文書"), ("blocks", "ブロック数"),
             ("characters", "文字数"))  # fmt: skip
    rows = [
        (card.t(kind, f"{BLOCKS[kind]} ({kind})"), *counts)
        for kind, counts in card.facts.get("blocks", {}).items()
    ]
    return [*card.h("Blocks", "ブロック"), *card.table(heads, rows)] if rows else []
