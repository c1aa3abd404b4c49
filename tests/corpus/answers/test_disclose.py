"""`corpus disclose`: every line a figure of the build, what the provider states, or unanswered."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.disclose import TEMPLATES
from corpus.answers.disclose_figures import BANDS, Measured, largest, size
from corpus.folder.layout import Layout
from corpus.settings import Settings


@pytest.fixture(scope="module")
def build(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("disclose") / "corpus"
    inputs = ("tests/data/documents.jsonl.gz", "tests/data/sources")
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
    hosts = pq.read_table(build / "corpus", columns=["host", "n_bytes"]).to_pylist()
    answer = lines(run_corpus, build, "eu")["crawl.domains"]["answer"][0]
    sizes: dict[str, int] = {}
    for row in hosts:  # none of these hosts has a suffix of two labels
        name = ".".join(row["host"].split(".")[-2:])
        sizes[name] = sizes.get(name, 0) + row["n_bytes"]
    name, size = max(((n, s) for n, s in sizes.items() if n), key=lambda pair: pair[1])
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
    said = size(Measured(Layout(Path()), Settings(), facts, [], (0, 0), 0, (0, 0), False))
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
