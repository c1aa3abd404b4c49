"""Ray Train:  python trainer/launch/ray_train.py --workers 8 --config 1.3b [--section.key=value …]

Runs the same `train(config)` in Ray workers. Because a checkpoint loads on any number of workers,
a failed worker only costs the steps since the last save. --dry-run prints the plan. Run folder and
token shards must lie on a file system that all workers see.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from trainer.config import Config, ConfigError, from_dict, load, to_dict


def work(settings: dict[str, Any]) -> None:
    """One Ray worker: Ray has set RANK, WORLD_SIZE and MASTER_ADDR and made the process group."""
    from trainer.train import train

    train(from_dict(settings))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpus", action="store_true", help="one GPU for each worker")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--config", required=True)
    parser.add_argument("--dry-run", action="store_true")
    known, overrides = parser.parse_known_args()
    try:
        config: Config = load(known.config, overrides)
    except ConfigError as error:
        sys.exit(f"ray_train: {error}")
    print(f"{known.workers} workers, {'a GPU each' if known.gpus else 'CPU'}, out {config.out}")
    if known.dry_run:
        return
    try:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer
    except ImportError:
        sys.exit("ray_train: needs Ray: pip install 'inaho[ray]' 'ray[train]'")
    TorchTrainer(
        work,
        train_loop_config=to_dict(config),
        scaling_config=ScalingConfig(num_workers=known.workers, use_gpu=known.gpus),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=known.restarts)),
    ).fit()


if __name__ == "__main__":
    main()
