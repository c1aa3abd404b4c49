"""The report on what the corpus holds: its make-up, rights, personal data, duplicates, samples."""

from __future__ import annotations

from html import escape
from typing import Any

from corpus.answers.facts import REMOVED, refused
from corpus.answers.report.parts import Bar, both, counted, pairs, rule, safe, table, titled
from corpus.answers.vocabulary import (
    ALONE,
    BLOCKS,
    CLUSTER_SIZES,
    SCRIPTS,
    SEVERITY,
    TITLES,
    TOPICS,
    cluster_size,
)
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE

SIGNS = {
    "reserved_phrase": ("a phrase that reserves rights", "無断転載禁止等の表示"),
    "robots_directives": ("robots directives", "robots 指定"),
    "robots_txt": ("a robots.txt that forbids some agent", "robots.txt による拒否"),
    "licence_link": ("a licence link", "ライセンスへのリンク"),
    "repaired": ("repaired bytes", "文字化けの修復"),
    "truncated": ("may end early", "途中で切れている可能性"),
}


def make_up(facts: dict[str, Any]) -> str:
    """Lists, years, scripts and blocks, each with bars."""
    lists = [
        counted(*title, [(escape(str(r[0])), r[1]) for r in facts["lists"].get(name, [])])
        for name, title in TITLES.items()
    ]
    heads = (("", ""), ("share", "割合"), ("", ""))
    scripts = [
        (both(*SCRIPTS[name]), f"{share:.1%}", Bar(share, 1))
        for name, share in facts.get("scripts", {}).items()
    ]
    blocks = [(both(kind, BLOCKS[kind]), row[0]) for kind, row in facts.get("blocks", {}).items()]
    return pairs(
        *lists,
        counted("Year of publication", "公開年", facts["dates"].items()),
        counted("Year of capture", "取得年", facts.get("captures", {}).items()),
        titled("Scripts", "文字種", table(heads, scripts, "Scripts")),
        counted("Blocks", "ブロック", blocks),
    )


def handling(facts: dict[str, Any], largest: list[list[Any]]) -> str:
    """Rights, personal data, harmful words, duplicates. largest: of `measures`, clusters."""
    gone = [
        (rule(name) if name != REMOVED else both("a request for removal", "削除依頼"), count)
        for name, count in refused(facts["funnel"]).items()
    ]
    signs = [(both(*words), facts["rights"][key]) for key, words in SIGNS.items()
             if facts["rights"]]  # fmt: skip
    personal = [
        (both(name, names.rule(f"personal_{name}").japanese), entry["documents"])
        for name, entry in facts.get("personal", {}).items()
    ]
    harm = facts.get("harm", {"severity": {}, "topics": {}})
    severity = [(both(*SEVERITY.get(k, (k, k))), n) for k, n in harm["severity"].items()]
    topics = [(both(*TOPICS[k]), n) for k, n in harm["topics"].items()]
    sizes = facts.get("clusters", {})
    copies = [(both(*cluster_size(size)), count) for size, count in sizes.items()]
    return pairs(
        counted("Kept out for rights", "権利による不収録", gone),
        counted("Documents with", "次をもつ文書", signs),
        counted("Personal data", "個人情報", personal),
        counted("Severity of harmful words", "有害語の強さ", severity),
        counted("Words", "語", topics),
        counted(*CLUSTER_SIZES, copies),
    ) + _clusters(largest, sum(count for size, count in sizes.items() if size != ALONE))


def _clusters(largest: list[list[Any]], number: int) -> str:
    """The largest clusters of duplicates, by the copy that was kept; of how many in the corpus."""
    most = max((row[0] for row in largest), default=0)
    rows = [
        (f"<bdi>{safe(title)}</bdi><br><span class='dim small long'><bdi>{safe(url)}</bdi></span>",
         size, hosts, Bar(size, most))
        for size, hosts, title, url in largest
    ]  # fmt: skip
    heads = (("kept copy", "残した文書"), ("documents", "文書数"), ("hosts", "ホスト数"), ("", ""))
    shown = table(heads, rows, "Clusters")
    if shown and len(rows) < number:
        shown += "<p class='dim small'>" + both(
            f"{len(rows):,} of {number:,} kept copies: the largest, without pages with strong "
            "words.",
            f"残した文書 {number:,} 件のうち {len(rows):,} 件（大きな重複群から順に、"
            "強い語を含むページを除く）。",
        ) + "</p>"  # fmt: skip
    return titled("Largest clusters", "大きな重複群", shown)


def samples(found: dict[str, list[dict[str, Any]]]) -> str:
    """Kept pages, then some of each rule; what holds strong harmful words is folded away."""
    out = ""
    for name, rows in found.items():
        title = rule(name) if name else both("In the corpus", "収録されたページ")
        meaning = both(*(escape(names.meaning(name, each)) for each in (ENGLISH, JAPANESE)))
        out += f"<h3>{title}</h3>" + (f"<p class='dim lead'>{meaning}</p>" if name else "")
        out += "".join(map(_sample, rows))
    return out


def _sample(row: dict[str, Any]) -> str:
    """A page; one with strong words is opened by hand, and is not printed."""
    shown = (
        f"<div class='sample'><p><bdi>{safe(row['title'])}</bdi></p>"
        f"<p class='dim'><bdi>{safe(row['url'])}</bdi></p>"
        f"<p><bdi>{safe(row['start'])}</bdi></p></div>"
    )
    if not row["harmful"]:
        return shown
    said = both("A page with strong words", "強い語を含むページ")
    how = both(" (open to read)", "（開くと読めます）")
    return (
        f"<details class='strong'><summary>{said}<span class='screen'>{how}</span></summary>"
        f"{shown}</details>"
    )
