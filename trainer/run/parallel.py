"""Processes, devices and the recipe that turns a model into a sharded one.

`fully_shard` is always called, also for one process: mixed precision and a single code path come
with it, for 2 % of a step of 2,048 tokens on a CPU. The order is: build on the meta device,
recompute, compile, shard, allocate, initialise. Weights are drawn from (seed, name, chunk), so any
number of processes starts from the same model.
"""

from __future__ import annotations

import gc
import hashlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
)
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from trainer.config.settings import Config, ConfigError, ModelConfig, ParallelConfig
from trainer.model.transformer import Block, CausalLM

# What names a process: the variable of torchrun, the value alone, the names of Slurm and Open MPI.
ENVIRONMENT = {
    "RANK": ("0", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"),
    "WORLD_SIZE": ("1", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"),
    "LOCAL_RANK": ("0", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
INIT_CHUNK = 1 << 20  # elements drawn from one seed


@dataclass(frozen=True)
class World:
    """This process among all. Collectives on CPU tensors always run over gloo."""

    rank: int
    size: int
    device: torch.device
    mesh: DeviceMesh

    @property
    def main(self) -> bool:
        return self.rank == 0

    def sum(self, *values: float) -> list[float]:
        """Each value summed over processes, in float64."""
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return [float(v) for v in total]

    def any(self, flag: bool) -> bool:
        value = torch.tensor(int(flag))
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value)

    def barrier(self) -> None:
        dist.all_reduce(torch.zeros(1))


def start(config: ParallelConfig) -> World:
    """Join the group that torchrun, Slurm or MPI describes; alone, make one of size 1."""
    rank, size, local = (place(key) for key in ENVIRONMENT)
    cuda = torch.cuda.is_available()
    if config.replicate < 1 or size % config.replicate:
        raise ConfigError(
            f"parallel.replicate = {config.replicate} does not divide {size} processes"
        )
    if config.threads:
        torch.set_num_threads(config.threads)
    device = torch.device("cpu")
    if cuda:
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.fp32_precision = "tf32"
    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        alone = size == 1 and "MASTER_ADDR" not in os.environ
        store = dist.HashStore() if alone else None
        dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    shape: tuple[int, ...] = (size,)
    names: tuple[str, ...] = ("shard",)
    if config.replicate > 1:
        shape, names = (config.replicate, size // config.replicate), ("replicate", "shard")
    mesh = init_device_mesh(device.type, shape, mesh_dim_names=names)
    return World(dist.get_rank(), dist.get_world_size(), device, mesh)


def place(key: str) -> int:
    """RANK, WORLD_SIZE or LOCAL_RANK of this process, without touching the environment."""
    value, *others = ENVIRONMENT[key]
    if key in os.environ:
        return int(os.environ[key])
    if "MASTER_ADDR" in os.environ:
        value = next((os.environ[o] for o in others if o in os.environ), value)
    return int(value)


def stop(world: World) -> None:
    """Leave the group after a run that ended well (models and optimisers must be gone).

    With several processes the group is left as it is and the command ends with `leave`. After an
    exception the group is not destroyed either: that can deadlock.
    """
    gc.collect()
    world.barrier()
    if world.size == 1:
        dist.destroy_process_group()


@contextmanager
def steady_collector(every: int = 50) -> Iterator[Callable[[], None]]:
    """Garbage is collected every so many calls of the yielded function, and at no other time.

    Python's own collector runs at another moment in each process, and all wait for the one whose
    turn it is; what stands after the first step is never looked at again. (torchtitan does so too.)
    """
    calls = 0

    def collect() -> None:
        nonlocal calls
        if calls == 0:
            gc.collect()
            gc.freeze()
        elif calls % every == 0:
            gc.collect(1)
        calls += 1

    was = gc.isenabled()
    gc.disable()
    try:
        yield collect
    finally:
        gc.unfreeze()
        if was:
            gc.enable()


def leave(code: int = 0) -> None:
    """End one of several processes without running destructors.

    With them about 1 in 3 runs of two gloo processes aborted at exit ("terminate called without an
    active exception", pytorch issue 190489), which torchrun reports as a failed run.
    """
    if place("WORLD_SIZE") > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def compute_dtype(config: ParallelConfig, device: torch.device) -> torch.dtype:
    if config.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if config.dtype == "bfloat16" else torch.float32


def build(config: Config, world: World) -> CausalLM:
    """The sharded, initialised model of a run, in training mode."""
    with torch.device("meta"):
        model = CausalLM(config.model)
    _recompute(model, config.parallel.activation_checkpointing)
    if config.parallel.compile:
        # One graph for each shape: rows of training and evaluation, numbers of documents.
        torch._dynamo.config.recompile_limit = 64
        model.compile_parts()
    shard(model, config.parallel, world)
    model.to_empty(device="cpu" if config.parallel.cpu_offload else world.device)
    initialise(model, config.model, config.train.seed)
    return model.train()


def shard(model: CausalLM, config: ParallelConfig, world: World) -> None:
    """FSDP2: a group for each block, one for an untied embedding, the rest in the root."""
    dtype = compute_dtype(config, world.device)
    reduced = dtype != torch.float32
    precision = MixedPrecisionPolicy(
        param_dtype=dtype if reduced else None,
        reduce_dtype=torch.float32 if reduced else None,
        cast_forward_inputs=False,  # rotary tables stay float32
    )
    if config.cpu_offload and world.device.type != "cuda":
        raise ConfigError("parallel.cpu_offload needs a GPU to offload from")
    offload = CPUOffloadPolicy() if config.cpu_offload else OffloadPolicy()
    alone = world.mesh.size(world.mesh.ndim - 1) == 1  # nothing to free: gather once, not twice

    def group(module: nn.Module, free: bool) -> None:
        fully_shard(
            module,
            mesh=world.mesh,
            mp_policy=precision,
            offload_policy=offload,
            reshard_after_forward=free,
        )

    for layer in model.model.layers:
        group(layer, not alone)
    if model.lm_head is not None:
        group(model.model.embed_tokens, True)
    group(model, False)
    assert isinstance(model, FSDPModule)
    if world.size == 1:
        return  # one process divides by nothing; asked for a factor, torch makes a pass to apply it
    for module in model.modules():
        if isinstance(module, FSDPModule):
            # The loss is already divided by the global number of targets: gradients are summed.
            # Gloo has no PREMUL_SUM, hence the second call.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)


def initialise(model: CausalLM, config: ModelConfig, seed: int) -> None:
    """Normal(0, initializer_range); projections into the residual stream by 1/√(2 layers)."""
    scaled = config.initializer_range / math.sqrt(2 * config.num_hidden_layers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name and name.endswith("weight"):
                _local(parameter)[0].fill_(1.0)
            elif name.endswith("bias"):
                _local(parameter)[0].zero_()
            else:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                _fill_normal(
                    parameter, scaled if residual else config.initializer_range, seed, name
                )


def _fill_normal(parameter: Tensor, std: float, seed: int, name: str) -> None:
    """Draw this process's rows of a parameter; a chunk of rows has its own seed."""
    local, first = _local(parameter)
    width = max(1, parameter[0].numel()) if parameter.dim() > 1 else 1
    rows = max(1, INIT_CHUNK // width)
    stop_row = first + local.shape[0]
    for chunk in range(first // rows, -(-stop_row // rows)):
        low, high = chunk * rows, min((chunk + 1) * rows, parameter.shape[0])
        key = hashlib.blake2b(f"{seed}\0{name}\0{chunk}".encode(), digest_size=8).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(key, "big") >> 1)
        drawn = torch.randn(high - low, *parameter.shape[1:], generator=generator) * std
        a, b = max(low, first), min(high, stop_row)
        local[a - first : b - first].copy_(drawn[a - low : b - low])


def _local(parameter: Tensor) -> tuple[Tensor, int]:
    """The part of a parameter on this process and its first global row."""
    if not isinstance(parameter, DTensor):
        return parameter.data, 0
    _, offset = compute_local_shape_and_global_offset(
        parameter.shape, parameter.device_mesh, parameter.placements
    )
    return parameter.to_local(), offset[0] if offset else 0


def _recompute(model: CausalLM, mode: str) -> None:
    every = 1 if mode == "full" else 0
    if mode.startswith("every-") and mode[6:].isdigit() and int(mode[6:]):
        every = int(mode[6:])
    elif mode not in ("none", "full"):
        raise ConfigError(
            f"parallel.activation_checkpointing is {mode!r}: use none, full or every-2, every-3, …"
        )
    for i, layer in enumerate(model.model.layers):
        assert isinstance(layer, Block)
        layer.recompute = bool(every) and i % every == 0


def sync_gradients(model: nn.Module, sync: bool) -> None:
    """Whether the next backward pass reduces gradients (only the last of an accumulation does)."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(sync)
