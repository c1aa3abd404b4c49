"""Checkpoints that are either whole or not there, and that any number of processes can load.

    RUN/ckpt/step-00000500/   .metadata  __R_0.distcp   (torch.distributed.checkpoint)
                              train.json                (step, data chain: a few integers)
                              MANIFEST.json             (size and SHA-256 of every file)
    RUN/latest                the name of the newest one

A save goes to `step-N.tmp`; every process syncs and hashes its own file, the main one writes the
manifest and renames the folder, all in the thread that writes: the loop waits for the copy off the
device alone. Loading walks from the newest back and says why it skips one; the processes share
the files to be hashed. Weights that are not finite are never saved. Only tensors are stored, and
they are read without the power of pickle (folder/load.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn, optim
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.tensor import DTensor
from torch.futures import Future

from trainer import files
from trainer.config.settings import CheckpointConfig, TrainError
from trainer.folder.load import read, reason
from trainer.folder.manifest import check, seal, verify
from trainer.run.optim import state_tensors
from trainer.run.processes import World


class Checkpointer:
    """Saves and loads the tensors of a model and its optimisers under RUN/ckpt."""

    def __init__(
        self,
        run: Path,
        config: CheckpointConfig,
        world: World,
        model: nn.Module,
        optimizers: list[optim.Optimizer],
        reading: bool = False,
    ) -> None:
        self.folder, self.run = run / "ckpt", run
        self.config, self.world = config, world
        self.model, self.optimizers = model, optimizers
        self._stager: Any = None
        self._group: Any = None
        self._pending: tuple[Any, int] | None = None
        if world.main and not reading:
            self.folder.mkdir(parents=True, exist_ok=True)
            for partial in self.folder.glob("step-*.tmp"):
                shutil.rmtree(partial, ignore_errors=True)
        world.barrier()

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint holds: `model.<parameter>`, `optim.<parameter>.<key>`, not copied."""
        model = {f"model.{n}": t for n, t in self.model.state_dict().items()}
        return model | state_tensors(self.model, self.optimizers)

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write a checkpoint; with `asynchronous` it is final after a later `poll` or `finish`.

        Raises TrainError on every process when one could not write, or has weights that are not
        finite.
        """
        self.finish()
        self._refuse_broken_weights(step)
        target = self.folder / f"step-{step:08d}.tmp"
        if self.world.main:
            shutil.rmtree(target, ignore_errors=True)
        self.world.barrier()
        writer = _Writer(target, lambda digests: self._complete(target, state, digests))
        if not self.config.asynchronous:
            self._attempt(step, lambda: dcp.save(self.tensors(), storage_writer=writer))
            return
        self._stager = self._stager or _stager(self.world.device.type == "cuda")
        # A group of its own: the thread that writes must not mix its collectives with the loop's.
        self._group = self._group or dist.new_group(backend="gloo")
        future = dcp.async_save(
            self.tensors(),
            storage_writer=writer,
            async_stager=self._stager,
            process_group=self._group,
        )
        self._pending = (future, step)

    def poll(self) -> None:
        """See whether an asynchronous save has failed. All processes call it at the same steps."""
        if self._pending is not None:
            if not self.world.any(not self._pending[0].done()):
                self.finish()

    def finish(self) -> None:
        """Wait for the pending save."""
        if self._pending is None:
            return
        future, step = self._pending
        self._pending = None
        self._attempt(step, future.result)

    def close(self) -> None:
        self.finish()
        if self._stager is not None:
            self._stager.close()
            self._stager = None

    def load(self, step: int | None = None, weights_only: bool = False) -> dict[str, Any] | None:
        """Load the newest whole checkpoint (or `step`) in place; its state, or None.

        Prints on the main process why a checkpoint is skipped.
        """
        names = [f"step-{step:08d}"] if step is not None else self._names()
        for name in names:
            problem, spoilt = check(self.folder / name), ""
            if not problem:
                spoilt = verify(self.folder / name, self.world.rank, self.world.size)
            if self.world.any(bool(problem or spoilt)):
                if spoilt or (problem and self.world.main):
                    print(f"skipped checkpoint {name}: {problem or spoilt}", flush=True)
                continue
            tensors = self.tensors()
            if weights_only:
                tensors = {k: t for k, t in tensors.items() if k.startswith("model.")}
            read(self.folder / name, tensors)
            text = (self.folder / name / "train.json").read_text(encoding="utf-8")
            state: dict[str, Any] = json.loads(text)
            return state
        return None

    def _names(self) -> list[str]:
        names = [p.name for p in self.folder.glob("step-*") if p.suffix != ".tmp"]
        return sorted(names, reverse=True)

    def _attempt(self, step: int, write: Any) -> None:
        problem = ""
        try:
            write()
        except (Exception, CheckpointException) as error:  # the latter is a BaseException
            free = shutil.disk_usage(self.folder).free
            problem = f"{reason(error)} ({free / 2**20:,.1f} MiB free there)"
        if self.world.any(bool(problem)):
            tmp = self.folder / f"step-{step:08d}.tmp"
            if self.world.main:
                shutil.rmtree(tmp, ignore_errors=True)
            names = self._names()
            last = names[0] if names else "none"
            raise TrainError(
                f"checkpoint of step {step} in {self.folder} failed"
                f"{': ' + problem if problem else ''}; the last good one is {last}: "
                "free some space and start the same command again"
            )

    def _refuse_broken_weights(self, step: int) -> None:
        local = (t.to_local() if isinstance(t, DTensor) else t for t in self.model.parameters())
        good = torch.stack([t.isfinite().all() for t in local]).all()
        if self.world.any(not good):
            names = self._names()
            raise TrainError(
                f"the weights are not finite before step {step}: not saved; the last good "
                f"checkpoint is {names[0] if names else 'none'}"
            )

    def _complete(self, tmp: Path, state: dict[str, Any], digests: dict[str, str]) -> None:
        """On the main process, when every file is written: the folder gets its name."""
        files.write(tmp / "train.json", json.dumps(state, indent=1).encode())
        seal(tmp, digests)
        final = tmp.with_suffix("")
        shutil.rmtree(final, ignore_errors=True)
        tmp.rename(final)
        files.fsync(self.folder)
        files.write(self.run / "latest", final.name.encode())
        self._prune()

    def _prune(self) -> None:
        names = self._names()
        keep_every = self.config.keep_every
        for name in names[max(1, self.config.keep_last) :]:
            if not keep_every or int(name.removeprefix("step-")) % keep_every:
                shutil.rmtree(self.folder / name, ignore_errors=True)


def _stager(cuda: bool) -> DefaultStager:
    """One stager for all saves: torch 2.11 makes one a call and never closes it.

    The copy off the device is waited for, in pinned memory a fraction of a second: with
    `use_async_staging` the next optimiser step would change what is being copied.
    """
    return DefaultStager(
        StagingOptions(
            use_pinned_memory=cuda,
            use_shared_memory=False,
            use_async_staging=False,
            use_non_blocking_copy=cuda,
        )
    )


class _Writer(dcp.FileSystemWriter):
    """Writes one file a process; `complete` gets their digests on the main one, in its thread."""

    def __init__(self, folder: Path, complete: Callable[[dict[str, str]], None]) -> None:
        super().__init__(folder, per_thread_copy_ahead=0)
        self.complete = complete

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        future = super().write_data(plan, planner)
        results = future.wait()
        for name in {r.storage_data.relative_path for r in results}:
            # Travels to the main process with the first result, which torch gathers there.
            digest = files.sha256(Path(self.path) / name)
            first = next(r for r in results if r.storage_data.relative_path == name)
            object.__setattr__(first, "sha256", digest)  # a frozen dataclass
        return future

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        super().finish(metadata, results)
        hashed = (r for rank in results for r in rank if hasattr(r, "sha256"))
        self.complete({r.storage_data.relative_path: r.sha256 for r in hashed})
