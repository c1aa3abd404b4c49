"""The processes of a run: how one finds its place, talks to the others and leaves.

torchrun, Slurm, Open MPI and Ray start processes and describe them in the environment; alone, a
process makes a group of one, so that a single code path serves all.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from trainer.config.settings import ConfigError, ParallelConfig, StoppedError
from trainer.model.attention import prefer_flash3

# What names a process: the variable of torchrun, the value alone, the names of Slurm and Open MPI.
ENVIRONMENT = {
    "RANK": ("0", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"),
    "WORLD_SIZE": ("1", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE"),
    "LOCAL_RANK": ("0", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK"),
}
POLL = 5.0  # seconds between two looks at whether the main process is done, see on_main


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
        """Whether any process says so; a collective, so all must ask."""
        value = torch.tensor(int(flag))
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value)

    def gather(self, value: Any) -> list[Any]:
        """The value of each process, in their order, on all of them."""
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait for all processes."""
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
        # A launcher may show each process its own GPU alone.
        device = torch.device("cuda", local % torch.cuda.device_count())
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
        prefer_flash3()
    if not dist.is_initialized():
        many_sockets()
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=_store(size), rank=rank, world_size=size)
    shape: tuple[int, ...] = (size,)
    names: tuple[str, ...] = ("shard",)
    if config.replicate > 1:
        shape, names = (config.replicate, size // config.replicate), ("replicate", "shard")
    mesh = init_device_mesh(device.type, shape, mesh_dim_names=names)
    return World(dist.get_rank(), dist.get_world_size(), device, mesh)


def many_sockets() -> None:
    """For more than a few hundred processes: gloo connects to those it talks to, not to all (a full
    mesh of 1,024 is more sockets than a process may open), and as many files as the system allows.
    """
    os.environ.setdefault("TORCH_GLOO_LAZY_INIT", "1")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _store(size: int) -> dist.Store | None:
    """Where the processes of this attempt meet; None: as torch finds it in the environment.

    torchrun keeps one store for all its attempts, in which gloo reads the addresses of dead
    processes and waits for them (2 of 5 restarts hung): every attempt has keys of its own.
    """
    if size == 1 and "MASTER_ADDR" not in os.environ:
        return dist.HashStore()
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    if attempt is None or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    return dist.PrefixStore(f"attempt-{attempt}", dist.TCPStore(host, port, is_master=False))


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


def on_main(world: World, work: Callable[[], object]) -> None:
    """Let the main process do something while the others wait for it, however long it takes.

    An error is raised on all of them: one line from the main process, not one broken connection
    for each other.
    """
    if world.size == 1:
        work()
        return
    failed: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    if world.main:
        thread.start()
    busy = True
    while busy:  # a collective must not wait longer than its timeout
        if world.main:
            thread.join(timeout=POLL)
        busy = world.any(thread.is_alive())
    if world.any(bool(failed)):
        raise failed[0] if failed else StoppedError("stopped with the main process")
