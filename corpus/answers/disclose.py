"""`corpus disclose`: what a provider must publish, from the build alone, line by line.

Three sheets: the EU's public summary of training content (AI Act, Article 53(1)(d); template of
2025-07-24, C(2025) 8311), the principle code of Japan's Cabinet Office (draft of 2025-12-26, comply
or explain), and Datasheets for Datasets (Gebru et al. 2021, arXiv 1803.09010). Their questions are
given in our words, under their numbers. A line is *measured* (a figure of this build), *stated* (by
the provider, in a TOML file: `key = "words"`), or *unanswered*. What is stated without a number or
a date is a claim nobody can check: `problems` lists it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from corpus import config
from corpus.answers import facts as stated
from corpus.answers.markdown import escaped
from corpus.errors import UsageError, counted, one_line
from corpus.folder import removals
from corpus.folder.commit import sha256
from corpus.folder.layout import Layout
from corpus.folder.sql import quoted
from corpus.settings import Settings
from corpus.stages.books import funnel

UNANSWERED = ("unanswered", "未回答")
NO_DOMAIN = ("0 domains", "0件")
SHARE, SMALL_SHARE, SMALL_MOST = 0.10, 0.05, 1000  # of domains by size: all; small providers
BILLION = 10**9


@dataclass(frozen=True)
class Line:
    """A line of a sheet; `kind`: measured, stated or unanswered."""

    part: str
    key: str
    english: str
    japanese: str
    kind: str
    answer: tuple[str, str]  # English, Japanese
    complies: bool  # false where the figure says that what is asked for was not done


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

    @property
    def dropped(self) -> dict[str, int]:
        """`rule` → records, over all stages."""
        total: dict[str, int] = {}
        for entry in self.facts["funnel"].values():
            for rule, count in entry.get("dropped", {}).items():
                total[rule] = total.get(rule, 0) + count
        return total


def measure(layout: Layout) -> Measured:
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
    plan = json.loads(layout.plan.read_bytes())
    files = {file for unit in plan["units"] if not unit["unread"] for file in unit["files"]}
    web = (sum(n for _, n, _ in hosts), sum(size for _, _, size in hosts))
    return Measured(layout, settings, facts, _domains(hosts), contract, len(files), web)


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


# sheets -------------------------------------------------------------------------------------------

Answer = tuple[str, str] | None
Question = tuple[str, str, str, str, Callable[[Measured], Answer]]  # part, key, English, Japanese


def sheet(
    measured: Measured, template: str, stated: dict[str, str], small: bool = False
) -> list[Line]:
    """The lines of a template; UsageError for a stated key that no line has."""
    questions = TEMPLATES[template](small)
    known = list(dict.fromkeys(key for make in TEMPLATES.values() for _, key, *_ in make(small)))
    for key in stated:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"no line {key!r}: {hint}")
    lines = []
    for part, key, english, japanese, of in questions:
        figure = of(measured)
        said = stated.get(key, "")
        kind = "measured" if figure else "stated" if said else "unanswered"
        answer = figure or ((said, said) if said else UNANSWERED)
        if figure and said:
            answer = (f"{figure[0]}; {said}", f"{figure[1]}。{said}")
        complies = kind != "unanswered" and _is_done(key, measured)
        lines.append(Line(part, key, english, japanese, kind, answer, complies))
    return lines


def _is_done(key: str, m: Measured) -> bool:
    """Whether the build does what a line asks for: a figure may say that it does not."""
    rights = m.settings.rights
    if key == "rights.reserved":
        return rights.obey_robots_txt and rights.drop_noai and rights.drop_tdm_reservation
    return bool(m.settings.urls.block) if key == "processing.illegal" else True


def problems(lines: list[Line]) -> list[str]:
    """Claims without a number: what nobody can check."""
    return [
        f"{line.key}: {line.answer[0]!r} states no number and no day"
        for line in lines
        if line.kind != "unanswered" and not re.search(r"\d", line.answer[0])
    ]


def read_stated(file: Path | None) -> dict[str, str]:
    """What the provider says of itself: `key = "words"`, tables as prefixes."""
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {one_line(error)}") from error
    flat: dict[str, str] = {}
    for key, value in table.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, words in inner:
            if not isinstance(words, str | int | float):
                raise UsageError(f"{file}: {key}.{name} must be a text or a number")
            flat[f"{key}.{name}" if name else key] = str(words)
    return flat


def _nothing(measured: Measured) -> Answer:
    return None


def _size(m: Measured) -> Answer:
    documents, characters, size = (m.facts[k] for k in ("documents", "characters", "bytes"))
    english = f"{documents:,} documents, {characters:,} characters, {size:,} bytes of UTF-8"
    japanese = f"{documents:,}文書、{characters:,}文字、UTF-8で{size:,}バイト"
    if size < BILLION:  # a token holds a byte or more
        return f"{english}: less than 1 billion tokens", f"{japanese}: 10億トークン未満"
    return (
        f"{english}: the class by tokens depends on the tokenizer",
        f"{japanese}: トークン数の区分はトークナイザーによる",
    )


def _latest(m: Measured) -> Answer:
    captured = [day[:10] for day in m.facts.get("captured", []) if day]
    if not captured:
        return None
    return f"captured {captured[0]} to {captured[-1]}", f"取得日 {captured[0]}〜{captured[-1]}"


def _listed(m: Measured, name: str) -> Answer:
    rows = m.facts["lists"].get(name, [])
    english = "; ".join(
        f"{value}: {counted(n, 'document')}, {c:,} characters" for value, n, c in rows
    )
    japanese = "、".join(f"{value} {n:,}文書・{c:,}文字" for value, n, c in rows)
    return (english, japanese) if rows else None


def _sources(m: Measured) -> Answer:
    return _listed(m, "source")


def _languages(m: Measured) -> Answer:
    return _listed(m, "language")


def _licences(m: Measured) -> Answer:
    return _listed(m, "licence")


def _contract(m: Measured) -> Answer:
    documents, characters = m.contract
    return (
        f"licence class contract: {counted(documents, 'document')}, {characters:,} characters",
        f"ライセンス区分 contract: {documents:,}文書、{characters:,}文字",
    )


def _crawled(m: Measured) -> Answer:
    documents, size = m.web
    return (
        f"{counted(documents, 'document')} with a web address, {size:,} bytes of text; "
        f"{counted(m.inputs, 'input file')} read: this tool crawls nothing itself",
        f"ウェブ上のアドレスを持つ文書 {documents:,}件、本文{size:,}バイト。"
        f"入力ファイル {m.inputs:,}件を読み、本ツール自身はクロールしない",
    )


def _top_domains(small: bool) -> Callable[[Measured], Answer]:
    def answer(m: Measured) -> Answer:
        named = largest(m.domains, small)
        words = ", ".join(f"{name} ({size:,})" for name, _, size in named)
        rule, size = "5 % or 1,000" if small else "10 %", f"{len(m.domains):,}"
        return (
            f"top {rule} of {size} domains by bytes of published text: {words or NO_DOMAIN[0]}",
            f"サイズ上位{rule} (全{size}ドメイン、公開本文のバイト数): {words or NO_DOMAIN[1]}",
        )

    return answer


def _reservations(m: Measured) -> Answer:
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


def _takedowns(m: Measured) -> Answer:
    entries = len(removals.load(m.layout))
    registers = m.settings.remove.registers
    out = len(removals.taken_rows(m.layout))
    return (
        f"{out:,} documents taken out on request; {entries:,} entries of its own and "
        f"{len(registers)} registers are obeyed",
        f"申し出により除外 {out:,}文書。独自の登録 {entries:,}件、登録簿 {len(registers)}件に従う",
    )


def _illegal(m: Measured) -> Answer:
    urls, dropped = m.settings.urls, m.dropped
    number = sum(count for rule, count in dropped.items() if "harm" in rule or "url" in rule)
    return (
        f"{len(urls.block)} block lists of addresses (pirate and unlawful sites are in them only "
        f"where the lists name them); {number:,} documents dropped by lists and harm rules",
        f"URLブロックリスト {len(urls.block)}件 (海賊版・違法サイトはリストが挙げるもののみ)。"
        f"リストと有害表現の規則による除外 {number:,}文書",
    )


def _personal(m: Measured) -> Answer:
    personal = m.facts.get("personal") or {}
    words = ", ".join(
        f"{name} {entry['policy']} {entry['places']:,}" for name, entry in personal.items()
    )
    return (f"places by class: {words}", f"種類別の箇所数: {words}") if words else None


def _records(m: Measured) -> Answer:
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


def _processing(m: Measured) -> Answer:
    steps = [f"{name} {e['in']:,} → {e['out']:,}" for name, e in m.facts["funnel"].items()]
    return "; ".join(steps), "、".join(steps)


def _missing(m: Measured) -> Answer:
    rights = m.facts.get("rights") or {}
    unread = m.facts["funnel"]["harvest"]["unread"]["unreadable"]
    return (
        f"{rights.get('truncated', 0):,} documents may end early; {unread:,} files unreadable",
        f"途中で切れている可能性 {rights.get('truncated', 0):,}文書、"
        f"読めなかったファイル {unread:,}件",
    )


def _duplicates(m: Measured) -> Answer:
    entry = m.facts["funnel"].get("dedup")
    if not entry:
        return None
    gone = sum(entry["dropped"].values())
    kept = (m.facts.get("rights") or {}).get("in_cluster", 0)
    return (
        f"{gone:,} duplicates removed; {kept:,} documents stand for a cluster",
        f"重複 {gone:,}文書を除去。{kept:,}文書が重複群を代表",
    )


def _eu(small: bool) -> list[Question]:
    part1, part2, part3 = "1. General information / 一般情報", "2. Data sources / データ源", (
        "3. Data processing / データ処理"
    )  # fmt: skip
    return [
        (
            part1,
            "provider.name",
            "1.1 Provider: name and contact",
            "提供者の名称と連絡先",
            _nothing,
        ),
        (part1, "provider.representative", "1.1 Authorised representative", "認定代理人", _nothing),
        (part1, "model.name", "1.2 Model: versioned names", "モデルの名称と版", _nothing),
        (part1, "model.base", "1.2 Models it depends on", "基になるモデル", _nothing),
        (part1, "model.date", "1.2 Placed on the Union market on", "EU市場への提供日", _nothing),
        (part1, "data.size", "1.3 Text: size of the training data", "テキストの規模", _size),
        (part1, "model.tokens", "1.3 Text: tokens seen in training", "学習トークン数", _nothing),
        (part1, "data.latest", "1.3 Dates of data collection", "データの取得時期", _latest),
        (part1, "data.languages", "1.3 Languages", "言語", _languages),
        (part2, "data.sources", "2.1 Data sets and collections", "データセット・収集物", _sources),
        (part2, "data.licensed", "2.2 Licensed from rights holders", "許諾を得たもの", _contract),
        (part2, "data.third", "2.2 From other third parties", "その他第三者から", _nothing),
        (part2, "data.crawled", "2.3 Crawled or scraped", "クロール・スクレイピング", _crawled),
        (part2, "crawl.names", "2.3 Crawlers: names, purpose, behaviour", "クローラ", _nothing),
        (part2, "crawl.period", "2.3 Period of collection", "収集期間", _latest),
        (part2, "crawl.domains", "2.3 Largest domains", "主なドメイン", _top_domains(small)),
        (part2, "data.user", "2.4 User data", "利用者データ", _nothing),
        (part2, "data.synthetic", "2.5 Synthetic data", "合成データ", _nothing),
        (part2, "data.other", "2.6 Other sources", "その他", _nothing),
        (part3, "rights.reserved", "3.1 Reservations of rights", "権利留保の尊重", _reservations),
        (part3, "rights.takedowns", "3.1 Requests of rights holders", "権利者の申し出", _takedowns),
        (part3, "processing.illegal", "3.2 Illegal content", "違法コンテンツの除去", _illegal),
        (part3, "processing.personal", "3.3 Personal data", "個人情報", _personal),
    ]


def _japan(small: bool) -> list[Question]:
    one = "原則1 透明性・知的財産保護の措置 / Principle 1"
    two = "原則2 権利者への回答 / Principle 2"
    three = "原則3 利用者への回答 / Principle 3"
    return [
        (one, "model.name", "Models: names and outline", "使用モデルの名称・概要", _nothing),
        (one, "data.size", "Training data: size", "学習データの規模", _size),
        (one, "data.sources", "Training data: kinds", "学習データの種類", _sources),
        (one, "data.licences", "Training data: licences", "学習データのライセンス", _licences),
        (one, "data.crawled", "Whether the web was crawled", "クロールの有無", _crawled),
        (one, "crawl.names", "Crawlers: names", "クローラの名称", _nothing),
        (one, "crawl.period", "Period of collection", "収集期間", _latest),
        (one, "crawl.domains", "Largest domains", "主なドメイン", _top_domains(small)),
        (one, "rights.reserved", "robots.txt and the like", "robots.txt等の尊重", _reservations),
        (one, "processing.illegal", "Pirate sites avoided", "海賊版サイトの回避", _illegal),
        (one, "processing.personal", "Personal data", "個人情報の扱い", _personal),
        (one, "provider.contact", "Contact for rights holders", "権利者の窓口", _nothing),
        (one, "records.kept", "Records kept", "記録の保存", _records),
        (two, "rights.takedowns", "Documents taken out", "申し出による除外", _takedowns),
        (two, "answers.holders", "Enquiries of rights holders", "権利者からの照会件数", _nothing),
        (three, "answers.users", "Enquiries of users", "利用者からの照会件数", _nothing),
    ]


def _datasheet(small: bool) -> list[Question]:
    why, what = "Motivation / 動機", "Composition / 構成"
    how, done = "Collection / 収集", "Preprocessing / 前処理"
    use, give = "Uses / 用途", "Distribution, maintenance / 配布・維持"
    return [
        (why, "purpose", "For what purpose was it made?", "何のために作られたか", _nothing),
        (why, "provider.name", "Who made it, and who paid?", "誰が作り、費用を出したか", _nothing),
        (what, "data.size", "How many instances are there?", "いくつの事例があるか", _size),
        (what, "data.sources", "What do they stand for?", "事例は何を表すか", _sources),
        (what, "data.languages", "In which languages?", "言語", _languages),
        (what, "data.missing", "Is anything missing?", "欠けているものはあるか", _missing),
        (what, "data.duplicates", "Errors, noise, redundancy?", "誤り・重複", _duplicates),
        (what, "processing.personal", "Does it hold personal data?", "個人情報を含むか", _personal),
        (what, "processing.illegal", "Might it offend?", "有害な内容を含みうるか", _illegal),
        (how, "data.crawled", "How was it acquired?", "どのように得たか", _crawled),
        (how, "crawl.period", "Over what time?", "収集の期間", _latest),
        (how, "rights.reserved", "Was consent asked, or refused?", "同意と拒否", _reservations),
        (how, "rights.takedowns", "Can consent be revoked?", "撤回できるか", _takedowns),
        (done, "processing.steps", "What was done to it?", "どのような処理をしたか", _processing),
        (done, "records.kept", "Is the raw data kept?", "元データ・記録は残るか", _records),
        (use, "uses", "What has it been used for?", "何に使われたか", _nothing),
        (use, "uses.not", "What should it not be used for?", "使うべきでない用途", _nothing),
        (give, "data.licences", "Under which licences?", "ライセンス", _licences),
        (give, "provider.contact", "Who maintains it; contact?", "維持する者と連絡先", _nothing),
        (give, "updates", "Will it be updated?", "更新の予定", _nothing),
    ]


TEMPLATES: dict[str, Callable[[bool], list[Question]]] = {
    "eu": _eu,
    "japan": _japan,
    "datasheet": _datasheet,
}
TITLES = {
    "eu": "Public summary of training content / 学習コンテンツの公開要約",
    "japan": "プリンシプル・コード（案）対応表 / Principle code, comply or explain",
    "datasheet": "Datasheet / データシート",
}
KINDS = {
    "measured": "計測値 / figure",
    "stated": "記述 / stated",
    "unanswered": "未回答 / unanswered",
}


def _status(line: Line) -> str:
    """Comply or explain: what a figure shows was not done is to be explained."""
    if line.complies:
        return KINDS[line.kind]
    return KINDS["unanswered"] if line.kind == "unanswered" else "要説明 / to explain"


def markdown(lines: list[Line], template: str, measured: Measured) -> str:
    """The sheet as a document in both languages."""
    digest = sha256(measured.layout.manifest) if measured.layout.manifest.exists() else ""
    out = [f"# {TITLES[template]}", "", f"manifest SHA-256: `{digest}`", ""]
    counts = Counter(map(_status, lines))
    out += [", ".join(f"{status}: {number}" for status, number in sorted(counts.items()))]
    for part in dict.fromkeys(line.part for line in lines):
        out += ["", f"## {part}", "", "| | answer | 回答 | |", "|---|---|---|---|"]
        out += [
            f"| {line.english} / {line.japanese} | {escaped(line.answer[0])} | "
            f"{escaped(line.answer[1])} | {_status(line)} |"
            for line in lines
            if line.part == part
        ]
    return "\n".join(out) + "\n"


def as_facts(lines: list[Line]) -> list[dict[str, Any]]:
    """The lines for --json."""
    return [asdict(line) for line in lines]
