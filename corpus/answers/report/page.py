"""report.html: a corpus on one page that opens without a network, in English and Japanese.

No script: a pair of radio buttons and CSS choose the language. Everything drawn is an SVG with the
same figures in a table beside it. `against` sets a second build beside the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from corpus.answers.report.contents import SIGNS, handling, make_up, samples
from corpus.answers.report.parts import Bar, both, rule, stage, table
from corpus.answers.report.signals import signals
from corpus.answers.report.stages import funnel, pass_rates, rules
from corpus.answers.vocabulary import (
    BLOCKS,
    CLUSTER_SIZES,
    LENGTHS,
    SEVERITY,
    TITLES,
    cluster_size,
)
from corpus.folder.times import Took
from corpus.words import names
from corpus.words.language import JAPANESE

Section = tuple[str, str, str, str]  # anchor, English title, Japanese title, content
SIZES = (
    ("documents", "文書数", "documents"),
    ("characters", "文字数", "characters"),
    ("UTF-8 bytes", "バイト数", "bytes"),
)


def html(
    facts: dict[str, Any], measures: dict[str, Any], times: Mapping[str, Took] | None = None
) -> str:
    """The page. facts: of `corpus.answers.facts`; measures: of `corpus.answers.report.measures`;
    times: what the stages took, where the page may differ from machine to machine."""
    sections = [
        ("funnel", "Funnel", "処理の内訳", funnel(facts["funnel"], times or {})),
        ("rules", "Profiles and rules", "プロファイルと規則", rules(facts)),
        ("pass", "Who passes", "通過率", pass_rates(measures)),
        ("signals", "Signals", "信号", signals(facts, measures["histograms"])),
        ("make-up", "What it is made of", "構成", make_up(facts)),
        ("handling", "Rights, personal data, duplicates", "権利・個人情報・重複",
         handling(facts, measures["clusters"])),
        ("samples", "Samples", "ページの例", samples(measures["samples"])),
    ]  # fmt: skip
    numbers = "".join(
        f"<div><b>{facts[key]:,}</b>{both(english, japanese)}</div>"
        for english, japanese, key in SIZES
    )
    return _page(facts["name"], f"<div class='figures'>{numbers}</div>", sections)


def _page(name: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole file; sections without content are left out."""
    shown = [section for section in sections if section[3]]
    links = "".join(f"<li><a href='#{i}'>{both(en, ja)}</a></li>" for i, en, ja, _ in shown)
    body = "".join(
        f"<section aria-labelledby='{i}'><h2 id='{i}'>{both(en, ja)}</h2>{content}</section>"
        for i, en, ja, content in shown
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    return "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{escape(name)}</title><style>\n{style}</style></head><body>",
            "<header><fieldset><legend>Language / 言語</legend>"
            "<label><input type='radio' name='lang' id='en' checked> English</label>"
            "<label lang='ja'><input type='radio' name='lang' id='ja'> 日本語</label></fieldset>",
            f"</header><main><h1>{escape(name)}</h1>{lead}<nav aria-label='Contents'><ul>{links}"
            f"</ul></nav>{body}</main></body></html>",
        ]
    ) + "\n"  # fmt: skip


# two builds ---------------------------------------------------------------------------------------


def against(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Two builds side by side, from the facts of both."""
    pair = (one, other)
    sizes = [(both(en, ja), one[key], other[key]) for en, ja, key in SIZES]
    sizes += [
        (both(f"{key}, characters", f"{said}（文字数）"), *(
            each["lengths"].get(key, 0) for each in pair))
        for key, said in LENGTHS.items()
    ]  # fmt: skip
    stages = [
        (stage(name) + both(f", {key}", f"、{said}"), *(
            each["funnel"].get(name, {}).get(key, 0) for each in pair))
        for name in dict.fromkeys((*one["funnel"], *other["funnel"]))
        for key, said in (("in", "入力"), ("out", "出力"))
    ]  # fmt: skip
    sections = [
        ("size", "Size", "規模", _two(sizes)),
        ("funnel", "Funnel", "処理の内訳", _two(stages)),
        ("rules", "What was dropped", "除外の理由", _two(_both([_reasons(each) for each in pair]))),
        *_contents(pair),
    ]
    lead = f"<p>A: {escape(one['name'])}<br>B: {escape(other['name'])}</p>"
    return _page(f"{one['name']} / {other['name']}", lead, sections)


def _contents(pair: tuple[dict[str, Any], dict[str, Any]]) -> list[Section]:
    """What both are made of, by documents."""
    sections = []
    for key, title in TITLES.items():
        counts = [{row[0]: row[1] for row in each["lists"].get(key, [])} for each in pair]
        sections.append((key, *title, _two(_both(counts, escape))))
    blocks = [{k: v[0] for k, v in each.get("blocks", {}).items()} for each in pair]
    signs = [{k: each["rights"].get(k, 0) for k in SIGNS} for each in pair]
    personal = [{k: v["documents"] for k, v in each.get("personal", {}).items()} for each in pair]
    severity = [each.get("harm", {}).get("severity", {}) for each in pair]
    clusters = [each.get("clusters", {}) for each in pair]
    told: list[tuple[str, str, str, list[dict[str, int]], Callable[[str], str]]] = [
        ("blocks", "Blocks", "ブロック", blocks, lambda k: both(k, BLOCKS[k])),
        ("signs", "Documents with", "次をもつ文書", signs, lambda k: both(*SIGNS[k])),
        ("personal", "Personal data", "個人情報", personal,
         lambda k: both(k, names.called(f"personal_{k}", JAPANESE))),
        ("harm", "Severity of harmful words", "有害語の強さ", severity,
         lambda k: both(*SEVERITY.get(k, (k, k)))),
        ("copies", *CLUSTER_SIZES, clusters, lambda k: both(*cluster_size(k))),
    ]  # fmt: skip
    sections += [
        (key, english, japanese, _two(_both(counts, said)))
        for key, english, japanese, counts, said in told
    ]
    return sections


def _reasons(facts: dict[str, Any]) -> dict[str, int]:
    return {
        name: count
        for entry in facts["funnel"].values()
        for name, count in entry.get("dropped", {}).items()
    }


def _both(
    counts: Sequence[dict[str, int]], said: Callable[[str], str] = rule
) -> list[tuple[str, int, int]]:
    one, other = counts
    return [(said(k), one.get(k, 0), other.get(k, 0)) for k in dict.fromkeys((*one, *other))]


def _two(rows: Sequence[tuple[str, int, int]]) -> str:
    """Figures of A and B with the difference; nothing where both have none."""
    body = [
        (name, a, b, f"{b - a:+,}", Bar(a, max(a, b, 1)), Bar(b, max(a, b, 1)))
        for name, a, b in rows
        if a or b
    ]
    heads = (("", ""), ("A", "A"), ("B", "B"), ("difference", "差"), ("", ""), ("", ""))
    return table(heads, body, "A and B")
