"""How long the loop waits for an asynchronous save: python benchmarks/save_stall.py [MILLIONS]

One process with a model of so many million parameters (default 108) and AdamW: 12 bytes each,
1.3 GB. Work of a fixed length stands for the steps; only what `save`, `poll` and `finish` take
from the loop counts. Figures in docs/benchmarks.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

sys.path[0] = str(Path(__file__).resolve().parents[1])  # trainer.py beside this is no package
from trainer.config.settings import CheckpointConfig, ParallelConfig, TrainConfig  # noqa: E402
from trainer.run import optim, processes  # noqa: E402
from trainer.run.checkpoint import Checkpointer  # noqa: E402


def main() -> None:
    torch.set_num_threads(1)
    world = processes.start(ParallelConfig())
    width = 1024
    layers = round(float(sys.argv[1] if len(sys.argv) > 1 else 108) * 1e6 / width**2)
    model = nn.Sequential(*(nn.Linear(width, width, bias=False) for _ in range(layers)))
    optimizers = optim.build(model, TrainConfig())
    with tempfile.TemporaryDirectory() as folder:
        config = CheckpointConfig(asynchronous=True)
        checkpoints = Checkpointer(Path(folder), config, world, model, optimizers)
        for turn in range(3):
            begin = time.perf_counter()
            checkpoints.save(turn, {"step": turn})
            staged, longest = time.perf_counter() - begin, 0.0
            while checkpoints._pending is not None:
                time.sleep(0.5)  # a step on the device
                asked = time.perf_counter()
                checkpoints.poll()
                longest = max(longest, time.perf_counter() - asked)
            whole = time.perf_counter() - begin
            print(f"save {turn}: copy {staged:.2f} s, then at most {longest:.2f} s in one step; "
                  f"whole after {whole:.1f} s")  # fmt: skip
        checkpoints.close()


if __name__ == "__main__":
    main()
