"""report.html: one file without script or network, in two languages, whose drawings add up."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from selectolax.lexbor import LexborHTMLParser

from corpus.answers.facts import facts
from corpus.answers.report.contents import handling
from corpus.answers.report.measures import measures
from corpus.answers.report.sankey import losses, sankey
from corpus.config import of_folder
from corpus.folder.layout import Layout
from corpus.stages.books import funnel

TEXT = "市の図書館では毎月、子どものための読み聞かせの会を開いています。予約はいりません。" * 4


def tree_of(folder: Path) -> LexborHTMLParser:
    return LexborHTMLParser((folder / "report.html").read_text("utf-8"))


def test_it_is_one_file_without_script_or_network(built: Path) -> None:
    tree = tree_of(built)
    assert not tree.css("script, link, img, iframe, object, embed, base, form")
    for node in tree.css("*"):
        assert not any(name.startswith("on") for name in node.attributes)
        for name in ("href", "src"):
            assert (node.attributes.get(name) or "#").startswith("#")
    style = tree.css_first("style").text()
    assert "url(" not in style and "@import" not in style and "http" not in style
    policy = tree.css_first("meta[http-equiv]").attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_everything_is_said_in_both_languages(built: Path) -> None:
    tree = tree_of(built)
    english, japanese = tree.css("span.en"), tree.css("span.ja")
    assert len(english) == len(japanese) > 100
    for one in japanese:
        assert one.attributes["lang"] == "ja"
    assert tree.css_first("h2 .ja").text() == "処理の内訳"
    assert len(tree.css("svg.sankey")) == 2 and len(tree.css("input[type=radio]")) == 2


def test_the_sankey_loses_no_record(built: Path) -> None:
    books = funnel(Layout(built))
    drawn = sankey(books, str, lambda name: name or "others")
    for name, entry in books.items():
        assert sum(loss.records for loss in losses(entry)) == entry["in"] - entry["out"]
        assert f">{name}</text>" in drawn and f"{entry['in']:,} → {entry['out']:,}" in drawn
    # Bands are as thick as their share.
    stays = [float(h) for h in re.findall(r'height="([\d.]+)" class="stay"', drawn)]
    nodes = [float(h) for h in re.findall(r'height="([\d.]+)" class="node"', drawn)]
    for (stay, node), entry in zip(zip(stays, nodes, strict=True), books.values(), strict=True):
        assert stay / node == pytest.approx(entry["out"] / entry["in"], abs=0.01)


def test_measures_count_every_document_once(built: Path) -> None:
    layout = Layout(built)
    settings, _ = of_folder(layout)
    stated = facts(layout, settings, funnel(layout))
    found = measures(layout, stated, layout)
    documents = funnel(layout)["harvest"]["out"]
    for key in ("lengths", "sources"):
        assert sum(row[1] for row in found[key]) == documents
        assert sum(row[2] for row in found[key]) == stated["documents"]
    assert len(found["histograms"]) > 150
    for name, drawn in found["histograms"].items():
        assert sum(drawn["counts"]) <= documents and drawn["edges"][0] < drawn["edges"][1], name
    sizes = pq.read_table(layout.shards(), columns=["cluster_size"])["cluster_size"].to_pylist()
    assert [row[0] for row in found["clusters"]] == sorted(sizes, reverse=True)[:10]
    assert {"", "near", "exact"} <= found["samples"].keys()
    assert all(len(rows) <= 3 for rows in found["samples"].values())


def test_only_a_page_that_is_asked_for_tells_the_time(run_corpus, tmp_path: Path) -> None:
    out, page = tmp_path / "o", tmp_path / "timed.html"
    run_corpus("build", "tests/data/documents.csv", "--out", out, "--profile", "web", "-q", "-j", 1)
    assert run_corpus("report", out, "--out", page).stdout.strip() == str(page)
    timed = LexborHTMLParser(page.read_text("utf-8"))
    heads = [head.text() for head in timed.css("[aria-label=Steps] th .en")]
    assert {"removed", "seconds", "CPU seconds", "slowest unit, s"} <= set(heads)
    rows = [row.css("td") for row in timed.css("[aria-label=Steps] tbody tr")]
    books = funnel(Layout(out))
    assert [row[0].css_first(".en").text() for row in rows] == list(books)
    assert [row[1].text() for row in rows] == [f"{entry['in']:,}" for entry in books.values()]
    assert [int(row[6].text()) for row in rows] == [1] * len(rows)  # units that were timed
    published = [head.text() for head in tree_of(out).css("[aria-label=Steps] th .en")]
    assert published == ["stage", "in", "out", "removed"]


def test_words_of_the_drawing_stay_in_the_column_of_their_stage() -> None:
    stages = {f"stage{n}": {"in": 9, "out": 8, "dropped": {"ながい理由" * 9: 1}} for n in range(7)}
    drawn = sankey(stages, str, str)
    words = re.findall(r'class="small">([^<]+)</text>', drawn)
    assert len(words) == 7 and all(word.endswith("…") and len(word) < 12 for word in words)
    assert drawn.count("ながい理由" * 9) == 7  # in full as titles


def test_thresholds_are_drawn_into_the_histograms(run_corpus, tmp_path: Path) -> None:
    out = tmp_path / "o"
    run_corpus("build", "tests/data/documents.csv", "--out", out, "--profile", "web", "-q", "-j", 1)
    tree = tree_of(out)
    figures = {f.css_first("figcaption").text().split(" ")[0]: f for f in tree.css("figure")}
    assert "80" in figures["n_chars"].css_first("line title").text()
    assert figures["model.web-2"].css_first("line title").text() == "web: 0.5"
    assert figures["model.web-2"].css_first("figcaption .dim").text() == "0.5 web"
    assert not figures["n_sentences"].css("line")


def test_samples_of_hostile_pages_are_text(run_corpus, tmp_path: Path) -> None:
    rows = [
        {"url": f"http://x.example/\"><script>{i}", "title": "</title><svg onload=alert(1)>\u202e",
         "text": f"<script>alert({i})</script> {i}日の{TEXT}"} for i in range(3)
    ]  # fmt: skip
    path = tmp_path / "in.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    out = tmp_path / "o"
    run_corpus("build", path, "--out", out, "--profile", "none", "-j", 1, "-q",
               "--set", "dedup.mode=none", "--set", "publish.name=</h1><script>x")  # fmt: skip
    tree = tree_of(out)
    assert not tree.css("script, svg[onload]") and len(tree.css("h1")) == 1
    samples = [node.text() for node in tree.css(".sample")]
    assert len(samples) == 3 and all("alert(" in text and "\u202e" not in text for text in samples)


def test_no_host_is_counted_where_there_is_no_address(run_corpus, tmp_path: Path) -> None:
    rows = [{"text": TEXT, "url": "https://a.example.jp/"}, {"text": TEXT}, {"text": TEXT}]
    rows += [{"text": text} for text in [TEXT[::-1]] * 2]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "in.jsonl").write_text(lines, "utf-8")
    out = tmp_path / "o"
    flags = ("--profile", "none", "-j", 1, "-q")
    run_corpus("build", tmp_path / "in.jsonl", "--out", out, *flags)
    layout = Layout(out)
    stated = facts(layout, of_folder(layout)[0], funnel(layout))
    found = measures(layout, stated, layout)["clusters"]
    assert found[0][:2] == [3, 1]
    # All clusters are shown; of fewer it is said how many there are.
    assert "kept copies: the largest" not in (out / "report.html").read_text("utf-8")
    assert f"1 of {len(found) + 1} kept copies: the largest" in handling(
        stated | {"clusters": {"1": 4, "3–9": len(found) + 1}}, found[:1]
    )


def test_two_builds_stand_side_by_side(run_corpus, built: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run_corpus("build", "tests/data/documents.csv", "--out", other, "--profile", "none", "-q")
    page = tmp_path / "two.html"
    assert run_corpus("report", built, "--against", other, "--out", page).stdout.strip() == str(
        page
    )
    tree = LexborHTMLParser(page.read_text("utf-8"))
    row = tree.css_first("#size").parent.css_first("tbody tr").text(separator=" ")
    sizes = [funnel(Layout(f))["publish"]["out"] for f in (built, other)]
    assert f"{sizes[0]:,}" in row and f"{sizes[1]:,}" in row
    assert not tree.css("script")
