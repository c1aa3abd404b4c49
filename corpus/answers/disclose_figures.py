"""The figures of `corpus disclose`: what a build can say of itself, in English and Japanese.

An answer is None where the build knows nothing: that line is the provider's. Figures on where a
corpus is from are in corpus/answers/disclose_sources.py.
"""

from __future__ import annotations

from collections.abc import Callable

from corpus.answers import disclose_sources as of
from corpus.answers.disclose_measure import Answer, Measured
from corpus.answers.facts import UNKNOWN
from corpus.answers.vocabulary import POLICIES, SEVERITY, TOPICS
from corpus.errors import counted
from corpus.folder import removals
from corpus.folder.commit import sha256
from corpus.stages.rights import REFUSALS, obeyed
from corpus.words import names
from corpus.words.language import JAPANESE

BILLION = 10**9
# Bands of the size of texts in the EU's template, section 1.3.
BANDS = (
    (BILLION, ("less than 1 billion tokens", "10億トークン未満")),
    (10_000 * BILLION, ("1 billion to 10 trillion tokens", "10億〜10兆トークン")),
)


def modalities(m: Measured) -> Answer:
    """Inaho keeps texts alone."""
    number = m.facts["documents"]
    return (
        f"text: {counted(number, 'document')}; 0 of others",
        f"テキスト {number:,}文書、その他 0件",
    )


def size(m: Measured) -> Answer:
    """A token holds a byte or more, so that bytes bound the band."""
    documents, characters, length = (m.facts[k] for k in ("documents", "characters", "bytes"))
    english = (
        f"{counted(documents, 'document')}, {characters:,} characters, {length:,} bytes of UTF-8"
    )
    japanese = f"{documents:,}文書、{characters:,}文字、UTF-8で{length:,}バイト"
    if length < BANDS[0][0]:
        return f"{english}: {BANDS[0][1][0]}", f"{japanese}：{BANDS[0][1][1]}"
    most = next((band for limit, band in BANDS if length < limit), ("", ""))
    words = (f"at most {most[0]}, ", f"{most[1]}以下、") if most[0] else ("", "")
    return (
        f"{english}: {words[0]}the band by tokens depends on the tokenizer",
        f"{japanese}：{words[1]}トークン数の区分はトークナイザーによる",
    )


def _listed(m: Measured, name: str) -> Answer:
    rows = m.facts["lists"].get(name, [])
    english = "; ".join(
        f"{value}: {counted(n, 'document')}, {c:,} characters" for value, n, c in rows
    )
    japanese = "、".join(
        f"{'不明' if value == UNKNOWN else value} {n:,}文書・{c:,}文字" for value, n, c in rows
    )
    return (english, japanese) if rows else None


def sources(m: Measured) -> Answer:
    return _listed(m, "source")


def languages(m: Measured) -> Answer:
    return _listed(m, "language")


def licences(m: Measured) -> Answer:
    return _listed(m, "licence")


def reservations(m: Measured) -> Answer:
    """Which wishes the settings obey, and what that kept out."""
    dropped, rights = m.dropped, m.settings.rights
    on = [rule for rule, yes in obeyed(rights).items() if yes]
    off = [rule for rule, yes in obeyed(rights).items() if not yes]
    counts = ", ".join(f"{rule} {dropped.get(rule, 0):,}" for rule in REFUSALS)
    gone = "、".join(f"{names.rule(rule).japanese} {dropped.get(rule, 0):,}" for rule in REFUSALS)
    return (
        f"obeyed: {', '.join(on) or '0 rules'}; not obeyed: {', '.join(off) or '0 rules'}; "
        f"documents dropped: {counts}; {counted(len(rights.agents), 'crawler')} looked up in "
        "robots.txt",
        f"従うもの: {_japanese(on)}。従わないもの: {_japanese(off)}。"
        f"除外文書数: {gone}。robots.txtで照会したクローラ {len(rights.agents)}種",
    )


def _japanese(rules: list[str]) -> str:
    return "、".join(names.rule(rule).japanese for rule in rules) or "0件"


def takedowns(m: Measured) -> Answer:
    entries = len(removals.load(m.layout))
    registers = len(m.settings.remove.registers)
    out = len(removals.taken_rows(m.layout))
    return (
        f"{counted(out, 'document')} taken out on request; {counted(entries, 'entry', 'entries')} "
        f"of its own takedown list and {counted(registers, 'register')} obeyed",
        f"申し出により除外 {out:,}文書。独自の登録 {entries:,}件、登録簿 {registers}件に従う",
    )


def illegal(m: Measured) -> Answer:
    lists, dropped = len(m.settings.urls.block), m.dropped
    number = sum(count for rule, count in dropped.items() if "harm" in rule or "url" in rule)
    return (
        f"{counted(lists, 'block list')} of addresses (pirate and unlawful sites are in them only "
        f"where the lists name them); {counted(number, 'document')} dropped by lists and harm "
        "rules",
        f"URLブロックリスト {lists}件 (海賊版・違法サイトはリストが挙げるもののみ)。"
        f"リストと有害表現の規則による除外 {number:,}文書",
    )


def harm(m: Measured) -> Answer:
    """Words of lists, as the card counts them; they are labels and drop nothing by themselves."""
    found = m.facts.get("harm")
    if not found:
        return None
    levels = [
        (SEVERITY.get(level, (level, level)), n) for level, n in found["severity"].items() if n
    ]
    topics = [(TOPICS[name], n) for name, n in found["topics"].items()]
    lists = illegal(m) or ("", "")
    return (
        "documents by the highest severity of harmful words in them: "
        + ", ".join(f"{words[0]} {n:,}" for words, n in levels)
        + "; documents with "
        + ", ".join(f"{words[0]} {n:,}" for words, n in topics)
        + f"; {lists[0]}",
        "有害語の最も強い段階ごとの文書数: "
        + "、".join(f"{words[1]} {n:,}" for words, n in levels)
        + "。含む文書: "
        + "、".join(f"{words[1]} {n:,}" for words, n in topics)
        + f"。{lists[1]}",
    )


def personal(m: Measured) -> Answer:
    """Places of contact data and numbers; names are looked for beside such data alone."""
    classes = m.facts.get("personal")
    if not classes:
        return None
    rows = [(name, entry["policy"], entry["places"]) for name, entry in classes.items()]
    english = ", ".join(f"{name} ({policy}) {places:,}" for name, policy, places in rows)
    japanese = "、".join(
        f"{names.rule(f'personal_{name}').japanese} ({POLICIES[policy]}) {places:,}"
        for name, policy, places in rows
    )
    return (
        f"places of contact data and numbers that were detected: {english}; no more than these "
        "were looked for: persons named elsewhere in a text are neither detected nor masked, and "
        "texts such as minutes and news name them",
        f"検出した連絡先・番号の箇所数: {japanese}。検出の対象はこれらに限る。"
        "それ以外の本文中の人名は検出も置換もしておらず、会議録やニュースなどには多く含まれる",
    )


def records(m: Measured) -> Answer:
    """From records read to documents published, so that the sum adds up."""
    books = m.facts["funnel"]
    digest = sha256(m.layout.manifest) if m.layout.manifest.exists() else ""
    read, rows = books["harvest"]["in"], sum(m.dropped.values())  # a row of the ledger each
    only = sum(books["harvest"]["skipped"].values())
    published = books["publish"]["out"]
    return (
        f"{counted(read, 'record')} read: {counted(rows, 'drop')} with a reason each, "
        f"{only:,} counted by reason alone as no candidates, {published:,} published; manifest "
        f"SHA-256 {digest}",
        f"読み込み {read:,}件：理由付き除外記録 {rows:,}件、収録の候補でなく理由別の件数だけを"
        f"数えたもの {only:,}件、収録 {published:,}件。manifestのSHA-256: {digest}",
    )


def processing(m: Measured) -> Answer:
    steps = [f"{name} {e['in']:,} → {e['out']:,}" for name, e in m.facts["funnel"].items()]
    japanese = [
        f"{names.stage(name, JAPANESE)} {e['in']:,} → {e['out']:,}"
        for name, e in m.facts["funnel"].items()
    ]
    return "; ".join(steps), "、".join(japanese)


def missing(m: Measured) -> Answer:
    rights = m.facts.get("rights") or {}
    unread = m.facts["funnel"]["harvest"]["unread"]["unreadable"]
    return (
        f"{counted(rights.get('truncated', 0), 'document')} may end early; "
        f"{counted(unread, 'file')} unreadable",
        f"途中で切れている可能性 {rights.get('truncated', 0):,}文書、"
        f"読めなかったファイル {unread:,}件",
    )


def duplicates(m: Measured) -> Answer:
    entry = m.facts["funnel"].get("dedup")
    if not entry:
        return None
    gone = sum(entry["dropped"].values())
    kept = (m.facts.get("rights") or {}).get("in_cluster", 0)
    return (
        f"{counted(gone, 'duplicate')} removed; {counted(kept, 'document')} kept in place of "
        "duplicates",
        f"重複 {gone:,}文書を除去。{kept:,}文書が重複群を代表",
    )


FIGURES: dict[str, Callable[[Measured], Answer]] = {
    "modalities": modalities, "size": size, "latest": of.latest, "period": of.period,
    "sources": sources, "languages": languages, "licences": licences, "contract": of.contract,
    "inputs": of.inputs, "public": of.public, "crawled": of.crawled, "web": of.web,
    "domains": of.domains, "reservations": reservations, "takedowns": takedowns,
    "illegal": illegal, "harm": harm, "personal": personal, "records": records,
    "processing": processing, "missing": missing, "duplicates": duplicates,
}  # fmt: skip
