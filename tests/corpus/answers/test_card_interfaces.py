"""What other programs read: croissant.json by mlcroissant, front matter by YAML, Markdown."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.card import escaped

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


def test_croissant_states_origin_and_handling(small_built: Path) -> None:
    facts = mlcroissant.Dataset(jsonld=str(small_built / "croissant.json")).metadata
    assert any(step.startswith("dedup: ") for step in facts.data_preprocessing_protocol)
    assert len(facts.personal_sensitive_information) > 5 and facts.data_collection_timeframe
    raw = json.loads((small_built / "croissant.json").read_text())
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
