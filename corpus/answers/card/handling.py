"""The card on what holds of the documents: rights, duplicates, personal data, harm, damage."""

from __future__ import annotations

from corpus.answers.card.parts import Card, Lines
from corpus.answers.facts import REMOVED, refused
from corpus.answers.markdown import escaped
from corpus.answers.vocabulary import (
    CLUSTER_SIZES,
    CODE,
    ORGANISATIONS,
    SEVERITY,
    TOPICS,
    cluster_size,
)
from corpus.folder.schema import TRUNCATED
from corpus.words import names
from corpus.words.messages import said
from filters.placeholders import PLACEHOLDERS


def rights(card: Card) -> Lines:
    rights = card.facts["rights"]
    if not rights:
        return []
    gone = refused(card.funnel)
    carried = (
        (("a phrase that reserves rights", "無断転載禁止等の表示"), "reserved_phrase"),
        (("robots directives", "robots 指定"), "robots_directives"),
        (("a robots.txt that forbids some agent", "robots.txt による拒否"), "robots_txt"),
        (("a licence link", "ライセンスへのリンク"), "licence_link"),
    )
    return [
        *card.h("Rights", "権利表示"),
        card.t("Not in the corpus, because of", "収録しなかったもの（理由と文書数）"),
        "",
        *(f"- {escaped(names.meaning(rule, card.language))} (`{rule}`): {count:,}"
          for rule, count in gone.items() if rule != REMOVED),
        f"- {card.t('a request for removal', '削除依頼')}: {gone[REMOVED]:,}",
        "",
        card.t("Documents of the corpus with", "収録文書のうち、次の表示をもつもの"),
        "",
        *(f"- {card.t(*words)}: {rights[key]:,}" for words, key in carried),
    ]  # fmt: skip


def duplicates(card: Card) -> Lines:
    clusters = card.facts.get("clusters", {})
    dropped = card.funnel.get("dedup", {}).get("dropped", {})
    if not clusters:
        return []
    rows = [(card.t(*cluster_size(size)), count) for size, count in clusters.items() if count]
    return [
        *card.h("Duplicates", "重複"),
        *(f"- {escaped(names.meaning(kind, card.language))} (`{kind}`): {count:,}"
          for kind, count in dropped.items()),
        *([""] if dropped else []),
        *card.table((CLUSTER_SIZES, ("documents", "文書数")), rows),
    ]  # fmt: skip


def personal(card: Card) -> Lines:
    classes, phone = card.facts.get("personal"), PLACEHOLDERS["phone"]
    if not classes:
        return []
    policy = card.facts["personal_policy"]
    organisations, code = policy["organisations"], policy["code"]
    rows = [
        (card.t(name, f"{names.rule(f'personal_{name}').japanese} ({name})"), entry["policy"],
         entry["documents"], entry["places"])
        for name, entry in classes.items()
    ]  # fmt: skip
    left = card.t(
        "left as they are: public offices, service and emergency numbers, reserved domains, "
        "examples, identifiers with @",
        "対象外: 官公署、フリーダイヤル等、例示用ドメイン、例示、@ を含む識別子",
    )
    owners = card.t(
        "contact data of organisations, where that is certain", "団体の連絡先 (確実な場合)"
    )
    return [
        *card.h("Personal data", "個人情報"),
        card.t(
            f"Masked places hold a placeholder such as {phone}; what is only detected stands "
            "as it was.",
            f"`mask` は{phone}などへの置換、`detect` は計数のみ。",
        ),
        "",
        f"- {owners}: `{organisations}` — {card.t(*ORGANISATIONS[organisations])}",
        f"- {card.t('in code blocks', 'コードブロック内')}: `{code}` — {card.t(*CODE[code])}",
        f"- {left}",
        "",
        *card.table((("class", "種別"), ("policy", "方針"), ("documents", "文書数"),
                      ("places", "箇所")), rows),
    ]  # fmt: skip


def harm(card: Card) -> Lines:
    harm = card.facts.get("harm")
    if not harm:
        return []
    severity = [
        (card.t(*SEVERITY.get(level, (level, level))), count)
        for level, count in harm["severity"].items()
    ]
    topics = [(card.t(*TOPICS[name]), count) for name, count in harm["topics"].items()]
    return [
        *card.h("Harmful words", "有害語"),
        card.t(
            "Words are labels, never a reason by themselves: texts on crime, medicine and "
            "discrimination use them too. The highest severity of a document's words:",
            "語の有無は目印であり、それだけでは除外しません（犯罪・医療・差別を論じる文章にも"
            "現れます）。文書中の最も強い語の段階：",
        ),
        "",
        *card.table((("severity", "強さ"), ("documents", "文書数")), severity),
        "",
        *card.table((("documents with", "含む文書"), ("documents", "文書数")), topics),
    ]


def damage(card: Card) -> Lines:
    rights = card.facts["rights"]
    if not rights:
        return []
    why = [
        (f"`{reason}`", said(TRUNCATED.get(reason, reason), card.language), count)
        for reason, count in card.facts["truncated"].items()
    ]
    repaired = card.t("with repaired bytes", "文字化けを修復")
    ends = card.t("that may end early (column `truncated`)", "途中で切れている可能性")
    return [
        *card.h("Truncated and repaired", "欠落と修復"),
        f"- {repaired}: {rights['repaired']:,}",
        f"- {ends}: {rights['truncated']:,}",
        *([""] if why else []),
        *card.table((("reason", "理由"), ("what it means", "意味"), ("documents", "文書数")),
                     why),
    ]  # fmt: skip
