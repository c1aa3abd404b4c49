"""report.html: the funnel and the make-up of a corpus on one page that opens without a network."""

from __future__ import annotations

from html import escape
from typing import Any

from corpus.answers.card import TITLES
from corpus.answers.facts import by_source
from corpus.stages.table import STAGES

STYLE = """
body{font:16px/1.6 system-ui,"Hiragino Sans","Noto Sans JP",sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{padding:.25rem .6rem;text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr+tr td{border-top:1px solid #e4e4e4}
.bar{background:#d9a514;height:.8rem;border-radius:2px;min-width:1px}
.figures{display:flex;gap:2rem;flex-wrap:wrap}.figures b{display:block;font-size:1.5rem}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e8e8e8}tr+tr td{border-color:#333}}
"""


def html(facts: dict[str, Any]) -> str:
    """The page, from the card's facts."""
    figures = (
        ("documents / 文書", facts["documents"]),
        ("characters / 文字", facts["characters"]),
        ("UTF-8 bytes / バイト", facts["bytes"]),
    )
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{escape(facts['name'])}</title><style>{STYLE}</style>",
        f"<h1>{escape(facts['name'])}</h1><div class='figures'>",
        *(f"<div><b>{value:,}</b>{escape(name)}</div>" for name, value in figures),
        "</div>",
        _funnel(facts["funnel"]),
        _profiles(facts["funnel"]),
    ]
    for name, (english, japanese) in TITLES.items():
        rows = facts["lists"].get(name)
        if rows:
            parts.append(f"<h2>{english} / {japanese}</h2>" + _table(rows))
    return "\n".join(parts) + "\n"


def _funnel(funnel: dict[str, Any]) -> str:
    start = max((entry["in"] for entry in funnel.values()), default=0) or 1
    rows = []
    for stage, entry in funnel.items():
        reasons = {**entry.get("skipped", {}), **entry.get("dropped", {})}
        words = ", ".join(f"{escape(reason)} {count:,}" for reason, count in reasons.items())
        rows.append(
            f"<tr><td>{title(stage)}</td><td class=n>{entry['in']:,}</td>"
            f"<td class=n>{entry['out']:,}</td>"
            f"<td style='width:30%'><div class=bar style='width:{entry['out'] / start:.2%}'></div>"
            f"</td><td>{words}</td></tr>"
        )
    head = "<tr><th>stage<th class=n>in<th class=n>out<th><th>where the rest went</tr>"
    return f"<h2>Funnel / 処理の内訳</h2><table>{head}{''.join(rows)}</table>"


def _profiles(funnel: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(source)}</td><td>{escape(profile)}</td><td class=n>{n:,}</td>"
        f"<td class=n>{kept:,}</td><td style='width:40%'>"
        f"<div class=bar style='width:{kept / n:.2%}'></div></td></tr>"
        for source, profile, n, kept in by_source(funnel)
    )
    head = "<tr><th>source<th>profile<th class=n>in<th class=n>kept<th></tr>"
    return f"<h2>By source and profile / 出典・プロファイル別</h2><table>{head}{rows}</table>"


def _table(rows: list[list[Any]]) -> str:
    most = max(row[1] for row in rows) or 1
    body = "".join(
        f"<tr><td>{escape(str(value))}</td><td class=n>{documents:,}</td>"
        f"<td class=n>{characters:,}</td><td style='width:40%'>"
        f"<div class=bar style='width:{documents / most:.2%}'></div></td></tr>"
        for value, documents, characters in rows
    )
    return f"<table><tr><th>value<th class=n>documents<th class=n>characters<th></tr>{body}</table>"


def title(stage: str) -> str:
    """The name of a stage in English and Japanese."""
    japanese = {row.name: row.japanese for row in STAGES}
    return f"{stage} / {japanese.get(stage, stage)}"
