"""The figures of `corpus disclose`: what a build can say of itself, in English and Japanese.

An answer is None where the build knows nothing: that line is the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

from corpus import config
from corpus.answers import facts as stated
from corpus.answers.vocabulary import files_and_members
from corpus.errors import UsageError, counted
from corpus.folder import removals
from corpus.folder.commit import sha256
from corpus.folder.layout import Layout
from corpus.folder.sql import quoted
from corpus.settings import Settings
from corpus.stages.books import funnel

Answer = tuple[str, str] | None  # English, Japanese
NO_DOMAIN = ("0 domains", "0件")
SHARE, SMALL_SHARE, SMALL_MOST = 0.10, 0.05, 1000  # of domains by size: all; small providers
BILLION = 10**9
# Bands of the size of texts in the EU's template, section 1.3.
BANDS = (
    (BILLION, ("less than 1 billion tokens", "10億トークン未満")),
    (10_000 * BILLION, ("1 billion to 10 trillion tokens", "10億〜10兆トークン")),
)


@dataclass(frozen=True)
class Measured:
    """What the sheets draw on: everything is counted in the build."""

    layout: Layout
    settings: Settings
    facts: dict[str, Any]  # of corpus.answers.facts
    domains: list[tuple[str, int, int]]  # (domain, documents, bytes), largest first
    contract: tuple[int, int]  # documents and characters under a contract
    inputs: int  # files that were read
    web: tuple[int, int]  # documents with an address, and their bytes
    small: bool  # a small provider names fewer domains

    @property
    def dropped(self) -> dict[str, int]:
        """`rule` → records, over all stages."""
        total: dict[str, int] = {}
        for entry in self.facts["funnel"].values():
            for rule, count in entry.get("dropped", {}).items():
                total[rule] = total.get(rule, 0) + count
        return total


def measure(layout: Layout, small: bool = False) -> Measured:
    """The figures of a published build; UsageError for one that is not."""
    settings, _ = config.of_folder(layout)
    books = funnel(layout)
    if "publish" not in books:
        raise UsageError(f"{layout} is not published yet: run `corpus publish {layout}`")
    facts = stated.facts(layout, settings, books)
    db = duckdb.connect(":memory:", config={"threads": 2})
    hosts: list[tuple[str, int, int]] = []
    contract = (0, 0)
    if layout.shards():
        db.execute(f"create view c as select * from read_parquet({quoted(layout.shards())})")
        hosts = db.execute(
            "select host, count(*), sum(n_bytes)::bigint from c where host <> '' group by 1"
        ).fetchall()
        row = db.execute(
            "select count(*), coalesce(sum(n_chars), 0)::bigint from c where licence = 'contract'"
        ).fetchone()
        contract = row or contract
    read = facts["inputs"]["read"]
    web = (sum(n for _, n, _ in hosts), sum(size for _, _, size in hosts))
    return Measured(layout, settings, facts, _domains(hosts), contract, read, web, small)


def _domains(hosts: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Hosts by what was registered (Public Suffix List, as the package ships it)."""
    from publicsuffixlist import PublicSuffixList

    suffixes = PublicSuffixList()
    total: dict[str, tuple[int, int]] = {}
    for host, documents, size in hosts:
        name = host if re.fullmatch(r"[0-9.]+", host) else suffixes.privatesuffix(host) or host
        before = total.get(name, (0, 0))
        total[name] = (before[0] + documents, before[1] + size)
    rows = [(name, documents, size) for name, (documents, size) in total.items()]
    return sorted(rows, key=lambda row: (-row[2], row[0]))


def largest(domains: list[tuple[str, int, int]], small: bool) -> list[tuple[str, int, int]]:
    """The domains that are to be named: the top 10 % by size; of a small provider the top 5 % or
    1,000, whichever is less. At least one."""
    share = SMALL_SHARE if small else SHARE
    number = -(-len(domains) * round(share * 100) // 100)
    return domains[: min(number, SMALL_MOST) if small else number]


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
    english = f"{documents:,} documents, {characters:,} characters, {length:,} bytes of UTF-8"
    japanese = f"{documents:,}文書、{characters:,}文字、UTF-8で{length:,}バイト"
    if length < BANDS[0][0]:
        return f"{english}: {BANDS[0][1][0]}", f"{japanese}：{BANDS[0][1][1]}"
    most = next((band for limit, band in BANDS if length < limit), ("", ""))
    words = (f"at most {most[0]}, ", f"{most[1]}以下、") if most[0] else ("", "")
    return (
        f"{english}: {words[0]}the band by tokens depends on the tokenizer",
        f"{japanese}：{words[1]}トークン数の区分はトークナイザーによる",
    )


def _captured(m: Measured) -> list[str]:
    return [day[:10] for day in m.facts.get("captured", []) if day]


def latest(m: Measured) -> Answer:
    """As MM/YYYY, which the EU's template asks for, and the day."""
    days = _captured(m)
    if not days:
        return None
    month = f"{days[-1][5:7]}/{days[-1][:4]}"
    return f"{month} (record of {days[-1]})", f"{month} ({days[-1]}の記録)"


def period(m: Measured) -> Answer:
    """The first and the last day on which a record of the corpus was captured."""
    days = _captured(m)
    if not days:
        return None
    return f"captured {days[0]} to {days[-1]}", f"取得日 {days[0]}〜{days[-1]}"


def _listed(m: Measured, name: str) -> Answer:
    rows = m.facts["lists"].get(name, [])
    english = "; ".join(
        f"{value}: {counted(n, 'document')}, {c:,} characters" for value, n, c in rows
    )
    japanese = "、".join(f"{value} {n:,}文書・{c:,}文字" for value, n, c in rows)
    return (english, japanese) if rows else None


def sources(m: Measured) -> Answer:
    return _listed(m, "source")


def languages(m: Measured) -> Answer:
    return _listed(m, "language")


def licences(m: Measured) -> Answer:
    return _listed(m, "licence")


def contract(m: Measured) -> Answer:
    documents, characters = m.contract
    return (
        f"licence class contract: {counted(documents, 'document')}, {characters:,} characters",
        f"ライセンス区分 contract: {documents:,}文書、{characters:,}文字",
    )


def inputs(m: Measured) -> Answer:
    given = m.facts["inputs"]
    english, japanese = files_and_members(given["files"], given["members"])
    return (
        f"{english} given, {m.inputs:,} read; reproducibility.json names each by its content",
        f"入力は{japanese}、うち読み込み {m.inputs:,}件。"
        "reproducibility.jsonが内容の識別子とともに列挙する",
    )


def crawled(m: Measured) -> Answer:
    """Inaho reads archives; whether the provider had them crawled, only it can say."""
    return (
        "0 pages fetched by this tool, which reads archives and files alone; whether the provider "
        "had them crawled, the provider must say",
        "本ツールによる取得 0件 (アーカイブとファイルだけを読む)。"
        "提供者・委託先によるクロールの有無は提供者が記す",
    )


def web(m: Measured) -> Answer:
    documents, length = m.web
    return (
        f"{counted(documents, 'document')} with a web address, {length:,} bytes of text",
        f"ウェブ上のアドレスを持つ文書 {documents:,}件、本文{length:,}バイト",
    )


def domains(m: Measured) -> Answer:
    """The domains that are to be named, with bytes of published text."""
    named = largest(m.domains, m.small)
    words = ", ".join(f"{name} ({length:,})" for name, _, length in named)
    rule = ("5 % or 1,000, whichever is lower,", "5 %または1,000の少ない方") if m.small else (
        "10 %", "10 %"
    )  # fmt: skip
    number = f"{len(m.domains):,}"
    return (
        f"top {rule[0]} of {number} domains by bytes of published text: {words or NO_DOMAIN[0]}",
        f"公開本文のバイト数で上位{rule[1]} (全{number}ドメイン)：{words or NO_DOMAIN[1]}",
    )


def reservations(m: Measured) -> Answer:
    dropped, rights = m.dropped, m.settings.rights
    rules = (
        "noai",
        "tdm_reservation",
        "robots_txt",
        "robots_usage",
        "robots_directive",
        "reserved",
    )
    counts = ", ".join(f"{rule} {dropped.get(rule, 0):,}" for rule in rules)
    obeyed = {
        "noai": rights.drop_noai, "tdm_reservation": rights.drop_tdm_reservation,
        "robots_txt": rights.obey_robots_txt, "robots_usage": rights.obey_usage,
        "reserved": rights.drop_reserved,
    }  # fmt: skip
    on = [name for name, yes in obeyed.items() if yes]
    off = [name for name, yes in obeyed.items() if not yes]
    return (
        f"obeyed: {', '.join(on) or '0 rules'}; not obeyed: {', '.join(off) or '0 rules'}; "
        f"documents dropped: {counts}; {len(rights.agents)} crawlers looked up in robots.txt",
        f"従うもの: {', '.join(on) or '0件'}。従わないもの: {', '.join(off) or '0件'}。"
        f"除外文書数: {counts}。robots.txtで照会したクローラ {len(rights.agents)}種",
    )


def takedowns(m: Measured) -> Answer:
    entries = len(removals.load(m.layout))
    registers = m.settings.remove.registers
    out = len(removals.taken_rows(m.layout))
    return (
        f"{out:,} documents taken out on request; {entries:,} entries of its own and "
        f"{len(registers)} registers are obeyed",
        f"申し出により除外 {out:,}文書。独自の登録 {entries:,}件、登録簿 {len(registers)}件に従う",
    )


def illegal(m: Measured) -> Answer:
    urls, dropped = m.settings.urls, m.dropped
    number = sum(count for rule, count in dropped.items() if "harm" in rule or "url" in rule)
    return (
        f"{len(urls.block)} block lists of addresses (pirate and unlawful sites are in them only "
        f"where the lists name them); {number:,} documents dropped by lists and harm rules",
        f"URLブロックリスト {len(urls.block)}件 (海賊版・違法サイトはリストが挙げるもののみ)。"
        f"リストと有害表現の規則による除外 {number:,}文書",
    )


def personal(m: Measured) -> Answer:
    personal = m.facts.get("personal") or {}
    words = ", ".join(
        f"{name} {entry['policy']} {entry['places']:,}" for name, entry in personal.items()
    )
    return (f"places by class: {words}", f"種類別の箇所数: {words}") if words else None


def records(m: Measured) -> Answer:
    harvest = m.facts["funnel"]["harvest"]
    digest = sha256(m.layout.manifest) if m.layout.manifest.exists() else ""
    rows = sum(
        sum(e.get("dropped", {}).values()) for e in m.facts["funnel"].values()
    )  # a row of the ledger each
    return (
        f"{harvest['in']:,} records read, {rows:,} drops with a reason each; manifest SHA-256 "
        f"{digest}",
        f"読み込み {harvest['in']:,}件、理由付き除外記録 {rows:,}件。manifestのSHA-256: {digest}",
    )


def processing(m: Measured) -> Answer:
    steps = [f"{name} {e['in']:,} → {e['out']:,}" for name, e in m.facts["funnel"].items()]
    return "; ".join(steps), "、".join(steps)


def missing(m: Measured) -> Answer:
    rights = m.facts.get("rights") or {}
    unread = m.facts["funnel"]["harvest"]["unread"]["unreadable"]
    return (
        f"{rights.get('truncated', 0):,} documents may end early; {unread:,} files unreadable",
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
        f"{gone:,} duplicates removed; {kept:,} documents stand for a cluster",
        f"重複 {gone:,}文書を除去。{kept:,}文書が重複群を代表",
    )


FIGURES: dict[str, Callable[[Measured], Answer]] = {
    "modalities": modalities, "size": size, "latest": latest, "period": period,
    "sources": sources, "languages": languages, "licences": licences, "contract": contract,
    "inputs": inputs, "crawled": crawled, "web": web, "domains": domains,
    "reservations": reservations, "takedowns": takedowns, "illegal": illegal,
    "personal": personal, "records": records, "processing": processing, "missing": missing,
    "duplicates": duplicates,
}  # fmt: skip
