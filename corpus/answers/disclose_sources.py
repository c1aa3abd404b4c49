"""Figures of `corpus disclose` on where a corpus is from: data sets, contracts, crawls."""

from __future__ import annotations

from corpus.answers.disclose_measure import Answer, Measured
from corpus.answers.vocabulary import files_and_members
from corpus.errors import counted

NO_DOMAIN = ("0 domains", "0件")
SHARE, SMALL_SHARE, SMALL_MOST = 0.10, 0.05, 1000  # of domains by size: all; small providers


def largest(domains: list[tuple[str, int, int]], small: bool) -> list[tuple[str, int, int]]:
    """The domains that are to be named: the top 10 % by size; of a small provider the top 5 % or
    1,000, whichever is less. At least one."""
    share = SMALL_SHARE if small else SHARE
    number = -(-len(domains) * round(share * 100) // 100)
    return domains[: min(number, SMALL_MOST) if small else number]


def inputs(m: Measured) -> Answer:
    given = m.facts["inputs"]
    english, japanese = files_and_members(given["files"], given["members"])
    return (
        f"{english} given, {m.inputs:,} read; reproducibility.json names each by its content",
        f"入力は{japanese}、うち読み込み {m.inputs:,}件。"
        "reproducibility.jsonが内容の識別子とともに列挙する",
    )


def public(m: Measured) -> Answer:
    """Only what has the name of a public data set: that a file was read makes it none."""
    if not m.public:
        return None
    rows = m.public.items()
    english = "; ".join(
        f"{name}: {counted(files, 'file')}, {counted(documents, 'document')}"
        for name, (files, documents) in rows
    )
    japanese = "、".join(
        f"{name} {files:,}ファイル・{documents:,}文書" for name, (files, documents) in rows
    )
    others = m.inputs - sum(files for files, _ in m.public.values())
    more = ("", "") if others <= 0 else (
        f"; whether the other {counted(others, 'input file')} are of public data sets isn't known",
        f"。ほかの入力 {others:,}件が公開データセットかどうかは分からない",
    )  # fmt: skip
    return f"by names of files: {english}{more[0]}", f"ファイル名による: {japanese}{more[1]}"


def contract(m: Measured) -> Answer:
    """A class is no contract: captions and news have it because no licence is known of them."""
    documents, characters = m.contract
    if not documents:
        return None
    return (
        f"licence class contract: {counted(documents, 'document')}, {characters:,} characters. The "
        "class says that no licence to pass them on is known (`rights.licence = public` keeps them "
        "out); captions and news have it unless told otherwise. A contract itself is not recorded: "
        "whether rights holders licensed them, the provider must say",
        f"ライセンス区分 contract: {documents:,}文書、{characters:,}文字。"
        "再配布できるライセンスが知られていないことを示す区分で "
        "(`rights.licence = public` では除外)、字幕とニュースは指定がなければこの区分になる。"
        "契約そのものは記録されておらず、権利者の許諾の有無は提供者が記す",
    )


def crawled(m: Measured) -> Answer:
    """Inaho reads archives; whether the provider had them crawled, only it can say."""
    number = m.crawled[0]
    return (
        f"{counted(number, 'document')} from records of web archives (WARC, WET, ARC); 0 pages "
        "crawled by this tool, which reads archives and files alone. Whether the provider had "
        "the archives crawled, the provider must say",
        f"ウェブアーカイブ (WARC・WET・ARC) の記録による文書 {number:,}件。"
        "本ツールによるクロール 0件 (アーカイブとファイルだけを読む)。"
        "アーカイブが提供者・委託先によるクロールかどうかは提供者が記す",
    )


def web(m: Measured) -> Answer:
    documents, length = m.crawled
    return (
        f"{counted(documents, 'document')} from records of web archives, {length:,} bytes of text",
        f"ウェブアーカイブの記録による文書 {documents:,}件、本文{length:,}バイト",
    )


def domains(m: Measured) -> Answer:
    """The domains that are to be named, with bytes of published text."""
    named = largest(m.domains, m.small)
    words = ", ".join(f"{name} ({length:,})" for name, _, length in named)
    rule = ("5 % or 1,000, whichever is lower,", "5 %または1,000の少ない方") if m.small else (
        "10 %", "10 %"
    )  # fmt: skip
    number = len(m.domains)
    return (
        f"top {rule[0]} of {counted(number, 'domain')} in web archives by bytes of published "
        f"text: {words or NO_DOMAIN[0]}",
        f"ウェブアーカイブの記録のうち、公開本文のバイト数で上位{rule[1]} "
        f"(全{number:,}ドメイン)：{words or NO_DOMAIN[1]}",
    )


def latest(m: Measured) -> Answer:
    """As MM/YYYY, which the EU's template asks for, and the day."""
    if not m.captured:
        return None
    day = m.captured[-1]
    month = f"{day[5:7]}/{day[:4]}"
    return f"{month} (record of {day})", f"{month} ({day}の記録)"


def period(m: Measured) -> Answer:
    """The first and the last day on which a record of the corpus was captured."""
    if not m.captured:
        return None
    first, last = m.captured[0], m.captured[-1]
    return f"captured {first} to {last}", f"取得日 {first}〜{last}"
