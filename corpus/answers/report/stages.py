"""The report on the way of the records: funnel, time of the steps, rules, who passes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from corpus.answers.facts import by_source
from corpus.answers.report.parts import Bar, both, code, rule, share, stage, table, titled
from corpus.answers.report.sankey import sankey
from corpus.folder.times import Took
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE


def funnel(books: dict[str, Any], times: Mapping[str, Took]) -> str:
    """The Sankey diagram in each language, the steps, and all reasons as a table.

    times: of `corpus.folder.times`; empty on the published page, whose bytes no clock decides.
    """
    drawings = "".join(_drawing(books, language) for language in (ENGLISH, JAPANESE))
    rows = [
        (stage(name), rule(reason), count, share(count, entry["in"]), Bar(count, entry["in"]))
        for name, entry in books.items()
        for fate in ("skipped", "dropped")
        for reason, count in entry.get(fate, {}).items()
    ]
    heads = (("stage", "段階"), ("reason", "理由"), ("records", "件数"),
             ("share of the stage", "段階に占める割合"), ("", ""))  # fmt: skip
    reasons = table(heads, rows, "Reasons")
    said = both("All reasons", "すべての理由")
    folded = f"<details><summary>{said}</summary>{reasons}</details>" if reasons else ""
    return drawings + (_timed(books, times) if times else _steps(books)) + folded


def _drawing(books: dict[str, Any], language: str) -> str:
    """The diagram in a language."""
    label = "Where the records went" if language == ENGLISH else "記録の行き先"
    others = "others" if language == ENGLISH else "ほか"

    def stage_name(name: str) -> str:
        return names.stage(name, language)

    def reason(name: str) -> str:
        japanese = names.rule(name).japanese if language == JAPANESE else ""
        return japanese or name or others

    drawing = sankey(books, stage_name, reason).replace(
        'aria-labelledby="funnel-title"', f'aria-label="{label}"'
    )
    kind = "en" if language == ENGLISH else "ja"
    return (
        f"<div class='scroll {kind}' lang='{language}' tabindex='0' role='region' "
        f"aria-label='{label}'>{drawing}</div>"
    )


def _steps(books: dict[str, Any]) -> str:
    """Each stage with what it removed."""
    rows = [
        (stage(name), entry["in"], entry["out"], share(entry["in"] - entry["out"], entry["in"]),
         Bar(entry["in"] - entry["out"], entry["in"]))
        for name, entry in books.items()
    ]  # fmt: skip
    heads = (("stage", "段階"), ("in", "入力"), ("out", "出力"),
             ("removed", "除去率"), ("", ""))  # fmt: skip
    note = both(
        "How long each stage took depends on the machine, so it is not on this page, whose bytes "
        "are the same everywhere: <code>corpus report DIR --out FILE</code> writes a page with it.",
        "所要時間は計算機ごとに異なるため、どこでも同じバイト列になるこの頁には載せません。"
        "<code>corpus report DIR --out FILE</code> が所要時間つきの頁を作ります。",
    )
    return f"{table(heads, rows, 'Steps')}<p class='dim small screen'>{note}</p>"


def _timed(books: dict[str, Any], times: Mapping[str, Took]) -> str:
    """Each stage with what it removed and what it took."""
    unknown = Took(0.0, 0.0, 0, 0.0)
    took = {name: times.get(name, unknown) for name in books}
    whole = sum(each.cpu for each in took.values())
    rows = [
        (stage(name), entry["in"], share(entry["in"] - entry["out"], entry["in"]),
         round(took[name].seconds, 1), round(took[name].cpu, 1),
         round(entry["in"] / took[name].cpu) if took[name].cpu else "–",
         took[name].units, round(took[name].slowest, 1), Bar(took[name].cpu, whole))
        for name, entry in books.items()
    ]  # fmt: skip
    heads = (("stage", "段階"), ("in", "入力"), ("removed", "除去率"),
             ("seconds", "経過秒"), ("CPU seconds", "CPU 秒"),
             ("records per CPU second", "CPU 秒あたり件数"), ("units", "処理単位"),
             ("slowest unit, s", "最長の単位（秒）"), ("CPU", "CPU"))  # fmt: skip
    return titled("Time and removal of each step", "段階ごとの所要時間と除去",
                  table(heads, rows, "Steps"))  # fmt: skip


def rules(facts: dict[str, Any]) -> str:
    """Of each source its profile's share, then each profile's rules with what they dropped."""
    heads = (("source", "出典"), ("profile", "プロファイル"), ("in", "入力"), ("kept", "収録"),
             ("", ""))  # fmt: skip
    rows = [
        (escape(source), escape(profile), n, kept, Bar(kept, n))
        for source, profile, n, kept in by_source(facts["funnel"])
    ]
    return table(heads, rows, "Profiles") + "".join(map(_profile, facts["rules"]))


def _profile(profile: dict[str, Any]) -> str:
    """Its measured error, the rules that dropped something, and the others in a line."""
    took = [rule for rule in profile["rules"] if rule["dropped"]]
    most = max((each["dropped"] for each in took), default=0)
    rows = [
        (rule(each["name"]), code(each["bounds"]), each["dropped"], Bar(each["dropped"], most))
        for each in took
    ]
    heads = (("rule", "規則"), ("kept when", "残す条件"), ("dropped", "除外"), ("", ""))
    idle = "; ".join(
        f"{rule(each['name'])} ({code(each['bounds'])})"
        for each in profile["rules"]
        if not each["dropped"]
    )
    nothing = both("No document failed", "該当なし")
    rest = f"<p class='small dim'>{nothing}: {idle}</p>" if idle else ""
    taken = sum(each["dropped"] for each in took)
    title = code(profile["name"]) + both(f": {taken:,} dropped", f"：除外 {taken:,}")
    return (
        f"<details{' open' if taken else ''}><summary>{title}</summary>"
        f"{_error(profile['judged'])}{table(heads, rows, profile['name'])}{rest}</details>"
    )


def _error(found: dict[str, Any] | None) -> str:
    if found is None:
        return f"<p>{both('Its error was not measured.', '誤りの割合は計測されていません。')}</p>"
    drops, keeps = found["wrong_drops"], found["wrong_keeps"]
    spans = [f"{value:.1%} ({low:.1%}–{high:.1%})" for value, low, high in (drops, keeps)]
    return "<p>" + both(
        f"Of web pages that people judged it drops {spans[0]} of those to keep and keeps "
        f"{spans[1]} of those to drop (95 % intervals).",
        f"人手で判定したウェブページのうち、残すべきものの {spans[0]} を除き、除くべきものの "
        f"{spans[1]} を残します（95 % 区間）。",
    ) + "</p>"  # fmt: skip


def pass_rates(measures: dict[str, Any]) -> str:
    """Of all documents before dedup the share that is in the corpus, by source and by length."""
    out = ""
    for key, english, japanese in (("sources", "source", "出典"),
                                   ("lengths", "characters", "文字数")):  # fmt: skip
        rows = [
            (escape(str(name)), n, kept, share(kept, n), Bar(kept, n))
            for name, n, kept in measures[key]
        ]
        heads = ((english, japanese), ("documents", "文書数"), ("in the corpus", "収録"),
                 ("share", "割合"), ("", ""))  # fmt: skip
        out += table(heads, rows, english)
    return out
