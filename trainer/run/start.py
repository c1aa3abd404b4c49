"""Before the first step: the lock on the run folder, its token shards, its description."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from trainer import files
from trainer.config.load import as_toml, from_dict
from trainer.config.settings import Config, ConfigError, TrainError, values
from trainer.data.steps import Timeline
from trainer.plan.fit import applied, fit, said
from trainer.run.processes import World, on_main
from trainer.tokens.parquet import input_files, text_bytes
from trainer.tokens.prepare import prepare
from trainer.tokens.tokenizer import copy

MOST_TEXT = 8 << 30  # bytes that one process may tokenise while others wait: minutes


def tokenised(config: Config, world: World) -> Config:
    """Settings whose data.tokens stands: with data.corpus it is made now, by `prepare` itself.

    The main process works while the others wait; a run that starts again finds it done.
    """
    data = config.data
    if not data.corpus:
        return config
    if data.tokens or not data.tokenizer:
        raise ConfigError("data.corpus goes with data.tokenizer, and in place of data.tokens")
    text = text_bytes(input_files(data.corpus))
    if world.size > 1 and text > MOST_TEXT:
        raise ConfigError(
            f"{data.corpus} has {text / 2**30:,.0f} GiB of text: {world.size - 1} processes would "
            "wait for its tokens; make them with `trainer prepare` and set data.tokens"
        )
    tokens = Path(config.out) / "tokens"
    workers = max(1, (os.cpu_count() or 1) - 1)
    arguments = (data.corpus, data.tokenizer, tokens, data.held_out, workers)
    on_main(world, lambda: prepare(*arguments))
    return replace(config, data=replace(data, tokens=str(tokens)))


def fitted(config: Config, world: World) -> Config:
    """With parallel.fit: settings by which the run fits its GPUs; says what it has chosen."""
    if not config.parallel.fit or world.device.type != "cuda":
        return config
    room = torch.cuda.get_device_properties(world.device).total_memory / 1e9
    changes = fit(config, world.size, room)
    if world.main and changes is None:
        print(f"by estimate no choice of memory settings fits {room:.0f} GB a GPU", flush=True)
    elif world.main and changes:
        print(f"to fit {room:.0f} GB a GPU: {said(changes)}", flush=True)
    return applied(config, changes or {})


@contextmanager
def locked(folder: Path, world: World) -> Iterator[None]:
    """Keep a second run out of a folder for the length of a `with`."""
    handle = None

    def take() -> None:
        nonlocal handle
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / "lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainError(f"another process is training in {folder}") from error
        except OSError:
            return  # a file system without locks

    on_main(world, take)
    try:
        yield
    finally:
        if handle is not None:
            handle.close()


def describe(
    folder: Path, config: Config, tokenizer_dir: Path, manifest: dict[str, Any], steps: int
) -> None:
    """Describe the run, or refuse a folder that holds another one or a longer one.

    RUN/starts.jsonl has a line with the settings of every start.
    """
    latest = folder / "latest"
    saved = int(latest.read_text().removeprefix("step-")) if latest.exists() else 0
    prints = fingerprints(manifest, config)
    if saved > steps:
        raise ConfigError(
            f"{folder} stands at step {saved:,}, beyond the {steps:,} asked for: "
            "raise train.steps or choose another out"
        )
    described = folder / "run.json"
    if described.exists():
        before = json.loads(described.read_text(encoding="utf-8"))
        _refuse_or_say(folder, before, config, prints, saved)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"folders": prints, "config": asdict(config)}, indent=1)
    files.write(described, text.encode())
    files.write(folder / "config.toml", as_toml(config).encode())
    env = {"python": platform.python_version(), "torch": torch.__version__}
    env |= {"machine": platform.platform()}
    files.write(folder / "env.json", json.dumps(env, indent=1).encode())
    files.write(folder / "data-card.json", json.dumps(manifest, indent=1).encode())
    if not (folder / "tokenizer").exists():
        partial = folder / "tokenizer.tmp"
        shutil.rmtree(partial, ignore_errors=True)
        copy(tokenizer_dir, partial)
        partial.rename(folder / "tokenizer")
    base = Path(config.checkpoint.load) / "hf"
    if config.checkpoint.load and base.is_dir() and not (folder / "hf").exists():
        shutil.copytree(base, folder / "hf")
    start = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "from_step": saved}
    with (folder / "starts.jsonl").open("a", encoding="utf-8") as handle:
        handle.write(json.dumps({**start, "config": asdict(config)}) + "\n")


def fingerprints(manifest: dict[str, Any], config: Config) -> dict[str, str]:
    """folder of tokens -> what names its content."""
    folders = manifest.get("folders") or {Timeline(config).folders[0]: manifest}
    return {folder: m["fingerprint"] for folder, m in folders.items()}


def _refuse_or_say(
    folder: Path, there: dict[str, Any], config: Config, prints: dict[str, str], saved: int
) -> None:
    """Raise ConfigError when a folder holds another run; say what is set otherwise now.

    Of the text and its order what the run has read decides: nothing, until something is saved.
    """
    before = from_dict(there["config"], "run.json")
    old, new = _identity(before), _identity(config)
    different = [k for k in new if old[k] != new[k]]
    read = history(before, there.get("folders", {}), saved)
    if past := difference(read, history(config, prints, saved)):
        different.append(past)
    if different:
        raise ConfigError(
            f"{folder} holds a run with another {', '.join(different)}: choose another out"
        )
    known = {name: value for name, _, value in values(before)}
    for name, _, value in values(config):
        if name not in known or known[name] != value:
            was = f"{known[name]!r} before" if name in known else "new"
            print(f"{name} is {value!r} from step {saved + 1:,} on ({was})", flush=True)


def _identity(config: Config) -> dict[str, Any]:
    """By what a run is known beside the text that it reads."""
    train = config.train
    return {"model": config.model, "seed": train.seed, "optimizer": train.optimizer}


def history(config: Config, prints: dict[str, str], step: int) -> list[dict[str, Any]]:
    """What a run has read before a step, phase by phase: settings, rows, and rows of its batches.

    Phases that go on with the order of the one before are one with it.
    """
    result: list[dict[str, Any]] = []
    before: dict[str, Any] = {}
    for part in Timeline(config).parts:
        steps = min(step - part.first_step, part.steps)
        if steps <= 0:
            break
        if part.order != before:
            read = {**part.order, "data": [prints.get(f, "") for f in part.folders]}
            read.pop("folders")  # a folder may have moved
            result.append({**read, "rows": 0, "batches": []})
        before, last = part.order, result[-1]
        last["rows"] += steps * part.batch_rows
        if last["batches"] and last["batches"][-1][0] == part.batch_rows:
            last["batches"][-1][1] += steps
        else:
            last["batches"].append([part.batch_rows, steps])
    return result


def difference(there: list[dict[str, Any]], here: list[dict[str, Any]]) -> str:
    """The first setting in which two histories differ; empty if they are one."""
    for a, b in zip(there, here, strict=False):
        for key in a:
            if a[key] != b[key]:
                named = {"data": "data", "rows": "number of rows", "batches": "size of batches"}
                return named.get(key, f"data.{key}")
    return "" if len(there) == len(here) else "phases"


def refuse_other_data(
    state: dict[str, Any], config: Config, step: int, manifest: dict[str, Any]
) -> None:
    """A run that takes over the full state of a step also takes over the data read until then.

    What comes after may differ: a first phase that is the past, and others with what is new.
    """
    here = history(config, fingerprints(manifest, config), step)
    different = difference(state["history"], here)
    if state["seed"] != config.train.seed or different:
        raise ConfigError(
            f"checkpoint.load_step goes on with the data of {config.checkpoint.load}, but the "
            f"{different or 'seed'} differs: take over its train.seed, batch_rows and [data] "
            "(as the first of [[phases]], if what follows shall be another), or leave load_step 0 "
            "to start from its weights alone"
        )
