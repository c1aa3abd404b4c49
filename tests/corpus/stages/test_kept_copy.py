"""Which copy of a page stays: manuals of two versions, an original and its mirror, a moved page."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest

WORDS = [
    *("設定", "手順", "画面", "利用者", "記録", "更新", "確認", "装置", "接続", "通信", "印刷"),
    *("文書", "管理", "項目", "表示", "検索", "登録", "変更", "削除", "結果"),
]
CANONICAL = '<link rel="canonical" href="{}">'


def paragraphs(seed: int, more: str = "") -> str:
    """Japanese prose of some 900 characters, another for each seed; `more` stands at its end."""
    rng = random.Random(seed)
    lines = []
    for _ in range(10):
        words = [rng.choice(WORDS) for _ in range(12)]
        lines.append(
            "<p>" + "を".join(words[:6]) + "します。また、" + "の".join(words[6:]) + "です。</p>"
        )
    return "\n".join([*lines, f"<p>{more}</p>" if more else ""])


def record(url: str, day: str, body: str, head: str = "", http: str = "200 OK") -> bytes:
    page = (
        f"<html lang=ja><head><title>頁</title>{head}</head><body><main>{body}</main></body></html>"
    )
    block = f"HTTP/1.1 {http}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{page}".encode()
    return (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
        f"WARC-Date: {day}T00:00:00Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    ).encode() + block + b"\r\n\r\n"  # fmt: skip


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    longer = "この頁には広告があります。ほかの頁も読んでください。"
    path = tmp_path_factory.mktemp("crawl") / "crawl.warc"
    path.write_bytes(b"".join([
        # a manual whose old version names the new one
        record("http://docs.example.jp/old/a.html", "2024-05-09", paragraphs(1, longer),
               CANONICAL.format("/new/a.html")),
        record("http://docs.example.jp/new/a.html", "2024-05-01", paragraphs(1)),
        # one whose versions stand in the addresses only; and one without
        record("http://docs.example.jp/3.8/b.html", "2024-05-09", paragraphs(2, longer)),
        record("http://docs.example.jp/3.12/b.html", "2024-05-01", paragraphs(2)),
        record("http://manual.example.jp/v9/c.html", "2024-05-09", paragraphs(3, longer)),
        record("http://manual.example.jp/latest/c.html", "2024-05-01", paragraphs(3)),
        # a mirror that names the original
        record("http://mirror.example.net/d.html", "2024-05-09", paragraphs(4, longer),
               CANONICAL.format("http://original.example.jp/d.html")),
        record("http://original.example.jp/d.html", "2024-05-01", paragraphs(4)),
        # a page that moved
        record("http://old.example.jp/e.html", "2024-05-09", paragraphs(5, longer)),
        record("http://old.example.jp/e.html", "2024-05-10", "", "",
               "301 Moved Permanently\r\nLocation: http://new.example.jp/e.html"),
        record("http://new.example.jp/e.html", "2024-05-01", paragraphs(5)),
        # dates of publication, of another order than those of capture
        record("http://f.example.jp/1", "2024-05-09", paragraphs(6, longer),
               '<meta name="date" content="2019-01-02">'),
        record("http://f.example.net/2", "2024-05-01", paragraphs(6),
               '<meta name="date" content="2021-03-04">'),
        # captures of one day: the longer one
        record("http://g.example.jp/1", "2024-05-01", paragraphs(7)),
        record("http://g.example.net/2", "2024-05-01", paragraphs(7, longer)),
        # other texts under one canonical address, and a claim of a whole site
        record("http://h.example.jp/print?id=1", "2024-05-01", paragraphs(8),
               CANONICAL.format("/article/1")),
        record("http://h.example.jp/article/1", "2024-05-02", paragraphs(9)),
        record("http://i.example.jp/1", "2024-05-01", paragraphs(10),
               CANONICAL.format("http://i.example.jp/")),
        record("http://i.example.jp/2", "2024-05-01", paragraphs(11),
               CANONICAL.format("http://i.example.jp/")),
    ]))  # fmt: skip
    return path


KEPT = {
    "http://docs.example.jp/new/a.html",
    "http://docs.example.jp/3.12/b.html",
    "http://manual.example.jp/latest/c.html",
    "http://original.example.jp/d.html",
    "http://new.example.jp/e.html",
    "http://f.example.net/2",
    "http://g.example.net/2",
    "http://h.example.jp/article/1",
    "http://i.example.jp/1",
    "http://i.example.jp/2",
}


def test_the_newer_version_the_original_and_the_new_address_stay(
    run_corpus, crawl: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    args = ("--profile", "none", "-j", 1, "-q", "--set", "dedup.url=true")
    run_corpus("build", crawl, "--out", out, *args)
    rows = pq.read_table(out / "corpus").to_pylist()
    assert {row["url"] for row in rows} == KEPT
    ledger = pq.read_table(out / "ledger", filters=[("stage", "==", "dedup")]).to_pylist()
    kinds = {row["url"]: row["rule"] for row in ledger}
    assert len(kinds) == 8 and kinds["http://h.example.jp/print?id=1"] == "url"
    assert "kept by: canonical address, then newer version" in ledger[0]["detail"]
    documents = pq.read_table(next((out / "documents").iterdir())).to_pylist()
    named = {row["url"]: row["canonical_url"] for row in documents}
    assert named["http://docs.example.jp/old/a.html"] == "http://docs.example.jp/new/a.html"
    assert named["http://old.example.jp/e.html"] == "http://new.example.jp/e.html"
    assert named["http://i.example.jp/1"] == "" == named["http://g.example.jp/1"]
