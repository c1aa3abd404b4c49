"""report.html: a run on one page that opens without a network or a script, in English and Japanese.

It has the look of the reports of `corpus`, whose code the trainer does not import: curves are SVG,
the same figures stand in tables, radio buttons and CSS choose the language. `trainer report` writes
it at any time, the run itself at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from trainer import files
from trainer.analysis.curves import chart
from trainer.config.settings import Config, ConfigError
from trainer.data.steps import Timeline, total_steps
from trainer.folder.run import load_run, metrics, skipped

STYLE = """
:root{color-scheme:light dark;--ink:#1c1e21;--dim:#575d66;--paper:#fff;--line:#d9dde3;
--bound:#a3231f;--accent:#0b5cad;--c0:#0072b2;--c1:#b87400;--c2:#009e73;--c3:#b0588e;--c4:#3d8ebd;
--c5:#d55e00;--c6:#8a7d00;--c7:#1c1e21}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--dim:#a5adb8;--paper:#15171a;--line:#363b43;
--bound:#ff9d97;--accent:#7db8f5;--c0:#5ab1e6;--c1:#e69f00;--c2:#2cc79c;--c3:#e29bc5;--c4:#9bd3f5;
--c5:#ff8a3d;--c6:#f0e442;--c7:#e6e8eb}}
*{box-sizing:border-box}
body{font:16px/1.65 system-ui,"Hiragino Sans","Noto Sans CJK JP","Noto Sans JP",sans-serif;
max-width:66rem;margin:0 auto;padding:1rem;color:var(--ink);background:var(--paper);
overflow-wrap:anywhere}
body:has(#ja:checked) .en,body:has(#en:checked) .ja{display:none}
h1{font-size:1.6rem;line-height:1.3}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
a{color:var(--accent)}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
fieldset{border:0;padding:0;margin:0;display:flex;gap:1rem}legend{float:left;margin-right:1rem}
.figures{display:flex;gap:.6rem 2rem;flex-wrap:wrap}.figures b{display:block;font-size:1.5rem}
.dim{color:var(--dim)}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;text-align:left;
vertical-align:top;border-bottom:1px solid var(--line)}thead th{color:var(--dim);font-size:.875rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font-size:.875rem}pre{overflow-x:auto}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1.5rem}
.charts figure{margin:0}.charts .wide{grid-column:1/-1;min-width:0}
.wide .scroll svg{min-width:40rem}figcaption{font-weight:600}
.charts svg{width:100%;display:block}svg text{fill:var(--dim);font-size:12px}
svg .grid{stroke:var(--line)}svg .mark{stroke:var(--bound);stroke-dasharray:2 3}
svg .phase{stroke:var(--dim)}svg polyline{fill:none;stroke-width:1.8}svg .held{stroke-dasharray:6 4}
.key{display:flex;flex-wrap:wrap;gap:.1rem 1rem;list-style:none;padding:0;margin:.2rem 0;
font-size:.875rem}.key svg{width:1.6rem;height:.6rem;display:inline-block;margin-right:.3rem}
@media(max-width:40rem){.scroll table{min-width:34rem}}
@media print{@page{size:A4;margin:16mm}body{max-width:none;font-size:10pt;padding:0}
fieldset{display:none}section,figure{break-inside:avoid-page}.scroll{overflow:visible}}
"""


DocumentsOf = Callable[[int], list[dict[str, Any]]]  # step -> its documents with their `id`
SHOWN = 5  # documents that are linked from a step


def write_report(
    folder: Path, explorer: str = "", documents_of: DocumentsOf | None = None
) -> Path | None:
    """Write RUN/report.html and say where; None when the run has no figures yet.

    explorer: address of a `corpus explore` of the corpus, with `documents_of` (analysis.trace) for
    links from steps to documents. Raises ConfigError when it is no address.
    """
    rows = metrics(folder)
    if not rows:
        return None
    if explorer and urlsplit(explorer).scheme not in ("http", "https"):
        raise ConfigError(f"--explorer is {explorer!r}: an address, as http://127.0.0.1:8000")
    config, _ = load_run(folder)
    path = folder / "report.html"
    files.write(path, html(folder, config, rows, explorer, documents_of).encode())
    return path


def html(
    folder: Path,
    config: Config,
    rows: Sequence[dict[str, Any]],
    explorer: str = "",
    documents_of: DocumentsOf | None = None,
) -> str:
    """The page of a run from the rows of its metrics.jsonl."""
    if not explorer:
        documents_of = None
    left_out = sorted(step + 1 for step in skipped(folder))
    parts = [
        ("Curves", "曲線", _curves(config, rows, left_out)),
        ("Held-out text", "評価用テキスト", _held_out(rows)),
        ("What each phase read", "各フェーズが読んだもの", _phases(config)),
        ("Steps passed over", "飛ばしたステップ", _passed_over(left_out)),
        ("From a step to its documents", "ステップから文書へ",
         _steps(folder, config, rows, left_out, explorer, documents_of)),
        ("Settings", "設定", _settings(folder)),
    ]  # fmt: skip
    body = "".join(
        f"<section><h2>{_t(en, ja)}</h2>{content}</section>" for en, ja, content in parts
    )
    name = escape(folder.resolve().name)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{name}</title><style>{STYLE}</style></head><body>"
        "<header><fieldset><legend>Language / 言語</legend>"
        "<label><input type='radio' name='lang' id='en' checked> English</label>"
        "<label lang='ja'><input type='radio' name='lang' id='ja'> 日本語</label></fieldset>"
        f"</header><main><h1>{name}</h1>{_figures(config, rows)}{body}</main></body></html>\n"
    )


def _t(english: str, japanese: str) -> str:
    """Both languages; CSS shows one."""
    return f"<span class='en'>{english}</span><span class='ja' lang='ja'>{japanese}</span>"


def _table(heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[str | int | float]]) -> str:
    """A table; numbers stand right, strings are HTML already."""
    listed = list(rows)
    right = [isinstance(value, (int, float)) for value in listed[0]] if listed else []

    def cell(value: str | int | float) -> str:
        if isinstance(value, str):
            return f"<td>{value}</td>"
        shown = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
        return f"<td class='n'>{shown}</td>"

    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in listed)
    head = "".join(
        f"<th scope='col'{' class=n' if numeric else ''}>{_t(*pair)}</th>"
        for pair, numeric in zip(heads, right, strict=True)
    )
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='Table'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


# its sections -------------------------------------------------------------------------------------


def _trained(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if "train" in row]


def _figures(config: Config, rows: Sequence[dict[str, Any]]) -> str:
    """Where the run stands, in four numbers."""
    step = max(row["step"] for row in rows)
    train = _trained(rows)
    held = [row["held_out"] for row in rows if "held_out" in row]
    shown = [("steps", "ステップ", f"{step:,} / {total_steps(config):,}"),
             ("tokens read", "読んだトークン", f"{Timeline(config).tokens(step):,}")]  # fmt: skip
    if held and "bpc" in held[-1]:
        shown.append(("bits per character, held out", "1 文字あたりビット（評価）",
                      f"{held[-1]['bpc']:.3f}"))  # fmt: skip
    if train:
        shown.append(("tokens per second", "毎秒トークン", f"{train[-1]['tokens_per_s']:,.0f}"))
    blocks = "".join(f"<div><b>{value}</b>{_t(en, ja)}</div>" for en, ja, value in shown)
    return f"<div class='figures'>{blocks}</div>"


def _curves(config: Config, rows: Sequence[dict[str, Any]], left_out: Sequence[int]) -> str:
    """Loss by source, learning rate, gradient norm, throughput; marks at skipped steps, phases."""
    train = _trained(rows)
    phases = [part.first_step for part in Timeline(config).parts[1:]]
    singles = [
        ("Learning rate", "学習率", "lr", False),
        ("Gradient norm before clipping", "勾配ノルム（クリップ前）", "grad_norm", True),
        ("Tokens per second", "毎秒トークン", "tokens_per_s", False),
        ("Wait for data, ms a step", "データ待ち（ms／ステップ）", "data_wait_ms", False),
    ]
    figures = [
        ("Bits per character", "1 文字あたりビット", _by_source(rows), False, " class='wide'")
    ]
    figures += [
        (en, ja, {("", False): [(r["step"], r[key]) for r in train if key in r]}, logarithmic, "")
        for en, ja, key, logarithmic in singles
    ]
    drawn = "".join(
        f"<figure{kind}><figcaption>{_t(en, ja)}</figcaption>"
        f"{chart(en, series, left_out, phases, logarithmic, wide=bool(kind))}</figure>"
        for en, ja, series, logarithmic, kind in figures
        if any(series.values())
    )
    note = _t(
        "Dashed curves: held-out text. Red dotted lines: steps passed over. Grey lines: phases.",
        "破線は評価用テキスト、赤い点線は飛ばしたステップ、灰色の線はフェーズの境目。",
    )
    return f"<p class='dim'>{note}</p><div class='charts'>{drawn}</div>"


def _by_source(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, bool], list[tuple[int, float]]]:
    """(name, held out) -> points of bits per character, all sources together first."""
    series: dict[tuple[str, bool], list[tuple[int, float]]] = {}
    for row in rows:
        for key in ("train", "held_out"):
            for name, found in [
                ("", row.get(key, {})),
                *row.get(key, {}).get("sources", {}).items(),
            ]:
                if "bpc" in found:
                    points = series.setdefault((name or "all", key == "held_out"), [])
                    points.append((row["step"], found["bpc"]))
    return series


def _held_out(rows: Iterable[dict[str, Any]]) -> str:
    found = [
        (row["step"], _t("all", "全体") if not name else escape(name), value["bpb"], value["bpc"])
        for row in rows
        if "held_out" in row
        for name, value in [("", row["held_out"]), *row["held_out"].get("sources", {}).items()]
        if "bpc" in value
    ]
    heads = (("step", "ステップ"), ("source", "出典"), ("bits/byte", "ビット／バイト"),
             ("bits/character", "ビット／文字"))  # fmt: skip
    if not found:
        return f"<p>{_t('None was measured.', '計測なし。')}</p>"
    last = [row for row in found if row[0] == found[-1][0]]
    said = _t(f"All {len(found):,} rows", f"全 {len(found):,} 行")
    every = f"<details><summary>{said}</summary>{_table(heads, found)}</details>"
    return _table(heads, last) + (every if len(found) > len(last) else "")


def _phases(config: Config) -> str:
    """First and last step, tokens, folders and mix of every phase."""
    rows = []
    for number, part in enumerate(Timeline(config).parts, 1):
        own, weights = part.config, part.config.data.weights
        steps = total_steps(config) - part.first_step if len(config.phases) < 2 else part.steps
        mix = ", ".join(f"{escape(name)} {share:g}" for name, share in weights.items())
        rows.append((
            number, f"{part.first_step + 1:,}–{part.first_step + steps:,}",
            Timeline(config).tokens(part.first_step + steps) - part.first_token,
            own.data.seq_len, "<br>".join(map(escape, part.folders)),
            mix or _t("as it comes", "そのまま"),
        ))  # fmt: skip
    heads = (("phase", "フェーズ"), ("steps", "ステップ"), ("tokens", "トークン"),
             ("tokens of a row", "行の長さ"), ("folders", "フォルダ"), ("mix", "配合"))  # fmt: skip
    return _table(heads, rows)


def _passed_over(left_out: Sequence[int]) -> str:
    if not left_out:
        return f"<p>{_t('None.', 'なし。')}</p>"
    listed = ", ".join(f"{step:,}" for step in left_out)
    why = _t("Their gradient norm was a spike; their batch was not trained on.",
             "勾配ノルムが急上昇したため、そのバッチでは学習していない。")  # fmt: skip
    return f"<p>{why}</p><p>{listed}</p>"


def _steps(folder: Path, config: Config, rows: Iterable[dict[str, Any]],
           left_out: Sequence[int], explorer: str,
           documents_of: DocumentsOf | None) -> str:  # fmt: skip
    """Of the steps worth asking for: the command that names their documents, links if possible."""
    if not Timeline(config).folders[0]:
        tuned = ("Tuned on conversations: no step can be traced.", "会話での調整のため追跡不可。")
        return f"<p>{_t(*tuned)}</p>"
    train = _trained(rows)
    high = sorted(train, key=lambda row: -row["grad_norm"])[:5]
    chosen = sorted({row["step"] for row in [*high, *train[:1], *train[-1:]]} - set(left_out))
    norms = {row["step"]: row["grad_norm"] for row in train}
    listed = []
    for step in chosen:
        command = f"<code>trainer trace {escape(folder.name)} --step {step}</code>"
        links = _links(documents_of(step), explorer) if documents_of else ""
        listed.append((step, float(norms[step]), command + links))
    said = _t("The first, the last, and those with the highest gradient norm.",
              "最初、最後、勾配ノルムの高いもの。")  # fmt: skip
    heads = (("step", "ステップ"), ("gradient norm", "勾配ノルム"), ("its documents", "文書"))
    return f"<p class='dim'>{said}</p>" + _table(heads, listed)


def _links(documents: Iterable[dict[str, Any]], explorer: str) -> str:
    """Links to the first documents of a step in the explorer, and how many more there are."""
    found = {str(d["id"]): str(d.get("url") or d["id"]) for d in documents if d.get("id")}
    links = [
        f"<br><a href='{escape(explorer.rstrip('/'))}/document/{quote(name, safe='')}'>"
        f"<bdi>{escape(said)}</bdi></a>"
        for name, said in list(found.items())[:SHOWN]
    ]
    more = len(found) - SHOWN
    return "".join(links) + (f"<br>{_t(f'and {more:,} more', f'ほか {more:,} 件')}" * (more > 0))


def _settings(folder: Path) -> str:
    text = (folder / "config.toml").read_text(encoding="utf-8")
    return f"<details><summary>config.toml</summary><pre>{escape(text)}</pre></details>"
