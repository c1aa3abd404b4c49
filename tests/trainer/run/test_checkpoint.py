"""Checkpoints survive kills, full disks, damage and signals; loading never runs foreign code."""

from __future__ import annotations

import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from trainer_helpers import launch, with_

from trainer.config.settings import CheckpointConfig, Config, ParallelConfig, TrainError
from trainer.data.loader import Batch
from trainer.folder import load
from trainer.folder.dcp_reader import SafeReader
from trainer.run import processes
from trainer.run.checkpoint import Checkpointer
from trainer.run.train import Run, train

# Children are forked from a server that has imported torch already: 20 kills cost seconds.
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(["trainer.run.train"])


def saver(run: Path, config: CheckpointConfig | None = None) -> tuple[Any, nn.Module]:
    torch.set_num_threads(1)
    world = processes.start(ParallelConfig())
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 300))
    return Checkpointer(run, config or CheckpointConfig(keep_last=2), world, model, []), model


def fill(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(value)


def save_forever(run: Path) -> None:
    checkpoints, model = saver(run)
    state = checkpoints.load() or {"step": 0}
    for step in range(state["step"] + 1, 100000):
        fill(model, step)
        checkpoints.save(step, {"step": step})


def save_with_little_room(run: Path, limit: int, answer: Path) -> None:
    checkpoints, model = saver(run)
    fill(model, 1)
    checkpoints.save(1, {"step": 1})
    fill(model, 2)
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    else:
        (run / "ballast").write_bytes(b"\0" * (340 << 10))
    try:
        checkpoints.save(2, {"step": 2})
    except TrainError as error:
        answer.write_text(str(error))
    os._exit(0)


def held(run: Path) -> dict[str, torch.Tensor]:
    model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 300))
    state = {f"model.{n}": t for n, t in model.state_dict().items()}
    load.read(load.newest(run), state)
    return state


def test_twenty_kills_during_save_never_lose_a_whole_checkpoint(tmp_path: Path) -> None:
    rng = random.Random(5)
    last, leftovers = 0, 0
    for _ in range(20):
        child = SERVER.Process(target=save_forever, args=(tmp_path,))
        child.start()
        newest = tmp_path / "latest"
        begin = time.monotonic()
        goal = f"step-{last + 2:08d}"
        while (newest.read_text() if newest.exists() else "") < goal:
            assert time.monotonic() - begin < 120
            time.sleep(0.002)
        time.sleep(rng.random() * 0.05)
        child.kill()
        child.join()
        leftovers += bool(list((tmp_path / "ckpt").glob("*.tmp")))
        found = int(load.newest(tmp_path).name.removeprefix("step-"))
        assert found >= last + 2
        values = held(tmp_path)
        assert all(bool((t == found).all()) for t in values.values())
        last = found
    assert leftovers > 5  # the kills did fall into saves


def test_an_asynchronous_save_is_final_without_the_loop(tmp_path: Path) -> None:
    """Hashing, manifest and renaming fall to the thread that writes: nobody waits for them."""
    checkpoints, model = saver(tmp_path, CheckpointConfig(asynchronous=True))
    fill(model, 3)
    checkpoints.save(3, {"step": 3})
    fill(model, 4)  # the step after it
    checkpoints._pending[0].result()
    assert load.newest(tmp_path).name == "step-00000003"
    assert all(bool((t == 3).all()) for t in held(tmp_path).values())
    checkpoints.close()


def test_broken_weights_are_not_saved_and_push_no_good_ones_out(tmp_path: Path) -> None:
    checkpoints, model = saver(tmp_path, CheckpointConfig(keep_last=1))
    fill(model, 1)
    checkpoints.save(1, {"step": 1})
    with torch.no_grad():
        model[1].weight[2, 3] = float("inf")
    with pytest.raises(TrainError, match=r"not finite before step 2.* is step-00000001"):
        checkpoints.save(2, {"step": 2})
    assert [p.name for p in (tmp_path / "ckpt").iterdir()] == ["step-00000001"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_gradients_that_are_not_finite_change_nothing(config: Config, optimizer: str) -> None:
    run, result = Run.step, []

    def spoilt(self: Run, step: int, batch: Batch) -> torch.Tensor:
        forward, before = self.model.forward, self.checkpoints.tensors()
        kept = {n: t.full_tensor().clone() if hasattr(t, "full_tensor") else t.clone()
                for n, t in before.items()}  # fmt: skip
        self.model.forward = lambda *a: forward(*a) * float("nan")  # type: ignore[method-assign]
        run(self, step, batch)
        self.model.forward = forward  # type: ignore[method-assign]
        after = self.checkpoints.tensors()
        result.append([n for n, t in after.items() if not torch.equal(
            t.full_tensor() if hasattr(t, "full_tensor") else t, kept[n])])  # fmt: skip
        self.meter.reset()
        return run(self, step, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "step", spoilt)
        config = with_(config, eval={"every": 0}, train={"optimizer": optimizer, "steps": 3})
        assert train(config)["done"]
    assert result == [[], [], []]


@pytest.mark.parametrize("damage", ["truncated", "bit", "missing", "manifest", "metadata"])
def test_a_damaged_checkpoint_is_skipped_with_the_reason(
    config: Config, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, train=replace(config.train, steps=8, schedule="constant")))
    newest = Path(config.out) / "ckpt" / "step-00000008"
    shard = next(newest.glob("*.distcp"))
    content = bytearray(shard.read_bytes())
    if damage == "truncated":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "bit":
        content[len(content) // 2] ^= 4
        shard.write_bytes(content)
    elif damage == "missing":
        shard.unlink()
    elif damage == "manifest":
        (newest / "MANIFEST.json").unlink()
    else:
        (newest / ".metadata").write_bytes(b"\x80\x04.")
    capfd.readouterr()
    train(replace(config, train=replace(config.train, steps=10, schedule="constant")))
    printed = capfd.readouterr().out
    reason = {"truncated": "bytes", "bit": "SHA-256", "missing": "is missing"}
    assert "skipped checkpoint step-00000008: " in printed
    assert reason.get(damage, "MANIFEST" if damage == "manifest" else ".metadata") in printed
    assert "going on from step 4" in printed


@pytest.mark.parametrize("room", ["file size limit", "tmpfs"])
def test_a_full_disk_keeps_the_last_good_one_and_says_so(tmp_path: Path, room: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    if room == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(run)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("A TMPFS CANNOT BE MOUNTED HERE: the full disk is only simulated")
    try:
        limit = 20000 if room == "file size limit" else 0
        answer = tmp_path / "answer"
        child = SERVER.Process(target=save_with_little_room, args=(run, limit, answer))
        child.start()
        child.join(120)
        text = answer.read_text()
        assert "checkpoint of step 2" in text and "step-00000001" in text and "\n" not in text
        assert not list((run / "ckpt").glob("*.tmp"))
        assert all(bool((t == 1).all()) for t in held(run).values())
    finally:
        if room == "tmpfs":
            subprocess.run(["umount", str(run)], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_ends_well_and_the_run_goes_on(
    config: Config, tmp_path: Path, number: int
) -> None:
    long = replace(
        config,
        train=replace(config.train, steps=3000, schedule="constant"),
        checkpoint=replace(config.checkpoint, every=100000),
        eval=replace(config.eval, every=0),
    )
    child = SERVER.Process(target=train, args=(long,))
    child.start()
    run = Path(config.out)
    begin = time.monotonic()
    while not (run / "metrics.jsonl").exists() or "chain" not in (run / "metrics.jsonl").read_text(
        encoding="utf-8"
    ):
        assert time.monotonic() - begin < 120
        time.sleep(0.05)
    assert child.pid is not None
    os.kill(child.pid, number)
    child.join(120)
    assert child.exitcode == 0
    saved = load.newest(run)
    step = json.loads((saved / "train.json").read_text())["step"]
    assert 0 < step < 3000
    steps = replace(long, train=replace(long.train, steps=step + 2))
    assert train(steps)["step"] == step + 2


@pytest.mark.parametrize("processes", [1, 2])
def test_asynchronous_saves_hold_the_same_bits(
    config: Config, tmp_path: Path, processes: int
) -> None:
    """Also with two processes whose loops run on while both write a save at every step."""
    config = with_(config, checkpoint={"every": 1, "keep_last": 12}, train={"micro_rows": 1})
    runs = []
    for asynchronous in (False, True):
        part = with_(config, checkpoint={"asynchronous": asynchronous})
        part = replace(part, out=str(tmp_path / f"asynchronous-{asynchronous}"))
        runs.append(Path(part.out))
        if processes == 1:
            train(part)
        else:
            done = launch(part, processes, tmp_path)
            assert done.returncode == 0, done.stderr[-2000:]
    for step in range(1, 13):
        one, two = (tensors_of(load.newest(run, step)) for run in runs)
        assert one.keys() == two.keys()
        assert all(torch.equal(one[k], two[k]) for k in one)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    reader = SafeReader(str(folder))
    wanted = {}
    for name, m in reader.read_metadata().state_dict_metadata.items():
        assert isinstance(m, TensorStorageMetadata)
        wanted[name] = torch.empty(m.size, dtype=m.properties.dtype)
    load.read(folder, wanted)
    return wanted


def test_old_checkpoints_go_and_every_nth_stays(config: Config) -> None:
    keep = replace(config.checkpoint, every=2, keep_last=2, keep_every=6)
    train(replace(config, checkpoint=keep))
    names = sorted(p.name for p in (Path(config.out) / "ckpt").iterdir())
    assert names == ["step-00000006", "step-00000010", "step-00000012"]


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/inaho-pickle-ran",)


def test_metadata_with_foreign_code_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "step-00000001"
    folder.mkdir()
    (folder / ".metadata").write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(TrainError, match=r"refused as unsafe"):
        load.read(folder, {"model.x": torch.zeros(1)})
    assert not Path("/tmp/inaho-pickle-ran").exists()


def test_metadata_that_names_a_file_elsewhere_is_refused(config: Config, tmp_path: Path) -> None:
    train(with_(config, train={"steps": 4}))
    folder = load.newest(Path(config.out))
    metadata = SafeReader(str(folder)).read_metadata()
    for index, info in metadata.storage_data.items():
        metadata.storage_data[index] = replace(info, relative_path=f"../{info.relative_path}")
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(TrainError, match=r"is no file beside it: refused"):
        SafeReader(str(folder)).read_metadata()


def test_a_decay_branch_starts_from_the_state_of_another_run(
    config: Config, tmp_path: Path
) -> None:
    """WSD: one constant run, several decays from its checkpoints."""
    train(replace(config, train=replace(config.train, schedule="wsd", decay_steps=0)))
    branch = replace(
        config,
        out=str(tmp_path / "branch"),
        train=replace(config.train, steps=12, schedule="wsd", decay_steps=4),
        checkpoint=replace(config.checkpoint, load=config.out, load_step=8),
    )
    result = train(branch)
    assert result["step"] == 12
    lines = (tmp_path / "branch" / "metrics.jsonl").read_text().splitlines()
    rows = [r for r in map(json.loads, lines) if "train" in r]
    assert [r["step"] for r in rows] == [9, 10, 11, 12]
    assert rows[-1]["lr"] < rows[0]["lr"]
    one = [r for r in map(json.loads, (Path(config.out) / "metrics.jsonl").open()) if "train" in r]
    assert rows[0]["train"]["loss"] == one[8]["train"]["loss"]
    assert rows[-1]["chain"] == one[-1]["chain"]
