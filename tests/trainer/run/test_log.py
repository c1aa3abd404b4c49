"""W&B and TensorBoard hold every scalar of metrics.jsonl, also after a restart.

W&B runs for real, offline. Its Python package has had no reader of the .wandb file since it moved
to Go, so the file (the log format of LevelDB, https://github.com/google/leveldb/blob/main/doc/log_format.md)
is cut into records here and parsed by W&B's own protobuf.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from trainer_helpers import REPO, losses, with_

from trainer.config.load import as_toml
from trainer.config.settings import Config, ConfigError
from trainer.run.log import Log
from trainer.run.processes import World
from trainer.run.train import train

REASON = "wandb is not installed: its rows are NOT checked"


def records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:  # a header does not straddle blocks
            at += left
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole record, or its last part
            record = Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def finished(path: Path) -> list[Any]:
    """All records, once the last stands: finish() returns before the file is wholly written."""
    for _ in range(150):
        found = list(records(path)) if path.stat().st_size >= 7 else []
        if any(r.WhichOneof("record_type") == "exit" for r in found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{path} has no end after 30 seconds: {len(found)} records")


def rows(run: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """(run id, rows) of each time the run was started, oldest first."""
    found = []
    for path in sorted((run / "wandb").glob("offline-run-*/run-*.wandb")):
        history, name = [], ""
        for record in finished(path):
            if record.WhichOneof("record_type") == "run":
                name = record.run.run_id
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                history.append(
                    {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in items}
                )
        found.append((name, history))
    return found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason=REASON)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.fixture
def world() -> World:
    return World(0, 1, torch.device("cpu"), None)  # type: ignore[arg-type]


def train_of(history: list[dict[str, Any]]) -> dict[int, float]:
    """The last loss of each step, as the plot shows it."""
    return {int(r["step"]): r["train/loss"] for r in history if "train/loss" in r}


@pytest.mark.usefixtures("offline")
def test_wandb_has_every_scalar_and_a_restart_goes_on_in_the_same_run(config: Config) -> None:
    config = with_(config, log={"wandb": "inaho-test"}, train={"schedule": "constant"})
    train(with_(config, train={"steps": 6}))
    train(config)  # goes on to step 12
    run = Path(config.out)
    (first, before), (second, after) = rows(run)
    assert first == second == (run / "wandb" / "run-id").read_text()
    assert sorted(train_of(before)) == list(range(1, 7))
    assert train_of(before + after) == pytest.approx(losses(run))
    written = set().union(*before)
    assert {"lr", "grad_norm", "tokens_per_s", "train/bpb", "train/sources/even/bpb"} <= written
    assert any("held_out/bpc" in r for r in after)


def test_tensorboard_forgets_the_rows_a_restart_takes_back(config: Config, world: World) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: events NOT checked")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = with_(config, log={"tensorboard": True})
    Path(config.out).mkdir()
    with Log(Path(config.out), config, world, 12, 0) as log:
        for step in range(1, 6):
            log.write(step, {"train": {"loss": float(step)}})
    with Log(Path(config.out), config, world, 12, 3) as log:  # crashed after its checkpoint of 3
        log.write(4, {"train": {"loss": 200.0}})
    events = EventAccumulator(str(Path(config.out) / "tensorboard"))
    events.Reload()
    shown = [(e.step, e.value) for e in events.Scalars("train/loss")]
    assert shown == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 200.0)]
    assert dict(shown) == losses(Path(config.out))


def test_wandb_without_the_package_is_refused_in_one_line(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"log\.wandb needs the package wandb"):
        train(with_(config, train={"steps": 2}, log={"wandb": "p"}))


def test_wandb_without_a_key_is_refused_in_one_line(config: Config, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason=REASON)
    file = tmp_path / "c.toml"
    file.write_text(as_toml(with_(config, train={"steps": 2}, log={"wandb": "p"})))
    env = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    env |= {"HOME": str(tmp_path), "WANDB_SILENT": "true", "NETRC": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "train", "--config", str(file)],
        cwd=REPO,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr[-2000:]
    assert "log.wandb:" in done.stderr and "WANDB_MODE=offline" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("at", ["write", "fsync", "rename"])
def test_metrics_survive_a_crash_while_rows_are_forgotten_at_a_restart(
    config: Config, world: World, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """A full disk or a kill at any moment of it leaves the file as it was."""
    path = Path(config.out) / "metrics.jsonl"
    path.parent.mkdir()
    path.write_text("".join(f'{{"step": {s}}}\n' for s in range(1, 9)) + '{"step": 9, "cut')
    before = path.read_bytes()

    def full(*args: Any, **kwargs: Any) -> Any:
        raise OSError(28, "No space left on device")

    if at == "write":
        # What `open` gives writes at most 20 bytes, as on a disk that is full.
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, limit[1]))
    else:
        target: Any = os if at == "fsync" else Path
        monkeypatch.setattr(target, "fsync" if at == "fsync" else "replace", full)
    try:
        with pytest.raises(OSError):
            Log(Path(config.out), config, world, 12, 6)
    finally:
        if at == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, handler)
        monkeypatch.undo()
    assert path.read_bytes() == before
    Log(Path(config.out), config, world, 12, 6)
    assert [json.loads(line)["step"] for line in path.open()] == list(range(1, 7))
