"""Clean in a harvest: what is cut and masked, what the ledger says of it, and what breaks."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpus.config import load
from corpus.errors import UsageError
from corpus.folder.folder import Folder
from corpus.folder.layout import Layout
from corpus.folder.ledger import Ledger
from corpus.settings import Settings
from corpus.sources.kinds import items_of
from corpus.sources.plan import units
from corpus.stages import books, harvest
from corpus.stages.clean import CleanSettings, clean
from corpus.stages.document import document
from corpus.stages.table import STAGES
from corpus.text.blocks import KINDS, NONE, Blocks
from filters.personal import PLACEHOLDERS, find

BODY = "稲の穂が実るころ、村の人々は朝早くから田に出て働いていました。" * 6
CONTACT = "お問い合わせは電話 03-3581-0123、または taro＠inaho9.co.jp の山田太郎様まで。"
FOOTER = "会社概要 | お問い合わせ | サイトマップ\n© 2024 稲穂社 All Rights Reserved."


def harvested(
    folder: Path, lines: list[str], settings: Settings
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """(documents, ledger rows, counts) of a harvest of texts, one JSON line each."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "texts.jsonl"
    rows = [json.dumps({"text": text, "title": "見出し"}, ensure_ascii=False) for text in lines]
    source.write_text("\n".join(rows) + "\n", encoding="utf-8")
    (unit,) = units([str(source)], settings)
    counts = harvest.harvest_unit(unit, settings, Folder(folder / "out"))
    books.check(Layout(folder / "out"), STAGES[0])
    documents = pq.read_table(folder / "out/documents").to_pylist()
    return documents, pq.read_table(folder / "out/ledger").to_pylist(), counts


def with_clean(**changes: Any) -> Settings:
    return replace(Settings(), clean=replace(CleanSettings(), **changes))


def test_footer_and_personal_data_go_and_the_ledger_has_their_spans(tmp_path: Path) -> None:
    text = f"{BODY}\n{CONTACT}\n{BODY}\n{FOOTER}"
    (document,), ledger, counts = harvested(tmp_path, [text], Settings())
    masked = f"お問い合わせは電話 {PLACEHOLDERS['phone']}、または {PLACEHOLDERS['email']} の"
    masked += f"{PLACEHOLDERS['name']}様まで。"
    assert document["text"] == f"{BODY}\n{masked}\n{BODY}"
    assert document["n_chars"] == len(document["text"])
    assert document["n_bytes"] == len(document["text"].encode())
    found = {kind: n for kind, n in document["personal"].items() if n}
    assert found == {"phone": 1, "email": 1, "name": 1}
    rules = {row["rule"]: row for row in ledger}
    assert rules.keys() == {"footer", "personal_phone", "personal_email", "personal_name"}
    assert {row["action"] for row in ledger} == {"alter"}
    assert {row["id"] for row in ledger} == {document["id"]}
    begin = text.index("03-3581")
    assert f"characters {begin}:{begin + 12}" in rules["personal_phone"]["detail"]
    at = len(text) - len(FOOTER) - 1
    assert f"characters {at}:{len(text)}" in rules["footer"]["detail"]
    assert rules["footer"]["value"] == len(FOOTER) + 1
    assert counts["altered"] == dict.fromkeys(sorted(rules), 1) and counts["dropped"] == {}


def test_the_ledger_never_holds_the_personal_data(tmp_path: Path) -> None:
    _, ledger, _ = harvested(tmp_path, [f"{BODY}{CONTACT}"], Settings())
    said = " ".join(str(value) for row in ledger for value in row.values())
    assert "3581" not in said and "taro" not in said and "山田" not in said


def test_a_policy_for_each_class(tmp_path: Path) -> None:
    classes = {"phone": "detect", "email": "off", "name": "mask"}
    settings = with_clean(personal="mask", personal_classes=classes)
    (document,), ledger, _ = harvested(tmp_path, [BODY + CONTACT], settings)
    assert "03-3581-0123" in document["text"] and "taro＠" in document["text"]
    assert "山田" not in document["text"]
    assert document["personal"]["phone"] == 1 and document["personal"]["email"] is None
    assert [row["rule"] for row in ledger] == ["personal_name"]


def test_drop_removes_the_document_with_a_ledger_row_and_leaves_its_neighbours(
    tmp_path: Path,
) -> None:
    settings = with_clean(personal_classes={"email": "drop"})
    documents, ledger, counts = harvested(tmp_path, [BODY + CONTACT, BODY, BODY + "あ"], settings)
    assert len(documents) == 2
    (row,) = [row for row in ledger if row["action"] == "drop"]
    assert (row["rule"], row["value"], row["threshold"]) == ("personal_email", 1, 0)
    assert counts["dropped"] == {"personal_email": 1}


def test_everything_off_leaves_texts_as_they_are(tmp_path: Path) -> None:
    settings = with_clean(footer=False, personal="off", personal_classes={})
    text = f"{BODY}\n{CONTACT}\n{FOOTER}"
    (document,), ledger, _ = harvested(tmp_path, [text], settings)
    assert document["text"] == text and ledger == []
    assert set(document["personal"].values()) == {None}


def test_titles_are_masked_and_counted_too() -> None:
    row = {"id": "x", "url": "", "source_file": "f", "source_offset": 0, "text": BODY}
    row |= {"title": "予約 03-3581-0123", "n_chars": len(BODY), "n_bytes": 0}
    row |= {"blocks": NONE, "format": "markdown"}
    ledger = Ledger("harvest")
    ((kept,), _, altered) = clean([row], CleanSettings(), ledger)
    assert kept["title"] == f"予約 {PLACEHOLDERS['phone']}" and kept["personal"]["phone"] == 1
    assert altered == {"personal_phone": 1} and len(ledger) == 1


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("clean.personal=hide", "clean.personal = 'hide': choose one of detect, mask"),
        ("clean.personal_classes=telephone=mask", "no class 'telephone'; there are phone"),
        (
            "clean.personal_classes=phone=blur",
            "phone = 'blur': choose one of detect",
        ),
        ("clean.footer=perhaps", "is no bool"),
        ("clean.foot=true", "did you mean footer"),
    ],
)
def test_settings_that_cannot_be_are_one_line_before_any_work(override: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        load(None, [override])
    assert "\n" not in str(error.value)


JSON_LD = '{"@type": "Article", "author": {"name": "山\\ud83d"}, "license": "https://a.jp/\\ud83d"}'


def page(number: int, script: str = "{}", url: str = "", before: str = "") -> bytes:
    """A WARC record, compressed."""
    url = url or f"http://a{number}.jp/"
    html = f"""<html lang="ja"><head><title>稲穂</title>
<script type="application/ld+json">{script}</script></head>
<body><article>{before}<p>{BODY}{number}</p></article></body></html>""".encode()
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012}>\r\n"
        "WARC-Date: 2024-01-02T03:04:05Z\r\nContent-Type: application/http;msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", mtime=0)


def test_half_an_emoji_in_json_ld_costs_neither_the_page_nor_the_unit(tmp_path: Path) -> None:
    """Cut titles end in half a surrogate pair; Arrow refuses them, and their whole batch."""
    source = tmp_path / "pages.warc.gz"
    source.write_bytes(page(1) + page(2, JSON_LD) + page(3))
    (unit,) = units([str(source)], Settings())
    harvest.harvest_unit(unit, Settings(), Folder(tmp_path / "out"))
    documents = pq.read_table(tmp_path / "out/documents").to_pylist()
    assert [row["author"] for row in documents] == ["", "山?", ""]


def test_a_document_that_breaks_a_filter_costs_one_ledger_row(tmp_path: Path) -> None:
    """Text that is no UTF-8 breaks every kernel: those beside it keep their rows."""
    settings = Settings()
    source = tmp_path / "pages.warc.gz"
    source.write_bytes(b"".join(page(n) for n in range(4)))
    (unit,) = units([str(source)], settings)
    rows = [
        row
        for item in items_of(unit, settings)
        if isinstance(row := document(item, settings), dict)
    ]
    rows[1]["text"] += "\ud83d"
    rows[1].pop("plain")  # made of the whole text
    rows[2]["title"] += "\udc00"
    ledger = Ledger("harvest")
    outcome = clean(rows, settings.clean, ledger)
    assert [row["url"] for row in outcome.rows] == ["http://a0.jp/", "http://a3.jp/"]
    assert outcome.dropped == {"error": 2} and len(ledger) == 2
    outcome.rows[0]["site"] = "\ud83d"
    batch, broken = harvest._measured(outcome.rows, ledger)
    assert batch.column("url").to_pylist() == ["http://a3.jp/"]
    assert (broken, len(ledger)) == (1, 3)
    assert batch.column("quality").to_pylist()[0]["hiragana_share"] > 0


def test_masked_text_holds_nothing_to_mask_and_footers_go_once(tmp_path: Path) -> None:
    texts = [f"{BODY}\n{CONTACT}\n{BODY}\n{FOOTER}"]
    (first,), _, _ = harvested(tmp_path / "1", texts, Settings())
    (second,), ledger, _ = harvested(tmp_path / "2", [first["text"]], Settings())
    assert second["text"] == first["text"] and ledger == []
    assert find(first["text"]) == []


def test_lines_that_a_site_repeats_have_a_ledger_row_each(tmp_path: Path) -> None:
    menu = "稲穂の里のホームページへようこそおいでくださいました、ごゆっくり"
    source = tmp_path / "pages.warc.gz"
    source.write_bytes(
        b"".join(page(n, url=f"http://site.jp/{n}", before=f"<p>{menu}</p>") for n in range(6))
    )
    (unit,) = units([str(source)], Settings())
    counts = harvest.harvest_unit(unit, Settings(), Folder(tmp_path / "out"))
    documents = pq.read_table(tmp_path / "out/documents").to_pylist()
    ledger = pq.read_table(tmp_path / "out/ledger").to_pylist()
    assert len(documents) == 6 and all(menu not in row["text"] for row in documents)
    assert counts["altered"] == {"site_boilerplate": 6}
    assert {row["rule"] for row in ledger} == {"site_boilerplate"} and len(ledger) == 6
    books.check(Layout(tmp_path / "out"), STAGES[0])


def marked_up(*parts: tuple[str, str]) -> dict[str, Any]:
    """A row of harvest whose text has blocks: (kind, Markdown)."""
    text = "\n\n".join(body for _, body in parts)
    spans, at = [], 0
    for kind, body in parts:
        spans.append([at, at + len(body), KINDS.index(kind), int(kind == "heading"), 0])
        at += len(body) + 2
    row = {"id": "x", "url": "", "source_file": "f", "source_offset": 0, "title": ""}
    return row | {"text": text, "blocks": Blocks(np.array(spans, np.int32)), "format": "markdown"}


def parts_of(row: dict[str, Any]) -> list[str]:
    return [row["text"][a:z] for a, z in row["blocks"].spans[:, :2].tolist()]


def test_footers_of_markdown_go_line_by_line_and_the_ledger_speaks_of_the_plain_view() -> None:
    row = marked_up(
        ("item", "- ホーム メニュー\n  ログイン"),
        ("heading", "# 稲の穂"),
        ("paragraph", BODY),
        ("rule", "---"),
        ("item", "- 会社概要\n  お問い合わせ"),
        ("paragraph", "© 2024 稲穂社 All Rights Reserved."),
    )
    ledger = Ledger("harvest")
    ((kept,), _, altered) = clean([row], CleanSettings(), ledger)
    assert parts_of(kept) == ["# 稲の穂", BODY] and kept["text"] == f"# 稲の穂\n\n{BODY}"
    assert kept["n_chars"] == len(kept["text"]) and altered == {"footer": 1}
    head, body = "ホーム メニュー\nログイン\n", f"稲の穂\n{BODY}"
    end = "\n会社概要\nお問い合わせ\n© 2024 稲穂社 All Rights Reserved."
    (said,) = ledger.rows
    begin = len(head + body)
    assert f"head, characters 0:{len(head)}," in said["detail"]
    assert f"end, characters {begin}:{begin + len(end)}," in said["detail"]
    assert said["value"] == len(head) + len(end)


def test_code_and_tables_at_the_end_are_no_navigation() -> None:
    table = "| 会社概要 | お問い合わせ |\n| --- | --- |\n| サイトマップ | © 2024 |"
    for solid in (("table", table), ("code", "```\n© 2024 All Rights Reserved\n```")):
        row = marked_up(("paragraph", BODY), solid, ("paragraph", "サイトマップ"))
        ((kept,), _, _) = clean([row], CleanSettings(), Ledger("harvest"))
        assert parts_of(kept) == [BODY, solid[1]]


def test_personal_data_of_markdown_is_found_in_the_plain_view() -> None:
    row = marked_up(
        ("paragraph", "電話は03-`3581`-0123です。"), ("code", "```\nTEL 03-3581-0123\n```")
    )
    ledger = Ledger("harvest")
    ((kept,), _, _) = clean([row], CleanSettings(), ledger)
    hidden = PLACEHOLDERS["phone"]
    assert parts_of(kept) == [f"電話は{hidden}です。", f"```\nTEL {hidden}\n```"]
    assert kept["personal"]["phone"] == 2
    assert ledger.rows[0]["detail"].startswith("characters 3:15, 23:35 became")


CODE = "```\nmail -s test hanako@inaho9.jp\n# Hanako <hanako@inaho9.jp>\nsend('ine@inaho9.jp')\n```"


@pytest.mark.parametrize(("policy", "left"), [("owned", 1), ("mask", 0), ("keep", 3)])
def test_in_code_only_what_is_somebodys_is_masked_unless_said_otherwise(
    policy: str, left: int
) -> None:
    row = marked_up(("paragraph", BODY + "連絡は tane@inaho9.jp へ"), ("code", CODE))
    ((kept,), _, _) = clean([row], CleanSettings(code=policy), Ledger("harvest"))
    prose, code = parts_of(kept)
    assert prose == f"{BODY}連絡は {PLACEHOLDERS['email']} へ"
    assert code.count("@inaho9.jp") == left
    assert kept["personal"]["email"] == 4 - left


def test_organisations_own_contact_data_stays_where_that_is_set(tmp_path: Path) -> None:
    theirs = "株式会社稲穂 東京都港区稲穂町9-8-7 TEL 03-2345-9876 info@inaho9.co.jp"
    text = f"{BODY}\n{theirs}\n{BODY}\n連絡は hanako@inaho9.jp か 090-0127-3694 へ"
    (masked,), _, _ = harvested(tmp_path / "mask", [text], with_clean())
    kinds = ("address", "phone", "email")
    assert [masked["personal"][kind] for kind in kinds] == [1, 2, 2]
    (kept,), ledger, _ = harvested(tmp_path / "keep", [text], with_clean(organisations="keep"))
    hidden = f"連絡は {PLACEHOLDERS['email']} か {PLACEHOLDERS['phone']} へ"
    assert kept["text"] == f"{BODY}\n{theirs}\n{BODY}\n{hidden}"
    assert [kept["personal"][kind] for kind in kinds] == [0, 1, 1]
    assert {row["rule"] for row in ledger} == {"personal_phone", "personal_email"}
