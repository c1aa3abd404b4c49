"""`corpus answer --run` of a model that was really trained: steps and checkpoints of each item.

The oracle never asks for a document: it makes the batches of all steps again and looks in which of
them tokens of which document stand.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from build_folders import rows

from corpus.enquiry.told import STEPS
from trainer.analysis import trace
from trainer.config.load import load
from trainer.config.settings import Config
from trainer.data.loader import Loader
from trainer.data.prepare import prepare
from trainer.data.tokenizer_train import save
from trainer.data.tokenizer_train import train as train_tokenizer
from trainer.run.train import train

GRAM = 8  # tokens by which a document is known again
LAST, EVERY, KEPT = 12, 4, 2


@pytest.fixture(scope="module")
def build(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty documents, one of them twice, under two addresses."""
    folder = tmp_path_factory.mktemp("trained")
    texts = rows(Path("tests/data/documents.parquet"), "text")
    lines = [{"url": f"https://a.example.jp/{k}", "text": r["text"]} for k, r in enumerate(texts)]
    long = max(lines, key=lambda row: len(row["text"]))
    lines = [*lines[:40], long, {"url": "https://copy.example.jp/", "text": long["text"]}]
    file = folder / "texts.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in lines), "utf-8")
    run_corpus("build", file, "--out", folder / "corpus", "--profile", "none", "-q")
    return folder / "corpus"


@pytest.fixture(scope="module")
def config(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run that is through: LAST steps, a checkpoint every EVERY, of which KEPT stay."""
    folder = tmp_path_factory.mktemp("run")
    texts = [row["text"] for row in rows(build / "corpus", "text")]
    save(train_tokenizer(texts, 1300), folder / "tokenizer", {"made": "in a test"})
    prepare(build, folder / "tokenizer", folder / "tokens", held_out=0.1)
    tiny = load("tiny-cpu")
    config = replace(
        tiny,
        out=str(folder / "run"),
        model=replace(tiny.model, hidden_size=32, intermediate_size=64, num_attention_heads=2),
        data=replace(tiny.data, tokens=str(folder / "tokens"), seq_len=64, block_tokens=4096),
        train=replace(tiny.train, steps=LAST, batch_rows=6, micro_rows=6, warmup_steps=2),
        checkpoint=replace(tiny.checkpoint, every=EVERY, keep_last=KEPT),
        eval=replace(tiny.eval, every=LAST, rows=6, micro_rows=6),
        log=replace(tiny.log, progress=False),
        parallel=replace(tiny.parallel, threads=1),
    )
    train(config)
    return config


@pytest.fixture(scope="module")
def answered(run_corpus, build: Path, config: Config) -> dict:
    """The answer about every address of the build, as JSON, and the same as Markdown."""
    urls = [row["url"] for row in rows(build / "documents", "url")]
    folder = Path(config.out).parent
    request = folder / "request.toml"
    request.write_text(f"hosts = ['a.example.jp']\nurls = {json.dumps(urls)}", "utf-8")
    args = ("answer", build, "--request", request, "--run", config.out)
    run_corpus(*args, "--out", folder / "answer.md")
    facts = json.loads(run_corpus(*args, "--json").stdout)
    return facts | {"markdown": (folder / "answer.md").read_text("utf-8")}


def tokens_of(config: Config) -> dict[str, dict[str, list[int]]]:
    """Split → id → tokens, as the shards have them."""
    shards: dict[str, dict[str, list[int]]] = {}
    for split in ("train", "held"):
        files = sorted((Path(config.data.tokens) / split).glob("*.parquet"))
        tables = [pq.read_table(file, columns=["id", "tokens"]).to_pylist() for file in files]
        shards[split] = {row["id"]: row["tokens"] for table in tables for row in table}
    return shards


def steps_seen(config: Config, tokens: dict[str, list[int]]) -> dict[str, set[int]]:
    """id → steps in whose batch stand GRAM tokens in a row that no other document has."""
    owners: dict[tuple[int, ...], set[str]] = defaultdict(set)
    for name, own in tokens.items():
        for at in range(len(own) - GRAM + 1):
            owners[tuple(own[at : at + GRAM])].add(name)
    seen: dict[str, set[int]] = defaultdict(set)
    loader = Loader(config)
    for step in range(1, LAST + 1):
        for row in loader.batch(step - 1).tokens.tolist():
            for at in range(len(row) - GRAM + 1):
                if len(names := owners.get(tuple(row[at : at + GRAM]), set())) == 1:
                    seen[next(iter(names))].add(step)
    return seen


def test_steps_and_checkpoints_are_those_whose_batches_hold_the_document(
    run_corpus, build: Path, config: Config, answered: dict
) -> None:
    shards = tokens_of(config)
    seen = steps_seen(config, shards["train"])
    exact: dict[str, set[int]] = defaultdict(set)
    for step in range(1, LAST + 1):
        for row in trace.of_step(config.out, step):
            exact[row["id"]].add(step)
    lines = run_corpus("trace", build, "--run", config.out, "--step", 7, "--json").stdout
    assert {row["id"] for row in json.loads(lines)} == {n for n in exact if 7 in exact[n]}
    told = [row for item in answered["items"] for row in item["builds"][0]["listed"]]
    assert len({row["id"] for row in told}) == len(rows(build / "documents", "id"))
    for row in told:
        (run,) = row["runs"]
        assert set(run["steps"]) == exact.get(row["id"], set()) >= seen.get(row["id"], set())
        assert run["held_out"] == (row["id"] in shards["held"])
        assert run["tokenised"] == (row["id"] in {**shards["train"], **shards["held"]})
        kept = [LAST - EVERY, LAST][-KEPT:]
        first = min(run["steps"], default=LAST + 1)
        assert run["checkpoints"] == [step for step in kept if step >= first]
    # The recount by tokens alone finds nearly all of it: a part may be shorter than GRAM.
    assert sum(map(len, seen.values())) > 0.8 * sum(map(len, exact.values())) > 20
    (run,) = answered["runs"]
    assert run["reached"] == run["steps"] == LAST
    (host,) = answered["items"][-1:]
    (summed,) = host["builds"][0]["runs"]
    every = [exact[row["id"]] for row in told if row["id"] in exact]
    assert summed["trained"] == len({row["id"] for row in told} & exact.keys())
    assert (summed["first"], summed["last"]) == (min(map(min, every)), max(map(max, every)))


def test_a_duplicate_tells_what_the_run_did_with_the_copy_that_is_in(answered: dict) -> None:
    (item,) = [item for item in answered["items"] if item["outcome"] == "present_as_copy"]
    (row,) = item["builds"][0]["listed"]
    (run,) = row["runs"]
    told = [r for i in answered["items"] for r in i["builds"][0]["listed"]]
    kept = next(r for r in told if r["id"] == row["kept_id"])["runs"][0]
    assert not run["tokenised"] and run["copy"]["steps"] == kept["steps"] != []
    assert item["builds"][0]["runs"][0]["trained"] == 1


def test_the_document_tells_it_in_both_languages(answered: dict) -> None:
    text = answered["markdown"]
    row = next(
        row for item in answered["items"] for row in item["builds"][0]["listed"]
        if row["runs"][0]["steps"]
    )  # fmt: skip
    named = [str(step) for step in row["runs"][0]["steps"][:STEPS]]
    assert f"ステップ {'、'.join(named)}" in text and f"steps {', '.join(named)}" in text
    held = any(r["runs"][0]["held_out"] for i in answered["items"]
               for r in i["builds"][0]["listed"])  # fmt: skip
    assert held and "検証用に取り分け" in text and "held out for evaluation" in text
    assert "収録された複製は、ステップ" in text and "The copy that is in: trained on" in text
