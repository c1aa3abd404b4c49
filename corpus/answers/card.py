"""The data card: what is in a corpus, in measured facts only, in English or in Japanese.

README.md and README.ja.md say the same of the same facts (`corpus.answers.facts`). The first is the
one that Hugging Face reads: by its front matter `datasets.load_dataset(DIR)` opens the corpus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from corpus.answers.facts import UNKNOWN, by_source, citation
from corpus.folder.layout import CARD, CARD_JA, LEDGER, PARQUET, SHARDS
from corpus.folder.schema import SHARD, TRUNCATED
from corpus.words import names
from corpus.words.language import ENGLISH, JAPANESE
from corpus.words.messages import said
from filters.placeholders import PLACEHOLDERS

TITLES = {  # list → (English, Japanese)
    "source": ("Sources", "出典"),
    "host": ("Hosts", "ホスト"),
    "licence": ("Licences", "ライセンス"),
    "language": ("Languages", "言語"),
    "charset": ("Charsets of the pages", "元の文字コード"),
    "charset_from": ("How the charset was found", "文字コードの判定根拠"),
}
ORGANISATIONS = {  # clean.organisations → what the card says of it
    "mask": ("treated as a person's", "個人と同様に扱う"),
    "keep": ("left in the text and not counted", "本文に残し、計数しない"),
}
CODE = {  # clean.code
    "owned": ("only what stands behind a name or an author's line", "氏名や著者行に伴うもののみ"),
    "mask": ("as in prose", "本文と同様"),
    "keep": ("left as it is", "対象外"),
}
BLOCKS = {
    "paragraph": "段落", "heading": "見出し", "item": "箇条書き", "table": "表", "code": "コード",
    "quote": "引用", "definition": "定義", "formula": "数式", "caption": "図表の説明",
    "rule": "区切り線",
}  # fmt: skip
SCRIPTS = {
    "hiragana": "ひらがな", "katakana": "カタカナ", "kanji": "漢字", "latin": "ラテン文字",
    "digit": "数字", "symbol": "記号", "space": "空白",
}  # fmt: skip
LENGTHS = {
    "min": "最小", "p10": "下位 10 %", "median": "中央値", "p90": "上位 10 %", "max": "最大",
}  # fmt: skip
TOPICS = {
    "adult_words": ("adult words", "成人向けの語"),
    "discrimination_words": ("discriminating words", "差別語"),
    "violence_words": ("words of violence and threat", "暴力・脅迫の語"),
    "ad_words": ("words of advertising", "広告の語"),
}
SEVERITY = {
    "0": ("none", "なし"), "1": ("weak", "弱い"), "2": ("strong", "強い"),
    "3": ("severe", "最も強い"),
}  # fmt: skip

FEW = 4  # input files that the command names

Lines = list[str]


def markdown(facts: dict[str, Any], language: str) -> str:
    """The card in a language; the English one has the front matter that Hugging Face reads."""
    return "\n".join(_Card(facts, language).lines()) + "\n"


class _Card:
    """The sections of a card, each a list of lines."""

    def __init__(self, facts: dict[str, Any], language: str) -> None:
        self.facts, self.language = facts, language
        self.funnel: dict[str, Any] = facts["funnel"]

    def lines(self) -> Lines:
        """What it is, how it came about, what it is made of, what holds of it, how to use it."""
        front = _front_matter(self.facts) if self.language == ENGLISH else []
        parts = (self._head, self._size, self._funnel, self._sources, self._profiles, self._lists,
                 self._years, self._scripts, self._blocks, self._rights, self._duplicates,
                 self._personal, self._harm, self._damage, self._inputs, self._columns,
                 self._citation, self._why)  # fmt: skip
        return [*front, *(line for part in parts for line in part())]

    def _t(self, english: str, japanese: str) -> str:
        return japanese if self.language == JAPANESE else english

    def _h(self, english: str, japanese: str, level: int = 2) -> Lines:
        return ["", f"{'#' * level} {self._t(english, japanese)}", ""]

    def _table(self, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Lines:
        """A table; numbers are aligned right. Nothing without rows."""
        body = [list(row) for row in rows]
        if not body:
            return []
        right = [all(isinstance(row[i], int | _Share) for row in body) for i in range(len(heads))]
        head = " | ".join(self._t(*pair) for pair in heads)
        marks = "|".join("---:" if each else "---" for each in right)
        cells = [" | ".join(_cell(value) for value in row) for row in body]
        return [f"| {head} |", f"|{marks}|", *(f"| {row} |" for row in cells)]

    # what it is -----------------------------------------------------------------------------------

    def _head(self) -> Lines:
        other = CARD if self.language == JAPANESE else CARD_JA
        purpose = self.facts["purpose"] or self._t(
            "A corpus of Japanese text for pre-training language models and for research on text.",
            "言語モデルの事前学習と、テキストの研究のための日本語コーパスです。",
        )
        return [
            f"# {escaped(self.facts['name'])}",
            "",
            self._t(f"[日本語]({other})", f"[English]({other})"),
            "",
            escaped(purpose),
            "",
            self._t(
                "Built by Inaho. Every figure below was measured on the files in this folder.",
                "稲穂 (Inaho) で構築。以下の数値はすべてこのフォルダのファイルから計測しました。",
            ),
        ]

    def _size(self) -> Lines:
        facts = self.facts
        rows = [
            (self._t("documents", "文書数"), facts["documents"]),
            (self._t("characters", "文字数"), facts["characters"]),
            (self._t("UTF-8 bytes", "バイト数 (UTF-8)"), facts["bytes"]),
            (self._t("shards", "シャード数"), len(facts["shards"])),
        ]
        lines = [*self._h("Size", "規模"), *(f"- {words}: {value:,}" for words, value in rows)]
        if facts["lengths"]:
            spread = ", ".join(
                f"{self._t(name, LENGTHS[name])} {value:,}"
                for name, value in facts["lengths"].items()
            )
            words = self._t("characters per document", "1 文書あたりの文字数")
            lines.append(f"- {words}: {spread}")
        return [*lines, f"- {self._t('filter profile', '選別プロファイル')}: {_profiles(facts)}"]

    # how it came about ----------------------------------------------------------------------------

    def _funnel(self) -> Lines:
        stages = [
            (names.stage(stage, self.language), self._stage_meaning(stage), entry["in"],
             entry["out"], _Share(entry["out"], entry["in"]))
            for stage, entry in self.funnel.items()
        ]  # fmt: skip
        fates = {"skipped": ("no candidate", "対象外"), "dropped": ("dropped", "除外"),
                 "altered": ("altered, kept", "変更（収録）")}  # fmt: skip
        reasons = [
            (names.stage(stage, self.language), names.called(reason, self.language),
             names.meaning(reason, self.language), self._t(*words), count)
            for stage, entry in self.funnel.items()
            for fate, words in fates.items()
            for reason, count in entry.get(fate, {}).items()
        ]  # fmt: skip
        stage, out = ("stage", "段階"), ("what became of it", "扱い")
        meaning = ("what it means", "意味")
        return [
            *self._h("What happened to the records", "処理の内訳"),
            *self._table((stage, meaning, ("in", "入力"), ("out", "出力"), ("kept", "残存率")),
                         stages),
            "",
            *self._table((stage, ("reason", "理由"), meaning, out, ("records", "件数")), reasons),
            *self._unread(),
        ]  # fmt: skip

    def _stage_meaning(self, stage: str) -> str:
        words = names.known()["stages"].get(stage, names.UNKNOWN)
        return self._t(words.english, words.meaning)

    def _unread(self) -> Lines:
        """What of the input was not read; no line where all of it was."""
        unread = self.funnel["harvest"]["unread"]
        counts = (
            (("files that could not be read", "読み込めなかったファイル"), unread["unreadable"]),
            (("folders that could not be entered", "開けなかったフォルダ"), unread["folders"]),
            (("files given twice, read once", "重複して指定されたファイル"), unread["repeated"]),
            (("files of unknown kinds", "形式の不明なファイル"), sum(unread["endings"].values())),
        )
        lines = [f"- {self._t(*words)}: {count:,}" for words, count in counts if count]
        return [*self._h("Not read", "未読の入力", 3), *lines] if lines else []

    def _sources(self) -> Lines:
        rows = [
            (source, f"`{profile}`", documents, kept, _Share(kept, documents))
            for source, profile, documents, kept in by_source(self.funnel)
        ]
        return [
            *self._h("By source and profile", "出典・プロファイル別", 3),
            *self._table((("source", "出典"), ("profile", "プロファイル"), ("in", "入力"),
                          ("kept", "収録"), ("share", "割合")),
                         [(escaped(row[0]), *row[1:]) for row in rows]),
        ]  # fmt: skip

    def _profiles(self) -> Lines:
        if not self.facts["rules"]:
            return []
        lines = self._h("Profiles and thresholds", "プロファイルと閾値")
        lines.append(
            self._t(
                "A document stays when every rule holds. `dropped` counts by the first rule that a "
                "document failed.",
                "すべての規則を満たす文書が残ります。除外数は、最初に満たさなかった規則で数えます。",
            )
        )
        for profile in self.facts["rules"]:
            lines += ["", f"### {profile['name']}", "", escaped(profile["title"]), ""]
            lines += [*self._judged(profile["judged"]), ""]
            lines += self._table(
                (("rule", "規則"), ("kept when", "残す条件"), ("what it drops", "除外するもの"),
                 ("dropped", "除外数")),
                [
                    (escaped(names.called(rule["name"], self.language)), f"`{rule['bounds']}`",
                     escaped(names.meaning(rule["name"], self.language) or rule["why"]),
                     rule["dropped"])
                    for rule in profile["rules"]
                ],
            )  # fmt: skip
        return lines

    def _judged(self, found: dict[str, Any] | None) -> Lines:
        """Its measured error, or that there is none."""
        if found is None:
            return [self._t("Its error was not measured.", "誤りの割合は計測されていません。")]
        pages = found["pages"]

        def share(key: str) -> str:
            value, low, high = found[key]
            return f"{value:.1%} ({low:.1%}–{high:.1%})"

        return [
            self._t(
                f"Error against people's judgements ({found['date']}; {pages['keep']} web pages to "
                f"keep, {pages['drop']} to drop): drops {share('wrong_drops')} of the pages to "
                f"keep, keeps {share('wrong_keeps')} of the pages to drop (95 % intervals).",
                f"ウェブページの人手判定との誤差（{found['date']}、残すべき {pages['keep']} "
                f"ページ、除くべき {pages['drop']} ページ）：残すべきページの "
                f"{share('wrong_drops')} を除外し、"
                f"除くべきページの {share('wrong_keeps')} を収録（括弧内は 95 % 区間）。",
            )
        ]

    # what it is made of ---------------------------------------------------------------------------

    def _lists(self) -> Lines:
        lines: Lines = []
        heads = (("value", "値"), ("documents", "文書数"), ("characters", "文字数"))
        for name, title in TITLES.items():
            rows = self.facts["lists"].get(name, [])
            if rows:
                lines += self._h(*title)
                lines += self._table(heads, [(self._value(row[0]), *row[1:]) for row in rows])
        return lines

    def _value(self, value: str) -> str:
        """A value of a list; what stands for none, and for the others, is ours."""
        if self.language == JAPANESE and value == UNKNOWN:
            return "不明"
        others = re.fullmatch(r"(\d+) others", value)
        return self._t(value, f"ほか {others[1]} 件") if others else escaped(value)

    def _years(self) -> Lines:
        published, captured = self.facts["dates"], self.facts.get("captures", {})
        years = sorted({*published, *captured})
        if not years:
            return []
        heads = (("year", "年"), ("published", "公開年"), ("captured", "取得年"))
        rows = [
            (self._value(year), published.get(year, 0), captured.get(year, 0)) for year in years
        ]
        return [
            *self._h("Years", "年"),
            self._t(
                "Documents by the year of publication that they state, and by that of capture.",
                "文書が示す公開年と、取得された年ごとの文書数。",
            ),
            "",
            *self._table(heads, rows),
        ]

    def _scripts(self) -> Lines:
        shares = self.facts.get("scripts", {})
        rows = [(self._t(name, SCRIPTS[name]), _Share(share, 1)) for name, share in shares.items()]
        heads = (("script", "文字種"), ("share of characters", "文字の割合"))
        return [*self._h("Scripts", "文字種"), *self._table(heads, rows)] if rows else []

    def _blocks(self) -> Lines:
        heads = (("kind", "種類"), ("documents with it", "含む文書"), ("blocks", "ブロック数"),
                 ("characters", "文字数"))  # fmt: skip
        rows = [
            (self._t(kind, f"{BLOCKS[kind]} ({kind})"), *counts)
            for kind, counts in self.facts.get("blocks", {}).items()
        ]
        return [*self._h("Blocks", "ブロック"), *self._table(heads, rows)] if rows else []

    # what holds of its documents ------------------------------------------------------------------

    def _rights(self) -> Lines:
        rights = self.facts["rights"]
        if not rights:
            return []
        early = self.funnel["harvest"]["dropped"]
        late = self.funnel["select"].get("dropped", {})
        gone = sum(self.funnel.get("remove", {}).get("dropped", {}).values())
        refused = [
            *((rule, early.get(rule, 0)) for rule in ("noai", "tdm_reservation")),
            *((rule, late.get(rule, 0)) for rule in
              ("robots_txt", "robots_usage", "robots_directive", "reserved")),
        ]  # fmt: skip
        carried = (
            (("a phrase that reserves rights", "無断転載禁止等の表示"), "reserved_phrase"),
            (("robots directives", "robots 指定"), "robots_directives"),
            (("a robots.txt that forbids some agent", "robots.txt による拒否"), "robots_txt"),
            (("a licence link", "ライセンスへのリンク"), "licence_link"),
        )
        return [
            *self._h("Rights", "権利表示"),
            self._t("Not in the corpus, because of", "収録しなかったもの（理由と文書数）"),
            "",
            *(f"- {escaped(names.meaning(rule, self.language))} (`{rule}`): {count:,}"
              for rule, count in refused),
            f"- {self._t('a request for removal', '削除依頼')}: {gone:,}",
            "",
            self._t("Documents of the corpus with", "収録文書のうち、次の表示をもつもの"),
            "",
            *(f"- {self._t(*words)}: {rights[key]:,}" for words, key in carried),
        ]  # fmt: skip

    def _duplicates(self) -> Lines:
        clusters = self.facts.get("clusters", {})
        dropped = self.funnel.get("dedup", {}).get("dropped", {})
        if not clusters:
            return []
        rows = [(size, count) for size, count in clusters.items() if count]
        return [
            *self._h("Duplicates", "重複"),
            *(f"- {escaped(names.meaning(kind, self.language))} (`{kind}`): {count:,}"
              for kind, count in dropped.items()),
            *([""] if dropped else []),
            *self._table((("copies that were found", "見つかった同一文書の数"),
                          ("documents", "文書数")), rows),
        ]  # fmt: skip

    def _personal(self) -> Lines:
        classes, phone = self.facts.get("personal"), PLACEHOLDERS["phone"]
        if not classes:
            return []
        policy = self.facts["personal_policy"]
        organisations, code = policy["organisations"], policy["code"]
        rows = [
            (self._t(name, f"{names.rule(f'personal_{name}').japanese} ({name})"), entry["policy"],
             entry["documents"], entry["places"])
            for name, entry in classes.items()
        ]  # fmt: skip
        left = self._t(
            "left as they are: public offices, service and emergency numbers, reserved domains, "
            "examples, identifiers with @",
            "対象外: 官公署、フリーダイヤル等、例示用ドメイン、例示、@ を含む識別子",
        )
        owners = self._t(
            "contact data of organisations, where that is certain", "団体の連絡先 (確実な場合)"
        )
        return [
            *self._h("Personal data", "個人情報"),
            self._t(
                f"Masked places hold a placeholder such as {phone}; what is only detected stands "
                "as it was.",
                f"`mask` は{phone}などへの置換、`detect` は計数のみ。",
            ),
            "",
            f"- {owners}: `{organisations}` — {self._t(*ORGANISATIONS[organisations])}",
            f"- {self._t('in code blocks', 'コードブロック内')}: `{code}` — {self._t(*CODE[code])}",
            f"- {left}",
            "",
            *self._table((("class", "種別"), ("policy", "方針"), ("documents", "文書数"),
                          ("places", "箇所")), rows),
        ]  # fmt: skip

    def _harm(self) -> Lines:
        harm = self.facts.get("harm")
        if not harm:
            return []
        severity = [
            (self._t(*SEVERITY.get(level, (level, level))), count)
            for level, count in harm["severity"].items()
        ]
        topics = [(self._t(*TOPICS[name]), count) for name, count in harm["topics"].items()]
        return [
            *self._h("Harmful words", "有害語"),
            self._t(
                "Words are labels, never a reason by themselves: texts on crime, medicine and "
                "discrimination use them too. The highest severity of a document's words:",
                "語の有無は目印であり、それだけでは除外しません（犯罪・医療・差別を論じる文章にも"
                "現れます）。文書中の最も強い語の段階：",
            ),
            "",
            *self._table((("severity", "強さ"), ("documents", "文書数")), severity),
            "",
            *self._table((("documents with", "含む文書"), ("documents", "文書数")), topics),
        ]

    def _damage(self) -> Lines:
        rights = self.facts["rights"]
        if not rights:
            return []
        why = [
            (f"`{reason}`", said(TRUNCATED.get(reason, reason), self.language), count)
            for reason, count in self.facts["truncated"].items()
        ]
        repaired = self._t("with repaired bytes", "文字化けを修復")
        ends = self._t("that may end early (column `truncated`)", "途中で切れている可能性")
        return [
            *self._h("Truncated and repaired", "欠落と修復"),
            f"- {repaired}: {rights['repaired']:,}",
            f"- {ends}: {rights['truncated']:,}",
            *([""] if why else []),
            *self._table((("reason", "理由"), ("what it means", "意味"), ("documents", "文書数")),
                         why),
        ]  # fmt: skip

    # how to make and use it -----------------------------------------------------------------------

    def _inputs(self) -> Lines:
        inputs, versions = self.facts["inputs"], self.facts["versions"]
        rows = [(escaped(name), size, f"`{digest}`") for name, size, digest in inputs["named"]]
        named = " ".join(name for name, _, _ in inputs["named"])
        plain = all(re.fullmatch(r"[\w.,+@%=:-]+", row[0]) for row in inputs["named"])
        few = plain and 0 < inputs["files"] == len(inputs["named"]) <= FEW
        return [
            *self._h("Inputs and how to build it again", "入力と再構築"),
            f"- {self._t('files', 'ファイル数')}: {inputs['files']:,}",
            f"- {self._t('bytes', 'バイト数')}: {inputs['bytes']:,}",
            f"- {self._t('versions', '版')}: "
            + ", ".join(f"{name} {version}" for name, version in versions.items()),
            "",
            *self._table((("file", "ファイル"), ("bytes", "バイト数"),
                          ("digest (BLAKE2b of size, first and last 64 KiB)",
                           "ダイジェスト（大きさと前後 64 KiB の BLAKE2b）")), rows),
            "",
            self._t(
                "The same inputs, settings and versions give the same bytes; `manifest.json` has "
                "the SHA-256 of every file. `corpus.toml` holds the settings:",
                "入力・設定・版が同じなら、同じバイト列になります。全ファイルの SHA-256 は "
                "`manifest.json` に、設定は `corpus.toml` にあります。",
            ),
            "",
            "```console",
            f"corpus build {named if few else 'INPUT…'} --config corpus.toml --out DIR",
            "```",
        ]  # fmt: skip

    def _columns(self) -> Lines:
        rows = []
        for field in SHARD:
            meaning = (field.metadata or {}).get(b"description", b"").decode()
            data_type = "struct" if str(field.type).startswith("struct") else str(field.type)
            rows.append((f"`{field.name}`", data_type, meaning))
        heads = (("column", "列"), ("type", "型"), ("meaning", "意味"))
        return [*self._h("Columns", "列"), *self._table(heads, rows)]

    def _citation(self) -> Lines:
        lines = citation(self.facts).split("\n")
        return [*self._h("Citation", "引用"), "```bibtex", *lines, "```"]

    def _why(self) -> Lines:
        contact = self.facts["contact"]
        asked = (
            self._t(f"Ask {escaped(contact)}.", f"連絡先: {escaped(contact)}")
            if contact
            else self._t(
                "The publisher has named no contact (`publish.contact`).",
                "公開者は連絡先を設定していません（`publish.contact`）。",
            )
        )
        return [
            *self._h("Removal", "削除の依頼"),
            asked + self._t(
                " `corpus remove` takes documents out for good, by address, host or id, and "
                "publishes what is left.",
                " `corpus remove` は URL・ホスト・id を指定して文書を恒久的に取り除き、残りを公開"
                "し直します。",
            ),
            *self._h("Why is a page in or out?", "収録・除外の理由"),
            self._t(
                "`corpus explain DIR URL` answers for every record. `ledger/` holds a row for "
                "everything that was dropped.",
                "`corpus explain DIR URL` で理由を確認できます。除外した文書はすべて `ledger/` に"
                "記録しています。",
            ),
        ]  # fmt: skip


class _Share:
    """A share as a cell of a table, – where there is nothing to share."""

    def __init__(self, part: float, whole: float) -> None:
        self.text = f"{part / whole:.1%}" if whole else "–"

    def __str__(self) -> str:
        return self.text


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _profiles(facts: dict[str, Any]) -> str:
    others = [f"`{name}` ({escaped(source)})" for source, name in facts["profiles"].items()]
    return ", ".join([f"`{facts['profile']}`", *others])


# front matter -------------------------------------------------------------------------------------


def _front_matter(facts: dict[str, Any]) -> Lines:
    """The YAML by which `datasets.load_dataset` finds shards and ledger, and the Hub its tags."""
    sources = [str(row[0]) for row in facts["lists"].get("source", [])]
    tags = ["japanese", "pretraining", "inaho", *(f"source:{name}" for name in sources)]
    return [
        "---",
        "language:",
        "- ja",
        *_licence_lines(facts),
        f"pretty_name: {json.dumps(facts['name'], ensure_ascii=False)}",
        "task_categories:",
        "- text-generation",
        "task_ids:",
        "- language-modeling",
        "multilinguality:",
        "- monolingual",
        "language_creators:",
        "- found",
        "annotations_creators:",
        "- no-annotation",
        "source_datasets:",
        "- original",
        f"size_categories:\n- {_size_category(facts['documents'])}",
        "tags:",
        *(f"- {json.dumps(tag, ensure_ascii=False)}" for tag in tags),
        "configs:",
        "- config_name: default",
        "  default: true",
        "  data_files:",
        "  - split: train",
        f"    path: {SHARDS}/{PARQUET}",
        "- config_name: ledger",
        "  data_files:",
        "  - split: train",
        f"    path: {LEDGER}/{PARQUET}",
        "---",
        "",
    ]


# The identifiers of Hugging Face's `license` differ from SPDX's in case, and are not all there.
HUB_LICENCES = frozenset(
    f"cc-by{terms}-{version}"
    for terms in ("", "-sa", "-nc", "-nd", "-nc-sa", "-nc-nd")
    for version in ("2.0", "2.5", "3.0", "4.0")
) | {"cc0-1.0"}


def _licence_lines(facts: dict[str, Any]) -> Lines:
    """The licence that all documents have, or that each states its own."""
    found = facts["lists"].get("licence", [])
    name = str(found[0][0]) if len(found) == 1 else "unknown"
    if name.lower() in HUB_LICENCES:
        return [f"license: {name.lower()}"]
    single = name if name != "unknown" else "of each document, in the column licence"
    return ["license: other", f"license_name: {json.dumps(single, ensure_ascii=False)}"]


def _size_category(documents: int) -> str:
    """The classes of Hugging Face's `size_categories`; above 10**9 by powers of ten."""
    classes = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
    for power, name in enumerate(classes, 3):
        if documents < 10**power:
            return name
    return "n>1T" if documents >= 10**12 else "1B<n<10B" if documents < 10**10 else "10B<n<100B"


# Signs of Markdown (CommonMark 0.31) and of HTML; names of hosts and sources come from outside.
_SIGNS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def escaped(value: Any) -> str:
    """A value as one line of Markdown text that shows it and nothing else."""
    line = " ".join(UNSEEN.sub(" ", str(value)).split())
    return _SIGNS.sub(r"\\\g<0>", escape(line, quote=False))
