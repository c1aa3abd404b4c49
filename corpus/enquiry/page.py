"""The answer as a document for people: first all of it in Japanese, then in English.

Markdown or HTML. Everything that came from outside (items, addresses, titles) is shown as text of
one line: no sign of Markdown or HTML, no control or direction character of it works.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from corpus.answers.markdown import UNSEEN, escaped
from corpus.enquiry import phrases
from corpus.enquiry.told import Escape, Told

SHORT = 120  # characters of an item that are shown
TOLD = 10_000  # items that are told with their documents, the rest are counted
LISTED = 500  # items that were not seen, or name nothing, and are listed; the rest are counted
ARCHIVES = 200  # input files that are named

# A piece of the document: its kind, its level or depth, its text (of a row: its cells).
Block = tuple[str, int, list[str]]
HEADING, PARAGRAPH, ITEM, ROW, PART = "heading", "paragraph", "item", "row", "part"


def markdown(facts: dict[str, Any]) -> str:
    """The answer as Markdown."""
    out: list[str] = []
    for kind, group in groupby(_blocks(facts, escaped), key=lambda block: block[0]):
        lines = [_MARKDOWN[kind](level, cells) for _, level, cells in group]
        if kind == ROW:
            lines.insert(1, "|---" * lines[0].count(" | ") + "|---|")
        if kind != PART:
            out.append(("\n\n" if kind in (HEADING, PARAGRAPH) else "\n").join(lines))
    return "\n\n".join(out) + "\n"


_MARKDOWN: dict[str, Callable[[int, list[str]], str]] = {
    HEADING: lambda level, cells: "#" * level + " " + cells[0],
    PARAGRAPH: lambda level, cells: cells[0],
    ITEM: lambda level, cells: "  " * level + "- " + cells[0],
    ROW: lambda level, cells: "| " + " | ".join(cells) + " |",
    PART: lambda level, cells: "",
}


def webpage(facts: dict[str, Any]) -> str:
    """The answer as one HTML file without scripts or anything from elsewhere."""
    out: list[str] = []
    for kind, group in groupby(_blocks(facts, _as_html), key=lambda block: block[0]):
        blocks = list(group)
        if kind == ITEM:
            out += _lists([(level, cells[0]) for _, level, cells in blocks])
        elif kind == ROW:
            tags = ["th"] + ["td"] * (len(blocks) - 1)
            rows = zip(tags, blocks, strict=True)
            out += ["<table>", *(_row(tag, block[2]) for tag, block in rows), "</table>"]
        elif kind == PART:
            out.append(f'</section><section lang="{blocks[0][2][0]}">')
        else:
            tag = "h" if kind == HEADING else "p"
            for _, level, cells in blocks:
                name = tag + (str(level) if tag == "h" else "")
                out.append(f"<{name}>{cells[0]}</{name}>")
    return _FRAME.format(body="\n".join(out))


def _row(tag: str, cells: list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _lists(items: list[tuple[int, str]]) -> Iterator[str]:
    """Nested lists of (depth, text)."""
    open_items: list[int] = []
    for depth, text in items:
        while open_items and open_items[-1] > depth:
            open_items.pop()
            yield "</li></ul>"
        if open_items and open_items[-1] == depth:
            yield "</li>"
        else:
            open_items.append(depth)
            yield "<ul>"
        yield f"<li>{text}"
    yield from ["</li></ul>"] * len(open_items)


_FRAME = """<!DOCTYPE html>
<html lang="ja"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>回答書 / Response</title>
<style>
body{{font-family:sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;line-height:1.6}}
table{{border-collapse:collapse}}td,th{{border:1px solid #999;padding:.2rem .5rem;text-align:left}}
li,td{{overflow-wrap:anywhere}}</style></head><body>
<section lang="ja">
{body}
</section>
</body></html>
"""


def _as_html(value: Any) -> str:
    line = " ".join(UNSEEN.sub(" ", str(value)).split())
    return html.escape(line)


def _blocks(facts: dict[str, Any], show: Escape) -> Iterator[Block]:
    for place, language in enumerate(phrases.LANGUAGES):
        if place:
            yield PART, 0, [language]
        yield from _Page(facts, Told(place, show)).blocks()


class _Page:
    """The document in one language."""

    def __init__(self, facts: dict[str, Any], told: Told) -> None:
        self.facts, self.told = facts, told
        self.say, self.show = told.say, told.show

    def blocks(self) -> Iterator[Block]:
        yield from self._head()
        yield from self._summary()
        yield from self._items()
        yield from self._read()
        terms = phrases.TERMS + (phrases.RUN_TERMS if self.facts["runs"] else [])
        yield HEADING, 2, [self.say(("用語", "Terms"))]
        for name, meaning in terms:
            yield ITEM, 0, [self.say(("{0}：{1}", "{0}: {1}"), self.say(name), self.say(meaning))]
        yield HEADING, 2, [self.say(("この回答で分からないこと", "What this cannot tell"))]
        for limit in phrases.LIMITS:
            yield ITEM, 0, [self.say(limit)]

    def _head(self) -> Iterator[Block]:
        request, say, show = self.facts["request"], self.say, self.show
        title = ("権利者からの照会への回答", "Response to a rights holder's enquiry")
        yield HEADING, 1, [say(title)]
        none = say(("(なし)", "(none)"))
        for pair, value in (
            (("照会番号：{0}", "Reference: {0}"), show(request["reference"]) or none),
            (("照会日：{0}", "Asked on: {0}"), show(request["asked"]) or none),
            (
                ("照会ファイルのSHA-256：{0}", "SHA-256 of the enquiry as it came: {0}"),
                request["sha256"],
            ),
            (("回答データのSHA-256：{0}", "SHA-256 of the answer: {0}"), self.facts["sha256"]),
            (("照会項目：{0}", "Items: {0}"), request["items"]),
        ):
            yield ITEM, 0, [say(pair, value)]
        if request["repeated"]:
            again = ("ほかに同じ項目の重複：{0}", "Items that were repeated: {0}")
            yield ITEM, 0, [say(again, request["repeated"])]
        yield PARAGRAPH, 0, [say(phrases.UNDATED)]

    def _summary(self) -> Iterator[Block]:
        say, facts = self.say, self.facts
        yield HEADING, 2, [say(("まとめ", "Summary"))]
        titles = (("結果", "outcome"), ("項目", "items"), ("意味", "meaning"))
        yield ROW, 0, [say(title) for title in titles]
        for outcome, count in facts["outcomes"].items():
            name, meaning = phrases.OUTCOMES[outcome]
            yield ROW, 0, [say(name), f"{count:,}", say(meaning)]
        yield PARAGRAPH, 0, [say(phrases.WEIGHTIEST)]
        for run in facts["runs"]:
            used = [
                item
                for item in facts["items"]
                if any(_trained(build, run["name"]) for build in item["builds"])
            ]
            trained = (
                "学習 {0} (ステップ{1}まで)：{2}項目の文書、またはその収録された複製を使用",
                "Training run {0} (up to step {1}): of {2:item} a document, or the copy of it "
                "that is in the corpus, was trained on",
            )
            yield ITEM, 0, [say(trained, self.show(run["name"]), run["reached"], len(used))]

    def _items(self) -> Iterator[Block]:
        yield HEADING, 2, [self.say(("項目ごとの回答", "Item by item"))]
        items = self.facts["items"]
        found = [item for item in items if item["outcome"] not in ("not_seen", "unanswerable")]
        for item in found[:TOLD]:
            yield from self._item(item)
        yield from self._more(len(found) - TOLD)
        for outcome, column in (
            ("not_seen", ("サイトの意思表示", "what the site said of its use")),
            ("unanswerable", ("理由", "why")),
        ):
            own = [item for item in items if item["outcome"] == outcome]
            yield from self._table(own, outcome, column)

    def _item(self, item: dict[str, Any]) -> Iterator[Block]:
        yield HEADING, 3, [f"{item['number']}. {self._named(item)}"]
        name, _ = phrases.OUTCOMES[item["outcome"]]
        yield PARAGRAPH, 0, [self.say(("結果：{0}", "Outcome: {0}"), self.say(name))]
        for build in item["builds"]:
            if build["documents"]:
                for depth, line in self.told.build(build):
                    yield ITEM, depth, [line]

    def _named(self, item: dict[str, Any]) -> str:
        value = item["value"]
        short = value if len(value) <= SHORT else f"{value[:SHORT]}…"
        kind = self.say(phrases.KINDS[item["kind"]])
        return self.say(("{0}：{1}", "{0}: {1}"), kind, self.show(short))

    def _table(
        self, items: list[dict[str, Any]], outcome: str, last: phrases.Pair
    ) -> Iterator[Block]:
        """Items of which there is little to say, a row each."""
        if not items:
            return
        yield HEADING, 3, [self.say(phrases.OUTCOMES[outcome][0])]
        yield ROW, 0, [self.say(("番号", "number")), self.say(("項目", "item")), self.say(last)]
        for item in items[:LISTED]:
            words = self.told.problem(item["problem"]) if item["problem"] else ""
            words = words or next(filter(None, map(self.told.site, item["builds"])), "") or "-"
            yield ROW, 0, [str(item["number"]), self._named(item), words]
        yield from self._more(len(items) - LISTED)

    def _more(self, count: int) -> Iterator[Block]:
        if count > 0:
            more = ("ほか{0}件 (JSON形式に全件)", "and {0} more: the JSON lists all")
            yield PARAGRAPH, 0, [self.say(more, count)]

    def _read(self) -> Iterator[Block]:
        """Builds and runs: what this answer speaks of."""
        say, show = self.say, self.show
        yield HEADING, 2, [say(("調べたもの", "What was looked at"))]
        for build in self.facts["builds"]:
            yield HEADING, 3, [say(("ビルド {0}", "Build {0}"), show(build["name"]))]
            for line in self.told.about_build(build):
                yield ITEM, 0, [line]
            yield from self._archives(build["archives"])
        if not self.facts["runs"]:
            yield HEADING, 3, [say(("学習", "Training runs"))]
            yield PARAGRAPH, 0, [say(phrases.NO_RUN)]
        for run in self.facts["runs"]:
            yield HEADING, 3, [say(("学習 {0}", "Training run {0}"), show(run["name"]))]
            for line in self.told.about_run(run):
                yield ITEM, 0, [line]

    def _archives(self, archives: list[dict[str, Any]]) -> Iterator[Block]:
        say, show = self.say, self.show
        titles = (("入力", "input"), ("識別子", "identity"), ("文書", "documents"),
                  ("取得日", "captured"))  # fmt: skip
        if archives:
            yield ROW, 0, [say(title) for title in titles]
        for row in archives[:ARCHIVES]:
            days = show(" – ".join(dict.fromkeys(row["captured"]))) or "-"
            yield ROW, 0, [show(row["file"]), row["identity"], f"{row['documents']:,}", days]
        yield from self._more(len(archives) - ARCHIVES)


def _trained(build: dict[str, Any], run: str) -> int:
    """How many documents of an item a run trained on."""
    return sum(row["trained"] for row in build.get("runs", ()) if row["run"] == run)
