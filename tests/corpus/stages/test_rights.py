"""What robots.txt of an archive says is recorded with its pages, wherever it stands."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

ROBOTS = b"""User-agent: GPTBot
User-agent: CCBot
Disallow: /secret/

User-agent: *
Content-Signal: search=yes, ai-train=no
Allow: /
"""
TEXT = (
    "日本語の本文がここに書かれています。十分に長い段落を用意して、抽出の対象になるようにします。"
    * 8
)


def response(writer: WARCWriter, url: str, body: bytes, kind: str, when: str) -> None:
    headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")
    writer.write_record(
        writer.create_warc_record(
            url, "response", payload=io.BytesIO(body), http_headers=headers,
            warc_headers_dict={"WARC-Date": when},
        )
    )  # fmt: skip


@pytest.fixture
def archives(tmp_path: Path) -> list[str]:
    """Two archives: the pages in one, the robots.txt files in the other."""
    pages = tmp_path / "pages.warc.gz"
    with open(pages, "wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, path in enumerate(("secret/a", "open/b")):
            html = (
                f"<html><body><main><p>{number}番目。{TEXT[number * 40 :]}</p></main></body></html>"
            )
            response(
                writer,
                f"http://site.example/{path}",
                html.encode(),
                "text/html",
                "2024-05-02T00:00:00Z",
            )
    robots = tmp_path / "robots.warc.gz"
    with open(robots, "wb") as file:
        writer = WARCWriter(file, gzip=True)
        for body, when in ((b"User-agent: *\nDisallow: /\n", "2020-01-01"), (ROBOTS, "2024-05-01")):
            response(
                writer, "http://site.example/robots.txt", body, "text/plain", f"{when}T00:00:00Z"
            )
    return [str(pages), str(robots)]


FLAGS = ("--profile", "none", "--dedup", "none", "-q", "-j", 1)


def test_robots_txt_is_recorded_by_default(run_corpus, archives, tmp_path: Path) -> None:
    run_corpus("build", *archives, "--out", tmp_path / "out", *FLAGS)
    rows = pq.read_table(tmp_path / "out" / "corpus", columns=["url", "rights"]).to_pylist()
    said = {row["url"][-8:]: row["rights"] for row in rows}
    assert said["secret/a"]["robots_txt"] == ["CCBot", "GPTBot"]
    assert said["e/open/b"]["robots_txt"] == []
    assert "ai-train=no" in said["e/open/b"]["robots_usage"]


def test_a_policy_can_obey_it(run_corpus, archives, tmp_path: Path) -> None:
    run_corpus("build", *archives, "--out", tmp_path / "out", *FLAGS,
               "--set", "rights.obey_robots_txt=true")  # fmt: skip
    assert pq.read_table(tmp_path / "out" / "corpus").num_rows == 1
    said = run_corpus("explain", tmp_path / "out", "http://site.example/secret/a").stdout
    assert "robots_txt" in said and "GPTBot" in said
    run_corpus("select", tmp_path / "out", "--set", "rights.obey_usage=true", "-q")
    run_corpus("publish", tmp_path / "out", "-q", "--set", "publish.allow_empty=true")
    assert pq.read_table(tmp_path / "out" / "corpus").num_rows == 0


def test_url_lists_keep_pages_out(run_corpus, archives, tmp_path: Path) -> None:
    (tmp_path / "block.txt").write_text("site.example/secret\n")
    out = tmp_path / "out"
    run_corpus(
        "build", *archives, "--out", out, *FLAGS, "--set", f"urls.block={tmp_path}/block.txt"
    )
    urls = pq.read_table(out / "corpus", columns=["url"])["url"].to_pylist()
    assert urls == ["http://site.example/open/b"]
    assert "url_list" in run_corpus("explain", out, "http://site.example/secret/a").stdout
    result = run_corpus("build", *archives, "--out", tmp_path / "o2", *FLAGS,
                        "--set", "urls.block=nowhere", check=False)  # fmt: skip
    assert result.returncode == 2 and "nowhere" in result.stderr


def test_every_claim_of_a_page_is_recorded_and_the_policy_decides(
    run_corpus, tmp_path: Path
) -> None:
    """Headers and tdmrep.json, through the command line, with a ledger row for each drop."""
    archive = tmp_path / "claims.warc.gz"
    pages = {
        "noai": ({"X-Robots-Tag": "googlebot: noindex, noai"}, "noai"),
        "tdm": ({"TDM-Reservation": "1"}, "tdm_reservation"),
        "reserved/x": ({}, "tdm_reservation"),
        "archive": ({"X-Robots-Tag": "noarchive"}, "robots_directive"),
        "gone": ({"X-Robots-Tag": "unavailable_after: 25 Jun 2010 15:00:00 PST"},
                 "robots_directive"),
        "phrase": ({}, "reserved"),
        "free": ({}, ""),
    }  # fmt: skip
    with open(archive, "wb") as file:
        writer = WARCWriter(file, gzip=True)
        for number, (path, (headers, _)) in enumerate(pages.items()):
            foot = "<footer>無断転載を禁じます。</footer>" if path == "phrase" else ""
            html = f"<html><body><main><p>{number}番目。{TEXT[number * 40 :]}</p></main>{foot}"
            writer.write_record(
                writer.create_warc_record(
                    f"http://claims.example/{path}", "response", payload=io.BytesIO(html.encode()),
                    http_headers=StatusAndHeaders(
                        "200 OK", [("Content-Type", "text/html"), *headers.items()],
                        protocol="HTTP/1.1",
                    ),
                )
            )  # fmt: skip
        rule = b'[{"location": "/reserved/", "tdm-reservation": 1, "tdm-policy": "https://p/"}]'
        response(writer, "http://claims.example/.well-known/tdmrep.json", rule,
                 "application/json", "2024-05-01T00:00:00Z")  # fmt: skip
    plain, strict = tmp_path / "plain", tmp_path / "strict"
    run_corpus("build", archive, "--out", plain, *FLAGS)
    kept = pq.read_table(plain / "corpus", columns=["url", "rights"]).to_pylist()
    said = {row["url"].partition("example/")[2]: row["rights"] for row in kept}
    assert set(said) == {"archive", "gone", "phrase", "free"}
    assert said["gone"]["robots"] == ["unavailable_after: 2010-06-25"]
    assert said["phrase"]["reserved"] and not said["free"]["reserved"]
    run_corpus("build", archive, "--out", strict, *FLAGS,
               "--set", "rights.drop_directives=noarchive,unavailable_after",
               "--set", "rights.drop_reserved=true")  # fmt: skip
    assert pq.read_table(strict / "corpus", columns=["url"]).num_rows == 1
    for path, (_, rule_name) in pages.items():
        explained = run_corpus("explain", strict, f"http://claims.example/{path}").stdout
        assert rule_name in explained, (path, explained)
    loose = tmp_path / "loose"
    run_corpus("build", archive, "--out", loose, *FLAGS, "--set", "rights.drop_noai=false",
               "--set", "rights.drop_tdm_reservation=false")  # fmt: skip
    assert pq.read_table(loose / "corpus").num_rows == len(pages)
    wrong = run_corpus("build", archive, "--out", tmp_path / "o", *FLAGS,
                       "--set", "rights.drop_directives=noarchiv", check=False)  # fmt: skip
    assert wrong.returncode == 2 and "noarchiv" in wrong.stderr


def test_url_lists_are_checked_before_the_harvest(run_corpus, archives, tmp_path: Path) -> None:
    for category, host in (("adult", "bad.example"), ("blog", "site.example")):
        (tmp_path / "ut1" / category).mkdir(parents=True)
        (tmp_path / "ut1" / category / "domains").write_text(f"{host}\n")
    own, allow = tmp_path / "own.txt", tmp_path / "allow.txt"
    own.write_text("# ours\nsite.example/secret\n")
    allow.write_text("site.example/open\n")
    lists = ("--set", f"urls.block={tmp_path}/ut1,{own}", "--set", f"urls.allow={allow}")
    wrong = run_corpus("build", *archives, "--out", tmp_path / "o1", *FLAGS, *lists,
                       "--set", "urls.categories=adlt", check=False)  # fmt: skip
    assert wrong.returncode == 2 and "did you mean adult" in wrong.stderr
    assert not (tmp_path / "o1" / "documents").exists()
    out = tmp_path / "o2"  # categories choose among those of the folder; a plain list is whole
    run_corpus(
        "build", *archives, "--out", out, *FLAGS, *lists, "--set", "urls.categories=adult,blog"
    )
    urls = pq.read_table(out / "corpus", columns=["url"])["url"].to_pylist()
    assert urls == ["http://site.example/open/b"]
    said = run_corpus("explain", out, "http://site.example/secret/a").stdout
    assert "own: site.example/secret (own.txt)" in said
