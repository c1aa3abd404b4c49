"""The card on how to make, read, cite and mend a corpus."""

from __future__ import annotations

import re

from corpus.answers import facts
from corpus.answers.card.parts import Card, Lines, Share
from corpus.answers.markdown import escaped
from corpus.answers.vocabulary import files_and_members
from corpus.folder.schema import SHARD
from corpus.words import card as words

FEW = 4  # input files that the command names
NOT_NOTED = Share(0, 0)  # the size of a member of a packed file


def inputs(card: Card) -> Lines:
    inputs, versions = card.facts["inputs"], card.facts["versions"]
    rows = [
        (escaped(name), NOT_NOTED if size is None else size, f"`{digest}`" if digest else "–")
        for name, size, digest in inputs["named"]
    ]
    named = " ".join(name for name, _, _ in inputs["named"])
    plain = all(re.fullmatch(r"[\w.,+@%=:-]+", row[0]) for row in inputs["named"])
    few = plain and 0 < inputs["files"] == len(rows) <= FEW and not inputs["members"]
    more = inputs["read"] - len(rows)
    return [
        *card.h("Inputs and how to build it again", "入力と再構築"),
        f"- {card.t('given', '入力')}: "
        + card.t(*files_and_members(inputs["files"], inputs["members"])),
        *_not_read(card),
        f"- {card.t('bytes of the files', 'ファイルのバイト数')}: {inputs['bytes']:,}",
        f"- {card.t('versions', '版')}: "
        + ", ".join(f"{name} {version}" for name, version in versions.items()),
        "",
        *card.table((("file", "ファイル"), ("bytes", "バイト数"),
                      ("digest (BLAKE2b of size, first and last 64 KiB)",
                       "ダイジェスト（大きさと前後 64 KiB の BLAKE2b）")), rows),
        *(["", card.t(f"and {more:,} more", f"ほか {more:,} 件")] if more > 0 else []),
        "",
        card.t(
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


def _not_read(card: Card) -> Lines:
    """Of what was given, what was not read, and why; no line where all of it was."""
    inputs = card.facts["inputs"]
    unreadable, repeated = inputs["unreadable"], inputs["repeated"]
    if not unreadable and not repeated:
        return []
    return [
        card.t(
            f"- of these read: {inputs['read']:,} ({unreadable:,} could not be read, {repeated:,} "
            "are the same as another)",
            f"- うち読み込み: {inputs['read']:,}（読めなかったもの {unreadable:,}、"
            f"ほかと同一のもの {repeated:,}）",
        )
    ]


def columns(card: Card) -> Lines:
    rows = []
    for field in SHARD:
        meaning = (field.metadata or {}).get(b"description", b"").decode()
        data_type = "struct" if str(field.type).startswith("struct") else str(field.type)
        rows.append((f"`{field.name}`", data_type, card.t(meaning, words.column(field.name))))
    heads = (("column", "列"), ("type", "型"), ("meaning", "意味"))
    return [*card.h("Columns", "列"), *card.table(heads, rows)]


def citation(card: Card) -> Lines:
    lines = facts.citation(card.facts).split("\n")
    return [*card.h("Citation", "引用"), "```bibtex", *lines, "```"]


def removal(card: Card) -> Lines:
    contact = card.facts["contact"]
    asked = (
        card.t(f"Ask {escaped(contact)}.", f"連絡先: {escaped(contact)}")
        if contact
        else card.t(
            "The publisher has named no contact (`publish.contact`).",
            "公開者は連絡先を設定していません（`publish.contact`）。",
        )
    )
    return [
        *card.h("Removal", "削除の依頼"),
        asked + card.t(
            " `corpus remove` takes documents out for good, by address, host or id, and "
            "publishes what is left.",
            " `corpus remove` は URL・ホスト・id を指定して文書を恒久的に取り除き、残りを公開"
            "し直します。",
        ),
        *card.h("Why is a page in or out?", "収録・除外の理由"),
        card.t(
            "`corpus explain DIR URL` answers for every record. `ledger/` holds a row for "
            "everything that was dropped.",
            "`corpus explain DIR URL` で理由を確認できます。除外した文書はすべて `ledger/` に"
            "記録しています。",
        ),
    ]  # fmt: skip
