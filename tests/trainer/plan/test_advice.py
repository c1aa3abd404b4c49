"""What a corpus supports: sizes against the shards themselves, advice against hand arithmetic."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainer_helpers import with_, write_corpus
from typer.testing import CliRunner

from trainer.cli.app import app
from trainer.config.load import load
from trainer.config.settings import Config, ConfigError
from trainer.plan.advice import advise, epochs, sentences, worth
from trainer.plan.measure import measure
from trainer.tokens.prepare import load_manifest, prepare


def write_numbers(
    folder: Path, chars: list[int], sources: list[str], weights: list[float] | None = None
) -> Path:
    """A published shard without its text: whoever reads the text fails."""
    (folder / "corpus").mkdir(parents=True)
    columns: dict[str, Any] = {"source": sources, "n_chars": pa.array(chars, pa.int32())}
    if weights:
        columns["weight"] = pa.array(weights, pa.float32())
    name = "train-00000-of-00001.parquet"
    pq.write_table(pa.table(columns), folder / "corpus" / name)
    (folder / "manifest.json").write_text(json.dumps({"files": {f"corpus/{name}": {}}}))
    return folder


def corpus_of(different: float) -> dict[str, Any]:
    row = {"source": "web", "tokens": different, "epoch_tokens": different}
    row |= {"different_tokens": different}
    return {"documents": 1, "characters": 1, "tokens_are": "given", "notes": [], **row} | {
        "sources": [row]
    }


def test_tokens_of_text_are_estimated_from_n_chars_alone(tmp_path: Path) -> None:
    folder = write_numbers(tmp_path / "c", [1600, 3200, 0, 160], ["web", "law", "web", "web"])
    size = measure(folder)
    assert size["documents"] == 3 and size["characters"] == 4960  # an empty text is none
    assert size["tokens"] == 1000 + 2000 + 100 + 3 * 2  # begin and end marks
    assert "1.6 characters a token" in size["tokens_are"] and "ours16k" in size["tokens_are"]
    assert size["notes"] == []
    assert [(r["source"], r["tokens"]) for r in size["sources"]] == [("law", 2002), ("web", 1104)]
    assert sum(r["share"] for r in size["sources"]) == pytest.approx(1)
    assert measure(folder, chars_per_token=2.0)["tokens"] == 2480 + 6


def test_an_epoch_is_the_sum_of_weight_and_tokens(tmp_path: Path) -> None:
    folder = write_numbers(
        tmp_path / "c", [1600, 1600, 1600], ["web", "web", "law"], [3.0, 0.5, 1.0]
    )
    size = measure(folder)
    assert (size["tokens"], size["epoch_tokens"], size["different_tokens"]) == (3006, 4509, 2505)
    assert any("sum of weight · tokens" in n for n in size["notes"])
    text = sentences(size, advise(size), None)
    assert "an epoch has 4,509 tokens, 2,505 of them different" in text


def test_text_without_n_chars_is_counted_itself(corpus: Path) -> None:
    size = measure(corpus)
    texts = pq.read_table(corpus / "corpus").column("text").to_pylist()
    assert size["characters"] == sum(len(t or "") for t in texts)
    assert any("no column n_chars" in n for n in size["notes"])
    assert any("no manifest.json" in n for n in size["notes"])
    assert {r["source"] for r in size["sources"]} == {"even", "odd"}


def test_a_tokenizer_on_a_sample_comes_near_the_shards(
    corpus: Path, tokenizer_dir: Path, tmp_path: Path
) -> None:
    prepare(corpus, tokenizer_dir, tmp_path / "all", held_out=0)
    counted = measure(tmp_path / "all")
    estimated = measure(corpus, tokenizer=str(tokenizer_dir))
    assert estimated["tokens"] == pytest.approx(counted["tokens"], rel=0.02)
    theirs = {r["source"]: r["tokens"] for r in counted["sources"]}
    for row in estimated["sources"]:
        assert row["tokens"] == pytest.approx(theirs[row["source"]], rel=0.05)


def test_token_shards_are_counted_in_the_training_split(tokens: Path) -> None:
    size, manifest = measure(tokens), load_manifest(tokens)
    assert size["tokens"] == size["epoch_tokens"] == manifest["train"]["tokens"]
    assert size["characters"] == manifest["train"]["chars"]
    assert size["documents"] == manifest["train"]["rows"]
    assert size["vocab_size"] == manifest["vocab_size"]
    with pytest.raises(ConfigError, match="tokens are counted"):
        measure(tokens, chars_per_token=2.0)


def test_weights_of_token_shards_count(tokenizer_dir: Path, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "c")
    for file in (folder / "corpus").glob("*.parquet"):
        table = pq.read_table(file)
        weight = pa.array([2.0] * table.num_rows, pa.float32())
        pq.write_table(table.append_column("weight", weight), file)
    prepare(folder, tokenizer_dir, tmp_path / "t", held_out=0)
    size = measure(tmp_path / "t")
    assert size["epoch_tokens"] == 2 * size["tokens"] == 2 * size["different_tokens"]


def test_shards_that_the_manifest_does_not_know_are_named(tmp_path: Path) -> None:
    folder = write_numbers(tmp_path / "c", [10], ["web"])
    pq.write_table(pa.table({"n_chars": [1]}), folder / "corpus" / "train-00009-of-00001.parquet")
    assert any("train-00009" in n for n in measure(folder)["notes"])


def test_advice_is_the_rule_applied() -> None:
    """20 G different tokens: 1 G parameters once, 4 G read four times."""
    given = advise(corpus_of(20e9))
    assert given["parameters_once"] == 1e9 and given["parameters_4_readings"] == 4e9
    assert given["most_tokens"] == 320e9
    assert (given["preset_once"], given["preset_4_readings"]) == ("760m", "3.7b")
    verdicts = {p["preset"]: p["verdict"] for p in given["presets"]}
    assert verdicts["760m"] == "fits, read once" and verdicts["1.3b"] == "fits, repeated"
    assert verdicts["13b"] == "repeated too often"
    assert {p["verdict"] for p in advise(corpus_of(1e6))["presets"]} == {"corpus too small"}
    text = sentences(corpus_of(20e9), given, None)
    assert "1 billion parameters" in text and "4 billion" in text and "320 billion" in text
    assert "Hoffmann" in text and "Muennighoff" in text


def test_readings_are_worth_less_and_less() -> None:
    assert worth(0.5) == 0.5 and worth(1) == 1
    assert worth(4) == pytest.approx(1 + 15.4 * (1 - math.exp(-3 / 15.4)))  # 3.73
    assert worth(4) == pytest.approx(3.73, abs=0.01)
    assert worth(1e9) == pytest.approx(16.4)


def test_epochs_of_a_run_and_the_warnings_at_4_and_16() -> None:
    config = load("1.3b")  # 26.0005 G tokens in whole batches
    for different, warning in [(26.1e9, ""), (6e9, "worth less"), (1e9, "nothing is gained")]:
        run = epochs(config, corpus_of(different))
        assert run["sources"][0]["epochs"] == pytest.approx(26.0005e9 / different, rel=1e-4)
        assert (warning in run["warning"]) and bool(run["warning"]) == bool(warning)


def test_a_mix_has_epochs_of_each_source(config: Config, tmp_path: Path) -> None:
    folder = write_numbers(tmp_path / "c", [160_000, 16_000], ["web", "law"], [1.0, 2.0])
    size = measure(folder)
    mixed = with_(config, data={"weights": {"web": 1.0, "law": 3.0}})
    run = epochs(mixed, size)
    law, web = run["sources"]
    tokens = 12 * 6 * 64
    assert law["source"] == "law" and web["source"] == "web"
    assert law["epochs"] == pytest.approx(0.75 * tokens / (2 * 10_002))
    assert law["readings"] == pytest.approx(0.75 * tokens / 10_002)
    assert web["epochs"] == pytest.approx(0.25 * tokens / 100_002)
    once = with_(mixed, data={"document_weights": False})
    assert epochs(once, size)["sources"][0]["epochs"] == pytest.approx(law["readings"])
    with pytest.raises(ConfigError, match="names 'books', but the sources are"):
        epochs(with_(config, data={"weights": {"books": 1.0}}), size)


def test_the_command_gives_advice_and_plans_in_one_json(corpus: Path, tokens: Path) -> None:
    def run(*args: str) -> str:
        done = CliRunner().invoke(app, ["plan", *args])
        assert done.exit_code == 0, done.output
        return done.stdout

    both = json.loads(run("--corpus", str(corpus), "--config", "150m", "--json"))
    assert both["corpus"]["characters"] > 0 and both["advice"]["presets"]
    assert both["run"]["warning"].startswith("warning: the corpus is read")
    assert {p["name"] for p in both["plans"]} >= {"abci3", "tsubame4"}
    alone = json.loads(run("--corpus", str(tokens), "--json"))
    assert alone["plans"] == [] and alone["run"] is None
    planned = json.loads(run("--config", "150m", "--machine", "abci3", "--json"))
    assert planned["corpus"] is None and len(planned["plans"]) == 1
    # the vocabulary of token shards stands in for model.vocab_size = 0
    text = run("--corpus", str(tokens), "--config", "tiny-cpu", "--machine", "abci3")
    assert "epochs of this corpus" in text and "PFLOP" in text


def test_errors_are_one_line(tmp_path: Path, tokenizer_dir: Path) -> None:
    folder = write_numbers(tmp_path / "c", [10], ["web"])
    with pytest.raises(ConfigError, match="not both"):
        measure(folder, chars_per_token=1.0, tokenizer=str(tokenizer_dir))
    with pytest.raises(ConfigError, match="not both"):
        measure(folder, chars_per_token=-1.0)
    with pytest.raises(ConfigError, match="no Parquet file"):
        measure(tmp_path / "nothing")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ConfigError, match=r"bad\.parquet"):
        measure(tmp_path / "bad.parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ConfigError, match=r"other\.parquet"):
        measure(tmp_path / "other.parquet")
    unfinished = tmp_path / "tokens"
    unfinished.mkdir()
    (unfinished / "key").write_text("k")
    with pytest.raises(ConfigError, match="no finished token shards"):
        measure(unfinished)
