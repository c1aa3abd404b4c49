"""Ray Train:  python -m trainer.launch.ray_train --workers 8 --config 1.3b [--section.key=value …]

Runs the same `train(config)` in Ray workers, with a GPU each under --gpus. A checkpoint loads on
any number of workers, so a failed worker only costs the steps since the last save, and
--workers 4:8 lets Ray go on with fewer when nodes are lost. Run folder and token shards must lie
on a file system that all nodes see; `trainer` must be importable there (the path of this checkout
is added). --dry-run prints the plan.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainer.analysis.report import write_report
from trainer.config.load import from_dict, load
from trainer.config.settings import Config, ConfigError

REPO = Path(__file__).resolve().parents[2]


def work(settings: dict[str, Any]) -> None:
    """One Ray worker: Ray has set RANK, WORLD_SIZE and MASTER_ADDR and made the process group."""
    from trainer.run.train import train

    train(from_dict(settings))


def absolute(config: Config) -> Config:
    """The same run from any working directory: Ray starts workers in a folder of its own."""

    def at(path: str) -> str:
        return str(Path(path).absolute()) if path else ""

    data, kept = config.data, config.checkpoint
    data = replace(
        data, tokens=at(data.tokens), corpus=at(data.corpus), tokenizer=at(data.tokenizer)
    )
    return replace(
        config, out=at(config.out), data=data, checkpoint=replace(kept, load=at(kept.load))
    )


def workers(text: str) -> tuple[int, int]:
    """(fewest, most) of "8" or "4:8"."""
    low, _, high = text.partition(":")
    if not low.isdigit() or not (high or low).isdigit() or not 0 < int(low) <= int(high or low):
        raise ConfigError(f"--workers is {text!r}: write it as 8, or as 4:8 for 4 to 8 workers")
    return int(low), int(high or low)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="2", help="8, or 4:8 for as many as Ray can start")
    parser.add_argument("--gpus", action="store_true", help="one GPU for each worker")
    parser.add_argument("--restarts", type=int, default=3, help="failures before the run gives up")
    parser.add_argument("--config", required=True, help="TOML file or name of a preset")
    parser.add_argument("--dry-run", action="store_true")
    known, overrides = parser.parse_known_args()
    try:
        config = absolute(load(known.config, overrides))
        fewest, most = workers(known.workers)
    except ConfigError as error:
        print(f"ray_train: {error}", file=sys.stderr)
        sys.exit(2)
    place = "a GPU each" if known.gpus else "CPU"
    print(f"{known.workers} workers, {place}, out {config.out}", flush=True)
    if not known.dry_run:
        fit(config, (fewest, most), known.gpus, known.restarts)


def fit(config: Config, count: tuple[int, int], gpus: bool, restarts: int) -> None:
    """Run to the end, or end with status 1 and one line."""
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
    except ImportError as error:
        sys.exit(f"ray_train: needs Ray Train ({error}): pip install 'ray[train]'")
    connect(count[1], gpus)
    number: Any = count[0] if count[0] == count[1] else count
    trainer = TorchTrainer(
        work,
        train_loop_config=asdict(config),
        # nccl alone, which Ray would choose, has no collectives for tensors on the CPU
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=number, use_gpu=gpus),
        run_config=RunConfig(
            storage_path=str(Path(config.out) / "ray"),
            failure_config=FailureConfig(max_failures=restarts),
        ),
    )
    try:
        trainer.fit()
    except Exception as error:  # Ray wraps whatever a worker raised
        cause = str(error).strip().splitlines() or [type(error).__name__]
        sys.exit(f"ray_train: the run failed: {cause[-1]}")
    write_report(Path(config.out))


def connect(count: int, gpus: bool) -> None:
    """Join the cluster that RAY_ADDRESS names or that runs here; without one start one here.

    RAY_ADDRESS=local never looks for a cluster.
    """
    import ray

    path = os.pathsep.join(p for p in (str(REPO), os.environ.get("PYTHONPATH", "")) if p)
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    env = {"env_vars": {"PYTHONPATH": path, "OMP_NUM_THREADS": threads}}
    address = os.environ.get("RAY_ADDRESS", "auto")
    if address != "local":
        try:
            ray.init(address=address, runtime_env=env)
            return
        except ConnectionError as error:
            if address != "auto":
                sys.exit(f"ray_train: no Ray cluster at RAY_ADDRESS={address}: {error}")
    cpus = None if gpus else max(count, os.cpu_count() or 1)
    ray.init(address="local", num_cpus=cpus, runtime_env=env)


if __name__ == "__main__":
    main()
