"""The card on what a corpus is and how it came about: size, funnel, sources, profiles."""

from __future__ import annotations

from typing import Any

from corpus.answers.card.parts import Card, Lines, Share
from corpus.answers.facts import by_source
from corpus.answers.markdown import escaped
from corpus.answers.vocabulary import LENGTHS
from corpus.folder.layout import CARD, CARD_JA
from corpus.words import card as words
from corpus.words import names
from corpus.words.language import JAPANESE


def head(card: Card) -> Lines:
    other = CARD if card.language == JAPANESE else CARD_JA
    purpose = card.facts["purpose"] or card.t(
        "A corpus of Japanese text for pre-training language models and for research on text.",
        "言語モデルの事前学習と、テキストの研究のための日本語コーパスです。",
    )
    return [
        f"# {escaped(card.facts['name'])}",
        "",
        card.t(f"[日本語]({other})", f"[English]({other})"),
        "",
        escaped(purpose),
        "",
        card.t(
            "Built by Inaho. Every figure below was measured on the files in this folder.",
            "稲穂 (Inaho) で構築。以下の数値はすべてこのフォルダのファイルから計測しました。",
        ),
    ]


def size(card: Card) -> Lines:
    facts = card.facts
    rows = [
        (card.t("documents", "文書数"), facts["documents"]),
        (card.t("characters", "文字数"), facts["characters"]),
        (card.t("UTF-8 bytes", "バイト数 (UTF-8)"), facts["bytes"]),
        (card.t("shards", "シャード数"), len(facts["shards"])),
    ]
    lines = [*card.h("Size", "規模"), *(f"- {words}: {value:,}" for words, value in rows)]
    if facts["lengths"]:
        spread = ", ".join(
            f"{card.t(name, LENGTHS[name])} {value:,}" for name, value in facts["lengths"].items()
        )
        words = card.t("characters per document", "1 文書あたりの文字数")
        lines.append(f"- {words}: {spread}")
    return [*lines, f"- {card.t('filter profile', '選別プロファイル')}: {_named(facts)}"]


def _named(facts: dict[str, Any]) -> str:
    others = [f"`{name}` ({escaped(source)})" for source, name in facts["profiles"].items()]
    return ", ".join([f"`{facts['profile']}`", *others])


def funnel(card: Card) -> Lines:
    stages = [
        (names.stage(stage, card.language), _stage_meaning(card, stage), entry["in"],
         entry["out"], Share(entry["out"], entry["in"]))
        for stage, entry in card.funnel.items()
    ]  # fmt: skip
    fates = {"skipped": ("no candidate", "対象外"), "dropped": ("dropped", "除外"),
             "altered": ("altered, kept", "変更（収録）")}  # fmt: skip
    reasons = [
        (names.stage(stage, card.language), names.called(reason, card.language),
         names.meaning(reason, card.language), card.t(*words), count)
        for stage, entry in card.funnel.items()
        for fate, words in fates.items()
        for reason, count in entry.get(fate, {}).items()
    ]  # fmt: skip
    stage, out = ("stage", "段階"), ("what became of it", "扱い")
    meaning = ("what it means", "意味")
    return [
        *card.h("What happened to the records", "処理の内訳"),
        *card.table((stage, meaning, ("in", "入力"), ("out", "出力"), ("kept", "残存率")),
                     stages),
        "",
        *card.table((stage, ("reason", "理由"), meaning, out, ("records", "件数")), reasons),
        *_unread(card),
    ]  # fmt: skip


def _stage_meaning(card: Card, stage: str) -> str:
    words = names.known()["stages"].get(stage, names.UNKNOWN)
    return card.t(words.english, words.meaning)


def _unread(card: Card) -> Lines:
    """What of the input was not read; no line where all of it was."""
    unread = card.funnel["harvest"]["unread"]
    counts = (
        (("files that could not be read", "読み込めなかったファイル"), unread["unreadable"]),
        (("folders that could not be entered", "開けなかったフォルダ"), unread["folders"]),
        (("files given twice, read once", "重複して指定されたファイル"), unread["repeated"]),
        (("files of unknown kinds", "形式の不明なファイル"), sum(unread["endings"].values())),
    )
    lines = [f"- {card.t(*words)}: {count:,}" for words, count in counts if count]
    return [*card.h("Not read", "未読の入力", 3), *lines] if lines else []


def sources(card: Card) -> Lines:
    rows = [
        (source, f"`{profile}`", documents, kept, Share(kept, documents))
        for source, profile, documents, kept in by_source(card.funnel)
    ]
    return [
        *card.h("By source and profile", "出典・プロファイル別", 3),
        *card.table((("source", "出典"), ("profile", "プロファイル"), ("in", "入力"),
                      ("kept", "収録"), ("share", "割合")),
                     [(escaped(row[0]), *row[1:]) for row in rows]),
    ]  # fmt: skip


def profiles(card: Card) -> Lines:
    if not card.facts["rules"]:
        return []
    lines = card.h("Profiles and thresholds", "プロファイルと閾値")
    lines.append(
        card.t(
            "A document stays when every rule holds. `dropped` counts by the first rule that a "
            "document failed.",
            "すべての規則を満たす文書が残ります。除外数は、最初に満たさなかった規則で数えます。",
        )
    )
    for profile in card.facts["rules"]:
        title = card.t(profile["title"], words.profile(profile["name"]) or profile["title"])
        lines += ["", f"### {profile['name']}", "", escaped(title), ""]
        lines += [*_judged(card, profile["judged"]), ""]
        lines += card.table(
            (("rule", "規則"), ("kept when", "残す条件"), ("what it drops", "除外するもの"),
             ("dropped", "除外数")),
            [
                (escaped(names.called(rule["name"], card.language)), f"`{rule['bounds']}`",
                 escaped(names.meaning(rule["name"], card.language) or rule["why"]),
                 rule["dropped"])
                for rule in profile["rules"]
            ],
        )  # fmt: skip
    return lines


def _judged(card: Card, found: dict[str, Any] | None) -> Lines:
    """Its measured error, or that there is none."""
    if found is None:
        return [card.t("Its error was not measured.", "誤りの割合は計測されていません。")]
    pages = found["pages"]

    def share(key: str) -> str:
        value, low, high = found[key]
        return f"{value:.1%} ({low:.1%}–{high:.1%})"

    return [
        card.t(
            f"Error against people's judgements ({found['date']}; {pages['keep']} web pages to "
            f"keep, {pages['drop']} to drop): drops {share('wrong_drops')} of the pages to "
            f"keep, keeps {share('wrong_keeps')} of the pages to drop (95 % intervals).",
            f"ウェブページの人手判定との誤差（{found['date']}、残すべき {pages['keep']} "
            f"ページ、除くべき {pages['drop']} ページ）：残すべきページの "
            f"{share('wrong_drops')} を除外し、"
            f"除くべきページの {share('wrong_keeps')} を収録（括弧内は 95 % 区間）。",
        )
    ]
