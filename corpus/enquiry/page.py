"""The answer as a document for people, in Japanese and English: Markdown and HTML.

Everything that came from outside (items, addresses, titles) is shown as text of one line: no sign
of Markdown or HTML, no control or direction character of it works.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from corpus.answers.markdown import UNSEEN, escaped

AGENTS = 4  # crawlers that are named
SHORT = 120  # characters of an item that are shown
UNSEEN_LISTED = 500  # items that were not seen and are listed; the rest are counted

OUTCOMES = {  # outcome → (Japanese, English)
    "present": ("収録", "in the corpus"),
    "present_as_copy": ("複製として収録", "in the corpus as another copy"),
    "taken_out": ("削除済み", "taken out"),
    "reserved": ("権利の留保により不収録", "read, kept out because its use is reserved"),
    "dropped": ("読んだが不収録", "read, not in the corpus"),
    "undecided": ("読んだが未選別", "read, not selected yet"),
    "not_seen": ("記録なし", "not seen"),
    "unanswerable": ("回答不能", "cannot be answered"),
}
KINDS = {
    "url": ("URL", "address"), "host": ("ホスト", "host"), "title": ("題名", "title"),
    "excerpt": ("抜粋", "excerpt"), "isbn": ("ISBN", "ISBN"), "doi": ("DOI", "DOI"),
    "text": ("全文", "whole text"),
}  # fmt: skip
HOW = {
    "address": ("URLが一致", "same address"), "host": ("ホストが一致", "on that host"),
    "title": ("題名が一致", "same title"), "passage": ("抜粋を含む", "holds the passage"),
    "number": ("番号を含む", "holds the number"), "text": ("全文を含む", "holds the whole text"),
    "part": ("一部を含む", "holds a part"), "near": ("よく似た文書", "is like it"),
}  # fmt: skip
TEXTS_BY = {
    "index": (
        "索引で照合 (6文字以上の連続が保存どおりに残る文書に限る)",
        "by the index: of documents in which an unbroken run of 6 letters of it or more stands as "
        "written",
    ),
    "scan": ("すべての文書を照合", "every document was read"),
}
LIMITS = (
    (
        "言い換え、要約、翻訳、書き直された文章は、この方法では見つかりません。",
        "Paraphrase, summary, translation and text retyped with other words are not found.",
    ),
    (
        "抜粋と全文は、字種の幅・大小文字・空白・改行・句読点・記号を無視し、文字と数字だけで比べています。"
        "全文は24文字の断片40個までと、類似度の推定値でも比べています。",
        "Excerpts and texts are compared by letters and numbers alone: width, case, blanks, line "
        "ends and punctuation do not count. Whole texts also by up to 40 pieces of 24 letters, and "
        "by estimated similarity.",
    ),
    (
        "本文にならなかった記録 (画像、転送、日本語のないページなど) は件数だけを数えています。"
        "URLごとの確認は `corpus explain` で入力を読み直して行えます。",
        "Records that hold no Japanese text (images, redirects …) are only counted. `corpus "
        "explain` reads the input again for one address.",
    ),
    (
        "削除済みの文書は、URLと登録番号でのみ確認できます。本文・題名・ホスト名は残っていません。",
        "What was taken out is found by its address alone: text, title and host are gone.",
    ),
    (
        "題名・URL・ISBN・DOIの一致は、その名前の文書があることを示すもので、同じ著作物であることの証明では"
        "ありません。",
        "That a title, address, ISBN or DOI is the same shows a document of that name, not that it "
        "is the same work: a page may only cite a book.",
    ),
    (
        "学習済みモデルが文章を「覚えている」かどうかは、この資料からは分かりません。",
        "Whether a trained model has memorised a text cannot be told from this.",
    ),
    (
        "「記録なし」は、下に挙げたアーカイブと期間について述べたものです。他のデータについては何も述べません。",
        "“Not seen” speaks of the archives and days listed here, and of no other data.",
    ),
)

Escape = Callable[[Any], str]


def markdown(facts: dict[str, Any]) -> str:
    """The answer as Markdown."""
    return "\n".join(_lines(facts, escaped)) + "\n"


def webpage(facts: dict[str, Any]) -> str:
    """The answer as one HTML file without scripts or anything from elsewhere."""
    out, table, bullets = [], False, False
    for line in _lines(facts, _as_html):
        is_row, is_bullet = line.startswith("| "), line.lstrip().startswith("- ")
        if table and not is_row and not line.startswith("|--"):
            out.append("</table>")
            table = False
        if bullets and not is_bullet:
            out.append("</ul>")
            bullets = False
        if line.startswith("|--"):
            continue
        if is_row:
            tag = "td" if table else "th"
            out += [] if table else ["<table>"]
            table = True
            cells = line.strip("| ").split(" | ")
            out.append("<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>")
        elif is_bullet:
            out += [] if bullets else ["<ul>"]
            bullets = True
            out.append(f"<li>{line.lstrip()[2:]}</li>")
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            out.append(f"<h{level}>{line.lstrip('# ')}</h{level}>")
        elif line:
            out.append(f"<p>{line}</p>")
    out += ["</table>"] if table else []
    out += ["</ul>"] if bullets else []
    return _FRAME.format(body="\n".join(out))


_FRAME = """<!DOCTYPE html>
<html lang="ja"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>回答書 / Answer</title>
<style>
body{{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;line-height:1.6}}
table{{border-collapse:collapse}}td,th{{border:1px solid #999;padding:.2rem .5rem;text-align:left}}
li{{overflow-wrap:anywhere}}</style></head><body>
{body}
</body></html>
"""


def _as_html(value: Any) -> str:
    line = " ".join(UNSEEN.sub(" ", str(value)).split())
    return html.escape(line).replace("|", "&#124;")


def _lines(facts: dict[str, Any], show: Escape) -> list[str]:
    request = facts["request"]
    lines = [
        "# 権利者からの照会への回答 / Answer to a holder of rights",
        "",
        f"- 照会番号 / reference: {show(request['reference'] or '-')}",
        f"- 照会日 / asked: {show(request['asked'] or '-')}",
        f"- 照会の SHA-256 / of the request: {request['sha256']}",
        f"- 回答の SHA-256 / of this answer (JSON): {facts['sha256']}",
        f"- 項目 / items: {request['items']:,}"
        + (f" (重複 / repeated: {request['repeated']:,})" if request["repeated"] else ""),
        "",
        "## まとめ / Summary",
        "",
        "| 結果 | outcome | 件数 items |",
        "|---|---|---|",
    ]
    for outcome, count in facts["outcomes"].items():
        lines.append(f"| {OUTCOMES[outcome][0]} | {OUTCOMES[outcome][1]} | {count:,} |")
    lines += ["", "## 項目ごとの回答 / Item by item"]
    for item in facts["items"]:
        if item["outcome"] != "not_seen":
            lines += ["", *_item(item, show)]
    lines += _unseen([item for item in facts["items"] if item["outcome"] == "not_seen"], show)
    lines += ["", "## 読んだもの / What was read"]
    for build in facts["builds"]:
        lines += ["", *_build(build, show)]
    for run in facts["runs"]:
        reached = f", {run['reached']:,} steps" if "reached" in run else ""
        lines += ["", f"### 学習 / run {show(run['name'])}{reached}"]
    lines += ["", "## この回答で分からないこと / What this cannot tell", ""]
    lines += [f"- {show(japanese)} / {show(english)}" for japanese, english in LIMITS]
    return lines


def _item(item: dict[str, Any], show: Escape) -> list[str]:
    japanese, english = OUTCOMES[item["outcome"]]
    kind = " / ".join(dict.fromkeys(KINDS[item["kind"]]))
    value = item["value"]
    short = value if len(value) <= SHORT else f"{value[:SHORT]}…"
    lines = [f"### {item['number']}. {kind}: {show(short)}", "", f"{japanese} / {english}", ""]
    if item["problem"]:
        return [*lines, f"- 理由 / why: {show(item['problem'])}"]
    for build in item["builds"]:
        if not build["documents"]:
            continue
        counts = "、".join(
            f"{OUTCOMES[fate][0]} / {OUTCOMES[fate][1]} {count:,}"
            for fate, count in build["by"].items()
        )
        lines.append(f"- {show(build['build'])}: {counts}")
        lines += [f"  - {_document(row, show)}" for row in build["listed"]]
        more = build["documents"] - len(build["listed"])
        if more:
            lines.append(f"  - ほか {more:,} 文書 / and {more:,} more")
        lines += _site_lines(build, show)
    return lines


def _document(row: dict[str, Any], show: Escape) -> str:
    """One document: how it was found, what became of it, what it said of its use."""
    japanese, english = HOW[row["how"]]
    share = f" {row['share']:.0%}" if row["how"] in ("part", "near") else ""
    parts = [
        f"{show(row['url'] or row['record'])} ({row['id']}): {japanese}{share} / {english}{share}"
    ]
    parts.append(_FATES[row["fate"]](row, show))
    if row.get("captured"):
        parts.append(f"取得 / captured {show(row['captured'][:10])}")
    if row.get("n_chars") is not None:
        parts.append(f"{row['n_chars']:,}文字 / characters")
    if row.get("licence"):
        parts.append(f"ライセンス / licence {show(row['licence'])}")
    if row.get("rights"):
        said = ", ".join(f"{key} {_value(value)}" for key, value in row["rights"].items())
        parts.append(f"権利表示 / said of its use: {show(said)}")
    parts.append(f"記録 / record {show(row['record'])}")
    for run in row.get("runs", ()):
        parts.append(_run(run, show))
    return "; ".join(parts)


def _value(value: Any) -> str:
    if value is True:
        return "yes"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _run(run: dict[str, Any], show: Escape) -> str:
    steps = run["steps"]
    if not run["tokenised"]:
        return f"学習 / run {show(run['run'])}: 含まれない / not among its tokens"
    if not steps:
        return f"学習 / run {show(run['run'])}: 未使用 / no step trained on it"
    named = ", ".join(map(str, steps[:5])) + ("…" if len(steps) > 5 else "")
    after = ", ".join(map(str, run["checkpoints"])) or "-"
    return f"学習 / run {show(run['run'])}: steps {named} ({len(steps):,}), checkpoints {after}"


def _present(row: dict[str, Any], show: Escape) -> str:
    words = f"収録 / published as {show(row['shard'])}:{row['row']}"
    if row["cluster_size"] > 1:
        number = row["cluster_size"] - 1
        words += f", 重複 {number:,} 件の代表 / stands for {number:,} more"
        named = ", ".join(
            f"{show(copy['url'] or copy['id'])} ({copy['similarity']:.2f})"
            for copy in row["copies"]
        )
        words += f": {named}" if named else ""
    return words


def _taken(row: dict[str, Any], show: Escape) -> str:
    entries = ", ".join(
        f"{show(e['register'])} no. {e['number']} ({e['time'][:10]})" for e in row["entries"]
    )
    words = f"削除済み / taken out by {show(row['by'])}"
    words += f", 理由 / reason: {show(row['reason'])}" if row["reason"] else ""
    return words + (f", 登録 / entry {entries}" if entries else "")


def _dropped(row: dict[str, Any], show: Escape) -> str:
    words = f"{row['stage']} の規則 / rule {row['stage']}: {show(row['rule'])}"
    if row["value"] is not None:
        words += f", 値 / value {row['value']:.4g}"
        words += f", 基準 / bound {row['threshold']:.4g}" if row["threshold"] is not None else ""
    if row["fate"] == "present_as_copy":
        kept = show(row["kept_url"] or row["kept_id"])
        return f"{words}, 収録された複製 / the copy that is in: {kept}"
    return words + (f" ({show(row['detail'])})" if row["detail"] else "")


_FATES: dict[str, Callable[[dict[str, Any], Escape], str]] = {
    "present": _present,
    "present_as_copy": _dropped,
    "taken_out": _taken,
    "reserved": _dropped,
    "dropped": _dropped,
    "undecided": lambda row, show: "未選別 / no decision yet",
}


def _site_lines(build: dict[str, Any], show: Escape) -> list[str]:
    site = build.get("site")
    if not site:
        return []
    said = []
    if site["disallowed"]:
        agents = site["disallowed"]
        more = f" … ({len(agents):,})" if len(agents) > AGENTS else ""
        named = ", ".join(agents[:AGENTS])
        said.append(f"robots.txt: {named}{more} 不可 / may not fetch it")
    if site["usage"]:
        words = ", ".join(f"{k}={'yes' if v else 'no'}" for k, v in site["usage"].items())
        said.append(f"usage: {words}")
    words = "; ".join(said) or "制限なし / refuses nothing of it"
    return [f"  - サイトの意思表示 / the site said ({show(site['captured'])}): {show(words)}"]


def _unseen(items: list[dict[str, Any]], show: Escape) -> list[str]:
    if not items:
        return []
    lines = ["", "## 記録なし / Not seen", "", "| | | |", "|---|---|---|"]
    for item in items[:UNSEEN_LISTED]:
        site = next((b for b in item["builds"] if b["site"]), None)
        words = "; ".join(line.strip(" -") for line in _site_lines(site, show)) if site else ""
        kind = " / ".join(dict.fromkeys(KINDS[item["kind"]]))
        lines.append(
            f"| {item['number']} | {kind}: {show(item['value'][:SHORT])} | {words or '-'} |"
        )
    if len(items) > UNSEEN_LISTED:
        more = len(items) - UNSEEN_LISTED
        lines += ["", f"ほか {more:,} 件 (JSON に全件) / and {more:,} more: the JSON lists all"]
    return lines


def _build(build: dict[str, Any], show: Escape) -> list[str]:
    captured = " – ".join(build["captured"]) or "-"
    lines = [
        f"### {show(build['name'])}",
        "",
        f"- manifest SHA-256: {build['manifest'] or '-'}",
        f"- 記録 / records {build['records']:,}, 文書 / documents {build['documents']:,}, "
        f"収録 / published {build['published']:,}, "
        f"件数のみ / only counted {build['only_counted']:,}",
        f"- 取得期間 / captured: {show(captured)}",
        f"- 削除の登録 / takedown entries of its own: {build['removals']:,}",
    ]
    if build["texts_by"]:
        lines.append(f"- 抜粋と全文の検索 / texts: {' / '.join(TEXTS_BY[build['texts_by']])}")
    lines += [
        f"- 登録簿 / register {show(name)}: {head['entries']:,}, head {head['head']}"
        for name, head in build["registers"].items()
    ]
    lines += [
        f"- 入力 / input {show(archive['file'])} ({archive['identity']})"
        for archive in build["archives"]
    ]
    return lines
