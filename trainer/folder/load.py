"""Tensors of a run from its checkpoints: into models and optimisers, on any number of processes."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors import safe_open
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from trainer.config.settings import Config, TrainError
from trainer.data.steps import Timeline
from trainer.folder.dcp_reader import SafeReader, TensorsOnly
from trainer.folder.manifest import check, verify
from trainer.folder.run import load_run
from trainer.model.transformer import CausalLM
from trainer.tokens.tokenizer import Tokenizer


def newest(run: Path, step: int | None = None) -> Path:
    """Folder of the newest whole checkpoint of a run (or of `step`). Raises TrainError."""
    folders = sorted((run / "ckpt").glob("step-*"), reverse=True)
    if step is not None:
        folders = [f for f in folders if f.name == f"step-{step:08d}"]
    for folder in folders:
        if folder.suffix != ".tmp" and not check(folder) and not verify(folder):
            return folder
    raise TrainError(f"no whole checkpoint in {run}/ckpt{f' for step {step}' if step else ''}")


def read(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Fill `tensors` from a checkpoint; works in one process without a process group."""
    if shards := sorted(folder.glob("*.safetensors")):
        _read_safetensors(shards, tensors)
        return
    reader = SafeReader(str(folder))
    alone = not dist.is_initialized()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            dcp.load(tensors, storage_reader=reader, planner=TensorsOnly(), no_dist=alone)
    except CheckpointException as error:
        raise TrainError(f"{folder}: cannot load: {reason(error)}") from error


def _read_safetensors(shards: list[Path], tensors: dict[str, Tensor]) -> None:
    """Imported weights: of each tensor only the rows of this process. Optimisers stay new."""
    with ExitStack() as stack:
        where: dict[str, Any] = {}
        for file in shards:
            handle = stack.enter_context(safe_open(file, "pt"))
            where |= dict.fromkeys(handle.keys(), handle)
        for key, tensor in tensors.items():
            name = key.removeprefix("model.")
            if key == name:  # optim.…
                continue
            if name not in where:
                raise TrainError(f"{shards[0].parent} has no {name}: take its run's [model]")
            stored, (local, first) = where[name].get_slice(name), local_rows(tensor)
            if list(stored.get_shape()) != list(tensor.shape):
                raise TrainError(
                    f"{name} is {stored.get_shape()} in {shards[0].parent} and "
                    f"{list(tensor.shape)} here: take its run's [model]"
                )
            if len(local):
                local.copy_(stored[first : first + len(local)])


def load_model(
    folder: str | Path, step: int | None = None, device: str | torch.device = "cpu"
) -> tuple[CausalLM, Config, Tokenizer, int]:
    """The model of a run in one process, float32, evaluation mode; and the step it comes from.

    step None: the newest whole checkpoint.
    """
    config, tokenizer = load_run(folder)
    saved = newest(Path(folder), step)
    with torch.device("meta"):
        model = CausalLM(config.model)
    model.to_empty(device=device)
    state = {f"model.{n}": t for n, t in model.state_dict().items()}
    read(saved, state)
    done = int(saved.name.removeprefix("step-"))
    config = replace(config, model=Timeline(config).at(max(0, done - 1)).config.model)
    model.config = config.model  # rotary angles of the phase it comes from
    return model.eval(), config, tokenizer, done


def local_rows(parameter: Tensor) -> tuple[Tensor, int]:
    """The part of a parameter on this process and its first global row."""
    if not isinstance(parameter, DTensor):
        return parameter.data, 0
    _, offset = compute_local_shape_and_global_offset(
        parameter.shape, parameter.device_mesh, parameter.placements
    )
    return parameter.to_local(), offset[0] if offset else 0


def reason(error: BaseException) -> str:
    """The innermost cause in one line; DCP wraps each process's error in its own."""
    failures = getattr(error, "failures", None)
    if failures:
        error = next(iter(failures.values()))[0]
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
