"""`corpus disclose`: every line a figure of the build, what the provider states, or unanswered."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.disclose import TEMPLATES
from corpus.answers.disclose_figures import BANDS, size
from corpus.answers.disclose_measure import Measured, measure
from corpus.answers.disclose_sources import largest
from corpus.folder.layout import Layout
from corpus.settings import Settings


@pytest.fixture(scope="module")
def build(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("disclose") / "corpus"
    crawl = out.parent / "crawl-data" / "CC-MAIN-2024-22" / "pages.warc.gz"
    crawl.parent.mkdir(parents=True)
    shutil.copy("tests/data/sample.warc.gz", crawl)
    shutil.copy("tests/data/hostile.warc.gz", out.parent)  # a WARC-Date says "yesterday"
    inputs = ("tests/data/documents.jsonl.gz", "tests/data/sources", crawl.parents[1],
              out.parent / "hostile.warc.gz")  # fmt: skip
    run_corpus("build", *inputs, "--out", out, "--profile", "none", "-q")
    return out


def lines(run_corpus, build: Path, template: str, *more: object) -> dict[str, dict]:
    said = run_corpus("disclose", build, "--template", template, "--json", *more).stdout
    return {line["key"]: line for line in json.loads(said)}


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_measured_line_has_a_figure_and_the_rest_is_unanswered(
    run_corpus, build: Path, template: str
) -> None:
    found = lines(run_corpus, build, template, "--check")
    assert {line["kind"] for line in found.values()} == {"measured", "unanswered"}
    for line in found.values():
        has_figure = any(c.isdigit() for c in line["answer"][0])
        assert has_figure == (line["kind"] == "measured"), line
        assert line["answer"][0] and line["answer"][1]
    shards = pq.read_table(build / "corpus", columns=["n_chars", "n_bytes"])
    size = f"{len(shards):,} documents, {sum(shards['n_chars'].to_pylist()):,} characters"
    assert found["data.size"]["answer"][0].startswith(size)


def test_a_figure_is_no_compliance(run_corpus, build: Path) -> None:
    found = lines(run_corpus, build, "japan")
    assert not found["rights.reserved"]["complies"] and found["data.size"]["complies"]
    assert "要説明" in run_corpus("disclose", build).stdout
    assert "not obeyed: robots_txt" in found["rights.reserved"]["answer"][0]


def test_a_claim_without_a_number_fails_the_check(run_corpus, build: Path, tmp_path: Path) -> None:
    facts, out = tmp_path / "facts.toml", tmp_path / "sheet.md"
    facts.write_text('[provider]\nname = "A <b>lab</b> | of | ours"\ncontact = "since 2026-01"\n')
    args = ("disclose", build, "--facts", facts, "--out", out)
    assert run_corpus(*args).returncode == 0
    failed = run_corpus(*args, "--check", "--template", "eu", check=False)
    assert failed.returncode == 1 and "provider.name" in failed.stderr
    assert "provider.contact" not in failed.stderr  # no line of this sheet, and it has a day
    assert "<b>" not in out.read_text("utf-8") and "of \\| ours" in out.read_text("utf-8")
    facts.write_text('provider.nmae = "x 1"\n')
    slip = run_corpus(*args, check=False)
    assert slip.returncode == 2 and "did you mean provider.name" in slip.stderr


def test_domains_by_the_rule_of_the_template(run_corpus, build: Path) -> None:
    domains = [(f"d{n}.jp", 1, 1000 - n) for n in range(995)]
    assert [len(largest(domains, small)) for small in (False, True)] == [100, 50]
    assert len(largest(domains * 30, True)) == 1000 and len(largest(domains[:3], False)) == 1
    columns = ["host", "n_bytes", "source_file"]
    hosts = pq.read_table(build / "corpus", columns=columns).to_pylist()
    answer = lines(run_corpus, build, "eu")["crawl.domains"]["answer"][0]
    sizes: dict[str, int] = {}
    for row in hosts:  # none of these hosts has a suffix of two labels
        if row["host"] and row["source_file"].endswith(".warc.gz"):
            name = ".".join(row["host"].split(".")[-2:])
            sizes[name] = sizes.get(name, 0) + row["n_bytes"]
    assert f"of {len(sizes)} domains" in answer
    name, size = max(((n, s) for n, s in sizes.items()), key=lambda pair: pair[1])
    assert f"{name} ({size:,})" in answer


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (10**9 - 1, "less than 1 billion tokens"),
        (10**9, "at most 1 billion to 10 trillion tokens"),
        (10**13, "the band by tokens depends"),
    ],
)
def test_a_token_holds_a_byte_or_more_so_bytes_bound_the_band(length: int, words: str) -> None:
    facts = {"documents": 1, "characters": 1, "bytes": length}
    none = (0, 0)
    said = size(Measured(Layout(Path()), Settings(), facts, [], none, 0, {}, none, (), False))
    assert said and words in said[0] and ("at most" in said[0]) == (10**9 <= length < 10**13)
    assert [limit for limit, _ in BANDS] == [10**9, 10**13]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_sheet_says_how_far_its_wording_was_checked(
    run_corpus, build: Path, template: str
) -> None:
    text = run_corpus("disclose", build, "--template", template).stdout
    note = text.split("> ")[1]
    assert {"eu": "was not compared", "japan": "Unchecked", "datasheet": "in our words"}[
        template
    ] in note
    assert "照合していない" in text or template == "datasheet"


def test_the_eu_sheet_has_the_sections_of_the_template_in_order(run_corpus, build: Path) -> None:
    said = json.loads(run_corpus("disclose", build, "--template", "eu", "--json").stdout)
    numbers = [line["english"].split()[0] for line in said if line["english"][0].isdigit()]
    assert numbers == sorted(numbers)
    assert set(numbers) == {
        *("1.1", "1.2", "1.3", "2.1", "2.2.1", "2.2.2", "2.3", "2.4", "2.5", "2.6"),
        *("3.1", "3.2", "3.3"),
    }


def test_only_files_named_as_a_public_crawls_are_public_data_sets(
    run_corpus, build: Path, built: Path
) -> None:
    for template in ("eu", "japan"):
        english, japanese = lines(run_corpus, build, template)["data.public"]["answer"]
        shards = pq.read_table(build / "corpus", columns=["source_file"])["source_file"]
        number = sum("CC-MAIN-2024-22" in name for name in shards.to_pylist())
        assert f"Common Crawl CC-MAIN-2024-22: 1 file, {number} documents" in english
        assert "the other" in english and f"CC-MAIN-2024-22 1ファイル・{number}文書" in japanese
        line = lines(run_corpus, built, template)["data.public"]
        assert line["kind"] == "unanswered"  # local files of nobody knows whom
    given = lines(run_corpus, build, "datasheet")["data.acquired"]["answer"][0]
    assert given.startswith("22 files and 2 members of packed files given, 24 read;")


def test_a_licence_class_is_no_contract(run_corpus, build: Path, tmp_path: Path) -> None:
    line = lines(run_corpus, build, "eu")["data.licensed"]
    licences = pq.read_table(build / "corpus", columns=["licence"])["licence"].to_pylist()
    assert f"class contract: {licences.count('contract')} documents" in line["answer"][0]
    assert "A contract itself is not recorded" in line["answer"][0] and not line["complies"]
    facts = tmp_path / "facts.toml"
    facts.write_text('data.licensed = "2 contracts of 2026"\n')
    assert lines(run_corpus, build, "eu", "--facts", facts)["data.licensed"]["complies"]


def test_only_records_of_web_archives_count_as_crawled(run_corpus, build: Path) -> None:
    rows = pq.read_table(build / "corpus", columns=["source_file", "n_bytes", "url"]).to_pylist()
    crawled = [row for row in rows if row["source_file"].endswith(".warc.gz")]
    found = lines(run_corpus, build, "eu")
    words = f"{len(crawled)} documents from records of web archives"
    assert words in found["crawl.used"]["answer"][0]
    assert words in found["crawl.content"]["answer"][0]
    assert (
        f"{sum(row['n_bytes'] for row in crawled):,} bytes" in found["crawl.content"]["answer"][0]
    )
    assert sum(bool(row["url"]) for row in rows) > len(crawled)  # others have addresses, too
    for key in ("crawl.period", "data.latest"):
        assert "yest" not in found[key]["answer"][0]
    assert not any("yest" in day for day in measure(Layout(build)).facts["captured"])


def test_figures_of_records_add_up(run_corpus, build: Path) -> None:
    words = lines(run_corpus, build, "datasheet")["records.kept"]["answer"][0]
    read, drops, only, published = (
        int(number.replace(",", ""))
        for number in re.findall(r"([0-9,]+) (?:records? read|drops?|counted|published)", words)
    )
    assert read == drops + only + published and only


def test_what_might_offend_is_counted_and_names_are_not_claimed(run_corpus, build: Path) -> None:
    found = lines(run_corpus, build, "datasheet")
    harm = found["data.harm"]["answer"]
    severity = pq.read_table(build / "corpus", columns=["quality"])["quality"].to_pylist()
    strong = sum(row["harmful_severity"] == 2 for row in severity)
    assert strong and f"strong {strong}" in harm[0] and f"強い {strong}" in harm[1]
    personal = found["processing.personal"]["answer"]
    assert "neither detected nor masked" in personal[0] and "電話番号 (置換)" in personal[1]
    japanese = [line["answer"][1] for line in lines(run_corpus, build, "japan").values()]
    assert not [text for text in japanese if "robots_txt" in text or " mask" in text]
