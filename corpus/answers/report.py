"""report.html: a corpus on one page that opens without a network, in English and Japanese.

No script: a pair of radio buttons and CSS choose the language. Everything drawn is an SVG with the
same figures in a table beside it. `against` sets a second build beside the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from corpus.answers.card import BLOCKS, SCRIPTS, SEVERITY, TITLES, TOPICS
from corpus.answers.facts import by_source
from corpus.answers.sankey import sankey
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE
from filters.signals import signal_of

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--dim:#575d66;--paper:#fff;--panel:#f5f6f8;
--line:#d9dde3;--bar:#c28a00;--stay:#f0d48a;--leave:#e8b0ad;--bound:#a3231f;--accent:#0b5cad}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#a5adb8;--paper:#15171a;
--panel:#1e2126;--line:#363b43;--bar:#d9a514;--stay:#6b571b;--leave:#7a3a37;--bound:#ff9d97;
--accent:#7db8f5}}
*{box-sizing:border-box}
body{font:16px/1.65 system-ui,"Hiragino Sans","Noto Sans CJK JP","Noto Sans JP",sans-serif;
max-width:66rem;margin:0 auto;padding:1rem;color:var(--ink);background:var(--paper);
overflow-wrap:anywhere}
body:has(#ja:checked) .en,body:has(#en:checked) .ja{display:none}
h1{font-size:1.6rem;line-height:1.3}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:1.2rem 0 .3rem}
a{color:var(--accent)}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
fieldset{border:0;padding:0;margin:0;display:flex;gap:1rem}legend{float:left;margin-right:1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.2rem 1rem;padding:0;list-style:none}
.figures{display:flex;gap:.6rem 2rem;flex-wrap:wrap}.figures b{display:block;font-size:1.5rem}
.dim{color:var(--dim)}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid var(--line)}th{font-weight:600}
thead th{color:var(--dim);font-size:.875rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.bar{width:30%}
.bar svg{display:block;width:100%;height:.9rem;margin-top:.3rem}.bar rect{fill:var(--bar)}
svg text{fill:var(--ink);font-size:13px}svg .small{fill:var(--dim);font-size:12px}
svg .name{font-weight:600}.sankey{width:100%;min-width:46rem}.node{fill:var(--bar)}
.stay{fill:var(--stay)}.leave{fill:var(--leave)}
.signals{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem}
.signals figure{margin:0}.signals figcaption{font-size:.8125rem}.signals svg{width:100%}
.signals path{fill:var(--bar)}.signals line{stroke:var(--bound);stroke-width:2}
.sample{border-left:4px solid var(--line);padding:.1rem .8rem;margin:.5rem 0}
.sample p{margin:.1rem 0}details{margin:.5rem 0}summary{cursor:pointer}
@media(max-width:40rem){.bar{display:none}.scroll table{min-width:22rem}}
@media print{@page{size:A4;margin:16mm}body{max-width:none;font-size:10pt;padding:0}
nav,fieldset{display:none}section{break-inside:avoid-page}details>*{display:revert}
.scroll{overflow:visible}.sankey{min-width:0}}
"""


def html(facts: dict[str, Any], measures: dict[str, Any]) -> str:
    """The page. facts: of `corpus.answers.facts`; measures: of `corpus.answers.measures`."""
    sections = [
        ("funnel", "Funnel", "処理の内訳", _funnel(facts["funnel"])),
        ("rules", "Profiles and rules", "プロファイルと規則", _rules(facts)),
        ("pass", "Who passes", "通過率", _pass_rates(facts, measures)),
        ("signals", "Signals", "信号", _signals(facts, measures)),
        ("make-up", "What it is made of", "構成", _make_up(facts)),
        ("handling", "Rights, personal data, duplicates", "権利・個人情報・重複", _handling(facts)),
        ("samples", "Samples", "ページの例", _samples(measures["samples"])),
    ]
    figures = (
        ("documents", "文書", facts["documents"]),
        ("characters", "文字", facts["characters"]),
        ("UTF-8 bytes", "バイト", facts["bytes"]),
    )
    numbers = "".join(f"<div><b>{value:,}</b>{_t(en, ja)}</div>" for en, ja, value in figures)
    return _page(facts["name"], f"<div class='figures'>{numbers}</div>", sections)


def against(one: dict[str, Any], other: dict[str, Any]) -> str:
    """Two builds side by side, from the facts of both."""
    sizes = [
        (_t(en, ja), one[key], other[key])
        for en, ja, key in (("documents", "文書数", "documents"),
                            ("characters", "文字数", "characters"), ("bytes", "バイト数", "bytes"))
    ]  # fmt: skip
    stages = [
        (_stage(name) + _t(f", {key}", f"、{said}"), *(
            each["funnel"].get(name, {}).get(key, 0) for each in (one, other)))
        for name in dict.fromkeys((*one["funnel"], *other["funnel"]))
        for key, said in (("in", "入力"), ("out", "出力"))
    ]  # fmt: skip
    sections = [
        ("size", "Size", "規模", _two(sizes)),
        ("funnel", "Funnel", "処理の内訳", _two(stages)),
        ("rules", "What was dropped", "除外の理由", _two(_both(_reasons(one), _reasons(other)))),
    ]
    for key, (english, japanese) in TITLES.items():
        counts = [{row[0]: row[1] for row in each["lists"].get(key, [])} for each in (one, other)]
        rows = _both(counts[0], counts[1], escape)
        sections.append((key, english, japanese, _two(rows)))
    lead = f"<p>A: {escape(one['name'])}<br>B: {escape(other['name'])}</p>"
    return _page(f"{one['name']} / {other['name']}", lead, sections)


# the page -----------------------------------------------------------------------------------------


def _page(name: str, lead: str, sections: Sequence[tuple[str, str, str, str]]) -> str:
    shown = [section for section in sections if section[3]]
    links = "".join(f"<li><a href='#{i}'>{_t(en, ja)}</a></li>" for i, en, ja, _ in shown)
    body = "".join(
        f"<section aria-labelledby='{i}'><h2 id='{i}'>{_t(en, ja)}</h2>{content}</section>"
        for i, en, ja, content in shown
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{escape(name)}</title><style>{STYLE}</style></head><body>",
            "<header><fieldset><legend>Language / 言語</legend>"
            "<label><input type='radio' name='lang' id='en' checked> English</label>"
            "<label lang='ja'><input type='radio' name='lang' id='ja'> 日本語</label></fieldset>",
            f"</header><main><h1>{escape(name)}</h1>{lead}<nav aria-label='Contents'><ul>{links}"
            f"</ul></nav>{body}</main></body></html>",
        ]
    ) + "\n"  # fmt: skip


def _t(english: str, japanese: str) -> str:
    """Both languages; CSS shows one."""
    return f"<span class='en'>{english}</span><span class='ja' lang='ja'>{japanese}</span>"


def _stage(name: str) -> str:
    return _t(escape(name), escape(names.stage(name, JAPANESE)))


def _rule(name: str) -> str:
    """A rule's name with its meaning as a hint."""
    if not name:
        return _t("others", "ほか")
    hint = escape(f"{names.meaning(name, ENGLISH)} / {names.meaning(name, JAPANESE)}")
    words = _t(escape(names.called(name, ENGLISH)), escape(names.called(name, JAPANESE)))
    return f"<span title='{hint}'>{words}</span>"


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], label: str) -> str:
    """A table; numbers right, a `_Bar` as a bar. Nothing without rows."""
    rows = list(rows)
    numeric = [bool(rows) and isinstance(rows[0][i], int) for i in range(len(heads))]
    body = [
        "".join(
            f"<td class='bar'>{value}</td>" if isinstance(value, _Bar)
            else f"<td class='n'>{value:,}</td>" if isinstance(value, int)
            else f"<td>{value}</td>"
            for value in row
        )
        for row in rows
    ]  # fmt: skip
    if not body:
        return ""
    head = "".join(
        f"<th scope='col'{' class=n' if right else ''}>{_t(*pair)}</th>" if pair[0] else "<td></td>"
        for pair, right in zip(heads, numeric, strict=True)
    )
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(label)}'><table>"
        f"<thead><tr>{head}</tr></thead><tbody><tr>{'</tr><tr>'.join(body)}</tr></tbody></table></div>"
    )


class _Bar:
    """A share from 0 to 1 as a bar."""

    def __init__(self, part: float, whole: float) -> None:
        self.share = part / whole if whole else 0.0

    def __str__(self) -> str:
        return (
            "<svg viewBox='0 0 100 10' preserveAspectRatio='none' aria-hidden='true'>"
            f"<rect width='{self.share * 100:.2f}' height='10' rx='1'/></svg>"
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


# its sections -------------------------------------------------------------------------------------


def _funnel(funnel: dict[str, Any]) -> str:
    """The Sankey diagram in each language, and all reasons as a table."""
    drawings = ""
    for language, kind in ((ENGLISH, "en"), (JAPANESE, "ja")):
        label = "Where the records went" if language == ENGLISH else "記録の行き先"

        def stage(name: str, language: str = language) -> str:
            return escape(names.stage(name, language))

        def reason(name: str, language: str = language) -> str:
            others = "others" if language == ENGLISH else "ほか"
            japanese = names.rule(name).japanese if language == JAPANESE else ""
            return escape(_short(japanese or name) if name else others)

        drawing = sankey(funnel, stage, reason).replace(
            'aria-labelledby="funnel-title"', f'aria-label="{label}"'
        )
        drawings += (
            f"<div class='scroll {kind}' lang='{language}' tabindex='0' role='region' "
            f"aria-label='{label}'>{drawing}</div>"
        )
    rows = [
        (_stage(stage), _rule(name), count, _share(count, entry["in"]), _Bar(count, entry["in"]))
        for stage, entry in funnel.items()
        for fate in ("skipped", "dropped")
        for name, count in entry.get(fate, {}).items()
    ]
    heads = (("stage", "段階"), ("reason", "理由"), ("records", "件数"),
             ("share of the stage", "段階に占める割合"), ("", ""))  # fmt: skip
    table = _table(heads, rows, "Reasons")
    said = _t("All reasons", "すべての理由")
    return f"{drawings}<details><summary>{said}</summary>{table}</details>"


def _short(text: str) -> str:
    return text if len(text) <= 20 else text[:19] + "…"


def _rules(facts: dict[str, Any]) -> str:
    """Of each source its profile's share, then each profile's rules with what they dropped."""
    parts = [
        _table(
            (("source", "出典"), ("profile", "プロファイル"), ("in", "入力"), ("kept", "収録"),
             ("", "")),
            [(escape(source), escape(profile), n, kept, _Bar(kept, n))
             for source, profile, n, kept in by_source(facts["funnel"])],
            "Profiles",
        )
    ]  # fmt: skip
    for profile in facts["rules"]:
        most = max((rule["dropped"] for rule in profile["rules"]), default=0)
        rows = [
            (_rule(rule["name"]), escape(rule["bounds"]), rule["dropped"],
             _Bar(rule["dropped"], most))
            for rule in profile["rules"]
        ]  # fmt: skip
        heads = (("rule", "規則"), ("kept when", "残す条件"), ("dropped", "除外"), ("", ""))
        taken = sum(rule["dropped"] for rule in profile["rules"])
        title = escape(profile["name"]) + _t(f": {taken:,} dropped", f"：除外 {taken:,}")
        table = _error(profile["judged"]) + _table(heads, rows, profile["name"])
        is_open = " open" if taken else ""
        parts.append(f"<details{is_open}><summary>{title}</summary>{table}</details>")
    return "".join(parts)


def _error(found: dict[str, Any] | None) -> str:
    if found is None:
        return f"<p>{_t('Its error was not measured.', '誤りの割合は計測されていません。')}</p>"
    drops, keeps = found["wrong_drops"], found["wrong_keeps"]
    spans = [f"{value:.1%} ({low:.1%}–{high:.1%})" for value, low, high in (drops, keeps)]
    return "<p>" + _t(
        f"Of web pages that people judged it drops {spans[0]} of those to keep and keeps "
        f"{spans[1]} of those to drop (95 % intervals).",
        f"人手で判定したウェブページのうち、残すべきものの {spans[0]} を除き、除くべきものの "
        f"{spans[1]} を残します（95 % 区間）。",
    ) + "</p>"  # fmt: skip


def _pass_rates(facts: dict[str, Any], measures: dict[str, Any]) -> str:
    out = ""
    for key, english, japanese in (("sources", "source", "出典"),
                                   ("lengths", "characters", "文字数")):  # fmt: skip
        rows = [
            (escape(str(name)), n, kept, _share(kept, n), _Bar(kept, n))
            for name, n, kept in measures[key]
        ]
        heads = ((english, japanese), ("documents", "文書数"), ("in the corpus", "収録"),
                 ("share", "割合"), ("", ""))  # fmt: skip
        out += _table(heads, rows, english)
    return out


def _signals(facts: dict[str, Any], measures: dict[str, Any]) -> str:
    """Small histograms: those with thresholds first, the others folded away."""
    bounds: dict[str, list[tuple[float, str]]] = {}
    for profile in facts["rules"]:
        for rule in profile["rules"]:
            for value in (rule["low"], rule["high"]):
                if value is not None:
                    bounds.setdefault(rule["signal"], []).append((value, profile["name"]))
    figures = {
        name: _histogram(name, found, bounds.get(name, []))
        for name, found in measures["histograms"].items()
    }
    first = "".join(figure for name, figure in figures.items() if name in bounds)
    rest = "".join(figure for name, figure in figures.items() if name not in bounds)
    lead = _t(
        "Of the documents before dedup, between the 0.5 % and the 99.5 % quantile; lines are "
        "thresholds of the profiles.",
        "重複除去前の文書。0.5 % 点から 99.5 % 点まで。線はプロファイルの閾値。",
    )
    said = _t("Signals without a threshold", "閾値のない信号")
    folded = f"<details><summary>{said}</summary><div class='signals'>{rest}</div></details>"
    return f"<p>{lead}</p><div class='signals'>{first}</div>{folded}" if figures else ""


def _histogram(name: str, found: dict[str, Any], bounds: list[tuple[float, str]]) -> str:
    counts, (low, high) = found["counts"], found["edges"]
    most, width = max(counts) or 1, 200 / len(counts)
    steps = "".join(
        f"M{i * width:.1f},60v{-56 * count / most:.1f}h{width - 0.6:.1f}v{56 * count / most:.1f}z"
        for i, count in enumerate(counts)
        if count
    )
    lines = ""
    for value, profile in dict.fromkeys(bounds):
        x = 200 * min(max((value - low) / (high - low), 0), 1)
        title = escape(f"{profile}: {value:g}")
        lines += f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='62'><title>{title}</title></line>"
    signal = signal_of(name)
    hint = escape(signal.description if signal else name)
    marks = ", ".join(dict.fromkeys(f"{value:g}" for value, _ in bounds))
    return (
        f"<figure><svg viewBox='0 0 200 76' role='img' aria-label='{escape(name)}: {low:.4g}–"
        f"{high:.4g}'><path d='{steps}'/>{lines}<text x='0' y='74' class='small'>{low:.3g}</text>"
        f"<text x='200' y='74' text-anchor='end' class='small'>{high:.3g}</text></svg>"
        f"<figcaption title='{hint}'>{escape(name)}{f' ({marks})' if marks else ''}</figcaption>"
        "</figure>"
    )


def _make_up(facts: dict[str, Any]) -> str:
    """Lists, years, scripts and blocks, each with bars."""
    out = ""
    for name, (english, japanese) in TITLES.items():
        rows = facts["lists"].get(name, [])
        out += _counted(english, japanese, [(escape(str(r[0])), r[1]) for r in rows])
    out += _counted("Year of publication", "公開年", facts["dates"].items())
    out += _counted("Year of capture", "取得年", facts.get("captures", {}).items())
    shares = [
        (_t(name, SCRIPTS[name]), f"{share:.1%}", _Bar(share, 1))
        for name, share in facts.get("scripts", {}).items()
    ]
    heads = (("script", "文字種"), ("share", "割合"), ("", ""))
    if shares:
        out += f"<h3>{_t('Scripts', '文字種')}</h3>" + _table(heads, shares, "Scripts")
    blocks = [(_t(kind, BLOCKS[kind]), row[0]) for kind, row in facts.get("blocks", {}).items()]
    return out + _counted("Blocks", "ブロック", blocks)


def _counted(english: str, japanese: str, rows: Iterable[tuple[str, int]]) -> str:
    """A heading and a table of documents."""
    listed = list(rows)
    most = max((count for _, count in listed), default=0)
    body = [(name, count, _Bar(count, most)) for name, count in listed]
    heads = ((english, japanese), ("documents", "文書数"), ("", ""))
    return f"<h3>{_t(english, japanese)}</h3>" + _table(heads, body, english) if body else ""


def _handling(facts: dict[str, Any]) -> str:
    rights = {
        "reserved_phrase": ("a phrase that reserves rights", "無断転載禁止等の表示"),
        "robots_directives": ("robots directives", "robots 指定"),
        "robots_txt": ("a robots.txt that forbids some agent", "robots.txt による拒否"),
        "licence_link": ("a licence link", "ライセンスへのリンク"),
        "repaired": ("repaired bytes", "文字化けの修復"),
        "truncated": ("may end early", "途中で切れている可能性"),
    }
    said = facts["rights"]
    out = _counted("Documents with", "次をもつ文書",
                   [(_t(*words), said[key]) for key, words in rights.items() if said])  # fmt: skip
    personal = [
        (_t(name, names.rule(f"personal_{name}").japanese), entry["documents"])
        for name, entry in facts.get("personal", {}).items()
    ]
    out += _counted("Personal data", "個人情報", personal)
    harm = facts.get("harm", {"severity": {}, "topics": {}})
    severity = [(_t(*SEVERITY.get(k, (k, k))), n) for k, n in harm["severity"].items()]
    out += _counted("Severity of harmful words", "有害語の強さ", severity)
    out += _counted("Words", "語", [(_t(*TOPICS[k]), n) for k, n in harm["topics"].items()])
    return out + _counted("Copies of a document", "同じ文書の数", facts.get("clusters", {}).items())


def _samples(samples: dict[str, list[dict[str, Any]]]) -> str:
    """Kept pages, then some of each rule; what holds strong harmful words is folded away."""
    out = ""
    for rule, rows in samples.items():
        title = _rule(rule) if rule else _t("In the corpus", "収録されたページ")
        meaning = _t(escape(names.meaning(rule, ENGLISH)), escape(names.meaning(rule, JAPANESE)))
        out += f"<h3>{title}</h3>" + (f"<p class='dim'>{meaning}</p>" if rule else "")
        for row in rows:
            sample = (
                f"<div class='sample'><p><bdi>{_safe(row['title'])}</bdi></p>"
                f"<p class='dim'><bdi>{_safe(row['url'])}</bdi></p>"
                f"<p><bdi>{_safe(row['start'])}</bdi></p></div>"
            )
            folded = _t("Strong words: open to read", "強い語を含むため折りたたみ")
            out += (
                f"<details><summary>{folded}</summary>{sample}</details>"
                if row["harmful"] else sample
            )  # fmt: skip
    return out


def _safe(text: str) -> str:
    """Text of strangers: escaped, in one line, without unseen characters."""
    seen = "".join(c if c.isprintable() else " " for c in text)
    return escape(" ".join(seen.split()))


def _reasons(facts: dict[str, Any]) -> dict[str, int]:
    return {
        name: count
        for entry in facts["funnel"].values()
        for name, count in entry.get("dropped", {}).items()
    }


def _both(
    one: dict[str, int], other: dict[str, int], said: Callable[[str], str] = _rule
) -> list[tuple[str, int, int]]:
    return [(said(k), one.get(k, 0), other.get(k, 0)) for k in dict.fromkeys((*one, *other))]


def _two(rows: Sequence[tuple[str, int, int]]) -> str:
    """Figures of A and B with the difference."""
    body = [
        (name, a, b, f"{b - a:+,}", _Bar(a, max(a, b, 1)), _Bar(b, max(a, b, 1)))
        for name, a, b in rows
    ]
    heads = (("", ""), ("A", "A"), ("B", "B"), ("difference", "差"), ("", ""), ("", ""))
    return _table(heads, body, "A and B")
