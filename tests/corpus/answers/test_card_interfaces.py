"""What other programs read: croissant.json by mlcroissant, front matter by YAML, Markdown."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.markdown import escaped

mlcroissant = pytest.importorskip("mlcroissant")

HOST = 'a"><script>alert(1)</script>|[x](javascript:y)`.example'
TEXT = "市の図書館では毎月、子どものための読み聞かせの会を開いています。予約はいりません。" * 4


def plain(value: object) -> object:
    """A value of mlcroissant or Parquet with lists and numbers that compare."""
    if isinstance(value, dict):
        return {str(k).rpartition("/")[2]: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, bytes):  # its sc:Text
        return value.decode()
    return round(float(value), 5) if isinstance(value, (int, float)) else value


def test_mlcroissant_loads_every_column_of_every_record(small_built: Path) -> None:
    dataset = mlcroissant.Dataset(jsonld=str(small_built / "croissant.json"))
    assert not dataset.metadata.issues.errors
    records = [plain(record) for record in dataset.records("documents")]
    shards = pq.read_table(small_built / "corpus")
    assert len(records) == shards.num_rows > 20
    for record, row in zip(records, shards.to_pylist(), strict=True):
        assert record.keys() == row.keys()
        assert record == plain(row)


def test_nothing_that_croissant_recommends_is_missing_once_version_and_date_are_set(
    run_corpus, small_built: Path, tmp_path: Path
) -> None:
    def missing(folder: Path) -> set[str]:
        warnings = mlcroissant.Dataset(jsonld=str(folder / "croissant.json")).metadata.issues
        return set(re.findall(r'/(\w+)" is recommended', "\n".join(warnings.warnings)))

    assert missing(small_built) == {"datePublished", "version"}
    out = shutil.copytree(small_built, tmp_path / "out")
    stated = ("publish.version=1.2.0", "publish.date=2026-11-30")
    run_corpus("publish", out, "-q", *(x for name in stated for x in ("--set", name)))
    assert missing(out) == set()
    raw = json.loads((out / "croissant.json").read_text())
    assert (raw["version"], raw["datePublished"]) == ("1.2.0", "2026-11-30")
    cited = raw["citeAs"]
    assert cited.startswith("@misc{") and cited in (out / "README.md").read_text("utf-8")


def test_croissant_states_origin_and_handling(built: Path) -> None:
    facts = mlcroissant.Dataset(jsonld=str(built / "croissant.json")).metadata
    assert any(step.startswith("dedup: ") for step in facts.data_preprocessing_protocol)
    assert len(facts.personal_sensitive_information) > 5 and facts.data_collection_timeframe
    raw = json.loads((built / "croissant.json").read_text())
    assert raw["prov:wasGeneratedBy"]["prov:wasAssociatedWith"]["prov:label"].startswith("Inaho ")
    assert raw["prov:wasDerivedFrom"][0]["@type"] == "prov:Entity"


def test_no_column_of_the_shards_is_null_throughout(built: Path) -> None:
    table = pq.read_table(built / "corpus")
    flat = table.flatten().flatten()
    columns = dict(zip(flat.column_names, flat.columns, strict=True))
    assert not [name for name, column in columns.items() if column.null_count == len(column)]


def test_a_hostile_host_writes_no_markup_into_the_card(run_corpus, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    rows = [
        {"url": f"http://{HOST}/{i}", "text": f"{i}日の{TEXT}", "source": "<b>s</b>"}
        for i in range(3)
    ]
    path = tmp_path / "in.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    name = 'x: "y" <script>\n---'
    run_corpus("build", path, "--out", tmp_path / "out", "--profile", "none", "-j", 1, "-q",
               "--set", f"publish.name={json.dumps(name)}", "--set", "dedup.mode=none")  # fmt: skip
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "<script" not in card.partition("\n---\n")[2] and "](javascript" not in card
    front = yaml.safe_load(card.split("---\n", 2)[1] if "\n---\n" in card else card)
    assert front["license"] == "other" and front["pretty_name"]


def test_escaped_values_stay_one_line_and_readable() -> None:
    assert escaped("www.example.jp") == "www.example.jp"
    assert escaped("CC-BY-4.0") == "CC-BY-4.0" and escaped("dup_5gram") == "dup_5gram"
    assert escaped("a|b\n# c\u202e<i>") == r"a\|b # c &lt;i&gt;"
    assert escaped("[x](y) `_z_` $m$") == r"\[x\](y) \`\_z\_\` \$m\$"


def test_both_languages_state_the_same_figures(built: Path) -> None:
    english, japanese = ((built / n).read_text("utf-8") for n in ("README.md", "README.ja.md"))
    tables = [
        [[cell.strip() for cell in row.split("|") if re.fullmatch(r" [\d,.%–]+ ", cell)]
         for row in card.splitlines() if row.startswith("|")]
        for card in (english, japanese)
    ]  # fmt: skip
    assert tables[0] == tables[1] and len(tables[0]) > 100
    assert [line.count("#") for line in english.splitlines() if line.startswith("##")] == [
        line.count("#") for line in japanese.splitlines() if line.startswith("##")
    ]


def test_the_japanese_card_explains_every_rule_in_japanese(built: Path) -> None:
    card = (built / "README.ja.md").read_text("utf-8")
    section = card.partition("| 段階 | 理由 |")[2].partition("\n\n")[0]
    rows = [row.split(" | ") for row in section.splitlines() if row.count(" | ") == 4]
    assert len(rows) > 20
    for row in rows:
        assert re.search("[\u3040-\u30ff\u4e00-\u9fff]", row[2]), row


def test_the_command_of_the_card_builds_the_same_shards(
    small_built: Path, run_corpus, repo: Path, tmp_path: Path
) -> None:
    card = (small_built / "README.md").read_text("utf-8")
    command = re.search(r"^corpus (build .+)$", card, re.MULTILINE)
    assert command
    words = shlex.split(command[1].replace("corpus.toml", str(small_built / "corpus.toml")))
    words[words.index("DIR")] = str(tmp_path / "again")
    run_corpus(*words, "-q", "-j", 1, cwd=repo / "tests" / "data")
    for path in (small_built / "corpus").iterdir():
        again = pq.read_table(tmp_path / "again" / "corpus" / path.name).drop(["source_file"])
        assert again.equals(pq.read_table(path).drop(["source_file"]))


def test_purpose_and_contact_stand_in_both_cards(run_corpus, tmp_path: Path) -> None:
    run_corpus("build", "tests/data/documents.csv", "--out", tmp_path / "o", "-q", "-j", 1,
               "--profile", "none", "--set", "publish.contact=corpus@example.jp",
               "--set", "publish.purpose=For <b>tests</b>.")  # fmt: skip
    for name in ("README.md", "README.ja.md"):
        card = (tmp_path / "o" / name).read_text("utf-8")
        assert "corpus@example.jp" in card and "For &lt;b&gt;tests&lt;/b&gt;." in card


def test_front_matter_is_what_the_hub_reads(built: Path) -> None:
    yaml = pytest.importorskip("yaml")
    front = yaml.safe_load((built / "README.md").read_text("utf-8").split("---\n", 2)[1])
    assert front["language"] == ["ja"] and front["license"] == "other" and front["license_name"]
    assert front["size_categories"] == ["n<1K"] and "japanese" in front["tags"]
    assert [config["config_name"] for config in front["configs"]] == ["default", "ledger"]
    assert not (built / "README.ja.md").read_text("utf-8").startswith("---")
