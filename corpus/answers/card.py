"""The data card: what is in a corpus, in measured facts only.

Every number comes from the shards, the ledger or the receipts; nothing is typed. The card is
the folder's README.md, so `datasets.load_dataset(DIR)` opens the corpus through its front matter.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import duckdb

from corpus.folder.layout import LEDGER, PARQUET, SHARDS, Layout
from corpus.folder.schema import SHARD
from corpus.folder.sql import quoted
from corpus.settings import Settings
from corpus.stages.table import STAGES
from filters.personal import KINDS, policies
from filters.placeholders import PLACEHOLDERS

TOP = 10  # rows of a top list


def facts(layout: Layout, settings: Settings, funnel: dict[str, Any]) -> dict[str, Any]:
    """Everything the card states, as plain values (also what `corpus card --json` prints).

    funnel: of `corpus.stages.books`. Keys: name, profile, profiles, funnel, shards, documents,
    characters, bytes; lists: column → [value, documents, characters]; lengths in code points;
    dates: year → documents; captured: [first, last]; rights and personal: counts of documents;
    personal_policy: what was set for organisations and for code.
    """
    default, own = settings.select.by_source()
    card: dict[str, Any] = {
        "name": settings.publish.name,
        "profile": default,
        "profiles": {
            s: name for s, name in own.items() if s in funnel["select"].get("sources", {})
        },
        "funnel": funnel,
        "shards": [path.name for path in layout.shards()],
        "documents": funnel["publish"]["out"],
        "characters": funnel["publish"]["characters"],
        "bytes": funnel["publish"]["bytes"],
    }
    if not card["documents"]:
        return card | {"lists": {}, "lengths": {}, "dates": {}, "rights": {}}
    # From here on by queries over the shards: a corpus of any size, in bounded memory.
    db = duckdb.connect(":memory:", config={"threads": 2})
    shards = quoted(layout.shard(PARQUET))
    db.execute(f"create view corpus as select * from read_parquet({shards})")
    card["lists"] = {
        column: _top(db, column)
        for column in ("source", "host", "licence", "language", "charset", "charset_from")
    }
    row = db.execute(
        "select min(n_chars), quantile_disc(n_chars, 0.1), quantile_disc(n_chars, 0.5), "
        "quantile_disc(n_chars, 0.9), max(n_chars) from corpus"
    ).fetchone()
    card["lengths"] = dict(zip(("min", "p10", "median", "p90", "max"), row or (), strict=True))
    # Dates: of publication by year as pages state them, of capture the first and the last.
    card["dates"] = {
        year: count
        for year, count in db.execute(
            "select coalesce(nullif(regexp_extract(date, '^[0-9]{4}'), ''), 'unknown') as year, "
            "count(*) from corpus group by 1 order by 1"
        ).fetchall()
    }
    card["captured"] = list(
        db.execute(
            "select coalesce(min(nullif(captured, '')), ''), coalesce(max(captured), '') "
            "from corpus"
        ).fetchone()
        or ()
    )
    # Rights and repairs: how many documents carry each sign.
    row = db.execute(
        "select count(*) filter (rights.reserved), count(*) filter (len(rights.robots) > 0), "
        "count(*) filter (rights.licence_url <> ''), count(*) filter (repairs > 0), "
        "count(*) filter (cluster_size > 1), count(*) filter (truncated <> '') from corpus"
    ).fetchone()
    names = (
        *("reserved_phrase", "robots_directives", "licence_link", "repaired", "in_cluster"),
        "truncated",
    )
    card["rights"] = dict(zip(names, row or (), strict=True))
    card["personal"] = _personal(db, settings)
    card["personal_policy"] = {
        "organisations": settings.clean.organisations,
        "code": settings.clean.code,
    }
    return card


def _personal(db: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    """Class of personal data → {policy, documents, places} in the corpus, of classes looked for."""
    policy_of = policies(settings.clean.personal, settings.clean.personal_classes)
    counts = {}
    for name in (name for name in KINDS if policy_of[name] != "off"):
        row = db.execute(
            f"select count(*) filter (personal.{name} > 0), coalesce(sum(personal.{name}), 0) "
            "from corpus"
        ).fetchone()
        documents, places = row or (0, 0)
        counts[name] = {"policy": policy_of[name], "documents": documents, "places": int(places)}
    return counts


def _top(db: duckdb.DuckDBPyConnection, column: str) -> list[list[Any]]:
    """[value, documents, characters] of the most frequent values, then the rest as one row."""
    rows = db.execute(
        f"select coalesce(nullif({column}, ''), 'unknown') as value, count(*) as n, "
        f"sum(n_chars)::bigint from corpus group by 1 order by n desc, value"
    ).fetchall()
    top = [list(row) for row in rows[:TOP]]
    if len(rows) > TOP:
        rest = rows[TOP:]
        top.append([f"{len(rest)} others", sum(r[1] for r in rest), sum(r[2] for r in rest)])
    return top


TITLES = {  # list → (English, Japanese)
    "source": ("Sources", "出典"),
    "host": ("Hosts", "ホスト"),
    "licence": ("Licences", "ライセンス"),
    "language": ("Languages", "言語"),
    "charset": ("Charsets of the pages", "元の文字コード"),
    "charset_from": ("How the charset was found", "文字コードの判定根拠"),
}


ORGANISATIONS = {  # clean.organisations → what the card says of it
    "mask": "treated as a person's / 個人と同様に扱う",
    "keep": "left in the text and not counted / 本文に残し、計数しない",
}
CODE = {  # clean.code
    "owned": "only what stands behind a name or an author's line / 氏名や著者行に伴うもののみ",
    "mask": "as in prose / 本文と同様",
    "keep": "left as it is / 対象外",
}


def markdown(facts: dict[str, Any]) -> str:
    """The card in English and Japanese, with the front matter that Hugging Face reads."""
    lines = _front_matter(facts)
    lines += [
        f"# {escaped(facts['name'])}",
        "",
        "Built by Inaho. Every figure below was measured on the files in this folder. / "
        "稲穂 (Inaho) で構築。以下の数値はすべてこのフォルダのファイルから計測したものです。",
        "",
        "## Size / 規模",
        "",
        f"- documents / 文書数: {facts['documents']:,}",
        f"- characters / 文字数: {facts['characters']:,}",
        f"- UTF-8 bytes / バイト数: {facts['bytes']:,}",
        f"- shards / シャード数: {len(facts['shards'])}",
        f"- filter profile / 選別プロファイル: {_profiles(facts)}",
    ]
    if facts["lengths"]:
        spread = ", ".join(f"{name} {value:,}" for name, value in facts["lengths"].items())
        lines.append(f"- characters per document / 1文書あたりの文字数: {spread}")
    # How it came about, what it is made of, what holds of its documents, what the columns mean.
    lines += ["", "## What happened to the records / 処理の内訳", ""]
    lines += funnel_table(facts["funnel"])
    lines += _unread_lines(facts["funnel"]["harvest"]["unread"])
    lines += _source_lines(facts)
    for name, (english, japanese) in TITLES.items():
        if facts["lists"].get(name):
            lines += ["", f"## {english} / {japanese}", ""]
            lines += ["| value | documents | characters |", "|---|---:|---:|"]
            lines += [
                f"| {escaped(value)} | {documents:,} | {characters:,} |"
                for value, documents, characters in facts["lists"][name]
            ]
    lines += _rights_lines(facts)
    lines += _personal_lines(facts)
    if facts["dates"]:
        lines += ["", "## Year of publication / 公開年", "", "| year | documents |", "|---|---:|"]
        lines += [f"| {year} | {count:,} |" for year, count in facts["dates"].items()]
    lines += _column_lines()
    lines += [
        "",
        "## Why is a page in or out? / 収録・除外の理由",
        "",
        "`corpus explain DIR URL` answers for every record. `ledger/` holds a row for everything "
        "that was dropped. / `corpus explain DIR URL` で理由を確認できます。除外した文書はすべて "
        "`ledger/` に記録しています。",
        "",
    ]
    return "\n".join(lines)


def _front_matter(facts: dict[str, Any]) -> list[str]:
    """The YAML by which `datasets.load_dataset` finds shards and ledger."""
    return [
        "---",
        "language:",
        "- ja",
        *_licence_lines(facts),
        f"pretty_name: {json.dumps(facts['name'], ensure_ascii=False)}",
        "task_categories:",
        "- text-generation",
        f"size_categories:\n- {_size_category(facts['documents'])}",
        "configs:",
        "- config_name: default",
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


def _licence_lines(facts: dict[str, Any]) -> list[str]:
    """The licence that all documents have, or that each states its own."""
    found = facts["lists"].get("licence", [])
    name = str(found[0][0]) if len(found) == 1 else "unknown"
    if name.lower() in HUB_LICENCES:
        return [f"license: {name.lower()}"]
    single = name if name != "unknown" else "of each document, in the column licence"
    return ["license: other", f"license_name: {json.dumps(single, ensure_ascii=False)}"]


def _source_lines(facts: dict[str, Any]) -> list[str]:
    lines = ["", "### By source and profile / 出典・プロファイル別", ""]
    lines += ["| source | profile | in | kept | share |", "|---|---|---:|---:|---:|"]
    return lines + [
        f"| {escaped(source)} | `{profile}` | {documents:,} | {kept:,} | {kept / documents:.1%} |"
        for source, profile, documents, kept in by_source(facts["funnel"])
    ]


def _unread_lines(unread: dict[str, Any]) -> list[str]:
    """What of the input was not read; no line where all of it was."""
    counts = (
        ("files that could not be read / 読み込めなかったファイル", unread["unreadable"]),
        ("folders that could not be entered / 開けなかったフォルダ", unread["folders"]),
        ("files given twice, read once / 重複して指定されたファイル", unread["repeated"]),
        ("files of unknown kinds / 形式の不明なファイル", sum(unread["endings"].values())),
    )
    lines = [f"- {words}: {count:,}" for words, count in counts if count]
    return ["", "### Not read / 未読の入力", "", *lines] if lines else []


def _column_lines() -> list[str]:
    lines = ["", "## Columns / 列", "", "| column | type | meaning |", "|---|---|---|"]
    for field in SHARD:
        meaning = (field.metadata or {}).get(b"description", b"").decode()
        data_type = "struct" if str(field.type).startswith("struct") else str(field.type)
        lines.append(f"| `{field.name}` | {data_type} | {meaning} |")
    return lines


def _profiles(facts: dict[str, Any]) -> str:
    others = [f"`{name}` ({escaped(source)})" for source, name in facts["profiles"].items()]
    return ", ".join([f"`{facts['profile']}`", *others])


def by_source(funnel: dict[str, Any]) -> list[tuple[str, str, int, int]]:
    """(source, profile that decided, documents before selection, documents kept)."""
    return [
        (source, entry["profile"], entry["in"], entry["out"])
        for source, entry in funnel["select"]["sources"].items()
    ]


def _personal_lines(facts: dict[str, Any]) -> list[str]:
    phone = PLACEHOLDERS["phone"]
    classes = facts.get("personal")
    if not classes:
        return []
    policy = facts["personal_policy"]
    organisations, code = policy["organisations"], policy["code"]
    return [
        "",
        "## Personal data / 個人情報",
        "",
        f"Masked places hold a placeholder such as {phone}; what is only detected stands as it "
        f"was. / `mask` は{phone}などへの置換、`detect` は計数のみ。",
        "",
        f"- contact data of organisations, where that is certain / 団体の連絡先 (確実な場合): "
        f"`{organisations}` — {ORGANISATIONS[organisations]}",
        f"- in code blocks / コードブロック内: `{code}` — {CODE[code]}",
        "- left as they are / 対象外: public offices, service and emergency numbers, reserved "
        "domains, examples, identifiers with @ / 官公署、フリーダイヤル等、例示用ドメイン、"
        "例示、@ を含む識別子",
        "",
        "| class | policy | documents | places |",
        "|---|---|---:|---:|",
        *(
            f"| {name} | {entry['policy']} | {entry['documents']:,} | {entry['places']:,} |"
            for name, entry in classes.items()
        ),
    ]


def _rights_lines(facts: dict[str, Any]) -> list[str]:
    rights = facts["rights"]
    if not rights:
        return []
    dropped = facts["funnel"]["harvest"]["dropped"]
    return [
        "",
        "## Rights and repairs / 権利表示と修復",
        "",
        f"- dropped for noai / noai 指定により除外: {dropped.get('noai', 0):,}",
        "- dropped for a TDM reservation / TDM 留保により除外: "
        f"{dropped.get('tdm_reservation', 0):,}",
        f"- with a reserving phrase / 無断転載禁止等の表示あり: {rights['reserved_phrase']:,}",
        f"- with robots directives / robots 指定あり: {rights['robots_directives']:,}",
        f"- with a licence link / ライセンスへのリンクあり: {rights['licence_link']:,}",
        f"- with repaired bytes / 文字化けを修復: {rights['repaired']:,}",
        "- that may end early (column `truncated`) / 途中で切れている可能性: "
        f"{rights['truncated']:,}",
        f"- that stand for a cluster of duplicates / 重複群の代表: {rights['in_cluster']:,}",
    ]


def funnel_table(funnel: dict[str, Any]) -> list[str]:
    """The funnel as Markdown: in, out, and each reason."""
    lines = ["| stage | in | out | kept |", "|---|---:|---:|---:|"]
    for stage, entry in funnel.items():
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else "–"
        lines.append(f"| {title(stage)} | {entry['in']:,} | {entry['out']:,} | {share} |")
    lines += ["", "| stage | reason | records |", "|---|---|---:|"]
    for stage, entry in funnel.items():
        for fate, mark in (("skipped", ""), ("dropped", ""), ("altered", " (altered, kept)")):
            for reason, count in entry.get(fate, {}).items():
                lines.append(f"| {stage} | {escaped(reason)}{mark} | {count:,} |")
    return lines


def title(stage: str) -> str:
    """The name of a stage in English and Japanese."""
    japanese = {row.name: row.japanese for row in STAGES}
    return f"{stage} / {japanese.get(stage, stage)}"


def _size_category(documents: int) -> str:
    """The classes of Hugging Face's `size_categories`; above 10**9 by powers of ten."""
    names = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
    for power, name in enumerate(names, 3):
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
