"""What is told of documents, builds and runs: sentences in one of the two languages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from corpus.enquiry import phrases
from corpus.enquiry.phrases import Pair
from corpus.errors import counted
from corpus.folder.removals import HASHED
from corpus.words import names
from corpus.words.language import JAPANESE
from corpus.words.messages import said

AGENTS = 4  # crawlers that are named
STEPS = 5  # steps that are named

Escape = Callable[[Any], str]
Lines = Iterator[tuple[int, str]]  # (depth in the list, sentence)


class _Count(int):
    """A number that a sentence says as {0}, or with its noun as {0:document}, {0:entry/entries}."""

    def __format__(self, noun: str) -> str:
        one, _, more = noun.partition("/")
        return counted(int(self), one, more) if one else f"{int(self):,}"


class Told:
    """Sentences in the language at `place` of phrases.LANGUAGES; `show` makes values harmless."""

    def __init__(self, place: int, show: Escape) -> None:
        self.place, self.show = place, show
        self.language = phrases.LANGUAGES[place]

    def say(self, pair: Pair, *values: Any) -> str:
        """A sentence with its values: texts that are harmless already, and numbers."""
        shown = [_Count(value) if isinstance(value, int) else value for value in values]
        return pair[self.place].format(*shown)

    def joined(self, parts: list[str]) -> str:
        return ("、" if self.language == JAPANESE else ", ").join(parts)

    def problem(self, words: str) -> str:
        """Why an item cannot be answered."""
        return self.show(said(words, self.language))

    # a document ----------------------------------------------------------------------------------

    def build(self, build: dict[str, Any]) -> Lines:
        """What a build has of an item."""
        counts = [
            self.say(("{0} {1}", "{0} {1}"), self.say(phrases.OUTCOMES[fate][0]), count)
            for fate, count in build["by"].items()
        ]
        yield (
            0,
            self.say(
                ("ビルド {0}：{1}", "Build {0}: {1}"),
                self.show(build["build"]),
                self.joined(counts),
            ),
        )
        for row in build["listed"]:
            yield from self.document(row)
        if more := build["documents"] - len(build["listed"]):
            yield 1, self.say(("ほか{0}文書", "and {0:more document/more documents}"), more)
        for run in build.get("runs", ()):
            if build["documents"] > 1:
                yield 1, self._summed(run, build["documents"])
        if words := self.site(build):
            yield 1, words

    def document(self, row: dict[str, Any]) -> Lines:
        """One document: how it was found, what became of it, what it said of its use."""
        say, show = self.say, self.show
        place = show(row["url"] or row["record"])
        if row["url"].startswith(HASHED):
            place = say(("(URLのハッシュ値) {0}", "(hash of its address) {0}"), place)
        title = say(("「{0}」", " “{0}”"), show(row["title"])) if row.get("title") else ""
        yield 1, say(("{0}{1} (文書ID {2})", "{0}{1} (document {2})"), place, title, row["id"])
        yield 2, say(("見つけ方：{0}", "Found by: {0}"), self._how(row))
        yield 2, say(("扱い：{0}", "What became of it: {0}"), self._fate(row))
        yield 2, say(("出所：{0}", "From: {0}"), self.joined(self._origin(row)))
        if row.get("rights"):
            yield 2, say(("利用についての表示：{0}", "Said of its use: {0}"), self._rights(row))
        if ignored := row["not_obeyed"]:
            words = self.joined([say(phrases.RIGHTS[rule]) for rule in ignored])
            yield 2, say(phrases.NOT_OBEYED, words)
        for run in row.get("runs", ()):
            yield (
                2,
                say(("学習 {0}：{1}", "Training run {0}: {1}"), show(run["run"]), self._run(run)),
            )

    def _how(self, row: dict[str, Any]) -> str:
        share = row["share"]
        shown = f"{share:.2f}" if row["how"] == "near" else f"{share:.0%}"
        return self.say(phrases.HOW[row["how"]], shown)

    def _origin(self, row: dict[str, Any]) -> list[str]:
        say, show = self.say, self.show
        parts = [say(("記録 {0}", "record {0}"), show(row["record"]))]
        if row.get("captured"):
            parts.append(say(("取得日 {0}", "captured {0}"), show(row["captured"][:10])))
        if row.get("n_chars") is not None:
            parts.append(say(("{0}文字", "{0:character}"), row["n_chars"]))
        if licence := row.get("licence"):
            meaning = phrases.LICENCES.get(licence)
            about = f" ({say(meaning)})" if meaning else ""
            parts.append(say(("ライセンス {0}{1}", "licence {0}{1}"), show(licence), about))
        return parts

    def _rights(self, row: dict[str, Any]) -> str:
        parts = []
        for key, value in row["rights"].items():
            name = self.say(phrases.RIGHTS.get(key, (key, key)))
            if value is True:
                parts.append(self.say(("{0}あり", "{0}"), name))
            else:
                listed = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
                parts.append(self.say(("{0} {1}", "{0} {1}"), name, self.show(listed)))
        return self.joined(parts)

    def _fate(self, row: dict[str, Any]) -> str:
        name = self.say(phrases.OUTCOMES[row["fate"]][0])
        of = {"present": self._present, "taken_out": self._taken, "undecided": lambda row: ""}
        words = of.get(row["fate"], self._dropped)(row)
        return self.say(("{0}。{1}", "{0}. {1}"), name, words) if words else name

    def _present(self, row: dict[str, Any]) -> str:
        say, show = self.say, self.show
        words = say(
            ("シャード {0} の行 {1}", "Shard {0}, row {1}"), show(row["shard"]), str(row["row"])
        )
        if row["cluster_size"] < 2:
            return words
        named = [
            say(
                ("{0} ({1}、類似度 {2})", "{0} ({1}, similarity {2})"),
                show(copy["url"] or copy["id"]),
                say(phrases.COPIES.get(copy["kind"], (copy["kind"], copy["kind"]))),
                f"{copy['similarity']:.2f}",
            )
            for copy in row["copies"]
        ]
        more = ("。重複として除いた {0} 文書を代表：{1}", ". Stands for {0:duplicate}: {1}")
        return words + say(more, row["cluster_size"] - 1, self.joined(named) or "-")

    def _taken(self, row: dict[str, Any]) -> str:
        say, show = self.say, self.show
        by = say(phrases.TAKEN_BY.get(row["by"], (row["by"], row["by"])))
        parts = [say(("{0}による", "Named by {0}"), by)]
        if row["reason"]:
            parts.append(say(("理由 {0}", "reason: {0}"), show(row["reason"])))
        parts += [
            say(
                ("登録簿 {0} の第{1}号 ({2})", "register {0}, entry {1} ({2})"),
                show(entry["register"]), str(entry["number"]), entry["time"][:10],
            )
            for entry in row["entries"]
        ]  # fmt: skip
        return self.joined(parts)

    def _dropped(self, row: dict[str, Any]) -> str:
        say, show = self.say, self.show
        stage = names.stage(row["stage"], self.language)
        rule = show(phrases.rule(row["rule"], self.language))
        words = say(("段階 {0} の規則「{1}」", "Stage {0}, rule “{1}”"), show(stage), rule)
        if row["value"] is not None:
            words += say(("、値 {0}", ", value {0}"), f"{row['value']:.4g}")
        if row["threshold"] is not None:
            words += say(("、基準 {0}", ", bound {0}"), f"{row['threshold']:.4g}")
        if row["fate"] == "present_as_copy":
            kept = show(row["kept_url"] or row["kept_id"])
            copy = (
                "。収録された複製：{0} (文書ID {1})",
                ". The copy that is in: {0} (document {1})",
            )
            return words + say(copy, kept, row["kept_id"])
        detail = show(said(row["detail"], self.language)) if row["detail"] else ""
        return words + (f" ({detail})" if detail else "")

    # runs ----------------------------------------------------------------------------------------

    def _run(self, run: dict[str, Any]) -> str:
        """What a run did with a document, and with the copy of it that is in the corpus."""
        words = self._seen(run, run["reached"])
        if run["copy"]:
            copy = ("{0}。収録された複製は、{1}", "{0}. The copy that is in: {1}")
            words = self.say(copy, words, self._seen(run["copy"], run["reached"]))
        return words

    def _seen(self, seen: dict[str, Any], reached: int) -> str:
        steps = seen["steps"]
        if steps:
            named = self.joined([f"{step:,}" for step in steps[:STEPS]])
            more = (" ほか{0}回", " and {0} more")
            named += self.say(more, len(steps) - STEPS) if len(steps) > STEPS else ""
            after = self.joined([f"{step:,}" for step in seen["checkpoints"]])
            none = self.say(("なし", "none"))
            return self.say(
                (
                    "ステップ {0} で使用。その後のチェックポイント：{1}",
                    "trained on in steps {0}; checkpoints after that: {1}",
                ),
                named, after or none,
            )  # fmt: skip
        if seen["held_out"]:
            held = ("検証用に取り分け、使用していない", "held out for evaluation, not trained on")
            return self.say(held)
        if seen["tokenised"]:
            unused = ("ステップ{0}までに使用していない", "not trained on in any step up to {0}")
            return self.say(unused, reached)
        return self.say(("学習用のトークンに含まれない", "not among the tokens for training"))

    def _summed(self, run: dict[str, Any], documents: int) -> str:
        name = self.show(run["run"])
        if not run["trained"]:
            none = (
                "学習 {0}：{1}文書のどれも使用していない",
                "Training run {0}: not trained on (of {1:document} none)",
            )
            return self.say(none, name, documents)
        some = (
            "学習 {0}：{1}文書のうち{2}文書 (収録された複製を含む)。ステップ{3}から{4}の間",
            "Training run {0}: of {1:document} trained on {2}, themselves or as the copy that is "
            "in; first in step {3}, last in {4}",
        )
        return self.say(some, name, documents, run["trained"], run["first"], run["last"])

    def about_run(self, run: dict[str, Any]) -> Iterator[str]:
        """What a run is, and how far it came."""
        say = self.say
        yield say(("ステップ：{1}のうち{0}まで", "Steps: {0} of {1}"), run["reached"], run["steps"])
        yield say(
            ("学習用トークンの指紋：{0}", "Fingerprint of its tokens: {0}"), run["fingerprint"]
        )
        kept = self.joined([f"{step:,}" for step in run["checkpoints"]])
        yield say(
            ("今あるチェックポイント (ステップ)：{0}", "Checkpoints that are there (steps): {0}"),
            kept or say(("なし", "none")),
        )

    # sites, builds -------------------------------------------------------------------------------

    def site(self, build: dict[str, Any]) -> str:
        """What robots.txt, ai.txt and tdmrep.json of a site said of an address; "" for nothing."""
        site = build.get("site")
        if not site:
            return ""
        parts = []
        if agents := site["disallowed"]:
            more = ("など計{0}種", " and others, {0} in all")
            named = self.show(", ".join(agents[:AGENTS]))
            named += self.say(more, len(agents)) if len(agents) > AGENTS else ""
            parts.append(self.say(("robots.txtは {0} を拒む", "robots.txt refuses {0}"), named))
        if site["usage"]:
            words = ", ".join(f"{k}={'yes' if v else 'no'}" for k, v in site["usage"].items())
            parts.append(self.say(("利用条件 {0}", "usage {0}"), self.show(words)))
        if site["tdm_reserved"]:
            parts.append(self.say(phrases.RIGHTS["tdm_reservation"]))
        nothing = ("このURLについて断る表示なし", "nothing refuses this address")
        return self.say(
            ("robots.txtなどサイト全体の表示 ({0})：{1}", "robots.txt and the like ({0}): {1}"),
            self.show(site["captured"]), self.joined(parts) or self.say(nothing),
        )  # fmt: skip

    def _counts(self, rules: dict[str, int]) -> str:
        """Rules or reasons, each with its count."""
        called = ((self.show(names.called(name, self.language)), n) for name, n in rules.items())
        return self.joined([f"{name} {count:,}" for name, count in called])

    def _obeyed(self, obeyed: dict[str, bool]) -> str:
        """Which wishes of pages and sites keep a document out of a build, and which do not."""
        none = self.say(("なし", "none"))
        on, off = (
            self.joined([self._wish(rule) for rule, yes in obeyed.items() if yes is wanted])
            for wanted in (True, False)
        )
        return self.say(phrases.OBEYED, on or none, off or none)

    def _wish(self, rule: str) -> str:
        return self.show(names.called(rule, self.language))

    def about_build(self, build: dict[str, Any]) -> Iterator[str]:
        """What a build read and published, and by which digests it is known."""
        say, show = self.say, self.show
        yield say(
            ("manifestのSHA-256：{0}", "SHA-256 of its manifest: {0}"), build["manifest"] or "-"
        )
        yield say(
            (
                "読んだ記録 {0}、取り出した日本語の文書 {1}、収録 {2}",
                "{0:record} read, {1:Japanese document} taken from them, {2} in the corpus",
            ),
            build["records"], build["documents"], build["published"],
        )  # fmt: skip
        if build["only_counted"]:
            yield say(
                ("件数だけを数えた記録 {0}：{1}", "{0:record} only counted: {1}"),
                build["only_counted"], self._counts(build["counted"]),
            )  # fmt: skip
        for stage, rules in build["dropped"].items():
            yield say(
                ("{0} の段階で除いたもの {1}：{2}", "{1} left out in {0}: {2}"),
                show(names.stage(stage, self.language)), sum(rules.values()), self._counts(rules),
            )  # fmt: skip
        yield self._obeyed(build["obeyed"])
        captured = show(" – ".join(dict.fromkeys(build["captured"]))) or "-"
        yield say(("文書の取得期間：{0}", "Documents captured: {0}"), captured)
        yield say(
            ("このビルド独自の削除登録：{0}", "Entries of its own takedown list: {0}"),
            build["removals"],
        )
        if build["texts_by"]:
            by = say(phrases.TEXTS_BY[build["texts_by"]])
            yield say(("抜粋と全文の照合：{0}", "Excerpts and texts: {0}"), by)
        for name, head in build["registers"].items():
            yield say(
                (
                    "登録簿 {0}：{1}件、末尾のハッシュ値 {2}",
                    "Register {0}: {1:entry/entries}, head {2}",
                ),
                show(name), head["entries"], head["head"],
            )  # fmt: skip
