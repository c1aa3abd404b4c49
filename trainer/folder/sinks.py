"""TensorBoard and Weights & Biases: the numbers of metrics.jsonl, elsewhere as well."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer import files
from trainer.config.settings import Config, ConfigError


class TensorBoard:
    """Events of steps after the one a run goes on from are purged: they will be made again."""

    def __init__(self, folder: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError("log.tensorboard needs the package tensorboard") from error
        self._writer = SummaryWriter(
            str(folder / "tensorboard"), purge_step=step + 1 if step else 0
        )

    def write(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        self._writer.close()


class WandB:
    """One W&B run for a run folder, however often it is started: FOLDER/wandb/run-id names it.

    W&B drops rows whose own step goes back, as after a crash. So its step only counts
    rows, and `step` is a value in the row and the axis of every plot; of two rows with the same
    step the later one counts.
    """

    def __init__(self, config: Config, folder: Path) -> None:
        try:
            import wandb  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise ConfigError("log.wandb needs the package wandb") from error
        name = folder / "wandb" / "run-id"
        known = name.read_text(encoding="utf-8").strip() if name.is_file() else None
        try:
            self._run = wandb.init(
                project=config.log.wandb,
                name=folder.resolve().name,
                id=known or None,
                dir=str(folder),
                config=asdict(config),
                resume="allow",
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            line = " ".join(str(error).split())
            raise ConfigError(f"log.wandb: {line} (WANDB_MODE=offline needs no server)") from error
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        name.parent.mkdir(exist_ok=True)
        files.write(name, self._run.id.encode())

    def write(self, step: int, scalars: dict[str, float]) -> None:
        self._run.log({**scalars, "step": step})

    def close(self, failed: bool) -> None:
        self._run.finish(exit_code=int(failed))


def numbers(prefix: str, row: dict[str, Any]) -> list[tuple[str, float]]:
    scalars: list[tuple[str, float]] = []
    for key, value in row.items():
        if isinstance(value, dict):
            scalars += numbers(f"{prefix}{key}/", value)
        elif isinstance(value, (int, float)):
            scalars.append((prefix + key, float(value)))
    return scalars
