"""What several tests of the trainer share: real pages, tiny models, runs under torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import torch.distributed as dist

from trainer.cli.app import main
from trainer.config.load import as_toml
from trainer.config.settings import Config, ModelConfig
from trainer.model.transformer import CausalLM
from trainer.run import parallel

REPO = Path(__file__).resolve().parents[2]
DOCUMENTS = Path(__file__).resolve().parent.parent / "data" / "documents.parquet"


# Strings that a tokenizer loses easily.
TRICKY = [
    "",
    " ",
    "a\u2581b \u2581\u2581",
    "  二つ   三つ    四つ\n\n\t改行",
    " " * 60,
    "<0x41><0xE3>",
    "\x00\x00NUL",
    "𠮷野家で𩸽",
    "\u3000全角 １２３ 123",
    "e\u0301 ﾊﾝｶｸ ㈱",
    "👨‍👩‍👧‍👦",
    "\r\n \r",
    "あ" * 3000,
]
CHATS = [
    [{"role": "user", "content": f"{i}月の花は？"}, {"role": "assistant", "content": "桜です。"}]
    for i in range(1, 30)
] + [
    [
        {"role": "system", "content": "短く答える。"},
        {"role": "user", "content": "こんにちは"},
        {"role": "assistant", "content": "はい。"},
        {"role": "user", "content": "名前は？"},
        {"role": "assistant", "content": "稲穂です。"},
    ]
]


def texts() -> list[str]:
    return [t for t in pq.read_table(DOCUMENTS).column("text").to_pylist() if t]


def write_corpus(folder: Path) -> Path:
    """A build folder with two shards of 25 documents in two sources and full lineage."""
    table = pq.read_table(DOCUMENTS)
    n = table.num_rows
    names = ["even" if i % 2 == 0 else "odd" for i in range(n)]
    columns: dict[str, Any] = {
        "id": [f"doc-{i:03d}" for i in range(n)],
        "url": table.column("url"),
        "text": table.column("text"),
        "source": pa.array(names),
        "source_file": [f"crawl-{i // 10}.warc.gz" for i in range(n)],
        "source_offset": pa.array([1000 * i for i in range(n)], pa.int64()),
        "source_length": pa.array([100 + i for i in range(n)], pa.int64()),
    }
    (folder / "corpus").mkdir(parents=True)
    whole = pa.table(columns)
    for i in range(2):
        name = f"train-{i:05d}-of-00002.parquet"
        pq.write_table(whole.slice(25 * i, 25), folder / "corpus" / name, row_group_size=10)
    return folder


def write_chats(path: Path, chats: list[list[dict[str, str]]]) -> Path:
    lines = [json.dumps({"messages": c}, ensure_ascii=False) for c in chats]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {r["step"]: r["train"]["loss"] for r in map(json.loads, lines) if "train" in r}


def chains(run: Path) -> list[str]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [r["chain"] for r in map(json.loads, lines) if "train" in r]


def with_(config: Config, **sections: dict[str, Any]) -> Config:
    changed = {k: replace(getattr(config, k), **v) for k, v in sections.items()}
    return replace(config, **changed)


def torchrun(processes: int, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """`torchrun COMMAND` from the checkout; also finds the helpers of the tests."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    path = os.pathsep.join([str(REPO), str(REPO / "tests" / "trainer")])
    return subprocess.run(
        [*start, "--nproc-per-node", str(processes), *map(str, command)],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )


def launch(config: Config, processes: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command a user types, with torchrun."""
    file = folder / f"config-{processes}.toml"
    file.write_text(as_toml(config), encoding="utf-8")
    return torchrun(processes, "-m", "trainer", "train", "--config", file)


def run_trainer(monkeypatch: pytest.MonkeyPatch, *args: object) -> int:
    """The command in this process: what the console script calls; returns the exit status."""
    monkeypatch.setattr(sys, "argv", ["trainer", *map(str, args)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def small(family: str = "llama", **changes: Any) -> ModelConfig:
    shape = ModelConfig(
        family=family,
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads={"llama": 2, "gpt3": 0, "palm": 1}[family],
        max_position_embeddings=64,
    )
    return replace(shape, **changes)


def model(config: ModelConfig, seed: int = 1) -> CausalLM:
    made = CausalLM(config)
    parallel.initialise(made, config, seed)
    return made


def tokens(rows: int = 2, length: int = 24, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 96, (rows, length), generator=torch.Generator().manual_seed(seed))


def numbered(*lengths: int) -> torch.Tensor:
    """One row of documents of these lengths: int64[1, T], the number of each token's document."""
    return torch.cat([torch.full((n,), i) for i, n in enumerate(lengths)])[None]


@contextmanager
def eight_ranks() -> Iterator[None]:
    """This process as the first of eight that never answer, in place of a group left behind.

    A run that ends with an exception leaves its group (trainer.run.processes.stop), and another
    test may have been such a run in this process.
    """
    fake = pytest.importorskip("torch.testing._internal.distributed.fake_pg")
    if dist.is_initialized():
        dist.destroy_process_group()
    dist.init_process_group("fake", rank=0, world_size=8, store=fake.FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()
